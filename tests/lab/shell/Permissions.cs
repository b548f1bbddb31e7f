// Access entries of organizational units: .NET edits security descriptors on Windows only, Samba's Python everywhere.
using System;
using System.Diagnostics;
using System.IO;

namespace Umx.Lab;

public static class Permissions
{
    public static string Run(string forest, string verb, string ou, string objectType)
    {
        var facts = Place.Forest(forest);
        var start = new ProcessStartInfo("/usr/bin/python3") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { Path.Combine(AppContext.BaseDirectory, "ou_permission.py"), verb, ou, objectType,
                     (string)facts["domain_controllers"]![0]!["fqdn"]!, (string)facts["admin"]!["user"]!, (string)facts["admin"]!["password_file"]! })
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new DirectoryException(error.Result.Trim());
        if (verb != "test")
            Pause.Take();
        return output.Trim();
    }
}

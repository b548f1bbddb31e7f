// Between a change and its answer: a file `pause` on the recorded host holds the shell there once, for as many seconds as
// the file says; it is renamed to `paused`, so that whoever waits for that moment sees it.
using System;
using System.IO;
using System.Threading;

namespace Umx.Lab;

public static class Pause
{
    public static void Take()
    {
        var host = Streams.Current?.Host;
        var wanted = host == null ? "" : Path.Combine(host.Folder, "pause");
        if (host == null || !File.Exists(wanted))
            return;
        var seconds = int.Parse(File.ReadAllText(wanted));
        File.Move(wanted, Path.Combine(host.Folder, "paused"), overwrite: true);
        Thread.Sleep(TimeSpan.FromSeconds(Math.Min(seconds, 120)));
    }
}

// module-probe SCRIPT - runs a script in the PowerShell engine as it is by itself, with the folders of modules that every
// PowerShell of the machine looks into, and prints what it gives. For packaging/test-debs: Debian has no PowerShell.
using System;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

using var shell = PowerShell.Create(InitialSessionState.CreateDefault2());
foreach (var record in shell.AddScript(args[0]).Invoke())
    Console.WriteLine(record);
foreach (var error in shell.Streams.Error)
    Console.Error.WriteLine(error);
return shell.HadErrors ? 1 : 0;

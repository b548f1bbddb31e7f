// The least that the engine wants of a host: it keeps the exit code, and has nobody to ask.
using System;
using System.Globalization;
using System.Management.Automation.Host;

namespace Umx.Lab;

sealed class EngineHost : PSHost
{
    public int? ExitCode { get; private set; }

    public override CultureInfo CurrentCulture => CultureInfo.InvariantCulture;
    public override CultureInfo CurrentUICulture => CultureInfo.InvariantCulture;
    public override Guid InstanceId { get; } = Guid.NewGuid();
    public override string Name => "umx-lab-shell";
    public override PSHostUserInterface? UI => null;
    public override Version Version => new(1, 0);
    public override void EnterNestedPrompt() => throw new NotSupportedException();
    public override void ExitNestedPrompt() => throw new NotSupportedException();
    public override void NotifyBeginApplication() { }
    public override void NotifyEndApplication() { }
    public override void SetShouldExit(int exitCode) => ExitCode = exitCode;
}

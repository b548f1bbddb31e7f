// The module's cmdlets as the engine sees them.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Umx.Tests;

static class Cmdlets
{
    public static readonly HashSet<string> Common = new(Cmdlet.CommonParameters, StringComparer.OrdinalIgnoreCase);

    public static CmdletInfo[] Of(Shell shell) =>
        [.. shell.Run("Get-Command -Module Umx").Good().Output.Select(c => c.BaseObject).OfType<CmdletInfo>()
            .OrderBy(c => c.Name, StringComparer.Ordinal)];

    /// Its own parameters: neither the engine's common ones nor those of ShouldProcess.
    public static ParameterMetadata[] ParametersOf(CmdletInfo cmdlet) =>
        [.. cmdlet.Parameters.Values.Where(p => !Common.Contains(p.Name)).OrderBy(p => p.Name, StringComparer.Ordinal)];

    public static CmdletAttribute AttributeOf(CmdletInfo cmdlet) =>
        (CmdletAttribute)Attribute.GetCustomAttribute(cmdlet.ImplementingType, typeof(CmdletAttribute))!;

    public static bool Changes(CmdletInfo cmdlet) => AttributeOf(cmdlet).SupportsShouldProcess;
}

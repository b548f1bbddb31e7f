namespace Umx
{
    /// <summary>What errors recommend names commands of the command line; here are the cmdlets for them.</summary>
    internal static class Remedies
    {
        private static readonly string[,] Commands =
        {
            { "`umx token create`", "New-UmxToken" },
            { "`umx token create ", "`New-UmxToken " },
            { "`umx token list`", "Get-UmxToken" },
            { "`umx agents accept", "`Approve-UmxEnrollment" },
            { "`umx agents revoke", "`Revoke-UmxAgent" },
            { "`umx agents forget", "`Remove-UmxAgent" },
            { "`umx agents held`", "Get-UmxEnrollment" },
            { "`umx agents`", "Get-UmxAgent" },
            { "`umx login`", "Connect-UmxController" },
            { "`umx login ", "`Connect-UmxController " },
            { "`umx tables`", "Get-UmxTable" },
            { "`umx phases`", "Get-UmxPhase" },
            { "`umx phases ", "`Get-UmxPhase " },
            { "`umx check`", "Test-UmxIntegration" },
            { "`umx status`", "Get-UmxStatus" },
            { "`umx query list`", "Get-UmxQuery" },
            { "`umx grants show ", "`Get-UmxGrant " },
            { "`umx audit verify`", "Test-UmxAuditLog" },
            { "`umx audit`", "Get-UmxAuditLog" },
            { "`umx ca status`", "Get-UmxAuthority" },
            { "`umx ca rotate begin`", "Start-UmxAuthorityRotation" },
            { "`umx plan list`", "Get-UmxPlan" },
            { "`umx plan show ", "`Get-UmxPlan " },
            { "`umx plan create`", "New-UmxPlan" },
            { "`umx plan submit ", "`Submit-UmxPlan " },
            { "`umx plan approve ", "`Approve-UmxPlan " },
            { "`umx plan approve`", "Approve-UmxPlan" },
            { "`umx plan undo ", "`Undo-UmxPlan " },
            { "`umx plan undo`", "Undo-UmxPlan" },
            { "`umx plan resume ", "`Resume-UmxPlan " },
            { "`umx plan resume`", "Resume-UmxPlan" },
            { "`umx plan suspend ", "`Suspend-UmxPlan " },
            { "`umx plan cancel ", "`Stop-UmxPlan " },
            { "`umx plan cancel`", "Stop-UmxPlan" },
            { "`umx plan watch ", "`Watch-UmxPlan " },
            { "`umx plan delete ", "`Remove-UmxPlan " },
            { "`umx plan confirm NAME STEP --value outcome=done|not_done --comment WHY`",
              "`Confirm-UmxPlanStep NAME STEP -Value @{ outcome = 'done' } -Comment WHY` (or 'not_done')" },
            { "`umx plan confirm ", "`Confirm-UmxPlanStep " },
            { "`umx plan template`", "Get-UmxPlanTemplate" },
        };

        internal static string ForCmdlets(string remedy)
        {
            for (int i = 0; remedy != null && i < Commands.GetLength(0); i++)
                remedy = remedy.Replace(Commands[i, 0], Commands[i, 1]);
            return remedy;
        }
    }
}

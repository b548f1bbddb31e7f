// The engine that tests have comes without the Utility cmdlets. For the examples in the help the three that administrators
// use all the time are stood in for, by scripts that give what the real ones would; rendering is the engine's own.
namespace Umx.Tests;

static class UtilityStandIns
{
    public const string Script = """
        function global:Select-Object {
            param([Parameter(Position = 0)][string[]] $Property, [int] $First = [int]::MaxValue, [string] $ExpandProperty,
                  [Parameter(ValueFromPipeline)] $InputObject)
            begin { $taken = 0 }
            process {
                if ($taken++ -ge $First) { return }
                if ($ExpandProperty) { return $InputObject.$ExpandProperty }
                if (-not $Property) { return $InputObject }
                $made = [System.Management.Automation.PSObject]::new()
                foreach ($name in $Property) {
                    $made.PSObject.Properties.Add([System.Management.Automation.PSNoteProperty]::new($name, $InputObject.$name))
                }
                $made
            }
        }
        function global:Sort-Object {
            param([Parameter(Position = 0)][string[]] $Property, [Parameter(ValueFromPipeline)] $InputObject)
            begin { $all = [System.Collections.Generic.SortedDictionary[string, object]]::new([System.StringComparer]::OrdinalIgnoreCase) }
            process {
                $key = @(foreach ($name in $Property) { [string] $InputObject.$name }) -join '|'
                $all[$key + '|' + $all.Count.ToString('d8')] = $InputObject
            }
            end { $all.Values }
        }
        function global:Get-Date { [System.DateTime]::Now }
        """;
}

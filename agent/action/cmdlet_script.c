/* What the scripts of all cmdlet actions have in common, before and after their own functions. ASCII, in the language
 * of PowerShell 2.0 without its Utility cmdlets. */
#include "agent/action/cmdlet.h"
#include "agent/collect/shell_prologue.h"

/* The first record says that the products' commands are loaded: that alone takes many seconds. */
static const char loaded[] = "  Write-Value 'state' 'ok'\n"
                             "} catch { Write-Value 'error' $_.Exception.Message }\n"
                             "Write-End\n";

static const char helpers[] = "function Write-All($name, $values) {\n"
                              "  $list = @(Get-List $values)\n"
                              "  if ($list.Count -eq 0) { Write-Value $name '' } else { Write-Value $name $list }\n"
                              "}\n"
                              "function Test-Has($v, $name) { return (@($v['has']) -contains $name) }\n"
                              "function Get-List($values) {\n"
                              "  foreach ($value in @($values)) { if ([string]$value -ne '') { [string]$value } }\n"
                              "}\n"
                              "function Test-Same($a, $b) {\n"
                              "  $a = @(Get-List $a); $b = @(Get-List $b)\n"
                              "  if ($a.Count -ne $b.Count) { return $false }\n"
                              "  foreach ($one in $a) { if ($b -notcontains $one) { return $false } }\n"
                              "  return $true\n"
                              "}\n";

/* One record asked, one answered, until standard input ends. */
static const char loop[] = "while ($true) {\n"
                           "  $v = Read-Request\n"
                           "  if ($v -eq $null) { break }\n"
                           "  try {\n"
                           "    if ($v['verb'] -eq 'do') { $null = Set-It $v }\n"
                           "    $null = Get-It $v\n"
                           "    Write-Value 'state' 'ok'\n"
                           "  } catch {\n"
                           "    Write-Value 'error' $_.Exception.Message\n"
                           "    Write-Value 'error_id' $_.FullyQualifiedErrorId\n"
                           "  }\n"
                           "  Write-End\n"
                           "}\n";

void umx_cmdlet_script(const struct umx_action *action, struct umx_text *out)
{
    bool exchange = action->product == UMX__SERVER__PRODUCT__EXCHANGE;

    umx_text_adds(out, UMX_SHELL_PROLOGUE "try {\n");
    umx_text_adds(out, exchange ? UMX_SHELL_EXCHANGE : UMX_SHELL_LYNC);
    umx_text_adds(out, loaded);
    umx_text_adds(out, helpers);
    umx_text_adds(out, action->cmdlet->helper != NULL ? action->cmdlet->helper : "");
    umx_text_adds(out, action->cmdlet->script);
    umx_text_adds(out, loop);
}

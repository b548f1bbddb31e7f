/*
 * What the fixed scripts begin with, in the language of PowerShell 2.0 without its Utility cmdlets: ASCII only, and
 * nothing from outside is ever put into them. What they are asked comes from standard input, what they say goes to
 * standard output, both as the records of collect/shell_text.h.
 */
#ifndef UMX_AGENT_SHELL_PROLOGUE_H
#define UMX_AGENT_SHELL_PROLOGUE_H

/* Whatever a cmdlet would print or ask is off: only Write-Value writes. Exit code 3: the shell lacks the command. */
#define UMX_SHELL_PROLOGUE                                                                                             \
    "$ErrorActionPreference = 'Stop'\n"                                                                                \
    "$WarningPreference = 'SilentlyContinue'\n"                                                                        \
    "$ProgressPreference = 'SilentlyContinue'\n"                                                                       \
    "$ConfirmPreference = 'None'\n"                                                                                    \
    "function Write-Value($name, $values) {\n"                                                                         \
    "  foreach ($value in @($values)) {\n"                                                                             \
    "    if ($value -ne $null) {\n"                                                                                    \
    "      $bytes = [Text.Encoding]::UTF8.GetBytes([string]$value)\n"                                                  \
    "      [Console]::Out.Write($name + \"`t\" + [Convert]::ToBase64String($bytes) + \"`n\")\n"                        \
    "    }\n"                                                                                                          \
    "  }\n"                                                                                                            \
    "}\n"                                                                                                              \
    "function Write-End { [Console]::Out.Write(\"`n\") }\n"                                                            \
    "function Assert-Command($name) {\n"                                                                               \
    "  if (-not (Get-Command $name -ErrorAction SilentlyContinue)) { exit 3 }\n"                                       \
    "}\n"                                                                                                              \
    "function Read-Request {\n"                                                                                        \
    "  $found = @{}\n"                                                                                                 \
    "  while ($true) {\n"                                                                                              \
    "    $line = [Console]::In.ReadLine()\n"                                                                           \
    "    if ($line -eq $null) { return $null }\n"                                                                      \
    "    if ($line -eq '') { return $found }\n"                                                                        \
    "    $parts = $line.Split(\"`t\")\n"                                                                               \
    "    $text = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($parts[1]))\n"                            \
    "    if ($found.ContainsKey($parts[0])) { $found[$parts[0]] = @($found[$parts[0]]) + $text }\n"                    \
    "    else { $found[$parts[0]] = $text }\n"                                                                         \
    "  }\n"                                                                                                            \
    "}\n"

/* Get-Command first: an engine without snap-ins has what it needs loaded already. */
#define UMX_SHELL_EXCHANGE                                                                                             \
    "if (Get-Command Get-PSSnapin -ErrorAction SilentlyContinue) {\n"                                                  \
    "  foreach ($snapin in 'Microsoft.Exchange.Management.PowerShell.SnapIn',\n"                                       \
    "      'Microsoft.Exchange.Management.PowerShell.E2010',\n"                                                        \
    "      'Microsoft.Exchange.Management.PowerShell.Admin') {\n"                                                      \
    "    if (Get-PSSnapin -Registered -Name $snapin -ErrorAction SilentlyContinue) { Add-PSSnapin $snapin; break }\n"  \
    "  }\n"                                                                                                            \
    "}\n"

#define UMX_SHELL_LYNC                                                                                                 \
    "foreach ($module in 'SkypeForBusiness', 'Lync') {\n"                                                              \
    "  if (Get-Module -ListAvailable -Name $module) { Import-Module $module; break }\n"                                \
    "}\n"

#endif

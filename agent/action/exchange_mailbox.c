/* People: UM mailboxes (phase 11) and EUM addresses (phase 6). No PIN passes here: Exchange makes and mails it. */
#include "agent/action/cmdlet.h"

/* Of the extensions the one of digits: a SIP plan lists addresses among them. */
static const char extension[] =
    "function Get-Extension($it) {\n"
    "  foreach ($one in @(Get-List $it.Extensions)) { if ($one -match '^[0-9]+$') { return $one } }\n"
    "  return ''\n"
    "}\n";

static const struct umx_cmdlet enable_mailbox = {
    .parameters = {{.name = "user", .type = UMX_PARAMETER_OBJECT},
                   {.name = "policy", .type = UMX_PARAMETER_NAME},
                   {.name = "extension", .type = UMX_PARAMETER_DIGITS},
                   {.name = "sip_address", .type = UMX_PARAMETER_SIP}},
    .makes = true,
    .helper = extension,
    .script =
        "function Get-It($v) {\n"
        "  $box = Get-Mailbox -Identity $v['user']\n"
        "  if ($box.UMEnabled) {\n"
        "    $it = Get-UMMailbox -Identity $v['user']\n"
        "    Write-Value 'now' ([string]$it.UMMailboxPolicy.Name + ' ' + (Get-Extension $it) + ' ' + "
        "$it.SIPResourceIdentifier)\n"
        "    if ([string]$it.UMMailboxPolicy.Name -eq $v['policy'] -and (Get-Extension $it) -eq $v['extension'] -and\n"
        "        [string]$it.SIPResourceIdentifier -eq $v['sip_address']) { Write-Value 'reached' 'yes' }\n"
        "  }\n"
        "}\n"
        "function Set-It($v) {\n"
        "  Enable-UMMailbox -Identity $v['user'] -UMMailboxPolicy $v['policy'] -Extensions $v['extension'] `\n"
        "    -SIPResourceIdentifier $v['sip_address'] -Confirm:$false\n"
        "}\n",
};

static const struct umx_cmdlet disable_mailbox = {
    .parameters = {{.name = "user", .type = UMX_PARAMETER_OBJECT}},
    .helper = extension,
    .script = "function Get-It($v) {\n"
              "  $box = Get-Mailbox -Identity $v['user']\n"
              "  if (-not $box.UMEnabled) { Write-Value 'reached' 'yes'; return }\n"
              "  $it = Get-UMMailbox -Identity $v['user']\n"
              "  Write-Value 'before:policy' $it.UMMailboxPolicy.Name\n"
              "  Write-Value 'before:extension' (Get-Extension $it)\n"
              "  Write-Value 'before:sip_address' ([string]$it.SIPResourceIdentifier)\n"
              "}\n"
              "function Set-It($v) { Disable-UMMailbox -Identity $v['user'] -KeepProperties $true -Confirm:$false }\n",
};

static const struct umx_cmdlet set_addresses = {
    .parameters = {{.name = "user", .type = UMX_PARAMETER_OBJECT},
                   {.name = "add", .type = UMX_PARAMETER_EUM, .list = true, .optional = true, .may_be_empty = true},
                   {.name = "remove", .type = UMX_PARAMETER_EUM, .list = true, .optional = true, .may_be_empty = true}},
    .script = "function Get-Addresses($v) {\n"
              "  foreach ($one in @((Get-Mailbox -Identity $v['user']).EmailAddresses)) {\n"
              "    if ([string]$one -match '^eum:') { [string]$one }\n"
              "  }\n"
              "}\n"
              /* EUM: is the primary address, eum: another one; the rest compares without case. */
              "function Test-In($one, $list) {\n"
              "  foreach ($other in $list) {\n"
              "    if ($one -eq $other -and $one.Substring(0, 4) -ceq $other.Substring(0, 4)) { return $true }\n"
              "  }\n"
              "  return $false\n"
              "}\n"
              "function Get-It($v) {\n"
              "  $there = @(Get-Addresses $v)\n"
              "  $reached = $true\n"
              "  foreach ($one in @(Get-List $v['add'])) { if (-not (Test-In $one $there)) { $reached = $false } }\n"
              "  foreach ($one in @(Get-List $v['remove'])) { if (Test-In $one $there) { $reached = $false } }\n"
              "  Write-Value 'now' $there\n"
              "  if ($reached) { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $there = @(Get-Addresses $v)\n"
              "  $add = @(foreach ($one in @(Get-List $v['add'])) { if (-not (Test-In $one $there)) { $one } })\n"
              "  $remove = @(foreach ($one in @(Get-List $v['remove'])) { if (Test-In $one $there) { $one } })\n"
              /* The same address with another case: Exchange takes one of them only, so that the old one goes first. */
              "  $gone = @()\n"
              "  if (@(foreach ($one in $add) { if ($remove -contains $one) { $one } }).Count -gt 0) {\n"
              "    Set-Mailbox -Identity $v['user'] -EmailAddresses @{ Remove = $remove } -Confirm:$false\n"
              "    $gone = $remove\n"
              "    $remove = @()\n"
              "  }\n"
              "  $change = @{}\n"
              "  if ($add.Count -gt 0) { $change['Add'] = $add }\n"
              "  if ($remove.Count -gt 0) { $change['Remove'] = $remove }\n"
              "  if ($change.Count -eq 0) { return }\n"
              "  try { Set-Mailbox -Identity $v['user'] -EmailAddresses $change -Confirm:$false }\n"
              /* Refused: what went before it comes back, so that an item is done whole or not at all. */
              "  catch {\n"
              "    $why = $_\n"
              "    if ($gone.Count -gt 0) { Set-Mailbox -Identity $v['user'] -EmailAddresses @{ Add = $gone } "
              "-Confirm:$false }\n"
              "    throw $why\n"
              "  }\n"
              "}\n",
};

const struct umx_action umx_mailbox_actions[] = {
    UMX_CMDLET(EXCHANGE, "enable-um-mailbox", NULL, &enable_mailbox),
    UMX_CMDLET(EXCHANGE, "disable-um-mailbox", NULL, &disable_mailbox),
    UMX_CMDLET(EXCHANGE, "set-eum-addresses", NULL, &set_addresses),
};
const size_t umx_mailbox_action_count = sizeof umx_mailbox_actions / sizeof *umx_mailbox_actions;

/* Dial plans, mailbox policies and auto attendants (phase 3), by the cmdlets of Exchange 2010 to 2016. */
#include "agent/action/cmdlet.h"

/* Objects are found in the whole list: -Identity of one that is not there is an error like any other. */
static const char find[] =
    "function Find-It($list, $name) {\n"
    "  foreach ($it in @($list)) { if ($it -ne $null -and [string]$it.Name -eq $name) { return $it } }\n"
    "}\n";

static const struct umx_cmdlet new_dial_plan = {
    .parameters =
        {{.name = "name", .type = UMX_PARAMETER_NAME},
         {.name = "digits", .type = UMX_PARAMETER_NUMBER},
         {.name = "security", .type = UMX_PARAMETER_WORD, .words = "Secured SIPSecured Unsecured"},
         {.name = "access_numbers", .type = UMX_PARAMETER_E164, .list = true, .optional = true, .may_be_empty = true},
         {.name = "country_code", .type = UMX_PARAMETER_DIGITS, .optional = true, .may_be_empty = true}},
    .makes = true,
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  $plan = Find-It @(Get-UMDialPlan) $v['name']\n"
              "  $policy = Find-It @(Get-UMMailboxPolicy) ($v['name'] + ' Default Policy')\n"
              "  if ($plan -ne $null) {\n"
              "    Write-Value 'now' ([string]$plan.URIType + ' ' + $plan.VoIPSecurity + ' ' + "
              "$plan.NumberOfDigitsInExtension)\n"
              "    Write-Value 'now' @(Get-List $plan.AccessTelephoneNumbers)\n"
              "    Write-Value 'result:dn' $plan.DistinguishedName\n"
              "  }\n"
              "  if ($policy -ne $null) { Write-Value 'now' 'policy' }\n"
              /* Its own cmdlet makes the plan and then the policy; 2007 and 2010 are told the rest by another one. */
              "  if ($plan -eq $null -or [string]$plan.URIType -ne 'SipName' -or\n"
              "      [string]$plan.VoIPSecurity -ne $v['security'] -or [string]$plan.NumberOfDigitsInExtension -ne "
              "$v['digits'] -or\n"
              "      ($policy -ne $null -and [string]$policy.UMDialPlan.Name -ne $v['name'])) { return }\n"
              "  $rest = @()\n"
              "  if ($policy -eq $null) { $rest += 'mailbox policy ' + $v['name'] + ' Default Policy' }\n"
              "  if (-not (Test-Same $plan.AccessTelephoneNumbers $v['access_numbers'])) {\n"
              "    if (@(Get-List $plan.AccessTelephoneNumbers).Count -gt 0) { return }\n"
              "    $rest += 'access numbers of dial plan ' + $v['name']\n"
              "  }\n"
              "  if ($v['country_code'] -and -not (Test-Same $plan.CountryOrRegionCode $v['country_code'])) {\n"
              "    if (@(Get-List $plan.CountryOrRegionCode).Count -gt 0) { return }\n"
              "    $rest += 'country code of dial plan ' + $v['name']\n"
              "  }\n"
              "  if ($rest.Count -eq 0) { Write-Value 'reached' 'yes' } else { Write-Value 'missing' $rest }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $known = (Get-Command New-UMDialPlan).Parameters\n"
              "  $new = @{ Name = $v['name']; URIType = 'SipName'; VoIPSecurity = $v['security'] }\n"
              "  $new['NumberOfDigitsInExtension'] = [int]$v['digits']\n"
              "  $numbers = @(Get-List $v['access_numbers'])\n"
              "  if ($v['country_code'] -and $known.ContainsKey('CountryOrRegionCode')) {\n"
              "    $new['CountryOrRegionCode'] = $v['country_code']\n"
              "  }\n"
              "  $later = @{}\n"
              "  if ($numbers.Count -gt 0 -and $known.ContainsKey('AccessTelephoneNumbers')) {\n"
              "    $new['AccessTelephoneNumbers'] = $numbers\n"
              "  } elseif ($numbers.Count -gt 0) { $later['AccessTelephoneNumbers'] = $numbers }\n"
              "  if ($v['country_code'] -and -not $new.ContainsKey('CountryOrRegionCode')) {\n"
              "    $later['CountryOrRegionCode'] = $v['country_code']\n"
              "  }\n"
              "  $plan = New-UMDialPlan @new\n"
              "  if ($later.Count -gt 0) { Set-UMDialPlan -Identity $v['name'] -Confirm:$false @later }\n"
              "}\n",
};

static const struct umx_cmdlet remove_dial_plan = {
    .parameters = {{.name = "name", .type = UMX_PARAMETER_NAME}},
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  $plan = Find-It @(Get-UMDialPlan) $v['name']\n"
              "  $policy = Find-It @(Get-UMMailboxPolicy) ($v['name'] + ' Default Policy')\n"
              "  if ($plan -ne $null) { Write-Value 'now' 'plan' }\n"
              "  if ($policy -ne $null) { Write-Value 'now' 'policy' }\n"
              "  if ($plan -ne $null -and $policy -eq $null) { Write-Value 'again' 'yes' }\n"
              "  if ($plan -eq $null -and $policy -eq $null) { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $policy = Find-It @(Get-UMMailboxPolicy) ($v['name'] + ' Default Policy')\n"
              "  if ($policy -ne $null) {\n"
              "    if ([string]$policy.UMDialPlan.Name -ne $v['name']) { throw ($policy.Name + ' belongs to another "
              "dial plan') }\n"
              "    Remove-UMMailboxPolicy -Identity $policy.Name -Confirm:$false\n"
              "  }\n"
              "  if ((Find-It @(Get-UMDialPlan) $v['name']) -ne $null) {\n"
              "    Remove-UMDialPlan -Identity $v['name'] -Confirm:$false\n"
              "  }\n"
              "}\n",
};

static const struct umx_cmdlet set_dial_plan = {
    .parameters =
        {{.name = "name", .type = UMX_PARAMETER_NAME},
         {.name = "access_numbers", .type = UMX_PARAMETER_E164, .list = true, .optional = true, .may_be_empty = true},
         {.name = "country_code", .type = UMX_PARAMETER_DIGITS, .optional = true, .may_be_empty = true}},
    .helper = find,
    .script =
        "function Get-It($v) {\n"
        "  $plan = Find-It @(Get-UMDialPlan) $v['name']\n"
        "  if ($plan -eq $null) { throw ('there is no dial plan ' + $v['name']) }\n"
        "  Write-All 'before:previous_access_numbers' $plan.AccessTelephoneNumbers\n"
        "  Write-All 'before:previous_country_code' $plan.CountryOrRegionCode\n"
        "  if ((-not (Test-Has $v 'access_numbers') -or (Test-Same $plan.AccessTelephoneNumbers $v['access_numbers'])) "
        "-and\n"
        "      (-not (Test-Has $v 'country_code') -or [string]$plan.CountryOrRegionCode -eq "
        "[string]$v['country_code'])) {\n"
        "    Write-Value 'reached' 'yes'\n"
        "  }\n"
        "}\n"
        "function Set-It($v) {\n"
        "  $set = @{ Identity = $v['name'] }\n"
        "  if (Test-Has $v 'access_numbers') { $set['AccessTelephoneNumbers'] = @(Get-List $v['access_numbers']) }\n"
        "  if (Test-Has $v 'country_code') { $set['CountryOrRegionCode'] = [string]$v['country_code'] }\n"
        "  Set-UMDialPlan -Confirm:$false @set\n"
        "}\n",
};

static const struct umx_cmdlet new_policy = {
    .parameters = {{.name = "name", .type = UMX_PARAMETER_NAME}, {.name = "dial_plan", .type = UMX_PARAMETER_NAME}},
    .makes = true,
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  $policy = Find-It @(Get-UMMailboxPolicy) $v['name']\n"
              "  if ($policy -ne $null) {\n"
              "    Write-Value 'now' $policy.UMDialPlan.Name\n"
              "    Write-Value 'result:dn' $policy.DistinguishedName\n"
              "    if ([string]$policy.UMDialPlan.Name -eq $v['dial_plan']) { Write-Value 'reached' 'yes' }\n"
              "  }\n"
              "}\n"
              "function Set-It($v) { New-UMMailboxPolicy -Name $v['name'] -UMDialPlan $v['dial_plan'] }\n",
};

static const struct umx_cmdlet remove_policy = {
    .parameters = {{.name = "name", .type = UMX_PARAMETER_NAME}},
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  if ((Find-It @(Get-UMMailboxPolicy) $v['name']) -eq $null) { Write-Value 'reached' 'yes' }\n"
              "  else { Write-Value 'now' 'policy' }\n"
              "}\n"
              "function Set-It($v) { Remove-UMMailboxPolicy -Identity $v['name'] -Confirm:$false }\n",
};

static const struct umx_cmdlet new_attendant = {
    .parameters =
        {{.name = "name", .type = UMX_PARAMETER_NAME},
         {.name = "dial_plan", .type = UMX_PARAMETER_NAME},
         {.name = "numbers", .type = UMX_PARAMETER_E164, .list = true, .optional = true, .may_be_empty = true}},
    .makes = true,
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  $it = Find-It @(Get-UMAutoAttendant) $v['name']\n"
              "  if ($it -ne $null) {\n"
              "    Write-Value 'now' ([string]$it.UMDialPlan.Name + ' ' + $it.Status)\n"
              "    Write-Value 'now' @(Get-List $it.PilotIdentifierList)\n"
              "    Write-Value 'result:dn' $it.DistinguishedName\n"
              "    if ([string]$it.UMDialPlan.Name -eq $v['dial_plan'] -and [string]$it.Status -eq 'Enabled' -and\n"
              "        (Test-Same $it.PilotIdentifierList $v['numbers'])) { Write-Value 'reached' 'yes' }\n"
              "  }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $new = @{ Name = $v['name']; UMDialPlan = $v['dial_plan']; Status = 'Enabled' }\n"
              "  $numbers = @(Get-List $v['numbers'])\n"
              "  if ($numbers.Count -gt 0) { $new['PilotIdentifierList'] = $numbers }\n"
              "  New-UMAutoAttendant @new\n"
              "}\n",
};

static const struct umx_cmdlet remove_attendant = {
    .parameters = {{.name = "name", .type = UMX_PARAMETER_NAME}},
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  if ((Find-It @(Get-UMAutoAttendant) $v['name']) -eq $null) { Write-Value 'reached' 'yes' }\n"
              "  else { Write-Value 'now' 'attendant' }\n"
              "}\n"
              "function Set-It($v) { Remove-UMAutoAttendant -Identity $v['name'] -Confirm:$false }\n",
};

static const struct umx_cmdlet enable_attendant = {
    .parameters = {{.name = "name", .type = UMX_PARAMETER_NAME}},
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  $it = Find-It @(Get-UMAutoAttendant) $v['name']\n"
              "  if ($it -eq $null) { throw ('there is no auto attendant ' + $v['name']) }\n"
              "  Write-Value 'now' $it.Status\n"
              "  if ([string]$it.Status -eq 'Enabled') { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) { Enable-UMAutoAttendant -Identity $v['name'] -Confirm:$false }\n",
};

static const struct umx_cmdlet disable_attendant = {
    .parameters = {{.name = "name", .type = UMX_PARAMETER_NAME}},
    .helper = find,
    .script = "function Get-It($v) {\n"
              "  $it = Find-It @(Get-UMAutoAttendant) $v['name']\n"
              "  if ($it -eq $null) { throw ('there is no auto attendant ' + $v['name']) }\n"
              "  Write-Value 'now' $it.Status\n"
              "  if ([string]$it.Status -eq 'Disabled') { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) { Disable-UMAutoAttendant -Identity $v['name'] -Confirm:$false }\n",
};

const struct umx_action umx_exchange_actions[] = {
    UMX_CMDLET(EXCHANGE, "new-um-dial-plan", NULL, &new_dial_plan),
    UMX_CMDLET(EXCHANGE, "remove-um-dial-plan", NULL, &remove_dial_plan),
    UMX_CMDLET(EXCHANGE, "set-um-dial-plan", NULL, &set_dial_plan),
    UMX_CMDLET(EXCHANGE, "new-um-mailbox-policy", NULL, &new_policy),
    UMX_CMDLET(EXCHANGE, "remove-um-mailbox-policy", NULL, &remove_policy),
    UMX_CMDLET(EXCHANGE, "new-um-auto-attendant", NULL, &new_attendant),
    UMX_CMDLET(EXCHANGE, "remove-um-auto-attendant", NULL, &remove_attendant),
    UMX_CMDLET(EXCHANGE, "enable-um-auto-attendant", NULL, &enable_attendant),
    UMX_CMDLET(EXCHANGE, "disable-um-auto-attendant", NULL, &disable_attendant),
};
const size_t umx_exchange_action_count = sizeof umx_exchange_actions / sizeof *umx_exchange_actions;

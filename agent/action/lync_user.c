/* People in Lync: Enterprise Voice, and the policies granted to them (phase 10). */
#include "agent/action/cmdlet.h"

static const struct umx_cmdlet set_user = {
    .parameters = {{.name = "sip_address", .type = UMX_PARAMETER_SIP},
                   {.name = "enterprise_voice", .type = UMX_PARAMETER_WORD, .optional = true, .words = "true false"},
                   {.name = "line", .type = UMX_PARAMETER_LINE, .optional = true, .may_be_empty = true}},
    .script = "function Get-It($v) {\n"
              "  $it = Get-CsUser -Identity ('sip:' + $v['sip_address'])\n"
              "  $voice = 'false'\n"
              "  if ($it.EnterpriseVoiceEnabled) { $voice = 'true' }\n"
              "  Write-Value 'before:previous_enterprise_voice' $voice\n"
              "  Write-All 'before:previous_line' ([string]$it.LineURI)\n"
              "  if ((-not (Test-Has $v 'enterprise_voice') -or $voice -eq $v['enterprise_voice']) -and\n"
              "      (-not (Test-Has $v 'line') -or [string]$it.LineURI -eq [string]$v['line'])) { Write-Value "
              "'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $set = @{ Identity = 'sip:' + $v['sip_address'] }\n"
              "  if (Test-Has $v 'enterprise_voice') { $set['EnterpriseVoiceEnabled'] = ($v['enterprise_voice'] -eq "
              "'true') }\n"
              "  if (Test-Has $v 'line') { $set['LineURI'] = [string]$v['line'] }\n"
              "  Set-CsUser -Confirm:$false @set\n"
              "}\n",
};

static const struct umx_cmdlet grant_dial_plan = {
    .parameters = {{.name = "sip_address", .type = UMX_PARAMETER_SIP},
                   {.name = "policy", .type = UMX_PARAMETER_NAME, .may_be_empty = true}},
    .script = "function Get-It($v) {\n"
              "  $it = Get-CsUser -Identity ('sip:' + $v['sip_address'])\n"
              "  $policy = ([string]$it.DialPlan) -replace '^Tag:', ''\n"
              "  Write-All 'before:previous_policy' $policy\n"
              "  if ($policy -eq [string]$v['policy']) { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $policy = $null\n"
              "  if ([string]$v['policy'] -ne '') { $policy = $v['policy'] }\n"
              "  Grant-CsDialPlan -Identity ('sip:' + $v['sip_address']) -PolicyName $policy -Confirm:$false\n"
              "}\n",
};

static const struct umx_cmdlet grant_voice_policy = {
    .parameters = {{.name = "sip_address", .type = UMX_PARAMETER_SIP},
                   {.name = "policy", .type = UMX_PARAMETER_NAME, .may_be_empty = true}},
    .script = "function Get-It($v) {\n"
              "  $it = Get-CsUser -Identity ('sip:' + $v['sip_address'])\n"
              "  $policy = ([string]$it.VoicePolicy) -replace '^Tag:', ''\n"
              "  Write-All 'before:previous_policy' $policy\n"
              "  if ($policy -eq [string]$v['policy']) { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  $policy = $null\n"
              "  if ([string]$v['policy'] -ne '') { $policy = $v['policy'] }\n"
              "  Grant-CsVoicePolicy -Identity ('sip:' + $v['sip_address']) -PolicyName $policy -Confirm:$false\n"
              "}\n",
};

const struct umx_action umx_lync_user_actions[] = {
    UMX_CMDLET(LYNC, "set-cs-user", "lync_user", &set_user),
    UMX_CMDLET(LYNC, "grant-cs-dial-plan", "lync_user", &grant_dial_plan),
    UMX_CMDLET(LYNC, "grant-cs-voice-policy", "lync_user", &grant_voice_policy),
};
const size_t umx_lync_user_action_count = sizeof umx_lync_user_actions / sizeof *umx_lync_user_actions;

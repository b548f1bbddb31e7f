/* Lync: dial plans and their rules (phase 8), rights on organizational units (phase 9), a Front End's restart. */
#include "agent/action/cmdlet.h"
#include "base/clock.h"

/* A per-user plan is Tag:NAME; people write NAME. */
static const char find_plan[] =
    "function Find-Plan($id) {\n"
    "  foreach ($it in @(Get-CsDialPlan)) {\n"
    "    if ($it -ne $null -and ([string]$it.Identity -eq $id -or [string]$it.Identity -eq ('Tag:' + $id))) { return "
    "$it }\n"
    "  }\n"
    "}\n";

static const struct umx_cmdlet new_plan = {
    .parameters = {{.name = "identity", .type = UMX_PARAMETER_IDENTITY},
                   {.name = "simple_name", .type = UMX_PARAMETER_SIMPLE_NAME}},
    .makes = true,
    .helper = find_plan,
    .script = "function Get-It($v) {\n"
              "  $it = Find-Plan $v['identity']\n"
              "  if ($it -ne $null) {\n"
              "    Write-Value 'now' $it.SimpleName\n"
              "    if ([string]$it.SimpleName -eq $v['simple_name']) { Write-Value 'reached' 'yes' }\n"
              "  }\n"
              "}\n"
              "function Set-It($v) { New-CsDialPlan -Identity $v['identity'] -SimpleName $v['simple_name'] }\n",
};

static const struct umx_cmdlet remove_plan = {
    .parameters = {{.name = "identity", .type = UMX_PARAMETER_IDENTITY}},
    .helper = find_plan,
    .script = "function Get-It($v) {\n"
              "  if ((Find-Plan $v['identity']) -eq $null) { Write-Value 'reached' 'yes' } else { Write-Value 'now' "
              "'plan' }\n"
              "}\n"
              "function Set-It($v) { Remove-CsDialPlan -Identity $v['identity'] -Confirm:$false }\n",
};

static const struct umx_cmdlet set_plan = {
    .parameters = {{.name = "identity", .type = UMX_PARAMETER_IDENTITY},
                   {.name = "simple_name", .type = UMX_PARAMETER_SIMPLE_NAME}},
    .helper = find_plan,
    .script = "function Get-It($v) {\n"
              "  $it = Find-Plan $v['identity']\n"
              "  if ($it -eq $null) { throw ('there is no dial plan ' + $v['identity']) }\n"
              "  Write-All 'before:previous_simple_name' $it.SimpleName\n"
              "  if ([string]$it.SimpleName -eq $v['simple_name']) { Write-Value 'reached' 'yes' }\n"
              "}\n"
              "function Set-It($v) { Set-CsDialPlan -Identity $v['identity'] -SimpleName $v['simple_name'] "
              "-Confirm:$false }\n",
};

static const struct umx_cmdlet add_rule = {
    .parameters = {{.name = "dial_plan", .type = UMX_PARAMETER_IDENTITY},
                   {.name = "name", .type = UMX_PARAMETER_NAME},
                   {.name = "pattern", .type = UMX_PARAMETER_TEXT},
                   {.name = "translation", .type = UMX_PARAMETER_TEXT}},
    .makes = true,
    .helper = find_plan,
    .script = "function Find-Rule($v) {\n"
              "  $plan = Find-Plan $v['dial_plan']\n"
              "  if ($plan -eq $null) { throw ('there is no dial plan ' + $v['dial_plan']) }\n"
              "  foreach ($it in @($plan.NormalizationRules)) { if ($it -ne $null -and [string]$it.Name -eq "
              "$v['name']) { return $it } }\n"
              "}\n"
              "function Get-It($v) {\n"
              "  $it = Find-Rule $v\n"
              "  if ($it -ne $null) {\n"
              "    Write-Value 'now' ([string]$it.Pattern + \"`t\" + $it.Translation)\n"
              "    if ([string]$it.Pattern -ceq $v['pattern'] -and [string]$it.Translation -ceq $v['translation']) {\n"
              "      Write-Value 'reached' 'yes'\n"
              "    }\n"
              "  }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  New-CsVoiceNormalizationRule -Identity ($v['dial_plan'] + '/' + $v['name']) -Pattern $v['pattern'] `\n"
              "    -Translation $v['translation'] -Priority 0\n" /* before `Keep All`, which every new plan has */
              "}\n",
};

static const struct umx_cmdlet remove_rule = {
    .parameters = {{.name = "dial_plan", .type = UMX_PARAMETER_IDENTITY}, {.name = "name", .type = UMX_PARAMETER_NAME}},
    .helper = find_plan,
    .script = "function Find-Rule($v) {\n"
              "  $plan = Find-Plan $v['dial_plan']\n"
              "  if ($plan -eq $null) { throw ('there is no dial plan ' + $v['dial_plan']) }\n"
              "  foreach ($it in @($plan.NormalizationRules)) { if ($it -ne $null -and [string]$it.Name -eq "
              "$v['name']) { return $it } }\n"
              "}\n"
              "function Get-It($v) {\n"
              "  if ((Find-Rule $v) -eq $null) { Write-Value 'reached' 'yes' } else { Write-Value 'now' 'rule' }\n"
              "}\n"
              "function Set-It($v) {\n"
              "  Remove-CsVoiceNormalizationRule -Identity ($v['dial_plan'] + '/' + $v['name']) -Confirm:$false\n"
              "}\n",
};

static const struct umx_cmdlet grant_ou = {
    .parameters = {{.name = "ou", .type = UMX_PARAMETER_DN},
                   {.name = "object_type", .type = UMX_PARAMETER_WORD, .words = "Contact Device"}},
    .makes = true,
    .script =
        "function Get-It($v) {\n"
        "  if (Test-CsOUPermission -OU $v['ou'] -ObjectType $v['object_type']) { Write-Value 'reached' 'yes' }\n"
        "}\n"
        "function Set-It($v) { Grant-CsOUPermission -OU $v['ou'] -ObjectType $v['object_type'] -Confirm:$false }\n",
};

static const struct umx_cmdlet revoke_ou = {
    .parameters = {{.name = "ou", .type = UMX_PARAMETER_DN},
                   {.name = "object_type", .type = UMX_PARAMETER_WORD, .words = "Contact Device"}},
    .script =
        "function Get-It($v) {\n"
        "  if (Test-CsOUPermission -OU $v['ou'] -ObjectType $v['object_type']) { Write-Value 'now' 'granted' }\n"
        "  else { Write-Value 'reached' 'yes' }\n"
        "}\n"
        "function Set-It($v) { Revoke-CsOUPermission -OU $v['ou'] -ObjectType $v['object_type'] -Confirm:$false }\n",
};

/* ---- a Front End: calls are drained, so that it takes its time; the service's process tells whether it happened */

static const struct umx_cmdlet restart_front_end = {
    .parameters = {{.name = "service", .type = UMX_PARAMETER_WORD, .words = "RTCSRV"}},
    .script = "function Get-It($v) { }\n"
              "function Set-It($v) {\n"
              "  Stop-CsWindowsService -Name $v['service'] -Graceful\n"
              "  Start-CsWindowsService -Name $v['service']\n"
              "}\n",
};

static const char *const front_end = "RTCSRV"; /* what the item has been checked to name */

static int front_end_before(struct umx_act *act, const char *item, struct umx_text *before, struct umx_error *err)
{
    (void)item;
    return umx_restart_before(act->host, front_end, before, err);
}

static enum umx_action_probe front_end_probe(struct umx_act *act, const char *item, const char *before,
                                             struct umx_text *detail)
{
    (void)item;
    return umx_restart_probe(act->host, front_end, before, detail);
}

static int front_end_run(struct umx_act *act, const char *item, const char *before, struct umx_text *detail,
                         struct umx_error *err)
{
    struct umx_text answer = {0};

    (void)before;
    int status = umx_cmdlet_do(act, "do", item, &answer, err);
    umx_text_free(&answer);
    return status != 0 ? status : umx_restart_say(act->host, front_end, detail, err);
}

const struct umx_action umx_lync_actions[] = {
    UMX_CMDLET(LYNC, "new-cs-dial-plan", "lync_dial_plan", &new_plan),
    UMX_CMDLET(LYNC, "remove-cs-dial-plan", "lync_dial_plan", &remove_plan),
    UMX_CMDLET(LYNC, "set-cs-dial-plan", "lync_dial_plan", &set_plan),
    UMX_CMDLET(LYNC, "add-cs-normalization-rule", "lync_dial_plan", &add_rule),
    UMX_CMDLET(LYNC, "remove-cs-normalization-rule", "lync_dial_plan", &remove_rule),
    UMX_CMDLET(LYNC, "grant-cs-ou-permission", NULL, &grant_ou),
    UMX_CMDLET(LYNC, "revoke-cs-ou-permission", NULL, &revoke_ou),
    {.name = "restart-front-end",
     .identity = "shell",
     .product = UMX__SERVER__PRODUCT__LYNC,
     .writes = true,
     .tables = "service listener lync_pool_member",
     .cmdlet = &restart_front_end,
     .check = umx_cmdlet_check,
     .before = front_end_before,
     .probe = front_end_probe,
     .run = front_end_run},
};
const size_t umx_lync_action_count = sizeof umx_lync_actions / sizeof *umx_lync_actions;

#include "agent/collect/shell_script.h"

#include <string.h>

#include "agent/collect/shell_prologue.h"
#include "base/clock.h"
#include "base/text.h"

enum { SHELL_TIMEOUT_SECONDS = 90 }; /* loading the products' snap-ins alone takes many seconds */

#define EXCHANGE UMX_SHELL_PROLOGUE UMX_SHELL_EXCHANGE "$server = (Read-Request)['server']\n"
#define LYNC UMX_SHELL_PROLOGUE UMX_SHELL_LYNC "$server = (Read-Request)['server']\n"

/* What Get-UMService, Get-UMServer and Get-UMCallRouterSettings have in common. */
#define UM_VALUES                                                                                                      \
    "  Write-Value 'Name' $it.Name\n"                                                                                  \
    "  Write-Value 'UMStartupMode' $it.UMStartupMode\n"                                                                \
    "  foreach ($plan in @($it.DialPlans)) { if ($plan -ne $null) { Write-Value 'DialPlans' $plan.Name } }\n"          \
    "  Write-Value 'UMCertificateThumbprint' $it.UMCertificateThumbprint\n"                                            \
    "  Write-Value 'SipTcpListeningPort' $it.SipTcpListeningPort\n"                                                    \
    "  Write-Value 'SipTlsListeningPort' $it.SipTlsListeningPort\n"

/* Calls are counted where the shell can count them; the state of a service that cannot be asked is no number. */
#define UM_CALLS                                                                                                       \
    "  if (Get-Command 'Get-UMActiveCalls' -ErrorAction SilentlyContinue) {\n"                                         \
    "    Write-Value 'ActiveCalls' @(Get-UMActiveCalls -Server $server).Count\n"                                       \
    "  }\n"

const struct umx_shell_script umx_shell_scripts[] = {
    {"Get-UMService", UMX__SERVER__PRODUCT__EXCHANGE,
     EXCHANGE "Assert-Command 'Get-UMService'\n"
              "foreach ($it in @(Get-UMService -Identity $server)) {\n" UM_VALUES
              "  Write-Value 'SIPAccessService' $it.SIPAccessService\n" UM_CALLS "  Write-End\n"
              "}\n"},
    {"Get-UMServer", UMX__SERVER__PRODUCT__EXCHANGE,
     EXCHANGE "Assert-Command 'Get-UMServer'\n"
              "foreach ($it in @(Get-UMServer -Identity $server)) {\n" UM_VALUES
              "  Write-Value 'SIPAccessService' $it.SIPAccessService\n" UM_CALLS "  Write-End\n"
              "}\n"},
    {"Get-UMCallRouterSettings", UMX__SERVER__PRODUCT__EXCHANGE,
     EXCHANGE "Assert-Command 'Get-UMCallRouterSettings'\n"
              "foreach ($it in @(Get-UMCallRouterSettings -Server $server)) {\n" UM_VALUES "  Write-End\n"
              "}\n"},
    {"Get-CsDialPlan", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsDialPlan'\n"
          "foreach ($it in @(Get-CsDialPlan)) {\n"
          "  Write-Value 'Identity' $it.Identity\n"
          "  Write-Value 'SimpleName' $it.SimpleName\n"
          "  foreach ($rule in @($it.NormalizationRules)) {\n"
          "    if ($rule -ne $null) { Write-Value 'NormalizationRules' ($rule.Pattern + \"`t\" + $rule.Translation) }\n"
          "  }\n"
          "  Write-End\n"
          "}\n"},
    {"Get-CsMediaConfiguration", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsMediaConfiguration'\n"
          "foreach ($it in @(Get-CsMediaConfiguration)) {\n"
          "  Write-Value 'Identity' $it.Identity\n"
          "  Write-Value 'EncryptionLevel' $it.EncryptionLevel\n"
          "  Write-End\n"
          "}\n"},
    {"Get-CsVoicePolicy", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsVoicePolicy'\n"
          "foreach ($it in @(Get-CsVoicePolicy)) {\n"
          "  Write-Value 'Identity' $it.Identity\n"
          "  Write-Value 'PstnUsages' $it.PstnUsages\n"
          "  Write-End\n"
          "}\n"},
    {"Get-CsVoiceRoute", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsVoiceRoute'\n"
          "foreach ($it in @(Get-CsVoiceRoute)) {\n"
          "  Write-Value 'Identity' $it.Identity\n"
          "  Write-Value 'NumberPattern' $it.NumberPattern\n"
          "  Write-Value 'PstnUsages' $it.PstnUsages\n"
          "  Write-Value 'PstnGatewayList' $it.PstnGatewayList\n"
          "  Write-End\n"
          "}\n"},
    {"Get-CsPstnUsage", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsPstnUsage'\n"
          "foreach ($it in @(Get-CsPstnUsage)) {\n"
          "  Write-Value 'Identity' $it.Identity\n"
          "  Write-Value 'Usage' $it.Usage\n"
          "  Write-End\n"
          "}\n"},
    {"Get-CsService", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsService'\n"
          "foreach ($it in @(Get-CsService -PstnGateway)) {\n"
          "  Write-Value 'Identity' $it.Identity\n"
          "  Write-Value 'Role' 'PstnGateway'\n"
          "  Write-Value 'PoolFqdn' $it.PoolFqdn\n"
          "  Write-End\n"
          "}\n"},
    {"Get-CsPool", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsPool'\n"
          "$ready = @{}\n"
          "if (Get-Command 'Get-CsPoolUpgradeReadinessState' -ErrorAction SilentlyContinue) {\n"
          "  foreach ($it in @(Get-CsPoolUpgradeReadinessState)) { $ready[[string]$it.PoolFqdn] = [string]$it.State }\n"
          "}\n"
          "foreach ($service in @(Get-CsService -Registrar)) {\n"
          "  $fqdn = [string]$service.PoolFqdn\n"
          "  $pool = Get-CsPool -Identity $fqdn\n"
          "  Write-Value 'Fqdn' $fqdn\n"
          "  Write-Value 'Site' $pool.Site\n"
          "  Write-Value 'Computers' $pool.Computers\n"
          "  if ($service.BackupRegistrar) {\n"
          "    Write-Value 'BackupPool' (([string]$service.BackupRegistrar) -replace '^Registrar:', '')\n"
          "  }\n"
          "  Write-Value 'State' $ready[$fqdn]\n"
          "  Write-End\n"
          "}\n"},
    {"Get-CsUser", UMX__SERVER__PRODUCT__LYNC,
     LYNC "Assert-Command 'Get-CsUser'\n"
          "foreach ($it in @(Get-CsUser)) {\n"
          "  Write-Value 'SipAddress' $it.SipAddress\n"
          "  Write-Value 'DialPlan' $it.DialPlan\n"
          "  Write-Value 'VoicePolicy' $it.VoicePolicy\n"
          "  Write-Value 'EnterpriseVoiceEnabled' $it.EnterpriseVoiceEnabled\n"
          "  Write-Value 'LineURI' $it.LineURI\n"
          "  Write-End\n"
          "}\n"},
};
const size_t umx_shell_script_count = sizeof umx_shell_scripts / sizeof *umx_shell_scripts;

const struct umx_shell_script *umx_shell_script_find(const char *command)
{
    for (size_t i = 0; i < umx_shell_script_count; i++)
        if (strcmp(umx_shell_scripts[i].command, command) == 0)
            return &umx_shell_scripts[i];
    return NULL;
}

int umx_shell_read(struct umx_host *host, struct umx_arena *arena, const char *command,
                   struct umx_shell_record **records, size_t *count, struct umx_error *err)
{
    const struct umx_shell_script *script = umx_shell_script_find(command);
    struct umx_text input = {0};
    char *text = NULL;
    size_t length = 0;

    *count = 0;
    if (script == NULL)
        return umx_fail(err, UMX_ERR_ACTION_UNKNOWN, command, NULL);
    umx_shell_write(&input, "server", host->identity.fqdn);
    umx_text_adds(&input, "\n");
    int status = input.failed ? umx_fail(err, UMX_ERR_MEMORY, command, NULL)
                              : umx_host_shell(host, arena, command, script->text, umx_text_string(&input),
                                               SHELL_TIMEOUT_SECONDS * UMX_SECOND, &text, &length, err);
    umx_text_free(&input);
    if (status == UMX_E_NOT_FOUND)
        return 0;
    return status != 0 ? status : umx_shell_parse(text, length, arena, records, count, err);
}

char **umx_shell_list(struct umx_rows *rows, const struct umx_shell_record *record, const char *name, size_t *count)
{
    char **list = umx_arena_alloc(rows->arena, (record->count + 1) * sizeof *list);

    *count = 0;
    if (list == NULL)
        rows->full = true;
    for (size_t i = 0; list != NULL && i < record->count; i++)
        if (umx_text_equal(record->fields[i].name, name) &&
            (list[*count] = umx_rows_text(rows, record->fields[i].value)) != NULL)
            (*count)++;
    return list;
}

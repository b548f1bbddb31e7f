/* Phase 4: its option and the table of its checks. */
#include "phases/dial_plan_security.h"

#include <string.h>

#include "base/text.h"

static const struct {
    const char *word;
    Umx__DialPlan__VoipSecurity security;
} levels[] = {
    {"secured", UMX__DIAL_PLAN__VOIP_SECURITY__SECURED},
    {"sip_secured", UMX__DIAL_PLAN__VOIP_SECURITY__SIP_SECURED},
};

static bool find_level(const char *value, Umx__DialPlan__VoipSecurity *security)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(value, levels[i].word) != 0)
            continue;
        *security = levels[i].security;
        return true;
    }
    return false;
}

bool umx_ds_asked(const struct umx_options *options, Umx__DialPlan__VoipSecurity *security)
{
    const char *value = umx_option(options, "dial-plan-security", "level");

    return value != NULL && find_level(value, security);
}

static int valid_level(const char *value, struct umx_error *err)
{
    Umx__DialPlan__VoipSecurity security;

    if (find_level(value, &security))
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "dial-plan-security.level", "\"%s\" is none of secured, sip_secured",
                    value);
}

const struct umx_phase_option umx_dial_plan_security_options[] = {
    {"level", "secured | sip_secured",
     "VoIP security of every SIP dial plan; default: what Lync's media encryption asks for, secured when it is not "
     "known, and plans that Lync can work with stay as they are",
     valid_level},
    {NULL, NULL, NULL, NULL},
};

#define PLAN_AGAIN "`umx plan create NAME --phase dial-plan-security --pair EXCHANGE:LYNC`"

const struct umx_phase_check umx_dial_plan_security_checks[] = {
    {"dial-plan-security/level", "V4.1", "Is each SIP dial plan SIP Secured or Secured? Lync always needs TLS.",
     PLAN_AGAIN, UMX_NEEDS_EXCHANGE, "dial_plan", true, umx_ds_check_level},
    {"dial-plan-security/encryption", "V4.2",
     "Does the level fit the media encryption of Lync (GL14)? When it does not, all calls fail.", PLAN_AGAIN,
     UMX_NEEDS_BOTH, "dial_plan exchange_server", false, umx_ds_check_encryption},
    {"dial-plan-security/startup-mode", "V4.3",
     "Is each service that is linked to the plan in startup mode TLS or Dual?",
     "`umx plan create NAME --phase certificates --pair EXCHANGE:LYNC`", UMX_NEEDS_EXCHANGE,
     "dial_plan exchange_server", false, umx_ds_check_mode},
    {"dial-plan-security/mixed", "F4.1",
     "Does no server answer for secured and unsecured dial plans with a mode that leaves one of them out?",
     "`Set-UMService SERVER -UMStartupMode Dual`; a 2007 server: move the unsecured plan to another server",
     UMX_NEEDS_EXCHANGE, "dial_plan exchange_server", false, umx_ds_check_mixed},
    {"dial-plan-security/gateways", "V4.4",
     "Has each gateway of a secured plan that is no Lync pool an FQDN as its address, and port 5061?",
     "`Set-UMIPGateway NAME -Address FQDN -Port 5061`", UMX_NEEDS_BOTH, "dial_plan ip_gateway hunt_group lync_pool",
     false, umx_ds_check_gateways},
    {"dial-plan-security/um-restart", "P4",
     "Was the UM service of each linked server started after the plan's last change?",
     "restart MSExchangeUM when the server has no calls: `Restart-Service MSExchangeUM`", UMX_NEEDS_EXCHANGE,
     "dial_plan exchange_server", false, umx_ds_check_restart},
    {.id = NULL},
};

int umx_dial_plan_security_check(const Umx__World *world, const struct umx_pair *pair,
                                 const struct umx_options *options, struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("dial-plan-security"), world, pair, options, out, err);
}

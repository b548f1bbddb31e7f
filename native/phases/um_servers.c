/* Phase 5: UM servers in the SIP URI dial plans, with the right startup mode. */
#include "phases/um_servers.h"

#include "phases/restart.h"

enum { CALL_WAIT_MOST = 86400 };

static int valid_servers(const char *value, struct umx_error *err)
{
    return umx_um_valid_names("um-servers.servers", value, err);
}

static int valid_standby(const char *value, struct umx_error *err)
{
    return umx_um_valid_names("um-servers.standby", value, err);
}

static int valid_wait(const char *value, struct umx_error *err)
{
    return umx_option_number("um-servers.call-wait", value, CALL_WAIT_MOST, err);
}

const struct umx_phase_option umx_um_servers_options[] = {
    {"servers", "FQDN[,FQDN...]",
     "the UM servers of Exchange 2007 and 2010 that serve the SIP plans (default: all); 2013 and 2016 are always "
     "joined "
     "to all",
     valid_servers},
    {"standby", "FQDN[,FQDN...]",
     "UM servers of Exchange 2007 and 2010 that are joined and disabled until failover (guideline GL12); all others "
     "are "
     "enabled",
     valid_standby},
    {"call-wait", "SECONDS",
     "how long a restart of a UM service waits until it carries no call (default 1800); then the step fails and "
     "nothing is restarted",
     valid_wait},
    {NULL, NULL, NULL, NULL},
};

#define PLAN_AGAIN "`umx plan create NAME --phase um-servers --pair EXCHANGE:LYNC`"
#define TABLES "exchange_server dial_plan"

const struct umx_phase_check umx_um_servers_checks[] = {
    {"um-servers/linked", "V5.1", "Is a UM server in each SIP URI dial plan?", PLAN_AGAIN, UMX_NEEDS_EXCHANGE, TABLES,
     true, umx_us_check_linked},
    {"um-servers/redundancy", "V5.2", "Are two UM servers that answer in each SIP URI dial plan (GL10)?",
     "install a second UM server, or join one: " PLAN_AGAIN, UMX_NEEDS_EXCHANGE, TABLES, false,
     umx_us_check_redundancy},
    {"um-servers/newer-linked", "V5.3",
     "Are all Mailbox and Client Access servers of Exchange 2013 and 2016 in all SIP URI dial plans (F5.2)?",
     PLAN_AGAIN, UMX_NEEDS_EXCHANGE, TABLES, true, umx_us_check_newer},
    {"um-servers/legacy-linked", "V5.1", "Are the UM servers of Exchange 2007 and 2010 in the SIP URI dial plans?",
     PLAN_AGAIN, UMX_NEEDS_EXCHANGE, TABLES, false, umx_us_check_legacy},
    {"um-servers/only-sip", "F5.1", "Are servers of Exchange 2013 and 2016 in SIP URI dial plans only?",
     "`Set-UMService SERVER -DialPlans` with the SIP URI dial plans only", UMX_NEEDS_EXCHANGE, TABLES, false,
     umx_us_check_only_sip},
    {"um-servers/startup-mode", "V5.4", "Is the startup mode Dual, or TLS?", PLAN_AGAIN, UMX_NEEDS_EXCHANGE, TABLES,
     true, umx_us_check_mode},
    {"um-servers/status", "V5.5",
     "Are the UM servers of Exchange 2007 and 2010 enabled, and the stand-by ones disabled (GL12)?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, TABLES, true, umx_us_check_status},
    {"um-servers/restarted", "V5.6", "Was the service started after its mode, certificate or plans last changed?",
     PLAN_AGAIN " restarts it when an agent is connected there; by hand: `Restart-Service MSExchangeUM`",
     UMX_NEEDS_EXCHANGE, TABLES, false, umx_us_check_fresh},
    {"um-servers/listeners", "V5.7", "Does the service listen for TLS on its port?",
     "see um-servers/startup-mode, um-servers/restarted and certificates/bound; `Restart-Service MSExchangeUM`",
     UMX_NEEDS_EXCHANGE, TABLES, false, umx_us_check_listeners},
    {"um-servers/one-version", "V5.8", "Are all servers of a SIP URI dial plan of one major version?",
     "move the mailboxes, then take the older servers out of the plan", UMX_NEEDS_EXCHANGE, TABLES, false,
     umx_us_check_versions},
    {"um-servers/sip-access", "V5.9", "Is SIPAccessService set for remote users (F5.4)?",
     "`Set-UMService SERVER -SIPAccessService POOL:5061`", UMX_NEEDS_EXCHANGE, TABLES, false, umx_us_check_access},
    {"um-servers/second-site", "GL11", "Can servers of a second site take over the names of the first?",
     "certificates that name the servers of both sites", UMX_NEEDS_EXCHANGE, TABLES, false, umx_us_check_second_site},
    {"um-servers/ipv6", "GL13", "Is IPv6 used with servers only that can do it?",
     "`Set-UMIPGateway NAME -IPAddressFamily IPv4Only`", UMX_NEEDS_EXCHANGE, TABLES " ip_gateway", false,
     umx_us_check_ipv6},
    {.id = NULL},
};

int umx_um_servers_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                         struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("um-servers"), world, pair, options, out, err);
}

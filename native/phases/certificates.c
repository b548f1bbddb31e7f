/* Phase 2: certificates of the UM services. */
#include "phases/certificates.h"

#include "phases/restart.h"

enum { RENEW_MOST = 3650, CALL_WAIT_MOST = 86400 };

static int valid_names(const char *value, struct umx_error *err)
{
    return umx_um_valid_names("certificates.names", value, err);
}

static int valid_days(const char *value, struct umx_error *err)
{
    return umx_option_number("certificates.renew-below", value, RENEW_MOST, err);
}

static int valid_wait(const char *value, struct umx_error *err)
{
    return umx_option_number("certificates.call-wait", value, CALL_WAIT_MOST, err);
}

const struct umx_phase_option umx_certificates_options[] = {
    {"names", "NAME[,NAME...]",
     "alternative names besides the server's FQDN that each certificate must hold, for example of the servers of a "
     "second site",
     valid_names},
    {"renew-below", "DAYS", "a certificate with fewer days left is replaced (default 30)", valid_days},
    {"call-wait", "SECONDS",
     "how long a restart of a UM service waits until it carries no call (default 1800); then the step fails and "
     "nothing is restarted",
     valid_wait},
    {NULL, NULL, NULL, NULL},
};

#define PLAN_AGAIN "`umx plan create NAME --phase certificates --pair EXCHANGE:LYNC`"
#define SERVERS "exchange_server"

const struct umx_phase_check umx_certificates_checks[] = {
    {"certificates/startup-mode", "X2.3", "Is the startup mode one that has a TLS listener?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, SERVERS " dial_plan", true, umx_cert_check_mode},
    {"certificates/bound", "V2.C14", "Is a certificate assigned to the UM service or the call router?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, SERVERS, true, umx_cert_check_bound},
    {"certificates/store", "V2.13", "Is the assigned certificate in the server's own store?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, SERVERS, true, umx_cert_check_store},
    {"certificates/chosen", "V2.14", "Has Exchange 2007 chosen a certificate that Lync accepts?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, SERVERS, true, umx_cert_check_chosen},
    {"certificates/subject", "V2.C1", "Is the common name of its subject the server's FQDN (F2.2)?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, SERVERS, true, umx_cert_check_rule},
    {"certificates/names", "V2.C2", "Do its alternative names hold the server's FQDN?", PLAN_AGAIN, UMX_NEEDS_EXCHANGE,
     SERVERS, true, umx_cert_check_rule},
    {"certificates/wildcard-subject", "V2.C3", "Has its subject no wildcard?", PLAN_AGAIN, UMX_NEEDS_EXCHANGE, SERVERS,
     true, umx_cert_check_rule},
    {"certificates/wildcard-name", "V2.C4", "Have its alternative names no wildcard?",
     "when UM refuses it, use a certificate that names each server", UMX_NEEDS_EXCHANGE, SERVERS, false,
     umx_cert_check_rule},
    {"certificates/self-signed", "V2.C5", "Is it issued by an authority, not signed by itself (GL4, F2.1)?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, SERVERS, true, umx_cert_check_rule},
    {"certificates/chain", "V2.C6", "Does its chain end in a root that the server trusts (GL4)?",
     "import the authority's root on the server: `certutil -addstore Root root.cer`, intermediates with `-addstore CA`",
     UMX_NEEDS_EXCHANGE, SERVERS, true, umx_cert_check_rule},
    {"certificates/server-usage", "V2.C7", "May it be used for server authentication?", PLAN_AGAIN, UMX_NEEDS_EXCHANGE,
     SERVERS, true, umx_cert_check_rule},
    {"certificates/client-usage", "V2.C8", "May it be used for client authentication (UM is a client too)?",
     "issue the next one from a template with both usages", UMX_NEEDS_EXCHANGE, SERVERS, false, umx_cert_check_rule},
    {"certificates/private-key", "V2.C9", "Is its private key in the machine's store?",
     "`certutil -repairstore My THUMBPRINT`, or request it again", UMX_NEEDS_EXCHANGE, SERVERS, true,
     umx_cert_check_rule},
    {"certificates/exportable", "V2.C10", "Can a certificate for several servers be exported?",
     "`Get-ExchangeCertificate | Format-List Thumbprint,PrivateKeyExportable`", UMX_NEEDS_EXCHANGE, SERVERS, false,
     umx_cert_check_exportable},
    {"certificates/validity", "V2.C11", "Is it valid now?", PLAN_AGAIN, UMX_NEEDS_EXCHANGE, SERVERS, true,
     umx_cert_check_rule},
    {"certificates/key", "V2.C12", "Is its key long enough and its signature strong enough?", PLAN_AGAIN,
     UMX_NEEDS_EXCHANGE, SERVERS, true, umx_cert_check_rule},
    {"certificates/expiry", "V2.16", "Is it valid for long enough (60, 30 and 7 days)?", PLAN_AGAIN, UMX_NEEDS_EXCHANGE,
     SERVERS, true, umx_cert_check_rule},
    {"certificates/um-roots", "V2.C13", "Is the UM server's list of trusted roots short enough for Schannel (F2.3)?",
     "remove roots that nobody needs: `certutil -store Root`, `certutil -delstore Root THUMBPRINT`", UMX_NEEDS_EXCHANGE,
     SERVERS, false, umx_cert_check_roots},
    {"certificates/lync-roots", "V2.C13",
     "Is the Lync server's list of trusted roots short enough for Schannel (F2.3)?",
     "remove roots that nobody needs: `certutil -store Root`, `certutil -delstore Root THUMBPRINT`", UMX_NEEDS_LYNC, "",
     false, umx_cert_check_roots},
    {"certificates/restarted", "F2.4", "Was the service started after its certificate or mode last changed?",
     PLAN_AGAIN " restarts it when an agent is connected there; by hand: `Restart-Service MSExchangeUM`",
     UMX_NEEDS_EXCHANGE, SERVERS, false, umx_cert_check_restarted},
    {"certificates/pool-root", "V2.15", "Does the UM server trust the root of the Lync pool's certificate?",
     "`certutil -addstore Root root.cer` on the UM server", UMX_NEEDS_BOTH, SERVERS " lync_pool", false,
     umx_cert_check_pool_root},
    {"certificates/um-root", "V2.15", "Does the Front End trust the root of the UM server's certificate?",
     "`certutil -addstore Root root.cer` on the Front End", UMX_NEEDS_BOTH, SERVERS " lync_pool", false,
     umx_cert_check_um_root},
    {"certificates/tls-to-lync", "V2.C6", "Does the UM server complete a TLS handshake with the pool (live)?",
     "see certificates/pool-root; the pool's certificate must carry the pool's FQDN (events 1113, 1684)",
     UMX_NEEDS_BOTH, SERVERS " lync_pool", false, umx_cert_check_to_lync},
    {"certificates/tls-from-lync", "V2.C6", "Does the Front End complete a TLS handshake with the UM service (live)?",
     "see certificates/um-root, certificates/subject and certificates/restarted", UMX_NEEDS_BOTH, SERVERS " lync_pool",
     false, umx_cert_check_from_lync},
    {.id = NULL},
};

int umx_certificates_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                           struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("certificates"), world, pair, options, out, err);
}

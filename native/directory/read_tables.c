/* The rows of what a forest has once: its configuration, its trusts, its domains. */
#include "directory/read_row.h"

/* Domains come before the trusts that know their SIDs. */
static const struct umx_read_row rows[] = {
    {"domain",
     &umx__domain__descriptor,
     UMX_IN_CONFIG,
     "CN=Partitions",
     UMX_SCOPE_ONE,
     NULL,
     "(&(objectClass=crossRef)(systemFlags:1.2.840.113556.1.4.803:=3))",
     {{"dnsRoot", "domain"}, {"nCName", "dn"}, {"nETBIOSName", "netbios"}},
     umx_read_finish_domain},
    {"trust",
     &umx__trust__descriptor,
     UMX_IN_ROOT,
     "CN=System",
     UMX_SCOPE_ONE,
     NULL,
     "(objectClass=trustedDomain)",
     {{"objectGUID", "object_guid"},
      {"trustPartner", "partner"},
      {"flatName", "flat_name"},
      {"securityIdentifier", "partner_sid"},
      {"trustDirection", "direction"},
      {"trustType", "type"},
      {"trustAttributes", "attributes"},
      {"whenChanged", "changed_at"}},
     umx_read_finish_trust},
    {"exchange_server",
     &umx__exchange_server__descriptor,
     UMX_IN_ORGANIZATION,
     "CN=Administrative Groups",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(objectClass=msExchExchangeServer)",
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"versionNumber", "version_number"},
      {"serialNumber", "serial_number"},
      {"msExchCurrentServerRoles", "roles"},
      {"msExchServerSite", "site_dn"},
      {"msExchUMServerDialPlanLink", "dial_plan_dn"},
      {"msExchUMServerStatus", "um_status"},
      {"msExchUMStartupMode", "um_startup_mode"},
      {"msExchUMCertificateThumbprint", "um_certificate_thumbprint"},
      {"whenChanged", "changed_at"}},
     umx_read_finish_server},
    {"exchange_server",
     &umx__exchange_server__descriptor,
     UMX_IN_ORGANIZATION,
     "CN=Administrative Groups",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(objectClass=msExchProtocolCfgSIPFEServer)",
     {{"msExchUMServerDialPlanLink", "call_router_dial_plan_dn"},
      {"msExchUMStartupMode", "call_router_startup_mode"},
      {"msExchUMCertificateThumbprint", "call_router_certificate_thumbprint"},
      {"objectGUID", "call_router_guid"},
      {"whenChanged", "call_router_changed_at"}},
     umx_read_finish_router},
    {"dial_plan",
     &umx__dial_plan__descriptor,
     UMX_IN_ORGANIZATION,
     "CN=UM DialPlan Container",
     UMX_SCOPE_ONE,
     "msExchUMDialPlan",
     NULL,
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"msExchUMPhoneContext", "phone_context"},
      {"msExchUMDialPlanURIType", "uri_type"},
      {"msExchUMDialPlanVoipSecurity", "voip_security"},
      {"msExchUMNumberingPlanDigits", "digits"},
      {"msExchUMVoiceMailPilotNumbers", "access_number"},
      {"msExchUMCountryCode", "country_code"},
      {"whenChanged", "changed_at"}},
     NULL},
    {"ip_gateway",
     &umx__ip_gateway__descriptor,
     UMX_IN_ORGANIZATION,
     "CN=UM IPGateway Container",
     UMX_SCOPE_ONE,
     "msExchUMIPGateway",
     NULL,
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"msExchUMIPGatewayAddress", "address"},
      {"msExchUMIPGatewayPort", "port"},
      {"msExchUMOutcallsAllowed", "outcalls_allowed"},
      {"msExchUMIPGatewayStatus", "status"},
      {"msExchUMIPGatewayFlags", "flags"},
      {"msExchUMIPGatewayFlags2", "flags2"},
      {"whenCreated", "created_at"},
      {"whenChanged", "changed_at"}},
     NULL},
    {"hunt_group",
     &umx__hunt_group__descriptor,
     UMX_IN_ORGANIZATION,
     "CN=UM IPGateway Container",
     UMX_SCOPE_SUBTREE,
     "msExchUMHuntGroup",
     NULL,
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"msExchUMHuntGroupDialPlanLink", "dial_plan_dn"},
      {"msExchUMPilotIdentifier", "pilot_identifier"},
      {"whenCreated", "created_at"},
      {"whenChanged", "changed_at"}},
     umx_read_finish_hunt_group},
    {"auto_attendant",
     &umx__auto_attendant__descriptor,
     UMX_IN_ORGANIZATION,
     "CN=UM AutoAttendant Container",
     UMX_SCOPE_ONE,
     "msExchUMAutoAttendant",
     NULL,
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"msExchUMAutoAttendantDialPlanLink", "dial_plan_dn"},
      {"msExchUMAutoAttendantDialedNumbers", "number"},
      {"whenChanged", "changed_at"}},
     umx_read_finish_attendant},
    {"mailbox_policy",
     &umx__mailbox_policy__descriptor,
     UMX_IN_ORGANIZATION,
     "CN=UM Mailbox Policies",
     UMX_SCOPE_ONE,
     "msExchUMRecipientTemplate",
     NULL,
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"msExchUMMailboxPolicyDialPlanLink", "dial_plan_dn"},
      {"whenChanged", "changed_at"}},
     NULL},
    {"lync_pool",
     &umx__lync_pool__descriptor,
     UMX_IN_LYNC,
     "CN=Pools",
     UMX_SCOPE_ONE,
     "msRTCSIP-Pool",
     NULL,
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"dNSHostName", "pool"},
      {"msRTCSIP-PoolVersion", "version"},
      {"msRTCSIP-PoolType", "type"},
      {"msRTCSIP-PoolData", "pool_data"},
      {"whenChanged", "changed_at"}},
     umx_read_finish_pool},
};

static int run_lync_row(struct umx_reading *reading, const struct umx_read_row *row, struct umx_error *err)
{
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    const char *places[] = {
        umx_reading_dn(reading, "CN=RTC Service,CN=Services", root->config_dn),
        umx_reading_dn(reading, "CN=RTC Service,CN=Microsoft,CN=System", root->root_dn),
    };
    int status = 0;
    for (size_t i = 0; i < 2 && !status; i++) {
        const char *base = places[i] ? umx_reading_dn(reading, row->relative, places[i]) : NULL;
        status = base ? umx_read_row(reading, reading->connection, row, base, NULL, true, err)
                      : umx_fail(err, UMX_ERR_ARENA_FULL, row->table, NULL);
    }
    return status;
}

static int run_row(struct umx_reading *reading, const struct umx_read_row *row, struct umx_error *err)
{
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    const char *anchors[] = {[UMX_IN_ROOT] = root->root_dn,
                             [UMX_IN_CONFIG] = root->config_dn,
                             [UMX_IN_ORGANIZATION] = reading->record.organization_dn};
    if (row->place == UMX_IN_LYNC) {
        return run_lync_row(reading, row, err);
    }
    if (!anchors[row->place]) {
        return 0;
    }
    const char *base = umx_reading_dn(reading, row->relative, anchors[row->place]);
    return base ? umx_read_row(reading, reading->connection, row, base, NULL, false, err)
                : umx_fail(err, UMX_ERR_ARENA_FULL, row->table, NULL);
}

/* Domains and trusts tell where the people are; they are always looked at, and sent when they are wanted. */
int umx_read_topology(struct umx_reading *reading, struct umx_error *err)
{
    int status = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !status; i++) {
        if (rows[i].record == &umx__domain__descriptor || rows[i].record == &umx__trust__descriptor) {
            status = run_row(reading, &rows[i], err);
        }
    }
    for (size_t i = 0; i < reading->domain_count && !status && umx_reading_wants(reading, "domain"); i++) {
        status = umx_reading_emit(reading, &reading->domains[i]->base, err);
    }
    return status;
}

int umx_read_tables(struct umx_reading *reading, struct umx_error *err)
{
    int status = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !status; i++) {
        if (rows[i].record != &umx__domain__descriptor && rows[i].record != &umx__trust__descriptor &&
            umx_reading_wants(reading, rows[i].table)) {
            status = run_row(reading, &rows[i], err);
        }
    }
    for (size_t i = 0; i < reading->server_count && !status; i++) {
        status = umx_reading_emit(reading, &reading->servers[i]->base, err);
    }
    return status;
}

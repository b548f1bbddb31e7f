/* One row for each kind of record: where it is, what it looks like, which attribute fills which field. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/reflect.h"
#include "base/text.h"
#include "directory/convert.h"
#include "directory/read_finish.h"
#include "directory/reading.h"

enum place { IN_ROOT, IN_CONFIG, IN_ORGANIZATION, IN_LYNC };

struct row {
    const char *table;
    const ProtobufCMessageDescriptor *record;
    enum place place;
    const char *relative; /* below the place; "" is the place itself */
    enum umx_scope scope;
    /* With class alone, everything listed is looked at and what shows no class is named as unreadable; large places
     * are filtered by the server instead. */
    const char *class;
    const char *filter;
    struct umx_convert fields[UMX_CONVERT_MAX];
    umx_read_finish *finish;
};

/* Users come before pools, which count them; domains before the trusts that know their SIDs. */
static const struct row rows[] = {
    {"domain",
     &umx__domain__descriptor,
     IN_CONFIG,
     "CN=Partitions",
     UMX_SCOPE_ONE,
     NULL,
     "(&(objectClass=crossRef)(systemFlags:1.2.840.113556.1.4.803:=3))",
     {{"dnsRoot", "domain"}, {"nCName", "dn"}, {"nETBIOSName", "netbios"}},
     umx_read_finish_domain},
    {"trust",
     &umx__trust__descriptor,
     IN_ROOT,
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
     IN_ORGANIZATION,
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
     IN_ORGANIZATION,
     "CN=Administrative Groups",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(objectClass=msExchProtocolCfgSIPFEServer)",
     {{"msExchUMServerDialPlanLink", "call_router_dial_plan_dn"},
      {"msExchUMStartupMode", "call_router_startup_mode"},
      {"msExchUMCertificateThumbprint", "call_router_certificate_thumbprint"},
      {"whenChanged", "changed_at"}},
     umx_read_finish_router},
    {"dial_plan",
     &umx__dial_plan__descriptor,
     IN_ORGANIZATION,
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
     IN_ORGANIZATION,
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
     IN_ORGANIZATION,
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
     IN_ORGANIZATION,
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
     IN_ORGANIZATION,
     "CN=UM Mailbox Policies",
     UMX_SCOPE_ONE,
     "msExchUMRecipientTemplate",
     NULL,
     {{"objectGUID", "object_guid"},
      {"cn", "name"},
      {"msExchUMMailboxPolicyDialPlanLink", "dial_plan_dn"},
      {"whenChanged", "changed_at"}},
     NULL},
    {"voice_user",
     &umx__voice_user__descriptor,
     IN_ROOT,
     "",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(&(objectCategory=person)(objectClass=user)(msRTCSIP-UserEnabled=TRUE))",
     {{"objectGUID", "object_guid"},
      {"sAMAccountName", "sam_account_name"},
      {"objectSid", "sid"},
      {"msRTCSIP-PrimaryUserAddress", "sip_address"},
      {"msRTCSIP-Line", "line"},
      {"msRTCSIP-PrimaryHomeServer", "home_server_dn"},
      {"msRTCSIP-OptionFlags", "option_flags"},
      {"msRTCSIP-OriginatorSid", "originator_sid"},
      {"whenChanged", "changed_at"}},
     umx_read_finish_user},
    {"lync_pool",
     &umx__lync_pool__descriptor,
     IN_LYNC,
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
    {"contact",
     &umx__contact__descriptor,
     IN_ROOT,
     "",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(&(objectClass=contact)(msRTCSIP-SourceObjectType=-1879048192))",
     {{"objectGUID", "object_guid"},
      {"displayName", "display_name"},
      {"msRTCSIP-PrimaryUserAddress", "sip_address"},
      {"msRTCSIP-Line", "line"},
      {"otherIpPhone", "other_ip_phone"},
      {"msRTCSIP-PrimaryHomeServer", "home_server_dn"},
      {"msRTCSIP-UserEnabled", "enabled"},
      {"whenChanged", "changed_at"}},
     NULL},
};

/* Attributes that only a finish function looks at. */
static const char *const more_attributes[] = {"objectClass", "networkAddress", "msDS-TrustForestTrustInfo",
                                              "msExchUMAutoAttendantFlags"};

/* ---- running a row */

struct running {
    struct umx_reading *reading;
    const struct row *row;
};

static int convert_row(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    const struct running *running = user;
    const struct row *row = running->row;
    if (row->class && !umx_entry_find(entry, "objectClass")) {
        umx_reading_incomplete(running->reading, row->table, "%s: listed, but its attributes are hidden", entry->dn);
        return 0;
    }
    if (row->class && !umx_entry_has(entry, "objectClass", row->class)) {
        return 0;
    }
    ProtobufCMessage *record = umx_reflect_new(row->record, arena);
    if (!record) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
    }
    enum umx_read_fate fate = UMX_READ_EMIT;
    int status = umx_convert_entry(entry, row->fields, record, arena, err);
    if (!status && row->finish) {
        status = row->finish(running->reading, entry, record, &fate, err);
    }
    return status || fate == UMX_READ_DROP ? status : umx_reading_emit(running->reading, record, err);
}

static int run_row(struct umx_reading *reading, const struct row *row, const char *anchor, bool optional,
                   struct umx_error *err)
{
    const char *attributes[UMX_CONVERT_MAX + sizeof more_attributes / sizeof *more_attributes + 1];
    size_t count = 0;
    for (const struct umx_convert *field = row->fields; field->attribute; field++) {
        attributes[count++] = field->attribute;
    }
    for (size_t i = 0; i < sizeof more_attributes / sizeof *more_attributes; i++) {
        attributes[count++] = more_attributes[i];
    }
    attributes[count] = NULL;
    struct running running = {reading, row};
    struct umx_error why = {0};
    const struct umx_search search = {.base = umx_reading_dn(reading, row->relative, anchor),
                                      .scope = row->scope,
                                      .filter = row->filter,
                                      .attributes = attributes};
    if (!search.base) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, row->table, NULL);
    }
    if (!umx_connection_search(reading->connection, &search, convert_row, &running, &why)) {
        return 0;
    }
    if (umx_reading_fatal(reading, &why)) {
        *err = why;
        return why.status;
    }
    if (why.id == UMX_ERR_OBJECT_NOT_FOUND && !optional) {
        umx_reading_incomplete(reading, row->table, "%s is missing, or this account may not see it", search.base);
    } else if (why.id != UMX_ERR_OBJECT_NOT_FOUND) {
        umx_reading_incomplete(reading, row->table, "%s: %s", why.what, umx_error_why(&why));
    }
    return 0;
}

/* Whether a row is wanted: users also when only their numbers are. */
static bool wanted(const struct umx_reading *reading, const struct row *row)
{
    if (strcmp(row->table, "voice_user") == 0 &&
        (umx_reading_wants(reading, "lync_pool") || umx_reading_wants(reading, "forest"))) {
        return true;
    }
    /* A trust carries the SID of a child domain. */
    return umx_reading_wants(reading, row->table) ||
           (strcmp(row->table, "trust") == 0 && umx_reading_wants(reading, "domain"));
}

static int run_lync_row(struct umx_reading *reading, const struct row *row, struct umx_error *err)
{
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    const char *places[] = {
        umx_reading_dn(reading, "CN=RTC Service,CN=Services", root->config_dn),
        umx_reading_dn(reading, "CN=RTC Service,CN=Microsoft,CN=System", root->root_dn),
    };
    for (size_t i = 0; i < 2; i++) {
        if (!places[i]) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, row->table, NULL);
        }
        int status = run_row(reading, row, places[i], true, err);
        if (status) {
            return status;
        }
    }
    return 0;
}

static int emit_kept(struct umx_reading *reading, struct umx_error *err)
{
    int status = 0;
    for (size_t i = 0; i < reading->server_count && !status; i++) {
        status = umx_reading_emit(reading, &reading->servers[i]->base, err);
    }
    for (size_t i = 0; i < reading->domain_count && !status; i++) {
        const Umx__Domain *domain = reading->domains[i];
        if (!umx_text_dn_equal(domain->dn, reading->record.root_dn)) {
            umx_reading_incomplete(reading, "voice_user", "the domain %s is not read: only the root domain is",
                                   domain->domain ? domain->domain : domain->dn);
        }
        status = umx_reading_wants(reading, "domain") ? umx_reading_emit(reading, &reading->domains[i]->base, err) : 0;
    }
    return status;
}

int umx_read_tables(struct umx_reading *reading, struct umx_error *err)
{
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    const char *anchors[] = {
        [IN_ROOT] = root->root_dn, [IN_CONFIG] = root->config_dn, [IN_ORGANIZATION] = reading->record.organization_dn};
    int status = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !status; i++) {
        const struct row *row = &rows[i];
        if (!wanted(reading, row)) {
            continue;
        }
        if (row->place == IN_LYNC) {
            status = run_lync_row(reading, row, err);
        } else if (anchors[row->place]) {
            status = run_row(reading, row, anchors[row->place], false, err);
        }
        if (strcmp(row->table, "voice_user") == 0) {
            reading->record.has_lync_users = 1;
        }
    }
    return status ? status : emit_kept(reading, err);
}

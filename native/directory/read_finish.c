/* What a record needs beyond its attributes' values. */
#include "directory/read_finish.h"

#include <string.h>
#include <strings.h>

#include "base/reflect.h"
#include "base/text.h"
#include "directory/trust_info.h"
#include "directory/version.h"

int umx_read_finish_trust(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                          enum umx_read_fate *fate, struct umx_error *err)
{
    Umx__Trust *trust = (Umx__Trust *)(void *)record;
    struct umx_trust_record *names = NULL;
    struct umx_error why = {0};
    size_t count = 0;
    const struct umx_value *blob = umx_entry_value(entry, "msDS-TrustForestTrustInfo");
    (void)fate;
    trust->trust_info_error = umx_arena_string(reading->arena, blob ? "" : "missing");
    if (blob && umx_trust_info_parse(blob->bytes, blob->length, reading->arena, &names, &count, &why)) {
        trust->trust_info_error = umx_arena_string(reading->arena, umx_error_why(&why));
        count = 0;
    }
    char **lists = umx_arena_alloc(reading->arena, 5 * (count + 1) * sizeof *lists);
    if (!lists || !trust->trust_info_error) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
    }
    trust->suffix_enabled = lists;
    trust->suffix_disabled = lists + count;
    trust->suffix_conflict = lists + 2 * count;
    trust->suffix_excluded = lists + 3 * count;
    trust->domain_disabled = lists + 4 * count;
    for (size_t i = 0; i < count; i++) {
        char *name = umx_arena_string(reading->arena, names[i].name ? names[i].name : "");
        if (names[i].type == UMX_TRUST_EXCLUSION) {
            trust->suffix_excluded[trust->n_suffix_excluded++] = name;
        } else if (names[i].type == UMX_TRUST_DOMAIN &&
                   names[i].flags & (UMX_TRUST_SID_DISABLED | UMX_TRUST_SID_CONFLICT)) {
            trust->domain_disabled[trust->n_domain_disabled++] = umx_arena_string(reading->arena, names[i].sid);
        } else if (names[i].type == UMX_TRUST_TOP_LEVEL && names[i].flags & UMX_TRUST_CONFLICT) {
            trust->suffix_conflict[trust->n_suffix_conflict++] = name;
        } else if (names[i].type == UMX_TRUST_TOP_LEVEL && names[i].flags) {
            trust->suffix_disabled[trust->n_suffix_disabled++] = name;
        } else if (names[i].type == UMX_TRUST_TOP_LEVEL) {
            trust->suffix_enabled[trust->n_suffix_enabled++] = name;
        }
    }
    for (size_t i = 0; i < reading->domain_count; i++) {
        if (trust->partner && umx_text_equal(reading->domains[i]->domain, trust->partner)) {
            reading->domains[i]->sid = umx_arena_string(reading->arena, trust->partner_sid);
        }
    }
    return 0;
}

int umx_read_finish_domain(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                           enum umx_read_fate *fate, struct umx_error *err)
{
    if (reading->domain_count == UMX_READING_DOMAINS_MAX) {
        return umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, entry->dn, "more than %d domains", UMX_READING_DOMAINS_MAX);
    }
    Umx__Domain *domain = umx_reflect_copy(record, reading->arena);
    if (!domain) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
    }
    if (umx_text_dn_equal(domain->dn, reading->record.root_dn)) {
        domain->sid = reading->record.root_sid;
    }
    reading->domains[reading->domain_count++] = domain;
    *fate = UMX_READ_DROP; /* kept until the trusts are read */
    return 0;
}

/* Names of servers go into commands that administrators copy: what is no host name is left out, and named. */
static char *host_or_none(struct umx_reading *reading, const char *table, const struct umx_entry *entry, char *name)
{
    if (name == NULL || umx_text_host(name, strlen(name))) {
        return name;
    }
    umx_reading_incomplete(reading, table, "%s: \"%s\" is not the name of a host", entry->dn, name);
    return NULL;
}

int umx_read_finish_server(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                           enum umx_read_fate *fate, struct umx_error *err)
{
    static const char prefix[] = "ncacn_ip_tcp:";
    if (reading->server_count == UMX_READING_SERVERS_MAX) {
        return umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, entry->dn, "more than %d servers", UMX_READING_SERVERS_MAX);
    }
    Umx__ExchangeServer *server = umx_reflect_copy(record, reading->arena);
    if (!server) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
    }
    const struct umx_attribute *addresses = umx_entry_find(entry, "networkAddress");
    for (size_t i = 0; addresses && i < addresses->count; i++) {
        char *address = umx_value_text(&addresses->values[i], reading->arena);
        if (address && strncasecmp(address, prefix, sizeof prefix - 1) == 0) {
            server->server = host_or_none(reading, "exchange_server", entry, address + sizeof prefix - 1);
        }
    }
    if (server->has_version_number) {
        struct umx_version version = umx_version_decode(server->version_number);
        server->has_version_major = server->has_version_minor = server->has_version_build = 1;
        server->version_major = version.major;
        server->version_minor = version.minor;
        server->version_build = version.build;
    }
    reading->servers[reading->server_count++] = server;
    *fate = UMX_READ_DROP; /* kept until the call routers are read */
    return 0;
}

int umx_read_finish_router(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                           enum umx_read_fate *fate, struct umx_error *err)
{
    *fate = UMX_READ_DROP;
    for (size_t i = 0; i < reading->server_count; i++) {
        Umx__ExchangeServer *server = reading->servers[i];
        if (!umx_text_dn_within(entry->dn, server->dn)) {
            continue;
        }
        const Umx__ExchangeServer *router = umx_reflect_copy(record, reading->arena);
        if (!router) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
        }
        server->call_router_dn = router->dn;
        server->has_call_router_startup_mode = router->has_call_router_startup_mode;
        server->call_router_startup_mode = router->call_router_startup_mode;
        server->call_router_certificate_thumbprint = router->call_router_certificate_thumbprint;
        server->call_router_dial_plan_dn = router->call_router_dial_plan_dn;
        server->n_call_router_dial_plan_dn = router->n_call_router_dial_plan_dn;
        server->has_call_router_guid = router->has_call_router_guid;
        server->call_router_guid = router->call_router_guid;
        server->has_call_router_changed_at = router->has_call_router_changed_at;
        server->call_router_changed_at = router->call_router_changed_at;
    }
    return 0;
}

int umx_read_finish_hunt_group(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                               enum umx_read_fate *fate, struct umx_error *err)
{
    Umx__HuntGroup *group = (Umx__HuntGroup *)(void *)record;
    const char *parent = umx_text_dn_parent(entry->dn);
    (void)fate;
    group->gateway_dn = parent ? umx_arena_string(reading->arena, parent) : NULL;
    return group->gateway_dn ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
}

int umx_read_finish_attendant(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                              enum umx_read_fate *fate, struct umx_error *err)
{
    Umx__AutoAttendant *attendant = (Umx__AutoAttendant *)(void *)record;
    int64_t flags;
    (void)reading;
    (void)fate;
    (void)err;
    attendant->has_enabled = umx_entry_integer(entry, "msExchUMAutoAttendantFlags", &flags);
    attendant->enabled = attendant->has_enabled && flags & 1;
    return 0;
}

int umx_read_finish_pool(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                         enum umx_read_fate *fate, struct umx_error *err)
{
    Umx__LyncPool *pool = (Umx__LyncPool *)(void *)record;
    (void)fate;
    (void)err;
    pool->pool = host_or_none(reading, "lync_pool", entry, pool->pool);
    pool->has_branch = pool->has_voice_users = 1;
    for (size_t i = 0; i < pool->n_pool_data; i++) {
        pool->branch |= strcasestr(pool->pool_data[i], "ExtendedType=RemoteRegistrar") != NULL;
    }
    for (size_t i = 0; i < reading->home_count; i++) {
        if (umx_text_dn_within(reading->homes[i].home_dn, entry->dn)) {
            pool->voice_users += reading->homes[i].users;
        }
    }
    return 0;
}

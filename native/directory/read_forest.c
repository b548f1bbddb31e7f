/* The forest record: what is known before the tables, and what only their reading shows. */
#include <string.h>

#include "base/text.h"
#include "directory/convert.h"
#include "directory/reading.h"

/* For searches whose result is one list of texts in the forest's record. */
struct texts {
    struct umx_reading *reading;
    const char *attribute;
    char ***list;
    size_t *count;
};

static int add_texts(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct texts *texts = user;
    struct umx_arena *keep = texts->reading->arena;
    const struct umx_attribute *attribute = umx_entry_find(entry, texts->attribute);
    (void)arena;
    if (!attribute) {
        return 0;
    }
    char **more = umx_arena_alloc(keep, (*texts->count + attribute->count) * sizeof *more);
    if (!more) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
    }
    if (*texts->count) {
        memcpy(more, *texts->list, *texts->count * sizeof *more);
    }
    for (size_t i = 0; i < attribute->count; i++) {
        if (!(more[*texts->count] = umx_value_text(&attribute->values[i], keep))) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
        }
        ++*texts->count;
    }
    *texts->list = more;
    return 0;
}

/* A search that may find its base missing; anything else that is not fatal makes `forest` incomplete. */
static int search_optional(struct umx_reading *reading, const struct umx_search *search, umx_entry_handler *handler,
                           void *user, struct umx_error *err)
{
    struct umx_error why = {0};
    if (umx_connection_search(reading->connection, search, handler, user, &why) && why.id != UMX_ERR_OBJECT_NOT_FOUND) {
        if (umx_reading_fatal(reading, &why)) {
            *err = why;
            return why.status;
        }
        umx_reading_incomplete(reading, "forest", "%s: %s", search->base, umx_error_why(&why));
    }
    return 0;
}

static int found_organization(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct umx_reading *reading = user;
    if (!umx_entry_find(entry, "objectClass")) {
        umx_reading_incomplete(reading, "forest", "%s: access denied: it is there, but hidden from this account",
                               entry->dn);
        return 0;
    }
    if (!umx_entry_has(entry, "objectClass", "msExchOrganizationContainer")) {
        return 0;
    }
    (void)arena;
    reading->record.organization_count++;
    if (!reading->record.organization_dn) {
        reading->record.organization_dn = umx_arena_string(reading->arena, entry->dn);
        reading->record.organization = umx_entry_text(entry, "cn", reading->arena);
        if (!reading->record.organization_dn) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
        }
    }
    return 0;
}

static int read_organization(struct umx_reading *reading, struct umx_error *err)
{
    static const char *const attributes[] = {"objectClass", "cn", NULL};
    const struct umx_search search = {
        .base = umx_reading_dn(reading, "CN=Microsoft Exchange,CN=Services",
                               umx_connection_root(reading->connection)->config_dn),
        .scope = UMX_SCOPE_ONE,
        .attributes = attributes,
    };
    reading->record.has_organization_count = 1;
    int status = search_optional(reading, &search, found_organization, reading, err);
    if (!status && !reading->record.organization_count && reading->record.side != UMX__FOREST__SIDE__LYNC) {
        reading->record.organization = umx_arena_string(reading->arena, "");
    }
    return status;
}

/* rangeUpper of a schema object; nothing when there is none. */
static int read_schema_version(struct umx_reading *reading, const char *name, protobuf_c_boolean *has, int32_t *version,
                               struct umx_error *err)
{
    static const char *const attributes[] = {"rangeUpper", NULL};
    struct umx_entry entry;
    struct umx_error why = {0};
    int64_t number;
    const char *base = umx_reading_dn(reading, name, umx_connection_root(reading->connection)->schema_dn);
    if (!base) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, name, NULL);
    }
    if (umx_connection_read(reading->connection, &(struct umx_search){.base = base, .attributes = attributes},
                            reading->arena, &entry, &why)) {
        if (umx_reading_fatal(reading, &why)) {
            *err = why;
            return why.status;
        }
        return 0;
    }
    *has = umx_entry_integer(&entry, "rangeUpper", &number);
    *version = *has ? (int32_t)number : 0;
    return 0;
}

static int read_root_domain(struct umx_reading *reading, struct umx_error *err)
{
    static const char *const attributes[] = {"objectSid", NULL};
    struct umx_entry entry;
    int status = umx_connection_read(reading->connection,
                                     &(struct umx_search){.base = reading->record.root_dn, .attributes = attributes},
                                     reading->arena, &entry, err);
    if (!status) {
        reading->record.root_sid = umx_entry_sid(&entry, "objectSid", reading->arena);
    }
    return status;
}

static int found_cross_ref(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct umx_reading *reading = user;
    char *dn = umx_entry_text(entry, "nCName", arena);
    (void)err;
    if (dn && umx_text_dn_equal(dn, reading->record.root_dn)) {
        char *name = umx_entry_text(entry, "nETBIOSName", reading->arena);
        reading->record.netbios = name && umx_text_host(name, strlen(name)) ? name : NULL;
    }
    return 0;
}

int umx_read_forest_begin(struct umx_reading *reading, struct umx_error *err)
{
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    Umx__Forest *forest = &reading->record;
    struct umx_arena *arena = reading->arena;
    char *name = umx_convert_dns_name(root->root_dn, arena);
    if (!name || !umx_text_equal(name, reading->forest)) {
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, reading->forest, "%s belongs to the forest %s", root->host,
                        name ? name : "of another kind");
    }
    forest->root_dn = umx_arena_string(arena, root->root_dn);
    forest->config_dn = umx_arena_string(arena, root->config_dn);
    forest->domain_controller = umx_arena_string(arena, root->host);
    forest->invocation_id.data = (uint8_t *)umx_arena_copy(arena, root->invocation_id, UMX_GUID_SIZE);
    if (!forest->root_dn || !forest->config_dn || !forest->domain_controller || !forest->invocation_id.data) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, reading->forest, NULL);
    }
    forest->invocation_id.len = UMX_GUID_SIZE;
    forest->has_invocation_id = forest->has_highest_usn = forest->has_clock_offset = forest->has_functional_level = 1;
    forest->highest_usn = root->highest_usn;
    forest->clock_offset = root->clock_offset;
    forest->functional_level = root->functional_level;
    int status = read_root_domain(reading, err);
    if (!status) {
        status = read_organization(reading, err);
    }
    if (!status) {
        status = read_schema_version(reading, "CN=ms-Exch-Schema-Version-Pt", &forest->has_exchange_schema_version,
                                     &forest->exchange_schema_version, err);
    }
    if (!status) {
        status = read_schema_version(reading, "CN=ms-RTC-SIP-SchemaVersion", &forest->has_lync_schema_version,
                                     &forest->lync_schema_version, err);
    }
    return status;
}

int umx_read_forest_end(struct umx_reading *reading, struct umx_error *err)
{
    static const char *const cross_ref[] = {"nCName", "nETBIOSName", NULL}, *const suffix[] = {"uPNSuffixes", NULL},
                             *const sip[] = {"msRTCSIP-DomainName", NULL};
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    Umx__Forest *forest = &reading->record;
    const char *partitions = umx_reading_dn(reading, "CN=Partitions", root->config_dn);
    const char *settings = "CN=Global Settings,CN=RTC Service";
    const char *places[] = {
        umx_reading_dn(reading, settings, umx_reading_dn(reading, "CN=Services", root->config_dn)),
        umx_reading_dn(reading, settings, umx_reading_dn(reading, "CN=Microsoft,CN=System", root->root_dn)),
    };
    struct texts suffixes = {reading, suffix[0], &forest->upn_suffix, &forest->n_upn_suffix};
    struct texts domains = {reading, sip[0], &forest->sip_domain, &forest->n_sip_domain};
    struct umx_search search = {.base = partitions,
                                .scope = UMX_SCOPE_ONE,
                                .filter = "(&(objectClass=crossRef)(nETBIOSName=*))",
                                .attributes = cross_ref};
    if (!partitions || !places[0] || !places[1]) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, reading->forest, NULL);
    }
    int status = search_optional(reading, &search, found_cross_ref, reading, err);
    if (!status) {
        search = (struct umx_search){.base = partitions, .attributes = suffix};
        status = search_optional(reading, &search, add_texts, &suffixes, err);
    }
    for (size_t i = 0; i < 2 && !status && !forest->n_sip_domain; i++) {
        search = (struct umx_search){
            .base = places[i], .scope = UMX_SCOPE_ONE, .filter = "(objectClass=msRTCSIP-Domain)", .attributes = sip};
        status = search_optional(reading, &search, add_texts, &domains, err);
    }
    return status ? status : umx_reading_emit(reading, &forest->base, err);
}

/* Places that can hold contacts in a Lync forest, and what its groups may do there (spec 3.6). */
#include <string.h>

#include "base/reflect.h"
#include "base/text.h"
#include "directory/convert.h"
#include "directory/descriptor.h"
#include "directory/reading.h"

/* wellKnownObjects: CN=Users, whatever it is called. */
#define USERS_GUID "a9d1ca15768811d1aded00c04fd8d5cd"

/* The RTC groups of the forest, and the place that is being read. */
struct units {
    struct umx_reading *reading;
    const char **groups;
    size_t group_count, group_capacity;
    size_t count; /* places so far */
};

static int add_group(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct units *units = user;
    struct umx_arena *keep = units->reading->arena;
    char *sid = umx_entry_sid(entry, "objectSid", keep);
    (void)arena;
    if (!sid) {
        return 0;
    }
    if (units->group_count == units->group_capacity) {
        units->group_capacity = units->group_capacity ? units->group_capacity * 2 : 64;
        const char **more = umx_arena_alloc(keep, units->group_capacity * sizeof *more);
        if (!more) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
        }
        if (units->group_count) {
            memcpy(more, units->groups, units->group_count * sizeof *more);
        }
        units->groups = more;
    }
    units->groups[units->group_count++] = sid;
    return 0;
}

static bool of_interest(void *user, const struct umx_ace *ace)
{
    const struct units *units = user;
    char sid[UMX_SID_TEXT];
    if (ace->type == UMX_ACE_DENY || ace->type == UMX_ACE_DENY_OBJECT) {
        return true;
    }
    if (umx_sid_text(ace->sid, ace->sid_length, sid, NULL)) {
        return false;
    }
    for (size_t i = 0; i < units->group_count; i++) {
        if (strcmp(units->groups[i], sid) == 0) {
            return true;
        }
    }
    return false;
}

static int32_t contacts_in(const struct umx_reading *reading, const char *dn)
{
    for (size_t i = 0; i < reading->counted_count; i++) {
        if (umx_text_dn_equal(reading->counted[i].dn, dn)) {
            return reading->counted[i].contacts;
        }
    }
    return 0;
}

static int add_unit(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    static const struct umx_convert fields[] = {
        {"objectGUID", "object_guid"}, {"name", "name"}, {"whenChanged", "changed_at"}, {NULL, NULL}};
    struct units *units = user;
    struct umx_reading *reading = units->reading;
    Umx__OrganizationalUnit record = UMX__ORGANIZATIONAL_UNIT__INIT;
    struct umx_descriptor dacl;
    struct umx_error why = {0};
    if (units->count++ >= UMX_READING_UNITS_MAX) {
        return 0;
    }
    int status = umx_convert_entry(entry, fields, &record.base, arena, err);
    const struct umx_value *bytes = umx_entry_value(entry, "nTSecurityDescriptor");
    bool readable = bytes && !umx_descriptor_parse(bytes->bytes, bytes->length, arena, &dacl, &why);
    record.dacl_error = umx_arena_string(arena, readable ? ""
                                                : bytes  ? umx_error_why(&why)
                                                         : "access denied: this account may not read permissions");
    record.has_dacl_protected = readable;
    record.dacl_protected = readable && dacl.dacl_protected;
    record.has_contacts = 1;
    record.contacts = contacts_in(reading, entry->dn);
    if (!status && umx_reading_wants(reading, "organizational_unit")) {
        status = umx_reading_emit(reading, &record.base, err);
    }
    return status || !readable || !umx_reading_wants(reading, "access_entry")
               ? status
               : umx_reading_emit_dacl(reading, entry->dn, &dacl, of_interest, units, arena, err);
}

static int look(struct units *units, struct umx_connection *connection, const struct umx_search *search,
                umx_entry_handler *handler, struct umx_error *err)
{
    struct umx_error why = {0};
    if (!search->base) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "organizational_unit", NULL);
    }
    if (!umx_connection_search(connection, search, handler, units, &why)) {
        return 0;
    }
    if (umx_reading_fatal_on(units->reading, connection, &why)) {
        *err = why;
        return why.status;
    }
    if (why.id != UMX_ERR_OBJECT_NOT_FOUND) {
        umx_reading_incomplete(units->reading, "organizational_unit", "%s: %s", search->base, umx_error_why(&why));
    }
    return 0;
}

int umx_read_units(struct umx_reading *reading, struct umx_error *err)
{
    static const char *const sid[] = {"objectSid", NULL};
    static const char *const attributes[] = {"objectGUID", "name", "whenChanged", "nTSecurityDescriptor", NULL};
    struct units units = {.reading = reading};
    int status = 0;
    if (!umx_reading_lync(reading) ||
        (!umx_reading_wants(reading, "organizational_unit") && !umx_reading_wants(reading, "access_entry"))) {
        return 0;
    }
    for (size_t i = 0; i < reading->open_count && !status; i++) {
        status = look(&units, reading->open[i].connection,
                      &(struct umx_search){.base = reading->open[i].dn,
                                           .scope = UMX_SCOPE_SUBTREE,
                                           .filter = "(&(objectCategory=group)(sAMAccountName=RTC*))",
                                           .attributes = sid},
                      add_group, err);
    }
    for (size_t i = 0; i < reading->open_count && !status; i++) {
        const struct umx_read_domain *domain = &reading->open[i];
        struct umx_search search = {
            .base = umx_arena_format(reading->arena, "<WKGUID=" USERS_GUID ",%s>", domain->dn),
            .attributes = attributes,
            .dacl = true,
        };
        status = look(&units, domain->connection, &search, add_unit, err);
        search.base = domain->dn;
        search.scope = UMX_SCOPE_SUBTREE;
        search.filter = "(objectClass=organizationalUnit)";
        status = status ? status : look(&units, domain->connection, &search, add_unit, err);
    }
    if (units.count > UMX_READING_UNITS_MAX) {
        umx_reading_incomplete(reading, "organizational_unit", "only %d of %zu organizational units are read",
                               UMX_READING_UNITS_MAX, units.count);
        umx_reading_incomplete(reading, "access_entry", "only those of %d organizational units are read",
                               UMX_READING_UNITS_MAX);
    }
    return status;
}

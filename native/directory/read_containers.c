/* Containers whose rights matter (spec 2.5), and their access entries. */
#include <string.h>

#include "base/reflect.h"
#include "base/text.h"
#include "directory/convert.h"
#include "directory/reading.h"
#include "directory/sddl.h"

static const struct {
    Umx__Container__Kind kind;
    const char *relative;  /* below the organisation, or for pools below the RTC Service */
    const char *listed[2]; /* tables that need the right to list it */
} containers[] = {
    {UMX__CONTAINER__KIND__ORGANIZATION, "", {NULL}},
    {UMX__CONTAINER__KIND__DIAL_PLANS, "CN=UM DialPlan Container", {"dial_plan"}},
    {UMX__CONTAINER__KIND__AUTO_ATTENDANTS, "CN=UM AutoAttendant Container", {"auto_attendant"}},
    {UMX__CONTAINER__KIND__ADMIN_GROUPS, "CN=Administrative Groups", {"exchange_server"}},
    {UMX__CONTAINER__KIND__IP_GATEWAYS, "CN=UM IPGateway Container", {"ip_gateway", "hunt_group"}},
    {UMX__CONTAINER__KIND__MAILBOX_POLICIES, "CN=UM Mailbox Policies", {"mailbox_policy"}},
    {UMX__CONTAINER__KIND__POOLS, "CN=Pools", {"lync_pool"}},
};

static int emit_entry(struct umx_reading *reading, const char *dn, const struct umx_ace *ace, size_t position,
                      struct umx_arena *arena, struct umx_error *err)
{
    Umx__AccessEntry record = UMX__ACCESS_ENTRY__INIT;
    char sid[UMX_SID_TEXT] = "", object[UMX_GUID_TEXT] = "", inherited[UMX_GUID_TEXT] = "";
    struct umx_text sddl = {0};
    umx_sddl_add(&sddl, ace);
    record.target_dn = umx_arena_string(arena, dn);
    record.has_position = record.has_type = record.has_flags = record.has_mask = 1;
    record.position = (int32_t)position;
    record.type = ace->type;
    record.flags = ace->flags;
    record.mask = (int32_t)ace->mask;
    umx_sid_text(ace->sid, ace->sid_length, sid, NULL);
    record.trustee_sid = sid;
    record.object_type = ace->has_object_type ? umx_guid_text(ace->object_type, object) : object;
    record.inherited_object_type =
        ace->has_inherited_object_type ? umx_guid_text(ace->inherited_object_type, inherited) : inherited;
    record.sddl = sddl.data;
    int status = sddl.failed || !record.target_dn ? umx_fail(err, UMX_ERR_MEMORY, dn, NULL)
                                                  : umx_reading_emit(reading, &record.base, err);
    umx_text_free(&sddl);
    return status;
}

int umx_reading_emit_dacl(struct umx_reading *reading, const char *dn, const struct umx_descriptor *dacl,
                          umx_read_choose *choose, void *user, struct umx_arena *arena, struct umx_error *err)
{
    int status = 0;
    for (size_t i = 0; i < dacl->ace_count && !status; i++) {
        if (!choose || choose(user, &dacl->aces[i])) {
            status = emit_entry(reading, dn, &dacl->aces[i], i, arena, err);
        }
    }
    return status;
}

/* Says so when children may silently not be there: the container hides itself, may not be listed, or does not tell. */
static void check_listing(struct umx_reading *reading, size_t index, const struct umx_entry *entry,
                          const struct umx_descriptor *dacl)
{
    size_t count;
    const char *const *token = umx_connection_token(reading->connection, &count);
    for (size_t i = 0; i < 2; i++) {
        const char *table = containers[index].listed[i];
        if (!table || !umx_reading_wants(reading, table)) {
            continue;
        }
        if (!umx_entry_find(entry, "objectClass")) {
            umx_reading_incomplete(reading, table, "%s: access denied: it is there, but hidden from this account",
                                   entry->dn);
        } else if (dacl && count && !umx_descriptor_allows(dacl, token, count, UMX_RIGHT_LIST_CHILDREN)) {
            umx_reading_incomplete(reading, table, "%s: access denied: this account may not list what is in it",
                                   entry->dn);
        } else if (!dacl && !umx_reading_sent(reading, table)) {
            umx_reading_incomplete(reading, table,
                                   "%s: nothing is seen in it, and its permissions, which would tell why, are not "
                                   "readable",
                                   entry->dn);
        }
    }
}

static int read_container(struct umx_reading *reading, size_t index, const char *dn, bool optional,
                          struct umx_error *err)
{
    static const char *const attributes[] = {"objectClass", "objectGUID", "whenChanged", "nTSecurityDescriptor", NULL};
    static const struct umx_convert fields[] = {
        {"objectGUID", "object_guid"}, {"whenChanged", "changed_at"}, {NULL, NULL}};
    Umx__Container record = UMX__CONTAINER__INIT;
    struct umx_descriptor dacl;
    struct umx_entry entry;
    struct umx_error why = {0};
    struct umx_arena *arena = umx_arena_new(UMX_READING_ARENA);
    if (!arena) {
        return umx_fail(err, UMX_ERR_MEMORY, dn, NULL);
    }
    const struct umx_search search = {.base = dn, .attributes = attributes, .dacl = true};
    int status = umx_connection_read(reading->connection, &search, arena, &entry, &why);
    if (status) {
        bool fatal = umx_reading_fatal(reading, &why);
        if (fatal) {
            *err = why;
        } else if (!optional || why.id != UMX_ERR_OBJECT_NOT_FOUND) {
            umx_reading_incomplete(reading, "container", "%s: %s", dn,
                                   why.id == UMX_ERR_OBJECT_NOT_FOUND ? "missing, or this account may not see it"
                                                                      : umx_error_why(&why));
        }
        status = fatal ? why.status : 0;
        goto out;
    }
    status = umx_convert_entry(&entry, fields, &record.base, arena, err);
    record.has_kind = 1;
    record.kind = containers[index].kind;
    const struct umx_value *bytes = umx_entry_value(&entry, "nTSecurityDescriptor");
    bool readable = bytes && !umx_descriptor_parse(bytes->bytes, bytes->length, arena, &dacl, &why);
    if (readable) {
        record.has_dacl_canonical = record.has_dacl_protected = 1;
        record.dacl_canonical = umx_descriptor_canonical(&dacl);
        record.dacl_protected = dacl.dacl_protected;
        record.dacl_error = umx_arena_string(arena, "");
    } else {
        record.dacl_error = umx_arena_string(arena, bytes ? umx_error_why(&why)
                                                          : "access denied: this account may not read permissions");
        umx_reading_incomplete(reading, "access_entry", "%s: %s", dn, record.dacl_error);
    }
    check_listing(reading, index, &entry, readable ? &dacl : NULL);
    if (!status && umx_reading_wants(reading, "container")) {
        status = umx_reading_emit(reading, &record.base, err);
    }
    if (!status && readable && umx_reading_wants(reading, "access_entry")) {
        status = umx_reading_emit_dacl(reading, entry.dn, &dacl, NULL, NULL, arena, err);
    }
out:
    umx_arena_free(arena);
    return status;
}

int umx_read_containers(struct umx_reading *reading, struct umx_error *err)
{
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    const char *lync[] = {umx_reading_dn(reading, "CN=RTC Service,CN=Services", root->config_dn),
                          umx_reading_dn(reading, "CN=RTC Service,CN=Microsoft,CN=System", root->root_dn)};
    int status = lync[0] && lync[1] ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, reading->forest, NULL);
    for (size_t i = 0; i < sizeof containers / sizeof *containers && !status; i++) {
        bool pools = containers[i].kind == UMX__CONTAINER__KIND__POOLS;
        bool wanted = umx_reading_wants(reading, "container") || umx_reading_wants(reading, "access_entry") ||
                      (containers[i].listed[0] && umx_reading_wants(reading, containers[i].listed[0])) ||
                      (containers[i].listed[1] && umx_reading_wants(reading, containers[i].listed[1]));
        for (size_t place = 0; place < (pools ? 2 : 1) && wanted && !status; place++) {
            const char *anchor = pools ? lync[place] : reading->record.organization_dn;
            const char *dn = anchor ? umx_reading_dn(reading, containers[i].relative, anchor) : NULL;
            status = dn ? read_container(reading, i, dn, pools, err) : 0;
        }
    }
    return status;
}

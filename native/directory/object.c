#include "directory/object.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "base/text.h"
#include "directory/sddl.h"

#define METADATA "replPropertyMetaData"
#define DESCRIPTOR "nTSecurityDescriptor"

static int fill(struct umx_object *object, bool dacl, struct umx_arena *arena, struct umx_error *err)
{
    const struct umx_value *guid = umx_entry_value(&object->entry, "objectGUID");
    const struct umx_value *metadata = umx_entry_value(&object->entry, METADATA);
    if (!guid || guid->length != UMX_GUID_SIZE) {
        return umx_fail(err, UMX_ERR_ACCESS_DENIED, object->entry.dn, "its objectGUID is not readable");
    }
    object->exists = true;
    memcpy(object->guid, guid->bytes, UMX_GUID_SIZE);
    if (metadata) {
        int status = umx_metadata_parse(metadata->bytes, metadata->length, arena, &object->metadata,
                                        &object->metadata_count, err);
        if (status) {
            return status;
        }
    }
    object->dacl_bytes = umx_entry_value(&object->entry, DESCRIPTOR);
    object->has_dacl = dacl && object->dacl_bytes;
    return object->has_dacl
               ? umx_descriptor_parse(object->dacl_bytes->bytes, object->dacl_bytes->length, arena, &object->dacl, err)
               : 0;
}

int umx_object_load(struct umx_connection *connection, const char *dn, ProtobufCBinaryData guid,
                    const char *const *attributes, bool dacl, struct umx_arena *arena, struct umx_object *object,
                    struct umx_error *err)
{
    static const char *const always[] = {"objectGUID", METADATA, DESCRIPTOR};
    char text[UMX_GUID_TEXT];
    size_t count = 0;
    *object = (struct umx_object){0};
    while (attributes && attributes[count]) {
        count++;
    }
    const char **wanted = umx_arena_alloc(arena, (count + 5) * sizeof *wanted);
    const char *base =
        guid.len == UMX_GUID_SIZE ? umx_arena_format(arena, "<GUID=%s>", umx_guid_text(guid.data, text)) : dn;
    if (!wanted || !base || !*base) {
        return umx_fail(err, base && !*base ? UMX_ERR_OBJECT_NOT_FOUND : UMX_ERR_ARENA_FULL, dn, NULL);
    }
    if (count) {
        memcpy(wanted, attributes, count * sizeof *wanted);
    } else {
        wanted[count++] = "*";
    }
    for (size_t i = 0; i < (dacl ? 3 : 2); i++) {
        wanted[count++] = always[i];
    }
    struct umx_error why = {0};
    const struct umx_search search = {.base = base, .attributes = wanted, .dacl = dacl};
    if (umx_connection_read(connection, &search, arena, &object->entry, &why)) {
        if (why.id == UMX_ERR_OBJECT_NOT_FOUND) {
            return 0;
        }
        if (err) {
            *err = why;
        }
        return why.status;
    }
    return fill(object, dacl, arena, err);
}

bool umx_object_attid(struct umx_schema *schema, struct umx_connection *connection, const char *name, uint32_t *attid)
{
    if (strncmp(name, "attid:0x", 8) == 0) {
        *attid = (uint32_t)strtoul(name + 8, NULL, 16);
        return true;
    }
    if (!umx_schema_find(schema, name)) {
        umx_schema_load(schema, connection, &name, 1, NULL);
    }
    const struct umx_schema_attribute *attribute = umx_schema_find(schema, name);
    if (!attribute || !attribute->has_attid) {
        return false;
    }
    *attid = attribute->attid;
    return true;
}

int64_t umx_object_version(const struct umx_object *object, struct umx_schema *schema,
                           struct umx_connection *connection, const char *name)
{
    uint32_t attid;
    if (!umx_object_attid(schema, connection, name, &attid)) {
        return -1;
    }
    const struct umx_metadata *found = umx_metadata_find(object->metadata, object->metadata_count, attid);
    return found ? found->version : 0;
}

/* ---- the message */

static int add_versions(const struct umx_schema *schema, const struct umx_object *object, struct umx_arena *arena,
                        Umx__ObjectState *state, struct umx_error *err)
{
    state->version = umx_arena_alloc(arena, (object->metadata_count + 1) * sizeof *state->version);
    for (size_t i = 0; state->version && i < object->metadata_count; i++) {
        const struct umx_metadata *metadata = &object->metadata[i];
        const struct umx_schema_attribute *known = umx_schema_find_attid(schema, metadata->attid);
        Umx__AttributeVersion *version = umx_reflect_new(&umx__attribute_version__descriptor, arena);
        if (!version) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
        }
        version->name = known ? umx_arena_string(arena, known->name)
                              : umx_arena_format(arena, "attid:0x%08" PRIx32, metadata->attid);
        version->has_version = 1;
        version->version = (int32_t)metadata->version;
        state->version[state->n_version++] = version;
    }
    return state->version ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
}

static bool all_text(const struct umx_attribute *attribute, const struct umx_schema_attribute *known)
{
    for (size_t i = 0; i < attribute->count; i++) {
        if ((known && known->binary) || !umx_text_valid(attribute->values[i].bytes, attribute->values[i].length)) {
            return false;
        }
    }
    return true;
}

static Umx__AttributeValues *make_values(const struct umx_attribute *attribute,
                                         const struct umx_schema_attribute *known, struct umx_arena *arena)
{
    Umx__AttributeValues *made = umx_reflect_new(&umx__attribute_values__descriptor, arena);
    bool text = all_text(attribute, known);
    if (!made || !(made->name = umx_arena_string(arena, attribute->name))) {
        return NULL;
    }
    if (text) {
        made->value = umx_arena_alloc(arena, (attribute->count + 1) * sizeof *made->value);
    } else {
        made->binary = umx_arena_alloc(arena, (attribute->count + 1) * sizeof *made->binary);
    }
    for (size_t i = 0; i < attribute->count; i++) {
        const struct umx_value *value = &attribute->values[i];
        char *copy = umx_arena_copy(arena, value->bytes, value->length);
        if (!copy || (!made->value && !made->binary)) {
            return NULL;
        }
        if (text) {
            made->value[made->n_value++] = copy;
        } else {
            made->binary[made->n_binary++] = (ProtobufCBinaryData){.len = value->length, .data = (uint8_t *)copy};
        }
    }
    return made;
}

/* Attributes that a domain controller fills by itself although the schema does not call all of them system-only. */
static bool is_own_work(const char *name)
{
    static const char *const names[] = {"distinguishedName",
                                        "name",
                                        "objectGUID",
                                        "objectSid",
                                        "instanceType",
                                        "whenCreated",
                                        "whenChanged",
                                        "uSNCreated",
                                        "uSNChanged",
                                        "objectCategory",
                                        "dSCorePropagationData",
                                        METADATA,
                                        DESCRIPTOR,
                                        "sAMAccountType",
                                        "primaryGroupID",
                                        "badPwdCount",
                                        "badPasswordTime",
                                        "lastLogon",
                                        "lastLogoff",
                                        "logonCount",
                                        "pwdLastSet",
                                        "lastLogonTimestamp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (umx_text_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

static bool is_writable(const char *name, const struct umx_schema_attribute *known)
{
    /* System-only, and yet taken by an add: what it begins with, and what lets configuration objects be renamed. */
    bool taken = umx_text_equal(name, "objectClass") || umx_text_equal(name, "systemFlags");
    return taken ||
           (!is_own_work(name) && known && !known->constructed && !known->system_only && known->link_id % 2 == 0);
}

static int add_attributes(const struct umx_schema *schema, const struct umx_object *object, unsigned parts,
                          struct umx_arena *arena, Umx__ObjectState *state, struct umx_error *err)
{
    state->attribute = umx_arena_alloc(arena, (object->entry.count + 1) * sizeof *state->attribute);
    for (size_t i = 0; state->attribute && i < object->entry.count; i++) {
        const struct umx_attribute *attribute = &object->entry.attributes[i];
        const struct umx_schema_attribute *known = umx_schema_find(schema, attribute->name);
        if (umx_text_equal(attribute->name, METADATA) || umx_text_equal(attribute->name, DESCRIPTOR) ||
            (parts & UMX_OBJECT_WRITABLE && !is_writable(attribute->name, known))) {
            continue;
        }
        Umx__AttributeValues *values = make_values(attribute, known, arena);
        if (!values) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
        }
        state->attribute[state->n_attribute++] = values;
    }
    return state->attribute ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
}

static int add_access(const struct umx_object *object, struct umx_arena *arena, Umx__ObjectState *state,
                      struct umx_error *err)
{
    state->has_descriptor = 1;
    state->descriptor.len = object->dacl_bytes->length;
    state->descriptor.data = (uint8_t *)umx_arena_copy(arena, object->dacl_bytes->bytes, object->dacl_bytes->length);
    state->access = umx_arena_alloc(arena, (object->dacl.ace_count + 1) * sizeof *state->access);
    for (size_t i = 0; state->access && i < object->dacl.ace_count; i++) {
        struct umx_text sddl = {0};
        umx_sddl_add(&sddl, &object->dacl.aces[i]);
        state->access[i] = sddl.failed ? NULL : umx_arena_string(arena, umx_text_string(&sddl));
        umx_text_free(&sddl);
        if (!state->access[i]) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
        }
        state->n_access++;
    }
    return state->access && state->descriptor.data ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
}

static int add_link(Umx__ObjectState *state, const char *dn, const char *attribute, struct umx_arena *arena,
                    struct umx_error *err)
{
    char *line = umx_arena_format(arena, "%s\t%s", dn, attribute);
    for (size_t i = 0; line && i < state->n_incoming_link; i++) {
        if (strcmp(state->incoming_link[i], line) == 0) {
            return 0;
        }
    }
    if (!line || state->n_incoming_link == UMX_OBJECT_LINKS_MAX) {
        return umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, dn, "more than %d links lead to the object",
                        UMX_OBJECT_LINKS_MAX);
    }
    state->incoming_link[state->n_incoming_link++] = line;
    return 0;
}

/* Back links that the object shows, each named by the attribute at its other end. */
static int add_links(struct umx_connection *connection, struct umx_schema *schema, const struct umx_object *object,
                     struct umx_arena *arena, Umx__ObjectState *state, struct umx_error *err)
{
    int status = 0;
    state->incoming_link = umx_arena_alloc(arena, UMX_OBJECT_LINKS_MAX * sizeof *state->incoming_link);
    if (!state->incoming_link) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
    }
    for (size_t i = 0; i < object->entry.count && !status; i++) {
        const struct umx_attribute *attribute = &object->entry.attributes[i];
        const struct umx_schema_attribute *known = umx_schema_find(schema, attribute->name);
        if (!known || known->link_id % 2 == 0) {
            continue;
        }
        status = umx_schema_load_link(schema, connection, known->link_id - 1, err);
        const struct umx_schema_attribute *forward = umx_schema_find_link(schema, known->link_id - 1);
        for (size_t k = 0; !status && forward && k < attribute->count; k++) {
            char *dn = umx_value_text(&attribute->values[k], arena);
            status = dn ? add_link(state, dn, forward->name, arena, err)
                        : umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
        }
    }
    return status;
}

int umx_object_state(struct umx_connection *connection, struct umx_schema *schema, const struct umx_object *object,
                     unsigned parts, struct umx_arena *arena, Umx__ObjectState **out, struct umx_error *err)
{
    const struct umx_root_dse *root = umx_connection_root(connection);
    Umx__ObjectState *state = umx_reflect_new(&umx__object_state__descriptor, arena);
    *out = state;
    if (!state) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, root->host, NULL);
    }
    state->has_exists = state->has_invocation_id = 1;
    state->exists = object->exists;
    state->domain_controller = umx_arena_string(arena, root->host);
    state->invocation_id.len = UMX_GUID_SIZE;
    state->invocation_id.data = (uint8_t *)umx_arena_copy(arena, root->invocation_id, UMX_GUID_SIZE);
    if (!object->exists) {
        return 0;
    }
    state->dn = umx_arena_string(arena, object->entry.dn);
    state->has_object_guid = 1;
    state->object_guid.len = UMX_GUID_SIZE;
    state->object_guid.data = (uint8_t *)umx_arena_copy(arena, object->guid, UMX_GUID_SIZE);
    const char **names = umx_arena_alloc(arena, (object->entry.count + 2) * sizeof *names);
    if (!state->dn || !state->object_guid.data || !state->invocation_id.data || !names) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, object->entry.dn, NULL);
    }
    for (size_t i = 0; i < object->entry.count; i++) {
        names[i] = object->entry.attributes[i].name;
    }
    names[object->entry.count] = DESCRIPTOR;
    int status = umx_schema_load(schema, connection, names, object->entry.count + 1, err);
    if (!status) {
        status = add_attributes(schema, object, parts, arena, state, err);
    }
    if (!status) {
        status = add_versions(schema, object, arena, state, err);
    }
    if (!status && parts & UMX_OBJECT_DESCRIPTOR && object->has_dacl) {
        status = add_access(object, arena, state, err);
    }
    if (!status && parts & UMX_OBJECT_LINKS) {
        status = add_links(connection, schema, object, arena, state, err);
    }
    return status;
}

#include "directory/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "directory/metadata.h"

enum { ARENA_CAP = 16 * 1024 * 1024, BATCH = 40, NAME_LONGEST = 256, FLAG_CONSTRUCTED = 4 };

struct umx_schema {
    struct umx_arena *arena;
    struct umx_schema_attribute *attributes[UMX_SCHEMA_MAX];
    size_t count;
};

struct umx_schema *umx_schema_new(void)
{
    struct umx_schema *schema = calloc(1, sizeof *schema);
    if (schema && !(schema->arena = umx_arena_new(ARENA_CAP))) {
        free(schema);
        return NULL;
    }
    return schema;
}

void umx_schema_free(struct umx_schema *schema)
{
    if (schema) {
        umx_arena_free(schema->arena);
        free(schema);
    }
}

const struct umx_schema_attribute *umx_schema_find(const struct umx_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (umx_text_equal(schema->attributes[i]->name, name)) {
            return schema->attributes[i];
        }
    }
    return NULL;
}

const struct umx_schema_attribute *umx_schema_find_attid(const struct umx_schema *schema, uint32_t attid)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->attributes[i]->has_attid && schema->attributes[i]->attid == attid) {
            return schema->attributes[i];
        }
    }
    return NULL;
}

const struct umx_schema_attribute *umx_schema_find_link(const struct umx_schema *schema, int64_t link_id)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->attributes[i]->link_id == link_id) {
            return schema->attributes[i];
        }
    }
    return NULL;
}

static bool is_binary(const char *syntax)
{
    static const char *const syntaxes[] = {"2.5.5.10", "2.5.5.15", "2.5.5.17"};
    for (size_t i = 0; syntax && i < sizeof syntaxes / sizeof *syntaxes; i++) {
        if (strcmp(syntax, syntaxes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int found_attribute(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct umx_schema *schema = user;
    struct umx_schema_attribute *attribute = umx_arena_alloc(schema->arena, sizeof *attribute);
    const char *name = umx_entry_text(entry, "lDAPDisplayName", schema->arena);
    const char *oid = umx_entry_text(entry, "attributeID", arena);
    const char *syntax = umx_entry_text(entry, "attributeSyntax", arena);
    int64_t number;
    if (!attribute || schema->count == UMX_SCHEMA_MAX) {
        return umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, "schema", "more than %d attributes are needed", UMX_SCHEMA_MAX);
    }
    if (!name || umx_schema_find(schema, name)) {
        return 0;
    }
    attribute->name = name;
    if (umx_entry_integer(entry, "msDS-IntId", &number)) {
        attribute->has_attid = true;
        attribute->attid = (uint32_t)number;
    } else if (oid) {
        attribute->has_attid = umx_metadata_attid(oid, &attribute->attid);
    }
    attribute->link_id = umx_entry_integer(entry, "linkID", &number) ? number : 0;
    attribute->single = umx_entry_true(entry, "isSingleValued");
    attribute->system_only = umx_entry_true(entry, "systemOnly");
    attribute->constructed = umx_entry_integer(entry, "systemFlags", &number) && number & FLAG_CONSTRUCTED;
    attribute->binary = is_binary(syntax);
    attribute->dn = syntax && strcmp(syntax, "2.5.5.1") == 0;
    schema->attributes[schema->count++] = attribute;
    return 0;
}

static int query(struct umx_schema *schema, struct umx_connection *connection, const char *filter,
                 struct umx_error *err)
{
    static const char *const attributes[] = {"lDAPDisplayName", "attributeID", "attributeSyntax",
                                             "msDS-IntId",      "linkID",      "isSingleValued",
                                             "systemOnly",      "systemFlags", NULL};
    return umx_connection_search(connection,
                                 &(struct umx_search){.base = umx_connection_root(connection)->schema_dn,
                                                      .scope = UMX_SCOPE_ONE,
                                                      .filter = filter,
                                                      .attributes = attributes},
                                 found_attribute, schema, err);
}

/* Letters, digits and hyphens: safe in a filter, and all that a name may hold. */
static bool possible(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    size_t length = strlen(name);
    return length && length < NAME_LONGEST && strspn(name, allowed) == length;
}

int umx_schema_load(struct umx_schema *schema, struct umx_connection *connection, const char *const *names,
                    size_t count, struct umx_error *err)
{
    int status = 0;
    for (size_t i = 0; i < count && !status;) {
        struct umx_text filter = {0};
        size_t wanted = 0;
        umx_text_adds(&filter, "(&(objectClass=attributeSchema)(|");
        for (; i < count && wanted < BATCH; i++) {
            if (possible(names[i]) && !umx_schema_find(schema, names[i])) {
                umx_text_addf(&filter, "(lDAPDisplayName=%s)", names[i]);
                wanted++;
            }
        }
        umx_text_adds(&filter, "))");
        if (filter.failed) {
            status = umx_fail(err, UMX_ERR_MEMORY, "schema", NULL);
        } else if (wanted) {
            status = query(schema, connection, umx_text_string(&filter), err);
        }
        umx_text_free(&filter);
    }
    return status;
}

int umx_schema_load_link(struct umx_schema *schema, struct umx_connection *connection, int64_t link_id,
                         struct umx_error *err)
{
    if (umx_schema_find_link(schema, link_id)) {
        return 0;
    }
    struct umx_text filter = {0};
    umx_text_addf(&filter, "(&(objectClass=attributeSchema)(linkID=%lld))", (long long)link_id);
    int status = filter.failed ? umx_fail(err, UMX_ERR_MEMORY, "schema", NULL)
                               : query(schema, connection, umx_text_string(&filter), err);
    umx_text_free(&filter);
    return status;
}

#include "cli/world_diff.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/reflect.h"
#include "cli/world_words.h"

enum { KEY_FIELDS = 6 };

/* What names a record. A table that is not here (events) has no key: its records are compared whole. */
static const struct {
    const char *table;
    const char *fields[KEY_FIELDS];
} keys[] = {
    {"agent", {"agent"}},
    {"server", {"server"}},
    {"role", {"server", "role"}},
    {"service", {"server", "name"}},
    {"certificate", {"server", "store", "thumbprint"}},
    {"listener", {"server", "protocol", "address", "port"}},
    {"um_setting", {"server", "service"}},
    {"lync_dial_plan", {"server", "identity"}},
    {"lync_policy", {"server", "kind", "identity"}},
    {"lync_pool_member", {"server", "pool", "member"}},
    {"proof", {"server", "kind", "forest", "target_forest", "target"}},
    {"forest", {"forest"}},
    {"domain", {"forest", "domain"}},
    {"trust", {"forest", "partner"}},
    {"exchange_server", {"forest", "dn"}},
    {"dial_plan", {"forest", "dn"}},
    {"ip_gateway", {"forest", "dn"}},
    {"hunt_group", {"forest", "dn"}},
    {"auto_attendant", {"forest", "dn"}},
    {"mailbox_policy", {"forest", "dn"}},
    {"lync_pool", {"forest", "dn"}},
    {"contact", {"forest", "dn"}},
    {"container", {"forest", "dn"}},
    {"access_entry", {"forest", "target_dn", "sddl"}},
    {"voice_user", {"forest", "dn"}},
    {"mailbox_user", {"forest", "dn"}},
    {"organizational_unit", {"forest", "dn"}},
    {"admin_group", {"forest", "meaning"}},
    {"lync_user", {"server", "sip_address"}},
    {"local_administrator", {"server", "sid"}},
};

static const char *const ignored[] = {"collected_at",   "source",     "highest_usn", "clock_offset",
                                      "last_report_at", "process_id", "duration",    "position"};

struct entry {
    char *key;
    const ProtobufCMessage *record;
};

struct entries {
    struct entry *items;
    size_t count;
};

struct diff {
    struct umx_document *document;
    const struct umx_table *table;
    struct umx_error *err;
    json_int_t added, removed, changed;
};

static bool is_ignored(const char *field)
{
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (strcmp(ignored[i], field) == 0)
            return true;
    return false;
}

static const char *const *key_fields(const char *table)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i].table, table) == 0)
            return keys[i].fields;
    return NULL;
}

static bool in_key(const char *const *fields, const char *name)
{
    for (size_t i = 0; fields != NULL && i < KEY_FIELDS && fields[i] != NULL; i++)
        if (strcmp(fields[i], name) == 0)
            return true;
    return false;
}

static void add_cell(struct umx_text *out, const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field)
{
    struct umx_text scratch = {0};
    struct umx_cell cell = umx_reflect_cell(record, field, &scratch);

    if (cell.type == UMX_CELL_TEXT)
        umx_text_add(out, cell.text, cell.length);
    else if (cell.type == UMX_CELL_INTEGER)
        umx_text_addf(out, "%lld", (long long)cell.integer);
    else if (cell.type == UMX_CELL_REAL)
        umx_text_addf(out, "%.17g", cell.real);
    umx_text_free(&scratch);
}

static char *key_of(const ProtobufCMessage *record, const char *table)
{
    const char *const *fields = key_fields(table);
    struct umx_text key = {0};

    for (unsigned i = 0; i < record->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &record->descriptor->fields[i];
        if (fields != NULL ? !in_key(fields, field->name) : is_ignored(field->name))
            continue;
        if (key.length > 0)
            umx_text_adds(&key, " ");
        add_cell(&key, record, field);
    }
    if (key.failed) {
        umx_text_free(&key);
        return NULL;
    }
    return key.data != NULL ? key.data : calloc(1, 1);
}

static int by_key(const void *a, const void *b)
{
    return strcasecmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static void free_entries(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].key);
    free(entries->items);
}

static int list(const Umx__World *world, const struct umx_table *table, struct entries *out, struct umx_error *err)
{
    size_t count;
    ProtobufCMessage **records = umx_world_table(world, table, &count);

    *out = (struct entries){.items = calloc(count + 1, sizeof *out->items)};
    for (; out->items != NULL && out->count < count; out->count++) {
        out->items[out->count] = (struct entry){key_of(records[out->count], table->name), records[out->count]};
        if (out->items[out->count].key == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, table->name, NULL);
    }
    if (out->items == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, table->name, NULL);
    qsort(out->items, out->count, sizeof *out->items, by_key);
    return 0;
}

static json_t *record_json(const ProtobufCMessage *record)
{
    struct umx_text text = {0};

    umx_reflect_json(record, &text);
    json_t *value = text.failed ? NULL : json_loadb(umx_text_string(&text), text.length, 0, NULL);
    umx_text_free(&text);
    return value;
}

/* The forest or server that the record is of: the first field of its key. */
static void add_place(struct umx_text *out, const ProtobufCMessage *record, const char *table)
{
    const char *const *fields = key_fields(table);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, fields != NULL ? fields[0] : "server");

    if (field != NULL)
        add_cell(out, record, field);
}

static int report(struct diff *diff, const char *change, const struct entry *entry, const char *field, json_t *before,
                  json_t *after)
{
    struct umx_text place = {0}, name = {0};

    add_place(&place, entry->record, diff->table->name);
    umx_world_words_name(&name, diff->table->name, key_fields(diff->table->name), entry->record);
    int status =
        umx_document_item(diff->document, "changes",
                          json_pack("{s:s,s:s,s:s,s:s,s:s,s:s?,s:o,s:o}", "change", change, "table", diff->table->name,
                                    "key", entry->key, "place", umx_text_string(&place), "name", umx_text_string(&name),
                                    "field", field, "before", before, "after", after),
                          diff->err);
    umx_text_free(&place);
    umx_text_free(&name);
    return status;
}

static int compare(struct diff *diff, const struct entry *a, const struct entry *b)
{
    json_t *before = record_json(a->record), *after = record_json(b->record);
    int status = before != NULL && after != NULL ? 0 : umx_fail(diff->err, UMX_ERR_MEMORY, a->key, NULL);
    bool any = false;

    for (unsigned i = 0; status == 0 && i < diff->table->record->n_fields; i++) {
        const char *name = diff->table->record->fields[i].name;
        json_t *x = json_object_get(before, name), *y = json_object_get(after, name);
        if (is_ignored(name) || json_equal(x, y))
            continue;
        any = true;
        status = report(diff, "changed", b, name, json_incref(x), json_incref(y));
    }
    diff->changed += any;
    json_decref(before);
    json_decref(after);
    return status;
}

static int merge(struct diff *diff, const struct entries *a, const struct entries *b)
{
    size_t i = 0, j = 0;
    int status = 0;

    while (status == 0 && (i < a->count || j < b->count)) {
        int order = i == a->count ? 1 : j == b->count ? -1 : by_key(&a->items[i], &b->items[j]);
        if (order == 0) {
            status = compare(diff, &a->items[i++], &b->items[j++]);
        } else if (order < 0) {
            diff->removed++;
            status = report(diff, "removed", &a->items[i], NULL, record_json(a->items[i].record), json_null());
            i++;
        } else {
            diff->added++;
            status = report(diff, "added", &b->items[j], NULL, json_null(), record_json(b->items[j].record));
            j++;
        }
    }
    return status;
}

int umx_world_diff(const Umx__World *a, const Umx__World *b, struct umx_document *document, struct umx_error *err)
{
    struct diff diff = {.document = document, .err = err};
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    int status = 0;

    for (size_t i = 0; status == 0 && i < count; i++) {
        struct entries x = {0}, y = {0};
        if (tables[i].derived)
            continue;
        diff.table = &tables[i];
        status = list(a, diff.table, &x, err);
        if (status == 0)
            status = list(b, diff.table, &y, err);
        if (status == 0)
            status = merge(&diff, &x, &y);
        free_entries(&x);
        free_entries(&y);
    }
    if (status != 0)
        return status;
    return umx_document_set(
        document, "counts",
        json_pack("{s:I,s:I,s:I}", "added", diff.added, "removed", diff.removed, "changed", diff.changed), err);
}

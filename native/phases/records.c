#include "phases/records.h"

#include <string.h>

#include "base/arena.h"
#include "base/reflect.h"
#include "phases/finder.h"
#include "phases/um_server.h"

/* Tables whose records several agents tell of have no server in their key. */
static const struct {
    const char *table;
    const char *key;
} keys[] = {
    {"server", "server"},
    {"role", "server role"},
    {"service", "server name"},
    {"certificate", "server store thumbprint"},
    {"listener", "server protocol port"},
    {"um_setting", "server service"},
    {"lync_dial_plan", "forest identity"},
    {"lync_policy", "forest kind identity"},
    {"lync_user", "forest sip_address"},
    {"lync_pool_member", "pool member"},
    {"proof", "server kind target_forest target"},
    {"forest", "forest"},
    {"domain", "forest domain"},
    {"trust", "forest partner"},
    {"exchange_server", "forest dn"},
    {"dial_plan", "forest dn"},
    {"ip_gateway", "forest dn"},
    {"hunt_group", "forest dn"},
    {"auto_attendant", "forest dn"},
    {"mailbox_policy", "forest dn"},
    {"lync_pool", "forest dn"},
    {"contact", "forest dn"},
    {"container", "forest dn"},
    {"voice_user", "forest dn"},
    {"mailbox_user", "forest dn"},
    {"organizational_unit", "forest dn"},
};

const char *umx_record_key(const struct umx_table *table)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i].table, table->name) == 0)
            return keys[i].key;
    return NULL;
}

/* ---- fields by their descriptor */

static const void *at(const ProtobufCMessage *record, unsigned offset)
{
    return (const char *)record + offset;
}

static size_t list_count(const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field)
{
    size_t count;

    memcpy(&count, at(record, field->quantifier_offset), sizeof count);
    return count;
}

static bool is_set(const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return list_count(record, field) > 0;
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)at(record, field->offset) != NULL;
    return *(const protobuf_c_boolean *)at(record, field->quantifier_offset) != 0;
}

/* Bytes of a field's own place in the record; what it points at is not counted. */
static size_t width(const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return sizeof(void *);
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(int64_t);
    default:
        return sizeof(int32_t);
    }
}

static bool has_quantifier(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED ||
           (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE);
}

static size_t quantifier_width(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED ? sizeof(size_t) : sizeof(protobuf_c_boolean);
}

static void take_field(ProtobufCMessage *to, const ProtobufCMessage *from, const ProtobufCFieldDescriptor *field)
{
    memcpy((char *)to + field->offset, at(from, field->offset), width(field));
    if (has_quantifier(field))
        memcpy((char *)to + field->quantifier_offset, at(from, field->quantifier_offset), quantifier_width(field));
}

/* A proxy address is the primary one of its type when the type is in upper case (EUM:, SMTP:): that counts, the rest
 * compares without case. */
static bool same_text(const ProtobufCFieldDescriptor *field, const char *a, const char *b)
{
    size_t length = strlen(field->name);
    bool dn = length >= 2 && strcmp(field->name + length - 2, "dn") == 0;

    if (strcmp(field->name, "proxy_address") == 0)
        return umx_text_equal(a, b) && strncmp(a, b, strcspn(a, ":")) == 0;
    return dn ? umx_text_dn_equal(a, b) : umx_text_equal(a, b);
}

static bool contains(const ProtobufCFieldDescriptor *field, char *const *values, size_t count, const char *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (same_text(field, values[i], wanted))
            return true;
    return false;
}

/* Whether the record's field is as the promise's; the promise has set it. */
static bool kept(const ProtobufCMessage *record, const ProtobufCMessage *promise, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        char *const *have = *(char *const *const *)at(record, field->offset);
        char *const *want = *(char *const *const *)at(promise, field->offset);
        if (field->type != PROTOBUF_C_TYPE_STRING)
            return list_count(record, field) == list_count(promise, field);
        for (size_t i = 0; i < list_count(promise, field); i++)
            if (!contains(field, have, list_count(record, field), want[i]))
                return false;
        return true;
    }
    if (!is_set(record, field))
        return false;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return same_text(field, *(const char *const *)at(record, field->offset),
                         *(const char *const *)at(promise, field->offset));
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *a = at(record, field->offset), *b = at(promise, field->offset);
        return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
    }
    return memcmp(at(record, field->offset), at(promise, field->offset), width(field)) == 0;
}

/* ---- keys */

/* Calls for each field of the key; false as soon as one call is. */
static bool each_key_field(const struct umx_table *table, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    const char *key = umx_record_key(table);

    if (key == NULL)
        return false;
    for (const char *p = key; *p != '\0'; p += strspn(p, " ")) {
        char name[64];
        size_t length = strcspn(p, " ");
        memcpy(name, p, length);
        name[length] = '\0';
        p += length;
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(table->record, name);
        if (is_set(a, field) != is_set(b, field) || (is_set(b, field) && !kept(a, b, field)))
            return false;
    }
    return true;
}

bool umx_record_same(const struct umx_table *table, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    return each_key_field(table, a, b);
}

static bool in_key(const struct umx_table *table, const char *name)
{
    size_t length = strlen(name);

    for (const char *p = umx_record_key(table); p != NULL && *p != '\0'; p += strspn(p, " ")) {
        size_t word = strcspn(p, " ");
        if (word == length && strncmp(p, name, length) == 0)
            return true;
        p += word;
    }
    return false;
}

ProtobufCMessage *umx_record_find(const Umx__World *world, const struct umx_table *table, const ProtobufCMessage *key,
                                  size_t *from)
{
    size_t count;
    ProtobufCMessage **records = umx_world_table(world, table, &count);

    for (; *from < count; (*from)++)
        if (umx_record_same(table, records[*from], key))
            return records[(*from)++];
    return NULL;
}

/* ---- differences */

/* What a reading says of itself, or a directory of an object that it made: nobody promises it, and what is made again
 * has another one. */
static bool is_of_reading(const char *name)
{
    static const char *const names[] = {"collected_at", "source", "changed_at", "created_at", "object_guid"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void name_record(const struct umx_table *table, const ProtobufCMessage *record, struct umx_text *out)
{
    umx_text_addf(out, "%s", table->name);
    for (unsigned i = 0; i < table->record->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &table->record->fields[i];
        if (in_key(table, field->name) && field->type == PROTOBUF_C_TYPE_STRING && is_set(record, field))
            umx_text_addf(out, " %s", *(const char *const *)at(record, field->offset));
    }
}

static void say_cell(const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field, struct umx_text *out)
{
    struct umx_text scratch = {0};
    struct umx_cell cell = umx_reflect_cell(record, field, &scratch);

    if (cell.type == UMX_CELL_TEXT)
        umx_text_addf(out, "%.*s", (int)(cell.length < 200 ? cell.length : 200), cell.text);
    else if (cell.type == UMX_CELL_INTEGER)
        umx_text_addf(out, "%lld", (long long)cell.integer);
    else
        umx_text_adds(out, "nothing");
    umx_text_free(&scratch);
}

static bool keeps(const ProtobufCMessage *record, const ProtobufCMessage *promise, const ProtobufCFieldDescriptor **bad)
{
    for (unsigned i = 0; i < promise->descriptor->n_fields; i++) {
        *bad = &promise->descriptor->fields[i];
        if (is_set(promise, *bad) && !is_of_reading((*bad)->name) && !kept(record, promise, *bad))
            return false;
    }
    return true;
}

/* With a finder through its index, without one from the beginning. */
static ProtobufCMessage *find(const Umx__World *world, struct umx_finder *finder, const struct umx_table *table,
                              const ProtobufCMessage *key, size_t *from, bool *failed)
{
    return finder != NULL ? umx_finder_next(finder, table, key, from, failed)
                          : umx_record_find(world, table, key, from);
}

static size_t promise_difference(const Umx__World *world, struct umx_finder *finder, const struct umx_table *table,
                                 const ProtobufCMessage *promise, struct umx_text *lines)
{
    const ProtobufCFieldDescriptor *bad = NULL;
    const ProtobufCMessage *record, *last = NULL;
    size_t from = 0;
    bool failed = false;

    while ((record = find(world, finder, table, promise, &from, &failed)) != NULL) {
        if (keeps(record, promise, &bad))
            return 0;
        last = record;
    }
    if (failed)
        return promise_difference(world, NULL, table, promise, lines);
    name_record(table, promise, lines);
    if (last == NULL) {
        umx_text_adds(lines, " is not there\n");
        return 1;
    }
    umx_text_addf(lines, ": %s is ", bad->name);
    say_cell(last, bad, lines);
    umx_text_adds(lines, ", expected ");
    say_cell(promise, bad, lines);
    umx_text_adds(lines, "\n");
    return 1;
}

size_t umx_records_differences(const Umx__World *world, const Umx__World *predicted, const Umx__World *removed,
                               struct umx_text *lines)
{
    enum { FEW = 8 }; /* fewer promises than this are found without an index sooner */
    size_t table_count, found = 0;
    const struct umx_table *tables = umx_reflect_tables(&table_count);
    struct umx_finder *finder = NULL;

    for (size_t t = 0; t < table_count; t++) {
        size_t count;
        if (tables[t].derived)
            continue;
        ProtobufCMessage **records = predicted != NULL ? umx_world_table(predicted, &tables[t], &count) : NULL;
        if (records != NULL && count >= FEW && finder == NULL)
            finder = umx_finder_new(world);
        for (size_t i = 0; records != NULL && i < count; i++)
            found += promise_difference(world, count >= FEW ? finder : NULL, &tables[t], records[i], lines);
        records = removed != NULL ? umx_world_table(removed, &tables[t], &count) : NULL;
        for (size_t i = 0; records != NULL && i < count; i++) {
            size_t from = 0;
            if (umx_record_find(world, &tables[t], records[i], &from) == NULL)
                continue;
            name_record(&tables[t], records[i], lines);
            umx_text_adds(lines, " is still there\n");
            found++;
        }
    }
    umx_finder_free(finder);
    return found;
}

/* ---- applying */

static void touch(const struct umx_world *world, ProtobufCMessage *record)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "changed_at");
    const ProtobufCFieldDescriptor *forest =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "forest");
    protobuf_c_boolean has = 1;
    int64_t now = umx_world_records(world)->taken_at;

    if (field == NULL)
        return;
    if (forest != NULL) /* by the clock of its domain controller */
        now += umx_forest_clock(umx_world_records(world), *(const char *const *)at(record, forest->offset));
    memcpy((char *)record + field->quantifier_offset, &has, sizeof has);
    memcpy((char *)record + field->offset, &now, sizeof now);
}

static int apply_one(struct umx_world *world, struct umx_finder *finder, const struct umx_table *table,
                     const ProtobufCMessage *promise, struct umx_error *err)
{
    ProtobufCMessage *copy = umx_reflect_copy(promise, umx_world_arena(world));
    ProtobufCMessage *record;
    size_t from = 0;
    bool found = false, failed = false;

    if (copy == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, table->name, NULL);
    while ((record = find(umx_world_edit(world), finder, table, promise, &from, &failed)) != NULL) {
        found = true;
        for (unsigned i = 0; i < table->record->n_fields; i++)
            if (is_set(copy, &table->record->fields[i]))
                take_field(record, copy, &table->record->fields[i]);
        touch(world, record);
    }
    if (failed)
        return umx_fail(err, UMX_ERR_MEMORY, table->name, NULL);
    if (found)
        return 0;
    touch(world, copy);
    int rc = umx_world_add(world, copy, err);
    if (rc == 0)
        umx_finder_added(finder, table);
    return rc;
}

int umx_records_apply(struct umx_world *world, struct umx_finder *finder, const Umx__World *predicted,
                      const Umx__World *removed, struct umx_error *err)
{
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);
    int rc = 0;

    for (size_t t = 0; rc == 0 && t < table_count; t++) {
        size_t count;
        if (tables[t].derived || umx_record_key(&tables[t]) == NULL)
            continue;
        ProtobufCMessage **records = predicted != NULL ? umx_world_table(predicted, &tables[t], &count) : NULL;
        for (size_t i = 0; rc == 0 && records != NULL && i < count; i++)
            rc = apply_one(world, finder, &tables[t], records[i], err);
        records = removed != NULL ? umx_world_table(removed, &tables[t], &count) : NULL;
        for (size_t i = 0; rc == 0 && records != NULL && i < count; i++) {
            size_t from = 0;
            while (umx_record_find(umx_world_records(world), &tables[t], records[i], &from) != NULL) {
                umx_world_remove(world, &tables[t], --from);
                umx_finder_removed(finder, &tables[t]);
            }
        }
    }
    return rc;
}

/* ---- building */

bool umx_records_push(struct umx_arena *arena, Umx__World *part, ProtobufCMessage *record)
{
    const struct umx_table *table = umx_reflect_table_of(record->descriptor);
    char *count_at = (char *)part + table->field->quantifier_offset;
    char *list_at = (char *)part + table->field->offset;
    ProtobufCMessage **list;
    size_t count;

    memcpy(&count, count_at, sizeof count);
    memcpy(&list, list_at, sizeof list);
    if ((count & (count - 1)) == 0) { /* a protobuf-c list has no capacity: powers of two stand for it */
        ProtobufCMessage **made = umx_arena_alloc(arena, (count == 0 ? 1 : count * 2) * sizeof *made);
        if (made == NULL)
            return false;
        if (count > 0)
            memcpy(made, list, count * sizeof *made);
        list = made;
        memcpy(list_at, &list, sizeof list);
    }
    list[count++] = record;
    memcpy(count_at, &count, sizeof count);
    return true;
}

ProtobufCMessage *umx_record_masked(const struct umx_table *table, const ProtobufCMessage *record,
                                    const ProtobufCMessage *like, struct umx_arena *arena)
{
    ProtobufCMessage *whole = umx_reflect_copy(record, arena);
    ProtobufCMessage *masked = umx_reflect_new(table->record, arena);

    if (whole == NULL || masked == NULL)
        return NULL;
    for (unsigned i = 0; i < table->record->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &table->record->fields[i];
        if (in_key(table, field->name) || is_set(like, field))
            take_field(masked, whole, field);
    }
    return masked;
}

#include "phases/finder.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "phases/index.h"
#include "phases/records.h"

enum { TABLES_MAX = 64, FINDER_ARENA = 1024 * 1024 * 1024 };

struct umx_finder {
    const Umx__World *world;
    struct umx_arena *arena;
    struct umx_index index[TABLES_MAX]; /* by the table's place in World */
    bool made[TABLES_MAX];
    struct umx_text key; /* of the record that is asked for */
};

struct umx_finder *umx_finder_new(const Umx__World *world)
{
    struct umx_finder *finder = calloc(1, sizeof *finder);

    if (finder == NULL || umx__world__descriptor.n_fields > TABLES_MAX) {
        free(finder);
        return NULL;
    }
    finder->world = world;
    finder->arena = umx_arena_new(FINDER_ARENA);
    if (finder->arena == NULL) {
        free(finder);
        return NULL;
    }
    return finder;
}

void umx_finder_free(struct umx_finder *finder)
{
    if (finder == NULL)
        return;
    umx_arena_free(finder->arena);
    umx_text_free(&finder->key);
    free(finder);
}

/* Key fields one after another. Spaces do not count in DNs: they are left out of all, and what is found by that is
 * compared once more. */
static void write_key(const struct umx_table *table, const ProtobufCMessage *record, struct umx_text *text)
{
    const char *key = umx_record_key(table);

    text->length = 0;
    for (const char *p = key; p != NULL && *p != '\0'; p += strspn(p, " ")) {
        char name[64];
        size_t length = strcspn(p, " ");
        memcpy(name, p, length);
        name[length] = '\0';
        p += length;
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(table->record, name);
        const char *at = (const char *)record + field->offset;
        umx_text_add(text, "\x1f", 1);
        if (field->type == PROTOBUF_C_TYPE_STRING) {
            const char *value = *(const char *const *)(const void *)at;
            for (const char *c = value; c != NULL && *c != '\0';) {
                size_t run = strcspn(c, " ");
                umx_text_add(text, c, run);
                c += run;
                c += strspn(c, " ");
            }
        } else {
            int32_t number; /* enums and ports */
            memcpy(&number, at, sizeof number);
            umx_text_addf(text, "%d", (int)number);
        }
    }
}

static void index_one(struct umx_finder *finder, const struct umx_table *table, size_t place, bool *failed)
{
    size_t count;
    ProtobufCMessage **records = umx_world_table(finder->world, table, &count);
    struct umx_index *index = &finder->index[table->field - umx__world__descriptor.fields];

    write_key(table, records[place], &finder->key);
    const char *key = umx_arena_string(finder->arena, umx_text_string(&finder->key));
    umx_index_add(index, key, records[place]);
    *failed = *failed || key == NULL || finder->key.failed || index->failed;
}

/* What the index keeps as const is a record of the world. */
static ProtobufCMessage *ours(const void *found)
{
    union {
        const void *in;
        ProtobufCMessage *out;
    } u = {.in = found};

    return u.out;
}

ProtobufCMessage *umx_finder_next(struct umx_finder *finder, const struct umx_table *table, const ProtobufCMessage *key,
                                  size_t *at, bool *failed)
{
    if (finder == NULL || umx_record_key(table) == NULL)
        return NULL;
    size_t place = (size_t)(table->field - umx__world__descriptor.fields), count;
    if (!finder->made[place]) {
        umx_world_table(finder->world, table, &count);
        umx_index_begin(&finder->index[place], finder->arena);
        for (size_t i = 0; i < count && !*failed; i++)
            index_one(finder, table, i, failed);
        finder->made[place] = true;
    }
    write_key(table, key, &finder->key);
    *failed = *failed || finder->key.failed;
    while (!*failed) {
        ProtobufCMessage *record = ours(umx_index_next(&finder->index[place], umx_text_string(&finder->key), at));
        if (record == NULL || umx_record_same(table, record, key))
            return record;
    }
    return NULL;
}

void umx_finder_added(struct umx_finder *finder, const struct umx_table *table)
{
    size_t place = finder != NULL ? (size_t)(table->field - umx__world__descriptor.fields) : 0, count;
    bool failed = false;

    if (finder == NULL || !finder->made[place])
        return;
    umx_world_table(finder->world, table, &count);
    index_one(finder, table, count - 1, &failed);
    if (failed)
        finder->made[place] = false; /* made again when it is asked for, which then says so */
}

void umx_finder_removed(struct umx_finder *finder, const struct umx_table *table)
{
    if (finder != NULL)
        finder->made[table->field - umx__world__descriptor.fields] = false;
}

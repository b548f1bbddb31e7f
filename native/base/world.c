#include "base/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/reflect_field.h"

enum { TABLES = 64, FIRST_CAPACITY = 16 };

struct umx_world {
    struct umx_arena *arena;
    Umx__World records;
    size_t capacity[TABLES]; /* of each field's array, by position in the descriptor */
};

static const char what[] = "world";

struct umx_world *umx_world_new(int64_t taken_at)
{
    struct umx_world *world = calloc(1, sizeof *world);

    if (world == NULL || umx__world__descriptor.n_fields > TABLES) {
        free(world);
        return NULL;
    }
    world->arena = umx_arena_new(UMX_WORLD_CAP);
    if (world->arena == NULL) {
        free(world);
        return NULL;
    }
    umx__world__init(&world->records);
    world->records.has_taken_at = 1;
    world->records.taken_at = taken_at;
    return world;
}

void umx_world_free(struct umx_world *world)
{
    if (world == NULL)
        return;
    umx_arena_free(world->arena);
    free(world);
}

const Umx__World *umx_world_records(const struct umx_world *world)
{
    return &world->records;
}

Umx__World *umx_world_edit(struct umx_world *world)
{
    return &world->records;
}

struct umx_arena *umx_world_arena(struct umx_world *world)
{
    return world->arena;
}

/* The place for one more pointer; NULL when the arena is full. */
static ProtobufCMessage **grow(struct umx_world *world, const struct umx_table *table)
{
    size_t *capacity = &world->capacity[table->field - umx__world__descriptor.fields];
    size_t count;
    ProtobufCMessage **array = umx_world_table(&world->records, table, &count);

    if (count == *capacity) {
        size_t larger = *capacity > 0 ? *capacity * 2 : FIRST_CAPACITY;
        ProtobufCMessage **moved = umx_arena_alloc(world->arena, larger * sizeof *moved);
        if (moved == NULL)
            return NULL;
        if (count > 0)
            memcpy(moved, array, count * sizeof *moved);
        array = moved;
        *capacity = larger;
    }
    umx_field_set_array(&world->records.base, table->field, array, count + 1);
    return &array[count];
}

int umx_world_add(struct umx_world *world, const ProtobufCMessage *record, struct umx_error *err)
{
    const struct umx_table *table = umx_reflect_table_of(record->descriptor);

    if (table == NULL || table->derived)
        return umx_fail(err, UMX_ERR_TABLE_UNKNOWN, record->descriptor->short_name, NULL);
    ProtobufCMessage *copy = umx_reflect_copy(record, world->arena);
    ProtobufCMessage **place = copy != NULL ? grow(world, table) : NULL;
    if (place == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, what, NULL);
    *place = copy;
    return UMX_OK;
}

int umx_world_add_all(struct umx_world *world, const Umx__World *part, struct umx_error *err)
{
    size_t tables;
    const struct umx_table *table = umx_reflect_tables(&tables);

    if (part->has_taken_at)
        world->records.taken_at = part->taken_at;
    if (part->deployment != NULL) {
        world->records.deployment = umx_arena_string(world->arena, part->deployment);
        if (world->records.deployment == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, what, NULL);
    }
    for (size_t t = 0; t < tables && !table[t].derived; t++) {
        size_t count;
        ProtobufCMessage **records = umx_world_table(part, &table[t], &count);
        for (size_t i = 0; i < count; i++) {
            int status = umx_world_add(world, records[i], err);
            if (status != UMX_OK)
                return status;
        }
    }
    return UMX_OK;
}

void umx_world_remove(struct umx_world *world, const struct umx_table *table, size_t index)
{
    size_t count;
    ProtobufCMessage **records = umx_world_table(&world->records, table, &count);

    if (index >= count)
        return;
    memmove(records + index, records + index + 1, (count - index - 1) * sizeof *records);
    umx_field_set_array(&world->records.base, table->field, records, count - 1);
}

struct umx_world *umx_world_copy(const struct umx_world *world)
{
    struct umx_world *copy = umx_world_new(world->records.taken_at);

    if (copy == NULL || umx_world_add_all(copy, &world->records, NULL) != UMX_OK) {
        umx_world_free(copy);
        return NULL;
    }
    return copy;
}

ProtobufCMessage **umx_world_table(const Umx__World *records, const struct umx_table *table, size_t *count)
{
    ProtobufCMessage **array;

    *count = umx_field_count(&records->base, table->field);
    memcpy(&array, (const char *)records + table->field->offset, sizeof array);
    return array;
}

#include "directory/part.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/reflect.h"

enum { PART_ARENA = 64 * 1024 * 1024, FIRST_CAPACITY = 64 };

struct umx_part {
    umx_part_send *send;
    void *user;
    struct umx_arena *arena;
    Umx__World *world; /* NULL while there is nothing */
    size_t size;
    bool failed;
};

struct umx_part *umx_part_new(umx_part_send *send, void *user)
{
    struct umx_part *part = calloc(1, sizeof *part);
    if (part) {
        part->send = send;
        part->user = user;
    }
    return part;
}

void umx_part_free(struct umx_part *part)
{
    if (part) {
        umx_arena_free(part->arena);
        free(part);
    }
}

int umx_part_flush(struct umx_part *part, struct umx_error *err)
{
    int status = part->world ? part->send(part->user, part->world, err) : 0;
    part->failed |= status != 0;
    umx_arena_free(part->arena);
    part->arena = NULL;
    part->world = NULL;
    part->size = 0;
    return status;
}

bool umx_part_failed(const struct umx_part *part)
{
    return part->failed;
}

/* Appends to a repeated message field; its capacity is the next power of two. */
static bool append(Umx__World *world, const ProtobufCFieldDescriptor *field, void *record, struct umx_arena *arena)
{
    char *base = (char *)world;
    size_t *count = (size_t *)(void *)(base + field->quantifier_offset);
    void ***items = (void ***)(void *)(base + field->offset);
    if (*count == 0 || (*count >= FIRST_CAPACITY && (*count & (*count - 1)) == 0)) {
        void **more = umx_arena_alloc(arena, (*count ? *count * 2 : FIRST_CAPACITY) * sizeof *more);
        if (!more) {
            return false;
        }
        if (*count) {
            memcpy(more, *items, *count * sizeof *more);
        }
        *items = more;
    }
    (*items)[(*count)++] = record;
    return true;
}

int umx_part_add(struct umx_part *part, const ProtobufCMessage *record, struct umx_error *err)
{
    const struct umx_table *table = umx_reflect_table_of(record->descriptor);
    size_t size = protobuf_c_message_get_packed_size(record) + 8;
    if (!table || table->derived) {
        return umx_fail(err, UMX_ERR_TABLE_UNKNOWN, record->descriptor->short_name, NULL);
    }
    if (part->world && part->size + size > UMX_PART_TARGET) {
        int status = umx_part_flush(part, err);
        if (status) {
            return status;
        }
    }
    if (!part->world) {
        part->arena = umx_arena_new(PART_ARENA);
        part->world = part->arena ? umx_reflect_new(&umx__world__descriptor, part->arena) : NULL;
    }
    void *copy = part->world ? umx_reflect_copy(record, part->arena) : NULL;
    if (!copy || !append(part->world, table->field, copy, part->arena)) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, record->descriptor->short_name, NULL);
    }
    part->size += size;
    return 0;
}

/* Packed messages: the first byte chooses a type of the schema. What unpacks stays within its arena, packs again to a
 * message equal to itself, and its JSON reads back unless a time lies outside of RFC 3339. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/generate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const ProtobufCMessage *message, struct umx_arena *arena)
{
    struct umx_text json = {0};
    uint8_t *bytes;
    size_t length;
    ProtobufCMessage *back;

    if (umx_reflect_pack(message, &bytes, &length, NULL) != UMX_OK)
        return;
    if (umx_reflect_unpack(message->descriptor, bytes, length, arena, &back, NULL) == UMX_OK &&
        !umx_reflect_equal(message, back))
        abort();
    free(bytes);
    umx_reflect_json(message, &json);
    if (json.failed || !umx_text_valid(json.data, json.length))
        abort();
    struct umx_error err = {0};
    if (umx_reflect_from_json(message->descriptor, json.data, json.length, arena, &back, &err) != UMX_OK &&
        err.id != UMX_ERR_ARENA_FULL)
        abort();
    umx_text_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct generate_types types = generate_all_types();
    ProtobufCMessage *message;

    if (size == 0)
        return 0;
    size_t cap = (size - 1) * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR;
    struct umx_arena *arena = umx_arena_new(cap);
    struct umx_arena *other = umx_arena_new(cap * 8);
    if (arena != NULL && other != NULL &&
        umx_reflect_unpack(types.type[data[0] % types.count], data + 1, size - 1, arena, &message, NULL) == UMX_OK)
        check(message, other);
    umx_arena_free(arena);
    umx_arena_free(other);
    return 0;
}

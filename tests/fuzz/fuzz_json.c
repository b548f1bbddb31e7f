/* JSON into messages: the first byte chooses a type of the schema. What is accepted is written the same way twice. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/generate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct generate_types types = generate_all_types();
    ProtobufCMessage *message;
    ProtobufCMessage *back;
    struct umx_text first = {0};
    struct umx_text second = {0};

    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = types.type[data[0] % types.count];
    struct umx_arena *arena = umx_arena_new((size_t)64 * 1024 * 1024);
    if (arena != NULL &&
        umx_reflect_from_json(type, (const char *)data + 1, size - 1, arena, &message, NULL) == UMX_OK) {
        umx_reflect_json(message, &first);
        if (umx_reflect_from_json(type, first.data, first.length, arena, &back, NULL) != UMX_OK)
            abort();
        umx_reflect_json(back, &second);
        if (first.length != second.length || memcmp(first.data, second.data, first.length) != 0)
            abort();
    }
    umx_text_free(&first);
    umx_text_free(&second);
    umx_arena_free(arena);
    return 0;
}

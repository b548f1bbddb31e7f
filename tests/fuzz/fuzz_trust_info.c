/* The names that a forest trust routes. */
#include <stdlib.h>

#include "directory/trust_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct umx_arena *arena = umx_arena_new(16U << 20);
    struct umx_trust_record *found = NULL;
    size_t count = 0;
    if (arena && umx_trust_info_parse(data, size, arena, &found, &count, NULL) == 0 && (!found || count > size)) {
        abort();
    }
    umx_arena_free(arena);
    return 0;
}

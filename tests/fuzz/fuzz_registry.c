/* Registry exports: whatever the bytes, values stay below their maxima and are valid text. */
#include <stdlib.h>
#include <string.h>

#include "agent/host/registry.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct umx_registry registry = {.arena = umx_arena_new(32 * 1024 * 1024)};

    if (registry.arena == NULL)
        return 0;
    if (umx_registry_parse(&registry, data, size, NULL) == 0) {
        size_t values = 0;
        for (size_t i = 0; i < registry.count; i++) {
            const struct umx_registry_key *key = &registry.keys[i];
            if (umx_registry_find(&registry, key->path) != key || strlen(key->path) >= UMX_REGISTRY_PATH_MAX)
                abort();
            for (size_t j = 0; j < key->count; j++) {
                const char *text = key->values[j].text;
                if (text != NULL && !umx_text_valid(text, strlen(text)))
                    abort();
            }
            values += key->count;
        }
        if (values != registry.values || values > UMX_REGISTRY_VALUES_MAX)
            abort();
    }
    umx_arena_free(registry.arena);
    return 0;
}

/* Output of the shell scripts: whatever the bytes, values are valid text below their maximum. */
#include <stdlib.h>
#include <string.h>

#include "agent/collect/shell_text.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct umx_arena *arena = umx_arena_new(32 * 1024 * 1024);
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    if (arena == NULL)
        return 0;
    if (umx_shell_parse((const char *)data, size, arena, &records, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            if (records[i].count == 0)
                abort();
            for (size_t j = 0; j < records[i].count; j++) {
                const char *value = records[i].fields[j].value;
                if (strlen(value) > 3 * UMX_SHELL_VALUE_MAX || !umx_text_valid(value, strlen(value)))
                    abort();
            }
        }
    }
    umx_arena_free(arena);
    return 0;
}

/* SDDL entries: what parses is written and parses again to the same entry. */
#include <stdlib.h>
#include <string.h>

#include "directory/sddl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct umx_ace ace, again;
    char *copy = malloc(size + 1);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    if (umx_sddl_parse(copy, &ace, NULL) == 0) {
        struct umx_text text = {0};
        umx_sddl_add(&text, &ace);
        if (umx_sddl_parse(umx_text_string(&text), &again, NULL) || !umx_ace_equal(&ace, &again)) {
            abort();
        }
        umx_text_free(&text);
    }
    free(copy);
    return 0;
}

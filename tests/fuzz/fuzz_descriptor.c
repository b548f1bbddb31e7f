/* Security descriptors: parsed, shown, changed, built and parsed again. */
#include <stdlib.h>

#include "directory/sddl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void change(const struct umx_descriptor *descriptor, struct umx_arena *arena)
{
    static const char *const token[] = {"S-1-5-11"};
    struct umx_descriptor with, without;
    struct umx_ace ace;
    bool changed;
    umx_descriptor_allows(descriptor, token, 1, UMX_RIGHT_LIST_CHILDREN);
    if (umx_sddl_parse("(A;CI;LCRP;;;AU)", &ace, NULL)) {
        abort();
    }
    if (umx_descriptor_merge(descriptor, &ace, arena, &with, &changed, NULL) == 0 && changed &&
        (!umx_descriptor_canonical(&with) || umx_descriptor_remove(&with, &ace, arena, &without, NULL) ||
         !umx_descriptor_same_explicit(descriptor, &without))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct umx_arena *arena = umx_arena_new(64U << 20);
    struct umx_descriptor descriptor, again;
    struct umx_text text = {0};
    uint8_t *bytes;
    size_t length;
    if (arena && umx_descriptor_parse(data, size, arena, &descriptor, NULL) == 0) {
        for (size_t i = 0; i < descriptor.ace_count; i++) {
            umx_sddl_add(&text, &descriptor.aces[i]);
        }
        change(&descriptor, arena);
        if (umx_descriptor_build(&descriptor, arena, &bytes, &length, NULL) == 0 &&
            (umx_descriptor_parse(bytes, length, arena, &again, NULL) ||
             !umx_descriptor_same_explicit(&descriptor, &again))) {
            abort();
        }
    }
    umx_text_free(&text);
    umx_arena_free(arena);
    return 0;
}

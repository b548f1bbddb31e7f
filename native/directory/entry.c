#include "directory/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "directory/sid.h"

const struct umx_attribute *umx_entry_find(const struct umx_entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (umx_text_equal(entry->attributes[i].name, name)) {
            return &entry->attributes[i];
        }
    }
    return NULL;
}

const struct umx_value *umx_entry_value(const struct umx_entry *entry, const char *name)
{
    const struct umx_attribute *attribute = umx_entry_find(entry, name);
    return attribute && attribute->count ? &attribute->values[0] : NULL;
}

bool umx_entry_has(const struct umx_entry *entry, const char *name, const char *text)
{
    const struct umx_attribute *attribute = umx_entry_find(entry, name);
    for (size_t i = 0; attribute && i < attribute->count; i++) {
        if (umx_text_equal((const char *)attribute->values[i].bytes, text)) {
            return true;
        }
    }
    return false;
}

char *umx_value_text(const struct umx_value *value, struct umx_arena *arena)
{
    if (!value) {
        return NULL;
    }
    if (umx_text_valid(value->bytes, value->length)) {
        return umx_arena_copy(arena, value->bytes, value->length);
    }
    struct umx_text text = {0};
    umx_text_add_valid(&text, value->bytes, value->length);
    char *copy = text.failed ? NULL : umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return copy;
}

char *umx_entry_text(const struct umx_entry *entry, const char *name, struct umx_arena *arena)
{
    return umx_value_text(umx_entry_value(entry, name), arena);
}

bool umx_value_integer(const struct umx_value *value, int64_t *number)
{
    if (!value || !value->length || value->length > 20 || strlen((const char *)value->bytes) != value->length) {
        return false;
    }
    const char *text = (const char *)value->bytes;
    char *end;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (errno || *end || strchr("-0123456789", *text) == NULL) {
        return false;
    }
    *number = parsed;
    return true;
}

bool umx_entry_integer(const struct umx_entry *entry, const char *name, int64_t *number)
{
    return umx_value_integer(umx_entry_value(entry, name), number);
}

bool umx_entry_true(const struct umx_entry *entry, const char *name)
{
    const struct umx_value *value = umx_entry_value(entry, name);
    return value && value->length == 4 && memcmp(value->bytes, "TRUE", 4) == 0;
}

char *umx_entry_sid(const struct umx_entry *entry, const char *name, struct umx_arena *arena)
{
    char text[UMX_SID_TEXT];
    const struct umx_value *value = umx_entry_value(entry, name);
    return value && umx_sid_text(value->bytes, value->length, text, NULL) == 0 ? umx_arena_string(arena, text) : NULL;
}

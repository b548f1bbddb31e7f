/*
 * An entry as a search returned it: attributes and raw values, in an arena. Nothing in it is trusted; the helpers give
 * valid UTF-8 and checked numbers.
 */
#ifndef UMX_DIRECTORY_ENTRY_H
#define UMX_DIRECTORY_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct umx_value {
    const uint8_t *bytes; /* a NUL follows */
    size_t length;
};

struct umx_attribute {
    const char *name; /* without options such as ;range= */
    struct umx_value *values;
    size_t count;
};

struct umx_entry {
    const char *dn; /* valid UTF-8 */
    struct umx_attribute *attributes;
    size_t count;
};

/* By name without case; NULL when it is not there. */
const struct umx_attribute *umx_entry_find(const struct umx_entry *entry, const char *name);

/* First value; NULL when it is not there. */
const struct umx_value *umx_entry_value(const struct umx_entry *entry, const char *name);

/* Whether one of the values is that text, without case. */
bool umx_entry_has(const struct umx_entry *entry, const char *name, const char *text);

/* A value as valid UTF-8 in the arena; NULL when the arena is full or value is NULL. */
char *umx_value_text(const struct umx_value *value, struct umx_arena *arena);
char *umx_entry_text(const struct umx_entry *entry, const char *name, struct umx_arena *arena);

/* Decimal, optional minus; false when it is not there or no such number. */
bool umx_value_integer(const struct umx_value *value, int64_t *number);
bool umx_entry_integer(const struct umx_entry *entry, const char *name, int64_t *number);
bool umx_entry_true(const struct umx_entry *entry, const char *name);

/* S-1-... of a binary SID; NULL when it is not there or damaged. */
char *umx_entry_sid(const struct umx_entry *entry, const char *name, struct umx_arena *arena);

#endif

/*
 * What the fixed shell scripts write: records separated by an empty line; a line is a name, a tab, and the base64 of a
 * UTF-8 value. A name may come more than once: a list. Hostile input: bounded, and every value is made valid text.
 */
#ifndef UMX_AGENT_SHELL_TEXT_H
#define UMX_AGENT_SHELL_TEXT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

enum {
    UMX_SHELL_RECORDS_MAX = 20000,
    UMX_SHELL_FIELDS_MAX = 200000, /* over all records */
    UMX_SHELL_NAME_MAX = 64,
    UMX_SHELL_VALUE_MAX = 64 * 1024,
};

struct umx_shell_field {
    const char *name;
    const char *value;
};

struct umx_shell_record {
    const struct umx_shell_field *fields;
    size_t count;
};

/* Everything lives in the arena. */
int umx_shell_parse(const char *text, size_t length, struct umx_arena *arena, struct umx_shell_record **records,
                    size_t *count, struct umx_error *err);

/* Appends a line of a record; an empty line ends one. */
void umx_shell_write(struct umx_text *text, const char *name, const char *value);

/* The value number `index` of that name (0: the first); NULL when there is none. Names are compared without case. */
const char *umx_shell_value(const struct umx_shell_record *record, const char *name, size_t index);

#endif

/*
 * Columns that every table has in SQL beside the fields of its record: who said it and when (where the record does not
 * say it itself), and how sure it still is.
 */
#ifndef UMX_BASE_ADDED_H
#define UMX_BASE_ADDED_H

#include "base/reflect.h"

struct umx_added_column {
    const char *name;
    const char *type; /* INTEGER or TEXT */
    const char *comment;
};

enum { UMX_ADDED_MAX = 4 };

/* Those of this table, at most UMX_ADDED_MAX, in their order after the record's fields. */
size_t umx_added_columns(const struct umx_table *table, struct umx_added_column out[UMX_ADDED_MAX]);

/* Appends what a field's column means: its comment in the schema, else what columns of its name mean everywhere, and
 * the words of an enum. */
void umx_column_meaning(const struct umx_table *table, const ProtobufCFieldDescriptor *field, struct umx_text *out);

#endif

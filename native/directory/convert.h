/*
 * From attributes of an entry to fields of a record, driven by a table of names; the field's type in the schema decides
 * how a value is read.
 */
#ifndef UMX_DIRECTORY_CONVERT_H
#define UMX_DIRECTORY_CONVERT_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/error.h"
#include "directory/entry.h"

/* attribute -> field. Text, numbers, booleans, enums, bytes; *_at fields are generalized times; string fields named
 * *sid take binary SIDs. A value that does not fit the field leaves it unset. */
struct umx_convert {
    const char *attribute;
    const char *field;
};

enum { UMX_CONVERT_MAX = 24 }; /* rows of one table, which an attribute NULL ends */

int umx_convert_entry(const struct umx_entry *entry, const struct umx_convert *table, ProtobufCMessage *record,
                      struct umx_arena *arena, struct umx_error *err);

/* Sets one field by name; what has no such field is left alone. text must live as long as the record. */
void umx_convert_set_text(ProtobufCMessage *record, const char *field, const char *text);
void umx_convert_set_integer(ProtobufCMessage *record, const char *field, int64_t number);

/* DC=a,DC=b -> a.b; NULL when dn is no such name. */
char *umx_convert_dns_name(const char *dn, struct umx_arena *arena);

#endif

/*
 * Everything that follows from the schema without another edit: JSON in and out, SQL columns and values, copies,
 * documentation. Works on any message of proto/umx/v1 through its protobuf-c descriptor.
 *
 * JSON (design 2): names as in the schema; unset is null, never missing; repeated is an array; enums are lower-case
 * words, unknown ones `unknown_N`; fields ending in `_at` are RFC 3339 UTC; bytes are lower-case hex; unknown input
 * keys are errors.
 */
#ifndef UMX_BASE_REFLECT_H
#define UMX_BASE_REFLECT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

/* Maxima, enforced before and while unpacking. */
enum {
    UMX_MAX_AGENT_MESSAGE = 256 * 1024,
    UMX_MAX_OPERATOR_MESSAGE = 64 * 1024 * 1024,
    UMX_MAX_WORKER_MESSAGE = 64 * 1024 * 1024,
    UMX_MAX_RECORD = 1024 * 1024,      /* one record of a world on disk */
    UMX_MAX_JSON_DEPTH = 32,
    UMX_ARENA_FACTOR = 16,             /* arena bytes allowed per byte of a message */
    UMX_ARENA_FLOOR = 64 * 1024,
};

/* Unpacks hostile bytes. Text that is not UTF-8 is replaced by U+FFFD where it enters. *out lives in the arena. */
int umx_reflect_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t length, struct umx_arena *arena,
                       ProtobufCMessage **out, struct umx_error *err);

/* Packs into a malloc'ed buffer that the caller frees. */
int umx_reflect_pack(const ProtobufCMessage *message, uint8_t **out, size_t *length, struct umx_error *err);

/* A zeroed, initialised message of the type in the arena; NULL when it is full. */
void *umx_reflect_new(const ProtobufCMessageDescriptor *type, struct umx_arena *arena);

/* Deep copy into the arena; NULL when it is full. */
void *umx_reflect_copy(const ProtobufCMessage *message, struct umx_arena *arena);

/* Same type, same presence, same values. */
bool umx_reflect_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* Appends the message as one line of JSON. */
void umx_reflect_json(const ProtobufCMessage *message, struct umx_text *out);

/* The message of a JSON text; the error names the place or the key. */
int umx_reflect_from_json(const ProtobufCMessageDescriptor *type, const char *json, size_t length, struct umx_arena *arena,
                          ProtobufCMessage **out, struct umx_error *err);

/* Word of an enum value ("not_applicable"); an unknown one is written "unknown_N" into buf. */
const char *umx_reflect_word(const ProtobufCEnumDescriptor *type, int value, char buf[24]);
/* Value of a word; false when it is none. "unknown_N" gives N. */
bool umx_reflect_value_of(const ProtobufCEnumDescriptor *type, const char *word, int *value);

/* Appends a JSON string literal, quotes included. */
void umx_reflect_json_string(struct umx_text *out, const char *string);

/* ---- tables and columns */

/* A table is a repeated message field of World or Derived. */
struct umx_table {
    const char *name;                           /* exchange_server */
    const ProtobufCMessageDescriptor *record;   /* umx__exchange_server__descriptor */
    const ProtobufCFieldDescriptor *field;      /* its field in World or Derived */
    bool derived;
};

const struct umx_table *umx_reflect_tables(size_t *count);
const struct umx_table *umx_reflect_table(const char *name);                                  /* NULL: none */
const struct umx_table *umx_reflect_table_of(const ProtobufCMessageDescriptor *record);       /* NULL: none */

enum umx_cell_type { UMX_CELL_NULL, UMX_CELL_INTEGER, UMX_CELL_REAL, UMX_CELL_TEXT };

/* One value of a row as SQL sees it. Text points into the message or into `scratch`. */
struct umx_cell {
    enum umx_cell_type type;
    int64_t integer;
    double real;
    const char *text;
    size_t length;
};

/* SQL type of a column: INTEGER, REAL or TEXT. Booleans are 0 and 1; times are RFC 3339 text; repeated fields and
 * nested messages are JSON text; bytes are hex text. */
const char *umx_reflect_column_type(const ProtobufCFieldDescriptor *field);
/* What the column holds, which SQL does not tell: text, word (of an enum), integer, number, truth (1 or 0), time, bytes
 * (hex), list or record (JSON). */
const char *umx_reflect_column_kind(const ProtobufCFieldDescriptor *field);

/* The cell of a field. scratch is overwritten where text has to be made. */
struct umx_cell umx_reflect_cell(const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field,
                                 struct umx_text *scratch);

/* The comment above a message, or above one of its fields (field may be NULL); "" when there is none. */
const char *umx_reflect_comment(const char *message, const char *field);

#endif

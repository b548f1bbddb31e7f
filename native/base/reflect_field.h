/*
 * Access to the fields of any message by descriptor: what the reflect_*.c files share. Nobody else includes it.
 */
#ifndef UMX_BASE_REFLECT_FIELD_H
#define UMX_BASE_REFLECT_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* The value kinds that the schema uses; test_reflect holds the schema to them. */
enum umx_kind {
    UMX_KIND_UNSUPPORTED,
    UMX_KIND_INT32,
    UMX_KIND_INT64,
    UMX_KIND_TIME, /* an int64 whose name ends in _at */
    UMX_KIND_DOUBLE,
    UMX_KIND_BOOL,
    UMX_KIND_ENUM,
    UMX_KIND_STRING,
    UMX_KIND_BYTES,
    UMX_KIND_MESSAGE,
};

enum umx_kind umx_field_kind(const ProtobufCFieldDescriptor *field);

/* Bytes of one value of the field in its message or array. */
size_t umx_field_size(const ProtobufCFieldDescriptor *field);

/* Number of values: 0 when unset, 1 when set, any for a repeated field. */
size_t umx_field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* Value number index; index is below the count. */
const void *umx_field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index);
void *umx_field_edit(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index);

/* Marks a field that is not repeated as set; strings and messages outside a oneof are set by their pointer. */
void umx_field_mark(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* Gives a repeated field its array. */
void umx_field_set_array(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *array, size_t count);

/* Values read from their place; the kinds must match. */
int64_t umx_field_integer(enum umx_kind kind, const void *value);
const char *umx_field_string(const void *value);
const ProtobufCMessage *umx_field_message(const void *value);

/* The text of a field by its name; NULL when unset, repeated or not a string, and when there is no such field. */
const char *umx_field_text(const ProtobufCMessage *message, const char *name);

/* Appends the field's value as JSON: null, a value, or an array. */
void umx_field_json(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct umx_text *out);

#endif

#include "base/reflect_field.h"

#include <string.h>

static bool is_time(const ProtobufCFieldDescriptor *field)
{
    size_t length = strlen(field->name);

    return length > 3 && strcmp(field->name + length - 3, "_at") == 0;
}

enum umx_kind umx_field_kind(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
        return UMX_KIND_INT32;
    case PROTOBUF_C_TYPE_INT64:
        return is_time(field) ? UMX_KIND_TIME : UMX_KIND_INT64;
    case PROTOBUF_C_TYPE_DOUBLE:
        return UMX_KIND_DOUBLE;
    case PROTOBUF_C_TYPE_BOOL:
        return UMX_KIND_BOOL;
    case PROTOBUF_C_TYPE_ENUM:
        return UMX_KIND_ENUM;
    case PROTOBUF_C_TYPE_STRING:
        return UMX_KIND_STRING;
    case PROTOBUF_C_TYPE_BYTES:
        return UMX_KIND_BYTES;
    case PROTOBUF_C_TYPE_MESSAGE:
        return UMX_KIND_MESSAGE;
    default:
        return UMX_KIND_UNSUPPORTED;
    }
}

size_t umx_field_size(const ProtobufCFieldDescriptor *field)
{
    static const size_t sizes[] = {
        [UMX_KIND_UNSUPPORTED] = 0,
        [UMX_KIND_INT32] = sizeof(int32_t),
        [UMX_KIND_INT64] = sizeof(int64_t),
        [UMX_KIND_TIME] = sizeof(int64_t),
        [UMX_KIND_DOUBLE] = sizeof(double),
        [UMX_KIND_BOOL] = sizeof(protobuf_c_boolean),
        [UMX_KIND_ENUM] = sizeof(int),
        [UMX_KIND_STRING] = sizeof(char *),
        [UMX_KIND_BYTES] = sizeof(ProtobufCBinaryData),
        [UMX_KIND_MESSAGE] = sizeof(ProtobufCMessage *),
    };

    return sizes[umx_field_kind(field)];
}

/* Has its own mark: has_NAME, or the case of a oneof. */
static bool has_mark(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 ||
           (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE);
}

size_t umx_field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)message;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count;
        memcpy(&count, base + field->quantifier_offset, sizeof count);
        return count;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t chosen;
        memcpy(&chosen, base + field->quantifier_offset, sizeof chosen);
        if (chosen != field->id)
            return 0;
    } else if (has_mark(field)) {
        protobuf_c_boolean has;
        memcpy(&has, base + field->quantifier_offset, sizeof has);
        return has != 0;
    }
    if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
        return 1;
    void *pointer;
    memcpy(&pointer, base + field->offset, sizeof pointer);
    return pointer != NULL;
}

static size_t offset_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const char **base)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        *base = (const char *)message;
        return field->offset;
    }
    memcpy(base, (const char *)message + field->offset, sizeof *base);
    return 0;
}

const void *umx_field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index)
{
    const char *base;
    size_t offset = offset_of(message, field, &base);

    return base + offset + index * umx_field_size(field);
}

void *umx_field_edit(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index)
{
    char *base = (char *)message + field->offset;

    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        memcpy(&base, (char *)message + field->offset, sizeof base);
    return base + index * umx_field_size(field);
}

void umx_field_mark(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    char *mark = (char *)message + field->quantifier_offset;

    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        memcpy(mark, &field->id, sizeof field->id);
    } else if (has_mark(field)) {
        protobuf_c_boolean has = 1;
        memcpy(mark, &has, sizeof has);
    }
}

void umx_field_set_array(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *array, size_t count)
{
    memcpy((char *)message + field->offset, &array, sizeof array);
    memcpy((char *)message + field->quantifier_offset, &count, sizeof count);
}

int64_t umx_field_integer(enum umx_kind kind, const void *value)
{
    if (kind == UMX_KIND_INT64 || kind == UMX_KIND_TIME) {
        int64_t wide;
        memcpy(&wide, value, sizeof wide);
        return wide;
    }
    int32_t narrow; /* enums and protobuf-c booleans are of this size too */
    memcpy(&narrow, value, sizeof narrow);
    return narrow;
}

const char *umx_field_string(const void *value)
{
    const char *string;

    memcpy(&string, value, sizeof string);
    return string != NULL ? string : "";
}

const char *umx_field_text(const ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    const char *text = NULL;

    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED)
        memcpy(&text, (const char *)message + field->offset, sizeof text);
    return text;
}

const ProtobufCMessage *umx_field_message(const void *value)
{
    const ProtobufCMessage *message;

    memcpy(&message, value, sizeof message);
    return message;
}

/* Bytes in and out, copies and comparison. */
#include "base/reflect.h"

#include <stdlib.h>
#include <string.h>

#include "base/reflect_field.h"

/* Passes on to the arena, and remembers whether the arena refused: protobuf-c answers NULL for both reasons. */
struct watched {
    struct umx_arena *arena;
    bool refused;
};

static void *watched_alloc(void *data, size_t size)
{
    struct watched *watched = data;
    void *p = umx_arena_alloc(watched->arena, size);

    watched->refused |= p == NULL;
    return p;
}

static void watched_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

/* NULL when the arena is full. */
static char *valid_string(char *string, struct umx_arena *arena)
{
    size_t length = strlen(string);
    struct umx_text text = {0};

    if (umx_text_valid(string, length))
        return string;
    umx_text_add_valid(&text, string, length);
    char *valid = text.failed ? NULL : umx_arena_copy(arena, umx_text_string(&text), text.length);
    umx_text_free(&text);
    return valid;
}

/* Makes text valid and drops unknown fields, which no part of umx looks at. False when the arena is full. */
static bool clean(ProtobufCMessage *message, struct umx_arena *arena)
{
    message->n_unknown_fields = 0;
    message->unknown_fields = NULL;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        size_t count = umx_field_count(message, field);
        for (size_t k = 0; k < count; k++) {
            void *place = umx_field_edit(message, field, k);
            if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
                ProtobufCMessage *inner;
                memcpy(&inner, place, sizeof inner);
                if (!clean(inner, arena))
                    return false;
                continue;
            }
            char *string;
            memcpy(&string, place, sizeof string);
            string = valid_string(string, arena);
            if (string == NULL)
                return false;
            memcpy(place, &string, sizeof string);
        }
    }
    return true;
}

int umx_reflect_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t length,
                       struct umx_arena *arena, ProtobufCMessage **out, struct umx_error *err)
{
    struct watched watched = {.arena = arena};
    ProtobufCAllocator allocator = {.alloc = watched_alloc, .free = watched_free, .allocator_data = &watched};

    *out = NULL;
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, length, bytes);
    if (message == NULL && !watched.refused)
        return umx_fail(err, UMX_ERR_MESSAGE_INVALID, type->short_name, NULL);
    if (message == NULL || !clean(message, arena))
        return umx_fail(err, UMX_ERR_ARENA_FULL, type->short_name, "%zu bytes unpack to more than their maximum",
                        length);
    *out = message;
    return UMX_OK;
}

int umx_reflect_pack(const ProtobufCMessage *message, uint8_t **out, size_t *length, struct umx_error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);

    *length = 0;
    *out = malloc(size > 0 ? size : 1);
    if (*out == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, message->descriptor->short_name, NULL);
    *length = protobuf_c_message_pack(message, *out);
    return UMX_OK;
}

void *umx_reflect_new(const ProtobufCMessageDescriptor *type, struct umx_arena *arena)
{
    void *message = umx_arena_alloc(arena, type->sizeof_message);

    if (message != NULL)
        protobuf_c_message_init(type, message);
    return message;
}

/* One value from its place to another; false when the arena is full. */
static bool copy_value(const ProtobufCFieldDescriptor *field, const void *from, void *to, struct umx_arena *arena)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        char *string = umx_arena_string(arena, umx_field_string(from));
        memcpy(to, &string, sizeof string);
        return string != NULL;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        void *message = umx_reflect_copy(umx_field_message(from), arena);
        memcpy(to, &message, sizeof message);
        return message != NULL;
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData data;
        memcpy(&data, from, sizeof data);
        data.data = (uint8_t *)umx_arena_copy(arena, data.data, data.len);
        memcpy(to, &data, sizeof data);
        return data.data != NULL;
    }
    memcpy(to, from, umx_field_size(field));
    return true;
}

void *umx_reflect_copy(const ProtobufCMessage *message, struct umx_arena *arena)
{
    ProtobufCMessage *copy = umx_reflect_new(message->descriptor, arena);

    if (copy == NULL)
        return NULL;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        size_t count = umx_field_count(message, field);
        if (count == 0)
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t size = umx_field_size(field);
            void *array = count <= SIZE_MAX / size ? umx_arena_alloc(arena, count * size) : NULL;
            if (array == NULL)
                return NULL;
            umx_field_set_array(copy, field, array, count);
        } else {
            umx_field_mark(copy, field);
        }
        for (size_t k = 0; k < count; k++)
            if (!copy_value(field, umx_field_value(message, field, k), umx_field_edit(copy, field, k), arena))
                return NULL;
    }
    return copy;
}

static bool equal_value(const ProtobufCFieldDescriptor *field, const void *a, const void *b)
{
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return strcmp(umx_field_string(a), umx_field_string(b)) == 0;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return umx_reflect_equal(umx_field_message(a), umx_field_message(b));
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData x;
        ProtobufCBinaryData y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return x.len == y.len && (x.len == 0 || memcmp(x.data, y.data, x.len) == 0);
    }
    return memcmp(a, b, umx_field_size(field)) == 0;
}

bool umx_reflect_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (a->descriptor != b->descriptor)
        return false;
    for (unsigned i = 0; i < a->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &a->descriptor->fields[i];
        size_t count = umx_field_count(a, field);
        if (count != umx_field_count(b, field))
            return false;
        for (size_t k = 0; k < count; k++)
            if (!equal_value(field, umx_field_value(a, field, k), umx_field_value(b, field, k)))
                return false;
    }
    return true;
}

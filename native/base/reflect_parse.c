/* JSON in: jansson reads the text, the descriptor says what each value has to be. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/reflect_field.h"

/* What jansson needs for a container and for any other value, rounded up (measured with 2.14 on 64 bits). A text of
 * nothing but brackets would otherwise take a hundred times its size before the arena sees any of it. */
enum { CONTAINER_COST = 384, VALUE_COST = 96, TREE_FLOOR = 1024 * 1024 };

/* Where in the text we are, innermost first, for errors. */
struct place {
    const struct place *outer;
    const char *name;
    size_t index; /* of a repeated field; SIZE_MAX otherwise */
};

struct parser {
    struct umx_arena *arena;
    struct umx_error *err;
    const char *type; /* of the whole text */
};

static void add_place(struct umx_text *text, const struct place *place)
{
    if (place == NULL)
        return;
    add_place(text, place->outer);
    umx_text_addf(text, "%s%s", text->length > 0 ? "." : "", place->name);
    if (place->index != SIZE_MAX)
        umx_text_addf(text, "[%zu]", place->index);
}

static int refuse(const struct parser *parser, enum umx_error_id id, const struct place *place, const char *why)
{
    struct umx_text text = {0};

    add_place(&text, place);
    int status = umx_fail(parser->err, id, text.length > 0 ? umx_text_string(&text) : parser->type,
                          why != NULL ? "%s" : NULL, why);
    umx_text_free(&text);
    return status;
}

/* Depth and density of the text before jansson builds anything of it. Strings are skipped, nothing else is judged. */
static int measure(const struct parser *parser, const char *json, size_t length)
{
    size_t allowed =
        length > (SIZE_MAX - TREE_FLOOR) / UMX_ARENA_FACTOR ? SIZE_MAX : length * UMX_ARENA_FACTOR + TREE_FLOOR;
    size_t cost = 0;
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        char c = json[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            cost += CONTAINER_COST;
            if (++depth > UMX_MAX_JSON_DEPTH)
                return umx_fail(parser->err, UMX_ERR_JSON_INVALID, parser->type, "nested deeper than %d",
                                UMX_MAX_JSON_DEPTH);
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',') {
            cost += VALUE_COST;
        }
        if (cost > allowed)
            return umx_fail(parser->err, UMX_ERR_ARENA_FULL, parser->type, "too many values in %zu bytes of JSON",
                            length);
    }
    return UMX_OK;
}

static int read_message(const struct parser *parser, const ProtobufCMessageDescriptor *type, json_t *json,
                        const struct place *place, ProtobufCMessage **out);

static int read_integer(const struct parser *parser, json_t *json, const struct place *place, int64_t min, int64_t max,
                        int64_t *out)
{
    if (!json_is_integer(json))
        return refuse(parser, UMX_ERR_JSON_VALUE_INVALID, place, "not a whole number");
    *out = json_integer_value(json);
    if (*out < min || *out > max)
        return refuse(parser, UMX_ERR_JSON_VALUE_INVALID, place, "the number is out of range");
    return UMX_OK;
}

static int read_word(const struct parser *parser, const ProtobufCEnumDescriptor *type, const char *word,
                     const struct place *place, int *out)
{
    struct umx_text why = {0};
    char buf[24];

    if (umx_reflect_value_of(type, word, out))
        return UMX_OK;
    umx_text_adds(&why, "not one of");
    for (unsigned i = 0; i < type->n_values; i++)
        umx_text_addf(&why, "%s %s", i > 0 ? "," : "", umx_reflect_word(type, type->values[i].value, buf));
    int status = refuse(parser, UMX_ERR_JSON_VALUE_INVALID, place, umx_text_string(&why));
    umx_text_free(&why);
    return status;
}

static int read_bytes(const struct parser *parser, const char *hex, const struct place *place, ProtobufCBinaryData *out)
{
    size_t size = strlen(hex) / 2;

    out->len = size;
    out->data = (uint8_t *)umx_arena_copy(parser->arena, "", 0);
    if (size > 0)
        out->data = umx_arena_alloc(parser->arena, size);
    if (out->data == NULL)
        return refuse(parser, UMX_ERR_ARENA_FULL, place, NULL);
    if (umx_text_from_hex(hex, out->data, size) < 0)
        return refuse(parser, UMX_ERR_JSON_VALUE_INVALID, place, "not an even number of hexadecimal digits");
    return UMX_OK;
}

/* What a kind is written as in JSON. */
static const struct {
    json_type type;
    json_type also; /* a second possibility, or the same */
    const char *why;
} shapes[] = {
    [UMX_KIND_INT32] = {JSON_INTEGER, JSON_INTEGER, "not a whole number"},
    [UMX_KIND_INT64] = {JSON_INTEGER, JSON_INTEGER, "not a whole number"},
    [UMX_KIND_TIME] = {JSON_STRING, JSON_STRING, "not a time: write it as 2026-01-31T22:00:00Z"},
    [UMX_KIND_DOUBLE] = {JSON_REAL, JSON_INTEGER, "not a number"},
    [UMX_KIND_BOOL] = {JSON_TRUE, JSON_FALSE, "neither true nor false"},
    [UMX_KIND_ENUM] = {JSON_STRING, JSON_STRING, "not a word in quotes"},
    [UMX_KIND_STRING] = {JSON_STRING, JSON_STRING, "not a string"},
    [UMX_KIND_BYTES] = {JSON_STRING, JSON_STRING, "not a string of hexadecimal digits"},
    [UMX_KIND_MESSAGE] = {JSON_OBJECT, JSON_OBJECT, "not an object"},
};

/* One value that is not null into its place. */
static int read_value(const struct parser *parser, const ProtobufCFieldDescriptor *field, json_t *json,
                      const struct place *place, void *to)
{
    enum umx_kind kind = umx_field_kind(field);
    int64_t wide = 0;
    int32_t narrow = 0;
    int status = UMX_OK;

    if (kind == UMX_KIND_UNSUPPORTED)
        return refuse(parser, UMX_ERR_INTERNAL, place, "the field's type has no JSON form");
    if (json_typeof(json) != shapes[kind].type && json_typeof(json) != shapes[kind].also)
        return refuse(parser, UMX_ERR_JSON_VALUE_INVALID, place, shapes[kind].why);
    switch (kind) {
    case UMX_KIND_INT32:
        status = read_integer(parser, json, place, INT32_MIN, INT32_MAX, &wide);
        narrow = (int32_t)wide;
        memcpy(to, &narrow, sizeof narrow);
        return status;
    case UMX_KIND_INT64:
        status = read_integer(parser, json, place, INT64_MIN, INT64_MAX, &wide);
        memcpy(to, &wide, sizeof wide);
        return status;
    case UMX_KIND_TIME:
        if (umx_clock_parse(json_string_value(json), &wide) != 0)
            return refuse(parser, UMX_ERR_TIME_INVALID, place, NULL);
        memcpy(to, &wide, sizeof wide);
        return UMX_OK;
    case UMX_KIND_DOUBLE: {
        double real = json_number_value(json);
        memcpy(to, &real, sizeof real);
        return UMX_OK;
    }
    case UMX_KIND_BOOL:
        narrow = json_is_true(json);
        memcpy(to, &narrow, sizeof narrow);
        return UMX_OK;
    case UMX_KIND_ENUM:
        status = read_word(parser, field->descriptor, json_string_value(json), place, &narrow);
        memcpy(to, &narrow, sizeof narrow);
        return status;
    case UMX_KIND_STRING: {
        char *string = umx_arena_string(parser->arena, json_string_value(json));
        memcpy(to, &string, sizeof string);
        return string != NULL ? UMX_OK : refuse(parser, UMX_ERR_ARENA_FULL, place, NULL);
    }
    case UMX_KIND_BYTES: {
        ProtobufCBinaryData bytes = {0};
        status = read_bytes(parser, json_string_value(json), place, &bytes);
        memcpy(to, &bytes, sizeof bytes);
        return status;
    }
    case UMX_KIND_MESSAGE: {
        ProtobufCMessage *message = NULL;
        status = read_message(parser, field->descriptor, json, place, &message);
        memcpy(to, &message, sizeof message);
        return status;
    }
    case UMX_KIND_UNSUPPORTED:
        break;
    }
    return UMX_OK;
}

static int read_array(const struct parser *parser, const ProtobufCFieldDescriptor *field, json_t *json,
                      const struct place *outer, ProtobufCMessage *message)
{
    struct place place = {outer, field->name, SIZE_MAX};
    size_t size = umx_field_size(field);

    if (!json_is_array(json))
        return refuse(parser, UMX_ERR_JSON_VALUE_INVALID, &place, "not an array");
    size_t count = json_array_size(json);
    if (count == 0)
        return UMX_OK;
    void *array = count <= SIZE_MAX / sizeof(ProtobufCBinaryData) ? umx_arena_alloc(parser->arena, count * size) : NULL;
    if (array == NULL)
        return refuse(parser, UMX_ERR_ARENA_FULL, &place, NULL);
    for (size_t i = 0; i < count; i++) {
        place.index = i;
        int status = read_value(parser, field, json_array_get(json, i), &place, (char *)array + i * size);
        if (status != UMX_OK)
            return status;
    }
    umx_field_set_array(message, field, array, count);
    return UMX_OK;
}

/* Another member of the same oneof that is set already, or NULL. */
static const ProtobufCFieldDescriptor *rival(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return NULL;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &message->descriptor->fields[i];
        if (other != field && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
            other->quantifier_offset == field->quantifier_offset && umx_field_count(message, other) > 0)
            return other;
    }
    return NULL;
}

static int read_message(const struct parser *parser, const ProtobufCMessageDescriptor *type, json_t *json,
                        const struct place *outer, ProtobufCMessage **out)
{
    const char *key;
    json_t *value;
    ProtobufCMessage *message = umx_reflect_new(type, parser->arena);

    if (message == NULL)
        return refuse(parser, UMX_ERR_ARENA_FULL, outer, NULL);
    json_object_foreach(json, key, value)
    {
        struct place place = {outer, key, SIZE_MAX};
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, key);
        int status = UMX_OK;
        if (field == NULL)
            return refuse(parser, UMX_ERR_JSON_KEY_UNKNOWN, &place, NULL);
        if (json_is_null(value))
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            status = read_array(parser, field, value, outer, message);
        } else if (rival(message, field) != NULL) {
            status = refuse(parser, UMX_ERR_JSON_VALUE_INVALID, &place, "only one of its group can be set");
        } else {
            status = read_value(parser, field, value, &place, umx_field_edit(message, field, 0));
            umx_field_mark(message, field);
        }
        if (status != UMX_OK)
            return status;
    }
    *out = message;
    return UMX_OK;
}

int umx_reflect_from_json(const ProtobufCMessageDescriptor *type, const char *json, size_t length,
                          struct umx_arena *arena, ProtobufCMessage **out, struct umx_error *err)
{
    struct parser parser = {.arena = arena, .err = err, .type = type->short_name};
    json_error_t why;

    *out = NULL;
    int status = measure(&parser, json, length);
    if (status != UMX_OK)
        return status;
    json_t *tree = json_loadb(json, length, JSON_REJECT_DUPLICATES, &why);
    if (tree == NULL && json_error_code(&why) == json_error_out_of_memory)
        return umx_fail(err, UMX_ERR_MEMORY, type->short_name, NULL);
    if (tree == NULL)
        return umx_fail(err, UMX_ERR_JSON_INVALID, type->short_name, "line %d, column %d: %s", why.line, why.column,
                        why.text);
    if (json_is_object(tree))
        status = read_message(&parser, type, tree, NULL, out);
    else
        status = refuse(&parser, UMX_ERR_JSON_VALUE_INVALID, NULL, "not an object");
    json_decref(tree);
    return status;
}

#include "directory/convert.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"

static void *at(ProtobufCMessage *record, unsigned offset)
{
    return (char *)record + offset;
}

static void set_present(ProtobufCMessage *record, const ProtobufCFieldDescriptor *field)
{
    /* Strings have no presence flag: the pointer is it. */
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING) {
        *(protobuf_c_boolean *)at(record, field->quantifier_offset) = 1;
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void set_number(ProtobufCMessage *record, const ProtobufCFieldDescriptor *field, int64_t number)
{
    if (field->type == PROTOBUF_C_TYPE_INT64) {
        *(int64_t *)at(record, field->offset) = number;
    } else if (field->type == PROTOBUF_C_TYPE_BOOL) {
        *(protobuf_c_boolean *)at(record, field->offset) = number != 0;
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
        *(int32_t *)at(record, field->offset) = (int32_t)number;
    } else {
        return;
    }
    set_present(record, field);
}

static bool number_of(const ProtobufCFieldDescriptor *field, const struct umx_value *value, int64_t *number)
{
    const char *text = (const char *)value->bytes;
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        *number = value->length == 4 && strcasecmp(text, "TRUE") == 0;
        return *number || (value->length == 5 && strcasecmp(text, "FALSE") == 0);
    }
    if (field->type == PROTOBUF_C_TYPE_INT64 && ends_with(field->name, "_at")) {
        return strlen(text) == value->length && umx_clock_parse_generalized(text, number) == 0;
    }
    return umx_value_integer(value, number);
}

static bool set_strings(const struct umx_entry *entry, const struct umx_convert *row,
                        const ProtobufCFieldDescriptor *field, ProtobufCMessage *record, struct umx_arena *arena)
{
    const struct umx_attribute *attribute = umx_entry_find(entry, row->attribute);
    bool sid = ends_with(field->name, "sid");
    if (!attribute || !attribute->count) {
        return true;
    }
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        char *text = sid ? umx_entry_sid(entry, row->attribute, arena) : umx_value_text(attribute->values, arena);
        *(char **)at(record, field->offset) = text;
        return text || sid;
    }
    char **texts = umx_arena_alloc(arena, attribute->count * sizeof *texts);
    for (size_t i = 0; texts && i < attribute->count; i++) {
        texts[i] = umx_value_text(&attribute->values[i], arena);
        if (!texts[i]) {
            return false;
        }
    }
    *(char ***)at(record, field->offset) = texts;
    *(size_t *)at(record, field->quantifier_offset) = texts ? attribute->count : 0;
    return texts != NULL;
}

static bool set_field(const struct umx_entry *entry, const struct umx_convert *row,
                      const ProtobufCFieldDescriptor *field, ProtobufCMessage *record, struct umx_arena *arena)
{
    const struct umx_value *value = umx_entry_value(entry, row->attribute);
    int64_t number;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return set_strings(entry, row, field, record, arena);
    }
    if (!value) {
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData *bytes = at(record, field->offset);
        bytes->data = (uint8_t *)umx_arena_copy(arena, value->bytes, value->length);
        bytes->len = bytes->data ? value->length : 0;
        set_present(record, field);
        return bytes->data != NULL;
    }
    if (number_of(field, value, &number)) {
        set_number(record, field, number);
    }
    return true;
}

int umx_convert_entry(const struct umx_entry *entry, const struct umx_convert *table, ProtobufCMessage *record,
                      struct umx_arena *arena, struct umx_error *err)
{
    umx_convert_set_text(record, "dn", umx_arena_string(arena, entry->dn));
    for (; table->attribute; table++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(record->descriptor, table->field);
        if (!field) {
            return umx_fail(err, UMX_ERR_INTERNAL, table->field, "it is no field of %s", record->descriptor->name);
        }
        if (!set_field(entry, table, field, record, arena)) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
        }
    }
    return 0;
}

void umx_convert_set_text(ProtobufCMessage *record, const char *field, const char *text)
{
    const ProtobufCFieldDescriptor *found = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, field);
    if (found && found->type == PROTOBUF_C_TYPE_STRING && found->label != PROTOBUF_C_LABEL_REPEATED) {
        *(const char **)at(record, found->offset) = text;
    }
}

void umx_convert_set_integer(ProtobufCMessage *record, const char *field, int64_t number)
{
    const ProtobufCFieldDescriptor *found = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, field);
    if (found) {
        set_number(record, found, number);
    }
}

char *umx_convert_dns_name(const char *dn, struct umx_arena *arena)
{
    struct umx_text name = {0};
    for (const char *part = dn; part; part = umx_text_dn_parent(part)) {
        if (strncasecmp(part, "DC=", 3) != 0) {
            umx_text_free(&name);
            return NULL;
        }
        umx_text_adds(&name, name.length ? "." : "");
        umx_text_add(&name, part + 3, strcspn(part + 3, ","));
    }
    char *copy = name.length && !name.failed ? umx_arena_string(arena, umx_text_string(&name)) : NULL;
    umx_text_free(&name);
    return copy;
}

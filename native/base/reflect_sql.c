/* Columns and cells: a record as SQL sees it. */
#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/reflect_field.h"

const char *umx_reflect_column_type(const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return "TEXT";
    switch (umx_field_kind(field)) {
    case UMX_KIND_INT32:
    case UMX_KIND_INT64:
    case UMX_KIND_BOOL:
        return "INTEGER";
    case UMX_KIND_DOUBLE:
        return "REAL";
    default:
        return "TEXT";
    }
}

const char *umx_reflect_column_kind(const ProtobufCFieldDescriptor *field)
{
    static const char *const words[] = {
        [UMX_KIND_UNSUPPORTED] = "text", [UMX_KIND_INT32] = "integer", [UMX_KIND_INT64] = "integer",
        [UMX_KIND_TIME] = "time",        [UMX_KIND_DOUBLE] = "number", [UMX_KIND_BOOL] = "truth",
        [UMX_KIND_ENUM] = "word",        [UMX_KIND_STRING] = "text",   [UMX_KIND_BYTES] = "bytes",
        [UMX_KIND_MESSAGE] = "record",
    };

    return field->label == PROTOBUF_C_LABEL_REPEATED ? "list" : words[umx_field_kind(field)];
}

static struct umx_cell scratch_cell(const struct umx_text *scratch)
{
    if (scratch->failed)
        return (struct umx_cell){.type = UMX_CELL_NULL};
    return (struct umx_cell){.type = UMX_CELL_TEXT, .text = umx_text_string(scratch), .length = scratch->length};
}

struct umx_cell umx_reflect_cell(const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field,
                                 struct umx_text *scratch)
{
    struct umx_cell cell = {.type = UMX_CELL_NULL};
    enum umx_kind kind = umx_field_kind(field);
    char buf[UMX_CLOCK_TEXT];
    ProtobufCBinaryData bytes;

    scratch->length = 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        umx_field_json(record, field, scratch);
        return scratch_cell(scratch);
    }
    if (umx_field_count(record, field) == 0)
        return cell;
    const void *value = umx_field_value(record, field, 0);
    switch (kind) {
    case UMX_KIND_INT32:
    case UMX_KIND_INT64:
        return (struct umx_cell){.type = UMX_CELL_INTEGER, .integer = umx_field_integer(kind, value)};
    case UMX_KIND_BOOL:
        return (struct umx_cell){.type = UMX_CELL_INTEGER, .integer = umx_field_integer(kind, value) != 0};
    case UMX_KIND_DOUBLE:
        cell.type = UMX_CELL_REAL;
        memcpy(&cell.real, value, sizeof cell.real);
        return cell;
    case UMX_KIND_STRING:
        cell = (struct umx_cell){.type = UMX_CELL_TEXT, .text = umx_field_string(value)};
        cell.length = strlen(cell.text);
        return cell;
    case UMX_KIND_TIME:
        umx_text_adds(scratch, umx_clock_format(umx_field_integer(kind, value), buf));
        break;
    case UMX_KIND_ENUM:
        umx_text_adds(scratch, umx_reflect_word(field->descriptor, (int)umx_field_integer(kind, value), buf));
        break;
    case UMX_KIND_BYTES:
        memcpy(&bytes, value, sizeof bytes);
        umx_text_add(scratch, "", 0);
        umx_text_add_hex(scratch, bytes.data, bytes.len);
        break;
    case UMX_KIND_MESSAGE:
        umx_reflect_json(umx_field_message(value), scratch);
        break;
    case UMX_KIND_UNSUPPORTED:
        return cell;
    }
    return scratch_cell(scratch);
}

/* JSON out, and the words of enums. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/reflect_field.h"

enum { WORD = 24 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

const char *umx_reflect_word(const ProtobufCEnumDescriptor *type, int value, char buf[WORD])
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

    if (known == NULL) {
        snprintf(buf, WORD, "unknown_%d", value);
        return buf;
    }
    size_t i;
    for (i = 0; i < WORD - 1 && known->name[i] != '\0'; i++)
        buf[i] = lower(known->name[i]);
    buf[i] = '\0';
    return buf;
}

bool umx_reflect_value_of(const ProtobufCEnumDescriptor *type, const char *word, int *value)
{
    static const char unknown[] = "unknown_";
    char buf[WORD];

    for (unsigned i = 0; i < type->n_values; i++) {
        if (strcmp(umx_reflect_word(type, type->values[i].value, buf), word) == 0) {
            *value = type->values[i].value;
            return true;
        }
    }
    if (strncmp(word, unknown, sizeof unknown - 1) != 0)
        return false;
    const char *number = word + sizeof unknown - 1;
    char *end;
    errno = 0;
    long parsed = strtol(number, &end, 10);
    if (errno != 0 || parsed < INT32_MIN || parsed > INT32_MAX)
        return false;
    /* One spelling a number: no sign +, no spaces, no leading zeros. */
    snprintf(buf, sizeof buf, "%ld", parsed);
    *value = (int)parsed;
    return strcmp(buf, number) == 0;
}

static void add_escaped(struct umx_text *out, const char *string, size_t length)
{
    static const char shorts[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    size_t start = 0;

    umx_text_add(out, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        umx_text_add(out, string + start, i - start);
        start = i + 1;
        const char *found = c != '\0' ? strchr(shorts, c) : NULL;
        if (found != NULL)
            umx_text_addf(out, "\\%c", letters[found - shorts]);
        else
            umx_text_addf(out, "\\u%04x", c);
    }
    umx_text_add(out, string + start, length - start);
    umx_text_add(out, "\"", 1);
}

void umx_reflect_json_string(struct umx_text *out, const char *string)
{
    size_t length = strlen(string);
    struct umx_text valid = {0};

    if (umx_text_valid(string, length)) {
        add_escaped(out, string, length);
        return;
    }
    umx_text_add_valid(&valid, string, length);
    out->failed |= valid.failed;
    add_escaped(out, umx_text_string(&valid), valid.length);
    umx_text_free(&valid);
}

static void add_double(struct umx_text *out, const void *value)
{
    double real;
    char buf[40];

    memcpy(&real, value, sizeof real);
    if (!(fabs(real) <= DBL_MAX)) {
        umx_text_adds(out, "null");
        return;
    }
    snprintf(buf, sizeof buf, "%.17g", real);
    for (char *p = buf; *p != '\0'; p++) /* whatever the locale's decimal point is */
        if (strchr("+-0123456789e", *p) == NULL)
            *p = '.';
    umx_text_adds(out, buf);
    if (strpbrk(buf, ".e") == NULL)
        umx_text_adds(out, ".0");
}

static void add_value(struct umx_text *out, const ProtobufCFieldDescriptor *field, const void *value)
{
    enum umx_kind kind = umx_field_kind(field);
    char buf[UMX_CLOCK_TEXT];
    ProtobufCBinaryData bytes;

    switch (kind) {
    case UMX_KIND_INT32:
    case UMX_KIND_INT64:
        umx_text_addf(out, "%lld", (long long)umx_field_integer(kind, value));
        break;
    case UMX_KIND_TIME:
        umx_text_addf(out, "\"%s\"", umx_clock_format(umx_field_integer(kind, value), buf));
        break;
    case UMX_KIND_DOUBLE:
        add_double(out, value);
        break;
    case UMX_KIND_BOOL:
        umx_text_adds(out, umx_field_integer(kind, value) != 0 ? "true" : "false");
        break;
    case UMX_KIND_ENUM:
        umx_text_addf(out, "\"%s\"", umx_reflect_word(field->descriptor, (int)umx_field_integer(kind, value), buf));
        break;
    case UMX_KIND_STRING:
        umx_reflect_json_string(out, umx_field_string(value));
        break;
    case UMX_KIND_BYTES:
        memcpy(&bytes, value, sizeof bytes);
        umx_text_add(out, "\"", 1);
        umx_text_add_hex(out, bytes.data, bytes.len);
        umx_text_add(out, "\"", 1);
        break;
    case UMX_KIND_MESSAGE:
        umx_reflect_json(umx_field_message(value), out);
        break;
    case UMX_KIND_UNSUPPORTED:
        umx_text_adds(out, "null");
        break;
    }
}

void umx_field_json(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct umx_text *out)
{
    size_t count = umx_field_count(message, field);

    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        if (count == 0)
            umx_text_adds(out, "null");
        else
            add_value(out, field, umx_field_value(message, field, 0));
        return;
    }
    umx_text_add(out, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            umx_text_add(out, ",", 1);
        add_value(out, field, umx_field_value(message, field, i));
    }
    umx_text_add(out, "]", 1);
}

void umx_reflect_json(const ProtobufCMessage *message, struct umx_text *out)
{
    umx_text_add(out, "{", 1);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        umx_text_addf(out, "%s\"%s\":", i > 0 ? "," : "", field->name);
        umx_field_json(message, field, out);
    }
    umx_text_add(out, "}", 1);
}

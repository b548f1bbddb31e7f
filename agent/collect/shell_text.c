#include "agent/collect/shell_text.h"

#include <openssl/evp.h>
#include <string.h>

struct parse {
    const char *at;
    const char *end;
    size_t line;
    struct umx_arena *arena;
    struct umx_error *err;
};

static int bad(const struct parse *in, const char *why)
{
    return umx_fail(in->err, UMX_ERR_SHELL_OUTPUT_INVALID, "shell output", "line %zu: %s", in->line, why);
}

/* The next line without its end; false when there is none. */
static bool next_line(struct parse *in, const char **line, size_t *length)
{
    if (in->at == in->end)
        return false;
    const char *newline = memchr(in->at, '\n', (size_t)(in->end - in->at));
    const char *stop = newline != NULL ? newline : in->end;
    *line = in->at;
    *length = (size_t)(stop - in->at);
    in->at = newline != NULL ? newline + 1 : in->end;
    if (*length > 0 && (*line)[*length - 1] == '\r')
        (*length)--;
    in->line++;
    return true;
}

static bool base64_alphabet(const char *text, size_t length)
{
    size_t padding = 0;

    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < length - padding; i++) {
        char c = text[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
            return false;
    }
    return length % 4 == 0;
}

static int decode(const struct parse *in, const char *text, size_t length, const char **value)
{
    struct umx_text valid = {0};

    if (length > UMX_SHELL_VALUE_MAX / 3 * 4)
        return bad(in, "the value is too long");
    if (!base64_alphabet(text, length))
        return bad(in, "the value is not base64");
    unsigned char *bytes = umx_arena_alloc(in->arena, length / 4 * 3 + 1);
    if (bytes == NULL)
        return umx_fail(in->err, UMX_ERR_ARENA_FULL, "shell output", NULL);
    size_t size = 0;
    if (length > 0) {
        int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
        if (decoded < 0)
            return bad(in, "the value is not base64");
        size = (size_t)decoded; /* padding was decoded to zero bytes */
        for (size_t i = 0; i < 2 && text[length - 1 - i] == '='; i++)
            size--;
    }
    umx_text_add_valid(&valid, bytes, size);
    *value = umx_arena_string(in->arena, umx_text_string(&valid));
    int failed = valid.failed || *value == NULL;
    umx_text_free(&valid);
    return failed ? umx_fail(in->err, UMX_ERR_ARENA_FULL, "shell output", NULL) : 0;
}

static int field(const struct parse *in, const char *line, size_t length, struct umx_shell_field *out)
{
    const char *tab = memchr(line, '\t', length);
    size_t name = tab != NULL ? (size_t)(tab - line) : 0;

    if (name == 0 || name > UMX_SHELL_NAME_MAX || !umx_text_valid(line, name))
        return bad(in, "not a name, a tab and base64");
    out->name = umx_arena_copy(in->arena, line, name);
    if (out->name == NULL)
        return umx_fail(in->err, UMX_ERR_ARENA_FULL, "shell output", NULL);
    return decode(in, tab + 1, length - name - 1, &out->value);
}

/* Upper bounds, so that both arrays are allocated once. */
static void count_lines(const char *text, size_t length, size_t *lines)
{
    *lines = 1;
    for (size_t i = 0; i < length; i++)
        *lines += text[i] == '\n';
}

int umx_shell_parse(const char *text, size_t length, struct umx_arena *arena, struct umx_shell_record **records,
                    size_t *count, struct umx_error *err)
{
    struct parse in = {.at = text, .end = text + length, .arena = arena, .err = err};
    size_t lines = 0;
    size_t used = 0;
    const char *line;
    size_t size;

    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        in.at += 3;
    count_lines(text, length, &lines);
    size_t max_fields = lines < UMX_SHELL_FIELDS_MAX ? lines : UMX_SHELL_FIELDS_MAX;
    size_t max_records = lines < UMX_SHELL_RECORDS_MAX ? lines : UMX_SHELL_RECORDS_MAX;
    struct umx_shell_field *fields = umx_arena_alloc(arena, max_fields * sizeof *fields);
    struct umx_shell_record *list = umx_arena_alloc(arena, max_records * sizeof *list);
    if (fields == NULL || list == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "shell output", NULL);
    *records = list;
    *count = 0;
    bool open = false;
    while (next_line(&in, &line, &size)) {
        if (size == 0) {
            open = false;
            continue;
        }
        if (!open) {
            if (*count == max_records)
                return bad(&in, "too many records");
            list[(*count)++] = (struct umx_shell_record){.fields = fields + used};
            open = true;
        }
        if (used == max_fields)
            return bad(&in, "too many values");
        int status = field(&in, line, size, &fields[used]);
        if (status != 0)
            return status;
        used++;
        list[*count - 1].count++;
    }
    return 0;
}

void umx_shell_write(struct umx_text *text, const char *name, const char *value)
{
    size_t length = strlen(value);
    unsigned char piece[65];

    umx_text_addf(text, "%s\t", name);
    for (size_t at = 0; at < length; at += 48) {
        size_t part = length - at < 48 ? length - at : 48;
        int written = EVP_EncodeBlock(piece, (const unsigned char *)value + at, (int)part);
        umx_text_add(text, piece, (size_t)written);
    }
    umx_text_adds(text, "\n");
}

const char *umx_shell_value(const struct umx_shell_record *record, const char *name, size_t index)
{
    for (size_t i = 0; i < record->count; i++)
        if (umx_text_equal(record->fields[i].name, name) && index-- == 0)
            return record->fields[i].value;
    return NULL;
}

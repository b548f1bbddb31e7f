/* The parser of regedit 5 exports ("Windows Registry Editor Version 5.00"). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/host/registry.h"
#include "agent/host/utf16.h"
#include "base/text.h"

struct export
{
    struct umx_registry *registry;
    struct umx_registry_key *key; /* NULL: values of this section are not wanted */
    const char *at;
    const char *end;
    size_t line;
    struct umx_text scratch; /* one value */
    struct umx_text name;
    struct umx_error *err;
};

static int bad(struct export *in, const char *why)
{
    return umx_fail(in->err, UMX_ERR_REGISTRY_INVALID, "registry.reg", "line %zu: %s", in->line, why);
}

static bool more(const struct export *in)
{
    return in->at < in->end;
}

static char next(struct export *in)
{
    char c = *in->at++;

    if (c == '\n')
        in->line++;
    return c;
}

static void skip_blanks(struct export *in)
{
    while (more(in) && (*in->at == ' ' || *in->at == '\t' || *in->at == '\r'))
        in->at++;
}

static void skip_line(struct export *in)
{
    while (more(in) && next(in) != '\n')
        continue;
}

/* The rest of the line must be empty. */
static int end_line(struct export *in)
{
    skip_blanks(in);
    if (more(in) && *in->at != '\n')
        return bad(in, "something follows the value");
    skip_line(in);
    return 0;
}

/* A quoted string, quotes excluded; it may hold line breaks, as regedit writes them. */
static int quoted(struct export *in, struct umx_text *text)
{
    text->length = 0;
    umx_text_add(text, "", 0);
    next(in); /* the quote */
    while (more(in)) {
        char c = next(in);
        if (c == '"')
            return text->failed ? umx_fail(in->err, UMX_ERR_MEMORY, "registry.reg", NULL) : 0;
        if (c == '\\') {
            if (!more(in))
                break;
            c = next(in);
            if (c != '\\' && c != '"')
                return bad(in, "a backslash may only come before a backslash or a quote");
        }
        if (text->length >= UMX_REGISTRY_TEXT_MAX)
            return bad(in, "the string is too long");
        umx_text_add(text, &c, 1);
    }
    return bad(in, "the string does not end");
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes "0a,1b,\<newline>  2c" into the scratch buffer. */
static int hex_bytes(struct export *in)
{
    in->scratch.length = 0;
    umx_text_add(&in->scratch, "", 0);
    for (;;) {
        skip_blanks(in);
        if (more(in) && *in->at == '\\') {
            next(in);
            skip_blanks(in);
            if (more(in) && *in->at != '\n')
                return bad(in, "a continued line goes on behind its backslash");
            if (more(in))
                next(in);
            continue;
        }
        if (!more(in) || *in->at == '\n')
            return in->scratch.failed ? umx_fail(in->err, UMX_ERR_MEMORY, "registry.reg", NULL) : 0;
        if (in->end - in->at < 2 || digit(in->at[0]) < 0 || digit(in->at[1]) < 0)
            return bad(in, "not a byte in hex");
        if (in->scratch.length >= UMX_REGISTRY_TEXT_MAX)
            return bad(in, "the value is too long");
        char byte = (char)(digit(in->at[0]) * 16 + digit(in->at[1]));
        umx_text_add(&in->scratch, &byte, 1);
        in->at += 2;
        skip_blanks(in);
        if (more(in) && *in->at == ',')
            in->at++;
        else if (more(in) && *in->at != '\n')
            return bad(in, "bytes are separated by commas");
    }
}

/* UTF-16 strings, each ended by NUL, to one text with line breaks between them. */
static void strings(const uint8_t *bytes, size_t length, struct umx_text *out)
{
    size_t from = 0;

    umx_text_add(out, "", 0);
    for (size_t i = 0; i + 1 < length; i += 2) {
        if (bytes[i] != 0 || bytes[i + 1] != 0)
            continue;
        if (i > from) {
            if (out->length > 0)
                umx_text_adds(out, "\n");
            umx_utf16_add(out, bytes + from, i - from);
        }
        from = i + 2;
    }
    if (length > from + 1) {
        if (out->length > 0)
            umx_text_adds(out, "\n");
        umx_utf16_add(out, bytes + from, length - from);
    }
}

/* Values of `hex...:`; type is what stands in the parentheses, 3 (binary) when there are none. */
static int hex_value(struct export *in, unsigned type)
{
    struct umx_registry_value value = {.name = umx_text_string(&in->name), .type = UMX_REGISTRY_OTHER};
    struct umx_text text = {0};
    int status = hex_bytes(in);

    if (status != 0)
        return status;
    const uint8_t *bytes = (const uint8_t *)in->scratch.data;
    if (type == 1 || type == 2 || type == 7) { /* REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ */
        strings(bytes, in->scratch.length, &text);
        value.type = UMX_REGISTRY_TEXT;
        value.text = umx_text_string(&text);
    } else if ((type == 4 && in->scratch.length == 4) || (type == 11 && in->scratch.length == 8)) {
        uint64_t number = 0;
        for (size_t i = in->scratch.length; i > 0; i--)
            number = number << 8 | bytes[i - 1];
        value.type = UMX_REGISTRY_NUMBER;
        value.number = (int64_t)number;
    }
    if (text.failed)
        status = umx_fail(in->err, UMX_ERR_MEMORY, "registry.reg", NULL);
    else if (in->key != NULL)
        status = umx_registry_add_value(in->registry, in->key, &value, in->err);
    umx_text_free(&text);
    return status;
}

static int number_value(struct export *in)
{
    struct umx_registry_value value = {.name = umx_text_string(&in->name), .type = UMX_REGISTRY_NUMBER};
    int digits = 0;

    for (; more(in) && digit(*in->at) >= 0; digits++) {
        if (digits == 8)
            return bad(in, "a dword has at most 8 digits");
        value.number = value.number * 16 + digit(*in->at++);
    }
    if (digits == 0)
        return bad(in, "a dword without digits");
    return in->key != NULL ? umx_registry_add_value(in->registry, in->key, &value, in->err) : 0;
}

static bool take(struct export *in, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* What stands behind `name=`. */
static int value(struct export *in)
{
    int status = 0;

    skip_blanks(in);
    if (more(in) && *in->at == '"') {
        if ((status = quoted(in, &in->scratch)) != 0)
            return status;
        struct umx_registry_value text = {
            .name = umx_text_string(&in->name), .type = UMX_REGISTRY_TEXT, .text = umx_text_string(&in->scratch)};
        if (in->key != NULL)
            status = umx_registry_add_value(in->registry, in->key, &text, in->err);
    } else if (take(in, "dword:")) {
        status = number_value(in);
    } else if (take(in, "hex:")) {
        status = hex_value(in, 3);
    } else if (take(in, "hex(")) {
        unsigned type = 0;
        int digits = 0;
        for (; more(in) && digit(*in->at) >= 0 && digits < 8; digits++)
            type = type * 16 + (unsigned)digit(*in->at++);
        if (digits == 0 || !take(in, "):"))
            return bad(in, "not a value type");
        status = hex_value(in, type);
    } else if (!take(in, "-")) { /* "name"=- deletes: nothing to keep */
        return bad(in, "not a value");
    }
    return status != 0 ? status : end_line(in);
}

static int section(struct export *in)
{
    static const char hive[] = "HKEY_LOCAL_MACHINE\\";
    char path[UMX_REGISTRY_PATH_MAX];
    const char *start = ++in->at;

    while (more(in) && *in->at != '\n')
        in->at++;
    const char *end = in->at;
    while (end > start && end[-1] != ']') /* names may hold brackets: the last one closes */
        end--;
    if (end == start)
        return bad(in, "a key's line does not end with a bracket");
    size_t length = (size_t)(end - 1 - start);
    in->key = NULL;
    if (length > sizeof hive - 1 && memcmp(start, hive, sizeof hive - 1) == 0) {
        start += sizeof hive - 1;
        length -= sizeof hive - 1;
        if (length >= sizeof path)
            return bad(in, "the key's path is too long");
        memcpy(path, start, length);
        path[length] = '\0';
        int status = umx_registry_add_key(in->registry, path, &in->key, in->err);
        if (status != 0)
            return status;
    }
    in->at = end;
    return end_line(in);
}

static int lines(struct export *in)
{
    int status = 0;

    skip_blanks(in);
    if (!take(in, "Windows Registry Editor Version 5.00"))
        return bad(in, "the first line is not `Windows Registry Editor Version 5.00`");
    if ((status = end_line(in)) != 0)
        return status;
    while (status == 0 && more(in)) {
        skip_blanks(in);
        if (!more(in))
            break;
        if (*in->at == '\n' || *in->at == ';') {
            skip_line(in);
        } else if (*in->at == '[') {
            status = section(in);
        } else if (*in->at == '"' || *in->at == '@') {
            in->name.length = 0;
            umx_text_add(&in->name, "", 0);
            if (*in->at == '@')
                next(in);
            else if ((status = quoted(in, &in->name)) != 0)
                break;
            skip_blanks(in);
            status = take(in, "=") ? value(in) : bad(in, "a value without `=`");
        } else {
            status = bad(in, "neither a key nor a value");
        }
    }
    return status;
}

int umx_registry_parse(struct umx_registry *registry, const void *bytes, size_t length, struct umx_error *err)
{
    const uint8_t *raw = bytes;
    struct umx_text text = {0};
    struct export in = {.registry = registry, .line = 1, .err = err};
    int status;

    if (length > UMX_REGISTRY_FILE_MAX)
        return umx_fail(err, UMX_ERR_REGISTRY_INVALID, "registry.reg", "it is larger than %d bytes",
                        UMX_REGISTRY_FILE_MAX);
    if (length >= 2 && raw[0] == 0xff && raw[1] == 0xfe)
        umx_utf16_add(&text, raw + 2, length - 2);
    else if (length >= 3 && raw[0] == 0xef && raw[1] == 0xbb && raw[2] == 0xbf)
        umx_text_add_valid(&text, raw + 3, length - 3);
    else
        umx_text_add_valid(&text, raw, length);
    if (text.failed) {
        status = umx_fail(err, UMX_ERR_MEMORY, "registry.reg", NULL);
    } else {
        in.at = umx_text_string(&text);
        in.end = in.at + text.length;
        status = lines(&in);
    }
    umx_text_free(&in.scratch);
    umx_text_free(&in.name);
    umx_text_free(&text);
    return status;
}

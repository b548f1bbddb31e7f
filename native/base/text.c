#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct umx_text *text, size_t more)
{
    if (text->failed || more > SIZE_MAX / 2 - text->length - 1) {
        text->failed = true;
        return false;
    }
    size_t need = text->length + more + 1;
    if (need <= text->capacity)
        return true;
    size_t capacity = text->capacity != 0 ? text->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void umx_text_add(struct umx_text *text, const void *bytes, size_t length)
{
    if (!reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void umx_text_adds(struct umx_text *text, const char *string)
{
    umx_text_add(text, string, strlen(string));
}

void umx_text_addf(struct umx_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(text, (size_t)length)) {
        text->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, args);
    va_end(args);
    text->length += (size_t)length;
}

void umx_text_join(struct umx_text *lines, size_t lines_max, size_t bytes_max)
{
    struct umx_text text = {0};
    size_t at = 0, shown = 0, left = 0;

    while (at < lines->length && shown < lines_max) {
        size_t length = strcspn(lines->data + at, "\n");
        if (shown > 0 && text.length + length > bytes_max)
            break;
        umx_text_adds(&text, shown > 0 ? "; " : "");
        umx_text_add(&text, lines->data + at, length);
        at += length + (lines->data[at + length] == '\n');
        shown++;
    }
    for (size_t i = at; i < lines->length; i++)
        left += lines->data[i] == '\n' || i + 1 == lines->length;
    if (left > 0)
        umx_text_addf(&text, "; and %zu more", left);
    umx_text_free(lines);
    *lines = text;
}

void umx_text_free(struct umx_text *text)
{
    free(text->data);
    *text = (struct umx_text){0};
}

const char *umx_text_string(const struct umx_text *text)
{
    return text->data != NULL ? text->data : "";
}

void umx_text_copy(char *to, size_t size, const char *string)
{
    size_t length = strlen(string);

    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)string[length] & 0xC0) == 0x80)
            length--;
    }
    memmove(to, string, length);
    to[length] = '\0';
}

/* Length of the valid sequence at p, or 0. */
static size_t sequence(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char first, last; /* range of the lead byte */
        unsigned char low, high;   /* range of the second byte */
        size_t length;
    } forms[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    if (p[0] >= 0x01 && p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last)
            continue;
        if (left < forms[i].length || p[1] < forms[i].low || p[1] > forms[i].high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

bool umx_text_valid(const void *bytes, size_t length)
{
    const unsigned char *p = bytes;

    for (size_t i = 0, n; i < length; i += n) {
        n = sequence(p + i, length - i);
        if (n == 0)
            return false;
    }
    return true;
}

/* U+2000 to U+207F: spaces, dashes, quotes. PowerShell takes some of them for the ASCII ones. */
static bool general_punctuation(const char *p)
{
    const unsigned char *bytes = (const unsigned char *)p;

    return bytes[0] == 0xe2 && (bytes[1] == 0x80 || bytes[1] == 0x81);
}

bool umx_text_host(const char *name, size_t length)
{
    if (length == 0 || length > 255 || !umx_text_valid(name, length))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c >= 0x80 ? general_punctuation(name + i) : c == '\0' || strchr("-._", c) == NULL))
            return false;
    }
    return true;
}

bool umx_text_quotable(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || strchr("\"%$`", *p) != NULL || general_punctuation(p))
            return false;
    return true;
}

void umx_text_add_valid(struct umx_text *text, const void *bytes, size_t length)
{
    const unsigned char *p = bytes;
    size_t start = 0;
    size_t i = 0;

    while (i < length) {
        size_t n = sequence(p + i, length - i);
        if (n > 0) {
            i += n;
            continue;
        }
        umx_text_add(text, p + start, i - start);
        umx_text_adds(text, "\xEF\xBF\xBD");
        start = ++i;
    }
    umx_text_add(text, p + start, i - start);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool umx_text_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

const char *umx_text_find(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);

    for (; *text != '\0'; text++) {
        size_t same = 0;
        while (same < length && lower(text[same]) == lower(wanted[same]) && text[same] != '\0')
            same++;
        if (same == length)
            return text;
    }
    return length == 0 ? text : NULL;
}

static const char *past_spaces(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

/* True when the spaces at p only stand before a separator or the end. */
static bool padding(const char *p)
{
    const char *after = past_spaces(p);

    return *p == ' ' && (*after == ',' || *after == '=' || *after == '\0');
}

bool umx_text_dn_equal(const char *a, const char *b)
{
    bool escaped = false;

    if (a == NULL || b == NULL)
        return a == b;
    a = past_spaces(a);
    b = past_spaces(b);
    for (;;) {
        if (!escaped) {
            if (padding(a))
                a = past_spaces(a);
            if (padding(b))
                b = past_spaces(b);
        }
        if (lower(*a) != lower(*b))
            return false;
        if (*a == '\0')
            return true;
        bool separator = !escaped && (*a == ',' || *a == '=');
        escaped = !escaped && *a == '\\';
        a++;
        b++;
        if (separator) {
            a = past_spaces(a);
            b = past_spaces(b);
        }
    }
}

const char *umx_text_dn_parent(const char *dn)
{
    for (const char *p = dn; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        else if (*p == ',')
            return past_spaces(p + 1);
    }
    return NULL;
}

bool umx_text_dn_within(const char *dn, const char *ancestor)
{
    for (const char *p = dn; p != NULL; p = umx_text_dn_parent(p))
        if (umx_text_dn_equal(p, ancestor))
            return true;
    return false;
}

void umx_text_add_rdn(struct umx_text *text, const char *value)
{
    size_t length = strlen(value);

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        bool edge_space = c == ' ' && (i == 0 || i == length - 1);
        if (c < 0x20)
            umx_text_addf(text, "\\%02X", c);
        else if (strchr(",\\#+<>;\"=", c) != NULL || edge_space)
            umx_text_addf(text, "\\%c", c);
        else
            umx_text_add(text, &c, 1);
    }
}

void umx_text_add_hex(struct umx_text *text, const void *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;

    for (size_t i = 0; i < length; i++) {
        char pair[2] = {digits[p[i] >> 4], digits[p[i] & 15]};
        umx_text_add(text, pair, 2);
    }
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long umx_text_from_hex(const char *hex, uint8_t *out, size_t size)
{
    size_t length = strlen(hex);

    if (length % 2 != 0 || length / 2 > size)
        return -1;
    for (size_t i = 0; i < length / 2; i++) {
        int high = nibble(hex[2 * i]);
        int low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (long)(length / 2);
}

void umx_text_add_csv(struct umx_text *out, const char *field)
{
    size_t length = strlen(field);

    if (strpbrk(field, "\",\r\n") == NULL && (length == 0 || (field[0] != ' ' && field[length - 1] != ' '))) {
        umx_text_adds(out, field);
        return;
    }
    umx_text_adds(out, "\"");
    for (; *field != '\0'; field++)
        umx_text_add(out, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1);
    umx_text_adds(out, "\"");
}

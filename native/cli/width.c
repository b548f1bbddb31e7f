#include "cli/width.h"

#include <stdint.h>
#include <string.h>

/* Decodes one character; *used is at least 1. Text was made valid before, so anything odd is just one byte. */
static uint32_t decode(const char *text, size_t length, size_t *used)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t need = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 1;

    if (need > length)
        need = 1;
    *used = need;
    if (need == 1)
        return p[0];
    uint32_t point = p[0] & (0xFFU >> (need + 1));
    for (size_t i = 1; i < need; i++)
        point = point << 6 | (p[i] & 0x3FU);
    return point;
}

size_t umx_width(const char *text, size_t length)
{
    size_t columns = 0;

    for (size_t i = 0, used; i < length; i += used)
        columns += umx_width_of(decode(text + i, length - i, &used));
    return columns;
}

size_t umx_width_prefix(const char *text, size_t length, size_t columns)
{
    size_t taken = 0;

    for (size_t i = 0, used; i < length; i += used) {
        taken += umx_width_of(decode(text + i, length - i, &used));
        if (taken > columns)
            return i;
    }
    return length;
}

static int steers(uint32_t point)
{
    return (point < 0x20 && point != '\n') || (point >= 0x7F && point < 0xA0) || (point >= 0x202A && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0x200E || point == 0x200F;
}

void umx_width_add_printable(struct umx_text *out, const char *text)
{
    struct umx_text valid = {0};
    const char *from;
    size_t length;

    umx_text_add_valid(&valid, text, strlen(text));
    from = umx_text_string(&valid);
    length = valid.length;
    out->failed = out->failed || valid.failed;
    for (size_t i = 0, used; i < length; i += used) {
        uint32_t point = decode(from + i, length - i, &used);
        if (point == '\t')
            umx_text_adds(out, " ");
        else if (steers(point))
            umx_text_addf(out, "\\u{%x}", (unsigned)point);
        else
            umx_text_add(out, from + i, used);
    }
    umx_text_free(&valid);
}

#include "controller/sddl_entry.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 6 };

struct word {
    const char *text;
    uint32_t value;
};

static const struct word types[] = {{"A", 0}, {"D", 1}, {"OA", 5}, {"OD", 6}, {NULL, 0}};

static const struct word flags[] = {{"OI", 1}, {"CI", 2}, {"NP", 4}, {"IO", 8}, {"ID", 16}, {NULL, 0}};

static const struct word rights[] = {
    {"CC", 0x1},     {"DC", 0x2},        {"LC", 0x4},        {"SW", 0x8},        {"RP", 0x10},       {"WP", 0x20},
    {"DT", 0x40},    {"LO", 0x80},       {"CR", 0x100},      {"SD", 0x10000},    {"RC", 0x20000},    {"WD", 0x40000},
    {"WO", 0x80000}, {"GA", 0x10000000}, {"GX", 0x20000000}, {"GW", 0x40000000}, {"GR", 0x80000000}, {NULL, 0},
};

/* A field that is a row of two-letter words. */
static bool words_of(const struct word *table, const char *text, size_t length, uint32_t *out)
{
    *out = 0;
    if (length % 2 != 0)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        const struct word *word = table;
        while (word->text != NULL && strncasecmp(word->text, text + i, 2) != 0)
            word++;
        if (word->text == NULL)
            return false;
        *out |= word->value;
    }
    return true;
}

static bool mask_of(const char *text, size_t length, uint32_t *out)
{
    char number[24];

    if (length < 3 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
        return words_of(rights, text, length, out);
    if (length >= sizeof number)
        return false;
    memcpy(number, text, length);
    number[length] = '\0';
    char *end = NULL;
    unsigned long value = strtoul(number, &end, 16);
    if (*end != '\0' || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool copy_cased(char *to, size_t size, const char *text, size_t length, int (*casing)(int))
{
    if (length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        to[i] = (char)casing((unsigned char)text[i]);
    to[length] = '\0';
    return true;
}

bool umx_sddl_entry_parse(const char *text, struct umx_sddl_entry *out)
{
    const char *start[FIELDS];
    size_t length[FIELDS];
    uint32_t value = 0;

    memset(out, 0, sizeof *out);
    if (text == NULL || *text != '(')
        return false;
    const char *at = text + 1;
    for (int i = 0; i < FIELDS; i++) {
        start[i] = at;
        length[i] = strcspn(at, ";)");
        at += length[i];
        if (*at != (i == FIELDS - 1 ? ')' : ';'))
            return false;
        at++;
    }
    if (*at != '\0')
        return false;
    const struct word *type = types;
    while (type->text != NULL && (strlen(type->text) != length[0] || strncasecmp(type->text, start[0], length[0]) != 0))
        type++;
    if (type->text == NULL || !words_of(flags, start[1], length[1], &value))
        return false;
    out->type = (int)type->value;
    out->flags = (int)value;
    return mask_of(start[2], length[2], &out->mask) &&
           copy_cased(out->object, sizeof out->object, start[3], length[3], tolower) &&
           copy_cased(out->inherited_object, sizeof out->inherited_object, start[4], length[4], tolower) &&
           length[5] > 0 && copy_cased(out->trustee, sizeof out->trustee, start[5], length[5], toupper);
}

bool umx_sddl_entry_equal(const struct umx_sddl_entry *a, const struct umx_sddl_entry *b)
{
    return a->type == b->type && a->flags == b->flags && a->mask == b->mask && strcmp(a->object, b->object) == 0 &&
           strcmp(a->inherited_object, b->inherited_object) == 0 && strcmp(a->trustee, b->trustee) == 0;
}

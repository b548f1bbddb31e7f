#include "directory/sddl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct word {
    const char *word;
    uint32_t value;
};

/* In the order in which Windows writes them. */
static const struct word rights[] = {
    {"GA", 0x10000000}, {"GR", 0x80000000}, {"GW", 0x40000000}, {"GX", 0x20000000}, {"CC", 0x1},     {"DC", 0x2},
    {"LC", 0x4},        {"SW", 0x8},        {"RP", 0x10},       {"WP", 0x20},       {"DT", 0x40},    {"LO", 0x80},
    {"CR", 0x100},      {"SD", 0x10000},    {"RC", 0x20000},    {"WD", 0x40000},    {"WO", 0x80000},
};

static const struct word flags[] = {
    {"OI", UMX_ACE_OBJECT_INHERIT}, {"CI", UMX_ACE_CONTAINER_INHERIT}, {"NP", UMX_ACE_NO_PROPAGATE},
    {"IO", UMX_ACE_INHERIT_ONLY},   {"ID", UMX_ACE_INHERITED},
};

static const struct word types[] = {
    {"A", UMX_ACE_ALLOW},
    {"D", UMX_ACE_DENY},
    {"OA", UMX_ACE_ALLOW_OBJECT},
    {"OD", UMX_ACE_DENY_OBJECT},
    {"XA", UMX_ACE_ALLOW_CALLBACK},
    {"XD", UMX_ACE_DENY_CALLBACK},
    {"ZA", UMX_ACE_ALLOW_CALLBACK_OBJECT},
    {"ZD", UMX_ACE_DENY_CALLBACK_OBJECT},
};

static const struct {
    const char *alias, *sid;
} aliases[] = {
    {"AU", "S-1-5-11"}, {"BA", "S-1-5-32-544"}, {"CO", "S-1-3-0"},
    {"PS", "S-1-5-10"}, {"SY", "S-1-5-18"},     {"WD", "S-1-1-0"},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void add_words(struct umx_text *text, const struct word *table, size_t count, uint32_t value)
{
    uint32_t all = 0;
    for (size_t i = 0; i < count; i++) {
        all |= table[i].value;
    }
    if (value & ~all) {
        umx_text_addf(text, "0x%" PRIx32, value);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (value & table[i].value) {
            umx_text_adds(text, table[i].word);
        }
    }
}

static void add_guid(struct umx_text *text, bool present, const uint8_t *guid)
{
    char buf[UMX_GUID_TEXT];
    umx_text_adds(text, present ? umx_guid_text(guid, buf) : "");
    umx_text_adds(text, ";");
}

void umx_sddl_add(struct umx_text *text, const struct umx_ace *ace)
{
    const char *type = NULL;
    for (size_t i = 0; i < COUNT(types); i++) {
        type = types[i].value == ace->type ? types[i].word : type;
    }
    if (ace->opaque || !type) {
        umx_text_addf(text, "(0x%02x;", ace->type);
        add_words(text, flags, COUNT(flags), ace->flags);
        umx_text_adds(text, ";;;;");
        umx_text_add_hex(text, ace->raw, ace->raw_length);
        umx_text_adds(text, ")");
        return;
    }
    char sid[UMX_SID_TEXT] = "";
    umx_sid_text(ace->sid, ace->sid_length, sid, NULL);
    umx_text_addf(text, "(%s;", type);
    add_words(text, flags, COUNT(flags), ace->flags);
    umx_text_adds(text, ";");
    add_words(text, rights, COUNT(rights), ace->mask);
    umx_text_adds(text, ";");
    add_guid(text, ace->has_object_type, ace->object_type);
    add_guid(text, ace->has_inherited_object_type, ace->inherited_object_type);
    umx_text_addf(text, "%s)", sid);
}

/* Two-letter words without separator, or one 0x number. */
static bool parse_words(const char *from, const struct word *table, size_t count, uint32_t *value)
{
    *value = 0;
    if (strncmp(from, "0x", 2) == 0) {
        char *end;
        unsigned long long number = strtoull(from + 2, &end, 16);
        *value = (uint32_t)number;
        return from[2] && !*end && number <= UINT32_MAX &&
               strspn(from + 2, "0123456789abcdefABCDEF") == strlen(from + 2);
    }
    while (*from) {
        size_t i = 0;
        while (i < count && strncmp(from, table[i].word, 2) != 0) {
            i++;
        }
        if (i == count) {
            return false;
        }
        *value |= table[i].value;
        from += 2;
    }
    return true;
}

static bool parse_type(const char *word, uint8_t *type)
{
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(word, types[i].word) == 0) {
            *type = (uint8_t)types[i].value;
            return true;
        }
    }
    return false;
}

static int parse_trustee(const char *word, struct umx_ace *ace, struct umx_error *err)
{
    for (size_t i = 0; i < COUNT(aliases); i++) {
        word = strcmp(word, aliases[i].alias) == 0 ? aliases[i].sid : word;
    }
    return umx_sid_parse(word, ace->sid, &ace->sid_length, err);
}

int umx_sddl_parse(const char *text, struct umx_ace *ace, struct umx_error *err)
{
    enum { FIELDS = 6 };
    char copy[512], *field[FIELDS], *at = copy;
    size_t length = strlen(text), count = 0;
    *ace = (struct umx_ace){0};
    if (length < 2 || length >= sizeof copy || text[0] != '(' || text[length - 1] != ')') {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "it is not one access entry in parentheses");
    }
    memcpy(copy, text + 1, length - 2);
    copy[length - 2] = '\0';
    for (char *next = at; next; at = next) {
        if (count == FIELDS) {
            return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "it has more than six fields");
        }
        field[count++] = at;
        next = strchr(at, ';');
        if (next) {
            *next++ = '\0';
        }
    }
    uint32_t flag_bits = 0;
    if (count != FIELDS || !parse_type(field[0], &ace->type) ||
        !parse_words(field[1], flags, COUNT(flags), &flag_bits) || flag_bits > UINT8_MAX ||
        !parse_words(field[2], rights, COUNT(rights), &ace->mask)) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "its type, flags or rights are not known");
    }
    ace->flags = (uint8_t)flag_bits;
    ace->has_object_type = *field[3] != '\0';
    ace->has_inherited_object_type = *field[4] != '\0';
    bool object = ace->type == UMX_ACE_ALLOW_OBJECT || ace->type == UMX_ACE_DENY_OBJECT;
    if (!object && (ace->has_object_type || ace->has_inherited_object_type)) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "only OA and OD entries have object types");
    }
    int status = 0;
    if (ace->has_object_type) {
        status = umx_guid_parse(field[3], ace->object_type, err);
    }
    if (!status && ace->has_inherited_object_type) {
        status = umx_guid_parse(field[4], ace->inherited_object_type, err);
    }
    return status ? status : parse_trustee(field[5], ace, err);
}

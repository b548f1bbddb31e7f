#include "cli/world_words.h"

#include <string.h>

#include "base/reflect.h"
#include "base/reflect_field.h"
#include "cli/value.h"

/* Words that are not written as they are in the schema. */
static const struct {
    const char *word;
    const char *shown;
} spellings[] = {
    {"um", "UM"},     {"ip", "IP"},     {"sip", "SIP"}, {"voip", "VoIP"}, {"dn", "DN"},     {"uri", "URI"},
    {"lync", "Lync"}, {"pstn", "PSTN"}, {"sid", "SID"}, {"guid", "GUID"}, {"dacl", "DACL"}, {"sddl", "SDDL"},
    {"tls", "TLS"},   {"upn", "UPN"},   {"dns", "DNS"}, {"usn", "USN"},   {"id", "ID"},     {"fqdn", "FQDN"},
    {"tcp", "TCP"},   {"os", "OS"},     {"umx", "umx"}, {"pem", "PEM"},   {"crl", "CRL"},   {"san", "SAN"},
};

void umx_world_words_label(struct umx_text *out, const char *name)
{
    for (bool first = true; *name != '\0'; first = false) {
        size_t length = strcspn(name, "_"), i = 0;
        while (i < sizeof spellings / sizeof spellings[0] &&
               (strlen(spellings[i].word) != length || memcmp(spellings[i].word, name, length) != 0))
            i++;
        umx_text_adds(out, first ? "" : " ");
        if (i < sizeof spellings / sizeof spellings[0])
            umx_text_adds(out, spellings[i].shown);
        else
            umx_text_add(out, name, length);
        name += length + (name[length] == '_');
    }
}

static bool is_dn(const char *text)
{
    const char *equals = strchr(text, '=');

    return equals != NULL && equals != text &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == (size_t)(equals - text) &&
           (strstr(text, ",DC=") != NULL || strstr(text, ",dc=") != NULL);
}

/* The value of the first part of a DN, without its escapes. */
static void add_first_value(struct umx_text *out, const char *dn)
{
    const char *parent = umx_text_dn_parent(dn), *at = strchr(dn, '=') + 1;
    const char *end = parent != NULL ? parent - 1 : dn + strlen(dn);

    for (; at < end; at++)
        if (*at != '\\' || at + 1 == end)
            umx_text_add(out, at, 1);
        else if (strspn(at + 1, "0123456789abcdefABCDEF") >= 2) /* \0A and the like stay as they are */
            umx_text_add(out, at, 1);
        else
            umx_text_add(out, ++at, 1);
}

static const char *text_of(const ProtobufCMessage *record, const char *name)
{
    const char *text = umx_field_text(record, name);

    return text != NULL ? text : "";
}

static void add_text(struct umx_text *out, const char *text)
{
    if (is_dn(text))
        add_first_value(out, text);
    else
        umx_text_adds(out, text);
}

void umx_world_words_name(struct umx_text *out, const char *table, const char *const *key,
                          const ProtobufCMessage *record)
{
    static const char *const names[] = {"display_name", "name"};
    const char *dn = text_of(record, "dn"), *parent = umx_text_dn_parent(dn);

    for (size_t i = 0; dn[0] != '\0' && i < sizeof names / sizeof names[0]; i++)
        if (text_of(record, names[i])[0] != '\0') {
            umx_text_adds(out, text_of(record, names[i]));
            dn = NULL;
            break;
        }
    for (size_t i = 1; dn != NULL && key != NULL && i < 6 && key[i] != NULL; i++) {
        struct umx_text scratch = {0};
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(record->descriptor, key[i]);
        struct umx_cell cell = field != NULL ? umx_reflect_cell(record, field, &scratch) : (struct umx_cell){0};
        if (i > 1 && cell.type != UMX_CELL_NULL)
            umx_text_adds(out, " ");
        if (cell.type == UMX_CELL_INTEGER)
            umx_text_addf(out, "%lld", (long long)cell.integer);
        else if (cell.type == UMX_CELL_TEXT)
            add_text(out, cell.text);
        umx_text_free(&scratch);
    }
    /* Hunt groups of different gateways have the same names. */
    if (strcmp(table, "hunt_group") == 0 && parent != NULL && is_dn(parent)) {
        umx_text_adds(out, " of gateway ");
        add_first_value(out, parent);
    }
}

/* "sip_secured" of an enum as `SIP secured`; other texts as they are. */
static void add_value(struct umx_text *out, const json_t *value, bool whole)
{
    const char *text = json_string_value(value);
    struct umx_text plain = {0};

    umx_value_add_text(&plain, value);
    if (plain.length == 0)
        umx_text_adds(out, "(nothing)");
    else if (text != NULL && !whole && is_dn(text))
        add_first_value(out, text);
    else if (text != NULL && strspn(text, "abcdefghijklmnopqrstuvwxyz_") == strlen(text))
        umx_world_words_label(out, text);
    else
        umx_text_adds(out, umx_text_string(&plain));
    umx_text_free(&plain);
}

static bool has_item(const json_t *list, const json_t *item)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), item))
            return true;
    return false;
}

static void add_items(struct umx_text *out, const char *word, const json_t *items, const json_t *others)
{
    bool any = false;

    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if (has_item(others, item))
            continue;
        umx_text_adds(out, any ? ", " : out->length > 0 && out->data[out->length - 1] != ' ' ? "; " : "");
        if (!any)
            umx_text_addf(out, "%s ", word);
        any = true;
        add_value(out, item, true);
    }
}

void umx_world_words_change(struct umx_text *out, const json_t *before, const json_t *after)
{
    if (json_is_array(before) && json_is_array(after)) {
        size_t length = out->length;
        add_items(out, "without", before, after);
        add_items(out, "with", after, before);
        if (out->length == length)
            umx_text_adds(out, "in another order");
        return;
    }
    struct umx_text x = {0}, y = {0};
    add_value(&x, before, false);
    add_value(&y, after, false);
    bool alike = strcmp(umx_text_string(&x), umx_text_string(&y)) == 0; /* of DNs only the parents differ */
    add_value(out, before, alike);
    umx_text_adds(out, " -> ");
    add_value(out, after, alike);
    umx_text_free(&x);
    umx_text_free(&y);
}

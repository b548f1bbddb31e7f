#include "cli/value.h"

#include <stdlib.h>
#include <string.h>

static void add_json(struct umx_text *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    if (text == NULL)
        out->failed = true;
    else
        umx_text_adds(out, text);
    free(text);
}

/* 2026-01-31T22:00:00.123456Z: nobody reads the fraction in a table. */
static size_t without_fraction(const char *text, size_t length)
{
    if (length == 27 && text[10] == 'T' && text[19] == '.' && text[26] == 'Z' &&
        strspn(text, "0123456789-:T.") == length - 1)
        return 19;
    return 0;
}

static void add_string(struct umx_text *out, const json_t *value, bool exact)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value), cut = exact ? 0 : without_fraction(text, length);

    if (cut > 0) {
        umx_text_add(out, text, cut);
        umx_text_adds(out, "Z");
    } else {
        umx_text_add(out, text, length);
    }
}

static void add(struct umx_text *out, const json_t *value, bool exact)
{
    if (value == NULL || json_is_null(value))
        return;
    if (json_is_string(value)) {
        add_string(out, value, exact);
    } else if (json_is_boolean(value)) {
        umx_text_adds(out, exact ? (json_is_true(value) ? "true" : "false") : (json_is_true(value) ? "yes" : "no"));
    } else if (json_is_array(value) && !exact) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            umx_text_adds(out, i > 0 ? ", " : "");
            add(out, json_array_get(value, i), exact);
        }
    } else {
        add_json(out, value);
    }
}

void umx_value_add_text(struct umx_text *out, const json_t *value)
{
    add(out, value, false);
}

void umx_value_add_exact(struct umx_text *out, const json_t *value)
{
    add(out, value, true);
}

const char *umx_value_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

long long umx_value_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

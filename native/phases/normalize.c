#define PCRE2_CODE_UNIT_WIDTH 8

#include "phases/normalize.h"

#include <pcre2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    PATTERN_MAX = 1024,
    NEST_MAX = 32,
    MATCH_MAX = 20000, /* steps; a rule for numbers needs a few dozens */
    DEPTH_MAX = 500,
    HEAP_MAX = 256, /* KiB */
    GROUP_NAME_MAX = 32,
    RULES_MAX = 500, /* of one dial plan: what comes after them is not judged */
};

struct output {
    char *text;
    size_t length;
    bool full;
};

static void put(struct output *out, const char *text, size_t length)
{
    if (length >= UMX_NUMBER_MAX - out->length) {
        out->full = true;
        return;
    }
    memcpy(out->text + out->length, text, length);
    out->length += length;
    out->text[out->length] = '\0';
}

struct match {
    const pcre2_code *code;
    const char *subject;
    const PCRE2_SIZE *at; /* pairs of offsets */
    uint32_t groups;
};

static void put_group(struct output *out, const struct match *match, uint32_t group)
{
    if (group < match->groups && match->at[2 * group] != PCRE2_UNSET &&
        match->at[2 * group] <= match->at[2 * group + 1])
        put(out, match->subject + match->at[2 * group], match->at[2 * group + 1] - match->at[2 * group]);
}

/* A group by number or name; -1: the text is neither. */
static int group_of(const struct match *match, const char *name, size_t length)
{
    char text[GROUP_NAME_MAX + 1];

    if (length == 0 || length > GROUP_NAME_MAX)
        return -1;
    snprintf(text, sizeof text, "%.*s", (int)length, name);
    if (strspn(text, "0123456789") == length) {
        int number = 0;
        for (size_t i = 0; i < length && number < 1000; i++)
            number = number * 10 + (text[i] - '0');
        return number;
    }
    int number = pcre2_substring_number_from_name(match->code, (PCRE2_SPTR)text);
    return number > 0 ? number : -1;
}

/* One `$...` of a translation; returns how many bytes it has. What is none stays as it is written, as .NET does. */
static size_t put_reference(struct output *out, const struct match *match, const char *p)
{
    size_t digits = strspn(p + 1, "0123456789");

    if (p[1] == '$') {
        put(out, "$", 1);
        return 2;
    }
    if (p[1] == '&') {
        put_group(out, match, 0);
        return 2;
    }
    if (p[1] == '{') {
        size_t length = strcspn(p + 2, "}");
        int group = p[2 + length] == '}' ? group_of(match, p + 2, length) : -1;
        if (group >= 0) {
            put_group(out, match, (uint32_t)group);
            return length + 3;
        }
    } else if (digits > 0) {
        int group = group_of(match, p + 1, digits);
        if (group >= 0 && (uint32_t)group < match->groups) {
            put_group(out, match, (uint32_t)group);
            return digits + 1;
        }
    }
    put(out, "$", 1);
    return 1;
}

static void translate(struct output *out, const struct match *match, const char *translation)
{
    for (const char *p = translation; *p != '\0';) {
        if (*p == '$') {
            p += put_reference(out, match, p);
            continue;
        }
        put(out, p, 1);
        p++;
    }
}

/* 1 matched, 0 not, -1 not judged. */
static int apply_rule(const char *rule, const char *number, char *text)
{
    const char *tab = strchr(rule, '\t');
    size_t length = tab != NULL ? (size_t)(tab - rule) : 0;
    pcre2_compile_context *compile = NULL;
    pcre2_match_context *limits = NULL;
    pcre2_match_data *data = NULL;
    pcre2_code *code = NULL;
    struct output out = {.text = text};
    int error, rc = -1;
    PCRE2_SIZE where;

    text[0] = '\0';
    if (tab == NULL || length == 0 || length > PATTERN_MAX || strlen(number) >= UMX_NUMBER_MAX)
        return -1;
    compile = pcre2_compile_context_create(NULL);
    limits = pcre2_match_context_create(NULL);
    if (compile == NULL || limits == NULL)
        goto out;
    pcre2_set_parens_nest_limit(compile, NEST_MAX);
    pcre2_set_max_pattern_length(compile, PATTERN_MAX);
    pcre2_set_match_limit(limits, MATCH_MAX);
    pcre2_set_depth_limit(limits, DEPTH_MAX);
    pcre2_set_heap_limit(limits, HEAP_MAX);
    code = pcre2_compile((PCRE2_SPTR)rule, length, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP, &error,
                         &where, compile);
    data = code != NULL ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;
    if (data == NULL)
        goto out;
    int groups = pcre2_match(code, (PCRE2_SPTR)number, strlen(number), 0, 0, data, limits);
    if (groups == PCRE2_ERROR_NOMATCH)
        rc = 0;
    if (groups <= 0)
        goto out;
    const struct match match = {
        .code = code,
        .subject = number,
        .at = pcre2_get_ovector_pointer(data),
        .groups = pcre2_get_ovector_count(data),
    };
    if (match.at[0] > match.at[1]) /* \K behind the end: no rule means that */
        goto out;
    /* What the pattern does not cover stays around the translation. */
    put(&out, number, match.at[0]);
    translate(&out, &match, tab + 1);
    put(&out, number + match.at[1], strlen(number) - match.at[1]);
    rc = out.full ? -1 : 1;
out:
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    pcre2_match_context_free(limits);
    pcre2_compile_context_free(compile);
    return rc;
}

enum umx_normalized umx_normalize(char *const *rules, size_t count, const char *number, char *out, size_t *rule)
{
    for (*rule = 0; *rule < count && *rule < RULES_MAX; (*rule)++) {
        int rc = apply_rule(rules[*rule], number, out);
        if (rc != 0)
            return rc > 0 ? UMX_NORMALIZED : UMX_NORMALIZED_NOT_KNOWN;
    }
    out[0] = '\0';
    return count > RULES_MAX ? UMX_NORMALIZED_NOT_KNOWN : UMX_NORMALIZED_NOTHING;
}

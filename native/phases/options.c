/* Options: --set SLUG.KEY=VALUE, validated against the registry before anything is planned. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "phases/phase.h"

const char *umx_option(const struct umx_options *options, const char *slug, const char *key)
{
    size_t slug_length = strlen(slug);
    size_t key_length = strlen(key);

    for (size_t i = 0; options != NULL && i < options->count; i++) {
        const char *text = options->texts[i];
        if (strncmp(text, slug, slug_length) == 0 && text[slug_length] == '.' &&
            strncmp(text + slug_length + 1, key, key_length) == 0 && text[slug_length + 1 + key_length] == '=')
            return text + slug_length + key_length + 2;
    }
    return NULL;
}

static int check_one(const struct umx_options *options, size_t index, const struct umx_phase *const *phases,
                     size_t phase_count, struct umx_error *err)
{
    const char *text = options->texts[index];
    size_t slug_length = strcspn(text, ".=");
    const char *equals = strchr(text, '=');
    const struct umx_phase *phase = NULL;

    if (text[slug_length] != '.' || equals == NULL)
        return umx_fail(err, UMX_ERR_OPTION_INVALID, text, "it is not of the form PHASE.KEY=VALUE");
    for (size_t i = 0; i < UMX_PHASE_COUNT; i++)
        if (strlen(umx_phases()[i].slug) == slug_length && strncmp(umx_phases()[i].slug, text, slug_length) == 0)
            phase = &umx_phases()[i];
    if (phase == NULL)
        return umx_fail(err, UMX_ERR_OPTION_UNKNOWN, text, "there is no phase %.*s", (int)slug_length, text);
    bool taken = phases == NULL;
    for (size_t i = 0; phases != NULL && i < phase_count; i++)
        taken = taken || phases[i] == phase;
    if (!taken)
        return umx_fail(err, UMX_ERR_OPTION_UNKNOWN, text, "phase %s is not part of this plan", phase->slug);
    const char *key = text + slug_length + 1;
    size_t key_length = (size_t)(equals - key);
    for (const struct umx_phase_option *option = phase->options; option != NULL && option->key != NULL; option++) {
        if (strlen(option->key) != key_length || strncmp(option->key, key, key_length) != 0)
            continue;
        for (size_t i = 0; i < index; i++)
            if (strncmp(options->texts[i], text, (size_t)(equals - text) + 1) == 0)
                return umx_fail(err, UMX_ERR_OPTION_INVALID, text, "%s.%s is given twice", phase->slug, option->key);
        return option->valid != NULL ? option->valid(equals + 1, err) : 0;
    }
    return umx_fail(err, UMX_ERR_OPTION_UNKNOWN, text, "phase %s has no option %.*s", phase->slug, (int)key_length,
                    key);
}

int umx_options_check(const struct umx_options *options, const struct umx_phase *const *phases, size_t phase_count,
                      struct umx_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && options != NULL && i < options->count; i++)
        rc = check_one(options, i, phases, phase_count, err);
    return rc;
}

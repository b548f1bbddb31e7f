#include "cli/args.h"

#include <string.h>

const struct umx_option *umx_args_option(const struct umx_option *options, const char *word)
{
    size_t length = strcspn(word, "=");

    for (; options != NULL && options->name != NULL; options++)
        if (strlen(options->name) == length && memcmp(options->name, word, length) == 0)
            return options;
    return NULL;
}

bool umx_args_flag(const struct umx_args *args, const char *name)
{
    for (size_t i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            return true;
    return false;
}

const char *umx_args_nth(const struct umx_args *args, const char *name, size_t index)
{
    for (size_t i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].option->name, name) == 0 && index-- == 0)
            return args->given[i].value;
    return NULL;
}

const char *umx_args_value(const struct umx_args *args, const char *name)
{
    return umx_args_nth(args, name, 0);
}

const char *umx_args_operand(const struct umx_args *args, size_t index)
{
    return index < args->operand_count ? args->operands[index] : NULL;
}

/* Counts the names of an operand pattern, and those that must be there. */
static void pattern_counts(const char *pattern, size_t *least, size_t *most)
{
    *least = *most = 0;
    while (*pattern != '\0') {
        size_t length = strcspn(pattern, " ");
        if (strstr(pattern, "...") != NULL && strstr(pattern, "...") < pattern + length)
            *most = UMX_ARGS_MAX;
        else
            *most += 1;
        if (pattern[0] != '[')
            *least += 1;
        pattern += length;
        pattern += strspn(pattern, " ");
    }
}

static int check_operands(const char *pattern, const struct umx_args *args, struct umx_error *err)
{
    size_t least, most;

    pattern_counts(pattern, &least, &most);
    if (args->operand_count > most)
        return umx_fail(err, UMX_ERR_USAGE, args->operands[most],
                        most == 0 ? "this command takes no operand" : "one operand too many; expected: %s", pattern);
    if (args->operand_count < least)
        return umx_fail(err, UMX_ERR_USAGE, pattern, "an operand is missing");
    return 0;
}

static int check_options(const struct umx_option *options, const struct umx_args *args, struct umx_error *err)
{
    for (; options != NULL && options->name != NULL; options++)
        if (options->required && !umx_args_flag(args, options->name))
            return umx_fail(err, UMX_ERR_USAGE, options->name, "this option is needed: %s", options->help);
    return 0;
}

/* Takes the option at words[*at]; moves *at to its value where that is the next word. */
static int take_option(const struct umx_option *option, const char *const *words, size_t count, size_t *at,
                       struct umx_args *out, struct umx_error *err)
{
    const char *equals = strchr(words[*at], '=');
    const char *value = NULL;

    if (option->value == NULL && equals != NULL)
        return umx_fail(err, UMX_ERR_USAGE, option->name, "the option takes no value");
    if (option->value != NULL && equals != NULL)
        value = equals + 1;
    else if (option->value != NULL) {
        if (*at + 1 >= count)
            return umx_fail(err, UMX_ERR_USAGE, option->name, "a value is missing: %s", option->value);
        value = words[++*at];
    }
    if (!option->many && umx_args_flag(out, option->name))
        return umx_fail(err, UMX_ERR_USAGE, option->name, "the option was given twice");
    out->given[out->given_count++] = (struct umx_given){option, value};
    return 0;
}

int umx_args_parse(const struct umx_option *options, const struct umx_option *global_options,
                   const char *operand_pattern, const char *const *words, size_t count, bool check_required,
                   struct umx_args *out, struct umx_error *err)
{
    bool operands_only = false;

    out->operand_count = out->given_count = 0;
    if (count > UMX_ARGS_MAX)
        return umx_fail(err, UMX_ERR_USAGE, "", "more than %d words", UMX_ARGS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (operands_only || words[i][0] != '-' || words[i][1] == '\0') {
            out->operands[out->operand_count++] = words[i];
            continue;
        }
        if (strcmp(words[i], "--") == 0) {
            operands_only = true;
            continue;
        }
        const struct umx_option *option = umx_args_option(options, words[i]);
        if (option == NULL)
            option = umx_args_option(global_options, words[i]);
        if (option == NULL)
            return umx_fail(err, UMX_ERR_USAGE, words[i], "there is no such option here");
        int status = take_option(option, words, count, &i, out, err);
        if (status != 0)
            return status;
    }
    if (!check_required)
        return 0;
    int status = check_options(options, out, err);
    if (status == 0 && operand_pattern != NULL)
        status = check_operands(operand_pattern, out, err);
    return status;
}

/*
 * The argument parser: options and operands of one command, from tables.
 * Accepts `--name VALUE`, `--name=VALUE`, `-o VALUE`, `--` (operands only from here), options before and after
 * operands. Nothing is copied: values point into argv.
 */
#ifndef UMX_CLI_ARGS_H
#define UMX_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { UMX_ARGS_MAX = 1024 }; /* words of one command line */

struct umx_option {
    const char *name;  /* "--phase", "-o"; NULL ends a table */
    const char *value; /* placeholder for help; NULL: a flag */
    bool many;         /* may be given more than once */
    bool required;
    const char *help;
};

struct umx_given {
    const struct umx_option *option;
    const char *value; /* NULL for a flag */
};

struct umx_args {
    const char *operands[UMX_ARGS_MAX];
    size_t operand_count;
    struct umx_given given[UMX_ARGS_MAX];
    size_t given_count;
};

/* Parses words with both tables of options (either may be NULL). operand_pattern: "NAME STEP", "[NAME]" in brackets is
 * optional, "[WORD...]" takes any number, NULL is not checked. UMX_ERR_USAGE names the word. check_required is false
 * while only looking (--help).
 */
int umx_args_parse(const struct umx_option *options, const struct umx_option *global_options,
                   const char *operand_pattern, const char *const *words, size_t count, bool check_required,
                   struct umx_args *out, struct umx_error *err);

/* The option of this spelling (up to `=`); NULL: none. */
const struct umx_option *umx_args_option(const struct umx_option *options, const char *word);

bool umx_args_flag(const struct umx_args *args, const char *name);
/* Value given last; NULL: not given. */
const char *umx_args_value(const struct umx_args *args, const char *name);
/* Value number index of an option that may be given often; NULL: no more. */
const char *umx_args_nth(const struct umx_args *args, const char *name, size_t index);
/* Operand number index or NULL. */
const char *umx_args_operand(const struct umx_args *args, size_t index);

#endif

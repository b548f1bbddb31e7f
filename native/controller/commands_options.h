/* The options of umxd's commands: each takes a value, --name may come again. For commands*.c alone. */
#ifndef UMX_CONTROLLER_COMMANDS_OPTIONS_H
#define UMX_CONTROLLER_COMMANDS_OPTIONS_H

#include <stddef.h>

#include "base/error.h"

enum { UMX_OPTIONS_NAMES = 16 };

struct umx_options {
    const char *data;
    const char *deployment;
    const char *out;
    const char *days;
    const char *log;
    const char *root;
    const char *root_key;
    const char *request;
    const char *names[UMX_OPTIONS_NAMES];
    size_t name_count;
    const char *rest[2]; /* what is no option */
    size_t rest_count;
};

int umx_options_parse(int argc, char **argv, struct umx_options *out, struct umx_error *err);
int umx_options_usage(struct umx_error *err, const char *what, const char *why); /* UMX_ERR_USAGE */

/* `umxd init --request FILE`, in commands_ca.c. */
int umx_command_init_request(const struct umx_options *options, struct umx_error *err);

#endif

#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"
#include "cli/width.h"

static void put_line(struct umx_cli *cli, const char *before, const char *text)
{
    struct umx_text line = {0};

    umx_width_add_printable(&line, text);
    fprintf(cli->out, "%s%s\n", before, umx_text_string(&line));
    umx_text_free(&line);
}

/* Commands stand unwrapped on lines of their own: they are there to be copied. */
static void view(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *grants = umx_document_array(document, "grants");
    const char *account = "";

    for (size_t i = 0; i < json_array_size(grants); i++) {
        const json_t *grant = json_array_get(grants, i);
        if (strcmp(account, umx_value_string(grant, "account")) != 0) {
            account = umx_value_string(grant, "account");
            put_line(cli, i > 0 ? "\n# account " : "# account ", account);
        }
        put_line(cli, "# ", umx_value_string(grant, "reason"));
        put_line(cli, "", umx_value_string(grant, "command"));
    }
}

UMX_COMMAND(grants_show)
{
    return umx_output_call(cli, "grants.show", json_pack("{s:s}", "forest", umx_args_operand(args, 0)), view, err);
}

/* `umx docs checks`: docs/checks.md, as the registry of phases writes it. */
#include "cli/commands.h"
#include "phases/phases.h"

UMX_COMMAND(docs_checks)
{
    struct umx_text text = {0};

    (void)args, (void)err;
    umx_phases_doc_checks(&text);
    fputs(umx_text_string(&text), cli->out);
    umx_text_free(&text);
    return UMX_EXIT_GOOD;
}

#include "cli/cli.h"
#include "cli/pump.h"
#include "cli/session.h"
#include "cli/terminal.h"

int umx_call(struct umx_cli *cli, const char *operation, json_t *arguments, const struct umx_call_sink *sink,
             struct umx_document *document, struct umx_error *err)
{
    struct umx_cli_session *session = NULL;
    struct umx_pump_source source;
    int status = umx_document_open(document, operation, err);

    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    umx_terminal_catch_interrupt();
    status = umx_cli_session_start(cli, operation, arguments, &session, &source, err);
    if (status == 0) {
        source.interrupted = umx_terminal_interrupted;
        status = umx_pump(cli, &source, sink, document, err);
    }
    umx_progress_clear(cli);
    umx_cli_session_close(session);
    return status;
}

int umx_output_call(struct umx_cli *cli, const char *operation, json_t *arguments, umx_view *view,
                    struct umx_error *err)
{
    struct umx_document document;
    int status = umx_call(cli, operation, arguments, NULL, &document, err);

    if (status == 0)
        status = umx_output(cli, &document, view, err);
    if (status == 0 && document.partial)
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    return status;
}

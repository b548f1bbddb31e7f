#include "cli/pump.h"

enum {
    TURN_MS = 200,    /* how soon an interrupt is noticed */
    CANCEL_TURNS = 5, /* how long a cancelled operation may take to end by itself */
};

/* What people see while it runs; the body stays the caller's. */
static void show(struct umx_cli *cli, const struct umx_pump_event *event)
{
    if (event->kind == UMX__RUN_EVENT__KIND__PROGRESS)
        umx_progress_show(cli, event->body);
    else if (event->kind == UMX__RUN_EVENT__KIND__WARNING)
        umx_progress_problem(cli, "warning", event->body);
    else if (event->kind == UMX__RUN_EVENT__KIND__ERROR)
        umx_progress_problem(cli, "error", event->body);
}

static int take(struct umx_cli *cli, struct umx_pump_event *event, const struct umx_call_sink *sink,
                struct umx_document *document, struct umx_error *err)
{
    int status = 0;

    if (event->kind == UMX__RUN_EVENT__KIND__PROGRESS && sink != NULL && sink->progress != NULL)
        sink->progress(sink->user, event->body);
    else
        show(cli, event);
    if (event->kind == UMX__RUN_EVENT__KIND__ITEM && event->body != NULL && sink != NULL) {
        status = sink->item(sink->user, event->type, event->body, err);
        if (status != 0 || !sink->keep) {
            json_decref(event->body);
            return status;
        }
    }
    return umx_document_event(document, event->kind, event->type, event->body, err);
}

/* Nobody waits for an answer any more, but the other side should hear of it before the connection goes. */
static int cancel(const struct umx_pump_source *source, struct umx_error *err)
{
    struct umx_error ignored = {0};
    struct umx_pump_event event = {0};

    source->cancel(source->user);
    for (int i = 0; i < CANCEL_TURNS; i++) {
        int next = source->next(source->user, TURN_MS, &event, &ignored);
        if (next == UMX_PUMP_EVENT)
            json_decref(event.body);
        if (next < 0 || next == UMX_PUMP_END)
            break;
    }
    return umx_fail(err, UMX_ERR_CANCELLED, "", NULL);
}

int umx_pump(struct umx_cli *cli, const struct umx_pump_source *source, const struct umx_call_sink *sink,
             struct umx_document *document, struct umx_error *err)
{
    for (;;) {
        struct umx_pump_event event = {0};
        if (source->interrupted != NULL && source->interrupted())
            return cancel(source, err);
        int next = source->next(source->user, TURN_MS, &event, err);
        if (next < 0)
            return next;
        if (next == UMX_PUMP_END)
            break;
        if (next == UMX_PUMP_TIMEOUT)
            continue;
        int status = take(cli, &event, sink, document, err);
        if (status != 0) {
            struct umx_error why = err != NULL ? *err : (struct umx_error){0};
            cancel(source, NULL);
            if (err != NULL)
                *err = why;
            return status;
        }
        if (document->ended)
            return 0;
    }
    return umx_fail(err, UMX_ERR_ANSWER_INVALID, "", "the answer ended before its end");
}

/*
 * Whether what a step promises has come true. Shell writes replicate and services take their time, so it is looked at
 * again for a while; the lane does other steps meanwhile.
 */
#include <string.h>

#include "controller/step_work.h"
#include "phases/records.h"

/* What of a promise has to be seen. */
enum belief {
    NOTHING,        /* all of it */
    WHAT_IS_BLIND,  /* somebody vouches for what cannot be seen; what did not answer may at another try */
    WHAT_IS_SILENT, /* the tries are over: for that too */
};

static int differences(struct umx_work *w, const struct umx_promise_reading *reading, enum belief belief, bool *kept,
                       struct umx_text *lines)
{
    Umx__World *predicted = w->step->predicted, *removed = w->step->removed;
    int status = 0;

    if (belief != NOTHING) {
        status = umx_promise_seen(reading, w->step, w->step->predicted, w->arena, &predicted, w->err);
        if (status == 0)
            status = umx_promise_seen(reading, w->step, w->step->removed, w->arena, &removed, w->err);
    }
    if (status != 0)
        return status;
    size_t found = umx_records_differences(umx_world_records(reading->world), predicted, removed, lines);
    bool enough = belief == NOTHING ? reading->blind_count == 0 : belief == WHAT_IS_SILENT || !reading->failed;
    *kept = found == 0 && enough;
    if (!enough)
        umx_text_adds(lines, umx_text_string(&reading->blind));
    return 0;
}

/* away: the server whose agent keeps us from seeing it, or "". */
static int look(struct umx_work *w, enum belief belief, bool *kept, char away[UMX_FQDN_MAX], struct umx_text *lines)
{
    struct umx_promise_reading reading;

    *kept = false;
    away[0] = '\0';
    int status = umx_references_promise(w->plan, w->step, w->arena, w->err);
    if (status != 0)
        return status;
    umx_work_unlock(w);
    umx_engine_crash(UMX_POINT_COLLECT, false, w->id);
    status = umx_promise_read(w->engine, &w->step, 1, w->arena, &reading, w->err);
    umx_engine_crash(UMX_POINT_COLLECT, true, w->id);
    umx_work_lock(w);
    if (status == 0)
        status = differences(w, &reading, belief, kept, lines);
    if (status == 0 && !*kept && reading.away != NULL && belief == NOTHING)
        umx_text_copy(away, UMX_FQDN_MAX, reading.away);
    umx_promise_forget(&reading);
    return status;
}

int umx_work_look(struct umx_work *w, bool *kept, struct umx_text *lines)
{
    char away[UMX_FQDN_MAX];

    return look(w, NOTHING, kept, away, lines);
}

enum umx_step_result umx_work_verify_promise(struct umx_work *w)
{
    struct umx_text lines = {0};
    char away[UMX_FQDN_MAX];
    bool kept = false;

    if (!umx_promise_has(w->step))
        return umx_work_verified(w);
    const bool over =
        w->state->since != 0 && umx_clock_monotonic() - w->state->since >= w->engine->options.promise_deadline;
    int status = look(w, !w->state->commented ? NOTHING : over ? WHAT_IS_SILENT : WHAT_IS_BLIND, &kept, away, &lines);
    if (status == 0 && kept) {
        umx_text_free(&lines);
        return umx_work_verified(w);
    }
    if (status != 0 && w->err->id == UMX_ERR_REFERENCE_UNRESOLVED) {
        struct umx_error why = *w->err;
        umx_text_free(&lines);
        return umx_work_fail(w, &why);
    }
    if (status != 0 || umx_run_halted(w->plan->run)) {
        umx_text_free(&lines);
        return UMX_STEP_SUSPENDS; /* the step stays `done`, and is verified when the plan goes on */
    }
    if (away[0] != '\0') {
        umx_text_free(&lines);
        return umx_work_away(w, away, "what the step did cannot be verified without its agent");
    }
    w->state->away_since = 0;
    const int64_t now = umx_clock_monotonic();
    if (w->state->since == 0)
        w->state->since = now;
    if (now - w->state->since >= w->engine->options.promise_deadline)
        return umx_work_fail_lines(w, UMX_ERR_VERIFY_FAILED, &lines);
    umx_text_free(&lines);
    umx_work_hold(w);
    return UMX_STEP_GOES_ON;
}

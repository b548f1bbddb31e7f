/*
 * One step of a plan, by kind: how it takes effect and how it is settled when nobody knows whether it did.
 */
#include <stdio.h>
#include <string.h>

#include "controller/step_work.h"

void umx_work_unlock(struct umx_work *w)
{
    pthread_mutex_unlock(&w->engine->mutex);
}

void umx_work_lock(struct umx_work *w)
{
    pthread_mutex_lock(&w->engine->mutex);
}

/* ---- recording. When the journal cannot be written nothing more may start. */

enum umx_step_result umx_work_recorded(int status)
{
    return status == 0 ? UMX_STEP_GOES_ON : UMX_STEP_SUSPENDS;
}

enum umx_step_result umx_work_fail(struct umx_work *w, const struct umx_error *why)
{
    return umx_work_recorded(
        umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__STEP_FAILED, w->id, NULL, why, NULL, w->err));
}

enum umx_step_result umx_work_verified(struct umx_work *w)
{
    return umx_work_recorded(
        umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__VERIFIED, w->id, NULL, NULL, NULL, w->err));
}

enum umx_step_result umx_work_fail_lines(struct umx_work *w, enum umx_error_id id, struct umx_text *lines)
{
    struct umx_error why = {0};

    umx_fail(&why, id, w->step->target != NULL ? w->step->target : w->id, "%s", umx_text_string(lines));
    umx_text_free(lines);
    return umx_work_fail(w, &why);
}

int umx_work_effect(struct umx_work *w, const ProtobufCBinaryData *guid, const char *detail)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;

    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__EFFECT;
    entry.step = w->step->id;
    entry.detail = detail != NULL ? umx_arena_string(w->arena, detail) : NULL;
    if (guid != NULL && guid->len > 0) {
        entry.has_object_guid = 1;
        entry.object_guid = *guid;
    }
    return umx_engine_append(w->engine, w->plan, &entry, NULL, w->err);
}

int umx_work_settled(struct umx_work *w, Umx__Intent__Outcome outcome, const Umx__ObjectState *state)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    char error[16];

    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__SETTLED;
    entry.step = w->step->id;
    entry.has_outcome = 1;
    entry.outcome = outcome;
    if (outcome == UMX__INTENT__OUTCOME__OURS && state != NULL && state->has_object_guid) {
        entry.has_object_guid = 1;
        entry.object_guid = state->object_guid;
    }
    if (outcome == UMX__INTENT__OUTCOME__FOREIGN) {
        struct umx_text lines = {0};
        snprintf(error, sizeof error, "UMX-%d", UMX_ERR_FOREIGN_CHANGE);
        entry.error = error;
        if (state != NULL)
            umx_image_differences(w->step, true, UMX_GRAIN_VALUE, state, NULL, NULL, &lines);
        entry.detail = umx_arena_string(w->arena, lines.length > 0 ? umx_text_string(&lines)
                                                                   : "the object was changed by somebody else");
        umx_text_free(&lines);
    }
    return umx_engine_append(w->engine, w->plan, &entry, NULL, w->err);
}

/* ---- holding */

enum { PAUSE_LAST = 15 /* seconds */ };

void umx_work_hold(struct umx_work *w)
{
    struct umx_step_state *state = w->state;

    state->pause = state->pause == 0 ? w->engine->options.poll_interval : 2 * state->pause;
    if (state->pause > PAUSE_LAST * UMX_SECOND)
        state->pause = PAUSE_LAST * UMX_SECOND;
    state->hold_until = umx_clock_monotonic() + state->pause;
}

enum umx_step_result umx_work_away(struct umx_work *w, const char *server, const char *why)
{
    const int64_t now = umx_clock_monotonic();

    if (w->state->away_since == 0)
        w->state->away_since = now;
    umx_work_hold(w);
    memset(w->err, 0, sizeof *w->err);
    if (now - w->state->away_since < w->engine->options.away_deadline)
        return UMX_STEP_GOES_ON;
    umx_fail(w->err, UMX_ERR_AGENT_AWAY, server, "step %s waits for it: %s", w->id, why);
    return UMX_STEP_SUSPENDS;
}

/* ---- the table: each kind of change is a row {effect, probe}; a retry is a new effect after a probe said not-done */

static const struct row {
    Umx__Change__Kind kind;
    enum umx_step_result (*effect)(struct umx_work *w);
    int (*settle)(struct umx_work *w, bool writer);
} rows[] = {
    {UMX__CHANGE__KIND__ADD, umx_work_run_directory, umx_work_settle_directory},
    {UMX__CHANGE__KIND__DELETE, umx_work_run_directory, umx_work_settle_directory},
    {UMX__CHANGE__KIND__MODIFY, umx_work_run_directory, umx_work_settle_directory},
    {UMX__CHANGE__KIND__ACCESS, umx_work_run_directory, umx_work_settle_directory},
    {UMX__CHANGE__KIND__ACTION, umx_work_run_action, umx_work_settle_action},
    {UMX__CHANGE__KIND__GATE, umx_work_run_gate, NULL},
    {UMX__CHANGE__KIND__WAIT, umx_work_run_wait, NULL},
};

static const struct row *row_of(Umx__Change__Kind kind)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == kind)
            return &rows[i];
    return NULL;
}

static int prepare(struct umx_work *w, struct umx_engine *engine, struct umx_plan_state *plan,
                   struct umx_step_state *step, struct umx_error *err)
{
    memset(w, 0, sizeof *w);
    w->engine = engine;
    w->plan = plan;
    w->state = step;
    w->id = step->step->id;
    w->err = err;
    w->undo = plan->plan->undo_of != NULL;
    w->arena = umx_arena_new(UMX_WORK_ARENA);
    if (w->arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, w->id, NULL);
    return umx_references_resolve(plan, step->step, w->arena, &w->step, err);
}

enum umx_step_result umx_step_run(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_step_state *step,
                                  struct umx_pin *pin, struct umx_error *err)
{
    struct umx_work w;
    enum umx_step_result result = UMX_STEP_SUSPENDS;
    const struct row *row = row_of(step->step->kind);

    int status = prepare(&w, engine, plan, step, err);
    w.pin = pin;
    if (status == 0 && row != NULL)
        result = row->effect(&w);
    else if (status != 0 && err->id == UMX_ERR_REFERENCE_UNRESOLVED) {
        struct umx_error why = *err;
        w.step = NULL;
        result = umx_work_fail(&w, &why);
    } else if (row == NULL)
        umx_fail(err, UMX_ERR_ENGINE_INCOMPATIBLE, w.id, "the kind of its change is unknown");
    umx_arena_free(w.arena);
    return result;
}

int umx_step_settle(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_step_state *step, bool writer,
                    struct umx_error *err)
{
    struct umx_work w;
    const struct row *row = row_of(step->step->kind);

    if (row == NULL || row->settle == NULL)
        return 0;
    int status = prepare(&w, engine, plan, step, err);
    if (status == 0)
        status = row->settle(&w, writer);
    umx_arena_free(w.arena);
    if (status != 0 && step->state == UMX__PLAN_STEP__STATE__INTENDED) { /* interrupted, and now known to be unknown */
        struct umx_error why = *err, ignored = {0};
        umx_engine_note(engine, plan, UMX__JOURNAL__KIND__UNCERTAIN, step->step->id, NULL, &why, NULL, &ignored);
    }
    return status;
}

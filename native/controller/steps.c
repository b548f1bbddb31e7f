/*
 * One step of a plan, by kind: how it takes effect and how it is settled when nobody knows whether it did.
 */
#include "controller/engine_private.h"

#include <stdio.h>
#include <string.h>

#include "controller/batch.h"

enum { ATTEMPTS_MAX = 3, WAIT_DEFAULT = 900 /* seconds */ };

struct work {
    struct umx_engine *engine;
    struct umx_plan_state *plan;
    struct umx_step_state *state;
    const char *id;
    struct umx_pin *pin;
    struct umx_arena *arena;
    Umx__PlanStep *step; /* resolved copy */
    bool undo;
    struct umx_error *err;
};

static void unlock(struct work *w)
{
    pthread_mutex_unlock(&w->engine->mutex);
}

static void lock(struct work *w)
{
    pthread_mutex_lock(&w->engine->mutex);
}

/* ---- recording. When the journal cannot be written nothing more may start. */

static enum umx_step_result recorded(int status)
{
    return status == 0 ? UMX_STEP_GOES_ON : UMX_STEP_SUSPENDS;
}

static enum umx_step_result fail_step(struct work *w, const struct umx_error *why)
{
    return recorded(
        umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__STEP_FAILED, w->id, NULL, why, NULL, w->err));
}

static enum umx_step_result record_verified(struct work *w)
{
    return recorded(umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__VERIFIED, w->id, NULL, NULL, NULL, w->err));
}

static enum umx_step_result fail_with_lines(struct work *w, enum umx_error_id id, struct umx_text *lines)
{
    struct umx_error why = {0};

    umx_fail(&why, id, w->step->target != NULL ? w->step->target : w->id, "%s", umx_text_string(lines));
    umx_text_free(lines);
    return fail_step(w, &why);
}

static int record_effect(struct work *w, const ProtobufCBinaryData *guid, const char *detail)
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

static int record_settled(struct work *w, Umx__Intent__Outcome outcome, const Umx__ObjectState *state)
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

/* ---- directory changes */

static void pin_of(const Umx__Intent *intent, struct umx_pin *pin)
{
    memset(pin, 0, sizeof *pin);
    if (intent == NULL)
        return;
    if (intent->domain_controller != NULL)
        umx_text_copy(pin->name, sizeof pin->name, intent->domain_controller);
    if (intent->has_invocation_id && intent->invocation_id.len <= sizeof pin->invocation) {
        memcpy(pin->invocation, intent->invocation_id.data, intent->invocation_id.len);
        pin->invocation_length = intent->invocation_id.len;
    }
}

static int record_intent(struct work *w, const Umx__ObjectState *state, Umx__Intent *intent)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;

    intent->domain_controller = state->domain_controller;
    intent->has_invocation_id = state->has_invocation_id;
    intent->invocation_id = state->invocation_id;
    intent->has_object_guid = state->has_object_guid;
    intent->object_guid = state->object_guid;
    intent->before = umx_image_of(state, w->step, w->arena);
    if (intent->before == NULL)
        return umx_fail(w->err, UMX_ERR_ARENA_FULL, w->step->change->dn, NULL);
    intent->n_version = state->n_version;
    intent->version = state->version;
    intent->has_descriptor = state->has_descriptor;
    intent->descriptor = state->descriptor;
    if (w->step->kind == UMX__CHANGE__KIND__DELETE) {
        intent->n_incoming_link = state->n_incoming_link;
        intent->incoming_link = state->incoming_link;
    }
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__INTENT;
    entry.step = w->step->id;
    entry.intent = intent;
    return umx_engine_append(w->engine, w->plan, &entry, NULL, w->err);
}

static int probe_directory(struct work *w, bool writer, Umx__Intent__Outcome *outcome, Umx__ObjectState **state)
{
    Umx__Probe probe = UMX__PROBE__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    Umx__Intent *intent = umx_reflect_copy(&w->state->intent->base, w->arena);

    if (intent == NULL)
        return umx_fail(w->err, UMX_ERR_ARENA_FULL, w->id, NULL);
    probe.change = w->step->change;
    probe.intent = intent;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_PROBE;
    request.probe = &probe;
    unlock(w);
    int status = umx_engine_call(w->engine, w->step->forest, writer, &request, w->arena, &reply, w->err);
    lock(w);
    if (status != 0)
        return status;
    if (reply->reply_case != UMX__WORKER_REPLY__REPLY_OUTCOME)
        return umx_fail(w->err, UMX_ERR_PROTOCOL, w->step->forest, "the worker sent no outcome");
    *outcome = reply->outcome;
    *state = reply->state;
    return 0;
}

/* Not-done must be said twice with a pause between: a request that a frozen domain controller still holds may be
 * applied just after it answers the first question. */
static int settle_directory(struct work *w, bool writer)
{
    Umx__Intent__Outcome outcome = UMX__INTENT__OUTCOME__UNCERTAIN;
    Umx__ObjectState *state = NULL;

    if (w->state->intent == NULL)
        return umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "its intent is not in the journal");
    int status = probe_directory(w, writer, &outcome, &state);
    if (status == 0 && outcome == UMX__INTENT__OUTCOME__NOT_DONE && w->engine->options.settle_delay > 0) {
        int64_t end = umx_clock_monotonic() + w->engine->options.settle_delay;
        for (int64_t left; (left = end - umx_clock_monotonic()) > 0;) {
            if (w->engine->closing)
                return umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "the controller is stopping");
            umx_engine_sleep(w->engine, left);
        }
        status = probe_directory(w, writer, &outcome, &state);
    }
    if (status == 0 && outcome != UMX__INTENT__OUTCOME__UNCERTAIN)
        return record_settled(w, outcome, state);
    struct umx_error why = *w->err;
    return umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "%s of %s: %s",
                    w->state->intent->domain_controller != NULL ? w->state->intent->domain_controller
                                                                : "the controller",
                    w->step->forest, status != 0 ? umx_error_why(&why) : "it cannot say yet");
}

static enum umx_step_result verify_directory(struct work *w)
{
    Umx__ObjectState *state = NULL;
    struct umx_pin pin;
    struct umx_text lines = {0};
    ProtobufCBinaryData guid = w->state->object_guid;

    if (guid.len == 0 && w->state->intent != NULL && w->state->intent->has_object_guid)
        guid = w->state->intent->object_guid;
    pin_of(w->state->intent, &pin);
    unlock(w);
    int status =
        umx_engine_read_object(w->engine, true, w->step, guid.len > 0 ? &guid : NULL, &pin, w->arena, &state, w->err);
    lock(w);
    if (status != 0 && umx_engine_may_have_happened(w->err))
        return UMX_STEP_SUSPENDS; /* the step stays `done`; it is verified when the domain controller is back */
    if (status != 0) {
        struct umx_error why = *w->err;
        return fail_step(w, &why);
    }
    if (umx_image_differences(w->step, true, UMX_GRAIN_VALUE, state, NULL, NULL, &lines) > 0)
        return fail_with_lines(w, UMX_ERR_VERIFY_FAILED, &lines);
    umx_text_free(&lines);
    return record_verified(w);
}

/* The write was not answered with a plain yes. */
static enum umx_step_result doubt(struct work *w)
{
    struct umx_error why = *w->err;
    bool refused = !umx_engine_may_have_happened(&why);

    int status = umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__UNCERTAIN, w->id, NULL, &why, NULL, w->err);
    if (status != 0)
        return UMX_STEP_SUSPENDS;
    if (why.status == UMX_E_TIMEOUT) { /* it would only cost another deadline now */
        umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "%s", umx_error_why(&why));
        return UMX_STEP_SUSPENDS;
    }
    if (settle_directory(w, true) != 0)
        return UMX_STEP_SUSPENDS;
    if (w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return verify_directory(w);
    if (w->state->state == UMX__PLAN_STEP__STATE__PENDING && (refused || w->state->attempts >= ATTEMPTS_MAX))
        return fail_step(w, &why);
    return UMX_STEP_GOES_ON; /* pending: tried again; failed: somebody else's change */
}

static enum umx_step_result apply(struct work *w, Umx__Intent *intent)
{
    Umx__Apply message = UMX__APPLY__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    const ProtobufCBinaryData *guid = NULL;

    message.change = w->step->change;
    message.intent = intent;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_APPLY;
    request.apply = &message;
    unlock(w);
    umx_engine_crash(UMX_POINT_APPLY, false);
    int status = umx_engine_call(w->engine, w->step->forest, true, &request, w->arena, &reply, w->err);
    umx_engine_crash(UMX_POINT_APPLY, true);
    lock(w);
    if (status != 0) {
        struct umx_error why = *w->err;
        /* A retry that is refused may be refused because the first try came through after all. */
        if (umx_engine_may_have_happened(&why) || w->state->attempts > 1)
            return doubt(w);
        return fail_step(w, &why);
    }
    const Umx__ObjectState *state = reply->state != NULL                                   ? reply->state
                                    : reply->reply_case == UMX__WORKER_REPLY__REPLY_OBJECT ? reply->object
                                                                                           : NULL;
    if (state != NULL && state->has_object_guid)
        guid = &state->object_guid;
    else if (intent->has_object_guid)
        guid = &intent->object_guid;
    if (record_effect(w, guid, NULL) != 0)
        return UMX_STEP_SUSPENDS;
    return verify_directory(w);
}

static enum umx_step_result run_directory(struct work *w)
{
    Umx__ObjectState *state = NULL, *saved = NULL;
    struct umx_text lines = {0};
    Umx__Intent *intent = umx_reflect_new(&umx__intent__descriptor, w->arena);

    if (w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return verify_directory(w);
    if (intent == NULL) {
        umx_fail(w->err, UMX_ERR_ARENA_FULL, w->id, NULL);
        return UMX_STEP_SUSPENDS;
    }
    unlock(w);
    int status = umx_engine_read_object(w->engine, true, w->step, NULL, w->pin, w->arena, &state, w->err);
    if (status == 0 && w->step->kind == UMX__CHANGE__KIND__DELETE && state->exists)
        status = umx_engine_read_saved(w->engine, w->step->forest, state, w->arena, &saved, w->err);
    lock(w);
    if (status != 0 && umx_engine_may_have_happened(w->err))
        return UMX_STEP_SUSPENDS; /* nothing was sent: the plan can go on when the forest answers again */
    if (status != 0) {
        struct umx_error why = *w->err;
        return fail_step(w, &why);
    }
    if (umx_image_differences(w->step, false, w->undo ? UMX_GRAIN_VALUE : UMX_GRAIN_ATTRIBUTE, state, NULL, NULL,
                              &lines) > 0)
        return fail_with_lines(w, UMX_ERR_FOREIGN_CHANGE, &lines);
    umx_text_free(&lines);
    if (w->pin->invocation_length == 0 && w->pin->name[0] == '\0') {
        Umx__Intent from = UMX__INTENT__INIT;
        from.domain_controller = state->domain_controller;
        from.has_invocation_id = state->has_invocation_id;
        from.invocation_id = state->invocation_id;
        pin_of(&from, w->pin);
    }
    if (saved != NULL) {
        intent->n_saved = saved->n_attribute;
        intent->saved = saved->attribute;
    }
    if (record_intent(w, state, intent) != 0)
        return UMX_STEP_SUSPENDS;
    return apply(w, intent);
}

/* ---- agent actions */

/* Sends the batch of the newest attempt, or only asks what became of it, and records what came of it. */
static int send_batch(struct work *w, bool ask)
{
    struct umx_batch_result result = {0};
    Umx__ActionBatch batch = UMX__ACTION_BATCH__INIT;

    umx_batch_fill(&batch, w->plan->hash, w->step, w->state->attempts, w->arena);
    if (batch.batch == NULL)
        return umx_fail(w->err, UMX_ERR_ARENA_FULL, w->id, NULL);
    batch.has_timeout = 1;
    batch.timeout = (int32_t)(w->engine->options.act_deadline / UMX_SECOND);
    batch.has_ask = ask;
    batch.ask = ask;
    unlock(w);
    umx_engine_crash(UMX_POINT_ACT, false);
    int status = umx_batch_send(w->engine, w->step->change->action->server, &batch, w->arena, &result, w->err);
    umx_engine_crash(UMX_POINT_ACT, true);
    lock(w);
    if (status != 0)
        return status;
    if (ask && batch.n_item > 0 && result.not_done == batch.n_item)
        return record_settled(w, UMX__INTENT__OUTCOME__NOT_DONE, NULL);
    if (result.good > 0 || result.failed == 0)
        status = record_effect(w, NULL, result.json);
    if (status != 0)
        return status;
    if (result.failed == 0)
        return umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__VERIFIED, w->id, NULL, NULL, NULL, w->err);
    struct umx_error why = {0};
    umx_fail(&why, UMX_ERR_ACTION_FAILED, w->step->change->action->server, "%s", result.problems);
    return fail_step(w, &why) == UMX_STEP_GOES_ON ? 0 : w->err->status;
}

static bool never_sent(const struct umx_error *err)
{
    return err->id == UMX_ERR_AGENT_UNKNOWN || err->id == UMX_ERR_ACTION_UNKNOWN || err->status == UMX_E_UNSUPPORTED;
}

/* The agent journals its batches, so it can tell what became of one. It is asked and nothing else: whether the action
 * may still be done depends on the approvals, the window and the operators, as before any step. */
static int settle_action(struct work *w, bool writer)
{
    (void)writer;
    int status = send_batch(w, true);
    if (status == 0)
        return 0;
    struct umx_error why = *w->err;
    return umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "%s: %s", w->step->change->action->server,
                    umx_error_why(&why));
}

static enum umx_step_result run_action(struct work *w)
{
    if (w->state->state == UMX__PLAN_STEP__STATE__DONE) /* every item is in the journal as done */
        return record_verified(w);
    if (umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__INTENT, w->id, NULL, NULL, NULL, w->err) != 0)
        return UMX_STEP_SUSPENDS;
    if (send_batch(w, false) == 0)
        return UMX_STEP_GOES_ON;
    struct umx_error why = *w->err;
    if (never_sent(&why))
        return fail_step(w, &why);
    if (why.id == UMX_ERR_STORE_WRITE || why.id == UMX_ERR_JOURNAL_BROKEN)
        return UMX_STEP_SUSPENDS;
    if (umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__UNCERTAIN, w->id, NULL, &why, NULL, w->err) == 0)
        umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "%s", umx_error_why(&why));
    return UMX_STEP_SUSPENDS;
}

/* ---- gates and waits */

static enum umx_step_result run_gate(struct work *w)
{
    const Umx__GateChange *gate = w->step->change->gate;

    if (w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return record_verified(w); /* confirmed */
    if (w->state->waits)
        return UMX_STEP_GOES_ON;
    return recorded(umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__INTENT, w->id, NULL, NULL,
                                    gate != NULL ? gate->reason : NULL, w->err));
}

/* Every domain controller known has what the step that the wait follows has made. Asked by the writer: its next request
 * names its domain controller again, while the reader would stay with the last one that it was led to. */
static int replicated(struct work *w, const Umx__PlanStep *made, bool *ready)
{
    const struct umx_engine_forest *forest = umx_engine_forest_of(w->engine, made->forest);
    int status = 0;

    for (size_t i = 0; forest != NULL && *ready && status == 0 && i < forest->domain_controller_count; i++) {
        struct umx_pin pin = {.invocation_length = 0};
        Umx__ObjectState *state = NULL;
        struct umx_text lines = {0};
        umx_text_copy(pin.name, sizeof pin.name, forest->domain_controllers[i]);
        status = umx_engine_read_object(w->engine, true, made, NULL, &pin, w->arena, &state, w->err);
        if (status == 0)
            *ready = umx_image_differences(made, true, UMX_GRAIN_VALUE, state, NULL, NULL, &lines) == 0;
        umx_text_free(&lines);
    }
    return status;
}

static bool is_directory(Umx__Change__Kind kind)
{
    return kind == UMX__CHANGE__KIND__ADD || kind == UMX__CHANGE__KIND__DELETE || kind == UMX__CHANGE__KIND__MODIFY ||
           kind == UMX__CHANGE__KIND__ACCESS;
}

static int look_replication(struct work *w, bool *ready)
{
    size_t count = 0;
    Umx__PlanStep **made = umx_arena_alloc(w->arena, (w->step->n_depends + 1) * sizeof(Umx__PlanStep *));
    int status = made == NULL ? umx_fail(w->err, UMX_ERR_ARENA_FULL, w->id, NULL) : 0;

    for (size_t i = 0; status == 0 && i < w->step->n_depends; i++) {
        struct umx_step_state *other = umx_states_step(w->plan, w->step->depends[i]);
        if (other != NULL && is_directory(other->step->kind))
            status = umx_references_resolve(w->plan, other->step, w->arena, &made[count++], w->err);
    }
    *ready = true;
    unlock(w);
    for (size_t i = 0; status == 0 && *ready && i < count; i++)
        status = replicated(w, made[i], ready);
    lock(w);
    return status;
}

static int look(struct work *w, bool *ready)
{
    const Umx__WaitChange *wait = w->step->change->wait;

    if (wait != NULL && wait->what != NULL && strcmp(wait->what, "replication") == 0)
        return look_replication(w, ready);
    if (w->engine->ports.ready == NULL)
        return umx_fail(w->err, UMX_ERR_OPERATION_UNKNOWN, w->id, "nobody here can tell");
    unlock(w);
    int status = w->engine->ports.ready(w->engine->ports.user, w->step, ready, w->err);
    lock(w);
    return status;
}

static enum umx_step_result run_wait(struct work *w)
{
    const Umx__WaitChange *wait = w->step->change->wait;
    int64_t timeout =
        (wait != NULL && wait->has_timeout && wait->timeout > 0 ? wait->timeout : WAIT_DEFAULT) * UMX_SECOND;
    bool ready = false;

    if (w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return record_verified(w);
    if (!w->state->waits)
        return recorded(umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__INTENT, w->id, NULL, NULL,
                                        wait != NULL ? wait->what : NULL, w->err));
    int status = look(w, &ready);
    if (w->state->state != UMX__PLAN_STEP__STATE__INTENDED)
        return UMX_STEP_GOES_ON; /* confirmed by an operator in the meantime */
    if (status == 0 && ready)
        return record_verified(w);
    if (status == UMX_E_UNSUPPORTED || umx_clock_now() - w->state->intended_at < timeout)
        return UMX_STEP_GOES_ON;
    struct umx_error why = {0};
    umx_fail(&why, UMX_ERR_WAIT_OVER, w->step->target != NULL ? w->step->target : w->id, "%s",
             status != 0 ? umx_error_why(w->err) : "not there after the step's time");
    return fail_step(w, &why);
}

/* ---- the table: each kind of change is a row {effect, probe}; a retry is a new effect after a probe said not-done */

static const struct row {
    Umx__Change__Kind kind;
    enum umx_step_result (*effect)(struct work *w);
    int (*settle)(struct work *w, bool writer);
} rows[] = {
    {UMX__CHANGE__KIND__ADD, run_directory, settle_directory},
    {UMX__CHANGE__KIND__DELETE, run_directory, settle_directory},
    {UMX__CHANGE__KIND__MODIFY, run_directory, settle_directory},
    {UMX__CHANGE__KIND__ACCESS, run_directory, settle_directory},
    {UMX__CHANGE__KIND__ACTION, run_action, settle_action},
    {UMX__CHANGE__KIND__GATE, run_gate, NULL},
    {UMX__CHANGE__KIND__WAIT, run_wait, NULL},
};

static const struct row *row_of(Umx__Change__Kind kind)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == kind)
            return &rows[i];
    return NULL;
}

static int prepare(struct work *w, struct umx_engine *engine, struct umx_plan_state *plan, struct umx_step_state *step,
                   struct umx_error *err)
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
    struct work w;
    enum umx_step_result result = UMX_STEP_SUSPENDS;
    const struct row *row = row_of(step->step->kind);

    int status = prepare(&w, engine, plan, step, err);
    w.pin = pin;
    if (status == 0 && row != NULL)
        result = row->effect(&w);
    else if (status != 0 && err->id == UMX_ERR_REFERENCE_UNRESOLVED) {
        struct umx_error why = *err;
        w.step = NULL;
        result = fail_step(&w, &why);
    } else if (row == NULL)
        umx_fail(err, UMX_ERR_ENGINE_INCOMPATIBLE, w.id, "the kind of its change is unknown");
    umx_arena_free(w.arena);
    return result;
}

int umx_step_settle(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_step_state *step, bool writer,
                    struct umx_error *err)
{
    struct work w;
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

/*
 * A step that changes one object of a directory: what was read before, the intent, the change, what is read back.
 */
#include <string.h>

#include "controller/step_work.h"

enum { ATTEMPTS_MAX = 3 };

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

static int record_intent(struct umx_work *w, const Umx__ObjectState *state, Umx__Intent *intent)
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

static int probe_directory(struct umx_work *w, bool writer, Umx__Intent__Outcome *outcome, Umx__ObjectState **state)
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
    umx_work_unlock(w);
    int status = umx_engine_call(w->engine, w->step->forest, writer, &request, w->arena, &reply, w->err);
    umx_work_lock(w);
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
int umx_work_settle_directory(struct umx_work *w, bool writer)
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
        return umx_work_settled(w, outcome, state);
    struct umx_error why = *w->err;
    return umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "%s of %s: %s",
                    w->state->intent->domain_controller != NULL ? w->state->intent->domain_controller
                                                                : "the controller",
                    w->step->forest, status != 0 ? umx_error_why(&why) : "it cannot say yet");
}

static enum umx_step_result verify_directory(struct umx_work *w)
{
    Umx__ObjectState *state = NULL;
    struct umx_pin pin;
    struct umx_text lines = {0};
    ProtobufCBinaryData guid = w->state->object_guid;

    if (guid.len == 0 && w->state->intent != NULL && w->state->intent->has_object_guid)
        guid = w->state->intent->object_guid;
    /* Who settled it by word did so because that domain controller says nothing any more. */
    pin_of(w->state->commented ? NULL : w->state->intent, &pin);
    umx_work_unlock(w);
    int status =
        umx_engine_read_object(w->engine, true, w->step, guid.len > 0 ? &guid : NULL, &pin, w->arena, &state, w->err);
    umx_work_lock(w);
    if (status != 0 && umx_engine_may_have_happened(w->err))
        return UMX_STEP_SUSPENDS; /* the step stays `done`; it is verified when the domain controller is back */
    if (status != 0) {
        struct umx_error why = *w->err;
        return umx_work_fail(w, &why);
    }
    if (umx_image_differences(w->step, true, UMX_GRAIN_VALUE, state, NULL, NULL, &lines) > 0)
        return umx_work_fail_lines(w, UMX_ERR_VERIFY_FAILED, &lines);
    umx_text_free(&lines);
    return umx_work_verify_promise(w);
}

/* The write was not answered with a plain yes. */
static enum umx_step_result doubt(struct umx_work *w)
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
    if (umx_work_settle_directory(w, true) != 0)
        return UMX_STEP_SUSPENDS;
    if (w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return verify_directory(w);
    if (w->state->state == UMX__PLAN_STEP__STATE__PENDING && (refused || w->state->attempts >= ATTEMPTS_MAX))
        return umx_work_fail(w, &why);
    return UMX_STEP_GOES_ON; /* pending: tried again; failed: somebody else's change */
}

static enum umx_step_result apply(struct umx_work *w, Umx__Intent *intent)
{
    Umx__Apply message = UMX__APPLY__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    const ProtobufCBinaryData *guid = NULL;

    message.change = w->step->change;
    message.intent = intent;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_APPLY;
    request.apply = &message;
    umx_work_unlock(w);
    umx_engine_crash(UMX_POINT_APPLY, false, w->id);
    int status = umx_engine_call(w->engine, w->step->forest, true, &request, w->arena, &reply, w->err);
    umx_engine_crash(UMX_POINT_APPLY, true, w->id);
    umx_work_lock(w);
    if (status != 0) {
        struct umx_error why = *w->err;
        /* A retry that is refused may be refused because the first try came through after all. */
        if (umx_engine_may_have_happened(&why) || w->state->attempts > 1)
            return doubt(w);
        return umx_work_fail(w, &why);
    }
    const Umx__ObjectState *state = reply->state != NULL                                   ? reply->state
                                    : reply->reply_case == UMX__WORKER_REPLY__REPLY_OBJECT ? reply->object
                                                                                           : NULL;
    if (state != NULL && state->has_object_guid)
        guid = &state->object_guid;
    else if (intent->has_object_guid)
        guid = &intent->object_guid;
    if (umx_work_effect(w, guid, NULL) != 0)
        return UMX_STEP_SUSPENDS;
    return verify_directory(w);
}

enum umx_step_result umx_work_run_directory(struct umx_work *w)
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
    umx_work_unlock(w);
    int status = umx_engine_read_object(w->engine, true, w->step, NULL, w->pin, w->arena, &state, w->err);
    if (status == 0 && w->step->kind == UMX__CHANGE__KIND__DELETE && state->exists)
        status = umx_engine_read_saved(w->engine, w->step->forest, state, w->arena, &saved, w->err);
    umx_work_lock(w);
    if (status != 0 && umx_engine_may_have_happened(w->err))
        return UMX_STEP_SUSPENDS; /* nothing was sent: the plan can go on when the forest answers again */
    if (status != 0) {
        struct umx_error why = *w->err;
        return umx_work_fail(w, &why);
    }
    if (umx_image_differences(w->step, false, w->undo ? UMX_GRAIN_VALUE : UMX_GRAIN_ATTRIBUTE, state, NULL, NULL,
                              &lines) > 0)
        return umx_work_fail_lines(w, UMX_ERR_FOREIGN_CHANGE, &lines);
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

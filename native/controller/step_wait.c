/*
 * Steps that change nothing themselves: a gate, which a person opens, and a wait for something to come true.
 */
#include <string.h>

#include "controller/step_work.h"

enum { WAIT_DEFAULT = 900 /* seconds */ };

enum umx_step_result umx_work_run_gate(struct umx_work *w)
{
    const Umx__GateChange *gate = w->step->change->gate;

    if (w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return umx_work_verify_promise(w); /* confirmed */
    if (w->state->waits)
        return UMX_STEP_GOES_ON;
    return umx_work_recorded(umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__INTENT, w->id, NULL, NULL,
                                             gate != NULL ? gate->reason : NULL, w->err));
}

static int discover(struct umx_work *w, const char *forest, Umx__DiscoverResult **out)
{
    Umx__Discover discover = UMX__DISCOVER__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;

    request.request_case = UMX__WORKER_REQUEST__REQUEST_DISCOVER;
    request.discover = &discover;
    int status = umx_engine_call(w->engine, forest, true, &request, w->arena, &reply, w->err);
    if (status == 0 &&
        (reply->reply_case != UMX__WORKER_REPLY__REPLY_DISCOVERED || reply->discovered->n_domain_controller == 0))
        return umx_fail(w->err, UMX_ERR_PROTOCOL, forest, "the worker named no domain controller");
    *out = status == 0 ? reply->discovered : NULL;
    return status;
}

/* Every one of these domain controllers has what a step made; lines gets the first that has not. Asked by the writer:
 * its next request names its domain controller again, while the reader would stay with the last one that it was led to.
 */
static int replicated(struct umx_work *w, const Umx__PlanStep *made, const Umx__DiscoverResult *all, bool *ready,
                      struct umx_text *lines)
{
    int status = 0;

    for (size_t i = 0; *ready && status == 0 && i < all->n_domain_controller; i++) {
        struct umx_pin pin = {.invocation_length = 0};
        Umx__ObjectState *state = NULL;
        struct umx_text differences = {0};
        umx_text_copy(pin.name, sizeof pin.name, all->domain_controller[i]);
        status = umx_engine_read_object(w->engine, true, made, NULL, &pin, w->arena, &state, w->err);
        if (status == 0)
            *ready = umx_image_differences(made, true, UMX_GRAIN_VALUE, state, NULL, NULL, &differences) == 0;
        if (status == 0 && !*ready)
            umx_text_addf(lines, "%s has not got %s yet", pin.name, made->change->dn);
        umx_text_free(&differences);
    }
    return status;
}

static bool is_directory(Umx__Change__Kind kind)
{
    return kind == UMX__CHANGE__KIND__ADD || kind == UMX__CHANGE__KIND__DELETE || kind == UMX__CHANGE__KIND__MODIFY ||
           kind == UMX__CHANGE__KIND__ACCESS;
}

static int look_replication(struct umx_work *w, bool *ready, struct umx_text *lines)
{
    Umx__DiscoverResult *all = NULL;
    size_t count = 0;
    Umx__PlanStep **made = umx_arena_alloc(w->arena, (w->step->n_depends + 1) * sizeof(Umx__PlanStep *));
    int status = made == NULL ? umx_fail(w->err, UMX_ERR_ARENA_FULL, w->id, NULL) : 0;

    for (size_t i = 0; status == 0 && i < w->step->n_depends; i++) {
        struct umx_step_state *other = umx_states_step(w->plan, w->step->depends[i]);
        if (other != NULL && is_directory(other->step->kind))
            status = umx_references_resolve(w->plan, other->step, w->arena, &made[count++], w->err);
    }
    *ready = true;
    umx_work_unlock(w);
    for (size_t i = 0; status == 0 && *ready && i < count; i++) {
        if (i == 0 || !umx_text_equal(made[i]->forest, made[i - 1]->forest))
            status = discover(w, made[i]->forest, &all);
        if (status == 0)
            status = replicated(w, made[i], all, ready, lines);
    }
    umx_work_lock(w);
    return status;
}

/* What the wait waits for: its promise, or, without one, what somebody behind the port can tell. */
static int look(struct umx_work *w, bool *ready, struct umx_text *lines)
{
    const Umx__WaitChange *wait = w->step->change->wait;

    if (wait != NULL && wait->what != NULL && strcmp(wait->what, "replication") == 0)
        return look_replication(w, ready, lines);
    if (umx_promise_has(w->step))
        return umx_work_look(w, ready, lines);
    if (w->engine->ports.ready == NULL)
        return umx_fail(w->err, UMX_ERR_OPERATION_UNKNOWN, w->id, "nobody here can tell");
    umx_work_unlock(w);
    int status = w->engine->ports.ready(w->engine->ports.user, w->step, ready, w->err);
    umx_work_lock(w);
    return status;
}

/* The time since the wait began. The journal says when; a clock that was moved since does not change how long it takes,
 * so that it counts once, when this process looks for the first time. */
static int64_t waited(struct umx_work *w, int64_t timeout)
{
    const int64_t now = umx_clock_monotonic();

    if (w->state->since == 0) {
        int64_t before = umx_clock_now() - w->state->intended_at;
        w->state->since = now - (before < 0 ? 0 : before > timeout ? timeout : before);
    }
    return now - w->state->since;
}

enum umx_step_result umx_work_run_wait(struct umx_work *w)
{
    const Umx__WaitChange *wait = w->step->change->wait;
    const int64_t timeout =
        (wait != NULL && wait->has_timeout && wait->timeout > 0 ? wait->timeout : WAIT_DEFAULT) * UMX_SECOND;
    struct umx_text lines = {0};
    bool ready = false;

    if (w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return umx_work_verified(w);
    if (!w->state->waits)
        return umx_work_recorded(umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__INTENT, w->id, NULL, NULL,
                                                 wait != NULL ? wait->what : NULL, w->err));
    if (umx_clock_monotonic() < w->state->hold_until)
        return UMX_STEP_GOES_ON;
    int64_t so_far = waited(w, timeout);
    int status = look(w, &ready, &lines);
    enum umx_step_result result = UMX_STEP_GOES_ON;
    if (w->state->state != UMX__PLAN_STEP__STATE__INTENDED) {
        /* confirmed by an operator in the meantime */
    } else if (status == 0 && ready) {
        result = umx_work_verified(w);
    } else if (status == UMX_E_UNSUPPORTED || so_far < timeout) {
        if (!umx_promise_has(w->step))
            w->state->pause = 0; /* cheap to ask: only agents' shells need growing pauses */
        umx_work_hold(w);
    } else {
        struct umx_error why = {0};
        umx_fail(&why, UMX_ERR_WAIT_OVER, w->step->target != NULL ? w->step->target : w->id, "%s",
                 status != 0        ? umx_error_why(w->err)
                 : lines.length > 0 ? umx_text_string(&lines)
                                    : "not there after the step's time");
        result = umx_work_fail(w, &why);
    }
    if (result == UMX_STEP_GOES_ON)
        memset(w->err, 0, sizeof *w->err);
    umx_text_free(&lines);
    return result;
}

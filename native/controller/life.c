/*
 * What operators do with a plan after it is made: submit, start, suspend, resume, cancel, delete.
 */
#include <string.h>

#include "controller/verb.h"

/* A request of the command line waits longer. */
#define HALT_WAIT (10 * UMX_SECOND)

const char *umx_verb_actor(const struct umx_verb *verb)
{
    const struct umx_engine_caller *caller = verb->caller;

    return caller != NULL && caller->identity != NULL ? caller->identity->uri : NULL;
}

static const char *actor_of(const struct umx_engine_caller *caller)
{
    return caller != NULL && caller->identity != NULL ? caller->identity->uri : NULL;
}

static int64_t claim_deadline(const struct umx_engine *engine)
{
    return 2 * engine->options.call_deadline + UMX_MINUTE;
}

int umx_verb_run(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                 const void *arguments, int (*run)(struct umx_verb *verb), struct umx_error *err)
{
    struct umx_error local = {0};
    struct umx_verb verb = {engine, NULL, caller, arguments, err != NULL ? err : &local};
    int status;

    pthread_mutex_lock(&engine->mutex);
    verb.plan = umx_states_find(engine, name, verb.err);
    status =
        verb.plan == NULL ? verb.err->status : umx_engine_claim(engine, verb.plan, claim_deadline(engine), verb.err);
    if (status == 0) {
        status = run(&verb);
        umx_engine_release(engine, verb.plan);
    }
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

static int note(const struct umx_verb *v, Umx__Journal__Kind kind)
{
    return umx_engine_note(v->engine, v->plan, kind, NULL, umx_verb_actor(v), NULL, NULL, v->err);
}

/* ---- submit, delete */

static int submit(struct umx_verb *v)
{
    if (v->plan->base != UMX__PLAN_SUMMARY__STATE__DRAFT)
        return umx_engine_wrong_state(v->engine, v->plan, "draft", v->err);
    return note(v, UMX__JOURNAL__KIND__SUBMITTED);
}

int umx_engine_submit(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err)
{
    return umx_verb_run(engine, name, caller, NULL, submit, err);
}

static int delete_plan(struct umx_verb *v)
{
    const struct umx_plan_state *plan = v->plan;

    if (plan->was_started ||
        (plan->base != UMX__PLAN_SUMMARY__STATE__DRAFT && plan->base != UMX__PLAN_SUMMARY__STATE__SUBMITTED &&
         plan->base != UMX__PLAN_SUMMARY__STATE__CANCELLED))
        return umx_engine_wrong_state(v->engine, v->plan, "never started: what was done stays on record", v->err);
    return note(v, UMX__JOURNAL__KIND__DELETED);
}

int umx_engine_delete(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err)
{
    return umx_verb_run(engine, name, caller, NULL, delete_plan, err);
}

/* ---- start and resume */

static bool is_active(const struct umx_plan_state *plan)
{
    if (plan->base == UMX__PLAN_SUMMARY__STATE__RUNNING || plan->run != NULL)
        return true;
    for (size_t i = 0; i < plan->step_count; i++)
        if (umx_states_open(&plan->steps[i]))
            return true;
    return false;
}

static int check_overlap(const struct umx_verb *v)
{
    int status = 0;

    for (size_t p = 0; status == 0 && p < v->engine->plan_count; p++) {
        const struct umx_plan_state *other = v->engine->plans[p];
        if (other != v->plan && is_active(other))
            status = umx_overlap_check(v->plan, other, v->err);
    }
    return status;
}

/* What was taken back is still `verified` here: going on would build on it. And an undo that was made before its plan
 * went on takes back half of it. */
static int check_undone(const struct umx_verb *v)
{
    const struct umx_plan_state *original =
        v->plan->plan->undo_of != NULL ? umx_states_find(v->engine, v->plan->plan->undo_of, NULL) : NULL;

    if (original != NULL && original->effect_sequence > v->plan->created_sequence)
        return umx_fail(v->err, UMX_ERR_PLAN_STALE, v->plan->name,
                        "plan %s has gone on since this undo was made; make it anew", original->name);
    for (size_t p = 0; p < v->engine->plan_count; p++) {
        const struct umx_plan_state *undo = v->engine->plans[p];
        bool begun = undo->run != NULL;
        if (undo->plan == NULL || undo->plan->undo_of == NULL || strcmp(undo->plan->undo_of, v->plan->name) != 0)
            continue;
        for (size_t i = 0; i < undo->step_count && !begun; i++)
            begun = undo->steps[i].effected || umx_states_open(&undo->steps[i]);
        if (begun)
            return umx_fail(v->err, UMX_ERR_PLAN_STATE_WRONG, v->plan->name,
                            "plan %s has begun to take back what it did; make a new plan for the rest", undo->name);
    }
    return 0;
}

/* Chosen phases must exist, and what their steps need must be chosen too or be there already. */
static int check_selection(const struct umx_verb *v, char *const *phases, size_t count)
{
    struct umx_plan_state *plan = v->plan;

    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < plan->plan->n_phase; k++)
            known = known || strcmp(plan->plan->phase[k], phases[i]) == 0;
        if (!known)
            return umx_fail(v->err, UMX_ERR_PHASE_UNKNOWN, phases[i], "plan %s has no such phase", plan->name);
    }
    const struct umx_plan_state chosen = {.selection = (char **)(uintptr_t)phases, .selection_count = count};
    for (size_t i = 0; count > 0 && i < plan->step_count; i++) {
        const Umx__PlanStep *step = plan->steps[i].step;
        if (plan->steps[i].state == UMX__PLAN_STEP__STATE__VERIFIED || !umx_states_selected(&chosen, step))
            continue;
        for (size_t k = 0; k < step->n_depends; k++) {
            const struct umx_step_state *needed = umx_states_step(plan, step->depends[k]);
            if (needed != NULL && needed->state != UMX__PLAN_STEP__STATE__VERIFIED &&
                !umx_states_selected(&chosen, needed->step))
                return umx_fail(v->err, UMX_ERR_PLAN_STATE_WRONG, plan->name,
                                "step %s needs step %s of phase %s, which is not done", step->id, needed->step->id,
                                needed->step->phase);
        }
    }
    return 0;
}

/* What every beginning needs; the directory is asked last. */
static int check_beginning(const struct umx_verb *v)
{
    const struct umx_plan_state *plan = v->plan;

    if (v->engine->closing) /* a run that begins now would have nobody to stop it */
        return umx_fail(v->err, UMX_ERR_SERVER_STOPPING, plan->name, NULL);
    if (plan->plan->engine != UMX_ENGINE_GENERATION)
        return umx_fail(v->err, UMX_ERR_ENGINE_INCOMPATIBLE, plan->name, "it was made by generation %d, this is %d",
                        (int)plan->plan->engine, UMX_ENGINE_GENERATION);
    if (strcmp(plan->plan->deployment, v->engine->options.deployment) != 0)
        return umx_fail(v->err, UMX_ERR_ENGINE_INCOMPATIBLE, plan->name, "it is of deployment %s",
                        plan->plan->deployment);
    int status = umx_approval_check(v->engine, plan, false, NULL, v->err);
    if (status == 0)
        status = umx_run_window(v->engine, plan, v->err);
    if (status == 0)
        status = check_undone(v);
    if (status == 0)
        status = check_overlap(v);
    return status;
}

/* A start that was refused leaves no writer behind. */
static void release_writers(const struct umx_verb *v)
{
    const struct umx_engine_ports *ports = &v->engine->ports;

    for (size_t i = 0; ports->release_writer != NULL && i < v->plan->plan->n_forest; i++) {
        if (umx_run_uses(v->engine, v->plan->plan->forest[i]))
            continue;
        pthread_mutex_unlock(&v->engine->mutex);
        ports->release_writer(ports->user, v->plan->plan->forest[i]);
        pthread_mutex_lock(&v->engine->mutex);
    }
}

/* found: the state in which the verb found the plan. Cancelling and suspending do not wait for their turn. */
static int begin(const struct umx_verb *v, Umx__PlanSummary__State found, Umx__Journal__Kind kind, char **phases,
                 size_t count)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;

    entry.has_kind = 1;
    entry.kind = kind;
    entry.phase = phases;
    entry.n_phase = count;
    int status = umx_staleness_check(v->engine, v->plan, v->err);
    if (status == 0) /* the directory took its time: somebody may have decided or begun something since */
        status = v->plan->base == found
                     ? check_beginning(v)
                     : umx_engine_wrong_state(v->engine, v->plan, "as it was when this began", v->err);
    if (status == 0)
        status = umx_engine_append(v->engine, v->plan, &entry, umx_verb_actor(v), v->err);
    if (status == 0)
        status = umx_run_begin(v->engine, v->plan, v->err);
    if (status != 0)
        release_writers(v);
    return status;
}

static int start(struct umx_verb *v)
{
    const Umx__PlanStartArguments *arguments = v->arguments;
    struct umx_plan_state *plan = v->plan;
    const Umx__PlanSummary__State found = plan->base;

    if (plan->base != UMX__PLAN_SUMMARY__STATE__SUBMITTED && plan->base != UMX__PLAN_SUMMARY__STATE__SUSPENDED)
        return umx_engine_wrong_state(v->engine, plan, "approved", v->err);
    int status = check_selection(v, arguments->phase, arguments->n_phase);
    if (status == 0)
        status = check_beginning(v);
    if (status == 0)
        status = umx_recovery_settle(v->engine, plan, v->err);
    if (status == 0)
        status = begin(v, found, UMX__JOURNAL__KIND__STARTED, arguments->phase, arguments->n_phase);
    return status;
}

int umx_engine_start(struct umx_engine *engine, const Umx__PlanStartArguments *arguments,
                     const struct umx_engine_caller *caller, struct umx_error *err)
{
    return umx_verb_run(engine, arguments->name, caller, arguments, start, err);
}

/* Who resumes what is about to stop means what comes after: taken for a plan that runs, it would be forgotten. A step
 * that is under way may take long: it is not waited for. */
static int wait_for_halt(const struct umx_verb *v)
{
    const struct umx_plan_state *plan = v->plan;
    const int64_t end = umx_clock_monotonic() + HALT_WAIT;

    while (plan->run != NULL && umx_run_halted(plan->run) && !v->engine->closing) {
        int64_t left = end - umx_clock_monotonic();
        if (left <= 0)
            return umx_fail(v->err, UMX_ERR_PLAN_STATE_WRONG, plan->name,
                            "it stops when the step that is under way has ended; `umx plan watch %s` ends then",
                            plan->name);
        umx_engine_sleep(v->engine, left);
    }
    return 0;
}

static int resume(struct umx_verb *v)
{
    struct umx_plan_state *plan = v->plan;
    int status = wait_for_halt(v);

    if (status != 0)
        return status;
    const Umx__PlanSummary__State found = plan->base;
    if (plan->run != NULL || plan->base == UMX__PLAN_SUMMARY__STATE__COMPLETED)
        return 0;
    if (plan->base != UMX__PLAN_SUMMARY__STATE__SUSPENDED && plan->base != UMX__PLAN_SUMMARY__STATE__FAILED &&
        plan->base != UMX__PLAN_SUMMARY__STATE__RUNNING)
        return umx_engine_wrong_state(v->engine, plan, "suspended or failed", v->err);
    status = umx_recovery_settle(v->engine, plan, v->err);
    if (status == 0)
        status = check_beginning(v);
    if (status == 0) {
        plan->recovering = false;
        status = begin(v, found, UMX__JOURNAL__KIND__RESUMED, plan->selection, plan->selection_count);
    }
    return status;
}

int umx_engine_resume(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err)
{
    return umx_verb_run(engine, name, caller, NULL, resume, err);
}

/* ---- suspend and cancel: at once, without a turn, so that nothing that takes long can keep an operator from it */

static int stop(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                Umx__Journal__Kind how, struct umx_error *err)
{
    struct umx_error local = {0};
    int status = 0;

    if (err == NULL)
        err = &local;
    pthread_mutex_lock(&engine->mutex);
    struct umx_plan_state *plan = umx_states_find(engine, name, err);
    bool suspends = how == UMX__JOURNAL__KIND__SUSPENDED;
    if (plan == NULL)
        status = err->status;
    else if (umx_run_takes_a_halt(plan->run))
        umx_run_halt(plan->run, how, actor_of(caller), NULL);
    else if (suspends ? plan->base != UMX__PLAN_SUMMARY__STATE__RUNNING
                      : plan->base == UMX__PLAN_SUMMARY__STATE__CANCELLED ||
                            plan->base == UMX__PLAN_SUMMARY__STATE__COMPLETED)
        status = umx_engine_wrong_state(engine, plan, suspends ? "running" : "not at its end", err);
    else
        status = umx_engine_note(engine, plan, how, NULL, actor_of(caller), NULL, NULL, err);
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

int umx_engine_suspend(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                       struct umx_error *err)
{
    return stop(engine, name, caller, UMX__JOURNAL__KIND__SUSPENDED, err);
}

int umx_engine_cancel(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err)
{
    return stop(engine, name, caller, UMX__JOURNAL__KIND__CANCELLED, err);
}

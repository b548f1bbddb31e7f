/*
 * A plan that runs: one thread per forest, the steps of a forest in their order as their dependencies allow, nothing
 * new after a halt. The last thread to end records how the run ended.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/engine_private.h"

struct lane {
    struct umx_run *run;
    const char *forest;
    pthread_t thread;
    bool started;
    size_t first; /* steps before it are settled for good */
    struct umx_pin pin;
};

struct umx_run {
    struct umx_engine *engine;
    struct umx_plan_state *plan;
    struct umx_run *next;
    struct lane *lanes;
    size_t lane_count;
    size_t active;
    bool recorded; /* how it ended is in the journal: a halt comes too late */
    bool ended;
    bool halted;
    Umx__Journal__Kind how; /* of a halt: suspended, cancelled or failed */
    char actor[UMX_IDENTITY_MAX];
    struct umx_error why;
    size_t decisions_seen; /* approvals are looked at again when there are more */
};

/* ---- halting */

void umx_run_halt(struct umx_run *run, Umx__Journal__Kind how, const char *actor, const struct umx_error *why)
{
    bool stronger = how == UMX__JOURNAL__KIND__CANCELLED && run->how != UMX__JOURNAL__KIND__CANCELLED;

    if (run->halted && !stronger)
        return;
    run->halted = true;
    run->how = how;
    umx_text_copy(run->actor, sizeof run->actor, actor != NULL ? actor : run->engine->options.actor);
    if (why != NULL)
        run->why = *why;
    else
        memset(&run->why, 0, sizeof run->why);
    pthread_cond_broadcast(&run->engine->changed);
}

bool umx_run_takes_a_halt(const struct umx_run *run)
{
    return run != NULL && !run->recorded;
}

bool umx_run_halted(const struct umx_run *run)
{
    return run == NULL || run->halted;
}

/* It opens by the clock, and closes by the journal's time too: a clock that is moved back opens nothing again. */
int umx_run_window(const struct umx_engine *engine, const struct umx_plan_state *plan, struct umx_error *err)
{
    const int64_t now = umx_clock_now();
    char when[UMX_CLOCK_TEXT];

    if (plan->plan->has_not_before_at && plan->plan->not_before_at != 0 && now < plan->plan->not_before_at)
        return umx_fail(err, UMX_ERR_WINDOW_CLOSED, plan->name, "it opens at %s",
                        umx_clock_format(plan->plan->not_before_at, when));
    if (plan->plan->has_not_after_at && plan->plan->not_after_at != 0 &&
        umx_journal_now(engine->journal) >= plan->plan->not_after_at)
        return umx_fail(err, UMX_ERR_WINDOW_CLOSED, plan->name, "it closed at %s",
                        umx_clock_format(plan->plan->not_after_at, when));
    return 0;
}

static size_t decisions(const struct umx_run *run)
{
    const struct umx_plan_state *original =
        run->plan->covered ? umx_states_find(run->engine, run->plan->plan->undo_of, NULL) : NULL;

    return run->plan->approval_count + (original != NULL ? original->approval_count : 0);
}

static size_t count_state(const struct umx_plan_state *plan, Umx__PlanStep__State state)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->step_count; i++)
        n += plan->steps[i].state == state ? 1 : 0;
    return n;
}

/* What must hold before each step: nobody wants it stopped, the window is open, the approvals stand, few failures. */
static bool may_go_on(struct umx_run *run)
{
    struct umx_plan_state *plan = run->plan;
    struct umx_error why = {0};
    size_t limit = plan->plan->has_max_failures && plan->plan->max_failures > 0 ? (size_t)plan->plan->max_failures : 1;

    if (run->halted)
        return false;
    if (umx_run_window(run->engine, plan, &why) != 0) {
        umx_run_halt(run, UMX__JOURNAL__KIND__SUSPENDED, NULL, &why);
        return false;
    }
    if (decisions(run) != run->decisions_seen) {
        run->decisions_seen = decisions(run);
        if (umx_approval_check(run->engine, plan, true, NULL, &why) != 0) {
            umx_run_halt(run, UMX__JOURNAL__KIND__SUSPENDED, NULL, &why);
            return false;
        }
    }
    size_t failed = count_state(plan, UMX__PLAN_STEP__STATE__FAILED);
    if (failed >= limit) {
        umx_fail(&why, UMX_ERR_TOO_MANY_FAILURES, plan->name, "%zu failed, the limit is %zu", failed, limit);
        umx_run_halt(run, UMX__JOURNAL__KIND__FAILED, NULL, &why);
        return false;
    }
    return true;
}

/* ---- choosing steps */

static bool is_end(Umx__PlanStep__State state)
{
    return state == UMX__PLAN_STEP__STATE__VERIFIED || state == UMX__PLAN_STEP__STATE__FAILED ||
           state == UMX__PLAN_STEP__STATE__SKIPPED;
}

/* The dependency that failed or was skipped, or NULL. */
static const struct umx_step_state *doomed_by(struct umx_plan_state *plan, const struct umx_step_state *step)
{
    for (size_t i = 0; i < step->step->n_depends; i++) {
        const struct umx_step_state *other = umx_states_step(plan, step->step->depends[i]);
        if (other != NULL &&
            (other->state == UMX__PLAN_STEP__STATE__FAILED || other->state == UMX__PLAN_STEP__STATE__SKIPPED))
            return other;
    }
    return NULL;
}

static bool is_ready(struct umx_plan_state *plan, const struct umx_step_state *step)
{
    if (step->hold_until != 0 && umx_clock_monotonic() < step->hold_until)
        return false;
    if (step->state == UMX__PLAN_STEP__STATE__DONE)
        return true;
    if (step->state != UMX__PLAN_STEP__STATE__PENDING)
        return false;
    for (size_t i = 0; i < step->step->n_depends; i++) {
        const struct umx_step_state *other = umx_states_step(plan, step->step->depends[i]);
        if (other != NULL && other->state != UMX__PLAN_STEP__STATE__VERIFIED)
            return false;
    }
    return true;
}

static bool in_lane(const struct lane *lane, const struct umx_step_state *step)
{
    return umx_text_equal(step->step->forest != NULL ? step->step->forest : "", lane->forest) &&
           umx_states_selected(lane->run->plan, step->step);
}

struct choice {
    struct umx_step_state *step; /* the next one to run */
    struct umx_step_state *open; /* one that must be settled first: a run does not begin with it */
    bool waits;                  /* others wait for a person, the world or another forest */
};

static struct choice choose(struct lane *lane)
{
    struct umx_plan_state *plan = lane->run->plan;
    struct choice choice = {NULL, NULL, false};
    bool prefix = true;

    for (size_t i = lane->first; i < plan->step_count; i++) {
        struct umx_step_state *step = &plan->steps[i];
        bool ours = in_lane(lane, step);
        if (prefix && (!ours || is_end(step->state))) {
            lane->first = i + 1;
            continue;
        }
        prefix = false;
        if (!ours || is_end(step->state))
            continue;
        if (umx_states_open(step)) {
            choice.open = step;
            return choice;
        }
        if (choice.step == NULL && is_ready(plan, step))
            choice.step = step;
        else
            choice.waits = true;
    }
    return choice;
}

/* Steps whose dependencies cannot come true any more. In order, so that skipping goes down the graph in one pass. */
static int skip_doomed(struct umx_run *run, const struct lane *lane, struct umx_error *err)
{
    struct umx_plan_state *plan = run->plan;

    for (size_t i = lane != NULL ? lane->first : 0; i < plan->step_count; i++) {
        struct umx_step_state *step = &plan->steps[i];
        if (step->state != UMX__PLAN_STEP__STATE__PENDING || (lane != NULL && !in_lane(lane, step)))
            continue;
        const struct umx_step_state *other = doomed_by(plan, step);
        if (other == NULL)
            continue;
        char why[96];
        snprintf(why, sizeof why, "it needs step %s", other->step->id);
        int status =
            umx_engine_note(run->engine, plan, UMX__JOURNAL__KIND__STEP_SKIPPED, step->step->id, NULL, NULL, why, err);
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- the lane */

static bool poll_waits(struct lane *lane, struct umx_error *err)
{
    struct umx_plan_state *plan = lane->run->plan;

    for (size_t i = lane->first; i < plan->step_count && !lane->run->halted; i++) {
        struct umx_step_state *step = &plan->steps[i];
        if (!step->waits || step->state != UMX__PLAN_STEP__STATE__INTENDED ||
            step->step->kind != UMX__CHANGE__KIND__WAIT || !in_lane(lane, step))
            continue;
        if (umx_step_run(lane->run->engine, plan, step, &lane->pin, err) == UMX_STEP_SUSPENDS)
            return false;
    }
    return true;
}

static void run_lane(struct lane *lane)
{
    struct umx_run *run = lane->run;
    struct umx_error err = {0};

    while (may_go_on(run)) {
        memset(&err, 0, sizeof err);
        if (skip_doomed(run, lane, &err) != 0)
            break;
        struct choice choice = choose(lane);
        if (choice.open != NULL) {
            umx_fail(&err, UMX_ERR_STEP_UNCERTAIN, choice.open->step->id, NULL);
            break;
        }
        if (choice.step == NULL && !choice.waits)
            return;
        if (choice.step != NULL) {
            if (umx_step_run(run->engine, run->plan, choice.step, &lane->pin, &err) == UMX_STEP_SUSPENDS)
                break;
            continue;
        }
        if (!poll_waits(lane, &err))
            break;
        choice = choose(lane);
        if (choice.step == NULL && choice.waits && !run->halted)
            umx_engine_sleep(run->engine, run->engine->options.poll_interval);
    }
    if (err.id != 0)
        umx_run_halt(run, UMX__JOURNAL__KIND__SUSPENDED, NULL, &err);
}

/* ---- the end of a run */

static int record_end(struct umx_run *run, struct umx_error *err)
{
    struct umx_plan_state *plan = run->plan;
    size_t failed, verified;

    int status = run->halted && run->how != UMX__JOURNAL__KIND__FAILED ? 0 : skip_doomed(run, NULL, err);
    if (status != 0)
        return status;
    failed = count_state(plan, UMX__PLAN_STEP__STATE__FAILED) + count_state(plan, UMX__PLAN_STEP__STATE__SKIPPED);
    verified = count_state(plan, UMX__PLAN_STEP__STATE__VERIFIED);
    if (verified == plan->step_count && run->how != UMX__JOURNAL__KIND__CANCELLED)
        return umx_engine_note(run->engine, plan, UMX__JOURNAL__KIND__COMPLETED, NULL, NULL, NULL, NULL, err);
    if (run->halted)
        return umx_engine_note(run->engine, plan, run->how, NULL, run->actor, &run->why, NULL, err);
    if (failed > 0)
        return umx_engine_note(run->engine, plan, UMX__JOURNAL__KIND__FAILED, NULL, NULL, NULL, "steps failed", err);
    return umx_engine_note(run->engine, plan, UMX__JOURNAL__KIND__SUSPENDED, NULL, NULL, NULL,
                           "the chosen phases are done; start the others", err);
}

bool umx_run_uses(const struct umx_engine *engine, const char *forest)
{
    for (const struct umx_run *run = engine->runs; run != NULL; run = run->next)
        for (size_t i = 0; !run->ended && run->active > 0 && i < run->lane_count; i++)
            if (umx_text_equal(run->lanes[i].forest, forest))
                return true;
    return false;
}

static void end_run(struct umx_run *run)
{
    struct umx_engine *engine = run->engine;
    struct umx_error err = {0};

    if (record_end(run, &err) != 0)
        umx_log_error("engine",
                      &err); /* the plan stays `running` in the journal: resume or the next start recover it */
    run->recorded = true;
    if (engine->ports.undone != NULL && run->plan->plan->undo_of != NULL &&
        run->plan->base == UMX__PLAN_SUMMARY__STATE__COMPLETED) {
        pthread_mutex_unlock(&engine->mutex);
        engine->ports.undone(engine->ports.user, run->plan->plan);
        pthread_mutex_lock(&engine->mutex);
    }
    for (size_t i = 0; i < run->lane_count; i++) {
        if (engine->ports.release_writer == NULL || umx_run_uses(engine, run->lanes[i].forest))
            continue;
        pthread_mutex_unlock(&engine->mutex);
        engine->ports.release_writer(engine->ports.user, run->lanes[i].forest);
        pthread_mutex_lock(&engine->mutex);
    }
    run->plan->run = NULL;
    run->ended = true;
    pthread_cond_broadcast(&engine->changed);
}

static void *lane_main(void *user)
{
    struct lane *lane = user;
    struct umx_engine *engine = lane->run->engine;

    pthread_mutex_lock(&engine->mutex);
    run_lane(lane);
    pthread_cond_broadcast(&engine->changed);
    if (--lane->run->active == 0)
        end_run(lane->run);
    pthread_mutex_unlock(&engine->mutex);
    return NULL;
}

/* ---- beginning and joining */

static int make_lanes(struct umx_run *run, struct umx_error *err)
{
    struct umx_plan_state *plan = run->plan;

    run->lanes = calloc(plan->plan->n_forest + 2, sizeof *run->lanes);
    if (run->lanes == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
    for (size_t i = 0; i < plan->step_count; i++) {
        const char *forest = plan->steps[i].step->forest != NULL ? plan->steps[i].step->forest : "";
        size_t k = 0;
        if (!umx_states_selected(plan, plan->steps[i].step))
            continue;
        while (k < run->lane_count && !umx_text_equal(run->lanes[k].forest, forest))
            k++;
        if (k < run->lane_count)
            continue;
        if (run->lane_count > plan->plan->n_forest)
            return umx_fail(err, UMX_ERR_INTERNAL, plan->name, "a step is of a forest that the plan does not name");
        run->lanes[run->lane_count].run = run;
        run->lanes[run->lane_count++].forest = forest;
    }
    if (run->lane_count == 0) { /* nothing to do is done by a lane too: one way to the end */
        run->lanes[0].run = run;
        run->lanes[0].forest = "";
        run->lane_count = 1;
    }
    return 0;
}

static void free_run(struct umx_run *run)
{
    free(run->lanes);
    free(run);
}

int umx_run_begin(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err)
{
    struct umx_run *run = calloc(1, sizeof *run);

    if (run == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
    umx_run_reap(engine, false);
    run->engine = engine;
    run->plan = plan;
    for (size_t i = 0; i < plan->step_count; i++) {
        struct umx_step_state *step = &plan->steps[i];
        step->hold_until = step->pause = step->since = step->away_since = 0;
    }
    run->decisions_seen = decisions(run);
    int status = make_lanes(run, err);
    if (status != 0) {
        free_run(run);
        return status;
    }
    for (size_t i = 0; i < run->lane_count; i++) {
        int rc = pthread_create(&run->lanes[i].thread, NULL, lane_main, &run->lanes[i]);
        run->lanes[i].started = rc == 0;
        run->active += rc == 0 ? 1 : 0;
        if (rc == 0)
            continue;
        status = umx_fail_code(err, UMX_ERR_MEMORY, rc, plan->name, "no thread can be started");
        umx_run_halt(run, UMX__JOURNAL__KIND__SUSPENDED, NULL, err);
        break;
    }
    plan->run = run;
    run->next = engine->runs;
    engine->runs = run;
    if (run->active == 0)
        end_run(run);
    return status;
}

void umx_run_reap(struct umx_engine *engine, bool all)
{
    for (struct umx_run **at = &engine->runs; *at != NULL;) {
        struct umx_run *run = *at;
        while (all && !run->ended)
            umx_engine_sleep(engine, UMX_SECOND);
        if (!run->ended) {
            at = &run->next;
            continue;
        }
        *at = run->next;
        for (size_t i = 0; i < run->lane_count; i++)
            if (run->lanes[i].started)
                pthread_join(run->lanes[i].thread, NULL); /* they hold no lock any more that we have */
        free_run(run);
        if (all)
            at = &engine->runs; /* the list may have changed while we slept */
    }
}

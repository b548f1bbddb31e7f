/*
 * What an interrupted or unanswered step needs before anything else happens: the question to the domain controller of
 * its intent. At start for plans that were running, later in the background with growing pauses.
 */
#include "controller/engine_private.h"

#include <string.h>

static bool has_open(const struct umx_plan_state *plan)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (umx_states_open(&plan->steps[i]))
            return true;
    return false;
}

int umx_recovery_settle(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; i < plan->step_count && !engine->closing; i++) {
        struct umx_error why = {0};
        if (!umx_states_open(&plan->steps[i]))
            continue;
        /* One that stays open does not keep the others from being settled: they may be of another forest. */
        if (umx_step_settle(engine, plan, &plan->steps[i], false, &why) != 0 && status == 0) {
            status = why.status;
            if (err != NULL)
                *err = why;
        }
    }
    if (status == 0 && has_open(plan))
        status = umx_fail(err, UMX_ERR_SERVER_STOPPING, plan->name, NULL);
    return status;
}

int umx_recovery_begin(struct umx_engine *engine, struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < engine->plan_count; i++) {
        struct umx_plan_state *plan = engine->plans[i];
        if (plan->base != UMX__PLAN_SUMMARY__STATE__RUNNING)
            continue;
        plan->recovering = true;
        status = umx_engine_note(engine, plan, UMX__JOURNAL__KIND__RECOVERED, NULL, NULL, NULL,
                                 "the controller ended while the plan was running", err);
    }
    return status;
}

/* A plan that ran when the controller ended goes on: nobody was told that it stopped. */
static void go_on(struct umx_engine *engine, struct umx_plan_state *plan, int status, struct umx_error *why)
{
    struct umx_error err = {0};

    plan->recovering = false;
    if (plan->base != UMX__PLAN_SUMMARY__STATE__RUNNING || plan->run != NULL)
        return; /* suspended or cancelled by an operator in the meantime */
    /* Nobody watched it meanwhile: an approval that ended while the controller was down does not let it go on. */
    if (status == 0)
        status = umx_approval_check(engine, plan, false, NULL, why);
    if (status == 0)
        status = umx_run_window(engine, plan, why);
    if (status == 0)
        status = umx_run_begin(engine, plan, why);
    if (status != 0 && plan->run == NULL && plan->base == UMX__PLAN_SUMMARY__STATE__RUNNING &&
        umx_engine_note(engine, plan, UMX__JOURNAL__KIND__SUSPENDED, NULL, NULL, why, NULL, &err) != 0)
        umx_log_error("engine", &err);
}

static void look_after(struct umx_engine *engine, struct umx_plan_state *plan)
{
    struct umx_error why = {0};

    plan->claimed = true;
    int status = umx_recovery_settle(engine, plan, &why);
    if (!engine->closing) {
        if (plan->recovering)
            go_on(engine, plan, status, &why);
        plan->retry_pause = plan->retry_pause == 0 ? engine->options.retry_first : 2 * plan->retry_pause;
        if (plan->retry_pause > engine->options.retry_last)
            plan->retry_pause = engine->options.retry_last;
        if (status == 0)
            plan->retry_pause = 0;
        plan->retry_at = umx_clock_monotonic() + plan->retry_pause;
    }
    umx_engine_release(engine, plan);
}

void *umx_recovery_thread(void *user)
{
    struct umx_engine *engine = user;

    pthread_mutex_lock(&engine->mutex);
    while (!engine->closing) {
        struct umx_plan_state *next = NULL;
        int64_t now = umx_clock_monotonic(), pause = UMX_HOUR;
        umx_run_reap(engine, false);
        for (size_t i = 0; i < engine->plan_count; i++) {
            struct umx_plan_state *plan = engine->plans[i];
            if (plan->claimed || plan->run != NULL || (!plan->recovering && !has_open(plan)))
                continue;
            if (plan->recovering && plan->retry_pause == 0)
                plan->retry_at = now;
            else if (plan->retry_at == 0) /* just suspended: the question was asked a moment ago */
                plan->retry_at = now + engine->options.retry_first;
            if (plan->retry_at - now < pause) {
                pause = plan->retry_at - now;
                next = plan;
            }
        }
        if (next != NULL && pause <= 0)
            look_after(engine, next);
        else
            umx_engine_sleep(engine, pause);
    }
    pthread_mutex_unlock(&engine->mutex);
    return NULL;
}

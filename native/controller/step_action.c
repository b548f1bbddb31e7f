/*
 * A step that an agent does: its items in batches of what an agent takes, each with an intent before it and a result an
 * item after it. What was done is not done again: the journal knows it item by item.
 */
#include <string.h>

#include "base/action_limit.h"
#include "controller/batch.h"
#include "controller/step_work.h"

/* Sends the batch of the newest attempt, or only asks what became of it, and records its results. */
static int send_batch(struct umx_work *w, bool ask)
{
    struct umx_batch_result result;
    struct umx_batch batch;

    if (!umx_batch_fill(&batch, w->plan->hash, w->step, w->state->attempts, w->state->result, w->arena))
        return umx_fail(w->err, UMX_ERR_ARENA_FULL, w->id, NULL);
    batch.message.has_timeout = 1;
    batch.message.timeout =
        (int32_t)(umx_action_limit(batch.message.action, w->engine->options.act_deadline) / UMX_SECOND);
    batch.message.has_ask = ask;
    batch.message.ask = ask;
    umx_work_unlock(w);
    umx_engine_crash(UMX_POINT_ACT, false, w->id);
    int status = umx_batch_send(w->engine, w->step->change->action->server, &batch, w->arena, &result, w->err);
    umx_engine_crash(UMX_POINT_ACT, true, w->id);
    umx_work_lock(w);
    if (status != 0)
        return status;
    if (result.uncertain > 0)
        return umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->step->change->action->server,
                        "%zu of its items were begun and are not known to be done, the first: %s", result.uncertain,
                        result.undecided);
    if (ask && batch.message.n_item > 0 && result.not_done == batch.message.n_item)
        return umx_work_settled(w, UMX__INTENT__OUTCOME__NOT_DONE, NULL);
    return umx_work_effect(w, NULL, result.json);
}

/* Counts the items by what became of them. */
static int count_items(struct umx_work *w, size_t *open, size_t *failed)
{
    const size_t count = w->step->change->action->n_item;
    uint8_t *states = umx_arena_alloc(w->arena, count + 1);

    *open = *failed = 0;
    if (states == NULL)
        return umx_fail(w->err, UMX_ERR_ARENA_FULL, w->id, NULL);
    umx_results_states(w->state->result, states, count);
    for (size_t i = 0; i < count; i++) {
        *open += states[i] == UMX_ITEM_OPEN ? 1 : 0;
        *failed += states[i] == UMX_ITEM_FAILED ? 1 : 0;
    }
    return 0;
}

static enum umx_step_result fail_items(struct umx_work *w)
{
    const char *problems = umx_results_problems(w->state->result, w->arena);
    struct umx_error why = {0};

    umx_fail(&why, UMX_ERR_ACTION_FAILED, w->step->change->action->server, "%s",
             problems != NULL ? problems : "see the journal");
    return umx_work_fail(w, &why);
}

/* The agent journals its batches, so it can tell what became of one. It is asked and nothing else: whether the action
 * may still be done depends on the approvals, the window and the operators, as before any step. */
int umx_work_settle_action(struct umx_work *w, bool writer)
{
    size_t open = 0, failed = 0;

    (void)writer;
    int status = send_batch(w, true);
    if (status != 0) {
        struct umx_error why = *w->err;
        return umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "%s: %s", w->step->change->action->server,
                        umx_error_why(&why));
    }
    if (w->state->state != UMX__PLAN_STEP__STATE__DONE)
        return 0;
    status = count_items(w, &open, &failed);
    if (status != 0 || open > 0)
        return status;
    if (failed > 0)
        return fail_items(w) == UMX_STEP_GOES_ON ? 0 : w->err->status;
    /* A promise is looked at when the plan goes on. */
    return umx_promise_has(w->step) ? 0 : umx_work_verified(w) == UMX_STEP_GOES_ON ? 0 : w->err->status;
}

static bool never_sent(const struct umx_error *err)
{
    return err->id == UMX_ERR_ACTION_UNKNOWN || err->status == UMX_E_UNSUPPORTED;
}

static enum umx_step_result not_sent(struct umx_work *w)
{
    const char *server = w->step->change->action->server;
    struct umx_error why = *w->err;

    if (never_sent(&why))
        return umx_work_fail(w, &why);
    if (why.id == UMX_ERR_AGENT_UNKNOWN) { /* it went away just now: nothing was sent */
        if (umx_work_settled(w, UMX__INTENT__OUTCOME__NOT_DONE, NULL) != 0)
            return UMX_STEP_SUSPENDS;
        return umx_work_away(w, server, umx_error_why(&why));
    }
    if (why.id == UMX_ERR_STORE_WRITE || why.id == UMX_ERR_JOURNAL_BROKEN)
        return UMX_STEP_SUSPENDS;
    if (umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__UNCERTAIN, w->id, NULL, &why, NULL, w->err) == 0)
        umx_fail(w->err, UMX_ERR_STEP_UNCERTAIN, w->id, "%s", umx_error_why(&why));
    return UMX_STEP_SUSPENDS;
}

enum umx_step_result umx_work_run_action(struct umx_work *w)
{
    const struct umx_engine_ports *ports = &w->engine->ports;
    const char *server = w->step->change->action->server;
    size_t open = 0, failed = 0;

    if (count_items(w, &open, &failed) != 0)
        return UMX_STEP_SUSPENDS;
    if (open == 0 && w->state->state == UMX__PLAN_STEP__STATE__DONE)
        return failed > 0 ? fail_items(w) : umx_work_verify_promise(w);
    if (ports->connected != NULL) {
        umx_work_unlock(w);
        bool connected = ports->connected(ports->user, w->step->forest, server);
        umx_work_lock(w);
        if (!connected)
            return umx_work_away(w, server, "its agent is not connected");
    }
    if (umx_engine_note(w->engine, w->plan, UMX__JOURNAL__KIND__INTENT, w->id, NULL, NULL, NULL, w->err) != 0)
        return UMX_STEP_SUSPENDS;
    if (send_batch(w, false) != 0)
        return not_sent(w);
    w->state->away_since = 0;
    return UMX_STEP_GOES_ON;
}

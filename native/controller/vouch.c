/*
 * The last word about a step of which nobody can say whether it was done: a domain controller that will never come
 * back, a cmdlet that broke off half-way. Somebody of the step's forest has looked, and says so with a comment. What
 * the domain controller or the agent still can say counts more.
 */
#include <string.h>

#include "controller/batch.h"
#include "controller/verb.h"

static int read_outcome(const struct umx_verb *v, Umx__Intent__Outcome *outcome)
{
    const Umx__PlanConfirmArguments *arguments = v->arguments;
    static const struct {
        const char *value;
        Umx__Intent__Outcome outcome;
    } words[] = {{"outcome=done", UMX__INTENT__OUTCOME__OURS}, {"outcome=not_done", UMX__INTENT__OUTCOME__NOT_DONE}};

    for (size_t i = 0; i < sizeof words / sizeof *words && arguments->n_value == 1; i++)
        if (strcmp(arguments->value[0], words[i].value) == 0) {
            *outcome = words[i].outcome;
            return 0;
        }
    return umx_fail(v->err, UMX_ERR_GATE_VALUE, arguments->step,
                    "nobody knows whether it was done: say outcome=done or outcome=not_done");
}

static int check(const struct umx_verb *v, const struct umx_step_state *step)
{
    const Umx__PlanConfirmArguments *arguments = v->arguments;

    if (v->plan->run != NULL)
        return umx_fail(v->err, UMX_ERR_STEP_NOT_CONFIRMABLE, step->step->id, "the plan is working on it");
    if (!umx_text_equal(v->caller->identity->forest, step->step->forest))
        return umx_fail(v->err, UMX_ERR_APPROVER_NOT_OF_FOREST, step->step->id,
                        "the step is of %s, and %s was vouched for by %s", step->step->forest, v->caller->identity->uri,
                        v->caller->identity->forest);
    if (arguments->comment == NULL || arguments->comment[0] == '\0')
        return umx_fail(v->err, UMX_ERR_REASON_MISSING, step->step->id, "whoever settles a step says what was seen");
    return 0;
}

static void add_vouched(struct umx_text *json, size_t item)
{
    umx_text_addf(json, "%s{\"item\":%zu,\"ok\":true,\"detail\":\"{\\\"vouched\\\":\\\"yes\\\"}\"}",
                  json->length > 1 ? "," : "", item);
}

/* What is known of the items of the newest batch: the agent's word, and, of those that even it does not know, the
 * person's. NULL: nothing. Without the mutex for as long as the agent is asked. */
static int known_items(const struct umx_verb *v, const struct umx_step_state *step, bool done, struct umx_arena *arena,
                       const char **out)
{
    struct umx_batch_result result = {0};
    struct umx_batch batch;
    struct umx_text vouched = {0};
    struct umx_error why = {0};

    if (!umx_batch_fill(&batch, v->plan->hash, step->step, step->attempts, step->result, arena))
        return umx_fail(v->err, UMX_ERR_ARENA_FULL, step->step->id, NULL);
    batch.message.has_ask = batch.message.ask = 1;
    pthread_mutex_unlock(&v->engine->mutex);
    int status = umx_batch_send(v->engine, step->step->change->action->server, &batch, arena, &result, &why);
    pthread_mutex_lock(&v->engine->mutex);
    umx_text_adds(&vouched, "[");
    for (size_t i = 0; done && i < batch.message.n_item; i++)
        if (status != 0 || (!result.results[i]->ok && !result.results[i]->not_done && result.results[i]->uncertain))
            add_vouched(&vouched, batch.place[i]);
    umx_text_adds(&vouched, "]");
    const char *json = vouched.failed ? NULL : umx_arena_string(arena, umx_text_string(&vouched));
    umx_text_free(&vouched);
    if (json != NULL && status == 0)
        json = umx_results_merge(json, result.json, arena);
    *out = json != NULL && strcmp(json, "[]") != 0 ? json : NULL;
    return json != NULL ? 0 : umx_fail(v->err, UMX_ERR_ARENA_FULL, step->step->id, NULL);
}

static int record(const struct umx_verb *v, const struct umx_step_state *step, Umx__Intent__Outcome outcome,
                  const char *items, struct umx_arena *arena)
{
    const Umx__PlanConfirmArguments *arguments = v->arguments;
    Umx__Journal entry = UMX__JOURNAL__INIT;

    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__SETTLED;
    entry.step = umx_arena_string(arena, step->step->id);
    entry.has_outcome = 1;
    entry.outcome = outcome;
    entry.detail = umx_arena_string(arena, arguments->comment);
    entry.result = items != NULL ? umx_arena_string(arena, items) : NULL;
    if (entry.step == NULL || entry.detail == NULL || (items != NULL && entry.result == NULL))
        return umx_fail(v->err, UMX_ERR_ARENA_FULL, step->step->id, NULL);
    return umx_engine_append(v->engine, v->plan, &entry, umx_verb_actor(v), v->err);
}

int umx_verb_vouch(const struct umx_verb *v, struct umx_step_state *step)
{
    Umx__Intent__Outcome outcome = UMX__INTENT__OUTCOME__UNCERTAIN;
    struct umx_error why = {0};
    const char *items = NULL;

    int status = check(v, step);
    if (status == 0)
        status = read_outcome(v, &outcome);
    if (status != 0)
        return status;
    if (umx_step_settle(v->engine, v->plan, step, false, &why) == 0 || !umx_states_open(step))
        return 0; /* it can be told after all */
    struct umx_arena *arena = umx_arena_new(UMX_WORK_ARENA);
    if (arena == NULL)
        return umx_fail(v->err, UMX_ERR_MEMORY, step->step->id, NULL);
    if (step->step->kind == UMX__CHANGE__KIND__ACTION)
        status = known_items(v, step, outcome == UMX__INTENT__OUTCOME__OURS, arena, &items);
    if (status == 0)
        status = check(v, step);
    if (status == 0 && umx_states_open(step))
        status = record(v, step, outcome, items, arena);
    umx_arena_free(arena);
    return status;
}

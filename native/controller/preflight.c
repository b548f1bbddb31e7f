/*
 * Could the writer account make the changes of a plan? Asked of the directory before anybody approves, kept for a
 * while, stored nowhere.
 */
#include <string.h>

#include "controller/engine_private.h"

enum { CHANGES_MAX = 500 /* of one request */, KEPT = 60 /* seconds */ };

static bool is_directory(const Umx__PlanStep *step)
{
    return step->kind == UMX__CHANGE__KIND__ADD || step->kind == UMX__CHANGE__KIND__DELETE ||
           step->kind == UMX__CHANGE__KIND__MODIFY || step->kind == UMX__CHANGE__KIND__ACCESS;
}

/* The step that this one waits for and that is done by an agent or a person; NULL: none. It may be what gives the
 * right. */
static const char *step_before(const Umx__Plan *plan, const Umx__PlanStep *step)
{
    for (size_t d = 0; d < step->n_depends; d++)
        for (size_t i = 0; i < plan->n_step; i++)
            if (strcmp(plan->step[i]->id, step->depends[d]) == 0 &&
                (plan->step[i]->kind == UMX__CHANGE__KIND__ACTION || plan->step[i]->kind == UMX__CHANGE__KIND__GATE))
                return plan->step[i]->id;
    return NULL;
}

struct asking {
    struct umx_engine *engine;
    const Umx__Plan *plan;
    struct umx_arena *arena;
    const char **answers; /* by step */
};

/* One request: the steps at these places. False: the forest does not answer, and need not be asked again. */
static bool ask(struct asking *a, const char *forest, Umx__Change **changes, const size_t *places, size_t count)
{
    Umx__Preflight preflight = UMX__PREFLIGHT__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    struct umx_error why = {0};

    preflight.change = changes;
    preflight.n_change = count;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_PREFLIGHT;
    request.preflight = &preflight;
    int status = umx_engine_call(a->engine, forest, true, &request, a->arena, &reply, &why);
    if (status == 0 && (reply->reply_case != UMX__WORKER_REPLY__REPLY_PREFLIGHT || reply->preflight->n_answer < count))
        status = umx_fail(&why, UMX_ERR_PROTOCOL, forest, "the worker did not answer for every change");
    for (size_t i = 0; i < count; i++) {
        const char *answer = status == 0 ? reply->preflight->answer[i] : umx_error_why(&why);
        const char *before = step_before(a->plan, a->plan->step[places[i]]);
        if (status != 0)
            a->answers[places[i]] = umx_arena_format(a->arena, "unknown: %s", answer);
        else if (strncmp(answer, "denied", 6) == 0 && before != NULL)
            a->answers[places[i]] = umx_arena_format(a->arena, "unknown: step %s comes first; now %s", before, answer);
        else
            a->answers[places[i]] = umx_arena_string(a->arena, answer);
    }
    return status == 0;
}

static void ask_forest(struct asking *a, const char *forest)
{
    Umx__Change *changes[CHANGES_MAX];
    size_t places[CHANGES_MAX], count = 0;
    bool answers = true, asked = false;

    for (size_t i = 0; i < a->plan->n_step; i++) {
        const Umx__PlanStep *step = a->plan->step[i];
        if (!is_directory(step) || !umx_text_equal(step->forest, forest))
            continue;
        if (!answers) {
            a->answers[i] = a->answers[places[0]];
            continue;
        }
        changes[count] = step->change;
        places[count++] = i;
        asked = true;
        if (count == CHANGES_MAX) {
            answers = ask(a, forest, changes, places, count);
            count = 0;
        }
    }
    if (answers && count > 0)
        ask(a, forest, changes, places, count);
    const struct umx_engine_ports *ports = &a->engine->ports;
    pthread_mutex_lock(&a->engine->mutex);
    bool used = umx_run_uses(a->engine, forest);
    pthread_mutex_unlock(&a->engine->mutex);
    if (asked && !used && ports->rest_writer != NULL)
        ports->rest_writer(ports->user, forest);
}

static bool is_wanted(const struct umx_plan_state *plan)
{
    bool before = plan->base == UMX__PLAN_SUMMARY__STATE__DRAFT || plan->base == UMX__PLAN_SUMMARY__STATE__SUBMITTED;

    return before && (plan->permitted_at == 0 || umx_clock_monotonic() - plan->permitted_at > KEPT * UMX_SECOND);
}

int umx_engine_preflight(struct umx_engine *engine, const char *name, struct umx_error *err)
{
    struct umx_error local = {0};
    struct asking a = {.engine = engine};

    pthread_mutex_lock(&engine->mutex);
    struct umx_plan_state *plan = umx_states_find(engine, name, err != NULL ? err : &local);
    bool wanted = plan != NULL && is_wanted(plan);
    pthread_mutex_unlock(&engine->mutex);
    if (plan == NULL)
        return UMX_E_NOT_FOUND;
    if (!wanted)
        return 0;
    a.plan = plan->plan; /* never changes, and stays until the engine closes */
    a.arena = umx_arena_new(UMX_WORK_ARENA);
    a.answers = a.arena != NULL ? umx_arena_alloc(a.arena, (a.plan->n_step + 1) * sizeof *a.answers) : NULL;
    if (a.answers == NULL) {
        umx_arena_free(a.arena);
        return umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    }
    for (size_t i = 0; i < a.plan->n_forest; i++)
        ask_forest(&a, a.plan->forest[i]);
    pthread_mutex_lock(&engine->mutex);
    struct umx_arena *old = plan->permission_arena;
    plan->permission_arena = a.arena;
    plan->permissions = a.answers;
    plan->permitted_at = umx_clock_monotonic();
    pthread_mutex_unlock(&engine->mutex);
    umx_arena_free(old);
    return 0;
}

/*
 * Undo is a plan: made from the journal of another, backwards, and then previewed, approved and run like any plan.
 */
#include <string.h>

#include "controller/engine_private.h"
#include "controller/inverse.h"
#include "phases/phases.h"

static int number_of(const char *slug)
{
    const struct umx_phase *phase = slug != NULL ? umx_phase(slug) : NULL;

    return phase != NULL ? phase->number : 0;
}

/* Whether undoing it is wanted, and whether it is known what there is to undo. */
static int check_original(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err)
{
    bool any = false;

    if (plan->base == UMX__PLAN_SUMMARY__STATE__RUNNING || plan->run != NULL)
        return umx_engine_wrong_state(engine, plan, "at rest", err);
    for (size_t i = 0; i < plan->step_count; i++) {
        if (umx_states_open(&plan->steps[i]))
            return umx_fail(err, UMX_ERR_STEP_UNCERTAIN, plan->steps[i].step->id, NULL);
        any = any || plan->steps[i].effected;
    }
    return any ? 0 : umx_fail(err, UMX_ERR_NOTHING_TO_UNDO, plan->name, NULL);
}

/* user: the number of the last phase that stays; 0: none does. */
static bool is_undone(void *user, const Umx__PlanStep *step)
{
    const int *last = user;

    return *last == 0 || number_of(step->phase) > *last;
}

int umx_inverse_plan(struct umx_inverse *inverse, const char *to_phase)
{
    struct umx_plan_state *plan = inverse->original;
    int last = 0;
    int status = 0;

    if (to_phase != NULL && to_phase[0] != '\0' && (last = number_of(to_phase)) == 0)
        return umx_fail(inverse->err, UMX_ERR_PHASE_UNKNOWN, to_phase, NULL);
    for (size_t i = plan->step_count; status == 0 && i > 0; i--) {
        const struct umx_step_state *step = &plan->steps[i - 1];
        if (step->effected && is_undone(&last, step->step))
            status = umx_inverse_add(inverse, step);
    }
    if (status != 0)
        return status;
    if (inverse->foreign_count > 0)
        return umx_fail(inverse->err, UMX_ERR_FOREIGN_CHANGE, plan->name, "%s", umx_text_string(&inverse->foreign));
    if (inverse->step_count > 0) /* a restart alone undoes nothing */
        status = umx_inverse_restarts(inverse, is_undone, &last);
    if (status != 0)
        return status;
    if (inverse->step_count == 0)
        return umx_fail(inverse->err, UMX_ERR_NOTHING_TO_UNDO, plan->name,
                        inverse->note_count > 0 ? "everything is already as it was, or cannot be undone"
                                                : "no step of these phases was done");
    return 0;
}

static void fill(const struct umx_inverse *inverse, const char *name, const struct umx_engine_caller *caller,
                 Umx__Plan *plan)
{
    const Umx__Plan *original = inverse->original->plan;

    *plan = *original; /* shares its texts: the plan is packed at once */
    plan->name = umx_arena_string(inverse->arena, name);
    plan->author = umx_arena_string(inverse->arena, caller->identity->uri);
    plan->author_name = caller->name != NULL ? umx_arena_string(inverse->arena, caller->name) : NULL;
    plan->created_at = umx_clock_now();
    plan->has_not_before_at = plan->has_not_after_at = 0; /* an undo is wanted when it is wanted */
    plan->not_before_at = plan->not_after_at = 0;
    plan->engine = UMX_ENGINE_GENERATION;
    plan->undo_of = original->name;
    plan->step = inverse->steps;
    plan->n_step = inverse->step_count;
    plan->note = inverse->notes;
    plan->n_note = inverse->note_count;
    plan->read_from = NULL;
    plan->n_read_from = 0;
}

/* The original's approvals cover its undo for a time; they are counted again at each look, as any approval. */
static bool is_covered(struct umx_engine *engine, const struct umx_plan_state *plan)
{
    if (umx_approval_check(engine, plan, false, NULL, NULL) != 0)
        return false;
    return engine->options.policy == UMX_POLICY_NONE ||
           (!plan->covered && umx_journal_now(engine->journal) <= plan->effect_at + engine->options.undo_cover);
}

static int store(const struct umx_inverse *inverse, const char *name, const struct umx_engine_caller *caller)
{
    struct umx_engine *engine = inverse->engine;
    Umx__Plan plan;
    const char *actor = caller->identity->uri;

    fill(inverse, name, caller, &plan);
    if (plan.name == NULL || plan.author == NULL)
        return umx_fail(inverse->err, UMX_ERR_ARENA_FULL, name, NULL);
    bool covered = is_covered(engine, inverse->original);
    int status = umx_plans_store(engine, &plan, covered, actor, inverse->err);
    if (status != 0 || !covered)
        return status;
    struct umx_plan_state *made = umx_states_find(engine, name, inverse->err);
    if (made == NULL)
        return inverse->err->status;
    return umx_engine_note(engine, made, UMX__JOURNAL__KIND__SUBMITTED, NULL, actor, NULL,
                           "covered by the approvals of the plan it undoes", inverse->err);
}

static int undo(struct umx_inverse *inverse, const Umx__PlanUndoArguments *arguments, const char *name,
                const struct umx_engine_caller *caller)
{
    struct umx_engine *engine = inverse->engine;

    inverse->original = umx_states_find(engine, arguments->name, inverse->err);
    if (inverse->original == NULL)
        return inverse->err->status;
    if (umx_states_find(engine, name, NULL) != NULL)
        return umx_fail(inverse->err, UMX_ERR_PLAN_EXISTS, name, NULL);
    int status = umx_engine_claim(engine, inverse->original, 2 * engine->options.call_deadline, inverse->err);
    if (status != 0)
        return status;
    status = check_original(engine, inverse->original, inverse->err);
    if (status == 0) {
        pthread_mutex_unlock(&engine->mutex);
        status = umx_inverse_plan(inverse, arguments->to_phase);
        pthread_mutex_lock(&engine->mutex);
    }
    if (status == 0)
        status = store(inverse, name, caller);
    umx_engine_release(engine, inverse->original);
    return status;
}

/* NAME-undo, or with a number behind it where a plan of that name was submitted and deleted. Mutex held. */
static const char *default_name(const struct umx_engine *engine, const char *original, struct umx_arena *arena)
{
    const char *name = umx_arena_format(arena, "%s-undo", original);

    for (int i = 2; name != NULL && umx_states_burnt(engine, name); i++)
        name = umx_arena_format(arena, "%s-undo-%d", original, i);
    return name;
}

int umx_engine_undo(struct umx_engine *engine, const Umx__PlanUndoArguments *arguments,
                    const struct umx_engine_caller *caller, struct umx_arena *arena, const char **undo_name,
                    struct umx_error *err)
{
    struct umx_error local = {0};
    struct umx_inverse inverse = {.engine = engine, .err = err != NULL ? err : &local};
    const char *name = arguments->undo_name;

    *undo_name = NULL;
    if (name == NULL || name[0] == '\0') {
        pthread_mutex_lock(&engine->mutex);
        name = default_name(engine, arguments->name != NULL ? arguments->name : "", arena);
        pthread_mutex_unlock(&engine->mutex);
    }
    inverse.arena = umx_arena_new(UMX_PLAN_ARENA);
    if (inverse.arena == NULL || name == NULL) {
        umx_arena_free(inverse.arena);
        return umx_fail(err, UMX_ERR_MEMORY, "undo", NULL);
    }
    int status = umx_plans_check_name(name, inverse.err);
    if (status == 0) {
        pthread_mutex_lock(&engine->mutex);
        status = undo(&inverse, arguments, name, caller);
        pthread_mutex_unlock(&engine->mutex);
    }
    if (status == 0)
        *undo_name = umx_arena_string(arena, name);
    umx_text_free(&inverse.foreign);
    umx_arena_free(inverse.arena);
    return status;
}

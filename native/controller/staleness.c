/*
 * Is the directory still what the plan was made from? Each step that is still to be done is compared with the world
 * predicted before it; what an earlier step of the same plan will change is that step's business.
 */
#include "controller/engine_private.h"
#include "phases/phases.h"
#include "phases/records.h"

#include <string.h>

enum { LINES_MAX = 20 };

static bool is_directory(const Umx__PlanStep *step)
{
    return step->change != NULL && (step->kind == UMX__CHANGE__KIND__ADD || step->kind == UMX__CHANGE__KIND__DELETE ||
                                    step->kind == UMX__CHANGE__KIND__MODIFY || step->kind == UMX__CHANGE__KIND__ACCESS);
}

/* Steps still to be done, in order; the ones before `index` are predictions for it. */
struct earlier {
    Umx__PlanStep **steps;
    size_t index;
};

static bool changes(const Umx__PlanStep *earlier, const Umx__PlanStep *step, const char *attribute)
{
    const Umx__Change *change = earlier->change;
    bool whole = earlier->kind == UMX__CHANGE__KIND__ADD || earlier->kind == UMX__CHANGE__KIND__DELETE;

    if (!umx_text_dn_equal(change->dn, step->change->dn))
        return whole && umx_text_dn_within(step->change->dn, change->dn);
    if (whole)
        return true;
    if (attribute == NULL)
        return false;
    if (*attribute == '\0')
        return change->access != NULL && step->change->access != NULL && change->access->sddl != NULL &&
               umx_text_equal(change->access->sddl, step->change->access->sddl);
    for (size_t i = 0; i < change->n_modify; i++)
        if (umx_text_equal(change->modify[i]->name, attribute))
            return true;
    return false;
}

static bool predicted(void *user, const char *attribute)
{
    const struct earlier *earlier = user;
    const Umx__PlanStep *step = earlier->steps[earlier->index];

    for (size_t i = 0; i < earlier->index; i++)
        if (umx_text_equal(earlier->steps[i]->forest, step->forest) && changes(earlier->steps[i], step, attribute))
            return true;
    return false;
}

/* The domain controllers that answered first: the rest of a forest is compared there too. */
struct pins {
    const char *forest;
    struct umx_pin pin;
};

static struct umx_pin *pin_of(struct pins *pins, size_t count, const char *forest)
{
    size_t i = 0;

    while (i + 1 < count && pins[i].forest != NULL && !umx_text_equal(pins[i].forest, forest))
        i++;
    pins[i].forest = forest;
    return &pins[i].pin;
}

static void keep_pin(struct umx_pin *pin, const Umx__ObjectState *state)
{
    if (pin->name[0] != '\0' || state->domain_controller == NULL || state->invocation_id.len > sizeof pin->invocation)
        return;
    umx_text_copy(pin->name, sizeof pin->name, state->domain_controller);
    pin->invocation_length = state->invocation_id.len;
    if (pin->invocation_length > 0)
        memcpy(pin->invocation, state->invocation_id.data, pin->invocation_length);
}

/* The writer reads: what counts is what the domain controller holds that will be written to. */
static int compare(struct umx_engine *engine, const struct umx_plan_state *plan, Umx__PlanStep **steps, size_t count,
                   struct umx_error *err)
{
    enum umx_image_grain grain = plan->plan->undo_of != NULL ? UMX_GRAIN_VALUE : UMX_GRAIN_ATTRIBUTE;
    const size_t forests = plan->plan->n_forest + 1;
    struct pins *pins = calloc(forests, sizeof *pins);
    struct umx_text lines = {0};
    size_t found = 0;
    int status = pins == NULL ? umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL) : 0;

    for (size_t i = 0; status == 0 && i < count; i++) {
        struct umx_pin *pin = pin_of(pins, forests, steps[i]->forest);
        struct earlier earlier = {steps, i};
        struct umx_arena *arena = umx_arena_new(UMX_WORK_ARENA);
        Umx__ObjectState *state = NULL;
        if (arena == NULL)
            status = umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
        else
            status = umx_engine_read_object(engine, true, steps[i], NULL, pin, arena, &state, err);
        if (status == 0)
            keep_pin(pin, state);
        if (status == 0)
            found += umx_image_differences(steps[i], false, grain, state, predicted, &earlier, &lines);
        umx_arena_free(arena);
    }
    if (status == 0 && found > 0) {
        umx_text_join(&lines, LINES_MAX, UMX_ERROR_LINES_MAX);
        status = umx_fail(err, UMX_ERR_PLAN_STALE, plan->name, "%s", umx_text_string(&lines));
    }
    umx_text_free(&lines);
    free(pins);
    return status;
}

/* ---- promises */

/* Lines of one step, each with its name. */
static void name_lines(struct umx_text *out, const Umx__PlanStep *step, struct umx_text *lines)
{
    char *line = lines->data;

    for (char *end; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        umx_text_addf(out, "%s %s: %s\n", step->id, step->target != NULL ? step->target : "", line);
    }
    umx_text_free(lines);
}

/* A gate may have been opened before anybody asked: what it promises is good too. */
static bool is_there_already(const Umx__PlanStep *step, const Umx__World *world)
{
    struct umx_text ignored = {0};
    bool there = step->kind == UMX__CHANGE__KIND__GATE &&
                 umx_records_differences(world, step->predicted, step->removed, &ignored) == 0;

    umx_text_free(&ignored);
    return there;
}

static int compare_promise(const struct umx_promise_reading *reading, const Umx__PlanStep *step,
                           struct umx_arena *arena, struct umx_text *out, size_t *found, struct umx_error *err)
{
    const Umx__World *world = umx_world_records(reading->world);
    Umx__World *absent = NULL, *original = NULL, *gone = NULL;
    struct umx_text lines = {0};

    int status = umx_promise_absent(step, arena, &absent, err);
    if (status == 0)
        status = umx_promise_seen(reading, step, step->original, arena, &original, err);
    if (status == 0)
        status = umx_promise_seen(reading, step, absent, arena, &gone, err);
    if (status == 0 && !is_there_already(step, world))
        *found += umx_records_differences(world, original, gone, &lines);
    name_lines(out, step, &lines);
    return status;
}

/* The world as it is, and then as each step leaves it for the ones after it. */
static int compare_promises(struct umx_engine *engine, const struct umx_plan_state *plan, Umx__PlanStep **steps,
                            size_t count, struct umx_arena *arena, struct umx_error *err)
{
    struct umx_promise_reading reading;
    Umx__PlanStep **claiming = umx_arena_alloc(arena, (count + 1) * sizeof(Umx__PlanStep *));
    struct umx_text lines = {0};
    size_t claims = 0, found = 0;

    if (claiming == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL);
    for (size_t i = 0; i < count; i++)
        if (steps[i]->kind != UMX__CHANGE__KIND__WAIT && umx_promise_claims(steps[i]))
            claiming[claims++] = steps[i];
    if (claims == 0)
        return 0;
    int status = umx_promise_read(engine, claiming, claims, arena, &reading, err);
    if (status != 0)
        return status;
    /* An agent that is away is waited for by its steps; what is there has to answer. */
    if (reading.failed) {
        umx_text_join(&reading.blind, LINES_MAX, UMX_ERROR_LINES_MAX);
        status = umx_fail(err, UMX_ERR_PLAN_WORLD_INCOMPLETE, plan->name, "%s", umx_text_string(&reading.blind));
    }
    for (size_t i = 0, next = 0; status == 0 && i < count; i++) {
        if (next < claims && claiming[next] == steps[i]) {
            status = compare_promise(&reading, steps[i], arena, &lines, &found, err);
            next++;
        }
        if (status == 0)
            status = umx_phase_apply(reading.world, steps[i], err);
    }
    if (status == 0 && found > 0) {
        umx_text_join(&lines, LINES_MAX, UMX_ERROR_LINES_MAX);
        status = umx_fail(err, UMX_ERR_PLAN_STALE, plan->name, "%s", umx_text_string(&lines));
    }
    umx_text_free(&lines);
    umx_promise_forget(&reading);
    return status;
}

/* ---- both */

/* Steps that are still to be done, resolved as far as possible, in the order of the plan. One that was done in part is
 * not compared: part of it is true already. */
static int pending(struct umx_plan_state *plan, struct umx_arena *arena, Umx__PlanStep **steps, size_t *count,
                   struct umx_error *err)
{
    int status = 0;

    *count = 0;
    for (size_t i = 0; status == 0 && i < plan->step_count; i++) {
        const struct umx_step_state *step = &plan->steps[i];
        struct umx_error why = {0};
        if (step->state != UMX__PLAN_STEP__STATE__PENDING || step->effected)
            continue;
        status = umx_references_resolve(plan, step->step, arena, &steps[*count], &why);
        if (status == 0)
            status = umx_references_promise(plan, steps[*count], arena, &why);
        if (status == 0)
            (*count)++;
        else if (why.id == UMX_ERR_REFERENCE_UNRESOLVED)
            status = 0; /* known only when the step before it has run: compared then */
        else if (err != NULL)
            *err = why;
    }
    return status;
}

int umx_staleness_check(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_PLAN_ARENA);
    size_t most = plan->step_count + 1, all = 0, count = 0;
    Umx__PlanStep **steps = arena != NULL ? umx_arena_alloc(arena, most * sizeof(Umx__PlanStep *)) : NULL;
    Umx__PlanStep **directory = arena != NULL ? umx_arena_alloc(arena, most * sizeof(Umx__PlanStep *)) : NULL;
    int status = steps == NULL || directory == NULL ? umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL)
                                                    : pending(plan, arena, steps, &all, err);

    for (size_t i = 0; status == 0 && i < all; i++)
        if (is_directory(steps[i]))
            directory[count++] = steps[i];
    if (status == 0) {
        pthread_mutex_unlock(&engine->mutex);
        status = compare(engine, plan, directory, count, err);
        if (status == 0)
            status = compare_promises(engine, plan, steps, all, arena, err);
        pthread_mutex_lock(&engine->mutex);
    }
    umx_arena_free(arena);
    return status;
}

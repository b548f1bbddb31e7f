/*
 * Making plans: from a fresh reading of the forests to bytes that are stored, hashed and never changed.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/engine_private.h"
#include "phases/groups.h"
#include "phases/phases.h"

enum { PAIRS_MAX = 64, PHASES_MAX = 32, OPTIONS_MAX = 1024, FAILURES_MAX = 1000 };

int umx_plans_check_name(const char *name, struct umx_error *err)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = name != NULL ? strlen(name) : 0;

    if (length == 0 || length > UMX_PLAN_NAME_MAX || strchr(letters, name[0]) == NULL)
        return umx_fail(err, UMX_ERR_PLAN_NAME_INVALID, length > 0 ? name : "plan", NULL);
    for (size_t i = 0; i < length; i++)
        if (strchr(letters, name[i]) == NULL && strchr(".-_", name[i]) == NULL)
            return umx_fail(err, UMX_ERR_PLAN_NAME_INVALID, name, NULL);
    return 0;
}

/* ---- storing */

static bool is_forest_of(const Umx__Plan *plan, const char *forest)
{
    for (size_t i = 0; i < plan->n_forest; i++)
        if (umx_text_equal(plan->forest[i], forest))
            return true;
    return false;
}

static bool has_target(const Umx__Change *change)
{
    switch (change->kind) {
    case UMX__CHANGE__KIND__ADD:
    case UMX__CHANGE__KIND__DELETE:
        return change->dn != NULL;
    case UMX__CHANGE__KIND__MODIFY:
        return change->dn != NULL && change->n_modify > 0;
    case UMX__CHANGE__KIND__ACCESS:
        return change->dn != NULL && change->access != NULL;
    case UMX__CHANGE__KIND__ACTION:
        return change->action != NULL && change->action->server != NULL && change->action->action != NULL;
    default:
        return true;
    }
}

/* What the rest of the engine relies on. A plan that breaks it is a defect of a phase, found before it is stored. */
static int validate(const Umx__Plan *plan, struct umx_error *err)
{
    if (plan->n_step > UMX_PLAN_STEPS_MAX)
        return umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, "%zu steps, at most %d are possible", plan->n_step,
                        UMX_PLAN_STEPS_MAX);
    for (size_t i = 0; i < plan->n_step; i++) {
        const Umx__PlanStep *step = plan->step[i];
        char id[24];
        snprintf(id, sizeof id, "s%zu", i + 1);
        if (step->id == NULL || strcmp(step->id, id) != 0)
            return umx_fail(err, UMX_ERR_INTERNAL, plan->name, "step %s stands at place %s", step->id, id);
        if (!step->has_kind || step->change == NULL || step->change->kind != step->kind || !has_target(step->change))
            return umx_fail(err, UMX_ERR_INTERNAL, id, "it has no whole change");
        if (!is_forest_of(plan, step->forest))
            return umx_fail(err, UMX_ERR_INTERNAL, id, "its forest %s is not of the plan",
                            step->forest != NULL ? step->forest : "");
        if (step->groups != NULL && step->groups[0] != '\0' && !umx_groups_valid(step->groups))
            return umx_fail(err, UMX_ERR_INTERNAL, id, "its group expression `%s` is not valid", step->groups);
        for (size_t k = 0; k < step->n_depends; k++) {
            unsigned long other = strtoul(step->depends[k] + 1, NULL, 10);
            if (step->depends[k][0] != 's' || other == 0 || other > i)
                return umx_fail(err, UMX_ERR_INTERNAL, id, "it depends on %s, which does not come before it",
                                step->depends[k]);
        }
    }
    return 0;
}

int umx_plans_store(struct umx_engine *engine, const Umx__Plan *plan, bool covered, const char *actor,
                    struct umx_error *err)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    char hash[UMX_JOURNAL_HASH_TEXT], name[UMX_PLAN_NAME_MAX + 1], who[UMX_IDENTITY_MAX];
    uint8_t *bytes = NULL;
    size_t length = 0;
    const int point = UMX_POINT_JOURNAL + UMX__JOURNAL__KIND__CREATED - 1;

    if (umx_states_find(engine, plan->name, NULL) != NULL)
        return umx_fail(err, UMX_ERR_PLAN_EXISTS, plan->name, NULL);
    if (umx_states_burnt(engine, plan->name))
        return umx_fail(
            err, UMX_ERR_PLAN_EXISTS, plan->name,
            "a plan of this name was submitted and deleted: who reviewed that one must not approve another");
    int status = validate(plan, err);
    if (status == 0)
        status = umx_reflect_pack(&plan->base, &bytes, &length, err);
    if (status != 0)
        return status;
    umx_journal_hash(bytes, length, hash);
    umx_text_copy(name, sizeof name, plan->name);
    umx_text_copy(who, sizeof who, actor != NULL ? actor : engine->options.actor);
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__CREATED;
    entry.plan = name;
    entry.actor = who;
    entry.plan_hash = hash;
    entry.has_covered = covered;
    entry.covered = covered;
    umx_engine_crash(point, false, NULL);
    status = umx_journal_add_plan(engine->journal, name, bytes, length, &entry, err);
    if (status == 0) {
        umx_engine_crash(point, true, NULL);
        status = umx_states_create(engine, &entry, bytes, length, err);
        pthread_cond_broadcast(&engine->changed);
    }
    free(bytes);
    return status;
}

/* ---- creating */

struct creation {
    struct umx_engine *engine;
    const Umx__PlanCreateArguments *arguments;
    const char *author, *author_name;
    struct umx_arena *arena;
    struct umx_error *err;
    struct umx_pair pairs[PAIRS_MAX];
    size_t pair_count;
    const char *forests[2 * PAIRS_MAX];
    size_t forest_count;
    const struct umx_phase *phases[PHASES_MAX];
    size_t phase_count;
    struct umx_options options;
};

static int add_forest(struct creation *c, const char *name, const char **canonical)
{
    const struct umx_engine_forest *forest = umx_engine_forest_of(c->engine, name);

    if (forest == NULL)
        return umx_fail(c->err, UMX_ERR_PAIR_UNKNOWN, name, "it is not in the configuration");
    *canonical = forest->name;
    for (size_t i = 0; i < c->forest_count; i++)
        if (c->forests[i] == forest->name)
            return 0;
    c->forests[c->forest_count++] = forest->name;
    return 0;
}

static int add_pair(struct creation *c, const char *exchange, const char *lync)
{
    struct umx_pair *pair = &c->pairs[c->pair_count];

    if (c->pair_count == PAIRS_MAX)
        return umx_fail(c->err, UMX_ERR_PAIR_UNKNOWN, c->arguments->name, "more than %d pairs", PAIRS_MAX);
    int status = add_forest(c, exchange, &pair->exchange);
    if (status == 0)
        status = add_forest(c, lync, &pair->lync);
    if (status == 0)
        c->pair_count++;
    return status;
}

static bool has_side(const struct umx_engine_forest *forest, Umx__Forest__Side side)
{
    return forest->side == side || forest->side == UMX__FOREST__SIDE__BOTH;
}

/* The pairs named, or every Exchange forest with every Lync forest of the configuration. */
static int choose_pairs(struct creation *c)
{
    const struct umx_engine_options *options = &c->engine->options;
    int status = 0;

    for (size_t i = 0; status == 0 && i < c->arguments->n_pair; i++) {
        char *text = umx_arena_string(c->arena, c->arguments->pair[i]);
        char *colon = text != NULL ? strchr(text, ':') : NULL;
        if (colon == NULL)
            return umx_fail(c->err, UMX_ERR_PAIR_UNKNOWN, c->arguments->pair[i], NULL);
        *colon = '\0';
        status = add_pair(c, text, colon + 1);
    }
    for (size_t i = 0; c->arguments->n_pair == 0 && i < options->forest_count; i++)
        for (size_t k = 0; status == 0 && k < options->forest_count; k++)
            if (has_side(&options->forests[i], UMX__FOREST__SIDE__EXCHANGE) &&
                has_side(&options->forests[k], UMX__FOREST__SIDE__LYNC))
                status = add_pair(c, options->forests[i].name, options->forests[k].name);
    if (status == 0 && c->pair_count == 0)
        status = umx_fail(c->err, UMX_ERR_PAIR_UNKNOWN, c->arguments->name, "the configuration has no pair of forests");
    return status;
}

static int by_number(const void *a, const void *b)
{
    const struct umx_phase *const *x = a, *const *y = b;

    return (*x)->number - (*y)->number;
}

static int choose_phases(struct creation *c)
{
    if (c->arguments->n_phase == 0)
        return umx_fail(c->err, UMX_ERR_PHASE_UNKNOWN, c->arguments->name, "name at least one phase");
    for (size_t i = 0; i < c->arguments->n_phase; i++) {
        const struct umx_phase *phase = umx_phase(c->arguments->phase[i]);
        bool twice = false;
        if (phase == NULL)
            return umx_fail(c->err, UMX_ERR_PHASE_UNKNOWN, c->arguments->phase[i], NULL);
        for (size_t k = 0; k < c->phase_count; k++)
            twice = twice || c->phases[k] == phase;
        if (!twice && c->phase_count < PHASES_MAX)
            c->phases[c->phase_count++] = phase;
    }
    qsort(c->phases, c->phase_count, sizeof c->phases[0], by_number);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static int choose_options(struct creation *c)
{
    if (c->arguments->n_set > OPTIONS_MAX)
        return umx_fail(c->err, UMX_ERR_OPTION_INVALID, c->arguments->name, "more than %d options", OPTIONS_MAX);
    const char **texts = umx_arena_alloc(c->arena, (c->arguments->n_set + 1) * sizeof(char *));
    if (texts == NULL)
        return umx_fail(c->err, UMX_ERR_MEMORY, c->arguments->name, NULL);
    for (size_t i = 0; i < c->arguments->n_set; i++)
        texts[i] = c->arguments->set[i];
    if (c->arguments->n_set > 1)
        qsort(texts, c->arguments->n_set, sizeof *texts, by_text);
    c->options.texts = texts;
    c->options.count = c->arguments->n_set;
    c->options.input = c->arguments->input;
    return 0;
}

static int check_arguments(struct creation *c)
{
    const Umx__PlanCreateArguments *a = c->arguments;
    const int64_t now = umx_clock_now();

    int status = umx_plans_check_name(a->name, c->err);
    if (status != 0)
        return status;
    if (a->has_not_after_at && a->not_after_at != 0 &&
        (a->not_after_at <= now || (a->has_not_before_at && a->not_after_at <= a->not_before_at)))
        return umx_fail(c->err, UMX_ERR_TIME_INVALID, a->name, "the change window ends before it begins or is over");
    if (a->has_max_failures && (a->max_failures < 1 || a->max_failures > FAILURES_MAX))
        return umx_fail(c->err, UMX_ERR_JSON_VALUE_INVALID, "max_failures", "give 1 to %d", FAILURES_MAX);
    status = choose_phases(c);
    if (status == 0)
        status = choose_pairs(c);
    if (status == 0)
        status = choose_options(c);
    return status;
}

/* A plan from half a reading would take what was not seen for missing. Which tables it needs the phases say. */
static int check_world(const struct creation *c, const Umx__World *world)
{
    for (size_t i = 0; i < c->forest_count; i++) {
        const Umx__Forest *found = NULL;
        for (size_t k = 0; k < world->n_forest && found == NULL; k++)
            if (umx_text_equal(world->forest[k]->forest, c->forests[i]))
                found = world->forest[k];
        if (found == NULL)
            return umx_fail(c->err, UMX_ERR_PLAN_WORLD_INCOMPLETE, c->forests[i], "it was not read");
        if (found->error != NULL)
            return umx_fail(c->err, UMX_ERR_PLAN_WORLD_INCOMPLETE, c->forests[i], "%s", found->error);
    }
    return 0;
}

static int fill_read_from(const struct creation *c, const Umx__World *world, Umx__Plan *plan)
{
    plan->read_from = umx_arena_alloc(c->arena, (world->n_forest + 1) * sizeof(Umx__Forest *));
    for (size_t i = 0; plan->read_from != NULL && i < world->n_forest; i++) {
        const Umx__Forest *from = world->forest[i];
        Umx__Forest *to = umx_reflect_new(&umx__forest__descriptor, c->arena);
        if (to == NULL)
            return umx_fail(c->err, UMX_ERR_ARENA_FULL, plan->name, NULL);
        to->forest = from->forest;
        to->domain_controller = from->domain_controller;
        to->has_invocation_id = from->has_invocation_id;
        to->invocation_id = from->invocation_id;
        to->has_highest_usn = from->has_highest_usn;
        to->highest_usn = from->highest_usn;
        to->has_collected_at = from->has_collected_at;
        to->collected_at = from->collected_at;
        plan->read_from[plan->n_read_from++] = to;
    }
    return plan->read_from == NULL ? umx_fail(c->err, UMX_ERR_ARENA_FULL, plan->name, NULL) : 0;
}

static int fill_pairs(const struct creation *c, Umx__Plan *plan)
{
    plan->pair = umx_arena_alloc(c->arena, (c->pair_count + 1) * sizeof(Umx__Pair *));
    plan->forest = umx_arena_alloc(c->arena, (c->forest_count + 1) * sizeof(char *));
    plan->phase = umx_arena_alloc(c->arena, (c->phase_count + 1) * sizeof(char *));
    plan->option = umx_arena_alloc(c->arena, (c->options.count + 1) * sizeof(char *));
    if (plan->pair == NULL || plan->forest == NULL || plan->phase == NULL || plan->option == NULL)
        return umx_fail(c->err, UMX_ERR_ARENA_FULL, plan->name, NULL);
    for (size_t i = 0; i < c->pair_count; i++) {
        Umx__Pair *pair = umx_reflect_new(&umx__pair__descriptor, c->arena);
        if (pair == NULL)
            return umx_fail(c->err, UMX_ERR_ARENA_FULL, plan->name, NULL);
        pair->exchange = umx_arena_string(c->arena, c->pairs[i].exchange);
        pair->lync = umx_arena_string(c->arena, c->pairs[i].lync);
        plan->pair[plan->n_pair++] = pair;
    }
    for (size_t i = 0; i < c->forest_count; i++)
        plan->forest[plan->n_forest++] = umx_arena_string(c->arena, c->forests[i]);
    for (size_t i = 0; i < c->phase_count; i++)
        plan->phase[plan->n_phase++] = umx_arena_string(c->arena, c->phases[i]->slug);
    for (size_t i = 0; i < c->options.count; i++)
        plan->option[plan->n_option++] = umx_arena_string(c->arena, c->options.texts[i]);
    return 0;
}

static int fill_plan(const struct creation *c, const struct umx_steps *steps, const Umx__World *world, Umx__Plan *plan)
{
    const Umx__PlanCreateArguments *a = c->arguments;

    plan->name = a->name;
    plan->deployment = umx_arena_string(c->arena, c->engine->options.deployment);
    plan->author = umx_arena_string(c->arena, c->author);
    plan->author_name = c->author_name != NULL ? umx_arena_string(c->arena, c->author_name) : NULL;
    plan->has_created_at = 1;
    plan->created_at = umx_clock_now();
    plan->ticket = a->ticket;
    plan->has_not_before_at = a->has_not_before_at;
    plan->not_before_at = a->not_before_at;
    plan->has_not_after_at = a->has_not_after_at;
    plan->not_after_at = a->not_after_at;
    plan->has_max_failures = a->has_max_failures;
    plan->max_failures = a->max_failures;
    plan->has_engine = 1;
    plan->engine = UMX_ENGINE_GENERATION;
    plan->input = a->input;
    plan->step = steps->items;
    plan->n_step = steps->count;
    plan->note = (char **)(uintptr_t)steps->notes; /* packed, never changed */
    plan->n_note = steps->note_count;
    int status = fill_pairs(c, plan);
    return status != 0 ? status : fill_read_from(c, world, plan);
}

static int create(struct creation *c)
{
    Umx__Plan plan = UMX__PLAN__INIT;
    struct umx_world *world = NULL;
    struct umx_steps steps = {.arena = c->arena};

    int status = check_arguments(c);
    if (status != 0)
        return status;
    pthread_mutex_lock(
        &c->engine->mutex); /* before the forests are read: it takes a while to learn it from the store */
    if (umx_states_find(c->engine, c->arguments->name, NULL) != NULL)
        status = umx_fail(c->err, UMX_ERR_PLAN_EXISTS, c->arguments->name, NULL);
    else if (umx_states_burnt(c->engine, c->arguments->name))
        status =
            umx_fail(c->err, UMX_ERR_PLAN_EXISTS, c->arguments->name, "a plan of this name was submitted and deleted");
    pthread_mutex_unlock(&c->engine->mutex);
    if (status == 0)
        status = c->engine->ports.read_world(c->engine->ports.user, c->forests, c->forest_count, NULL, &world, c->err);
    if (status != 0)
        return status;
    status = check_world(c, umx_world_records(world));
    if (status == 0)
        status =
            umx_phases_plan(world, c->phases, c->phase_count, c->pairs, c->pair_count, &c->options, &steps, c->err);
    if (status == 0 && steps.failed)
        status = umx_fail(c->err, UMX_ERR_ARENA_FULL, c->arguments->name, NULL);
    if (status == 0)
        status = fill_plan(c, &steps, umx_world_records(world), &plan);
    if (status == 0) {
        pthread_mutex_lock(&c->engine->mutex);
        status = umx_plans_store(c->engine, &plan, false, c->author, c->err);
        pthread_mutex_unlock(&c->engine->mutex);
    }
    umx_world_free(world);
    return status;
}

int umx_engine_create(struct umx_engine *engine, const Umx__PlanCreateArguments *arguments,
                      const struct umx_engine_caller *caller, struct umx_error *err)
{
    struct creation *c = calloc(1, sizeof *c);
    struct umx_arena *arena = umx_arena_new(UMX_PLAN_ARENA);
    int status = 0;

    if (c == NULL || arena == NULL) {
        status = umx_fail(err, UMX_ERR_MEMORY, arguments->name != NULL ? arguments->name : "plan", NULL);
    } else {
        c->engine = engine;
        c->arguments = arguments;
        c->author = caller->identity->uri;
        c->author_name = caller->name;
        c->arena = arena;
        c->err = err;
        status = create(c);
    }
    umx_arena_free(arena);
    free(c);
    return status;
}

/*
 * What the journal's entries add up to. The same fold runs at start over the whole journal and on each entry as it is
 * added, so that there is no second truth about a plan.
 */
#include "controller/engine_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- plans */

void umx_states_free(struct umx_plan_state *plan)
{
    if (plan == NULL)
        return;
    umx_arena_free(plan->permission_arena);
    umx_arena_free(plan->arena); /* the state itself lies in it */
}

struct umx_plan_state *umx_states_find(struct umx_engine *engine, const char *name, struct umx_error *err)
{
    for (size_t i = 0; name != NULL && i < engine->plan_count; i++)
        if (strcmp(engine->plans[i]->name, name) == 0)
            return engine->plans[i];
    umx_fail(err, UMX_ERR_PLAN_NOT_FOUND, name != NULL ? name : "plan", NULL);
    return NULL;
}

bool umx_states_burnt(const struct umx_engine *engine, const char *name)
{
    for (const struct umx_plan_state *plan = engine->graveyard; plan != NULL; plan = plan->next_deleted)
        if (plan->was_submitted && strcmp(plan->name, name) == 0)
            return true;
    return false;
}

/* Ids are s1, s2, ... in order: the number finds the step, the text confirms it. */
struct umx_step_state *umx_states_step(struct umx_plan_state *plan, const char *id)
{
    if (id == NULL || id[0] != 's')
        return NULL;
    unsigned long number = strtoul(id + 1, NULL, 10);
    if (number == 0 || number > plan->step_count || strcmp(plan->steps[number - 1].step->id, id) != 0)
        return NULL;
    return &plan->steps[number - 1];
}

bool umx_states_selected(const struct umx_plan_state *plan, const Umx__PlanStep *step)
{
    if (plan->selection_count == 0)
        return true;
    for (size_t i = 0; i < plan->selection_count; i++)
        if (step->phase != NULL && strcmp(plan->selection[i], step->phase) == 0)
            return true;
    return false;
}

bool umx_states_open(const struct umx_step_state *step)
{
    if (step->waits)
        return false;
    return step->state == UMX__PLAN_STEP__STATE__INTENDED || step->state == UMX__PLAN_STEP__STATE__UNCERTAIN;
}

Umx__PlanSummary__State umx_states_of(struct umx_engine *engine, struct umx_plan_state *plan)
{
    if (plan->base == UMX__PLAN_SUMMARY__STATE__SUBMITTED && umx_approval_check(engine, plan, false, NULL, NULL) == 0)
        return UMX__PLAN_SUMMARY__STATE__APPROVED;
    return plan->base;
}

static int add_plan(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err)
{
    if (engine->plan_count == engine->plan_capacity) {
        size_t capacity = engine->plan_capacity == 0 ? 16 : 2 * engine->plan_capacity;
        struct umx_plan_state **grown = realloc(engine->plans, capacity * sizeof(struct umx_plan_state *));
        if (grown == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
        engine->plans = grown;
        engine->plan_capacity = capacity;
    }
    engine->plans[engine->plan_count++] = plan;
    return 0;
}

static void remove_plan(struct umx_engine *engine, struct umx_plan_state *plan)
{
    size_t i = 0;

    while (i < engine->plan_count && engine->plans[i] != plan)
        i++;
    if (i == engine->plan_count)
        return;
    engine->plan_count--;
    for (; i < engine->plan_count; i++)
        engine->plans[i] = engine->plans[i + 1];
    plan->deleted = true;
    plan->next_deleted = engine->graveyard;
    engine->graveyard = plan;
}

static int load_steps(struct umx_plan_state *plan, const uint8_t *bytes, size_t length, struct umx_error *err)
{
    ProtobufCMessage *message = NULL;
    int status = umx_reflect_unpack(&umx__plan__descriptor, bytes, length, plan->arena, &message, err);

    if (status != 0)
        return status;
    plan->plan = (const Umx__Plan *)message;
    plan->step_count = plan->plan->n_step;
    plan->steps = umx_arena_alloc(plan->arena, (plan->step_count + 1) * sizeof *plan->steps);
    if (plan->steps == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL);
    for (size_t i = 0; i < plan->step_count; i++) {
        plan->steps[i].step = plan->plan->step[i];
        plan->steps[i].state = UMX__PLAN_STEP__STATE__PENDING;
    }
    return 0;
}

int umx_states_create(struct umx_engine *engine, const Umx__Journal *entry, const uint8_t *bytes, size_t length,
                      struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_PLAN_ARENA);
    struct umx_plan_state *plan = arena != NULL ? umx_arena_alloc(arena, sizeof *plan) : NULL;
    int status = 0;

    if (plan == NULL) {
        umx_arena_free(arena);
        return umx_fail(err, UMX_ERR_MEMORY, entry->plan, NULL);
    }
    plan->arena = arena;
    plan->name = umx_arena_string(arena, entry->plan);
    plan->hash = umx_arena_string(arena, entry->plan_hash);
    plan->base = UMX__PLAN_SUMMARY__STATE__DRAFT;
    plan->covered = entry->has_covered && entry->covered;
    plan->last_sequence = plan->created_sequence = entry->sequence;
    if (plan->name == NULL || plan->hash == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, entry->plan, NULL);
    if (status == 0 && bytes != NULL)
        status = load_steps(plan, bytes, length, err);
    if (status == 0)
        status = add_plan(engine, plan, err);
    if (status != 0)
        umx_states_free(plan);
    return status;
}

/* ---- entries */

struct fold {
    struct umx_plan_state *plan;
    struct umx_step_state *step; /* NULL for entries about the plan */
    const Umx__Journal *entry;
    bool failed; /* out of memory */
};

static const char *keep(struct fold *f, const char *text)
{
    const char *copy = umx_arena_string(f->plan->arena, text);

    if (text != NULL && copy == NULL)
        f->failed = true;
    return copy;
}

static void keep_why(struct fold *f)
{
    const char *error = keep(f, f->entry->error), *detail = keep(f, f->entry->detail);

    if (f->step != NULL) {
        f->step->error = error;
        f->step->detail = detail;
    } else {
        f->plan->error = error;
        f->plan->detail = detail;
    }
}

static void keep_guid(struct fold *f)
{
    if (!f->entry->has_object_guid || f->entry->object_guid.len == 0)
        return;
    f->step->object_guid.len = f->entry->object_guid.len;
    f->step->object_guid.data =
        (uint8_t *)umx_arena_copy(f->plan->arena, f->entry->object_guid.data, f->entry->object_guid.len);
    if (f->step->object_guid.data == NULL)
        f->failed = true;
}

static void on_submitted(struct fold *f)
{
    f->plan->base = UMX__PLAN_SUMMARY__STATE__SUBMITTED;
}

static void on_approval(struct fold *f)
{
    struct umx_plan_state *plan = f->plan;

    if (f->entry->approval == NULL)
        return;
    if (plan->approval_count == plan->approval_capacity) {
        size_t capacity = plan->approval_capacity == 0 ? 8 : 2 * plan->approval_capacity;
        Umx__Approval **grown = umx_arena_alloc(plan->arena, capacity * sizeof(Umx__Approval *));
        if (grown == NULL) {
            f->failed = true;
            return;
        }
        for (size_t i = 0; i < plan->approval_count; i++)
            grown[i] = plan->approvals[i];
        plan->approvals = grown;
        plan->approval_capacity = capacity;
    }
    Umx__Approval *copy = umx_reflect_copy(&f->entry->approval->base, plan->arena);
    if (copy == NULL)
        f->failed = true;
    else
        plan->approvals[plan->approval_count++] = copy;
}

static void begin_running(struct fold *f)
{
    struct umx_plan_state *plan = f->plan;

    plan->base = UMX__PLAN_SUMMARY__STATE__RUNNING;
    plan->error = NULL;
    plan->detail = NULL;
    plan->selection_count = 0;
    plan->selection = umx_arena_alloc(plan->arena, (f->entry->n_phase + 1) * sizeof(char *));
    if (plan->selection == NULL) {
        f->failed = true;
        return;
    }
    for (size_t i = 0; i < f->entry->n_phase; i++)
        if ((plan->selection[plan->selection_count] = umx_arena_string(plan->arena, f->entry->phase[i])) != NULL)
            plan->selection_count++;
        else
            f->failed = true;
}

static void on_started(struct fold *f)
{
    f->plan->was_started = true;
    begin_running(f);
}

/* Whether every item of an action has been done. */
static bool all_done(struct fold *f, const struct umx_step_state *step)
{
    const Umx__ActionChange *action = step->step->change->action;
    size_t count = action != NULL ? action->n_item : 0;
    uint8_t *states = malloc(count + 1);
    bool all = states != NULL;

    if (states == NULL)
        f->failed = true;
    else
        umx_results_states(step->result, states, count);
    for (size_t i = 0; all && i < count; i++)
        all = states[i] == UMX_ITEM_GOOD;
    free(states);
    return all;
}

/* Failed steps are tried again; one whose change was made and did not read back as planned is only verified again. Of
 * an action only the items that failed are tried again. */
static void on_resumed(struct fold *f)
{
    begin_running(f);
    for (size_t i = 0; i < f->plan->step_count; i++) {
        struct umx_step_state *step = &f->plan->steps[i];
        if (step->state != UMX__PLAN_STEP__STATE__FAILED && step->state != UMX__PLAN_STEP__STATE__SKIPPED)
            continue;
        bool made = step->effected;
        if (made && step->step->kind == UMX__CHANGE__KIND__ACTION) {
            made = all_done(f, step);
            step->result = umx_results_forget_failed(step->result, f->plan->arena);
            f->failed = f->failed || step->result == NULL;
        }
        step->state = made ? UMX__PLAN_STEP__STATE__DONE : UMX__PLAN_STEP__STATE__PENDING;
        step->error = NULL;
        step->detail = NULL;
    }
}

static void on_intent(struct fold *f)
{
    struct umx_step_state *step = f->step;

    step->state = UMX__PLAN_STEP__STATE__INTENDED;
    step->commented = false;
    step->waits = step->step->kind == UMX__CHANGE__KIND__GATE || step->step->kind == UMX__CHANGE__KIND__WAIT;
    step->attempts++;
    step->intended_at = f->entry->written_at;
    step->since = step->pause = step->hold_until = 0;
    step->intent = NULL;
    if (f->entry->intent == NULL)
        return;
    step->intent = umx_reflect_copy(&f->entry->intent->base, f->plan->arena);
    if (step->intent == NULL)
        f->failed = true;
}

static void effect(struct fold *f)
{
    f->step->state = UMX__PLAN_STEP__STATE__DONE;
    f->step->effected = true;
    f->step->since = f->step->pause = f->step->hold_until = 0;
    f->plan->effect_at = f->entry->written_at;
    f->plan->effect_sequence = f->entry->sequence;
    keep_guid(f);
}

static void on_effect(struct fold *f)
{
    effect(f);
    if (f->step->step->kind != UMX__CHANGE__KIND__ACTION) {
        f->step->result = keep(f, f->entry->detail);
        return;
    }
    f->step->result = umx_results_merge(f->step->result, f->entry->detail, f->plan->arena);
    if (f->step->result == NULL)
        f->failed = true;
}

static void on_verified(struct fold *f)
{
    f->step->state = UMX__PLAN_STEP__STATE__VERIFIED;
    f->step->waits = false;
    keep_guid(f);
}

static void on_uncertain(struct fold *f)
{
    f->step->state = UMX__PLAN_STEP__STATE__UNCERTAIN;
    keep_why(f);
}

static void on_settled(struct fold *f)
{
    f->step->error = NULL;
    f->step->detail = NULL;
    if (f->entry->result != NULL) { /* a person's word, and what the agent knows of the items beside it */
        f->step->result = umx_results_merge(f->step->result, f->entry->result, f->plan->arena);
        f->failed = f->failed || f->step->result == NULL;
        effect(f);
    }
    switch (f->entry->outcome) {
    case UMX__INTENT__OUTCOME__OURS:
        effect(f);
        f->step->commented = f->entry->detail != NULL;
        break;
    case UMX__INTENT__OUTCOME__NOT_DONE:
        f->step->state = UMX__PLAN_STEP__STATE__PENDING;
        break;
    case UMX__INTENT__OUTCOME__FOREIGN:
        f->step->state = UMX__PLAN_STEP__STATE__FAILED;
        keep_why(f);
        break;
    case UMX__INTENT__OUTCOME__UNCERTAIN:
    default:
        f->step->state = UMX__PLAN_STEP__STATE__UNCERTAIN;
        break;
    }
}

static void on_step_failed(struct fold *f)
{
    f->step->state = UMX__PLAN_STEP__STATE__FAILED;
    f->step->waits = false;
    keep_why(f);
}

static void on_step_skipped(struct fold *f)
{
    f->step->state = UMX__PLAN_STEP__STATE__SKIPPED;
    keep_why(f);
}

/* The person has done it, or seen it: what is left is the entry that says so for every kind of step. */
static void on_confirmed(struct fold *f)
{
    f->step->state = UMX__PLAN_STEP__STATE__DONE;
    f->step->waits = false;
    f->step->effected = f->step->step->kind == UMX__CHANGE__KIND__GATE;
    if (f->step->effected)
        f->plan->effect_sequence = f->entry->sequence;
    f->step->commented = f->entry->detail != NULL && f->entry->detail[0] != '\0';
    f->step->since = f->step->pause = f->step->hold_until = 0;
    if (f->entry->result != NULL)
        f->step->result = keep(f, f->entry->result);
}

static void on_suspended(struct fold *f)
{
    f->plan->base = UMX__PLAN_SUMMARY__STATE__SUSPENDED;
    keep_why(f);
}

static void on_cancelled(struct fold *f)
{
    f->plan->base = UMX__PLAN_SUMMARY__STATE__CANCELLED;
    keep_why(f);
}

static void on_failed(struct fold *f)
{
    f->plan->base = UMX__PLAN_SUMMARY__STATE__FAILED;
    keep_why(f);
}

static void on_completed(struct fold *f)
{
    f->plan->base = UMX__PLAN_SUMMARY__STATE__COMPLETED;
}

static void on_recovered(struct fold *f)
{
    f->plan->base = UMX__PLAN_SUMMARY__STATE__RUNNING;
}

static const struct row {
    Umx__Journal__Kind kind;
    bool about_step;
    void (*fold)(struct fold *f);
} rows[] = {
    {UMX__JOURNAL__KIND__SUBMITTED, false, on_submitted},    {UMX__JOURNAL__KIND__APPROVAL, false, on_approval},
    {UMX__JOURNAL__KIND__STARTED, false, on_started},        {UMX__JOURNAL__KIND__INTENT, true, on_intent},
    {UMX__JOURNAL__KIND__EFFECT, true, on_effect},           {UMX__JOURNAL__KIND__VERIFIED, true, on_verified},
    {UMX__JOURNAL__KIND__UNCERTAIN, true, on_uncertain},     {UMX__JOURNAL__KIND__SETTLED, true, on_settled},
    {UMX__JOURNAL__KIND__STEP_FAILED, true, on_step_failed}, {UMX__JOURNAL__KIND__STEP_SKIPPED, true, on_step_skipped},
    {UMX__JOURNAL__KIND__CONFIRMED, true, on_confirmed},     {UMX__JOURNAL__KIND__SUSPENDED, false, on_suspended},
    {UMX__JOURNAL__KIND__RESUMED, false, on_resumed},        {UMX__JOURNAL__KIND__CANCELLED, false, on_cancelled},
    {UMX__JOURNAL__KIND__FAILED, false, on_failed},          {UMX__JOURNAL__KIND__COMPLETED, false, on_completed},
    {UMX__JOURNAL__KIND__RECOVERED, false, on_recovered},
};

int umx_states_fold(struct umx_engine *engine, const Umx__Journal *entry, struct umx_error *err)
{
    struct umx_plan_state *plan = entry->plan != NULL ? umx_states_find(engine, entry->plan, err) : NULL;
    struct fold f = {plan, NULL, entry, false};

    if (plan == NULL)
        return entry->plan == NULL ? 0
                                   : umx_fail(err, UMX_ERR_JOURNAL_BROKEN, entry->plan, "entry %lld is about no plan",
                                              (long long)entry->sequence);
    plan->last_sequence = entry->sequence;
    if (entry->kind == UMX__JOURNAL__KIND__DELETED) {
        remove_plan(engine, plan);
        return 0;
    }
    plan->was_submitted = plan->was_submitted || entry->kind == UMX__JOURNAL__KIND__SUBMITTED;
    if (plan->plan == NULL)
        return 0; /* deleted later on */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].kind != entry->kind)
            continue;
        if (rows[i].about_step && (f.step = umx_states_step(plan, entry->step)) == NULL)
            return umx_fail(err, UMX_ERR_JOURNAL_BROKEN, plan->name, "entry %lld is about step %s, which is not there",
                            (long long)entry->sequence, entry->step != NULL ? entry->step : "");
        rows[i].fold(&f);
        return f.failed ? umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL) : 0;
    }
    return umx_fail(err, UMX_ERR_JOURNAL_BROKEN, plan->name, "entry %lld is of an unknown kind %d",
                    (long long)entry->sequence, (int)entry->kind);
}

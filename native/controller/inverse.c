#include "controller/inverse.h"

#include <string.h>

#include "controller/inverse_work.h"

/* ---- lists in the arena */

int umx_inverse_full(struct umx_inverse *inv)
{
    return umx_fail(inv->err, UMX_ERR_ARENA_FULL, inv->original->name, NULL);
}

void *umx_inverse_grown(struct umx_arena *arena, const void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return (void *)(uintptr_t)items;
    size_t wanted = *capacity == 0 ? 32 : 2 * *capacity;
    void *larger = umx_arena_alloc(arena, wanted * size);
    if (larger == NULL)
        return NULL;
    if (count > 0)
        memcpy(larger, items, count * size);
    *capacity = wanted;
    return larger;
}

int umx_inverse_note(struct umx_inverse *inv, const struct umx_step_state *done, const char *why)
{
    char **notes = umx_inverse_grown(inv->arena, inv->notes, inv->note_count, &inv->note_capacity, sizeof *notes);

    if (notes == NULL)
        return umx_inverse_full(inv);
    inv->notes = notes;
    notes[inv->note_count] = umx_arena_format(inv->arena, "%s (%s): %s", done->step->id,
                                              done->step->target != NULL ? done->step->target : "", why);
    return notes[inv->note_count++] == NULL ? umx_inverse_full(inv) : 0;
}

void umx_inverse_foreign(struct umx_inverse *inv, const struct umx_step_state *done, const char *what,
                         const char *expected, const char *found)
{
    inv->foreign_count++;
    umx_text_addf(&inv->foreign, "%s %s: %s: this plan left %s, found %s\n", done->step->id, done->step->target, what,
                  expected, found);
}

/* ---- a new step */

enum { DEPTH_MAX = 64 };

/* Whether the step came after another one, at once or by waits and gates alone, which have no inverse of their own. */
static bool needed(struct umx_inverse *inv, const struct umx_step_state *step, const char *id, int depth)
{
    for (size_t i = 0; i < step->step->n_depends; i++) {
        if (strcmp(step->step->depends[i], id) == 0)
            return true;
        const struct umx_step_state *between = umx_states_step(inv->original, step->step->depends[i]);
        if (between != NULL && depth < DEPTH_MAX &&
            (between->step->kind == UMX__CHANGE__KIND__WAIT || between->step->kind == UMX__CHANGE__KIND__GATE) &&
            needed(inv, between, id, depth + 1))
            return true;
    }
    return false;
}

static int depend_on_undone(struct umx_inverse *inv, const struct umx_step_state *done, Umx__PlanStep *step)
{
    size_t most = inv->step_count + 1;

    step->depends = umx_arena_alloc(inv->arena, most * sizeof(char *));
    if (step->depends == NULL)
        return umx_inverse_full(inv);
    for (size_t i = 0; i < inv->step_count && inv->steps[i] != step; i++) {
        const struct umx_step_state *other = umx_states_step(inv->original, inv->steps[i]->undoes);
        if (other != NULL && needed(inv, other, done->step->id, 0))
            step->depends[step->n_depends++] = inv->steps[i]->id;
    }
    return 0;
}

Umx__PlanStep *umx_inverse_bare(struct umx_inverse *inv, const struct umx_step_state *done, Umx__Change__Kind kind,
                                const char *verb)
{
    const Umx__PlanStep *from = done->step;
    Umx__PlanStep *step = umx_reflect_new(&umx__plan_step__descriptor, inv->arena);
    Umx__Change *change = umx_reflect_new(&umx__change__descriptor, inv->arena);
    Umx__PlanStep **steps =
        umx_inverse_grown(inv->arena, inv->steps, inv->step_count, &inv->step_capacity, sizeof *steps);

    if (step == NULL || change == NULL || steps == NULL)
        return NULL;
    inv->steps = steps;
    step->id = umx_arena_format(inv->arena, "s%zu", inv->step_count + 1);
    step->phase = from->phase;
    step->has_side = from->has_side;
    step->side = from->side;
    step->forest = from->forest;
    step->target = from->target;
    step->has_kind = 1;
    step->kind = kind;
    step->summary =
        umx_arena_format(inv->arena, "%s (undo of %s: %s)", verb, from->id, from->summary != NULL ? from->summary : "");
    step->undo = umx_arena_string(inv->arena, "the change is made again");
    step->groups = from->groups;
    step->undoes = from->id;
    step->change = change;
    step->before = umx_reflect_new(&umx__image__descriptor, inv->arena);
    step->after = umx_reflect_new(&umx__image__descriptor, inv->arena);
    change->has_kind = 1;
    change->kind = kind;
    change->dn = from->change->dn;
    if (step->id == NULL || step->summary == NULL || step->before == NULL || step->after == NULL)
        return NULL;
    step->before->has_exists = step->after->has_exists = 1;
    inv->steps[inv->step_count++] = step;
    return step;
}

Umx__PlanStep *umx_inverse_step(struct umx_inverse *inv, const struct umx_step_state *done, Umx__Change__Kind kind,
                                const char *verb)
{
    Umx__PlanStep *step = umx_inverse_bare(inv, done, kind, verb);

    if (step == NULL || depend_on_undone(inv, done, step) != 0)
        return NULL;
    return step;
}

static int undo_wait(struct umx_inverse *inv, const struct umx_step_state *done)
{
    (void)inv;
    (void)done;
    return 0; /* it changed nothing */
}

static const struct {
    Umx__Change__Kind kind;
    int (*add)(struct umx_inverse *inverse, const struct umx_step_state *done);
} rows[] = {
    {UMX__CHANGE__KIND__ADD, umx_undo_add},       {UMX__CHANGE__KIND__DELETE, umx_undo_delete},
    {UMX__CHANGE__KIND__MODIFY, umx_undo_modify}, {UMX__CHANGE__KIND__ACCESS, umx_undo_access},
    {UMX__CHANGE__KIND__ACTION, umx_undo_action}, {UMX__CHANGE__KIND__GATE, umx_undo_by_hand},
    {UMX__CHANGE__KIND__WAIT, undo_wait},
};

int umx_inverse_add(struct umx_inverse *inverse, const struct umx_step_state *done)
{
    struct umx_step_state resolved = *done;
    Umx__PlanStep *step = NULL;

    int status = umx_references_resolve(inverse->original, done->step, inverse->arena, &step, inverse->err);
    if (status != 0)
        return status;
    resolved.step = step;
    status = umx_references_promise(inverse->original, step, inverse->arena, inverse->err);
    if (status != 0)
        return status;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == step->kind)
            return rows[i].add(inverse, &resolved);
    return umx_fail(inverse->err, UMX_ERR_ENGINE_INCOMPATIBLE, step->id, "the kind of its change is unknown");
}

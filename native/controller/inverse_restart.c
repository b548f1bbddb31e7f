/*
 * Restarts after an undo: what a service read when it started is put back, so it has to start again. They are the
 * original's own, in its order, with the waits that make them roll.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/inverse_work.h"

enum { DEPTH_MAX = 64 };

/* By step of the original, unless said otherwise. */
struct again {
    struct umx_inverse *inv;
    bool *after_undone; /* something that it came after is undone */
    bool *chosen;
    const char **made; /* id of the repetition */
    size_t *head;      /* its first inverse step, as index + 1 */
    size_t *next;      /* by inverse step: the next one of the same original */
    size_t undone;     /* number of inverse steps */
};

static const struct umx_step_state *step_at(const struct again *a, size_t i)
{
    return &a->inv->original->steps[i];
}

static size_t index_of(const struct again *a, const char *id)
{
    const struct umx_step_state *step = umx_states_step(a->inv->original, id);

    return step != NULL ? (size_t)(step - a->inv->original->steps) : a->inv->original->step_count;
}

static bool is_restart(const Umx__PlanStep *step)
{
    const Umx__ActionChange *action = step->change->action;

    return step->kind == UMX__CHANGE__KIND__ACTION && action != NULL && action->action != NULL &&
           strncmp(action->action, "restart-", 8) == 0 && action->undo_action == NULL;
}

static bool waits_for(const Umx__PlanStep *step, const char *const *words)
{
    const Umx__WaitChange *wait = step->change->wait;

    if (step->kind != UMX__CHANGE__KIND__WAIT || wait == NULL || wait->what == NULL)
        return false;
    for (size_t i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], wait->what) == 0)
            return true;
    return false;
}

static void choose(struct again *a, bool (*wanted)(void *user, const Umx__PlanStep *step), void *user)
{
    static const char *const before[] = {"replication", "ready", "calls", NULL};
    static const char *const after[] = {"service", "ready", "calls", NULL};
    const size_t count = a->inv->original->step_count;

    for (size_t i = 0; i < count; i++) {
        const struct umx_step_state *step = step_at(a, i);
        for (size_t k = 0; k < step->step->n_depends; k++) {
            size_t on = index_of(a, step->step->depends[k]);
            if (on < count)
                a->after_undone[i] = a->after_undone[i] || a->head[on] != 0 || a->after_undone[on];
        }
        a->chosen[i] = step->effected && is_restart(step->step) && wanted(user, step->step) && a->after_undone[i];
    }
    for (size_t i = 0; i < count; i++) { /* what follows a restart: it is back */
        const Umx__PlanStep *step = step_at(a, i)->step;
        for (size_t k = 0; waits_for(step, after) && k < step->n_depends; k++) {
            size_t on = index_of(a, step->depends[k]);
            a->chosen[i] = a->chosen[i] || (on < count && a->chosen[on]);
        }
    }
    for (size_t i = count; i > 0; i--) { /* what it waits for */
        const Umx__PlanStep *step = step_at(a, i - 1)->step;
        for (size_t k = 0; a->chosen[i - 1] && k < step->n_depends; k++) {
            size_t on = index_of(a, step->depends[k]);
            if (on < count && waits_for(step_at(a, on)->step, before) && a->after_undone[on])
                a->chosen[on] = true;
        }
    }
}

static void depend(Umx__PlanStep *step, char *id)
{
    for (size_t i = 0; i < step->n_depends; i++)
        if (strcmp(step->depends[i], id) == 0)
            return;
    step->depends[step->n_depends++] = id;
}

/* What stands for a step of the original here: its repetition, its inverse, or what stands for the steps before it. */
static void depend_on(struct again *a, Umx__PlanStep *step, const char *id, int depth)
{
    size_t i = index_of(a, id);

    if (i == a->inv->original->step_count || depth == DEPTH_MAX)
        return;
    if (a->made[i] != NULL) {
        depend(step, (char *)(uintptr_t)a->made[i]);
        return;
    }
    for (size_t k = a->head[i]; k != 0; k = a->next[k - 1])
        depend(step, a->inv->steps[k - 1]->id);
    const Umx__PlanStep *original = step_at(a, i)->step;
    for (size_t k = 0; a->head[i] == 0 && k < original->n_depends; k++)
        depend_on(a, step, original->depends[k], depth + 1);
}

static int repeat(struct again *a, size_t i)
{
    struct umx_inverse *inv = a->inv;
    struct umx_step_state done = *step_at(a, i);
    Umx__PlanStep *resolved = NULL;

    int status = umx_references_resolve(inv->original, done.step, inv->arena, &resolved, inv->err);
    if (status == 0)
        status = umx_references_promise(inv->original, resolved, inv->arena, inv->err);
    if (status != 0)
        return status;
    done.step = resolved;
    Umx__PlanStep *step = umx_inverse_bare(inv, &done, resolved->kind, "again");
    if (step == NULL)
        return umx_inverse_full(inv);
    step->depends = umx_arena_alloc(inv->arena, (inv->step_count + 1) * sizeof(char *));
    if (step->depends == NULL)
        return umx_inverse_full(inv);
    step->summary =
        umx_arena_format(inv->arena, "again, after the undo: %s", resolved->summary != NULL ? resolved->summary : "");
    step->change = resolved->change;
    step->predicted = resolved->predicted;
    step->before = resolved->before != NULL ? resolved->before : step->before;
    step->after = resolved->after != NULL ? resolved->after : step->after;
    step->undo = resolved->undo;
    step->has_irreversible = resolved->has_irreversible;
    step->irreversible = resolved->irreversible;
    if (step->summary == NULL)
        return umx_inverse_full(inv);
    for (size_t k = 0; k < resolved->n_depends; k++)
        depend_on(a, step, resolved->depends[k], 0);
    if (waits_for(resolved, (const char *const[]){"replication", NULL}) && step->n_depends == 0)
        inv->step_count--; /* nothing was written there */
    else
        a->made[i] = step->id;
    return 0;
}

int umx_inverse_restarts(struct umx_inverse *inverse, bool (*wanted)(void *user, const Umx__PlanStep *step), void *user)
{
    const size_t count = inverse->original->step_count;
    struct again a = {.inv = inverse, .undone = inverse->step_count};
    int status = 0;

    a.after_undone = calloc(count + 1, sizeof *a.after_undone);
    a.chosen = calloc(count + 1, sizeof *a.chosen);
    a.made = calloc(count + 1, sizeof *a.made);
    a.head = calloc(count + 1, sizeof *a.head);
    a.next = calloc(a.undone + 1, sizeof *a.next);
    if (a.after_undone == NULL || a.chosen == NULL || a.made == NULL || a.head == NULL || a.next == NULL)
        status = umx_fail(inverse->err, UMX_ERR_MEMORY, inverse->original->name, NULL);
    for (size_t k = 0; status == 0 && k < a.undone; k++) {
        size_t i = index_of(&a, inverse->steps[k]->undoes);
        a.next[k] = a.head[i];
        a.head[i] = k + 1;
    }
    if (status == 0)
        choose(&a, wanted, user);
    for (size_t i = 0; status == 0 && i < count; i++)
        if (a.chosen[i])
            status = repeat(&a, i);
    free(a.after_undone);
    free(a.chosen);
    free(a.made);
    free(a.head);
    free(a.next);
    return status;
}

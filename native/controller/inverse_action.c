/*
 * The inverse of what agents did: item by item, from each item's own result. What has no way back is left to people.
 */
#include <jansson.h>
#include <string.h>

#include "controller/inverse_work.h"
#include "phases/records.h"

static const char own_result[] = "@result.";

/* The strings `@result.FIELD` of an item, from its result. NULL: a field is missing, or the arena is full. */
static char *resolve_item(struct umx_inverse *inv, const struct umx_step_state *done, size_t item, const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    const char *key;
    json_t *value;
    void *next;
    bool good = true;

    if (!json_is_object(root)) { /* a bare word, or a reference alone */
        json_decref(root);
        return strncmp(text, own_result, sizeof own_result - 1) == 0
                   ? umx_results_field(done->result, (long)item, text + sizeof own_result - 1, inv->arena)
                   : umx_arena_string(inv->arena, text);
    }
    json_object_foreach_safe(root, next, key, value)
    {
        const char *word = json_string_value(value);
        if (word == NULL || strncmp(word, own_result, sizeof own_result - 1) != 0)
            continue;
        char *found = umx_results_field(done->result, (long)item, word + sizeof own_result - 1, inv->arena);
        good = good && found != NULL && json_object_set_new(root, key, json_string(found)) == 0;
    }
    char *dumped = good ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char *copy = dumped != NULL ? umx_arena_string(inv->arena, dumped) : NULL;
    free(dumped);
    json_decref(root);
    return copy;
}

/* What cannot be taken back by itself is said. */
static int note_rest(struct umx_inverse *inv, const struct umx_step_state *done, size_t failed, size_t vouched)
{
    int status = 0;

    if (failed > 0)
        status = umx_inverse_note(
            inv, done,
            umx_arena_format(inv->arena,
                             "%zu of its items failed, and may have left something half-way: look at them (%s)", failed,
                             umx_results_problems(done->result, inv->arena)));
    if (status == 0 && vouched > 0)
        status = umx_inverse_note(
            inv, done,
            umx_arena_format(inv->arena, "%zu of its items were settled by somebody's word: take them back by hand",
                             vouched));
    return status;
}

/* The items that were done, backwards; *whole: all of them were; *vouched: so many of them stay as they are. */
static int fill_items(struct umx_inverse *inv, const struct umx_step_state *done, Umx__ActionChange *back, bool *whole,
                      size_t *vouched)
{
    const Umx__ActionChange *made = done->step->change->action;
    uint8_t *states = umx_arena_alloc(inv->arena, made->n_item + 1);
    size_t failed = 0;

    back->item = umx_arena_alloc(inv->arena, (made->n_item + 1) * sizeof(char *));
    back->undo_item = umx_arena_alloc(inv->arena, (made->n_item + 1) * sizeof(char *));
    if (states == NULL || back->item == NULL || back->undo_item == NULL)
        return umx_inverse_full(inv);
    *whole = true;
    umx_results_states(done->result, states, made->n_item);
    for (size_t i = made->n_item; i > 0; i--) {
        if (states[i - 1] != UMX_ITEM_GOOD) {
            failed += states[i - 1] == UMX_ITEM_FAILED ? 1 : 0;
            *whole = false;
            continue;
        }
        if (i > made->n_undo_item)
            return umx_fail(inv->err, UMX_ERR_INTERNAL, done->step->id, "item %zu does not say how it is undone", i);
        char *item = resolve_item(inv, done, i - 1, made->undo_item[i - 1]);
        if (item == NULL && umx_results_field(done->result, (long)(i - 1), "vouched", inv->arena) != NULL) {
            ++*vouched; /* nobody noted what was there before */
            *whole = false;
            continue;
        }
        if (item == NULL)
            return umx_fail(inv->err, UMX_ERR_REFERENCE_UNRESOLVED, done->step->id, "item %zu: %s", i,
                            made->undo_item[i - 1]);
        back->item[back->n_item++] = item;
        back->undo_item[back->n_undo_item++] = made->item[i - 1];
    }
    return note_rest(inv, done, failed, *vouched);
}

/* What the step promised is there no more, and was not put back either: somebody else's change. */
static int check_foreign(struct umx_inverse *inv, const struct umx_step_state *done, Umx__World *absent, bool *back)
{
    struct umx_promise_reading reading;
    Umx__PlanStep *step = (Umx__PlanStep *)(uintptr_t)done->step; /* read only */
    Umx__World *predicted = NULL, *removed = NULL;
    struct umx_text lines = {0}, ignored = {0};

    *back = false;
    int status = umx_promise_read(inv->engine, &step, 1, inv->arena, &reading, inv->err);
    if (status != 0)
        return status;
    const Umx__World *world = umx_world_records(reading.world);
    status = umx_promise_seen(&reading, step, step->predicted, inv->arena, &predicted, inv->err);
    if (status == 0)
        status = umx_promise_seen(&reading, step, step->removed, inv->arena, &removed, inv->err);
    if (status == 0 && umx_records_differences(world, predicted, removed, &lines) > 0) {
        *back = reading.blind_count == 0 && umx_records_differences(world, step->original, absent, &ignored) == 0;
        if (!*back) {
            inv->foreign_count++;
            umx_text_addf(&inv->foreign, "%s %s: %s", step->id, step->target != NULL ? step->target : "",
                          umx_text_string(&lines));
        }
    }
    umx_text_free(&lines);
    umx_text_free(&ignored);
    umx_promise_forget(&reading);
    return status;
}

int umx_undo_action(struct umx_inverse *inv, const struct umx_step_state *done)
{
    const Umx__ActionChange *made = done->step->change->action;
    Umx__World *absent = NULL;
    bool whole = true, back = false;

    if (made->undo_action == NULL || made->undo_action[0] == '\0')
        return umx_undo_by_hand(inv, done);
    Umx__ActionChange *action = umx_reflect_new(&umx__action_change__descriptor, inv->arena);
    if (action == NULL)
        return umx_inverse_full(inv);
    size_t vouched = 0;
    int status = fill_items(inv, done, action, &whole, &vouched);
    if (status == 0 && action->n_item == 0)
        return 0;
    if (status == 0)
        status = umx_promise_absent(done->step, inv->arena, &absent, inv->err);
    if (status == 0 && whole && umx_promise_has(done->step))
        status = check_foreign(inv, done, absent, &back);
    if (status != 0)
        return status;
    if (back)
        return umx_inverse_note(inv, done, "already as it was before");
    Umx__PlanStep *step = umx_inverse_step(inv, done, UMX__CHANGE__KIND__ACTION, made->undo_action);
    if (step == NULL)
        return umx_inverse_full(inv);
    action->server = made->server;
    action->action = made->undo_action;
    action->identity = made->identity;
    action->undo_action = made->action; /* an undo can be undone */
    step->change->action = action;
    if (vouched == 0) { /* else nobody knows which of the records come back */
        step->predicted = done->step->original;
        step->removed = absent;
    }
    /* Of a batch that was done in part nobody knows which of its records it made. */
    step->original = whole ? done->step->predicted : NULL;
    if (!whole)
        action->undo_action = NULL;
    return 0;
}

/* ---- what only people can take back */

int umx_undo_by_hand(struct umx_inverse *inv, const struct umx_step_state *done)
{
    const Umx__PlanStep *from = done->step;
    const Umx__ActionChange *action = from->change->action;
    bool restart = action != NULL && action->action != NULL && strncmp(action->action, "restart-", 8) == 0;
    bool possible = !from->irreversible && from->undo != NULL && from->undo[0] != '\0';

    if (restart && action->undo_action == NULL)
        return 0; /* it is done again where something before it is undone: inverse_restart.c */
    if (!possible)
        return umx_inverse_note(inv, done,
                                from->undo != NULL && from->undo[0] != '\0' ? from->undo : "it cannot be undone");
    Umx__PlanStep *step = umx_inverse_step(inv, done, UMX__CHANGE__KIND__GATE, "undo by hand");
    Umx__GateChange *gate = umx_reflect_new(&umx__gate_change__descriptor, inv->arena);
    if (step == NULL || gate == NULL)
        return umx_inverse_full(inv);
    gate->reason = from->undo;
    step->change->gate = gate;
    step->predicted = from->original;
    return 0;
}

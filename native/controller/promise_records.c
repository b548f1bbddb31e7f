/*
 * What the records of a step's promise say of the time before it.
 */
#include "controller/engine_private.h"
#include "phases/records.h"

static bool is_empty(const Umx__World *part)
{
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    for (size_t t = 0; part != NULL && t < table_count; t++) {
        size_t count;
        if (tables[t].derived)
            continue;
        umx_world_table(part, &tables[t], &count);
        if (count > 0)
            return false;
    }
    return true;
}

bool umx_promise_has(const Umx__PlanStep *step)
{
    return !is_empty(step->predicted) || !is_empty(step->removed);
}

bool umx_promise_claims(const Umx__PlanStep *step)
{
    const Umx__Change *change = step->change;
    bool reversible = change != NULL && change->action != NULL && change->action->undo_action != NULL;

    return umx_promise_has(step) && (reversible || !is_empty(step->original));
}

int umx_promise_absent(const Umx__PlanStep *step, struct umx_arena *arena, Umx__World **out, struct umx_error *err)
{
    const Umx__Change *change = step->change;
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    *out = umx_reflect_new(&umx__world__descriptor, arena);
    if (*out != NULL && (change == NULL || change->action == NULL || change->action->undo_action == NULL))
        return 0;
    for (size_t t = 0; *out != NULL && step->predicted != NULL && t < table_count; t++) {
        size_t count;
        if (tables[t].derived)
            continue;
        ProtobufCMessage **records = umx_world_table(step->predicted, &tables[t], &count);
        for (size_t i = 0; *out != NULL && i < count; i++) {
            size_t from = 0;
            if (step->original != NULL && umx_record_find(step->original, &tables[t], records[i], &from) != NULL)
                continue;
            ProtobufCMessage *record = umx_reflect_copy(records[i], arena);
            if (record == NULL || !umx_records_push(arena, *out, record))
                *out = NULL;
        }
    }
    return *out == NULL ? umx_fail(err, UMX_ERR_ARENA_FULL, step->id, NULL) : 0;
}

/*
 * Whether two worlds say the same, but for what docs/undo.md says no undo restores: times and GUIDs, services that were
 * started again, and what cannot be taken back.
 */
#ifndef UMX_TESTS_SAME_WORLDS_H
#define UMX_TESTS_SAME_WORLDS_H

#include <stdlib.h>

#include "controller/inverse.h"
#include "phases/records.h"
#include "worlds.h"

static inline bool same_ignored(const char *table, const char *field)
{
    static const char *const everywhere[] = {"changed_at",  "created_at", "collected_at",           "source",
                                             "object_guid", "position",   "call_router_changed_at", "clock_offset"};

    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++)
        if (strcmp(field, everywhere[i]) == 0)
            return true;
    return strcmp(table, "service") == 0 && (strcmp(field, "started_at") == 0 || strcmp(field, "state") == 0);
}

/* Whether some record of the part has the record's key. */
static inline bool same_named(const Umx__World *part, const struct umx_table *table, const ProtobufCMessage *record)
{
    size_t count;
    ProtobufCMessage **records = umx_world_table(part, table, &count);

    for (size_t i = 0; i < count; i++)
        if (umx_record_same(table, records[i], record))
            return true;
    return false;
}

static inline int same_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void same_cell(struct umx_text *line, const ProtobufCMessage *record,
                             const ProtobufCFieldDescriptor *field, struct umx_text *scratch)
{
    const char *base = (const char *)record;

    if (field->label == PROTOBUF_C_LABEL_REPEATED && field->type == PROTOBUF_C_TYPE_STRING) {
        size_t count;
        char **list;
        memcpy(&count, base + field->quantifier_offset, sizeof count);
        memcpy(&list, base + field->offset, sizeof list);
        if (count == 0)
            return;
        char **sorted = malloc(count * sizeof *sorted);
        assert_non_null(sorted);
        memcpy(sorted, list, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, same_order);
        umx_text_addf(line, " %s=", field->name);
        for (size_t i = 0; i < count; i++)
            umx_text_addf(line, "[%s]", sorted[i]);
        free(sorted);
        return;
    }
    struct umx_cell cell = umx_reflect_cell(record, field, scratch);
    if (cell.type == UMX_CELL_INTEGER)
        umx_text_addf(line, " %s=%lld", field->name, (long long)cell.integer);
    else if (cell.type == UMX_CELL_TEXT && cell.length > 0)
        umx_text_addf(line, " %s=%.*s", field->name, (int)cell.length, cell.text);
}

/* A line for each record, sorted; *count of them. */
static inline char **same_lines(const Umx__World *world, const struct umx_table *table, const Umx__World *except,
                                size_t *count)
{
    size_t records_count;
    ProtobufCMessage **records = umx_world_table(world, table, &records_count);
    char **lines = calloc(records_count + 1, sizeof *lines);

    assert_non_null(lines);
    *count = 0;
    for (size_t i = 0; i < records_count; i++) {
        struct umx_text line = {0}, scratch = {0};
        if (same_named(except, table, records[i]))
            continue;
        for (unsigned f = 0; f < table->record->n_fields; f++)
            if (!same_ignored(table->name, table->record->fields[f].name))
                same_cell(&line, records[i], &table->record->fields[f], &scratch);
        lines[*count] = strdup(umx_text_string(&line));
        assert_non_null(lines[(*count)++]);
        umx_text_free(&line);
        umx_text_free(&scratch);
    }
    qsort(lines, *count, sizeof *lines, same_order);
    return lines;
}

static inline void same_free(char **lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(lines[i]);
    free(lines);
}

static inline void same_worlds(const char *what, const Umx__World *before, const Umx__World *after,
                               const Umx__World *except)
{
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);
    bool same = true;

    for (size_t t = 0; t < table_count; t++) {
        size_t a_count, b_count, a = 0, b = 0;
        if (tables[t].derived || strcmp(tables[t].name, "proof") == 0)
            continue; /* what was tried is no state */
        char **was = same_lines(before, &tables[t], except, &a_count);
        char **is = same_lines(after, &tables[t], except, &b_count);
        while (a < a_count || b < b_count) {
            int order = a == a_count ? 1 : b == b_count ? -1 : strcmp(was[a], is[b]);
            if (order != 0)
                print_message("%s %s:%s\n", order < 0 ? "was" : "is ", tables[t].name, order < 0 ? was[a] : is[b]);
            same = same && order == 0;
            a += order <= 0;
            b += order >= 0;
        }
        same_free(was, a_count);
        same_free(is, b_count);
    }
    if (!same)
        fail_msg("%s: after the undo it is not as it was", what);
}

static inline void same_push(struct umx_arena *arena, Umx__World *into, const Umx__World *part)
{
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    for (size_t t = 0; part != NULL && t < table_count; t++) {
        size_t n;
        if (tables[t].derived)
            continue;
        ProtobufCMessage **records = umx_world_table(part, &tables[t], &n);
        for (size_t i = 0; i < n; i++)
            assert_true(umx_records_push(arena, into, records[i]));
    }
}

/* The records of steps that have no inverse. */
static inline Umx__World *same_for_good(struct umx_plan_state *plan, const struct umx_inverse *inverse,
                                        struct umx_arena *arena)
{
    Umx__World *out = umx_reflect_new(&umx__world__descriptor, arena);

    for (size_t i = 0; i < plan->step_count; i++) {
        Umx__PlanStep *step = NULL;
        struct umx_error err = {0};
        const Umx__Change *change = plan->steps[i].step->change;
        bool undone = change->kind < UMX__CHANGE__KIND__ACTION;
        for (size_t k = 0; k < inverse->step_count; k++)
            undone = undone || (strcmp(inverse->steps[k]->undoes, plan->steps[i].step->id) == 0 &&
                                inverse->steps[k]->change->kind != UMX__CHANGE__KIND__WAIT);
        if (undone)
            continue;
        if (change->action != NULL && !plan->steps[i].step->irreversible &&
            strncmp(change->action->action, "restart-", 8) != 0)
            fail_msg("%s: %s: nothing takes it back, and the step does not say so", plan->name,
                     plan->steps[i].step->summary);
        assert_int_equal(umx_references_resolve(plan, plan->steps[i].step, arena, &step, &err), 0);
        assert_int_equal(umx_references_promise(plan, step, arena, &err), 0);
        same_push(arena, out, step->predicted);
        same_push(arena, out, step->removed);
    }
    return out;
}

#endif

/*
 * Looking at plans and the journal: list, show, wait, audit, export.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/engine_private.h"

enum { AUDIT_LIMIT = 10000 };

/* ---- list and show */

static Umx__PlanSummary *summary_of(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_arena *arena)
{
    Umx__PlanSummary *summary = umx_reflect_new(&umx__plan_summary__descriptor, arena);
    const Umx__Plan *stored = plan->plan;
    int32_t verified = 0, failed = 0;

    if (summary == NULL)
        return NULL;
    for (size_t i = 0; i < plan->step_count; i++) {
        verified += plan->steps[i].state == UMX__PLAN_STEP__STATE__VERIFIED ? 1 : 0;
        failed += plan->steps[i].state == UMX__PLAN_STEP__STATE__FAILED ? 1 : 0;
    }
    Umx__PlanSummary view = *summary;
    view.name = stored->name;
    view.has_state = 1;
    view.state = umx_states_of(engine, plan);
    view.hash = umx_arena_string(arena, plan->hash);
    view.author = stored->author;
    view.author_name = stored->author_name;
    view.has_created_at = stored->has_created_at;
    view.created_at = stored->created_at;
    view.n_phase = stored->n_phase;
    view.phase = stored->phase;
    view.n_forest = stored->n_forest;
    view.forest = stored->forest;
    view.has_steps = view.has_verified = view.has_failed = 1;
    view.steps = (int32_t)plan->step_count;
    view.verified = verified;
    view.failed = failed;
    view.undo_of = stored->undo_of;
    view.ticket = stored->ticket;
    return umx_reflect_copy(&view.base, arena);
}

int umx_engine_list(struct umx_engine *engine, struct umx_arena *arena, Umx__PlanSummary ***plans, size_t *count,
                    struct umx_error *err)
{
    int status = 0;

    pthread_mutex_lock(&engine->mutex);
    *count = 0;
    *plans = umx_arena_alloc(arena, (engine->plan_count + 1) * sizeof(Umx__PlanSummary *));
    for (size_t i = 0; *plans != NULL && i < engine->plan_count; i++) {
        (*plans)[*count] = summary_of(engine, engine->plans[i], arena);
        if ((*plans)[*count] == NULL)
            break;
        (*count)++;
    }
    if (*plans == NULL || *count < engine->plan_count)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "plans", NULL);
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

static int show_steps(const struct umx_plan_state *plan, struct umx_arena *arena, struct umx_engine_view *out,
                      struct umx_error *err)
{
    out->steps = umx_arena_alloc(arena, (plan->step_count + 1) * sizeof(Umx__PlanStep *));
    if (out->steps == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL);
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct umx_step_state *state = &plan->steps[i];
        Umx__PlanStep *step = umx_reflect_copy(&state->step->base, arena);
        if (step == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL);
        step->has_state = 1;
        step->state = state->state;
        if (plan->permissions != NULL && plan->permissions[i] != NULL)
            step->permission = umx_arena_string(arena, plan->permissions[i]);
        if (state->error != NULL)
            step->error = umx_arena_format(arena, "%s: %s", state->error, state->detail != NULL ? state->detail : "");
        else if (state->state == UMX__PLAN_STEP__STATE__SKIPPED)
            step->error = umx_arena_string(arena, state->detail);
        step->result = umx_arena_string(arena, state->result);
        out->steps[out->step_count++] = step;
    }
    return 0;
}

static int show_approvals(const struct umx_plan_state *plan, struct umx_arena *arena, struct umx_engine_view *out,
                          struct umx_error *err)
{
    out->approvals = umx_arena_alloc(arena, (plan->approval_count + 1) * sizeof(Umx__Approval *));
    for (size_t i = 0; out->approvals != NULL && i < plan->approval_count; i++) {
        out->approvals[i] = umx_reflect_copy(&plan->approvals[i]->base, arena);
        if (out->approvals[i] == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL);
        out->approval_count++;
    }
    return out->approvals == NULL ? umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL) : 0;
}

static int show_missing(struct umx_engine *engine, const struct umx_plan_state *plan, struct umx_arena *arena,
                        struct umx_engine_view *out, struct umx_error *err)
{
    struct umx_text lines = {0};
    size_t n = 1;
    int status = 0;

    /* What has ended needs nobody, whatever has expired since; nor does a plan that does nothing. */
    if (plan->step_count > 0 && plan->base != UMX__PLAN_SUMMARY__STATE__COMPLETED &&
        plan->base != UMX__PLAN_SUMMARY__STATE__CANCELLED)
        umx_approval_check(engine, plan, false, &lines, NULL);
    for (size_t i = 0; plan->permissions != NULL && i < plan->step_count; i++) {
        const Umx__PlanStep *step = plan->steps[i].step;
        if (plan->permissions[i] != NULL && strncmp(plan->permissions[i], "denied", 6) == 0)
            umx_text_addf(&lines, "%s %s: the writer of %s may not do it: %s\n", step->id,
                          step->target != NULL ? step->target : "", step->forest, plan->permissions[i]);
    }
    for (size_t i = 0; i < lines.length; i++)
        n += lines.data[i] == '\n' ? 1 : 0;
    char *text = umx_arena_string(arena, umx_text_string(&lines));
    out->missing = umx_arena_alloc(arena, n * sizeof(char *));
    if (text == NULL || out->missing == NULL || lines.failed)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, plan->name, NULL);
    for (char *end; status == 0 && (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        out->missing[out->missing_count++] = text;
    }
    umx_text_free(&lines);
    return status;
}

int umx_engine_show(struct umx_engine *engine, const char *name, struct umx_arena *arena, struct umx_engine_view *out,
                    struct umx_error *err)
{
    struct umx_error local = {0};

    memset(out, 0, sizeof *out);
    if (err == NULL)
        err = &local;
    pthread_mutex_lock(&engine->mutex);
    struct umx_plan_state *plan = umx_states_find(engine, name, err);
    int status = plan == NULL ? err->status : 0;
    if (status == 0) {
        out->summary = summary_of(engine, plan, arena);
        out->plan = umx_reflect_copy(&plan->plan->base, arena);
        out->last_sequence = plan->last_sequence;
        if (out->summary == NULL || out->plan == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, name, NULL);
    }
    if (status == 0)
        status = show_steps(plan, arena, out, err);
    if (status == 0)
        status = show_approvals(plan, arena, out, err);
    if (status == 0)
        status = show_missing(engine, plan, arena, out, err);
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

/* ---- wait */

static bool at_rest(const struct umx_plan_state *plan)
{
    return plan->run == NULL && plan->base != UMX__PLAN_SUMMARY__STATE__RUNNING;
}

int umx_engine_wait(struct umx_engine *engine, const char *name, int64_t after, int64_t deadline,
                    struct umx_arena *arena, Umx__Journal **entry, struct umx_error *err)
{
    const int64_t end = umx_clock_monotonic() + deadline;
    struct umx_error local = {0};
    Umx__Journal **entries = NULL;
    size_t count = 0;
    int status = 0;

    *entry = NULL;
    if (err == NULL)
        err = &local;
    pthread_mutex_lock(&engine->mutex);
    for (;;) {
        const struct umx_plan_state *plan = umx_states_find(engine, name, err);
        int64_t left = end - umx_clock_monotonic();
        if (plan == NULL) {
            status = err->status;
            break;
        }
        if (plan->last_sequence > after) {
            status = umx_journal_read(engine->journal, name, after, 1, arena, &entries, &count, err);
            if (status == 0 && count > 0)
                *entry = entries[0];
            break;
        }
        if (at_rest(plan))
            break;
        if (left <= 0 || engine->closing) {
            status = umx_fail(err, UMX_ERR_DEADLINE, name, "nothing happened");
            break;
        }
        umx_engine_sleep(engine, left);
    }
    pthread_mutex_unlock(&engine->mutex);
    return status;
}

/* ---- audit */

int umx_engine_audit(struct umx_engine *engine, const char *plan, int64_t after, int64_t limit,
                     int (*take)(void *user, const Umx__Journal *entry, struct umx_error *err), void *user,
                     struct umx_error *err)
{
    enum { PAGE = 1000, PAGE_MEMORY = 1024 * 1024 * 1024 };
    const char *of = plan != NULL && plan[0] != '\0' ? plan : NULL;
    int64_t left = limit > 0 ? limit : AUDIT_LIMIT;
    size_t count = PAGE;
    int status = after == UMX_ENGINE_NEWEST ? umx_journal_newest(engine->journal, of, left, &after, err) : 0;

    for (; status == 0 && left > 0 && count == PAGE; left -= PAGE) {
        struct umx_arena *arena = umx_arena_new(PAGE_MEMORY);
        Umx__Journal **entries = NULL;
        status = umx_journal_read(engine->journal, of, after, left < PAGE ? left : PAGE, arena, &entries, &count, err);
        for (size_t i = 0; status == 0 && i < count; i++)
            status = take(user, entries[i], err);
        if (status == 0 && count > 0)
            after = entries[count - 1]->sequence;
        umx_arena_free(arena);
    }
    return status;
}

/* ---- export */

struct export
{
    struct umx_text *json;
    size_t count;
    const char *hash; /* entries of an earlier plan of the same name end where this one is created */
    bool ours;
};

static int export_entry(void *user, const Umx__Journal *entry)
{
    struct export *export = user;

    if (entry->kind == UMX__JOURNAL__KIND__CREATED)
        export->ours = entry->plan_hash != NULL && strcmp(entry->plan_hash, export->hash) == 0;
    if (!export->ours)
        return 0;
    umx_text_adds(export->json, export->count++ > 0 ? "," : "");
    umx_reflect_json(&entry->base, export->json);
    return 0;
}

int umx_engine_entries(struct umx_engine *engine, const char *name, struct umx_arena *arena, Umx__Journal ***entries,
                       size_t *count, struct umx_journal_head *head, struct umx_error *err)
{
    struct umx_journal_plan stored;
    size_t first = 0;
    int status = umx_journal_plan(engine->journal, name, arena, &stored, err);

    if (status == 0)
        status = umx_journal_read(engine->journal, name, 0, 0, arena, entries, count, err);
    if (status != 0)
        return status;
    for (size_t i = 0; i < *count; i++)
        if ((*entries)[i]->kind == UMX__JOURNAL__KIND__CREATED && (*entries)[i]->plan_hash != NULL &&
            strcmp((*entries)[i]->plan_hash, stored.hash) == 0)
            first = i;
    *entries += first;
    *count -= first;
    umx_journal_head(engine->journal, head);
    return 0;
}

int umx_engine_export(struct umx_engine *engine, const char *name, struct umx_text *json, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_PLAN_ARENA);
    struct umx_journal_plan stored;
    ProtobufCMessage *plan = NULL;

    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    int status = umx_journal_plan(engine->journal, name, arena, &stored, err);
    if (status == 0)
        status = umx_reflect_unpack(&umx__plan__descriptor, stored.bytes, stored.length, arena, &plan, err);
    if (status == 0) {
        struct export export = {json, 0, stored.hash, false};
        umx_text_adds(json, "{\"plan\":");
        umx_reflect_json(plan, json);
        umx_text_addf(json, ",\"hash\":\"%s\",\"bytes\":\"", stored.hash);
        umx_text_add_hex(json, stored.bytes, stored.length);
        umx_text_adds(json, "\",\"entries\":[");
        status = umx_journal_each(engine->journal, name, 0, 0, export_entry, &export, err);
        struct umx_journal_head head;
        umx_journal_head(engine->journal, &head);
        umx_text_addf(json, "],\"head\":{\"sequence\":%lld,\"hash\":\"", (long long)head.sequence);
        umx_text_add_hex(json, head.hash, sizeof head.hash);
        umx_text_adds(json, "\"}}");
    }
    if (status == 0 && json->failed)
        status = umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    umx_arena_free(arena);
    return status;
}

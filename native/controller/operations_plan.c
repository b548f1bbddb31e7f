/* The operations of a plan's life: thin, the engine does the work. */
#include "controller/operations.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "controller/access.h"
#include "controller/engine.h"
#include "controller/report.h"

enum {
    WATCH_TURN = 2,    /* seconds between two looks whether the watcher is still there */
    WATCHERS_MAX = 16, /* half of the threads for calls */
};

static struct umx_engine_caller caller_of(const struct umx_operation *operation)
{
    struct umx_engine_caller caller = {.identity = operation->caller};

    caller.certificate = umx_rpc_call_certificate(operation->call, &caller.certificate_length);
    return caller;
}

/* The same with the name of whoever makes a plan. That it is not known holds nothing up. */
static struct umx_engine_caller author_of(const struct umx_operation *operation)
{
    struct umx_engine_caller caller = caller_of(operation);
    struct umx_access_person person;
    struct umx_error unknown = {0};

    if (umx_access_describe(operation->controller, operation->caller, &person, &unknown) == 0)
        caller.name = umx_arena_format(operation->arena, "%s of %s", person.name, operation->caller->forest);
    return caller;
}

static const char *plan_name(const struct umx_operation *operation)
{
    const char *name = ((const Umx__PlanArguments *)operation->arguments)->name;

    return name != NULL ? name : "";
}

static void end_state(struct umx_operation *operation, const Umx__PlanSummary *summary)
{
    char word[24];

    umx_operation_end_string(operation, "name", summary->name);
    umx_operation_end_string(operation, "state",
                             umx_reflect_word(&umx__plan_summary__state__descriptor, (int)summary->state, word));
    umx_operation_end_string(operation, "hash", summary->hash);
    umx_operation_end_string(operation, "author", summary->author);
    umx_operation_end_string(operation, "author_name", summary->author_name);
}

static void end_strings(struct umx_operation *operation, const char *key, char *const *values, size_t count)
{
    struct umx_text json = {0};

    umx_text_adds(&json, "[");
    for (size_t i = 0; i < count; i++) {
        umx_text_adds(&json, i > 0 ? "," : "");
        umx_reflect_json_string(&json, values[i]);
    }
    umx_text_adds(&json, "]");
    umx_operation_end_json(operation, key, umx_text_string(&json));
    umx_text_free(&json);
}

static void end_time(struct umx_operation *operation, const char *key, bool set, int64_t at)
{
    char text[UMX_CLOCK_TEXT];

    umx_operation_end_string(operation, key, set && at != 0 ? umx_clock_format(at, text) : NULL);
}

/* What the plan was made with: its window, phases, options, and how many rows of each table. */
static void end_plan(struct umx_operation *operation, const Umx__Plan *plan)
{
    struct umx_text pairs = {0}, rows = {0};

    end_time(operation, "created_at", plan->has_created_at, plan->created_at);
    end_time(operation, "not_before_at", plan->has_not_before_at, plan->not_before_at);
    end_time(operation, "not_after_at", plan->has_not_after_at, plan->not_after_at);
    end_strings(operation, "phases", plan->phase, plan->n_phase);
    end_strings(operation, "options", plan->option, plan->n_option);
    umx_text_adds(&pairs, "[");
    for (size_t i = 0; i < plan->n_pair; i++) {
        umx_text_adds(&pairs, i > 0 ? ",{\"exchange\":" : "{\"exchange\":");
        umx_reflect_json_string(&pairs, plan->pair[i]->exchange);
        umx_text_adds(&pairs, ",\"lync\":");
        umx_reflect_json_string(&pairs, plan->pair[i]->lync);
        umx_text_adds(&pairs, "}");
    }
    umx_text_adds(&pairs, "]");
    umx_operation_end_json(operation, "pairs", umx_text_string(&pairs));
    if (plan->input != NULL)
        umx_text_addf(&rows, "{\"dial_plan\":%zu,\"auto_attendant\":%zu,\"user\":%zu,\"contact\":%zu}",
                      plan->input->n_dial_plan, plan->input->n_auto_attendant, plan->input->n_user,
                      plan->input->n_contact);
    umx_operation_end_json(operation, "rows", rows.length > 0 ? umx_text_string(&rows) : "null");
    umx_text_free(&pairs);
    umx_text_free(&rows);
}

/* Every operation that changes a plan answers with what `plan show` answers, so that nobody has to ask again. */
static int show(struct umx_operation *operation, const char *name, struct umx_error *err)
{
    struct umx_engine_view view;
    int status = umx_engine_show(operation->controller->engine, name, operation->arena, &view, err);

    if (status != 0)
        return status;
    end_state(operation, view.summary);
    end_strings(operation, "forests", view.summary->forest, view.summary->n_forest);
    umx_operation_end_string(operation, "undo_of", view.summary->undo_of);
    umx_operation_end_string(operation, "ticket", view.summary->ticket);
    end_plan(operation, view.plan);
    umx_operation_end_string(operation, "deployment", view.plan->deployment);
    umx_operation_end_integer(operation, "last_sequence", view.last_sequence);
    for (size_t i = 0; status == 0 && i < view.approval_count; i++)
        status = umx_operation_item(operation, "approvals", &view.approvals[i]->base, err);
    for (size_t i = 0; status == 0 && i < view.step_count; i++)
        status = umx_operation_item(operation, "steps", &view.steps[i]->base, err);
    for (size_t i = 0; status == 0 && i < view.missing_count + view.plan->n_note; i++) {
        bool missing = i < view.missing_count;
        struct umx_text json = {0};
        umx_reflect_json_string(&json, missing ? view.missing[i] : view.plan->note[i - view.missing_count]);
        status = umx_operation_item_json(operation, missing ? "missing" : "notes", umx_text_string(&json), err);
        umx_text_free(&json);
    }
    return status;
}

/* With what the writer accounts may do: for those who decide. */
static int show_with_permissions(struct umx_operation *operation, const char *name, struct umx_error *err)
{
    int status = umx_engine_preflight(operation->controller->engine, name, err);

    return status == 0 ? show(operation, name, err) : status;
}

int umx_operation_plan_show(struct umx_operation *operation, struct umx_error *err)
{
    return show_with_permissions(operation, plan_name(operation), err);
}

int umx_operation_plan_list(struct umx_operation *operation, struct umx_error *err)
{
    Umx__PlanSummary **plans = NULL;
    size_t count = 0;
    int status = umx_engine_list(operation->controller->engine, operation->arena, &plans, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_operation_item(operation, "plans", &plans[i]->base, err);
    return status;
}

int umx_operation_plan_create(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__PlanCreateArguments *arguments = (const Umx__PlanCreateArguments *)operation->arguments;
    struct umx_engine_caller caller = author_of(operation);
    int status = umx_engine_create(operation->controller->engine, arguments, &caller, err);

    return status == 0 ? show_with_permissions(operation, arguments->name, err) : status;
}

/* submit, suspend, resume, cancel and delete differ in the engine's function alone. */
typedef int engine_verb(struct umx_engine *, const char *, const struct umx_engine_caller *, struct umx_error *);

static int run_verb(struct umx_operation *operation, engine_verb *verb, struct umx_error *err)
{
    struct umx_engine_caller caller = caller_of(operation);
    int status = verb(operation->controller->engine, plan_name(operation), &caller, err);

    return status == 0 ? show(operation, plan_name(operation), err) : status;
}

int umx_operation_plan_submit(struct umx_operation *operation, struct umx_error *err)
{
    return run_verb(operation, umx_engine_submit, err);
}

int umx_operation_plan_suspend(struct umx_operation *operation, struct umx_error *err)
{
    return run_verb(operation, umx_engine_suspend, err);
}

int umx_operation_plan_resume(struct umx_operation *operation, struct umx_error *err)
{
    return run_verb(operation, umx_engine_resume, err);
}

int umx_operation_plan_cancel(struct umx_operation *operation, struct umx_error *err)
{
    return run_verb(operation, umx_engine_cancel, err);
}

int umx_operation_plan_delete(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_engine_caller caller = caller_of(operation);
    int status = umx_engine_delete(operation->controller->engine, plan_name(operation), &caller, err);

    if (status == 0)
        umx_operation_end_string(operation, "name", plan_name(operation));
    return status;
}

static int decide(struct umx_operation *operation, Umx__Approval__Decision decision, struct umx_error *err)
{
    const Umx__PlanDecisionArguments *arguments = (const Umx__PlanDecisionArguments *)operation->arguments;
    struct umx_engine_caller caller = caller_of(operation);
    int status = umx_engine_decide(operation->controller->engine, arguments, decision, &caller, err);

    return status == 0 ? show(operation, arguments->name, err) : status;
}

int umx_operation_plan_approve(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__PlanDecisionArguments *arguments = (const Umx__PlanDecisionArguments *)operation->arguments;
    bool break_glass = arguments->has_break_glass && arguments->break_glass;

    return decide(operation, break_glass ? UMX__APPROVAL__DECISION__BREAK_GLASS : UMX__APPROVAL__DECISION__APPROVE,
                  err);
}

int umx_operation_plan_deny(struct umx_operation *operation, struct umx_error *err)
{
    return decide(operation, UMX__APPROVAL__DECISION__DENY, err);
}

int umx_operation_plan_withdraw(struct umx_operation *operation, struct umx_error *err)
{
    return decide(operation, UMX__APPROVAL__DECISION__WITHDRAW, err);
}

int umx_operation_plan_start(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__PlanStartArguments *arguments = (const Umx__PlanStartArguments *)operation->arguments;
    struct umx_engine_caller caller = caller_of(operation);
    int status = umx_engine_start(operation->controller->engine, arguments, &caller, err);

    return status == 0 ? show(operation, arguments->name, err) : status;
}

int umx_operation_plan_confirm(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__PlanConfirmArguments *arguments = (const Umx__PlanConfirmArguments *)operation->arguments;
    struct umx_engine_caller caller = caller_of(operation);
    int status = umx_engine_confirm(operation->controller->engine, arguments, &caller, err);

    return status == 0 ? show(operation, arguments->name, err) : status;
}

int umx_operation_plan_undo(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__PlanUndoArguments *arguments = (const Umx__PlanUndoArguments *)operation->arguments;
    struct umx_engine_caller caller = author_of(operation);
    const char *name = NULL;
    int status = umx_engine_undo(operation->controller->engine, arguments, &caller, operation->arena, &name, err);

    return status == 0 ? show(operation, name, err) : status;
}

/* Entries as they are written, until the plan is at rest or the watcher goes away. */
static int watch(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_engine *engine = operation->controller->engine;
    int64_t after = 0;
    int status = 0;

    while (!umx_rpc_cancelled(operation->call)) {
        if ((status = umx_operation_recheck(operation, err)) != 0)
            return status;
        struct umx_arena *arena = umx_arena_new(UMX_MAX_OPERATOR_MESSAGE);
        Umx__Journal *entry = NULL;
        if (arena == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, plan_name(operation), NULL);
        status = umx_engine_wait(engine, plan_name(operation), after, WATCH_TURN * UMX_SECOND, arena, &entry, err);
        bool at_rest = status == 0 && entry == NULL;
        if (status == UMX_E_TIMEOUT)
            status = 0;
        else if (status == 0 && !at_rest) {
            after = entry->sequence;
            status = umx_operation_item(operation, "entries", &entry->base, err);
        }
        umx_arena_free(arena);
        if (status != 0)
            return status;
        if (at_rest)
            break;
    }
    struct umx_engine_view view;
    status = umx_engine_show(engine, plan_name(operation), operation->arena, &view, err);
    if (status == 0)
        end_state(operation, view.summary);
    return status;
}

/* A watcher keeps its thread as long as the plan runs: those who want to stop the plan need one too. */
int umx_operation_plan_watch(struct umx_operation *operation, struct umx_error *err)
{
    static atomic_int watchers;
    int status = atomic_fetch_add(&watchers, 1) < WATCHERS_MAX
                     ? watch(operation, err)
                     : umx_fail(err, UMX_ERR_BUSY, plan_name(operation), "%d others are watching plans", WATCHERS_MAX);

    atomic_fetch_sub(&watchers, 1);
    return status;
}

static int export_html(struct umx_operation *operation, const char *name, struct umx_error *err)
{
    struct umx_engine *engine = operation->controller->engine;
    struct umx_engine_view view;
    struct umx_report report = {.view = &view, .made_at = umx_clock_now()};
    Umx__Journal **entries = NULL;
    int status = umx_engine_show(engine, name, operation->arena, &view, err);

    if (status == 0)
        status = umx_engine_entries(engine, name, operation->arena, &entries, &report.entry_count, &report.head, err);
    if (status != 0)
        return status;
    struct umx_text html = {0};
    report.entries = entries;
    umx_report_html(&report, &html);
    status = umx_operation_parts(operation, "html", &html, err);
    umx_text_free(&html);
    return status;
}

int umx_operation_plan_export(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__PlanExportArguments *arguments = (const Umx__PlanExportArguments *)operation->arguments;
    const char *name = arguments->name != NULL ? arguments->name : "";
    const char *format = arguments->format != NULL ? arguments->format : "json";
    struct umx_text json = {0};

    if (strcmp(format, "html") == 0)
        return export_html(operation, name, err);
    if (strcmp(format, "json") != 0)
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "format", "`%s` is neither json nor html", format);
    int status = umx_engine_export(operation->controller->engine, name, &json, err);
    if (status == 0)
        umx_operation_end_json(operation, "export", umx_text_string(&json));
    umx_text_free(&json);
    return status;
}

static int send_entry(void *user, const Umx__Journal *entry, struct umx_error *err)
{
    return umx_operation_item(user, "entries", &entry->base, err);
}

int umx_operation_audit(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__AuditArguments *arguments = (const Umx__AuditArguments *)operation->arguments;

    return umx_engine_audit(operation->controller->engine, arguments->plan,
                            arguments->has_after ? arguments->after : UMX_ENGINE_NEWEST, arguments->limit, send_entry,
                            operation, err);
}

int umx_operation_audit_verify(struct umx_operation *operation, struct umx_error *err)
{
    int64_t entries = 0;
    int64_t first_bad = 0;
    bool intact = false;
    struct umx_text lines = {0};
    int status = umx_engine_verify(operation->controller->engine, &entries, &intact, &first_bad, &lines, err);

    for (char *line = lines.data, *end; status == 0 && line != NULL && (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        struct umx_text json = {0};
        *end = '\0';
        umx_reflect_json_string(&json, line);
        status = umx_operation_item_json(operation, "witnesses", umx_text_string(&json), err);
        umx_text_free(&json);
    }
    umx_text_free(&lines);
    if (status != 0)
        return status;
    umx_operation_end_integer(operation, "entries", entries);
    umx_operation_end_json(operation, "intact", intact ? "true" : "false");
    if (intact)
        umx_operation_end_string(operation, "first_bad", NULL);
    else
        umx_operation_end_integer(operation, "first_bad", first_bad);
    return 0;
}

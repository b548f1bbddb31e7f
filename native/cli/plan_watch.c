#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/plan_view.h"
#include "cli/value.h"
#include "cli/width.h"

/* The effect of an action is the agent's list of results: people need what it says about each item. */
static void add_detail(struct umx_text *line, const char *detail)
{
    json_t *results = detail[0] == '[' ? json_loads(detail, 0, NULL) : NULL;

    if (results == NULL)
        umx_text_addf(line, "  %s", detail);
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        umx_text_addf(line, "%s%s%s", i == 0 ? "  " : "; ",
                      json_is_false(json_object_get(result, "ok")) ? "failed: " : "",
                      umx_value_string(result, "detail"));
    }
    json_decref(results);
}

void umx_plan_view_entry(struct umx_cli *cli, const json_t *entry, const json_t *step)
{
    struct umx_text line = {0}, clean = {0};

    umx_value_add_text(&line, json_object_get(entry, "written_at"));
    if (umx_value_string(entry, "step")[0] != '\0')
        umx_text_addf(&line, "  %-12s %s", umx_value_string(entry, "kind"), umx_value_string(entry, "step"));
    else
        umx_text_addf(&line, "  %s", umx_value_string(entry, "kind"));
    if (umx_value_string(step, "summary")[0] != '\0' && strcmp(umx_value_string(entry, "kind"), "intent") == 0)
        umx_text_addf(&line, " %s", umx_value_string(step, "summary"));
    if (umx_value_string(entry, "outcome")[0] != '\0')
        umx_text_addf(&line, " %s", umx_value_string(entry, "outcome"));
    if (umx_value_string(entry, "error")[0] != '\0')
        umx_text_addf(&line, " %s", umx_value_string(entry, "error"));
    if (umx_value_string(entry, "detail")[0] != '\0')
        add_detail(&line, umx_value_string(entry, "detail"));
    umx_width_add_printable(&clean, umx_text_string(&line));
    fprintf(cli->out, "%s\n", umx_text_string(&clean));
    umx_text_free(&line);
    umx_text_free(&clean);
}

struct watch {
    struct umx_cli *cli;
    const char *plan;
    const json_t *steps; /* NULL: not asked for */
};

/* s17 is the seventeenth step. */
static const json_t *step_of(const struct watch *watch, const json_t *entry)
{
    const char *id = umx_value_string(entry, "step");
    unsigned long number = id[0] == 's' ? strtoul(id + 1, NULL, 10) : 0;
    const json_t *step = number > 0 ? json_array_get(watch->steps, number - 1) : NULL;

    return strcmp(umx_value_string(step, "id"), id) == 0 ? step : NULL;
}

/* A gate says at once what there is to do: the plan waits for it. */
static void show_entry(const struct watch *watch, const json_t *entry)
{
    const json_t *step = step_of(watch, entry);

    umx_plan_view_entry(watch->cli, entry, step);
    if (strcmp(umx_value_string(step, "kind"), "gate") == 0 && strcmp(umx_value_string(entry, "kind"), "intent") == 0)
        umx_plan_view_gate(watch->cli, watch->plan, watch->steps, step);
}

/* Entries are shown when they come. */
static int show(void *user, const char *type, const json_t *item, struct umx_error *err)
{
    const struct watch *watch = user;
    struct umx_cli *cli = watch->cli;
    int result = 0;

    if (strcmp(type, "entries") != 0)
        return 0;
    umx_progress_clear(cli);
    if (cli->format == UMX_CLI_JSONL)
        result = json_dumpf(item, cli->out, JSON_COMPACT) != 0 || fputc('\n', cli->out) == EOF ? -1 : 0;
    else if (cli->format == UMX_CLI_TABLE)
        show_entry(watch, item);
    if (result != 0 || fflush(cli->out) != 0)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "standard output", NULL);
    return 0;
}

/* States that a watched plan rests in, and what they mean to a script. */
static int exit_of(const char *state)
{
    static const char *const bad[] = {"failed", "cancelled", "suspended"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (strcmp(state, bad[i]) == 0)
            return UMX_EXIT_NO;
    return UMX_EXIT_GOOD;
}

static void view_end(struct umx_cli *cli, const struct umx_document *document)
{
    struct umx_text line = {0};

    umx_width_add_printable(&line, umx_value_string(document->root, "state"));
    fprintf(cli->out, "plan is %s\n", umx_text_string(&line));
    umx_text_free(&line);
}

UMX_COMMAND(plan_watch)
{
    bool streams = cli->format == UMX_CLI_TABLE || cli->format == UMX_CLI_JSONL;
    struct watch watch = {.cli = cli, .plan = umx_args_operand(args, 0)};
    const struct umx_call_sink sink = {.item = show, .user = &watch, .keep = !streams};
    struct umx_document plan = {0}, document = {0};
    int status = 0;

    if (cli->format == UMX_CLI_TABLE) { /* what the steps' ids mean */
        status = umx_call(cli, "plan.show", json_pack("{s:s}", "name", watch.plan), NULL, &plan, err);
        watch.steps = umx_document_array(&plan, "steps");
    }
    if (status == 0)
        status = umx_call(cli, "plan.watch", json_pack("{s:s}", "name", watch.plan), &sink, &document, err);
    if (status == 0)
        status = umx_output(cli, &document, view_end, err);
    if (status == 0)
        status = exit_of(umx_value_string(document.root, "state"));
    umx_document_close(&document);
    umx_document_close(&plan);
    return status;
}

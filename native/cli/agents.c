#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/value.h"
#include "cli/width.h"

/* Those that are missing first. */
static json_t *sort(const json_t *agents)
{
    json_t *sorted = json_array();

    for (int connected = 0; connected < 2; connected++)
        for (size_t i = 0; i < json_array_size(agents); i++)
            if ((strcmp(umx_value_string(json_array_get(agents, i), "state"), "connected") == 0) == connected)
                json_array_append(sorted, json_array_get(agents, i));
    return sorted;
}

static void view_agents(struct umx_cli *cli, const json_t *agents)
{
    struct umx_output_column columns[] = {{"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                          {"server", "SERVER", 0},
                                          {"forest", "FOREST", 0},
                                          {"version", "VERSION", 0},
                                          {"last_report_at", "LAST REPORT", UMX_GRID_FIXED},
                                          {"reason", "REASON", 0}};
    json_t *sorted = sort(agents);
    size_t reasons = 0;

    for (size_t i = 0; i < json_array_size(sorted); i++)
        reasons += umx_value_string(json_array_get(sorted, i), "reason")[0] != '\0';
    if (json_array_size(sorted) == 0)
        fputs("no agents; `umx token create` lets the first enrol\n", cli->out);
    /* Without reasons their column would only break the names. */
    if (reasons == 0)
        columns[1].flags = UMX_GRID_FIXED;
    umx_output_records(cli, sorted, columns, reasons > 0 ? 6 : 5);
    json_decref(sorted);
}

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    view_agents(cli, umx_document_array(document, "agents"));
}

/* ---- --watch */

/* The agents as they were told, by identity; drawn again when a picture is complete. */
struct watch {
    struct umx_cli *cli;
    json_t *agents; /* identity -> record */
    int rows;       /* of the terminal; 0: not one, changes are written as lines */
};

static void write_change(const struct watch *watch, const json_t *agent)
{
    struct umx_text line = {0}, clean = {0};

    umx_value_add_text(&line, json_object_get(agent, "collected_at"));
    umx_text_addf(&line, "  %-10s %s", umx_value_string(agent, "state"),
                  umx_value_string(agent, umx_value_string(agent, "server")[0] != '\0' ? "server" : "agent"));
    if (umx_value_string(agent, "version")[0] != '\0')
        umx_text_addf(&line, " %s", umx_value_string(agent, "version"));
    if (umx_value_string(agent, "reason")[0] != '\0')
        umx_text_addf(&line, " (%s)", umx_value_string(agent, "reason"));
    umx_width_add_printable(&clean, umx_text_string(&line));
    fprintf(watch->cli->out, "%s\n", umx_text_string(&clean));
    umx_text_free(&line);
    umx_text_free(&clean);
}

static void keep(const struct watch *watch, const json_t *agent)
{
    const char *identity = umx_value_string(agent, "agent");

    if (strcmp(umx_value_string(agent, "state"), "forgotten") == 0)
        json_object_del(watch->agents, identity);
    else
        json_object_set_new(watch->agents, identity, json_deep_copy(agent));
}

static int changed(void *user, const char *type, const json_t *item, struct umx_error *err)
{
    const struct watch *watch = user;
    struct umx_cli *cli = watch->cli;
    int result = 0;

    if (strcmp(type, "agents") != 0)
        return 0;
    if (watch->rows > 0) {
        keep(watch, item);
        return 0;
    }
    if (cli->format == UMX_CLI_JSONL)
        result = json_dumpf(item, cli->out, JSON_COMPACT) != 0 || fputc('\n', cli->out) == EOF ? -1 : 0;
    else
        write_change(watch, item);
    if (result != 0 || fflush(cli->out) != 0)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "standard output", NULL);
    return 0;
}

/* A whole screen at a time: home, each line wiped to its end, and the rest below. */
static void draw(void *user, const json_t *progress)
{
    struct watch *watch = user;
    struct umx_cli *cli = watch->cli;
    json_t *list = json_array();
    const char *key;
    json_t *agent;

    if (watch->rows == 0)
        return;
    json_object_foreach(watch->agents, key, agent) json_array_append(list, agent);
    json_t *sorted = sort(list);
    while (json_array_size(sorted) > (size_t)watch->rows) /* those that are missing come first, and stay */
        json_array_remove(sorted, json_array_size(sorted) - 1);
    fprintf(cli->out, "\033[H\033[2J%lld of %lld agents connected; Ctrl-C ends\n\n",
            umx_value_integer(progress, "done"), umx_value_integer(progress, "total"));
    view_agents(cli, sorted);
    if (json_array_size(sorted) < json_array_size(list))
        fprintf(cli->out, "and %zu more\n", json_array_size(list) - json_array_size(sorted));
    fflush(cli->out);
    json_decref(sorted);
    json_decref(list);
}

static int watch_agents(struct umx_cli *cli, struct umx_error *err)
{
    enum { HEAD_AND_TAIL = 6, LINES_OF_AN_AGENT = 2 };
    struct watch watch = {.cli = cli, .agents = json_object()};
    const struct umx_call_sink sink = {.item = changed, .progress = draw, .user = &watch, .keep = false};
    struct umx_document document = {0};
    int rows = cli->format == UMX_CLI_TABLE ? umx_terminal_height(cli->out) : 0;
    int status;

    if (rows > 0)
        watch.rows = rows > HEAD_AND_TAIL + LINES_OF_AN_AGENT ? (rows - HEAD_AND_TAIL) / LINES_OF_AN_AGENT : 1;
    if (watch.agents == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "agents", NULL);
    if (cli->format == UMX_CLI_JSON || cli->format == UMX_CLI_CSV)
        status = umx_fail(err, UMX_ERR_USAGE, "--watch", "it has no end: use -o jsonl");
    else
        status = umx_call(cli, "agents.watch", NULL, &sink, &document, err);
    /* The interrupt key is how a watch ends. */
    if (status == UMX_E_CANCELLED && umx_terminal_interrupted())
        status = UMX_EXIT_GOOD;
    umx_document_close(&document);
    json_decref(watch.agents);
    return status;
}

UMX_COMMAND(agents)
{
    if (umx_args_flag(args, "--watch"))
        return watch_agents(cli, err);
    return umx_output_call(cli, "agents", NULL, view, err);
}

#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"

/* States that somebody has to look at, worst first. */
static const char *const bad_states[] = {"drifted", "missing", "partial"};

/* What is unknown has one reason for many phases: one line a pair. */
static void add_unknown(json_t *rows, const json_t *pairs)
{
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i), *phases = json_object_get(pair, "phases");
        int count = 0;
        for (size_t p = 0; p < json_array_size(phases); p++)
            count += strcmp(umx_value_string(json_array_get(phases, p), "state"), "unknown") == 0;
        if (count > 0)
            json_array_append_new(
                rows, json_pack("{s:s,s:o,s:s}", "state", "unknown", "what",
                                json_sprintf("%d phase%s (%s:%s)", count, count == 1 ? "" : "s",
                                             umx_value_string(pair, "exchange"), umx_value_string(pair, "lync")),
                                "why", "`umx check --phase NAME` says why"));
    }
}

static void view_problems(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {
        {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED}, {"what", "WHAT", 0}, {"why", "WHY", 0}};
    const json_t *forests = umx_document_array(document, "forests"), *pairs = umx_document_array(document, "pairs");
    long long silent = umx_value_integer(json_object_get(document->root, "agents"), "silent");
    json_t *rows = json_array();

    for (size_t i = 0; i < json_array_size(forests); i++) {
        const json_t *forest = json_array_get(forests, i);
        if (umx_value_string(forest, "error")[0] != '\0')
            json_array_append_new(rows, json_pack("{s:s,s:s,s:s}", "state", "error", "what",
                                                  umx_value_string(forest, "forest"), "why",
                                                  umx_value_string(forest, "error")));
    }
    for (size_t s = 0; s < sizeof bad_states / sizeof bad_states[0]; s++)
        for (size_t i = 0; i < json_array_size(pairs); i++) {
            const json_t *pair = json_array_get(pairs, i), *phases = json_object_get(pair, "phases");
            for (size_t p = 0; p < json_array_size(phases); p++) {
                const json_t *phase = json_array_get(phases, p);
                if (strcmp(umx_value_string(phase, "state"), bad_states[s]) != 0)
                    continue;
                struct umx_text why = {0}, what = {0};
                umx_text_addf(&what, "%s (%s:%s)", umx_value_string(phase, "slug"), umx_value_string(pair, "exchange"),
                              umx_value_string(pair, "lync"));
                umx_text_addf(&why, "%lld fail, %lld warn, %lld unknown", umx_value_integer(phase, "fail"),
                              umx_value_integer(phase, "warn"), umx_value_integer(phase, "unknown"));
                json_array_append_new(rows, json_pack("{s:s,s:s,s:s}", "state", bad_states[s], "what",
                                                      umx_text_string(&what), "why", umx_text_string(&why)));
                umx_text_free(&what);
                umx_text_free(&why);
            }
        }
    add_unknown(rows, pairs);
    if (silent > 0)
        json_array_append_new(rows, json_pack("{s:s,s:o,s:s}", "state", "silent", "what",
                                              json_sprintf("%lld agent%s", silent, silent == 1 ? "" : "s"), "why",
                                              "not connected; see `umx agents`"));
    if (json_array_size(rows) > 0) {
        fputs("PROBLEMS\n", cli->out);
        umx_output_records(cli, rows, columns, 3);
        fputc('\n', cli->out);
    }
    json_decref(rows);
}

/* One row a phase, one column a pair. */
static void view_pairs(struct umx_cli *cli, const json_t *pairs)
{
    enum { PAIRS_MAX = 24 };
    size_t count = json_array_size(pairs) < PAIRS_MAX ? json_array_size(pairs) : PAIRS_MAX;
    struct umx_output_column columns[PAIRS_MAX + 1] = {{"slug", "PHASE", UMX_GRID_FIXED}};
    struct umx_text titles[PAIRS_MAX] = {{0}};
    char keys[PAIRS_MAX][8];
    json_t *rows = json_array();

    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(pairs, i), *phases = json_object_get(pair, "phases");
        umx_text_addf(&titles[i], "%s:%s", umx_value_string(pair, "exchange"), umx_value_string(pair, "lync"));
        snprintf(keys[i], sizeof keys[i], "%u", (unsigned)i & 0xFFU);
        columns[i + 1] = (struct umx_output_column){keys[i], umx_text_string(&titles[i]), UMX_GRID_STATUS};
        for (size_t p = 0; p < json_array_size(phases); p++) {
            const json_t *phase = json_array_get(phases, p);
            if (p >= json_array_size(rows))
                json_array_append_new(rows, json_pack("{s:s}", "slug", umx_value_string(phase, "slug")));
            json_object_set_new(json_array_get(rows, p), keys[i], json_string(umx_value_string(phase, "state")));
        }
    }
    umx_output_records(cli, rows, columns, count + 1);
    if (json_array_size(pairs) > count)
        fprintf(cli->out, "and %zu more pairs: see -o json\n", json_array_size(pairs) - count);
    for (size_t i = 0; i < count; i++)
        umx_text_free(&titles[i]);
    json_decref(rows);
}

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column forests[] = {{"forest", "FOREST", 0},
                                                       {"side", "SIDE", UMX_GRID_FIXED},
                                                       {"domain_controller", "READ FROM", 0},
                                                       {"collected_at", "AT", UMX_GRID_FIXED}};
    const json_t *agents = json_object_get(document->root, "agents");

    view_problems(cli, document);
    umx_output_records(cli, umx_document_array(document, "forests"), forests, 4);
    if (json_array_size(umx_document_array(document, "pairs")) > 0) {
        fputc('\n', cli->out);
        view_pairs(cli, umx_document_array(document, "pairs"));
    }
    fprintf(cli->out, "\nagents: %lld connected, %lld silent\n", umx_value_integer(agents, "connected"),
            umx_value_integer(agents, "silent"));
}

UMX_COMMAND(status)
{
    (void)args;
    return umx_output_call(cli, "status", NULL, view, err);
}

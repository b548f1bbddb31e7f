#include <string.h>

#include "cli/commands.h"
#include "cli/status_view.h"
#include "cli/value.h"
#include "cli/width.h"

enum { PHASE_WIDTH = 19, STATE_WIDTH = 9, GAP = 2, COLUMNS_MAX = 24 };

/* ---- what the grid cannot say: a forest that could not be read, what drifted, agents that are gone */

static void add_row(json_t *rows, const char *state, const char *what, const char *why)
{
    json_array_append_new(rows, json_pack("{s:s,s:s,s:s}", "state", state, "what", what, "why", why));
}

static void add_forests(json_t *rows, const json_t *forests)
{
    for (size_t i = 0; i < json_array_size(forests); i++) {
        const json_t *forest = json_array_get(forests, i);
        if (umx_value_string(forest, "error")[0] != '\0')
            add_row(rows, "error", umx_value_string(forest, "forest"), umx_value_string(forest, "error"));
    }
}

static void add_drift(json_t *rows, const json_t *pair, const json_t *phase)
{
    struct umx_text what = {0}, why = {0};

    umx_text_addf(&what, "%s (%s:%s)", umx_value_string(phase, "slug"), umx_value_string(pair, "exchange"),
                  umx_value_string(pair, "lync"));
    if (umx_value_string(phase, "drifted_at")[0] != '\0') {
        umx_text_adds(&why, "since ");
        umx_value_add_text(&why, json_object_get(phase, "drifted_at"));
        umx_text_adds(&why, ": ");
    }
    if (umx_value_string(phase, "drift")[0] != '\0')
        umx_text_adds(&why, umx_value_string(phase, "drift"));
    else
        umx_text_addf(&why, "%lld fail; `umx check --phase %s` names them", umx_value_integer(phase, "fail"),
                      umx_value_string(phase, "slug"));
    add_row(rows, "drifted", umx_text_string(&what), umx_text_string(&why));
    umx_text_free(&what);
    umx_text_free(&why);
}

static void view_problems(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {
        {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED}, {"what", "WHAT", 0}, {"why", "WHY", 0}};
    const json_t *pairs = umx_document_array(document, "pairs");
    long long silent = umx_value_integer(json_object_get(document->root, "agents"), "silent");
    json_t *rows = json_array();

    add_forests(rows, umx_document_array(document, "forests"));
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *phases = json_object_get(json_array_get(pairs, i), "phases");
        for (size_t p = 0; p < json_array_size(phases); p++)
            if (strcmp(umx_value_string(json_array_get(phases, p), "state"), "drifted") == 0)
                add_drift(rows, json_array_get(pairs, i), json_array_get(phases, p));
    }
    const json_t *certificates = umx_document_array(document, "certificates");
    for (size_t i = 0; i < json_array_size(certificates); i++) {
        const json_t *one = json_array_get(certificates, i);
        add_row(rows, umx_value_string(one, "status"), umx_value_string(one, "target"),
                umx_value_string(one, "actual"));
    }
    if (silent > 0) {
        struct umx_text what = {0};
        umx_text_addf(&what, "%lld agent%s", silent, silent == 1 ? "" : "s");
        add_row(rows, "silent", umx_text_string(&what), "not connected; see `umx agents`");
        umx_text_free(&what);
    }
    if (json_array_size(rows) > 0) {
        fputs("PROBLEMS\n", cli->out);
        umx_output_records(cli, rows, columns, 3);
        fputc('\n', cli->out);
    }
    json_decref(rows);
}

/* ---- the grid: one row a phase, one column a pair */

static const char *word_of(const char *state)
{
    return strcmp(state, "not_applicable") == 0 ? "n/a" : state;
}

static void add_title(struct umx_text *out, const json_t *pair)
{
    umx_text_addf(out, "%s:%s", umx_value_string(pair, "exchange"), umx_value_string(pair, "lync"));
}

/* Whether the pairs' own names can stand above their columns. */
static bool names_fit(const struct umx_cli *cli, const json_t *pairs)
{
    size_t width = PHASE_WIDTH;

    for (size_t i = 0; i < json_array_size(pairs); i++) {
        struct umx_text title = {0};
        add_title(&title, json_array_get(pairs, i));
        size_t own = umx_width(umx_text_string(&title), title.length);
        width += GAP + (own > STATE_WIDTH ? own : STATE_WIDTH);
        umx_text_free(&title);
    }
    return cli->style.width == 0 || width <= cli->style.width;
}

/* Names that are too long get numbers, which stand here. */
static void view_legend(struct umx_cli *cli, const json_t *pairs)
{
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        struct umx_text line = {0};
        umx_text_addf(&line, "pair %zu: ", i + 1);
        add_title(&line, json_array_get(pairs, i));
        umx_grid_paragraph(cli->out, &cli->style, 0, umx_text_string(&line));
        umx_text_free(&line);
    }
    fputc('\n', cli->out);
}

static void view_columns(struct umx_cli *cli, const json_t *pairs, size_t first, size_t count, bool names)
{
    struct umx_output_column columns[COLUMNS_MAX + 1] = {{"slug", "PHASE", UMX_GRID_FIXED}};
    struct umx_text titles[COLUMNS_MAX] = {{0}};
    char keys[COLUMNS_MAX][8];
    json_t *rows = json_array();

    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(pairs, first + i), *phases = json_object_get(pair, "phases");
        if (names)
            add_title(&titles[i], pair);
        else
            umx_text_addf(&titles[i], "PAIR %zu", first + i + 1);
        snprintf(keys[i], sizeof keys[i], "%u", (unsigned)i & 0xFFU);
        columns[i + 1] =
            (struct umx_output_column){keys[i], umx_text_string(&titles[i]), UMX_GRID_STATUS | UMX_GRID_FIXED};
        for (size_t p = 0; p < json_array_size(phases); p++) {
            const json_t *phase = json_array_get(phases, p);
            if (p >= json_array_size(rows))
                json_array_append_new(rows, json_pack("{s:s}", "slug", umx_value_string(phase, "slug")));
            json_object_set_new(json_array_get(rows, p), keys[i],
                                json_string(word_of(umx_value_string(phase, "state"))));
        }
    }
    umx_output_records(cli, rows, columns, count + 1);
    for (size_t i = 0; i < count; i++)
        umx_text_free(&titles[i]);
    json_decref(rows);
}

/* As many pairs beside each other as the screen has room for. */
static void view_pairs(struct umx_cli *cli, const json_t *pairs)
{
    bool names = names_fit(cli, pairs);
    size_t room =
        cli->style.width > PHASE_WIDTH + GAP + STATE_WIDTH ? (cli->style.width - PHASE_WIDTH) / (GAP + STATE_WIDTH) : 1;

    room = names || room > COLUMNS_MAX ? COLUMNS_MAX : room;
    if (!names)
        view_legend(cli, pairs);
    for (size_t first = 0; first < json_array_size(pairs); first += room) {
        size_t left = json_array_size(pairs) - first;
        if (first > 0)
            fputc('\n', cli->out);
        view_columns(cli, pairs, first, left < room ? left : room, names);
    }
}

/* ---- where to go on: the first phase of each pair that is not done, once for all pairs */

static bool is_open(const json_t *phase)
{
    const char *state = umx_value_string(phase, "state");

    return strcmp(state, "done") != 0 && strcmp(state, "not_applicable") != 0;
}

/* " (4 fail, 1 unknown)" */
static void add_counts(struct umx_text *out, const json_t *counts)
{
    const char *name;
    json_t *count;
    bool any = false;

    json_object_foreach((json_t *)(uintptr_t)counts, name, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        umx_text_addf(out, "%s%lld %s", any ? ", " : "  (", (long long)json_integer_value(count), name);
        any = true;
    }
    umx_text_adds(out, any ? ")" : "");
}

static void view_next(struct umx_cli *cli, const json_t *pairs)
{
    static const char *const words[] = {"fail", "warn", "unknown"};
    json_t *next = json_object(); /* slug -> counts over the pairs that are at it */
    const char *slug;
    json_t *counts;

    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *phases = json_object_get(json_array_get(pairs, i), "phases");
        size_t p = 0;
        while (p < json_array_size(phases) && !is_open(json_array_get(phases, p)))
            p++;
        const json_t *phase = json_array_get(phases, p);
        if (phase == NULL)
            continue;
        counts = json_object_get(next, umx_value_string(phase, "slug"));
        if (counts == NULL) {
            counts = json_object();
            json_object_set_new(next, umx_value_string(phase, "slug"), counts);
        }
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
            json_object_set_new(counts, words[w],
                                json_integer(umx_value_integer(counts, words[w]) + umx_value_integer(phase, words[w])));
    }
    if (json_object_size(next) > 0)
        fputs("\nNEXT\n", cli->out);
    json_object_foreach(next, slug, counts)
    {
        struct umx_text line = {0};
        umx_text_addf(&line, "umx check --phase %s", slug);
        add_counts(&line, counts);
        umx_grid_paragraph(cli->out, &cli->style, 2, umx_text_string(&line));
        umx_text_free(&line);
    }
    json_decref(next);
}

void umx_status_view(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column forests[] = {{"forest", "FOREST", 0},
                                                       {"side", "SIDE", UMX_GRID_FIXED},
                                                       {"domain_controller", "READ FROM", 0},
                                                       {"collected_at", "AT", UMX_GRID_FIXED}};
    const json_t *agents = json_object_get(document->root, "agents"), *pairs = umx_document_array(document, "pairs");

    view_problems(cli, document);
    umx_output_records(cli, umx_document_array(document, "forests"), forests, 4);
    if (json_array_size(pairs) > 0) {
        fputc('\n', cli->out);
        view_pairs(cli, pairs);
        view_next(cli, pairs);
    }
    fprintf(cli->out, "\nagents: %lld connected, %lld silent\n", umx_value_integer(agents, "connected"),
            umx_value_integer(agents, "silent"));
    const json_t *refused = json_object_get(document->root, "refused");
    if (umx_value_integer(refused, "handshakes") + umx_value_integer(refused, "connections") +
            umx_value_integer(refused, "requests") >
        0)
        fprintf(cli->out, "refused since the start: %lld TLS handshakes, %lld connections, %lld requests (`umx audit`)\n",
                umx_value_integer(refused, "handshakes"), umx_value_integer(refused, "connections"),
                umx_value_integer(refused, "requests"));
}

UMX_COMMAND(status)
{
    (void)args;
    return umx_output_call(cli, "status", NULL, umx_status_view, err);
}

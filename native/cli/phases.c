#include <string.h>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/value.h"
#include "phases/phases.h"

enum { PHASES_ARENA = 4 * 1024 * 1024 };

static void view_all(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"number", "NO", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"slug", "PHASE", UMX_GRID_FIXED},
                                                       {"title", "TITLE", 0},
                                                       {"sides", "SIDES", UMX_GRID_FIXED},
                                                       {"writes", "WRITES BY", 0}};

    umx_output_records(cli, umx_document_array(document, "phases"), columns, 5);
}

static void view_lines(struct umx_cli *cli, const char *title, const json_t *lines)
{
    if (json_array_size(lines) == 0)
        return;
    fprintf(cli->out, "\n%s\n", title);
    for (size_t i = 0; i < json_array_size(lines); i++)
        umx_grid_paragraph(cli->out, &cli->style, 2, json_string_value(json_array_get(lines, i)));
}

/* "exchange: A; lync: B": a line each. */
static void view_groups(struct umx_cli *cli, const char *groups)
{
    const char *lync = strstr(groups, "; lync: ");
    json_t *sides =
        lync != NULL ? json_pack("{s:s%,s:s}", "exchange", groups + 10, (size_t)(lync - groups) - 10, "lync", lync + 8)
                     : json_pack("{s:s}", "exchange", groups);

    umx_output_member(cli, sides, "exchange", "approved by");
    umx_output_member(cli, sides, "lync", lync != NULL ? "  and (Lync)" : "");
    json_decref(sides);
}

/* What `plan create --input` may bring, column by column. */
static void view_rows(struct umx_cli *cli, const char *slug, const json_t *tables)
{
    struct umx_text line = {0};

    if (json_array_size(tables) == 0)
        return;
    fputs("\nROWS (--input)\n", cli->out);
    for (size_t i = 0; i < json_array_size(tables); i++) {
        const char *table = json_string_value(json_array_get(tables, i)), *column;
        line.length = 0;
        umx_text_addf(&line, "%s: ", table);
        for (size_t c = 0; (column = umx_input_column(table, c)) != NULL; c++)
            umx_text_addf(&line, "%s%s", c > 0 ? ", " : "", column);
        umx_grid_paragraph(cli->out, &cli->style, 2, umx_text_string(&line));
    }
    fprintf(cli->out, "  umx plan template --phase %s -o csv > rows.csv\n", slug);
    umx_text_free(&line);
}

/* By version of the product; a link stands whole on its line, to be copied. */
static void view_documentation(struct umx_cli *cli, const json_t *lines)
{
    if (json_array_size(lines) > 0)
        fputs("\nDOCUMENTATION\n", cli->out);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const char *line = json_string_value(json_array_get(lines, i)), *link = strstr(line, " https://");
        json_t *title = json_stringn(line, link != NULL ? (size_t)(link - line) : strlen(line));
        umx_grid_paragraph(cli->out, &cli->style, 2, json_string_value(title));
        if (link != NULL)
            fprintf(cli->out, "    %s\n", link + 1);
        json_decref(title);
    }
}

static void view_one(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[][2] = {
        {"number", "number"}, {"slug", "phase"}, {"title", "title"}, {"sides", "sides"}, {"writes", "writes by"},
    };
    static const struct umx_output_column checks[] = {{"id", "CHECK", 0}, {"question", "ASKS", 0}, {"spec", "SPEC", 0}};
    const json_t *phase = json_array_get(umx_document_array(document, "phases"), 0);

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, phase, members[i][0], members[i][1]);
    view_groups(cli, umx_value_string(phase, "groups"));
    view_rows(cli, umx_value_string(phase, "slug"), json_object_get(phase, "rows"));
    view_lines(cli, "OPTIONS (--set)", json_object_get(phase, "option"));
    view_documentation(cli, json_object_get(phase, "documentation"));
    fputc('\n', cli->out);
    umx_output_records(cli, umx_document_array(document, "checks"), checks, 3);
}

static int add_phase(struct umx_document *document, const struct umx_phase *phase, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(PHASES_ARENA);
    Umx__PhaseInfo *info = NULL;
    int status;

    if (arena != NULL)
        umx_phase_info(phase, arena, &info);
    status = info == NULL ? umx_fail(err, UMX_ERR_MEMORY, phase->slug, NULL)
                          : umx_document_message(document, "phases", &info->base, err);
    umx_arena_free(arena);
    return status;
}

static int add_checks(struct umx_document *document, const struct umx_phase *phase, struct umx_error *err)
{
    int status = 0;

    for (const struct umx_phase_check *check = phase->checks; status == 0 && check != NULL && check->id != NULL;
         check++)
        status = umx_document_item(document, "checks",
                                   json_pack("{s:s,s:s,s:s,s:s}", "id", check->id, "spec", check->spec, "question",
                                             check->question, "remedy", check->remedy),
                                   err);
    return status;
}

UMX_COMMAND(phases)
{
    const char *name = umx_args_operand(args, 0);
    const struct umx_phase *one = name != NULL ? umx_phase(name) : NULL;
    struct umx_document document = {0};

    if (name != NULL && one == NULL)
        return umx_fail(err, UMX_ERR_PHASE_UNKNOWN, name, NULL);
    int status = umx_document_open(&document, one != NULL ? "phase" : "phases", err);
    for (int i = 0; status == 0 && i < UMX_PHASE_COUNT; i++)
        if (one == NULL || one == &umx_phases()[i])
            status = add_phase(&document, &umx_phases()[i], err);
    if (status == 0 && one != NULL)
        status = add_checks(&document, one, err);
    if (status == 0)
        status = umx_output(cli, &document, one != NULL ? view_one : view_all, err);
    umx_document_close(&document);
    return status;
}

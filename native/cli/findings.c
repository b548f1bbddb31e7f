#include "cli/findings.h"

#include <string.h>

#include "cli/value.h"
#include "cli/width.h"

static const char *const problems[] = {"fail", "warn", "unknown"};
static const char *const others[] = {"pass", "not_applicable"};

static void view_line(struct umx_cli *cli, const char *label, const char *text)
{
    struct umx_text line = {0};

    if (text[0] == '\0')
        return;
    umx_text_addf(&line, "%s: %s", label, text);
    umx_grid_paragraph(cli->out, &cli->style, 6, umx_text_string(&line));
    umx_text_free(&line);
}

static void put_status(struct umx_cli *cli, const char *status)
{
    const char *color = umx_grid_color(status);
    bool colored = cli->style.color && color != NULL;

    fprintf(cli->out, "%s%s%s%s%s", colored ? "\033[" : "", colored ? color : "", colored ? "m" : "", status,
            colored ? "\033[0m" : "");
}

static void view_block(struct umx_cli *cli, const json_t *finding)
{
    const char *forest = umx_value_string(finding, "forest"), *target = umx_value_string(finding, "target");
    struct umx_text head = {0}, clean = {0};

    umx_text_addf(&head, " %s  %s%s%s", umx_value_string(finding, "id"), forest,
                  forest[0] != '\0' && target[0] != '\0' ? "  " : "", target);
    put_status(cli, umx_value_string(finding, "status"));
    umx_width_add_printable(&clean, umx_text_string(&head));
    fprintf(cli->out, "%s\n", umx_text_string(&clean));
    umx_text_free(&clean);
    umx_text_free(&head);
    view_line(cli, "expected", umx_value_string(finding, "expected"));
    view_line(cli, "actual", umx_value_string(finding, "actual"));
}

/* Findings that are said together, in the order of the first of each group: one check, one answer, one thing to do. */
static json_t *grouped(const json_t *findings)
{
    json_t *groups = json_object();

    for (size_t i = 0; i < json_array_size(findings); i++) {
        json_t *finding = json_array_get(findings, i);
        struct umx_text key = {0};
        umx_text_addf(&key, "%s\n%s\n%s", umx_value_string(finding, "status"), umx_value_string(finding, "id"),
                      umx_value_string(finding, "remedy"));
        json_t *group = json_object_get(groups, umx_text_string(&key));
        if (group == NULL) {
            group = json_array();
            json_object_set_new(groups, umx_text_string(&key), group);
        }
        json_array_append(group, finding);
        umx_text_free(&key);
    }
    return groups;
}

/* The problems of one status, the remedy once behind all findings that share it. */
static size_t view_problems(struct umx_cli *cli, const json_t *groups, const char *status)
{
    const char *key;
    json_t *group;
    size_t shown = 0;

    json_object_foreach((json_t *)(uintptr_t)groups, key, group)
    {
        const json_t *first = json_array_get(group, 0);
        if (strcmp(umx_value_string(first, "status"), status) != 0)
            continue;
        for (size_t i = 0; i < json_array_size(group); i++, shown++)
            view_block(cli, json_array_get(group, i));
        view_line(cli, "do", umx_value_string(first, "remedy"));
    }
    return shown;
}

static void view_others(struct umx_cli *cli, const json_t *findings)
{
    static const struct umx_output_column columns[] = {{"status", "STATUS", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"id", "CHECK", 0},
                                                       {"forest", "FOREST", 0},
                                                       {"target", "TARGET", 0},
                                                       {"actual", "ACTUAL", 0}};
    json_t *rows = json_array();

    for (size_t s = 0; s < sizeof others / sizeof others[0]; s++)
        for (size_t i = 0; i < json_array_size(findings); i++)
            if (strcmp(umx_value_string(json_array_get(findings, i), "status"), others[s]) == 0)
                json_array_append(rows, json_array_get(findings, i));
    umx_output_records(cli, rows, columns, 5);
    if (json_array_size(rows) > 0)
        fputc('\n', cli->out);
    json_decref(rows);
}

static void view(struct umx_cli *cli, const struct umx_document *document, bool all)
{
    const json_t *findings = umx_document_array(document, "findings");
    const json_t *counts = json_object_get(document->root, "counts");
    json_t *groups = grouped(findings);
    size_t shown = 0;

    for (size_t s = 0; s < sizeof problems / sizeof problems[0]; s++)
        shown += view_problems(cli, groups, problems[s]);
    json_decref(groups);
    if (shown > 0)
        fputc('\n', cli->out);
    if (all)
        view_others(cli, findings);
    fprintf(cli->out, "%lld fail, %lld warn, %lld unknown, %lld pass, %lld not applicable\n",
            umx_value_integer(counts, "fail"), umx_value_integer(counts, "warn"), umx_value_integer(counts, "unknown"),
            umx_value_integer(counts, "pass"), umx_value_integer(counts, "not_applicable"));
}

void umx_findings_view(struct umx_cli *cli, const struct umx_document *document)
{
    view(cli, document, false);
}

void umx_findings_view_all(struct umx_cli *cli, const struct umx_document *document)
{
    view(cli, document, true);
}

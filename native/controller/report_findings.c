#include "controller/report_findings.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "controller/report.h"

/* What somebody has to look at, worst first, and then the rest. */
static const Umx__Finding__Status order[] = {UMX__FINDING__STATUS__FAIL, UMX__FINDING__STATUS__UNKNOWN,
                                             UMX__FINDING__STATUS__WARN, UMX__FINDING__STATUS__PASS,
                                             UMX__FINDING__STATUS__NOT_APPLICABLE};
enum { ORDERS = sizeof order / sizeof order[0], PROBLEMS = 3 };

static void cell(struct umx_text *out, const char *text)
{
    umx_text_adds(out, "<td>");
    umx_report_text(out, text);
    umx_text_adds(out, "</td>");
}

static const char *domain_controller(const Umx__Forest *forest)
{
    return forest->domain_controller != NULL ? forest->domain_controller : "";
}

static void add_facts(const struct umx_report_findings *report, struct umx_text *out)
{
    const Umx__World *world = report->world;
    struct umx_text counts = {0};
    char word[24], at[UMX_CLOCK_TEXT];

    for (size_t o = 0; o < ORDERS; o++) {
        size_t count = 0;
        for (size_t i = 0; i < report->findings->count; i++)
            count += report->findings->items[i]->status == order[o];
        umx_text_addf(&counts, "%s%zu %s", o > 0 ? ", " : "", count,
                      umx_reflect_word(&umx__finding__status__descriptor, (int)order[o], word));
    }
    umx_text_adds(out, "<table class=\"facts\">\n");
    umx_report_fact(out, "Deployment", report->deployment);
    umx_report_fact(out, "Page made", umx_clock_format(report->made_at, at));
    for (size_t i = 0; i < world->n_forest; i++) {
        struct umx_text read = {0};
        if (world->forest[i]->error != NULL)
            umx_text_addf(&read, "not read: %s", world->forest[i]->error);
        else
            umx_text_addf(&read, "read at %s from %s", umx_clock_format(world->forest[i]->collected_at, at),
                          domain_controller(world->forest[i]));
        umx_text_adds(out, "<tr><th>");
        umx_report_text(out, world->forest[i]->forest);
        umx_text_adds(out, "</th>");
        cell(out, umx_text_string(&read));
        umx_text_adds(out, "</tr>\n");
        umx_text_free(&read);
    }
    umx_report_fact(out, "Findings", umx_text_string(&counts));
    umx_text_adds(out, "</table>\n");
    umx_text_free(&counts);
}

static void add_states(const struct umx_report_findings *report, struct umx_arena *arena, struct umx_text *out)
{
    char word[24];

    if (report->pair_count == 0)
        return;
    umx_text_adds(out, "<h2>Phases</h2>\n<table><thead><tr><th>Phase</th>");
    for (size_t p = 0; p < report->pair_count; p++) {
        umx_text_adds(out, "<th>");
        umx_report_text(out, report->pairs[p].exchange);
        umx_text_adds(out, ":");
        umx_report_text(out, report->pairs[p].lync);
        umx_text_adds(out, "</th>");
    }
    umx_text_adds(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < report->phase_count; i++) {
        umx_text_addf(out, "<tr><td>%d %s</td>", report->phases[i]->number, report->phases[i]->slug);
        for (size_t p = 0; p < report->pair_count; p++) {
            const Umx__PhaseState *state =
                umx_phase_state(report->phases[i], &report->pairs[p], report->findings, arena);
            out->failed = out->failed || state == NULL;
            if (state != NULL)
                umx_text_addf(out, "<td>%s%s</td>",
                              umx_reflect_word(&umx__phase_state__state__descriptor, (int)state->state, word),
                              state->fail > 0 ? " <span class=\"bad\">fail</span>" : "");
        }
        umx_text_adds(out, "</tr>\n");
    }
    umx_text_adds(out, "</tbody></table>\n");
}

static void add_finding(const Umx__Finding *finding, struct umx_text *out)
{
    bool bad = finding->status == UMX__FINDING__STATUS__FAIL;
    char word[24];

    umx_text_addf(out, "<tr><td>%s%s%s</td>", bad ? "<span class=\"bad\">" : "",
                  umx_reflect_word(&umx__finding__status__descriptor, (int)finding->status, word),
                  bad ? "</span>" : "");
    cell(out, finding->id);
    umx_text_adds(out, "<td>");
    umx_report_text(out, finding->target);
    umx_text_adds(out, "<br/><span class=\"quiet\">");
    umx_report_text(out, finding->exchange != NULL ? finding->exchange : finding->forest);
    umx_text_adds(out, finding->lync != NULL ? ":" : "");
    umx_report_text(out, finding->lync);
    umx_text_adds(out, "</span></td>");
    cell(out, finding->expected);
    cell(out, finding->actual);
    cell(out, finding->remedy);
    umx_text_adds(out, "</tr>\n");
}

/* The findings of a phase from one place of the order to another. */
static void add_table(const struct umx_report_findings *report, const struct umx_phase *phase, size_t first, size_t end,
                      struct umx_text *out)
{
    bool any = false;

    for (size_t o = first; o < end; o++)
        for (size_t i = 0; i < report->findings->count; i++) {
            const Umx__Finding *finding = report->findings->items[i];
            if (finding->status != order[o] || !umx_text_equal(finding->phase, phase->slug))
                continue;
            if (!any)
                umx_text_adds(out, "<table><thead><tr><th>Status</th><th>Check</th><th>About</th><th>Expected</th>"
                                   "<th>Actual</th><th>What to do</th></tr></thead><tbody>\n");
            any = true;
            add_finding(finding, out);
        }
    umx_text_adds(out, any ? "</tbody></table>\n" : "<p class=\"quiet\">None.</p>\n");
}

void umx_report_findings_html(const struct umx_report_findings *report, struct umx_arena *arena, struct umx_text *out)
{
    umx_report_begin(out, "Findings", report->deployment);
    add_facts(report, out);
    add_states(report, arena, out);
    for (size_t i = 0; i < report->phase_count; i++) {
        umx_text_addf(out, "<h2>%d ", report->phases[i]->number);
        umx_report_text(out, report->phases[i]->title);
        umx_text_adds(out, "</h2>\n");
        add_table(report, report->phases[i], 0, PROBLEMS, out);
        umx_text_adds(out, "<details><summary>What is right, and what does not apply</summary>\n");
        add_table(report, report->phases[i], PROBLEMS, ORDERS, out);
        umx_text_adds(out, "</details>\n");
    }
    umx_text_adds(out, "</body></html>\n");
}

void umx_report_findings_csv(const struct umx_report_findings *report, struct umx_text *out)
{
    const ProtobufCMessageDescriptor *type = &umx__finding__descriptor;
    struct umx_text scratch = {0};

    for (unsigned f = 0; f < type->n_fields; f++)
        umx_text_addf(out, "%s%s", f > 0 ? "," : "", type->fields[f].name);
    umx_text_adds(out, "\r\n");
    for (size_t i = 0; i < report->findings->count; i++) {
        for (unsigned f = 0; f < type->n_fields; f++) {
            struct umx_cell value = umx_reflect_cell(&report->findings->items[i]->base, &type->fields[f], &scratch);
            umx_text_adds(out, f > 0 ? "," : "");
            if (value.type == UMX_CELL_INTEGER)
                umx_text_addf(out, "%" PRId64, value.integer);
            else if (value.type == UMX_CELL_TEXT)
                umx_text_add_csv(out, value.text);
        }
        umx_text_adds(out, "\r\n");
    }
    umx_text_free(&scratch);
}

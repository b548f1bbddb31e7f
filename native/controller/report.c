#include "controller/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"

/* No colour says what a mark or a word does not say too: the page may be printed in black. */
static const char style[] =
    "body{font:14px/1.45 'Segoe UI',Helvetica,Arial,sans-serif;color:#1b1b1b;max-width:70em;margin:2em auto;"
    "padding:0 1em}h1{font-size:1.6em;margin:0 0 .3em}h2{font-size:1.25em;border-bottom:2px solid #444;"
    "margin:2em 0 .6em;padding-bottom:.15em}h3{font-size:1em;margin:1.4em 0 .3em}"
    "table{border-collapse:collapse;width:100%;margin:.4em 0 1em}th,td{border:1px solid #bbb;padding:.25em .5em;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eee}.facts th{width:11em}"
    "code,.value{font-family:Consolas,'DejaVu Sans Mono',monospace;font-size:.92em;white-space:pre-wrap}"
    ".value{display:block}del{color:#8b0000;text-decoration:none}del::before{content:'\\2212\\00a0'}"
    "ins{color:#0a5a0a;text-decoration:none}ins::before{content:'+\\00a0'}.bad{color:#8b0000;font-weight:bold}"
    ".quiet{color:#555}section.step{border-left:4px solid #999;padding-left:.8em;margin:1.2em 0}"
    "@media print{body{margin:0;max-width:none;font-size:10pt}h2{break-after:avoid}"
    "section.step,tr{break-inside:avoid}thead{display:table-header-group}}";

static bool is_hidden(unsigned point)
{
    return (point < 0x20 && point != '\n' && point != '\t') || (point >= 0x7f && point <= 0x9f) ||
           (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0x200e ||
           point == 0x200f || (point & 0xfffe) == 0xfffe;
}

/* The character at the text and its bytes; what is no UTF-8 is one byte of U+FFFD. */
static unsigned decode(const char *text, size_t *bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

    *bytes = 1;
    if (length == 1)
        return at[0];
    if (strnlen(text, length) < length || !umx_text_valid(text, length))
        return 0xffff;
    *bytes = length;
    unsigned point = at[0] & (0xffU >> (length + 1));
    for (size_t i = 1; i < length; i++)
        point = point << 6 | (at[i] & 0x3fU);
    return point;
}

void umx_report_text(struct umx_text *out, const char *text)
{
    static const struct {
        char character;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

    while (text != NULL && *text != '\0') {
        size_t bytes, i = 0;
        unsigned point = decode(text, &bytes);
        while (i < sizeof entities / sizeof entities[0] && entities[i].character != *text)
            i++;
        if (i < sizeof entities / sizeof entities[0])
            umx_text_adds(out, entities[i].entity);
        else if (is_hidden(point))
            umx_text_adds(out, "\xef\xbf\xbd");
        else
            umx_text_add(out, text, bytes);
        text += bytes;
    }
}

void umx_report_time(struct umx_text *out, int64_t at)
{
    char text[UMX_CLOCK_TEXT];

    if (at != 0)
        umx_report_text(out, umx_clock_format(at, text));
}

void umx_report_begin(struct umx_text *out, const char *kind, const char *name)
{
    umx_text_adds(out, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\"><head>"
                       "<meta charset=\"utf-8\"/>\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                       "&#39;none&#39;; style-src &#39;unsafe-inline&#39;\"/>\n<title>umx ");
    umx_text_addf(out, "%c%s ", kind[0] | 0x20, kind + 1);
    umx_report_text(out, name);
    umx_text_addf(out, "</title>\n<style>%s</style></head>\n<body>\n<h1>%s ", style, kind);
    umx_report_text(out, name);
    umx_text_adds(out, "</h1>\n");
}

/* ---- rows of the tables of facts */

void umx_report_fact(struct umx_text *out, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    umx_text_addf(out, "<tr><th>%s</th><td>", name);
    umx_report_text(out, value);
    umx_text_adds(out, "</td></tr>\n");
}

static void fact_list(struct umx_text *out, const char *name, char *const *values, size_t count)
{
    struct umx_text all = {0};

    for (size_t i = 0; i < count; i++)
        umx_text_addf(&all, "%s%s", i > 0 ? ", " : "", values[i]);
    umx_report_fact(out, name, umx_text_string(&all));
    umx_text_free(&all);
}

static void fact_time(struct umx_text *out, const char *name, bool set, int64_t at)
{
    char text[UMX_CLOCK_TEXT];

    if (set && at != 0)
        umx_report_fact(out, name, umx_clock_format(at, text));
}

static void fact_hash(struct umx_text *out, const char *name, int64_t sequence, const uint8_t *hash, size_t length)
{
    struct umx_text text = {0};

    umx_text_addf(&text, "entry %lld, SHA-256 ", (long long)sequence);
    umx_text_add_hex(&text, hash, length);
    umx_report_fact(out, name, umx_text_string(&text));
    umx_text_free(&text);
}

static void add_facts(const struct umx_report *report, struct umx_text *out)
{
    const Umx__PlanSummary *summary = report->view->summary;
    const Umx__Plan *plan = report->view->plan;
    struct umx_text pairs = {0};
    char word[24];

    for (size_t i = 0; i < plan->n_pair; i++)
        umx_text_addf(&pairs, "%s%s:%s", i > 0 ? ", " : "", plan->pair[i]->exchange, plan->pair[i]->lync);
    umx_text_adds(out, "<table class=\"facts\">\n");
    umx_report_fact(out, "State", umx_reflect_word(&umx__plan_summary__state__descriptor, (int)summary->state, word));
    umx_report_fact(out, "Ticket", plan->ticket);
    umx_report_fact(out, "Hash of the plan", summary->hash);
    umx_report_fact(out, "Author", plan->author_name != NULL ? plan->author_name : plan->author);
    fact_time(out, "Created", plan->has_created_at, plan->created_at);
    fact_time(out, "Not before", plan->has_not_before_at, plan->not_before_at);
    fact_time(out, "Not after", plan->has_not_after_at, plan->not_after_at);
    umx_report_fact(out, "Undoes the plan", plan->undo_of);
    fact_list(out, "Phases", plan->phase, plan->n_phase);
    umx_report_fact(out, "Pairs", umx_text_string(&pairs));
    fact_list(out, "Forests", plan->forest, plan->n_forest);
    fact_list(out, "Options", plan->option, plan->n_option);
    umx_report_fact(out, "Deployment", plan->deployment);
    fact_time(out, "Page made", true, report->made_at);
    if (report->head.sequence > 0)
        fact_hash(out, "Head of the journal", report->head.sequence, report->head.hash, sizeof report->head.hash);
    umx_text_adds(out, "</table>\n");
    umx_text_free(&pairs);
}

static void add_lines(struct umx_text *out, const char *title, const char *const *lines, size_t count)
{
    if (count == 0)
        return;
    umx_text_addf(out, "<h2>%s</h2>\n<ul>\n", title);
    for (size_t i = 0; i < count; i++) {
        umx_text_adds(out, "<li>");
        umx_report_text(out, lines[i]);
        umx_text_adds(out, "</li>\n");
    }
    umx_text_adds(out, "</ul>\n");
}

/* ---- rows that the plan was made from */

static void add_input_table(struct umx_text *out, const ProtobufCFieldDescriptor *table, ProtobufCMessage *const *rows,
                            size_t count)
{
    const ProtobufCMessageDescriptor *type = table->descriptor;
    struct umx_text scratch = {0};

    umx_text_addf(out, "<h3>%s</h3>\n<table><thead><tr>", table->name);
    for (unsigned i = 0; i < type->n_fields; i++)
        umx_text_addf(out, "<th>%s</th>", type->fields[i].name);
    umx_text_adds(out, "</tr></thead><tbody>\n");
    for (size_t r = 0; r < count; r++) {
        umx_text_adds(out, "<tr>");
        for (unsigned i = 0; i < type->n_fields; i++) {
            struct umx_cell cell = umx_reflect_cell(rows[r], &type->fields[i], &scratch);
            umx_text_adds(out, "<td>");
            if (cell.type == UMX_CELL_INTEGER)
                umx_text_addf(out, "%lld", (long long)cell.integer);
            else if (cell.type == UMX_CELL_TEXT && strcmp(cell.text, "[]") != 0)
                umx_report_text(out, cell.text);
            umx_text_adds(out, "</td>");
        }
        umx_text_adds(out, "</tr>\n");
    }
    umx_text_adds(out, "</tbody></table>\n");
    umx_text_free(&scratch);
}

static void add_input(const Umx__Input *input, struct umx_text *out)
{
    const ProtobufCMessageDescriptor *type = &umx__input__descriptor;
    bool any = false;

    for (unsigned i = 0; input != NULL && i < type->n_fields; i++) {
        const char *base = (const char *)input;
        size_t count = *(const size_t *)(const void *)(base + type->fields[i].quantifier_offset);
        if (count == 0)
            continue;
        umx_text_adds(out, any ? "" : "<h2>Rows of the input</h2>\n");
        any = true;
        add_input_table(out, &type->fields[i],
                        *(ProtobufCMessage *const *const *)(const void *)(base + type->fields[i].offset), count);
    }
}

/* ---- approvals */

static void add_approval(const Umx__Approval *approval, struct umx_text *out)
{
    char word[24], hash[UMX_JOURNAL_HASH_TEXT];

    umx_text_adds(out, "<tr><td>");
    umx_report_text(out, approval->forest);
    umx_text_adds(out, "</td><td>");
    umx_report_text(out, umx_reflect_word(&umx__approval__decision__descriptor, (int)approval->decision, word));
    umx_text_adds(out, "</td><td>");
    umx_report_text(out, approval->name);
    umx_text_adds(out, "<br/><span class=\"quiet\">");
    umx_report_text(out, approval->sid);
    umx_text_adds(out, "</span></td><td>");
    for (size_t i = 0; i < approval->n_group; i++) {
        umx_text_adds(out, i > 0 ? ", " : "");
        umx_report_text(out, approval->group[i]);
    }
    umx_text_adds(out, "</td><td>");
    umx_report_time(out, approval->decided_at);
    if (approval->has_expires_at && approval->expires_at != 0) {
        umx_text_adds(out, "<br/>until ");
        umx_report_time(out, approval->expires_at);
    }
    umx_text_adds(out, "</td><td>");
    umx_report_text(out, approval->ticket);
    umx_text_adds(out, approval->ticket != NULL && approval->comment != NULL ? "<br/>" : "");
    umx_report_text(out, approval->comment);
    umx_text_adds(out, "</td><td>");
    if (approval->has_certificate && approval->certificate.len > 0) {
        umx_journal_hash(approval->certificate.data, approval->certificate.len, hash);
        umx_text_addf(out, "certificate SHA-256 <code>%s</code><br/>signature <code>", hash);
        umx_text_add_hex(out, approval->signature.data, approval->signature.len);
        umx_text_adds(out, "</code>");
    }
    umx_text_adds(out, "</td></tr>\n");
}

/* What the steps ask for in each forest: what the proven groups have to satisfy. */
static void add_demands(const struct umx_engine_view *view, struct umx_text *out)
{
    umx_text_adds(out, "<table><thead><tr><th>Forest</th><th>The steps ask for</th></tr></thead><tbody>\n");
    for (size_t f = 0; f < view->plan->n_forest; f++) {
        const char *forest = view->plan->forest[f];
        for (size_t i = 0; i < view->step_count; i++) {
            const Umx__PlanStep *step = view->steps[i];
            bool said = step->groups == NULL || step->groups[0] == '\0' || !umx_text_equal(step->forest, forest);
            for (size_t k = 0; !said && k < i; k++)
                said = umx_text_equal(view->steps[k]->forest, forest) && view->steps[k]->groups != NULL &&
                       strcmp(view->steps[k]->groups, step->groups) == 0;
            if (said)
                continue;
            umx_text_adds(out, "<tr><td>");
            umx_report_text(out, forest);
            umx_text_adds(out, "</td><td><code>");
            umx_report_text(out, step->groups);
            umx_text_adds(out, "</code></td></tr>\n");
        }
    }
    umx_text_adds(out, "</tbody></table>\n");
}

static void add_approvals(const struct umx_engine_view *view, struct umx_text *out)
{
    umx_text_adds(out, "<h2>Approvals</h2>\n");
    add_demands(view, out);
    if (view->approval_count == 0) {
        umx_text_adds(out, "<p>Nobody has decided yet.</p>\n");
        return;
    }
    umx_text_adds(out, "<table><thead><tr><th>Forest</th><th>Decision</th><th>Who</th><th>Groups that the directory "
                       "proved</th><th>When</th><th>Ticket, comment</th><th>Signed with</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < view->approval_count; i++)
        add_approval(view->approvals[i], out);
    umx_text_adds(out, "</tbody></table>\n");
}

/* ---- the journal */

static void add_entry(const Umx__Journal *entry, struct umx_text *out)
{
    char word[24];

    umx_text_addf(out, "<tr><td>%lld</td><td>", (long long)entry->sequence);
    umx_report_time(out, entry->written_at);
    umx_text_adds(out, "</td><td>");
    umx_report_text(out, umx_reflect_word(&umx__journal__kind__descriptor, (int)entry->kind, word));
    umx_text_adds(out, "</td><td>");
    umx_report_text(out, entry->step);
    umx_text_adds(out, "</td><td>");
    umx_report_text(out, entry->actor);
    umx_text_adds(out, "</td><td>");
    if (entry->has_outcome) {
        umx_report_text(out, umx_reflect_word(&umx__intent__outcome__descriptor, (int)entry->outcome, word));
        umx_text_adds(out, " ");
    }
    if (entry->error != NULL) {
        umx_text_adds(out, "<span class=\"bad\">");
        umx_report_text(out, entry->error);
        umx_text_adds(out, "</span> ");
    }
    if (entry->intent != NULL && entry->intent->domain_controller != NULL) {
        umx_text_adds(out, "to ");
        umx_report_text(out, entry->intent->domain_controller);
        umx_text_adds(out, " ");
    }
    umx_report_text(out, entry->detail);
    umx_text_adds(out, "</td><td><code>");
    umx_report_text(out, entry->hash);
    umx_text_adds(out, "</code></td></tr>\n");
}

static void add_journal(const struct umx_report *report, struct umx_text *out)
{
    umx_text_adds(out,
                  "<h2>Journal</h2>\n<p class=\"quiet\">Each entry's hash covers the entry and the hash before it, "
                  "of whichever plan that was; <code>umx audit verify</code> recomputes them all.</p>\n"
                  "<table><thead><tr><th>No</th><th>At</th><th>Kind</th><th>Step</th><th>By</th><th>Detail</th>"
                  "<th>Hash</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < report->entry_count; i++)
        add_entry(report->entries[i], out);
    umx_text_adds(out, "</tbody></table>\n");
}

/* The newest intent of each step; NULL where there is none. Freed by the caller. */
static const Umx__Image **found_of(const struct umx_report *report)
{
    const Umx__Image **found = calloc(report->view->step_count + 1, sizeof *found);

    for (size_t i = 0; found != NULL && i < report->entry_count; i++) {
        const Umx__Journal *entry = report->entries[i];
        unsigned long number = entry->step != NULL && entry->step[0] == 's' ? strtoul(entry->step + 1, NULL, 10) : 0;
        if (entry->kind == UMX__JOURNAL__KIND__INTENT && entry->intent != NULL && number > 0 &&
            number <= report->view->step_count)
            found[number - 1] = entry->intent->before;
    }
    return found;
}

void umx_report_html(const struct umx_report *given, struct umx_text *out)
{
    const struct umx_engine_view *view = given->view;
    const Umx__Image **found = found_of(given);
    struct umx_report whole = *given;
    const struct umx_report *report = &whole;

    whole.found = found;
    out->failed = out->failed || found == NULL;

    umx_report_begin(out, "Plan", view->summary->name);
    add_facts(report, out);
    add_lines(out, "Notes", (const char *const *)view->plan->note, view->plan->n_note);
    add_lines(out, "Still needed", view->missing, view->missing_count);
    add_approvals(view, out);
    for (size_t i = 0; i < view->plan->n_forest; i++)
        umx_report_steps(report, view->plan->forest[i], out);
    if (view->step_count == 0)
        umx_text_adds(out, "<p>No steps: what the phases ask for is already there.</p>\n");
    add_input(view->plan->input, out);
    add_journal(report, out);
    umx_text_adds(out, "</body></html>\n");
    free(found);
}

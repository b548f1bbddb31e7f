/*
 * A plan as one page of HTML for a change ticket: what it is, what it changes in each forest, who approved it and by
 * what proof, the journal, the values before and after, and the head of the journal's chain. The page is complete in
 * itself (no script, no network), prints well, and is well-formed XML too. Every value is text of the page and nothing
 * else, whatever it holds.
 */
#ifndef UMX_CONTROLLER_REPORT_H
#define UMX_CONTROLLER_REPORT_H

#include "controller/engine.h"

struct umx_report {
    const struct umx_engine_view *view;
    Umx__Journal *const *entries; /* of the plan, oldest first */
    size_t entry_count;
    struct umx_journal_head head; /* of the whole journal, when the page is made */
    int64_t made_at;
    const Umx__Image *const *found; /* filled by umx_report_html: each step's object just before the change was sent */
};

void umx_report_html(const struct umx_report *given, struct umx_text *out);

/* ---- shared by the files of pages */

/* From the page's first byte to its heading, "KIND NAME"; the kind is a word of ours. What ends it is
 * "</body></html>\n". */
void umx_report_begin(struct umx_text *out, const char *kind, const char *name);
/* One row of a table of facts; nothing when the value is NULL or "". */
void umx_report_fact(struct umx_text *out, const char *name, const char *value);

/* Appends text as text of HTML or of an attribute's value. Control characters, and those that turn the direction of
 * writing, become U+FFFD; NULL is empty. */
void umx_report_text(struct umx_text *out, const char *text);
/* The same for a time; nothing when it is 0. */
void umx_report_time(struct umx_text *out, int64_t at);

/* The steps of one forest with their differences (report_steps.c). */
void umx_report_steps(const struct umx_report *report, const char *forest, struct umx_text *out);

#endif

/*
 * The answer of `check` for people who have no umx: one page of HTML, complete in itself as that of a plan is, with the
 * state of each phase for each pair and every finding, what went wrong first; and the same findings as CSV.
 */
#ifndef UMX_CONTROLLER_REPORT_FINDINGS_H
#define UMX_CONTROLLER_REPORT_FINDINGS_H

#include "phases/phases.h"

struct umx_report_findings {
    const char *deployment;
    const Umx__World *world; /* what was read */
    const struct umx_phase *const *phases;
    size_t phase_count;
    const struct umx_pair *pairs;
    size_t pair_count;
    const struct umx_findings *findings;
    int64_t made_at;
};

/* The states take memory from the arena. */
void umx_report_findings_html(const struct umx_report_findings *report, struct umx_arena *arena, struct umx_text *out);
/* A row for each finding, its fields as columns. */
void umx_report_findings_csv(const struct umx_report_findings *report, struct umx_text *out);

#endif

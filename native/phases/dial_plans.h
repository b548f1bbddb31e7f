/*
 * Phase 3 between its files: checks (dial_plans_check.c), validation of rows (dial_plans_rows.c), steps
 * (dial_plans_plan.c) and proposals (dial_plans_propose.c).
 */
#ifndef UMX_PHASES_DIAL_PLANS_H
#define UMX_PHASES_DIAL_PLANS_H

#include "phases/dial_plan.h"

/* What planning one pair knows. */
struct umx_dp_work {
    const struct umx_view *view;
    struct umx_steps *out;
    struct umx_error *err;
    const Umx__Input *input; /* never NULL */
    bool *plan_good;         /* by row: it is of this forest and can be carried out */
    bool *attendant_good;
    const char **plan_step; /* by row: the step that makes the plan, NULL: none does */
    const char *agent;      /* NULL: gates */
    const char *plans;      /* container of dial plans */
    const char *policies;   /* of mailbox policies */
    const char *attendants; /* of auto attendants */
    bool country_needed;    /* a server of 2013 or later makes the country code mandatory (V3.5) */
};

/* Marks the good rows, refuses the others. */
void umx_dp_judge_rows(struct umx_dp_work *work);

/* Security of a row, or what Lync asks for. */
Umx__DialPlan__VoipSecurity umx_dp_security(const struct umx_dp_work *work, const Umx__InputDialPlan *row);

/* Whether a server of the forest makes the country code mandatory. */
bool umx_dp_country_needed(const Umx__World *world, const char *forest);
/* The mailbox policy that links to the plan, or NULL. */
const Umx__MailboxPolicy *umx_dp_policy(const Umx__World *world, const Umx__DialPlan *plan);

typedef void umx_dp_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

umx_dp_run umx_dp_check_sip_plan, umx_dp_check_phone_context, umx_dp_check_digits, umx_dp_check_access_numbers,
    umx_dp_check_country_code, umx_dp_check_name, umx_dp_check_mailbox_policy, umx_dp_check_unique,
    umx_dp_check_attendants;

#endif

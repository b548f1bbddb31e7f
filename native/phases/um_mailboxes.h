/*
 * Phase 11 between its files (spec P11): extensions, policies, and what of it the Lync side has.
 */
#ifndef UMX_PHASES_UM_MAILBOXES_H
#define UMX_PHASES_UM_MAILBOXES_H

#include "phases/sip_addresses.h"

/* SIP dial plans of the pair's Exchange forest. */
struct umx_um_plans {
    const Umx__DialPlan **items;
    size_t count;
};

/* In the people's arena; items NULL: no memory. */
struct umx_um_plans umx_um_plans_of(struct umx_people *people);

/* The policy that a dial plan's users get when nobody says otherwise: `NAME Default Policy`, or its only one. NULL:
 * not clear. */
const Umx__MailboxPolicy *umx_um_default_policy(const Umx__World *world, const Umx__DialPlan *plan);

/* The dial plan that a policy of this name would be for: the only one, or the one whose name it begins with. NULL: not
 * clear. */
const Umx__DialPlan *umx_um_plan_for(const struct umx_um_plans *plans, const char *policy);

/* Why an extension cannot be in the plan (F11.2); NULL: it can. In the arena. */
const char *umx_um_extension_refusal(struct umx_arena *arena, const Umx__DialPlan *plan, const char *extension);

/* EUM values of the mailbox in its SIP plan that the person's Lync user lacks; the first of them, NULL: none (also in
 * one forest, where it is one object). */
const char *umx_um_missing_there(const struct umx_people *people, const struct umx_match *match);
/* Whether a value of the mailbox user belongs to his SIP plan. */
bool umx_um_of_plan(const Umx__DialPlan *plan, const char *value);

/* Proposed extension: ;ext= of the line, else the last digits of it, when it is free. NULL: not decidable. */
const char *umx_um_propose_extension(struct umx_people *people, const struct umx_match *match,
                                     const Umx__DialPlan *plan);

#endif

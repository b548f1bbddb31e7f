/*
 * Phase 6 between its files: what is wrong with one person's addresses (spec P6), for the checks and for the planner.
 */
#ifndef UMX_PHASES_SIP_ADDRESSES_H
#define UMX_PHASES_SIP_ADDRESSES_H

#include "phases/batch.h"
#include "phases/people.h"

/* Why the SIP address cannot be used (V6.1); NULL when it can. In the people's arena. */
const char *umx_sip_refusal(struct umx_people *people, const struct umx_match *match);

/* Another sip: value than the user's own; NULL: none. */
const char *umx_sip_other(char *const *values, size_t count, const char *own);

/* EUM values of a mailbox that is enabled for UM (V6.3, V6.4). */
struct umx_eum_state {
    const Umx__DialPlan *plan; /* NULL: not a SIP plan, nothing is asked */
    const char *wanted;        /* EUM:user@domain;phone-context=CONTEXT */
    bool primary;              /* it is there, as the only primary one */
    bool extension;            /* eum:EXTENSION;phone-context=CONTEXT is there */
    const char *found;         /* the primary one that is there, "" */
    const char *holder;        /* who else has the wanted value; NULL: nobody */
};

/* False: no memory. */
bool umx_eum_judge(struct umx_people *people, const struct umx_match *match, struct umx_eum_state *out);

/* Who has the EUM value besides this person; NULL: nobody. value is without its prefix. */
const char *umx_eum_holder(const struct umx_people *people, const struct umx_match *match, const char *value);

/* ---- steps that change EUM values by cmdlet; phase 11 has them too */

struct umx_eum_values {
    char **list; /* what will be there */
    size_t count;
    struct umx_text add; /* lines */
    struct umx_text remove;
};

struct umx_batch umx_eum_batch(struct umx_steps *out, const Umx__World *world, const char *slug, const char *forest,
                               struct umx_text *names);
void umx_eum_keep(struct umx_steps *out, struct umx_eum_values *values, const char *value, bool added);
void umx_eum_remove(struct umx_eum_values *values, const char *value);
/* The step that writes them, which follows `before` (NULL: nothing). Frees the lines. NULL: out->failed. */
Umx__PlanStep *umx_eum_write(struct umx_batch *batch, const Umx__MailboxUser *mailbox, struct umx_eum_values *values,
                             const char *before);

#endif

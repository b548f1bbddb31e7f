/*
 * What an operator does to one plan: take the mutex, find the plan and have it alone, run the verb, give both back.
 */
#ifndef UMX_CONTROLLER_VERB_H
#define UMX_CONTROLLER_VERB_H

#include "controller/engine_private.h"

struct umx_verb {
    struct umx_engine *engine;
    struct umx_plan_state *plan;
    const struct umx_engine_caller *caller;
    const void *arguments; /* the operation's own message */
    struct umx_error *err; /* never NULL */
};

int umx_verb_run(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                 const void *arguments, int (*run)(struct umx_verb *verb), struct umx_error *err);
/* Identity URI of the caller, or NULL. */
const char *umx_verb_actor(const struct umx_verb *verb);

/* gate_values.c: whether the values given to a gate (a JSON object of strings, or NULL) are all that later steps take from
 * it, and a certificate among them is of the key that its request was made with. A gate is confirmed once: what is wrong
 * here would be found when nobody can correct it. Mutex held. */
int umx_gate_values_check(struct umx_plan_state *plan, const Umx__PlanStep *gate, const char *values,
                          struct umx_error *err);

/* vouch.c: PlanConfirmArguments about a step that is open, in a plan at rest: done or not done, on the caller's word. */
int umx_verb_vouch(const struct umx_verb *verb, struct umx_step_state *step);

#endif

/*
 * The eleven phases (design 5) as a table of pure functions of a world: no I/O, no clock, no globals.
 * check: world -> findings. plan: world, options -> steps. apply: a step's prediction -> the next world.
 */
#ifndef UMX_PHASES_PHASES_H
#define UMX_PHASES_PHASES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/world.h"
#include "umx/v1/operator.pb-c.h"
#include "umx/v1/plan.pb-c.h"

enum { UMX_PHASE_COUNT = 11 };

/* Exchange forest and Lync forest by DNS name; equal when one forest holds both. */
struct umx_pair {
    const char *exchange;
    const char *lync;
};

/* Options of a plan or check: KEY=VALUE of one phase, from --set SLUG.KEY=VALUE; and the rows of its input. */
struct umx_options {
    const char *const *texts; /* SLUG.KEY=VALUE */
    size_t count;
    const Umx__Input *input; /* NULL: no rows */
    /* Set by umx_phases_plan for the phases: all pairs of the plan, and the world before its first step. */
    const struct umx_pair *pairs;
    size_t pair_count;
    const Umx__World *before;
};

struct umx_restart; /* phases/restart.h */

/* Results grow in the arena. */
struct umx_findings {
    struct umx_arena *arena;
    Umx__Finding **items;
    size_t count;
    size_t capacity;
    int failed; /* out of memory: nothing in items can be trusted to be complete */
};

struct umx_steps {
    struct umx_arena *arena;
    Umx__PlanStep **items;
    size_t count;
    size_t capacity;
    const char **notes; /* what the plan leaves alone, and why */
    size_t note_count;
    size_t note_capacity;
    char **rejected; /* rows of the input that cannot be carried out, and why */
    size_t rejected_count;
    struct umx_restart **restarts; /* services that phases want started again */
    size_t restart_count;
    int failed;
};

/* Proposed rows grow in the arena. */
struct umx_index; /* phases/index.h */
struct umx_proposal {
    struct umx_arena *arena;
    Umx__Input *input;
    int failed;
    struct umx_index *users; /* rows of input->user by forest and name; made when the first is proposed */
};

/* One --set option of a phase. */
struct umx_phase_option {
    const char *key;
    const char *values; /* for people: "safe-mesh | safe-map | faithful" */
    const char *help;
    /* 0 or fills err; value is never NULL. */
    int (*valid)(const char *value, struct umx_error *err);
};

/* Whose readings a check needs. A check that needs both is about the pair; its findings name it. */
enum umx_phase_needs { UMX_NEEDS_EXCHANGE = 1, UMX_NEEDS_LYNC = 2, UMX_NEEDS_BOTH = 3 };

struct umx_view; /* phases/phase.h: a world as one pair sees it */

#define UMX_CLOCK "clock"

/* One check of a phase, for docs/checks.md and `umx phases`. */
struct umx_phase_check {
    const char *id;       /* "forests/trust-direction" */
    const char *spec;     /* "V1B.2" */
    const char *question; /* what is asked, one sentence */
    const char *remedy;   /* what to do when it fails, naming a command */
    enum umx_phase_needs needs;
    const char *tables; /* directory tables it reads, space-separated: read incompletely, the answer is unknown.
                         * UMX_CLOCK: nothing but what a domain controller tells before the logon */
    bool core;          /* asks for what the phase itself makes: decides between missing, partial, unknown and done */
    void (*run)(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);
};

struct umx_phase {
    int number;
    const char *slug;
    const char *title;
    const char *rows;  /* tables of Input it takes rows of, space-separated; NULL: none */
    const char *sides; /* exchange, lync, both */
    const char *writes;
    const char *groups_exchange; /* expressions of spec 0.6 over AdminGroup meanings; "" when the side needs nobody */
    const char *groups_lync;
    const char *const *documentation;       /* NULL-terminated: "2013: Title https://..." */
    const struct umx_phase_option *options; /* key NULL ends */
    const struct umx_phase_check *checks;   /* id NULL ends */
    int (*check)(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                 struct umx_findings *out, struct umx_error *err);
    int (*plan)(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                struct umx_steps *out, struct umx_error *err);
    /* What follows once for all pairs after their steps, which begin at out->items[first]: waits and restarts. NULL:
     * nothing. Adds nothing when no step needs it. */
    int (*finish)(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,
                  const struct umx_options *options, size_t first, struct umx_steps *out, struct umx_error *err);
    /* Rows that an administrator would decide, proposed from what is there (`umx plan template`). NULL: no rows. */
    int (*propose)(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                   struct umx_proposal *out, struct umx_error *err);
    /* Directory tables that planning reads on each side, space-separated: they must have been read completely. */
    const char *exchange_tables;
    const char *lync_tables;
};

/* The registry, in order of number. */
const struct umx_phase *umx_phases(void);
const struct umx_phase *umx_phase(const char *slug); /* NULL: none */
void umx_phase_info(const struct umx_phase *phase, struct umx_arena *arena, Umx__PhaseInfo **out);

/* Pairs that a world knows: every forest with Exchange x every forest with Lync. In the arena. */
const struct umx_pair *umx_phase_pairs(const Umx__World *world, struct umx_arena *arena, size_t *count);

/* All checks of the phases (NULL: all) for the pairs.
 * A forest whose record carries an error gives `unknown` findings naming it: nothing is left out. */
int umx_phases_check(const Umx__World *world, const struct umx_phase *const *phases, size_t phase_count,
                     const struct umx_pair *pairs, size_t pair_count, const struct umx_options *options,
                     struct umx_findings *out, struct umx_error *err);

/* State of a phase for a pair, from its findings alone: `unknown` when a core check (or every check) could not be
 * answered, `done` when nothing failed, `missing` when no core check passed, else `partial`. Unknown findings of the
 * other checks are counted beside the state and do not decide it. `drifted` needs history: the caller says it. */
Umx__PhaseState *umx_phase_state(const struct umx_phase *phase, const struct umx_pair *pair,
                                 const struct umx_findings *findings, struct umx_arena *arena);

/* The fold: plans each phase for each pair in the world that the steps before it will have made. Ids s1, s2, ...,
 * dependencies, before- and after-images are filled. Options are validated first. Needs a world whose forests were
 * read completely (UMX_ERR_PLAN_WORLD_INCOMPLETE names what is missing). */
int umx_phases_plan(const struct umx_world *world, const struct umx_phase *const *phases, size_t phase_count,
                    const struct umx_pair *pairs, size_t pair_count, const struct umx_options *options,
                    struct umx_steps *out, struct umx_error *err);

/* Proposes rows for the phases (NULL: all that take rows), each pair in turn. out->input is made. */
int umx_phases_propose(const Umx__World *world, const struct umx_phase *const *phases, size_t phase_count,
                       const struct umx_pair *pairs, size_t pair_count, const struct umx_options *options,
                       struct umx_proposal *out, struct umx_error *err);

/* Changes the world as the step predicts. */
int umx_phase_apply(struct umx_world *world, const Umx__PlanStep *step, struct umx_error *err);
/* The same for many steps in order, with an index over the records. */
int umx_phase_apply_all(struct umx_world *world, Umx__PlanStep *const *steps, size_t count, struct umx_error *err);

/* docs/checks.md, from the registry. */
void umx_phases_doc_checks(struct umx_text *out);

#endif

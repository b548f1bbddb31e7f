/*
 * What the files of this folder share: a world as one pair of forests sees it, results that grow in their arena, and
 * look-ups of records. Nothing here fails but by memory, which the result remembers in `failed`.
 */
#ifndef UMX_PHASES_PHASE_H
#define UMX_PHASES_PHASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phases/phases.h"

struct umx_people; /* phases/people.h */

struct umx_view {
    const Umx__World *world;
    const struct umx_pair *pair;
    const Umx__Forest *exchange; /* NULL: not in the world */
    const Umx__Forest *lync;
    const struct umx_options *options;
    bool same;                  /* one forest holds both (V1B.1) */
    struct umx_people **people; /* made by the first check that asks, for all of a run; NULL: nobody shares */
};

/* Agents' facts and proofs older than this at taken_at prove nothing any more. */
enum { UMX_FACT_AGE_MAX_HOURS = 24 };

struct umx_view umx_view_of(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options);

/* ---- results */

/* A formatted text in the arena; "" (and out->failed) when it is full. */
const char *umx_say(struct umx_findings *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The remedy where no agent tells of a server: start it, or enrol one. server NULL: any Front End of the forest. */
const char *umx_say_agent(struct umx_findings *out, const char *forest, const char *server);

static inline Umx__Finding__Status umx_verdict(bool good)
{
    return good ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__FAIL;
}

struct umx_answer {
    Umx__Finding__Status status;
    const char *forest;
    const char *target;
    const char *expected;
    const char *actual;
    const char *remedy; /* NULL: the check's, unless it passed or does not apply */
};

/* Copies the answer. The finding names the pair when the check needs both forests. */
void umx_findings_add(struct umx_findings *out, const struct umx_view *view, const struct umx_phase_check *check,
                      const struct umx_answer *answer);

/* Runs all checks of a phase for one pair; the ones whose forest or table could not be read answer `unknown`. */
int umx_checks_run(const struct umx_phase *phase, const Umx__World *world, const struct umx_pair *pair,
                   const struct umx_options *options, struct umx_findings *out, struct umx_error *err);

/* ---- steps */

const char *umx_steps_say(struct umx_steps *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void umx_steps_note(struct umx_steps *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A new step at the end, with its id, phase, side, forest and kind, an empty change, and images. NULL: out->failed. */
Umx__PlanStep *umx_steps_add(struct umx_steps *out, const char *phase, Umx__Forest__Side side, const char *forest,
                             Umx__Change__Kind kind);
/* A copy of a string in the arena of the steps. NULL gives NULL. */
char *umx_steps_copy(struct umx_steps *out, const char *text);
void umx_steps_depend(struct umx_steps *out, Umx__PlanStep *step, const char *id);
/* Appends a string to a repeated field. */
void umx_steps_push(struct umx_steps *out, char ***list, size_t *count, const char *text);
/* Appends an attribute with one value (none when value is NULL) to a list of attributes. */
void umx_steps_attribute(struct umx_steps *out, Umx__AttributeValues ***list, size_t *count, const char *name,
                         const char *value);

/* ---- options */

/* Value of SLUG.KEY, or NULL. */
const char *umx_option(const struct umx_options *options, const char *slug, const char *key);
/* Known slugs and keys, valid values, nothing twice. phases NULL: options of any phase may be there. */
int umx_options_check(const struct umx_options *options, const struct umx_phase *const *phases, size_t phase_count,
                      struct umx_error *err);

/* ---- look-ups; NULL when there is none */

const Umx__Forest *umx_find_forest(const Umx__World *world, const char *forest);
const Umx__AdminGroup *umx_find_group(const Umx__World *world, const char *forest, const char *meaning);
const Umx__Container *umx_find_container(const Umx__World *world, const char *forest, Umx__Container__Kind kind);
const Umx__Agent *umx_find_agent(const Umx__World *world, const char *server);
const Umx__Service *umx_find_service(const Umx__World *world, const char *server, const char *name);

/* Conditions of group expressions that hold in an Exchange forest: exchange_2010 (a server of 2010 or later, or none
 * whose version is known), first_exchange_server (there is none yet). At most 2 static words; returns how many. */
size_t umx_forest_conditions(const Umx__World *world, const char *forest, const char *words[2]);

bool umx_forest_readable(const Umx__Forest *forest);
/* Why a table of the forest was read incompletely, or NULL. */
const char *umx_forest_incomplete(const Umx__Forest *forest, const char *table);
/* Space-separated words. */
bool umx_word_in(const char *words, const char *word, size_t length);
/* Whether a record's collected_at is too old to say something; unset times are fresh. */
bool umx_stale(const Umx__World *world, bool has_collected_at, int64_t collected_at);
/* Text or "" for NULL. */
const char *umx_or_empty(const char *text);

/* ---- the phases; each is the folder's files of its name */

#define UMX_PHASE_PARTS(name)                                                                                          \
    extern const struct umx_phase_check umx_##name##_checks[];                                                         \
    extern const struct umx_phase_option umx_##name##_options[];                                                       \
    int umx_##name##_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,    \
                           struct umx_findings *out, struct umx_error *err);                                           \
    int umx_##name##_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,     \
                          struct umx_steps *out, struct umx_error *err);                                               \
    int umx_##name##_finish(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,                  \
                            const struct umx_options *options, size_t first, struct umx_steps *out,                    \
                            struct umx_error *err);                                                                    \
    int umx_##name##_propose(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,  \
                             struct umx_proposal *out, struct umx_error *err);

UMX_PHASE_PARTS(forests)
UMX_PHASE_PARTS(certificates)
UMX_PHASE_PARTS(dial_plans)
UMX_PHASE_PARTS(dial_plan_security)
UMX_PHASE_PARTS(um_servers)
UMX_PHASE_PARTS(sip_addresses)
UMX_PHASE_PARTS(exchucutil)
UMX_PHASE_PARTS(lync_dial_plans)
UMX_PHASE_PARTS(ocsumutil)
UMX_PHASE_PARTS(enterprise_voice)
UMX_PHASE_PARTS(um_mailboxes)

#endif

/*
 * What the files of the engine share. Included by them and by nothing else.
 *
 * engine.mutex guards everything below unless a line says otherwise; ports are always called without it. Appending to
 * the journal happens under it: the order of the entries is the order in which states change.
 */
#ifndef UMX_CONTROLLER_ENGINE_PRIVATE_H
#define UMX_CONTROLLER_ENGINE_PRIVATE_H

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reflect.h"
#include "controller/engine.h"

enum {
    UMX_PLAN_NAME_MAX = 64,
    UMX_PLAN_STEPS_MAX = 20000,
    UMX_PLAN_ARENA = 1024 * 1024 * 1024, /* a plan, its intents and its approvals in memory */
    UMX_WORK_ARENA = 256 * 1024 * 1024,  /* one step or one operation */
};

/* ---- derived state: states.c. A fold of the journal, nothing else changes the fields above the line `runtime`. */

struct umx_step_state {
    const Umx__PlanStep *step; /* in the plan */
    Umx__PlanStep__State state;
    bool effected;       /* the directory or agent has made the change: undo concerns it */
    bool waits;          /* a gate or wait that has begun */
    int attempts;        /* intents so far */
    int64_t intended_at; /* of the newest intent */
    Umx__Intent *intent; /* the newest one */
    ProtobufCBinaryData object_guid;
    const char *result; /* an action's results by item (results.c); a gate's values, a JSON object */
    const char *error;  /* id of the error, then its text */
    const char *detail;
    bool commented; /* a gate confirmed, or a step settled, with a comment: what nobody can see is believed */

    /* runtime: monotonic times, 0 when a run begins */
    int64_t hold_until; /* nothing is done about the step before */
    int64_t pause;
    int64_t since;      /* the first look at what is waited for or verified */
    int64_t away_since; /* its agent was found missing */
};

struct umx_plan_state {
    struct umx_arena *arena;
    const char *name;
    const char *hash;
    const Umx__Plan *plan;
    Umx__PlanSummary__State base; /* SUBMITTED also stands for approved: that depends on the clock */
    bool covered;                 /* the undone plan's approvals count */
    struct umx_step_state *steps;
    size_t step_count;
    Umx__Approval **approvals;
    size_t approval_count;
    size_t approval_capacity;
    char **selection; /* phases of the last start; none: all */
    size_t selection_count;
    int64_t last_sequence;
    int64_t effect_at; /* newest effect: undo's cover counts from it */
    int64_t created_sequence;
    int64_t effect_sequence; /* of the newest effect, gates included: an undo made before knows less */
    bool was_submitted;
    bool was_started;
    bool deleted;
    struct umx_plan_state *next_deleted;
    const char *error; /* why it is suspended or failed */
    const char *detail;

    /* runtime */
    struct umx_run *run;
    bool claimed;    /* one thread is starting, settling or deciding it */
    bool recovering; /* it was running when the last controller ended */
    struct umx_arena *permission_arena;
    const char **permissions; /* by step, or NULL: nobody asked yet (preflight.c) */
    int64_t permitted_at;     /* monotonic */
    int64_t retry_at;         /* monotonic: next background probe */
    int64_t retry_pause;
};

struct umx_engine {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* an entry was added, a thread ended, a wish was made; monotonic clock */
    struct umx_journal_file *journal;
    struct umx_engine_ports ports;
    struct umx_engine_options options;
    struct umx_arena *arena; /* copies of the options' texts */
    struct umx_plan_state **plans;
    size_t plan_count;
    size_t plan_capacity;
    struct umx_plan_state *graveyard; /* deleted ones: a thread that waited for its turn may still hold one */
    struct umx_run *runs;             /* all that have threads to join */
    pthread_t background;
    bool background_started;
    bool closing;
};

/* A new plan as its CREATED entry says; bytes NULL: a plan deleted since, of which only the name matters. */
int umx_states_create(struct umx_engine *engine, const Umx__Journal *entry, const uint8_t *bytes, size_t length,
                      struct umx_error *err);
/* Applies any other entry to its plan's state. */
int umx_states_fold(struct umx_engine *engine, const Umx__Journal *entry, struct umx_error *err);
/* NULL and PLAN_NOT_FOUND when there is none. */
struct umx_plan_state *umx_states_find(struct umx_engine *engine, const char *name, struct umx_error *err);
/* A plan of that name was submitted and deleted: somebody may have reviewed it, and the name means that one. */
bool umx_states_burnt(const struct umx_engine *engine, const char *name);
struct umx_step_state *umx_states_step(struct umx_plan_state *plan, const char *id); /* NULL: none */
void umx_states_free(struct umx_plan_state *plan);
/* draft ... completed, with approvals and the clock taken into account. */
Umx__PlanSummary__State umx_states_of(struct umx_engine *engine, struct umx_plan_state *plan);
bool umx_states_selected(const struct umx_plan_state *plan, const Umx__PlanStep *step);
/* A step whose effect may have happened and which nobody has settled. */
bool umx_states_open(const struct umx_step_state *step);

/* ---- the journal: log.c. Mutex held. */

/* Durable when it returns 0; then folded and announced. actor NULL: the controller. */
int umx_engine_append(struct umx_engine *engine, struct umx_plan_state *plan, Umx__Journal *entry, const char *actor,
                      struct umx_error *err);
/* The common shapes. step and why may be NULL. */
int umx_engine_note(struct umx_engine *engine, struct umx_plan_state *plan, Umx__Journal__Kind kind, const char *step,
                    const char *actor, const struct umx_error *why, const char *detail, struct umx_error *err);

/* Waits until no other thread has the plan, takes it; up to the deadline (duration). */
int umx_engine_claim(struct umx_engine *engine, struct umx_plan_state *plan, int64_t deadline, struct umx_error *err);
void umx_engine_release(struct umx_engine *engine, struct umx_plan_state *plan);
/* Waits for a change for at most pause microseconds. */
void umx_engine_sleep(struct umx_engine *engine, int64_t pause);

const struct umx_engine_forest *umx_engine_forest_of(const struct umx_engine *engine,
                                                     const char *name); /* NULL: none */
/* PLAN_STATE_WRONG naming plan, state and what was wanted. */
int umx_engine_wrong_state(struct umx_engine *engine, struct umx_plan_state *plan, const char *wanted,
                           struct umx_error *err);

/* ---- crash points: crash_points.c */

enum umx_engine_point {
    UMX_POINT_APPLY,
    UMX_POINT_ACT,
    UMX_POINT_COLLECT, /* looking at what a step promises */
    UMX_POINT_JOURNAL, /* + kind of entry */
};
/* "engine:apply:before" and so on; step: its id, or NULL where it is about none. */
void umx_engine_crash(int point, bool after, const char *step);

/* ---- approval.c */

/* 0 when every forest's approvals satisfy every step; else APPROVAL_MISSING and so on, and (with missing) one line for
 * each lack. With expired_too, approvals count whose time has passed: a plan that runs is not stopped by the clock. */
int umx_approval_check(struct umx_engine *engine, const struct umx_plan_state *plan, bool expired_too,
                       struct umx_text *missing, struct umx_error *err);

/* ---- image.c: what an object is compared with. No lock needed. */

/* Attributes that matter to the step; count 0 for all (delete). */
char **umx_image_attributes(const Umx__PlanStep *step, struct umx_arena *arena, size_t *count);
/* Values equal as the directory sees them: exact, DNs without case and spaces. */
bool umx_image_value_equal(const char *a, const char *b);
const Umx__AttributeValues *umx_image_find(Umx__AttributeValues *const *list, size_t count, const char *name);
/* The object as an image with the step's attributes and its access entry. NULL: arena full. */
Umx__Image *umx_image_of(const Umx__ObjectState *state, const Umx__PlanStep *step, struct umx_arena *arena);

enum umx_image_grain {
    UMX_GRAIN_ATTRIBUTE, /* the whole attribute must be as expected */
    UMX_GRAIN_VALUE,     /* values beside the step's own do not matter */
};
/* Appends a line for every difference between the object and the step's before- or after-image; returns their number.
 * skip: tells which attribute (NULL: existence, "" the access entry) another step before this one will change. */
typedef bool umx_image_skip(void *user, const char *attribute);
size_t umx_image_differences(const Umx__PlanStep *step, bool after, enum umx_image_grain grain,
                             const Umx__ObjectState *state, umx_image_skip *skip, void *user, struct umx_text *lines);
/* Whether the DACL's entries hold the change's own entry, explicit. */
bool umx_image_has_entry(const Umx__ObjectState *state, const Umx__AccessChange *change);

/* ---- references.c: `@step.field` */

/* A copy of the step in which every value `@step.field` is replaced by what that step gave. Mutex held. */
int umx_references_resolve(struct umx_plan_state *plan, const Umx__PlanStep *step, struct umx_arena *arena,
                           Umx__PlanStep **out, struct umx_error *err);

/* The same for what the copy promises: values that its own effect gave are known then. Mutex held. */
int umx_references_promise(struct umx_plan_state *plan, Umx__PlanStep *copy, struct umx_arena *arena,
                           struct umx_error *err);

/* What later steps take from a gate: every FIELD of a `@gate.FIELD` anywhere in the plan becomes a member of the object
 * `wanted`. Mutex held. */
int umx_references_wanted(struct umx_plan_state *plan, const char *gate, json_t *wanted, struct umx_error *err);

/* ---- results.c: what became of each item of an action. A JSON array of ActionResult, `item` counted in the step. */

enum umx_item_state { UMX_ITEM_OPEN, UMX_ITEM_GOOD, UMX_ITEM_FAILED };

/* One state an item; items without a result are open. json may be NULL. False: it is no such array. */
bool umx_results_states(const char *json, uint8_t *states, size_t count);
/* The newer results in place of the older ones of the same items. NULL: arena full, or no such array. */
const char *umx_results_merge(const char *older, const char *newer, struct umx_arena *arena);
/* Without the items that failed: they are tried again. */
const char *umx_results_forget_failed(const char *json, struct umx_arena *arena);
/* The failed items and their reasons, some of them. */
const char *umx_results_problems(const char *json, struct umx_arena *arena);
/* A string that an item's result (any item's: -1) has under a name, or that a JSON object has. NULL: none. */
char *umx_results_field(const char *json, long item, const char *field, struct umx_arena *arena);

/* ---- promise.c: what steps promise, against what is there. No lock. */

/* What could be seen of the steps' promises. */
struct umx_promise_reading {
    struct umx_world *world; /* the tables that the promises speak of; free it */
    struct umx_text blind;   /* a line for each place that could not be looked at; free it */
    size_t blind_count;
    const char *away;     /* a server whose agent is not connected, or NULL: the reason then is that */
    bool failed;          /* a place is there and did not answer: worth another try */
    struct place *places; /* in the caller's arena */
    size_t place_count;
};
bool umx_promise_has(const Umx__PlanStep *step);
/* Whether the step says what was there before it: its `original`, and, of an action that can be taken back, that the
 * other records that it promises did not exist. What is in motion (a service, calls) is not claimed. */
bool umx_promise_claims(const Umx__PlanStep *step);
/* Those other records. */
int umx_promise_absent(const Umx__PlanStep *step, struct umx_arena *arena, Umx__World **out, struct umx_error *err);
/* Reads what the promises (resolved) and the originals of the steps speak of. A place that cannot be looked at is no
 * error. */
int umx_promise_read(struct umx_engine *engine, Umx__PlanStep *const *steps, size_t count, struct umx_arena *arena,
                     struct umx_promise_reading *out, struct umx_error *err);
/* Only whether the places of what a step promises can be looked at: agents are there. Nothing is read. */
int umx_promise_places(struct umx_engine *engine, Umx__PlanStep *step, struct umx_arena *arena,
                       struct umx_promise_reading *out, struct umx_error *err);
void umx_promise_forget(struct umx_promise_reading *reading);
/* The records of a part whose place could be looked at; NULL gives NULL. */
int umx_promise_seen(const struct umx_promise_reading *reading, const Umx__PlanStep *step, const Umx__World *part,
                     struct umx_arena *arena, Umx__World **out, struct umx_error *err);

/* ---- directory.c: requests to a forest. No lock. */

/* pin: domain controller that must answer; name and invocationId may both be empty. Not there is exists = false. */
struct umx_pin {
    char name[UMX_FQDN_MAX];
    uint8_t invocation[16];
    size_t invocation_length;
};
int umx_engine_read_object(struct umx_engine *engine, bool writer, const Umx__PlanStep *step,
                           const ProtobufCBinaryData *guid, const struct umx_pin *pin, struct umx_arena *arena,
                           Umx__ObjectState **out, struct umx_error *err);
/* The attributes of an object that an add takes, from the same domain controller: what a delete saves. */
int umx_engine_read_saved(struct umx_engine *engine, const char *forest, const Umx__ObjectState *seen,
                          struct umx_arena *arena, Umx__ObjectState **out, struct umx_error *err);
int umx_engine_call(struct umx_engine *engine, const char *forest, bool writer, Umx__WorkerRequest *request,
                    struct umx_arena *arena, Umx__WorkerReply **reply, struct umx_error *err);
/* False when the error is a plain refusal: the change was not made. */
bool umx_engine_may_have_happened(const struct umx_error *err);

/* ---- steps.c: one step of each kind, as rows {effect, probe} */

enum umx_step_result {
    UMX_STEP_GOES_ON,  /* recorded: verified, failed or waiting; the lane takes the next one */
    UMX_STEP_SUSPENDS, /* nothing more may start; err says why */
};
/* Runs one step that is pending, done (verify only) or waiting. Mutex held at call and return, not in between. */
enum umx_step_result umx_step_run(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_step_state *step,
                                  struct umx_pin *pin, struct umx_error *err);
/* Asks the domain controller or agent of the newest intent, records SETTLED. 0, or STEP_UNCERTAIN when it does not
 * answer. Mutex held at call and return; the plan is claimed or run by the caller. */
int umx_step_settle(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_step_state *step, bool writer,
                    struct umx_error *err);

/* ---- executor.c */

/* Threads for a plan whose STARTED, RESUMED or RECOVERED is in the journal. Mutex held. */
int umx_run_begin(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err);
/* Asks a running plan to end as SUSPENDED or CANCELLED at the next step boundary. Mutex held. */
void umx_run_halt(struct umx_run *run, Umx__Journal__Kind how, const char *actor, const struct umx_error *why);
/* Whether umx_run_halt still has a say: the run's end is not in the journal yet. run may be NULL. Mutex held. */
bool umx_run_takes_a_halt(const struct umx_run *run);
/* Joins threads of runs that ended; with all, waits for the others too. Mutex held, given up while waiting. */
void umx_run_reap(struct umx_engine *engine, bool all);
/* Whether a plan is running in the forest. Mutex held. */
bool umx_run_uses(const struct umx_engine *engine, const char *forest);
/* Whether nothing new may begin. Mutex held. */
bool umx_run_halted(const struct umx_run *run);
/* The change window at this moment. */
int umx_run_window(const struct umx_engine *engine, const struct umx_plan_state *plan, struct umx_error *err);

/* ---- overlap.c */

/* PLAN_OVERLAP when something that the plan has still to do is about what the other one changes. */
int umx_overlap_check(const struct umx_plan_state *plan, const struct umx_plan_state *other, struct umx_error *err);

/* ---- staleness.c */

/* Compares every step that is still to be done with the directory, and with what agents see; PLAN_STALE lists what
 * moved. What nobody can see now is compared by nobody: verification will. Mutex held, given up while reading; the plan
 * is claimed. */
int umx_staleness_check(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err);

/* ---- recovery.c */

int umx_recovery_begin(struct umx_engine *engine, struct umx_error *err); /* at open: records RECOVERED */
void *umx_recovery_thread(void *engine);
/* Settles all open steps of a plan; STEP_UNCERTAIN when one stays open. Mutex held; claimed. */
int umx_recovery_settle(struct umx_engine *engine, struct umx_plan_state *plan, struct umx_error *err);

/* ---- plans.c */

/* Packs the plan, stores it with its CREATED entry. Mutex held. */
int umx_plans_store(struct umx_engine *engine, const Umx__Plan *plan, bool covered, const char *actor,
                    struct umx_error *err);
int umx_plans_check_name(const char *name, struct umx_error *err);

#endif

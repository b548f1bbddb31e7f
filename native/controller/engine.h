/*
 * The engine: plans from their creation to their undo (design 6).
 *
 * It owns the journal while it is open and nothing else of the outside world: forests, agents and the clock reach it
 * through the ports, so that unit tests give it a directory in memory. States are folds of the journal's entries and
 * are stored nowhere. Every effect is preceded by a durable intent; what is not known is asked of the domain controller
 * of that intent, never guessed (docs/decisions).
 *
 * Threads: every function here may be called from any thread at any time between open and close. A running plan has one
 * thread per forest; one more thread of the engine probes what is uncertain. Functions that read the forests block for
 * as long as the ports do. Results live in the caller's arena.
 */
#ifndef UMX_CONTROLLER_ENGINE_H
#define UMX_CONTROLLER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/world.h"
#include "rpc/rpc.h"
#include "store/journal_file.h"
#include "umx/v1/agent.pb-c.h"
#include "umx/v1/operator.pb-c.h"
#include "umx/v1/plan.pb-c.h"
#include "umx/v1/worker.pb-c.h"

/* Written into each plan; another number means that this engine would read the plan's bytes differently. */
enum { UMX_ENGINE_GENERATION = 2 };

struct umx_engine;

enum umx_engine_policy {
    UMX_POLICY_BOTH_SIDES, /* every forest approves; the author may approve too */
    UMX_POLICY_STRICT,     /* every forest approves; the author may not */
    UMX_POLICY_NONE,       /* a submitted plan is approved (lab) */
};

/* False when the word is none of both-sides, strict, none. */
bool umx_engine_policy_of(const char *word, enum umx_engine_policy *out);

/* A forest of the configuration. */
struct umx_engine_forest {
    const char *name;
    Umx__Forest__Side side;
};

/* Somebody who remembers the journal's head. */
struct umx_engine_witness {
    const char *server;
    struct umx_journal_head head;
};

/* The outside. Each port may be called from several threads at once. Deadlines are durations in microseconds. */
struct umx_engine_ports {
    void *user;

    /* A fresh reading of these forests. tables: NULL-terminated names, NULL for all of them and the agents' records.
     * A forest that cannot be read has its Forest record with `error`; the status is then still 0. */
    int (*read_world)(void *user, const char *const *forests, size_t count, const char *const *tables,
                      struct umx_world **out, struct umx_error *err);

    /* One request to the forest's reader or writer (started when it is not running); the reply is in the arena. An
     * error that the worker answers stays in reply->error with status 0, or becomes err; both are understood. The
     * engine takes timeouts, a worker that died and everything else that is no plain refusal as "may have happened". */
    int (*call)(void *user, const char *forest, bool writer, Umx__WorkerRequest *request, int64_t deadline,
                struct umx_arena *arena, Umx__WorkerReply **reply, struct umx_error *err);

    /* No running plan needs the forest's writer any more. May be NULL. */
    void (*release_writer)(void *user, const char *forest);

    /* The same, and nothing was written by it. May be NULL. */
    void (*rest_writer)(void *user, const char *forest);

    /* Sends the batch to the agent of the server and waits for its results, one per item, in order. The batch's id
     * makes it idempotent: an agent that knows the id answers what it did (or its read probe decides) and does not act
     * again. A status other than 0 means unknown, but UMX_ERR_AGENT_UNKNOWN and UMX_E_UNSUPPORTED mean that nothing was
     * sent. May be NULL: actions then fail. */
    int (*act)(void *user, const char *server, const Umx__ActionBatch *batch, int64_t deadline, struct umx_arena *arena,
               Umx__ActionResult ***results, size_t *count, struct umx_error *err);

    /* The journal's head as it was kept elsewhere, so that a missing end shows; sequence 0: nothing was kept. May be
     * NULL. */
    int (*kept_head)(void *user, struct umx_journal_head *head, struct umx_error *err);

    /* Heads of the journal that others were told of before this controller started. May be NULL. */
    int (*witnesses)(void *user, struct umx_arena *arena, struct umx_engine_witness **out, size_t *count,
                     struct umx_error *err);

    /* The agent of this server (NULL: of any server of the forest) is connected. May be NULL: it is then tried. */
    bool (*connected)(void *user, const char *forest, const char *server);

    /* What the agent of the server (NULL: every connected agent of the forest) says now of these tables
     * (NULL-terminated), added to the world. UMX_ERR_AGENT_UNKNOWN: it is not connected. May be NULL: nobody can see
     * agents' tables. */
    int (*collect)(void *user, const char *forest, const char *server, const char *const *tables, int64_t deadline,
                   struct umx_world *world, struct umx_error *err);

    /* A plan that undoes another one is completed: its phases are not done any more, and nobody drifted. May be NULL.
     */
    void (*undone)(void *user, const Umx__Plan *undo);

    /* Entries were added to the journal. Called with the engine's mutex held: it must neither block nor call back. May
     * be NULL. */
    void (*grown)(void *user);

    /* Has what a wait of kind `service` or `visible` waits for come true? UMX_E_UNSUPPORTED: nobody here can tell; the
     * step then waits for an operator's confirmation. May be NULL (the same). */
    int (*ready)(void *user, const Umx__PlanStep *step, bool *ready, struct umx_error *err);
};

struct umx_engine_options {
    const char *deployment;
    const char *actor; /* the controller's own identity URI, for what it does by itself */
    enum umx_engine_policy policy;
    const struct umx_engine_forest *forests; /* copied */
    size_t forest_count;
    int64_t undo_cover;    /* how long approvals cover an undo after the plan's last effect; 0: 72 h */
    int64_t call_deadline; /* one request to a worker; 0: 30 s */
    int64_t act_deadline;  /* one batch of an agent whose action has no time of its own; 0: 15 min */
    int64_t settle_delay;  /* between two probes that must both say not-done; 0: 5 s, negative: none */
    int64_t retry_first;   /* first pause of the background probes, doubled up to retry_last; 0: 5 s and 5 min */
    int64_t retry_last;
    int64_t poll_interval;    /* between two looks of a waiting step; 0: 2 s; doubled for each, up to 15 s */
    int64_t collect_deadline; /* for an agent to collect tables; 0: 2 min */
    int64_t promise_deadline; /* for what a step promises to come true after its effect; 0: 5 min */
    int64_t away_deadline;    /* for an agent that is not connected, before the plan suspends; 0: 5 min */
    bool no_background;       /* tests: no probing thread; recovery does nothing until umx_engine_resume */
};

/* Who calls: as the transport proved it. The certificate is the one of the TLS session, DER. */
struct umx_engine_caller {
    const struct umx_identity *identity;
    const uint8_t *certificate;
    size_t certificate_length;
    const char *name; /* ACCOUNT of FOREST, for people; NULL: not known. Creating and undoing keep it */
};

/* Replays the journal (which the engine then owns for writing, and closes never), starts recovery of plans that were
 * running: RECOVERED is recorded, each of their open steps is probed where it was sent, and when all are settled the
 * plan goes on. ports and journal must outlive the engine. */
int umx_engine_open(struct umx_journal_file *journal, const struct umx_engine_ports *ports,
                    const struct umx_engine_options *options, struct umx_engine **out, struct umx_error *err);
/* Running plans stop at a step boundary and become suspended. Other calls must have returned, or return soon: waits and
 * turns end by themselves. NULL is allowed. */
void umx_engine_close(struct umx_engine *engine);

/* ---- what is there */

/* A plan as `plan show` needs it. */
struct umx_engine_view {
    Umx__PlanSummary *summary;
    const Umx__Plan *plan; /* as stored */
    Umx__PlanStep **steps; /* copies, with state and error */
    size_t step_count;
    Umx__Approval **approvals; /* all decisions in order; withdrawn and expired ones too */
    size_t approval_count;
    const char **missing; /* what keeps the plan from being approved or carried out, one line each */
    size_t missing_count;
    int64_t last_sequence; /* of the plan's newest entry: where a watch begins */
};

int umx_engine_list(struct umx_engine *engine, struct umx_arena *arena, Umx__PlanSummary ***plans, size_t *count,
                    struct umx_error *err);
int umx_engine_show(struct umx_engine *engine, const char *name, struct umx_arena *arena, struct umx_engine_view *out,
                    struct umx_error *err);
/* Asks whether the writer accounts may make the changes of a plan that was not started yet, unless it was asked a
 * moment ago: umx_engine_show has it then in the steps' `permission`, and the denied ones in `missing`. A forest that
 * does not answer is no error. Blocks as long as the ports do. */
int umx_engine_preflight(struct umx_engine *engine, const char *name, struct umx_error *err);
/* Waits for the plan's next entry after a sequence number (0: its first). *entry is NULL with status 0 when the plan is
 * at rest and has no newer entry; UMX_E_TIMEOUT (UMX_ERR_DEADLINE) when the deadline (duration) passed first. */
int umx_engine_wait(struct umx_engine *engine, const char *name, int64_t after, int64_t deadline,
                    struct umx_arena *arena, Umx__Journal **entry, struct umx_error *err);
enum { UMX_ENGINE_NEWEST = -1 };

/* Calls back with entries after a sequence number (UMX_ENGINE_NEWEST: with the last ones), oldest first, of one plan or all
 * (NULL or ""), at most limit (0: 10000). The entry is gone after the callback; a result other than 0 ends the walk and is
 * returned. In pages: a journal of years is not held in memory, and plans that append to it wait for one page at most. */
int umx_engine_audit(struct umx_engine *engine, const char *plan, int64_t after, int64_t limit,
                     int (*take)(void *user, const Umx__Journal *entry, struct umx_error *err), void *user,
                     struct umx_error *err);
/* Recomputes the chain, and the signature of each approval in it, and compares it with what agents were told. first_bad
 * is 0 when it is intact. lines (may be NULL) gets a line for each agent that was told something else. */
int umx_engine_verify(struct umx_engine *engine, int64_t *entries, bool *intact, int64_t *first_bad,
                      struct umx_text *lines, struct umx_error *err);
/* The plan's own entries, oldest first: those of an earlier plan of the same name are not among them. head: of the
 * whole journal. */
int umx_engine_entries(struct umx_engine *engine, const char *name, struct umx_arena *arena, Umx__Journal ***entries,
                       size_t *count, struct umx_journal_head *head, struct umx_error *err);
/* {"plan":{...},"hash":"...","bytes":"hex","entries":[...],"head":{"sequence":N,"hash":"hex"}} */
int umx_engine_export(struct umx_engine *engine, const char *name, struct umx_text *json, struct umx_error *err);

/* ---- its life; each refuses with PLAN_STATE_WRONG in other states */

/* Reads the world, plans, stores a draft. */
int umx_engine_create(struct umx_engine *engine, const Umx__PlanCreateArguments *arguments,
                      const struct umx_engine_caller *caller, struct umx_error *err);
/* draft -> submitted */
int umx_engine_submit(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err);
/* submitted, approved (withdraw: running and suspended too): a signed decision for one forest. */
int umx_engine_decide(struct umx_engine *engine, const Umx__PlanDecisionArguments *arguments,
                      Umx__Approval__Decision decision, const struct umx_engine_caller *caller, struct umx_error *err);
/* approved -> running; suspended -> running with another choice of phases. Returns when the plan has begun to run. */
int umx_engine_start(struct umx_engine *engine, const Umx__PlanStartArguments *arguments,
                     const struct umx_engine_caller *caller, struct umx_error *err);
/* A gate that waits. Its checks must pass; over one that is `unknown` a comment is needed. */
int umx_engine_confirm(struct umx_engine *engine, const Umx__PlanConfirmArguments *arguments,
                       const struct umx_engine_caller *caller, struct umx_error *err);
/* running -> suspended at the next step boundary; returns at once. */
int umx_engine_suspend(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                       struct umx_error *err);
/* suspended, failed -> running, after what is uncertain has been probed; failed steps are tried again. A plan that runs
 * or is completed needs nothing: status 0. */
int umx_engine_resume(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err);
/* Any state before an end -> cancelled, a running plan at the next step boundary. */
int umx_engine_cancel(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err);
/* Makes the plan that undoes another; *undo_name (in the arena) is its name. */
int umx_engine_undo(struct umx_engine *engine, const Umx__PlanUndoArguments *arguments,
                    const struct umx_engine_caller *caller, struct umx_arena *arena, const char **undo_name,
                    struct umx_error *err);
/* A draft, or a plan that was never started, leaves the list; its entries stay in the journal. */
int umx_engine_delete(struct umx_engine *engine, const char *name, const struct umx_engine_caller *caller,
                      struct umx_error *err);

#endif

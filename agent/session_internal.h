/* What session.c (the stream) and session_work.c (the lanes' jobs) share. */
#ifndef UMX_AGENT_SESSION_INTERNAL_H
#define UMX_AGENT_SESSION_INTERNAL_H

#include "agent/action/action.h"
#include "agent/host/watch.h"
#include "agent/lane.h"
#include "agent/session.h"
#include "agent/spool.h"
#include "rpc/identity_file.h"
#include "rpc/rpc.h"

enum session_lane { LANE_QUICK, LANE_SHELL, LANE_PROOF, LANE_ACTION, LANES };

enum { RESULTS_MAX = UMX_ACTION_ITEMS_MAX * 2 };

struct session_result {
    uint8_t *bytes;
    size_t length;
};

/* A collection of one table that waits for its lane. Whoever wants the table meanwhile is served by the same one. */
struct session_want {
    bool queued;
    bool anyway; /* not only for queries */
    bool report;
    struct umx_spool_queries queries;
    int64_t until[UMX_SPOOL_QUERIES_MAX]; /* monotonic: nobody waits for the query after that; beside queries */
};

struct umx_session {
    const struct umx_agent_config *config;
    struct umx_host *host;
    const char *program;
    const atomic_bool *stop;
    struct umx_action_journal *journal; /* the action lane's; NULL: no state directory */
    struct umx_lane lanes[LANES];
    struct umx_host_watch *watch; /* NULL: the host cannot tell of changes */

    pthread_mutex_t mutex; /* guards what follows */
    struct umx_rpc_client_call *call;
    bool attached; /* a Welcome has come on this stream */
    struct umx_spool spool;
    struct session_want *wants; /* one for each collector */
    struct umx_arena *target_arena;
    Umx__ProofTarget **targets;
    size_t target_count;
    struct session_result results[RESULTS_MAX]; /* a ring: answers to actions and refused Collects */
    size_t first_result;
    size_t result_count;
};

/* Sends what waits, as far as the stream takes it. Under the lock. True: something is left. */
bool session_pump(struct umx_session *session);

/* ---- session_work.c */
/* Posts a collection of one table. report: say so even when nothing changed. */
void session_collect(struct umx_session *session, const struct umx_collector *collector, bool report);
/* The same for a Collect, which is answered until then (monotonic). */
void session_collect_for(struct umx_session *session, const struct umx_collector *collector, int64_t query,
                         int64_t until);
/* Nobody waits for the query any more: what was not begun for it alone is not done. */
void session_forget(struct umx_session *session, int64_t query);
/* Answers a Collect of a table that is not collected: whoever asked need not wait for it. */
void session_refuse(struct umx_session *session, const char *table, const char *why, int64_t query);
/* Posts an action batch (copied). */
void session_act(struct umx_session *session, const Umx__ActionBatch *batch);

#endif

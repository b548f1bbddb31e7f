/*
 * An update of the agents as a state machine: servers in waves, each wave only after the one before is back and
 * healthy. Pure: what happened is folded from journal entries, what is to be done follows from that and from a picture
 * of the agents; whoever owns it sends and journals. So a controller that was killed goes on where it was.
 *
 * Healthy is an agent of the new version that has attached and reported the tables that count (umx_rollout_tables)
 * since, with no more trouble than it had before. It is confirmed then; one that is not returns to its old version by
 * itself (agent/updater.h). A server that came to a bad end halts the update.
 */
#ifndef UMX_CONTROLLER_ROLLOUT_H
#define UMX_CONTROLLER_ROLLOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/release.h"
#include "rpc/rpc.h"
#include "umx/v1/agent.pb-c.h"
#include "umx/v1/plan.pb-c.h"

enum {
    UMX_ROLLOUT_ID = 33,
    UMX_ROLLOUT_REASON = 256,
    UMX_ROLLOUT_SERVERS_MAX = 20000,
    UMX_ROLLOUT_AT_ONCE = 64, /* agents that receive the package at the same time */
    UMX_ROLLOUT_TRIAL = 600,
    UMX_ROLLOUT_TRIAL_MAX = 86400,
    UMX_ROLLOUT_PERCENT = 25,
};
#define UMX_ROLLOUT_ABSENT UMX_MINUTE      /* that a silent agent is waited for before its server is skipped */
#define UMX_ROLLOUT_LOST (10 * UMX_MINUTE) /* and two trials: that nothing happens on a server */
#define UMX_ROLLOUT_AGAIN (2 * UMX_SECOND) /* between two confirmations of the same agent */

extern const char *const umx_rollout_tables[]; /* NULL-terminated */

/* An agent as it is now. */
struct umx_rollout_agent {
    char server[UMX_FQDN_MAX];
    char forest[UMX_FQDN_MAX];
    char version[32];
    char kind[16]; /* of the packages that it takes; "": none */
    char architecture[16];
    bool connected;
    int64_t connected_at;
    bool reported; /* the tables that count, since it is connected */
    int troubled;  /* how many of them could not be collected */
    /* What it said of an update on this connection; id "": nothing. */
    char update[UMX_ROLLOUT_ID];
    Umx__UpdateState__State update_state;
    int64_t offset;
    char error[16];
    char reason[UMX_ROLLOUT_REASON];
};

enum umx_rollout_state {
    UMX_ROLLOUT_NONE,
    UMX_ROLLOUT_RUNNING,
    UMX_ROLLOUT_PAUSED,
    UMX_ROLLOUT_HALTED,
    UMX_ROLLOUT_STOPPED,
    UMX_ROLLOUT_COMPLETED
};

struct umx_rollout_server {
    char *server;
    char *forest;
    int32_t wave;
    Umx__FleetUpdate__State state;
    char *reason; /* or NULL */
    int32_t troubled;
    int64_t changed_at; /* wall clock */
    /* Of this controller's life alone: */
    int64_t offered;      /* connection on which it was offered */
    int64_t confirmed_at; /* when it was last told that it stays */
    int64_t moved_at;     /* when something last happened */
    int64_t seen;         /* what it was then */
};

struct umx_rollout {
    enum umx_rollout_state state;
    char id[UMX_ROLLOUT_ID];
    char *text; /* the signed release */
    struct umx_release release;
    bool downgrade;
    int32_t trial;
    int32_t canary;
    int32_t percent;
    char *author;
    char *reason; /* of HALTED; or NULL */
    int64_t begun_at;
    int64_t wave_at;
    int32_t wave;
    int32_t waves;
    size_t forgiven; /* servers with a bad end when somebody resumed */
    struct umx_rollout_server *servers;
    size_t count;
};

void umx_rollout_free(struct umx_rollout *rollout);

/* A journal entry is true now: written_at and actor are the entry's. Entries of another update are ignored, except one
 * that begins. */
int umx_rollout_fold(struct umx_rollout *rollout, const Umx__FleetUpdate *what, int64_t written_at, const char *actor,
                     struct umx_error *err);

/* The order in which servers go: a forest after the other, one of each at a time. Sorts by that. */
void umx_rollout_order(struct umx_rollout_agent *agents, size_t count);
/* The wave, from 0, of each of count servers in their order. */
void umx_rollout_waves(size_t count, int32_t canary, int32_t percent, int32_t *waves);

/* What a step wants done. note: make it durable, then fold it; a failure ends the step. */
struct umx_rollout_sink {
    int (*note)(void *user, Umx__FleetUpdate *what, struct umx_error *err);
    void (*offer)(void *user, const char *server);
    void (*confirm)(void *user, const char *server);
    void *user;
};

/* Looks at everything once. agents is sorted by server (umx_rollout_by_server), now is wall clock. */
int umx_rollout_step(struct umx_rollout *rollout, const struct umx_rollout_agent *agents, size_t count, int64_t now,
                     const struct umx_rollout_sink *sink, struct umx_error *err);
void umx_rollout_by_server(struct umx_rollout_agent *agents, size_t count);

/* Whether no server is being updated any more. */
bool umx_rollout_idle(const struct umx_rollout *rollout);
const char *umx_rollout_word(enum umx_rollout_state state);

#endif

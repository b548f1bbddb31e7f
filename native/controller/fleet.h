/*
 * The fleet: agents, their streams and what they last said. An agent speaks for the server of its certificate and for
 * nothing else (design 7). Reports are stored by a thread of their own, in groups, and accepted when they are durable.
 */
#ifndef UMX_CONTROLLER_FLEET_H
#define UMX_CONTROLLER_FLEET_H

#include "base/reflect.h"
#include "base/world.h"
#include "controller/controller.h"
#include "rpc/rpc.h"
#include "store/journal_file.h"
#include "umx/v1/agent.pb-c.h"

struct umx_fleet;

/* Uses the controller's config, deployment and state. Agents that were issued a certificate are known from the data
 * directory, whether they ever connected or not. */
int umx_fleet_open(struct umx_controller *controller, struct umx_fleet **out, struct umx_error *err);
/* After the agents' listener has stopped. NULL is allowed. */
void umx_fleet_close(struct umx_fleet *fleet);

/* Before the operators' listener stops: questions and watches end now. NULL is allowed. */
void umx_fleet_hurry(struct umx_fleet *fleet);

/* Handler of /umx.v1.Agents/Attach; its user is the fleet. */
extern const struct umx_rpc_stream_handler umx_fleet_handler;

/* Adds an Agent record for every agent, and marks the servers of silent ones nowhere: their rows keep their time. */
int umx_fleet_agents(struct umx_fleet *fleet, struct umx_world *world, struct umx_error *err);

enum {
    /* Targets of proofs that agents are told, and their bytes: one message carries them. */
    UMX_FLEET_PROOFS_MAX = 1024,
    UMX_FLEET_PROOFS_BYTES = UMX_MAX_AGENT_MESSAGE - 16 * 1024,
    UMX_FLEET_PROOFS_ARENA = 64 * 1024 * 1024,
    UMX_FLEET_TABLES_MAX = 16, /* that an agent may report */
};

/* `source` of the proofs that nobody tries; their `server` is `controller`. */
#define UMX_FLEET_LEFT_OUT "controller:left out"

/* What agents shall try for real from now on, each what is for its side; sent to those that are connected. Copied. What
 * they try in forests that were not read this time stays. What is more than agents are told is added to left_out (NULL:
 * it is not) as proofs that are unknown and say so. */
int umx_fleet_set_proofs(struct umx_fleet *fleet, const Umx__World *read, Umx__ProofTarget *const *targets,
                         size_t count, struct umx_world *left_out, struct umx_error *err);

/* Asks every connected agent for these tables (NULL-terminated) now, and waits for nobody: what they say comes as
 * reports like all others. */
void umx_fleet_ask(struct umx_fleet *fleet, const char *const *tables);

/* Whether the agent of a server (NULL: any agent of the forest) is connected. */
bool umx_fleet_connected(struct umx_fleet *fleet, const char *forest, const char *server);

/* What the agent of a server (NULL: every connected agent of the forest) says now of these tables (NULL-terminated):
 * asks, waits until its answers are stored, and adds their rows to the world. UMX_ERR_AGENT_UNKNOWN: it is not
 * connected; UMX_ERR_COLLECT_FAILED: it could not collect a table, or went away; UMX_ERR_DEADLINE. Any thread. */
int umx_fleet_collect(struct umx_fleet *fleet, const char *forest, const char *server, const char *const *tables,
                      int64_t deadline, struct umx_world *world, struct umx_error *err);

/* An agent that was not heard, and why. */
struct umx_fleet_silent {
    char server[UMX_FQDN_MAX];
    char reason[256];
};

/* A question to many agents at once, of whom some may stay silent. */
struct umx_fleet_question {
    const char *const *tables;  /* NULL-terminated, of those that agents report */
    bool all;                   /* every agent that is known */
    const char *const *servers; /* else those of these servers */
    size_t server_count;
    int64_t deadline; /* microseconds from now */
    /* Both may be NULL; called without any lock, now and then. */
    bool (*cancelled)(void *user);
    int (*progress)(void *user, size_t heard, size_t asked);
    void *user;

    /* Results: agents that were asked, those that answered everything, and the others (free() the list). */
    size_t asked;
    size_t answered;
    struct umx_fleet_silent *silent;
    size_t silent_count;
};

/* Asks, and waits until all have answered and their rows are stored, the deadline, or the end of the caller's patience
 * (UMX_ERR_CANCELLED); agents that have not begun by then are told to leave it. Any number of threads at once. */
int umx_fleet_question(struct umx_fleet *fleet, struct umx_fleet_question *question, struct umx_error *err);

/* How fresh what agents said is: a picture of now, sorted by server. */
struct umx_fleet_freshness;
int umx_fleet_freshness(struct umx_fleet *fleet, struct umx_fleet_freshness **out, struct umx_error *err);
void umx_fleet_freshness_free(struct umx_fleet_freshness *freshness); /* NULL is allowed */
/* When the agent of a server last said a table, or that nothing of it changed; 0: not known. *stale: it is not
 * connected, could not collect it, or has missed two reports. False: the server has no agent. */
bool umx_fleet_fresh(const struct umx_fleet_freshness *freshness, const struct umx_table *table, const char *server,
                     int64_t *confirmed_at, bool *stale);

/* The stored rows of agents in a world get the time at which their agent last said them, or said that nothing of them
 * has changed: quiet servers are no old news. */
int umx_fleet_freshen(struct umx_fleet *fleet, struct umx_world *world, struct umx_error *err);

/* The agents as they are, whenever that changes: waits until the picture is another one than `seen` (0: none yet), at
 * most timeout microseconds; the number of the picture, -1 when the fleet closes. */
int64_t umx_fleet_watch(struct umx_fleet *fleet, int64_t seen, int64_t timeout);

/* Sends an action batch to the agent of a server and waits for its results (in the arena).
 * UMX_ERR_AGENT_UNKNOWN: it is not connected, nothing was sent. UMX_ERR_DEADLINE: it may have acted. */
int umx_fleet_act(struct umx_fleet *fleet, const char *server, const Umx__ActionBatch *batch, int64_t deadline,
                  struct umx_arena *arena, Umx__ActionResult ***results, size_t *count, struct umx_error *err);

/* Agents in an update (fleet_update.c): one for each server that was not revoked, as they are now; the caller frees. */
struct umx_rollout_agent;
int umx_fleet_rollout_picture(struct umx_fleet *fleet, struct umx_rollout_agent **out, size_t *count,
                              struct umx_error *err);
/* Sends a message to the agent of a server, if it is connected. */
void umx_fleet_tell(struct umx_fleet *fleet, const char *server, const Umx__ToAgent *message);

/* Ends the stream of an identity that was taken back. forget: it is left out of every list, and its rows go. fleet
 * NULL: nothing. */
void umx_fleet_end(struct umx_fleet *fleet, const char *uri, const struct umx_error *why, bool forget);
/* Ends the streams whose certificate has ended by then. */
void umx_fleet_end_expired(struct umx_fleet *fleet, int64_t now);
/* The answer to a Renew that came with this certificate; chain NULL: why not. */
void umx_fleet_renewed(struct umx_fleet *fleet, const struct umx_identity *of, const char *chain,
                       const struct umx_error *why);
/* The authority's trust, or the direction of its rotation, is another now: every connected agent hears what it has to
 * do about it. Waits for nobody. */
void umx_fleet_trust_changed(struct umx_fleet *fleet);

/* The journal has grown: its newest head goes to every agent, at most once a second, and less often the more agents
 * there are. Waits for nothing. */
void umx_fleet_journal_grown(struct umx_fleet *fleet);

/* The journal's head as an agent knew it when it attached to this controller. */
struct umx_fleet_witness {
    char server[UMX_FQDN_MAX];
    struct umx_journal_head head;
};
/* In the arena. */
int umx_fleet_witnesses(struct umx_fleet *fleet, struct umx_arena *arena, struct umx_fleet_witness **out, size_t *count,
                        struct umx_error *err);

#endif

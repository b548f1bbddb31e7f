/*
 * The fleet: agents, their streams and what they last said. An agent speaks for the server of its certificate and for
 * nothing else (design 7). Reports are stored by a thread of their own, in groups, and accepted when they are durable.
 */
#ifndef UMX_CONTROLLER_FLEET_H
#define UMX_CONTROLLER_FLEET_H

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

/* Handler of /umx.v1.Agents/Attach; its user is the fleet. */
extern const struct umx_rpc_stream_handler umx_fleet_handler;

/* Adds an Agent record for every agent, and marks the servers of silent ones nowhere: their rows keep their time. */
int umx_fleet_agents(struct umx_fleet *fleet, struct umx_world *world, struct umx_error *err);

enum { UMX_FLEET_PROOFS_MAX = 256 };

/* What agents shall try for real from now on, each what is for its side; sent to those that are connected. Copied. */
int umx_fleet_set_proofs(struct umx_fleet *fleet, Umx__ProofTarget *const *targets, size_t count,
                         struct umx_error *err);

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

/* Sends an action batch to the agent of a server and waits for its results (in the arena).
 * UMX_ERR_AGENT_UNKNOWN: it is not connected, nothing was sent. UMX_ERR_DEADLINE: it may have acted. */
int umx_fleet_act(struct umx_fleet *fleet, const char *server, const Umx__ActionBatch *batch, int64_t deadline,
                  struct umx_arena *arena, Umx__ActionResult ***results, size_t *count, struct umx_error *err);

/* The journal has grown: its newest head goes to every agent, at most once a second. Waits for nothing. */
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

/*
 * The agent's life: collects, keeps a stream to the controller, reports what changed, does what it is asked.
 *
 * One thread (the caller's) owns the stream; lanes collect and act beside it and hand their results over under one
 * lock. Connecting backs off from 1 s to 60 s, doubled each time and varied by half; a controller that refuses the
 * identity is left alone for refused_wait. Everything not yet reported stays in the spool over a lost connection.
 */
#ifndef UMX_AGENT_SESSION_H
#define UMX_AGENT_SESSION_H

#include <stdatomic.h>

#include "agent/config.h"
#include "agent/host/host.h"

enum { UMX_AGENT_PROTOCOL = 1 };

/* Runs until *stop; 0 then. program: path for proofs in child processes, "" to prove in this process. */
int umx_session_run(const struct umx_agent_config *config, struct umx_host *host, const char *program,
                    const atomic_bool *stop, struct umx_error *err);

#endif

/*
 * The forests of the configuration and their workers: reading whole worlds, single requests, live proofs of trust.
 */
#ifndef UMX_CONTROLLER_FORESTS_H
#define UMX_CONTROLLER_FORESTS_H

#include "base/world.h"
#include "controller/config.h"
#include "controller/worker_process.h"

struct umx_forests;

int umx_forests_open(const struct umx_config *config, struct umx_forests **out, struct umx_error *err);
void umx_forests_close(struct umx_forests *forests); /* NULL is allowed */

/* One request to a forest's worker; see umx_worker_process_call. */
int umx_forests_call(struct umx_forests *forests, const char *forest, enum umx_account account,
                     Umx__WorkerRequest *request, int64_t deadline, struct umx_arena *arena, Umx__WorkerReply **reply,
                     struct umx_error *err);

/* A request that streams records: they are added to the world. */
int umx_forests_collect(struct umx_forests *forests, const char *forest, enum umx_account account,
                        Umx__WorkerRequest *request, int64_t deadline, struct umx_world *world, struct umx_error *err);

/* Reads the forests (names NULL: all) at the same time, each within the configured time and the deadline (microseconds
 * from now, 0: none), into the world. A forest that
 * cannot be read adds a Forest record whose error says why; the others are still read. Only a failure of this machine
 * is an error. With proofs, each forest's reader then proves the trust to every partner forest of the other side. */
int umx_forests_read(struct umx_forests *forests, char *const *names, size_t count, bool proofs, int64_t deadline,
                     struct umx_world *world, struct umx_error *err);

/* Nobody waits longer than this from now for a domain controller: the controller is stopping. NULL is allowed. */
void umx_forests_hurry(struct umx_forests *forests, int64_t grace);

/* Ends the writers: they live while a plan runs. */
void umx_forests_stop_writer(struct umx_forests *forests, const char *forest);

#endif

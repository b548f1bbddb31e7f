/*
 * A forest worker as the controller sees it: a child process that speaks LDAP and Kerberos, asked one thing at a time,
 * killed when it is late (design 4). libldap, SASL and Kerberos block where no option reaches; here that costs one
 * request.
 */
#ifndef UMX_CONTROLLER_WORKER_PROCESS_H
#define UMX_CONTROLLER_WORKER_PROCESS_H

#include "base/arena.h"
#include "base/error.h"
#include "controller/config.h"
#include "umx/v1/worker.pb-c.h"

/* The clerk is a reader of its own, for memberships, and the porter one for logins: what an operator may do is known
 * while the forest is read, and while somebody logs in slowly. */
enum umx_account { UMX_ACCOUNT_READER, UMX_ACCOUNT_WRITER, UMX_ACCOUNT_CLERK, UMX_ACCOUNT_PORTER, UMX_ACCOUNTS };

struct umx_worker_process;

/* The process starts at the first request. config must outlive it. */
struct umx_worker_process *umx_worker_process_new(const struct umx_forest_config *config, enum umx_account account,
                                                  int operation_timeout);
void umx_worker_process_free(struct umx_worker_process *worker); /* NULL is allowed */

/* Called for every reply that is not the last one; a negative value ends the request (the worker is killed). */
typedef int umx_worker_part(void *user, const Umx__WorkerReply *reply, struct umx_error *err);

/* Sends the request (id and deadline are filled in) and waits for the last reply, which is copied into the arena.
 * deadline: microseconds from now, waiting for other requests included. part may be NULL; with it, the deadline begins
 * anew with each reply, for four times as long in all: a large forest takes its time. An error reply becomes err.
 * DIRECTORY_TIMEOUT: the worker was killed, what it was doing may still happen. Any thread. */
int umx_worker_process_call(struct umx_worker_process *worker, Umx__WorkerRequest *request, int64_t deadline,
                            umx_worker_part *part, void *user, struct umx_arena *arena, Umx__WorkerReply **reply,
                            struct umx_error *err);

/* No request, running or to come, takes longer than this from now: the controller is stopping. A write that is not
 * answered by then is uncertain, as after any deadline. */
void umx_worker_process_hurry(struct umx_worker_process *worker, int64_t grace);

/* Ends the process; the next request starts another one. */
void umx_worker_process_stop(struct umx_worker_process *worker);

#endif

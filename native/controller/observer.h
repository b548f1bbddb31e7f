/*
 * The observer: worlds for those who ask. A fresh one is read from the forests now; a stored one is what was last
 * known. Every fresh reading is stored, and a background reading keeps the stored one young.
 */
#ifndef UMX_CONTROLLER_OBSERVER_H
#define UMX_CONTROLLER_OBSERVER_H

#include "base/world.h"
#include "controller/controller.h"

struct umx_observer;

/* Uses the controller's config, state, forests and fleet. */
int umx_observer_open(struct umx_controller *controller, struct umx_observer **out, struct umx_error *err);
/* A background reading soon, for example after a plan wrote. Any thread; waits for nothing. */
void umx_observer_want(struct umx_observer *observer);

/* Begins the background readings: the first one at once, or, without an interval, only those that are wanted. */
int umx_observer_start(struct umx_observer *observer, struct umx_error *err);
void umx_observer_close(struct umx_observer *observer); /* NULL is allowed */

/* Reads the forests (names NULL: all) and adds what the agents last reported and live proofs of the trusts. A forest
 * that cannot be read is a Forest record with an error. deadline: microseconds from now, 0: the configured time alone.
 */
int umx_observe(struct umx_observer *observer, char *const *names, size_t count, int64_t deadline,
                struct umx_world **out, struct umx_error *err);

/* What was last known of everything; nothing is asked. */
int umx_observe_stored(struct umx_observer *observer, struct umx_world **out, struct umx_error *err);

#endif

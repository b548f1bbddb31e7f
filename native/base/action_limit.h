/*
 * How long an action of an agent may take: what the agent gives an item and how long the controller waits for a batch
 * come from here, so that neither gives up before the other.
 */
#ifndef UMX_BASE_ACTION_LIMIT_H
#define UMX_BASE_ACTION_LIMIT_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds for one item: what actions that take their time by nature need (a Front End drains its calls first), or
 * the ordinary time if that is more. */
int64_t umx_action_limit(const char *action, int64_t ordinary);

/* Microseconds to wait for a batch of so many items: time for each where an action takes its time, and some for the
 * answers; at least the ordinary time. */
int64_t umx_action_deadline(const char *action, size_t items, int64_t ordinary);

#endif

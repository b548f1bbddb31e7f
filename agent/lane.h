/*
 * A lane: one thread that does jobs in order, so that slow work (a shell, a proof, a restart) never holds up the stream
 * or the quick tables. Jobs are posted from any thread.
 */
#ifndef UMX_AGENT_LANE_H
#define UMX_AGENT_LANE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"

enum { UMX_LANE_JOBS_MAX = 128 };

struct umx_lane_job {
    /* run is called once with run = true, or with false when the lane ends before: it frees the argument then too. */
    void (*work)(void *argument, bool run);
    void *argument;
};

struct umx_lane {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct umx_lane_job jobs[UMX_LANE_JOBS_MAX]; /* a ring */
    size_t first;
    size_t count;
    bool stopping;
    bool started;
};

int umx_lane_start(struct umx_lane *lane, struct umx_error *err);
/* False: the lane is full or ending, and the job was not taken. */
bool umx_lane_post(struct umx_lane *lane, void (*work)(void *argument, bool run), void *argument);
/* Lets the running job end, gives the waiting ones back, joins. A lane that was never started is allowed. */
void umx_lane_stop(struct umx_lane *lane);

#endif

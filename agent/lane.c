#include "agent/lane.h"

static void *run(void *user)
{
    struct umx_lane *lane = user;

    pthread_mutex_lock(&lane->mutex);
    while (!lane->stopping) {
        if (lane->count == 0) {
            pthread_cond_wait(&lane->changed, &lane->mutex);
            continue;
        }
        struct umx_lane_job job = lane->jobs[lane->first];
        lane->first = (lane->first + 1) % UMX_LANE_JOBS_MAX;
        lane->count--;
        pthread_mutex_unlock(&lane->mutex);
        job.work(job.argument, true);
        pthread_mutex_lock(&lane->mutex);
    }
    pthread_mutex_unlock(&lane->mutex);
    return NULL;
}

int umx_lane_start(struct umx_lane *lane, struct umx_error *err)
{
    *lane = (struct umx_lane){0};
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->changed, NULL);
    lane->started = pthread_create(&lane->thread, NULL, run, lane) == 0;
    if (lane->started)
        return 0;
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->mutex);
    return umx_fail(err, UMX_ERR_MEMORY, "agent", "no thread can be started");
}

bool umx_lane_post(struct umx_lane *lane, void (*work)(void *argument, bool run), void *argument)
{
    pthread_mutex_lock(&lane->mutex);
    bool taken = lane->count < UMX_LANE_JOBS_MAX && !lane->stopping;
    if (taken) {
        lane->jobs[(lane->first + lane->count) % UMX_LANE_JOBS_MAX] =
            (struct umx_lane_job){.work = work, .argument = argument};
        lane->count++;
        pthread_cond_signal(&lane->changed);
    }
    pthread_mutex_unlock(&lane->mutex);
    return taken;
}

void umx_lane_stop(struct umx_lane *lane)
{
    if (!lane->started)
        return;
    pthread_mutex_lock(&lane->mutex);
    lane->stopping = true;
    pthread_cond_signal(&lane->changed);
    pthread_mutex_unlock(&lane->mutex);
    pthread_join(lane->thread, NULL);
    for (; lane->count > 0; lane->count--) {
        lane->jobs[lane->first].work(lane->jobs[lane->first].argument, false);
        lane->first = (lane->first + 1) % UMX_LANE_JOBS_MAX;
    }
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->mutex);
    lane->started = false;
}

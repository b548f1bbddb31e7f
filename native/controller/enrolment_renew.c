/*
 * Renewal on the agents' streams: a thread of its own signs and writes, so that no poller waits for the disk. The same
 * thread ends the streams of certificates that have ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "controller/enrolment_internal.h"
#include "controller/fleet.h"

#define EXPIRY_INTERVAL (30 * UMX_SECOND)

static void renew(struct umx_enrolment *enrolment, const struct enrol_renewal *job)
{
    struct umx_issued issued = {0};
    struct umx_error err = {0};
    int status = umx_enrolment_check(enrolment, &job->agent, &err);

    if (status == 0)
        status = umx_authority_renew_agent(enrolment->controller->authority, job->request, job->length, &job->agent,
                                           &issued, &err);
    if (status == 0)
        umx_log(UMX_LOG_INFO, "enrolment", "%s has a new certificate", job->agent.fqdn);
    else
        umx_log_error("enrolment", &err);
    umx_fleet_renewed(enrolment->controller->fleet, &job->agent, status == 0 ? issued.chain : NULL, &err);
    umx_issued_free(&issued);
}

static void *work(void *user)
{
    struct umx_enrolment *enrolment = user;
    int64_t expiry_at = umx_clock_monotonic() + EXPIRY_INTERVAL;

    pthread_mutex_lock(&enrolment->queue_mutex);
    while (!enrolment->stopping) {
        struct enrol_renewal *job = enrolment->queue;
        if (job != NULL) {
            enrolment->queue = job->next;
            if (enrolment->queue == NULL)
                enrolment->queue_end = &enrolment->queue;
            enrolment->queue_count--;
            pthread_mutex_unlock(&enrolment->queue_mutex);
            renew(enrolment, job);
            free(job);
            pthread_mutex_lock(&enrolment->queue_mutex);
            continue;
        }
        if (umx_clock_monotonic() >= expiry_at) {
            expiry_at = umx_clock_monotonic() + EXPIRY_INTERVAL;
            pthread_mutex_unlock(&enrolment->queue_mutex);
            umx_fleet_end_expired(enrolment->controller->fleet, umx_clock_now());
            pthread_mutex_lock(&enrolment->queue_mutex);
            continue;
        }
        struct timespec until = {.tv_sec = (time_t)(expiry_at / UMX_SECOND),
                                 .tv_nsec = (long)(expiry_at % UMX_SECOND) * 1000};
        pthread_cond_timedwait(&enrolment->queue_changed, &enrolment->queue_mutex, &until);
    }
    pthread_mutex_unlock(&enrolment->queue_mutex);
    return NULL;
}

int umx_enrolment_start(struct umx_enrolment *enrolment, struct umx_error *err)
{
    if (pthread_create(&enrolment->thread, NULL, work, enrolment) != 0)
        return umx_fail(err, UMX_ERR_MEMORY, "enrolment", "no thread can be started");
    enrolment->started = true;
    return 0;
}

void umx_enrolment_stop(struct umx_enrolment *enrolment)
{
    if (enrolment == NULL)
        return;
    pthread_mutex_lock(&enrolment->queue_mutex);
    enrolment->stopping = true;
    pthread_cond_broadcast(&enrolment->queue_changed);
    pthread_mutex_unlock(&enrolment->queue_mutex);
    if (enrolment->started)
        pthread_join(enrolment->thread, NULL);
    enrolment->started = false;
    while (enrolment->queue != NULL) {
        struct enrol_renewal *next = enrolment->queue->next;
        free(enrolment->queue);
        enrolment->queue = next;
    }
    enrolment->queue_end = &enrolment->queue;
    enrolment->queue_count = 0;
}

int umx_enrolment_renew(struct umx_enrolment *enrolment, const struct umx_identity *agent, const uint8_t *request,
                        size_t length, struct umx_error *err)
{
    struct enrol_renewal *job = enrolment != NULL ? malloc(sizeof *job + length) : NULL;
    int status = 0;

    if (job == NULL)
        return umx_fail(err, enrolment == NULL ? UMX_ERR_PROTOCOL : UMX_ERR_MEMORY, agent->uri, NULL);
    *job = (struct enrol_renewal){.agent = *agent, .length = length};
    if (length > 0)
        memcpy(job->request, request, length);
    pthread_mutex_lock(&enrolment->queue_mutex);
    if (enrolment->queue_count >= ENROL_QUEUE_MAX || enrolment->stopping) {
        status = umx_fail(err, UMX_ERR_BUSY, agent->fqdn, "too many certificates wait to be renewed");
    } else {
        *enrolment->queue_end = job;
        enrolment->queue_end = &job->next;
        enrolment->queue_count++;
        pthread_cond_signal(&enrolment->queue_changed);
        job = NULL;
    }
    pthread_mutex_unlock(&enrolment->queue_mutex);
    free(job);
    return status;
}

/* Jobs of the lanes: collecting one table, running one action batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/session_internal.h"
#include "base/log.h"

/* ---- answers */

static void post(struct umx_session *session, const Umx__ToController *message)
{
    struct session_result packed = {0};
    struct umx_error err = {0};

    if (umx_reflect_pack(&message->base, &packed.bytes, &packed.length, &err) != 0) {
        umx_log_error("agent", &err);
        return;
    }
    pthread_mutex_lock(&session->mutex);
    if (session->result_count < RESULTS_MAX) {
        session->results[(session->first_result + session->result_count) % RESULTS_MAX] = packed;
        session->result_count++;
        session_pump(session);
        packed.bytes = NULL;
    }
    pthread_mutex_unlock(&session->mutex);
    /* A full ring means a controller that does not read; it will ask again. */
    free(packed.bytes);
}

void session_refuse(struct umx_session *session, const char *table, const char *why, int64_t query)
{
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    Umx__Report report = UMX__REPORT__INIT;

    report.table = (char *)(uintptr_t)table; /* packed, never changed, as the next one */
    report.error = (char *)(uintptr_t)why;
    report.has_query = 1;
    report.query = query;
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_REPORT;
    message.report = &report;
    post(session, &message);
}

/* ---- collecting */

struct collection {
    struct umx_session *session;
    const struct umx_collector *collector;
    bool report;
    int64_t query;
};

/* The controller may send other targets while a proof runs: the proof works on a copy. */
static int copy_targets(struct umx_session *session, struct umx_arena *arena, struct umx_collect *collect)
{
    Umx__ProofTarget **copies = umx_arena_alloc(arena, (UMX_COLLECT_TARGETS_MAX + 1) * sizeof(Umx__ProofTarget *));
    size_t count = 0;

    pthread_mutex_lock(&session->mutex);
    for (size_t i = 0; copies != NULL && i < session->target_count; i++)
        if ((copies[count] = umx_reflect_copy(&session->targets[i]->base, arena)) != NULL)
            count++;
    pthread_mutex_unlock(&session->mutex);
    collect->targets = copies;
    collect->target_count = count;
    return copies != NULL ? 0 : UMX_E_MEMORY;
}

static void collect(struct collection *job)
{
    struct umx_session *session = job->session;
    struct umx_spool_table *table = umx_spool_find(&session->spool, job->collector->table);
    struct umx_arena *arena = umx_arena_new(UMX_MAX_AGENT_MESSAGE * 2);
    struct umx_collect work = {
        .host = session->host, .program = session->program, .where = session->config->host, .stop = session->stop};
    struct umx_rows rows = {0};
    struct umx_error err = {0};
    bool changed = false;
    bool news = true;
    int status = arena == NULL ? umx_fail(&err, UMX_ERR_MEMORY, job->collector->table, NULL) : 0;

    if (job->query == 0) {
        pthread_mutex_lock(&session->mutex);
        session->queued[job->collector - umx_collectors] = false;
        pthread_mutex_unlock(&session->mutex);
    }
    if (status == 0 && job->collector->proof && copy_targets(session, arena, &work) != 0)
        status = umx_fail(&err, UMX_ERR_MEMORY, "proof", NULL);
    if (status == 0)
        status = umx_collect_table(job->collector, &work, &rows, &err);
    pthread_mutex_lock(&session->mutex);
    if (status == 0)
        status = umx_spool_put(table, &rows, job->report, job->query, &changed, &err);
    else
        news = umx_spool_fail(table, &err, job->query);
    session_pump(session);
    pthread_mutex_unlock(&session->mutex);
    if (status != 0 && news)
        umx_log_error("collect", &err);
    else if (changed)
        umx_log(UMX_LOG_DEBUG, "collect", "%s changed", job->collector->table);
    umx_rows_end(&rows);
    umx_arena_free(arena);
}

static void collect_job(void *argument, bool run)
{
    if (run)
        collect(argument);
    free(argument);
}

void session_collect(struct umx_session *session, const struct umx_collector *collector, bool report, int64_t query)
{
    enum session_lane lane = collector->proof ? LANE_PROOF : collector->quick ? LANE_QUICK : LANE_SHELL;
    size_t index = (size_t)(collector - umx_collectors);

    if (query == 0) {
        pthread_mutex_lock(&session->mutex);
        bool waits = session->queued[index] && !report;
        session->queued[index] = true;
        pthread_mutex_unlock(&session->mutex);
        if (waits)
            return;
    }
    struct collection *job = calloc(1, sizeof *job);
    if (job != NULL) {
        *job = (struct collection){.session = session, .collector = collector, .report = report, .query = query};
        if (umx_lane_post(&session->lanes[lane], collect_job, job))
            return;
    }
    free(job);
    umx_log(UMX_LOG_WARNING, "agent", "%s is not collected now: too much waits", collector->table);
    if (query != 0)
        session_refuse(session, collector->table, "too much waits at the agent", query);
}

/* ---- acting */

struct acting {
    struct umx_session *session;
    struct umx_arena *arena;
    Umx__ActionBatch *batch;
};

static void answer(void *user, const Umx__ActionResult *result)
{
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;

    message.message_case = UMX__TO_CONTROLLER__MESSAGE_ACTION_RESULT;
    message.action_result = (Umx__ActionResult *)(uintptr_t)result; /* packed, never changed */
    post(user, &message);
}

/* What a batch has changed is told at once, not at the next interval. */
static void report_touched(struct umx_session *session, const struct umx_action *action)
{
    const char *at = action != NULL && action->tables != NULL ? action->tables : "";
    char name[64];

    while (*at != '\0') {
        size_t length = strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        const struct umx_collector *collector = umx_collector_find(name);
        if (collector != NULL)
            session_collect(session, collector, false, 0);
        at += length;
        at += *at == ' ';
    }
}

static void act_job(void *argument, bool run)
{
    struct acting *job = argument;

    if (run) {
        umx_action_batch(job->session->host, job->session->journal, job->batch, answer, job->session);
        report_touched(job->session, umx_action_find(job->batch->action));
    }
    umx_arena_free(job->arena);
    free(job);
}

void session_act(struct umx_session *session, const Umx__ActionBatch *batch)
{
    struct acting *job = calloc(1, sizeof *job);

    if (job != NULL && (job->arena = umx_arena_new(UMX_MAX_AGENT_MESSAGE * UMX_ARENA_FACTOR)) != NULL &&
        (job->batch = umx_reflect_copy(&batch->base, job->arena)) != NULL) {
        job->session = session;
        if (umx_lane_post(&session->lanes[LANE_ACTION], act_job, job))
            return;
    }
    if (job != NULL)
        umx_arena_free(job->arena);
    free(job);
    umx_log(UMX_LOG_WARNING, "agent", "batch %s is not run: too much waits", batch->batch != NULL ? batch->batch : "?");
}

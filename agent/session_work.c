/* Jobs of the lanes: collecting one table, running one action batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/session_internal.h"
#include "base/clock.h"
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
};

/* The controller may send other targets while a proof runs: the proof works on a copy. */
static int copy_targets(struct umx_session *session, struct umx_arena *arena, struct umx_collect *collect)
{
    pthread_mutex_lock(&session->mutex);
    size_t count = session->target_count;
    Umx__ProofTarget **copies = umx_arena_alloc(arena, (count + 1) * sizeof(Umx__ProofTarget *));
    for (size_t i = 0; copies != NULL && i < count; i++)
        if ((copies[i] = umx_reflect_copy(&session->targets[i]->base, arena)) == NULL)
            copies = NULL;
    pthread_mutex_unlock(&session->mutex);
    collect->targets = copies;
    collect->target_count = count;
    return copies != NULL ? 0 : UMX_E_MEMORY;
}

/* What is wanted of the table now; false: nobody waits any more. Under the lock. */
static bool take_want(struct session_want *want, struct session_want *taken)
{
    int64_t now = umx_clock_monotonic();

    *taken = (struct session_want){.anyway = want->anyway, .report = want->report};
    for (size_t i = 0; i < want->queries.count; i++)
        if (want->until[i] > now)
            umx_spool_ask(&taken->queries, want->queries.query[i]);
    *want = (struct session_want){0};
    return taken->anyway || taken->queries.count > 0;
}

static void collect(struct collection *job)
{
    struct umx_session *session = job->session;
    struct session_want want;
    struct umx_spool_table *table = umx_spool_find(&session->spool, job->collector->table);
    pthread_mutex_lock(&session->mutex);
    bool wanted = take_want(&session->wants[job->collector - umx_collectors], &want);
    pthread_mutex_unlock(&session->mutex);
    if (!wanted)
        return;
    struct umx_arena *arena = umx_arena_new((size_t)UMX_MAX_AGENT_MESSAGE * UMX_ARENA_FACTOR);
    struct umx_collect work = {
        .host = session->host, .program = session->program, .where = session->config->host, .stop = session->stop};
    struct umx_rows rows = {0};
    struct umx_error err = {0};
    bool changed = false;
    bool news = true;
    int status = arena == NULL ? umx_fail(&err, UMX_ERR_MEMORY, job->collector->table, NULL) : 0;

    if (status == 0 && job->collector->proof && copy_targets(session, arena, &work) != 0)
        status = umx_fail(&err, UMX_ERR_MEMORY, "proof", NULL);
    if (status == 0)
        status = umx_collect_table(job->collector, &work, &rows, &err);
    pthread_mutex_lock(&session->mutex);
    if (status == 0)
        status = umx_spool_put(table, &rows, want.report, &want.queries, &changed, &err);
    else
        news = umx_spool_fail(table, &err, &want.queries);
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

/* Posts the collection that was just wanted, under the lock; false: its lane is full, and nobody waits now. */
static bool post_collection(struct umx_session *session, const struct umx_collector *collector)
{
    enum session_lane lane = collector->proof ? LANE_PROOF : collector->quick ? LANE_QUICK : LANE_SHELL;
    struct session_want *want = &session->wants[collector - umx_collectors];
    struct collection *job = calloc(1, sizeof *job);

    if (job != NULL) {
        *job = (struct collection){.session = session, .collector = collector};
        if (umx_lane_post(&session->lanes[lane], collect_job, job)) {
            want->queued = true;
            return true;
        }
    }
    free(job);
    *want = (struct session_want){0};
    return false;
}

void session_collect(struct umx_session *session, const struct umx_collector *collector, bool report)
{
    struct session_want *want = &session->wants[collector - umx_collectors];

    pthread_mutex_lock(&session->mutex);
    want->anyway = true;
    want->report = want->report || report;
    bool posted = want->queued || post_collection(session, collector);
    pthread_mutex_unlock(&session->mutex);
    if (!posted)
        umx_log(UMX_LOG_WARNING, "agent", "%s is not collected now: too much waits", collector->table);
}

void session_collect_for(struct umx_session *session, const struct umx_collector *collector, int64_t query,
                         int64_t until)
{
    struct session_want *want = &session->wants[collector - umx_collectors];

    pthread_mutex_lock(&session->mutex);
    bool posted = umx_spool_ask(&want->queries, query);
    if (posted)
        want->until[want->queries.count - 1] = until;
    posted = posted && (want->queued || post_collection(session, collector));
    pthread_mutex_unlock(&session->mutex);
    if (!posted)
        session_refuse(session, collector->table, "too much waits at the agent", query);
}

void session_forget(struct umx_session *session, int64_t query)
{
    pthread_mutex_lock(&session->mutex);
    for (size_t i = 0; i < umx_collector_count; i++) {
        struct session_want *want = &session->wants[i];
        for (size_t k = 0; k < want->queries.count; k++)
            if (want->queries.query[k] == query)
                memmove(want->until + k, want->until + k + 1, (want->queries.count - k - 1) * sizeof *want->until);
        umx_spool_forget(&want->queries, query);
        umx_spool_forget(&session->spool.tables[i].queries, query);
    }
    pthread_mutex_unlock(&session->mutex);
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
            session_collect(session, collector, false);
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

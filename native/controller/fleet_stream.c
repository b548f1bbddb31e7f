/* One agent's stream: who it is, what it may say, and putting reports together. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/authority.h"
#include "controller/enrolment.h"
#include "controller/fleet_internal.h"
#include "controller/refusals.h"

#define CROWDED (200 * UMX_MILLISECOND)

static int opened(void *user, struct umx_rpc_stream *stream, const struct umx_identity *peer, const char *address,
                  void **state, struct umx_error *err)
{
    struct umx_fleet *fleet = user;

    if (peer->role != UMX_ROLE_AGENT || strcmp(peer->deployment, fleet->controller->deployment) != 0)
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, peer->uri, "only agents of this deployment may attach");
    if (peer->fqdn[0] == '\0')
        return umx_fail(err, UMX_ERR_IDENTITY_INVALID, peer->uri, "the certificate names no server");
    int status = umx_enrolment_check(fleet->controller->enrolment, peer, err);
    if (status != 0)
        return status;
    struct fleet_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, peer->uri, NULL);
    session->fleet = fleet;
    session->stream = stream;
    session->identity = *peer;
    umx_text_copy(session->peer, sizeof session->peer, address);
    session->budget_at = umx_clock_monotonic();
    session->budget = FLEET_BURST * UMX_SECOND;
    session->budget_bytes = FLEET_BURST_BYTES;
    *state = session;
    return 0;
}

static void refuse(struct fleet_session *session, const struct umx_error *why)
{
    struct fleet_agent *agent;

    umx_log_error("fleet", why);
    umx_refusals_note(session->fleet->controller->refusals, &session->identity, session->peer, "Agents/Attach", why);
    pthread_mutex_lock(&session->fleet->mutex);
    agent = fleet_agent_by_uri(session->fleet, session->identity.uri);
    if (agent != NULL)
        umx_text_copy(agent->reason, sizeof agent->reason, umx_error_why(why));
    pthread_mutex_unlock(&session->fleet->mutex);
    umx_rpc_stream_close(session->stream, why);
}

static int take_hello(struct fleet_session *session, const Umx__Hello *hello, struct umx_error *err)
{
    struct umx_fleet *fleet = session->fleet;
    struct umx_error replaced = {0};
    struct umx_rpc_stream *old = NULL;
    int status = 0;

    if (session->agent != NULL)
        return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "a second Hello");
    if (hello->server == NULL || !umx_text_equal(hello->server, session->identity.fqdn))
        return umx_fail(err, UMX_ERR_FOREIGN_IDENTITY, session->identity.uri,
                        "it says that it is %s, its certificate says %s",
                        hello->server != NULL ? hello->server : "nobody", session->identity.fqdn);
    if (hello->protocol != FLEET_PROTOCOL)
        return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "protocol %d, this controller speaks %d",
                        hello->protocol, FLEET_PROTOCOL);
    pthread_mutex_lock(&fleet->mutex);
    struct fleet_agent *agent = fleet_agent_by_uri(fleet, session->identity.uri);
    if (agent == NULL) {
        char forest[UMX_FQDN_MAX] = "";
        umx_authority_agent_forest(fleet->controller->authority, session->identity.uri, forest);
        agent = fleet_agent_add(fleet, session->identity.uri, session->identity.fqdn, forest);
    }
    if (agent == NULL) {
        status = umx_fail(err, UMX_ERR_MEMORY, session->identity.uri, NULL);
    } else if ((status = umx_enrolment_check(fleet->controller->enrolment, &session->identity, err)) == 0) {
        /* Looked at again under the lock: it may have been revoked since the stream was opened. */
        /* The newest stream wins: a reconnecting agent arrives before its old connection is found dead. */
        if (agent->session != NULL) {
            old = agent->session->stream;
            fleet_collection_gone(agent->session);
            agent->session->agent = NULL;
            umx_fail(&replaced, UMX_ERR_CANCELLED, agent->uri, "the agent attached again from %s", session->peer);
            umx_rpc_stream_close(old, &replaced);
        }
        agent->session = session;
        agent->ever = true;
        agent->recorded = hello->recorded;
        agent->connected_at = umx_clock_now();
        agent->expires_at = session->identity.not_after_at;
        umx_text_copy(agent->key, sizeof agent->key, session->identity.key);
        agent->reason[0] = '\0';
        umx_text_copy(agent->version, sizeof agent->version, hello->version != NULL ? hello->version : "");
        umx_text_copy(agent->peer, sizeof agent->peer, session->peer);
        session->agent = agent;
        fleet_update_hello(agent, hello);
        fleet_picture_changed(fleet);
        fleet_head_heard(fleet, agent, hello->journal_head);
        fleet_send_welcome(session);
        fleet_trust_heard(session, hello->has_trust ? &hello->trust : NULL);
    }
    pthread_mutex_unlock(&fleet->mutex);
    if (status == 0)
        umx_log(UMX_LOG_INFO, "fleet", "%s attached from %s", session->identity.fqdn, session->peer);
    return status;
}

/* Every row of a report must be of its table and about the agent's own server. */
static int check_rows(const struct fleet_session *session, const struct umx_table *table, const Umx__World *rows,
                      struct umx_error *err)
{
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);

    for (size_t t = 0; t < tables; t++) {
        size_t count;
        if (all[t].derived)
            continue;
        ProtobufCMessage **items = umx_world_table(rows, &all[t], &count);
        if (count > 0 && &all[t] != table)
            return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "rows of %s in a report of %s", all[t].name,
                            table->name);
        const ProtobufCFieldDescriptor *server =
            protobuf_c_message_descriptor_get_field_by_name(all[t].record, "server");
        for (size_t i = 0; i < count; i++) {
            const char *name = NULL;
            if (server != NULL)
                memcpy(&name, (const char *)items[i] + server->offset, sizeof name);
            if (name == NULL || !umx_text_equal(name, session->identity.fqdn))
                return umx_fail(err, UMX_ERR_FOREIGN_IDENTITY, session->identity.uri,
                                "a row of %s speaks for %s, the certificate says %s", table->name,
                                name != NULL ? name : "nobody", session->identity.fqdn);
        }
    }
    return 0;
}

/* Tables an agent may report: those whose records name a server, but not the controller's own view of agents. */
const struct umx_table *fleet_reported_table(const char *name)
{
    const struct umx_table *table = name != NULL ? umx_reflect_table(name) : NULL;

    if (table == NULL || table->derived || strcmp(table->name, "agent") == 0 ||
        strcmp(table->name, "exchange_server") == 0 ||
        protobuf_c_message_descriptor_get_field_by_name(table->record, "server") == NULL)
        return NULL;
    return table;
}

static void drop_rows(struct fleet_session *session)
{
    umx_world_free(session->rows);
    session->rows = NULL;
    session->table = NULL;
}

/* The controller holds this; with the mutex held. */
static void confirm(struct fleet_session *session, const struct umx_table *table, int64_t generation, int64_t query)
{
    struct fleet_table *known = fleet_agent_table(session->agent, table);
    Umx__Accepted accepted = UMX__ACCEPTED__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    char name[64];

    known->generation = generation;
    known->failed = false;
    known->confirmed_on = umx_clock_monotonic();
    known->confirmed_at = session->agent->last_report_at = umx_clock_now();
    umx_text_copy(name, sizeof name, table->name);
    accepted.table = name;
    accepted.has_generation = accepted.has_resend = 1;
    accepted.generation = generation;
    message.message_case = UMX__TO_AGENT__MESSAGE_ACCEPTED;
    message.accepted = &accepted;
    fleet_collection_answered(session, table, query, false);
    fleet_send(session, &message);
}

/* Rows that are what is stored are not written again; with the mutex held. */
static bool is_stored(struct fleet_session *session, const struct fleet_job *job)
{
    struct fleet_table *known = session->agent != NULL ? fleet_agent_table(session->agent, job->table) : NULL;

    return known != NULL && known->known && known->waiting == NULL && !known->storing &&
           memcmp(known->digest, job->digest, FLEET_DIGEST) == 0;
}

static int complete_report(struct fleet_session *session, const Umx__Report *report, struct umx_error *err)
{
    struct fleet_job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, session->identity.uri, NULL);
    umx_text_copy(job->uri, sizeof job->uri, session->identity.uri);
    umx_text_copy(job->server, sizeof job->server, session->identity.fqdn);
    job->table = session->table;
    job->generation = report->generation;
    job->query = report->query;
    memcpy(job->digest, report->digest.data, FLEET_DIGEST);
    job->rows = session->rows;
    session->rows = NULL;
    session->table = NULL;
    pthread_mutex_lock(&session->fleet->mutex);
    bool crowded = false, stored = is_stored(session, job);
    int queued = stored ? 0 : fleet_enqueue(session, job, &crowded);
    if (stored)
        confirm(session, job->table, job->generation, job->query);
    pthread_mutex_unlock(&session->fleet->mutex);
    if (crowded)
        umx_rpc_stream_pause(session->stream, CROWDED);
    if (queued == 0 && !stored)
        return 0;
    if (stored) {
        umx_world_free(job->rows);
        free(job);
        return 0;
    }
    umx_world_free(job->rows);
    free(job);
    return umx_fail(err, UMX_ERR_BUSY, session->identity.uri, "too many reports wait to be stored");
}

/* A digest that is known needs no rows; one that is not is asked for. */
static void take_unchanged(struct fleet_session *session, const struct umx_table *table, const Umx__Report *report)
{
    Umx__Accepted accepted = UMX__ACCEPTED__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;

    accepted.table = report->table;
    accepted.has_generation = 1;
    accepted.generation = report->generation;
    accepted.has_resend = 1;
    message.message_case = UMX__TO_AGENT__MESSAGE_ACCEPTED;
    message.accepted = &accepted;
    pthread_mutex_lock(&session->fleet->mutex);
    struct fleet_table *known = session->agent != NULL ? fleet_agent_table(session->agent, table) : NULL;
    accepted.resend = known == NULL || !known->known || known->waiting != NULL || known->storing ||
                      memcmp(known->digest, report->digest.data, FLEET_DIGEST) != 0;
    if (!accepted.resend) {
        confirm(session, table, report->generation, report->query);
    } else {
        fleet_collection_resent(session, table, report->query);
        fleet_send(session, &message);
    }
    pthread_mutex_unlock(&session->fleet->mutex);
}

static int take_report(struct fleet_session *session, const Umx__Report *report, struct umx_error *err)
{
    const bool failed = report->error != NULL && report->error[0] != '\0';
    /* Why not may be said of any table that was asked for. */
    const struct umx_table *table =
        failed && report->table != NULL ? umx_reflect_table(report->table) : fleet_reported_table(report->table);
    int32_t chunks = report->has_chunks ? report->chunks : 1;

    if (table == NULL)
        return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "a report of %s",
                        report->table != NULL ? report->table : "no table");
    if (failed) {
        umx_log(UMX_LOG_WARNING, "fleet", "%s: %s: %s", session->identity.fqdn, table->name, report->error);
        pthread_mutex_lock(&session->fleet->mutex);
        struct fleet_table *known =
            session->agent != NULL && !table->derived ? fleet_agent_table(session->agent, table) : NULL;
        if (known != NULL)
            known->failed = true;
        if (report->query != 0)
            fleet_collection_failed(session, table, report->query, report->error);
        pthread_mutex_unlock(&session->fleet->mutex);
        return 0;
    }
    if (report->digest.len != FLEET_DIGEST)
        return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "a report of %s without digest", table->name);
    if (report->unchanged) {
        take_unchanged(session, table, report);
        return 0;
    }
    if (report->chunk == 0) {
        drop_rows(session);
        session->rows = umx_world_new(umx_clock_now());
        session->table = table;
        session->generation = report->generation;
        session->chunks_seen = 0;
        if (session->rows == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, session->identity.uri, NULL);
    }
    if (session->table != table || session->generation != report->generation || report->chunk != session->chunks_seen ||
        report->chunk >= chunks)
        return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "a chunk of %s out of order", table->name);
    if (report->rows != NULL) {
        int status = check_rows(session, table, report->rows, err);
        if (status == 0)
            status = umx_world_add_all(session->rows, report->rows, err);
        if (status == 0 && umx_arena_used(umx_world_arena(session->rows)) > FLEET_REPORT_CAP)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, session->identity.uri, "table %s", table->name);
        if (status != 0)
            return status;
    }
    session->chunks_seen++;
    return session->chunks_seen == chunks ? complete_report(session, report, err) : 0;
}

/* A renewal costs a key's signature and a line of issued.tsv until it ends: a rotation that is turned back and forth
 * needs a few, and a month one. */
static bool may_renew(struct fleet_session *session)
{
    struct fleet_agent *agent = session->agent;
    int64_t now = umx_clock_monotonic();

    pthread_mutex_lock(&session->fleet->mutex);
    int64_t due = agent->renewal_due > now ? agent->renewal_due : now;
    bool good = due - now <= (FLEET_RENEWALS - 1) * FLEET_RENEWAL_INTERVAL;
    if (good)
        agent->renewal_due = due + FLEET_RENEWAL_INTERVAL;
    pthread_mutex_unlock(&session->fleet->mutex);
    return good;
}

/* A refusal is an answer, not the end of the stream. */
static void take_renew(struct fleet_session *session, const Umx__Renew *renew)
{
    struct umx_fleet *fleet = session->fleet;
    struct umx_error err = {0};

    if (!may_renew(session)) {
        umx_fail(&err, UMX_ERR_BUSY, session->identity.fqdn, "it asks for a new certificate too often");
        umx_fleet_renewed(fleet, &session->identity, NULL, &err);
        return;
    }
    if (umx_enrolment_renew(fleet->controller->enrolment, &session->identity, renew->request.data, renew->request.len,
                            &err) != 0)
        umx_fleet_renewed(fleet, &session->identity, NULL, &err);
}

static int take_message(struct fleet_session *session, const Umx__ToController *message, struct umx_error *err)
{
    bool hello = message->message_case == UMX__TO_CONTROLLER__MESSAGE_HELLO;

    if (!hello && session->agent == NULL)
        return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "a message before Hello");
    switch (message->message_case) {
    case UMX__TO_CONTROLLER__MESSAGE_HELLO:
        return take_hello(session, message->hello, err);
    case UMX__TO_CONTROLLER__MESSAGE_REPORT:
        return take_report(session, message->report, err);
    case UMX__TO_CONTROLLER__MESSAGE_ACTION_RESULT:
        pthread_mutex_lock(&session->fleet->mutex);
        fleet_action_result(session, message->action_result);
        pthread_mutex_unlock(&session->fleet->mutex);
        return 0;
    case UMX__TO_CONTROLLER__MESSAGE_RENEW:
        take_renew(session, message->renew);
        return 0;
    case UMX__TO_CONTROLLER__MESSAGE_TRUST_TAKEN:
        pthread_mutex_lock(&session->fleet->mutex);
        fleet_trust_heard(session, message->trust_taken->has_id ? &message->trust_taken->id : NULL);
        pthread_mutex_unlock(&session->fleet->mutex);
        return 0;
    case UMX__TO_CONTROLLER__MESSAGE_UPDATE_STATE:
        fleet_update_heard(session, message->update_state);
        return 0;
    default:
        return umx_fail(err, UMX_ERR_PROTOCOL, session->identity.uri, "an unknown message");
    }
}

/* What an agent may say is far more than it has to say; one that says more is read again when its budget is good for
 * a second. Others wait for none of it. */
static void spend(struct fleet_session *session, size_t length)
{
    int64_t now = umx_clock_monotonic(), passed = now - session->budget_at;
    bool first = false;
    char at[UMX_CLOCK_TEXT];

    if (passed > UMX_MINUTE)
        passed = UMX_MINUTE;
    if (passed > UMX_SECOND / 10) {
        session->budget += FLEET_RATE * passed; /* in messages times a second */
        session->budget_bytes += FLEET_RATE_BYTES * passed / UMX_SECOND;
        if (session->budget > FLEET_BURST * UMX_SECOND)
            session->budget = FLEET_BURST * UMX_SECOND;
        if (session->budget_bytes > FLEET_BURST_BYTES)
            session->budget_bytes = FLEET_BURST_BYTES;
        session->budget_at = now;
    }
    session->budget -= UMX_SECOND;
    session->budget_bytes -= (int64_t)length;
    if (session->budget >= 0 && session->budget_bytes >= 0)
        return;
    umx_rpc_stream_pause(session->stream, UMX_SECOND);
    pthread_mutex_lock(&session->fleet->mutex);
    if (session->agent != NULL) {
        int64_t wall = umx_clock_now();
        first = wall - session->agent->held_at > UMX_MINUTE;
        session->agent->held++;
        session->agent->held_at = wall;
    }
    pthread_mutex_unlock(&session->fleet->mutex);
    if (first)
        umx_log(UMX_LOG_WARNING, "fleet", "%s says too much (%s): its stream is read slowly", session->identity.fqdn,
                umx_clock_format(umx_clock_now(), at));
}

static void message(void *state, const uint8_t *bytes, size_t length)
{
    struct fleet_session *session = state;
    struct umx_error err = {0};
    struct umx_arena *arena = umx_arena_new(length * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
    ProtobufCMessage *unpacked = NULL;
    int status = arena == NULL
                     ? umx_fail(&err, UMX_ERR_MEMORY, session->identity.uri, NULL)
                     : umx_reflect_unpack(&umx__to_controller__descriptor, bytes, length, arena, &unpacked, &err);

    if (status == 0)
        status = take_message(session, (const Umx__ToController *)unpacked, &err);
    if (status != 0)
        refuse(session, &err);
    else
        spend(session, length);
    umx_arena_free(arena);
}

static void closed(void *state)
{
    struct fleet_session *session = state;
    struct umx_fleet *fleet = session->fleet;

    pthread_mutex_lock(&fleet->mutex);
    if (session->agent != NULL && session->agent->session == session) {
        session->agent->session = NULL;
        session->agent->gone_at = umx_clock_now();
        fleet_picture_changed(fleet);
        if (session->agent->reason[0] == '\0')
            umx_text_copy(session->agent->reason, sizeof session->agent->reason, "the connection ended");
    }
    for (struct fleet_wait *wait = fleet->waits; wait != NULL; wait = wait->next)
        if (wait->session == session)
            wait->gone = true;
    fleet_collection_gone(session);
    pthread_cond_broadcast(&fleet->changed);
    pthread_mutex_unlock(&fleet->mutex);
    drop_rows(session);
    free(session);
}

const struct umx_rpc_stream_handler umx_fleet_handler = {.opened = opened, .message = message, .closed = closed};

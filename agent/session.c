#include "agent/session.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/event.h"
#include "agent/head.h"
#include "agent/renew.h"
#include "agent/service.h"
#include "agent/session_internal.h"
#include "agent/trust.h"
#include "agent/update.h"
#include "base/clock.h"
#include "base/log.h"

#define TICK (500 * UMX_MILLISECOND)
#define TICK_BEHIND (20 * UMX_MILLISECOND) /* while the stream is full */
#define CHANGE_INTERVAL (3 * UMX_SECOND)
#define FIRST_WAIT UMX_SECOND
#define WATCH_TURN (60 * UMX_SECOND)
#define STEADY (30 * UMX_SECOND) /* a stream that lived this long makes the next wait short again */

enum { COLLECT_LONGEST = 600 }; /* seconds that a Collect is remembered at most */

/* What only the session's thread touches. */
struct life {
    struct umx_session *session;
    uint64_t identity_stamp; /* of the identity that the channel has */
    uint64_t seen_stamp;     /* of the identity file when it was last looked at */
    struct umx_rpc_channel *channel;
    int64_t connect_at; /* monotonic, as all times here */
    int64_t wait;
    int64_t attached_at; /* 0: no stream, or no Welcome yet */
    int64_t changes_at;
    int64_t report_at;
    int64_t report_interval;
    uint64_t stamp;
    bool behind;
    bool attach_again; /* with a new identity */
    struct umx_agent_head head;
    struct umx_renewal renewal;
    struct umx_agent_trust trust;
    struct umx_update update;
    struct umx_presence presence;
    struct umx_error parted; /* why there is no stream, when a reason is known */
    bool told_renewal;       /* that it failed, since the last one that did not */
};

/* A random time below limit. */
static int64_t random_below(int64_t limit)
{
    uint64_t number = 0;

    if (limit <= 0 || RAND_bytes((unsigned char *)&number, sizeof number) != 1)
        return 0;
    return (int64_t)(number % (uint64_t)limit);
}

bool session_pump(struct umx_session *session)
{
    struct umx_spool_table *table = NULL;

    while (session->call != NULL && session->attached && session->result_count > 0) {
        struct session_result *result = &session->results[session->first_result];
        int status = umx_rpc_call_send(session->call, result->bytes, result->length);
        if (status != 0 && status != UMX_E_ARGUMENT)
            return true;
        free(result->bytes);
        *result = (struct session_result){0};
        session->first_result = (session->first_result + 1) % RESULTS_MAX;
        session->result_count--;
    }
    while (session->call != NULL && session->attached) {
        struct umx_error err = {0};
        uint8_t *bytes = NULL;
        size_t length = 0;
        if (umx_spool_next(&session->spool, &table, &bytes, &length, &err) != 0) {
            umx_log_error("agent", &err);
            return true;
        }
        if (table == NULL)
            return false;
        int status = umx_rpc_call_send(session->call, bytes, length);
        free(bytes);
        if (status != 0)
            return true;
        umx_spool_sent(table);
    }
    return false;
}

/* ---- what the controller says */

static void take_targets(struct umx_session *session, const Umx__Welcome *welcome)
{
    struct umx_arena *arena = umx_arena_new(UMX_MAX_AGENT_MESSAGE * UMX_ARENA_FACTOR);
    size_t count = welcome->n_proof; /* as many as the controller's message holds */
    Umx__ProofTarget **targets =
        arena != NULL ? umx_arena_alloc(arena, (count + 1) * sizeof(Umx__ProofTarget *)) : NULL;

    for (size_t i = 0; targets != NULL && i < count; i++)
        if ((targets[i] = umx_reflect_copy(&welcome->proof[i]->base, arena)) == NULL)
            targets = NULL;
    if (targets == NULL) {
        umx_arena_free(arena);
        umx_log(UMX_LOG_WARNING, "agent", "the controller's proof targets do not fit into memory");
        return;
    }
    pthread_mutex_lock(&session->mutex);
    bool same = count == session->target_count;
    for (size_t i = 0; same && i < count; i++)
        same = umx_reflect_equal(&targets[i]->base, &session->targets[i]->base);
    struct umx_arena *old = same ? arena : session->target_arena;
    if (!same) {
        session->target_arena = arena;
        session->targets = targets;
        session->target_count = count;
    }
    pthread_mutex_unlock(&session->mutex);
    umx_arena_free(old);
    if (!same)
        session_collect(session, umx_collector_find("proof"), false);
}

static void take_head(struct life *life, const Umx__JournalHead *told)
{
    struct umx_error err = {0};

    if (umx_agent_head_keep(life->session->config->state, &life->head, told, &err) != 0)
        umx_log_error("agent", &err);
}

/* Says which trust is kept now. */
static void answer_trust(struct life *life)
{
    Umx__TrustTaken taken = UMX__TRUST_TAKEN__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    struct umx_error err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;

    taken.has_id = 1;
    taken.id = (ProtobufCBinaryData){.len = sizeof life->trust.trust.id, .data = life->trust.trust.id};
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_TRUST_TAKEN;
    message.trust_taken = &taken;
    if (umx_reflect_pack(&message.base, &bytes, &length, &err) != 0)
        umx_log_error("agent", &err);
    else /* a stream that is full says it again when it is told again, at the next attach */
        umx_rpc_call_send(life->session->call, bytes, length);
    free(bytes);
}

/* Kept before it is answered: whoever answered will be met with certificates that only this trust accepts. */
static void take_trust(struct life *life, const Umx__PeerTrust *told)
{
    struct umx_error err = {0};
    bool changed = false;

    if (umx_agent_trust_keep(life->session->config->state, &life->trust, told->certificates, &changed, &err) != 0) {
        umx_log_error("agent", &err);
        return;
    }
    if (changed) {
        life->identity_stamp = 0; /* the next connection is opened with it */
        umx_renewal_trust(&life->renewal, &life->trust.trust);
        umx_log(UMX_LOG_INFO, "agent", "the controller told whom to trust from now on");
    }
    if (!told->renew || changed)
        answer_trust(life);
    else
        umx_renewal_hurry(&life->renewal, told->within > 0 && told->within <= 86400 ? told->within : 0);
}

static void take_welcome(struct life *life, const Umx__Welcome *welcome)
{
    struct umx_session *session = life->session;
    int seconds = session->config->report_interval;

    if (seconds == 0 && welcome->report_interval >= 1 && welcome->report_interval <= 86400)
        seconds = welcome->report_interval;
    life->report_interval = (seconds != 0 ? seconds : UMX_AGENT_REPORT_INTERVAL) * UMX_SECOND;
    take_targets(session, welcome);
    take_head(life, welcome->journal_head);
    if (life->attached_at != 0)
        return; /* a later Welcome only brings other targets */
    life->attached_at = umx_clock_monotonic();
    umx_update_attached(&life->update);
    umx_log(UMX_LOG_INFO, "agent", "attached to %s", welcome->controller != NULL ? welcome->controller : "controller");
    pthread_mutex_lock(&session->mutex);
    session->attached = true;
    umx_spool_attach(&session->spool);
    life->behind = session_pump(session);
    pthread_mutex_unlock(&session->mutex);
}

static void take_collect(struct umx_session *session, const Umx__Collect *collect)
{
    int seconds = collect->timeout >= 1 && collect->timeout <= COLLECT_LONGEST ? collect->timeout : COLLECT_LONGEST;
    int64_t until = umx_clock_monotonic() + seconds * UMX_SECOND;

    for (size_t j = 0; collect->query != 0 && j < collect->n_table; j++)
        if (umx_collector_find(collect->table[j]) == NULL)
            session_refuse(session, collect->table[j], "an agent does not collect this table", collect->query);
    for (size_t i = 0; i < umx_collector_count; i++) {
        bool wanted = collect->n_table == 0;
        for (size_t j = 0; j < collect->n_table; j++)
            wanted = wanted || strcmp(collect->table[j], umx_collectors[i].table) == 0;
        if (wanted && collect->query != 0)
            session_collect_for(session, &umx_collectors[i], collect->query, until);
        else if (wanted)
            session_collect(session, &umx_collectors[i], true);
    }
}

/* A renewal that failed is told, and tried again later: the stream is good until the certificate ends. */
static void take_renewed(struct life *life, const Umx__Renewed *renewed)
{
    struct umx_error err = {0};
    const char *identity = life->session->config->identity;

    if (umx_renewal_take(&life->renewal, renewed, identity, &err) == 0) {
        life->attach_again = true;
        life->told_renewal = false;
        umx_event_tell(UMX_EVENT_CERTIFICATE_RENEWED, identity, NULL, NULL);
        return;
    }
    umx_log_error("agent", &err);
    if (!life->told_renewal)
        umx_event_tell_error(UMX_EVENT_CERTIFICATE_KEPT, identity, &err);
    life->told_renewal = true;
}

static int take(struct life *life, const uint8_t *bytes, size_t length, struct umx_error *err)
{
    struct umx_session *session = life->session;
    struct umx_arena *arena = umx_arena_new(length * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
    ProtobufCMessage *unpacked = NULL;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "message", NULL)
                               : umx_reflect_unpack(&umx__to_agent__descriptor, bytes, length, arena, &unpacked, err);

    if (status == 0) {
        const Umx__ToAgent *message = (const Umx__ToAgent *)unpacked;
        bool welcome = message->message_case == UMX__TO_AGENT__MESSAGE_WELCOME;
        if (welcome)
            take_welcome(life, message->welcome);
        else if (life->attached_at == 0)
            status = umx_fail(err, UMX_ERR_PROTOCOL, session->config->controller, "a message before Welcome");
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_COLLECT)
            take_collect(session, message->collect);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_CANCEL)
            session_forget(session, message->cancel->query);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_ACTION)
            session_act(session, message->action);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_RENEWED)
            take_renewed(life, message->renewed);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_JOURNAL_HEAD)
            take_head(life, message->journal_head);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_TRUST)
            take_trust(life, message->trust);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_UPDATE_OFFER)
            umx_update_offer(&life->update, message->update_offer);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_UPDATE_PART)
            umx_update_part(&life->update, message->update_part);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_UPDATE_CONFIRM)
            umx_update_confirm(&life->update, message->update_confirm);
        else if (message->message_case == UMX__TO_AGENT__MESSAGE_ACCEPTED) {
            pthread_mutex_lock(&session->mutex);
            umx_spool_accepted(&session->spool, message->accepted);
            life->behind = session_pump(session);
            pthread_mutex_unlock(&session->mutex);
        }
    }
    umx_arena_free(arena);
    return status;
}

/* ---- the stream */

static void detach(struct life *life)
{
    struct umx_session *session = life->session;

    pthread_mutex_lock(&session->mutex);
    struct umx_rpc_client_call *call = session->call;
    session->call = NULL;
    session->attached = false;
    pthread_mutex_unlock(&session->mutex);
    umx_rpc_call_close(call);
    umx_renewal_gone(&life->renewal);
}

static void wait_to_connect(struct life *life, const struct umx_error *why)
{
    const struct umx_agent_config *config = life->session->config;
    int64_t now = umx_clock_monotonic();
    int64_t wait;

    /* After a connection that failed gRPC tries again by itself, but moves bytes only while somebody waits in a call,
     * and a call does not wait for a channel in that state: the handshake would crawl. A new channel's first call
     * waits. */
    if (life->attached_at == 0) {
        umx_rpc_channel_close(life->channel);
        life->channel = NULL;
    }
    if (life->attached_at != 0 && now - life->attached_at >= STEADY)
        life->wait = FIRST_WAIT;
    if (why->status == UMX_E_DENIED) {
        wait = config->refused_wait * UMX_SECOND;
    } else {
        wait = life->wait / 2 + random_below(life->wait);
        life->wait =
            2 * life->wait < config->longest_wait * UMX_SECOND ? 2 * life->wait : config->longest_wait * UMX_SECOND;
    }
    life->attached_at = 0;
    life->connect_at = now + wait;
    if (why->status != 0)
        umx_log_error("agent", why);
    life->parted = *why;
    umx_log(UMX_LOG_INFO, "agent", "not connected to %s; the next attempt is in %lld ms", config->controller,
            (long long)(wait / UMX_MILLISECOND));
}

/* The identity file, when it is this host's. */
static int load_identity(const struct umx_session *session, struct umx_identity_file *out, struct umx_error *err)
{
    const char *path = session->config->identity;
    const char *fqdn = session->host->identity.fqdn;
    char end[UMX_CLOCK_TEXT];

    if (!umx_agent_file_private(path))
        umx_log(UMX_LOG_WARNING, "agent", "%s holds a private key and others can read or write it: chmod 600", path);
    int status = umx_identity_file_load(path, out, err);
    if (status != 0)
        return status;
    if (out->identity.role != UMX_ROLE_AGENT)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path, "%s is not an agent", out->identity.uri);
    else if (!umx_text_equal(out->identity.fqdn, fqdn))
        status = umx_fail(err, UMX_ERR_FOREIGN_IDENTITY, path, "the certificate is for %s, this host is %s",
                          out->identity.fqdn, fqdn);
    else if (out->identity.not_after_at <= umx_clock_now())
        status = umx_fail(err, UMX_ERR_AGENT_EXPIRED, fqdn, "%s ended at %s", path,
                          umx_clock_format(out->identity.not_after_at, end));
    if (status != 0)
        umx_identity_file_free(out);
    return status;
}

/* The identity may have been replaced on disk: a new channel takes the new one. */
static int open_channel(struct life *life, struct umx_error *err)
{
    const struct umx_session *session = life->session;
    struct umx_identity_file identity;
    uint64_t stamp = 1;

    umx_agent_file_stamp(session->config->identity, &stamp);
    life->seen_stamp = stamp;
    if (life->channel != NULL && stamp == life->identity_stamp)
        return 0;
    int status = load_identity(session, &identity, err);
    if (status != 0)
        return status;
    if ((status = umx_renewal_begin(&life->renewal, &identity, err)) != 0) {
        umx_identity_file_free(&identity);
        return status;
    }
    umx_renewal_trust(&life->renewal, life->trust.known ? &life->trust.trust : NULL);
    umx_rpc_channel_close(life->channel);
    life->channel = NULL;
    life->identity_stamp = stamp;
    const struct umx_rpc_tls tls = umx_agent_trust_tls(&life->trust, &identity);
    status = umx_rpc_channel_open(session->config->controller, &tls, NULL, UMX_MAX_AGENT_MESSAGE, &life->channel, err);
    umx_identity_file_free(&identity); /* gRPC has its own copy */
    return status;
}

static int connect_stream(struct life *life, struct umx_error *err)
{
    struct umx_session *session = life->session;
    Umx__Hello hello = UMX__HELLO__INIT;
    Umx__JournalHead head = UMX__JOURNAL_HEAD__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    char server[UMX_FQDN_MAX];
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct umx_rpc_client_call *call = NULL;
    int status = open_channel(life, err);

    if (status != 0)
        return status;
    umx_text_copy(server, sizeof server, session->host->identity.fqdn);
    hello.server = server;
    hello.version = (char *)(uintptr_t)UMX_VERSION; /* packed, never changed, as those below */
    hello.has_protocol = hello.has_recorded = hello.has_clock_at = 1;
    hello.protocol = UMX_AGENT_PROTOCOL;
    hello.recorded = session->host->identity.recorded;
    hello.clock_at = umx_clock_now();
    if (life->head.sequence > 0) {
        head.has_sequence = head.has_hash = 1;
        head.sequence = life->head.sequence;
        head.hash = (ProtobufCBinaryData){.len = sizeof life->head.hash, .data = life->head.hash};
        hello.journal_head = &head;
    }
    hello.package_kind = (char *)(uintptr_t)umx_update_kind(&life->update);
    if (hello.package_kind != NULL)
        hello.package_architecture = (char *)(uintptr_t)umx_release_architecture();
    if (life->trust.known) {
        hello.has_trust = 1;
        hello.trust = (ProtobufCBinaryData){.len = sizeof life->trust.trust.id, .data = life->trust.trust.id};
    }
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_HELLO;
    message.hello = &hello;
    if ((status = umx_reflect_pack(&message.base, &bytes, &length, err)) != 0)
        return status;
    status = umx_rpc_call_start(life->channel, "/umx.v1.Agents/Attach", bytes, length, false, 0, &call, err);
    free(bytes);
    if (status != 0)
        return status;
    pthread_mutex_lock(&session->mutex);
    session->call = call;
    session->attached = false;
    pthread_mutex_unlock(&session->mutex);
    return 0;
}

static void ask_for_renewal(struct life *life)
{
    struct umx_session *session = life->session;
    Umx__Renew renew = UMX__RENEW__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    struct umx_error err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;
    int status = umx_renewal_ask(&life->renewal, &renew.request.data, &renew.request.len, &err);

    renew.has_request = 1;
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_RENEW;
    message.renew = &renew;
    if (status == 0)
        status = umx_reflect_pack(&message.base, &bytes, &length, &err);
    if (status == 0)
        umx_rpc_call_send(session->call, bytes, length); /* when it is not taken, it is asked again after a while */
    else
        umx_log_error("agent", &err);
    free(bytes);
    free(renew.request.data);
}

/* What the stream does not take now is said in the next round. */
static void tell_update(struct life *life)
{
    Umx__UpdateState said;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    struct umx_error err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;

    umx_update_look(&life->update);
    if (!umx_update_say(&life->update, &said))
        return;
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_UPDATE_STATE;
    message.update_state = &said;
    if (umx_reflect_pack(&message.base, &bytes, &length, &err) != 0)
        umx_log_error("agent", &err);
    else if (umx_rpc_call_send(life->session->call, bytes, length) == 0)
        umx_update_said(&life->update);
    free(bytes);
}

/* The new identity is on the disk: the stream is left for a new one, at once. */
static void attach_again(struct life *life)
{
    life->attach_again = false;
    umx_log(UMX_LOG_INFO, "agent", "the certificate was renewed; attaching with the new one");
    detach(life);
    life->attached_at = 0;
    life->wait = FIRST_WAIT;
    life->connect_at = umx_clock_monotonic();
}

/* One round with a stream: waits for a message or the tick. */
static void listen(struct life *life)
{
    struct umx_session *session = life->session;
    struct umx_error err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;

    if (life->attached_at != 0 && umx_renewal_due(&life->renewal))
        ask_for_renewal(life);
    if (life->attached_at != 0)
        tell_update(life);
    switch (umx_rpc_call_next(session->call, life->behind ? TICK_BEHIND : TICK, &bytes, &length, &err)) {
    case UMX_RPC_MESSAGE:
        if (take(life, bytes, length, &err) != 0) {
            detach(life);
            wait_to_connect(life, &err);
        } else if (life->attach_again) {
            attach_again(life);
        }
        break;
    case UMX_RPC_END:
        detach(life);
        wait_to_connect(life, &err);
        break;
    case UMX_RPC_TIMEOUT:
        pthread_mutex_lock(&session->mutex);
        life->behind = session_pump(session);
        pthread_mutex_unlock(&session->mutex);
        break;
    }
    free(bytes);
}

/* ---- time */

static void collect_all(struct life *life, bool report, bool with_proofs)
{
    for (size_t i = 0; i < umx_collector_count; i++)
        if (with_proofs || !umx_collectors[i].proof)
            session_collect(life->session, &umx_collectors[i], report);
}

/* Looks for changes. A host that tells of them by itself is only asked for what it is blind to; one that can say
 * whether something changed is asked that first; any other has its quick tables collected again. */
static void look_for_changes(struct life *life)
{
    const struct umx_session *session = life->session;
    uint64_t stamp = session->watch == NULL ? umx_host_stamp(session->host) : 0;
    unsigned blind = session->watch != NULL ? session->watch->blind : UMX_HOST_ALL;

    if (stamp != 0 && stamp != life->stamp)
        collect_all(life, false, false);
    for (size_t i = 0; stamp == 0 && i < umx_collector_count; i++)
        if (umx_collectors[i].quick && (umx_collectors[i].areas & blind) != 0)
            session_collect(life->session, &umx_collectors[i], false);
    life->stamp = stamp;
}

/* The watch's thread: what reads the parts of the host that changed is collected, and reported when it differs. */
static void *follow_changes(void *user)
{
    struct umx_session *session = user;

    while (!atomic_load(session->stop)) {
        unsigned areas = umx_host_watch_wait(session->watch, WATCH_TURN);
        for (size_t i = 0; areas != 0 && i < umx_collector_count; i++)
            if (!umx_collectors[i].proof && (umx_collectors[i].areas & areas) != 0)
                session_collect(session, &umx_collectors[i], false);
    }
    return NULL;
}

/* A host without notifications, or a machine without a thread for them, is looked at instead. */
static void begin_watch(struct umx_session *session, pthread_t *thread)
{
    struct umx_error err = {0};
    int status = umx_host_watch_open(session->host, &session->watch, &err);

    if (status == 0 && pthread_create(thread, NULL, follow_changes, session) != 0) {
        umx_host_watch_close(session->watch);
        session->watch = NULL;
    }
    if (status != 0 && err.status != 0)
        umx_log_error("agent", &err);
}

static void end_watch(struct umx_session *session, pthread_t thread)
{
    if (session->watch == NULL)
        return;
    umx_host_watch_wake(session->watch);
    pthread_join(thread, NULL);
    umx_host_watch_close(session->watch);
    session->watch = NULL;
}

static void keep_time(struct life *life)
{
    int64_t now = umx_clock_monotonic();

    if (now >= life->report_at) {
        life->report_at = now + life->report_interval;
        life->changes_at = now + CHANGE_INTERVAL;
        life->stamp = life->session->watch == NULL ? umx_host_stamp(life->session->host) : 0;
        collect_all(life, true, true);
    } else if (now >= life->changes_at) {
        life->changes_at = now + CHANGE_INTERVAL;
        look_for_changes(life);
    }
    /* A Welcome may have brought a shorter interval. */
    if (life->report_at > now + life->report_interval)
        life->report_at = now + life->report_interval;
}

static void doze(int64_t until)
{
    int64_t left = until - umx_clock_monotonic();

    if (left > 100 * UMX_MILLISECOND)
        left = 100 * UMX_MILLISECOND;
    struct timespec time = {.tv_nsec = left > 0 ? (long)(left * 1000) : 1000};
    nanosleep(&time, NULL);
}

/* `umx-agent enroll` has written another one: whoever waits after a refusal need not wait for its end. */
static bool identity_changed(const struct life *life)
{
    uint64_t stamp = 1;

    umx_agent_file_stamp(life->session->config->identity, &stamp);
    return life->seen_stamp != 0 && stamp != life->seen_stamp;
}

static void tell_presence(struct life *life)
{
    const char *controller = life->session->config->controller;

    switch (umx_presence_look(&life->presence, life->attached_at != 0, umx_clock_monotonic())) {
    case UMX_EVENT_CONNECTED:
        umx_event_tell(UMX_EVENT_CONNECTED, controller, NULL, NULL);
        break;
    case UMX_EVENT_DISCONNECTED:
        if (life->parted.status == 0)
            umx_fail(&life->parted, UMX_ERR_PEER_UNREACHABLE, controller, NULL);
        umx_event_tell_error(UMX_EVENT_DISCONNECTED, controller, &life->parted);
        break;
    default:
        break;
    }
}

static void live(struct life *life)
{
    struct umx_session *session = life->session;

    while (!atomic_load(session->stop)) {
        struct umx_error err = {0};
        keep_time(life);
        tell_presence(life);
        if (session->call != NULL) {
            listen(life);
        } else if (umx_clock_monotonic() < life->connect_at && !identity_changed(life)) {
            doze(life->connect_at);
        } else if (connect_stream(life, &err) != 0) {
            wait_to_connect(life, &err);
        }
    }
    detach(life);
    umx_rpc_channel_close(life->channel);
    umx_renewal_end(&life->renewal);
}

/* ---- beginning and end */

static void end(struct umx_session *session)
{
    for (size_t i = LANES; i > 0; i--) /* actions first: they post to the others */
        umx_lane_stop(&session->lanes[i - 1]);
    for (; session->result_count > 0; session->result_count--) {
        free(session->results[session->first_result].bytes);
        session->first_result = (session->first_result + 1) % RESULTS_MAX;
    }
    umx_spool_end(&session->spool);
    umx_action_journal_close(session->journal);
    session->host->stop = NULL; /* it may be opened for another session */
    umx_arena_free(session->target_arena);
    free(session->wants);
    pthread_mutex_destroy(&session->mutex);
    free(session);
}

int umx_session_run(const struct umx_agent_config *config, struct umx_host *host, const char *program,
                    const atomic_bool *stop, struct umx_error *err)
{
    struct umx_session *session = calloc(1, sizeof *session);
    struct umx_identity_file identity;
    struct umx_error why = {0};
    int status;

    if (session == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "agent", NULL);
    session->config = config;
    session->host = host;
    host->stop = stop;
    session->program = program;
    session->stop = stop;
    pthread_mutex_init(&session->mutex, NULL);
    session->wants = calloc(umx_collector_count, sizeof *session->wants);
    status = session->wants == NULL ? umx_fail(err, UMX_ERR_MEMORY, "agent", NULL) : 0;
    /* An unusable identity at the start is the operator's mistake: say so and end. Later ones are waited for. */
    if (status == 0 && (status = load_identity(session, &identity, err)) == 0)
        umx_identity_file_free(&identity);
    if (status == 0)
        umx_service_ready();
    if (status == 0)
        status = umx_spool_begin(&session->spool, err);
    if (status == 0 && umx_action_journal_open(config->state, &session->journal, &why) != 0)
        umx_log_error("agent", &why); /* reporting goes on; actions are refused with this reason */
    for (size_t i = 0; status == 0 && i < LANES; i++)
        status = umx_lane_start(&session->lanes[i], err);
    if (status == 0) {
        int64_t now = umx_clock_monotonic();
        int interval = config->report_interval != 0 ? config->report_interval : UMX_AGENT_REPORT_INTERVAL;
        struct life life = {
            .session = session,
            .connect_at = now + random_below(config->start_jitter * UMX_SECOND),
            .wait = FIRST_WAIT,
            .report_interval = interval * UMX_SECOND,
            .report_at = now,
        };
        if (umx_agent_head_load(config->state, &life.head, &why) != 0)
            umx_log_error("agent", &why);
        if (umx_agent_trust_load(config->state, &life.trust, &why) != 0)
            umx_log_error("agent", &why);
        if (umx_update_begin(&life.update, config, &why) != 0)
            umx_log_error("agent", &why);
        pthread_t watching;
        begin_watch(session, &watching);
        live(&life);
        end_watch(session, watching);
        umx_agent_trust_free(&life.trust);
        umx_update_end(&life.update);
    }
    end(session);
    return status;
}

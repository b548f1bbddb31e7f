#include "directory/worker.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/reflect.h"
#include "base/text.h"
#include "directory/change.h"
#include "directory/discovery.h"
#include "directory/login.h"
#include "directory/membership.h"
#include "directory/object.h"
#include "directory/preflight.h"
#include "directory/prove.h"
#include "directory/read_changes.h"
#include "directory/readers.h"

enum {
    CONFIGURE_ARENA = 1024 * 1024,
    REQUEST_ARENA = 256 * 1024 * 1024,
    DEADLINE_DEFAULT = 60 * 1000, /* milliseconds */
    DEADLINE_MAX = 3600 * 1000,
    ALARM_GRACE = 5 * 1000, /* the controller kills first */
    TIMEOUT_DEFAULT = 10,   /* seconds of one operation */
    CLOCK_SECONDS = 3,
};

struct worker {
    FILE *in, *out;
    struct umx_arena *own; /* of the configuration */
    const Umx__Configure *configure;
    struct umx_directory_account account;
    struct umx_ticket *ticket;
    struct umx_connection *connection;
    bool named; /* the connection was opened for a request that named its domain controller */
    struct umx_schema *schema;
    /* of the request being served */
    struct umx_arena *arena;
    int64_t id;
    int64_t deadline; /* monotonic */
};

static int send_reply(struct worker *worker, Umx__WorkerReply *reply, bool last, struct umx_error *err)
{
    uint8_t *bytes = NULL;
    size_t length;
    reply->has_id = reply->has_last = 1;
    reply->id = worker->id;
    reply->last = last;
    int status = umx_reflect_pack(&reply->base, &bytes, &length, err);
    if (!status) {
        status = umx_frame_write(worker->out, bytes, length, err);
    }
    free(bytes);
    return status;
}

/* ---- connecting */

static void drop_connection(struct worker *worker)
{
    umx_connection_close(worker->connection);
    worker->connection = NULL;
}

static int ensure_ticket(struct worker *worker, struct umx_error *err)
{
    if (worker->account.simple || umx_ticket_fresh(worker->ticket)) {
        return 0;
    }
    umx_ticket_free(worker->ticket);
    worker->ticket = NULL;
    return umx_ticket_get(worker->account.account, worker->account.keytab, worker->account.password_file,
                          &worker->ticket, err);
}

/* The connection that is there, when it is alive and the right one. For a request that names no domain controller that
 * is not the one of a request that did: what is read must not depend on who was asked last whether it has replicated.
 */
static bool reuse(struct worker *worker, const ProtobufCBinaryData *invocation_id, const char *host)
{
    if (!worker->connection) {
        return false;
    }
    const struct umx_root_dse *root = umx_connection_root(worker->connection);
    bool right = invocation_id->len ? memcmp(root->invocation_id, invocation_id->data, UMX_GUID_SIZE) == 0
                 : host             ? umx_text_equal(root->host, host)
                                    : !worker->named;
    umx_connection_set_deadline(worker->connection, worker->deadline);
    if (right && !umx_connection_broken(worker->connection) && umx_connection_refresh(worker->connection, NULL) == 0) {
        return true;
    }
    drop_connection(worker);
    return false;
}

/* Connects to any domain controller, to the one named, or to the one of an invocationId. */
static int connect_to(struct worker *worker, ProtobufCBinaryData invocation_id, const char *host, struct umx_error *err)
{
    struct umx_error why = {0};
    host = host && *host ? host : NULL;
    if (invocation_id.len && invocation_id.len != UMX_GUID_SIZE) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "invocation_id", "it has not 16 bytes");
    }
    if (reuse(worker, &invocation_id, host)) {
        return 0;
    }
    int status = ensure_ticket(worker, &why);
    if (!status) {
        const char *const *configured = (const char *const *)(const void *)worker->configure->domain_controller;
        status = umx_connection_open(&worker->account, worker->ticket, host ? &host : configured,
                                     host ? 1 : worker->configure->n_domain_controller,
                                     invocation_id.len ? invocation_id.data : NULL, worker->deadline,
                                     &worker->connection, &why);
        worker->named = host != NULL || invocation_id.len > 0;
    }
    if (status && invocation_id.len && (status == UMX_E_UNREACHABLE || status == UMX_E_TIMEOUT)) {
        return umx_fail_code(err, UMX_ERR_WRONG_DOMAIN_CONTROLLER, why.foreign, host ? host : why.what, "%s",
                             umx_error_why(&why));
    }
    if (status) {
        *err = why;
    }
    return status;
}

/* ---- requests: each fills the last reply */

static int serve_configure(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                           struct umx_error *err)
{
    (void)reply;
    struct umx_arena *own = umx_arena_new(CONFIGURE_ARENA);
    const Umx__Configure *configure = own ? umx_reflect_copy(&request->configure->base, own) : NULL;
    if (!configure || !configure->forest || !configure->account) {
        umx_arena_free(own);
        return configure ? umx_fail(err, UMX_ERR_CONFIG_INVALID, "worker", "a forest and an account are needed")
                         : umx_fail(err, UMX_ERR_MEMORY, "worker", NULL);
    }
    drop_connection(worker);
    umx_ticket_free(worker->ticket);
    worker->ticket = NULL;
    umx_arena_free(worker->own);
    worker->own = own;
    worker->configure = configure;
    worker->account = (struct umx_directory_account){
        .forest = configure->forest,
        .simple = configure->bind == UMX__CONFIGURE__BIND__SIMPLE,
        .account = configure->account,
        .keytab = configure->keytab,
        .password_file = configure->password_file,
        .tls_ca = configure->tls_ca,
        .operation_timeout = configure->operation_timeout > 0 ? configure->operation_timeout : TIMEOUT_DEFAULT,
    };
    return 0;
}

static int send_part(void *user, const Umx__World *part, struct umx_error *err)
{
    struct worker *worker = user;
    Umx__WorkerReply reply = UMX__WORKER_REPLY__INIT;
    union {
        const Umx__World *given;
        Umx__World *packed; /* only packed */
    } world = {.given = part};
    reply.reply_case = UMX__WORKER_REPLY__REPLY_PART;
    reply.part = world.packed;
    return send_reply(worker, &reply, false, err);
}

/* A wrong clock makes Kerberos refuse the logon, and then nobody would hear of the clock: it is told without a logon.
 */
static void send_clock(struct worker *worker)
{
    Umx__Forest forest = UMX__FOREST__INIT;
    Umx__Forest *forests[] = {&forest};
    Umx__World part = UMX__WORLD__INIT;
    if (!worker->configure->n_domain_controller ||
        umx_connection_clock(&worker->account, worker->configure->domain_controller[0],
                             umx_clock_monotonic() + CLOCK_SECONDS * UMX_SECOND, worker->arena,
                             &forest.domain_controller, &forest.clock_offset, NULL)) {
        return;
    }
    forest.forest = worker->configure->forest;
    forest.has_clock_offset = 1;
    part.forest = forests;
    part.n_forest = 1;
    send_part(worker, &part, NULL);
}

static struct umx_readers_source source_of(const struct worker *worker)
{
    return (struct umx_readers_source){.connection = worker->connection,
                                       .configure = worker->configure,
                                       .account = &worker->account,
                                       .ticket = worker->ticket,
                                       .deadline = worker->deadline};
}

static int serve_read(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                      struct umx_error *err)
{
    struct umx_changes changes = {.arena = worker->arena};
    int status = connect_to(worker, request->read->invocation_id, NULL, err);
    if (status == UMX_E_UNAUTHENTICATED) {
        send_clock(worker);
    }
    struct umx_part *part = status ? NULL : umx_part_new(send_part, worker);
    if (!part) {
        return status ? status : umx_fail(err, UMX_ERR_MEMORY, "worker", NULL);
    }
    const struct umx_readers_source source = source_of(worker);
    status = umx_readers_read(&source, request->read, part, &changes, err);
    reply->sync = changes.sync;
    reply->n_sync = changes.sync_count;
    reply->gone = changes.gone.items;
    reply->n_gone = changes.gone.count;
    reply->has_full = request->read->n_since > 0;
    reply->full = changes.full;
    reply->has_lists_present = reply->lists_present = changes.has_present;
    reply->present = changes.present.items;
    reply->n_present = changes.present.count;
    umx_part_free(part);
    return status;
}

static int serve_read_object(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                             struct umx_error *err)
{
    const Umx__ReadObject *wanted = request->read_object;
    struct umx_object object;
    Umx__ObjectState *state = NULL;
    unsigned parts = (wanted->descriptor ? UMX_OBJECT_DESCRIPTOR : 0U) |
                     (wanted->incoming_links ? UMX_OBJECT_LINKS : 0U) |
                     (wanted->writable_only ? UMX_OBJECT_WRITABLE : 0U);
    const char **attributes = umx_arena_alloc(worker->arena, (wanted->n_attribute + 2) * sizeof *attributes);
    int status = attributes ? connect_to(worker, wanted->invocation_id, wanted->domain_controller, err)
                            : umx_fail(err, UMX_ERR_ARENA_FULL, "worker", NULL);
    /* Links are found through the back links among all attributes. */
    for (size_t i = 0; !status && i < wanted->n_attribute && !wanted->incoming_links; i++) {
        attributes[i] = wanted->attribute[i];
    }
    if (!status) {
        status = umx_object_load(worker->connection, wanted->dn ? wanted->dn : "", wanted->object_guid, attributes,
                                 wanted->descriptor, worker->arena, &object, err);
    }
    if (!status) {
        status = umx_object_state(worker->connection, worker->schema, &object, parts, worker->arena, &state, err);
    }
    reply->reply_case = UMX__WORKER_REPLY__REPLY_OBJECT;
    reply->object = state;
    return status;
}

typedef int change_function(struct umx_connection *, struct umx_schema *, const Umx__Change *, const Umx__Intent *,
                            struct umx_arena *, struct umx_change_result *, struct umx_error *);

static int serve_change(struct worker *worker, const Umx__Change *change, const Umx__Intent *intent,
                        change_function *function, Umx__WorkerReply *reply, struct umx_error *err)
{
    struct umx_change_result result = {.outcome = UMX__INTENT__OUTCOME__NOT_DONE};
    if (!change || !intent || intent->invocation_id.len != UMX_GUID_SIZE) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, change && change->dn ? change->dn : "change",
                        "a change and an intent with an invocationId are needed");
    }
    int status = connect_to(worker, intent->invocation_id, intent->domain_controller, err);
    if (!status) {
        status = function(worker->connection, worker->schema, change, intent, worker->arena, &result, err);
    }
    reply->reply_case = UMX__WORKER_REPLY__REPLY_OUTCOME;
    reply->outcome = result.outcome;
    reply->state = result.state;
    return status;
}

static int serve_apply(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                       struct umx_error *err)
{
    return serve_change(worker, request->apply->change, request->apply->intent, umx_change_apply, reply, err);
}

static int serve_probe(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                       struct umx_error *err)
{
    return serve_change(worker, request->probe->change, request->probe->intent, umx_change_probe, reply, err);
}

/* user@forest.test -> user@FOREST.TEST: how Kerberos writes realms. NULL when it is a DN. */
static char *principal_of(const char *account, struct umx_arena *arena)
{
    char *principal = umx_arena_string(arena, account);
    char *realm = principal ? strrchr(principal, '@') : NULL;
    for (char *at = realm; at && *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return realm ? principal : NULL;
}

static int serve_prove_trust(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                             struct umx_error *err)
{
    const Umx__ProveTrust *wanted = request->prove_trust;
    Umx__Proof *proof = NULL;
    const char *principal = principal_of(worker->account.account, worker->arena);
    if (!wanted->target_forest || !principal) {
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, worker->account.forest,
                        "a proof needs a target forest and an account of the form user@REALM");
    }
    const struct umx_prove prove = {
        .server = "controller",
        .forest = worker->account.forest,
        .principal = principal,
        .keytab = worker->account.keytab,
        .password_file = worker->account.simple ? worker->account.password_file : NULL,
        .target_forest = wanted->target_forest,
        .hosts = (const char *const *)(const void *)wanted->domain_controller,
        .host_count = wanted->n_domain_controller,
        .timeout = worker->deadline - umx_clock_monotonic(),
    };
    int status = umx_prove_trust(&prove, worker->arena, &proof, err);
    reply->reply_case = UMX__WORKER_REPLY__REPLY_PROOF;
    reply->proof = proof;
    return status;
}

static int serve_membership(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                            struct umx_error *err)
{
    Umx__MembershipResult *result = NULL;
    int status = connect_to(worker, (ProtobufCBinaryData){0}, NULL, err);
    if (!status) {
        const struct umx_readers_source source = source_of(worker);
        status = umx_membership_read_forest(&source, request->membership, worker->arena, &result, err);
    }
    reply->reply_case = UMX__WORKER_REPLY__REPLY_MEMBERSHIP;
    reply->membership = result;
    return status;
}

static int serve_preflight(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                           struct umx_error *err)
{
    Umx__PreflightResult *result = NULL;
    int status = connect_to(worker, (ProtobufCBinaryData){0}, NULL, err);
    if (!status) {
        status = umx_preflight(worker->connection, request->preflight, worker->arena, &result, err);
    }
    reply->reply_case = UMX__WORKER_REPLY__REPLY_PREFLIGHT;
    reply->preflight = result;
    return status;
}

/* The ticket is judged by the keytab, before anybody is asked; then the account is looked at as it is now. */
static int serve_accept_login(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                              struct umx_error *err)
{
    struct umx_login_ticket ticket;
    Umx__Membership who = UMX__MEMBERSHIP__INIT;
    Umx__LoginResult *result = umx_reflect_new(&umx__login_result__descriptor, worker->arena);
    bool own = false;
    int status = result ? umx_login_accept(worker->configure, request->accept_login, &ticket, err)
                        : umx_fail(err, UMX_ERR_ARENA_FULL, "worker", NULL);
    if (!status) {
        status = connect_to(worker, (ProtobufCBinaryData){0}, NULL, err);
    }
    const struct umx_readers_source source = source_of(worker);
    if (!status) {
        status = umx_membership_has_domain(&source, ticket.realm, worker->arena, &own, err);
    }
    if (!status && !own) {
        status = umx_fail(err, UMX_ERR_PROOF_REFUSED, worker->configure->forest, "%s is of another forest",
                          ticket.principal);
    }
    if (!status) {
        who.user_sid = ticket.sid;
        status = umx_membership_read_forest(&source, &who, worker->arena, &result->account, err);
    }
    if (!status) {
        result->principal = umx_arena_string(worker->arena, ticket.principal);
        result->sid = umx_arena_string(worker->arena, ticket.sid);
        result->has_ends_at = 1;
        result->ends_at = ticket.ends_at;
    }
    reply->reply_case = UMX__WORKER_REPLY__REPLY_LOGIN;
    reply->login = result;
    return status;
}

static int serve_discover(struct worker *worker, const Umx__WorkerRequest *request, Umx__WorkerReply *reply,
                          struct umx_error *err)
{
    const Umx__Configure *configure = worker->configure;
    size_t most = configure->n_domain_controller > 0 ? configure->n_domain_controller : UMX_DISCOVERY_MAX;
    Umx__DiscoverResult *result = umx_reflect_new(&umx__discover_result__descriptor, worker->arena);
    const char **hosts = umx_arena_alloc(worker->arena, most * sizeof *hosts);
    (void)request;
    if (!result || !hosts) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "worker", NULL);
    }
    for (; result->n_domain_controller < configure->n_domain_controller; result->n_domain_controller++) {
        hosts[result->n_domain_controller] = configure->domain_controller[result->n_domain_controller];
    }
    int status = result->n_domain_controller > 0 ? 0
                                                 : umx_discovery_controllers(configure->forest, worker->arena, hosts,
                                                                             &result->n_domain_controller, err);
    result->domain_controller = (char **)(uintptr_t)hosts;
    reply->reply_case = UMX__WORKER_REPLY__REPLY_DISCOVERED;
    reply->discovered = result;
    return status;
}

typedef int serve_function(struct worker *, const Umx__WorkerRequest *, Umx__WorkerReply *, struct umx_error *);

static serve_function *const functions[] = {
    [UMX__WORKER_REQUEST__REQUEST_CONFIGURE] = serve_configure,
    [UMX__WORKER_REQUEST__REQUEST_READ] = serve_read,
    [UMX__WORKER_REQUEST__REQUEST_READ_OBJECT] = serve_read_object,
    [UMX__WORKER_REQUEST__REQUEST_APPLY] = serve_apply,
    [UMX__WORKER_REQUEST__REQUEST_PROBE] = serve_probe,
    [UMX__WORKER_REQUEST__REQUEST_PROVE_TRUST] = serve_prove_trust,
    [UMX__WORKER_REQUEST__REQUEST_MEMBERSHIP] = serve_membership,
    [UMX__WORKER_REQUEST__REQUEST_PREFLIGHT] = serve_preflight,
    [UMX__WORKER_REQUEST__REQUEST_ACCEPT_LOGIN] = serve_accept_login,
    [UMX__WORKER_REQUEST__REQUEST_DISCOVER] = serve_discover,
};

/* ---- the loop */

static void set_alarm(int64_t milliseconds)
{
    const struct itimerval timer = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_usec = (milliseconds % 1000) * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void fill_error(Umx__WorkerError *error, struct umx_error *why)
{
    error->has_id = error->has_status = 1;
    error->id = why->id;
    error->status = why->status;
    error->what = why->what;
    error->why = *why->why ? why->why : NULL;
    error->has_code = why->foreign != 0;
    error->code = (int32_t)why->foreign;
}

/* Answers one request. Negative when the controller cannot be answered any more. */
static int serve(struct worker *worker, const Umx__WorkerRequest *request)
{
    Umx__WorkerReply reply = UMX__WORKER_REPLY__INIT;
    Umx__WorkerError error = UMX__WORKER_ERROR__INIT;
    struct umx_error why = {0};
    size_t kind = (size_t)request->request_case;
    int64_t milliseconds = request->deadline > 0 ? request->deadline : DEADLINE_DEFAULT;
    milliseconds = milliseconds < DEADLINE_MAX ? milliseconds : DEADLINE_MAX;
    worker->id = request->id;
    worker->deadline = umx_clock_monotonic() + milliseconds * UMX_MILLISECOND;
    set_alarm(milliseconds + ALARM_GRACE);
    int status;
    if (kind >= sizeof functions / sizeof *functions || !functions[kind]) {
        status = umx_fail(&why, UMX_ERR_MESSAGE_INVALID, "worker", "the request is of an unknown kind");
    } else if (!worker->configure && kind != UMX__WORKER_REQUEST__REQUEST_CONFIGURE) {
        status = umx_fail(&why, UMX_ERR_CONFIG_INVALID, "worker", "the first request must be configure");
    } else {
        status = functions[kind](worker, request, &reply, &why);
    }
    set_alarm(0);
    if (status) {
        fill_error(&error, &why);
        reply.error = &error;
    }
    if (worker->connection) {
        reply.domain_controller = umx_arena_string(worker->arena, umx_connection_root(worker->connection)->host);
    }
    return send_reply(worker, &reply, true, &why);
}

/* One frame in, its replies out. 0 at a clean end. */
static int next_request(struct worker *worker, bool *ended, struct umx_error *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    ProtobufCMessage *message = NULL;
    int status = umx_frame_read(worker->in, UMX_MAX_WORKER_MESSAGE, &bytes, &length, err);
    *ended = !status && !bytes;
    if (status || !bytes) {
        return status;
    }
    worker->arena = umx_arena_new(REQUEST_ARENA);
    status = worker->arena
                 ? umx_reflect_unpack(&umx__worker_request__descriptor, bytes, length, worker->arena, &message, err)
                 : umx_fail(err, UMX_ERR_MEMORY, "worker", NULL);
    free(bytes);
    if (!status) {
        status = serve(worker, (const Umx__WorkerRequest *)(void *)message);
    }
    umx_arena_free(worker->arena);
    worker->arena = NULL;
    if (worker->connection && umx_connection_broken(worker->connection)) {
        drop_connection(worker);
    }
    return status;
}

int umx_worker_main(int fd)
{
    const struct rlimit no_core = {0};
    struct worker worker = {0};
    struct umx_error err = {0};
    bool ended = false;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 3), status = 0;
    /* Secrets pass through this process's memory. */
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, SIG_DFL);
    /* Nobody's ldap.conf decides how umx connects. */
    setenv("LDAPNOINIT", "1", 1);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    worker.in = fdopen(fd, "rb");
    worker.out = other >= 0 ? fdopen(other, "wb") : NULL;
    worker.schema = umx_schema_new();
    if (!worker.in || !worker.out || !worker.schema) {
        status = umx_fail_code(&err, UMX_ERR_INTERNAL, errno, "worker", "it cannot start: %s", strerror(errno));
    }
    while (!status && !ended) {
        status = next_request(&worker, &ended, &err);
    }
    if (status) {
        umx_log_error("worker", &err);
    }
    drop_connection(&worker);
    umx_ticket_free(worker.ticket);
    umx_schema_free(worker.schema);
    umx_arena_free(worker.own);
    if (worker.in) {
        fclose(worker.in);
    }
    if (worker.out) {
        fclose(worker.out);
    }
    return status ? 1 : 0;
}

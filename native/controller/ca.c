#include "controller/ca.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reflect.h"
#include "controller/authority.h"
#include "controller/fleet.h"
#include "controller/operations.h"
#include "phases/certificates.h"
#include "rpc/rpc.h"
#include "store/journal_file.h"
#include "store/state.h"

#define INTERVAL (10 * UMX_MINUTE)
#define SAY_INTERVAL UMX_DAY
#define SHORTEN_INTERVAL UMX_DAY

struct umx_ca {
    struct umx_controller *controller;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool stopping;
    int64_t said_at;      /* monotonic; 0: nothing was said yet */
    int64_t shortened_at; /* monotonic; 0: not since the start */
};

/* New handshakes see the new certificates; streams and calls of issuers that are no longer taken end. */
static int reload(struct umx_controller *controller, struct umx_error *err)
{
    const struct umx_rpc_tls *tls = umx_authority_tls(controller->authority);
    int status = umx_rpc_server_reload(controller->agents, tls, err);

    return status == 0 ? umx_rpc_server_reload(controller->operators, tls, err) : status;
}

/* The certificates as rows: what queries, checks and snapshots see. */
static int store_rows(struct umx_controller *controller, struct umx_error *err)
{
    const struct umx_table *table = umx_reflect_table("certificate");
    struct umx_world *world = umx_world_new(umx_clock_now());
    size_t count = 0;
    int status = world == NULL ? umx_fail(err, UMX_ERR_MEMORY, "ca", NULL)
                               : umx_authority_add_rows(controller->authority, world, err);

    if (status == 0) {
        ProtobufCMessage **rows = umx_world_table(umx_world_records(world), table, &count);
        status = umx_state_replace(controller->state, table, "source", controller->identity, rows, count, err);
    }
    umx_world_free(world);
    return status;
}

/* ---- now and then */

static void say_endings(struct umx_ca *ca)
{
    struct umx_world *world = umx_world_new(umx_clock_now());
    struct umx_error err = {0};
    int64_t now = umx_clock_monotonic();

    if (world == NULL || (ca->said_at != 0 && now - ca->said_at < SAY_INTERVAL)) {
        umx_world_free(world);
        return;
    }
    ca->said_at = now;
    struct umx_findings findings = {.arena = umx_world_arena(world)};
    if (umx_authority_add_rows(ca->controller->authority, world, &err) != 0)
        umx_log_error("ca", &err);
    umx_cert_check_own(umx_world_records(world), &findings);
    for (size_t i = 0; i < findings.count; i++)
        if (findings.items[i]->status != UMX__FINDING__STATUS__PASS)
            umx_log(UMX_LOG_WARNING, "ca", "%s: %s", findings.items[i]->target, findings.items[i]->actual);
    umx_world_free(world);
}

/* At the start, and each day. */
static void shorten(struct umx_ca *ca)
{
    struct umx_error err = {0};
    int64_t now = umx_clock_monotonic();
    size_t left_out = 0;

    if (ca->shortened_at != 0 && now - ca->shortened_at < SHORTEN_INTERVAL)
        return;
    ca->shortened_at = now;
    if (umx_authority_shorten(ca->controller->authority, &left_out, &err) != 0)
        umx_log_error("ca", &err);
    else if (left_out > 0)
        umx_log(UMX_LOG_INFO, "ca", "ca/issued.tsv is shorter by %zu lines of certificates that ended", left_out);
}

static void look(struct umx_ca *ca)
{
    struct umx_error err = {0};
    bool renewed = false;
    int status = umx_authority_renew_controller(ca->controller->authority, umx_clock_now(), &renewed, &err);

    if (status == 0 && renewed) {
        umx_log(UMX_LOG_INFO, "ca", "the controller has a new certificate");
        status = reload(ca->controller, &err);
        umx_fleet_trust_changed(ca->controller->fleet);
    }
    if (status == 0)
        status = store_rows(ca->controller, &err);
    if (status != 0)
        umx_log_error("ca", &err);
    say_endings(ca);
    shorten(ca);
}

static void *work(void *user)
{
    struct umx_ca *ca = user;

    pthread_mutex_lock(&ca->mutex);
    while (!ca->stopping) {
        pthread_mutex_unlock(&ca->mutex);
        look(ca);
        int64_t end = umx_clock_monotonic() + INTERVAL;
        struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};
        pthread_mutex_lock(&ca->mutex);
        while (!ca->stopping && umx_clock_monotonic() < end)
            pthread_cond_timedwait(&ca->wake, &ca->mutex, &until);
    }
    pthread_mutex_unlock(&ca->mutex);
    return NULL;
}

int umx_ca_start(struct umx_controller *controller, struct umx_ca **out, struct umx_error *err)
{
    struct umx_ca *ca = calloc(1, sizeof *ca);
    pthread_condattr_t monotonic;

    *out = NULL;
    if (ca == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "ca", NULL);
    ca->controller = controller;
    pthread_mutex_init(&ca->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ca->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&ca->thread, NULL, work, ca) != 0) {
        pthread_cond_destroy(&ca->wake);
        pthread_mutex_destroy(&ca->mutex);
        free(ca);
        return umx_fail(err, UMX_ERR_MEMORY, "ca", "no thread can be started");
    }
    *out = ca;
    return 0;
}

void umx_ca_stop(struct umx_ca *ca)
{
    if (ca == NULL)
        return;
    pthread_mutex_lock(&ca->mutex);
    ca->stopping = true;
    pthread_cond_broadcast(&ca->wake);
    pthread_mutex_unlock(&ca->mutex);
    pthread_join(ca->thread, NULL);
    pthread_cond_destroy(&ca->wake);
    pthread_mutex_destroy(&ca->mutex);
    free(ca);
}

/* ---- operations */

/* What happened is on record, and in force: listeners and agents hear of it. */
static int turned(struct umx_operation *operation, const char *what, struct umx_error *err)
{
    struct umx_controller *controller = operation->controller;
    Umx__Journal entry = UMX__JOURNAL__INIT;

    umx_log(UMX_LOG_INFO, "ca", "%s by %s", what, operation->caller->uri);
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__AUTHORITY;
    entry.actor = umx_arena_string(operation->arena, operation->caller->uri);
    entry.detail = umx_arena_string(operation->arena, what);
    int status = reload(controller, err);
    if (status == 0)
        status = store_rows(controller, err);
    umx_fleet_trust_changed(controller->fleet);
    if (status == 0)
        status = umx_journal_append(controller->journal, &entry, err);
    umx_fleet_journal_grown(controller->fleet);
    return status;
}

static const char *const state_words[] = {"none", "staged", "forward", "back"};

/* The state of an agent's stream, as `umx agents` names it. */
static const char *stream_state(const Umx__World *agents, const char *uri)
{
    for (size_t i = 0; i < agents->n_agent; i++)
        if (strcmp(agents->agent[i]->agent, uri) == 0)
            return agents->agent[i]->state;
    return "never";
}

static int send_laggards(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_world *world = umx_world_new(umx_clock_now());
    Umx__AuthorityLaggard **laggards = NULL;
    size_t count = 0, agents = 0;
    int status = world == NULL ? umx_fail(err, UMX_ERR_MEMORY, "agents", NULL)
                               : umx_authority_laggards(operation->controller->authority, operation->arena, &laggards,
                                                        &count, &agents, err);

    if (status == 0)
        status = umx_fleet_agents(operation->controller->fleet, world, err);
    for (size_t i = 0; status == 0 && i < count; i++) {
        laggards[i]->state =
            umx_arena_string(operation->arena, stream_state(umx_world_records(world), laggards[i]->agent));
        status = umx_operation_item(operation, "missing", &laggards[i]->base, err);
    }
    umx_operation_end_integer(operation, "agents", (int64_t)agents);
    umx_operation_end_integer(operation, "followed", (int64_t)(agents - count));
    umx_world_free(world);
    return status;
}

/* The rotation as members of the end, and who has not followed. */
static int send_rotation(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_rotation rotation;
    struct umx_text json = {0};
    char at[UMX_CLOCK_TEXT];
    int status = 0;

    umx_authority_rotation(operation->controller->authority, &rotation);
    bool open = rotation.state >= UMX_ROTATION_FORWARD;
    umx_text_addf(&json, "{\"state\":\"%s\",\"of\":%s,\"begun_at\":", state_words[rotation.state],
                  rotation.state == UMX_ROTATION_NONE ? "null"
                  : rotation.root                     ? "\"root\""
                                                      : "\"intermediate\"");
    if (open)
        umx_text_addf(&json, "\"%s\"", umx_clock_format(rotation.begun_at, at));
    else
        umx_text_adds(&json, "null");
    umx_text_adds(&json, ",\"begun_by\":");
    if (open)
        umx_reflect_json_string(&json, rotation.begun_by);
    else
        umx_text_adds(&json, "null");
    umx_text_adds(&json, ",\"error\":");
    if (rotation.error[0] != '\0')
        umx_reflect_json_string(&json, rotation.error);
    else
        umx_text_adds(&json, "null");
    umx_text_adds(&json, "}");
    umx_operation_end_json(operation, "rotation", umx_text_string(&json));
    umx_text_free(&json);
    if (open)
        status = send_laggards(operation, err);
    return status;
}

int umx_operation_ca_status(struct umx_operation *operation, struct umx_error *err)
{
    Umx__AuthorityCertificate **items = NULL;
    size_t count = 0;
    int status = umx_authority_certificates(operation->controller->authority, operation->arena, &items, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_operation_item(operation, "certificates", &items[i]->base, err);
    return status == 0 ? send_rotation(operation, err) : status;
}

int umx_operation_ca_begin(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__CaRotateBeginArguments *arguments = (const Umx__CaRotateBeginArguments *)operation->arguments;
    int status = umx_authority_begin(operation->controller->authority, arguments->root, operation->caller->uri, err);

    if (status == 0)
        status = turned(operation,
                        arguments->root ? "rotation of the root begun" : "rotation of the intermediate begun", err);
    return status == 0 ? send_rotation(operation, err) : status;
}

int umx_operation_ca_complete(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__CaRotateCompleteArguments *arguments = (const Umx__CaRotateCompleteArguments *)operation->arguments;
    struct umx_rotation before;
    const char *what = "rotation completed";
    struct umx_text text = {0};

    umx_authority_rotation(operation->controller->authority, &before);
    int status =
        umx_authority_complete(operation->controller->authority,
                               (const char *const *)(uintptr_t)arguments->leave_behind, arguments->n_leave_behind, err);
    if (status == 0) {
        umx_text_addf(&text, "rotation of the %s %s", before.root ? "root" : "intermediate",
                      before.state == UMX_ROTATION_BACK ? "rolled back" : "completed");
        for (size_t i = 0; i < arguments->n_leave_behind; i++)
            umx_text_addf(&text, "%s %s", i == 0 ? "; left behind:" : ",", arguments->leave_behind[i]);
        what = text.failed ? what : umx_text_string(&text);
        status = turned(operation, what, err);
    }
    umx_text_free(&text);
    return status == 0 ? send_rotation(operation, err) : status;
}

/* Nobody has to come back: then it is over at once. */
int umx_operation_ca_rollback(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_authority *authority = operation->controller->authority;
    struct umx_error laggards = {0};
    int status = umx_authority_rollback(authority, err);

    if (status != 0)
        return status;
    bool over = umx_authority_complete(authority, NULL, 0, &laggards) == 0;
    if (!over && laggards.id != UMX_ERR_ROTATION_LAGGARDS) {
        *err = laggards;
        return laggards.status;
    }
    status = turned(operation, over ? "rotation rolled back" : "rollback of the rotation begun", err);
    return status == 0 ? send_rotation(operation, err) : status;
}

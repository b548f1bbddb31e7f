#include "controller/forests.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/refresh.h"

enum { OPERATION_TIMEOUT = 10, PROOF_TIMEOUT = 8 }; /* seconds */

/* Then a forest is read whole, whatever changed: what a refresh cannot see, such as lost rights, is corrected. */
#define WHOLE_AFTER UMX_DAY

enum { CHANGES_SHARE = 3 }; /* of the time, before another domain controller is tried */

struct slot {
    const struct umx_forest_config *config;
    struct umx_worker_process *workers[UMX_ACCOUNTS];
    pthread_mutex_t mutex;       /* one read of the whole forest at a time: of refresh */
    struct umx_refresh *refresh; /* NULL: the next one reads everything */
};

struct umx_forests {
    const struct umx_config *config;
    struct slot slots[UMX_MAX_FORESTS];
    size_t count;
};

int umx_forests_open(const struct umx_config *config, struct umx_forests **out, struct umx_error *err)
{
    struct umx_forests *forests = calloc(1, sizeof *forests);

    *out = NULL;
    if (forests == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "forests", NULL);
    forests->config = config;
    for (size_t i = 0; i < config->forest_count; i++) {
        struct slot *slot = &forests->slots[forests->count++];
        slot->config = &config->forests[i];
        pthread_mutex_init(&slot->mutex, NULL);
        for (int a = 0; a < UMX_ACCOUNTS; a++) {
            slot->workers[a] = umx_worker_process_new(slot->config, (enum umx_account)a, OPERATION_TIMEOUT);
            if (slot->workers[a] == NULL) {
                umx_forests_close(forests);
                return umx_fail(err, UMX_ERR_MEMORY, "forests", NULL);
            }
        }
    }
    *out = forests;
    return 0;
}

void umx_forests_close(struct umx_forests *forests)
{
    if (forests == NULL)
        return;
    for (size_t i = 0; i < forests->count; i++) {
        for (int a = 0; a < UMX_ACCOUNTS; a++)
            umx_worker_process_free(forests->slots[i].workers[a]);
        umx_refresh_free(forests->slots[i].refresh);
        pthread_mutex_destroy(&forests->slots[i].mutex);
    }
    free(forests);
}

static struct slot *find(struct umx_forests *forests, const char *name)
{
    for (size_t i = 0; i < forests->count; i++)
        if (umx_text_equal(forests->slots[i].config->name, name))
            return &forests->slots[i];
    return NULL;
}

int umx_forests_call(struct umx_forests *forests, const char *forest, enum umx_account account,
                     Umx__WorkerRequest *request, int64_t deadline, struct umx_arena *arena, Umx__WorkerReply **reply,
                     struct umx_error *err)
{
    struct slot *slot = find(forests, forest);

    if (slot == NULL)
        return umx_fail(err, UMX_ERR_FOREST_UNKNOWN, forest, NULL);
    return umx_worker_process_call(slot->workers[account], request, deadline, NULL, NULL, arena, reply, err);
}

void umx_forests_hurry(struct umx_forests *forests, int64_t grace)
{
    for (size_t i = 0; forests != NULL && i < forests->count; i++) {
        for (int a = 0; a < UMX_ACCOUNTS; a++)
            umx_worker_process_hurry(forests->slots[i].workers[a], grace);
    }
}

void umx_forests_stop_writer(struct umx_forests *forests, const char *forest)
{
    struct slot *slot = find(forests, forest);

    if (slot != NULL)
        umx_worker_process_stop(slot->workers[UMX_ACCOUNT_WRITER]);
}

/* ---- reading */

struct collecting {
    const char *forest;
    struct umx_world *world;
};

static int take_part(void *user, const Umx__WorkerReply *reply, struct umx_error *err)
{
    struct collecting *collecting = user;

    if (reply->reply_case != UMX__WORKER_REPLY__REPLY_PART)
        return umx_fail(err, UMX_ERR_PROTOCOL, collecting->forest, "the worker sent no records");
    return umx_world_add_all(collecting->world, reply->part, err);
}

static int collect(struct slot *slot, enum umx_account account, Umx__WorkerRequest *request, int64_t deadline,
                   struct umx_world *world, struct umx_error *err)
{
    struct collecting collecting = {slot->config->name, world};
    struct umx_arena *arena = umx_arena_new(UMX_MAX_WORKER_MESSAGE);
    Umx__WorkerReply *last = NULL;

    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, slot->config->name, NULL);
    int status =
        umx_worker_process_call(slot->workers[account], request, deadline, take_part, &collecting, arena, &last, err);
    if (status == 0 && last->reply_case == UMX__WORKER_REPLY__REPLY_PART)
        status = umx_world_add_all(world, last->part, err);
    umx_arena_free(arena);
    return status;
}

int umx_forests_collect(struct umx_forests *forests, const char *forest, enum umx_account account,
                        Umx__WorkerRequest *request, int64_t deadline, struct umx_world *world, struct umx_error *err)
{
    struct slot *slot = find(forests, forest);

    if (slot == NULL)
        return umx_fail(err, UMX_ERR_FOREST_UNKNOWN, forest, NULL);
    return collect(slot, account, request, deadline, world, err);
}

struct reading {
    struct slot *slot;
    struct umx_world *world; /* of this forest alone; merged when all are in */
    int64_t deadline;        /* microseconds */
    pthread_t thread;
    bool started;
    struct umx_error err;
};

/* One read into world; the last reply is in the arena. */
static int read_once(const struct reading *reading, Umx__Read *read, int64_t deadline, struct umx_world *world,
                     struct umx_arena *arena, Umx__WorkerReply **last, struct umx_error *err)
{
    struct collecting collecting = {reading->slot->config->name, world};
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;

    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ;
    request.read = read;
    return umx_worker_process_call(reading->slot->workers[UMX_ACCOUNT_READER], &request, deadline, take_part,
                                   &collecting, arena, last, err);
}

/* What changed since the last time, merged. False when the forest must be read whole: its changes cannot be told, or
 * its domain controller does not answer and another may. */
static bool read_changes(struct reading *reading, int64_t deadline)
{
    struct slot *slot = reading->slot;
    Umx__Read read = UMX__READ__INIT;
    Umx__WorkerReply *last = NULL;
    struct umx_world *part = umx_world_new(umx_clock_now()), *merged = NULL;
    struct umx_arena *arena = umx_arena_new(UMX_MAX_WORKER_MESSAGE);
    struct umx_error err = {0};
    int64_t start = umx_clock_monotonic();
    bool done = false;

    umx_refresh_request(slot->refresh, &read);
    int status = part == NULL || arena == NULL ? umx_fail(&err, UMX_ERR_MEMORY, slot->config->name, NULL)
                                               : read_once(reading, &read, deadline, part, arena, &last, &err);
    if (status == 0)
        status = umx_refresh_merge(slot->refresh, part, last, &merged, &err);
    if (merged != NULL) {
        umx_world_free(reading->world);
        reading->world = merged;
        done = true;
        umx_log(UMX_LOG_INFO, "forests", "%s: refreshed in %lld ms, %zu objects changed or gone", slot->config->name,
                (long long)((umx_clock_monotonic() - start) / UMX_MILLISECOND), last->n_gone);
    } else {
        umx_log(UMX_LOG_INFO, "forests", "%s: is read whole: %s", slot->config->name,
                status != 0 ? umx_error_why(&err) : "its changes cannot be told");
    }
    umx_world_free(part);
    umx_arena_free(arena);
    return done;
}

static void read_whole(struct reading *reading, int64_t deadline)
{
    struct slot *slot = reading->slot;
    Umx__Read read = UMX__READ__INIT;
    Umx__WorkerReply *last = NULL;
    struct umx_arena *arena = umx_arena_new(UMX_MAX_WORKER_MESSAGE);

    int status = arena == NULL ? umx_fail(&reading->err, UMX_ERR_MEMORY, slot->config->name, NULL)
                               : read_once(reading, &read, deadline, reading->world, arena, &last, &reading->err);
    if (status == 0 && last->reply_case == UMX__WORKER_REPLY__REPLY_PART)
        status = umx_world_add_all(reading->world, last->part, &reading->err);
    if (status == 0)
        slot->refresh = umx_refresh_keep(reading->world, last);
    umx_arena_free(arena);
}

static void *read_forest(void *user)
{
    struct reading *reading = user;
    struct slot *slot = reading->slot;
    const int64_t end = umx_clock_monotonic() + reading->deadline;
    const struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};

    if (pthread_mutex_clocklock(&slot->mutex, CLOCK_MONOTONIC, &until) != 0) {
        umx_fail(&reading->err, UMX_ERR_DIRECTORY_TIMEOUT, slot->config->name, "another read of it does not end");
        return NULL;
    }
    if (slot->refresh == NULL || umx_refresh_age(slot->refresh) >= WHOLE_AFTER ||
        !read_changes(reading, reading->deadline / CHANGES_SHARE)) {
        umx_refresh_free(slot->refresh);
        slot->refresh = NULL;
        read_whole(reading, end - umx_clock_monotonic());
    }
    pthread_mutex_unlock(&slot->mutex);
    return NULL;
}

/* The record of a forest that could not be read: named, with the reason, and nothing else claimed but the clock of its
 * domain controller where that was heard. */
static int add_unread(struct umx_world *world, const struct reading *reading, struct umx_error *err)
{
    const struct slot *slot = reading->slot;
    const struct umx_error *why = &reading->err;
    const Umx__World *known = reading->world != NULL ? umx_world_records(reading->world) : NULL;
    Umx__Forest forest = UMX__FOREST__INIT;
    char text[UMX_ERROR_WHY_MAX + 64];
    char controller[] = "controller";

    snprintf(text, sizeof text, "UMX-%d: %s", why->id, umx_error_why(why));
    forest.forest = slot->config->name;
    forest.has_side = 1;
    forest.side = slot->config->side;
    forest.error = text;
    if (known != NULL && known->n_forest > 0 && known->forest[0]->has_clock_offset) {
        forest.domain_controller = known->forest[0]->domain_controller;
        forest.has_clock_offset = 1;
        forest.clock_offset = known->forest[0]->clock_offset;
    }
    forest.has_collected_at = 1;
    forest.collected_at = umx_clock_now();
    forest.source = controller;
    return umx_world_add(world, &forest.base, err);
}

/* ---- proofs */

struct proving {
    struct reading *reading; /* whose account proves */
    const char *target;
    char *domain_controller;
    Umx__Proof *proof;
    struct umx_arena *arena;
    pthread_t thread;
    bool started;
};

static bool other_side(Umx__Forest__Side a, Umx__Forest__Side b)
{
    return (a | b) == UMX__FOREST__SIDE__BOTH; /* exchange 1, lync 2, both 3: together they must be both */
}

static void *prove_trust(void *user)
{
    struct proving *proving = user;
    struct slot *slot = proving->reading->slot;
    Umx__ProveTrust prove = UMX__PROVE_TRUST__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    struct umx_error err = {0};
    char target[UMX_ERROR_WHAT_MAX];

    umx_text_copy(target, sizeof target, proving->target);
    prove.target_forest = target;
    prove.n_domain_controller = proving->domain_controller != NULL ? 1 : 0;
    prove.domain_controller = &proving->domain_controller;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_PROVE_TRUST;
    request.prove_trust = &prove;
    int status = umx_worker_process_call(slot->workers[UMX_ACCOUNT_READER], &request, PROOF_TIMEOUT * UMX_SECOND, NULL,
                                         NULL, proving->arena, &reply, &err);
    if (status == 0 && reply->reply_case == UMX__WORKER_REPLY__REPLY_PROOF) {
        proving->proof = reply->proof;
        return NULL;
    }
    Umx__Proof *proof = umx_reflect_new(&umx__proof__descriptor, proving->arena);
    if (proof == NULL)
        return NULL;
    proof->has_kind = 1;
    proof->kind = UMX__PROOF__KIND__TRUST;
    proof->forest = umx_arena_string(proving->arena, slot->config->name);
    proof->target_forest = umx_arena_string(proving->arena, proving->target);
    proof->target =
        umx_arena_string(proving->arena, proving->domain_controller != NULL ? proving->domain_controller : "");
    proof->identity = umx_arena_string(proving->arena, slot->config->reader);
    proof->has_status = 1;
    proof->status = UMX__PROOF__STATUS__UNKNOWN;
    proof->detail = umx_arena_format(proving->arena, "UMX-%d: %s", err.id, umx_error_why(&err));
    proving->proof = proof;
    return NULL;
}

static char *domain_controller_of(const struct reading *reading)
{
    const Umx__World *records = umx_world_records(reading->world);

    if (records->n_forest > 0 && records->forest[0]->domain_controller != NULL)
        return records->forest[0]->domain_controller;
    const struct umx_list *configured = &reading->slot->config->domain_controllers;
    return configured->count > 0 ? configured->items[0] : NULL;
}

static int add_proof(struct umx_world *world, Umx__Proof *proof, struct umx_error *err)
{
    char controller[] = "controller";
    char source[2 * UMX_ERROR_WHAT_MAX + 16];

    /* One source a direction: a reading of some forests replaces their proofs and leaves the others. */
    snprintf(source, sizeof source, "controller:%s>%s", proof->forest, proof->target_forest);
    proof->server = controller;
    proof->source = source;
    proof->has_collected_at = 1;
    proof->collected_at = umx_clock_now();
    return umx_world_add(world, &proof->base, err);
}

/* Every forest with every forest of the other side, in both directions, at the same time per forest. */
static int prove_all(struct reading *readings, size_t count, struct umx_world *world, struct umx_error *err)
{
    struct proving *proofs = calloc(count * count + 1, sizeof *proofs);
    size_t n = 0;
    int status = 0;

    if (proofs == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "proofs", NULL);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            if (i == k || !other_side(readings[i].slot->config->side, readings[k].slot->config->side))
                continue;
            struct proving *proving = &proofs[n++];
            proving->reading = &readings[i];
            proving->target = readings[k].slot->config->name;
            proving->domain_controller = domain_controller_of(&readings[k]);
            proving->arena = umx_arena_new(UMX_ARENA_FLOOR * 4);
            if (proving->arena != NULL)
                proving->started = pthread_create(&proving->thread, NULL, prove_trust, proving) == 0;
        }
    for (size_t i = 0; i < n; i++) {
        if (proofs[i].started)
            pthread_join(proofs[i].thread, NULL);
        if (status == 0 && proofs[i].proof != NULL)
            status = add_proof(world, proofs[i].proof, err);
        umx_arena_free(proofs[i].arena);
    }
    free(proofs);
    return status;
}

int umx_forests_read(struct umx_forests *forests, char *const *names, size_t count, bool proofs, int64_t deadline,
                     struct umx_world *world, struct umx_error *err)
{
    int64_t each = forests->config->read_timeout * UMX_SECOND;
    struct reading readings[UMX_MAX_FORESTS] = {0};
    size_t n = 0;
    int status = 0;

    for (size_t i = 0; names != NULL && i < count; i++)
        if (find(forests, names[i]) == NULL)
            return umx_fail(err, UMX_ERR_FOREST_UNKNOWN, names[i], NULL);
    for (size_t i = 0; i < forests->count; i++) {
        bool wanted = names == NULL;
        for (size_t k = 0; !wanted && k < count; k++)
            wanted = umx_text_equal(names[k], forests->slots[i].config->name);
        if (!wanted)
            continue;
        struct reading *reading = &readings[n++];
        reading->slot = &forests->slots[i];
        reading->deadline = deadline > 0 && deadline < each ? deadline : each;
        reading->world = umx_world_new(umx_clock_now());
        if (reading->world == NULL)
            umx_fail(&reading->err, UMX_ERR_MEMORY, reading->slot->config->name, NULL);
        else
            reading->started = pthread_create(&reading->thread, NULL, read_forest, reading) == 0;
        if (reading->world != NULL && !reading->started)
            umx_fail(&reading->err, UMX_ERR_MEMORY, reading->slot->config->name, "no thread can be started");
    }
    for (size_t i = 0; i < n; i++) {
        if (readings[i].started)
            pthread_join(readings[i].thread, NULL);
        if (status != 0)
            continue;
        if (readings[i].err.status != 0)
            status = add_unread(world, &readings[i], err);
        else
            status = umx_world_add_all(world, umx_world_records(readings[i].world), err);
    }
    if (status == 0 && proofs)
        status = prove_all(readings, n, world, err);
    for (size_t i = 0; i < n; i++)
        umx_world_free(readings[i].world);
    return status;
}

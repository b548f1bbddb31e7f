#include "controller/observer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/drift.h"
#include "controller/fleet.h"
#include "controller/forests.h"
#include "controller/targets.h"
#include "store/state.h"

struct umx_observer {
    struct umx_controller *controller;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool started;
    bool stopping;
    bool wanted; /* a reading now, whatever the interval */
};

static bool field_of(const struct umx_table *table, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(table->record, name) != NULL;
}

/* Tables that the forests' workers fill: they have a forest and no server, but for the Exchange servers. */
static bool directory_table(const struct umx_table *table)
{
    return !table->derived && field_of(table, "forest") &&
           (!field_of(table, "server") || table->record == &umx__exchange_server__descriptor);
}

static const char *forest_of(const struct umx_table *table, const ProtobufCMessage *record)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(table->record, "forest");
    const char *forest;

    memcpy(&forest, (const char *)record + field->offset, sizeof forest);
    return forest != NULL ? forest : "";
}

/* Replaces the stored records of one forest. What was known of a forest that cannot be read now stays, with its time;
 * only the forest's own record changes, since it says why. */
static int store_forest(struct umx_state *state, const Umx__World *records, const Umx__Forest *forest,
                        struct umx_error *err)
{
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    int status = 0;

    for (size_t t = 0; status == 0 && t < tables; t++) {
        if (!directory_table(&all[t]) || (forest->error != NULL && all[t].record != &umx__forest__descriptor))
            continue;
        size_t count;
        size_t mine = 0;
        ProtobufCMessage **items = umx_world_table(records, &all[t], &count);
        ProtobufCMessage **wanted = malloc((count + 1) * sizeof *wanted);
        if (wanted == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, forest->forest, NULL);
        for (size_t i = 0; i < count; i++)
            if (umx_text_equal(forest_of(&all[t], items[i]), forest->forest))
                wanted[mine++] = items[i];
        status = umx_state_replace(state, &all[t], "forest", forest->forest, wanted, mine, err);
        free(wanted);
    }
    return status;
}

static int store(struct umx_observer *observer, const Umx__World *records, struct umx_error *err)
{
    struct umx_state *state = observer->controller->state;
    int status = umx_state_begin(state, err);

    for (size_t i = 0; status == 0 && i < records->n_forest; i++)
        status = store_forest(state, records, records->forest[i], err);
    for (size_t i = 0; status == 0 && i < records->n_proof; i++)
        status = umx_state_replace(state, umx_reflect_table("proof"), "source", records->proof[i]->source,
                                   (ProtobufCMessage **)&records->proof[i], 1, err);
    if (status == 0)
        return umx_state_commit(state, err);
    umx_state_rollback(state);
    return status;
}

/* ---- what agents shall prove */

/* Lync servers prove that they can read the dial plans (V7.7), and TLS to the UM services; Exchange servers that they
 * find the Lync groups' SIDs (V1B.11), and TLS to the pools (C6); everybody looks the domain controllers of all forests
 * up (V1B.10). Each tries only what tells something: a ticket over a trust costs every domain controller on its way. */
static void tell_agents(struct umx_observer *observer, const Umx__World *records)
{
    struct umx_arena *arena = umx_arena_new(UMX_FLEET_PROOFS_ARENA);
    struct umx_world *left_out = umx_world_new(umx_clock_now());
    struct umx_targets targets;
    struct umx_error err = {0};
    int status = arena != NULL && left_out != NULL ? umx_targets_find(records, arena, &targets, &err)
                                                   : umx_fail(&err, UMX_ERR_MEMORY, "proofs", NULL);

    if (status == 0)
        status =
            umx_fleet_set_proofs(observer->controller->fleet, records, targets.items, targets.count, left_out, &err);
    const Umx__World *untried = status == 0 ? umx_world_records(left_out) : NULL;
    if (status == 0)
        status = umx_state_replace(observer->controller->state, umx_reflect_table("proof"), "source",
                                   UMX_FLEET_LEFT_OUT, (ProtobufCMessage **)untried->proof, untried->n_proof, &err);
    if (status != 0)
        umx_log_error("observer", &err);
    else if (untried->n_proof > 0)
        umx_log(UMX_LOG_WARNING, "observer", "%zu targets of proofs are more than agents are told: nobody tries them",
                untried->n_proof);
    umx_world_free(left_out);
    umx_arena_free(arena);
}

/* ---- worlds */

static int add_agent_records(struct umx_observer *observer, struct umx_world *world, struct umx_error *err)
{
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    int status = umx_fleet_agents(observer->controller->fleet, world, err);

    for (size_t t = 0; status == 0 && t < tables; t++)
        if (!all[t].derived && field_of(&all[t], "server") && !directory_table(&all[t]) &&
            all[t].record != &umx__agent__descriptor)
            status = umx_state_load(observer->controller->state, &all[t], world, err);
    return status == 0 ? umx_fleet_freshen(observer->controller->fleet, world, err) : status;
}

static struct umx_world *new_world(struct umx_observer *observer, struct umx_error *err)
{
    struct umx_world *world = umx_world_new(umx_clock_now());

    if (world == NULL) {
        umx_fail(err, UMX_ERR_MEMORY, "world", NULL);
        return NULL;
    }
    umx_world_edit(world)->deployment = umx_arena_string(umx_world_arena(world), observer->controller->deployment);
    return world;
}

int umx_observe(struct umx_observer *observer, char *const *names, size_t count, int64_t deadline,
                struct umx_world **out, struct umx_error *err)
{
    struct umx_world *world = new_world(observer, err);
    int status;

    *out = NULL;
    if (world == NULL)
        return UMX_E_MEMORY;
    status = umx_forests_read(observer->controller->forests, names, count, true, deadline, world, err);
    if (status == 0)
        status = store(observer, umx_world_records(world), err);
    if (status == 0) {
        tell_agents(observer, umx_world_records(world));
        /* The controller's own proofs are stored with the agents': all come back from the store, once. */
        umx_world_edit(world)->n_proof = 0;
        status = add_agent_records(observer, world, err);
    }
    if (status != 0) {
        umx_world_free(world);
        return status;
    }
    *out = world;
    return 0;
}

int umx_observe_stored(struct umx_observer *observer, struct umx_world **out, struct umx_error *err)
{
    struct umx_world *world = new_world(observer, err);
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    int status;

    *out = NULL;
    if (world == NULL)
        return UMX_E_MEMORY;
    status = add_agent_records(observer, world, err);
    for (size_t t = 0; status == 0 && t < tables; t++)
        if (directory_table(&all[t]))
            status = umx_state_load(observer->controller->state, &all[t], world, err);
    if (status != 0) {
        umx_world_free(world);
        return status;
    }
    *out = world;
    return 0;
}

/* ---- background */

static void refresh(struct umx_observer *observer)
{
    struct umx_world *world = NULL;
    struct umx_error err = {0};

    if (umx_observe(observer, NULL, 0, 0, &world, &err) != 0)
        umx_log_error("observer", &err);
    else
        for (size_t i = 0; i < umx_world_records(world)->n_forest; i++) {
            const Umx__Forest *forest = umx_world_records(world)->forest[i];
            if (forest->error != NULL)
                umx_log(UMX_LOG_WARNING, "observer", "%s: %s", forest->forest, forest->error);
        }
    if (world != NULL && umx_drift_note(observer->controller, umx_world_records(world), &err) != 0)
        umx_log_error("observer", &err);
    umx_world_free(world);
}

static void *background(void *user)
{
    struct umx_observer *observer = user;
    int64_t interval = observer->controller->config->refresh * UMX_SECOND;

    for (bool wanted = interval > 0;; wanted = true) {
        if (wanted)
            refresh(observer);
        int64_t end = umx_clock_monotonic() + (interval > 0 ? interval : UMX_DAY);
        struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};
        pthread_mutex_lock(&observer->mutex);
        int rc = 0;
        while (!observer->stopping && !observer->wanted && (rc == 0 || interval == 0))
            rc = pthread_cond_timedwait(&observer->wake, &observer->mutex, &until);
        observer->wanted = false;
        bool stopping = observer->stopping;
        pthread_mutex_unlock(&observer->mutex);
        if (stopping)
            return NULL;
    }
}

int umx_observer_open(struct umx_controller *controller, struct umx_observer **out, struct umx_error *err)
{
    struct umx_observer *observer = calloc(1, sizeof *observer);
    pthread_condattr_t monotonic;

    *out = NULL;
    if (observer == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "observer", NULL);
    observer->controller = controller;
    pthread_mutex_init(&observer->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&observer->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = observer;
    return 0;
}

int umx_observer_start(struct umx_observer *observer, struct umx_error *err)
{
    if (pthread_create(&observer->thread, NULL, background, observer) != 0)
        return umx_fail(err, UMX_ERR_MEMORY, "observer", "no thread can be started");
    observer->started = true;
    return 0;
}

void umx_observer_want(struct umx_observer *observer)
{
    pthread_mutex_lock(&observer->mutex);
    observer->wanted = true;
    pthread_cond_broadcast(&observer->wake);
    pthread_mutex_unlock(&observer->mutex);
}

void umx_observer_close(struct umx_observer *observer)
{
    if (observer == NULL)
        return;
    pthread_mutex_lock(&observer->mutex);
    observer->stopping = true;
    pthread_cond_broadcast(&observer->wake);
    pthread_mutex_unlock(&observer->mutex);
    if (observer->started)
        pthread_join(observer->thread, NULL);
    pthread_cond_destroy(&observer->wake);
    pthread_mutex_destroy(&observer->mutex);
    free(observer);
}

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
#include "phases/um_server.h"
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

static int add_target(struct umx_arena *arena, Umx__ProofTarget ***targets, size_t *count,
                      const Umx__ProofTarget *target)
{
    if (*targets == NULL)
        *targets = umx_arena_alloc(arena, UMX_FLEET_PROOFS_MAX * sizeof(Umx__ProofTarget *));
    if (*targets == NULL || *count == UMX_FLEET_PROOFS_MAX)
        return UMX_E_LIMIT;
    (*targets)[*count] = umx_reflect_copy(&target->base, arena);
    return (*targets)[(*count)++] != NULL ? 0 : UMX_E_MEMORY;
}

/* Lync servers prove that they can read the dial plans (V7.7), and TLS to the UM services; Exchange servers that they
 * find the Lync groups' SIDs (V1B.11), and TLS to the pools (C6); everybody looks the domain controllers of all forests
 * up (V1B.10). Each tries only what tells something: a ticket over a trust costs every domain controller on its way. */
static void tell_agents(struct umx_observer *observer, const Umx__World *records)
{
    struct umx_arena *arena = umx_arena_new(UMX_ARENA_FLOOR * 16);
    Umx__ProofTarget **targets = NULL;
    size_t count = 0;
    struct umx_error err = {0};

    if (arena == NULL)
        return;
    for (size_t i = 0; i < records->n_forest; i++) {
        Umx__Forest *forest = records->forest[i];
        Umx__ProofTarget target = UMX__PROOF_TARGET__INIT;
        char name[UMX_ERROR_WHAT_MAX];
        target.forest = forest->forest;
        target.has_kind = 1;
        target.kind = UMX__PROOF__KIND__DNS;
        snprintf(name, sizeof name, "_ldap._tcp.dc._msdcs.%s", forest->forest);
        target.host = name;
        add_target(arena, &targets, &count, &target);
        if (forest->domain_controller == NULL)
            continue;
        target.host = forest->domain_controller;
        for (size_t k = 0; k < records->n_container; k++) {
            const Umx__Container *container = records->container[k];
            if (container->kind != UMX__CONTAINER__KIND__DIAL_PLANS ||
                !umx_text_equal(container->forest, forest->forest))
                continue;
            target.kind = UMX__PROOF__KIND__DIRECTORY;
            target.has_by = 1;
            target.by = UMX__FOREST__SIDE__LYNC;
            target.dn = container->dn;
            add_target(arena, &targets, &count, &target);
            target.dn = NULL;
        }
        for (size_t k = 0; k < records->n_admin_group; k++) {
            const Umx__AdminGroup *group = records->admin_group[k];
            if (strcmp(group->meaning, "rtc_server_admins") != 0 || !umx_text_equal(group->forest, forest->forest))
                continue;
            target.kind = UMX__PROOF__KIND__SID;
            target.has_by = 1;
            target.by = UMX__FOREST__SIDE__EXCHANGE;
            target.sid = group->sid;
            add_target(arena, &targets, &count, &target);
            target.sid = NULL;
        }
    }
    for (size_t i = 0; i < records->n_lync_pool; i++) {
        Umx__ProofTarget target = UMX__PROOF_TARGET__INIT;
        target.has_kind = 1;
        target.kind = UMX__PROOF__KIND__TLS;
        target.forest = records->lync_pool[i]->forest;
        target.has_by = 1;
        target.by = UMX__FOREST__SIDE__EXCHANGE;
        target.host = records->lync_pool[i]->pool;
        target.has_port = 1;
        target.port = 5061;
        add_target(arena, &targets, &count, &target);
    }
    for (size_t i = 0; i < records->n_forest; i++) {
        size_t end_count;
        const struct umx_um_end *ends = umx_um_ends(records, records->forest[i]->forest, arena, &end_count);
        for (size_t k = 0; ends != NULL && k < end_count; k++) {
            Umx__ProofTarget target = UMX__PROOF_TARGET__INIT;
            target.has_kind = 1;
            target.kind = UMX__PROOF__KIND__TLS;
            target.forest = records->forest[i]->forest;
            target.has_by = 1;
            target.by = UMX__FOREST__SIDE__LYNC;
            target.host = umx_arena_string(arena, ends[k].fqdn);
            target.has_port = 1;
            target.port = ends[k].port;
            if (target.host != NULL)
                add_target(arena, &targets, &count, &target);
        }
    }
    if (umx_fleet_set_proofs(observer->controller->fleet, records, targets, count, &err) != 0)
        umx_log_error("observer", &err);
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

#include "controller/engine_ports.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reflect.h"
#include "controller/drift.h"
#include "controller/fleet.h"
#include "controller/forests.h"
#include "controller/observer.h"
#include "store/state.h"

/* Tables that agents fill are not asked of forests: what was last reported counts. */
static bool agent_table(const struct umx_table *table)
{
    return table != NULL && !table->derived && table->record != &umx__exchange_server__descriptor &&
           protobuf_c_message_descriptor_get_field_by_name(table->record, "server") != NULL;
}

static int load_tables(struct umx_controller *controller, const char *const *tables, struct umx_world *world,
                       struct umx_error *err)
{
    int status = 0;

    for (; status == 0 && *tables != NULL; tables++)
        if (agent_table(umx_reflect_table(*tables)))
            status = umx_state_load(controller->state, umx_reflect_table(*tables), world, err);
    return status;
}

static int read_tables(struct umx_controller *controller, const char *forest, const char *const *tables,
                       struct umx_world *world, struct umx_error *err)
{
    enum { TABLES_MAX = 64 };
    char *names[TABLES_MAX];
    Umx__Read read = UMX__READ__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;

    for (; *tables != NULL && read.n_table < TABLES_MAX; tables++)
        if (!agent_table(umx_reflect_table(*tables)))
            names[read.n_table++] = (char *)(uintptr_t)*tables; /* packed, never changed */
    if (read.n_table == 0)
        return 0; /* no table at all would mean all of them */
    read.table = names;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ;
    request.read = &read;
    return umx_forests_collect(controller->forests, forest, UMX_ACCOUNT_READER, &request, controller->config->read_timeout * UMX_SECOND,
                               world, err);
}

static int read_world(void *user, const char *const *forests, size_t count, const char *const *tables,
                      struct umx_world **out, struct umx_error *err)
{
    struct umx_controller *controller = user;

    if (tables == NULL)
        return umx_observe(controller->observer, (char *const *)(uintptr_t)forests, count, 0, out, err);
    struct umx_world *world = umx_world_new(umx_clock_now());
    int status = world == NULL ? umx_fail(err, UMX_ERR_MEMORY, "world", NULL) : 0;
    for (size_t i = 0; status == 0 && i < count; i++)
        status = read_tables(controller, forests[i], tables, world, err);
    if (status == 0)
        status = load_tables(controller, tables, world, err);
    if (status != 0) {
        umx_world_free(world);
        world = NULL;
    }
    *out = world;
    return status;
}

/* A worker's own refusal comes back as an error of the call: the engine wants it inside the reply, since then the
 * request is known to have been answered. */
static bool answered(int status)
{
    return status != UMX_E_TIMEOUT && status != UMX_E_UNREACHABLE && status != UMX_E_INTERNAL && status != UMX_E_MEMORY;
}

static int call(void *user, const char *forest, bool writer, Umx__WorkerRequest *request, int64_t deadline,
                struct umx_arena *arena, Umx__WorkerReply **reply, struct umx_error *err)
{
    struct umx_controller *controller = user;
    struct umx_error own = {0};
    int status = umx_forests_call(controller->forests, forest, writer ? UMX_ACCOUNT_WRITER : UMX_ACCOUNT_READER,
                                  request, deadline, arena, reply, &own);

    if (status == 0 || !answered(status)) {
        if (status != 0 && err != NULL)
            *err = own;
        return status;
    }
    Umx__WorkerReply *refused = umx_reflect_new(&umx__worker_reply__descriptor, arena);
    Umx__WorkerError *error = umx_reflect_new(&umx__worker_error__descriptor, arena);
    if (refused == NULL || error == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, forest, NULL);
    error->has_id = 1;
    error->id = own.id;
    error->has_status = 1;
    error->status = own.status;
    error->what = umx_arena_string(arena, own.what);
    error->why = umx_arena_string(arena, umx_error_why(&own));
    error->has_code = 1;
    error->code = (int32_t)own.foreign;
    refused->error = error;
    refused->has_last = 1;
    refused->last = 1;
    *reply = refused;
    return 0;
}

static void release_writer(void *user, const char *forest)
{
    static const char *const tables[] = {"proof", "service", NULL};
    struct umx_controller *controller = user;

    umx_forests_stop_writer(controller->forests, forest);
    umx_controller_keep_head(controller);
    /* A plan wrote there: what agents prove and see of it may be another thing now. */
    umx_fleet_ask(controller->fleet, tables);
    umx_observer_want(controller->observer);
}

static void rest_writer(void *user, const char *forest)
{
    struct umx_controller *controller = user;

    umx_forests_stop_writer(controller->forests, forest);
}

static int kept_head(void *user, struct umx_journal_head *head, struct umx_error *err)
{
    struct umx_controller *controller = user;

    return umx_state_kept_head(controller->state, head, err);
}

static int act(void *user, const char *server, const Umx__ActionBatch *batch, int64_t deadline, struct umx_arena *arena,
               Umx__ActionResult ***results, size_t *count, struct umx_error *err)
{
    struct umx_controller *controller = user;

    return umx_fleet_act(controller->fleet, server, batch, deadline, arena, results, count, err);
}

static int witnesses(void *user, struct umx_arena *arena, struct umx_engine_witness **out, size_t *count,
                     struct umx_error *err)
{
    struct umx_controller *controller = user;
    struct umx_fleet_witness *heard = NULL;
    int status = umx_fleet_witnesses(controller->fleet, arena, &heard, count, err);

    *out = status == 0 ? umx_arena_alloc(arena, (*count + 1) * sizeof **out) : NULL;
    if (status == 0 && *out == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "agents", NULL);
    for (size_t i = 0; status == 0 && i < *count; i++)
        (*out)[i] = (struct umx_engine_witness){heard[i].server, heard[i].head};
    return status;
}

static bool connected(void *user, const char *forest, const char *server)
{
    struct umx_controller *controller = user;

    return umx_fleet_connected(controller->fleet, forest, server);
}

static int collect(void *user, const char *forest, const char *server, const char *const *tables, int64_t deadline,
                   struct umx_world *world, struct umx_error *err)
{
    struct umx_controller *controller = user;

    return umx_fleet_collect(controller->fleet, forest, server, tables, deadline, world, err);
}

static void undone(void *user, const Umx__Plan *undo)
{
    struct umx_controller *controller = user;
    struct umx_error err = {0};

    if (umx_drift_forget(controller, undo, &err) != 0)
        umx_log_error("engine", &err);
}

static void grown(void *user)
{
    struct umx_controller *controller = user;

    umx_fleet_journal_grown(controller->fleet);
}

const struct umx_engine_ports *umx_controller_ports(struct umx_controller *controller)
{
    static struct umx_engine_ports ports;

    ports = (struct umx_engine_ports){.user = controller,
                                      .read_world = read_world,
                                      .call = call,
                                      .release_writer = release_writer,
                                      .rest_writer = rest_writer,
                                      .act = act,
                                      .witnesses = witnesses,
                                      .connected = connected,
                                      .collect = collect,
                                      .undone = undone,
                                      .grown = grown,
                                      .kept_head = kept_head};
    return &ports;
}

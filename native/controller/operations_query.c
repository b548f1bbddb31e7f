/* The query operation: SQL over what was last known, or over what the agents say now, with the tables that the
 * controller derives filled on demand. */
#include "controller/operations.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "controller/access.h"
#include "controller/drift.h"
#include "controller/engine.h"
#include "controller/fleet.h"
#include "controller/observer.h"
#include "controller/saved.h"
#include "phases/phases.h"
#include "store/query.h"
#include "store/state.h"

enum { DEFAULT_TIMEOUT = 30, MAX_TIMEOUT = 100 }; /* seconds */

/* One question while it runs. */
struct asking {
    struct umx_operation *operation;
    struct umx_error *err;
    int64_t deadline;           /* of the agents' answers, duration */
    const char *const *servers; /* picked ones, sorted; NULL: all */
    size_t server_count;
    struct umx_fleet_question question; /* what came of asking the agents */
    bool live;
    struct umx_fleet_freshness *freshness; /* made when the first row is asked for its age */
    struct umx_world *forests;
};

static int fill_agents(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err)
{
    struct umx_world *world = umx_world_new(umx_clock_now());
    int status = world == NULL ? umx_fail(err, UMX_ERR_MEMORY, "agents", NULL)
                               : umx_fleet_agents(operation->controller->fleet, world, err);

    for (size_t i = 0; status == 0 && i < umx_world_records(world)->n_agent; i++)
        status = umx_query_add(sink, &umx_world_records(world)->agent[i]->base, err);
    umx_world_free(world);
    return status;
}

/* Checks of what was last known; states hides the findings behind one row per phase and pair. */
static int fill_checks(struct umx_operation *operation, struct umx_query_sink *sink, bool states, struct umx_error *err)
{
    struct umx_world *world = NULL;
    struct umx_options options = {0};
    size_t pairs;
    int status = umx_observe_stored(operation->controller->observer, &world, err);

    if (status != 0)
        return status;
    const Umx__World *records = umx_world_records(world);
    const struct umx_pair *all = umx_phase_pairs(records, operation->arena, &pairs);
    for (size_t p = 0; status == 0 && p < pairs; p++)
        for (size_t i = 0; status == 0 && i < UMX_PHASE_COUNT; i++) {
            const struct umx_phase *phase = &umx_phases()[i];
            struct umx_findings findings = {.arena = operation->arena};
            status = umx_phases_check(records, &phase, 1, &all[p], 1, &options, &findings, err);
            if (status == 0 && states) {
                Umx__PhaseState *state = umx_phase_state(phase, &all[p], &findings, operation->arena);
                status = state == NULL
                             ? umx_fail(err, UMX_ERR_ARENA_FULL, phase->slug, NULL)
                             : umx_drift_apply(operation->controller, records, &findings, state, operation->arena, err);
                if (status == 0)
                    status = umx_query_add(sink, &state->base, err);
                continue;
            }
            for (size_t f = 0; status == 0 && f < findings.count; f++)
                status = umx_query_add(sink, &findings.items[f]->base, err);
        }
    umx_world_free(world);
    return status;
}

static int fill_findings(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err)
{
    return fill_checks(operation, sink, false, err);
}

static int fill_states(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err)
{
    return fill_checks(operation, sink, true, err);
}

static int fill_plans(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err)
{
    Umx__PlanSummary **plans = NULL;
    size_t count = 0;
    int status = umx_engine_list(operation->controller->engine, operation->arena, &plans, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_query_add(sink, &plans[i]->base, err);
    return status;
}

static int fill_steps(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err)
{
    struct umx_engine *engine = operation->controller->engine;
    Umx__PlanSummary **plans = NULL;
    size_t count = 0;
    int status = umx_engine_list(engine, operation->arena, &plans, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++) {
        struct umx_engine_view view;
        status = umx_engine_show(engine, plans[i]->name, operation->arena, &view, err);
        for (size_t k = 0; status == 0 && k < view.step_count; k++)
            status = umx_query_add(sink, &view.steps[k]->base, err);
    }
    return status;
}

static int add_entry(void *user, const Umx__Journal *entry, struct umx_error *err)
{
    return umx_query_add(user, &entry->base, err);
}

static int fill_journal(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err)
{
    /* SQL is no way around the role that `audit` needs. */
    int status = umx_access_check(operation->controller, operation->caller, UMX_ACCESS_AUDITOR, false, "journal", err);

    return status == 0 ? umx_engine_audit(operation->controller->engine, NULL, 0, INT64_MAX, add_entry, sink, err)
                       : status;
}

static const struct {
    const char *table;
    int (*fill)(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err);
} fillers[] = {
    {"agent", fill_agents}, {"finding", fill_findings}, {"phase_state", fill_states},
    {"plan", fill_plans},   {"plan_step", fill_steps},  {"journal", fill_journal},
};

enum { FILLERS = sizeof fillers / sizeof fillers[0] };

static int fill(void *user, const struct umx_table *table, struct umx_query_sink *sink, struct umx_error *err)
{
    const struct asking *asking = user;

    for (size_t i = 0; i < FILLERS; i++)
        if (strcmp(fillers[i].table, table->name) == 0)
            return fillers[i].fill(asking->operation, sink, err);
    return 0;
}

static int row(void *user, const char *json, size_t length)
{
    const struct asking *asking = user;

    (void)length;
    return umx_operation_item_json(asking->operation, "rows", json, asking->err);
}

static bool cancelled(void *user)
{
    const struct asking *asking = user;

    return umx_rpc_cancelled(asking->operation->call);
}

/* ---- how fresh rows are */

static bool is_of_agents(const struct umx_table *table)
{
    return !table->derived && table->record != &umx__agent__descriptor &&
           table->record != &umx__exchange_server__descriptor &&
           protobuf_c_message_descriptor_get_field_by_name(table->record, "server") != NULL;
}

/* Pictures of now, made once: every row of a query is measured by the same. Without one nothing is known. */
static void look(struct asking *asking)
{
    struct umx_controller *controller = asking->operation->controller;

    if (asking->freshness != NULL || asking->forests != NULL)
        return;
    asking->forests = umx_world_new(umx_clock_now());
    umx_fleet_freshness(controller->fleet, &asking->freshness, NULL);
    if (asking->forests != NULL)
        umx_state_load(controller->state, umx_reflect_table("forest"), asking->forests, NULL);
}

static int64_t forest_read(const struct asking *asking, const char *name, bool *stale)
{
    const Umx__World *records = asking->forests != NULL ? umx_world_records(asking->forests) : NULL;
    int refresh = asking->operation->controller->config->refresh;

    for (size_t i = 0; records != NULL && name != NULL && i < records->n_forest; i++) {
        const Umx__Forest *forest = records->forest[i];
        if (!umx_text_equal(forest->forest, name))
            continue;
        /* A time that is yet to come was written before the clock was set back: how old it is nobody knows. */
        const int64_t age = umx_clock_now() - forest->collected_at;
        *stale = forest->error != NULL || (refresh > 0 && (age < 0 || age > (2 * refresh + 60) * UMX_SECOND));
        return forest->error == NULL ? forest->collected_at : 0;
    }
    return 0;
}

static int64_t confirmed(void *user, const struct umx_table *table, const char *server, const char *forest, bool *stale)
{
    struct asking *asking = user;
    int64_t at = 0;

    if (table->derived || table->record == &umx__agent__descriptor)
        return umx_clock_now(); /* worked out just now */
    look(asking);
    if (!is_of_agents(table))
        return forest_read(asking, forest, stale);
    if (asking->freshness != NULL && server != NULL && umx_fleet_fresh(asking->freshness, table, server, &at, stale))
        return at;
    return 0;
}

/* ---- asking the agents first */

static int progress(void *user, size_t heard, size_t asked)
{
    const struct asking *asking = user;

    return umx_operation_progress(asking->operation, "asking the agents", (int64_t)heard, (int64_t)asked, asking->err);
}

/* Agents that were issued and never seen belong to those who do not answer. */
static int know_all(struct asking *asking)
{
    struct umx_world *world = umx_world_new(umx_clock_now());
    int status = world == NULL ? umx_fail(asking->err, UMX_ERR_MEMORY, "agents", NULL)
                               : umx_fleet_agents(asking->operation->controller->fleet, world, asking->err);

    umx_world_free(world);
    return status;
}

static int ask_agents(void *user, const struct umx_table *const *tables, size_t count)
{
    struct asking *asking = user;
    const char *names[UMX_FLEET_TABLES_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < count && n < UMX_FLEET_TABLES_MAX; i++)
        if (is_of_agents(tables[i]))
            names[n++] = tables[i]->name;
    names[n] = NULL;
    if (n == 0)
        return umx_fail(asking->err, UMX_ERR_QUERY_NOT_LIVE, "query", NULL);
    int status = know_all(asking);
    if (status != 0)
        return status;
    asking->question = (struct umx_fleet_question){
        .tables = names,
        .all = asking->servers == NULL,
        .servers = asking->servers,
        .server_count = asking->server_count,
        .deadline = asking->deadline,
        .cancelled = cancelled,
        .progress = progress,
        .user = asking,
    };
    return umx_fleet_question(asking->operation->controller->fleet, &asking->question, asking->err);
}

static int tell_silent(struct asking *asking, struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < asking->question.silent_count; i++) {
        Umx__SilentAgent silent = UMX__SILENT_AGENT__INIT;
        silent.agent = asking->question.silent[i].server;
        silent.reason = asking->question.silent[i].reason;
        status = umx_operation_item(asking->operation, "silent", &silent.base, err);
    }
    return status;
}

/* ---- which servers */

struct picking {
    struct asking *asking;
    char **servers;
    size_t count;
    size_t capacity;
};

/* A row is {"server":"NAME"}; a server without a name picks nobody. */
static int pick(void *user, const char *json, size_t length)
{
    static const char begin[] = "{\"server\":\"";
    struct picking *picking = user;
    size_t head = sizeof begin - 1;

    if (length < head + 2 || memcmp(json, begin, head) != 0)
        return 0;
    if (picking->count == picking->capacity) {
        size_t capacity = picking->capacity == 0 ? 64 : picking->capacity * 2;
        char **more = realloc(picking->servers, capacity * sizeof *more);
        if (more == NULL)
            return umx_fail(picking->asking->err, UMX_ERR_MEMORY, "where", NULL);
        picking->servers = more;
        picking->capacity = capacity;
    }
    char *name = strndup(json + head, length - head - 2);
    if (name == NULL)
        return umx_fail(picking->asking->err, UMX_ERR_MEMORY, "where", NULL);
    picking->servers[picking->count++] = name;
    return 0;
}

static bool picking_cancelled(void *user)
{
    const struct picking *picking = user;

    return cancelled(picking->asking);
}

static int by_name(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static int pick_servers(struct picking *picking, const char *where, struct umx_error *err)
{
    struct umx_text sql = {0};

    umx_text_addf(&sql, "SELECT DISTINCT server FROM server WHERE (\n%s\n)", where);
    struct umx_query query = {.sql = umx_text_string(&sql),
                              .row = pick,
                              .cancelled = picking_cancelled,
                              .user = picking,
                              .deadline = DEFAULT_TIMEOUT * UMX_SECOND};
    int status = sql.failed ? umx_fail(err, UMX_ERR_MEMORY, "where", NULL)
                            : umx_query_run(picking->asking->operation->controller->state, &query, err);
    umx_text_free(&sql);
    if (status == 0 && picking->count > 1)
        qsort(picking->servers, picking->count, sizeof *picking->servers, by_name);
    return status;
}

static void free_picking(struct picking *picking)
{
    for (size_t i = 0; i < picking->count; i++)
        free(picking->servers[i]);
    free(picking->servers);
}

/* ---- the operation */

static int run_query(struct asking *asking, const char *sql, const char *where, int64_t timeout, struct umx_error *err)
{
    struct umx_operation *operation = asking->operation;
    const struct umx_table *live[FILLERS];
    struct picking picking = {.asking = asking};
    int64_t left = umx_operation_left(operation);
    struct umx_query query = {
        .sql = sql,
        .live = live,
        .fill = fill,
        .row = row,
        .cancelled = cancelled,
        .confirmed = confirmed,
        .source = operation->controller->identity,
        .before = asking->live ? ask_agents : NULL,
        .user = asking,
        /* A live question spends its time on the agents; the SQL then has what everybody has. */
        .deadline = asking->live ? DEFAULT_TIMEOUT * UMX_SECOND : timeout,
    };
    int status = 0;

    if (left > 0 && query.deadline > left)
        query.deadline = left;
    for (size_t i = 0; i < FILLERS; i++)
        live[query.live_count++] = umx_reflect_table(fillers[i].table);
    asking->deadline = timeout;
    if (where != NULL) {
        status = pick_servers(&picking, where, err);
        query.picked = true;
        query.servers = asking->servers = (const char *const *)(uintptr_t)picking.servers;
        query.server_count = asking->server_count = picking.count;
    }
    static const char *const nobody[] = {NULL};
    if (where != NULL && picking.count == 0)
        query.servers = asking->servers = nobody;
    if (status == 0)
        status = umx_query_run(operation->controller->state, &query, err);
    free_picking(&picking);
    asking->servers = NULL;
    return status;
}

int umx_operation_query(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__QueryArguments *arguments = (const Umx__QueryArguments *)operation->arguments;
    struct asking asking = {.operation = operation, .err = err, .live = arguments->live};
    int timeout = arguments->has_timeout ? arguments->timeout : DEFAULT_TIMEOUT;
    const char *sql = arguments->sql;
    int status = 0;

    if (arguments->name != NULL)
        status = umx_saved_query(operation->controller, arguments->name, operation->arena, &sql, err);
    if (status != 0)
        return status;
    if (sql == NULL || sql[0] == '\0')
        return umx_fail(err, UMX_ERR_SQL_INVALID, "query", "no SQL was given");
    if (timeout < 1 || timeout > MAX_TIMEOUT)
        return umx_fail(err, UMX_ERR_OPTION_INVALID, "timeout", "1 to %d seconds", MAX_TIMEOUT);
    status = run_query(&asking, sql, arguments->where, timeout * UMX_SECOND, err);
    if (status == 0)
        status = tell_silent(&asking, err);
    if (status == 0) {
        /* A cached query asks nobody: what was not heard lately says so in age and stale. */
        umx_operation_end_integer(operation, "asked", (int64_t)asking.question.asked);
        umx_operation_end_integer(operation, "answered", (int64_t)asking.question.answered);
    }
    free(asking.question.silent);
    umx_fleet_freshness_free(asking.freshness);
    umx_world_free(asking.forests);
    return status;
}

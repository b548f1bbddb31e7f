/* The query operation: SQL over what was last known, with the tables that the controller derives filled on demand. */
#include "controller/operations.h"

#include <string.h>

#include "base/clock.h"
#include "controller/access.h"
#include "controller/drift.h"
#include "controller/engine.h"
#include "controller/fleet.h"
#include "controller/observer.h"
#include "phases/phases.h"
#include "store/query.h"

enum { DEFAULT_TIMEOUT = 30, MAX_TIMEOUT = 100 }; /* seconds */

struct asking {
    struct umx_operation *operation;
    struct umx_error *err;
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

static int fill_journal(struct umx_operation *operation, struct umx_query_sink *sink, struct umx_error *err)
{
    Umx__Journal **entries = NULL;
    size_t count = 0;
    /* SQL is no way around the role that `audit` needs. */
    int status = umx_access_check(operation->controller, operation->caller, UMX_ACCESS_AUDITOR, "journal", err);

    if (status == 0)
        status = umx_engine_audit(operation->controller->engine, NULL, 0, 0, operation->arena, &entries, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_query_add(sink, &entries[i]->base, err);
    return status;
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

int umx_operation_query(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__QueryArguments *arguments = (const Umx__QueryArguments *)operation->arguments;
    const struct umx_table *live[FILLERS];
    struct asking asking = {operation, err};
    int timeout = arguments->has_timeout ? arguments->timeout : DEFAULT_TIMEOUT;
    struct umx_query query = {
        .sql = arguments->sql, .live = live, .fill = fill, .row = row, .cancelled = cancelled, .user = &asking};

    if (arguments->sql == NULL || arguments->sql[0] == '\0')
        return umx_fail(err, UMX_ERR_SQL_INVALID, "query", "no SQL was given");
    if (timeout < 1 || timeout > MAX_TIMEOUT)
        return umx_fail(err, UMX_ERR_OPTION_INVALID, "timeout", "1 to %d seconds", MAX_TIMEOUT);
    query.deadline = timeout * UMX_SECOND;
    for (size_t i = 0; i < FILLERS; i++)
        live[query.live_count++] = umx_reflect_table(fillers[i].table);
    int status = umx_query_run(operation->controller->state, &query, err);
    if (status != 0)
        return status;
    /* A cached query asks nobody: what was not heard lately says so in collected_at. */
    umx_operation_end_integer(operation, "asked", 0);
    umx_operation_end_integer(operation, "answered", 0);
    return 0;
}

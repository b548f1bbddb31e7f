/* Phase 7: what follows the writes of all pairs: replication, then the Front Ends one after another (2.8 M1, M2). */
#include <string.h>

#include "base/text.h"
#include "phases/exchucutil.h"
#include "phases/groups.h"

enum { REPLICATION_TIMEOUT = 1800 };

static bool is_write(const Umx__PlanStep *step)
{
    return step->kind == UMX__CHANGE__KIND__ADD || step->kind == UMX__CHANGE__KIND__DELETE ||
           step->kind == UMX__CHANGE__KIND__MODIFY || step->kind == UMX__CHANGE__KIND__ACCESS;
}

static bool writes_in(const struct umx_steps *out, size_t first, size_t last, const char *forest)
{
    for (size_t i = first; i < last; i++)
        if (is_write(out->items[i]) && umx_text_equal(out->items[i]->forest, forest))
            return true;
    return false;
}

/* The id of the forest's wait among the steps after `last`, or NULL. */
static const char *wait_of(const struct umx_steps *out, size_t last, const char *forest)
{
    for (size_t i = last; i < out->count; i++)
        if (out->items[i]->kind == UMX__CHANGE__KIND__WAIT && umx_text_equal(out->items[i]->forest, forest))
            return out->items[i]->id;
    return NULL;
}

static void add_wait(struct umx_steps *out, size_t first, size_t last, const char *forest)
{
    Umx__PlanStep *step =
        umx_steps_add(out, "exchucutil", UMX__FOREST__SIDE__EXCHANGE, forest, UMX__CHANGE__KIND__WAIT);
    Umx__WaitChange *wait = umx_reflect_new(&umx__wait_change__descriptor, out->arena);

    if (step == NULL || wait == NULL) {
        out->failed = 1;
        return;
    }
    wait->what = umx_steps_copy(out, "replication");
    wait->has_timeout = 1;
    wait->timeout = REPLICATION_TIMEOUT;
    step->change->wait = wait;
    step->target = umx_steps_copy(out, forest);
    step->summary = umx_steps_copy(
        out, umx_steps_say(out, "wait until the other domain controllers of %s have the writes", forest));
    step->undo = umx_steps_copy(out, "nothing to undo");
    for (size_t i = first; i < last; i++) {
        if (!is_write(out->items[i]) || !umx_text_equal(out->items[i]->forest, forest))
            continue;
        umx_steps_depend(out, step, out->items[i]->id);
        step->groups = out->items[i]->groups;
    }
}

/* A restart that nothing else restarts: an agent's action when one is connected there, a gate otherwise. */
static const char *add_restart(struct umx_steps *out, const Umx__World *world, const char *lync, const char *pool,
                               const char *server, const char *const *after, size_t after_count)
{
    const Umx__Agent *agent = server != NULL ? umx_find_agent(world, server) : NULL;
    bool able =
        agent != NULL && umx_text_equal(agent->state, "connected") && umx_find_service(world, server, "RTCSRV") != NULL;
    Umx__PlanStep *step = umx_steps_add(out, "exchucutil", UMX__FOREST__SIDE__LYNC, lync,
                                        able ? UMX__CHANGE__KIND__ACTION : UMX__CHANGE__KIND__GATE);

    if (step == NULL)
        return NULL;
    step->groups = umx_steps_copy(out, umx_phase("exchucutil")->groups_lync);
    step->undo =
        umx_steps_copy(out, "a restart is not undone: after an undo of this plan restart RTCSRV again, so that Lync "
                            "forgets what is gone");
    step->has_irreversible = 1;
    step->irreversible = 1;
    for (size_t i = 0; i < after_count; i++)
        umx_steps_depend(out, step, after[i]);
    umx_steps_attribute(out, &step->after->attribute, &step->after->n_attribute, "RTCSRV",
                        "running, started after the writes of this plan");
    if (able) {
        Umx__ActionChange *action = umx_reflect_new(&umx__action_change__descriptor, out->arena);
        if (action == NULL) {
            out->failed = 1;
            return NULL;
        }
        action->server = umx_steps_copy(out, server);
        action->action = umx_steps_copy(out, "restart-service");
        action->identity = umx_steps_copy(out, "machine");
        umx_steps_push(out, &action->item, &action->n_item, "RTCSRV");
        step->change->action = action;
        step->target = umx_steps_copy(out, server);
        step->summary =
            umx_steps_copy(out, umx_steps_say(out, "restart RTCSRV on Front End %s of pool %s", server, pool));
        return step->id;
    }
    Umx__GateChange *gate = umx_reflect_new(&umx__gate_change__descriptor, out->arena);
    if (gate == NULL) {
        out->failed = 1;
        return NULL;
    }
    gate->reason =
        umx_steps_copy(out, server == NULL ? "no agent says which Front Ends the pool has: Lync sees UM only "
                                             "after RTCSRV was restarted on each of them"
                                           : "no agent is connected there: Lync sees UM only after a restart");
    if (server == NULL)
        umx_steps_push(out, &gate->command, &gate->n_command,
                       umx_steps_say(out, "(Get-CsPool -Identity %s).Computers", pool));
    umx_steps_push(out, &gate->command, &gate->n_command, "Stop-CsWindowsService -Name RTCSRV -Graceful");
    umx_steps_push(out, &gate->command, &gate->n_command, "Start-CsWindowsService -Name RTCSRV");
    /* No check: where nobody can restart it for us, nobody can look either. */
    step->change->gate = gate;
    step->target = umx_steps_copy(out, server != NULL ? server : pool);
    step->summary = umx_steps_copy(
        out,
        server != NULL
            ? umx_steps_say(out, "restart RTCSRV on Front End %s of pool %s, then confirm", server, pool)
            : umx_steps_say(out, "restart RTCSRV on each Front End of pool %s, one after another, then confirm", pool));
    return step->id;
}

/* The Front Ends of a Lync forest's pools in scope, one of a pool at a time, after the waits of all its pairs. */
static int add_restarts(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                        const char *const *waits, size_t wait_count, struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_uc uc;
    int rc = umx_uc_build(&view, out->arena, &uc, err);

    for (size_t i = 0; rc == 0 && i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        size_t count;
        if (pool->scope != UMX_UC_IN)
            continue;
        const char **servers = umx_uc_front_ends(world, pool, out->arena, &count);
        if (servers == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL);
        const char *before = NULL;
        for (size_t k = 0; k < count; k++)
            before = add_restart(out, world, pair->lync, pool->fqdn, servers[k], k == 0 ? waits : &before,
                                 k == 0 ? wait_count : 1);
        if (count == 0)
            add_restart(out, world, pair->lync, pool->fqdn, NULL, waits, wait_count);
    }
    return rc;
}

int umx_exchucutil_finish(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,
                          const struct umx_options *options, size_t first, struct umx_steps *out, struct umx_error *err)
{
    size_t last = out->count;
    const char **waits = umx_arena_alloc(out->arena, (pair_count + 1) * sizeof *waits);
    int rc = waits != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL);

    for (size_t i = 0; rc == 0 && i < pair_count; i++)
        if (writes_in(out, first, last, pairs[i].exchange) && wait_of(out, last, pairs[i].exchange) == NULL)
            add_wait(out, first, last, pairs[i].exchange);
    for (size_t i = 0; rc == 0 && i < pair_count; i++) {
        size_t wait_count = 0;
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen = seen || umx_text_equal(pairs[k].lync, pairs[i].lync);
        for (size_t k = 0; !seen && k < pair_count; k++) {
            const char *wait =
                umx_text_equal(pairs[k].lync, pairs[i].lync) ? wait_of(out, last, pairs[k].exchange) : NULL;
            if (wait != NULL)
                waits[wait_count++] = wait;
        }
        if (wait_count > 0)
            rc = add_restarts(world, &pairs[i], options, waits, wait_count, out, err);
    }
    return rc != 0 ? rc : out->failed ? umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL) : 0;
}

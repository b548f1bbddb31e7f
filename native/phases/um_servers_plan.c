/* Phase 5: servers and call routers joined to the SIP dial plans, mode and status, then the restarts (X5.1, X5.2). */
#include "base/text.h"
#include "phases/build.h"
#include "phases/exchucutil.h"
#include "phases/restart.h"
#include "phases/um_servers.h"

#define SLUG "um-servers"

static void ask(struct umx_steps *out, const struct umx_um_end *end, const char *after)
{
    umx_restart_ask_um(out, SLUG, end->server->forest, end->fqdn, end->service, end->port, after);
}

/* From the day that Lync sees a newer server in a plan all calls go there (V5.8, F5.3). */
static void note_first_newer(const struct umx_um_end *ends, size_t count, const struct umx_um_end *joining,
                             const Umx__DialPlan *plan, struct umx_steps *out)
{
    const struct umx_um_end *newest = NULL;

    if (joining->router)
        return;
    for (size_t i = 0; i < count; i++)
        if (!ends[i].router && umx_um_linked(&ends[i], plan) &&
            (newest == NULL || ends[i].server->version_major > newest->server->version_major))
            newest = &ends[i];
    if (newest != NULL && newest->server->version_major < joining->server->version_major)
        umx_steps_note(out,
                       "warning: %s is the first Exchange %s server in dial plan %s: as soon as the Front Ends are "
                       "restarted, Lync sends all its calls to Exchange %s and none to %s any more; mailboxes on older "
                       "servers then rely on redirection",
                       joining->fqdn, joining->generation, umx_or_empty(plan->name), joining->generation, newest->fqdn);
}

/* The end with one more dial plan: what follows is planned for the server as it will be. */
static void join(struct umx_um_end *end, const Umx__DialPlan *plan, struct umx_steps *out)
{
    char **list = umx_arena_alloc(out->arena, (end->dial_plan_count + 1) * sizeof *list);

    if (list == NULL) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < end->dial_plan_count; i++)
        list[i] = end->dial_plan[i];
    list[end->dial_plan_count++] = plan->dn;
    end->dial_plan = list;
}

static void plan_links(const struct umx_view *view, const struct umx_um_end *ends, size_t count,
                       const struct umx_um_end *end, struct umx_um_end *joined, struct umx_steps *out)
{
    Umx__PlanStep *step = NULL;
    const char *names = "";
    const Umx__DialPlan *plan;

    for (size_t at = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &at)) != NULL;) {
        const char *why;
        if (umx_um_linked(end, plan))
            continue;
        if (!umx_us_wanted(view, end, plan, &why)) {
            umx_steps_note(out, "%s is not joined to %s: %s", end->fqdn, umx_or_empty(plan->name), umx_or_empty(why));
            continue;
        }
        note_first_newer(ends, count, end, plan, out);
        if (step == NULL)
            step = umx_step_write(out, SLUG, UMX__FOREST__SIDE__EXCHANGE, end->server->forest,
                                  UMX__CHANGE__KIND__MODIFY, end->dn, end->guid);
        umx_step_add_value(out, step, "msExchUMServerDialPlanLink", plan->dn, true);
        join(joined, plan, out);
        names = umx_steps_say(out, "%s%s%s", names, *names != '\0' ? ", " : "", umx_or_empty(plan->name));
    }
    if (step == NULL)
        return;
    step->summary =
        umx_steps_copy(out, umx_steps_say(out, "join %s on %s to dial plan %s", end->service, end->fqdn, names));
    step->undo = umx_steps_copy(out, "takes these dial plans out of its list; others stay; then restart the service");
    ask(out, end, step->id);
}

static void plan_status(const struct umx_view *view, const struct umx_um_end *ends, size_t count,
                        const struct umx_um_end *end, struct umx_steps *out)
{
    int wanted = umx_us_status_wanted(view, ends, count, end);

    if (wanted < 0)
        return;
    Umx__PlanStep *step = umx_step_write(out, SLUG, UMX__FOREST__SIDE__EXCHANGE, end->server->forest,
                                         UMX__CHANGE__KIND__MODIFY, end->dn, end->guid);
    if (step == NULL)
        return;
    umx_step_replace(out, step, "msExchUMServerStatus",
                     end->server->has_um_status ? umx_steps_say(out, "%d", end->server->um_status) : NULL,
                     umx_steps_say(out, "%d", wanted));
    step->summary =
        umx_steps_copy(out, umx_steps_say(out, "%s UM server %s%s", wanted == UMX_UM_ENABLED ? "enable" : "disable",
                                          end->fqdn, wanted == UMX_UM_ENABLED ? "" : " until failover (stand-by)"));
    step->undo = umx_steps_copy(out, "puts the old status back, when nobody has changed it since");
    ask(out, end, step->id);
}

int umx_um_servers_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                        struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_findings scratch = {.arena = out->arena};
    size_t count;
    const struct umx_um_end *ends = umx_um_ends(world, pair->exchange, out->arena, &count);

    struct umx_um_end *joined = umx_arena_alloc(out->arena, (count + 1) * sizeof *joined);
    if (ends == NULL || joined == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL);
    for (size_t i = 0; i < count; i++) {
        joined[i] = ends[i];
        if (ends[i].dn != NULL)
            plan_links(&view, ends, count, &ends[i], &joined[i], out);
        else
            umx_steps_note(out,
                           "%s has no call-router object: its setup did not finish, and it cannot be joined to a plan",
                           ends[i].fqdn);
    }
    for (size_t i = 0; i < count; i++) {
        const struct umx_um_end *end = &joined[i];
        const char *why;
        if (end->dn == NULL)
            continue;
        plan_status(&view, joined, count, end, out);
        const char *mode = umx_um_plan_mode(&view, SLUG, end, out);
        if (mode != NULL)
            ask(out, end, mode);
        enum umx_um_fresh fresh = umx_um_fresh(&view, end, &scratch, &why);
        if ((fresh == UMX_UM_STALE || fresh == UMX_UM_STOPPED) && umx_agent_connected(world, end->fqdn))
            ask(out, end, NULL);
    }
    return out->failed || scratch.failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}

/* Pools without a gateway do not know UM yet: the phase that makes the gateway restarts them. */
static bool has_gateway(const struct umx_uc_pool *pool)
{
    return pool->gateway != NULL;
}

static bool joins(const struct umx_steps *out, size_t first, size_t last, const char *forest)
{
    for (size_t i = first; i < last; i++) {
        const Umx__PlanStep *step = out->items[i];
        for (size_t m = 0; umx_text_equal(step->forest, forest) && m < step->change->n_modify; m++)
            if (umx_text_equal(step->change->modify[m]->name, "msExchUMServerDialPlanLink"))
                return true;
    }
    return false;
}

int umx_um_servers_finish(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,
                          const struct umx_options *options, size_t first, struct umx_steps *out, struct umx_error *err)
{
    size_t last = out->count;
    int rc = 0;

    /* Lync makes its list of trusted peers from the links when it starts (X13-ADD). */
    for (size_t i = 0; rc == 0 && i < pair_count; i++) {
        struct umx_view view = umx_view_of(world, &pairs[i], options);
        if (!joins(out, first, last, pairs[i].exchange))
            continue;
        const char *wait = umx_restart_replication(out, SLUG, pairs[i].exchange, first, last);
        if (wait != NULL)
            rc = umx_uc_ask_restarts(&view, SLUG, has_gateway, &wait, 1, out, err);
    }
    return rc != 0 ? rc : out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}

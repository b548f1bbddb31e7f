/* Phase 7: what only agents can tell (V7.6, V7.7). */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/exchucutil.h"
#include "phases/forests.h"

static void later(int64_t *newest, bool has, int64_t at)
{
    if (has && at > *newest)
        *newest = at;
}

/* Newest change of what Lync reads of this pool, in the controller's time; 0: nothing is there. */
static int64_t newest_write(const struct umx_uc *uc, const struct umx_uc_pool *pool)
{
    const Umx__World *world = uc->view->world;
    const Umx__Forest *exchange = uc->view->exchange;
    int64_t newest = 0;

    if (pool->gateway == NULL)
        return 0;
    later(&newest, pool->gateway->has_created_at, pool->gateway->created_at);
    later(&newest, pool->gateway->has_changed_at, pool->gateway->changed_at);
    for (size_t i = 0; i < world->n_hunt_group; i++) {
        if (!umx_uc_child(world->hunt_group[i], pool->gateway))
            continue;
        later(&newest, world->hunt_group[i]->has_created_at, world->hunt_group[i]->created_at);
        later(&newest, world->hunt_group[i]->has_changed_at, world->hunt_group[i]->changed_at);
    }
    for (size_t n = 0; n < UMX_UC_NEED_COUNT; n++) {
        const Umx__Container *container = umx_find_container(world, uc->view->pair->exchange, umx_uc_needs[n].kind);
        if (container != NULL)
            later(&newest, container->has_changed_at, container->changed_at);
    }
    return newest == 0 ? 0 : newest - (exchange->has_clock_offset ? exchange->clock_offset : 0);
}

enum umx_um_fresh umx_uc_front_end_fresh(const struct umx_uc *uc, const struct umx_uc_pool *pool, const char *server,
                                         struct umx_findings *out, const char **why)
{
    const Umx__World *world = uc->view->world;
    const Umx__Service *service = umx_find_service(world, server, "RTCSRV");
    int64_t written = newest_write(uc, pool);
    char since[UMX_CLOCK_TEXT];

    *why = "nothing of the pool is written yet";
    if (written == 0)
        return UMX_UM_FRESH;
    if (service == NULL) {
        *why = umx_say(out, "no agent on %s has reported RTCSRV", server);
        return UMX_UM_UNKNOWN;
    }
    if (umx_stale(world, service->has_collected_at, service->collected_at)) {
        *why = umx_say(out, "the report of %s is older than %d hours", server, UMX_FACT_AGE_MAX_HOURS);
        return UMX_UM_UNKNOWN;
    }
    if (service->has_state && service->state != UMX__SERVICE__STATE__RUNNING) {
        *why = "RTCSRV does not run";
        return UMX_UM_STOPPED;
    }
    if (!service->has_started_at) {
        *why = "its start time was not reported";
        return UMX_UM_UNKNOWN;
    }
    int64_t started = service->started_at - umx_server_clock(world, server);
    *why = umx_say(out, "runs since %s", umx_clock_format(started, since));
    return started >= written ? UMX_UM_FRESH : UMX_UM_STALE;
}

static void check_front_end(const struct umx_uc *uc, const struct umx_phase_check *check,
                            const struct umx_uc_pool *pool, const char *server, int64_t written,
                            struct umx_findings *out)
{
    static const Umx__Finding__Status statuses[] = {
        [UMX_UM_FRESH] = UMX__FINDING__STATUS__PASS,
        [UMX_UM_STALE] = UMX__FINDING__STATUS__FAIL,
        [UMX_UM_STOPPED] = UMX__FINDING__STATUS__FAIL,
        [UMX_UM_UNKNOWN] = UMX__FINDING__STATUS__UNKNOWN,
    };
    char last[UMX_CLOCK_TEXT];
    struct umx_answer answer = {
        .forest = uc->view->pair->lync,
        .target = server,
        .expected = umx_say(out, "RTCSRV of pool %s started after the last write (%s)", pool->fqdn,
                            umx_clock_format(written, last)),
    };

    answer.status = statuses[umx_uc_front_end_fresh(uc, pool, server, out, &answer.actual)];
    if (answer.status != UMX__FINDING__STATUS__PASS)
        answer.remedy = umx_say(out,
                                "`umx plan create NAME --phase exchucutil --pair %s:%s` restarts it when an agent is "
                                "connected there; by hand, one Front End of the pool after another: on %s "
                                "`Stop-CsWindowsService RTCSRV -Graceful`, then `Start-CsWindowsService RTCSRV`",
                                uc->view->pair->exchange, uc->view->pair->lync, server);
    umx_findings_add(out, uc->view, check, &answer);
}

void umx_uc_check_restart(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_uc uc;

    if (umx_uc_build(view, out->arena, &uc, NULL) != 0) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        int64_t written = newest_write(&uc, pool);
        size_t count;
        if (pool->scope != UMX_UC_IN)
            continue;
        const char **servers = umx_uc_front_ends(view->world, pool, out->arena, &count);
        if (servers == NULL) {
            out->failed = 1;
            return;
        }
        for (size_t k = 0; written != 0 && k < count; k++)
            check_front_end(&uc, check, pool, servers[k], written, out);
        if (written != 0 && count > 0)
            continue;
        struct umx_answer answer = {
            .status = written == 0 ? UMX__FINDING__STATUS__NOT_APPLICABLE : UMX__FINDING__STATUS__UNKNOWN,
            .forest = view->pair->lync,
            .target = pool->fqdn,
            .expected = "RTCSRV of each Front End started after the last write",
            .actual = written == 0 ? "nothing of the pool is written yet"
                                   : umx_say(out, "no agent on a Front End of %s", pool->fqdn),
            .remedy = written == 0 ? NULL
                                   : umx_say(out,
                                             "install an agent, or look by hand on each Front End of %s: `Get-Process "
                                             "RTCSrv | Select-Object StartTime`",
                                             pool->fqdn),
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* A Director, for example: a Front End of pools out of scope alone routes no calls to UM and has not the rights. */
static bool out_of_scope(const struct umx_uc *uc, const char *server)
{
    bool out = false;

    for (size_t i = 0; i < uc->pool_count; i++) {
        size_t count;
        const char **members = umx_uc_front_ends(uc->view->world, &uc->pools[i], uc->arena, &count);
        for (size_t k = 0; members != NULL && k < count; k++) {
            if (!umx_text_equal(members[k], server))
                continue;
            if (uc->pools[i].scope != UMX_UC_OUT)
                return false;
            out = true;
        }
    }
    return out;
}

void umx_uc_check_read(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const char *exchange = view->pair->exchange;
    const char *lync = view->pair->lync;
    struct umx_proofs proofs = {0};
    struct umx_uc uc;

    if (umx_uc_build(view, out->arena, &uc, NULL) != 0) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < view->world->n_proof; i++) {
        const Umx__Proof *proof = view->world->proof[i];
        if (umx_forests_proof_is(proof, UMX__PROOF__KIND__DIRECTORY, lync, exchange) &&
            !out_of_scope(&uc, proof->server))
            umx_forests_count_proof(&proofs, view->world, proof);
    }
    const Umx__Proof *shown = proofs.failed != NULL   ? proofs.failed
                              : proofs.passed != NULL ? proofs.passed
                                                      : proofs.undecided;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN,
        .forest = exchange,
        .target = shown != NULL && shown->target != NULL ? shown->target : exchange,
        .expected =
            umx_say(out, "a Lync server of %s reads the %zu SIP dial plans with its own account", lync, uc.plan_count),
    };
    if (shown == NULL) {
        answer.actual = proofs.stale > 0
                            ? umx_say(out, "the last attempt is older than %d hours", UMX_FACT_AGE_MAX_HOURS)
                            : umx_say(out, "no agent on a Lync server of %s has tried", lync);
        answer.remedy = umx_say_agent(out, lync, NULL);
    } else if (proofs.fail > 0) {
        answer.status = UMX__FINDING__STATUS__FAIL;
        answer.actual = umx_say(out, "%s as %s: %s", umx_or_empty(shown->server), umx_or_empty(shown->identity),
                                umx_or_empty(shown->detail));
    } else if (proofs.pass > 0) {
        bool all = !shown->has_objects || (size_t)(shown->objects > 0 ? shown->objects : 0) >= uc.plan_count;
        answer.status = umx_verdict(all);
        answer.actual = shown->has_objects
                            ? umx_say(out, "%s sees %d objects", umx_or_empty(shown->server), shown->objects)
                            : umx_say(out, "%s could read", umx_or_empty(shown->server));
    } else {
        answer.actual = umx_say(out, "not decided by %s: %s", umx_or_empty(shown->server), umx_or_empty(shown->detail));
    }
    umx_findings_add(out, view, check, &answer);
}

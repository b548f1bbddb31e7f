/* Phase 7: what is refused before anything is planned. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "phases/exchucutil_work.h"

const struct umx_uc_pool *umx_uc_find_pool(const struct umx_uc *uc, const char *fqdn)
{
    for (size_t i = 0; i < uc->pool_count; i++)
        if (umx_text_equal(uc->pools[i].fqdn, fqdn))
            return &uc->pools[i];
    return NULL;
}

/* A pool of another Lync forest may be named too: the plan can have several pairs. */
static int known_pool(const struct umx_uc_work *work, const char *option, const char *fqdn)
{
    const Umx__World *world = work->view->world;

    for (size_t i = 0; i < world->n_lync_pool; i++)
        if (umx_text_equal(world->lync_pool[i]->pool, fqdn))
            return 0;
    return umx_fail(work->err, UMX_ERR_OPTION_INVALID, option, "no Lync forest has a pool %s", fqdn);
}

static int check_map(const struct umx_uc_work *work)
{
    const struct umx_uc *uc = &work->uc;
    const Umx__World *world = work->view->world;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < uc->map_count; i++) {
        bool found = false;
        rc = known_pool(work, "exchucutil.hunt-map", uc->map[i].pool);
        for (size_t p = 0; p < world->n_dial_plan; p++)
            found = found || (world->dial_plan[p]->uri_type == UMX__DIAL_PLAN__URI_TYPE__SIP_NAME &&
                              (umx_text_equal(world->dial_plan[p]->name, uc->map[i].plan) ||
                               umx_text_equal(world->dial_plan[p]->phone_context, uc->map[i].plan)));
        if (rc == 0 && !found)
            rc = umx_fail(work->err, UMX_ERR_OPTION_INVALID, "exchucutil.hunt-map", "no forest has a SIP dial plan %s",
                          uc->map[i].plan);
    }
    for (size_t i = 0; rc == 0 && i < uc->pool_count; i++) {
        bool covered = false;
        for (size_t p = 0; p < uc->plan_count; p++)
            covered = covered || umx_uc_wanted(uc, &uc->pools[i], uc->plans[p]);
        if (uc->pools[i].scope == UMX_UC_IN && !covered)
            rc = umx_fail(work->err, UMX_ERR_OPTION_INVALID, "exchucutil.hunt-map",
                          "pool %s is in scope (%s) and has no dial plan of %s", uc->pools[i].fqdn, uc->pools[i].why,
                          umx_uc_exchange(work));
    }
    return rc;
}

int umx_uc_check_options(struct umx_uc_work *work)
{
    const struct umx_uc *uc = &work->uc;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < uc->named_count; i++)
        rc = known_pool(work, "exchucutil.pools", uc->named[i]);
    for (size_t i = 0; rc == 0 && i < uc->outdial_count; i++) {
        const struct umx_uc_pool *pool = umx_uc_find_pool(uc, uc->outdial[i]);
        rc = known_pool(work, "exchucutil.outdial", uc->outdial[i]);
        if (rc == 0 && pool != NULL && pool->branch)
            rc = umx_fail(work->err, UMX_ERR_OPTION_INVALID, "exchucutil.outdial",
                          "%s is a branch pool: it must not dial out", pool->fqdn);
        else if (rc == 0 && pool != NULL && pool->scope != UMX_UC_IN && pool->gateway == NULL)
            rc = umx_fail(work->err, UMX_ERR_OPTION_INVALID, "exchucutil.outdial",
                          "%s is not in scope (%s): name it in exchucutil.pools too", pool->fqdn, pool->why);
    }
    if (rc == 0 && uc->mode == UMX_UC_FAITHFUL && uc->outdial_count > 0)
        rc = umx_fail(work->err, UMX_ERR_OPTION_INVALID, "exchucutil.outdial",
                      "mode faithful writes the flag as the script does; choose a safe mode, or run one afterwards");
    if (rc == 0 && uc->mode != UMX_UC_SAFE_MAP && uc->map_count > 0)
        rc = umx_fail(work->err, UMX_ERR_OPTION_INVALID, "exchucutil.hunt-map", "it needs exchucutil.mode=safe-map");
    if (rc == 0 && uc->mode == UMX_UC_SAFE_MAP && uc->map_count == 0)
        rc = umx_fail(work->err, UMX_ERR_OPTION_INVALID, "exchucutil.mode", "safe-map needs exchucutil.hunt-map");
    if (rc == 0 && uc->mode == UMX_UC_SAFE_MAP)
        rc = check_map(work);
    if (uc->mode == UMX_UC_FAITHFUL && uc->named_count > 0)
        umx_steps_note(work->out, "exchucutil.pools changes nothing in mode faithful: the script takes every pool");
    return rc;
}

/* Two plans with one pilot identifier cannot stand on one gateway (2.7). */
static int check_pilots(const struct umx_uc_work *work)
{
    const struct umx_uc *uc = &work->uc;

    for (size_t i = 0; i < uc->plan_count; i++) {
        const char *pilot = umx_uc_pilot(uc->arena, uc->plans[i]);
        if (pilot == NULL || *pilot == '\0')
            return umx_fail(work->err, UMX_ERR_PLAN_BLOCKED, uc->plans[i]->dn,
                            "the SIP dial plan has no phone context, so no pilot identifier can be made");
        if (strlen(pilot) > UMX_UC_NAME_MAX)
            return umx_fail(work->err, UMX_ERR_PLAN_BLOCKED, uc->plans[i]->dn,
                            "its pilot identifier is longer than %d characters", UMX_UC_NAME_MAX);
        if (!umx_text_equal(pilot, umx_or_empty(uc->plans[i]->name)))
            umx_steps_note(work->out,
                           "dial plan %s of %s has the pilot identifier %s: the phone context ends at its first dot",
                           umx_or_empty(uc->plans[i]->name), umx_uc_exchange(work), pilot);
        for (size_t k = 0; k < i; k++) {
            if (!umx_text_equal(umx_uc_pilot(uc->arena, uc->plans[k]), pilot))
                continue;
            for (size_t p = 0; p < uc->pool_count; p++)
                if (uc->pools[p].scope == UMX_UC_IN && umx_uc_wanted(uc, &uc->pools[p], uc->plans[i]) &&
                    umx_uc_wanted(uc, &uc->pools[p], uc->plans[k]))
                    return umx_fail(
                        work->err, UMX_ERR_PLAN_BLOCKED, uc->pools[p].fqdn,
                        "dial plans %s and %s of %s have the same pilot identifier %s, and a gateway can have it "
                        "once: separate them with exchucutil.mode=safe-map",
                        umx_or_empty(uc->plans[k]->name), umx_or_empty(uc->plans[i]->name), umx_uc_exchange(work),
                        pilot);
        }
    }
    return 0;
}

int umx_uc_check_world(struct umx_uc_work *work)
{
    const struct umx_uc *uc = &work->uc;

    if (uc->pool_count == 0)
        return umx_fail(work->err, UMX_ERR_PLAN_BLOCKED, work->view->pair->lync,
                        "the forest has no pool with an FQDN and version 0x30000 or later: publish the topology first");
    for (size_t i = 0; i < uc->pool_count; i++) {
        const struct umx_uc_pool *pool = &uc->pools[i];
        if (pool->scope == UMX_UC_IN && pool->second != NULL)
            return umx_fail(work->err, UMX_ERR_PLAN_BLOCKED, pool->fqdn,
                            "two gateways of %s have this address: %s and %s; remove one of them",
                            umx_uc_exchange(work), pool->gateway->dn, pool->second->dn);
        if (pool->scope == UMX_UC_UNDECIDED)
            umx_steps_note(work->out, "pool %s is left out: it %s", pool->fqdn, pool->why);
        else if (pool->scope == UMX_UC_OUT)
            umx_steps_note(work->out, "pool %s is left out: it %s", pool->fqdn, pool->why);
    }
    if (uc->plan_count == 0)
        umx_steps_note(work->out,
                       "%s has no SIP URI dial plan: gateways get no hunt groups (phase dial-plans comes first)",
                       umx_uc_exchange(work));
    return check_pilots(work);
}

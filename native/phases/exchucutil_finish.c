/* Phase 7: what follows the writes of all pairs: replication, then the Front Ends one after another (2.8 M1, M2). */
#include "base/text.h"
#include "phases/exchucutil.h"
#include "phases/restart.h"
#include "phases/um_server.h"

int umx_uc_ask_restarts(const struct umx_view *view, const char *slug, bool (*wanted)(const struct umx_uc_pool *pool),
                        const char *const *after, size_t after_count, struct umx_steps *out, struct umx_error *err)
{
    struct umx_uc uc;
    int rc = umx_uc_build(view, out->arena, &uc, err);

    for (size_t i = 0; rc == 0 && i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        size_t count;
        if (pool->scope != UMX_UC_IN || (wanted != NULL && !wanted(pool)))
            continue;
        const char **servers = umx_uc_front_ends(view->world, pool, out->arena, &count);
        if (servers == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, slug, NULL);
        for (size_t a = 0; a < after_count; a++) {
            for (size_t k = 0; k < count; k++)
                umx_restart_ask_front_end(out, slug, view->pair->lync, pool->fqdn, servers[k], after[a]);
            if (count == 0)
                umx_restart_ask_front_end(out, slug, view->pair->lync, pool->fqdn, NULL, after[a]);
        }
    }
    return rc;
}

/* Front Ends that run since before the last write, as an interrupted plan leaves them (V7.6). */
static int ask_forgotten(const struct umx_view *view, struct umx_steps *out, struct umx_error *err)
{
    struct umx_uc uc;
    struct umx_findings scratch = {.arena = out->arena};
    int rc = umx_uc_build(view, out->arena, &uc, err);

    for (size_t i = 0; rc == 0 && i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        size_t count;
        const char **servers = umx_uc_front_ends(view->world, pool, out->arena, &count);
        if (servers == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL);
        for (size_t k = 0; pool->scope == UMX_UC_IN && k < count; k++) {
            const char *why;
            enum umx_um_fresh fresh = umx_uc_front_end_fresh(&uc, pool, servers[k], &scratch, &why);
            if ((fresh == UMX_UM_STALE || fresh == UMX_UM_STOPPED) && umx_agent_connected(view->world, servers[k]))
                umx_restart_ask_front_end(out, "exchucutil", view->pair->lync, pool->fqdn, servers[k], NULL);
        }
    }
    return rc;
}

int umx_exchucutil_finish(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,
                          const struct umx_options *options, size_t first, struct umx_steps *out, struct umx_error *err)
{
    size_t last = out->count;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < pair_count; i++) {
        struct umx_view view = umx_view_of(world, &pairs[i], options);
        const char *wait = umx_restart_replication(out, "exchucutil", pairs[i].exchange, first, last);
        if (wait != NULL)
            rc = umx_uc_ask_restarts(&view, "exchucutil", NULL, &wait, 1, out, err);
        if (rc == 0)
            rc = ask_forgotten(&view, out, err);
    }
    return rc != 0 ? rc : out->failed ? umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL) : 0;
}

#include "controller/access.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "controller/forests.h"
#include "store/state.h"

enum { CACHE_SIZE = 128, GROUPS_MAX = 512 };
#define CACHE_TIME (60 * UMX_SECOND)
#define DIRECTORY_TIME (15 * UMX_SECOND)

/* Decisions are kept for a minute: an operation must not cost a walk through nested groups each time, and a removal
 * from a group must not stay unseen for long. Approvals never use this cache. */
static struct {
    pthread_mutex_t mutex;
    struct {
        char uri[UMX_IDENTITY_MAX];
        char forest[UMX_FQDN_MAX];
        enum umx_access access;
        int64_t until;
        bool allowed;
    } entries[CACHE_SIZE];
    size_t next;
} cache = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static const char *const roles[] = {"viewer", "operator", "auditor"};

static bool cached(const struct umx_identity *caller, enum umx_access access, bool *allowed)
{
    bool found = false;

    pthread_mutex_lock(&cache.mutex);
    for (size_t i = 0; i < CACHE_SIZE && !found; i++) {
        if (cache.entries[i].until <= umx_clock_monotonic() || cache.entries[i].access != access ||
            strcmp(cache.entries[i].uri, caller->uri) != 0 || strcmp(cache.entries[i].forest, caller->forest) != 0)
            continue;
        found = true;
        *allowed = cache.entries[i].allowed;
    }
    pthread_mutex_unlock(&cache.mutex);
    return found;
}

static void remember(const struct umx_identity *caller, enum umx_access access, bool allowed)
{
    pthread_mutex_lock(&cache.mutex);
    size_t i = cache.next++ % CACHE_SIZE;
    umx_text_copy(cache.entries[i].uri, sizeof cache.entries[i].uri, caller->uri);
    umx_text_copy(cache.entries[i].forest, sizeof cache.entries[i].forest, caller->forest);
    cache.entries[i].access = access;
    cache.entries[i].allowed = allowed;
    cache.entries[i].until = umx_clock_monotonic() + CACHE_TIME;
    pthread_mutex_unlock(&cache.mutex);
}

/* Groups that give the role: those of the configuration, or for operators every administrative group of the forest. */
static bool gives_role(const Umx__AdminGroup *group, enum umx_access access, bool configured)
{
    if (group->sid == NULL || group->meaning == NULL)
        return false;
    if (configured)
        return strcmp(group->meaning, roles[access]) == 0;
    return strcmp(group->meaning, "rtc_component_services") != 0 && strcmp(group->meaning, "viewer") != 0 &&
           strcmp(group->meaning, "auditor") != 0;
}

static int ask_membership(struct umx_controller *controller, const struct umx_identity *caller, enum umx_access access,
                          bool configured, bool *allowed, struct umx_error *err)
{
    char table[] = "admin_group";
    char *tables[] = {table};
    Umx__Read read = UMX__READ__INIT;
    Umx__Membership membership = UMX__MEMBERSHIP__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    char *sids[GROUPS_MAX];
    char name[sizeof caller->name];
    struct umx_arena *arena = umx_arena_new(UMX_MAX_WORKER_MESSAGE);
    struct umx_world *world = umx_world_new(umx_clock_now());
    int status = 0;

    if (arena == NULL || world == NULL) {
        status = umx_fail(err, UMX_ERR_MEMORY, "access", NULL);
        goto out;
    }
    read.n_table = 1;
    read.table = tables;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ;
    request.read = &read;
    status = umx_forests_collect(controller->forests, caller->forest, &request, DIRECTORY_TIME, world, err);
    if (status != 0)
        goto out;
    const Umx__World *records = umx_world_records(world);
    for (size_t i = 0; i < records->n_admin_group && membership.n_group_sid < GROUPS_MAX; i++)
        if (gives_role(records->admin_group[i], access, configured))
            sids[membership.n_group_sid++] = records->admin_group[i]->sid;
    /* Who administers a server may approve what is done on it, and must be able to say so. */
    if (access == UMX_ACCESS_OPERATOR && !configured)
        status = umx_state_load(controller->state, umx_reflect_table("local_administrator"), world, err);
    if (status != 0)
        goto out;
    for (size_t i = 0; i < records->n_local_administrator && membership.n_group_sid < GROUPS_MAX; i++) {
        char *sid = records->local_administrator[i]->sid;
        bool known = sid == NULL || strncmp(sid, "S-1-5-21-", 9) != 0;
        for (size_t k = 0; k < membership.n_group_sid && !known; k++)
            known = strcmp(sids[k], sid) == 0;
        if (!known)
            sids[membership.n_group_sid++] = sid;
        *allowed = *allowed || (!known && strcmp(sid, caller->name) == 0);
    }
    umx_text_copy(name, sizeof name, caller->name);
    membership.user_sid = name;
    membership.group_sid = sids;
    umx__worker_request__init(&request);
    request.request_case = UMX__WORKER_REQUEST__REQUEST_MEMBERSHIP;
    request.membership = &membership;
    status = umx_forests_call(controller->forests, caller->forest, UMX_ACCOUNT_READER, &request, DIRECTORY_TIME, arena,
                              &reply, err);
    if (status == 0)
        *allowed = reply->reply_case == UMX__WORKER_REPLY__REPLY_MEMBERSHIP && reply->membership->enabled &&
                   (reply->membership->n_group_sid > 0 || *allowed);
out:
    umx_world_free(world);
    umx_arena_free(arena);
    return status;
}

int umx_access_check(struct umx_controller *controller, const struct umx_identity *caller, enum umx_access access,
                     const char *operation, struct umx_error *err)
{
    bool allowed = false;

    if (caller->role == UMX_ROLE_NONE)
        return umx_fail(err, UMX_ERR_PEER_UNAUTHENTICATED, operation, NULL);
    if (caller->role != UMX_ROLE_OPERATOR || strcmp(caller->deployment, controller->deployment) != 0)
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, operation, "%s is not an operator of this deployment", caller->uri);
    const struct umx_forest_config *forest = umx_config_forest(controller->config, caller->forest);
    if (forest == NULL)
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, operation, "%s was vouched for by %s, which is not configured",
                        caller->uri, caller->forest);
    const struct umx_list *lists[] = {&forest->viewers, &forest->operators, &forest->auditors};
    bool configured = lists[access]->count > 0;
    if (access != UMX_ACCESS_OPERATOR && !configured)
        return 0;
    if (!cached(caller, access, &allowed)) {
        int status = ask_membership(controller, caller, access, configured, &allowed, err);
        if (status != 0)
            return status;
        remember(caller, access, allowed);
    }
    if (!allowed)
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, operation, "%s needs the role %s in forest %s", caller->uri,
                        roles[access], caller->forest);
    return 0;
}

/* The model of phase 7: pools and whether they are in scope, gateways by address, SIP plans, options. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "phases/exchucutil.h"

const char *const umx_uc_modes[] = {"safe-mesh", "safe-map", "faithful", NULL};

int umx_uc_split(const char *value, struct umx_arena *arena, const char ***items, size_t *count)
{
    size_t room = 1;

    *count = 0;
    for (const char *p = value; *p != '\0'; p++)
        room += *p == ',';
    *items = umx_arena_alloc(arena, room * sizeof **items);
    char *copy = umx_arena_string(arena, value);
    if (*items == NULL || copy == NULL)
        return UMX_E_MEMORY;
    char *to = copy;
    const char *start = copy;
    for (const char *p = value;; p++) {
        if (*p == '\\' && p[1] != '\0') {
            *to++ = *++p;
            continue;
        }
        if (*p != ',' && *p != '\0') {
            *to++ = *p;
            continue;
        }
        *to++ = '\0';
        (*items)[(*count)++] = start;
        start = to;
        if (*p == '\0')
            return 0;
    }
}

static int read_options(struct umx_uc *uc)
{
    const char *mode = umx_option(uc->view->options, "exchucutil", "mode");
    const char *pools = umx_option(uc->view->options, "exchucutil", "pools");
    const char *outdial = umx_option(uc->view->options, "exchucutil", "outdial");
    const char *map = umx_option(uc->view->options, "exchucutil", "hunt-map");
    int rc = 0;

    for (int i = 0; mode != NULL && umx_uc_modes[i] != NULL; i++)
        if (strcmp(mode, umx_uc_modes[i]) == 0)
            uc->mode = (enum umx_uc_mode)i;
    if (pools != NULL)
        rc = umx_uc_split(pools, uc->arena, &uc->named, &uc->named_count);
    if (rc == 0 && outdial != NULL)
        rc = umx_uc_split(outdial, uc->arena, &uc->outdial, &uc->outdial_count);
    if (rc != 0 || map == NULL)
        return rc;
    const char **lines;
    rc = umx_uc_split(map, uc->arena, &lines, &uc->map_count);
    uc->map = rc == 0 ? umx_arena_alloc(uc->arena, uc->map_count * sizeof *uc->map) : NULL;
    if (uc->map == NULL)
        return UMX_E_MEMORY;
    for (size_t i = 0; i < uc->map_count; i++) {
        size_t pool = strcspn(lines[i], ":");
        uc->map[i].pool = umx_arena_copy(uc->arena, lines[i], pool);
        uc->map[i].plan = lines[i][pool] == ':' ? lines[i] + pool + 1 : "";
        if (uc->map[i].pool == NULL)
            return UMX_E_MEMORY;
    }
    return 0;
}

static int count_users(const Umx__World *world, const Umx__LyncPool *pool)
{
    enum { ENTERPRISE_VOICE = 128 };
    int users = 0;

    if (pool->has_voice_users)
        return pool->voice_users;
    for (size_t i = 0; i < world->n_voice_user; i++) {
        const Umx__VoiceUser *user = world->voice_user[i];
        users += user->enabled && user->option_flags & ENTERPRISE_VOICE && umx_text_equal(user->forest, pool->forest) &&
                 user->home_server_dn != NULL && pool->dn != NULL && umx_text_dn_within(user->home_server_dn, pool->dn);
    }
    return users;
}

static bool named(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(names[i], name))
            return true;
    return false;
}

/* The topology as Lync agents tell it: whether something is known about the pool, and whether `backup` backs it up. */
static bool backs_up(const Umx__World *world, const struct umx_uc_pool *pool, const char *backup, bool *known)
{
    bool found = false;

    *known = false;
    for (size_t i = 0; i < world->n_lync_pool_member; i++) {
        const Umx__LyncPoolMember *member = world->lync_pool_member[i];
        if (!umx_text_equal(member->pool, pool->fqdn))
            continue;
        *known = true;
        found = found || umx_text_equal(umx_or_empty(member->backup_pool), backup);
    }
    return found;
}

static int decide_scope(struct umx_uc *uc, struct umx_uc_pool *pool)
{
    const Umx__World *world = uc->view->world;
    const char *unknown = NULL;

    pool->scope = UMX_UC_IN;
    if (pool->users > 0) {
        pool->why = umx_arena_format(uc->arena, "homes %d Enterprise Voice users", pool->users);
    } else if (named(uc->named, uc->named_count, pool->fqdn)) {
        pool->why = "named by exchucutil.pools";
    } else if (uc->mode == UMX_UC_FAITHFUL) {
        pool->why = "mode faithful takes every pool";
    } else {
        pool->scope = UMX_UC_OUT;
        pool->why = "homes no Enterprise Voice users";
        for (size_t i = 0; i < uc->pool_count; i++) {
            bool known;
            if (uc->pools[i].users == 0)
                continue;
            if (backs_up(world, &uc->pools[i], pool->fqdn, &known)) {
                pool->scope = UMX_UC_IN;
                pool->why = umx_arena_format(uc->arena, "is the backup registrar of %s", uc->pools[i].fqdn);
                return pool->why != NULL ? 0 : UMX_E_MEMORY;
            }
            if (!known)
                unknown = uc->pools[i].fqdn;
        }
        if (unknown != NULL && !pool->branch) {
            pool->scope = UMX_UC_UNDECIDED;
            pool->why = umx_arena_format(uc->arena,
                                         "homes no Enterprise Voice users; whether it is the backup registrar of %s is "
                                         "not known: no agent on a Lync server reports the topology",
                                         unknown);
        }
    }
    return pool->why != NULL ? 0 : UMX_E_MEMORY;
}

static void find_gateways(const Umx__World *world, const char *forest, struct umx_uc_pool *pool)
{
    for (size_t i = 0; i < world->n_ip_gateway; i++) {
        const Umx__IpGateway *gateway = world->ip_gateway[i];
        if (!umx_text_equal(gateway->forest, forest) || !umx_text_equal(gateway->address, pool->fqdn))
            continue;
        if (pool->gateway == NULL)
            pool->gateway = gateway;
        else if (pool->second == NULL)
            pool->second = gateway;
    }
}

static int collect_pools(struct umx_uc *uc)
{
    const Umx__World *world = uc->view->world;
    int rc = 0;

    uc->pools = umx_arena_alloc(uc->arena, (world->n_lync_pool + 1) * sizeof *uc->pools);
    if (uc->pools == NULL)
        return UMX_E_MEMORY;
    for (size_t i = 0; i < world->n_lync_pool; i++) {
        const Umx__LyncPool *pool = world->lync_pool[i];
        bool seen = false;
        if (!umx_text_equal(pool->forest, uc->view->pair->lync) || umx_or_empty(pool->pool)[0] == '\0' ||
            pool->version < UMX_UC_POOL_FLOOR)
            continue;
        for (size_t k = 0; k < uc->pool_count; k++)
            seen = seen || umx_text_equal(uc->pools[k].fqdn, pool->pool);
        if (seen)
            continue;
        struct umx_uc_pool *made = &uc->pools[uc->pool_count++];
        *made = (struct umx_uc_pool){
            .pool = pool,
            .fqdn = pool->pool,
            .users = count_users(world, pool),
            .branch = pool->has_branch && pool->branch,
        };
        made->message_waiting = pool->version >= UMX_UC_MESSAGE_WAITING && !made->branch;
        find_gateways(world, uc->view->pair->exchange, made);
    }
    for (size_t i = 0; rc == 0 && i < uc->pool_count; i++)
        rc = decide_scope(uc, &uc->pools[i]);
    return rc;
}

static int collect_plans(struct umx_uc *uc)
{
    const Umx__World *world = uc->view->world;

    uc->plans = umx_arena_alloc(uc->arena, (world->n_dial_plan + 1) * sizeof *uc->plans);
    if (uc->plans == NULL)
        return UMX_E_MEMORY;
    for (size_t i = 0; i < world->n_dial_plan; i++) {
        const Umx__DialPlan *plan = world->dial_plan[i];
        if (umx_text_equal(plan->forest, uc->view->pair->exchange) && plan->has_uri_type &&
            plan->uri_type == UMX__DIAL_PLAN__URI_TYPE__SIP_NAME)
            uc->plans[uc->plan_count++] = plan;
    }
    return 0;
}

int umx_uc_build(const struct umx_view *view, struct umx_arena *arena, struct umx_uc *out, struct umx_error *err)
{
    *out = (struct umx_uc){.view = view, .arena = arena};
    int rc = read_options(out);

    if (rc == 0)
        rc = collect_pools(out);
    if (rc == 0)
        rc = collect_plans(out);
    return rc == 0 ? 0 : umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL);
}

bool umx_uc_wanted(const struct umx_uc *uc, const struct umx_uc_pool *pool, const Umx__DialPlan *plan)
{
    if (uc->mode != UMX_UC_SAFE_MAP)
        return true;
    for (size_t i = 0; i < uc->map_count; i++)
        if (umx_text_equal(uc->map[i].pool, pool->fqdn) &&
            (umx_text_equal(uc->map[i].plan, umx_or_empty(plan->name)) ||
             umx_text_equal(uc->map[i].plan, umx_or_empty(plan->phone_context))))
            return true;
    return false;
}

const char *umx_uc_pilot(struct umx_arena *arena, const Umx__DialPlan *plan)
{
    const char *context = umx_or_empty(plan->phone_context);

    return *context != '\0' ? umx_arena_copy(arena, context, strcspn(context, ".")) : NULL;
}

bool umx_uc_child(const Umx__HuntGroup *group, const Umx__IpGateway *gateway)
{
    const char *parent = group->gateway_dn != NULL ? group->gateway_dn : umx_text_dn_parent(umx_or_empty(group->dn));

    return umx_text_equal(group->forest, gateway->forest) && parent != NULL && umx_text_dn_equal(parent, gateway->dn);
}

const Umx__HuntGroup *umx_uc_hunt_group(const Umx__World *world, const Umx__IpGateway *gateway,
                                        const Umx__DialPlan *plan)
{
    const Umx__HuntGroup *other = NULL;
    size_t length = plan->phone_context != NULL ? strcspn(plan->phone_context, ".") : 0;

    for (size_t i = 0; i < world->n_hunt_group; i++) {
        const Umx__HuntGroup *group = world->hunt_group[i];
        const char *pilot = umx_or_empty(group->pilot_identifier);
        if (!umx_uc_child(group, gateway) || !umx_text_dn_equal(group->dial_plan_dn, plan->dn))
            continue;
        if (strlen(pilot) == length && strncasecmp(pilot, umx_or_empty(plan->phone_context), length) == 0)
            return group;
        other = group;
    }
    return other;
}

bool umx_uc_outcalls(const Umx__IpGateway *gateway)
{
    return !gateway->has_outcalls_allowed || gateway->outcalls_allowed;
}

bool umx_uc_waiting(const Umx__IpGateway *gateway)
{
    int flags = gateway->has_flags2 ? gateway->flags2 : UMX_UC_FLAGS2_DEFAULT;

    return (flags & UMX_UC_ALLOW_MESSAGE_WAITING) != 0;
}

const char **umx_uc_front_ends(const Umx__World *world, const struct umx_uc_pool *pool, struct umx_arena *arena,
                               size_t *count)
{
    const char **members = umx_arena_alloc(arena, (world->n_lync_pool_member + 1) * sizeof *members);

    *count = 0;
    if (members == NULL)
        return NULL;
    for (size_t i = 0; i < world->n_lync_pool_member; i++) {
        const Umx__LyncPoolMember *member = world->lync_pool_member[i];
        if (umx_text_equal(member->pool, pool->fqdn) && umx_or_empty(member->member)[0] != '\0' &&
            !named(members, *count, member->member))
            members[(*count)++] = member->member;
    }
    if (*count == 0 && umx_find_agent(world, pool->fqdn) != NULL)
        members[(*count)++] = pool->fqdn;
    return members;
}

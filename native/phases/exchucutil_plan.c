/* Phase 7: the writes, in the three modes (2.5 to 2.10). A plan is a difference: what already matches has no step. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/exchucutil_work.h"
#include "phases/groups.h"

static Umx__PlanStep *new_step(struct umx_uc_work *work, Umx__Change__Kind kind, const char *dn,
                               const ProtobufCBinaryData *guid)
{
    Umx__PlanStep *step =
        umx_step_write(work->out, "exchucutil", UMX__FOREST__SIDE__EXCHANGE, umx_uc_exchange(work), kind, dn, guid);

    if (step != NULL)
        step->groups = umx_steps_copy(work->out, work->groups);
    return step;
}

static const char *truth(bool value)
{
    return value ? "TRUE" : "FALSE";
}

/* ---- access entries (W5) */

static int plan_entry(struct umx_uc_work *work, const struct umx_uc_need *need, const struct umx_uc_group *kind)
{
    struct umx_steps *out = work->out;
    const Umx__World *world = work->view->world;
    const Umx__Forest *lync = work->view->lync;
    const Umx__AdminGroup *group = umx_find_group(world, work->view->pair->lync, kind->meaning);
    const Umx__Container *container = umx_find_container(world, umx_uc_exchange(work), need->kind);
    struct umx_uc_access access;

    if (group == NULL || umx_or_empty(group->sid)[0] == '\0')
        return umx_fail(
            work->err, UMX_ERR_PLAN_BLOCKED, work->view->pair->lync,
            "the group %s was not found: prepare the forest (Enable-CsAdForest), or name it in the configuration",
            kind->name);
    if (container == NULL)
        return umx_fail(work->err, UMX_ERR_PLAN_WORLD_INCOMPLETE, umx_uc_exchange(work), "%s was not found",
                        need->name);
    if (umx_or_empty(container->dacl_error)[0] != '\0')
        return umx_fail(work->err, UMX_ERR_PLAN_WORLD_INCOMPLETE, container->dn,
                        "its access-control list could not be read: %s", container->dacl_error);
    if (umx_uc_judge_access(world, container, need, group->sid, out->arena, &access) != 0)
        return umx_fail(work->err, UMX_ERR_MEMORY, container->dn, NULL);
    if (access.denied != NULL)
        umx_steps_note(out, "%s: %s stays denied (%s); an administrator has to remove that entry", container->dn,
                       kind->name, umx_or_empty(umx_uc_entry_words(access.denied, out->arena)));
    if (access.granted)
        return 0;
    if (container->has_dacl_canonical && !container->dacl_canonical)
        return umx_fail(work->err, UMX_ERR_DACL_NOT_CANONICAL, container->dn, NULL);
    Umx__PlanStep *step = new_step(work, UMX__CHANGE__KIND__ACCESS, container->dn,
                                   container->has_object_guid ? &container->object_guid : NULL);
    Umx__AccessChange *change = umx_reflect_new(&umx__access_change__descriptor, out->arena);
    if (step == NULL || change == NULL)
        return umx_fail(work->err, UMX_ERR_MEMORY, container->dn, NULL);
    const char *domain = umx_or_empty(lync->netbios)[0] != '\0' ? lync->netbios : lync->forest;
    const char *sddl = umx_steps_say(out, "%s%s)", need->sddl, group->sid);
    change->has_add = change->has_type = change->has_flags = change->has_mask = 1;
    change->add = 1;
    change->flags = need->flags;
    change->mask = need->mask;
    change->trustee_sid = umx_steps_copy(out, group->sid);
    change->trustee_name =
        umx_steps_copy(out, umx_steps_say(out, "%s\\%s", domain, group->name != NULL ? group->name : kind->name));
    change->sddl = umx_steps_copy(out, sddl);
    step->change->access = change;
    /* The images show the group's own entries in their order; a new explicit allow stands before inherited ones. */
    size_t own = 0;
    bool placed = false;
    for (int32_t position = -1;;) {
        const Umx__AccessEntry *next = NULL;
        for (size_t i = 0; i < world->n_access_entry; i++) {
            const Umx__AccessEntry *entry = world->access_entry[i];
            if (umx_text_equal(entry->forest, container->forest) &&
                umx_text_dn_equal(entry->target_dn, container->dn) && umx_text_equal(entry->trustee_sid, group->sid) &&
                entry->position > position && (next == NULL || entry->position < next->position))
                next = entry;
        }
        if (next == NULL)
            break;
        position = next->position;
        own++;
        if ((next->flags & 16) != 0 && !placed) {
            umx_steps_push(out, &step->after->access, &step->after->n_access, sddl);
            placed = true;
        }
        umx_steps_push(out, &step->before->access, &step->before->n_access, umx_or_empty(next->sddl));
        umx_steps_push(out, &step->after->access, &step->after->n_access, umx_or_empty(next->sddl));
    }
    if (!placed)
        umx_steps_push(out, &step->after->access, &step->after->n_access, sddl);
    step->summary = umx_steps_copy(out, umx_steps_say(out, "allow %s to %s: %s%s", change->trustee_name, need->words,
                                                      need->name, own > 0 ? " (beside the entries it has)" : ""));
    step->undo = umx_steps_copy(out, "removes this one entry; entries that others added stay");
    return 0;
}

/* ---- gateways (W6) */

static bool gateway_name_taken(struct umx_uc_work *work, const char *name)
{
    const Umx__World *world = work->view->world;

    for (size_t i = 0; i < world->n_ip_gateway; i++)
        if (umx_text_equal(world->ip_gateway[i]->forest, umx_uc_exchange(work)) &&
            umx_text_equal(world->ip_gateway[i]->name, name))
            return true;
    /* Names that earlier steps of this pair take: the world knows them only when the pair is done. */
    for (size_t i = 0; i < work->out->count; i++) {
        const Umx__PlanStep *step = work->out->items[i];
        if (step->kind == UMX__CHANGE__KIND__ADD && umx_text_equal(step->forest, umx_uc_exchange(work)) &&
            umx_text_dn_equal(step->change->dn, umx_step_child_dn(work->out, name, work->container)))
            return true;
    }
    return false;
}

/* The name, or the name with the first number that is free; as the directory counts, cut to what cn holds. */
static const char *free_name(struct umx_uc_work *work, const char *wanted,
                             bool (*taken)(struct umx_uc_work *, const char *))
{
    char base[UMX_UC_NAME_MAX + 1];

    umx_text_copy(base, sizeof base, wanted);
    if (!taken(work, base))
        return umx_steps_copy(work->out, base);
    umx_text_copy(base, UMX_UC_NAME_MAX - 5, wanted);
    for (int i = 2;; i++) {
        const char *name = umx_steps_say(work->out, "%s-%d", base, i);
        if (work->out->failed || !taken(work, name))
            return name;
    }
}

static bool outdial_named(const struct umx_uc_work *work)
{
    /* The option speaks about this Lync forest only when it names a pool of it. */
    for (size_t i = 0; i < work->uc.outdial_count; i++)
        if (umx_uc_find_pool(&work->uc, work->uc.outdial[i]) != NULL)
            return true;
    return false;
}

static bool outdial_is(const struct umx_uc_work *work, const struct umx_uc_pool *pool)
{
    for (size_t i = 0; i < work->uc.outdial_count; i++)
        if (umx_text_equal(work->uc.outdial[i], pool->fqdn))
            return true;
    return false;
}

static void cover(struct umx_uc_work *work, const struct umx_uc_pool *pool)
{
    work->any_outdial = true;
    for (size_t p = 0; p < work->uc.plan_count; p++)
        if (umx_uc_wanted(&work->uc, pool, work->uc.plans[p]))
            work->covered[p] = true;
}

/* Whether no gateway may dial out yet for any plan that this pool's gateway will serve. */
static bool uncovered(const struct umx_uc_work *work, const struct umx_uc_pool *pool)
{
    if (work->uc.plan_count == 0)
        return !work->any_outdial;
    for (size_t p = 0; p < work->uc.plan_count; p++)
        if (umx_uc_wanted(&work->uc, pool, work->uc.plans[p]) && work->covered[p])
            return false;
    return true;
}

/* The flag of a gateway that is to be made (2.6 and step M3 of 2.8: all but one are switched off by hand there). */
static bool choose_outdial(struct umx_uc_work *work, const struct umx_uc_pool *pool)
{
    if (pool->branch)
        return false;
    if (work->uc.mode == UMX_UC_FAITHFUL)
        return true;
    if (outdial_named(work))
        return outdial_is(work, pool);
    if (!uncovered(work, pool))
        return false;
    cover(work, pool);
    umx_steps_note(
        work->out,
        "%s may dial out through %s, the new gateway with the most Enterprise Voice users (%d); choose another one "
        "with exchucutil.outdial",
        umx_uc_exchange(work), pool->fqdn, pool->users);
    return true;
}

static void classes(struct umx_uc_work *work, Umx__PlanStep *step, const char *class)
{
    umx_step_attribute(work->out, step, "objectClass", "top");
    umx_step_attribute(work->out, step, "objectClass", class);
}

/* msExchVersion of UM objects: 0.1 (8.0.535), the generation that brought the classes (4.2); systemFlags: may be
 * renamed in the configuration partition, as administrators expect of a gateway. */
#define EXCHANGE_VERSION "4535486012416"
#define MAY_BE_RENAMED "1073741824"

static const char *plan_gateway(struct umx_uc_work *work, const struct umx_uc_pool *pool, const char **dn)
{
    const char *wanted = umx_or_empty(pool->pool->name)[0] != '\0' ? pool->pool->name : pool->fqdn;
    const char *name = free_name(work, wanted, gateway_name_taken);
    bool outcalls = choose_outdial(work, pool);

    *dn = umx_step_child_dn(work->out, name, work->container);
    Umx__PlanStep *step = new_step(work, UMX__CHANGE__KIND__ADD, *dn, NULL);
    if (step == NULL)
        return NULL;
    classes(work, step, "msExchUMIPGateway");
    umx_step_attribute(work->out, step, "cn", name);
    umx_step_attribute(work->out, step, "systemFlags", MAY_BE_RENAMED);
    umx_step_attribute(work->out, step, "msExchVersion", EXCHANGE_VERSION);
    umx_step_attribute(work->out, step, "msExchUMIPGatewayAddress", pool->fqdn);
    umx_step_attribute(work->out, step, "msExchUMIPGatewayPort", "0");
    umx_step_attribute(work->out, step, "msExchUMOutcallsAllowed", truth(outcalls));
    umx_step_attribute(work->out, step, "msExchUMIPGatewayStatus", "0");
    umx_step_attribute(work->out, step, "msExchUMIPGatewayFlags", "0");
    umx_step_attribute(work->out, step, "msExchUMIPGatewayFlags2", pool->message_waiting ? "-1" : "-2");
    step->summary = umx_steps_copy(
        work->out, umx_steps_say(work->out, "add UM IP gateway %s for pool %s (out-dialling %s, message waiting %s%s)",
                                 name, pool->fqdn, outcalls ? "allowed" : "not allowed",
                                 pool->message_waiting ? "allowed" : "not allowed",
                                 strcmp(name, wanted) != 0 ? "; another gateway has the pool's name" : ""));
    step->undo = umx_steps_copy(work->out, "deletes the gateway after the hunt groups below it");
    return step->id;
}

/* ---- changes of flags on gateways that are there */

static void modify(struct umx_uc_work *work, const Umx__IpGateway *gateway, Umx__PlanStep **step, const char *attribute,
                   const char *old, const char *new)
{
    if (*step == NULL) {
        *step = new_step(work, UMX__CHANGE__KIND__MODIFY, gateway->dn,
                         gateway->has_object_guid ? &gateway->object_guid : NULL);
        if (*step == NULL)
            return;
        (*step)->summary =
            umx_steps_copy(work->out, umx_steps_say(work->out, "set on gateway %s:", umx_or_empty(gateway->name)));
        (*step)->undo = umx_steps_copy(work->out, "puts the old value back, when nobody has changed it since");
    }
    umx_step_replace(work->out, *step, attribute, old, new);
    (*step)->summary = umx_steps_copy(work->out, umx_steps_say(work->out, "%s %s %s -> %s", (*step)->summary, attribute,
                                                               old != NULL ? old : "(not set)", new));
}

static void set_outcalls(struct umx_uc_work *work, const Umx__IpGateway *gateway, Umx__PlanStep **step, bool wanted)
{
    if (umx_uc_outcalls(gateway) != wanted)
        modify(work, gateway, step, "msExchUMOutcallsAllowed",
               gateway->has_outcalls_allowed ? truth(gateway->outcalls_allowed) : NULL, truth(wanted));
}

static void set_waiting(struct umx_uc_work *work, const Umx__IpGateway *gateway, Umx__PlanStep **step, bool wanted)
{
    int32_t old = gateway->has_flags2 ? gateway->flags2 : UMX_UC_FLAGS2_DEFAULT;
    int32_t new = wanted ? old | UMX_UC_ALLOW_MESSAGE_WAITING : old & ~UMX_UC_ALLOW_MESSAGE_WAITING;

    if (old != new)
        modify(work, gateway, step, "msExchUMIPGatewayFlags2",
               gateway->has_flags2 ? umx_steps_say(work->out, "%" PRId32, old) : NULL,
               umx_steps_say(work->out, "%" PRId32, new));
}

static void plan_flags(struct umx_uc_work *work, const struct umx_uc_pool *pool)
{
    Umx__PlanStep *step = NULL;

    if (pool->gateway == NULL)
        return;
    if (work->uc.mode == UMX_UC_FAITHFUL) {
        set_outcalls(work, pool->gateway, &step, !pool->branch);
        set_waiting(work, pool->gateway, &step, pool->message_waiting);
    } else if (outdial_named(work)) {
        set_outcalls(work, pool->gateway, &step, outdial_is(work, pool));
    }
}

/* ---- hunt groups (W7) */

static bool pilot_is(const Umx__HuntGroup *group, const char *pilot)
{
    return umx_text_equal(umx_or_empty(group->pilot_identifier), pilot);
}

/* Exactly what the script would have made for this plan. */
static bool as_the_script(struct umx_uc_work *work, const Umx__HuntGroup *group, const Umx__DialPlan *plan)
{
    return umx_text_dn_equal(group->dial_plan_dn, plan->dn) && pilot_is(group, umx_uc_pilot(work->uc.arena, plan)) &&
           umx_text_equal(umx_or_empty(group->name), umx_or_empty(plan->name));
}

static void plan_delete(struct umx_uc_work *work, const Umx__HuntGroup *group, const struct umx_uc_pool *pool)
{
    Umx__PlanStep *step =
        new_step(work, UMX__CHANGE__KIND__DELETE, group->dn, group->has_object_guid ? &group->object_guid : NULL);

    if (step == NULL)
        return;
    umx_steps_attribute(work->out, &step->before->attribute, &step->before->n_attribute, "cn", group->name);
    umx_steps_attribute(work->out, &step->before->attribute, &step->before->n_attribute,
                        "msExchUMHuntGroupDialPlanLink", group->dial_plan_dn);
    umx_steps_attribute(work->out, &step->before->attribute, &step->before->n_attribute, "msExchUMPilotIdentifier",
                        group->pilot_identifier);
    step->summary = umx_steps_copy(
        work->out,
        umx_steps_say(work->out, "delete hunt group %s (pilot identifier %s) of the gateway of %s, as the script does",
                      umx_or_empty(group->name), umx_or_empty(group->pilot_identifier), pool->fqdn));
    step->undo = umx_steps_copy(work->out, "makes it again as it was saved; it gets a new objectGUID");
}

/* Steps below a gateway come after the step that makes it and after the deletes that make room. */
static void depend_on_gateway(struct umx_uc_work *work, Umx__PlanStep *step, const char *gateway_step,
                              const char *gateway_dn)
{
    umx_steps_depend(work->out, step, gateway_step);
    for (size_t i = 0; i < work->out->count; i++) {
        const Umx__PlanStep *other = work->out->items[i];
        const char *parent = other->kind == UMX__CHANGE__KIND__DELETE ? umx_text_dn_parent(other->change->dn) : NULL;
        if (parent != NULL && umx_text_equal(other->forest, umx_uc_exchange(work)) &&
            umx_text_dn_equal(parent, gateway_dn))
            umx_steps_depend(work->out, step, other->id);
    }
}

static bool hunt_group_taken(const struct umx_uc_work *work, const struct umx_uc_pool *pool, const char *name)
{
    const Umx__World *world = work->view->world;

    /* In mode faithful everything that is in the way goes first. */
    if (pool->gateway == NULL || work->uc.mode == UMX_UC_FAITHFUL)
        return false;
    for (size_t i = 0; i < world->n_hunt_group; i++)
        if (umx_uc_child(world->hunt_group[i], pool->gateway) && umx_text_equal(world->hunt_group[i]->name, name))
            return true;
    return false;
}

static const char *hunt_group_name(struct umx_uc_work *work, const struct umx_uc_pool *pool, const Umx__DialPlan *plan)
{
    const char *name = umx_or_empty(plan->name);
    char base[UMX_UC_NAME_MAX + 1];

    umx_text_copy(base, UMX_UC_NAME_MAX - 5, name);
    for (int i = 2; !work->out->failed && hunt_group_taken(work, pool, name); i++)
        name = umx_steps_say(work->out, "%s-%d", base, i);
    return name;
}

static void plan_hunt_group(struct umx_uc_work *work, const struct umx_uc_pool *pool, const Umx__DialPlan *plan,
                            const char *gateway_step, const char *gateway_dn)
{
    const char *name = hunt_group_name(work, pool, plan);
    const char *pilot = umx_uc_pilot(work->uc.arena, plan);
    Umx__PlanStep *step =
        new_step(work, UMX__CHANGE__KIND__ADD, umx_step_child_dn(work->out, name, umx_or_empty(gateway_dn)), NULL);

    if (step == NULL)
        return;
    classes(work, step, "msExchUMHuntGroup");
    umx_step_attribute(work->out, step, "cn", name);
    umx_step_attribute(work->out, step, "systemFlags", MAY_BE_RENAMED);
    umx_step_attribute(work->out, step, "msExchVersion", EXCHANGE_VERSION);
    umx_step_attribute(work->out, step, "msExchUMHuntGroupDialPlanLink", plan->dn);
    umx_step_attribute(work->out, step, "msExchUMPilotIdentifier", pilot);
    depend_on_gateway(work, step, gateway_step, gateway_dn);
    step->summary =
        umx_steps_copy(work->out, umx_steps_say(work->out, "add hunt group %s for dial plan %s to the gateway of %s",
                                                name, umx_or_empty(plan->name), pool->fqdn));
    step->undo = umx_steps_copy(work->out, "deletes the hunt group");
}

/* Safe modes: what is missing is added, what others made stays. */
static void plan_safe(struct umx_uc_work *work, const struct umx_uc_pool *pool, const Umx__DialPlan *plan,
                      const char *gateway_step, const char *gateway_dn)
{
    const Umx__World *world = work->view->world;
    const char *pilot = umx_uc_pilot(work->uc.arena, plan);
    const Umx__HuntGroup *group = pool->gateway != NULL ? umx_uc_hunt_group(world, pool->gateway, plan) : NULL;

    if (group != NULL && pilot_is(group, pilot))
        return;
    if (group != NULL)
        umx_steps_note(work->out,
                       "%s has the pilot identifier %s instead of %s: the safe modes leave it and add one beside it; "
                       "mode faithful removes it",
                       group->dn, umx_or_empty(group->pilot_identifier), pilot);
    for (size_t i = 0; pool->gateway != NULL && i < world->n_hunt_group; i++) {
        if (!umx_uc_child(world->hunt_group[i], pool->gateway) || !pilot_is(world->hunt_group[i], pilot))
            continue;
        umx_steps_note(
            work->out,
            "%s has the pilot identifier %s of dial plan %s: the safe modes leave it, and the plan's own hunt group "
            "cannot be added",
            world->hunt_group[i]->dn, pilot, umx_or_empty(plan->name));
        return;
    }
    plan_hunt_group(work, pool, plan, gateway_step, gateway_dn);
}

static void plan_faithful(struct umx_uc_work *work, const struct umx_uc_pool *pool, const char *gateway_step,
                          const char *gateway_dn)
{
    const Umx__World *world = work->view->world;
    bool *kept = umx_arena_alloc(work->out->arena, work->uc.plan_count + 1);

    if (kept == NULL) {
        work->out->failed = 1;
        return;
    }
    for (size_t i = 0; pool->gateway != NULL && i < world->n_hunt_group; i++) {
        const Umx__HuntGroup *group = world->hunt_group[i];
        bool keep = false;
        if (!umx_uc_child(group, pool->gateway))
            continue;
        for (size_t p = 0; !keep && p < work->uc.plan_count; p++)
            if (!kept[p] && as_the_script(work, group, work->uc.plans[p]))
                keep = kept[p] = true;
        if (!keep)
            plan_delete(work, group, pool);
    }
    for (size_t p = 0; p < work->uc.plan_count; p++)
        if (!kept[p])
            plan_hunt_group(work, pool, work->uc.plans[p], gateway_step, gateway_dn);
}

static void plan_pool(struct umx_uc_work *work, const struct umx_uc_pool *pool)
{
    const char *gateway_step = NULL;
    const char *gateway_dn = pool->gateway != NULL ? pool->gateway->dn : NULL;

    if (gateway_dn == NULL)
        gateway_step = plan_gateway(work, pool, &gateway_dn);
    if (work->uc.mode == UMX_UC_FAITHFUL) {
        plan_faithful(work, pool, gateway_step, gateway_dn);
        return;
    }
    for (size_t p = 0; p < work->uc.plan_count; p++)
        if (umx_uc_wanted(&work->uc, pool, work->uc.plans[p]))
            plan_safe(work, pool, work->uc.plans[p], gateway_step, gateway_dn);
}

/* Pools by their number of users, so that the one with the most traffic gets the first word about dialling out. */
static const struct umx_uc_pool *next_largest(const struct umx_uc *uc, bool *done)
{
    size_t best = uc->pool_count;

    for (size_t i = 0; i < uc->pool_count; i++)
        if (!done[i] && uc->pools[i].scope == UMX_UC_IN &&
            (best == uc->pool_count || uc->pools[i].users > uc->pools[best].users))
            best = i;
    if (best == uc->pool_count)
        return NULL;
    done[best] = true;
    return &uc->pools[best];
}

static void note_what_stays(struct umx_uc_work *work)
{
    const Umx__World *world = work->view->world;
    const Umx__Trust *trust = NULL;

    for (size_t i = 0; i < world->n_ip_gateway; i++) {
        const Umx__IpGateway *gateway = world->ip_gateway[i];
        bool lync = false;
        for (size_t k = 0; k < world->n_lync_pool; k++)
            lync = lync || umx_text_equal(world->lync_pool[k]->pool, gateway->address);
        if (!lync && umx_text_equal(gateway->forest, umx_uc_exchange(work)))
            umx_steps_note(work->out, "%s is left alone: its address %s is no Lync pool", gateway->dn,
                           umx_or_empty(gateway->address));
    }
    for (size_t i = 0; i < world->n_trust; i++)
        if (umx_text_equal(world->trust[i]->forest, umx_uc_exchange(work)) &&
            umx_text_equal(world->trust[i]->partner, work->view->pair->lync))
            trust = world->trust[i];
    if (!work->view->same && (trust == NULL || (trust->direction & 2) == 0))
        umx_steps_note(work->out,
                       "%s does not trust %s: Lync cannot read what is written here before phase forests is done",
                       umx_uc_exchange(work), work->view->pair->lync);
    if (work->uc.mode == UMX_UC_FAITHFUL)
        umx_steps_note(work->out,
                       "mode faithful lets every gateway but those of branch pools dial out, as the script does: "
                       "with more than one, check exchucutil/outdial (V7.4) fails until all but one are switched off");
}

static int prepare(struct umx_uc_work *work)
{
    const char *conditions[2];
    size_t count = umx_forest_conditions(work->view->world, umx_uc_exchange(work), conditions);
    const Umx__Container *container =
        umx_find_container(work->view->world, umx_uc_exchange(work), UMX__CONTAINER__KIND__IP_GATEWAYS);

    work->groups = umx_groups_resolve(umx_phase("exchucutil")->groups_exchange, conditions, count, work->out->arena);
    if (container != NULL && container->dn != NULL)
        work->container = container->dn;
    else if (umx_or_empty(work->view->exchange->organization_dn)[0] != '\0')
        work->container =
            umx_steps_say(work->out, "CN=UM IPGateway Container,%s", work->view->exchange->organization_dn);
    else
        return umx_fail(work->err, UMX_ERR_PLAN_WORLD_INCOMPLETE, umx_uc_exchange(work),
                        "no Exchange organisation was found");
    work->covered = umx_arena_alloc(work->out->arena, work->uc.plan_count + 1);
    if (work->covered == NULL || work->groups == NULL)
        return umx_fail(work->err, UMX_ERR_MEMORY, "exchucutil", NULL);
    for (size_t i = 0; i < work->uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &work->uc.pools[i];
        if (pool->scope == UMX_UC_IN && pool->gateway != NULL && umx_uc_outcalls(pool->gateway))
            cover(work, pool);
    }
    return 0;
}

int umx_exchucutil_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                        struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_uc_work work = {.view = &view, .out = out, .err = err};
    int rc = umx_uc_build(&view, out->arena, &work.uc, err);

    if (rc == 0)
        rc = umx_uc_check_options(&work);
    if (rc == 0)
        rc = umx_uc_check_world(&work);
    if (rc == 0)
        rc = prepare(&work);
    for (size_t n = 0; rc == 0 && n < UMX_UC_NEED_COUNT; n++)
        for (size_t g = 0; rc == 0 && g < UMX_UC_GROUP_COUNT; g++)
            rc = plan_entry(&work, &umx_uc_needs[n], &umx_uc_groups[g]);
    bool *done = umx_arena_alloc(out->arena, work.uc.pool_count + 1);
    if (rc == 0 && done == NULL)
        rc = umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL);
    const struct umx_uc_pool *pool;
    while (rc == 0 && (pool = next_largest(&work.uc, done)) != NULL)
        plan_pool(&work, pool);
    for (size_t i = 0; rc == 0 && i < work.uc.pool_count; i++)
        plan_flags(&work, &work.uc.pools[i]);
    if (rc == 0)
        note_what_stays(&work);
    return rc != 0 ? rc : out->failed ? umx_fail(err, UMX_ERR_MEMORY, "exchucutil", NULL) : 0;
}

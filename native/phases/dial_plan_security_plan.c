/* Phase 4: one attribute of a dial plan, compare-and-set, then the UM services that are linked to it start again. */
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/dial_plan_security.h"
#include "phases/restart.h"

#define SLUG "dial-plan-security"

bool umx_ds_wanted(const struct umx_view *view, const Umx__DialPlan *plan, Umx__DialPlan__VoipSecurity *wanted,
                   const char **note)
{
    const Umx__DialPlan__VoipSecurity secured = UMX__DIAL_PLAN__VOIP_SECURITY__SECURED;
    const Umx__DialPlan__VoipSecurity sip = UMX__DIAL_PLAN__VOIP_SECURITY__SIP_SECURED;
    struct umx_media media = umx_lync_media(view->world, view->pair->lync);
    bool lacks = umx_lacks_secured(view->world, view->pair->exchange, plan);
    Umx__DialPlan__VoipSecurity has = plan->has_voip_security ? plan->voip_security : 0;

    *note = NULL;
    if (umx_ds_asked(view->options, wanted))
        return has != *wanted;
    *wanted = lacks ? sip : umx_security_for(media.level);
    if (lacks && media.level == UMX_ENCRYPTION_REQUIRED)
        *note = "a linked server is Exchange 2007 without a service pack, which has no Secured, and Lync requires it";
    else if (media.mixed)
        *note = "one part of Lync requires encryption and another one refuses it: no level fits both";
    if (has != secured && has != sip) {
        if (media.level == UMX_ENCRYPTION_UNKNOWN)
            *note = "Lync's media encryption is not known: Secured fits its default, RequireEncryption";
        return true;
    }
    if (media.level == UMX_ENCRYPTION_REQUIRED)
        return has != *wanted && !lacks;
    if (media.level == UMX_ENCRYPTION_REFUSED && has == secured)
        *note = "it stays Secured although Lync refuses encryption: lower it with dial-plan-security.level=sip_secured "
                "when calls fail";
    return false;
}

/* F4.1, F4.2: another plan of the same server that stays unsecured. */
static void note_mixture(const struct umx_view *view, const Umx__DialPlan *plan, struct umx_steps *out)
{
    size_t count;
    const struct umx_um_end *ends = umx_um_ends(view->world, view->pair->exchange, out->arena, &count);

    for (size_t i = 0; ends != NULL && i < count; i++) {
        if (!umx_um_linked(&ends[i], plan) || (ends[i].has_mode && ends[i].mode == UMX_MODE_DUAL))
            continue;
        for (size_t p = 0; p < view->world->n_dial_plan; p++) {
            const Umx__DialPlan *other = view->world->dial_plan[p];
            if (other == plan || !umx_text_equal(other->forest, view->pair->exchange) || umx_um_is_sip(other) ||
                !umx_um_linked(&ends[i], other) ||
                (other->has_voip_security && other->voip_security != UMX__DIAL_PLAN__VOIP_SECURITY__UNSECURED))
                continue;
            umx_steps_note(out,
                           ends[i].has_mode
                               ? "%s also serves %s, which stays unsecured: it needs startup mode Dual (F4.1)"
                               : "%s (Exchange 2007) also serves %s, which stays unsecured: it cannot serve both, move "
                                 "that plan to another server (F4.2)",
                           ends[i].fqdn, umx_plan_name(other));
        }
    }
}

static void plan_one(const struct umx_view *view, const Umx__DialPlan *plan, struct umx_steps *out)
{
    Umx__DialPlan__VoipSecurity wanted;
    const char *note;
    bool change = umx_ds_wanted(view, plan, &wanted, &note);
    int has = plan->has_voip_security ? (int)plan->voip_security : 0;

    if (note != NULL)
        umx_steps_note(out, "%s: %s", umx_plan_name(plan), note);
    if (!change)
        return;
    Umx__PlanStep *step =
        umx_step_write(out, SLUG, UMX__FOREST__SIDE__EXCHANGE, view->pair->exchange, UMX__CHANGE__KIND__MODIFY,
                       plan->dn, plan->has_object_guid ? &plan->object_guid : NULL);
    if (step == NULL)
        return;
    umx_step_replace(out, step, "msExchUMDialPlanVoipSecurity",
                     plan->has_voip_security ? umx_steps_say(out, "%d", has) : NULL,
                     umx_steps_say(out, "%d", (int)wanted));
    step->summary = umx_steps_copy(out, umx_steps_say(out, "set the VoIP security of dial plan %s to %s (now: %s)",
                                                      umx_plan_name(plan), umx_security_words[wanted],
                                                      has >= 0 && has <= 3 ? umx_security_words[has] : "unknown"));
    step->undo =
        umx_steps_copy(out, "puts the old value back, when nobody has changed it since; then restart the UM services");
    note_mixture(view, plan, out);
}

int umx_dial_plan_security_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                                struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    Umx__DialPlan__VoipSecurity asked;
    const Umx__DialPlan *plan;
    bool named = umx_ds_asked(options, &asked);

    for (size_t i = 0; (plan = umx_um_next_plan(world, pair->exchange, &i)) != NULL;)
        if (named && asked == UMX__DIAL_PLAN__VOIP_SECURITY__SECURED && umx_lacks_secured(world, pair->exchange, plan))
            return umx_fail(err, UMX_ERR_PLAN_BLOCKED, plan->dn,
                            "a linked server is Exchange 2007 without a service pack, which has no Secured");
    for (size_t i = 0; (plan = umx_um_next_plan(world, pair->exchange, &i)) != NULL;)
        plan_one(&view, plan, out);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}

/* ---- restarts */

static void ask_restarts(const Umx__World *world, const char *forest, const Umx__DialPlan *plan, const char *after,
                         struct umx_steps *out)
{
    size_t count;
    const struct umx_um_end *ends = umx_um_ends(world, forest, out->arena, &count);

    if (ends == NULL)
        out->failed = 1;
    for (size_t i = 0; ends != NULL && i < count; i++)
        if (umx_um_linked(&ends[i], plan))
            umx_restart_ask_um(out, SLUG, forest, ends[i].fqdn, ends[i].service,
                               ends[i].has_mode && ends[i].mode == UMX_MODE_TCP ? 0 : ends[i].port, after);
}

/* A service reads its dial plans from any domain controller of its site: the others have to have the change first. */
int umx_dial_plan_security_finish(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,
                                  const struct umx_options *options, size_t first, struct umx_steps *out,
                                  struct umx_error *err)
{
    size_t last = out->count;

    (void)pairs;
    (void)pair_count;
    (void)options;
    for (size_t i = first; i < last; i++) {
        const Umx__PlanStep *step = out->items[i];
        if (step->kind != UMX__CHANGE__KIND__MODIFY || !umx_text_equal(step->phase, SLUG))
            continue;
        const char *wait = umx_restart_replication(out, SLUG, step->forest, first, last);
        for (size_t p = 0; p < world->n_dial_plan; p++)
            if (umx_text_equal(world->dial_plan[p]->forest, step->forest) &&
                umx_text_dn_equal(world->dial_plan[p]->dn, step->change->dn))
                ask_restarts(world, step->forest, world->dial_plan[p], wait, out);
    }
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}

/* Phase 9: what the steps of a plan so far, of any pair, do to the contacts that are there. */
#include "base/text.h"
#include "phases/build.h"
#include "phases/ocsumutil.h"

static const Umx__PlanStep *step_at(const struct umx_oc_work *work, Umx__Change__Kind kind, const Umx__Contact *contact)
{
    for (size_t i = 0; i < work->out->count; i++) {
        const Umx__PlanStep *step = work->out->items[i];
        if (step->kind == kind && umx_text_equal(step->phase, "ocsumutil") &&
            umx_text_equal(step->forest, work->view->pair->lync) &&
            umx_text_dn_equal(umx_or_empty(step->change->dn), umx_or_empty(contact->dn)))
            return step;
    }
    return NULL;
}

const Umx__World *umx_oc_before(const struct umx_view *view)
{
    return view->options != NULL && view->options->before != NULL ? view->options->before : view->world;
}

enum umx_oc_touched umx_oc_touched(const struct umx_oc_work *work, const Umx__Contact *contact)
{
    return step_at(work, UMX__CHANGE__KIND__DELETE, contact) != NULL   ? UMX_OC_REMOVED
           : step_at(work, UMX__CHANGE__KIND__MODIFY, contact) != NULL ? UMX_OC_CHANGED
                                                                       : UMX_OC_UNTOUCHED;
}

static bool replaces(const Umx__PlanStep *step, const char *attribute)
{
    for (size_t i = 0; i < step->change->n_modify; i++)
        if (umx_text_equal(step->change->modify[i]->name, attribute) && step->change->modify[i]->n_remove > 0)
            return true;
    return false;
}

const char *umx_oc_freed(const struct umx_oc_work *work, const Umx__Contact *contact, enum umx_oc_value value)
{
    static const char *const attributes[][2] = {
        [UMX_OC_ADDRESS] = {"msRTCSIP-PrimaryUserAddress", "msRTCSIP-PrimaryUserAddress"},
        [UMX_OC_NUMBER] = {"msRTCSIP-Line", "telephoneNumber"},
    };
    const Umx__PlanStep *step = step_at(work, UMX__CHANGE__KIND__DELETE, contact);

    if (step != NULL)
        return step->id;
    step = step_at(work, UMX__CHANGE__KIND__MODIFY, contact);
    if (step != NULL && (replaces(step, attributes[value][0]) || replaces(step, attributes[value][1])))
        return step->id;
    return NULL;
}

/* Phase 11: plans, policies, extensions. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "phases/um_mailboxes.h"

static const char digits[] = "0123456789";

struct umx_um_plans umx_um_plans_of(struct umx_people *people)
{
    const Umx__World *world = people->view->world;
    struct umx_um_plans plans = {.items =
                                     umx_arena_alloc(people->arena, (world->n_dial_plan + 1) * sizeof *plans.items)};

    for (size_t i = 0; plans.items != NULL && i < world->n_dial_plan; i++)
        if (umx_is_sip_plan(world->dial_plan[i]) && umx_or_empty(world->dial_plan[i]->phone_context)[0] != '\0' &&
            umx_text_equal(world->dial_plan[i]->forest, people->view->pair->exchange))
            plans.items[plans.count++] = world->dial_plan[i];
    return plans;
}

static bool default_name(const char *policy, const char *plan)
{
    static const char suffix[] = " Default Policy";
    size_t length = strlen(plan);

    return strncasecmp(policy, plan, length) == 0 && strcasecmp(policy + length, suffix) == 0;
}

const Umx__MailboxPolicy *umx_um_default_policy(const Umx__World *world, const Umx__DialPlan *plan)
{
    const Umx__MailboxPolicy *only = NULL;
    size_t count = 0;

    for (size_t i = 0; i < world->n_mailbox_policy; i++) {
        const Umx__MailboxPolicy *policy = world->mailbox_policy[i];
        if (!umx_text_equal(policy->forest, plan->forest) || !umx_text_dn_equal(policy->dial_plan_dn, plan->dn))
            continue;
        if (default_name(umx_or_empty(policy->name), umx_or_empty(plan->name)))
            return policy;
        only = policy;
        count++;
    }
    return count == 1 ? only : NULL;
}

const Umx__DialPlan *umx_um_plan_for(const struct umx_um_plans *plans, const char *policy)
{
    const Umx__DialPlan *found = NULL;

    if (plans->count == 1)
        return plans->items[0];
    for (size_t i = 0; i < plans->count; i++) {
        const char *name = umx_or_empty(plans->items[i]->name);
        size_t length = strlen(name);
        if (length == 0 || strncasecmp(policy, name, length) != 0 || (policy[length] != ' ' && policy[length] != '\0'))
            continue;
        if (found != NULL && strlen(found->name) == length)
            return NULL;
        /* `Berlin West Policy` is of Berlin West, where there is a Berlin too. */
        if (found == NULL || strlen(found->name) < length)
            found = plans->items[i];
    }
    return found;
}

const char *umx_um_extension_refusal(struct umx_arena *arena, const Umx__DialPlan *plan, const char *extension)
{
    enum { EXTENSION_MAX = 20 };
    size_t length = strlen(extension);

    if (length == 0 || strspn(extension, digits) != length || length > EXTENSION_MAX)
        return umx_arena_format(arena, "extension \"%s\" is not of digits", extension);
    if (plan->has_digits && length != (size_t)plan->digits)
        return umx_arena_format(arena, "extension %s has %zu digits, and dial plan %s wants %d", extension, length,
                                umx_or_empty(plan->name), plan->digits);
    return NULL;
}

bool umx_um_of_plan(const Umx__DialPlan *plan, const char *value)
{
    struct umx_eum eum;

    return umx_eum_parse(value, &eum) && umx_text_equal(eum.context, plan->phone_context);
}

const char *umx_um_missing_there(const struct umx_people *people, const struct umx_match *match)
{
    const Umx__MailboxUser *mailbox = match->mailbox;
    const Umx__VoiceUser *voice = match->voice;

    if (mailbox == NULL || !mailbox->um_enabled || match->rule == UMX_MATCH_SAME)
        return NULL;
    const Umx__DialPlan *plan = umx_find_dial_plan(people->view->world, mailbox->forest, mailbox->um_dial_plan_dn);
    if (!umx_is_sip_plan(plan))
        return NULL;
    for (size_t i = 0; i < mailbox->n_proxy_address; i++)
        if (umx_um_of_plan(plan, mailbox->proxy_address[i]) &&
            !umx_proxy_has(voice->proxy_address, voice->n_proxy_address, mailbox->proxy_address[i]))
            return mailbox->proxy_address[i];
    return NULL;
}

const char *umx_um_propose_extension(struct umx_people *people, const struct umx_match *match,
                                     const Umx__DialPlan *plan)
{
    const char *line = umx_line_bare(match->voice->line);
    const char *mark = line != NULL ? strstr(line, ";ext=") : NULL;
    const char *extension;

    if (!plan->has_digits || plan->digits < 1 || !umx_line_valid(line))
        return NULL;
    if (mark != NULL) {
        extension = umx_arena_string(people->arena, mark + strlen(";ext="));
    } else {
        size_t length = strlen(line), wanted = (size_t)plan->digits;
        extension = length - 1 >= wanted ? umx_arena_string(people->arena, line + length - wanted) : NULL;
    }
    if (extension == NULL || umx_um_extension_refusal(people->arena, plan, extension) != NULL)
        return NULL;
    const char *value = umx_arena_format(people->arena, "%s;phone-context=%s", extension, plan->phone_context);
    return value != NULL && umx_eum_holder(people, match, value) == NULL ? extension : NULL;
}

/* Phase 3: rows for `umx plan template`: a plan where there is none, and what existing plans lack. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/dial_plans.h"

enum { LABEL_MAX = 40 };

static bool proposed(const struct umx_proposal *out, const char *forest, const char *name)
{
    for (size_t i = 0; i < out->input->n_dial_plan; i++)
        if (umx_text_equal(out->input->dial_plan[i]->name, name) &&
            (forest == NULL || umx_text_equal(out->input->dial_plan[i]->forest, forest)))
            return true;
    return false;
}

static bool name_taken(const struct umx_view *view, const struct umx_proposal *out, const char *name)
{
    for (size_t i = 0; i < view->world->n_dial_plan; i++)
        if (umx_text_equal(view->world->dial_plan[i]->name, name))
            return true;
    return proposed(out, NULL, name);
}

/* `contoso-SIP` for contoso.test: short, no space, no dot, not taken in any forest. */
static const char *free_name(const struct umx_view *view, struct umx_proposal *out)
{
    char label[LABEL_MAX + 1];
    size_t length = strcspn(view->pair->exchange, ".");

    snprintf(label, sizeof label, "%.*s", (int)(length < LABEL_MAX ? length : LABEL_MAX), view->pair->exchange);
    for (int i = 1;; i++) {
        const char *name = i == 1 ? umx_arena_format(out->arena, "%s-SIP", label)
                                  : umx_arena_format(out->arena, "%s-SIP-%d", label, i);
        if (name == NULL)
            out->failed = 1;
        if (name == NULL || !name_taken(view, out, name))
            return name;
    }
}

/* ---- digits of an extension: what most people have */

static void count_digits(const char *text, char end, size_t counts[UMX_PLAN_DIGITS_MAX + 1])
{
    size_t length = strspn(text, "0123456789");

    if (length >= 1 && length <= UMX_PLAN_DIGITS_MAX && (text[length] == end || text[length] == '\0'))
        counts[length]++;
}

static int32_t likely_digits(const struct umx_view *view)
{
    const Umx__World *world = view->world;
    size_t counts[UMX_PLAN_DIGITS_MAX + 1] = {0};
    size_t best = 0;

    for (size_t i = 0; i < world->n_mailbox_user; i++) {
        const Umx__MailboxUser *user = world->mailbox_user[i];
        if (!umx_text_equal(user->forest, view->pair->exchange))
            continue;
        for (size_t k = 0; k < user->n_proxy_address; k++)
            if (strncmp(user->proxy_address[k], "eum:", 4) == 0)
                count_digits(user->proxy_address[k] + 4, ';', counts);
    }
    for (size_t i = 0; i < world->n_voice_user; i++) {
        const char *line = umx_or_empty(world->voice_user[i]->line);
        const char *extension = strstr(line, ";ext=");
        if (extension != NULL && umx_text_equal(world->voice_user[i]->forest, view->pair->lync))
            count_digits(extension + 5, ';', counts);
    }
    for (size_t n = 1; n <= UMX_PLAN_DIGITS_MAX; n++)
        if (counts[n] > counts[best] || (best == 0 && counts[n] > 0))
            best = n;
    /* Nobody has an extension yet: the forest's other plans tell the length that the house uses. */
    for (size_t i = 0; best == 0 && i < world->n_dial_plan; i++)
        if (umx_text_equal(world->dial_plan[i]->forest, view->pair->exchange) && world->dial_plan[i]->digits >= 1 &&
            world->dial_plan[i]->digits <= UMX_PLAN_DIGITS_MAX)
            best = (size_t)world->dial_plan[i]->digits;
    return (int32_t)best;
}

/* The country code that all plans of the forest agree on, or NULL. */
static char *likely_country(const struct umx_view *view)
{
    char *code = NULL;

    for (size_t i = 0; i < view->world->n_dial_plan; i++) {
        const Umx__DialPlan *plan = view->world->dial_plan[i];
        if (!umx_text_equal(plan->forest, view->pair->exchange) || umx_or_empty(plan->country_code)[0] == '\0')
            continue;
        if (code != NULL && !umx_text_equal(code, plan->country_code))
            return NULL;
        code = plan->country_code;
    }
    return code;
}

int umx_dial_plans_propose(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                           struct umx_proposal *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    const Umx__DialPlan *plan;
    size_t i = 0, count = 0;

    for (; (plan = umx_um_next_plan(world, pair->exchange, &i)) != NULL; count++) {
        bool complete = plan->n_access_number > 0 && umx_or_empty(plan->country_code)[0] != '\0';
        Umx__InputDialPlan row = UMX__INPUT_DIAL_PLAN__INIT;
        if (complete || umx_or_empty(plan->name)[0] == '\0' || proposed(out, pair->exchange, plan->name))
            continue;
        row.forest = plan->forest;
        row.name = plan->name;
        row.has_digits = plan->has_digits;
        row.digits = plan->digits;
        row.n_access_number = plan->n_access_number;
        row.access_number = plan->access_number;
        row.country_code = umx_or_empty(plan->country_code)[0] != '\0' ? plan->country_code : likely_country(&view);
        umx_propose_dial_plan(out, &row);
    }
    for (size_t k = 0; count == 0 && k < out->input->n_dial_plan; k++)
        count += umx_text_equal(out->input->dial_plan[k]->forest, pair->exchange);
    if (count == 0) {
        Umx__InputDialPlan row = UMX__INPUT_DIAL_PLAN__INIT;
        row.forest = umx_arena_string(out->arena, pair->exchange);
        row.name = umx_arena_string(out->arena, free_name(&view, out));
        row.digits = likely_digits(&view);
        row.has_digits = row.digits > 0;
        row.country_code = likely_country(&view);
        umx_propose_dial_plan(out, &row);
    }
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "dial-plans", NULL) : 0;
}

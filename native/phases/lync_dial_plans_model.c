#include <string.h>

#include "base/text.h"
#include "phases/lync_dial_plans.h"
#include "phases/normalize.h"

int umx_ld_build(const struct umx_view *view, struct umx_arena *arena, struct umx_ld *out, struct umx_error *err)
{
    *out = (struct umx_ld){.view = view, .arena = arena};
    for (size_t i = 0; i < view->world->n_lync_dial_plan; i++) {
        const Umx__LyncDialPlan *plan = view->world->lync_dial_plan[i];
        if (!umx_text_equal(plan->forest, view->pair->lync) || umx_or_empty(plan->server)[0] == '\0')
            continue; /* one that a plan promises is not a report */
        if (umx_stale(view->world, plan->has_collected_at, plan->collected_at))
            out->stale = true;
        else
            out->known = true;
    }
    return umx_uc_build(view, arena, &out->uc, err);
}

enum umx_ld_rule umx_ld_rule(const struct umx_ld *ld, const Umx__DialPlan *plan, const char **why)
{
    const Umx__World *world = ld->view->world;
    enum umx_ld_rule rule = UMX_LD_SUITABLE;

    *why = "";
    for (size_t i = 0; i < world->n_exchange_server; i++) {
        const Umx__ExchangeServer *server = world->exchange_server[i];
        bool linked = false;
        for (size_t k = 0; k < server->n_dial_plan_dn; k++)
            linked = linked || umx_text_dn_equal(server->dial_plan_dn[k], plan->dn);
        for (size_t k = 0; k < server->n_call_router_dial_plan_dn; k++)
            linked = linked || umx_text_dn_equal(server->call_router_dial_plan_dn[k], plan->dn);
        if (!linked || !umx_text_equal(server->forest, plan->forest))
            continue;
        bool known = server->has_version_major && (server->version_major != 14 || server->has_version_minor);
        bool old = known && (server->version_major < 14 || (server->version_major == 14 && server->version_minor < 1));
        if (known && !old)
            continue;
        if (old && rule == UMX_LD_NOT_KNOWN)
            *why = "";
        if (!old && rule == UMX_LD_MUST_MATCH)
            continue;
        rule = old ? UMX_LD_MUST_MATCH : UMX_LD_NOT_KNOWN;
        const char *name = server->server != NULL ? server->server : umx_or_empty(server->name);
        const char *text = old ? umx_arena_format(ld->arena, "%s%s%s (%d.%d)", *why, **why != '\0' ? ", " : "", name,
                                                  server->version_major, server->version_minor)
                               : umx_arena_format(ld->arena, "%s%s%s", *why, **why != '\0' ? ", " : "", name);
        *why = text != NULL ? text : "";
    }
    return rule;
}

static const Umx__LyncDialPlan *find_by(const struct umx_ld *ld, bool simple_name, const char *text)
{
    const Umx__World *world = ld->view->world;

    for (size_t i = 0; *umx_or_empty(text) != '\0' && i < world->n_lync_dial_plan; i++) {
        const Umx__LyncDialPlan *plan = world->lync_dial_plan[i];
        const char *has = umx_or_empty(simple_name ? plan->simple_name : plan->identity);
        if (!simple_name && strncasecmp(has, "Service:", 8) == 0)
            has += 8; /* as the shell writes identities of the scope service */
        if (umx_text_equal(plan->forest, ld->view->pair->lync) && umx_text_equal(has, text))
            return plan;
    }
    return NULL;
}

const Umx__LyncDialPlan *umx_ld_match(const struct umx_ld *ld, const Umx__DialPlan *plan)
{
    return find_by(ld, true, plan->phone_context);
}

const Umx__LyncDialPlan *umx_ld_find(const struct umx_ld *ld, const char *identity)
{
    return find_by(ld, false, identity);
}

bool umx_ld_simple_name(const char *text)
{
    size_t length = strlen(umx_or_empty(text));

    return length > 0 && length <= UMX_PLAN_SIMPLE_NAME_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.+_()") == length;
}

const char *umx_ld_site(const struct umx_ld *ld, const char *pool)
{
    const Umx__World *world = ld->view->world;

    for (size_t i = 0; i < world->n_lync_pool_member; i++)
        if (umx_text_equal(world->lync_pool_member[i]->pool, pool) &&
            umx_or_empty(world->lync_pool_member[i]->site)[0] != '\0') {
            const char *site = world->lync_pool_member[i]->site;
            return strncasecmp(site, "Site:", 5) == 0 ? site + 5 : site;
        }
    return NULL;
}

static bool any_site_plan(const struct umx_ld *ld)
{
    const Umx__World *world = ld->view->world;

    for (size_t i = 0; i < world->n_lync_dial_plan; i++)
        if (umx_text_equal(world->lync_dial_plan[i]->forest, ld->view->pair->lync) &&
            strncasecmp(umx_or_empty(world->lync_dial_plan[i]->identity), "Site:", 5) == 0)
            return true;
    return false;
}

static const Umx__LyncDialPlan *find_scoped(const struct umx_ld *ld, const char *scope, const char *name)
{
    char *identity = umx_arena_format(ld->arena, "%s:%s", scope, name);

    return identity != NULL ? umx_ld_find(ld, identity) : NULL;
}

const Umx__LyncDialPlan *umx_ld_applies(const struct umx_ld *ld, const char *pool, bool *uncertain)
{
    const Umx__LyncDialPlan *plan = find_scoped(ld, "Registrar", pool);
    const char *site = umx_ld_site(ld, pool);

    *uncertain = false;
    if (plan == NULL && site != NULL)
        plan = find_scoped(ld, "Site", site);
    else if (plan == NULL)
        *uncertain = any_site_plan(ld);
    return plan != NULL ? plan : umx_ld_find(ld, "Global");
}

const Umx__LyncDialPlan **umx_ld_candidates(const struct umx_ld *ld, const Umx__DialPlan *plan, size_t *count,
                                            bool *uncertain)
{
    const Umx__LyncDialPlan **list = umx_arena_alloc(ld->arena, (ld->uc.pool_count + 1) * sizeof *list);
    const Umx__LyncDialPlan *match = umx_ld_match(ld, plan);

    *count = 0;
    *uncertain = false;
    if (list == NULL)
        return NULL;
    if (match != NULL) {
        list[(*count)++] = match;
        return list;
    }
    for (size_t i = 0; i < ld->uc.pool_count; i++) {
        bool open, seen = false;
        if (ld->uc.pools[i].users == 0)
            continue;
        const Umx__LyncDialPlan *applies = umx_ld_applies(ld, ld->uc.pools[i].fqdn, &open);
        *uncertain = *uncertain || open;
        for (size_t k = 0; k < *count; k++)
            seen = seen || list[k] == applies;
        if (applies != NULL && !seen)
            list[(*count)++] = applies;
    }
    return list;
}

/* ---- samples */

enum { SAMPLE_MAX = 24 };

/* `eum:2345;phone-context=NAME` of this plan with the right length. */
static const char *extension_of(const struct umx_ld *ld, const char *address, const Umx__DialPlan *plan)
{
    static const char middle[] = ";phone-context=";
    size_t length;

    if (strncasecmp(address, "eum:", 4) != 0)
        return NULL;
    length = strspn(address + 4, "0123456789");
    if (length != (size_t)plan->digits || strncasecmp(address + 4 + length, middle, sizeof middle - 1) != 0 ||
        !umx_text_equal(address + 4 + length + sizeof middle - 1, plan->phone_context))
        return NULL;
    return umx_arena_copy(ld->arena, address + 4, length);
}

static size_t real_samples(const struct umx_ld *ld, const Umx__DialPlan *plan, const char *samples[SAMPLE_MAX])
{
    const Umx__World *world = ld->view->world;
    size_t count = 0;

    for (size_t i = 0; count < SAMPLE_MAX && i < world->n_mailbox_user; i++) {
        const Umx__MailboxUser *user = world->mailbox_user[i];
        if (!umx_text_equal(user->forest, plan->forest))
            continue;
        for (size_t k = 0; count < SAMPLE_MAX && k < user->n_proxy_address; k++) {
            const char *extension = extension_of(ld, user->proxy_address[k], plan);
            if (extension != NULL)
                samples[count++] = extension;
        }
    }
    return count;
}

/* Nobody has an extension yet: one for each first digit, with different digits behind it. */
static size_t made_samples(const struct umx_ld *ld, const Umx__DialPlan *plan, const char *samples[SAMPLE_MAX])
{
    size_t count = 0;

    for (char first = '1'; first <= '9'; first++) {
        char text[UMX_PLAN_DIGITS_MAX + 1];
        for (int i = 0; i < plan->digits; i++)
            text[i] = (char)('0' + (first - '0' + 3 * i) % 10);
        samples[count] = umx_arena_copy(ld->arena, text, (size_t)plan->digits);
        count += samples[count] != NULL;
    }
    return count;
}

int umx_ld_judge(const struct umx_ld *ld, const Umx__LyncDialPlan *lync, const Umx__DialPlan *plan,
                 struct umx_ld_verdict *out)
{
    const char *samples[SAMPLE_MAX];

    *out = (struct umx_ld_verdict){0};
    if (plan->digits < 1 || plan->digits > UMX_PLAN_DIGITS_MAX)
        return 0;
    out->samples = real_samples(ld, plan, samples);
    out->real = out->samples > 0;
    if (!out->real)
        out->samples = made_samples(ld, plan, samples);
    for (size_t i = 0; i < out->samples; i++) {
        char result[UMX_NUMBER_MAX];
        size_t rule;
        enum umx_normalized rc = umx_normalize(lync->rule, lync->n_rule, samples[i], result, &rule);
        if (rc == UMX_NORMALIZED && umx_is_e164(result)) {
            out->good++;
            if (out->example == NULL &&
                (out->example = umx_arena_format(ld->arena, "%s -> %s", samples[i], result)) == NULL)
                return UMX_E_MEMORY;
        } else if (rc == UMX_NORMALIZED_NOT_KNOWN) {
            out->unjudged++;
        } else if (out->exception == NULL) {
            out->exception = umx_arena_format(ld->arena, "%s%s%s", samples[i], rc == UMX_NORMALIZED ? " -> " : "",
                                              rc == UMX_NORMALIZED ? result : "");
            if (out->exception == NULL)
                return UMX_E_MEMORY;
        }
    }
    return 0;
}

/* ---- options */

const char *umx_ld_option(const struct umx_ld *ld, const char *key, const Umx__DialPlan *plan)
{
    const char *value = umx_option(ld->view->options, "lync-dial-plans", key);
    const char *otherwise = NULL;
    const char **items;
    size_t count;

    if (value == NULL || umx_uc_split(value, ld->arena, &items, &count) != 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *colon = strchr(items[i], ':');
        if (colon == NULL || items[i][0] == '+') {
            otherwise = items[i];
            continue;
        }
        const char *name = umx_arena_copy(ld->arena, items[i], (size_t)(colon - items[i]));
        if (umx_text_equal(name, umx_or_empty(plan->name)) || umx_text_equal(name, umx_or_empty(plan->phone_context)))
            return colon + 1;
    }
    return otherwise;
}

#include "phases/um_server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/build.h"
#include "phases/restart.h"

/* Which services a server of a version runs for UM (2, 6.5): any of the roles. */
static const struct {
    int major, minor; /* minor -1: any */
    int roles;
    bool router;
    const char *generation;
    int32_t port;
} kinds[] = {
    {8, -1, UMX_ROLE_UM, false, "2007", 5061},      {14, -1, UMX_ROLE_UM, false, "2010", 5061},
    {15, 0, UMX_ROLE_MAILBOX, false, "2013", 5063}, {15, 0, UMX_ROLE_CAFE, true, "2013", 5061},
    {15, 1, UMX_ROLE_MAILBOX, false, "2016", 5063}, {15, 1, UMX_ROLE_MAILBOX, true, "2016", 5061},
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static int32_t tls_port(const Umx__World *world, const char *server, const char *service, int32_t otherwise)
{
    for (size_t i = 0; i < world->n_um_setting; i++) {
        const Umx__UmSetting *setting = world->um_setting[i];
        if (umx_text_equal(setting->server, server) && umx_text_equal(setting->service, service) &&
            setting->has_tls_port && setting->tls_port > 0)
            return setting->tls_port;
    }
    return otherwise;
}

static void fill(const Umx__World *world, const Umx__ExchangeServer *server, size_t kind, struct umx_um_end *end)
{
    bool router = kinds[kind].router;

    *end = (struct umx_um_end){
        .server = server,
        .fqdn = server->server != NULL ? server->server : umx_or_empty(server->name),
        .service = router ? UMX_SERVICE_ROUTER : UMX_SERVICE_UM,
        .certificate_service = router ? "UMCallRouter" : "UM",
        .generation = kinds[kind].generation,
        .router = router,
        .has_mode = kinds[kind].major > 8,
    };
    if (router) {
        end->dn = server->call_router_dn;
        end->guid = server->has_call_router_guid ? &server->call_router_guid : NULL;
        end->mode_set = server->has_call_router_startup_mode;
        end->mode = server->call_router_startup_mode;
        end->thumbprint = server->call_router_certificate_thumbprint;
        end->dial_plan = server->call_router_dial_plan_dn;
        end->dial_plan_count = server->n_call_router_dial_plan_dn;
        end->has_changed_at = server->has_call_router_changed_at;
        end->changed_at = server->call_router_changed_at;
    } else {
        end->dn = server->dn;
        end->guid = server->has_object_guid ? &server->object_guid : NULL;
        end->mode_set = server->has_um_startup_mode;
        end->mode = server->um_startup_mode;
        end->thumbprint = server->um_certificate_thumbprint;
        end->dial_plan = server->dial_plan_dn;
        end->dial_plan_count = server->n_dial_plan_dn;
        end->has_changed_at = server->has_changed_at;
        end->changed_at = server->changed_at;
    }
    if (!end->mode_set)
        end->mode = UMX_MODE_TCP;
    end->port = tls_port(world, end->fqdn, end->service, kinds[kind].port);
}

const struct umx_um_end *umx_um_ends(const Umx__World *world, const char *forest, struct umx_arena *arena,
                                     size_t *count)
{
    struct umx_um_end *ends = umx_arena_alloc(arena, (2 * world->n_exchange_server + 1) * sizeof *ends);

    *count = 0;
    if (ends == NULL)
        return NULL;
    for (size_t i = 0; i < world->n_exchange_server; i++) {
        const Umx__ExchangeServer *server = world->exchange_server[i];
        if (!umx_text_equal(server->forest, forest))
            continue;
        for (size_t k = 0; k < KIND_COUNT; k++)
            if (kinds[k].major == server->version_major &&
                (kinds[k].minor < 0 || kinds[k].minor == server->version_minor) &&
                (server->roles & kinds[k].roles) != 0)
                fill(world, server, k, &ends[(*count)++]);
    }
    return ends;
}

const char *umx_um_name(struct umx_findings *out, const struct umx_um_end *end)
{
    return umx_say(out, "%s %s", end->fqdn, end->service);
}

const char *umx_um_mode_word(int mode)
{
    static const char *const words[] = {"TCP (0)", "TLS (1)", "Dual (2)"};

    return mode >= UMX_MODE_TCP && mode <= UMX_MODE_DUAL ? words[mode] : "an unknown mode";
}

bool umx_um_linked(const struct umx_um_end *end, const Umx__DialPlan *plan)
{
    for (size_t i = 0; i < end->dial_plan_count; i++)
        if (umx_text_dn_equal(end->dial_plan[i], plan->dn))
            return true;
    return false;
}

bool umx_um_is_sip(const Umx__DialPlan *plan)
{
    return plan->has_uri_type && plan->uri_type == UMX__DIAL_PLAN__URI_TYPE__SIP_NAME;
}

const Umx__DialPlan *umx_um_next_plan(const Umx__World *world, const char *forest, size_t *at)
{
    while (*at < world->n_dial_plan) {
        const Umx__DialPlan *plan = world->dial_plan[(*at)++];
        if (umx_text_equal(plan->forest, forest) && umx_um_is_sip(plan))
            return plan;
    }
    return NULL;
}

bool umx_agent_connected(const Umx__World *world, const char *server)
{
    const Umx__Agent *agent = umx_find_agent(world, server);

    return agent != NULL && umx_text_equal(agent->state, "connected");
}

int64_t umx_forest_clock(const Umx__World *world, const char *forest)
{
    const Umx__Forest *found = umx_find_forest(world, forest);

    return found != NULL && found->has_clock_offset ? found->clock_offset : 0;
}

int64_t umx_server_clock(const Umx__World *world, const char *server)
{
    for (size_t i = 0; i < world->n_server; i++)
        if (umx_text_equal(world->server[i]->server, server) && world->server[i]->has_clock_offset)
            return world->server[i]->clock_offset;
    return 0;
}

/* ---- running with what its object says */

static const Umx__Event *restart_event(const Umx__World *world, const struct umx_um_end *end, int64_t started)
{
    enum { RESTART_NEEDED = 1419 };

    for (size_t i = 0; i < world->n_event; i++) {
        const Umx__Event *event = world->event[i];
        if (umx_text_equal(event->server, end->fqdn) && event->event_id == RESTART_NEEDED && event->has_logged_at &&
            event->logged_at > started)
            return event;
    }
    return NULL;
}

enum umx_um_fresh umx_um_fresh(const struct umx_view *view, const struct umx_um_end *end, struct umx_findings *out,
                               const char **why)
{
    const Umx__World *world = view->world;
    const Umx__Service *service = umx_find_service(world, end->fqdn, end->service);
    char since[UMX_CLOCK_TEXT];
    char last[UMX_CLOCK_TEXT];

    if (service == NULL) {
        *why = umx_say(out, "no agent on %s has reported %s", end->fqdn, end->service);
        return UMX_UM_UNKNOWN;
    }
    if (umx_stale(world, service->has_collected_at, service->collected_at)) {
        *why = umx_say(out, "the report of %s is older than %d hours", end->fqdn, UMX_FACT_AGE_MAX_HOURS);
        return UMX_UM_UNKNOWN;
    }
    if (service->has_state && service->state != UMX__SERVICE__STATE__RUNNING) {
        *why = umx_say(out, "%s does not run", end->service);
        return UMX_UM_STOPPED;
    }
    if (!service->has_started_at) {
        *why = "its start time was not reported";
        return UMX_UM_UNKNOWN;
    }
    int64_t started = service->started_at - umx_server_clock(world, end->fqdn);
    if (restart_event(world, end, service->started_at) != NULL) {
        *why = umx_say(out, "runs since %s; event 1419 says since then that it must be restarted",
                       umx_clock_format(started, since));
        return UMX_UM_STALE;
    }
    int64_t changed = end->changed_at - umx_forest_clock(world, end->server->forest);
    if (!end->has_changed_at) {
        *why = umx_say(out, "runs since %s", umx_clock_format(started, since));
        return UMX_UM_FRESH;
    }
    *why = umx_say(out, "runs since %s; its object was last changed at %s", umx_clock_format(started, since),
                   umx_clock_format(changed, last));
    return started >= changed ? UMX_UM_FRESH : UMX_UM_STALE;
}

/* ---- startup mode */

static const Umx__DialPlan *unsecured_plan(const struct umx_view *view, const struct umx_um_end *end)
{
    for (size_t i = 0; i < view->world->n_dial_plan; i++) {
        const Umx__DialPlan *plan = view->world->dial_plan[i];
        bool open = !plan->has_voip_security || plan->voip_security == UMX__DIAL_PLAN__VOIP_SECURITY__UNSECURED;
        if (umx_text_equal(plan->forest, end->server->forest) && open && umx_um_linked(end, plan))
            return plan;
    }
    return NULL;
}

const char *umx_um_mode_fault(const struct umx_view *view, const struct umx_um_end *end, bool *warn)
{
    *warn = false;
    if (!end->has_mode || end->mode == UMX_MODE_DUAL)
        return NULL;
    if (end->mode == UMX_MODE_TCP)
        return end->mode_set ? "TCP (0): no TLS listener" : "not set, which means TCP: no TLS listener";
    if (end->mode != UMX_MODE_TLS)
        return "an unknown mode";
    if (unsecured_plan(view, end) != NULL)
        return "TLS (1), while an unsecured dial plan is linked: it needs TCP or Dual";
    *warn = true;
    return "TLS (1): it works with Lync; Dual is recommended";
}

const char *umx_um_plan_mode(const struct umx_view *view, const char *slug, const struct umx_um_end *end,
                             struct umx_steps *out)
{
    bool warn;
    const char *fault = umx_um_mode_fault(view, end, &warn);

    if (fault == NULL || warn || end->dn == NULL)
        return NULL;
    Umx__PlanStep *step = umx_step_write(out, slug, UMX__FOREST__SIDE__EXCHANGE, end->server->forest,
                                         UMX__CHANGE__KIND__MODIFY, end->dn, end->guid);
    if (step == NULL)
        return NULL;
    umx_step_replace(out, step, "msExchUMStartupMode", end->mode_set ? umx_steps_say(out, "%d", end->mode) : NULL, "2");
    step->summary = umx_steps_copy(
        out, umx_steps_say(out, "set the startup mode of %s on %s to Dual (now: %s)", end->service, end->fqdn, fault));
    step->undo =
        umx_steps_copy(out, "puts the old mode back, when nobody has changed it since; then restart the service");
    return step->id;
}

/* ---- lists of servers */

bool umx_um_named(const struct umx_options *options, const char *slug, const char *key, const char *fqdn)
{
    const char *value = umx_option(options, slug, key);
    size_t length = strlen(fqdn);

    for (const char *p = value; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        if (n == length && strncasecmp(p, fqdn, n) == 0)
            return true;
        p += n;
        p += *p == ',';
    }
    return false;
}

int umx_um_valid_names(const char *option, const char *value, struct umx_error *err)
{
    for (const char *p = value;;) {
        size_t n = strcspn(p, ",");
        if (!umx_text_host(p, n))
            return umx_fail(err, UMX_ERR_OPTION_INVALID, option, "\"%s\" is not a list of host names: A,B,...", value);
        if (p[n] == '\0')
            return 0;
        p += n + 1;
    }
}

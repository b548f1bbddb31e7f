#include "phases/restart.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/shell.h"

enum {
    SERVICE_TIMEOUT = 900,
    READY_TIMEOUT = 3600, /* a pool that lost a member may need long to be whole again */
};

/* ---- asking */

static struct umx_restart *find(struct umx_steps *out, enum umx_restart_kind kind, const char *pool, const char *server,
                                const char *service)
{
    for (size_t i = 0; i < out->restart_count; i++) {
        struct umx_restart *one = out->restarts[i];
        bool same_server = server == NULL ? one->server == NULL && umx_text_equal(one->pool, pool)
                                          : umx_text_equal(one->server, server);
        if (one->kind == kind && !one->done && same_server && umx_text_equal(one->service, service))
            return one;
    }
    return NULL;
}

static struct umx_restart *add(struct umx_steps *out)
{
    struct umx_restart *made = umx_arena_alloc(out->arena, sizeof *made);
    struct umx_restart **list = umx_arena_alloc(out->arena, (out->restart_count + 1) * sizeof *list);

    if (made == NULL || list == NULL) {
        out->failed = 1;
        return NULL;
    }
    if (out->restart_count > 0)
        memcpy(list, out->restarts, out->restart_count * sizeof *list);
    list[out->restart_count++] = made;
    out->restarts = list;
    return made;
}

static void ask(struct umx_steps *out, const struct umx_restart *wanted, const char *after)
{
    struct umx_restart *one = find(out, wanted->kind, wanted->pool, wanted->server, wanted->service);

    if (one == NULL) {
        one = add(out);
        if (one == NULL)
            return;
        *one = *wanted;
        one->forest = umx_steps_copy(out, wanted->forest);
        one->pool = umx_steps_copy(out, wanted->pool);
        one->server = umx_steps_copy(out, wanted->server);
        one->others = "";
    } else if (strcmp(one->slug, wanted->slug) != 0) {
        one->others = umx_steps_say(out, "%s%s%s", one->others, one->others[0] != '\0' ? ", " : "", one->slug);
    }
    one->slug = wanted->slug;
    if (wanted->port != 0)
        one->port = wanted->port;
    for (size_t i = 0; after != NULL && i < one->after_count; i++)
        if (strcmp(one->after[i], after) == 0)
            return;
    if (after != NULL)
        umx_steps_push(out, &one->after, &one->after_count, after);
}

void umx_restart_ask_um(struct umx_steps *out, const char *slug, const char *forest, const char *server,
                        const char *service, int32_t port, const char *after)
{
    const struct umx_restart wanted = {
        .kind = UMX_RESTART_UM,
        .slug = slug,
        .forest = forest,
        .server = server,
        .service = umx_text_equal(service, UMX_SERVICE_ROUTER) ? UMX_SERVICE_ROUTER : UMX_SERVICE_UM,
        .port = port,
    };

    ask(out, &wanted, after);
}

void umx_restart_ask_front_end(struct umx_steps *out, const char *slug, const char *forest, const char *pool,
                               const char *server, const char *after)
{
    const struct umx_restart wanted = {
        .kind = UMX_RESTART_FRONT_END,
        .slug = slug,
        .forest = forest,
        .pool = pool,
        .server = server,
        .service = UMX_SERVICE_FRONT_END,
        .port = UMX_SIP_TLS_PORT,
    };

    ask(out, &wanted, after);
}

bool umx_restart_asks(const struct umx_phase *phase, enum umx_restart_kind kind)
{
    static const char *const slugs[][3] = {
        [UMX_RESTART_UM] = {"certificates", "dial-plan-security", "um-servers"},
        [UMX_RESTART_FRONT_END] = {"um-servers", "exchucutil", NULL},
    };

    for (size_t i = 0; i < sizeof slugs[kind] / sizeof slugs[kind][0]; i++)
        if (slugs[kind][i] != NULL && strcmp(slugs[kind][i], phase->slug) == 0)
            return true;
    return false;
}

int umx_option_number(const char *name, const char *value, int32_t most, struct umx_error *err)
{
    char *end = NULL;
    long number = value[0] >= '0' && value[0] <= '9' ? strtol(value, &end, 10) : 0;

    if (end == NULL || *end != '\0' || number < 1 || number > most)
        return umx_fail(err, UMX_ERR_OPTION_INVALID, name, "\"%s\" is not a number from 1 to %d", value, (int)most);
    return 0;
}

/* ---- replication */

static bool is_write(const Umx__PlanStep *step)
{
    return step->kind == UMX__CHANGE__KIND__ADD || step->kind == UMX__CHANGE__KIND__DELETE ||
           step->kind == UMX__CHANGE__KIND__MODIFY || step->kind == UMX__CHANGE__KIND__ACCESS;
}

const char *umx_restart_replication(struct umx_steps *out, const char *slug, const char *forest, size_t first,
                                    size_t last)
{
    Umx__PlanStep *step = NULL;

    for (size_t i = last; i < out->count; i++)
        if (out->items[i]->change->wait != NULL && umx_text_equal(out->items[i]->phase, slug) &&
            umx_text_equal(out->items[i]->change->wait->what, "replication") &&
            umx_text_equal(out->items[i]->forest, forest))
            return out->items[i]->id;
    for (size_t i = first; i < last; i++) {
        if (!is_write(out->items[i]) || !umx_text_equal(out->items[i]->forest, forest))
            continue;
        if (step == NULL) {
            step = umx_step_wait(out, slug, UMX__FOREST__SIDE__EXCHANGE, forest, "replication", NULL,
                                 UMX_REPLICATION_TIMEOUT);
            if (step == NULL)
                return NULL;
            step->summary = umx_steps_copy(
                out, umx_steps_say(out, "wait until the other domain controllers of %s have the writes", forest));
            step->groups = out->items[i]->groups;
        }
        umx_steps_depend(out, step, out->items[i]->id);
    }
    return step != NULL ? step->id : NULL;
}

/* ---- the steps of one restart */

/* Promises of what is in motion: what it was when the plan was made says nothing at its start. */
static void expect(struct umx_steps *out, Umx__PlanStep *step, const Umx__World *world, const ProtobufCMessage *record)
{
    umx_step_promise(out, step, world, record);
    if (step != NULL)
        step->original = NULL;
}

struct rolling {
    const Umx__World *world;
    struct umx_steps *out;
    const struct umx_restart *restart;
    Umx__Forest__Side side;
    int32_t call_wait;
    const char *last; /* id of the step before, NULL: the first */
};

/* The new step follows what was asked for, or the step before it. */
static void chain(struct rolling *r, Umx__PlanStep *step, bool first)
{
    if (step == NULL)
        return;
    for (size_t i = 0; first && i < r->restart->after_count; i++)
        umx_steps_depend(r->out, step, r->restart->after[i]);
    umx_steps_depend(r->out, step, r->last);
    r->last = step->id;
}

static const Umx__UmSetting *setting_of(const Umx__World *world, const char *server, const char *service)
{
    for (size_t i = 0; i < world->n_um_setting; i++)
        if (umx_text_equal(world->um_setting[i]->server, server) &&
            umx_text_equal(world->um_setting[i]->service, service))
            return world->um_setting[i];
    return NULL;
}

static const Umx__LyncPoolMember *member_of(const Umx__World *world, const char *pool, const char *server)
{
    const Umx__LyncPoolMember *found = NULL;

    for (size_t i = 0; i < world->n_lync_pool_member; i++) {
        const Umx__LyncPoolMember *member = world->lync_pool_member[i];
        if (umx_text_equal(member->pool, pool) && umx_text_equal(member->member, server) &&
            (found == NULL || member->has_ready))
            found = member;
    }
    return found;
}

/* Whether the server's own agent has a Lync shell: the topology came from it. */
static bool has_lync_shell(const Umx__World *world, const char *server)
{
    for (size_t i = 0; i < world->n_lync_pool_member; i++)
        if (umx_text_equal(world->lync_pool_member[i]->server, server))
            return umx_shell_runs(world, server);
    return false;
}

static bool wait_before(struct rolling *r)
{
    const struct umx_restart *one = r->restart;
    Umx__PlanStep *step = NULL;

    if (one->kind == UMX_RESTART_UM) {
        const Umx__UmSetting *setting = setting_of(r->world, one->server, one->service);
        if (setting == NULL || !setting->has_active_calls)
            return false; /* nobody there counts calls */
        Umx__UmSetting quiet = UMX__UM_SETTING__INIT;
        quiet.server = setting->server;
        quiet.service = setting->service;
        quiet.has_active_calls = 1;
        step = umx_step_wait(r->out, one->slug, r->side, one->forest, "calls", one->server, r->call_wait);
        expect(r->out, step, r->world, &quiet.base);
        if (step != NULL)
            step->summary =
                umx_steps_copy(r->out, umx_steps_say(r->out, "wait until %s on %s carries no call, at most %d s",
                                                     one->service, one->server, (int)r->call_wait));
    } else {
        const Umx__LyncPoolMember *member = member_of(r->world, one->pool, one->server);
        if (member == NULL || !member->has_ready)
            return false;
        Umx__LyncPoolMember ready = UMX__LYNC_POOL_MEMBER__INIT;
        ready.pool = member->pool;
        ready.member = member->member;
        ready.has_ready = ready.ready = 1;
        step = umx_step_wait(r->out, one->slug, r->side, one->forest, "ready", one->server, READY_TIMEOUT);
        expect(r->out, step, r->world, &ready.base);
        if (step != NULL)
            step->summary = umx_steps_copy(
                r->out, umx_steps_say(r->out, "wait until pool %s says that it can lose %s", one->pool, one->server));
    }
    chain(r, step, true);
    return step != NULL;
}

static void describe_after(struct rolling *r, Umx__PlanStep *step)
{
    step->undo = umx_steps_copy(
        r->out, r->restart->kind == UMX_RESTART_UM
                    ? "a restart is not undone: after an undo of this plan restart the service again, so that it reads "
                      "what was put back"
                    : "a restart is not undone: after an undo of this plan restart RTCSRV again, so that Lync forgets "
                      "what is gone");
    step->has_irreversible = 1;
    step->irreversible = 1;
    if (r->restart->others[0] != '\0')
        step->summary = umx_steps_copy(
            r->out, umx_steps_say(r->out, "%s (for %s too)", umx_or_empty(step->summary), r->restart->others));
    umx_steps_attribute(r->out, &step->after->attribute, &step->after->n_attribute, r->restart->service,
                        "running, started after the writes of this plan");
}

static Umx__PlanStep *restart_action(struct rolling *r)
{
    const struct umx_restart *one = r->restart;
    bool drain = one->kind == UMX_RESTART_FRONT_END && has_lync_shell(r->world, one->server);
    Umx__PlanStep *step = umx_step_action(r->out, one->slug, r->side, one->forest, one->server,
                                          drain ? "restart-front-end" : "restart-service", drain ? "shell" : "machine");

    if (step == NULL)
        return NULL;
    umx_step_item(r->out, step, drain ? umx_item(r->out, "service", one->service, NULL) : one->service, NULL);
    step->summary = umx_steps_copy(r->out, one->kind == UMX_RESTART_UM
                                               ? umx_steps_say(r->out, "restart %s on %s", one->service, one->server)
                                               : umx_steps_say(r->out, "%srestart RTCSRV on Front End %s of pool %s",
                                                               drain ? "drain and " : "", one->server, one->pool));
    return step;
}

static Umx__PlanStep *restart_gate(struct rolling *r)
{
    const struct umx_restart *one = r->restart;
    bool um = one->kind == UMX_RESTART_UM;
    const char *reason = one->server == NULL ? "no agent says which Front Ends the pool has: Lync sees UM only after "
                                               "RTCSRV was restarted on each of them"
                         : um ? "no agent is connected there: the service works with the old settings until it is "
                                "restarted"
                              : "no agent is connected there: Lync sees UM only after a restart";
    /* No check: where nobody can restart it for us, nobody can look either. */
    Umx__PlanStep *step =
        umx_step_gate(r->out, one->slug, r->side, one->forest, one->server != NULL ? one->server : one->pool, reason);

    if (step == NULL)
        return NULL;
    if (um) {
        umx_step_command(r->out, step, umx_steps_say(r->out, "Get-UMActiveCalls -Server %s", one->server));
        umx_step_command(r->out, step, umx_steps_say(r->out, "Restart-Service %s", one->service));
    } else {
        if (one->server == NULL)
            umx_step_command(r->out, step, umx_steps_say(r->out, "(Get-CsPool -Identity %s).Computers", one->pool));
        umx_step_command(r->out, step, "Stop-CsWindowsService -Name RTCSRV -Graceful");
        umx_step_command(r->out, step, "Start-CsWindowsService -Name RTCSRV");
    }
    step->summary = umx_steps_copy(
        r->out,
        um ? umx_steps_say(r->out, "restart %s on %s, then confirm", one->service, one->server)
        : one->server != NULL
            ? umx_steps_say(r->out, "restart RTCSRV on Front End %s of pool %s, then confirm", one->server, one->pool)
            : umx_steps_say(r->out, "restart RTCSRV on each Front End of pool %s, one after another, then confirm",
                            one->pool));
    return step;
}

static void wait_after(struct rolling *r)
{
    const struct umx_restart *one = r->restart;
    const Umx__Service *known = umx_find_service(r->world, one->server, one->service);
    Umx__Service service = UMX__SERVICE__INIT;
    Umx__Listener listener = UMX__LISTENER__INIT;
    char protocol[] = "tcp";
    Umx__PlanStep *step =
        umx_step_wait(r->out, one->slug, r->side, one->forest, "service", one->server, SERVICE_TIMEOUT);

    service.server = listener.server = known->server;
    service.name = known->name;
    service.has_state = 1;
    service.state = UMX__SERVICE__STATE__RUNNING;
    expect(r->out, step, r->world, &service.base);
    listener.protocol = protocol;
    listener.has_port = 1;
    listener.port = one->port;
    if (one->port != 0)
        expect(r->out, step, r->world, &listener.base);
    if (step != NULL)
        step->summary = umx_steps_copy(
            r->out, one->port != 0 ? umx_steps_say(r->out, "wait until %s on %s runs and listens on port %d",
                                                   one->service, one->server, (int)one->port)
                                   : umx_steps_say(r->out, "wait until %s on %s runs", one->service, one->server));
    chain(r, step, false);
}

static void roll(struct rolling *r)
{
    const struct umx_restart *one = r->restart;
    const Umx__Agent *agent = one->server != NULL ? umx_find_agent(r->world, one->server) : NULL;
    bool able = agent != NULL && umx_text_equal(agent->state, "connected") &&
                umx_find_service(r->world, one->server, one->service) != NULL;
    bool waited = able && wait_before(r);
    Umx__PlanStep *step = able ? restart_action(r) : restart_gate(r);

    if (step == NULL)
        return;
    describe_after(r, step);
    chain(r, step, !waited);
    if (able)
        wait_after(r);
}

static int32_t call_wait(const struct umx_options *options)
{
    static const char *const slugs[] = {"certificates", "um-servers"};
    int32_t longest = 0;

    for (size_t i = 0; i < sizeof slugs / sizeof slugs[0]; i++) {
        const char *value = umx_option(options, slugs[i], "call-wait");
        int32_t seconds = value != NULL ? (int32_t)strtol(value, NULL, 10) : 0;
        longest = seconds > longest ? seconds : longest;
    }
    return longest > 0 ? longest : UMX_CALL_WAIT;
}

/* Servers of one line go one after another: a forest's UM servers, a pool's Front Ends. */
static bool one_line(const struct umx_restart *a, const struct umx_restart *b)
{
    return umx_text_equal(a->forest, b->forest) && umx_text_equal(umx_or_empty(a->pool), umx_or_empty(b->pool));
}

void umx_restart_add(const Umx__World *world, const struct umx_options *options, enum umx_restart_kind kind,
                     struct umx_steps *out)
{
    for (size_t i = 0; i < out->restart_count; i++) {
        struct rolling r = {
            .world = world,
            .out = out,
            .side = kind == UMX_RESTART_UM ? UMX__FOREST__SIDE__EXCHANGE : UMX__FOREST__SIDE__LYNC,
            .call_wait = call_wait(options),
        };
        for (size_t k = i; k < out->restart_count && !out->failed; k++) {
            struct umx_restart *one = out->restarts[k];
            if (one->kind != kind || one->done || !one_line(one, out->restarts[i]))
                continue;
            r.restart = one;
            one->done = true;
            roll(&r);
        }
    }
}

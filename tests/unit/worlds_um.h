/*
 * UM servers with agents for the tests of phases 2 and 5: services, listeners, certificates, settings, handshakes.
 * `world_um` is world_pair with one Front End and agents everywhere, in which phase 2 and phase 5 have everything to
 * do.
 */
#ifndef UMX_TESTS_WORLDS_UM_H
#define UMX_TESTS_WORLDS_UM_H

#include <stdlib.h>

#include "worlds.h"

#define W_MBX "exmbx1.exchange.test"
#define W_CAS "excas1.exchange.test"
#define W_FE "fe1.lync.test"
#define W_ROOT_EX "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define W_ROOT_LY "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define W_BERLIN "CN=Berlin," W_PLANS

static inline Umx__Certificate *w_certificate(struct umx_world *world, const char *server, const char *thumbprint,
                                              int days)
{
    Umx__Certificate c = UMX__CERTIFICATE__INIT;
    char *names[] = {w_s(server)};
    char *usages[] = {w_s("1.3.6.1.5.5.7.3.1"), w_s("1.3.6.1.5.5.7.3.2")};

    c.server = w_s(server);
    c.store = w_s("My");
    c.thumbprint = w_s(thumbprint);
    c.subject_cn = w_s(server);
    c.issuer = w_s("CN=Contoso CA");
    c.n_dns_name = 1;
    c.dns_name = names;
    c.n_eku = 2;
    c.eku = usages;
    c.has_self_signed = c.has_private_key = c.has_key_bits = c.has_not_before_at = c.has_not_after_at = 1;
    c.private_key = 1;
    c.key_bits = 2048;
    c.key_algorithm = w_s("RSA");
    c.signature_algorithm = w_s("sha256WithRSAEncryption");
    c.not_before_at = W_NOW - 30 * 24 * UMX_HOUR;
    c.not_after_at = W_NOW + (int64_t)days * 24 * UMX_HOUR + UMX_HOUR;
    c.chain = w_s("ok");
    c.root_thumbprint = w_s(W_ROOT_EX);
    w_add(world, &c.base);
    return umx_world_edit(world)->certificate[umx_world_records(world)->n_certificate - 1];
}

static inline void w_root(struct umx_world *world, const char *server, const char *thumbprint)
{
    Umx__Certificate c = UMX__CERTIFICATE__INIT;

    c.server = w_s(server);
    c.store = w_s("Root");
    c.thumbprint = w_s(thumbprint);
    c.subject = w_s("CN=Root");
    w_add(world, &c.base);
}

static inline void w_listener(struct umx_world *world, const char *server, int port)
{
    Umx__Listener l = UMX__LISTENER__INIT;

    l.server = w_s(server);
    l.protocol = w_s("tcp");
    l.has_port = 1;
    l.port = port;
    w_add(world, &l.base);
}

static inline void w_setting(struct umx_world *world, const char *server, const char *service, int port, int calls)
{
    Umx__UmSetting s = UMX__UM_SETTING__INIT;

    s.server = w_s(server);
    s.service = w_s(service);
    s.has_tls_port = s.has_active_calls = 1;
    s.tls_port = port;
    s.active_calls = calls;
    s.sip_access_service = w_s("pool1.lync.test:5061");
    w_add(world, &s.base);
}

static inline void w_event(struct umx_world *world, const char *server, int id, int64_t at, const char *message)
{
    Umx__Event e = UMX__EVENT__INIT;

    e.server = w_s(server);
    e.has_event_id = e.has_logged_at = 1;
    e.event_id = id;
    e.logged_at = at;
    e.message = w_s(message);
    w_add(world, &e.base);
}

static inline void w_tls(struct umx_world *world, const char *from, const char *target, Umx__Proof__Status status,
                         const char *detail)
{
    Umx__Proof p = UMX__PROOF__INIT;

    p.server = w_s(from);
    p.has_kind = p.has_status = 1;
    p.kind = UMX__PROOF__KIND__TLS;
    p.target = w_s(target);
    p.status = status;
    p.detail = w_s(detail);
    w_add(world, &p.base);
}

static inline Umx__ExchangeServer *w_exchange(struct umx_world *world, const char *fqdn)
{
    for (size_t i = 0; i < umx_world_records(world)->n_exchange_server; i++)
        if (strcmp(umx_world_records(world)->exchange_server[i]->server, fqdn) == 0)
            return W_EDIT(world)->exchange_server[i];
    fail_msg("no server %s", fqdn);
    return NULL;
}

/* The object of a server, and of its call router, as setup makes them. */
static inline void w_objects(struct umx_world *world, const char *fqdn, bool router)
{
    Umx__ExchangeServer *server = w_exchange(world, fqdn);
    char dn[256];
    struct umx_arena *arena = umx_world_arena(world);

    server->dn = umx_arena_string(arena, w_text(dn, sizeof dn, "CN=%s,CN=Servers," W_ORG, server->name));
    server->has_changed_at = 1;
    server->changed_at = W_NOW - 48 * UMX_HOUR;
    if (!router)
        return;
    server->call_router_dn = umx_arena_string(arena, w_text(dn, sizeof dn, "CN=1,CN=SIP,CN=Protocols,%s", server->dn));
    server->has_call_router_changed_at = 1;
    server->call_router_changed_at = W_NOW - 48 * UMX_HOUR;
}

static inline void w_um_agent(struct umx_world *world, const char *fqdn, const char *service, int port)
{
    w_agent(world, W_EX, fqdn, "connected");
    w_service(world, fqdn, service, UMX__SERVICE__STATE__RUNNING, W_NOW - 24 * UMX_HOUR);
    w_setting(world, fqdn, service, port, 3);
    w_listener(world, fqdn, 5060);
    w_root(world, fqdn, W_ROOT_EX);
    w_root(world, fqdn, W_ROOT_LY);
}

static inline struct umx_world *world_um(void)
{
    struct umx_world *world = world_pair();

    w_objects(world, W_MBX, false);
    w_objects(world, W_CAS, true);
    w_um_agent(world, W_MBX, "MSExchangeUM", 5063);
    w_um_agent(world, W_CAS, "MSExchangeUMCR", 5061);
    w_agent(world, W_LY, W_FE, "connected");
    w_member(world, "pool1.lync.test", W_FE, "");
    w_service(world, W_FE, "RTCSRV", UMX__SERVICE__STATE__RUNNING, W_NOW - 24 * UMX_HOUR);
    Umx__Certificate *pool = w_certificate(world, W_FE, "CC00000000000000000000000000000000000000", 400);
    pool->subject_cn = w_s("pool1.lync.test");
    pool->dns_name[0] = w_s("pool1.lync.test");
    pool->root_thumbprint = w_s(W_ROOT_LY);
    w_root(world, W_FE, W_ROOT_EX);
    w_root(world, W_FE, W_ROOT_LY);
    W_EDIT(world)->dial_plan[0]->has_voip_security = 1;
    W_EDIT(world)->dial_plan[0]->voip_security = UMX__DIAL_PLAN__VOIP_SECURITY__SECURED;
    return world;
}

/* ---- looking at plans */

static inline const Umx__PlanStep *w_step(const struct w_run *run, Umx__Change__Kind kind, const char *what,
                                          const char *target)
{
    for (size_t i = 0; i < run->steps.count; i++) {
        const Umx__PlanStep *step = run->steps.items[i];
        const char *name = step->change->action != NULL ? step->change->action->action
                           : step->change->wait != NULL ? step->change->wait->what
                                                        : "";
        if (step->kind == kind && strstr(step->target, target) != NULL && (what == NULL || strcmp(name, what) == 0))
            return step;
    }
    return NULL;
}

static inline size_t w_count(const struct w_run *run, Umx__Change__Kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < run->steps.count; i++)
        count += run->steps.items[i]->kind == kind;
    return count;
}

/* Whether the step waits for the other one, directly or through others. */
static inline bool w_follows(const struct w_run *run, const Umx__PlanStep *step, const Umx__PlanStep *other)
{
    for (size_t i = 0; i < step->n_depends; i++) {
        const Umx__PlanStep *before = run->steps.items[strtol(step->depends[i] + 1, NULL, 10) - 1];
        if (before == other || w_follows(run, before, other))
            return true;
    }
    return false;
}

static inline bool w_noted(const struct w_run *run, const char *text)
{
    for (size_t i = 0; i < run->steps.note_count; i++)
        if (strstr(run->steps.notes[i], text) != NULL)
            return true;
    return false;
}

/* The plan's steps are whole; what they predict leaves nothing to plan, and no core check that does not pass. The world
 * is then the predicted one. */
static inline void w_plan_is_enough(struct w_run *run, struct umx_world *world, const char *const *slugs,
                                    const char *const *options)
{
    struct w_run again;
    struct umx_error err = {0};
    int rc = w_plan_phases(run, world, slugs, options);

    if (rc != 0)
        fail_msg("%s: %s", run->err.what, umx_error_why(&run->err));
    for (size_t i = 0; i < run->steps.count; i++) {
        const Umx__PlanStep *step = run->steps.items[i];
        char id[16];
        assert_string_equal(step->id, w_text(id, sizeof id, "s%zu", i + 1));
        assert_true(step->groups != NULL && step->groups[0] != '\0');
        assert_true(step->undo != NULL && step->summary != NULL && step->target != NULL);
        for (size_t d = 0; d < step->n_depends; d++)
            assert_true(strtol(step->depends[d] + 1, NULL, 10) <= (long)i);
        assert_int_equal(umx_phase_apply(world, step, &err), 0);
    }
    assert_int_equal(w_plan_phases(&again, world, slugs, options), 0);
    for (size_t i = 0; i < again.steps.count; i++)
        print_message("left over: %s\n", again.steps.items[i]->summary);
    assert_int_equal(again.steps.count, 0);
    w_end(&again);
    for (; *slugs != NULL; slugs++) {
        const struct umx_phase *phase = umx_phase(*slugs);
        w_check(&again, world, *slugs, options);
        for (const struct umx_phase_check *check = phase->checks; check->id != NULL; check++)
            for (size_t i = 0; check->core && i < again.findings.count; i++) {
                const Umx__Finding *f = again.findings.items[i];
                if (strcmp(f->id, check->id) != 0 || f->status == W_PASS || f->status == W_WARN ||
                    f->status == W_NOT_APPLICABLE)
                    continue;
                fail_msg("%s %s: expected %s, actual %s", f->id, f->target, f->expected, f->actual);
            }
        w_end(&again);
    }
}

#endif

/* Phase 2: each rule over the certificate in use, trust of both sides, and the plan with an agent and by hand. */
#include <stdlib.h>

#include "phases/certificates.h"
#include "worlds_um.h"

static const char *const phase2[] = {"certificates", NULL};
#define GOOD "DD00000000000000000000000000000000000000"
#define OTHER "EE00000000000000000000000000000000000000"

/* A server whose service shows a good certificate since its start. */
static struct umx_world *world_bound(Umx__Certificate **certificate)
{
    struct umx_world *world = world_um();
    Umx__ExchangeServer *server = w_exchange(world, W_MBX);

    *certificate = w_certificate(world, W_MBX, GOOD, 400);
    server->um_certificate_thumbprint = w_s(GOOD);
    server->has_um_startup_mode = 1;
    server->um_startup_mode = 2;
    return world;
}

static void test_good_certificate(void **state)
{
    static const char *const ids[] = {"startup-mode",     "bound",         "store",       "subject", "names",
                                      "wildcard-subject", "wildcard-name", "self-signed", "chain",   "server-usage",
                                      "client-usage",     "private-key",   "validity",    "key",     "expiry",
                                      "restarted"};
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char id[64];
        w_status(world, w_text(id, sizeof id, "certificates/%s", ids[i]), W_MBX, W_PASS);
    }
    w_status(world, "certificates/chosen", W_MBX, W_NOT_APPLICABLE);
    w_status(world, "certificates/exportable", W_MBX, W_NOT_APPLICABLE);
    w_status(world, "certificates/um-roots", W_MBX, W_PASS);
    umx_world_free(world);
}

/* One certificate, one thing wrong with it. */
static void expect(void (*spoil)(Umx__Certificate *c), const char *id, Umx__Finding__Status status)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);

    spoil(certificate);
    w_status(world, id, W_MBX, status);
    umx_world_free(world);
}

static void wrong_cn(Umx__Certificate *c)
{
    c->subject_cn = w_s("mail.exchange.test");
}

static void wrong_name(Umx__Certificate *c)
{
    c->dns_name[0] = w_s("mail.exchange.test");
}

static void wildcard(Umx__Certificate *c)
{
    c->subject_cn = w_s("*.exchange.test");
    c->dns_name[0] = w_s("*.exchange.test");
}

static void self_signed(Umx__Certificate *c)
{
    c->self_signed = 1;
}

static void broken_chain(Umx__Certificate *c)
{
    c->chain = w_s("unable to get local issuer certificate");
}

static void no_chain(Umx__Certificate *c)
{
    c->chain = NULL;
}

static void client_only(Umx__Certificate *c)
{
    c->n_eku = 1;
    c->eku[0] = w_s("1.3.6.1.5.5.7.3.2");
}

static void server_only(Umx__Certificate *c)
{
    c->n_eku = 1;
}

static void no_limit(Umx__Certificate *c)
{
    c->n_eku = 0;
}

static void no_key(Umx__Certificate *c)
{
    c->private_key = 0;
}

static void not_yet(Umx__Certificate *c)
{
    c->not_before_at = W_NOW + UMX_HOUR;
}

static void no_dates(Umx__Certificate *c)
{
    c->has_not_after_at = 0;
}

static void short_key(Umx__Certificate *c)
{
    c->key_bits = 1024;
}

static void tiny_key(Umx__Certificate *c)
{
    c->key_bits = 512;
}

static void days_61(Umx__Certificate *c)
{
    c->not_after_at = W_NOW + 61 * 24 * UMX_HOUR;
}

static void days_59(Umx__Certificate *c)
{
    c->not_after_at = W_NOW + 59 * 24 * UMX_HOUR;
}

static void days_20(Umx__Certificate *c)
{
    c->not_after_at = W_NOW + 20 * 24 * UMX_HOUR;
}

static void days_6(Umx__Certificate *c)
{
    c->not_after_at = W_NOW + 6 * 24 * UMX_HOUR;
}

static void over(Umx__Certificate *c)
{
    c->not_after_at = W_NOW - UMX_HOUR;
}

static void test_rules(void **state)
{
    static const struct {
        void (*spoil)(Umx__Certificate *c);
        const char *id;
        Umx__Finding__Status status;
    } rows[] = {
        {wrong_cn, "certificates/subject", W_FAIL},
        {wrong_name, "certificates/names", W_FAIL},
        {wildcard, "certificates/wildcard-subject", W_FAIL},
        {wildcard, "certificates/wildcard-name", W_WARN},
        {wildcard, "certificates/names", W_PASS},
        {self_signed, "certificates/self-signed", W_FAIL},
        {broken_chain, "certificates/chain", W_FAIL},
        {no_chain, "certificates/chain", W_UNKNOWN},
        {client_only, "certificates/server-usage", W_FAIL},
        {server_only, "certificates/client-usage", W_WARN},
        {no_limit, "certificates/server-usage", W_PASS},
        {no_key, "certificates/private-key", W_FAIL},
        {not_yet, "certificates/validity", W_FAIL},
        {no_dates, "certificates/validity", W_UNKNOWN},
        {no_dates, "certificates/expiry", W_UNKNOWN},
        {short_key, "certificates/key", W_WARN},
        {tiny_key, "certificates/key", W_FAIL},
        {days_61, "certificates/expiry", W_PASS},
        {days_59, "certificates/expiry", W_WARN},
        {days_20, "certificates/expiry", W_WARN},
        {days_6, "certificates/expiry", W_FAIL},
        {over, "certificates/expiry", W_FAIL},
        {over, "certificates/validity", W_FAIL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].spoil, rows[i].id, rows[i].status);
}

static void test_binding(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);

    (void)state;
    w_status(world, "certificates/bound", W_CAS, W_FAIL);
    w_status(world, "certificates/store", W_CAS, W_NOT_APPLICABLE);
    w_status(world, "certificates/subject", W_CAS, W_NOT_APPLICABLE);
    w_exchange(world, W_MBX)->um_certificate_thumbprint = w_s(OTHER);
    w_status(world, "certificates/store", W_MBX, W_FAIL);
    /* The shell says it where the directory does not. */
    w_exchange(world, W_MBX)->um_certificate_thumbprint = NULL;
    W_EDIT(world)->um_setting[0]->certificate_thumbprint = w_s(GOOD);
    w_status(world, "certificates/bound", W_MBX, W_PASS);
    w_status(world, "certificates/store", W_MBX, W_PASS);
    /* Nobody sees the store. */
    for (size_t i = umx_world_records(world)->n_certificate; i-- > 0;)
        umx_world_remove(world, umx_reflect_table("certificate"), i);
    w_status(world, "certificates/store", W_MBX, W_UNKNOWN);
    w_status(world, "certificates/subject", W_MBX, W_UNKNOWN);
    w_status(world, "certificates/um-roots", W_MBX, W_UNKNOWN);
    umx_world_free(world);
}

static void test_old_facts(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);

    (void)state;
    for (size_t i = 0; i < umx_world_records(world)->n_certificate; i++) {
        W_EDIT(world)->certificate[i]->has_collected_at = 1;
        W_EDIT(world)->certificate[i]->collected_at = W_NOW - 25 * UMX_HOUR;
    }
    w_exchange(world, W_MBX)->um_certificate_thumbprint = w_s(OTHER);
    w_status(world, "certificates/store", W_MBX, W_UNKNOWN);
    umx_world_free(world);
}

static void test_mode_and_restart(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);
    Umx__ExchangeServer *server = w_exchange(world, W_MBX);

    (void)state;
    w_status(world, "certificates/startup-mode", W_CAS, W_FAIL);
    server->um_startup_mode = 1;
    w_status(world, "certificates/startup-mode", W_MBX, W_WARN);
    server->um_startup_mode = 0;
    w_status(world, "certificates/startup-mode", W_MBX, W_FAIL);
    server->changed_at = W_NOW - UMX_HOUR; /* after the start */
    w_status(world, "certificates/restarted", W_MBX, W_FAIL);
    server->changed_at = W_NOW - 48 * UMX_HOUR;
    w_event(world, W_MBX, 1419, W_NOW - UMX_HOUR, "The startup mode was changed.");
    w_status(world, "certificates/restarted", W_MBX, W_FAIL);
    W_EDIT(world)->event[0]->logged_at = W_NOW - 72 * UMX_HOUR;
    w_status(world, "certificates/restarted", W_MBX, W_PASS);
    W_EDIT(world)->service[0]->state = UMX__SERVICE__STATE__STOPPED;
    w_status(world, "certificates/restarted", W_MBX, W_FAIL);
    umx_world_remove(world, umx_reflect_table("service"), 0);
    w_status(world, "certificates/restarted", W_MBX, W_UNKNOWN);
    umx_world_free(world);
}

static void test_roots(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);
    Umx__Server fe = UMX__SERVER__INIT;

    (void)state;
    w_status(world, "certificates/lync-roots", NULL, W_UNKNOWN);
    fe.server = w_s(W_FE);
    fe.forest = w_s(W_LY);
    fe.has_product = 1;
    fe.product = UMX__SERVER__PRODUCT__LYNC;
    w_add(world, &fe.base);
    w_status(world, "certificates/lync-roots", W_FE, W_PASS);
    for (int i = 0; i < 101; i++) {
        char thumbprint[64];
        w_root(world, W_FE, w_text(thumbprint, sizeof thumbprint, "%040d", i));
    }
    w_status(world, "certificates/lync-roots", W_FE, W_WARN);
    w_event(world, W_MBX, 36885, W_NOW, "the list is too long");
    w_status(world, "certificates/um-roots", W_MBX, W_FAIL);
    umx_world_free(world);
}

static void remove_root(struct umx_world *world, const char *server, const char *thumbprint)
{
    for (size_t i = umx_world_records(world)->n_certificate; i-- > 0;)
        if (strcmp(umx_world_records(world)->certificate[i]->server, server) == 0 &&
            strcmp(umx_world_records(world)->certificate[i]->thumbprint, thumbprint) == 0)
            umx_world_remove(world, umx_reflect_table("certificate"), i);
}

static void test_pairing(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);
    struct w_run run;

    (void)state;
    w_status(world, "certificates/pool-root", W_MBX, W_PASS);
    w_status(world, "certificates/um-root", W_MBX, W_PASS);
    remove_root(world, W_MBX, W_ROOT_LY);
    const Umx__Finding *f = w_expect(world, NULL, "certificates/pool-root", W_MBX, W_FAIL, &run);
    assert_non_null(strstr(f->actual, W_MBX " does not have"));
    assert_non_null(strstr(f->remedy, "certutil -store Root " W_ROOT_LY));
    w_end(&run);
    w_status(world, "certificates/um-root", W_MBX, W_PASS);
    remove_root(world, W_FE, W_ROOT_EX);
    f = w_expect(world, NULL, "certificates/um-root", W_MBX, W_FAIL, &run);
    assert_non_null(strstr(f->actual, W_FE " does not have"));
    w_end(&run);
    certificate->root_thumbprint = NULL;
    w_status(world, "certificates/um-root", W_MBX, W_FAIL);
    w_status(world, "certificates/um-root", W_CAS, W_UNKNOWN); /* no certificate yet */
    umx_world_remove(world, umx_reflect_table("lync_pool_member"), 0);
    w_status(world, "certificates/um-root", NULL, W_UNKNOWN);
    umx_world_free(world);
}

static void test_handshakes(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);
    struct w_run run;

    (void)state;
    w_status(world, "certificates/tls-to-lync", W_MBX, W_UNKNOWN);
    w_tls(world, W_MBX, "pool1.lync.test:5061", UMX__PROOF__STATUS__FAIL,
          "TLSv1.2: certificate CC00: self-signed certificate in chain");
    const Umx__Finding *f = w_expect(world, NULL, "certificates/tls-to-lync", W_MBX, W_FAIL, &run);
    assert_non_null(strstr(f->actual, W_MBX " does not trust pool1.lync.test"));
    w_end(&run);
    W_EDIT(world)->proof[umx_world_records(world)->n_proof - 1]->status = UMX__PROOF__STATUS__PASS;
    w_status(world, "certificates/tls-to-lync", W_MBX, W_PASS);
    w_tls(world, W_FE, W_MBX ":5063", UMX__PROOF__STATUS__FAIL, "no connection: connection refused");
    f = w_expect(world, NULL, "certificates/tls-from-lync", W_MBX, W_FAIL, &run);
    assert_non_null(strstr(f->remedy, "-Port 5063"));
    w_end(&run);
    W_EDIT(world)->proof[umx_world_records(world)->n_proof - 1]->status = UMX__PROOF__STATUS__UNKNOWN;
    w_status(world, "certificates/tls-from-lync", W_MBX, W_UNKNOWN);
    w_tls(world, W_FE, W_CAS ":5061", UMX__PROOF__STATUS__PASS, "TLSv1.2: certificate DD00 is trusted here");
    w_status(world, "certificates/tls-from-lync", W_CAS, W_PASS);
    umx_world_free(world);
}

/* What agents are not told to try says so itself, and counts less than what one of them did try. */
static void test_handshakes_that_nobody_is_asked_for(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);
    struct w_run run;

    (void)state;
    w_tls(world, "controller", "pool1.lync.test:5061", UMX__PROOF__STATUS__UNKNOWN, "no agent is asked to try it");
    const Umx__Finding *f = w_expect(world, NULL, "certificates/tls-to-lync", W_MBX, W_UNKNOWN, &run);
    assert_non_null(strstr(f->actual, "no agent is asked to try it"));
    w_end(&run);
    w_tls(world, W_MBX, "pool1.lync.test:5061", UMX__PROOF__STATUS__PASS, "TLSv1.2: certificate CC00 is trusted here");
    w_status(world, "certificates/tls-to-lync", W_MBX, W_PASS);
    umx_world_free(world);
}

/* ---- Exchange 2007 */

static struct umx_world *world_2007(void)
{
    struct umx_world *world = world_um();
    Umx__ExchangeServer *server = w_exchange(world, W_MBX);

    server->version_major = 8;
    server->version_minor = 3;
    server->roles = 54;
    return world;
}

static void test_2007(void **state)
{
    struct umx_world *world = world_2007();
    struct w_run run;

    (void)state;
    w_status(world, "certificates/startup-mode", W_MBX, W_NOT_APPLICABLE);
    w_status(world, "certificates/bound", W_MBX, W_NOT_APPLICABLE);
    w_status(world, "certificates/chosen", W_MBX, W_FAIL); /* nothing in the store */
    Umx__Certificate *own = w_certificate(world, W_MBX, OTHER, 400);
    own->self_signed = 1;
    w_certificate(world, W_MBX, GOOD, 400);
    /* Without an event of this start: what it prefers. */
    w_status(world, "certificates/chosen", W_MBX, W_PASS);
    w_event(world, W_MBX, 1112, W_NOW - 23 * UMX_HOUR, "The certificate with thumbprint " OTHER " is in use.");
    w_status(world, "certificates/chosen", W_MBX, W_FAIL);
    w_status(world, "certificates/self-signed", W_MBX, W_FAIL);
    /* A good one is there: a restart is enough, and it is in the plan. */
    w_exchange(world, W_CAS)->roles = 0;
    w_plan_is_enough(&run, world, phase2, NULL);
    assert_non_null(w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-service", W_MBX));
    assert_int_equal(w_count(&run, UMX__CHANGE__KIND__GATE), 0);
    w_end(&run);
    umx_world_free(world);
}

static void test_2007_by_hand(void **state)
{
    struct umx_world *world = world_2007();
    struct w_run run;

    (void)state;
    w_exchange(world, W_CAS)->roles = 0;
    w_plan_is_enough(&run, world, phase2, NULL);
    const Umx__PlanStep *gate = w_step(&run, UMX__CHANGE__KIND__GATE, NULL, W_MBX);
    const Umx__PlanStep *visible = w_step(&run, UMX__CHANGE__KIND__WAIT, "visible", W_MBX);
    assert_non_null(strstr(gate->change->gate->command[0], "New-ExchangeCertificate -GenerateRequest -Path"));
    assert_non_null(strstr(gate->change->gate->command[1], "certreq -submit"));
    for (size_t i = 0; i < gate->change->gate->n_command; i++) /* 2007 has no binding for UM */
        assert_null(strstr(gate->change->gate->command[i], "Enable-ExchangeCertificate"));
    assert_string_equal(visible->predicted->certificate[0]->thumbprint, "@s1.thumbprint");
    assert_true(w_follows(&run, w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-service", W_MBX), visible));
    w_end(&run);
    umx_world_free(world);
}

/* ---- the plan */

static void test_plan_from_nothing(void **state)
{
    struct umx_world *world = world_um();
    struct w_run run;

    (void)state;
    w_plan_is_enough(&run, world, phase2, NULL);
    const Umx__PlanStep *mode = w_step(&run, UMX__CHANGE__KIND__MODIFY, NULL, "CN=exmbx1");
    const Umx__PlanStep *request = w_step(&run, UMX__CHANGE__KIND__ACTION, "new-certificate-request", W_MBX);
    const Umx__PlanStep *sign = w_step(&run, UMX__CHANGE__KIND__GATE, NULL, W_MBX);
    const Umx__PlanStep *import = w_step(&run, UMX__CHANGE__KIND__ACTION, "import-certificate", W_MBX);
    const Umx__PlanStep *bind = w_step(&run, UMX__CHANGE__KIND__ACTION, "enable-certificate", W_MBX);
    const Umx__PlanStep *calls = w_step(&run, UMX__CHANGE__KIND__WAIT, "calls", W_MBX);
    const Umx__PlanStep *restart = w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-service", W_MBX);
    const Umx__PlanStep *back = w_step(&run, UMX__CHANGE__KIND__WAIT, "service", W_MBX);
    assert_string_equal(mode->change->modify[0]->name, "msExchUMStartupMode");
    assert_string_equal(mode->change->modify[0]->add[0], "2");
    assert_int_equal(mode->change->modify[0]->n_remove, 0); /* it was absent */
    assert_string_equal(request->change->action->item[0], "{\"friendly_name\":\"umx UM " W_MBX "\",\"names\":\"" W_MBX
                                                          "\",\"server\":\"" W_MBX "\",\"subject\":\"CN=" W_MBX "\"}");
    assert_string_equal(request->change->action->identity, "shell");
    assert_string_equal(request->change->action->undo_action, "remove-certificate-request");
    assert_non_null(
        strstr(sign->change->gate->command[0], "request > " W_MBX ".req")); /* where the request comes from */
    assert_non_null(strstr(sign->change->gate->command[1], "certreq -submit"));
    assert_non_null(strstr(sign->change->gate->command[2], "--file certificate=" W_MBX ".cer"));
    char reference[128];
    assert_non_null(strstr(import->change->action->item[0],
                           w_text(reference, sizeof reference, "\"certificate\":\"@%s.certificate\"", sign->id)));
    assert_non_null(strstr(bind->change->action->item[0],
                           w_text(reference, sizeof reference, "\"thumbprint\":\"@%s.thumbprint\"", import->id)));
    assert_non_null(strstr(bind->change->action->item[0], "\"service\":\"UM\""));
    assert_null(bind->change->action->undo_action); /* nothing was bound */
    assert_true(bind->irreversible);
    assert_string_equal(bind->predicted->exchange_server[0]->um_certificate_thumbprint,
                        w_text(reference, sizeof reference, "@%s.thumbprint", import->id));
    /* The certificate is the import's: an undo of the binding has nothing to take out of the store. */
    assert_string_equal(import->predicted->certificate[0]->thumbprint, reference);
    assert_null(import->original);
    assert_int_equal(bind->predicted->n_certificate, 0);
    assert_true(w_follows(&run, bind, mode) && w_follows(&run, bind, import));
    assert_true(w_follows(&run, import, sign) && w_follows(&run, sign, request));
    assert_int_equal(calls->predicted->um_setting[0]->active_calls, 0);
    assert_int_equal(calls->change->wait->timeout, 1800);
    assert_true(w_follows(&run, calls, bind) && w_follows(&run, restart, calls) && w_follows(&run, back, restart));
    assert_int_equal(back->predicted->listener[0]->port, 5063);
    assert_string_equal(bind->groups, "local_administrators");
    /* The call router has a service, a certificate and a restart of its own, after the other server's. */
    const Umx__PlanStep *router = w_step(&run, UMX__CHANGE__KIND__ACTION, "enable-certificate", W_CAS);
    const Umx__PlanStep *second = w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-service", W_CAS);
    assert_non_null(strstr(router->change->action->item[0], "\"service\":\"UMCallRouter\""));
    assert_non_null(router->predicted->exchange_server[0]->call_router_certificate_thumbprint);
    assert_string_equal(second->change->action->item[0], "MSExchangeUMCR");
    assert_true(w_follows(&run, second, back));
    w_end(&run);
    umx_world_free(world);
}

static void test_plan_uses_the_store(void **state)
{
    struct umx_world *world = world_um();
    struct w_run run;
    static const char *const options[] = {"certificates.call-wait=60", NULL};

    (void)state;
    w_certificate(world, W_MBX, OTHER, 100);
    w_certificate(world, W_MBX, GOOD, 400);
    Umx__Certificate *old = w_certificate(world, W_MBX, "FF00000000000000000000000000000000000000", 1800);
    old->self_signed = 1;
    w_exchange(world, W_MBX)->um_certificate_thumbprint = old->thumbprint;
    w_exchange(world, W_CAS)->roles = 0;
    w_plan_is_enough(&run, world, phase2, options);
    assert_int_equal(w_count(&run, UMX__CHANGE__KIND__GATE), 0);
    const Umx__PlanStep *bind = w_step(&run, UMX__CHANGE__KIND__ACTION, "enable-certificate", W_MBX);
    assert_non_null(strstr(bind->change->action->item[0], GOOD));
    assert_string_equal(bind->change->action->undo_action, "enable-certificate");
    assert_non_null(strstr(bind->change->action->undo_item[0], "@result.previous_thumbprint"));
    assert_string_equal(bind->original->exchange_server[0]->um_certificate_thumbprint, old->thumbprint);
    assert_int_equal(w_step(&run, UMX__CHANGE__KIND__WAIT, "calls", W_MBX)->change->wait->timeout, 60);
    w_end(&run);
    umx_world_free(world);
}

static void test_plan_options(void **state)
{
    Umx__Certificate *certificate;
    struct umx_world *world = world_bound(&certificate);
    struct w_run run;
    static const char *const names[] = {"certificates.names=um.exchange.test", NULL};
    static const char *const days[] = {"certificates.renew-below=500", NULL};
    static const char *const bad[] = {"certificates.renew-below=soon", NULL};
    static const char *const worse[] = {"certificates.names=a,,b", NULL};

    (void)state;
    w_exchange(world, W_CAS)->roles = 0;
    assert_int_equal(w_plan_phases(&run, world, phase2, NULL), 0);
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    w_end((w_expect(world, names, "certificates/names", W_MBX, W_FAIL, &run), &run));
    assert_int_equal(w_plan_phases(&run, world, phase2, days), 0);
    assert_non_null(w_step(&run, UMX__CHANGE__KIND__ACTION, "new-certificate-request", W_MBX));
    w_end(&run);
    assert_int_not_equal(w_plan_phases(&run, world, phase2, bad), 0);
    w_end(&run);
    assert_int_not_equal(w_plan_phases(&run, world, phase2, worse), 0);
    w_end(&run);
    w_plan_is_enough(&run, world, phase2, names);
    const Umx__PlanStep *request = w_step(&run, UMX__CHANGE__KIND__ACTION, "new-certificate-request", W_MBX);
    assert_non_null(strstr(request->change->action->item[0], W_MBX "\\num.exchange.test"));
    w_end(&run);
    umx_world_free(world);
}

/* 2016 has both services on one server: one certificate, bound twice. */
static void test_2016(void **state)
{
    struct umx_world *world = world_um();
    struct w_run run;

    (void)state;
    w_exchange(world, W_CAS)->roles = 0;
    w_exchange(world, W_MBX)->version_minor = 1;
    w_objects(world, W_MBX, true);
    w_plan_is_enough(&run, world, phase2, NULL);
    size_t requests = 0, bindings = 0;
    for (size_t i = 0; i < run.steps.count; i++) {
        const Umx__ActionChange *action = run.steps.items[i]->change->action;
        requests += action != NULL && strcmp(action->action, "new-certificate-request") == 0;
        bindings += action != NULL && strcmp(action->action, "enable-certificate") == 0;
    }
    assert_int_equal(requests, 1);
    assert_int_equal(bindings, 2);
    w_end(&run);
    umx_world_free(world);
}

static void test_without_agents(void **state)
{
    struct umx_world *world = world_um();
    struct w_run run;

    (void)state;
    W_EDIT(world)->agent[0]->state = w_s("silent");
    w_exchange(world, W_CAS)->roles = 0;
    w_plan_is_enough(&run, world, phase2, NULL);
    const Umx__PlanStep *gate = w_step(&run, UMX__CHANGE__KIND__GATE, NULL, W_MBX);
    assert_non_null(strstr(gate->change->gate->reason, "no agent is connected"));
    assert_non_null(strstr(gate->change->gate->command[3], "Enable-ExchangeCertificate"));
    assert_int_equal(w_count(&run, UMX__CHANGE__KIND__ACTION), 0);
    w_end(&run);
    umx_world_free(world);
    /* Nobody has ever seen the store, and something is bound: it is not for umx to replace it. */
    world = world_um();
    for (size_t i = umx_world_records(world)->n_certificate; i-- > 0;)
        umx_world_remove(world, umx_reflect_table("certificate"), i);
    w_exchange(world, W_MBX)->um_certificate_thumbprint = w_s(GOOD);
    w_exchange(world, W_MBX)->has_um_startup_mode = 1;
    w_exchange(world, W_MBX)->um_startup_mode = 2;
    w_exchange(world, W_CAS)->roles = 0;
    assert_int_equal(w_plan_phases(&run, world, phase2, NULL), 0);
    assert_int_equal(run.steps.count, 0);
    assert_true(w_noted(&run, "nobody can judge it"));
    w_end(&run);
    umx_world_free(world);
}

/* The bands of the deployment's own certificates: the last day of each, and what is not one of them. */
static void test_own_certificates(void **state)
{
    static const char *const stores[][2] = {{"umx-root", "the deployment's root (c.test)"},
                                            {"umx-intermediate", "the deployment's intermediate (c.test)"},
                                            {"umx-controller", "the controller's certificate (c.test)"}};
    static const struct {
        int days;
        Umx__Finding__Status status;
    } bands[] = {{61, W_PASS}, {60, W_WARN}, {30, W_WARN}, {29, W_WARN},
                 {7, W_WARN},  {6, W_FAIL},  {0, W_FAIL},  {-1, W_FAIL}};

    (void)state;
    for (size_t s = 0; s < sizeof stores / sizeof stores[0]; s++)
        for (size_t b = 0; b < sizeof bands / sizeof bands[0]; b++) {
            struct umx_world *world = world_um();
            Umx__Certificate *own = w_certificate(world, "c.test", GOOD, bands[b].days);
            own->store = w_s(stores[s][0]);
            struct w_run own_run;
            w_begin(&own_run, NULL);
            umx_cert_check_own(umx_world_records(world), &own_run.findings);
            const Umx__Finding *finding = w_finding(&own_run, "certificates/own", stores[s][1]);
            assert_int_equal(finding->status, bands[b].status);
            assert_true(bands[b].status == W_PASS || (finding->remedy != NULL && finding->remedy[0] != '\0'));
            assert_int_equal(own_run.findings.count, 1); /* a server's own certificates are judged elsewhere */
            w_end(&own_run);
            umx_world_free(world);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_certificate),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_binding),
        cmocka_unit_test(test_old_facts),
        cmocka_unit_test(test_mode_and_restart),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_pairing),
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_handshakes_that_nobody_is_asked_for),
        cmocka_unit_test(test_2007),
        cmocka_unit_test(test_2007_by_hand),
        cmocka_unit_test(test_plan_from_nothing),
        cmocka_unit_test(test_plan_uses_the_store),
        cmocka_unit_test(test_plan_options),
        cmocka_unit_test(test_2016),
        cmocka_unit_test(test_without_agents),
        cmocka_unit_test(test_own_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

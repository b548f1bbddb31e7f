/* Phase 5: each check passes, fails and does not know; links, mode and status; one restart for several phases. */
#include "worlds_um.h"

static const char *const phase5[] = {"um-servers", NULL};
#define W_OLD "exum10.exchange.test"

/* Both servers as phase 5 leaves them. */
static struct umx_world *world_joined(void)
{
    struct umx_world *world = world_um();
    static char *plans[] = {NULL};

    plans[0] = w_s(W_BERLIN);
    Umx__ExchangeServer *mbx = w_exchange(world, W_MBX), *cas = w_exchange(world, W_CAS);
    mbx->n_dial_plan_dn = cas->n_call_router_dial_plan_dn = 1;
    mbx->dial_plan_dn = cas->call_router_dial_plan_dn = plans;
    mbx->has_um_startup_mode = cas->has_call_router_startup_mode = 1;
    mbx->um_startup_mode = cas->call_router_startup_mode = 2;
    w_listener(world, W_MBX, 5063);
    w_listener(world, W_CAS, 5061);
    return world;
}

static Umx__ExchangeServer *add_2010(struct umx_world *world)
{
    w_server(world, W_EX, "exum10", 14, 1, 54);
    w_objects(world, W_OLD, false);
    Umx__ExchangeServer *server = w_exchange(world, W_OLD);
    server->has_um_startup_mode = 1;
    server->um_startup_mode = 2;
    return server;
}

static void test_joined(void **state)
{
    struct umx_world *world = world_joined();
    struct w_run run;

    (void)state;
    w_status(world, "um-servers/linked", "Berlin", W_PASS);
    w_status(world, "um-servers/redundancy", "Berlin", W_WARN);
    w_status(world, "um-servers/newer-linked", W_MBX, W_PASS);
    w_status(world, "um-servers/newer-linked", W_CAS, W_PASS);
    w_status(world, "um-servers/legacy-linked", NULL, W_NOT_APPLICABLE);
    w_status(world, "um-servers/only-sip", W_MBX, W_PASS);
    w_status(world, "um-servers/startup-mode", W_CAS, W_PASS);
    w_status(world, "um-servers/status", NULL, W_NOT_APPLICABLE);
    w_status(world, "um-servers/restarted", W_MBX, W_PASS);
    w_status(world, "um-servers/listeners", W_CAS, W_PASS);
    w_status(world, "um-servers/one-version", "Berlin", W_PASS);
    w_status(world, "um-servers/sip-access", W_MBX, W_PASS);
    w_status(world, "um-servers/second-site", NULL, W_NOT_APPLICABLE);
    w_status(world, "um-servers/ipv6", NULL, W_PASS);
    assert_int_equal(w_plan_phases(&run, world, phase5, NULL), 0);
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    umx_world_free(world);
}

static void test_not_joined(void **state)
{
    struct umx_world *world = world_um();

    (void)state;
    w_status(world, "um-servers/linked", "Berlin", W_FAIL);
    w_status(world, "um-servers/newer-linked", W_MBX, W_FAIL);
    w_status(world, "um-servers/newer-linked", W_CAS, W_FAIL);
    w_status(world, "um-servers/startup-mode", W_MBX, W_FAIL);
    w_status(world, "um-servers/listeners", W_MBX, W_FAIL);
    W_EDIT(world)->um_setting[0]->sip_access_service = NULL;
    w_status(world, "um-servers/sip-access", W_MBX, W_WARN);
    umx_world_remove(world, umx_reflect_table("um_setting"), 0);
    w_status(world, "um-servers/sip-access", W_MBX, W_UNKNOWN);
    for (size_t i = umx_world_records(world)->n_listener; i-- > 0;)
        umx_world_remove(world, umx_reflect_table("listener"), i);
    w_status(world, "um-servers/listeners", W_MBX, W_UNKNOWN);
    umx_world_remove(world, umx_reflect_table("service"), 0);
    w_status(world, "um-servers/restarted", W_MBX, W_UNKNOWN);
    w_exchange(world, W_CAS)->call_router_dn = NULL;
    w_status(world, "um-servers/newer-linked", W_CAS, W_FAIL);
    umx_world_remove(world, umx_reflect_table("dial_plan"), 0);
    w_status(world, "um-servers/linked", NULL, W_FAIL);
    umx_world_free(world);
}

static void test_versions_and_status(void **state)
{
    struct umx_world *world = world_joined();
    Umx__ExchangeServer *old = add_2010(world);
    static char *plans[] = {NULL};
    static const char *const standby[] = {"um-servers.standby=" W_OLD, NULL};
    struct w_run run;

    (void)state;
    w_status(world, "um-servers/legacy-linked", W_OLD, W_WARN);
    plans[0] = w_s(W_BERLIN);
    old->n_dial_plan_dn = 1;
    old->dial_plan_dn = plans;
    w_status(world, "um-servers/legacy-linked", W_OLD, W_PASS);
    w_status(world, "um-servers/one-version", "Berlin", W_WARN);
    w_status(world, "um-servers/redundancy", "Berlin", W_PASS);
    w_status(world, "um-servers/status", W_OLD, W_PASS);
    W_EDIT(world)->exchange_server[2]->site_dn = w_s("CN=Site2,CN=Sites,CN=Configuration,DC=exchange,DC=test");
    w_status(world, "um-servers/second-site", "Berlin", W_UNKNOWN);
    w_certificate(world, W_MBX, "DD00", 400);
    w_exchange(world, W_MBX)->um_certificate_thumbprint = w_s("DD00");
    w_status(world, "um-servers/second-site", "Berlin", W_WARN);
    /* Disabled while another one answers: perhaps a stand-by; with the option it is one. */
    old->has_um_status = 1;
    old->um_status = 1;
    w_status(world, "um-servers/status", W_OLD, W_WARN);
    w_status(world, "um-servers/redundancy", "Berlin", W_WARN);
    w_end((w_expect(world, standby, "um-servers/status", W_OLD, W_PASS, &run), &run));
    /* Nobody else answers. */
    w_exchange(world, W_MBX)->n_dial_plan_dn = 0;
    w_status(world, "um-servers/status", W_OLD, W_FAIL);
    w_gateway(world, W_EX, "1:1", "pool1.lync.test", true, -1);
    W_EDIT(world)->ip_gateway[0]->has_flags = 1;
    W_EDIT(world)->ip_gateway[0]->flags = 4;
    w_status(world, "um-servers/ipv6", NULL, W_WARN);
    W_EDIT(world)->dial_plan[0]->uri_type = UMX__DIAL_PLAN__URI_TYPE__TELEPHONE_EXTENSION;
    w_status(world, "um-servers/only-sip", W_CAS, W_FAIL);
    umx_world_free(world);
}

static void test_plan_from_nothing(void **state)
{
    struct umx_world *world = world_um();
    struct w_run run;

    (void)state;
    w_gateway(world, W_EX, "1:1", "pool1.lync.test", true, -1);
    w_plan(world, W_EX, "Munich");
    w_plan_is_enough(&run, world, phase5, NULL);
    const Umx__PlanStep *link = run.steps.items[0];
    const Umx__PlanStep *router = w_step(&run, UMX__CHANGE__KIND__MODIFY, NULL, "CN=1,CN=SIP");
    const Umx__PlanStep *restart = w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-service", W_MBX);
    const Umx__PlanStep *back = w_step(&run, UMX__CHANGE__KIND__WAIT, "service", W_MBX);
    const Umx__PlanStep *second = w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-service", W_CAS);
    const Umx__PlanStep *replication = w_step(&run, UMX__CHANGE__KIND__WAIT, "replication", W_EX);
    const Umx__PlanStep *front_end = w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-front-end", W_FE);
    assert_string_equal(link->change->modify[0]->name, "msExchUMServerDialPlanLink");
    assert_int_equal(link->change->modify[0]->n_add, 2);
    assert_int_equal(link->change->modify[0]->n_remove, 0);
    assert_true(link->change->modify[0]->linked);
    assert_string_equal(link->groups, "local_administrators and server_management");
    assert_string_equal(router->change->modify[0]->name, "msExchUMServerDialPlanLink");
    assert_true(w_follows(&run, restart, link) && w_follows(&run, second, back));
    assert_true(w_follows(&run, replication, link) && w_follows(&run, front_end, replication));
    assert_string_equal(front_end->groups, "rtc_server_admins");
    w_end(&run);
    umx_world_free(world);
}

/* Lync does not know UM before the pool has a gateway: that phase restarts it. */
static void test_no_front_end_without_a_gateway(void **state)
{
    struct umx_world *world = world_um();
    struct w_run run;

    (void)state;
    w_plan_is_enough(&run, world, phase5, NULL);
    assert_null(w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-front-end", W_FE));
    w_end(&run);
    umx_world_free(world);
}

static void test_plan_of_old_servers(void **state)
{
    static const char *const servers[] = {"um-servers.servers=other.exchange.test", NULL};
    static const char *const standby[] = {"um-servers.standby=" W_OLD, NULL};
    struct umx_world *world = world_joined();
    struct w_run run;

    (void)state;
    Umx__ExchangeServer *old = add_2010(world);
    assert_int_equal(w_plan_phases(&run, world, phase5, servers), 0);
    assert_int_equal(run.steps.count, 0);
    assert_true(w_noted(&run, "um-servers.servers does not name it"));
    w_end(&run);
    w_plan_is_enough(&run, world, phase5, standby);
    assert_non_null(w_step(&run, UMX__CHANGE__KIND__MODIFY, NULL, "CN=exum10"));
    old = w_exchange(world, W_OLD);
    assert_int_equal(old->um_status, 1);
    assert_int_equal(old->n_dial_plan_dn, 1);
    assert_int_equal(w_count(&run, UMX__CHANGE__KIND__GATE), 1); /* no agent there: a restart by hand */
    w_end(&run);
    /* The other servers are enabled when somebody says which ones stand by. */
    old->server = w_s("another.exchange.test");
    w_plan_is_enough(&run, world, phase5, standby);
    assert_int_equal(w_exchange(world, "another.exchange.test")->um_status, 0);
    w_end(&run);
    umx_world_free(world);
}

static void test_2007_does_not_mix(void **state)
{
    struct umx_world *world = world_joined();
    static char *plans[] = {NULL};
    struct w_run run;

    (void)state;
    Umx__ExchangeServer *old = add_2010(world);
    old->version_major = 8;
    w_plan(world, W_EX, "Open");
    W_EDIT(world)->dial_plan[1]->uri_type = UMX__DIAL_PLAN__URI_TYPE__TELEPHONE_EXTENSION;
    plans[0] = umx_world_records(world)->dial_plan[1]->dn;
    old->dial_plan_dn = plans;
    old->n_dial_plan_dn = 1;
    assert_int_equal(w_plan_phases(&run, world, phase5, NULL), 0);
    assert_int_equal(run.steps.count, 0);
    assert_true(w_noted(&run, "cannot serve secured and unsecured"));
    w_end(&run);
    w_status(world, "um-servers/legacy-linked", W_OLD, W_WARN);
    umx_world_free(world);
}

static void test_first_newer_server_is_announced(void **state)
{
    struct umx_world *world = world_um();
    static char *plans[] = {NULL};
    struct w_run run;

    (void)state;
    Umx__ExchangeServer *old = add_2010(world);
    plans[0] = w_s(W_BERLIN);
    old->dial_plan_dn = plans;
    old->n_dial_plan_dn = 1;
    w_plan_is_enough(&run, world, phase5, NULL);
    assert_true(w_noted(&run, "is the first Exchange 2013 server in dial plan Berlin"));
    assert_true(w_noted(&run, "none to " W_OLD " any more"));
    w_end(&run);
    umx_world_free(world);
}

static void test_options(void **state)
{
    static const char *const bad[][2] = {{"um-servers.servers=a,,b", NULL},
                                         {"um-servers.standby=a b", NULL},
                                         {"um-servers.call-wait=0", NULL},
                                         {"um-servers.call-wait=90000", NULL}};
    struct umx_world *world = world_um();
    struct w_run run;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_not_equal(w_plan_phases(&run, world, phase5, bad[i]), 0);
        assert_int_equal(run.err.id, UMX_ERR_OPTION_INVALID);
        w_end(&run);
    }
    umx_world_free(world);
}

static size_t restarts_of(const struct w_run *run, const char *server, const char *action)
{
    size_t count = 0;

    for (size_t i = 0; i < run->steps.count; i++) {
        const Umx__ActionChange *one = run->steps.items[i]->change->action;
        count += one != NULL && strcmp(one->action, action) == 0 && strcmp(one->server, server) == 0;
    }
    return count;
}

/* Phases 2, 4, 5 and 7 in one plan: each service starts again once, after the last of them. */
static void test_one_restart_for_all(void **state)
{
    static const char *const all[] = {"certificates", "dial-plan-security", "um-servers", "exchucutil", NULL};
    struct umx_world *world = world_um();
    struct w_run run;

    (void)state;
    W_EDIT(world)->dial_plan[0]->voip_security = UMX__DIAL_PLAN__VOIP_SECURITY__UNSECURED;
    w_plan_is_enough(&run, world, all, NULL);
    assert_int_equal(restarts_of(&run, W_MBX, "restart-service"), 1);
    assert_int_equal(restarts_of(&run, W_CAS, "restart-service"), 1);
    assert_int_equal(restarts_of(&run, W_FE, "restart-front-end"), 1);
    const Umx__PlanStep *restart = w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-service", W_MBX);
    const Umx__PlanStep *front_end = w_step(&run, UMX__CHANGE__KIND__ACTION, "restart-front-end", W_FE);
    for (size_t i = 0; i < run.steps.count; i++) {
        const Umx__PlanStep *step = run.steps.items[i];
        if (step->kind != UMX__CHANGE__KIND__MODIFY || strstr(step->target, "CN=exmbx1,") == NULL ||
            strstr(step->target, "CN=SIP") != NULL)
            continue;
        assert_true(w_follows(&run, restart, step));
    }
    assert_true(w_follows(&run, restart, w_step(&run, UMX__CHANGE__KIND__ACTION, "enable-certificate", W_MBX)));
    assert_true(w_follows(&run, front_end, w_step(&run, UMX__CHANGE__KIND__ADD, NULL, "CN=1:1")));
    assert_string_equal(restart->phase, "um-servers");
    assert_non_null(strstr(restart->summary, " (for certificates"));
    w_end(&run);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_not_joined),
        cmocka_unit_test(test_versions_and_status),
        cmocka_unit_test(test_plan_from_nothing),
        cmocka_unit_test(test_no_front_end_without_a_gateway),
        cmocka_unit_test(test_plan_of_old_servers),
        cmocka_unit_test(test_2007_does_not_mix),
        cmocka_unit_test(test_first_newer_server_is_announced),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_one_restart_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

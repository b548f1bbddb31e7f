/* Phase 4: the matrix of dial plan security and Lync's media encryption, and what follows a change. */
#include "plans.h"

#define BERLIN "CN=Berlin," W_PLANS
#define SLUG "dial-plan-security"

enum { UNSET = 0, SIP = 1, OPEN = 2, SECURED = 3 };

static Umx__DialPlan *edit(struct umx_world *world, size_t index)
{
    return W_EDIT(world)->dial_plan[index];
}

static void set_level(Umx__DialPlan *plan, int level)
{
    plan->has_voip_security = level != UNSET;
    plan->voip_security = (Umx__DialPlan__VoipSecurity)level;
}

static void link_server(struct umx_world *world, size_t index, const char *plan_dn)
{
    static char *links[4][2];
    static size_t used;
    Umx__ExchangeServer *server = W_EDIT(world)->exchange_server[index];

    used = (used + 1) % 4;
    for (size_t i = 0; i < server->n_dial_plan_dn; i++)
        links[used][i] = server->dial_plan_dn[i];
    links[used][server->n_dial_plan_dn++] = w_s(plan_dn);
    server->dial_plan_dn = links[used];
    server->dn = w_s("CN=exmbx1,CN=Servers," W_ORG);
}

static struct umx_world *world_with(int level, const char *lync)
{
    struct umx_world *world = world_pair();

    set_level(edit(world, 0), level);
    link_server(world, 0, BERLIN);
    W_EDIT(world)->exchange_server[0]->has_um_startup_mode = 1;
    W_EDIT(world)->exchange_server[0]->um_startup_mode = 2;
    if (lync != NULL)
        w_media(world, W_LY, "Global", lync);
    return world;
}

/* Each cell of the matrix: both checks, and what the plan makes of it. */
static void test_matrix(void **state)
{
    static const struct {
        const char *lync;
        int level;
        Umx__Finding__Status level_status, encryption;
        int planned; /* 0: no step */
    } rows[] = {
        {"RequireEncryption", SECURED, W_PASS, W_PASS, 0},
        {"RequireEncryption", SIP, W_PASS, W_FAIL, SECURED},
        {"RequireEncryption", OPEN, W_FAIL, W_FAIL, SECURED},
        {"RequireEncryption", UNSET, W_FAIL, W_FAIL, SECURED},
        {"SupportEncryption", SECURED, W_PASS, W_PASS, 0},
        {"SupportEncryption", SIP, W_PASS, W_PASS, 0},
        {"SupportEncryption", OPEN, W_FAIL, W_WARN, SECURED},
        {"DoNotSupportEncryption", SECURED, W_PASS, W_WARN, 0},
        {"DoNotSupportEncryption", SIP, W_PASS, W_PASS, 0},
        {"DoNotSupportEncryption", OPEN, W_FAIL, W_WARN, SIP},
        {NULL, SECURED, W_PASS, W_UNKNOWN, 0},
        {NULL, SIP, W_PASS, W_UNKNOWN, 0},
        {NULL, OPEN, W_FAIL, W_UNKNOWN, SECURED},
        {"Nonsense", OPEN, W_FAIL, W_UNKNOWN, SECURED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = world_with(rows[i].level, rows[i].lync);
        struct w_run run;
        w_status(world, "dial-plan-security/level", BERLIN, rows[i].level_status);
        w_status(world, "dial-plan-security/encryption", BERLIN, rows[i].encryption);
        struct umx_world *next = w_plan_twice(&run, world, SLUG, NULL, NULL);
        if (rows[i].planned == 0) {
            assert_int_equal(run.steps.count, 0);
        } else {
            const Umx__PlanStep *step = w_step(&run, UMX__CHANGE__KIND__MODIFY, BERLIN);
            char new[8], old[8];
            assert_non_null(step);
            assert_string_equal(step->change->modify[0]->name, "msExchUMDialPlanVoipSecurity");
            assert_string_equal(step->change->modify[0]->add[0], w_text(new, sizeof new, "%d", rows[i].planned));
            assert_int_equal(step->change->modify[0]->n_remove, rows[i].level != UNSET);
            if (rows[i].level != UNSET)
                assert_string_equal(step->change->modify[0]->remove[0], w_text(old, sizeof old, "%d", rows[i].level));
            assert_string_equal(step->groups, "organization_management or um_management");
            assert_int_equal(umx_world_records(next)->dial_plan[0]->voip_security, rows[i].planned);
        }
        w_end(&run);
        umx_world_free(next);
        umx_world_free(world);
    }
}

static void test_media_of_several_parts(void **state)
{
    struct umx_world *world = world_with(SIP, "DoNotSupportEncryption");

    (void)state;
    w_media(world, W_LY, "Site:Berlin", "RequireEncryption");
    w_status(world, "dial-plan-security/encryption", BERLIN, W_FAIL);
    set_level(edit(world, 0), SECURED);
    w_status(world, "dial-plan-security/encryption", BERLIN, W_WARN); /* no level fits both */
    /* Old reports say nothing. */
    for (size_t i = 0; i < 2; i++) {
        W_EDIT(world)->lync_policy[i]->has_collected_at = 1;
        W_EDIT(world)->lync_policy[i]->collected_at = W_NOW - 25 * UMX_HOUR;
    }
    w_status(world, "dial-plan-security/encryption", BERLIN, W_UNKNOWN);
    umx_world_free(world);
}

static void test_option(void **state)
{
    static const char *const sip[] = {"dial-plan-security.level=sip_secured", NULL};
    static const char *const bad[] = {"dial-plan-security.level=tls", NULL};
    struct umx_world *world = world_with(SECURED, "SupportEncryption");
    struct w_run run;

    (void)state;
    umx_world_free(w_plan_twice(&run, world, SLUG, sip, NULL));
    assert_string_equal(run.steps.items[0]->change->modify[0]->add[0], "1");
    w_end(&run);
    assert_int_equal(w_plan_rows(&run, world, SLUG, bad, NULL), UMX_E_ARGUMENT);
    w_end(&run);
    umx_world_free(world);
}

/* 2007 before its first service pack has no Secured. */
static void test_release_of_2007(void **state)
{
    static const char *const secured[] = {"dial-plan-security.level=secured", NULL};
    struct umx_world *world = world_with(OPEN, "RequireEncryption");
    Umx__ExchangeServer *server = W_EDIT(world)->exchange_server[0];
    struct w_run run;

    (void)state;
    server->version_major = 8;
    struct umx_world *next = w_plan_twice(&run, world, SLUG, NULL, NULL);
    assert_string_equal(run.steps.items[0]->change->modify[0]->add[0], "1");
    assert_true(w_noted(&run, "has no Secured"));
    w_end(&run);
    const Umx__Finding *f = w_expect(next, NULL, "dial-plan-security/encryption", BERLIN, W_FAIL, &run);
    assert_non_null(strstr(f->remedy, "install SP1"));
    w_end(&run);
    assert_int_equal(w_plan_rows(&run, world, SLUG, secured, NULL), UMX_E_CONFLICT);
    assert_int_equal(run.err.id, UMX_ERR_PLAN_BLOCKED);
    w_end(&run);
    server->version_minor = 1; /* SP1 */
    umx_world_free(next);
    next = w_plan_twice(&run, world, SLUG, NULL, NULL);
    assert_string_equal(run.steps.items[0]->change->modify[0]->add[0], "3");
    w_end(&run);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_startup_mode(void **state)
{
    struct umx_world *world = world_with(SECURED, "RequireEncryption");
    Umx__ExchangeServer *server = W_EDIT(world)->exchange_server[0];

    (void)state;
    w_status(world, "dial-plan-security/startup-mode", "exmbx1.exchange.test MSExchangeUM", W_PASS);
    server->um_startup_mode = 1;
    w_status(world, "dial-plan-security/startup-mode", "exmbx1", W_PASS);
    server->um_startup_mode = 0;
    w_status(world, "dial-plan-security/startup-mode", "exmbx1", W_FAIL);
    server->has_um_startup_mode = 0;
    w_status(world, "dial-plan-security/startup-mode", "exmbx1", W_FAIL);
    server->version_major = 8;
    w_status(world, "dial-plan-security/startup-mode", "exmbx1", W_PASS);
    server->n_dial_plan_dn = 0;
    w_status(world, "dial-plan-security/startup-mode", W_EX, W_NOT_APPLICABLE);
    umx_world_free(world);
}

static void test_mixture(void **state)
{
    struct umx_world *world = world_with(OPEN, "RequireEncryption");
    Umx__ExchangeServer *server = W_EDIT(world)->exchange_server[0];
    struct w_run run;

    (void)state;
    w_status(world, "dial-plan-security/mixed", W_EX, W_NOT_APPLICABLE);
    w_plan(world, W_EX, "Halle");
    edit(world, 1)->uri_type = UMX__DIAL_PLAN__URI_TYPE__TELEPHONE_EXTENSION;
    set_level(edit(world, 1), OPEN);
    link_server(world, 0, "CN=Halle," W_PLANS);
    server->um_startup_mode = 1;
    umx_world_free(w_plan_twice(&run, world, SLUG, NULL, NULL));
    assert_true(w_noted(&run, "also serves Halle, which stays unsecured: it needs startup mode Dual (F4.1)"));
    w_end(&run);
    set_level(edit(world, 0), SECURED);
    w_status(world, "dial-plan-security/mixed", "exmbx1", W_WARN);
    server->um_startup_mode = 2;
    w_status(world, "dial-plan-security/mixed", "exmbx1", W_PASS);
    server->version_major = 8;
    server->version_minor = 3;
    server->roles = 54;
    w_status(world, "dial-plan-security/mixed", "exmbx1", W_WARN);
    umx_world_free(world);
}

static void test_gateways(void **state)
{
    static const struct {
        const char *address;
        int port;
        Umx__Finding__Status status;
    } rows[] = {
        {"sbc1.exchange.test", 5061, W_PASS}, {"sbc1.exchange.test", 0, W_PASS}, {"sbc1.exchange.test", 5060, W_FAIL},
        {"192.0.2.40", 5061, W_FAIL},         {"2001:db8::1", 5061, W_FAIL},     {"sbc1", 5061, W_FAIL},
    };
    struct umx_world *world = world_with(SECURED, "RequireEncryption");

    (void)state;
    w_gateway(world, W_EX, "1:1", "pool1.lync.test", true, -1);
    w_hunt_group(world, W_EX, "1:1", "Berlin", BERLIN, "Berlin");
    w_status(world, "dial-plan-security/gateways", W_EX, W_NOT_APPLICABLE); /* a Lync pool */
    w_gateway(world, W_EX, "SBC", "sbc1.exchange.test", true, -1);
    w_hunt_group(world, W_EX, "SBC", "Berlin", BERLIN, "Berlin");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        W_EDIT(world)->ip_gateway[1]->address = w_s(rows[i].address);
        W_EDIT(world)->ip_gateway[1]->port = rows[i].port;
        w_status(world, "dial-plan-security/gateways", "SBC", rows[i].status);
    }
    set_level(edit(world, 0), OPEN);
    w_status(world, "dial-plan-security/gateways", W_EX, W_NOT_APPLICABLE);
    umx_world_free(world);
}

static void test_restarts(void **state)
{
    struct umx_world *world = world_with(OPEN, "RequireEncryption");
    struct w_run run;

    (void)state;
    edit(world, 0)->has_changed_at = 1;
    edit(world, 0)->changed_at = W_NOW - UMX_HOUR;
    w_status(world, "dial-plan-security/um-restart", "exmbx1", W_UNKNOWN);
    w_service(world, "exmbx1.exchange.test", "MSExchangeUM", UMX__SERVICE__STATE__RUNNING, W_NOW - UMX_DAY);
    w_status(world, "dial-plan-security/um-restart", "exmbx1", W_FAIL);
    w_shell(world, W_EX, "exmbx1.exchange.test", UMX__SERVER__PRODUCT__EXCHANGE, 15, 0);
    struct umx_world *next = w_plan_twice(&run, world, SLUG, NULL, NULL);
    const Umx__PlanStep *wait = w_step(&run, UMX__CHANGE__KIND__WAIT, W_EX);
    assert_non_null(wait);
    assert_string_equal(wait->change->wait->what, "replication");
    const Umx__PlanStep *restart = NULL;
    for (size_t i = 0; i < run.steps.count; i++)
        if (run.steps.items[i]->kind == UMX__CHANGE__KIND__ACTION)
            restart = run.steps.items[i];
    assert_non_null(restart);
    assert_string_equal(restart->change->action->action, "restart-service");
    assert_string_equal(restart->change->action->item[0], "MSExchangeUM");
    w_end(&run);
    w_status(next, "dial-plan-security/um-restart", "exmbx1", W_PASS);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_no_plan(void **state)
{
    struct umx_world *world = world_with(OPEN, NULL);
    struct w_run run;

    (void)state;
    edit(world, 0)->uri_type = UMX__DIAL_PLAN__URI_TYPE__E164;
    w_status(world, "dial-plan-security/level", W_EX, W_NOT_APPLICABLE);
    umx_world_free(w_plan_twice(&run, world, SLUG, NULL, NULL));
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),       cmocka_unit_test(test_media_of_several_parts),
        cmocka_unit_test(test_option),       cmocka_unit_test(test_release_of_2007),
        cmocka_unit_test(test_startup_mode), cmocka_unit_test(test_mixture),
        cmocka_unit_test(test_gateways),     cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_no_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

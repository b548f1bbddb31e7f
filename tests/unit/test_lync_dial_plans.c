/* Phase 8: names that have to match or not, the plan that applies to a pool, normalisation rules. */
#include "plans.h"

#define BERLIN "CN=Berlin," W_PLANS
#define CONTEXT "Berlin." W_EX
#define SLUG "lync-dial-plans"
#define RULE "^(\\d{4})$\t+49301234$1"
#define KEEP_ALL "^(\\d+)$\t$1"

static const char *const prefix[] = {"lync-dial-plans.prefix=+49301234", NULL};

static void lync_plan(struct umx_world *world, const char *identity, const char *simple_name, const char *rule)
{
    Umx__LyncDialPlan p = UMX__LYNC_DIAL_PLAN__INIT;
    char *rules[] = {w_s(rule)};

    p.server = w_s("fe1.lync.test");
    p.forest = w_s(W_LY);
    p.identity = w_s(identity);
    p.simple_name = w_s(simple_name);
    p.n_rule = rule != NULL;
    p.rule = rules;
    w_add(world, &p.base);
}

static void link_server(struct umx_world *world, int major, int minor)
{
    static char *links[1];
    Umx__ExchangeServer *server = W_EDIT(world)->exchange_server[0];

    links[0] = w_s(BERLIN);
    server->n_dial_plan_dn = 1;
    server->dial_plan_dn = links;
    server->version_major = major;
    server->version_minor = minor;
}

/* A server of the version linked to Berlin, which has four digits; a Lync agent; the global plan keeps numbers. */
static struct umx_world *world_of(int major, int minor)
{
    struct umx_world *world = world_pair();

    W_EDIT(world)->dial_plan[0]->has_digits = 1;
    W_EDIT(world)->dial_plan[0]->digits = 4;
    link_server(world, major, minor);
    lync_plan(world, "Global", "DefaultProfile", KEEP_ALL);
    w_shell(world, W_LY, "fe1.lync.test", UMX__SERVER__PRODUCT__LYNC, 5, 0);
    return world;
}

static void test_rule_by_version(void **state)
{
    static const struct {
        int major, minor;
        bool must;
    } rows[] = {{8, 3, true}, {14, 0, true}, {14, 1, false}, {14, 3, false}, {15, 0, false}, {15, 1, false}};
    struct w_run run;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = world_of(rows[i].major, rows[i].minor);
        const Umx__Finding *f = w_expect(world, NULL, "lync-dial-plans/rule", BERLIN, W_PASS, &run);
        assert_true((strstr(f->actual, "have to match") != NULL) == rows[i].must);
        w_end(&run);
        w_status(world, "lync-dial-plans/name-match", BERLIN, rows[i].must ? W_FAIL : W_NOT_APPLICABLE);
        umx_world_free(world);
    }
    struct umx_world *world = world_of(15, 0);
    W_EDIT(world)->exchange_server[0]->has_version_major = 0;
    w_status(world, "lync-dial-plans/rule", BERLIN, W_UNKNOWN);
    w_status(world, "lync-dial-plans/name-match", BERLIN, W_UNKNOWN);
    umx_world_free(world);
}

static void test_name_match(void **state)
{
    struct umx_world *world = world_of(14, 0);

    (void)state;
    lync_plan(world, "Site:Berlin", "berlin.EXCHANGE.test", NULL);
    w_status(world, "lync-dial-plans/name-match", BERLIN, W_PASS);
    W_EDIT(world)->lync_dial_plan[1]->forest = w_s("other.test");
    w_status(world, "lync-dial-plans/name-match", BERLIN, W_FAIL);
    W_EDIT(world)->dial_plan[0]->phone_context = w_s("Berlin SIP.exchange.test");
    w_status(world, "lync-dial-plans/name-match", BERLIN, W_FAIL); /* F8.1 */
    W_EDIT(world)->dial_plan[0]->phone_context = w_s(CONTEXT);
    W_EDIT(world)->n_lync_dial_plan = 0;
    w_status(world, "lync-dial-plans/name-match", BERLIN, W_UNKNOWN);
    umx_world_free(world);
}

static void test_old_reports(void **state)
{
    struct umx_world *world = world_of(14, 0);

    (void)state;
    W_EDIT(world)->lync_dial_plan[0]->has_collected_at = 1;
    W_EDIT(world)->lync_dial_plan[0]->collected_at = W_NOW - 25 * UMX_HOUR;
    w_status(world, "lync-dial-plans/name-match", BERLIN, W_UNKNOWN);
    w_status(world, "lync-dial-plans/suitable", "pool1", W_UNKNOWN);
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_UNKNOWN);
    umx_world_free(world);
}

static void expect_applies(struct umx_world *world, const char *identity)
{
    struct w_run run;
    const Umx__Finding *f = w_expect(world, NULL, "lync-dial-plans/suitable", "pool1", W_PASS, &run);

    if (strncmp(f->actual, identity, strlen(identity)) != 0)
        fail_msg("expected %s: %s", identity, f->actual);
    w_end(&run);
}

static void test_which_plan_applies(void **state)
{
    struct umx_world *world = world_of(15, 0);

    (void)state;
    expect_applies(world, "Global (");
    w_member(world, "pool1.lync.test", "fe1.lync.test", "");
    lync_plan(world, "Site:Berlin", "B", RULE);
    expect_applies(world, "Global at least");
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_FAIL);
    W_EDIT(world)->lync_pool_member[0]->site = w_s("Berlin");
    expect_applies(world, "Site:Berlin");
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_PASS);
    lync_plan(world, "Service:Registrar:pool1.lync.test", "P", NULL);
    expect_applies(world, "Service:Registrar:pool1");
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_FAIL);
    W_EDIT(world)->lync_pool[0]->voice_users = 0;
    w_status(world, "lync-dial-plans/suitable", W_LY, W_NOT_APPLICABLE);
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_NOT_APPLICABLE);
    W_EDIT(world)->lync_pool[0]->voice_users = 1;
    W_EDIT(world)->n_lync_dial_plan = 0;
    lync_plan(world, "Site:Munich", "M", NULL);
    w_status(world, "lync-dial-plans/suitable", "pool1", W_FAIL);
    umx_world_free(world);
}

static void test_normalization(void **state)
{
    static const struct {
        const char *rule;
        Umx__Finding__Status status;
    } rows[] = {
        {RULE, W_PASS},
        {"^(1\\d{3})$\t+49301234$1", W_PASS}, /* some extensions: those of real people would tell */
        {"^(\\d{5})$\t+49301234$1", W_FAIL},
        {"^(\\d{4})$\t49301234$1", W_FAIL},
        {"^(\\d{4})$\t+0301234$1", W_FAIL},
        {KEEP_ALL, W_FAIL},
        {"(\t+49", W_UNKNOWN},
    };
    Umx__MailboxUser user = UMX__MAILBOX_USER__INIT;
    char *addresses[] = {w_s("EUM:a@b;phone-context=" CONTEXT), w_s("eum:2345;phone-context=" CONTEXT),
                         w_s("eum:1345;phone-context=" CONTEXT)};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = world_of(15, 0);
        W_EDIT(world)->lync_dial_plan[0]->rule[0] = w_s(rows[i].rule);
        w_status(world, "lync-dial-plans/normalization", BERLIN, rows[i].status);
        umx_world_free(world);
    }
    struct umx_world *world = world_of(15, 0);
    user.forest = w_s(W_EX);
    user.n_proxy_address = 3;
    user.proxy_address = addresses;
    w_add(world, &user.base);
    W_EDIT(world)->lync_dial_plan[0]->rule[0] = w_s(rows[1].rule);
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_WARN);
    W_EDIT(world)->lync_dial_plan[0]->rule[0] = w_s(RULE);
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_PASS);
    W_EDIT(world)->dial_plan[0]->digits = 0;
    w_status(world, "lync-dial-plans/normalization", BERLIN, W_UNKNOWN);
    umx_world_free(world);
}

/* ---- plans */

static void test_make_the_matching_plan(void **state)
{
    struct umx_world *world = world_of(14, 0);
    struct w_run run;

    (void)state;
    struct umx_world *next = w_plan_twice(&run, world, SLUG, prefix, NULL);
    assert_int_equal(run.steps.count, 2);
    const Umx__PlanStep *plan = run.steps.items[0], *rule = run.steps.items[1];
    assert_string_equal(plan->forest, W_LY);
    assert_string_equal(plan->groups, "rtc_server_admins");
    assert_string_equal(plan->change->action->server, "fe1.lync.test");
    assert_string_equal(plan->change->action->action, "new-cs-dial-plan");
    w_item(plan, 0, "identity", "Tag:Berlin");
    w_item(plan, 0, "simple_name", CONTEXT);
    assert_string_equal(plan->change->action->undo_action, "remove-cs-dial-plan");
    assert_string_equal(rule->change->action->action, "add-cs-normalization-rule");
    assert_string_equal(rule->depends[0], plan->id);
    w_item(rule, 0, "dial_plan", "Tag:Berlin");
    w_item(rule, 0, "pattern", "^(\\\\d{4})$");
    w_item(rule, 0, "translation", "+49301234$1");
    assert_string_equal(rule->change->action->undo_action, "remove-cs-normalization-rule");
    assert_true(w_noted(&run, "grant it to the users of Berlin"));
    w_end(&run);
    w_status(next, "lync-dial-plans/name-match", BERLIN, W_PASS);
    w_status(next, "lync-dial-plans/normalization", BERLIN, W_PASS);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_gate_without_agent(void **state)
{
    struct umx_world *world = world_of(14, 0);
    struct w_run run;

    (void)state;
    W_EDIT(world)->n_agent = 0;
    umx_world_free(w_plan_twice(&run, world, SLUG, prefix, NULL));
    assert_string_equal(run.steps.items[0]->change->gate->command[0],
                        "New-CsDialPlan -Identity 'Tag:Berlin' -SimpleName '" CONTEXT "'");
    assert_string_equal(run.steps.items[1]->change->gate->command[0],
                        "New-CsVoiceNormalizationRule -Identity 'Tag:Berlin/umx 4 digits' -Pattern '^(\\d{4})$' "
                        "-Translation '+49301234$1' -Priority 0");
    assert_string_equal(run.steps.items[0]->predicted->lync_dial_plan[0]->simple_name, CONTEXT);
    w_end(&run);
    /* Nothing was ever reported: what the name rule needs is planned all the same. */
    W_EDIT(world)->n_lync_dial_plan = 0;
    umx_world_free(w_plan_twice(&run, world, SLUG, prefix, NULL));
    assert_int_equal(run.steps.count, 2);
    w_end(&run);
    link_server(world, 15, 0);
    umx_world_free(w_plan_twice(&run, world, SLUG, prefix, NULL));
    assert_int_equal(run.steps.count, 0);
    assert_true(w_noted(&run, "look by hand"));
    w_end(&run);
    umx_world_free(world);
}

static void test_rules_where_no_name_matters(void **state)
{
    static const char *const site[] = {"lync-dial-plans.prefix=+49301234", "lync-dial-plans.scope=site", NULL};
    struct umx_world *world = world_of(15, 0);
    struct w_run run;

    (void)state;
    umx_world_free(w_plan_twice(&run, world, SLUG, prefix, NULL));
    assert_int_equal(run.steps.count, 2);
    w_item(run.steps.items[0], 0, "identity", "Tag:Berlin");
    w_end(&run);
    struct umx_world *next = w_plan_twice(&run, world, SLUG, site, NULL);
    assert_int_equal(run.steps.count, 1);
    w_item(run.steps.items[0], 0, "dial_plan", "Global");
    assert_string_equal(run.steps.items[0]->predicted->lync_dial_plan[0]->rule[0], RULE);
    assert_string_equal(run.steps.items[0]->predicted->lync_dial_plan[0]->rule[1], KEEP_ALL);
    assert_string_equal(run.steps.items[0]->original->lync_dial_plan[0]->rule[0], KEEP_ALL);
    w_end(&run);
    umx_world_free(next);

    /* Two plans of one length cannot share a Lync plan with two prefixes; of two lengths they can. */
    static const char *const two[] = {"lync-dial-plans.prefix=Berlin:+49301234,Munich:+49891234",
                                      "lync-dial-plans.scope=site", NULL};
    w_plan(world, W_EX, "Munich");
    W_EDIT(world)->dial_plan[1]->has_digits = 1;
    W_EDIT(world)->dial_plan[1]->digits = 4;
    assert_int_equal(w_plan_rows(&run, world, SLUG, two, NULL), UMX_E_CONFLICT);
    w_end(&run);
    umx_world_free(w_plan_twice(&run, world, SLUG, site, NULL));
    assert_int_equal(run.steps.count, 1);
    w_end(&run);
    W_EDIT(world)->dial_plan[1]->digits = 3;
    next = w_plan_twice(&run, world, SLUG, two, NULL);
    assert_int_equal(run.steps.count, 2);
    assert_int_equal(umx_world_records(next)->lync_dial_plan[0]->n_rule, 3);
    w_end(&run);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_prefix_is_needed(void **state)
{
    static const char *const leave[] = {"lync-dial-plans.rules=leave", NULL};
    static const char *const too_long[] = {"lync-dial-plans.prefix=+493012345678", NULL};
    static const char *const foreign[] = {"lync-dial-plans.prefix=Paris:+331", NULL};
    struct umx_world *world = world_of(14, 0);
    struct w_run run;

    (void)state;
    assert_int_equal(w_plan_rows(&run, world, SLUG, NULL, NULL), UMX_E_CONFLICT);
    assert_int_equal(run.err.id, UMX_ERR_PLAN_BLOCKED);
    assert_non_null(strstr(umx_error_why(&run.err), "lync-dial-plans.prefix=Berlin:+NUMBER"));
    w_end(&run);
    assert_int_equal(w_plan_rows(&run, world, SLUG, too_long, NULL), UMX_E_ARGUMENT);
    w_end(&run);
    assert_int_equal(w_plan_rows(&run, world, SLUG, foreign, NULL), UMX_E_ARGUMENT);
    w_end(&run);
    assert_int_equal(w_plan_rows(&run, world, SLUG, leave, NULL), 0);
    assert_int_equal(run.steps.count, 1);
    w_end(&run);
    umx_world_free(world);
}

static void test_use_a_plan(void **state)
{
    static const char *const use[] = {"lync-dial-plans.use=Berlin:Site:Berlin", "lync-dial-plans.prefix=+49301234",
                                      NULL};
    struct umx_world *world = world_of(14, 0);
    struct w_run run;

    (void)state;
    umx_world_free(w_plan_twice(&run, world, SLUG, use, NULL));
    assert_string_equal(run.steps.items[0]->change->action->action, "new-cs-dial-plan");
    w_item(run.steps.items[0], 0, "identity", "Site:Berlin");
    w_end(&run);
    lync_plan(world, "Site:Berlin", "Old", RULE);
    struct umx_world *next = w_plan_twice(&run, world, SLUG, use, NULL);
    assert_int_equal(run.steps.count, 1);
    assert_string_equal(run.steps.items[0]->change->action->action, "set-cs-dial-plan");
    assert_string_equal(run.steps.items[0]->original->lync_dial_plan[0]->simple_name, "Old");
    assert_non_null(strstr(run.steps.items[0]->change->action->undo_item[0], "@result.previous_simple_name"));
    w_end(&run);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_site_scope(void **state)
{
    static const char *const site[] = {"lync-dial-plans.scope=site", "lync-dial-plans.prefix=+49301234", NULL};
    struct umx_world *world = world_of(14, 0);
    struct w_run run;

    (void)state;
    assert_int_equal(w_plan_rows(&run, world, SLUG, site, NULL), UMX_E_CONFLICT); /* no site is known */
    w_end(&run);
    w_member(world, "pool1.lync.test", "fe1.lync.test", "");
    W_EDIT(world)->lync_pool_member[0]->site = w_s("Berlin");
    umx_world_free(w_plan_twice(&run, world, SLUG, site, NULL));
    w_item(run.steps.items[0], 0, "identity", "Site:Berlin");
    w_end(&run);
    lync_plan(world, "Site:Berlin", "Old", RULE);
    assert_int_equal(w_plan_rows(&run, world, SLUG, site, NULL), UMX_E_CONFLICT); /* it has a plan: say `use` */
    w_end(&run);
    umx_world_free(world);
}

static void test_names_that_cannot_match(void **state)
{
    struct umx_world *world = world_of(14, 0);
    struct w_run run;

    (void)state;
    W_EDIT(world)->dial_plan[0]->phone_context = w_s("Berlin, Mitte.exchange.test");
    assert_int_equal(w_plan_rows(&run, world, SLUG, prefix, NULL), 0);
    assert_int_equal(run.steps.count, 0);
    assert_true(w_noted(&run, "(F8.1)"));
    w_end(&run);
    umx_world_free(world);
}

static void test_free_identity(void **state)
{
    struct umx_world *world = world_of(14, 0);
    struct w_run run;

    (void)state;
    lync_plan(world, "Tag:Berlin", "Something", NULL);
    umx_world_free(w_plan_twice(&run, world, SLUG, prefix, NULL));
    w_item(run.steps.items[0], 0, "identity", "Tag:Berlin-2");
    w_end(&run);
    umx_world_free(world);
}

static void test_options(void **state)
{
    static const char *const bad[] = {
        "lync-dial-plans.scope=global",
        "lync-dial-plans.rules=no",
        "lync-dial-plans.prefix=4930",
        "lync-dial-plans.prefix=+0930",
        "lync-dial-plans.prefix=",
        "lync-dial-plans.prefix=Berlin:",
        "lync-dial-plans.prefix=:+4930",
        "lync-dial-plans.use=Berlin",
        "lync-dial-plans.use=Berlin:Site:",
        "lync-dial-plans.use=Berlin:NoScope",
        "lync-dial-plans.use=Berlin:Tag:x'; y",
    };
    struct umx_world *world = world_of(15, 0);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const options[] = {bad[i], NULL};
        struct w_run run;
        assert_int_equal(w_plan_rows(&run, world, SLUG, options, NULL), UMX_E_ARGUMENT);
        if (run.err.id != UMX_ERR_OPTION_INVALID)
            fail_msg("%s: %d", bad[i], run.err.id);
        w_end(&run);
    }
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_by_version),    cmocka_unit_test(test_name_match),
        cmocka_unit_test(test_old_reports),        cmocka_unit_test(test_which_plan_applies),
        cmocka_unit_test(test_normalization),      cmocka_unit_test(test_make_the_matching_plan),
        cmocka_unit_test(test_gate_without_agent), cmocka_unit_test(test_rules_where_no_name_matters),
        cmocka_unit_test(test_prefix_is_needed),   cmocka_unit_test(test_use_a_plan),
        cmocka_unit_test(test_site_scope),         cmocka_unit_test(test_names_that_cannot_match),
        cmocka_unit_test(test_free_identity),      cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

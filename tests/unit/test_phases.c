/* The registry, options, pairs, states, the fold's refusals, and the generated documentation. */
#include "worlds.h"

#include <stdio.h>
#include <stdlib.h>

static void test_registry(void **state)
{
    static const char *const slugs[] = {"forests",    "certificates",     "dial-plans",  "dial-plan-security",
                                        "um-servers", "sip-addresses",    "exchucutil",  "lync-dial-plans",
                                        "ocsumutil",  "enterprise-voice", "um-mailboxes"};

    (void)state;
    for (int i = 0; i < UMX_PHASE_COUNT; i++) {
        const struct umx_phase *phase = &umx_phases()[i];
        assert_int_equal(phase->number, i + 1);
        assert_string_equal(phase->slug, slugs[i]);
        assert_ptr_equal(umx_phase(slugs[i]), phase);
        assert_non_null(phase->documentation[0]);
        assert_true(phase->title[0] != '\0' && phase->writes[0] != '\0');
        assert_true((phase->check == NULL) == (phase->checks == NULL));
    }
    assert_null(umx_phase("nothing"));
    assert_non_null(umx_phase("forests")->plan);
    assert_non_null(umx_phase("exchucutil")->plan);
}

static void test_check_ids(void **state)
{
    (void)state;
    for (int i = 0; i < UMX_PHASE_COUNT; i++) {
        const struct umx_phase *phase = &umx_phases()[i];
        bool core = false;
        for (const struct umx_phase_check *check = phase->checks; check != NULL && check->id != NULL; check++) {
            size_t slug = strlen(phase->slug);
            assert_memory_equal(check->id, phase->slug, slug);
            assert_int_equal(check->id[slug], '/');
            assert_true(check->spec[0] != '\0' && check->question[0] != '\0');
            assert_non_null(check->run);
            core = core || check->core;
            for (const struct umx_phase_check *other = phase->checks; other != check; other++)
                assert_string_not_equal(other->id, check->id);
        }
        assert_true(phase->checks == NULL || core);
    }
}

static void test_info(void **state)
{
    struct umx_arena *arena = umx_arena_new(65536);
    Umx__PhaseInfo *info;

    (void)state;
    umx_phase_info(umx_phase("dial-plans"), arena, &info);
    assert_non_null(info);
    assert_int_equal(info->number, 3);
    assert_string_equal(info->documentation[1],
                        "2010: Create a UM Dial Plan https://go.microsoft.com/fwlink/p/?LinkId=268674");
    assert_null(strstr(info->writes, "cannot observe"));
    umx_phase_info(umx_phase("exchucutil"), arena, &info);
    assert_int_equal(info->n_option, 4);
    assert_memory_equal(info->option[0], "exchucutil.mode=safe-mesh | safe-map | faithful: ", 49);
    assert_non_null(strstr(info->groups, "lync: rtc_server_admins"));
    umx_arena_free(arena);
}

static int plan_with(const char *option, struct w_run *run)
{
    static const char *const slugs[] = {"exchucutil", NULL};
    const char *options[] = {option, NULL};
    struct umx_world *world = world_pair();
    int rc = w_plan_phases(run, world, slugs, options);

    umx_world_free(world);
    return rc;
}

static void test_options(void **state)
{
    static const struct {
        const char *text;
        int id;
    } rows[] = {
        {"exchucutil.mode=safe-mesh", 0},
        {"exchucutil.mode=reckless", UMX_ERR_OPTION_INVALID},
        {"exchucutil.mode", UMX_ERR_OPTION_INVALID},
        {"mode=safe-mesh", UMX_ERR_OPTION_INVALID},
        {"exchucutil.colour=red", UMX_ERR_OPTION_UNKNOWN},
        {"exchange.mode=safe-mesh", UMX_ERR_OPTION_UNKNOWN},
        {"forests.trust=strict", UMX_ERR_OPTION_UNKNOWN}, /* not a phase of this plan */
        {"ocsumutil.mode=x", UMX_ERR_OPTION_UNKNOWN},
        {"exchucutil.pools=pool1.lync.test,", UMX_ERR_OPTION_INVALID},
        {"exchucutil.pools=pool1.lync.test:x", UMX_ERR_OPTION_INVALID},
        {"exchucutil.hunt-map=pool1.lync.test", UMX_ERR_OPTION_INVALID},
        {"exchucutil.hunt-map=:Berlin", UMX_ERR_OPTION_INVALID},
        {"exchucutil.outdial=", UMX_ERR_OPTION_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct w_run run;
        int rc = plan_with(rows[i].text, &run);
        if (run.err.id != rows[i].id)
            fail_msg("%s: %d", rows[i].text, run.err.id);
        assert_true((rc == 0) == (rows[i].id == 0));
        w_end(&run);
    }
}

static void test_an_option_twice(void **state)
{
    static const char *const slugs[] = {"exchucutil", NULL};
    static const char *const options[] = {"exchucutil.mode=faithful", "exchucutil.mode=safe-mesh", NULL};
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    assert_int_equal(w_plan_phases(&run, world, slugs, options), UMX_E_ARGUMENT);
    assert_non_null(strstr(run.err.why, "twice"));
    w_end(&run);
    umx_world_free(world);
}

static void test_pairs(void **state)
{
    struct umx_world *world = world_pair();
    struct umx_arena *arena = umx_arena_new(65536);
    size_t count;

    (void)state;
    w_forest(world, "other.test", UMX__FOREST__SIDE__EXCHANGE, "DC=other,DC=test", "S-1-5-21-3-3-3", "OTHER");
    w_forest(world, "both.test", UMX__FOREST__SIDE__BOTH, "DC=both,DC=test", "S-1-5-21-4-4-4", "BOTH");
    const struct umx_pair *pairs = umx_phase_pairs(umx_world_records(world), arena, &count);
    assert_int_equal(count, 3 * 2);
    bool single = false;
    for (size_t i = 0; i < count; i++) {
        assert_string_not_equal(pairs[i].exchange, W_LY);
        assert_string_not_equal(pairs[i].lync, W_EX);
        single = single || strcmp(pairs[i].exchange, pairs[i].lync) == 0;
    }
    assert_true(single);
    umx_arena_free(arena);
    umx_world_free(world);
}

static void test_unknown_pairs(void **state)
{
    static const struct umx_pair wrong[] = {{W_EX, "nowhere.test"}, {W_LY, W_EX}, {W_EX, W_EX}};
    struct umx_world *world = world_pair();
    const struct umx_phase *phase = umx_phase("forests");

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct w_run run;
        w_begin(&run, NULL);
        assert_int_equal(
            umx_phases_check(umx_world_records(world), &phase, 1, &wrong[i], 1, NULL, &run.findings, &run.err),
            UMX_E_ARGUMENT);
        assert_int_equal(run.err.id, UMX_ERR_PAIR_UNKNOWN);
        w_end(&run);
    }
    /* Names of forests have no case. */
    const struct umx_pair shouted = {"EXCHANGE.TEST", "Lync.Test"};
    struct w_run run;
    w_begin(&run, NULL);
    assert_int_equal(umx_phases_check(umx_world_records(world), &phase, 1, &shouted, 1, NULL, &run.findings, &run.err),
                     0);
    assert_string_equal(w_finding(&run, "forests/separate", NULL)->exchange, W_EX);
    w_end(&run);
    umx_world_free(world);
}

static void test_one_forest_findings_are_not_repeated(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;
    size_t count = 0;

    (void)state;
    w_forest(world, "other.test", UMX__FOREST__SIDE__EXCHANGE, "DC=other,DC=test", "S-1-5-21-3-3-3", "OTHER");
    w_check(&run, world, "forests", NULL);
    for (size_t i = 0; i < run.findings.count; i++)
        count += strcmp(run.findings.items[i]->id, "forests/lync-users") == 0;
    assert_int_equal(count, 1);
    /* It counts for both pairs all the same. */
    const struct umx_pair second = {"other.test", W_LY};
    assert_true(umx_phase_state(umx_phase("forests"), &second, &run.findings, run.arena)->pass > 0);
    assert_int_equal(umx_phase_state(umx_phase("forests"), &second, &run.findings, run.arena)->state,
                     UMX__PHASE_STATE__STATE__PARTIAL);
    w_end(&run);
    umx_world_free(world);
}

static Umx__PhaseState__State state_of(const Umx__Finding__Status *statuses, const char *const *ids, size_t count)
{
    Umx__Finding findings[8];
    Umx__Finding *items[8];
    const struct umx_pair pair = {W_EX, W_LY};
    struct umx_arena *arena = umx_arena_new(65536);

    for (size_t i = 0; i < count; i++) {
        umx__finding__init(&findings[i]);
        findings[i].id = w_s(ids[i]);
        findings[i].phase = w_s("exchucutil");
        findings[i].exchange = w_s(W_EX);
        findings[i].lync = w_s(W_LY);
        findings[i].has_status = 1;
        findings[i].status = statuses[i];
        items[i] = &findings[i];
    }
    const struct umx_findings list = {.items = items, .count = count};
    Umx__PhaseState__State result = umx_phase_state(umx_phase("exchucutil"), &pair, &list, arena)->state;
    umx_arena_free(arena);
    return result;
}

static void test_states(void **state)
{
    static const char *const ids[] = {"exchucutil/gateways", "exchucutil/read-test"}; /* core, and not */
    static const struct {
        Umx__Finding__Status core, other;
        Umx__PhaseState__State expected;
    } rows[] = {
        {W_PASS, W_PASS, UMX__PHASE_STATE__STATE__DONE},
        {W_WARN, W_PASS, UMX__PHASE_STATE__STATE__DONE},
        {W_PASS, W_UNKNOWN, UMX__PHASE_STATE__STATE__DONE},
        {W_PASS, W_FAIL, UMX__PHASE_STATE__STATE__PARTIAL},
        {W_FAIL, W_PASS, UMX__PHASE_STATE__STATE__MISSING},
        {W_FAIL, W_UNKNOWN, UMX__PHASE_STATE__STATE__MISSING},
        {W_UNKNOWN, W_PASS, UMX__PHASE_STATE__STATE__UNKNOWN},
        {W_UNKNOWN, W_FAIL, UMX__PHASE_STATE__STATE__PARTIAL},
        {W_NOT_APPLICABLE, W_NOT_APPLICABLE, UMX__PHASE_STATE__STATE__NOT_APPLICABLE},
        {W_NOT_APPLICABLE, W_PASS, UMX__PHASE_STATE__STATE__DONE},
        {W_NOT_APPLICABLE, W_UNKNOWN, UMX__PHASE_STATE__STATE__UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const Umx__Finding__Status statuses[] = {rows[i].core, rows[i].other};
        assert_int_equal(state_of(statuses, ids, 2), rows[i].expected);
    }
    assert_int_equal(state_of(NULL, ids, 0), UMX__PHASE_STATE__STATE__UNKNOWN);
}

static void test_both_phases_fold(void **state)
{
    static const char *const slugs[] = {"exchucutil", "forests", NULL}; /* the order of numbers decides */
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_remove_trusts(world, W_LY);
    w_remove_trusts(world, W_EX);
    assert_int_equal(w_plan_phases(&run, world, slugs, NULL), 0);
    assert_string_equal(run.steps.items[0]->phase, "forests");
    assert_string_equal(run.steps.items[run.steps.count - 1]->phase, "exchucutil");
    assert_int_equal(umx_world_records(world)->n_ip_gateway, 0); /* the world itself is not touched */
    w_end(&run);
    umx_world_free(world);
}

static void test_apply_refuses_a_step_without_change(void **state)
{
    struct umx_world *world = world_pair();
    Umx__PlanStep step = UMX__PLAN_STEP__INIT;
    struct umx_error err = {0};

    (void)state;
    step.id = w_s("s1");
    assert_int_equal(umx_phase_apply(world, &step, &err), UMX_E_INTERNAL);
    umx_world_free(world);
}

/* That docs/checks.md is current is the business of tests/generated-documents. */
static void test_generated_documentation(void **state)
{
    struct umx_text text = {0};

    (void)state;
    umx_phases_doc_checks(&text);
    assert_false(text.failed);
    assert_non_null(strstr(umx_text_string(&text), "| forests/trust-direction | V1B.2 |"));
    umx_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_check_ids),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_an_option_twice),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_unknown_pairs),
        cmocka_unit_test(test_one_forest_findings_are_not_repeated),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_both_phases_fold),
        cmocka_unit_test(test_apply_refuses_a_step_without_change),
        cmocka_unit_test(test_generated_documentation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

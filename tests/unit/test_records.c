#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>
#include <cmocka.h>

#include "phases/build.h"
#include "phases/records.h"

static char *one[] = {(char *)(uintptr_t) "CN=A,DC=x"};
static char *two[] = {(char *)(uintptr_t) "CN=A,DC=x", (char *)(uintptr_t) "CN=B,DC=x"};

static Umx__ExchangeServer server_with(char **plans, size_t count, int mode)
{
    Umx__ExchangeServer server = UMX__EXCHANGE_SERVER__INIT;

    server.forest = (char *)(uintptr_t) "x.test";
    server.dn = (char *)(uintptr_t) "CN=um1,DC=x";
    server.dial_plan_dn = plans;
    server.n_dial_plan_dn = count;
    server.has_um_startup_mode = mode >= 0;
    server.um_startup_mode = mode;
    return server;
}

static struct umx_steps steps;
static struct umx_world *world;

static int set_up(void **state)
{
    (void)state;
    memset(&steps, 0, sizeof steps);
    steps.arena = umx_arena_new(1024 * 1024);
    world = umx_world_new(1000);
    Umx__ExchangeServer server = server_with(one, 1, 0);
    return steps.arena == NULL || world == NULL || umx_world_add(world, &server.base, NULL) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    umx_world_free(world);
    umx_arena_free(steps.arena);
    return 0;
}

/* A promise becomes true by applying it; before, each broken one is named with what is and what was expected. */
static void promise_is_kept_after_apply(void **state)
{
    struct umx_text lines = {0};
    Umx__ExchangeServer promised = server_with(two, 2, 2);
    Umx__PlanStep *step =
        umx_step_wait(&steps, "um-servers", UMX__FOREST__SIDE__EXCHANGE, "x.test", "visible", "um1", 60);

    (void)state;
    umx_step_promise(&steps, step, umx_world_records(world), &promised.base);
    assert_false(steps.failed);
    assert_int_equal(umx_records_differences(umx_world_records(world), step->predicted, NULL, &lines), 1);
    assert_non_null(strstr(lines.data, "exchange_server x.test CN=um1,DC=x: "));
    assert_int_equal(umx_records_differences(umx_world_records(world), step->original, NULL, &lines), 0);
    assert_int_equal(umx_phase_apply(world, step, NULL), 0);
    assert_int_equal(umx_records_differences(umx_world_records(world), step->predicted, NULL, &lines), 0);
    assert_int_equal(umx_records_differences(umx_world_records(world), step->original, NULL, &lines), 1);
    assert_int_equal(umx_world_records(world)->exchange_server[0]->n_dial_plan_dn, 2);
    assert_int_equal(umx_world_records(world)->exchange_server[0]->changed_at, 1000);
    umx_text_free(&lines);
}

/* `original` has the fields of the promise and no other: a change beside them moves nothing. */
static void original_is_as_narrow_as_the_promise(void **state)
{
    Umx__ExchangeServer promised = server_with(NULL, 0, 2);
    Umx__PlanStep *step =
        umx_step_wait(&steps, "um-servers", UMX__FOREST__SIDE__EXCHANGE, "x.test", "visible", "um1", 60);

    (void)state;
    umx_step_promise(&steps, step, umx_world_records(world), &promised.base);
    assert_int_equal(step->original->n_exchange_server, 1);
    assert_int_equal(step->original->exchange_server[0]->n_dial_plan_dn, 0);
    assert_true(step->original->exchange_server[0]->has_um_startup_mode);
    assert_int_equal(step->original->exchange_server[0]->um_startup_mode, 0);
}

static void added_and_removed_records(void **state)
{
    struct umx_text lines = {0};
    Umx__DialPlan plan = UMX__DIAL_PLAN__INIT;
    Umx__ExchangeServer server = server_with(NULL, 0, -1);
    Umx__PlanStep *step =
        umx_step_wait(&steps, "dial-plans", UMX__FOREST__SIDE__EXCHANGE, "x.test", "visible", "um1", 60);

    (void)state;
    plan.forest = (char *)(uintptr_t) "x.test";
    plan.dn = (char *)(uintptr_t) "CN=New, DC=x";
    umx_step_promise(&steps, step, umx_world_records(world), &plan.base);
    umx_step_remove(&steps, step, umx_world_records(world), &server.base);
    assert_null(step->original->dial_plan);
    assert_int_equal(step->original->exchange_server[0]->n_dial_plan_dn, 1);
    assert_int_equal(umx_records_differences(umx_world_records(world), step->predicted, step->removed, &lines), 2);
    assert_non_null(strstr(lines.data, "dial_plan x.test CN=New, DC=x is not there\n"));
    assert_non_null(strstr(lines.data, "exchange_server x.test CN=um1,DC=x is still there\n"));
    assert_int_equal(umx_phase_apply(world, step, NULL), 0);
    assert_int_equal(umx_records_differences(umx_world_records(world), step->predicted, step->removed, NULL), 0);
    assert_int_equal(umx_world_records(world)->n_exchange_server, 0);
    assert_int_equal(umx_world_records(world)->n_dial_plan, 1);
    umx_text_free(&lines);
}

static void items_are_json(void **state)
{
    const char *item = umx_item(&steps, "name", "B\xc3\xbcro \"1\"", "policy", NULL, "digits", "5", NULL);

    (void)state;
    assert_string_equal(item, "{\"digits\":\"5\",\"name\":\"B\xc3\xbcro \\\"1\\\"\"}");
}

/* A primary address is another promise than the same one as a secondary; what stands behind the type has no case. */
static void type_of_an_address_counts(void **state)
{
    static const struct {
        const char *have, *want;
        size_t differences;
    } rows[] = {
        {"EUM:ann@x.test;phone-context=P.x.test", "EUM:Ann@X.test;phone-context=p.x.test", 0},
        {"eum:ann@x.test;phone-context=P.x.test", "EUM:ann@x.test;phone-context=P.x.test", 1},
        {"EUM:1234;phone-context=P.x.test", "eum:1234;phone-context=P.x.test", 1},
        {"eum:1234;phone-context=P.x.test", "eum:1234;phone-context=P.X.TEST", 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_text lines = {0};
        char *have[] = {(char *)(uintptr_t)rows[i].have}, *want[] = {(char *)(uintptr_t)rows[i].want};
        Umx__MailboxUser user = UMX__MAILBOX_USER__INIT;
        struct umx_world *there = umx_world_new(1000);
        user.forest = (char *)(uintptr_t) "x.test";
        user.dn = (char *)(uintptr_t) "CN=ann,DC=x";
        user.n_proxy_address = 1;
        user.proxy_address = have;
        assert_int_equal(umx_world_add(there, &user.base, NULL), 0);
        user.proxy_address = want;
        Umx__PlanStep *step =
            umx_step_wait(&steps, "sip-addresses", UMX__FOREST__SIDE__EXCHANGE, "x.test", "visible", "um1", 60);
        umx_step_promise(&steps, step, umx_world_records(there), &user.base);
        assert_int_equal(umx_records_differences(umx_world_records(there), step->predicted, NULL, &lines),
                         rows[i].differences);
        umx_text_free(&lines);
        umx_world_free(there);
    }
}

/* One write that makes a secondary address the primary one, as the fold sees it: the directory compares without case,
 * takes the old value away and has the new one. */
static void address_becomes_primary(void **state)
{
    char *have[] = {(char *)(uintptr_t) "eum:1234;phone-context=P.x.test", (char *)(uintptr_t) "SMTP:ann@x.test"};
    Umx__MailboxUser user = UMX__MAILBOX_USER__INIT;
    (void)state;

    user.forest = (char *)(uintptr_t) "x.test";
    user.dn = (char *)(uintptr_t) "CN=ann,DC=x";
    user.n_proxy_address = 2;
    user.proxy_address = have;
    assert_int_equal(umx_world_add(world, &user.base, NULL), 0);
    Umx__PlanStep *step = umx_step_write(&steps, "sip-addresses", UMX__FOREST__SIDE__EXCHANGE, "x.test",
                                         UMX__CHANGE__KIND__MODIFY, "CN=ann,DC=x", NULL);
    umx_step_remove_value(&steps, step, "proxyAddresses", "eum:1234;phone-context=P.x.test", false);
    umx_step_add_value(&steps, step, "proxyAddresses", "EUM:1234;phone-context=P.x.test", false);
    assert_int_equal(umx_phase_apply(world, step, NULL), 0);
    const Umx__MailboxUser *now = umx_world_records(world)->mailbox_user[0];
    assert_int_equal(now->n_proxy_address, 2);
    assert_string_equal(now->proxy_address[0], "SMTP:ann@x.test");
    assert_string_equal(now->proxy_address[1], "EUM:1234;phone-context=P.x.test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(promise_is_kept_after_apply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(original_is_as_narrow_as_the_promise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_and_removed_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(items_are_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(type_of_an_address_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(address_becomes_primary, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

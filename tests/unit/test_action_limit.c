/* Neither side of a batch gives up before the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/action_limit.h"
#include "base/clock.h"

#define ORDINARY (15 * UMX_MINUTE)

static void test_ordinary(void **state)
{
    (void)state;
    assert_int_equal(umx_action_limit("set-cs-user", ORDINARY), ORDINARY);
    assert_int_equal(umx_action_deadline("set-cs-user", 256, ORDINARY), ORDINARY);
    assert_int_equal(umx_action_limit(NULL, ORDINARY), ORDINARY);
    assert_int_equal(umx_action_deadline(NULL, 1, ORDINARY), ORDINARY);
}

/* The controller waits longer for each item than the agent lets it take. */
static void test_front_end(void **state)
{
    const int64_t limit = umx_action_limit("restart-front-end", ORDINARY);

    (void)state;
    assert_int_equal(limit, 30 * UMX_MINUTE);
    assert_true(umx_action_deadline("restart-front-end", 1, ORDINARY) > limit);
    assert_true(umx_action_deadline("restart-front-end", 3, ORDINARY) > 3 * limit);
    assert_int_equal(umx_action_limit("restart-front-end", UMX_HOUR), UMX_HOUR);
    assert_int_equal(umx_action_deadline("restart-front-end", 1, UMX_HOUR), UMX_HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary),
        cmocka_unit_test(test_front_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

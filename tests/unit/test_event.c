/* When the loss of the controller is told, and its return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/event.h"
#include "base/clock.h"

#define START (1000 * UMX_SECOND)

static void the_first_connection_and_a_long_absence_are_told_once(void **state)
{
    struct umx_presence presence = {0};

    (void)state;
    assert_int_equal(umx_presence_look(&presence, false, START), UMX_EVENT_NONE);
    assert_int_equal(umx_presence_look(&presence, true, START + 1), UMX_EVENT_CONNECTED);
    assert_int_equal(umx_presence_look(&presence, true, START + 2), UMX_EVENT_NONE);
    assert_int_equal(umx_presence_look(&presence, false, START + 3), UMX_EVENT_NONE);
    assert_int_equal(umx_presence_look(&presence, false, START + 2 + UMX_MINUTE), UMX_EVENT_NONE);
    assert_int_equal(umx_presence_look(&presence, false, START + 3 + UMX_MINUTE), UMX_EVENT_DISCONNECTED);
    assert_int_equal(umx_presence_look(&presence, false, START + UMX_HOUR), UMX_EVENT_NONE);
    assert_int_equal(umx_presence_look(&presence, true, START + UMX_HOUR), UMX_EVENT_CONNECTED);
}

static void who_comes_and_goes_is_not_told(void **state)
{
    struct umx_presence presence = {0};

    (void)state;
    assert_int_equal(umx_presence_look(&presence, true, START), UMX_EVENT_CONNECTED);
    for (int i = 1; i < 100; i++) {
        assert_int_equal(umx_presence_look(&presence, false, START + 2 * i * UMX_MINUTE - UMX_SECOND), UMX_EVENT_NONE);
        assert_int_equal(umx_presence_look(&presence, true, START + 2 * i * UMX_MINUTE), UMX_EVENT_NONE);
    }
}

static void a_controller_that_was_never_there_is_told(void **state)
{
    struct umx_presence presence = {0};

    (void)state;
    assert_int_equal(umx_presence_look(&presence, false, START), UMX_EVENT_NONE);
    assert_int_equal(umx_presence_look(&presence, false, START + UMX_MINUTE), UMX_EVENT_DISCONNECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_connection_and_a_long_absence_are_told_once),
        cmocka_unit_test(who_comes_and_goes_is_not_told),
        cmocka_unit_test(a_controller_that_was_never_there_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void tests_own_the_wall_clock(void **state)
{
    (void)state;
    umx_clock_set(INT64_C(1769896800000000));
    assert_true(umx_clock_now() == INT64_C(1769896800000000));
    umx_clock_set(0);
    int64_t now = umx_clock_now();
    assert_true(now / UMX_SECOND - time(NULL) >= -1 && now / UMX_SECOND - time(NULL) <= 1);
    int64_t before = umx_clock_monotonic();
    assert_true(umx_clock_monotonic() >= before);
}

static void formats(void **state)
{
    static const struct {
        int64_t at;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {INT64_C(1769896800000000), "2026-01-31T22:00:00Z"},
        {INT64_C(1769896800000001), "2026-01-31T22:00:00.000001Z"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00Z"},
        {INT64_C(-62167219200000000), "0000-01-01T00:00:00Z"},
        {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
        {INT64_C(253402300800000000), "9999-12-31T23:59:59Z"}, /* beyond RFC 3339: the nearest end */
        {INT64_MAX, "9999-12-31T23:59:59Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z"},
    };
    char buf[UMX_CLOCK_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(umx_clock_format(cases[i].at, buf), cases[i].text);
}

/* Against the C library, over 30,000 days and odd times of day; and back. */
static void agrees_with_the_library(void **state)
{
    (void)state;
    for (int64_t day = -10000; day < 20000; day++) {
        time_t seconds = (time_t)(day * 86400 + day * 7919 % 86400);
        struct tm broken;
        char expected[UMX_CLOCK_TEXT];
        char buf[UMX_CLOCK_TEXT];
        int64_t back;
        assert_non_null(gmtime_r(&seconds, &broken));
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &broken);
        assert_string_equal(umx_clock_format((int64_t)seconds * UMX_SECOND, buf), expected);
        assert_int_equal(umx_clock_parse(buf, &back), 0);
        assert_true(back == (int64_t)seconds * UMX_SECOND);
    }
}

static void parses(void **state)
{
    static const struct {
        const char *text;
        int64_t at;
    } good[] = {
        {"2026-01-31T22:00:00Z", INT64_C(1769896800000000)},
        {"2026-01-31t22:00:00z", INT64_C(1769896800000000)},
        {"2026-01-31 23:00:00+01:00", INT64_C(1769896800000000)},
        {"2026-01-31T16:30:00-05:30", INT64_C(1769896800000000)},
        {"2026-01-31T22:00:00.5Z", INT64_C(1769896800500000)},
        {"2026-01-31T22:00:00.123456789Z", INT64_C(1769896800123456)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)}, /* a leap second is the next one */
    };
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-01-31",
                                      "2026-01-31T22:00:00",
                                      "2026-01-31T22:00Z",
                                      "2026-1-31T22:00:00Z",
                                      "2026-02-29T22:00:00Z",
                                      "1900-02-29T00:00:00Z",
                                      "2026-04-31T22:00:00Z",
                                      "2026-13-01T22:00:00Z",
                                      "2026-00-01T22:00:00Z",
                                      "2026-01-00T22:00:00Z",
                                      "2026-01-31T24:00:00Z",
                                      "2026-01-31T22:60:00Z",
                                      "2026-01-31T22:00:61Z",
                                      "2026-01-31T22:00:00.Z",
                                      "2026-01-31T22:00:00+0100",
                                      "2026-01-31T22:00:00+24:00",
                                      "2026-01-31T22:00:00Zx",
                                      " 2026-01-31T22:00:00Z",
                                      "-026-01-31T22:00:00Z"};
    int64_t at;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(umx_clock_parse(good[i].text, &at), 0);
        assert_true(at == good[i].at);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (umx_clock_parse(bad[i], &at) == 0)
            fail_msg("%s was taken for a time", bad[i]);
}

static void parses_generalized_time(void **state)
{
    static const char *const bad[] = {"",
                                      "20260131220000",
                                      "20260131220000.0",
                                      "2026013122000Z",
                                      "20260231220000Z",
                                      "20260131220000Zx",
                                      "20260131220000.Z"};
    int64_t at;

    (void)state;
    assert_int_equal(umx_clock_parse_generalized("20260131220000.0Z", &at), 0);
    assert_true(at == INT64_C(1769896800000000));
    assert_int_equal(umx_clock_parse_generalized("20260131220000Z", &at), 0);
    assert_true(at == INT64_C(1769896800000000));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(umx_clock_parse_generalized(bad[i], &at), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tests_own_the_wall_clock), cmocka_unit_test(formats),
        cmocka_unit_test(agrees_with_the_library),  cmocka_unit_test(parses),
        cmocka_unit_test(parses_generalized_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

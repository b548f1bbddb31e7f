#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "cli/args.h"
#include "cli/when.h"

static const struct umx_option options[] = {
    {"--phase", "PHASE", true, false, "phases"},
    {"--forest", "FOREST", false, true, "the forest"},
    {"--diff", NULL, false, false, "difference"},
    {0},
};
static const struct umx_option globals[] = {{"-o", "FORMAT", false, false, "format"}, {0}};

static struct umx_args args;

static int parse(const char *pattern, struct umx_error *err, size_t count, const char *const *words)
{
    return umx_args_parse(options, globals, pattern, words, count, true, &args, err);
}

#define PARSE(pattern, err, ...)                                                                                       \
    parse(pattern, err, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *),                             \
          (const char *const[]){__VA_ARGS__})

static void options_and_operands_in_any_order(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(PARSE("NAME", &err, "--phase", "a", "plan1", "--forest=x=y", "--phase=b", "-o", "json", "--diff"),
                     0);
    assert_string_equal(umx_args_operand(&args, 0), "plan1");
    assert_null(umx_args_operand(&args, 1));
    assert_string_equal(umx_args_nth(&args, "--phase", 0), "a");
    assert_string_equal(umx_args_nth(&args, "--phase", 1), "b");
    assert_null(umx_args_nth(&args, "--phase", 2));
    assert_string_equal(umx_args_value(&args, "--forest"), "x=y");
    assert_string_equal(umx_args_value(&args, "-o"), "json");
    assert_true(umx_args_flag(&args, "--diff"));
}

static void wrong_lines_name_the_word(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(PARSE("NAME", &err, "p", "--forest", "f", "--nonsense"), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_USAGE);
    assert_string_equal(err.what, "--nonsense");
    assert_int_equal(PARSE("NAME", &err, "p", "--forest"), UMX_E_ARGUMENT);
    assert_string_equal(err.what, "--forest");
    assert_int_equal(PARSE("NAME", &err, "p", "--forest", "f", "--forest", "g"), UMX_E_ARGUMENT);
    assert_string_equal(err.what, "--forest");
    assert_int_equal(PARSE("NAME", &err, "p", "--forest", "f", "--diff=1"), UMX_E_ARGUMENT);
    assert_string_equal(err.what, "--diff");
    assert_int_equal(PARSE("NAME", &err, "p"), UMX_E_ARGUMENT); /* --forest is needed */
    assert_string_equal(err.what, "--forest");
    assert_int_equal(PARSE("NAME", &err, "--forest", "f"), UMX_E_ARGUMENT);
    assert_string_equal(err.what, "NAME");
    assert_int_equal(PARSE("NAME", &err, "--forest", "f", "p", "q"), UMX_E_ARGUMENT);
    assert_string_equal(err.what, "q");
}

static void patterns_of_operands(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(PARSE("[NAME]", &err, "--forest", "f"), 0);
    assert_int_equal(PARSE("[WORD...]", &err, "--forest", "f", "a", "b", "c"), 0);
    assert_int_equal(PARSE("", &err, "--forest", "f", "a"), UMX_E_ARGUMENT);
    assert_int_equal(PARSE("SQL", &err, "--forest", "f", "--", "--not-an-option"), 0);
    assert_string_equal(umx_args_operand(&args, 0), "--not-an-option");
    assert_int_equal(PARSE("FILE", &err, "--forest", "f", "-"), 0);
    assert_string_equal(umx_args_operand(&args, 0), "-");
}

static void more_words_than_the_maximum_are_refused(void **state)
{
    static const char *words[UMX_ARGS_MAX + 1];
    struct umx_error err = {0};

    (void)state;
    for (size_t i = 0; i < UMX_ARGS_MAX + 1; i++)
        words[i] = "x";
    assert_int_equal(umx_args_parse(NULL, NULL, NULL, words, UMX_ARGS_MAX + 1, true, &args, &err), UMX_E_ARGUMENT);
    assert_int_equal(umx_args_parse(NULL, NULL, NULL, words, UMX_ARGS_MAX, true, &args, &err), 0);
    assert_int_equal(args.operand_count, UMX_ARGS_MAX);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"0s", 0},         {"90s", 90},     {"30m", 1800},         {"8h", 28800},
                {"1d12h", 129600}, {"2w", 1209600}, {"1w1d1h1m1s", 694861}};
    static const char *const bad[] = {"",
                                      "8",
                                      "h",
                                      "8x",
                                      "-1h",
                                      "1h2d",
                                      "1h1h",
                                      "8 h",
                                      "8H",
                                      "1.5h",
                                      "99999999999999999999h",
                                      "3651d",
                                      "9223372036854775807s"};
    struct umx_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t duration = -1;
        assert_int_equal(umx_when_duration(good[i].text, &duration, &err), 0);
        assert_int_equal(duration, good[i].seconds * UMX_SECOND);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t duration;
        assert_int_equal(umx_when_duration(bad[i], &duration, &err), UMX_E_ARGUMENT);
        assert_int_equal(err.id, UMX_ERR_USAGE);
    }
}

static void times_are_absolute_or_from_now(void **state)
{
    const int64_t now = INT64_C(1769896800000000); /* 2026-01-31T22:00:00Z */
    struct umx_error err = {0};
    int64_t at;

    (void)state;
    assert_int_equal(umx_when_parse("8h", now, "--expires", &at, &err), 0);
    assert_int_equal(at, now + 8 * UMX_HOUR);
    assert_int_equal(umx_when_parse("2026-01-31T22:00:00Z", 0, "--expires", &at, &err), 0);
    assert_int_equal(at, now);
    assert_int_equal(umx_when_parse("tomorrow", now, "--expires", &at, &err), UMX_E_ARGUMENT);
    assert_string_equal(err.what, "--expires");
    assert_non_null(strstr(err.why, "tomorrow"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operands_in_any_order),
        cmocka_unit_test(wrong_lines_name_the_word),
        cmocka_unit_test(patterns_of_operands),
        cmocka_unit_test(more_words_than_the_maximum_are_refused),
        cmocka_unit_test(durations),
        cmocka_unit_test(times_are_absolute_or_from_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

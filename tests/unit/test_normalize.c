/* Normalisation rules: what they make of a number, and that hostile patterns end quickly. */
#include "worlds.h"

#include "phases/normalize.h"

static void test_translations(void **state)
{
    static const struct {
        const char *rule, *number, *result; /* NULL: no rule matches */
    } rows[] = {
        {"^(\\d{4})$\t+49301234$1", "5678", "+493012345678"},
        {"^(\\d{4})$\t+49301234$1", "56789", NULL},
        {"^(\\d{4})$\t+49301234$1", "", NULL},
        {"^0(\\d+)$\t+49$1", "0301234", "+49301234"},
        {"^(?<ext>\\d{3})$\t+4930${ext}", "123", "+4930123"},
        {"^(\\d)(\\d)(\\d)$\t$3$2$1", "123", "321"},
        {"^\\d{3}$\t+4930$&", "123", "+4930123"},
        {"^(\\d{3})$\t+4930${1}9", "123", "+49301239"},
        {"^(\\d{3})$\t$$$1", "123", "$123"},
        {"^(\\d{3})$\t$9$1", "123", "$9123"}, /* no such group: as it is written */
        {"^(\\d{3})$\t${no}$1", "123", "${no}123"},
        {"^(\\d{3})$\t$", "123", "$"},
        {"2\t+", "123", "1+3"},
        {"^(a)?\\d{3}$\tx$1", "123", "x"}, /* a group that took no part */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *rules[] = {w_s(rows[i].rule)};
        char out[UMX_NUMBER_MAX];
        size_t rule;
        enum umx_normalized rc = umx_normalize(rules, 1, rows[i].number, out, &rule);
        assert_int_equal(rc, rows[i].result != NULL ? UMX_NORMALIZED : UMX_NORMALIZED_NOTHING);
        assert_string_equal(out, rows[i].result != NULL ? rows[i].result : "");
    }
}

static void test_the_first_rule_decides(void **state)
{
    char *rules[] = {w_s("^9\t8"), w_s("^(\\d+)$\t$1"), w_s("^(\\d{4})$\t+4930$1")};
    char out[UMX_NUMBER_MAX];
    size_t rule;

    (void)state;
    assert_int_equal(umx_normalize(rules, 3, "1234", out, &rule), UMX_NORMALIZED);
    assert_string_equal(out, "1234");
    assert_int_equal(rule, 1);
    assert_int_equal(umx_normalize(rules, 0, "1234", out, &rule), UMX_NORMALIZED_NOTHING);
}

static void test_hostile_rules(void **state)
{
    static const char *const rules[] = {
        "no tab",
        "\tempty pattern",
        "(\tunbalanced",
        "^(((a{0,999}){0,999}){0,999}){0,999}$\tx",
        "^(1+1+)+1+2$\tx", /* exponential without limits */
        "^(?:(?:(?:1*)*)*)*2$\tx",
        "^(?R)$\tx",
        "\\C\tx",
        "(?(DEFINE)(?<a>1(?&a)1))^(?&a)$\tx",
    };
    char number[UMX_NUMBER_MAX];
    int64_t begun = umx_clock_monotonic();

    (void)state;
    memset(number, '1', sizeof number - 1);
    number[sizeof number - 1] = '\0';
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char *list[] = {w_s(rules[i])};
        char out[UMX_NUMBER_MAX];
        size_t rule;
        enum umx_normalized rc = umx_normalize(list, 1, number, out, &rule);
        if (rc == UMX_NORMALIZED)
            fail_msg("%s matched", rules[i]);
    }
    assert_true(umx_clock_monotonic() - begun < 2 * UMX_SECOND);
}

static void test_limits(void **state)
{
    char long_pattern[3000], out[UMX_NUMBER_MAX];
    char *many[501], *one[] = {long_pattern};
    size_t rule;

    (void)state;
    memset(long_pattern, '1', sizeof long_pattern);
    long_pattern[2000] = '\t';
    long_pattern[sizeof long_pattern - 1] = '\0';
    assert_int_equal(umx_normalize(one, 1, "1", out, &rule), UMX_NORMALIZED_NOT_KNOWN);
    memset(long_pattern + 2, 'x', sizeof long_pattern - 3); /* a translation that does not fit */
    long_pattern[1] = '\t';
    assert_int_equal(umx_normalize(one, 1, "1", out, &rule), UMX_NORMALIZED_NOT_KNOWN);
    for (size_t i = 0; i < 501; i++)
        many[i] = w_s("^2$\tx");
    assert_int_equal(umx_normalize(many, 500, "1", out, &rule), UMX_NORMALIZED_NOTHING);
    assert_int_equal(umx_normalize(many, 501, "1", out, &rule), UMX_NORMALIZED_NOT_KNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translations),
        cmocka_unit_test(test_the_first_rule_decides),
        cmocka_unit_test(test_hostile_rules),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tokens as text, and patterns of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/token.h"

static struct umx_token example(void)
{
    struct umx_token token = {.id = "0123456789ab"};

    for (size_t i = 0; i < sizeof token.secret; i++)
        token.secret[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof token.root; i++)
        token.root[i] = (uint8_t)(255 - i);
    return token;
}

static int parse(const char *text, size_t length, struct umx_token *out)
{
    return umx_token_parse(text, length, "file", out, NULL);
}

static void test_round_trip(void **state)
{
    struct umx_token token = example();
    struct umx_token read = {0};
    char text[UMX_TOKEN_TEXT];
    char padded[UMX_TOKEN_TEXT + 16];

    (void)state;
    umx_token_format(&token, text);
    assert_int_equal(strlen(text), UMX_TOKEN_TEXT - 1);
    assert_int_equal(parse(text, strlen(text), &read), 0);
    assert_memory_equal(&read, &token, sizeof token);
    /* As an editor of either system leaves it. */
    snprintf(padded, sizeof padded, "\xef\xbb\xbf %s\r\n", text);
    memset(&read, 0, sizeof read);
    assert_int_equal(parse(padded, strlen(padded), &read), 0);
    assert_memory_equal(&read, &token, sizeof token);
}

static void test_refused_texts(void **state)
{
    struct umx_token token = example();
    struct umx_token read;
    struct umx_error err = {0};
    char text[UMX_TOKEN_TEXT + 1];

    (void)state;
    umx_token_format(&token, text);
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(parse(text, i, &read), UMX_E_ARGUMENT);
    for (size_t i = 0; i < length; i++) {
        char kept = text[i];
        text[i] = 'Z';
        assert_int_equal(parse(text, length, &read), UMX_E_ARGUMENT);
        text[i] = '\0';
        assert_int_equal(parse(text, length, &read), UMX_E_ARGUMENT);
        text[i] = kept;
    }
    text[length] = '0';
    assert_int_equal(umx_token_parse(text, length + 1, "um1.token", &read, &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_TOKEN_FILE_INVALID);
    assert_string_equal(err.what, "um1.token");
    assert_null(strstr(err.why, "0123456789ab"));
}

static void test_patterns(void **state)
{
    static const char *const good[] = {"*.contoso.test", "um*.contoso.test", "*-um.emea.contoso.test", "u*1.a.b"};
    static const char *const bad[] = {"",           "*",          "*.test",          "contoso.test", "a.*.test",
                                      "**.a.test",  "*..test",    "*.contoso.test.", ".a.test",      "*.con_toso.test",
                                      "*a*.b.test", "*.a b.test", "*.*.test"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(umx_token_pattern_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(umx_token_pattern_valid(bad[i]));
}

static void test_matches(void **state)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool matches;
    } cases[] = {
        {"*.contoso.test", "um1.contoso.test", true},
        {"*.contoso.test", "UM1.Contoso.Test", true},
        {"*.contoso.test", "contoso.test", false},
        {"*.contoso.test", ".contoso.test", false},
        {"*.contoso.test", "a.b.contoso.test", false},
        {"*.contoso.test", "um1.contoso.test.evil.test", false},
        {"*.contoso.test", "um1.xcontoso.test", false},
        {"um*.contoso.test", "um1.contoso.test", true},
        {"um*.contoso.test", "um.contoso.test", false},
        {"um*.contoso.test", "xum1.contoso.test", false},
        {"um*1.contoso.test", "um11.contoso.test", true},
        {"um*1.contoso.test", "um1.contoso.test", false},
        {"um*1.contoso.test", "um12.contoso.test", false},
        {"*.contoso.test", "u_m.contoso.test", false},
        {"*.contoso.test", "", false},
        {"*.contoso.test", "*.contoso.test", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (umx_token_pattern_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
            fail_msg("%s against %s", cases[i].name, cases[i].pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused_texts),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

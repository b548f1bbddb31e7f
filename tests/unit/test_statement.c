#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "base/statement.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int write(struct umx_statement statement, struct umx_text *out, struct umx_error *err)
{
    if (statement.plan_hash == NULL)
        statement.plan_hash = HASH;
    if (statement.decision == 0)
        statement.decision = UMX__APPROVAL__DECISION__APPROVE;
    statement.deployment = "contoso";
    statement.forest = "lync.test";
    return umx_statement_write(&statement, out, err);
}

/* The bytes of docs/protocol.md: whoever signs with another program must get these. */
static void test_bytes(void **state)
{
    struct umx_text text = {0};
    int64_t at;
    (void)state;

    assert_int_equal(umx_clock_parse("2026-01-31T22:00:00Z", &at), 0);
    assert_int_equal(
        write((struct umx_statement){.expires_at = at, .ticket = "CHG-7", .comment = "f\xc3\xbcr"}, &text, NULL), 0);
    assert_string_equal(umx_text_string(&text), "umx-approval-1\ncontoso\n" HASH
                                                "\nlync.test\napprove\n2026-01-31T22:00:00Z\nCHG-7\nf\xc3\xbcr\n");
    umx_text_free(&text);
    memset(&text, 0, sizeof text);
    assert_int_equal(write((struct umx_statement){.decision = UMX__APPROVAL__DECISION__BREAK_GLASS}, &text, NULL), 0);
    assert_string_equal(umx_text_string(&text), "umx-approval-1\ncontoso\n" HASH "\nlync.test\nbreak_glass\n\n\n\n");
    umx_text_free(&text);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"a\nb", "a\rb", "tab\t", "\x7f", "\xff"};
    static char large[UMX_STATEMENT_MAX + 1];
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct umx_text text = {0};
        struct umx_error err = {0};
        assert_int_equal(write((struct umx_statement){.comment = bad[i]}, &text, &err), UMX_E_ARGUMENT);
        assert_int_equal(err.id, UMX_ERR_STATEMENT_INVALID);
        assert_string_equal(err.what, "comment");
        umx_text_free(&text);
    }
    struct umx_text text = {0};
    memset(large, 'a', sizeof large - 1);
    assert_int_equal(write((struct umx_statement){.ticket = large}, &text, NULL), UMX_E_ARGUMENT);
    umx_text_free(&text);
    memset(&text, 0, sizeof text);
    assert_int_equal(write((struct umx_statement){.decision = (Umx__Approval__Decision)9}, &text, NULL),
                     UMX_E_ARGUMENT);
    umx_text_free(&text);
}

/* What a login's ticket signs: four lines, whose fields cannot be moved into each other. */
static void test_login(void **state)
{
    struct umx_login_statement statement = {"lync.test", HASH, HASH};
    struct umx_text text = {0};
    struct umx_error err;
    (void)state;

    assert_int_equal(umx_login_statement_write(&statement, &text, NULL), 0);
    assert_string_equal(umx_text_string(&text), "umx-login-1\nlync.test\n" HASH "\n" HASH "\n");
    umx_text_free(&text);
    memset(&text, 0, sizeof text);
    statement.forest = "lync.test\n" HASH;
    assert_int_equal(umx_login_statement_write(&statement, &text, &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_STATEMENT_INVALID);
    umx_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_login), cmocka_unit_test(test_bytes),
                                       cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

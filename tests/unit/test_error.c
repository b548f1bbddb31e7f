#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static void ids_are_unique_and_in_their_ranges(void **state)
{
    size_t count;
    const struct umx_error_text *rows = umx_error_table(&count);

    (void)state;
    assert_true(count > 50);
    for (size_t i = 0; i < count; i++) {
        assert_true(rows[i].id > 1000 && rows[i].id < 2000 && rows[i].id % 100 != 0);
        if (i > 0 && rows[i].id <= rows[i - 1].id)
            fail_msg("UMX-%d stands behind UMX-%d", rows[i].id, rows[i - 1].id);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].name, rows[k].name);
        assert_ptr_equal(umx_error_text(rows[i].id), &rows[i]);
    }
}

/* Reasons and remedies are parts of one sentence: `what: reason; remedy`. */
static void texts_are_for_people(void **state)
{
    size_t count;
    const struct umx_error_text *rows = umx_error_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const char *const texts[] = {rows[i].reason, rows[i].remedy};
        assert_true(rows[i].status < 0);
        assert_string_not_equal(umx_status_name(rows[i].status), "ok");
        for (int k = 0; k < 2; k++) {
            size_t length = strlen(texts[k]);
            if (length < 5 || texts[k][length - 1] == '.' || strpbrk(texts[k], "\n\t%") != NULL ||
                !umx_text_valid(texts[k], length))
                fail_msg("UMX-%d: \"%s\"", rows[i].id, texts[k]);
        }
    }
    assert_int_equal(umx_error_text(4711)->id, UMX_ERR_INTERNAL);
    assert_int_equal(umx_error_text(0)->id, UMX_ERR_INTERNAL);
}

static void failing_fills_the_record(void **state)
{
    struct umx_error err = {0};
    char buf[2048];

    (void)state;
    assert_int_equal(umx_fail_code(&err, UMX_ERR_ACCESS_DENIED, 50, "CN=x", "LDAP %d", 50), UMX_E_DENIED);
    assert_int_equal(err.status, UMX_E_DENIED);
    assert_int_equal(err.id, 1204);
    assert_int_equal(err.foreign, 50);
    assert_string_equal(umx_error_why(&err), "LDAP 50");
    assert_string_equal(umx_error_format(&err, buf, sizeof buf),
                        "UMX-1204: CN=x: LDAP 50; give the account the right: `umx grants show FOREST`");
    assert_int_equal(umx_fail(&err, UMX_ERR_MEMORY, NULL, NULL), UMX_E_MEMORY);
    assert_int_equal(err.foreign, 0);
    assert_string_equal(umx_error_format(&err, buf, sizeof buf),
                        "UMX-1001: out of memory; free memory on this machine and try again");
    assert_int_equal(umx_fail(NULL, UMX_ERR_MEMORY, "x", NULL), UMX_E_MEMORY);
}

/* An error can be made from its own texts. */
static void texts_may_come_from_the_record(void **state)
{
    struct umx_error err = {0};

    (void)state;
    umx_fail(&err, UMX_ERR_SQL_INVALID, "query", "no such column");
    umx_fail(&err, UMX_ERR_INTERNAL, err.what, "was: %s", err.why);
    assert_string_equal(err.what, "query");
    assert_string_equal(err.why, "was: no such column");
}

static void long_texts_are_cut_at_characters(void **state)
{
    struct umx_error err;
    struct umx_text text = {0};

    (void)state;
    umx_text_adds(&text, "x");
    while (text.length < 4 * UMX_ERROR_WHY_MAX)
        umx_text_adds(&text, "\xC3\xBC");
    umx_fail(&err, UMX_ERR_INTERNAL, text.data, "%s", text.data);
    assert_true(strlen(err.what) >= UMX_ERROR_WHAT_MAX - 2);
    assert_true(umx_text_valid(err.what, strlen(err.what)));
    assert_true(strlen(err.why) >= UMX_ERROR_WHY_MAX - 2);
    assert_true(umx_text_valid(err.why, strlen(err.why)));
    umx_text_free(&text);
}

static void statuses_have_words_and_exits(void **state)
{
    (void)state;
    for (int status = UMX_E_PARTIAL; status <= UMX_OK; status++) {
        int exit = umx_status_exit(status);
        assert_true(exit >= 0 && exit <= 4);
        assert_int_equal(exit == 0, status == UMX_OK);
        for (int other = status + 1; other <= UMX_OK; other++)
            assert_string_not_equal(umx_status_name(status), umx_status_name(other));
    }
    assert_int_equal(umx_status_exit(UMX_E_ARGUMENT), 2);
    assert_int_equal(umx_status_exit(UMX_E_UNREACHABLE), 3);
    assert_int_equal(umx_status_exit(UMX_E_PARTIAL), 4);
    assert_int_equal(umx_status_exit(-4711), 1);
    assert_string_equal(umx_status_name(-4711), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_unique_and_in_their_ranges), cmocka_unit_test(texts_are_for_people),
        cmocka_unit_test(failing_fills_the_record),           cmocka_unit_test(texts_may_come_from_the_record),
        cmocka_unit_test(long_texts_are_cut_at_characters),   cmocka_unit_test(statuses_have_words_and_exits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

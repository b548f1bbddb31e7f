/* The records that the fixed shell scripts write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "agent/collect/shell_script.h"

static struct umx_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = umx_arena_new(32 * 1024 * 1024);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

static void records_lists_and_values(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "Name\tRVgx\r\nPlan\tQQ==\r\nPlan\tS8O2bG4=\r\n\r\n\r\nName\t\n";
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(umx_shell_parse(text, sizeof text - 1, arena, &records, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(umx_shell_value(&records[0], "name", 0), "EX1");
    assert_string_equal(umx_shell_value(&records[0], "Plan", 0), "A");
    assert_string_equal(umx_shell_value(&records[0], "Plan", 1), "K\xc3\xb6ln");
    assert_null(umx_shell_value(&records[0], "Plan", 2));
    assert_string_equal(umx_shell_value(&records[1], "Name", 0), "");
    assert_null(umx_shell_value(&records[1], "Plan", 0));
    assert_int_equal(umx_shell_parse("", 0, arena, &records, &count, NULL), 0);
    assert_int_equal(count, 0);
}

static void values_become_valid_text(void **state)
{
    static const char text[] = "a\t/wBB\n"; /* ff 00 41 */
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(umx_shell_parse(text, sizeof text - 1, arena, &records, &count, NULL), 0);
    assert_string_equal(umx_shell_value(&records[0], "a", 0), "\xef\xbf\xbd\xef\xbf\xbd"
                                                              "A");
}

static void other_output_is_refused(void **state)
{
    static const char *const bad[] = {"Access is denied.\n", "a\tQ\n",   "a\tQQ=\n", "a\tQ=Q=\n", "a\tQQ==QQ==\n",
                                      "a\tQQ QQ\n",          "\tQQ==\n", "a QQ==\n", "a\t====\n"};
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct umx_error err = {0};
        if (umx_shell_parse(bad[i], strlen(bad[i]), arena, &records, &count, &err) != UMX_E_FORMAT)
            fail_msg("case %zu was taken", i);
        assert_int_equal(err.id, UMX_ERR_SHELL_OUTPUT_INVALID);
        assert_non_null(strstr(err.why, "line 1"));
    }
}

/* The language of PowerShell 2.0: nothing that came later, nothing that writes, nothing put in from outside. */
static void scripts_only_read(void **state)
{
    static const char *const forbidden[] = {"ConvertTo-Json", "[pscustomobject]", "Invoke-",  "Set-", "New-",
                                            "Remove-",        "Enable-",          "Disable-", "%s",   " -in ",
                                            "Get-CimInstance"};

    (void)state;
    assert_true(umx_shell_script_count >= 9);
    for (size_t i = 0; i < umx_shell_script_count; i++) {
        for (size_t j = 0; j < sizeof forbidden / sizeof *forbidden; j++)
            if (strstr(umx_shell_scripts[i].text, forbidden[j]) != NULL)
                fail_msg("%s holds %s", umx_shell_scripts[i].command, forbidden[j]);
        assert_non_null(strstr(umx_shell_scripts[i].text, "Assert-Command"));
        assert_ptr_equal(umx_shell_script_find(umx_shell_scripts[i].command), &umx_shell_scripts[i]);
    }
    assert_null(umx_shell_script_find("Remove-Mailbox"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_lists_and_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_become_valid_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_output_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scripts_only_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

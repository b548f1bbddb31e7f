/* Settings of group policy, in the real registry, over those of the agent's file. */
#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include "agent/config.h"
#include "agent/policy.h"
#include "base/open.h"

#define PATH "umx-policy.ini"
#define KEY L"SOFTWARE\\Policies\\umx\\Agent"

static HKEY key;

static int set_up(void **state)
{
    FILE *file = umx_open(PATH, "wb");

    (void)state;
    if (file == NULL ||
        fputs("[agent]\ncontroller = of-the-file.test:7443\nidentity = C:/umx/identity.pem\n"
              "start_jitter = 5\n",
              file) < 0 ||
        fclose(file) != 0)
        return -1;
    return RegCreateKeyExW(HKEY_LOCAL_MACHINE, KEY, 0, NULL, 0, KEY_ALL_ACCESS | KEY_WOW64_64KEY, NULL, &key, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    RegCloseKey(key);
    RegDeleteKeyExW(HKEY_LOCAL_MACHINE, KEY, KEY_WOW64_64KEY, 0);
    return umx_remove(PATH);
}

static void text(const wchar_t *name, DWORD type, const wchar_t *value)
{
    assert_int_equal(
        RegSetValueExW(key, name, 0, type, (const BYTE *)value, (DWORD)((wcslen(value) + 1) * sizeof *value)),
        ERROR_SUCCESS);
}

static void number(const wchar_t *name, DWORD value)
{
    assert_int_equal(RegSetValueExW(key, name, 0, REG_DWORD, (const BYTE *)&value, sizeof value), ERROR_SUCCESS);
}

static void a_policy_overrides_the_file(void **state)
{
    struct umx_agent_config config;
    struct umx_error err = {0};
    char names[256];

    (void)state;
    text(L"controller", REG_SZ, L"of-the-policy.test:7443");
    number(L"report_interval", 120);
    text(L"longest_wait", REG_SZ, L"90");
    if (umx_agent_config_read(PATH, &config, &err) != 0)
        fail_msg("%s: %s", err.what, err.why);
    assert_string_equal(config.controller, "of-the-policy.test:7443");
    assert_int_equal(config.report_interval, 120);
    assert_int_equal(config.longest_wait, 90);
    assert_int_equal(config.start_jitter, 5);
    assert_string_equal(config.identity, "C:/umx/identity.pem");
    assert_string_equal(umx_agent_config_policies(&config, names, sizeof names),
                        "controller, report_interval, longest_wait");
}

static void no_policy_leaves_the_file_as_it_is(void **state)
{
    struct umx_agent_config config;
    char names[256];

    (void)state;
    assert_int_equal(umx_agent_config_read(PATH, &config, NULL), 0);
    assert_string_equal(config.controller, "of-the-file.test:7443");
    assert_string_equal(umx_agent_config_policies(&config, names, sizeof names), "");
}

static void is_refused(const char *why)
{
    struct umx_agent_config config;
    struct umx_error err = {0};

    assert_int_not_equal(umx_agent_config_read(PATH, &config, &err), 0);
    assert_int_equal(err.id, UMX_ERR_CONFIG_INVALID);
    assert_string_equal(err.what, UMX_POLICY_PLACE);
    if (strstr(err.why, why) == NULL)
        fail_msg("%s", err.why);
}

static void wrong_values_are_refused_as_in_the_file(void **state)
{
    (void)state;
    text(L"contoller", REG_SZ, L"a:1");
    is_refused("there is no setting `contoller`");
    RegDeleteValueW(key, L"contoller");
    text(L"identity", REG_SZ, L"C:/elsewhere.pem");
    is_refused("identity is each machine's own");
    RegDeleteValueW(key, L"identity");
    number(L"report_interval", 0);
    is_refused("report_interval is a number of seconds");
    number(L"report_interval", 0xFFFFFFFFu);
    is_refused("report_interval is a number of seconds");
    RegDeleteValueW(key, L"report_interval");
    text(L"controller", REG_MULTI_SZ, L"a:1");
    is_refused("controller is neither a short REG_SZ nor a REG_DWORD");
    static wchar_t longest[4000];
    wmemset(longest, L'x', 3999);
    text(L"controller", REG_SZ, longest);
    is_refused("controller is neither a short REG_SZ");
}

/* The registry takes texts of any bytes: one without an end, one of half a letter. */
static void texts_without_an_end_are_texts(void **state)
{
    struct umx_agent_config config;

    (void)state;
    assert_int_equal(RegSetValueExW(key, L"controller", 0, REG_SZ, (const BYTE *)L"a.test:1", 8 * sizeof(wchar_t)),
                     ERROR_SUCCESS);
    assert_int_equal(umx_agent_config_read(PATH, &config, NULL), 0);
    assert_string_equal(config.controller, "a.test:1");
    assert_int_equal(RegSetValueExW(key, L"controller", 0, REG_SZ, (const BYTE *)L"a.test:1", 15), ERROR_SUCCESS);
    assert_int_not_equal(umx_agent_config_read(PATH, &config, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_policy_overrides_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_policy_leaves_the_file_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_values_are_refused_as_in_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_without_an_end_are_texts, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

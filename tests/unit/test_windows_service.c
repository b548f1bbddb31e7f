/* The agent's life as a service of a real service manager: this program is what is registered. */
#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <winsvc.h>

#include <cmocka.h>

#include "agent/config.h"
#include "agent/host/windows_text.h"
#include "agent/service.h"
#include "agent/settle.h"
#include "agent/stop.h"
#include "agent/updater.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/log.h"
#include "base/open.h"
#include "windows_manager.h"

#define FOLDER "umx service \xd0\xb4\xd0\xb0\xd0\xbd\xd1\x8b\xd0\xb5"
#define CONFIG FOLDER "/umx-agent.ini"
#define LOG FOLDER "/umx-agent.log"

enum { SLOW_MS = 5000 };

static bool slow; /* to stop; and it has a shell account */

static void log_privileges(const char *when)
{
    union {
        TOKEN_PRIVILEGES list;
        BYTE room[4096];
    } held;
    HANDLE token = NULL;
    LUID id;
    DWORD size = 0;
    const char *impersonates = "no";

    OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token);
    GetTokenInformation(token, TokenPrivileges, &held, sizeof held, &size);
    CloseHandle(token);
    LookupPrivilegeValueW(NULL, L"SeImpersonatePrivilege", &id);
    for (DWORD i = 0; i < held.list.PrivilegeCount; i++)
        if (held.list.Privileges[i].Luid.LowPart == id.LowPart)
            impersonates = "yes";
    umx_log(UMX_LOG_INFO, "test", "%s: %lu privileges, impersonates: %s", when, held.list.PrivilegeCount, impersonates);
}

/* What the agent does is another test's; here it waits. */
static int work(void *user, struct umx_error *err)
{
    log_privileges("first");
    if (umx_service_give_up_privileges(slow, err) != 0)
        return err->status;
    log_privileges("then");
    umx_service_ready();
    umx_log(UMX_LOG_INFO, "test", "at work for %s", (const char *)user);
    while (!umx_agent_stopping)
        Sleep(20);
    umx_log(UMX_LOG_INFO, "test", "asked to stop");
    if (slow)
        Sleep(SLOW_MS);
    return 0;
}

static int refuse_to_work(void *user, struct umx_error *err)
{
    (void)user;
    return umx_fail(err, UMX_ERR_CONFIG_INVALID, "test", "it is a test");
}

static char *read_log(void)
{
    static char text[4096];
    FILE *file = umx_open(LOG, "rb");

    memset(text, 0, sizeof text);
    if (file != NULL) {
        (void)fread(text, 1, sizeof text - 1, file);
        fclose(file);
    }
    return text;
}

static SC_HANDLE open_service(void)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = OpenServiceW(manager, L"" UMX_SERVICE_NAME, SERVICE_ALL_ACCESS);

    CloseServiceHandle(manager);
    return service;
}

static void remove_updater_folder(void)
{
    wchar_t wide[256];

    if (umx_wide(umx_updater_folder, wide, 256) == 0)
        RemoveDirectoryW(wide);
}

static int make_folder(void **state)
{
    (void)state;
    remove_updater_folder();
    umx_make_folder(FOLDER);
    FILE *file = umx_open(CONFIG, "wb");
    return file == NULL || fputs("[agent]\n", file) < 0 || fclose(file) != 0;
}

static int remove_folder(void **state)
{
    wchar_t wide[256];

    (void)state;
    umx_service_uninstall(NULL);
    remove_updater_folder();
    umx_remove(LOG);
    umx_remove(CONFIG);
    return umx_wide(FOLDER, wide, 256) != 0 || !RemoveDirectoryW(wide);
}

static void it_starts_works_and_stops(void **state)
{
    struct umx_error err = {0};
    SERVICE_STATUS status;

    (void)state;
    if (umx_service_install(CONFIG, "LocalSystem", &err) != 0)
        fail_msg("%s", err.why);
    assert_true(umx_exists(umx_updater_folder)); /* before an ordinary user makes one there */
    SC_HANDLE service = open_service();
    assert_non_null(service);
    assert_true(starts(service));
    assert_true(reaches(service, SERVICE_RUNNING));
    assert_true(ControlService(service, SERVICE_CONTROL_STOP, &status));
    assert_true(reaches(service, SERVICE_STOPPED));
    assert_non_null(strstr(read_log(), "at work for"));
    assert_non_null(strstr(read_log(), "asked to stop"));
    /* Again, with the same registration, and with it made anew over the old one. */
    assert_int_equal(umx_service_install(CONFIG, NULL, &err), 0);
    assert_true(starts(service));
    assert_true(reaches(service, SERVICE_RUNNING));
    CloseServiceHandle(service);
    /* It runs, and removing it stops it. */
    assert_int_equal(umx_service_uninstall(&err), 0);
    assert_null(open_service());
    assert_int_equal(umx_service_uninstall(&err), 0);
}

static void write_config(const char *text)
{
    FILE *file = umx_open(CONFIG, "wb");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* It says that it is at work on its end, so that nobody takes it for one that hangs. */
static void one_that_takes_long_to_stop_says_so_again_and_again(void **state)
{
    SERVICE_STATUS status = {0};
    DWORD checkpoint = 0;

    (void)state;
    write_config("slow\n");
    assert_int_equal(umx_service_install(CONFIG, NULL, NULL), 0);
    SC_HANDLE service = open_service();
    assert_true(starts(service));
    assert_true(reaches(service, SERVICE_RUNNING));
    assert_true(ControlService(service, SERVICE_CONTROL_STOP, &status));
    while (QueryServiceStatus(service, &status) && status.dwCurrentState != SERVICE_STOPPED) {
        assert_int_equal(status.dwCurrentState, SERVICE_STOP_PENDING);
        assert_true(status.dwCheckPoint >= checkpoint);
        checkpoint = status.dwCheckPoint;
        Sleep(50);
    }
    assert_true(checkpoint >= 3);
    assert_int_equal(status.dwCheckPoint, 0);
    CloseServiceHandle(service);
    assert_int_equal(umx_service_uninstall(NULL), 0);
}

static unsigned long told_privileges(const char *when, char impersonates[4])
{
    const char *line = strstr(read_log(), when);
    unsigned long count = 0;

    assert_non_null(line);
    line += strlen(when);
    assert_int_equal(sscanf(line, ": %lu privileges, impersonates: %3[a-z]", &count, impersonates), 2);
    return count;
}

static void run_once(const char *config)
{
    SERVICE_STATUS status;

    write_config(config);
    assert_int_equal(umx_service_install(CONFIG, NULL, NULL), 0);
    SC_HANDLE service = open_service();
    assert_true(starts(service));
    assert_true(reaches(service, SERVICE_RUNNING));
    assert_true(ControlService(service, SERVICE_CONTROL_STOP, &status));
    assert_true(reaches(service, SERVICE_STOPPED));
    CloseServiceHandle(service);
    assert_int_equal(umx_service_uninstall(NULL), 0);
}

static void it_gives_up_its_privileges(void **state)
{
    char impersonates[4];

    (void)state;
    run_once("[agent]\n");
    assert_true(told_privileges("first", impersonates) > 3);
    assert_string_equal(impersonates, "yes");
    assert_int_equal(told_privileges("then", impersonates), 1);
    assert_string_equal(impersonates, "no");
}

/* Those that start the shell as another account; the token of Wine's services has one of the two. */
static void with_a_shell_account_it_keeps_those_for_it(void **state)
{
    char impersonates[4];

    (void)state;
    run_once("slow\n");
    assert_in_range(told_privileges("then", impersonates), 2, 3);
    assert_string_equal(impersonates, "no");
}

static void its_path_is_quoted(void **state)
{
    union {
        QUERY_SERVICE_CONFIGW config;
        BYTE bytes[8192];
    } buffer;
    DWORD needed;

    (void)state;
    assert_int_equal(umx_service_install(CONFIG, "LocalSystem", NULL), 0);
    SC_HANDLE service = open_service();
    assert_true(QueryServiceConfigW(service, &buffer.config, sizeof buffer, &needed));
    assert_int_equal(buffer.config.lpBinaryPathName[0], L'"');
    assert_non_null(wcsstr(buffer.config.lpBinaryPathName, L".exe\" --service --config \""));
    assert_int_equal(buffer.config.dwStartType, SERVICE_AUTO_START);
    CloseServiceHandle(service);
    assert_int_equal(umx_service_uninstall(NULL), 0);
}

/* Not every service manager keeps what a service is refined by (Wine's keeps the description), so what it is told is
 * seen on its way there: the linker puts this call in place of the system's, for the whole program. */
typedef BOOL WINAPI change(SC_HANDLE service, DWORD level, void *info);
extern change *const __real___imp_ChangeServiceConfig2W;

static struct {
    bool delayed;
    bool on_exit;
    DWORD sid;
    DWORD reset;
    DWORD count;
    SC_ACTION again[4];
} told;

static BOOL WINAPI see(SC_HANDLE service, DWORD level, void *info)
{
    if (level == SERVICE_CONFIG_DELAYED_AUTO_START_INFO)
        told.delayed = ((SERVICE_DELAYED_AUTO_START_INFO *)info)->fDelayedAutostart;
    if (level == SERVICE_CONFIG_FAILURE_ACTIONS_FLAG)
        told.on_exit = ((SERVICE_FAILURE_ACTIONS_FLAG *)info)->fFailureActionsOnNonCrashFailures;
    if (level == SERVICE_CONFIG_SERVICE_SID_INFO)
        told.sid = ((SERVICE_SID_INFO *)info)->dwServiceSidType;
    if (level == SERVICE_CONFIG_FAILURE_ACTIONS) {
        const SERVICE_FAILURE_ACTIONSW *actions = info;
        told.reset = actions->dwResetPeriod;
        told.count = actions->cActions;
        for (DWORD i = 0; i < told.count && i < 4; i++)
            told.again[i] = actions->lpsaActions[i];
        assert_null(actions->lpCommand);
        assert_null(actions->lpRebootMsg);
    }
    return __real___imp_ChangeServiceConfig2W(service, level, info);
}

change *const __wrap___imp_ChangeServiceConfig2W = see;

static void what_comes_after_a_failure_is_registered(void **state)
{
    static const DWORD waits[] = {5000, 60000, 300000};

    (void)state;
    memset(&told, 0, sizeof told);
    assert_int_equal(umx_service_install(CONFIG, "LocalSystem", NULL), 0);
    assert_true(told.delayed);
    assert_true(told.on_exit);
    assert_int_equal(told.sid, SERVICE_SID_TYPE_UNRESTRICTED);
    assert_int_equal(told.reset, 86400);
    assert_int_equal(told.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(told.again[i].Type, SC_ACTION_RESTART);
        assert_int_equal(told.again[i].Delay, waits[i]);
    }
    assert_int_equal(umx_service_uninstall(NULL), 0);
}

static void a_failure_is_told_to_the_service_manager(void **state)
{
    SERVICE_STATUS status;
    struct umx_error err = {0};

    (void)state;
    write_config("refuse\n");
    assert_int_equal(umx_service_install(CONFIG, "LocalSystem", &err), 0);
    SC_HANDLE service = open_service();
    StartServiceW(service, 0, NULL);
    assert_true(reaches(service, SERVICE_STOPPED));
    assert_true(QueryServiceStatus(service, &status));
    assert_int_equal(status.dwWin32ExitCode, ERROR_SERVICE_SPECIFIC_ERROR);
    assert_non_null(strstr(read_log(), "it is a test"));
    CloseServiceHandle(service);
    assert_int_equal(umx_service_uninstall(NULL), 0);
}

static void a_missing_configuration_is_not_registered(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_not_equal(umx_service_install(FOLDER "/nothing.ini", NULL, &err), 0);
    assert_int_equal(err.id, UMX_ERR_FILE_UNREADABLE);
    assert_null(open_service());
}

static int remove_settled(void **state)
{
    wchar_t wide[256];

    (void)state;
    umx_remove(CONFIG);
    return umx_wide(FOLDER, wide, 256) != 0 || !RemoveDirectoryW(wide);
}

/* What an MSI has done, twice: the second time is an upgrade. */
static void a_first_configuration_is_made_and_then_kept(void **state)
{
    struct umx_agent_config config = {0};
    struct umx_error err = {0};

    (void)state;
    if (umx_settle(CONFIG, "umx.example.com:7443", &err) != 0)
        fail_msg("%s", err.why);
    assert_int_equal(umx_agent_config_read(CONFIG, &config, &err), 0);
    assert_string_equal(config.controller, "umx.example.com:7443");
    assert_string_equal(config.identity, FOLDER "/identity.pem");
    assert_string_equal(config.state, FOLDER);
    assert_string_equal(config.host, "local");
    assert_int_equal(umx_settle(CONFIG, "other.example.com:7443", &err), 0);
    assert_int_equal(umx_agent_config_read(CONFIG, &config, &err), 0);
    assert_string_equal(config.controller, "umx.example.com:7443");
}

static void a_configuration_without_a_folder_or_with_two_lines_is_refused(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_not_equal(umx_settle("umx-agent.ini", "a:1", &err), 0);
    assert_int_equal(err.id, UMX_ERR_CONFIG_INVALID);
    assert_int_not_equal(umx_settle(CONFIG, "a:1\r\nhost = recorded:C:/", &err), 0);
    assert_int_equal(err.id, UMX_ERR_CONFIG_INVALID);
    assert_false(umx_exists(FOLDER));
}

/* Started by the service manager: --service --config FILE. */
static int be_the_service(char *config)
{
    struct umx_error err = {0};
    char first = '\0';
    FILE *file = umx_open(config, "rb");

    if (file != NULL) {
        first = (char)fgetc(file);
        fclose(file);
    }
    slow = first == 's';
    return umx_service_run(config, first == 'r' ? refuse_to_work : work, config, &err) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_starts_works_and_stops, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(one_that_takes_long_to_stop_says_so_again_and_again, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(it_gives_up_its_privileges, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(with_a_shell_account_it_keeps_those_for_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(its_path_is_quoted, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_comes_after_a_failure_is_registered, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_failure_is_told_to_the_service_manager, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_missing_configuration_is_not_registered, make_folder, remove_folder),
        cmocka_unit_test_teardown(a_first_configuration_is_made_and_then_kept, remove_settled),
        cmocka_unit_test(a_configuration_without_a_folder_or_with_two_lines_is_refused),
    };
    char **words = umx_command_line(&argc, argv);

    if (argc == 4 && strcmp(words[1], "--service") == 0)
        return be_the_service(words[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

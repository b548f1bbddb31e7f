/* Files of the agent by names outside every code page of the west, in folders too deep for calls without a prefix. */
#include <windows.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <aclapi.h>
#include <sddl.h>

#include <cmocka.h>

#include "agent/config.h"
#include "agent/file.h"
#include "agent/host/windows_access.h"
#include "base/open.h"
#include "base/path_windows.h"
#include "rpc/identity_file.h"

#define PART "umx \xd0\xb4\xd0\xb0\xd0\xbd\xd0\xbd\xd1\x8b\xd0\xb5 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"

enum { DEPTH = 5, REPEATED = 5 };

static char folders[DEPTH][UMX_AGENT_PATH_MAX];

/* Five folders, one in the other, each with a name of 90 characters. */
static int make_folders(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEPTH; i++) {
        size_t length = i > 0 ? (size_t)snprintf(folders[i], sizeof folders[i], "%s\\", folders[i - 1]) : 0;
        for (int n = 0; n < (i == 0 ? 1 : REPEATED); n++)
            length += (size_t)snprintf(folders[i] + length, sizeof folders[i] - length, PART);
        if (length > 800)
            return -1;
        umx_make_folder(folders[i]);
    }
    return 0;
}

static int remove_folders(void **state)
{
    wchar_t wide[UMX_WIDE_PATH];
    int left = 0;

    (void)state;
    for (size_t i = DEPTH; i > 0; i--)
        left += umx_wide_path(folders[i - 1], wide) != 0 || !RemoveDirectoryW(wide);
    return left;
}

static void path_in(size_t depth, const char *name, char path[UMX_AGENT_PATH_MAX])
{
    assert_in_range(snprintf(path, UMX_AGENT_PATH_MAX, "%s\\%s", folders[depth], name), 1, UMX_AGENT_PATH_MAX - 1);
}

static void only_a_long_path_gets_the_prefix(void **state)
{
    wchar_t wide[UMX_WIDE_PATH];
    char longest[UMX_WIDE_PATH + 1];

    (void)state;
    assert_int_equal(umx_wide_path("C:/umx/agent.ini", wide), 0);
    assert_int_equal(wcscmp(wide, L"C:/umx/agent.ini"), 0);
    assert_int_equal(umx_wide_path(folders[DEPTH - 1], wide), 0);
    assert_int_equal(wcsncmp(wide, L"\\\\?\\", 4), 0);
    assert_null(wcschr(wide, L'/'));
    assert_int_equal(umx_wide_path("not \xff text", wide), -1);
    memset(longest, 'x', UMX_WIDE_PATH);
    longest[UMX_WIDE_PATH] = '\0';
    assert_int_equal(umx_wide_path(longest, wide), -1);
}

static void files_are_replaced_and_read_at_every_depth(void **state)
{
    struct umx_arena *arena = umx_arena_new(4096);
    char path[UMX_AGENT_PATH_MAX], *bytes = NULL;
    struct umx_error err = {0};
    size_t length = 0;
    int64_t size = 0;

    (void)state;
    for (size_t i = 0; i < DEPTH; i++) {
        uint64_t before = 1, after = 1;
        path_in(i, "\xe6\x97\xa5.journal", path);
        assert_int_equal(umx_agent_file_changed(path, &size), -1);
        if (umx_agent_file_replace(path, "one", 3, &err) != 0)
            fail_msg("%zu: %s", i, err.why);
        umx_agent_file_stamp(path, &before);
        assert_int_equal(umx_agent_file_replace(path, "three", 5, &err), 0);
        umx_agent_file_stamp(path, &after);
        assert_true(before != after);
        assert_int_not_equal(umx_agent_file_changed(path, &size), -1);
        assert_int_equal(size, 5);
        assert_int_equal(umx_agent_file_read(path, 16, arena, &bytes, &length, &err), 0);
        assert_string_equal(bytes, "three");
        assert_int_equal(umx_remove(path), 0);
        assert_false(umx_exists(path));
    }
    umx_arena_free(arena);
}

static void a_key_file_is_written_and_read_at_every_depth(void **state)
{
    char path[UMX_AGENT_PATH_MAX], *bytes = NULL;
    struct umx_error err = {0};
    size_t length = 0;

    (void)state;
    for (size_t i = 0; i < DEPTH; i++) {
        path_in(i, "identity.pem", path);
        if (umx_private_file_write(path, "secret", 6, &err) != 0)
            fail_msg("%zu: %s", i, err.why);
        assert_int_equal(umx_private_file_write(path, "another", 7, &err), 0);
        assert_int_equal(umx_private_file_read(path, 16, &bytes, &length, &err), 0);
        assert_string_equal(bytes, "another");
        umx_private_free(bytes);
        assert_int_equal(umx_remove(path), 0);
    }
}

static DWORD WINAPI let_go(void *file)
{
    Sleep(300);
    CloseHandle(file);
    return 0;
}

/* An agent reads its status, a scanner the rest: whoever has the file open has it for a moment. */
static void a_file_that_is_open_is_replaced_when_it_is_let_go(void **state)
{
    char from[UMX_AGENT_PATH_MAX], path[UMX_AGENT_PATH_MAX];
    wchar_t wide[UMX_WIDE_PATH];
    struct umx_error err = {0};
    int64_t size = 0;

    (void)state;
    path_in(DEPTH - 1, "status", path);
    assert_int_equal(umx_agent_file_replace(path, "one", 3, &err), 0);
    assert_int_equal(umx_wide_path(path, wide), 0);
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(file != INVALID_HANDLE_VALUE);
    HANDLE thread = CreateThread(NULL, 0, let_go, file, 0, NULL);
    assert_non_null(thread);
    if (umx_agent_file_replace(path, "three", 5, &err) != 0)
        fail_msg("%s", err.why);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    assert_int_not_equal(umx_agent_file_changed(path, &size), -1);
    assert_int_equal(size, 5);
    assert_int_equal(umx_remove(path), 0);
    path_in(DEPTH - 1, "nothing", from);
    assert_int_equal(umx_rename(from, path), -1); /* one that is not there is not waited for */
    assert_int_equal(errno, ENOENT);
}

/* Wine keeps of a list what a mode can say, so it is seen on its way: the linker puts this call in the system's place.
 */
typedef DWORD WINAPI set_info(LPWSTR name, SE_OBJECT_TYPE type, SECURITY_INFORMATION what, PSID owner, PSID group,
                              PACL list, PACL audit);
extern set_info *const __real___imp_SetNamedSecurityInfoW;
static DWORD service_mask, entries;
static SECURITY_INFORMATION given;

static DWORD WINAPI see(LPWSTR name, SE_OBJECT_TYPE type, SECURITY_INFORMATION what, PSID owner, PSID group, PACL list,
                        PACL audit)
{
    PSID service = NULL;

    given = what;
    entries = list->AceCount;
    assert_true(ConvertStringSidToSidW(UMX_ACCESS_SERVICE, &service));
    for (DWORD i = 0; i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *ace;
        assert_true(GetAce(list, i, (void **)&ace));
        assert_int_equal(ace->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
        if (EqualSid(&ace->SidStart, service))
            service_mask = ace->Mask;
    }
    LocalFree(service);
    return __real___imp_SetNamedSecurityInfoW(name, type, what, owner, group, list, audit);
}

set_info *const __wrap___imp_SetNamedSecurityInfoW = see;

static void an_enrolled_identity_is_the_service_s_too(void **state)
{
    char path[UMX_AGENT_PATH_MAX], *bytes = NULL;
    struct umx_error err = {0};
    size_t length = 0;

    (void)state;
    path_in(DEPTH - 1, "identity.pem", path);
    assert_int_equal(umx_private_file_write(path, "secret", 6, &err), 0);
    if (umx_agent_file_share(path, &err) != 0)
        fail_msg("%s", err.why);
    assert_int_equal(given, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION);
    assert_int_equal(entries, 4);
    assert_int_equal(service_mask & (FILE_GENERIC_READ | DELETE), FILE_GENERIC_READ | DELETE);
    assert_int_equal(umx_private_file_read(path, 16, &bytes, &length, &err), 0);
    umx_private_free(bytes);
    assert_int_equal(umx_remove(path), 0);
    assert_int_not_equal(umx_agent_file_share(path, &err), 0);
}

static void a_configuration_is_read_there(void **state)
{
    static const char text[] = "[agent]\r\ncontroller = a.test:1\r\nidentity = C:\\" PART "\\identity.pem\r\n";
    char path[UMX_AGENT_PATH_MAX];
    struct umx_agent_config config;
    struct umx_error err = {0};

    (void)state;
    path_in(DEPTH - 1, "agent.ini", path);
    assert_int_equal(umx_agent_file_replace(path, text, sizeof text - 1, &err), 0);
    int status = umx_agent_config_read(path, &config, &err);
    umx_remove(path);
    if (status != 0)
        fail_msg("%s", err.why);
    assert_string_equal(config.state, "C:\\" PART);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_long_path_gets_the_prefix),
        cmocka_unit_test(files_are_replaced_and_read_at_every_depth),
        cmocka_unit_test(a_file_that_is_open_is_replaced_when_it_is_let_go),
        cmocka_unit_test(a_key_file_is_written_and_read_at_every_depth),
        cmocka_unit_test(an_enrolled_identity_is_the_service_s_too),
        cmocka_unit_test(a_configuration_is_read_there),
    };

    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}

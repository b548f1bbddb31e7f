/* Who may change what the updater believes. Wine keeps of an access list what a mode of Unix can say: owner, everybody.
 */
#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <aclapi.h>
#include <sddl.h>
#include <cmocka.h>

#include "agent/host/windows_access.h"
#include "agent/host/windows_text.h"
#include "agent/updater.h"
#include "base/open.h"
#include "windows_links.h"

#define PATH "umx access \xd0\xb4\xd0\xb0.txt"

#define FOLDER "umx access \xd0\xb4\xd0\xb0"

static int clean(void **state)
{
    wchar_t wide[256];

    (void)state;
    umx_remove(PATH);
    if (umx_wide(FOLDER, wide, 256) == 0)
        RemoveDirectoryW(wide);
    return 0;
}

/* As icacls would. */
static void give_to(const char *path, const wchar_t *rights)
{
    wchar_t wide[256];
    PSECURITY_DESCRIPTOR descriptor = NULL;
    PACL list = NULL;
    BOOL present, defaulted;

    assert_int_equal(umx_wide(path, wide, 256), 0);
    assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(rights, SDDL_REVISION_1, &descriptor, NULL));
    assert_true(GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted));
    assert_int_equal(SetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL),
                     ERROR_SUCCESS);
    LocalFree(descriptor);
}

static void give(const wchar_t *rights)
{
    give_to(PATH, rights);
}

static void what_everybody_may_change_is_not_believed(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_access_write(PATH, UMX_ACCESS_READ_FILE, "one", 3, &err), 0);
    if (umx_access_trusted(PATH, &err) != 0)
        fail_msg("%s", err.why);
    give(L"D:(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;WD)");
    assert_int_equal(umx_access_trusted(PATH, &err), 0);
    assert_int_equal(umx_updater_believe(PATH, &err), 0);
    give(L"D:(A;;FA;;;SY)(A;;FA;;;BA)(A;;FRFW;;;WD)");
    assert_int_not_equal(umx_access_trusted(PATH, &err), 0);
    assert_int_equal(err.id, UMX_ERR_FILE_EXPOSED);
    assert_int_not_equal(umx_updater_believe(PATH, &err), 0);
    assert_int_not_equal(umx_access_trusted("nothing.txt", &err), 0);
    assert_int_equal(err.id, UMX_ERR_FILE_UNREADABLE);
}

static void a_list_of_nobody_in_particular_gives_way(void **state)
{
    struct umx_error err = {0};

    (void)state;
    FILE *file = umx_open(PATH, "wb");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    give(L"D:(A;;FA;;;SY)(A;;FA;;;BA)(A;;FRFW;;;WD)");
    assert_int_not_equal(umx_access_trusted(PATH, &err), 0);
    if (umx_access_protect(PATH, UMX_ACCESS_READ_FILE, &err) != 0)
        fail_msg("%s", err.why);
    assert_int_equal(umx_access_trusted(PATH, &err), 0);
}

static void what_is_written_takes_the_place_of_what_was_there(void **state)
{
    char text[8] = "";

    (void)state;
    assert_int_equal(umx_access_write(PATH, UMX_ACCESS_READ_FILE, "first", 5, NULL), 0);
    assert_int_equal(umx_access_write(PATH, UMX_ACCESS_READ_FILE, "two", 3, NULL), 0);
    FILE *file = umx_open(PATH, "rb");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file), 3);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "two");
    assert_false(umx_exists(PATH ".new"));
}

static int make_folder(const wchar_t *rights, struct umx_error *err)
{
    wchar_t wide[256];

    assert_int_equal(umx_wide(FOLDER, wide, 256), 0);
    return umx_access_make_folder(wide, rights, FOLDER, err);
}

static void a_folder_that_others_could_fill_is_refused(void **state)
{
    static const wchar_t *const both[] = {UMX_ACCESS_FOLDER, UMX_ACCESS_READ_FOLDER};
    struct umx_error err = {0};

    for (size_t i = 0; i < 2; i++) {
        umx_make_folder(FOLDER);
        give_to(FOLDER, L"D:(A;;FA;;;SY)(A;;FA;;;BA)(A;;FRFX;;;WD)");
        if (make_folder(both[i], &err) != 0) /* an administrator made it */
            fail_msg("%s", err.why);
        if (make_folder(both[i], &err) != 0) /* again, as an upgrade does */
            fail_msg("%s", err.why);
        give_to(FOLDER, L"D:(A;;FA;;;SY)(A;;FA;;;BA)(A;;FRFWFX;;;WD)");
        assert_int_not_equal(make_folder(both[i], &err), 0);
        assert_int_equal(err.id, UMX_ERR_FILE_UNWRITABLE);
        assert_non_null(strstr(err.why, "others"));
        clean(state);
        if (make_folder(both[i], &err) != 0)
            fail_msg("%s", err.why);
        if (make_folder(both[i], &err) != 0)
            fail_msg("%s", err.why);
        clean(state);
    }
}

static void a_link_is_no_folder(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(make_folder(UMX_ACCESS_FOLDER, &err), 0);
    link_is = FILE_ATTRIBUTE_DIRECTORY;
    assert_int_not_equal(make_folder(UMX_ACCESS_FOLDER, &err), 0);
    link_is = 0;
    assert_non_null(strstr(err.why, "link"));
    assert_int_equal(make_folder(UMX_ACCESS_FOLDER, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_everybody_may_change_is_not_believed, clean),
        cmocka_unit_test_teardown(a_list_of_nobody_in_particular_gives_way, clean),
        cmocka_unit_test_teardown(what_is_written_takes_the_place_of_what_was_there, clean),
        cmocka_unit_test_teardown(a_folder_that_others_could_fill_is_refused, clean),
        cmocka_unit_test_teardown(a_link_is_no_folder, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

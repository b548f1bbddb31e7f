/* The updater's Windows half: what the agent's account puts into STATE/update leads nowhere else, and an installer that
 * is busy is asked again. This program is that installer. */
#include <windows.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/host/windows_text.h"
#include "agent/update.h"
#include "agent/updater.h"
#include "agent/updater_service.h"
#include "base/command_line.h"
#include "base/open.h"
#include "windows_links.h"

#define STATE "umx updater \xd0\xb4\xd0\xb0"
#define FOLDER STATE "/update"
#define SECRET STATE "/secret"

static void write_file(const char *path, const char *text)
{
    FILE *file = umx_open(path, "wb");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_folders(void **state)
{
    (void)state;
    umx_make_folder(STATE);
    umx_make_folder(FOLDER);
    write_file(SECRET, "secret");
    return 0;
}

static int remove_folders(void **state)
{
    static const char *const files[] = {SECRET, FOLDER "/request", FOLDER "/package", FOLDER "/status", STATE "/asked"};
    static const char *const folders[] = {FOLDER, STATE};
    wchar_t wide[256];
    int left = 0;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        umx_remove(files[i]);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        left += umx_wide(folders[i], wide, 256) != 0 || !RemoveDirectoryW(wide);
    return left;
}

static const char *staged(const char *name)
{
    static char text[64];
    FILE *file = umx_updater_open(STATE, name);
    size_t got = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;

    text[got] = '\0';
    if (file == NULL)
        return NULL;
    fclose(file);
    return text;
}

static void what_is_staged_is_read_and_removed(void **state)
{
    (void)state;
    assert_null(staged("request"));
    assert_int_equal(errno, ENOENT);
    write_file(FOLDER "/request", "id");
    assert_string_equal(staged("request"), "id");
    assert_string_equal(staged("REQUEST"), "id");
    FILE *reader = umx_updater_open(STATE, "request");
    assert_non_null(reader);
    write_file(FOLDER "/request", "two"); /* nobody's way is barred meanwhile */
    fclose(reader);
    umx_updater_remove(STATE, "request");
    assert_false(umx_exists(FOLDER "/request"));
    umx_updater_remove(STATE, "request");
}

/* As through a junction, which Wine has none of: what the path says is not where the file lies. */
static void a_file_elsewhere_is_neither_read_nor_removed(void **state)
{
    (void)state;
    assert_true(umx_exists(FOLDER "/../secret"));
    assert_null(staged("../secret"));
    assert_int_equal(errno, EACCES);
    umx_updater_remove(STATE, "../secret");
    assert_true(umx_exists(SECRET));
}

/* Another file's second name: what it holds would be copied to where the agent's account reads. */
static void a_second_name_is_neither_read_nor_removed(void **state)
{
    wchar_t secret[256], package[256];

    (void)state;
    assert_int_equal(umx_wide(SECRET, secret, 256), 0);
    assert_int_equal(umx_wide(FOLDER "/package", package, 256), 0);
    assert_true(CreateHardLinkW(package, secret, NULL));
    assert_null(staged("package"));
    umx_updater_remove(STATE, "package");
    assert_true(umx_exists(FOLDER "/package"));
}

static void a_link_is_not_followed(void **state)
{
    static const DWORD either[] = {FILE_ATTRIBUTE_DIRECTORY /* STATE */, FILE_ATTRIBUTE_ARCHIVE /* the file */};

    (void)state;
    write_file(FOLDER "/request", "id");
    assert_string_equal(staged("request"), "id");
    for (size_t i = 0; i < 2; i++) {
        link_is = either[i];
        assert_null(staged("request"));
        assert_int_equal(errno, EACCES);
        umx_updater_remove(STATE, "request");
        link_is = 0;
        assert_true(umx_exists(FOLDER "/request"));
    }
    umx_updater_remove(STATE, "request");
    assert_false(umx_exists(FOLDER "/request"));
}

static struct umx_agent_config config(void)
{
    struct umx_agent_config made = {0};
    wchar_t self[UMX_AGENT_PATH_MAX];

    assert_in_range(GetModuleFileNameW(NULL, self, UMX_AGENT_PATH_MAX), 1, UMX_AGENT_PATH_MAX - 1);
    assert_true(WideCharToMultiByte(CP_UTF8, 0, self, -1, made.installer, sizeof made.installer, NULL, NULL) > 0);
    return made;
}

static void another_installation_is_waited_for(void **state)
{
    struct umx_agent_config made = config();
    atomic_bool stop = false;
    struct umx_error err = {0};

    (void)state;
    umx_remove(STATE "/asked");
    int status = umx_updater_install(&made, UMX_UPDATER_INSTALL, STATE "/asked", "1618", &stop, &err);
    if (status != 0)
        fail_msg("%s", err.why);
    umx_remove(STATE "/asked");
    assert_int_equal(umx_updater_install(&made, UMX_UPDATER_RETURN, STATE "/asked", "1601", &stop, &err), 0);
    umx_remove(STATE "/asked");
    assert_int_not_equal(umx_updater_install(&made, UMX_UPDATER_INSTALL, STATE "/asked", "1603", &stop, &err), 0);
    assert_int_equal(err.id, UMX_ERR_UPDATE_INSTALLER);
    assert_non_null(strstr(err.why, "1603"));
}

static DWORD WINAPI stop_soon(void *data)
{
    while (!umx_exists(STATE "/asked"))
        Sleep(20);
    atomic_store((atomic_bool *)data, true);
    return 0;
}

static void who_waits_for_one_can_be_stopped(void **state)
{
    struct umx_agent_config made = config();
    atomic_bool stop = false;
    struct umx_error err = {0};

    (void)state;
    umx_remove(STATE "/asked");
    HANDLE thread = CreateThread(NULL, 0, stop_soon, &stop, 0, NULL);
    assert_non_null(thread);
    int status = umx_updater_install(&made, UMX_UPDATER_INSTALL, STATE "/asked", "always", &stop, &err);
    assert_int_equal(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    CloseHandle(thread);
    assert_int_equal(status, UMX_E_CANCELLED);
}

/* The updater replaces it, or a scanner has it, just when the agent looks. */
static void a_status_that_is_open_elsewhere_is_read_afterwards(void **state)
{
    struct umx_update update = {0};
    struct umx_agent_config made = {.updater = FOLDER};
    struct umx_updater_status status = {.state = UMX_UPDATER_TRIAL, .id = "0123456789abcdef0123456789abcdef"};
    wchar_t path[256];

    (void)state;
    update.config = &made;
    update.keys = strdup("a key");
    assert_int_equal(umx_updater_status_write(FOLDER, &status, NULL), 0);
    assert_int_equal(umx_wide(FOLDER "/status", path, 256), 0);
    HANDLE other = CreateFileW(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(other != INVALID_HANDLE_VALUE);
    umx_update_look(&update);
    assert_int_equal(update.updater.state, UMX_UPDATER_NONE);
    CloseHandle(other);
    umx_update_look(&update);
    assert_int_equal(update.updater.state, UMX_UPDATER_TRIAL);
    umx_update_end(&update);
}

/* VERB FILE VERSION, as the updater starts it: busy the first time, or always. */
static int be_the_installer(const char *file, const char *version)
{
    bool first = !umx_exists(file);

    if (first)
        write_file(file, "asked");
    if (strcmp(version, "always") == 0)
        return ERROR_INSTALL_ALREADY_RUNNING;
    return first || strcmp(version, "1603") == 0 ? atoi(version) : 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_staged_is_read_and_removed),
        cmocka_unit_test(a_file_elsewhere_is_neither_read_nor_removed),
        cmocka_unit_test(a_second_name_is_neither_read_nor_removed),
        cmocka_unit_test(a_link_is_not_followed),
        cmocka_unit_test(another_installation_is_waited_for),
        cmocka_unit_test(who_waits_for_one_can_be_stopped),
        cmocka_unit_test(a_status_that_is_open_elsewhere_is_read_afterwards),
    };
    char **words = umx_command_line(&argc, argv);

    if (argc == 4)
        return be_the_installer(words[2], words[3]);
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}

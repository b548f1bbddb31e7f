/* The shell's pipes. Wine has no PowerShell: this program is in its place, by what the linker puts in the place of
 * CreateProcess. */
#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/host/host.h"
#include "agent/host/shell.h"
#include "base/clock.h"
#include "local_host.h"

typedef BOOL WINAPI create(const wchar_t *program, wchar_t *line, SECURITY_ATTRIBUTES *process,
                           SECURITY_ATTRIBUTES *thread, BOOL inherit, DWORD flags, void *environment,
                           const wchar_t *folder, STARTUPINFOW *startup, PROCESS_INFORMATION *made);
extern create *const __real___imp_CreateProcessW;

static struct umx_host_shell *other; /* begun when the first one's pipes are open and its process is not yet there */
static int begun;

static BOOL WINAPI in_its_place(const wchar_t *program, wchar_t *line, SECURITY_ATTRIBUTES *process,
                                SECURITY_ATTRIBUTES *thread, BOOL inherit, DWORD flags, void *environment,
                                const wchar_t *folder, STARTUPINFOW *startup, PROCESS_INFORMATION *made)
{
    wchar_t self[1024], own[1100];
    int number = ++begun;

    (void)line;
    if (number == 1 && umx_host_shell_open(host, "exit", &other, NULL) != 0)
        return FALSE;
    GetModuleFileNameW(NULL, self, 1024);
    swprintf(own, 1100, L"\"%ls\" %ls", self, number == 1 ? L"answer" : L"stay");
    return __real___imp_CreateProcessW(program, own, process, thread, inherit, flags, environment, folder, startup,
                                       made);
}

create *const __wrap___imp_CreateProcessW = in_its_place;

static int be_a_shell(const char *word)
{
    char line[64];

    if (strcmp(word, "answer") == 0)
        return puts("an answer") >= 0 ? 0 : 1;
    return fgets(line, sizeof line, stdin) == NULL ? 0 : 1; /* until its input ends */
}

/* One shell lives on: the other one's end is seen all the same. */
static void shells_do_not_hold_each_other_s_pipes(void **state)
{
    struct umx_arena *arena = umx_arena_new(UMX_HOST_SHELL_MAX + 4096);
    struct umx_error err = {0};
    char *text = NULL;
    size_t length = 0;

    (void)state;
    int status = umx_host_shell(host, arena, "test", "exit", NULL, UMX_MINUTE, &text, &length, &err);
    if (status != 0)
        print_message("%s: %s\n", err.what, err.why);
    umx_host_shell_close(other);
    assert_int_equal(status, 0);
    assert_int_equal(begun, 2);
    assert_int_equal(strncmp(text, "an answer", 9), 0);
    umx_arena_free(arena);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return be_a_shell(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shells_do_not_hold_each_other_s_pipes),
    };

    return cmocka_run_group_tests(tests, open_host, close_host);
}

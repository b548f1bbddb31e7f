/* The agent's source in the Application log: what is registered, and the texts that umx-agent.exe carries. Whether
 * events arrive is for a Windows Server: Wine keeps none. */
#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#include <cmocka.h>

#include "agent/event.h"
#include "agent/host/windows_text.h"

#define KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\umx-agent"

static void it_is_registered_with_this_program_and_removed(void **state)
{
    struct umx_error err = {0};
    wchar_t file[1024], self[1024];
    DWORD size = sizeof file, types = 0, types_size = sizeof types;
    HKEY key;

    (void)state;
    if (umx_event_register(&err) != 0)
        fail_msg("%s", err.why);
    assert_int_equal(RegGetValueW(HKEY_LOCAL_MACHINE, KEY, L"EventMessageFile", RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND,
                                  NULL, file, &size),
                     ERROR_SUCCESS);
    assert_true(GetModuleFileNameW(NULL, self, 1024) > 0);
    assert_int_equal(wcscmp(file, self), 0);
    assert_int_equal(
        RegGetValueW(HKEY_LOCAL_MACHINE, KEY, L"TypesSupported", RRF_RT_REG_DWORD, NULL, &types, &types_size),
        ERROR_SUCCESS);
    assert_int_equal(types, 7);
    umx_event_unregister();
    assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, KEY, 0, KEY_READ, &key), ERROR_FILE_NOT_FOUND);
    umx_event_unregister(); /* none being there is no error */
}

/* What the viewer shows for an event; the number is the one that the agent writes. */
static void each_event_has_its_text(void **state)
{
    static const struct {
        DWORD number;
        const wchar_t *text;
    } rows[] = {
        {0x40000000u | UMX_EVENT_STARTED, L"umx-agent ONE has started."},
        {0x40000000u | UMX_EVENT_STOPPED, L"umx-agent ONE has stopped."},
        {0xC0000000u | UMX_EVENT_NOT_STARTED, L"The agent could not start: ONE"},
        {0xC0000000u | UMX_EVENT_FAILED, L"The agent ended with an error: ONE"},
        {0x40000000u | UMX_EVENT_CONNECTED, L"The agent is connected to the controller ONE."},
        {0x80000000u | UMX_EVENT_DISCONNECTED,
         L"The agent has not been connected to the controller ONE for a minute, and goes on trying: TWO"},
        {0x40000000u | UMX_EVENT_CERTIFICATE_RENEWED, L"The agent's certificate was renewed and is in ONE."},
        {0x80000000u | UMX_EVENT_CERTIFICATE_KEPT,
         L"The agent's certificate in ONE could not be renewed, which is tried again until it ends: TWO"},
        {0x40000000u | UMX_EVENT_UPDATE_INSTALLED,
         L"Version ONE is installed in the place of TWO, and the controller has confirmed it."},
        {0x80000000u | UMX_EVENT_UPDATE_RETURNED, L"Version ONE did not stay: TWO is installed again. THREE"},
        {0x80000000u | UMX_EVENT_UPDATE_REFUSED, L"The update to version ONE was refused: TWO"},
        {0xC0000000u | UMX_EVENT_UPDATE_FAILED,
         L"Version ONE did not stay, and the version before could not be installed again: TWO"},
    };
    wchar_t one[] = L"ONE", two[] = L"TWO", three[] = L"THREE", path[1024];
    DWORD_PTR words[] = {(DWORD_PTR)one, (DWORD_PTR)two, (DWORD_PTR)three};

    (void)state;
    assert_int_equal(umx_wide(UMX_AGENT_PROGRAM, path, 1024), 0);
    HMODULE agent = LoadLibraryExW(path, NULL, LOAD_LIBRARY_AS_DATAFILE);
    assert_non_null(agent);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wchar_t text[512] = L"";
        if (FormatMessageW(FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_ARGUMENT_ARRAY, agent, rows[i].number, 0, text,
                           512, (va_list *)words) == 0)
            fail_msg("event %lu has no text: Windows error %lu", (unsigned long)(rows[i].number & 0xFFFF),
                     (unsigned long)GetLastError());
        text[wcscspn(text, L"\r\n")] = L'\0';
        if (wcscmp(text, rows[i].text) != 0)
            fail_msg("event %lu says: %ls", (unsigned long)(rows[i].number & 0xFFFF), text);
    }
    FreeLibrary(agent);
}

static void events_are_told_after_they_have_begun(void **state)
{
    (void)state;
    umx_event_tell(UMX_EVENT_STARTED, "0", NULL, NULL);
    umx_event_begin();
    umx_event_tell(UMX_EVENT_UPDATE_RETURNED, "0.2", "0.1", "\xff is no text");
    umx_event_tell(UMX_EVENT_STOPPED, "0", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_registered_with_this_program_and_removed),
        cmocka_unit_test(each_event_has_its_text),
        cmocka_unit_test(events_are_told_after_they_have_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

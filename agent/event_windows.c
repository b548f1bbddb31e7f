#include "agent/event.h"

#include <stdio.h>
#include <windows.h>

#include "agent/host/windows_text.h"
#include "agent/service.h"

#define KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" UMX_SERVICE_NAME

/* Part of an event's number, as packaging/windows/events.mc says it; the viewer shows what is left of the number. */
#define INFORMATION 0x40000000u
#define WARNING 0x80000000u
#define FAULT 0xC0000000u

enum { WORDS = 3, WORD_MAX = 2048 };

static const struct kind {
    enum umx_event event;
    DWORD severity;
    WORD type;
} kinds[] = {
    {UMX_EVENT_STARTED, INFORMATION, EVENTLOG_INFORMATION_TYPE},
    {UMX_EVENT_STOPPED, INFORMATION, EVENTLOG_INFORMATION_TYPE},
    {UMX_EVENT_NOT_STARTED, FAULT, EVENTLOG_ERROR_TYPE},
    {UMX_EVENT_FAILED, FAULT, EVENTLOG_ERROR_TYPE},
    {UMX_EVENT_CONNECTED, INFORMATION, EVENTLOG_INFORMATION_TYPE},
    {UMX_EVENT_DISCONNECTED, WARNING, EVENTLOG_WARNING_TYPE},
    {UMX_EVENT_CERTIFICATE_RENEWED, INFORMATION, EVENTLOG_INFORMATION_TYPE},
    {UMX_EVENT_CERTIFICATE_KEPT, WARNING, EVENTLOG_WARNING_TYPE},
    {UMX_EVENT_UPDATE_INSTALLED, INFORMATION, EVENTLOG_INFORMATION_TYPE},
    {UMX_EVENT_UPDATE_RETURNED, WARNING, EVENTLOG_WARNING_TYPE},
    {UMX_EVENT_UPDATE_REFUSED, WARNING, EVENTLOG_WARNING_TYPE},
    {UMX_EVENT_UPDATE_FAILED, FAULT, EVENTLOG_ERROR_TYPE},
};

static HANDLE source; /* for the life of the process */

void umx_event_begin(void)
{
    if (source == NULL)
        source = RegisterEventSourceW(NULL, L"" UMX_SERVICE_NAME);
}

void umx_event_tell(enum umx_event event, const char *first, const char *second, const char *third)
{
    const char *const given[WORDS] = {first, second, third};
    wchar_t wide[WORDS][WORD_MAX];
    const wchar_t *words[WORDS];
    WORD count = 0;

    for (; count < WORDS && given[count] != NULL; count++) {
        if (umx_wide(given[count], wide[count], WORD_MAX) != 0)
            wide[count][0] = L'\0';
        words[count] = wide[count];
    }
    for (size_t i = 0; source != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].event == event)
            ReportEventW(source, kinds[i].type, 0, kinds[i].severity | (DWORD)event, NULL, count, 0, words, NULL);
}

int umx_event_register(struct umx_error *err)
{
    const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    wchar_t program[MAX_PATH * 4];
    const DWORD size = sizeof program / sizeof *program;
    DWORD length = GetModuleFileNameW(NULL, program, size);
    HKEY key = NULL;
    LSTATUS code = length == 0 || length >= size ? ERROR_BUFFER_OVERFLOW
                                                 : RegCreateKeyExW(HKEY_LOCAL_MACHINE, KEY, 0, NULL, 0,
                                                                   KEY_SET_VALUE | KEY_WOW64_64KEY, NULL, &key, NULL);

    if (code == ERROR_SUCCESS)
        code = RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)program,
                              (length + 1) * (DWORD)sizeof(wchar_t));
    if (code == ERROR_SUCCESS)
        code = RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof types);
    if (key != NULL)
        RegCloseKey(key);
    return code == ERROR_SUCCESS
               ? 0
               : umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, "event source " UMX_SERVICE_NAME, (DWORD)code);
}

void umx_event_unregister(void)
{
    RegDeleteKeyExW(HKEY_LOCAL_MACHINE, KEY, KEY_WOW64_64KEY, 0);
}

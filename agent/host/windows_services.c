/* Services: the list with the start times of their processes, and restarting one. */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <winsvc.h>

#include "agent/host/windows_host.h"
#include "base/clock.h"
#include "base/text.h"

enum { CONFIG_MAX = 8192, DEPENDENTS_MAX = 64, POLL_MILLISECONDS = 200 };

static Umx__Service__State state_of(DWORD state)
{
    switch (state) {
    case SERVICE_RUNNING:
        return UMX__SERVICE__STATE__RUNNING;
    case SERVICE_START_PENDING:
    case SERVICE_CONTINUE_PENDING:
        return UMX__SERVICE__STATE__START_PENDING;
    case SERVICE_STOP_PENDING:
    case SERVICE_PAUSE_PENDING:
        return UMX__SERVICE__STATE__STOP_PENDING;
    case SERVICE_PAUSED:
        return UMX__SERVICE__STATE__PAUSED;
    default:
        return UMX__SERVICE__STATE__STOPPED;
    }
}

static Umx__Service__Start start_of(DWORD type)
{
    if (type == SERVICE_DISABLED)
        return UMX__SERVICE__START__DISABLED;
    return type == SERVICE_DEMAND_START ? UMX__SERVICE__START__MANUAL : UMX__SERVICE__START__AUTOMATIC;
}

static int64_t process_start(DWORD id)
{
    FILETIME start = {0};
    FILETIME other;
    HANDLE process = id != 0 ? OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, id) : NULL;

    if (process == NULL)
        return 0;
    if (!GetProcessTimes(process, &start, &other, &other, &other))
        start = (FILETIME){0};
    CloseHandle(process);
    return umx_windows_time(&start);
}

/* A list of names, each ended by NUL, as lines; groups ("+NAME") are left out. */
static const char *lines(const wchar_t *names, struct umx_arena *arena)
{
    struct umx_text text = {0};

    for (; names != NULL && *names != L'\0'; names += wcslen(names) + 1) {
        const char *name = *names != SC_GROUP_IDENTIFIERW ? umx_narrow(names, arena) : NULL;
        if (name != NULL)
            umx_text_addf(&text, "%s\n", name);
    }
    const char *result = umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return result;
}

static void configure(SC_HANDLE manager, const wchar_t *name, struct umx_arena *arena, struct umx_host_service *service)
{
    union {
        QUERY_SERVICE_CONFIGW config;
        BYTE bytes[CONFIG_MAX];
    } *buffer = malloc(sizeof *buffer);
    SC_HANDLE handle = OpenServiceW(manager, name, SERVICE_QUERY_CONFIG);
    DWORD needed = 0;

    if (buffer != NULL && handle != NULL && QueryServiceConfigW(handle, &buffer->config, CONFIG_MAX, &needed)) {
        service->account = umx_narrow(buffer->config.lpServiceStartName, arena);
        service->start_type = start_of(buffer->config.dwStartType);
        service->depends_on = lines(buffer->config.lpDependencies, arena);
    }
    if (handle != NULL)
        CloseServiceHandle(handle);
    free(buffer);
}

static int list_services(SC_HANDLE manager, BYTE **bytes, DWORD *count, struct umx_error *err)
{
    DWORD size = 0;
    DWORD resume = 0;

    EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL, NULL, 0, &size, count,
                          &resume, NULL);
    /* Services may be added between the two calls. */
    size += 64 * 1024;
    *bytes = malloc(size);
    resume = 0;
    if (*bytes == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "services", NULL);
    if (!EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL, *bytes, size, &size,
                               count, &resume, NULL))
        return umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "services", GetLastError());
    return 0;
}

int umx_windows_services(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **list, size_t *count,
                         struct umx_error *err)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
    BYTE *bytes = NULL;
    DWORD found = 0;
    int status;

    (void)host;
    if (manager == NULL)
        return umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "services", GetLastError());
    status = list_services(manager, &bytes, &found, err);
    const ENUM_SERVICE_STATUS_PROCESSW *entries = (const void *)bytes;
    if (status == 0 && found > UMX_HOST_SERVICES_MAX)
        found = UMX_HOST_SERVICES_MAX;
    if (status == 0 && (*list = umx_arena_alloc(arena, ((size_t)found + 1) * sizeof **list)) == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "services", NULL);
    for (DWORD i = 0; status == 0 && i < found; i++) {
        const SERVICE_STATUS_PROCESS *process = &entries[i].ServiceStatusProcess;
        struct umx_host_service *service = &(*list)[i];
        *service = (struct umx_host_service){.name = umx_narrow(entries[i].lpServiceName, arena),
                                             .display_name = umx_narrow(entries[i].lpDisplayName, arena),
                                             .account = "",
                                             .depends_on = "",
                                             .state = state_of(process->dwCurrentState),
                                             .start_type = UMX__SERVICE__START__MANUAL,
                                             .process_id = (int32_t)process->dwProcessId,
                                             .started_at = process_start(process->dwProcessId)};
        configure(manager, entries[i].lpServiceName, arena, service);
        if (service->name == NULL || service->display_name == NULL || service->account == NULL ||
            service->depends_on == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, "services", NULL);
    }
    *count = status == 0 ? found : 0;
    free(bytes);
    CloseServiceHandle(manager);
    return status;
}

/* ---- restarting */

/* Waits for a state by asking: being told is not to be had everywhere. */
static int wait_for(SC_HANDLE service, DWORD state, int64_t until, const char *name, struct umx_error *err)
{
    SERVICE_STATUS_PROCESS now;
    DWORD size = 0;

    for (;;) {
        if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&now, sizeof now, &size))
            return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, GetLastError());
        if (now.dwCurrentState == state)
            return 0;
        if (state == SERVICE_RUNNING && now.dwCurrentState == SERVICE_STOPPED)
            return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, now.dwWin32ExitCode);
        if (umx_clock_monotonic() >= until)
            return umx_fail(err, UMX_ERR_SERVICE_RESTART, name, "it is not %s in time",
                            state == SERVICE_RUNNING ? "running" : "stopped");
        Sleep(POLL_MILLISECONDS);
    }
}

static int stop(SC_HANDLE service, int64_t until, const char *name, struct umx_error *err)
{
    SERVICE_STATUS status;

    if (!ControlService(service, SERVICE_CONTROL_STOP, &status)) {
        DWORD code = GetLastError();
        if (code == ERROR_SERVICE_NOT_ACTIVE)
            return 0;
        if (code != ERROR_SERVICE_CANNOT_ACCEPT_CTRL) /* it is on its way up or down */
            return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, code);
    }
    return wait_for(service, SERVICE_STOPPED, until, name, err);
}

static int start(SC_HANDLE service, int64_t until, const char *name, struct umx_error *err)
{
    if (!StartServiceW(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
        return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, GetLastError());
    return wait_for(service, SERVICE_RUNNING, until, name, err);
}

/* Services that run and need this one: they are stopped first and started last. */
static ENUM_SERVICE_STATUSW *dependents(SC_HANDLE service, DWORD *count)
{
    DWORD size = 0;
    ENUM_SERVICE_STATUSW *list;

    *count = 0;
    if (EnumDependentServicesW(service, SERVICE_ACTIVE, NULL, 0, &size, count) || GetLastError() != ERROR_MORE_DATA)
        return NULL;
    list = malloc(size);
    if (list == NULL || !EnumDependentServicesW(service, SERVICE_ACTIVE, list, size, &size, count))
        *count = 0;
    if (*count > DEPENDENTS_MAX)
        *count = DEPENDENTS_MAX;
    return list;
}

static int each_dependent(SC_HANDLE manager, const ENUM_SERVICE_STATUSW *list, DWORD count, bool up, int64_t until,
                          const char *name, struct umx_error *err)
{
    int status = 0;

    for (DWORD i = 0; status == 0 && i < count; i++) {
        const ENUM_SERVICE_STATUSW *entry = &list[up ? count - 1 - i : i];
        SC_HANDLE service =
            OpenServiceW(manager, entry->lpServiceName, SERVICE_QUERY_STATUS | SERVICE_STOP | SERVICE_START);
        if (service == NULL)
            return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, GetLastError());
        status = up ? start(service, until, name, err) : stop(service, until, name, err);
        CloseServiceHandle(service);
    }
    return status;
}

int umx_windows_restart(struct umx_host *host, const char *name, int64_t timeout, struct umx_error *err)
{
    wchar_t wide[257];
    int64_t until = umx_clock_monotonic() + timeout;
    ENUM_SERVICE_STATUSW *list = NULL;
    SC_HANDLE manager = NULL;
    SC_HANDLE service = NULL;
    DWORD count = 0;
    int status = 0;

    (void)host;
    if (umx_wide(name, wide, 257) != 0)
        return umx_fail(err, UMX_ERR_SERVICE_UNKNOWN, name, NULL);
    manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (manager != NULL)
        service = OpenServiceW(manager, wide,
                               SERVICE_QUERY_STATUS | SERVICE_STOP | SERVICE_START | SERVICE_ENUMERATE_DEPENDENTS);
    if (service == NULL) {
        DWORD code = GetLastError();
        status = code == ERROR_SERVICE_DOES_NOT_EXIST ? umx_fail(err, UMX_ERR_SERVICE_UNKNOWN, name, NULL)
                                                      : umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, code);
        goto out;
    }
    list = dependents(service, &count);
    status = each_dependent(manager, list, count, false, until, name, err);
    if (status == 0)
        status = stop(service, until, name, err);
    if (status == 0)
        status = start(service, until, name, err);
    if (status == 0)
        status = each_dependent(manager, list, count, true, until, name, err);
out:
    free(list);
    if (service != NULL)
        CloseServiceHandle(service);
    if (manager != NULL)
        CloseServiceHandle(manager);
    return status;
}

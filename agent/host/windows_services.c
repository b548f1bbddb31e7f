/* Services: the list with the start times of their processes, and restarting one. */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <winsvc.h>

#include "agent/host/windows_host.h"
#include "agent/host/windows_processes.h"
#include "base/clock.h"
#include "base/text.h"

enum { CONFIG_MAX = 8192, DEPENDENTS_MAX = 64, POLL_MILLISECONDS = 200 };
#define RECOVERY (30 * UMX_SECOND) /* for starting again what was stopped in vain */

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
    void *processes = umx_windows_processes(); /* after the list: those that it names are there */
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
                                             .started_at = umx_windows_process_start(processes, process->dwProcessId)};
        configure(manager, entries[i].lpServiceName, arena, service);
        if (service->name == NULL || service->display_name == NULL || service->account == NULL ||
            service->depends_on == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, "services", NULL);
    }
    *count = status == 0 ? found : 0;
    free(processes);
    free(bytes);
    CloseServiceHandle(manager);
    return status;
}

/* ---- restarting */

static int look(SC_HANDLE service, const char *name, SERVICE_STATUS_PROCESS *now, struct umx_error *err)
{
    DWORD size = 0;

    return QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)now, sizeof *now, &size)
               ? 0
               : umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, GetLastError());
}

/* Waits for a state by asking: being told is not to be had everywhere. */
static int wait_more(int64_t until, const char *name, const char *state, struct umx_error *err)
{
    if (umx_clock_monotonic() >= until)
        return umx_fail(err, UMX_ERR_SERVICE_RESTART, name, "it is not %s in time", state);
    Sleep(POLL_MILLISECONDS);
    return 0;
}

/* One that is on its way up takes no control: it is told when it runs. */
static int stop(SC_HANDLE service, int64_t until, const char *name, struct umx_error *err)
{
    SERVICE_STATUS_PROCESS now;
    SERVICE_STATUS ignored;
    bool told = false;
    int status;

    while ((status = look(service, name, &now, err)) == 0 && now.dwCurrentState != SERVICE_STOPPED) {
        if (!told && (now.dwCurrentState == SERVICE_RUNNING || now.dwCurrentState == SERVICE_PAUSED)) {
            told = ControlService(service, SERVICE_CONTROL_STOP, &ignored);
            DWORD code = told ? ERROR_SUCCESS : GetLastError();
            if (!told && code != ERROR_SERVICE_CANNOT_ACCEPT_CTRL && code != ERROR_SERVICE_NOT_ACTIVE)
                return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, code);
        }
        if ((status = wait_more(until, name, "stopped", err)) != 0)
            break;
    }
    return status;
}

/* One that is still on its way down is started when it is there. */
static int start(SC_HANDLE service, int64_t until, const char *name, struct umx_error *err)
{
    SERVICE_STATUS_PROCESS now;
    bool begun = false;
    int status;

    while ((status = look(service, name, &now, err)) == 0 && now.dwCurrentState != SERVICE_RUNNING) {
        if (now.dwCurrentState == SERVICE_STOPPED && begun)
            return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, now.dwWin32ExitCode);
        if (now.dwCurrentState == SERVICE_STOPPED) {
            begun = StartServiceW(service, 0, NULL);
            DWORD code = begun ? ERROR_SUCCESS : GetLastError();
            if (!begun && code != ERROR_SERVICE_ALREADY_RUNNING) /* its process has not ended yet */
                return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, code);
        }
        if ((status = wait_more(until, name, "running", err)) != 0)
            break;
    }
    return status;
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

static int change(SC_HANDLE manager, const wchar_t *which, bool up, int64_t until, const char *name,
                  struct umx_error *err)
{
    /* Both rights at once: what may not be started again is not stopped. */
    SC_HANDLE service = OpenServiceW(manager, which, SERVICE_QUERY_STATUS | SERVICE_STOP | SERVICE_START);
    int status;

    if (service == NULL)
        return umx_windows_fail(err, UMX_ERR_SERVICE_RESTART, name, GetLastError());
    status = up ? start(service, until, name, err) : stop(service, until, name, err);
    CloseServiceHandle(service);
    return status;
}

static int stop_all(SC_HANDLE manager, SC_HANDLE service, const ENUM_SERVICE_STATUSW *list, DWORD count, int64_t until,
                    const char *name, struct umx_error *err)
{
    int status = 0;

    for (DWORD i = 0; status == 0 && i < count; i++)
        status = change(manager, list[i].lpServiceName, false, until, name, err);
    return status == 0 ? stop(service, until, name, err) : status;
}

/* Each is tried, whatever became of the others; the first error is told. */
static int start_all(SC_HANDLE manager, SC_HANDLE service, const ENUM_SERVICE_STATUSW *list, DWORD count, int64_t until,
                     const char *name, struct umx_error *err)
{
    int status = start(service, until, name, err);

    for (DWORD i = count; i > 0; i--) {
        int other = change(manager, list[i - 1].lpServiceName, true, until, name, status == 0 ? err : NULL);
        if (status == 0)
            status = other;
    }
    return status;
}

/* What was stopped is started again, also when something did not stop or the agent is asked to end meanwhile: nobody
 * else would. */
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
    status = stop_all(manager, service, list, count, until, name, err);
    if (status == 0)
        status = start_all(manager, service, list, count, until, name, err);
    else
        start_all(manager, service, list, count, umx_clock_monotonic() + RECOVERY, name, NULL);
out:
    free(list);
    if (service != NULL)
        CloseServiceHandle(service);
    if (manager != NULL)
        CloseServiceHandle(manager);
    return status;
}

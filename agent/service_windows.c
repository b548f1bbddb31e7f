#include "agent/service.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include <winsvc.h>

#include "agent/event.h"
#include "agent/file.h"
#include "agent/host/windows_access.h"
#include "agent/host/windows_text.h"
#include "agent/stop.h"
#include "agent/updater_service.h"
#include "base/log.h"
#include "base/open.h"

enum {
    START_MS = 30000,
    STOP_MS = 5000,
    TELL_MS = 1000,
    SILENT_MS = 20000,  /* of a service that is being removed */
    REMOVE_MS = 360000, /* a restart that it is at is brought to its end: five minutes, and half a one */
    POLL_MS = 100,
    PRIVILEGES_SIZE = 4096, /* bytes; Windows knows three dozen, of 12 bytes each */
    LOG_MAX = 4 * 1024 * 1024,
    PATH_MAX_CHARACTERS = 2048
};

static wchar_t name[] = L"" UMX_SERVICE_NAME;

/* ---- running */

/* The one service of this process: the service manager's callbacks carry no state of ours when they begin. */
static struct {
    SERVICE_STATUS_HANDLE handle;
    SRWLOCK telling; /* for the two below, and what is told in which order */
    DWORD state;
    DWORD checkpoint;
    umx_service_work *work;
    void *user;
    struct umx_error *err;
    int status;
    bool ready;
} running;

/* A service that stops tells so again and again, each time with a greater checkpoint: it is at work on its end. */
static void tell(DWORD state, DWORD exit)
{
    AcquireSRWLockExclusive(&running.telling);
    DWORD checkpoint = state == SERVICE_STOP_PENDING ? running.checkpoint + 1 : 0;
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS,
                             .dwCurrentState = state,
                             .dwControlsAccepted =
                                 state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN : 0,
                             .dwWin32ExitCode = exit != 0 ? ERROR_SERVICE_SPECIFIC_ERROR : NO_ERROR,
                             .dwServiceSpecificExitCode = exit,
                             .dwCheckPoint = checkpoint,
                             .dwWaitHint = state == SERVICE_START_PENDING  ? START_MS
                                           : state == SERVICE_STOP_PENDING ? STOP_MS
                                                                           : 0};

    if (running.state != SERVICE_STOPPED) { /* after that nothing may be told */
        SetServiceStatus(running.handle, &status);
        running.state = state;
        running.checkpoint = checkpoint;
    }
    ReleaseSRWLockExclusive(&running.telling);
}

static void CALLBACK tell_again(void *context, BOOLEAN fired)
{
    (void)context;
    (void)fired;
    tell(SERVICE_STOP_PENDING, 0);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    HANDLE timer; /* until the process ends */

    (void)type;
    (void)data;
    (void)context;
    if (code == SERVICE_CONTROL_INTERROGATE)
        return NO_ERROR;
    if (code != SERVICE_CONTROL_STOP && code != SERVICE_CONTROL_SHUTDOWN)
        return ERROR_CALL_NOT_IMPLEMENTED;
    tell(SERVICE_STOP_PENDING, 0);
    atomic_store(&umx_agent_stopping, true);
    CreateTimerQueueTimer(&timer, NULL, tell_again, NULL, TELL_MS, TELL_MS, WT_EXECUTEDEFAULT);
    return NO_ERROR;
}

static void WINAPI serve(DWORD argc, wchar_t **argv)
{
    (void)argc;
    (void)argv;
    running.handle = RegisterServiceCtrlHandlerExW(name, control, NULL);
    if (running.handle == NULL) {
        running.status = umx_windows_fail(running.err, UMX_ERR_SERVICE_CONTROL, UMX_SERVICE_NAME, GetLastError());
        return;
    }
    tell(SERVICE_START_PENDING, 0);
    running.status = running.work(running.user, running.err);
    if (running.status != 0) {
        umx_log_error("agent", running.err);
        umx_event_tell_error(running.ready ? UMX_EVENT_FAILED : UMX_EVENT_NOT_STARTED, NULL, running.err);
    } else {
        umx_event_tell(UMX_EVENT_STOPPED, UMX_VERSION, NULL, NULL);
    }
    /* The process may be ended as soon as this is told. An exit other than 0 makes the service manager restart it. */
    tell(SERVICE_STOPPED, running.status != 0 ? (DWORD)-running.status : 0);
}

void umx_service_ready(void)
{
    if (running.handle == NULL || atomic_load(&umx_agent_stopping))
        return;
    tell(SERVICE_RUNNING, 0);
    running.ready = true;
    umx_event_tell(UMX_EVENT_STARTED, UMX_VERSION, NULL, NULL);
}

/* ---- what it may do: Windows gives every service the right to take on the identity of whoever connects to it, which
 * is known to be enough to become SYSTEM. */

/* LocalSystem is not made less by this, and its shell may need what it has. */
static bool is_system(HANDLE token)
{
    union {
        TOKEN_USER user;
        BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } of;
    DWORD size = 0;

    return GetTokenInformation(token, TokenUser, &of, sizeof of, &size) &&
           IsWellKnownSid(of.user.User.Sid, WinLocalSystemSid);
}

/* To walk through folders, and for starting the shell as another account. */
static bool is_kept(const LUID *privilege, bool shell_account)
{
    static const wchar_t *const kept[] = {L"SeChangeNotifyPrivilege", L"SeAssignPrimaryTokenPrivilege",
                                          L"SeIncreaseQuotaPrivilege"};
    LUID id;

    for (size_t i = 0; i < (shell_account ? 3 : 1); i++)
        if (LookupPrivilegeValueW(NULL, kept[i], &id) && id.LowPart == privilege->LowPart &&
            id.HighPart == privilege->HighPart)
            return true;
    return false;
}

int umx_service_give_up_privileges(bool shell_account, struct umx_error *err)
{
    union {
        TOKEN_PRIVILEGES list;
        BYTE room[PRIVILEGES_SIZE];
    } held;
    HANDLE token = NULL;
    DWORD size = 0;
    int status = 0;

    if (running.handle == NULL) /* on a console it is whoever sits there */
        return 0;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_ADJUST_PRIVILEGES, &token))
        return umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, "privileges", GetLastError());
    if (is_system(token))
        goto out;
    bool good = GetTokenInformation(token, TokenPrivileges, &held, sizeof held, &size);
    for (DWORD i = 0; good && i < held.list.PrivilegeCount; i++)
        if (!is_kept(&held.list.Privileges[i].Luid, shell_account))
            held.list.Privileges[i].Attributes = SE_PRIVILEGE_REMOVED;
    if (!good || !AdjustTokenPrivileges(token, FALSE, &held.list, 0, NULL, NULL))
        status = umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, "privileges", GetLastError());
out:
    CloseHandle(token);
    return status;
}

/* A service has no console: the log becomes a file. */
static int open_log(const char *config, struct umx_error *err)
{
    char path[UMX_AGENT_PATH_MAX];
    char old[UMX_AGENT_PATH_MAX + 8];
    FILE *file;
    int64_t size = 0;
    size_t folder = umx_folder_length(config);

    if (snprintf(path, sizeof path, "%.*s" UMX_SERVICE_NAME ".log", (int)folder, config) >= (int)sizeof path)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, config, "the path is too long");
    snprintf(old, sizeof old, "%s.old", path);
    if (umx_agent_file_changed(path, &size) != -1 && size > LOG_MAX)
        umx_rename(path, old);
    if ((file = umx_open(path, "ab")) == NULL)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, path, NULL);
    setvbuf(file, NULL, _IONBF, 0);
    umx_log_to(file);
    return 0;
}

int umx_service_run(const char *config, umx_service_work *work, void *user, struct umx_error *err)
{
    SERVICE_TABLE_ENTRYW table[] = {{name, serve}, {NULL, NULL}};
    int status;

    umx_event_begin();
    if ((status = open_log(config, err)) != 0) {
        umx_event_tell_error(UMX_EVENT_NOT_STARTED, NULL, err);
        return status;
    }
    running.work = work;
    running.user = user;
    running.err = err;
    if (!StartServiceCtrlDispatcherW(table))
        return umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_SERVICE_NAME, GetLastError());
    return running.status;
}

/* ---- registering */

/* Quoted, or Windows would try each word of a path with spaces as a program. */
int umx_service_line(const char *option, const char *config, wchar_t out[UMX_SERVICE_LINE_MAX], struct umx_error *err)
{
    wchar_t program[PATH_MAX_CHARACTERS], given[UMX_AGENT_PATH_MAX], whole[PATH_MAX_CHARACTERS];
    DWORD length = GetModuleFileNameW(NULL, program, PATH_MAX_CHARACTERS);
    DWORD full = umx_wide(config, given, UMX_AGENT_PATH_MAX) == 0
                     ? GetFullPathNameW(given, PATH_MAX_CHARACTERS, whole, NULL)
                     : 0;

    if (length == 0 || length >= PATH_MAX_CHARACTERS || full == 0 || full >= PATH_MAX_CHARACTERS ||
        wcschr(whole, L'"') != NULL)
        return umx_fail(err, UMX_ERR_SERVICE_CONTROL, config, "its path cannot be registered");
    if (GetFileAttributesW(whole) == INVALID_FILE_ATTRIBUTES)
        return umx_fail(err, UMX_ERR_FILE_UNREADABLE, config, "there is no such file");
    swprintf(out, UMX_SERVICE_LINE_MAX, L"\"%ls\" %hs --config \"%ls\"", program, option, whole);
    return 0;
}

/* What makes a good service better; a system that lacks one of them still has the service. */
static void refine(SC_HANDLE service)
{
    wchar_t text[] = L"Reports this server to the umx controller and runs the actions that operators have approved.";
    SERVICE_DESCRIPTIONW description = {text};
    SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
    SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_UNRESTRICTED};
    SERVICE_FAILURE_ACTIONS_FLAG on_exit = {TRUE};
    SC_ACTION again[] = {{SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 60000}, {SC_ACTION_RESTART, 300000}};
    SERVICE_FAILURE_ACTIONSW failures = {.dwResetPeriod = 86400, .cActions = 3, .lpsaActions = again};
    const struct {
        DWORD level;
        void *info;
        const char *what;
    } settings[] = {
        {SERVICE_CONFIG_DESCRIPTION, &description, "description"},
        {SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "delayed start"},
        {SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "a SID of its own"},
        {SERVICE_CONFIG_FAILURE_ACTIONS, &failures, "restart after a failure"},
        {SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &on_exit, "restart after an exit with an error"},
    };

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!ChangeServiceConfig2W(service, settings[i].level, settings[i].info))
            umx_log(UMX_LOG_WARNING, "service", "this system does not take the setting: %s", settings[i].what);
}

int umx_service_install(const char *config, const char *account, struct umx_error *err)
{
    wchar_t line[UMX_SERVICE_LINE_MAX];
    wchar_t user[256];
    wchar_t shown[] = L"umx agent";
    SC_HANDLE manager;
    SC_HANDLE service;
    int status = umx_service_line("--service", config, line, err);

    if (status == 0 && umx_wide(account != NULL ? account : "NT SERVICE\\" UMX_SERVICE_NAME, user, 256) != 0)
        status = umx_fail(err, UMX_ERR_SERVICE_CONTROL, account, "no account has such a name");
    if (status != 0)
        return status;
    manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
    if (manager == NULL)
        return umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, "service manager", GetLastError());
    service = CreateServiceW(manager, name, shown, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                             SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, user, NULL);
    if (service == NULL && GetLastError() == ERROR_SERVICE_EXISTS) {
        service = OpenServiceW(manager, name, SERVICE_ALL_ACCESS);
        if (service != NULL &&
            !ChangeServiceConfigW(service, SERVICE_NO_CHANGE, SERVICE_AUTO_START, SERVICE_NO_CHANGE, line, NULL, NULL,
                                  NULL, account != NULL ? user : NULL, NULL, NULL)) {
            status = umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_SERVICE_NAME, GetLastError());
        }
    }
    if (service == NULL)
        status = umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_SERVICE_NAME, GetLastError());
    if (service != NULL) {
        if (status == 0)
            status = umx_event_register(err);
        if (status == 0)
            status = umx_access_protect(config, UMX_ACCESS_READ_FILE, err);
        if (status == 0)
            status = umx_updater_service_install(config, err);
        if (status == 0)
            refine(service);
        CloseServiceHandle(service);
    }
    CloseServiceHandle(manager);
    return status;
}

/* Waits for as long as it says again and again that it is about to. */
static bool stops(SC_HANDLE service)
{
    SERVICE_STATUS_PROCESS now;
    DWORD size = 0, checkpoint = 0;

    for (int waited = 0, silent = 0; waited < REMOVE_MS && silent < SILENT_MS; waited += POLL_MS, silent += POLL_MS) {
        if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&now, sizeof now, &size) ||
            now.dwCurrentState == SERVICE_STOPPED)
            return true;
        if (now.dwCheckPoint != checkpoint)
            silent = 0;
        checkpoint = now.dwCheckPoint;
        Sleep(POLL_MS);
    }
    return false;
}

int umx_service_uninstall(struct umx_error *err)
{
    SERVICE_STATUS ignored;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service =
        manager != NULL ? OpenServiceW(manager, name, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE) : NULL;
    DWORD code = GetLastError();
    int status = 0;

    umx_event_unregister();
    umx_updater_service_uninstall();
    if (service == NULL) {
        if (manager != NULL)
            CloseServiceHandle(manager);
        return code == ERROR_SERVICE_DOES_NOT_EXIST
                   ? 0
                   : umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_SERVICE_NAME, code);
    }
    ControlService(service, SERVICE_CONTROL_STOP, &ignored);
    if (!stops(service))
        status = umx_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_SERVICE_NAME, "it does not stop");
    else if (!DeleteService(service))
        status = umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_SERVICE_NAME, GetLastError());
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    return status;
}

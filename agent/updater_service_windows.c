#include "agent/updater_service.h"

#include <windows.h>

#include <sddl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <winsvc.h>

#include "agent/host/windows_access.h"
#include "agent/host/windows_text.h"
#include "agent/service.h"
#include "agent/updater.h"
#include "base/log.h"
#include "base/open.h"

enum {
    LINE = 2 * UMX_AGENT_PATH_MAX + 64,
    START_MS = 60000,    /* at most: */
    PATIENCE_MS = 30000, /* with a copy that is ending */
    END_MS = 10000,      /* of a copy whose service is gone */
    LOOK_MS = 100,
    LOG_MAX = 1024 * 1024
};

static wchar_t name[] = L"" UMX_UPDATER_SERVICE_NAME;

/* As Windows has it for services, and the agent's account may look and start. */
#define RIGHTS                                                                                                         \
    L"D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)"  \
    L"(A;;LCRP;;;" UMX_ACCESS_SERVICE L")"

/* ---- running */

static struct {
    SERVICE_STATUS_HANDLE handle;
    const char *config;
    struct umx_error *err;
    int status;
} running;

/* Where the copy writes its log: its standard error. It grows by a few lines an update. */
static HANDLE open_log(const struct umx_agent_config *config)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof inherit, .bInheritHandle = TRUE};
    wchar_t wide[UMX_AGENT_PATH_MAX];
    char path[UMX_AGENT_PATH_MAX + 16];
    int64_t size = 0;

    snprintf(path, sizeof path, "%s\\update.log", config->updater);
    if (umx_agent_file_changed(path, &size) != -1 && size > LOG_MAX)
        umx_remove(path);
    if (umx_wide(path, wide, UMX_AGENT_PATH_MAX) != 0)
        return INVALID_HANDLE_VALUE;
    return CreateFileW(wide, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit, OPEN_ALWAYS,
                       FILE_ATTRIBUTE_NORMAL, NULL);
}

static int start_copy(const struct umx_agent_config *config, const char *program, const char *file,
                      struct umx_error *err)
{
    wchar_t line[LINE], wide[2][UMX_AGENT_PATH_MAX];
    HANDLE log = open_log(config);
    STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES, .hStdError = log, .hStdOutput = log};
    PROCESS_INFORMATION process;
    int status = 0;

    if (umx_wide(program, wide[0], UMX_AGENT_PATH_MAX) != 0 || umx_wide(file, wide[1], UMX_AGENT_PATH_MAX) != 0 ||
        swprintf(line, LINE, L"\"%ls\" apply --config \"%ls\"", wide[0], wide[1]) < 0)
        status = umx_fail(err, UMX_ERR_UPDATE_INSTALLER, program, "the path is too long");
    else if (!CreateProcessW(wide[0], line, NULL, NULL, TRUE, CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP, NULL, NULL,
                             &startup, &process))
        status = umx_windows_fail(err, UMX_ERR_UPDATE_INSTALLER, program, GetLastError());
    if (status == 0) {
        CloseHandle(process.hThread);
        CloseHandle(process.hProcess);
    }
    if (log != INVALID_HANDLE_VALUE)
        CloseHandle(log);
    return status;
}

static int make_folder(const char *path, struct umx_error *err)
{
    wchar_t folder[UMX_AGENT_PATH_MAX];

    if (umx_wide(path, folder, UMX_AGENT_PATH_MAX) != 0)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "the path is too long");
    return umx_access_make_folder(folder, UMX_ACCESS_READ_FOLDER, path, err);
}

/* The copy is there: that of an update that is not at its end, or ours. One that is just ending has not seen what we
 * were started for, and cannot be replaced yet. */
static int have_copy(const char *folder, const char *program, struct umx_error *err)
{
    struct umx_updater_status seen;
    int status;

    for (int waited = 0;; waited += LOOK_MS) {
        if ((status = umx_updater_status_read(folder, &seen, err)) != 0)
            return status;
        bool unfinished = seen.state != UMX_UPDATER_NONE && seen.state < UMX_UPDATER_INSTALLED;
        if (unfinished && umx_exists(program))
            return 0;
        status = umx_updater_keep_self(program, err);
        if (status == 0 || err->foreign != ERROR_SHARING_VIOLATION || waited >= PATIENCE_MS)
            return status;
        Sleep(LOOK_MS);
    }
}

static int begin(const char *file, struct umx_error *err)
{
    struct umx_agent_config config = {0};
    char program[UMX_AGENT_PATH_MAX + 32];
    int status = umx_updater_believe(file, err);

    if (status == 0)
        status = umx_agent_config_read(file, &config, err);
    if (status == 0)
        status = make_folder(config.updater, err);
    if (status != 0)
        return status;
    snprintf(program, sizeof program, "%s\\%s", config.updater, umx_updater_self);
    if ((status = have_copy(config.updater, program, err)) == 0)
        return start_copy(&config, program, file, err);
    return err->foreign == ERROR_SHARING_VIOLATION ? 0 : status; /* it runs: what is there to do, it does */
}

static void tell(DWORD state, DWORD exit)
{
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS,
                             .dwCurrentState = state,
                             .dwWin32ExitCode = exit != 0 ? ERROR_SERVICE_SPECIFIC_ERROR : NO_ERROR,
                             .dwServiceSpecificExitCode = exit,
                             .dwWaitHint = state == SERVICE_START_PENDING ? START_MS : 0};

    SetServiceStatus(running.handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    (void)type;
    (void)data;
    (void)context;
    return code == SERVICE_CONTROL_INTERROGATE ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
}

static void WINAPI serve(DWORD argc, wchar_t **argv)
{
    (void)argc;
    (void)argv;
    running.handle = RegisterServiceCtrlHandlerExW(name, control, NULL);
    if (running.handle == NULL) {
        running.status =
            umx_windows_fail(running.err, UMX_ERR_SERVICE_CONTROL, UMX_UPDATER_SERVICE_NAME, GetLastError());
        return;
    }
    tell(SERVICE_START_PENDING, 0);
    running.status = begin(running.config, running.err);
    if (running.status != 0)
        umx_log_error("updater", running.err);
    tell(SERVICE_RUNNING, 0); /* who started it has waited for this */
    tell(SERVICE_STOPPED, running.status != 0 ? (DWORD)-running.status : 0);
}

int umx_updater_service_run(const char *config, struct umx_error *err)
{
    SERVICE_TABLE_ENTRYW table[] = {{name, serve}, {NULL, NULL}};

    running.config = config;
    running.err = err;
    if (!StartServiceCtrlDispatcherW(table))
        return umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_UPDATER_SERVICE_NAME, GetLastError());
    return running.status;
}

/* ---- registering */

/* A setting that a system does not know is passed over, as those of the agent's service are. */
static void refine(SC_HANDLE service)
{
    wchar_t text[] =
        L"Installs updates of the umx agent that its release key has signed, and returns from those that fail.";
    SERVICE_DESCRIPTIONW description = {text};
    SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_UNRESTRICTED};
    PSECURITY_DESCRIPTOR rights = NULL;

    ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description);
    ChangeServiceConfig2W(service, SERVICE_CONFIG_SERVICE_SID_INFO, &sid);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(RIGHTS, SDDL_REVISION_1, &rights, NULL) ||
        !SetServiceObjectSecurity(service, DACL_SECURITY_INFORMATION, rights))
        umx_log(UMX_LOG_WARNING, "service",
                "the agent's account may not start %s: its updates wait until somebody does", UMX_UPDATER_SERVICE_NAME);
    LocalFree(rights);
}

int umx_updater_service_install(const char *config, struct umx_error *err)
{
    wchar_t line[UMX_SERVICE_LINE_MAX];
    wchar_t shown[] = L"umx agent update";
    wchar_t system[] = L"LocalSystem";
    SC_HANDLE manager = NULL;
    SC_HANDLE service = NULL;
    struct umx_agent_config settings;
    int status = umx_service_line("--update-service", config, line, err);

    if (status != 0)
        return status;
    /* Before anybody else makes it. What is wrong with the configuration the agent says when it starts. */
    umx_agent_config_read_host(config, &settings, NULL);
    if ((status = make_folder(settings.updater, err)) != 0)
        return status;
    manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
    if (manager != NULL)
        service = CreateServiceW(manager, name, shown, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                 SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, system, NULL);
    if (service == NULL && manager != NULL && GetLastError() == ERROR_SERVICE_EXISTS) {
        service = OpenServiceW(manager, name, SERVICE_ALL_ACCESS);
        /* How it starts stays: with the system while an update is under way, which may be what installs us. */
        if (service != NULL && !ChangeServiceConfigW(service, SERVICE_NO_CHANGE, SERVICE_NO_CHANGE, SERVICE_NO_CHANGE,
                                                     line, NULL, NULL, NULL, system, NULL, NULL)) {
            DWORD code = GetLastError();
            CloseServiceHandle(service);
            service = NULL;
            SetLastError(code);
        }
    }
    if (service == NULL)
        status = umx_windows_fail(err, UMX_ERR_SERVICE_CONTROL, UMX_UPDATER_SERVICE_NAME, GetLastError());
    if (service != NULL) {
        refine(service);
        CloseServiceHandle(service);
    }
    if (manager != NULL)
        CloseServiceHandle(manager);
    return status;
}

/* It ends when it sees that its service is gone, and then nothing of it is in the way of what removes its folder. */
static void wait_for_copy(void)
{
    struct umx_updater_status seen = {0};
    char lock[UMX_AGENT_PATH_MAX];

    snprintf(lock, sizeof lock, "%s\\%s", umx_updater_folder, UMX_UPDATER_LOCK);
    for (int waited = 0; waited < END_MS && umx_exists(lock); waited += LOOK_MS) {
        umx_updater_status_read(umx_updater_folder, &seen, NULL);
        if (seen.state == UMX_UPDATER_INSTALLING || seen.state == UMX_UPDATER_RETURNING)
            return; /* its installation may be what we are part of */
        Sleep(LOOK_MS);
    }
}

void umx_updater_service_uninstall(void)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager != NULL ? OpenServiceW(manager, name, DELETE) : NULL;

    if (service != NULL) {
        DeleteService(service);
        CloseServiceHandle(service);
        wait_for_copy();
    }
    if (manager != NULL)
        CloseServiceHandle(manager);
}

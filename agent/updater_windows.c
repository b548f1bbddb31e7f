#include <windows.h>

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <wchar.h>

#include "agent/collect/prove.h"
#include "agent/event.h"
#include "agent/host/windows_access.h"
#include "agent/host/windows_text.h"
#include "agent/service.h"
#include "agent/updater.h"
#include "agent/updater_service.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/open.h"

#define LONGEST (15 * UMX_MINUTE)
#define BUSY_LONGEST UMX_HOUR /* that another installation is waited for */
#define SERVICE L"" UMX_UPDATER_SERVICE_NAME
#define PRODUCTS L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Installer\\UserData\\S-1-5-18\\Products"

enum {
    LINE = 4 * UMX_AGENT_PATH_MAX,
    /* milliseconds: */
    LOOK = 100,
    PATIENCE = 30000,
    BUSY_FIRST = 1000,
    BUSY_MOST = 30000,
};

const char *const umx_updater_folder = "C:\\ProgramData\\umx-update";
const char *const umx_updater_self = "updater.exe";
/* None: Windows Installer itself. A program that is configured in its place gets a verb, a path and a version. */
const char *const umx_updater_installer = "";

/* Where it is, as Windows itself names places, without a separator at its end; false: that cannot be said. */
static bool place_of(HANDLE file, wchar_t out[UMX_AGENT_PATH_MAX])
{
    DWORD length = GetFinalPathNameByHandleW(file, out, UMX_AGENT_PATH_MAX, FILE_NAME_NORMALIZED);

    if (length == 0 || length >= UMX_AGENT_PATH_MAX)
        return false;
    if (out[length - 1] == L'\\')
        out[length - 1] = L'\0';
    return true;
}

/* Opens no link, and nothing that gets our rights by having been opened. Of a file there is no second name elsewhere.
 */
static HANDLE open_plain(const char *path, DWORD rights, DWORD flags)
{
    const DWORD itself = FILE_FLAG_OPEN_REPARSE_POINT | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS;
    wchar_t wide[UMX_AGENT_PATH_MAX];
    BY_HANDLE_FILE_INFORMATION info;

    errno = EACCES;
    if (umx_wide(path, wide, UMX_AGENT_PATH_MAX) != 0)
        return NULL;
    HANDLE file = CreateFileW(wide, rights, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              itself | flags, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        if (GetLastError() == ERROR_FILE_NOT_FOUND || GetLastError() == ERROR_PATH_NOT_FOUND)
            errno = ENOENT;
        return NULL;
    }
    if (GetFileInformationByHandle(file, &info) && (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0 &&
        (info.nNumberOfLinks == 1 || (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0))
        return file;
    CloseHandle(file);
    errno = EACCES;
    return NULL;
}

/* STATE/update belongs to the agent's account, which can put a junction in its place between any two looks at it, and
 * another file's second name in it. So it is what was opened that says where it is, and that is what is read or
 * removed. STATE itself lies in a folder that does not belong to that account. */
static HANDLE open_staged(const char *state, const char *name, DWORD rights)
{
    char path[UMX_AGENT_PATH_MAX + 64];
    wchar_t own[UMX_AGENT_PATH_MAX], wanted[UMX_AGENT_PATH_MAX + 64], is[UMX_AGENT_PATH_MAX];
    HANDLE folder = open_plain(state, FILE_READ_ATTRIBUTES, FILE_FLAG_BACKUP_SEMANTICS);
    bool known = folder != NULL && place_of(folder, own);

    snprintf(path, sizeof path, "%s/update/%s", state, name);
    HANDLE file = known ? open_plain(path, rights, 0) : NULL;
    if (folder != NULL)
        CloseHandle(folder);
    if (file == NULL)
        return NULL;
    if (swprintf(wanted, sizeof wanted / sizeof *wanted, L"%ls\\update\\%hs", own, name) > 0 && place_of(file, is) &&
        _wcsicmp(is, wanted) == 0)
        return file;
    CloseHandle(file);
    errno = EACCES;
    return NULL;
}

FILE *umx_updater_open(const char *state, const char *name)
{
    HANDLE file = open_staged(state, name, GENERIC_READ);
    int fd = file != NULL ? _open_osfhandle((intptr_t)file, _O_RDONLY | _O_BINARY) : -1;
    FILE *out = fd >= 0 ? _fdopen(fd, "rb") : NULL;

    if (fd >= 0 && out == NULL)
        _close(fd);
    else if (fd < 0 && file != NULL)
        CloseHandle(file);
    return out;
}

void umx_updater_remove(const char *state, const char *name)
{
    FILE_DISPOSITION_INFO gone = {TRUE};
    HANDLE file = open_staged(state, name, DELETE | FILE_READ_ATTRIBUTES);

    if (file == NULL)
        return;
    SetFileInformationByHandle(file, FileDispositionInfo, &gone, sizeof gone);
    CloseHandle(file);
}

static bool says(HKEY products, const wchar_t *key, const wchar_t *value, const wchar_t *text)
{
    wchar_t found[64] = L"";
    DWORD size = sizeof found;

    return RegGetValueW(products, key, value, RRF_RT_REG_SZ, NULL, found, &size) == ERROR_SUCCESS &&
           wcscmp(found, text) == 0;
}

/* Whether a product's key is that of the agent that runs, and the copy of its package that Windows Installer keeps. */
static bool is_agent(HKEY products, const wchar_t *product, wchar_t package[UMX_AGENT_PATH_MAX])
{
    wchar_t key[256];
    DWORD package_size = UMX_AGENT_PATH_MAX * sizeof(wchar_t);

    return swprintf(key, 256, L"%ls\\InstallProperties", product) >= 0 &&
           says(products, key, L"DisplayName", L"umx agent") &&
           says(products, key, L"DisplayVersion", L"" UMX_VERSION) &&
           RegGetValueW(products, key, L"LocalPackage", RRF_RT_REG_SZ, NULL, package, &package_size) == ERROR_SUCCESS;
}

static int keep(const char *path, struct umx_error *err)
{
    wchar_t product[128], package[UMX_AGENT_PATH_MAX], to[UMX_AGENT_PATH_MAX];
    HKEY products = NULL;
    bool found = false;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, PRODUCTS, 0, KEY_READ | KEY_WOW64_64KEY, &products) == ERROR_SUCCESS)
        for (DWORD i = 0; !found; i++) {
            DWORD length = 128;
            if (RegEnumKeyExW(products, i, product, &length, NULL, NULL, NULL, NULL) != ERROR_SUCCESS)
                break;
            found = is_agent(products, product, package);
        }
    if (products != NULL)
        RegCloseKey(products);
    if (!found)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, "Windows Installer", "it does not know the agent's package");
    if (umx_wide(path, to, UMX_AGENT_PATH_MAX) != 0 || !CopyFileW(package, to, FALSE))
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, (long)GetLastError(), path, "error %lu", GetLastError());
    return 0;
}

/* Runs a command line and waits for its end. */
static int run_once(const wchar_t *words, const char *what, DWORD *code, struct umx_error *err)
{
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    int64_t end = umx_clock_monotonic() + LONGEST;
    wchar_t line[LINE];

    *code = 1;
    wcscpy(line, words); /* Windows may write into it */
    if (!CreateProcessW(NULL, line, NULL, NULL, FALSE, CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP, NULL, NULL,
                        &startup, &process))
        return umx_fail_code(err, UMX_ERR_UPDATE_INSTALLER, (long)GetLastError(), what, "error %lu", GetLastError());
    CloseHandle(process.hThread);
    while (WaitForSingleObject(process.hProcess, LOOK) == WAIT_TIMEOUT && umx_clock_monotonic() < end)
        ;
    bool ended = WaitForSingleObject(process.hProcess, 0) == WAIT_OBJECT_0;
    if (ended)
        GetExitCodeProcess(process.hProcess, code);
    else
        TerminateProcess(process.hProcess, 1); /* of msiexec the half that waits: the other one goes on, and is busy */
    CloseHandle(process.hProcess);
    return ended ? 0 : umx_fail(err, UMX_ERR_UPDATE_INSTALLER, what, "it did not end in time");
}

/* Nothing was done, for another installation is at work or Windows Installer cannot be reached now. */
static bool is_busy(DWORD code)
{
    return code == ERROR_INSTALL_ALREADY_RUNNING || code == ERROR_INSTALL_SERVICE_FAILURE;
}

/* False: it is to end, because it was asked to or what it waited for has removed the agent. */
static bool wait_while_busy(int milliseconds, bool registered, const atomic_bool *stop)
{
    for (int waited = 0; waited < milliseconds; waited += LOOK) {
        if (atomic_load(stop) || (registered && !umx_updater_registered()))
            return false;
        Sleep(LOOK);
    }
    return true;
}

static int run(const wchar_t *line, const char *what, const atomic_bool *stop, struct umx_error *err)
{
    int64_t end = umx_clock_monotonic() + BUSY_LONGEST;
    bool registered = umx_updater_registered();
    int status, pause = BUSY_FIRST;
    DWORD code;

    while ((status = run_once(line, what, &code, err)) == 0 && is_busy(code) && umx_clock_monotonic() < end) {
        umx_log(UMX_LOG_INFO, "updater", "%s: code %lu; once more in %d s", what, code, pause / 1000);
        if (!wait_while_busy(pause, registered, stop))
            return umx_fail(err, UMX_ERR_CANCELLED, "updater", NULL);
        pause = pause * 2 < BUSY_MOST ? pause * 2 : BUSY_MOST;
    }
    if (status == 0 && code != ERROR_SUCCESS && code != ERROR_SUCCESS_REBOOT_REQUIRED)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, what, "it ended with code %lu", code);
    return status;
}

/* properties: more words of the command line, with a space before each. */
static int msiexec(const char *path, const char *properties, const atomic_bool *stop, struct umx_error *err)
{
    wchar_t line[LINE], system[MAX_PATH], wide[UMX_AGENT_PATH_MAX];

    if (GetSystemDirectoryW(system, MAX_PATH) == 0 || umx_wide(path, wide, UMX_AGENT_PATH_MAX) != 0)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, path, "the path is too long");
    for (wchar_t *c = wide; *c != L'\0'; c++) /* to msiexec a slash begins an option */
        if (*c == L'/')
            *c = L'\\';
    if (swprintf(line, LINE, L"\"%ls\\msiexec.exe\" /i \"%ls\" /qn /norestart%hs", system, wide, properties) < 0)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, path, "the path is too long");
    return run(line, "msiexec.exe", stop, err);
}

/* A package that was not installed has left the one before, and maybe its service stopped. */
static void start_agent(void)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager != NULL ? OpenServiceW(manager, L"" UMX_SERVICE_NAME, SERVICE_START) : NULL;

    if (service != NULL) {
        StartServiceW(service, 0, NULL);
        CloseServiceHandle(service);
    }
    if (manager != NULL)
        CloseServiceHandle(manager);
}

static int installer(const char *program, const char *verb, const char *path, const char *version,
                     const atomic_bool *stop, struct umx_error *err)
{
    wchar_t line[LINE], wide[2][UMX_AGENT_PATH_MAX];

    if (umx_wide(program, wide[0], UMX_AGENT_PATH_MAX) != 0 || umx_wide(path, wide[1], UMX_AGENT_PATH_MAX) != 0 ||
        swprintf(line, LINE, L"\"%ls\" %hs \"%ls\" %hs", wide[0], verb, wide[1], version) < 0)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, program, "the path is too long");
    return run(line, program, stop, err);
}

int umx_updater_install(const struct umx_agent_config *config, enum umx_updater_verb verb, const char *path,
                        const char *version, const atomic_bool *stop, struct umx_error *err)
{
    static const char *const verbs[] = {
        [UMX_UPDATER_KEEP] = "keep", [UMX_UPDATER_INSTALL] = "install", [UMX_UPDATER_RETURN] = "return"};
    int status;

    if (atomic_load(stop))
        return umx_fail(err, UMX_ERR_CANCELLED, "updater", NULL);
    if (config->installer[0] != '\0')
        return installer(config->installer, verbs[verb], path, version, stop, err);
    switch (verb) {
    case UMX_UPDATER_KEEP:
        return keep(path, err);
    case UMX_UPDATER_INSTALL:
        return msiexec(path, "", stop, err);
    default:
        status = msiexec(path, " RETURNING=1", stop, err); /* it takes a newer one's place then */
        if (status == 0)
            start_agent();
        return status;
    }
}

int umx_updater_keep_self(const char *path, struct umx_error *err)
{
    wchar_t self[UMX_AGENT_PATH_MAX], to[UMX_AGENT_PATH_MAX], whole[UMX_AGENT_PATH_MAX] = L"";
    DWORD length = GetModuleFileNameW(NULL, self, UMX_AGENT_PATH_MAX);
    bool good = length > 0 && length < UMX_AGENT_PATH_MAX && umx_wide(path, to, UMX_AGENT_PATH_MAX) == 0 &&
                GetFullPathNameW(to, UMX_AGENT_PATH_MAX, whole, NULL) < UMX_AGENT_PATH_MAX;

    if (good && _wcsicmp(self, whole) == 0)
        return 0; /* the copy itself is at work */
    if (!good || !CopyFileW(self, whole, FALSE))
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, (long)GetLastError(), path, "error %lu", GetLastError());
    return 0;
}

/* ERROR_SUCCESS, or why not: also when nothing is to be changed. */
static DWORD change_start(DWORD start)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager != NULL ? OpenServiceW(manager, SERVICE, SERVICE_CHANGE_CONFIG) : NULL;
    DWORD code = service == NULL || !ChangeServiceConfigW(service, SERVICE_NO_CHANGE, start, SERVICE_NO_CHANGE, NULL,
                                                          NULL, NULL, NULL, NULL, NULL, NULL)
                     ? GetLastError()
                     : ERROR_SUCCESS;

    if (service != NULL)
        CloseServiceHandle(service);
    if (manager != NULL)
        CloseServiceHandle(manager);
    return code;
}

/* While an update is under way the service starts with the system, to go on with it. */
static void start_with_system(bool always)
{
    change_start(always ? SERVICE_AUTO_START : SERVICE_DEMAND_START);
}

/* A removed one that somebody still looks at can be opened, and no more. */
bool umx_updater_registered(void)
{
    DWORD code = change_start(SERVICE_NO_CHANGE);

    return code != ERROR_SERVICE_DOES_NOT_EXIST && code != ERROR_SERVICE_MARKED_FOR_DELETE;
}

/* Until the process ends. */
static HANDLE alone_in(const char *folder)
{
    char path[UMX_AGENT_PATH_MAX + 16];
    wchar_t wide[UMX_AGENT_PATH_MAX];

    snprintf(path, sizeof path, "%s/" UMX_UPDATER_LOCK, folder);
    if (umx_wide(path, wide, UMX_AGENT_PATH_MAX) != 0)
        return INVALID_HANDLE_VALUE;
    return CreateFileW(wide, GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
}

int umx_updater_begin(const char *folder, bool *alone, struct umx_error *err)
{
    wchar_t wide[UMX_AGENT_PATH_MAX];
    HANDLE lock;
    int status = umx_wide(folder, wide, UMX_AGENT_PATH_MAX) != 0
                     ? umx_fail(err, UMX_ERR_CONFIG_INVALID, folder, "the path is too long")
                     : umx_access_make_folder(wide, UMX_ACCESS_READ_FOLDER, folder, err);

    *alone = false;
    if (status != 0)
        return status;
    /* One that is just ending has not seen what we were started for. */
    for (int waited = 0; (lock = alone_in(folder)) == INVALID_HANDLE_VALUE && waited < PATIENCE; waited += LOOK)
        Sleep(LOOK);
    *alone = lock != INVALID_HANDLE_VALUE;
    if (*alone) {
        umx_event_begin();
        start_with_system(true);
    }
    return 0;
}

void umx_updater_end(bool left)
{
    if (!left)
        start_with_system(false);
}

/* The agent's own account writes in the folder of its configuration. */
int umx_updater_believe(const char *path, struct umx_error *err)
{
    return umx_access_trusted(path, err);
}

/* The service's access list lets the agent's account start it. */
void umx_updater_wake(void)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager != NULL ? OpenServiceW(manager, SERVICE, SERVICE_START) : NULL;

    if (service != NULL) {
        StartServiceW(service, 0, NULL);
        CloseServiceHandle(service);
    }
    if (manager != NULL)
        CloseServiceHandle(manager);
}

#include <windows.h>

#include <stdio.h>
#include <wchar.h>

#include "agent/collect/prove.h"
#include "agent/host/windows_text.h"
#include "agent/updater.h"
#include "base/clock.h"
#include "base/open.h"

#define LONGEST (15 * UMX_MINUTE)
#define SERVICE L"umx-agent-update"
#define PRODUCTS L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Installer\\UserData\\S-1-5-18\\Products"

enum { LINE = 4 * UMX_AGENT_PATH_MAX, LOOK = 100 /* milliseconds */ };

const char *const umx_updater_folder = "C:\\ProgramData\\umx-update";
/* None: Windows Installer itself. A program that is configured in its place gets a verb, a path and a version. */
const char *const umx_updater_installer = "";

/* The folder's access list lets the agent write there and nobody make a link out of it: making one needs a privilege
 * that its account has not. */
FILE *umx_updater_open(const char *state, const char *name)
{
    char path[UMX_AGENT_PATH_MAX + 64];

    snprintf(path, sizeof path, "%s/update/%s", state, name);
    return umx_open(path, "rb");
}

void umx_updater_remove(const char *state, const char *name)
{
    char path[UMX_AGENT_PATH_MAX + 64];

    snprintf(path, sizeof path, "%s/update/%s", state, name);
    umx_remove(path);
}

/* Whether a product's key is the agent's, and the copy of its package that Windows Installer keeps. */
static bool is_agent(HKEY products, const wchar_t *product, wchar_t package[UMX_AGENT_PATH_MAX])
{
    wchar_t key[256], name[64] = L"";
    DWORD size = sizeof name, package_size = UMX_AGENT_PATH_MAX * sizeof(wchar_t);

    if (swprintf(key, 256, L"%ls\\InstallProperties", product) < 0 ||
        RegGetValueW(products, key, L"DisplayName", RRF_RT_REG_SZ, NULL, name, &size) != ERROR_SUCCESS)
        return false;
    return wcscmp(name, L"umx agent") == 0 &&
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
static int run(wchar_t *line, const char *what, struct umx_error *err)
{
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    int64_t end = umx_clock_monotonic() + LONGEST;
    DWORD code = 1;

    if (!CreateProcessW(NULL, line, NULL, NULL, FALSE, CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP, NULL, NULL,
                        &startup, &process))
        return umx_fail_code(err, UMX_ERR_UPDATE_INSTALLER, (long)GetLastError(), what, "error %lu", GetLastError());
    CloseHandle(process.hThread);
    while (WaitForSingleObject(process.hProcess, LOOK) == WAIT_TIMEOUT && umx_clock_monotonic() < end)
        ;
    bool ended = WaitForSingleObject(process.hProcess, 0) == WAIT_OBJECT_0;
    if (ended)
        GetExitCodeProcess(process.hProcess, &code);
    else
        TerminateProcess(process.hProcess, 1);
    CloseHandle(process.hProcess);
    if (!ended)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, what, "it did not end in time");
    if (code != ERROR_SUCCESS && code != ERROR_SUCCESS_REBOOT_REQUIRED)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, what, "it ended with code %lu", code);
    return 0;
}

static int msiexec(const char *switches, const char *path, struct umx_error *err)
{
    wchar_t line[LINE], system[MAX_PATH], wide[UMX_AGENT_PATH_MAX];

    if (GetSystemDirectoryW(system, MAX_PATH) == 0 || umx_wide(path, wide, UMX_AGENT_PATH_MAX) != 0 ||
        swprintf(line, LINE, L"\"%ls\\msiexec.exe\" %hs \"%ls\" /qn /norestart", system, switches, wide) < 0)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, path, "the path is too long");
    return run(line, "msiexec.exe", err);
}

static int installer(const char *program, const char *verb, const char *path, const char *version,
                     struct umx_error *err)
{
    wchar_t line[LINE], wide[2][UMX_AGENT_PATH_MAX];

    if (umx_wide(program, wide[0], UMX_AGENT_PATH_MAX) != 0 || umx_wide(path, wide[1], UMX_AGENT_PATH_MAX) != 0 ||
        swprintf(line, LINE, L"\"%ls\" %hs \"%ls\" %hs", wide[0], verb, wide[1], version) < 0)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, program, "the path is too long");
    return run(line, program, err);
}

int umx_updater_install(const struct umx_agent_config *config, enum umx_updater_verb verb, const char *path,
                        const char *version, const atomic_bool *stop, struct umx_error *err)
{
    static const char *const verbs[] = {
        [UMX_UPDATER_KEEP] = "keep", [UMX_UPDATER_INSTALL] = "install", [UMX_UPDATER_RETURN] = "return"};
    char package[UMX_AGENT_PATH_MAX + 32];

    if (atomic_load(stop))
        return umx_fail(err, UMX_ERR_CANCELLED, "updater", NULL);
    if (config->installer[0] != '\0')
        return installer(config->installer, verbs[verb], path, version, err);
    switch (verb) {
    case UMX_UPDATER_KEEP:
        return keep(path, err);
    case UMX_UPDATER_INSTALL:
        return msiexec("/i", path, err);
    default:
        /* The package refuses to take a newer one's place: that one goes first, as far as it came. Identity and state
         * stay, as they do in every removal. */
        snprintf(package, sizeof package, "%s/package.msi", config->updater);
        msiexec("/x", package, NULL);
        return msiexec("/i", path, err);
    }
}

int umx_updater_keep_self(const char *path, struct umx_error *err)
{
    wchar_t self[UMX_AGENT_PATH_MAX], to[UMX_AGENT_PATH_MAX];
    DWORD length = GetModuleFileNameW(NULL, self, UMX_AGENT_PATH_MAX);

    if (length == 0 || length >= UMX_AGENT_PATH_MAX || umx_wide(path, to, UMX_AGENT_PATH_MAX) != 0 ||
        !CopyFileW(self, to, FALSE))
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, (long)GetLastError(), path, "error %lu", GetLastError());
    return 0;
}

/* The installer's access list of the parent says who reads and who writes. */
void umx_updater_make_folder(const char *path)
{
    umx_make_folder(path);
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

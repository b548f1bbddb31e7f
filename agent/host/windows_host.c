/* This machine when it runs Windows: who it is, and the table of its parts. */
#include "agent/host/windows_host.h"

#include "agent/host/watch.h"

#include <dsrole.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum { IDENTITY_ARENA = 64 * 1024 };

static uint64_t no_stamp(struct umx_host *host)
{
    (void)host;
    return 0; /* the quick tables are collected again every few seconds */
}

static void close_local(struct umx_host *host)
{
    umx_arena_free(host->arena);
    free(host);
}

static const char *own_name(struct umx_arena *arena)
{
    wchar_t name[256];
    DWORD size = 256;

    if (!GetComputerNameExW(ComputerNameDnsFullyQualified, name, &size))
        return "";
    return umx_narrow(name, arena);
}

static const char *product_name(struct umx_arena *arena)
{
    wchar_t name[256];
    DWORD size = sizeof name - sizeof *name;
    HKEY key;
    const char *result = "Windows";

    memset(name, 0, sizeof name);
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", 0,
                      KEY_READ | KEY_WOW64_64KEY, &key) != ERROR_SUCCESS)
        return result;
    if (RegQueryValueExW(key, L"ProductName", NULL, NULL, (BYTE *)name, &size) == ERROR_SUCCESS)
        result = umx_narrow(name, arena);
    RegCloseKey(key);
    return result;
}

static const char *forest_name(struct umx_arena *arena)
{
    DSROLE_PRIMARY_DOMAIN_INFO_BASIC *info = NULL;
    const char *result = "";

    if (DsRoleGetPrimaryDomainInformation(NULL, DsRolePrimaryDomainInfoBasic, (PBYTE *)&info) != ERROR_SUCCESS)
        return result;
    result = umx_narrow(info->DomainForestName, arena);
    DsRoleFreeMemory(info);
    return result;
}

/* Boot time as the kernel keeps it: it does not wander as `now minus uptime` does. */
static int64_t boot_time(void)
{
    struct {
        LARGE_INTEGER boot;
        BYTE rest[64];
    } time = {0};
    ULONG got = 0;

    if (NtQuerySystemInformation(SystemTimeOfDayInformation, &time, 48, &got) < 0)
        return 0;
    FILETIME boot = {(DWORD)time.boot.LowPart, (DWORD)time.boot.HighPart};
    return umx_windows_time(&boot);
}

int umx_host_open_local(struct umx_host **out, struct umx_error *err)
{
    static const struct umx_host_platform platform = {
        .registry = umx_windows_registry,
        .services = umx_windows_services,
        .certificates = umx_windows_certificates,
        .listeners = umx_windows_listeners,
        .events = umx_windows_events,
        .administrators = umx_windows_administrators,
        .shell_open = umx_windows_shell_open,
        .restart = umx_windows_restart,
        .stamp = no_stamp,
        .watch = umx_windows_watch,
        .close = close_local,
    };
    struct umx_host *host = calloc(1, sizeof *host);

    if (host == NULL || (host->arena = umx_arena_new(IDENTITY_ARENA)) == NULL) {
        free(host);
        return umx_fail(err, UMX_ERR_MEMORY, "host", NULL);
    }
    host->platform = &platform;
    host->identity = (struct umx_host_identity){
        .fqdn = own_name(host->arena),
        .os = product_name(host->arena),
        .address = "",
        .forest = forest_name(host->arena),
        .principal = "", /* proofs use the process's own identity: the machine account */
        .keytab = "",
        .domain_controllers = "",
        .started_at = boot_time(),
    };
    if (host->identity.fqdn == NULL || host->identity.os == NULL || host->identity.forest == NULL) {
        close_local(host);
        return umx_fail(err, UMX_ERR_MEMORY, "host", NULL);
    }
    *out = host;
    return 0;
}

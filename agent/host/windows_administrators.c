/* Members of the local Administrators, whatever the group is called here. */
#include <windows.h>

#include <lm.h>
#include <sddl.h>

#include "agent/host/windows_host.h"

enum { NAME_MAX_CHARACTERS = 256 };

/* The name of S-1-5-32-544 in the language of this machine. */
static int group_name(wchar_t name[NAME_MAX_CHARACTERS], struct umx_error *err)
{
    wchar_t domain[NAME_MAX_CHARACTERS];
    DWORD name_size = NAME_MAX_CHARACTERS;
    DWORD domain_size = NAME_MAX_CHARACTERS;
    BYTE sid[SECURITY_MAX_SID_SIZE];
    DWORD sid_size = sizeof sid;
    SID_NAME_USE use;

    if (CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &sid_size) &&
        LookupAccountSidW(NULL, sid, name, &name_size, domain, &domain_size, &use))
        return 0;
    return umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "administrators", GetLastError());
}

static int add(const LOCALGROUP_MEMBERS_INFO_2 *member, struct umx_arena *arena, struct umx_host_administrator *into,
               struct umx_error *err)
{
    wchar_t *text = NULL;

    if (!ConvertSidToStringSidW(member->lgrmi2_sid, &text))
        return umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "administrators", GetLastError());
    into->sid = umx_narrow(text, arena);
    into->name = umx_narrow(member->lgrmi2_domainandname, arena);
    LocalFree(text);
    return into->sid != NULL && into->name != NULL ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, "administrators", NULL);
}

int umx_windows_administrators(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                               size_t *count, struct umx_error *err)
{
    wchar_t group[NAME_MAX_CHARACTERS];
    DWORD_PTR resume = 0;
    DWORD read = 0;
    DWORD total = 0;
    BYTE *buffer = NULL;

    (void)host;
    int status = group_name(group, err);
    if (status != 0)
        return status;
    *list = umx_arena_alloc(arena, UMX_HOST_ADMINISTRATORS_MAX * sizeof **list);
    if (*list == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "administrators", NULL);
    NET_API_STATUS rc = NetLocalGroupGetMembers(NULL, group, 2, &buffer, MAX_PREFERRED_LENGTH, &read, &total, &resume);
    if (rc != NERR_Success)
        return umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "administrators", rc);
    const LOCALGROUP_MEMBERS_INFO_2 *members = (const LOCALGROUP_MEMBERS_INFO_2 *)(const void *)buffer;
    for (DWORD i = 0; status == 0 && i < read && *count < UMX_HOST_ADMINISTRATORS_MAX; i++) {
        status = add(&members[i], arena, &(*list)[*count], err);
        *count += status == 0;
    }
    NetApiBufferFree(buffer);
    return status;
}

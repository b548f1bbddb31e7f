#include "agent/host/windows_access.h"

#include <stdbool.h>
#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include "agent/file.h"
#include "agent/host/windows_text.h"
#include "base/path_windows.h"

/* Writing, adding and taking away, putting a link in its place, or becoming who may. */
#define CHANGING                                                                                                       \
    (FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES | FILE_DELETE_CHILD | DELETE | WRITE_DAC |             \
     WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)

/* Windows itself: the service that installs its updates. */
#define TRUSTED_INSTALLER L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

static bool is_installer(PSID who)
{
    PSID installer = NULL;
    bool same = ConvertStringSidToSidW(TRUSTED_INSTALLER, &installer) && EqualSid(installer, who);

    LocalFree(installer);
    return same;
}

/* Of everybody who may make folders below %ProgramData%, only these are believed. */
static bool is_trusted(PSID who)
{
    static const WELL_KNOWN_SID_TYPE trusted[] = {WinLocalSystemSid, WinBuiltinAdministratorsSid};
    BYTE buffer[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    HANDLE token = NULL;
    DWORD size = 0;
    bool own = false;

    for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++)
        if (IsWellKnownSid(who, trusted[i]))
            return true;
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        own = GetTokenInformation(token, TokenUser, buffer, sizeof buffer, &size) &&
              EqualSid(((TOKEN_USER *)(void *)buffer)->User.Sid, who);
        CloseHandle(token);
    }
    return own || is_installer(who);
}

/* Whether somebody else is named who may change it, or what will be made in it. Whoever makes something in a folder
 * that only those who are trusted write in is one of them. */
static bool is_exposed(PACL list)
{
    for (DWORD i = 0; i < list->AceCount; i++) {
        ACE_HEADER *entry;
        if (!GetAce(list, i, (void **)&entry))
            return true;
        if (entry->AceType == ACCESS_DENIED_ACE_TYPE)
            continue;
        if (entry->AceType != ACCESS_ALLOWED_ACE_TYPE)
            return true;
        ACCESS_ALLOWED_ACE *allowed = (ACCESS_ALLOWED_ACE *)(void *)entry;
        bool creator =
            (entry->AceFlags & INHERIT_ONLY_ACE) != 0 && IsWellKnownSid(&allowed->SidStart, WinCreatorOwnerSid);
        if ((allowed->Mask & CHANGING) != 0 && !creator && !is_trusted(&allowed->SidStart))
            return true;
    }
    return false;
}

static int descriptor_of(const wchar_t *rights, const char *what, PSECURITY_DESCRIPTOR *out, struct umx_error *err)
{
    return ConvertStringSecurityDescriptorToSecurityDescriptorW(rights, SDDL_REVISION_1, out, NULL)
               ? 0
               : umx_windows_fail(err, UMX_ERR_INTERNAL, what, GetLastError());
}

static int set_list(wchar_t *path, PSECURITY_DESCRIPTOR wanted, const char *what, struct umx_error *err)
{
    PACL list = NULL;
    BOOL present, defaulted;
    DWORD code = !GetSecurityDescriptorDacl(wanted, &present, &list, &defaulted)
                     ? GetLastError()
                     : SetNamedSecurityInfoW(path, SE_FILE_OBJECT,
                                             DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL,
                                             NULL, list, NULL);

    return code == ERROR_SUCCESS ? 0 : umx_windows_fail(err, UMX_ERR_FILE_UNWRITABLE, what, code);
}

/* What is there, unless it has a list of its own. A list that comes from %ProgramData% lets everybody in. */
static int give(wchar_t *path, PSECURITY_DESCRIPTOR there, PSECURITY_DESCRIPTOR wanted, const char *what,
                struct umx_error *err)
{
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    DWORD revision;

    if (!GetSecurityDescriptorControl(there, &control, &revision) || (control & SE_DACL_PROTECTED) != 0)
        return 0;
    return set_list(path, wanted, what, err);
}

/* Why what is there is not taken for the folder; NULL: it is. */
static const char *why_not(HANDLE folder, PSECURITY_DESCRIPTOR there, PSID owner, PACL list, PACL wanted)
{
    BY_HANDLE_FILE_INFORMATION info;
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    DWORD revision;

    if (!GetFileInformationByHandle(folder, &info) || (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0 ||
        (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
        return "it is a link, or no folder; remove it";
    if (!is_trusted(owner))
        return "its folder belongs to an ordinary user, who could say there whom the agent obeys; remove it";
    /* Whom an administrator has named beside the agent is believed, but nobody where the agent itself may not write. */
    bool chosen = GetSecurityDescriptorControl(there, &control, &revision) && (control & SE_DACL_PROTECTED) != 0 &&
                  is_exposed(wanted);
    if (list == NULL || (!chosen && is_exposed(list)))
        return "others could have put into its folder what the agent obeys; remove it";
    return NULL;
}

/* It is opened as itself, not as what it may lead to. One that is taken stays what it is: nobody else can change it. */
static int look_at_folder(const wchar_t *folder, PSECURITY_DESCRIPTOR wanted, const char *what, struct umx_error *err)
{
    wchar_t path[UMX_AGENT_PATH_MAX];
    PSECURITY_DESCRIPTOR there = NULL;
    PSID owner = NULL;
    PACL list = NULL, wanted_list = NULL;
    BOOL present, defaulted;
    const char *why;
    DWORD code = ERROR_SUCCESS;
    int status;
    HANDLE opened = CreateFileW(folder, READ_CONTROL | FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);

    wcscpy(path, folder);
    if (opened == INVALID_HANDLE_VALUE || !GetSecurityDescriptorDacl(wanted, &present, &wanted_list, &defaulted))
        code = GetLastError();
    else
        code = GetSecurityInfo(opened, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner,
                               NULL, &list, NULL, &there);
    if (code != ERROR_SUCCESS)
        status = umx_windows_fail(err, UMX_ERR_FILE_UNREADABLE, what, code);
    else if ((why = why_not(opened, there, owner, list, wanted_list)) != NULL)
        status = umx_fail(err, UMX_ERR_FILE_UNWRITABLE, what, "%s", why);
    else
        status = give(path, there, wanted, what, err);
    LocalFree(there);
    if (opened != INVALID_HANDLE_VALUE)
        CloseHandle(opened);
    return status;
}

int umx_access_make_folder(const wchar_t *folder, const wchar_t *rights, const char *what, struct umx_error *err)
{
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    DWORD code = ERROR_SUCCESS;
    int status = descriptor_of(rights, what, &attributes.lpSecurityDescriptor, err);

    if (status != 0)
        return status;
    if (!CreateDirectoryW(folder, &attributes))
        code = GetLastError();
    if (code == ERROR_ALREADY_EXISTS)
        status = look_at_folder(folder, attributes.lpSecurityDescriptor, what, err);
    else if (code != ERROR_SUCCESS)
        status = umx_windows_fail(err, UMX_ERR_FILE_UNWRITABLE, what, code);
    LocalFree(attributes.lpSecurityDescriptor);
    return status;
}

int umx_access_protect(const char *path, const wchar_t *rights, struct umx_error *err)
{
    wchar_t wide[UMX_AGENT_PATH_MAX];
    PSECURITY_DESCRIPTOR there = NULL, wanted = NULL;
    DWORD code =
        umx_wide(path, wide, UMX_AGENT_PATH_MAX) != 0
            ? ERROR_BUFFER_OVERFLOW
            : GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, NULL, NULL, &there);
    int status = code != ERROR_SUCCESS ? umx_windows_fail(err, UMX_ERR_FILE_UNREADABLE, path, code)
                                       : descriptor_of(rights, path, &wanted, err);

    if (status == 0)
        status = give(wide, there, wanted, path, err);
    LocalFree(wanted);
    LocalFree(there);
    return status;
}

int umx_access_set(const char *path, const wchar_t *rights, struct umx_error *err)
{
    wchar_t wide[UMX_WIDE_PATH];
    PSECURITY_DESCRIPTOR wanted = NULL;
    int status = umx_wide_path(path, wide) != 0 ? umx_fail(err, UMX_ERR_FILE_UNWRITABLE, path, "the path is too long")
                                                : descriptor_of(rights, path, &wanted, err);

    if (status == 0)
        status = set_list(wide, wanted, path, err);
    LocalFree(wanted);
    return status;
}

int umx_access_write(const char *path, const wchar_t *rights, const void *bytes, size_t length, struct umx_error *err)
{
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    wchar_t to[UMX_AGENT_PATH_MAX], temporary[UMX_AGENT_PATH_MAX + 4];
    DWORD written = 0;
    int status = umx_wide(path, to, UMX_AGENT_PATH_MAX) != 0
                     ? umx_fail(err, UMX_ERR_FILE_UNWRITABLE, path, "the path is too long")
                     : descriptor_of(rights, path, &attributes.lpSecurityDescriptor, err);

    if (status != 0)
        return status;
    wcscpy(temporary, to);
    wcscat(temporary, L".new");
    DeleteFileW(temporary); /* one that is there would keep its own rights */
    HANDLE file = CreateFileW(temporary, GENERIC_WRITE, 0, &attributes, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    bool good = file != INVALID_HANDLE_VALUE && WriteFile(file, bytes, (DWORD)length, &written, NULL) &&
                written == length && FlushFileBuffers(file);
    DWORD code = GetLastError();
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    if (good && !MoveFileExW(temporary, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
        code = GetLastError();
        good = false;
    }
    if (!good) {
        DeleteFileW(temporary);
        status = umx_windows_fail(err, UMX_ERR_FILE_UNWRITABLE, path, code);
    }
    LocalFree(attributes.lpSecurityDescriptor);
    return status;
}

int umx_access_trusted(const char *path, struct umx_error *err)
{
    wchar_t wide[UMX_AGENT_PATH_MAX];
    PSECURITY_DESCRIPTOR there = NULL;
    PSID owner = NULL;
    PACL list = NULL;
    DWORD code =
        umx_wide(path, wide, UMX_AGENT_PATH_MAX) != 0
            ? ERROR_BUFFER_OVERFLOW
            : GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                                    &owner, NULL, &list, NULL, &there);
    int status = 0;

    if (code != ERROR_SUCCESS)
        status = umx_windows_fail(err, UMX_ERR_FILE_UNREADABLE, path, code);
    else if (list == NULL || !is_trusted(owner) || is_exposed(list))
        status = umx_fail(err, UMX_ERR_FILE_EXPOSED, path, NULL);
    LocalFree(there);
    return status;
}

#include "agent/settle.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include "agent/config.h"
#include "agent/host/windows_text.h"
#include "base/open.h"

/* The service of the name umx-agent, of whatever machine (`sc showsid umx-agent`): a hash of the name. */
#define UMX_SERVICE_SID L"S-1-5-80-386909092-2040328146-3400076965-754326230-3369580178"

/* Of everybody who may make folders below %ProgramData%, only these are believed. */
static bool is_trusted(PSID owner)
{
    static const WELL_KNOWN_SID_TYPE trusted[] = {WinLocalSystemSid, WinBuiltinAdministratorsSid};
    BYTE buffer[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    HANDLE token = NULL;
    DWORD size = 0;
    bool own = false;

    for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++)
        if (IsWellKnownSid(owner, trusted[i]))
            return true;
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        own = GetTokenInformation(token, TokenUser, buffer, sizeof buffer, &size) &&
              EqualSid(((TOKEN_USER *)(void *)buffer)->User.Sid, owner);
        CloseHandle(token);
    }
    return own;
}

/* A folder that is there: its owner has to be one of them. A list that comes from %ProgramData% lets everybody in, and
 * gives way to the agent's; one that was set here is an administrator's choice. */
static int look_at_folder(const wchar_t *folder, PSECURITY_DESCRIPTOR wanted, const char *config, struct umx_error *err)
{
    wchar_t path[UMX_AGENT_PATH_MAX];
    PSECURITY_DESCRIPTOR descriptor = NULL;
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    PSID owner = NULL;
    PACL list = NULL;
    BOOL present, defaulted;
    DWORD revision;
    DWORD code;
    int status = 0;

    wcscpy(path, folder);
    code = GetNamedSecurityInfoW(path, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner,
                                 NULL, NULL, NULL, &descriptor);
    if (code != ERROR_SUCCESS)
        status = umx_windows_fail(err, UMX_ERR_FILE_UNREADABLE, config, code);
    else if (!is_trusted(owner))
        status = umx_fail(err, UMX_ERR_FILE_UNWRITABLE, config,
                          "its folder belongs to an ordinary user, who could say there whom the agent obeys; remove it");
    else if (GetSecurityDescriptorControl(descriptor, &control, &revision) && (control & SE_DACL_PROTECTED) == 0 &&
             GetSecurityDescriptorDacl(wanted, &present, &list, &defaulted) &&
             (code = SetNamedSecurityInfoW(path, SE_FILE_OBJECT,
                                           DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL, NULL,
                                           list, NULL)) != ERROR_SUCCESS)
        status = umx_windows_fail(err, UMX_ERR_FILE_UNWRITABLE, config, code);
    LocalFree(descriptor);
    return status;
}

/* SYSTEM and administrators may do all; the service S-1-5-80-... of this name reads and writes. The folder is made with
 * this list, not given it afterwards. */
static int make_folder(const wchar_t *folder, const char *config, struct umx_error *err)
{
    static const wchar_t rights[] = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" UMX_SERVICE_SID L")";
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    DWORD code = ERROR_SUCCESS;
    int status = 0;

    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(rights, SDDL_REVISION_1,
                                                              &attributes.lpSecurityDescriptor, NULL))
        return umx_windows_fail(err, UMX_ERR_FILE_UNWRITABLE, config, GetLastError());
    if (!CreateDirectoryW(folder, &attributes))
        code = GetLastError();
    if (code == ERROR_ALREADY_EXISTS)
        status = look_at_folder(folder, attributes.lpSecurityDescriptor, config, err);
    else if (code != ERROR_SUCCESS)
        status = umx_windows_fail(err, UMX_ERR_FILE_UNWRITABLE, config, code);
    LocalFree(attributes.lpSecurityDescriptor);
    return status;
}

int umx_settle(const char *config, const char *controller, struct umx_error *err)
{
    wchar_t folder[UMX_AGENT_PATH_MAX];
    size_t length = umx_folder_length(config);
    wchar_t *end;
    FILE *file;
    int status;

    if (length < 2 || umx_wide(config, folder, UMX_AGENT_PATH_MAX) != 0)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, config, "it is named with the whole path of its folder");
    if (strpbrk(controller, "\r\n") != NULL)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, "--controller", "it is HOST:PORT");
    for (end = folder + wcslen(folder); end > folder && *end != L'\\' && *end != L'/'; end--)
        continue;
    *end = L'\0';
    status = make_folder(folder, config, err);
    if (status != 0 || umx_exists(config))
        return status;
    if ((file = umx_open(config, "wb")) == NULL)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, config, NULL);
    fprintf(file,
            "; Every setting: docs of umx-agent. The agent reads it when it starts.\r\n[agent]\r\ncontroller = %s\r\n"
            "identity = %.*sidentity.pem\r\nstate = %.*s\r\nhost = local\r\n",
            controller, (int)length, config, (int)length - 1, config);
    if (ferror(file) | fclose(file))
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, config, NULL);
    return 0;
}

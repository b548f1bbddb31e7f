#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include "base/path_windows.h"
#include "base/text.h"
#include "rpc/identity_file.h"

/* Only the owner, SYSTEM and Administrators; nothing inherited. */
static HANDLE create_private(const wchar_t *path)
{
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    HANDLE file = INVALID_HANDLE_VALUE;

    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(L"D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)",
                                                              SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL))
        return file;
    file = CreateFileW(path, GENERIC_WRITE, 0, &attributes, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    LocalFree(attributes.lpSecurityDescriptor);
    return file;
}

FILE *umx_private_file_open(const char *path)
{
    wchar_t name[UMX_WIDE_PATH];

    return umx_wide_path(path, name) == 0 ? _wfopen(name, L"rbN") : NULL;
}

int umx_private_file_write(const char *path, const char *bytes, size_t length, struct umx_error *err)
{
    struct umx_text temporary = {0};
    wchar_t from[UMX_WIDE_PATH], to[UMX_WIDE_PATH];
    int status = 0;
    DWORD written = 0;

    umx_text_addf(&temporary, "%s.%lu-%lu", path, (unsigned long)GetCurrentProcessId(), (unsigned long)GetTickCount());
    bool named = !temporary.failed && umx_wide_path(temporary.data, from) == 0 && umx_wide_path(path, to) == 0;
    HANDLE file = named ? create_private(from) : INVALID_HANDLE_VALUE;
    bool good = file != INVALID_HANDLE_VALUE && length <= UMX_IDENTITY_FILE_MAX &&
                WriteFile(file, bytes, (DWORD)length, &written, NULL) && written == length && FlushFileBuffers(file);
    DWORD failed = GetLastError();
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    if (good && !MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
        good = false;
        failed = GetLastError();
    }
    if (!good) {
        if (file != INVALID_HANDLE_VALUE)
            DeleteFileW(from);
        status =
            umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, (long)failed, path, "Windows error %lu", (unsigned long)failed);
    }
    umx_text_free(&temporary);
    return status;
}

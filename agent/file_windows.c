#include <windows.h>

#include "agent/file.h"
#include "agent/host/windows_access.h"
#include "base/path_windows.h"

/* The folder's inherited access list protects it: the installer sets it, and a mode says nothing here. */
int umx_agent_file_private(const char *path)
{
    (void)path;
    return 1;
}

/* Its list, made for its owner alone, lets nothing of the folder's in: the service would not be able to read it. */
int umx_agent_file_share(const char *path, struct umx_error *err)
{
    static const wchar_t rights[] = L"D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1301bf;;;" UMX_ACCESS_SERVICE L")";

    return umx_access_set(path, rights, err);
}

int64_t umx_agent_file_changed(const char *path, int64_t *size)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t wide[UMX_WIDE_PATH];

    *size = 0;
    if (umx_wide_path(path, wide) != 0 || !GetFileAttributesExW(wide, GetFileExInfoStandard, &data))
        return -1;
    *size = ((int64_t)data.nFileSizeHigh << 32) | data.nFileSizeLow;
    return ((int64_t)data.ftLastWriteTime.dwHighDateTime << 32) | data.ftLastWriteTime.dwLowDateTime;
}

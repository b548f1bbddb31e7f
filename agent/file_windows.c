#include <windows.h>

#include "agent/file.h"
#include "base/path_windows.h"

/* The folder's inherited access list protects it: the installer sets it, and a mode says nothing here. */
int umx_agent_file_private(const char *path)
{
    (void)path;
    return 1;
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

/* Links that Wine does not make. For one file of a test program, which is linked with
 * --wrap=__imp_GetFileInformationByHandle. */
#ifndef UMX_TESTS_WINDOWS_LINKS_H
#define UMX_TESTS_WINDOWS_LINKS_H

#include <windows.h>

/* Wine makes no links of Windows' own, so what it says of a handle is changed on its way: the linker puts this call in
 * the system's place. */
typedef BOOL WINAPI get_info(HANDLE file, BY_HANDLE_FILE_INFORMATION *info);
extern get_info *const __real___imp_GetFileInformationByHandle;
static DWORD link_is; /* the attribute that what is opened has to have to be a link; 0: none is */

static BOOL WINAPI see(HANDLE file, BY_HANDLE_FILE_INFORMATION *info)
{
    BOOL good = __real___imp_GetFileInformationByHandle(file, info);

    if (good && (info->dwFileAttributes & link_is) != 0)
        info->dwFileAttributes |= FILE_ATTRIBUTE_REPARSE_POINT;
    return good;
}

get_info *const __wrap___imp_GetFileInformationByHandle = see;

#endif

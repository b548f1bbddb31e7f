#include <windows.h>

#include <shlobj.h>

#include "cli/place.h"

/* The roaming part of the profile: the operator's own, also on another machine of the domain. */
void umx_identity_place(struct umx_text *path)
{
    wchar_t folder[MAX_PATH];
    char narrow[4 * MAX_PATH] = ".";

    if (SHGetFolderPathW(NULL, CSIDL_APPDATA, NULL, SHGFP_TYPE_CURRENT, folder) == S_OK)
        WideCharToMultiByte(CP_UTF8, 0, folder, -1, narrow, sizeof narrow, NULL, NULL);
    for (char *p = narrow; *p != '\0'; p++)
        if (*p == '\\')
            *p = '/';
    umx_text_addf(path, "%s/umx/identity.pem", narrow);
}

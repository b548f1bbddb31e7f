/* Paths for Windows' own calls. Only from files of Windows. */
#ifndef UMX_BASE_PATH_WINDOWS_H
#define UMX_BASE_PATH_WINDOWS_H

#include <wchar.h>

enum { UMX_WIDE_PATH = 4100 }; /* characters of a path, with what follows */

/* UTF-8 to UTF-16; a path beyond 248 characters becomes a whole one with the prefix without which systems before Server
 * 2016, and later ones unless they are told otherwise, refuse it. 0, or -1 and errno. */
int umx_wide_path(const char *path, wchar_t out[UMX_WIDE_PATH]);

#endif

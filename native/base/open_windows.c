#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>
#include <windows.h>

#include "base/open.h"
#include "base/path_windows.h"

enum {
    PREFIX = 4,
    PATH_CHARACTERS = UMX_WIDE_PATH - PREFIX,
    SHORT_PATH = MAX_PATH - 12, /* a folder leaves room for 8.3 */
    /* milliseconds: */
    PATIENCE = 5000,
    LOOK = 20
};

int umx_wide_path(const char *path, wchar_t out[UMX_WIDE_PATH])
{
    wchar_t given[PATH_CHARACTERS];

    errno = EINVAL;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, given, PATH_CHARACTERS) <= 0)
        return -1;
    if (wcslen(given) < SHORT_PATH || wcsncmp(given, L"\\\\", 2) == 0) {
        wcscpy(out, given);
        return 0;
    }
    wcscpy(out, L"\\\\?\\");
    DWORD length = GetFullPathNameW(given, PATH_CHARACTERS, out + PREFIX, NULL);
    errno = ENAMETOOLONG;
    return length > 0 && length < PATH_CHARACTERS ? 0 : -1;
}

FILE *umx_open(const char *path, const char *mode)
{
    wchar_t name[UMX_WIDE_PATH];
    int flags = _O_BINARY | _O_NOINHERIT;

    if (umx_wide_path(path, name) != 0)
        return NULL;
    bool both = strchr(mode, '+') != NULL;
    if (mode[0] == 'r')
        flags |= both ? _O_RDWR : _O_RDONLY;
    else
        flags |= (both ? _O_RDWR : _O_WRONLY) | _O_CREAT | (mode[0] == 'a' ? _O_APPEND : _O_TRUNC);
    if (strchr(mode, 'x') != NULL)
        flags |= _O_EXCL;
    int fd = _wopen(name, flags, _S_IREAD | _S_IWRITE);
    if (fd < 0)
        return NULL;
    const char *plain = mode[0] == 'r' ? (both ? "r+b" : "rb") : mode[0] == 'a' ? "ab" : (both ? "w+b" : "wb");
    FILE *file = _fdopen(fd, plain);
    if (file == NULL)
        _close(fd);
    return file;
}

int umx_rename(const char *from, const char *to)
{
    wchar_t old[UMX_WIDE_PATH];
    wchar_t new[UMX_WIDE_PATH];

    if (umx_wide_path(from, old) != 0 || umx_wide_path(to, new) != 0)
        return -1;
    /* Whoever has one of them open is in the way, and lets go of it soon: another of our programs, or a scanner. */
    for (int waited = 0; !MoveFileExW(old, new, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH); waited += LOOK) {
        DWORD code = GetLastError();
        errno = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND ? ENOENT : EACCES;
        if ((code != ERROR_SHARING_VIOLATION && code != ERROR_ACCESS_DENIED) || waited >= PATIENCE)
            return -1;
        Sleep(LOOK);
    }
    return 0;
}

int umx_sync(FILE *file)
{
    return _commit(_fileno(file));
}

bool umx_exists(const char *path)
{
    wchar_t name[UMX_WIDE_PATH];

    return umx_wide_path(path, name) == 0 && GetFileAttributesW(name) != INVALID_FILE_ATTRIBUTES;
}

int umx_remove(const char *path)
{
    wchar_t name[UMX_WIDE_PATH];

    return umx_wide_path(path, name) == 0 ? _wunlink(name) : -1;
}

void umx_make_folder(const char *path)
{
    wchar_t name[UMX_WIDE_PATH];

    if (umx_wide_path(path, name) == 0)
        CreateDirectoryW(name, NULL);
}

size_t umx_folder_length(const char *path)
{
    size_t length = strlen(path);

    while (length > 0 && path[length - 1] != '\\' && path[length - 1] != '/')
        length--;
    return length;
}

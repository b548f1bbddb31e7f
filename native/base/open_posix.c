#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/open.h"

FILE *umx_open(const char *path, const char *mode)
{
    char with[8];
    int length = snprintf(with, sizeof with, "%se", mode); /* close on exec */

    return fopen(path, length > 0 && (size_t)length < sizeof with ? with : mode);
}

int umx_rename(const char *from, const char *to)
{
    return rename(from, to);
}

int umx_sync(FILE *file)
{
    return fsync(fileno(file));
}

bool umx_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int umx_remove(const char *path)
{
    return unlink(path);
}

void umx_make_folder(const char *path)
{
    (void)mkdir(path, 0700);
}

size_t umx_folder_length(const char *path)
{
    size_t length = strlen(path);

    while (length > 0 && path[length - 1] != '/')
        length--;
    return length;
}

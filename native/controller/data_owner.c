#include "controller/data_owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { DEPTH_MAX = 8 };

static void keep_below(int folder, const struct stat *owner, int depth);

/* A name in a folder. O_PATH: nothing is read, waited for or unlocked by looking at it. */
static void keep_one(int folder, const char *name, const struct stat *owner, int depth)
{
    struct stat found;
    int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    if (fstat(fd, &found) == 0 && found.st_uid == 0 &&
        (S_ISDIR(found.st_mode) || (S_ISREG(found.st_mode) && found.st_nlink == 1)) &&
        fchownat(fd, "", owner->st_uid, owner->st_gid, AT_EMPTY_PATH) != 0)
        umx_log(UMX_LOG_WARNING, "data", "%s stays root's: the controller cannot use it", name);
    if (S_ISDIR(found.st_mode))
        keep_below(openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), owner, depth + 1);
    close(fd);
}

/* Takes the descriptor. */
static void keep_below(int folder, const struct stat *owner, int depth)
{
    DIR *entries = folder >= 0 && depth < DEPTH_MAX ? fdopendir(folder) : NULL;
    const struct dirent *entry;

    if (entries == NULL) {
        if (folder >= 0)
            close(folder);
        return;
    }
    while ((entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            keep_one(folder, entry->d_name, owner, depth);
    closedir(entries);
}

void umx_data_owner_keep(const char *data)
{
    struct stat owner;

    if (data == NULL || geteuid() != 0 || stat(data, &owner) != 0 || owner.st_uid == 0)
        return;
    keep_below(open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &owner, 0);
}

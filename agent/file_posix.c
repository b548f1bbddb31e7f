#include <sys/stat.h>

#include "agent/file.h"

int umx_agent_file_private(const char *path)
{
    struct stat info;

    return stat(path, &info) != 0 || (info.st_mode & (S_IRGRP | S_IROTH | S_IWGRP | S_IWOTH)) == 0;
}

/* Who enrols is who runs the agent, or root, who gives the file away. */
int umx_agent_file_share(const char *path, struct umx_error *err)
{
    (void)path;
    (void)err;
    return 0;
}

int64_t umx_agent_file_changed(const char *path, int64_t *size)
{
    struct stat info;

    *size = 0;
    if (stat(path, &info) != 0)
        return -1;
    *size = (int64_t)info.st_size;
    return (int64_t)info.st_mtim.tv_sec * 1000000000 + (int64_t)info.st_mtim.tv_nsec + (int64_t)info.st_ino;
}

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "rpc/identity_file.h"

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, bytes, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        length -= (size_t)done;
    }
    return true;
}

/* The rename is durable only when its directory is. */
static void sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

FILE *umx_private_file_open(const char *path)
{
    return fopen(path, "rbe");
}

int umx_private_file_write(const char *path, const char *bytes, size_t length, struct umx_error *err)
{
    struct umx_text temporary = {0};
    int status = 0;

    umx_text_addf(&temporary, "%s.XXXXXX", path);
    if (temporary.failed)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    int fd = mkostemp(temporary.data, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
        umx_text_free(&temporary);
        return status;
    }
    bool written = write_all(fd, bytes, length) && fsync(fd) == 0;
    int failed = errno;
    if (close(fd) != 0 && written) {
        written = false;
        failed = errno;
    }
    if (written && rename(temporary.data, path) != 0) {
        written = false;
        failed = errno;
    }
    if (written) {
        sync_directory(path);
    } else {
        unlink(temporary.data);
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, failed, path, "%s", strerror(failed));
    }
    umx_text_free(&temporary);
    return status;
}

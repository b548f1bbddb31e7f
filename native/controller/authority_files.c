/* The deployment's files: written whole, read bounded, changed by one process at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/authority_internal.h"

char *umx_authority_path(const char *data, const char *name)
{
    struct umx_text path = {0};

    umx_text_addf(&path, "%s/%s", data, name);
    return path.data; /* NULL when it failed at the first addition, which this is */
}

int authority_write(const char *data, const char *name, const struct umx_text *text, struct umx_error *err)
{
    char *path = umx_authority_path(data, name);
    int status = path != NULL && !text->failed ? umx_private_file_write(path, text->data, text->length, err)
                                               : umx_fail(err, UMX_ERR_MEMORY, data, NULL);

    free(path);
    return status;
}

int authority_write_key(const char *data, const char *name, const EVP_PKEY *key, struct umx_error *err)
{
    struct umx_text pem = {0};
    int status = umx_certificate_add_key(key, &pem, err);

    if (status == 0)
        status = authority_write(data, name, &pem, err);
    umx_private_free(pem.data);
    return status;
}

int authority_write_certificate(const char *data, const char *name, const X509 *certificate, struct umx_error *err)
{
    struct umx_text pem = {0};
    int status = umx_certificate_add(certificate, &pem, err);

    if (status == 0)
        status = authority_write(data, name, &pem, err);
    umx_text_free(&pem);
    return status;
}

int authority_make_directory(const char *data, const char *name, struct umx_error *err)
{
    char *path = umx_authority_path(data, name);
    struct stat found;
    int status = 0;

    if (path == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    if (mkdir(path, 0700) != 0 && !(errno == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode)))
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    free(path);
    return status;
}

bool authority_there(const char *data, const char *name)
{
    char *path = umx_authority_path(data, name);
    struct stat found;
    bool there = path != NULL && lstat(path, &found) == 0;

    free(path);
    return there;
}

int authority_remove(const char *data, const char *name, struct umx_error *err)
{
    char *path = umx_authority_path(data, name);
    int status = 0;

    if (path == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    if (unlink(path) != 0 && errno != ENOENT)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    free(path);
    return status;
}

int authority_read(const char *data, const char *name, char **text, struct umx_error *err)
{
    char *path = umx_authority_path(data, name);
    size_t length;
    int status = path != NULL ? umx_private_file_read(path, UMX_IDENTITY_FILE_MAX, text, &length, err)
                              : umx_fail(err, UMX_ERR_MEMORY, data, NULL);

    free(path);
    return status;
}

int authority_lock(const char *data, int *fd, struct umx_error *err)
{
    char *path = umx_authority_path(data, "ca/lock");
    int status = 0;

    *fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (path == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    /* Whoever has it only writes some small files. */
    while (*fd >= 0 && flock(*fd, LOCK_EX) != 0)
        if (errno != EINTR) {
            close(*fd);
            *fd = -1;
        }
    if (*fd < 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    free(path);
    return status;
}

void authority_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

int umx_authority_hold(const char *data, int *lock, struct umx_error *err)
{
    *lock = -1;
    return authority_there(data, "ca") ? authority_lock(data, lock, err) : 0;
}

void umx_authority_release(int lock)
{
    authority_unlock(lock);
}

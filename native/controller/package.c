#include "controller/package.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int damaged(const struct umx_release *release, const char *why, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_PACKAGE_DAMAGED, release->version, "%s", why);
}

static int check_size(int file, const struct umx_release *release, struct umx_error *err)
{
    struct stat facts;

    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode))
        return damaged(release, "what the controller keeps is no file", err);
    return facts.st_size == release->size
               ? 0
               : umx_fail(err, UMX_ERR_PACKAGE_DAMAGED, release->version, "the controller keeps %lld of its %lld bytes",
                          (long long)facts.st_size, (long long)release->size);
}

/* As many bytes as a part has, unless the file ends. */
static int read_part(int file, int64_t offset, uint8_t *part, size_t *length, const struct umx_release *release,
                     struct umx_error *err)
{
    for (*length = 0; *length < UMX_PACKAGE_PART;) {
        ssize_t got = pread(file, part + *length, UMX_PACKAGE_PART - *length, (off_t)(offset + (int64_t)*length));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return umx_fail_code(err, UMX_ERR_PACKAGE_DAMAGED, errno, release->version, "%s", strerror(errno));
        if (got == 0)
            break;
        *length += (size_t)got;
    }
    return 0;
}

static int read_all(int file, const struct umx_release *release, uint8_t *part, EVP_MD_CTX *context,
                    umx_package_taker *take, void *user, struct umx_error *err)
{
    uint8_t digest[UMX_RELEASE_DIGEST];
    int64_t offset = 0;
    size_t length = 0;
    int status = check_size(file, release, err);

    for (; status == 0 && offset < release->size; offset += (int64_t)length) {
        status = read_part(file, offset, part, &length, release, err);
        if (status == 0 && (length == 0 || offset + (int64_t)length > release->size))
            status = damaged(release, "its size changed while it was read", err);
        if (status == 0)
            EVP_DigestUpdate(context, part, length);
        if (status == 0)
            status = take(user, offset, part, length, err);
    }
    if (status == 0 &&
        (EVP_DigestFinal_ex(context, digest, NULL) != 1 || memcmp(digest, release->sha256, sizeof digest) != 0))
        status = damaged(release, "what the controller keeps has another SHA-256", err);
    return status;
}

int umx_package_read(const char *path, const struct umx_release *release, umx_package_taker *take, void *user,
                     struct umx_error *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t *part = malloc(UMX_PACKAGE_PART);
    int status;

    if (file < 0)
        status = umx_fail_code(err, UMX_ERR_PACKAGE_NONE, errno, release->version, "the file of the last release: %s",
                               strerror(errno));
    else if (context == NULL || part == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        status = umx_fail(err, UMX_ERR_MEMORY, "package", NULL);
    else
        status = read_all(file, release, part, context, take, user, err);
    EVP_MD_CTX_free(context);
    free(part);
    if (file >= 0)
        close(file);
    return status;
}

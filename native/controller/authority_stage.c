/*
 * `umxd ca`: a new intermediate or a new root, made on the controller's host and left below ca/next until a rotation
 * begins. The intermediate's certificate is written last: without it nothing is staged.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "controller/authority_internal.h"

/* A clock that is a little behind on an agent must not make a fresh certificate invalid there. */
#define BACKDATE UMX_HOUR

static int make_certificate(const char *deployment, const char *what, int path_length, int64_t life, X509 *issuer,
                            EVP_PKEY *issuer_key, EVP_PKEY *key, X509 **certificate, struct umx_error *err)
{
    uint8_t random[4];
    char name[65];
    struct umx_certificate_spec spec = {.common_name = name,
                                        .authority = true,
                                        .path_length = path_length,
                                        .not_before_at = umx_clock_now() - BACKDATE,
                                        .not_after_at = umx_clock_now() + life};
    struct umx_text full = {0};

    if (RAND_bytes(random, sizeof random) != 1)
        return umx_certificate_fail(err, UMX_ERR_INTERNAL, "random bytes");
    /* No two authorities of a deployment have one name. */
    umx_text_addf(&full, "umx %s ", what);
    umx_text_add_hex(&full, random, sizeof random);
    umx_text_addf(&full, " %s", deployment);
    umx_text_copy(name, sizeof name, umx_text_string(&full));
    umx_text_free(&full);
    return umx_certificate_make(&spec, key, issuer, issuer_key, certificate, err);
}

int authority_make_pair(const char *deployment, const char *what, int path_length, int64_t life, X509 *issuer,
                        EVP_PKEY *issuer_key, EVP_PKEY **key, X509 **certificate, struct umx_error *err)
{
    int status = umx_certificate_key(key, err);

    if (status == 0)
        status = make_certificate(deployment, what, path_length, life, issuer, issuer_key, *key, certificate, err);
    return status;
}

static const char *const staged[] = {"ca/next/intermediate.pem", "ca/next/request.pem", "ca/next/init",
                                     "ca/next/intermediate.key", "ca/next/root.pem",    "ca/next/controller.pem"};

int authority_clear_staged(const char *data, struct umx_error *err)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < sizeof staged / sizeof staged[0]; i++)
        status = authority_remove(data, staged[i], err);
    return status;
}

/* Nothing is staged and nothing rotates; what a crash left half made is removed. */
static int check_free(const char *data, struct umx_error *err)
{
    int status = 0;

    if (!authority_there(data, "root.pem"))
        status = umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, NULL);
    else if (authority_there(data, "ca/rotation"))
        status = umx_fail(err, UMX_ERR_ROTATION_UNDER_WAY, data, NULL);
    else if (authority_there(data, staged[0]))
        status = umx_fail(err, UMX_ERR_AUTHORITY_STAGED, data, NULL);
    else if (authority_request_waits(data))
        status = umx_fail(err, UMX_ERR_AUTHORITY_STAGED, data, "a request waits for its certificate: `umxd ca import`");
    if (status == 0)
        status = authority_make_directory(data, "ca/next", err);
    return status == 0 ? authority_clear_staged(data, err) : status;
}

static int read_deployment(const char *data, char out[128], struct umx_error *err)
{
    struct umx_identity_file controller = {0};
    char *path = umx_authority_path(data, "ca/controller.pem");
    int status =
        path != NULL ? umx_identity_file_load(path, &controller, err) : umx_fail(err, UMX_ERR_MEMORY, data, NULL);

    if (status == 0)
        umx_text_copy(out, 128, controller.identity.deployment);
    umx_identity_file_free(&controller);
    free(path);
    return status;
}

/* Not longer than the root itself. */
static int64_t life_below(const X509 *root)
{
    int days = 0, seconds = 0;
    int64_t left = UMX_INTERMEDIATE_LIFE;

    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(root)) == 1)
        left = days * UMX_DAY + seconds * UMX_SECOND;
    return left < UMX_INTERMEDIATE_LIFE ? left : UMX_INTERMEDIATE_LIFE;
}

int authority_sign_below(const char *deployment, X509 *root, EVP_PKEY *root_key, EVP_PKEY *key, X509 **out,
                         struct umx_error *err)
{
    int64_t life = life_below(root);

    if (X509_check_private_key(root, root_key) != 1) {
        ERR_clear_error();
        return umx_fail(err, UMX_ERR_AUTHORITY_INVALID, "the root's key", "it is not the key of the root");
    }
    if (life <= 0)
        return umx_fail(err, UMX_ERR_AUTHORITY_INVALID, "the root", "it has expired: make a new one");
    return make_certificate(deployment, "intermediate", 0, life, root, root_key, key, out, err);
}

static int stage_below(const char *data, const char *deployment, X509 *root, EVP_PKEY *root_key, struct umx_error *err)
{
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    int status = umx_certificate_key(&key, err);

    if (status == 0)
        status = authority_sign_below(deployment, root, root_key, key, &certificate, err);
    if (status == 0)
        status = authority_write_key(data, "ca/next/intermediate.key", key, err);
    umx_crash_point(UMX_CRASH_CA_STAGE, NULL);
    if (status == 0)
        status = authority_write_certificate(data, "ca/next/intermediate.pem", certificate, err);
    EVP_PKEY_free(key);
    X509_free(certificate);
    return status;
}

int authority_begin_stage(const char *data, char deployment[128], int *lock, struct umx_error *err)
{
    int status = authority_there(data, "root.pem") ? authority_lock(data, lock, err)
                                                   : umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, NULL);

    if (status == 0)
        status = check_free(data, err);
    if (status == 0)
        status = read_deployment(data, deployment, err);
    return status;
}

int umx_authority_stage_intermediate(const char *data, const char *root_key_file, struct umx_error *err)
{
    char deployment[128];
    char *pem = NULL, *secret = NULL;
    EVP_PKEY *key = NULL;
    X509 *root = NULL;
    size_t length;
    int lock = -1;
    int status = authority_begin_stage(data, deployment, &lock, err);

    if (status == 0)
        status = authority_read(data, "root.pem", &pem, err);
    if (status == 0)
        status = umx_certificate_read(pem, "root.pem", &root, err);
    if (status == 0)
        status = umx_private_file_read(root_key_file, UMX_IDENTITY_FILE_MAX, &secret, &length, err);
    if (status == 0)
        status = umx_certificate_read_key(secret, root_key_file, &key, err);
    if (status == 0)
        status = stage_below(data, deployment, root, key, err);
    authority_unlock(lock);
    umx_private_free(secret);
    free(pem);
    X509_free(root);
    EVP_PKEY_free(key);
    return status;
}

int authority_write_root_key(const char *path, const EVP_PKEY *key, struct umx_error *err)
{
    struct umx_text pem = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    close(fd);
    int status = umx_certificate_add_key(key, &pem, err);
    if (status == 0)
        status = umx_private_file_write(path, pem.data, pem.length, err);
    if (status != 0)
        unlink(path);
    umx_private_free(pem.data);
    return status;
}

int umx_authority_stage_root(const char *data, const char *root_key_file, struct umx_error *err)
{
    char deployment[128];
    EVP_PKEY *key = NULL;
    X509 *root = NULL;
    int lock = -1;
    int status = authority_begin_stage(data, deployment, &lock, err);

    if (status == 0)
        status = authority_make_pair(deployment, "root", 1, UMX_ROOT_LIFE, NULL, NULL, &key, &root, err);
    if (status == 0)
        status = authority_write_root_key(root_key_file, key, err);
    if (status == 0) {
        status = authority_write_certificate(data, "ca/next/root.pem", root, err);
        if (status == 0)
            status = stage_below(data, deployment, root, key, err);
        if (status != 0)
            unlink(root_key_file); /* it signed nothing that is used */
    }
    authority_unlock(lock);
    X509_free(root);
    EVP_PKEY_free(key);
    return status;
}

int umx_authority_discard(const char *data, struct umx_error *err)
{
    int lock = -1;
    bool waits = authority_request_waits(data); /* perhaps for the first certificate of all */
    int status = waits || authority_there(data, "root.pem") ? authority_lock(data, &lock, err)
                                                            : umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, NULL);

    if (status == 0 && authority_there(data, "ca/rotation"))
        status = umx_fail(err, UMX_ERR_ROTATION_UNDER_WAY, data, NULL);
    if (status == 0 && !waits && !authority_there(data, staged[0]))
        status = umx_fail(err, UMX_ERR_ROTATION_NOT_STAGED, data, NULL);
    if (status == 0)
        status = authority_clear_staged(data, err);
    authority_unlock(lock);
    return status;
}

/*
 * `umxd init`: a deployment from nothing. Everything is made in memory first; root.pem is written last, so that a
 * deployment is there only when it is whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/authority_internal.h"

#define ROOT_LIFE (20 * 365 * UMX_DAY)
#define INTERMEDIATE_LIFE (5 * 365 * UMX_DAY)

/* A clock that is a little behind on an agent must not make a fresh certificate invalid there. */
#define BACKDATE UMX_HOUR

static int make_directory(const char *path, struct umx_error *err)
{
    struct stat found;

    if (mkdir(path, 0700) == 0 || (errno == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode)))
        return 0;
    return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
}

static int make_directories(const char *data, struct umx_error *err)
{
    static const char *const below[] = {"root", "ca"};
    int status = make_directory(data, err);

    for (size_t i = 0; status == 0 && i < sizeof below / sizeof below[0]; i++) {
        char *path = umx_authority_path(data, below[i]);
        status = path != NULL ? make_directory(path, err) : umx_fail(err, UMX_ERR_MEMORY, data, NULL);
        free(path);
    }
    return status;
}

/* Any file of a deployment is one, even a half-made one: keys are never overwritten. */
static int check_empty(const char *data, struct umx_error *err)
{
    static const char *const files[] = {"root.pem", "root/root.key", "ca/intermediate.key", "ca/controller.pem"};
    int status = 0;

    for (size_t i = 0; status == 0 && i < sizeof files / sizeof files[0]; i++) {
        struct stat found;
        char *path = umx_authority_path(data, files[i]);
        if (path == NULL)
            status = umx_fail(err, UMX_ERR_MEMORY, data, NULL);
        else if (lstat(path, &found) == 0)
            status = umx_fail(err, UMX_ERR_DEPLOYMENT_EXISTS, data, "%s is there", path);
        free(path);
    }
    return status;
}

static int write_below(const char *data, const char *name, const struct umx_text *text, struct umx_error *err)
{
    char *path = umx_authority_path(data, name);
    int status = path != NULL && !text->failed ? umx_private_file_write(path, text->data, text->length, err)
                                               : umx_fail(err, UMX_ERR_MEMORY, data, NULL);

    free(path);
    return status;
}

static int write_key(const char *data, const char *name, const EVP_PKEY *key, struct umx_error *err)
{
    struct umx_text pem = {0};
    int status = umx_certificate_add_key(key, &pem, err);

    if (status == 0)
        status = write_below(data, name, &pem, err);
    umx_private_free(pem.data);
    return status;
}

static int write_certificate(const char *data, const char *name, const X509 *certificate, struct umx_error *err)
{
    struct umx_text pem = {0};
    int status = umx_certificate_add(certificate, &pem, err);

    if (status == 0)
        status = write_below(data, name, &pem, err);
    umx_text_free(&pem);
    return status;
}

/* One authority of the chain: key and certificate. */
static int make_authority(const char *deployment, const char *what, int path_length, int64_t life, X509 *issuer,
                          EVP_PKEY *issuer_key, EVP_PKEY **key, X509 **certificate, struct umx_error *err)
{
    char name[65];
    struct umx_certificate_spec spec = {.common_name = name,
                                        .authority = true,
                                        .path_length = path_length,
                                        .not_before_at = umx_clock_now() - BACKDATE,
                                        .not_after_at = umx_clock_now() + life};
    struct umx_text full = {0};

    umx_text_addf(&full, "umx %s %s", what, deployment);
    umx_text_copy(name, sizeof name, umx_text_string(&full));
    umx_text_free(&full);
    int status = umx_certificate_key(key, err);
    return status == 0 ? umx_certificate_make(&spec, *key, issuer, issuer_key, certificate, err) : status;
}

/* The first host name is also the controller's name. */
static const char *own_name(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (umx_authority_check_fqdn(names[i], NULL) == 0 && strspn(names[i], "0123456789.") != strlen(names[i]))
            return names[i];
    return "controller";
}

int umx_authority_init(const char *data, const char *deployment, const char *const *names, size_t count,
                       struct umx_error *err)
{
    struct umx_authority made = {0};
    struct umx_text identity = {0};
    struct umx_issued issued = {0};
    EVP_PKEY *root_key = NULL;
    X509 *root = NULL;
    char random[37];
    int status = 0;

    if (deployment == NULL)
        status = umx_authority_uuid(random, err);
    if (deployment == NULL)
        deployment = random;
    if (status == 0)
        status = umx_authority_check_name(deployment, 100, err);
    if (status == 0 && count == 0)
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, data, "the controller needs a name that it is reached by");
    if (status == 0)
        status = make_directories(data, err);
    if (status == 0)
        status = check_empty(data, err);
    if (status == 0)
        status = make_authority(deployment, "root", 1, ROOT_LIFE, NULL, NULL, &root_key, &root, err);
    if (status == 0)
        status = make_authority(deployment, "intermediate", 0, INTERMEDIATE_LIFE, root, root_key, &made.key,
                                &made.intermediate, err);
    if (status != 0)
        goto out;
    struct umx_text intermediate_pem = {0};
    struct umx_text root_pem = {0};
    status = umx_certificate_add(made.intermediate, &intermediate_pem, err);
    if (status == 0)
        status = umx_certificate_add(root, &root_pem, err);
    made.data = umx_authority_path(data, ".");
    made.intermediate_pem = intermediate_pem.data;
    made.controller.root = root_pem.data;
    umx_text_copy(made.controller.identity.deployment, sizeof made.controller.identity.deployment, deployment);
    if (status == 0)
        status = umx_authority_issue_controller(&made, own_name(names, count), names, count, &identity, &issued, err);
    if (status == 0)
        status = write_key(data, "root/root.key", root_key, err);
    if (status == 0)
        status = write_key(data, "ca/intermediate.key", made.key, err);
    if (status == 0)
        status = write_below(data, "ca/intermediate.pem", &intermediate_pem, err);
    if (status == 0)
        status = write_below(data, "ca/controller.pem", &identity, err);
    if (status == 0)
        status = write_certificate(data, "root.pem", root, err);
out:
    umx_private_free(identity.data);
    umx_issued_free(&issued);
    free(made.data);
    free(made.intermediate_pem);
    umx_identity_file_free(&made.controller);
    X509_free(made.intermediate);
    EVP_PKEY_free(made.key);
    X509_free(root);
    EVP_PKEY_free(root_key);
    return status;
}

/*
 * `umxd init`: a deployment from nothing. Everything is made in memory first; root.pem is written last, so that a
 * deployment is there only when it is whole.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crash.h"
#include "controller/authority_internal.h"

static int make_directories(const char *data, struct umx_error *err)
{
    int status = authority_make_directory(data, "", err);

    if (status == 0)
        status = authority_make_directory(data, "root", err);
    return status == 0 ? authority_make_directory(data, "ca", err) : status;
}

/* Any file of a deployment is one, even a half-made one: keys are never overwritten. */
static int check_empty(const char *data, struct umx_error *err)
{
    static const char *const files[] = {"root.pem", "root/root.key", "ca/intermediate.key", "ca/controller.pem",
                                        "ca/next/init"};
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

/* The first host name is also the controller's name. */
static const char *own_name(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (umx_authority_check_fqdn(names[i], NULL) == 0 && strspn(names[i], "0123456789.") != strlen(names[i]))
            return names[i];
    return "controller";
}

int authority_init_check(const char *data, const char *deployment, const char *const *names, size_t count,
                         struct umx_error *err)
{
    int status = umx_authority_check_name(deployment, 100, err);

    if (status == 0 && count == 0)
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, data, "the controller needs a name that it is reached by");
    for (size_t i = 0; status == 0 && i < count; i++)
        if (strpbrk(names[i], "\r\n") != NULL || names[i][0] == '\0')
            status = umx_fail(err, UMX_ERR_CONFIG_INVALID, names[i], "it is not a host name");
    if (status == 0)
        status = make_directories(data, err);
    return status == 0 ? check_empty(data, err) : status;
}

int authority_init_finish(const char *data, const char *deployment, const char *const *names, size_t count,
                          const X509 *root, const EVP_PKEY *root_key, const X509 *intermediate, EVP_PKEY *key,
                          struct umx_error *err)
{
    struct authority_view view = {0};
    struct authority_pair *pair = &view.current;
    struct umx_authority made = {.view = &view};
    struct umx_text identity = {0}, root_pem = {0}, intermediate_pem = {0};
    struct umx_issued issued = {0};

    pthread_mutex_init(&made.issued.mutex, NULL);
    pthread_rwlock_init(&made.turning, NULL);
    authority_progress_init(&made.progress);
    int status = umx_certificate_add(intermediate, &intermediate_pem, err);
    if (status == 0)
        status = umx_certificate_add(root, &root_pem, err);
    if (status == 0 && authority_key_id(intermediate, pair->key_id) != 0)
        status = umx_fail(err, UMX_ERR_INTERNAL, data, NULL);
    made.data = umx_authority_path(data, ".");
    pair->certificate = X509_dup(intermediate);
    pair->key = key;
    EVP_PKEY_up_ref(key);
    pair->intermediate = intermediate_pem.data;
    pair->root = root_pem.data;
    if (status == 0 && (made.data == NULL || pair->certificate == NULL))
        status = umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    umx_text_copy(view.controller.identity.deployment, sizeof view.controller.identity.deployment, deployment);
    if (status == 0)
        status = umx_authority_issue_controller(&made, own_name(names, count), names, count, &identity, &issued, err);
    if (status == 0 && root_key != NULL)
        status = authority_write_key(data, "root/root.key", root_key, err);
    if (status == 0)
        status = authority_write_key(data, "ca/intermediate.key", key, err);
    umx_crash_point(UMX_CRASH_CA_IMPORT, NULL);
    if (status == 0)
        status = authority_write(data, "ca/intermediate.pem", &intermediate_pem, err);
    if (status == 0)
        status = authority_write(data, "ca/controller.pem", &identity, err);
    umx_crash_point(UMX_CRASH_CA_IMPORT, NULL);
    if (status == 0)
        status = authority_write(data, "root.pem", &root_pem, err);
    umx_private_free(identity.data);
    umx_issued_free(&issued);
    free(made.data);
    authority_pair_free(pair);
    umx_issued_free_index(&made.issued);
    authority_progress_free(&made.progress);
    pthread_rwlock_destroy(&made.turning);
    return status;
}

int umx_authority_init(const char *data, const char *deployment, const char *const *names, size_t count,
                       struct umx_error *err)
{
    EVP_PKEY *root_key = NULL, *key = NULL;
    X509 *root = NULL, *intermediate = NULL;
    char random[37];
    int status = deployment == NULL ? umx_authority_uuid(random, err) : 0;

    if (deployment == NULL)
        deployment = random;
    if (status == 0)
        status = authority_init_check(data, deployment, names, count, err);
    if (status == 0)
        status = authority_make_pair(deployment, "root", 1, UMX_ROOT_LIFE, NULL, NULL, &root_key, &root, err);
    if (status == 0)
        status = authority_make_pair(deployment, "intermediate", 0, UMX_INTERMEDIATE_LIFE, root, root_key, &key,
                                     &intermediate, err);
    if (status == 0)
        status = authority_init_finish(data, deployment, names, count, root, root_key, intermediate, key, err);
    X509_free(root);
    X509_free(intermediate);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(key);
    return status;
}

#include "controller/authority.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/authority_internal.h"

char *umx_authority_path(const char *data, const char *name)
{
    struct umx_text path = {0};

    umx_text_addf(&path, "%s/%s", data, name);
    return path.data; /* NULL when it failed at the first addition, which this is */
}

int umx_authority_uuid(char out[37], struct umx_error *err)
{
    unsigned char b[16];

    if (RAND_bytes(b, sizeof b) != 1)
        return umx_certificate_fail(err, UMX_ERR_INTERNAL, "random bytes");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}

int umx_authority_check_name(const char *name, size_t max, struct umx_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    size_t length = strlen(name);

    if (length > 0 && length <= max && strspn(name, allowed) == length)
        return 0;
    return umx_fail(err, UMX_ERR_CONFIG_INVALID, name,
                    "a name has 1 to %zu letters, digits, hyphens, dots, underscores", max);
}

int umx_authority_check_fqdn(const char *fqdn, struct umx_error *err)
{
    size_t label = 0;
    int status = umx_authority_check_name(fqdn, UMX_FQDN_MAX - 4, err);

    for (const char *p = fqdn; status == 0; p++) {
        bool end = *p == '\0' || *p == '.';
        if (*p == '_' || (end && (label == 0 || label > 63)))
            status = umx_fail(err, UMX_ERR_CONFIG_INVALID, fqdn, "it is not a host name");
        label = end ? 0 : label + 1;
        if (*p == '\0')
            break;
    }
    return status;
}

static int make_tls(struct umx_authority *authority, struct umx_error *err)
{
    struct umx_text chain = {0};

    umx_text_adds(&chain, authority->controller.chain);
    umx_text_adds(&chain, authority->controller.root);
    if (chain.failed) {
        umx_text_free(&chain);
        return umx_fail(err, UMX_ERR_MEMORY, authority->data, NULL);
    }
    authority->presented = chain.data;
    authority->tls = umx_identity_file_tls(&authority->controller);
    authority->tls.chain = authority->presented;
    return 0;
}

/* The root's key is not looked at: it may be anywhere by now. */
static int load(struct umx_authority *authority, struct umx_error *err)
{
    char *certificate_path = umx_authority_path(authority->data, "ca/intermediate.pem");
    char *key_path = umx_authority_path(authority->data, "ca/intermediate.key");
    char *controller_path = umx_authority_path(authority->data, "ca/controller.pem");
    char *key = NULL;
    size_t length;
    int status;

    if (certificate_path == NULL || key_path == NULL || controller_path == NULL) {
        status = umx_fail(err, UMX_ERR_MEMORY, authority->data, NULL);
        goto out;
    }
    status = umx_private_file_read(certificate_path, UMX_IDENTITY_FILE_MAX, &authority->intermediate_pem, &length, err);
    if (status == 0)
        status = umx_private_file_read(key_path, UMX_IDENTITY_FILE_MAX, &key, &length, err);
    if (status == 0)
        status = umx_certificate_read(authority->intermediate_pem, certificate_path, &authority->intermediate, err);
    if (status == 0)
        status = umx_certificate_read_key(key, key_path, &authority->key, err);
    if (status == 0 && X509_check_private_key(authority->intermediate, authority->key) != 1)
        status = umx_certificate_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, key_path);
    if (status == 0)
        status = umx_identity_file_load(controller_path, &authority->controller, err);
    if (status == 0 && authority->controller.identity.role != UMX_ROLE_CONTROLLER)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, controller_path, "it is not a controller's");
    if (status == 0)
        status = make_tls(authority, err);
out:
    umx_private_free(key);
    free(certificate_path);
    free(key_path);
    free(controller_path);
    return status;
}

int umx_authority_open(const char *data, struct umx_authority **out, struct umx_error *err)
{
    struct umx_authority *authority = calloc(1, sizeof *authority);
    char *root = umx_authority_path(data, "root.pem");
    struct stat found;
    int status = 0;

    *out = NULL;
    if (authority == NULL || root == NULL || (authority->data = strdup(data)) == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    else if (stat(root, &found) != 0)
        status = umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, NULL);
    if (authority != NULL) {
        pthread_mutex_init(&authority->mutex, NULL);
        pthread_mutex_init(&authority->issued.mutex, NULL);
    }
    if (status == 0)
        status = load(authority, err);
    free(root);
    if (status == 0)
        *out = authority;
    else
        umx_authority_close(authority);
    return status;
}

void umx_authority_close(struct umx_authority *authority)
{
    if (authority == NULL)
        return;
    umx_identity_file_free(&authority->controller);
    X509_free(authority->intermediate);
    EVP_PKEY_free(authority->key);
    free(authority->intermediate_pem);
    umx_issued_free_index(&authority->issued);
    free(authority->presented);
    free(authority->data);
    pthread_mutex_destroy(&authority->mutex);
    free(authority);
}

const char *umx_authority_deployment(const struct umx_authority *authority)
{
    return authority->controller.identity.deployment;
}

const char *umx_authority_identity(const struct umx_authority *authority)
{
    return authority->controller.identity.uri;
}

const struct umx_rpc_tls *umx_authority_tls(const struct umx_authority *authority)
{
    return &authority->tls;
}

const char *umx_authority_root(const struct umx_authority *authority)
{
    return authority->controller.root;
}

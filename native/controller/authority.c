#include "controller/authority.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/authority_internal.h"

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

int umx_authority_open(const char *data, struct umx_authority **out, struct umx_error *err)
{
    struct umx_authority *authority = calloc(1, sizeof *authority);
    int lock = -1;
    int status = 0;

    *out = NULL;
    if (authority == NULL || (authority->data = strdup(data)) == NULL) {
        free(authority);
        return umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    }
    pthread_mutex_init(&authority->mutex, NULL);
    pthread_mutex_init(&authority->issued.mutex, NULL);
    pthread_rwlock_init(&authority->turning, NULL);
    authority_progress_init(&authority->progress);
    if (!authority_there(data, "root.pem"))
        status = umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, NULL);
    if (status == 0)
        status = authority_lock(data, &lock, err);
    if (status == 0)
        status = authority_view_load(data, &authority->view, err);
    authority_unlock(lock);
    if (status == 0)
        status = authority_progress_load(authority, err);
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
    while (authority->view != NULL) {
        struct authority_view *older = authority->view->older;
        authority_view_free(authority->view);
        authority->view = older;
    }
    authority_progress_free(&authority->progress);
    umx_issued_free_index(&authority->issued);
    free(authority->data);
    pthread_rwlock_destroy(&authority->turning);
    pthread_mutex_destroy(&authority->mutex);
    free(authority);
}

/* Texts of a view stay until the authority is closed. */
static const struct authority_view *view_of(const struct umx_authority *authority)
{
    pthread_rwlock_t *turning = &((struct umx_authority *)(uintptr_t)authority)->turning;

    pthread_rwlock_rdlock(turning);
    const struct authority_view *view = authority->view;
    pthread_rwlock_unlock(turning);
    return view;
}

const char *umx_authority_deployment(const struct umx_authority *authority)
{
    return view_of(authority)->controller.identity.deployment;
}

const char *umx_authority_identity(const struct umx_authority *authority)
{
    return view_of(authority)->controller.identity.uri;
}

const struct umx_rpc_tls *umx_authority_tls(const struct umx_authority *authority)
{
    return &view_of(authority)->tls;
}

const char *umx_authority_root(const struct umx_authority *authority)
{
    return view_of(authority)->controller.root;
}

const struct umx_trust *umx_authority_trust(const struct umx_authority *authority)
{
    return &view_of(authority)->trust;
}

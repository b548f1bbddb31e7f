/* The controller's own certificate: made again for the names that it has, before it ends. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/authority_internal.h"

enum { NAMES_MAX = 16 };

struct names {
    char *dns[NAMES_MAX];
    char *addresses[NAMES_MAX];
    size_t dns_count;
    size_t address_count;
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->dns_count; i++)
        free(names->dns[i]);
    for (size_t i = 0; i < names->address_count; i++)
        free(names->addresses[i]);
}

static int read_names(X509 *certificate, struct names *out, struct umx_error *err)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool good = true;

    for (int i = 0; good && i < sk_GENERAL_NAME_num(all); i++) {
        char text[INET6_ADDRSTRLEN];
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type);
        size_t length = value != NULL && (type == GEN_DNS || type == GEN_IPADD) ? (size_t)ASN1_STRING_length(value) : 0;
        const unsigned char *bytes = length > 0 ? ASN1_STRING_get0_data(value) : NULL;
        if (type == GEN_DNS && length > 0 && out->dns_count < NAMES_MAX) {
            out->dns[out->dns_count] = strndup((const char *)bytes, length);
            good = out->dns[out->dns_count++] != NULL;
        } else if (type == GEN_IPADD && (length == 4 || length == 16) && out->address_count < NAMES_MAX) {
            good = inet_ntop(length == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text) != NULL &&
                   (out->addresses[out->address_count] = strdup(text)) != NULL;
            out->address_count += good ? 1 : 0;
        }
    }
    sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
    return good ? 0 : umx_fail(err, UMX_ERR_MEMORY, "the controller's certificate", NULL);
}

int authority_controller_again(struct umx_authority *authority, const struct authority_pair *issuer,
                               struct umx_text *pem, struct umx_error *err)
{
    const struct umx_identity_file *old = &authority->view->controller;
    struct names names = {0};
    struct umx_issued issued = {0};
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    int status = umx_certificate_read(old->chain, "the controller's certificate", &certificate, err);

    if (status == 0)
        status = read_names(certificate, &names, err);
    if (status == 0)
        status = umx_certificate_key(&key, err);
    if (status == 0) {
        const struct umx_authority_leaf leaf = {.role = "controller",
                                                .name = old->identity.name,
                                                .common_name = old->identity.name,
                                                .dns = (const char *const *)(uintptr_t)names.dns,
                                                .dns_count = names.dns_count,
                                                .addresses = (const char *const *)(uintptr_t)names.addresses,
                                                .address_count = names.address_count,
                                                .life = UMX_CONTROLLER_LIFE};
        status = authority_issue_by(authority, issuer, &leaf, key, &issued, err);
    }
    if (status == 0)
        status = umx_certificate_add_key(key, pem, err);
    if (status == 0) {
        umx_text_adds(pem, issued.chain);
        if (pem->failed)
            status = umx_fail(err, UMX_ERR_MEMORY, "the controller's certificate", NULL);
    }
    umx_issued_free(&issued);
    free_names(&names);
    EVP_PKEY_free(key);
    X509_free(certificate);
    return status;
}

int umx_authority_renew_controller(struct umx_authority *authority, int64_t now, bool *renewed, struct umx_error *err)
{
    struct umx_text pem = {0};
    int lock = -1;

    *renewed = false;
    pthread_rwlock_wrlock(&authority->turning);
    int status = authority_lock(authority->data, &lock, err);
    if (status == 0)
        status = authority_catch_up(authority, renewed, err);
    *renewed = *renewed && status == 0;
    int64_t end = authority->view->controller.identity.not_after_at;
    if (status == 0 && end - now < UMX_CONTROLLER_LIFE / 3) {
        status = authority_controller_again(authority, &authority->view->current, &pem, err);
        if (status == 0)
            status = authority_write(authority->data, "ca/controller.pem", &pem, err);
        if (status == 0)
            status = authority_view_replace(authority, err);
        *renewed = status == 0;
    }
    authority_unlock(lock);
    pthread_rwlock_unlock(&authority->turning);
    umx_private_free(pem.data);
    return status;
}

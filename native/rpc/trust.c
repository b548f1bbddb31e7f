#include "rpc/trust.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "rpc/pem.h"

struct umx_issuers {
    X509 *list[UMX_TRUST_CERTIFICATES];
    int count;
};

static int refuse(struct umx_error *err, const char *why)
{
    ERR_clear_error();
    return umx_fail(err, UMX_ERR_TRUST_INVALID, "trust", "%s", why);
}

/* The certificates of a text; -1: too many of them. */
static int read_all(const char *pem, size_t length, X509 *out[UMX_TRUST_CERTIFICATES])
{
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    X509 *one;
    int count = 0;

    while (bio != NULL && (one = PEM_read_bio_X509(bio, NULL, umx_pem_no_passphrase, NULL)) != NULL) {
        if (count == UMX_TRUST_CERTIFICATES) {
            X509_free(one);
            count++;
            break;
        }
        out[count++] = one;
    }
    BIO_free(bio);
    ERR_clear_error();
    if (count <= UMX_TRUST_CERTIFICATES)
        return count;
    for (int i = 0; i < UMX_TRUST_CERTIFICATES; i++)
        X509_free(out[i]);
    return -1;
}

static bool signed_by(X509 *certificate, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);

    return key != NULL && X509_verify(certificate, key) == 1;
}

static bool is_root(X509 *certificate)
{
    return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0 &&
           signed_by(certificate, certificate);
}

static const char *fault_of(X509 *const *all, const bool *root, int count)
{
    int roots = 0;

    for (int i = 0; i < count; i++) {
        bool below = root[i];
        roots += root[i] ? 1 : 0;
        for (int k = 0; k < count && !below; k++)
            below = root[k] && signed_by(all[i], all[k]);
        if (X509_check_ca(all[i]) != 1)
            return "a certificate in it may not sign others";
        if (!below)
            return "an authority in it is not signed by a root of it";
    }
    return roots == 0 ? "it has no root" : roots == count ? "it has no authority" : NULL;
}

static bool digest(X509 *const *all, int count, uint8_t id[UMX_TRUST_ID])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    for (int i = 0; i < count && good; i++) {
        unsigned char *der = NULL;
        int length = i2d_X509(all[i], &der);
        good = length > 0 && EVP_DigestUpdate(context, der, (size_t)length) == 1;
        OPENSSL_free(der);
    }
    good = good && EVP_DigestFinal_ex(context, id, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static char *write_some(X509 *const *all, const bool *root, int count, bool roots, bool others)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct umx_text text = {0};
    char *data = NULL;
    bool good = bio != NULL;

    for (int i = 0; i < count && good; i++)
        if (root[i] ? roots : others)
            good = PEM_write_bio_X509(bio, all[i]) == 1;
    long length = good ? BIO_get_mem_data(bio, &data) : 0;
    if (length > 0)
        umx_text_add(&text, data, (size_t)length);
    BIO_free(bio);
    return text.data;
}

int umx_trust_parse(const char *pem, size_t length, struct umx_trust *out, struct umx_error *err)
{
    X509 *all[UMX_TRUST_CERTIFICATES] = {NULL};
    bool root[UMX_TRUST_CERTIFICATES] = {false};
    struct umx_trust made = {0};
    const char *fault;
    int status = 0;

    *out = made;
    if (length == 0 || length > UMX_TRUST_MAX)
        return refuse(err, "it is empty or too large");
    int count = read_all(pem, length, all);
    if (count < 0)
        return refuse(err, "it has too many certificates");
    for (int i = 0; i < count; i++)
        root[i] = is_root(all[i]);
    ERR_clear_error(); /* one that is not a root does not verify with its own key */
    if ((fault = fault_of(all, root, count)) != NULL) {
        status = refuse(err, fault);
    } else {
        made.pem = write_some(all, root, count, true, true);
        made.roots = write_some(all, root, count, true, false);
        made.authorities = write_some(all, root, count, false, true);
        if (made.pem == NULL || made.roots == NULL || made.authorities == NULL || !digest(all, count, made.id))
            status = umx_fail(err, UMX_ERR_MEMORY, "trust", NULL);
    }
    for (int i = 0; i < count; i++)
        X509_free(all[i]);
    if (status == 0)
        *out = made;
    else
        umx_trust_free(&made);
    return status;
}

void umx_trust_free(struct umx_trust *trust)
{
    free(trust->pem);
    free(trust->roots);
    free(trust->authorities);
    *trust = (struct umx_trust){0};
}

bool umx_trust_has_root(const struct umx_trust *trust, const char *root)
{
    X509 *wanted[UMX_TRUST_CERTIFICATES] = {NULL}, *roots[UMX_TRUST_CERTIFICATES] = {NULL};
    int count = root != NULL ? read_all(root, strlen(root), wanted) : 0;
    int own = trust->roots != NULL ? read_all(trust->roots, strlen(trust->roots), roots) : 0;
    bool found = false;

    for (int i = 0; count > 0 && i < own; i++)
        found = found || X509_cmp(wanted[0], roots[i]) == 0;
    for (int i = 0; i < count; i++)
        X509_free(wanted[i]);
    for (int i = 0; i < own; i++)
        X509_free(roots[i]);
    return found;
}

/* ---- authorities */

int umx_issuers_new(const char *pem, struct umx_issuers **out, struct umx_error *err)
{
    *out = NULL;
    if (pem == NULL)
        return 0;
    struct umx_issuers *made = calloc(1, sizeof *made);
    if (made == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "trust", NULL);
    made->count = strlen(pem) <= UMX_TRUST_MAX ? read_all(pem, strlen(pem), made->list) : -1;
    if (made->count <= 0) {
        free(made);
        return refuse(err, "it has no authority, or too many");
    }
    *out = made;
    return 0;
}

void umx_issuers_free(struct umx_issuers *issuers)
{
    if (issuers == NULL)
        return;
    for (int i = 0; i < issuers->count; i++)
        X509_free(issuers->list[i]);
    free(issuers);
}

int umx_issuers_check(const struct umx_issuers *issuers, const char *pem, size_t length, const char *who,
                      struct umx_error *err)
{
    bool good = issuers == NULL;

    if (good)
        return 0;
    X509 *leaf = length > 0 && length <= UMX_TRUST_MAX ? umx_pem_certificate(pem, length) : NULL;
    for (int i = 0; leaf != NULL && i < issuers->count && !good; i++)
        good = signed_by(leaf, issuers->list[i]);
    X509_free(leaf);
    ERR_clear_error();
    return good ? 0 : umx_fail(err, UMX_ERR_ISSUER_RETIRED, who, NULL);
}

bool umx_issuers_older(const struct umx_issuers *issuers, const char *chain, size_t length)
{
    X509 *list[UMX_TRUST_CERTIFICATES] = {NULL};
    int count = issuers != NULL && length <= UMX_TRUST_MAX ? read_all(chain, length, list) : -1;
    bool older = count >= 2 && signed_by(list[0], list[1]);

    for (int i = 0; older && i < issuers->count; i++)
        older = ASN1_TIME_compare(X509_get0_notBefore(issuers->list[i]), X509_get0_notBefore(list[1])) == -1;
    for (int i = 0; i < count; i++)
        X509_free(list[i]);
    ERR_clear_error();
    return older;
}

bool umx_issuers_have(const struct umx_issuers *issuers, const char *key_id)
{
    bool found = issuers == NULL;

    for (int i = 0; !found && i < issuers->count; i++) {
        const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(issuers->list[i]);
        struct umx_text hex = {0};
        if (own != NULL)
            umx_text_add_hex(&hex, ASN1_STRING_get0_data(own), (size_t)ASN1_STRING_length(own));
        found = hex.length > 0 && strcmp(umx_text_string(&hex), key_id) == 0;
        umx_text_free(&hex);
    }
    return found;
}

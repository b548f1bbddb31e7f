#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "rpc/rpc.h"

enum { PEM_MAX = 256 * 1024 };

static const struct {
    const char *word;
    enum umx_rpc_role role;
} roles[] = {{"agent", UMX_ROLE_AGENT}, {"operator", UMX_ROLE_OPERATOR}, {"controller", UMX_ROLE_CONTROLLER}};

static int refuse(struct umx_error *err, const char *why)
{
    ERR_clear_error();
    return umx_fail(err, UMX_ERR_IDENTITY_INVALID, "certificate", "%s", why);
}

/* Letters, digits and `-._`: nothing that a log, a path or a URI could read as more than a name. */
static bool plain_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_';
        if (!ok)
            return false;
    }
    return length > 0;
}

/* Copies one part of a name, checked. */
static bool take(const char *text, size_t length, char *to, size_t size)
{
    if (length >= size || !plain_name(text, length))
        return false;
    memcpy(to, text, length);
    to[length] = '\0';
    return true;
}

/* umx://DEPLOYMENT/ROLE/NAME, nothing before, between or after. */
static bool parse_uri(const char *uri, size_t length, struct umx_identity *out)
{
    static const char scheme[] = "umx://";
    const char *end = uri + length;
    char role[16];

    if (length >= sizeof out->uri || length <= sizeof scheme - 1 || memcmp(uri, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *deployment = uri + sizeof scheme - 1;
    const char *slash = memchr(deployment, '/', (size_t)(end - deployment));
    if (slash == NULL || !take(deployment, (size_t)(slash - deployment), out->deployment, sizeof out->deployment))
        return false;
    const char *word = slash + 1;
    slash = memchr(word, '/', (size_t)(end - word));
    if (slash == NULL || !take(word, (size_t)(slash - word), role, sizeof role) ||
        !take(slash + 1, (size_t)(end - slash - 1), out->name, sizeof out->name))
        return false;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(role, roles[i].word) == 0)
            out->role = roles[i].role;
    memcpy(out->uri, uri, length);
    out->uri[length] = '\0';
    return out->role != UMX_ROLE_NONE;
}

/* Counts the names; the first URI and the first dNSName are taken. */
static int read_names(X509 *certificate, struct umx_identity *out, struct umx_error *err)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int uris = 0;
    int hosts = 0;
    bool good = true;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type != GEN_URI && type != GEN_DNS)
            continue;
        const char *text = (const char *)ASN1_STRING_get0_data(value);
        size_t length = (size_t)ASN1_STRING_length(value);
        if (type == GEN_URI && uris++ == 0)
            good = good && parse_uri(text, length, out);
        if (type == GEN_DNS && hosts++ == 0)
            good = good && take(text, length, out->fqdn, sizeof out->fqdn);
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    if (uris != 1)
        return refuse(err, uris == 0 ? "it has no umx name" : "it has more than one URI name");
    if (!good)
        return refuse(err, "a name in it is malformed");
    if (out->role == UMX_ROLE_AGENT && hosts != 1)
        return refuse(err, "an agent's certificate has exactly one DNS name");
    return 0;
}

/* The forest that vouched for an operator stands in the one organizationalUnit. */
static int read_forest(X509 *certificate, struct umx_identity *out, struct umx_error *err)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_organizationalUnitName, -1);

    if (out->role != UMX_ROLE_OPERATOR)
        return 0;
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_organizationalUnitName, at) >= 0)
        return refuse(err, "an operator's certificate names exactly one forest");
    const ASN1_STRING *unit = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    if (!take((const char *)ASN1_STRING_get0_data(unit), (size_t)ASN1_STRING_length(unit), out->forest,
              sizeof out->forest))
        return refuse(err, "the forest's name is malformed");
    return 0;
}

static int read_serial(X509 *certificate, struct umx_identity *out, struct umx_error *err)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    struct umx_text hex = {0};

    umx_text_add_hex(&hex, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
    bool fits = !hex.failed && hex.length > 0 && hex.length < sizeof out->serial;
    if (fits)
        umx_text_copy(out->serial, sizeof out->serial, umx_text_string(&hex));
    umx_text_free(&hex);
    return fits ? 0 : refuse(err, "its serial number is not usable");
}

/* Who says to have issued it: whether that is true, TLS and umx_issuers_check find out. */
static int read_issuer(X509 *certificate, struct umx_identity *out, struct umx_error *err)
{
    const ASN1_OCTET_STRING *issuer = X509_get0_authority_key_id(certificate);
    struct umx_text hex = {0};

    if (issuer == NULL)
        return 0;
    umx_text_add_hex(&hex, ASN1_STRING_get0_data(issuer), (size_t)ASN1_STRING_length(issuer));
    bool fits = !hex.failed && hex.length < sizeof out->issuer;
    if (fits)
        umx_text_copy(out->issuer, sizeof out->issuer, umx_text_string(&hex));
    umx_text_free(&hex);
    return fits ? 0 : refuse(err, "its issuer's key identifier is not usable");
}

/* Seconds since 1970 without timegm, which not every C library has. */
static bool read_time(const ASN1_TIME *time, int64_t *out)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;
    bool good = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;

    ASN1_TIME_free(epoch);
    *out = days * UMX_DAY + seconds * UMX_SECOND;
    return good;
}

static int read_life(X509 *certificate, struct umx_identity *out, struct umx_error *err)
{
    if (read_time(X509_get0_notBefore(certificate), &out->not_before_at) &&
        read_time(X509_get0_notAfter(certificate), &out->not_after_at))
        return 0;
    return refuse(err, "its validity is not usable");
}

static int read_key_hash(X509 *certificate, struct umx_identity *out, struct umx_error *err)
{
    unsigned char digest[32];
    unsigned char *der = NULL;
    struct umx_text hex = {0};
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool good = size > 0 && EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL) == 1;

    if (good)
        umx_text_add_hex(&hex, digest, sizeof digest);
    umx_text_copy(out->key, sizeof out->key, umx_text_string(&hex));
    good = good && !hex.failed;
    umx_text_free(&hex);
    OPENSSL_free(der);
    return good ? 0 : refuse(err, "its public key is not usable");
}

static X509 *read_leaf(const char *pem, size_t length)
{
    BIO *bio = length > 0 && length <= PEM_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return certificate;
}

int umx_identity_parse(const char *pem, size_t length, struct umx_identity *out, struct umx_error *err)
{
    struct umx_identity made = {0};
    X509 *certificate = read_leaf(pem, length);
    int status;

    if (certificate == NULL)
        return refuse(err, "it is empty, too large or not a certificate in PEM");
    if ((status = read_names(certificate, &made, err)) == 0 && (status = read_forest(certificate, &made, err)) == 0 &&
        (status = read_serial(certificate, &made, err)) == 0 && (status = read_issuer(certificate, &made, err)) == 0 &&
        (status = read_life(certificate, &made, err)) == 0 && (status = read_key_hash(certificate, &made, err)) == 0)
        *out = made;
    X509_free(certificate);
    return status;
}

int umx_identity_certificate(const char *pem, size_t length, uint8_t **der, size_t *der_length)
{
    X509 *certificate = read_leaf(pem, length);
    unsigned char *made = NULL;
    int size = certificate != NULL ? i2d_X509(certificate, &made) : -1;

    X509_free(certificate);
    if (size <= 0)
        return UMX_E_FORMAT;
    *der = malloc((size_t)size);
    if (*der != NULL)
        memcpy(*der, made, (size_t)size);
    *der_length = (size_t)size;
    OPENSSL_free(made);
    return *der != NULL ? 0 : UMX_E_MEMORY;
}

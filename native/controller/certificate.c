#include "controller/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/pem.h"

enum { COMMON_NAME_MAX = 64 };

int umx_certificate_fail(struct umx_error *err, enum umx_error_id id, const char *what)
{
    char text[256] = "";
    unsigned long code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return umx_fail_code(err, id, (long)(code & 0x7fffffff), what, "%s", text);
}

int umx_certificate_key(EVP_PKEY **out, struct umx_error *err)
{
    *out = EVP_EC_gen("P-256");
    return *out != NULL ? 0 : umx_certificate_fail(err, UMX_ERR_INTERNAL, "a new key");
}

/* 128 random bits, positive and never zero. */
static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    bool ok = false;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    if (number != NULL && !BN_is_zero(number))
        ok = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return ok;
}

static bool set_time(ASN1_TIME *to, int64_t at)
{
    return ASN1_TIME_adj(to, (time_t)(at / UMX_SECOND), 0, 0) != NULL;
}

static bool add_name(X509_NAME *name, int nid, const char *value)
{
    char cut[COMMON_NAME_MAX + 1];

    umx_text_copy(cut, sizeof cut, value);
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)cut, -1, -1, 0) == 1;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer != NULL ? issuer : certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool push_ia5(GENERAL_NAMES *names, int type, const char *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    if (name == NULL || text == NULL || ASN1_STRING_set(text, value, -1) != 1) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(text);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, text);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool push_address(GENERAL_NAMES *names, const char *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *bytes = a2i_IPADDRESS(value);

    if (name == NULL || bytes == NULL) {
        GENERAL_NAME_free(name);
        ASN1_OCTET_STRING_free(bytes);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, bytes);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

/* Built from values, never from a configuration text: a comma in a name must stay one name. */
static bool add_alternative_names(X509 *certificate, const struct umx_certificate_spec *spec)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok = names != NULL;

    if (ok && spec->uri != NULL)
        ok = push_ia5(names, GEN_URI, spec->uri);
    for (size_t i = 0; ok && i < spec->dns_count; i++)
        ok = push_ia5(names, GEN_DNS, spec->dns[i]);
    for (size_t i = 0; ok && i < spec->address_count; i++)
        ok = push_address(names, spec->addresses[i]);
    if (ok && sk_GENERAL_NAME_num(names) > 0)
        ok = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return ok;
}

static bool add_usage(X509 *certificate, X509 *issuer, const struct umx_certificate_spec *spec)
{
    static const char *const purposes[2][2] = {{NULL, "clientAuth"}, {"serverAuth", "serverAuth,clientAuth"}};
    const char *purpose = purposes[spec->server_auth][spec->client_auth];
    char constraint[48] = "critical,CA:FALSE";

    if (spec->authority && spec->path_length >= 0)
        snprintf(constraint, sizeof constraint, "critical,CA:TRUE,pathlen:%d", spec->path_length);
    else if (spec->authority)
        umx_text_copy(constraint, sizeof constraint, "critical,CA:TRUE");
    return add_extension(certificate, issuer, NID_basic_constraints, constraint) &&
           add_extension(certificate, issuer, NID_key_usage,
                         spec->authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           (purpose == NULL || add_extension(certificate, issuer, NID_ext_key_usage, purpose)) &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           (issuer == NULL || add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always"));
}

int umx_certificate_make(const struct umx_certificate_spec *spec, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                         X509 **out, struct umx_error *err)
{
    X509 *made = X509_new();
    X509_NAME *subject = X509_NAME_new();
    bool ok = made != NULL && subject != NULL && X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
              set_time(X509_getm_notBefore(made), spec->not_before_at) &&
              set_time(X509_getm_notAfter(made), spec->not_after_at);

    ok = ok && (spec->unit == NULL || add_name(subject, NID_organizationalUnitName, spec->unit)) &&
         add_name(subject, NID_commonName, spec->common_name) && X509_set_subject_name(made, subject) == 1 &&
         X509_set_issuer_name(made, issuer != NULL ? X509_get_subject_name(issuer) : subject) == 1 &&
         X509_set_pubkey(made, key) == 1 && add_usage(made, issuer, spec) && add_alternative_names(made, spec) &&
         X509_sign(made, issuer != NULL ? issuer_key : key, EVP_sha256()) > 0;
    X509_NAME_free(subject);
    if (!ok) {
        X509_free(made);
        return umx_certificate_fail(err, UMX_ERR_INTERNAL, spec->common_name);
    }
    *out = made;
    return 0;
}

static int take(BIO *bio, struct umx_text *out, struct umx_error *err)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);

    if (length > 0)
        umx_text_add(out, data, (size_t)length);
    return length > 0 && !out->failed ? 0 : umx_fail(err, UMX_ERR_MEMORY, "a certificate", NULL);
}

int umx_certificate_add(const X509 *certificate, struct umx_text *out, struct umx_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int status;

    if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
        status = umx_certificate_fail(err, UMX_ERR_INTERNAL, "a certificate");
    else
        status = take(bio, out, err);
    BIO_free(bio);
    return status;
}

int umx_certificate_add_key(const EVP_PKEY *key, struct umx_text *out, struct umx_error *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int status;

    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        status = umx_certificate_fail(err, UMX_ERR_INTERNAL, "a private key");
    else
        status = take(bio, out, err);
    BIO_free(bio);
    return status;
}

int umx_certificate_read(const char *pem, const char *what, X509 **out, struct umx_error *err)
{
    *out = umx_pem_certificate(pem, strlen(pem));
    return *out != NULL ? 0 : umx_certificate_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what);
}

int umx_certificate_read_key(const char *pem, const char *what, EVP_PKEY **out, struct umx_error *err)
{
    *out = umx_pem_key(pem, strlen(pem));
    return *out != NULL ? 0 : umx_certificate_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what);
}

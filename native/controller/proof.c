/*
 * The proof of design 7: a certificate of the CA that a forest's administrators trust, with the user's SID in it, and a
 * signature with its key over the request for an umx certificate. Every byte of it comes from somebody unknown.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "controller/authority_internal.h"
#include "rpc/pem.h"
#include "rpc/signature.h"

enum {
    CERTIFICATES_MAX = 6,
    ANCHORS_MAX = 64,
    OPERATOR_CA_MAX = 1024 * 1024,
    AUTH_LEVEL = 2, /* 112 bits: RSA from 2048, no SHA-1 */
    SID_PARTS = 4,  /* after S-1-5-21: the domain's three and the account's */
};

#define SID_EXTENSION "1.3.6.1.4.1.311.25.2"
#define SID_NAME "1.3.6.1.4.1.311.25.2.1"

static int refuse(struct umx_error *err, const char *forest, const char *why)
{
    ERR_clear_error();
    return umx_fail(err, UMX_ERR_PROOF_REFUSED, forest, "%s", why);
}

/* ---- the certificates in the request */

struct presented {
    X509 *leaf;
    size_t leaf_length; /* bytes of it at the start of the field */
    STACK_OF(X509) * others;
};

static bool read_presented(const ProtobufCBinaryData *field, struct presented *out)
{
    const unsigned char *at = field->data;
    const unsigned char *end = at + field->len;

    out->others = sk_X509_new_null();
    if (out->others == NULL || field->len == 0 || field->len > UMX_SIGNATURE_CERTIFICATE_MAX)
        return false;
    out->leaf = d2i_X509(NULL, &at, (long)field->len);
    out->leaf_length = (size_t)(at - field->data);
    while (out->leaf != NULL && at < end) {
        X509 *other = sk_X509_num(out->others) < CERTIFICATES_MAX ? d2i_X509(NULL, &at, (long)(end - at)) : NULL;
        if (other == NULL || sk_X509_push(out->others, other) <= 0) {
            X509_free(other);
            return false;
        }
    }
    return out->leaf != NULL;
}

static void free_presented(struct presented *presented)
{
    X509_free(presented->leaf);
    sk_X509_pop_free(presented->others, X509_free);
}

/* ---- trust */

/* Every certificate of the operator_ca file is an anchor, an issuing CA below a root too. */
static int load_anchors(const char *path, X509_STORE *store, struct umx_error *err)
{
    char *pem = NULL;
    size_t length;
    int count = 0;
    int status = umx_private_file_read(path, OPERATOR_CA_MAX, &pem, &length, err);
    BIO *bio = status == 0 ? BIO_new_mem_buf(pem, (int)length) : NULL;
    X509 *anchor;

    while (bio != NULL && count < ANCHORS_MAX &&
           (anchor = PEM_read_bio_X509(bio, NULL, umx_pem_no_passphrase, NULL)) != NULL) {
        count += X509_check_ca(anchor) > 0 && X509_STORE_add_cert(store, anchor) == 1;
        X509_free(anchor);
    }
    ERR_clear_error();
    BIO_free(bio);
    free(pem);
    if (status == 0 && count == 0)
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "operator_ca holds no certificate of an authority");
    return status;
}

static int verify_chain(const struct presented *presented, const char *forest, const char *operator_ca,
                        struct umx_error *err)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int status = store != NULL && context != NULL ? load_anchors(operator_ca, store, err)
                                                  : umx_fail(err, UMX_ERR_MEMORY, forest, NULL);

    if (status == 0 && X509_STORE_CTX_init(context, store, presented->leaf, presented->others) != 1)
        status = refuse(err, forest, "the certificate cannot be verified");
    if (status == 0) {
        X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
        X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
        X509_VERIFY_PARAM_set_auth_level(parameters, AUTH_LEVEL);
        X509_VERIFY_PARAM_set_depth(parameters, CERTIFICATES_MAX);
        X509_VERIFY_PARAM_set_time(parameters, (time_t)(umx_clock_now() / UMX_SECOND));
        if (X509_verify_cert(context) != 1)
            status = refuse(err, forest, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
        else if (X509_check_ca(presented->leaf) > 0)
            status = refuse(err, forest, "the certificate is an authority's");
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return status;
}

/* ---- what the certificate says */

/* S-1-5-21- and four numbers of 32 bits: an account of a domain. Well-known groups and the system have other shapes. */
static bool account_sid(const char *text, size_t length)
{
    static const char prefix[] = "S-1-5-21";
    const char *end = text + length;
    const char *p = text + sizeof prefix - 1;
    int parts = 0;

    if (length <= sizeof prefix || memcmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    while (p < end && *p == '-') {
        const char *first = ++p;
        uint64_t value = 0;
        while (p < end && *p >= '0' && *p <= '9' && p - first < 10)
            value = value * 10 + (uint64_t)(*p++ - '0');
        if (p == first || value > UINT32_MAX || (*first == '0' && p - first > 1))
            return false;
        parts++;
    }
    return p == end && parts == SID_PARTS;
}

/* Exactly one extension with exactly one name in it. */
static GENERAL_NAMES *read_sid_names(X509 *certificate)
{
    ASN1_OBJECT *kind = OBJ_txt2obj(SID_EXTENSION, 1);
    GENERAL_NAMES *names = NULL;
    int at = kind != NULL ? X509_get_ext_by_OBJ(certificate, kind, -1) : -1;

    if (at >= 0 && X509_get_ext_by_OBJ(certificate, kind, at) < 0) {
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
        const unsigned char *bytes = ASN1_STRING_get0_data(value);
        const unsigned char *end = bytes + ASN1_STRING_length(value);
        names = d2i_GENERAL_NAMES(NULL, &bytes, ASN1_STRING_length(value));
        if (names != NULL && (bytes != end || sk_GENERAL_NAME_num(names) != 1)) {
            sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
            names = NULL;
        }
    }
    ASN1_OBJECT_free(kind);
    return names;
}

static bool read_sid(X509 *certificate, char *out, size_t size)
{
    GENERAL_NAMES *names = read_sid_names(certificate);
    ASN1_OBJECT *kind = NULL;
    ASN1_OBJECT *expected = OBJ_txt2obj(SID_NAME, 1);
    ASN1_TYPE *value = NULL;
    bool good = false;

    if (names != NULL && expected != NULL &&
        GENERAL_NAME_get0_otherName(sk_GENERAL_NAME_value(names, 0), &kind, &value) == 1 &&
        OBJ_cmp(kind, expected) == 0 && ASN1_TYPE_get(value) == V_ASN1_OCTET_STRING) {
        const char *text = (const char *)ASN1_STRING_get0_data(value->value.octet_string);
        size_t length = (size_t)ASN1_STRING_length(value->value.octet_string);
        good = length < size && account_sid(text, length);
        if (good) {
            memcpy(out, text, length);
            out[length] = '\0';
        }
    }
    ASN1_OBJECT_free(expected);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return good;
}

/* The most specific common name: AD CS writes the whole DN of the user, whose containers have common names too. */
static bool read_name(const X509 *certificate, char *out, size_t size)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    unsigned char *text = NULL;
    int last = -1;
    int at;

    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, last)) >= 0)
        last = at;
    int length =
        last >= 0 ? ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last))) : -1;
    bool good = length > 0 && (size_t)length < size && umx_text_valid(text, (size_t)length);
    for (int i = 0; good && i < length; i++)
        good = text[i] >= 0x20 && text[i] != 0x7f;
    if (good)
        umx_text_copy(out, size, (const char *)text);
    OPENSSL_free(text);
    return good;
}

/* ---- all of it */

static int verify_signature(const Umx__IssueRequest *request, const struct presented *presented, const char *forest,
                            struct umx_error *err)
{
    struct umx_error reason = {0};

    if (umx_signature_verify(request->certificate.data, presented->leaf_length, request->request.data,
                             request->request.len, request->signature.data, request->signature.len, &reason) == 0)
        return 0;
    return refuse(err, forest, reason.why);
}

int umx_authority_prove_forest(const Umx__IssueRequest *request, const char *forest, const char *operator_ca,
                               struct umx_forest_person *out, struct umx_error *err)
{
    struct umx_forest_person person = {0};
    struct presented presented = {0};
    EVP_PKEY *key = NULL;
    int status = 0;

    if (!request->has_request || !request->has_certificate || !request->has_signature || request->forest == NULL)
        return refuse(err, forest, "it needs a request, a forest, a certificate and a signature");
    if (!umx_text_equal(request->forest, forest))
        return refuse(err, forest, "the proof is for another forest");
    if (!read_presented(&request->certificate, &presented))
        status = refuse(err, forest, "the certificate is not readable");
    else
        status = verify_chain(&presented, forest, operator_ca, err);
    if (status == 0)
        status = verify_signature(request, &presented, forest, err);
    if (status == 0 && !read_sid(presented.leaf, person.sid, sizeof person.sid))
        status = refuse(err, forest, "the certificate does not carry exactly one SID of an account");
    if (status == 0 && !read_name(presented.leaf, person.name, sizeof person.name))
        status = refuse(err, forest, "the certificate has no usable common name");
    if (status == 0)
        status = umx_authority_request_key(request->request.data, request->request.len, &key, err);
    if (status == 0)
        *out = person;
    EVP_PKEY_free(key);
    free_presented(&presented);
    return status;
}

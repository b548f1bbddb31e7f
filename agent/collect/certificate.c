/* Certificates of the My and Root stores, and whether each chain ends in one of the host's own roots (spec 6.1). */
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "agent/collect/chain.h"
#include "agent/collect/collect.h"
#include "base/clock.h"
#include "base/text.h"

enum { NAMES_MAX = 256 };

static char *name_text(struct umx_rows *rows, const X509_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    struct umx_text text = {0};
    char *bytes = NULL;
    char *result = NULL;

    if (out == NULL || X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        BIO_free(out);
        return NULL;
    }
    long length = BIO_get_mem_data(out, &bytes);
    if (length > 0)
        umx_text_add_valid(&text, bytes, (size_t)length);
    result = umx_rows_text(rows, umx_text_string(&text));
    umx_text_free(&text);
    BIO_free(out);
    return result;
}

/* Bytes of a certificate's string as valid UTF-8. */
static char *string_text(struct umx_rows *rows, const ASN1_STRING *string)
{
    unsigned char *bytes = NULL;
    struct umx_text text = {0};
    int length = ASN1_STRING_to_UTF8(&bytes, string);

    if (length <= 0)
        return NULL;
    umx_text_add_valid(&text, bytes, (size_t)length);
    OPENSSL_free(bytes);
    char *result = umx_rows_text(rows, umx_text_string(&text));
    umx_text_free(&text);
    return result;
}

/* The most specific common name. */
static char *common_name(struct umx_rows *rows, const X509_NAME *name)
{
    int at = -1;

    for (int next = -1; (next = X509_NAME_get_index_by_NID(name, NID_commonName, next)) >= 0;)
        at = next;
    return at < 0 ? NULL : string_text(rows, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

static char *thumbprint(struct umx_rows *rows, const X509 *certificate)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned length = 0;

    if (X509_digest(certificate, EVP_sha1(), hash, &length) != 1)
        return NULL;
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + (size_t)2 * i, 3, "%02X", hash[i]);
    return umx_rows_text(rows, hex);
}

static void add_names(struct umx_rows *rows, const X509 *certificate, Umx__Certificate *row)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;

    if (count > NAMES_MAX)
        count = NAMES_MAX;
    row->dns_name = umx_arena_alloc(rows->arena, (size_t)(count + 1) * sizeof *row->dns_name);
    for (int i = 0; row->dns_name != NULL && i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char *text = name->type == GEN_DNS ? string_text(rows, name->d.dNSName) : NULL;
        if (text != NULL)
            row->dns_name[row->n_dns_name++] = text;
    }
    GENERAL_NAMES_free(names);
}

static void add_usage(struct umx_rows *rows, const X509 *certificate, Umx__Certificate *row)
{
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
    int count = usage != NULL ? sk_ASN1_OBJECT_num(usage) : 0;

    if (count > NAMES_MAX)
        count = NAMES_MAX;
    row->eku = umx_arena_alloc(rows->arena, (size_t)(count + 1) * sizeof *row->eku);
    for (int i = 0; row->eku != NULL && i < count; i++) {
        char oid[128];
        int length = OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(usage, i), 1);
        if (length > 0 && (size_t)length < sizeof oid && (row->eku[row->n_eku] = umx_rows_text(rows, oid)) != NULL)
            row->n_eku++;
    }
    EXTENDED_KEY_USAGE_free(usage);
}

static bool time_of(const ASN1_TIME *time, int64_t *at)
{
    struct tm parts;
    char text[UMX_CLOCK_TEXT];

    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return n > 0 && (size_t)n < sizeof text && umx_clock_parse(text, at) == 0;
}

static void add_key(struct umx_rows *rows, X509 *certificate, Umx__Certificate *row)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    const char *name = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;
    int bits = key != NULL ? EVP_PKEY_get_bits(key) : 0;

    row->key_algorithm = umx_rows_text(rows, name);
    row->has_key_bits = bits > 0;
    row->key_bits = bits;
    row->signature_algorithm = umx_rows_text(rows, OBJ_nid2ln(X509_get_signature_nid(certificate)));
}

static char *serial(struct umx_rows *rows, const X509 *certificate)
{
    const ASN1_INTEGER *number = X509_get0_serialNumber(certificate);
    BIGNUM *big = ASN1_INTEGER_to_BN(number, NULL);
    char *hex = big != NULL ? BN_bn2hex(big) : NULL;
    char *result = umx_rows_text(rows, hex);

    OPENSSL_free(hex);
    BN_free(big);
    return result;
}

static void fill(struct umx_rows *rows, X509 *certificate, const struct umx_host_certificate *entry,
                 const struct umx_chain *chain, Umx__Certificate *row)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const X509_NAME *issuer = X509_get_issuer_name(certificate);

    row->thumbprint = thumbprint(rows, certificate);
    row->subject = name_text(rows, subject);
    row->subject_cn = common_name(rows, subject);
    row->issuer = name_text(rows, issuer);
    row->serial = serial(rows, certificate);
    add_names(rows, certificate, row);
    row->has_not_before_at = time_of(X509_get0_notBefore(certificate), &row->not_before_at);
    row->has_not_after_at = time_of(X509_get0_notAfter(certificate), &row->not_after_at);
    add_key(rows, certificate, row);
    add_usage(rows, certificate, row);
    row->has_self_signed = row->has_private_key = 1;
    row->self_signed = X509_NAME_cmp(subject, issuer) == 0;
    row->private_key = entry->has_key;
    X509 *root = NULL;
    row->chain = umx_rows_text(rows, umx_chain_verify(chain, certificate, &root));
    if (root != NULL)
        row->root_thumbprint = thumbprint(rows, root);
    X509_free(root);
}

int umx_collect_certificate(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_host_certificate *list = NULL;
    struct umx_chain *chain = NULL;
    size_t count = 0;
    int status = umx_host_certificates(collect->host, collect->scratch, &list, &count, err);

    if (status == 0)
        status = umx_chain_new(list, count, &chain, err);
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (list[i].store == UMX_HOST_STORE_CA)
            continue;
        Umx__Certificate *row = umx_rows_add(collect->rows, &umx__certificate__descriptor);
        if (row == NULL)
            break;
        const unsigned char *der = list[i].der;
        X509 *certificate = list[i].error == NULL ? d2i_X509(NULL, &der, (long)list[i].length) : NULL;
        row->server = umx_rows_text(collect->rows, collect->host->identity.fqdn);
        row->store = umx_rows_text(collect->rows, list[i].store == UMX_HOST_STORE_MY ? "My" : "Root");
        if (certificate != NULL)
            fill(collect->rows, certificate, &list[i], chain, row);
        else
            row->error = umx_arena_format(collect->rows->arena, "%s: %s", list[i].label,
                                          list[i].error != NULL ? list[i].error : "it is not a certificate");
        X509_free(certificate);
    }
    umx_chain_free(chain);
    return status;
}

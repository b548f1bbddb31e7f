/*
 * The root's key on a machine of its own, which has no network and no deployment: the controller's host writes a
 * request and keeps the key (`umxd ca request`, `umxd init --request`), the other machine signs it (`umxd ca sign`), and
 * what comes back is taken here (`umxd ca import`). What is taken is checked as if anybody had sent it.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "controller/authority_internal.h"
#include "rpc/request.h"

#define REQUEST "ca/next/request.pem"
#define FIRST "ca/next/init"

enum { NAMES_MAX = 16 };

/* ---- the request */

static int add_request(const char *key_pem, struct umx_text *out, struct umx_error *err)
{
    uint8_t *der = NULL;
    size_t length = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    int status = umx_request_make(key_pem, &der, &length, err);

    if (status == 0 && (bio == NULL || PEM_write_bio(bio, PEM_STRING_X509_REQ, "", der, (long)length) <= 0))
        status = umx_certificate_fail(err, UMX_ERR_INTERNAL, "request");
    if (status == 0) {
        long size = BIO_get_mem_data(bio, &data);
        umx_text_add(out, data, size > 0 ? (size_t)size : 0);
    }
    BIO_free(bio);
    free(der);
    return status;
}

/* A key that never leaves ca/next until it is used, and a request for it: kept, and as text. */
static int write_request(const char *data, struct umx_text *request, char key_hash[UMX_KEY_HASH_TEXT],
                         struct umx_error *err)
{
    struct umx_text key = {0};
    char *pem = NULL;
    int status = umx_request_key(&pem, err);

    if (status == 0)
        status = umx_request_key_hash(pem, "the new key", key_hash, err);
    if (status == 0)
        status = add_request(pem, request, err);
    if (status == 0) {
        umx_text_adds(&key, pem);
        status = authority_write(data, "ca/next/intermediate.key", &key, err);
    }
    if (status == 0)
        status = authority_write(data, REQUEST, request, err);
    umx_private_free(key.data);
    umx_private_free(pem);
    return status;
}

bool authority_request_waits(const char *data)
{
    return authority_there(data, REQUEST) && authority_there(data, "ca/next/intermediate.key") &&
           !authority_there(data, "ca/next/intermediate.pem");
}

int umx_authority_request(const char *data, struct umx_text *request, char key_hash[UMX_KEY_HASH_TEXT],
                          struct umx_error *err)
{
    char deployment[128];
    int lock = -1;
    int status = authority_begin_stage(data, deployment, &lock, err);

    if (status == 0)
        status = write_request(data, request, key_hash, err);
    authority_unlock(lock);
    return status;
}

int umx_authority_init_request(const char *data, const char *deployment, const char *const *names, size_t count,
                               struct umx_text *request, char key_hash[UMX_KEY_HASH_TEXT], struct umx_error *err)
{
    struct umx_text first = {0};
    char random[37];
    int status = deployment == NULL ? umx_authority_uuid(random, err) : 0;

    if (deployment == NULL)
        deployment = random;
    if (status == 0)
        status = authority_init_check(data, deployment, names, count, err);
    if (status == 0)
        status = authority_make_directory(data, "ca/next", err);
    umx_text_addf(&first, "%s\n", deployment);
    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        umx_text_addf(&first, "%s\n", names[i]);
    if (status == 0)
        status = write_request(data, request, key_hash, err);
    if (status == 0) /* written last: without it nothing waits */
        status = authority_write(data, FIRST, &first, err);
    umx_text_free(&first);
    return status;
}

/* ---- the other machine */

/* The first block of a PEM text that is a request, as DER; OPENSSL_free it. */
static int request_of(const char *text, uint8_t **der, long *length, struct umx_error *err)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    char *name = NULL, *header = NULL;
    int status = 0;

    if (bio == NULL || PEM_read_bio(bio, &name, &header, der, length) != 1 || strcmp(name, PEM_STRING_X509_REQ) != 0) {
        ERR_clear_error();
        status = umx_fail(err, UMX_ERR_CSR_INVALID, "the request", "there is none in PEM in the file");
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    BIO_free(bio);
    return status;
}

/* The deployment, as the root's name ends: "umx root 12345678 DEPLOYMENT"; of another kind of root its whole name. */
static void deployment_of(X509 *root, char *out, size_t size)
{
    static const char begins[] = "umx root ";
    char name[65] = "";

    X509_NAME_get_text_by_NID(X509_get_subject_name(root), NID_commonName, name, sizeof name);
    const char *rest = strncmp(name, begins, strlen(begins)) == 0 ? strchr(name + strlen(begins), ' ') : NULL;
    umx_text_copy(out, size, rest != NULL ? rest + 1 : name);
}

int umx_authority_sign(const char *request, const char *root_pem, const char *root_key, struct umx_text *out,
                       char key_hash[UMX_KEY_HASH_TEXT], struct umx_error *err)
{
    struct umx_request_facts facts;
    uint8_t *der = NULL;
    long length = 0;
    char deployment[65];
    EVP_PKEY *key = NULL, *signer = NULL;
    X509 *root = NULL, *made = NULL;
    int status = request_of(request, &der, &length, err);

    if (status == 0)
        status = umx_authority_request_facts(der, (size_t)length, &facts, err);
    if (status == 0)
        status = umx_authority_request_key(der, (size_t)length, &key, err);
    if (status == 0)
        status = umx_certificate_read(root_pem, "the root", &root, err);
    if (status == 0)
        status = umx_certificate_read_key(root_key, "the root's key", &signer, err);
    if (status == 0) {
        umx_text_copy(key_hash, UMX_KEY_HASH_TEXT, facts.key);
        deployment_of(root, deployment, sizeof deployment);
        status = authority_sign_below(deployment, root, signer, key, &made, err);
    }
    if (status == 0)
        status = umx_certificate_add(made, out, err);
    if (status == 0)
        status = umx_certificate_add(root, out, err);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
    X509_free(root);
    X509_free(made);
    return status;
}

int umx_authority_make_root(const char *deployment, const char *root_key_file, struct umx_text *out,
                            struct umx_error *err)
{
    EVP_PKEY *key = NULL;
    X509 *root = NULL;
    int status = umx_authority_check_name(deployment, 100, err);

    if (status == 0)
        status = authority_make_pair(deployment, "root", 1, UMX_ROOT_LIFE, NULL, NULL, &key, &root, err);
    if (status == 0)
        status = umx_certificate_add(root, out, err);
    if (status == 0)
        status = authority_write_root_key(root_key_file, key, err);
    X509_free(root);
    EVP_PKEY_free(key);
    return status;
}

/* ---- what comes back */

static bool is_valid_now(const X509 *one)
{
    return X509_cmp_current_time(X509_get0_notBefore(one)) < 0 && X509_cmp_current_time(X509_get0_notAfter(one)) > 0;
}

static const char *fault_of(X509 *root, X509 *intermediate, EVP_PKEY *key)
{
    const struct {
        bool good;
        const char *fault;
    } rules[] = {
        {X509_check_private_key(intermediate, key) == 1, "it is not for the key of the request that waits here"},
        {X509_self_signed(root, 1) == 1 && X509_check_ca(root) == 1, "its root is not a root"},
        {X509_check_ca(intermediate) == 1 && (X509_get_key_usage(intermediate) & KU_KEY_CERT_SIGN) != 0,
         "it may not issue certificates"},
        {X509_check_issued(root, intermediate) == X509_V_OK &&
             X509_verify(intermediate, X509_get0_pubkey(root)) == 1,
         "the root that comes with it has not signed it"},
        {is_valid_now(root), "its root is not valid now"},
        {is_valid_now(intermediate), "it is not valid now"},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!rules[i].good)
            return rules[i].fault;
    return NULL;
}

struct arrival {
    EVP_PKEY *key; /* of the request */
    X509 *intermediate;
    X509 *root;
};

static int read_arrival(const char *data, const char *pem, struct arrival *out, struct umx_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    char *secret = NULL;
    const char *fault = NULL;
    struct umx_text both = {0};
    struct umx_trust trust = {0};
    int status = authority_read(data, "ca/next/intermediate.key", &secret, err);

    if (status == 0)
        status = umx_certificate_read_key(secret, "ca/next/intermediate.key", &out->key, err);
    if (bio != NULL) {
        out->intermediate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        out->root = out->intermediate != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    }
    if (status == 0)
        fault = out->root == NULL ? "an intermediate and its root in PEM are expected"
                                  : fault_of(out->root, out->intermediate, out->key);
    if (fault != NULL)
        status = umx_fail(err, UMX_ERR_AUTHORITY_INVALID, "the certificate", "%s", fault);
    if (status == 0) /* as agents and clients will see it */
        status = umx_certificate_add(out->root, &both, err);
    if (status == 0)
        status = umx_certificate_add(out->intermediate, &both, err);
    if (status == 0)
        status = umx_trust_parse(umx_text_string(&both), both.length, &trust, err);
    ERR_clear_error();
    umx_trust_free(&trust);
    umx_text_free(&both);
    umx_private_free(secret);
    BIO_free(bio);
    return status;
}

static void arrival_free(struct arrival *arrival)
{
    EVP_PKEY_free(arrival->key);
    X509_free(arrival->intermediate);
    X509_free(arrival->root);
}

static int finish_init(const char *data, const struct arrival *arrival, struct umx_error *err)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    char *text = NULL, *rest = NULL;
    int status = authority_read(data, FIRST, &text, err);
    char *deployment = status == 0 ? strtok_r(text, "\n", &rest) : NULL;

    for (char *name; deployment != NULL && count < NAMES_MAX && (name = strtok_r(NULL, "\n", &rest)) != NULL;)
        names[count++] = name;
    if (status == 0 && deployment == NULL)
        status = umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, "%s is empty", FIRST);
    if (status == 0) /* what is whole waits for nothing */
        status = authority_remove(data, REQUEST, err);
    if (status == 0)
        status = authority_init_finish(data, deployment, names, count, arrival->root, NULL, arrival->intermediate,
                                       arrival->key, err);
    umx_private_free(text);
    return status;
}

static int stage_arrival(const char *data, const struct arrival *arrival, bool *new_root, struct umx_error *err)
{
    char *pem = NULL;
    X509 *current = NULL;
    int status = authority_read(data, "root.pem", &pem, err);

    if (status == 0)
        status = umx_certificate_read(pem, "root.pem", &current, err);
    *new_root = status == 0 && X509_cmp(current, arrival->root) != 0;
    if (*new_root)
        status = authority_write_certificate(data, "ca/next/root.pem", arrival->root, err);
    umx_crash_point(UMX_CRASH_CA_IMPORT, NULL);
    if (status == 0) /* last: from here on it is staged */
        status = authority_write_certificate(data, "ca/next/intermediate.pem", arrival->intermediate, err);
    if (status == 0)
        status = authority_remove(data, REQUEST, err);
    umx_private_free(pem);
    X509_free(current);
    return status;
}

int umx_authority_import(const char *data, const char *pem, enum umx_imported *what, struct umx_error *err)
{
    struct arrival arrival = {0};
    bool first = !authority_there(data, "root.pem"), new_root = false;
    int lock = -1;
    int status = 0;

    if (first && !authority_there(data, FIRST))
        return umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, "and no request for one waits");
    status = authority_lock(data, &lock, err);
    if (status == 0 && authority_there(data, "ca/rotation"))
        status = umx_fail(err, UMX_ERR_ROTATION_UNDER_WAY, data, NULL);
    if (status == 0 && authority_there(data, "ca/next/intermediate.pem"))
        status = umx_fail(err, UMX_ERR_AUTHORITY_STAGED, data, NULL);
    if (status == 0 && !first && !authority_request_waits(data))
        status = umx_fail(err, UMX_ERR_ROTATION_NOT_STAGED, data, "and no request waits: `umxd ca request`");
    if (status == 0)
        status = read_arrival(data, pem, &arrival, err);
    if (status == 0)
        status = first ? finish_init(data, &arrival, err) : stage_arrival(data, &arrival, &new_root, err);
    if (status == 0 && first)
        status = authority_clear_staged(data, err);
    authority_unlock(lock);
    arrival_free(&arrival);
    *what = first ? UMX_IMPORTED_DEPLOYMENT : new_root ? UMX_IMPORTED_ROOT : UMX_IMPORTED_INTERMEDIATE;
    return status;
}

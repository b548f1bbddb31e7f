/* A TLS handshake with a peer, its certificate checked against the roots that this host trusts. It looks, it does not
 * talk: old servers are met on their own terms (any protocol version), since the question is whether the product's
 * own TLS would accept the certificate. Nothing is sent after the handshake. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

#include "agent/collect/chain.h"
#include "agent/collect/prove.h"
#include "base/clock.h"

static const char *tls_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    return reason != NULL ? reason : "the connection was closed";
}

static BIO *connect_peer(const Umx__ProofTarget *target, time_t until)
{
    char port[16];
    BIO *bio = BIO_new(BIO_s_connect());

    if (bio == NULL)
        return NULL;
    snprintf(port, sizeof port, "%d", target->port);
    BIO_set_conn_hostname(bio, target->host);
    BIO_set_conn_port(bio, port);
    BIO_set_nbio(bio, 1);
    long left = (long)(until - time(NULL));
    if (BIO_do_connect_retry(bio, (int)(left > 1 ? left : 1), 20) != 1) {
        BIO_free_all(bio);
        return NULL;
    }
    return bio;
}

static int shake(SSL *ssl, BIO *bio, time_t until)
{
    int rc;

    while ((rc = SSL_connect(ssl)) != 1) {
        int want = SSL_get_error(ssl, rc);
        if (want == SSL_ERROR_WANT_READ)
            BIO_set_retry_read(bio);
        else if (want == SSL_ERROR_WANT_WRITE)
            BIO_set_retry_write(bio);
        else
            return -1;
        if (time(NULL) >= until || BIO_wait(bio, until, 20) != 1)
            return 0;
    }
    return 1;
}

/* What this host shows when the peer asks for a certificate, as Exchange and Lync do of each other. */
struct own {
    X509 *certificate; /* NULL: none can be shown */
    EVP_PKEY *key;
    bool asked;
};

static void own_of(struct umx_host *host, struct own *own)
{
    struct umx_arena *arena = umx_arena_new(2 * UMX_HOST_CERTIFICATE_MAX);
    char *pem = NULL;
    size_t length = 0;

    if (arena != NULL && umx_host_tls_identity(host, arena, &pem, &length, NULL) == 0) {
        BIO *in = BIO_new_mem_buf(pem, (int)length);
        if (in != NULL && (own->certificate = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL && BIO_reset(in) == 1)
            own->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
        BIO_free(in);
        OPENSSL_cleanse(pem, length);
    }
    umx_arena_free(arena);
    ERR_clear_error();
}

/* The peer asks. */
static int show_own(SSL *ssl, void *user)
{
    struct own *own = user;

    own->asked = true;
    if (own->certificate != NULL && own->key != NULL &&
        (SSL_use_certificate(ssl, own->certificate) != 1 || SSL_use_PrivateKey(ssl, own->key) != 1))
        own->key = NULL;
    return 1;
}

/* The last error is an alert that the peer sent about our certificate. */
static const char *refusal(void)
{
    unsigned long code = ERR_peek_last_error();

    if (code == 0 || ERR_GET_LIB(code) != ERR_LIB_SSL)
        return NULL;
    switch (ERR_GET_REASON(code)) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return ERR_reason_error_string(code);
    default:
        return NULL;
    }
}

/* The peer does not trust us: that it says, and no more. Not the words of judge(), which is about the peer. */
static void say_refused(const struct own *own, const Umx__ProofTarget *target, const char *reason,
                        struct umx_proof_result *result)
{
    char subject[256] = "no name";
    char issuer[256] = "nobody";

    if (own->certificate != NULL) {
        X509_NAME_oneline(X509_get_subject_name(own->certificate), subject, sizeof subject);
        X509_NAME_oneline(X509_get_issuer_name(own->certificate), issuer, sizeof issuer);
    }
    umx_prove_say(
        result, UMX__PROOF__STATUS__FAIL,
        "%s refused what this server showed (%s, issued by %s): it does not trust that issuer, or the name or "
        "the dates are wrong for it (%s)",
        target->host, subject, issuer, reason);
}

/* In TLS 1.3 a server judges after the handshake has ended for the client: its alert, if any, comes in a moment. */
static const char *late_refusal(SSL *ssl, BIO *bio)
{
    char byte;
    time_t until = time(NULL) + 2;

    ERR_clear_error();
    while (SSL_peek(ssl, &byte, 1) <= 0) {
        if (SSL_get_error(ssl, 0) != SSL_ERROR_WANT_READ && ERR_peek_last_error() != 0)
            return refusal();
        BIO_set_retry_read(bio);
        if (time(NULL) >= until || BIO_wait(bio, until, 20) != 1)
            return NULL;
    }
    return NULL;
}

static void judge(SSL *ssl, const struct own *own, const Umx__ProofTarget *target, struct umx_proof_result *result)
{
    char issuer[256] = "";
    X509 *peer = SSL_get1_peer_certificate(ssl);
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned length = 0;
    long code = SSL_get_verify_result(ssl);

    if (peer != NULL && X509_digest(peer, EVP_sha1(), hash, &length) == 1)
        for (unsigned i = 0; i < length; i++)
            snprintf(hex + (size_t)2 * i, 3, "%02X", hash[i]);
    if (peer == NULL)
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "%s showed no certificate", target->host);
    else if (code != X509_V_OK)
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "%s: certificate %s, issued by %s: %s", SSL_get_version(ssl),
                      hex, X509_NAME_oneline(X509_get_issuer_name(peer), issuer, sizeof issuer),
                      X509_verify_cert_error_string(code));
    else
        umx_prove_say(result, UMX__PROOF__STATUS__PASS, "%s: certificate %s is trusted here and names the host; %s",
                      SSL_get_version(ssl), hex,
                      !own->asked        ? "it asks for none of ours"
                      : own->key != NULL ? "it takes ours"
                                         : "it asks for ours, which cannot be shown from here");
    X509_free(peer);
}

/* Everything is let through: judge() reads the verdict that was kept. */
static int look_only(int good, X509_STORE_CTX *context)
{
    (void)good;
    (void)context;
    return 1;
}

static struct umx_chain *roots_of(struct umx_host *host, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_COLLECT_ARENA);
    struct umx_host_certificate *list = NULL;
    struct umx_chain *chain = NULL;
    size_t count = 0;

    if (arena == NULL || umx_host_certificates(host, arena, &list, &count, err) != 0 ||
        umx_chain_new(list, count, &chain, err) != 0)
        chain = NULL;
    umx_arena_free(arena);
    return chain;
}

void umx_prove_tls(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                   struct umx_proof_result *result)
{
    struct umx_error err = {0};
    time_t until = time(NULL) + (time_t)(timeout / UMX_SECOND);
    struct umx_chain *chain = NULL;
    struct own own = {0};
    const char *refused;
    SSL_CTX *context = NULL;
    SSL *ssl = NULL;
    BIO *bio = NULL;

    ERR_clear_error();
    if (target->host == NULL || target->host[0] == '\0' || target->port < 1 || target->port > 65535) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "the target names no host and port");
        return;
    }
    if ((chain = roots_of(host, &err)) == NULL) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "the trusted roots cannot be read: %s", err.why);
        return;
    }
    X509_STORE *store = umx_chain_store(chain);
    if ((context = SSL_CTX_new(TLS_client_method())) == NULL || X509_STORE_up_ref(store) != 1) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "out of memory");
        goto out;
    }
    SSL_CTX_set_cert_store(context, store);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, look_only);
    own_of(host, &own);
    SSL_CTX_set_cert_cb(context, show_own, &own);
    if ((bio = connect_peer(target, until)) == NULL) {
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "no connection: %s", tls_reason());
        goto out;
    }
    if ((ssl = SSL_new(context)) == NULL || SSL_set_tlsext_host_name(ssl, target->host) != 1 ||
        SSL_set1_host(ssl, target->host) != 1) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "out of memory");
        goto out;
    }
    BIO_up_ref(bio);
    SSL_set_bio(ssl, bio, bio);
    int rc = shake(ssl, bio, until);
    if (rc == 1) {
        judge(ssl, &own, target, result);
        if (result->status == UMX__PROOF__STATUS__PASS && own.asked && (refused = late_refusal(ssl, bio)) != NULL)
            say_refused(&own, target, refused, result);
    } else if (rc == 0) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "the handshake did not end in time");
    } else if (own.asked && (refused = refusal()) != NULL) {
        say_refused(&own, target, refused, result);
    } else {
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "the handshake failed: %s", tls_reason());
    }
out:
    X509_free(own.certificate);
    EVP_PKEY_free(own.key);
    SSL_free(ssl);
    BIO_free_all(bio);
    SSL_CTX_free(context);
    umx_chain_free(chain);
}

/* A TLS handshake with a peer, its certificate checked against the roots that this host trusts. It looks, it does not
 * talk: old servers are met on their own terms (any protocol version), since the question is whether the product's
 * own TLS would accept the certificate. Nothing is sent after the handshake. */
#include <openssl/bio.h>
#include <openssl/err.h>
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

static void judge(SSL *ssl, const Umx__ProofTarget *target, struct umx_proof_result *result)
{
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
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "%s: certificate %s: %s", SSL_get_version(ssl), hex,
                      X509_verify_cert_error_string(code));
    else
        umx_prove_say(result, UMX__PROOF__STATUS__PASS, "%s: certificate %s is trusted here and names the host",
                      SSL_get_version(ssl), hex);
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
    if (rc == 1)
        judge(ssl, target, result);
    else if (rc == 0)
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "the handshake did not end in time");
    else
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "the handshake failed: %s", tls_reason());
out:
    SSL_free(ssl);
    BIO_free_all(bio);
    SSL_CTX_free(context);
    umx_chain_free(chain);
}

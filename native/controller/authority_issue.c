/*
 * Certificates for agents, operators and controllers.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "controller/authority_internal.h"
#include "rpc/signature.h"

enum { NAMES_MAX = 16, REQUEST_MAX = 16 * 1024 };

/* A clock that is a little behind elsewhere must not make a fresh certificate invalid there. */
#define BACKDATE (10 * UMX_MINUTE)

void umx_issued_free(struct umx_issued *issued)
{
    free(issued->chain);
    *issued = (struct umx_issued){0};
}

static int fill_issued(const struct authority_pair *issuer, const X509 *leaf, struct umx_issued *out,
                       struct umx_identity *identity, struct umx_error *err)
{
    struct umx_text chain = {0};
    int status = umx_certificate_add(leaf, &chain, err);

    if (status == 0)
        status = umx_identity_parse(chain.data, chain.length, identity, err);
    if (status == 0) {
        umx_text_adds(&chain, issuer->intermediate);
        umx_text_adds(&chain, issuer->root);
        if (chain.failed)
            status = umx_fail(err, UMX_ERR_MEMORY, "a certificate", NULL);
    }
    if (status != 0) {
        umx_text_free(&chain);
        return status;
    }
    out->chain = chain.data;
    out->expires_at = identity->not_after_at;
    umx_text_copy(out->identity, sizeof out->identity, identity->uri);
    return 0;
}

int authority_issue_by(struct umx_authority *authority, const struct authority_pair *issuer,
                       const struct umx_authority_leaf *leaf, EVP_PKEY *key, struct umx_issued *out,
                       struct umx_error *err)
{
    struct umx_identity identity = {0};
    struct umx_text uri = {0};
    int64_t now = umx_clock_now();
    X509 *made = NULL;
    struct umx_certificate_spec spec = {.common_name = leaf->common_name,
                                        .unit = leaf->forest,
                                        .dns = leaf->dns,
                                        .dns_count = leaf->dns_count,
                                        .addresses = leaf->addresses,
                                        .address_count = leaf->address_count,
                                        .path_length = -1,
                                        .server_auth = strcmp(leaf->role, "controller") == 0,
                                        .client_auth = true,
                                        .not_before_at = now - BACKDATE,
                                        .not_after_at = now + leaf->life};

    *out = (struct umx_issued){0};
    umx_text_addf(&uri, "umx://%s/%s/%s", authority->view->controller.identity.deployment, leaf->role, leaf->name);
    spec.uri = umx_text_string(&uri);
    int status = umx_certificate_make(&spec, key, issuer->certificate, issuer->key, &made, err);
    /* It is read back as everybody else will read it: nothing leaves that umx would refuse. */
    if (status == 0)
        status = fill_issued(issuer, made, out, &identity, err);
    if (status == 0 && strcmp(identity.uri, umx_text_string(&uri)) != 0)
        status = umx_fail(err, UMX_ERR_INTERNAL, umx_text_string(&uri), NULL);
    if (status == 0)
        status = umx_issued_add(authority->data, leaf, &identity, err);
    if (status != 0)
        umx_issued_free(out);
    umx_text_free(&uri);
    X509_free(made);
    return status;
}

int umx_authority_issue(struct umx_authority *authority, const struct umx_authority_leaf *leaf, EVP_PKEY *key,
                        struct umx_issued *out, struct umx_error *err)
{
    struct umx_text uri = {0};

    pthread_rwlock_rdlock(&authority->turning);
    umx_text_addf(&uri, "umx://%s/%s/%s", authority->view->controller.identity.deployment, leaf->role, leaf->name);
    const struct authority_pair *issuer = authority_issuer(authority, leaf->renewal ? umx_text_string(&uri) : NULL);
    int status = authority_issue_by(authority, issuer, leaf, key, out, err);
    pthread_rwlock_unlock(&authority->turning);
    umx_text_free(&uri);
    return status;
}

/* With a fresh key: the whole identity file. */
static int issue_file(struct umx_authority *authority, const struct umx_authority_leaf *leaf, struct umx_text *pem,
                      struct umx_issued *out, struct umx_error *err)
{
    EVP_PKEY *key = NULL;
    int status = umx_certificate_key(&key, err);

    *out = (struct umx_issued){0};
    if (status == 0)
        status = umx_authority_issue(authority, leaf, key, out, err);
    if (status == 0)
        status = umx_certificate_add_key(key, pem, err);
    if (status == 0) {
        umx_text_adds(pem, out->chain);
        if (pem->failed)
            status = umx_fail(err, UMX_ERR_MEMORY, leaf->name, NULL);
    }
    if (status != 0)
        umx_issued_free(out);
    EVP_PKEY_free(key);
    return status;
}

/* ---- agents */

struct known {
    const char *fqdn;
    char name[128];
};

static int find_known(void *user, const struct umx_issued_agent *agent)
{
    struct known *known = user;
    const char *name = strrchr(agent->uri, '/');

    if (name != NULL && !agent->revoked && umx_text_equal(agent->fqdn, known->fqdn))
        umx_text_copy(known->name, sizeof known->name, name + 1);
    return 0;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

int umx_authority_issue_agent(struct umx_authority *authority, const char *fqdn, int64_t life, struct umx_text *pem,
                              struct umx_issued *out, struct umx_error *err)
{
    char host[UMX_FQDN_MAX];
    const char *const dns[] = {host};
    struct known known = {.fqdn = host};
    struct umx_authority_leaf leaf = {
        .role = "agent", .common_name = host, .dns = dns, .dns_count = 1, .name = known.name, .life = life};
    int status = umx_authority_check_fqdn(fqdn, err);

    *out = (struct umx_issued){0};
    if (status == 0 && (life < UMX_HOUR || life > UMX_AGENT_LIFE_BY_HAND))
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, fqdn, "a certificate lives one hour to %d days",
                          (int)(UMX_AGENT_LIFE_BY_HAND / UMX_DAY));
    if (status != 0)
        return status;
    umx_text_copy(host, sizeof host, fqdn);
    lower(host);
    pthread_mutex_lock(&authority->mutex);
    status = umx_authority_issued_agents(authority, find_known, &known, err);
    if (status == 0 && known.name[0] == '\0')
        status = umx_authority_uuid(known.name, err);
    if (status == 0)
        status = issue_file(authority, &leaf, pem, out, err);
    pthread_mutex_unlock(&authority->mutex);
    return status;
}

int umx_authority_agent_name(char name[37], struct umx_error *err)
{
    return umx_authority_uuid(name, err);
}

int umx_authority_enrol_agent(struct umx_authority *authority, const uint8_t *request, size_t length, const char *name,
                              const char *fqdn, struct umx_issued *out, struct umx_error *err)
{
    const char *const dns[] = {fqdn};
    struct umx_authority_leaf leaf = {
        .role = "agent", .name = name, .common_name = fqdn, .dns = dns, .dns_count = 1, .life = UMX_AGENT_LIFE};
    EVP_PKEY *key = NULL;
    int status = umx_authority_check_fqdn(fqdn, err);

    *out = (struct umx_issued){0};
    if (status == 0)
        status = umx_authority_request_key(request, length, &key, err);
    if (status == 0)
        status = umx_authority_issue(authority, &leaf, key, out, err);
    EVP_PKEY_free(key);
    return status;
}

int umx_authority_renew_agent(struct umx_authority *authority, const uint8_t *request, size_t length,
                              const struct umx_identity *agent, struct umx_issued *out, struct umx_error *err)
{
    const char *const dns[] = {agent->fqdn};
    struct umx_authority_leaf leaf = {.role = "agent",
                                      .name = agent->name,
                                      .common_name = agent->fqdn,
                                      .dns = dns,
                                      .dns_count = 1,
                                      .life = UMX_AGENT_LIFE,
                                      .renewal = true};
    EVP_PKEY *key = NULL;
    int status = 0;

    *out = (struct umx_issued){0};
    if (agent->role != UMX_ROLE_AGENT || strcmp(agent->deployment, umx_authority_deployment(authority)) != 0 ||
        agent->not_after_at < umx_clock_now())
        status = umx_fail(err, UMX_ERR_NOT_PERMITTED, agent->uri, "only a valid agent of this deployment is renewed");
    if (status == 0)
        status = umx_authority_request_key(request, length, &key, err);
    if (status == 0)
        status = umx_authority_issue(authority, &leaf, key, out, err);
    EVP_PKEY_free(key);
    return status;
}

/* ---- operators */

int umx_authority_issue_operator(struct umx_authority *authority, const uint8_t *request, size_t length,
                                 const char *sid, const char *name, const char *forest, int64_t life,
                                 struct umx_issued *out, struct umx_error *err)
{
    struct umx_authority_leaf leaf = {.role = "operator", .name = sid, .common_name = name, .forest = forest};
    EVP_PKEY *key = NULL;
    int status = umx_authority_check_fqdn(forest, err);

    *out = (struct umx_issued){0};
    leaf.life = life < UMX_OPERATOR_LIFE_MIN ? UMX_OPERATOR_LIFE_MIN : life;
    if (leaf.life > UMX_OPERATOR_LIFE)
        leaf.life = UMX_OPERATOR_LIFE;
    /* The unit of a certificate holds 64 bytes; a forest's name that is cut would be another forest. */
    if (status == 0 && strlen(forest) > 64)
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, forest, "the name is longer than 64 bytes");
    if (status == 0)
        status = umx_authority_check_name(sid, 120, err);
    if (status == 0)
        status = umx_authority_request_key(request, length, &key, err);
    if (status == 0)
        status = umx_authority_issue(authority, &leaf, key, out, err);
    EVP_PKEY_free(key);
    return status;
}

/* The request when it is one, is signed with its own key, and that key is strong. */
static int read_request(const uint8_t *request, size_t length, X509_REQ **out, struct umx_error *err)
{
    const unsigned char *at = request;
    X509_REQ *parsed = length > 0 && length <= REQUEST_MAX ? d2i_X509_REQ(NULL, &at, (long)length) : NULL;
    EVP_PKEY *key = parsed != NULL ? X509_REQ_get0_pubkey(parsed) : NULL;
    int status = 0;

    *out = NULL;
    if (parsed == NULL || at != request + length)
        status = umx_fail(err, UMX_ERR_CSR_INVALID, "request", "it is not PKCS#10 in DER");
    else if (!umx_signature_key_strong(key))
        status = umx_fail(err, UMX_ERR_KEY_WEAK, "request", NULL);
    else if (X509_REQ_verify(parsed, key) != 1)
        status = umx_fail(err, UMX_ERR_REQUEST_SIGNATURE, "request", NULL);
    ERR_clear_error();
    if (status == 0)
        *out = parsed;
    else
        X509_REQ_free(parsed);
    return status;
}

int umx_authority_request_key(const uint8_t *request, size_t length, EVP_PKEY **out, struct umx_error *err)
{
    X509_REQ *parsed;
    int status = read_request(request, length, &parsed, err);

    *out = status == 0 ? X509_REQ_get_pubkey(parsed) : NULL;
    X509_REQ_free(parsed);
    if (status == 0 && *out == NULL)
        status = umx_fail(err, UMX_ERR_INTERNAL, "request", NULL);
    return status;
}

int umx_authority_request_facts(const uint8_t *request, size_t length, struct umx_request_facts *out,
                                struct umx_error *err)
{
    unsigned char digest[32];
    unsigned char *content = NULL, *key = NULL;
    struct umx_text hex = {0};
    X509_REQ *parsed;
    int status = read_request(request, length, &parsed, err);
    /* Only what is signed counts: a signature can be written in more than one way. */
    int content_size = status == 0 ? i2d_re_X509_REQ_tbs(parsed, &content) : 0;
    int key_size = status == 0 ? i2d_PUBKEY(X509_REQ_get0_pubkey(parsed), &key) : 0;

    if (status == 0 && (content_size <= 0 || key_size <= 0 ||
                        EVP_Digest(content, (size_t)content_size, out->content, NULL, EVP_sha256(), NULL) != 1 ||
                        EVP_Digest(key, (size_t)key_size, digest, NULL, EVP_sha256(), NULL) != 1))
        status = umx_fail(err, UMX_ERR_INTERNAL, "request", NULL);
    if (status == 0) {
        umx_text_add_hex(&hex, digest, sizeof digest);
        umx_text_copy(out->key, sizeof out->key, umx_text_string(&hex));
        if (hex.failed)
            status = umx_fail(err, UMX_ERR_MEMORY, "request", NULL);
    }
    umx_text_free(&hex);
    OPENSSL_free(content);
    OPENSSL_free(key);
    X509_REQ_free(parsed);
    return status;
}

/* ---- controllers */

int umx_authority_issue_controller(struct umx_authority *authority, const char *name, const char *const *names,
                                   size_t count, struct umx_text *pem, struct umx_issued *out, struct umx_error *err)
{
    const char *dns[NAMES_MAX];
    const char *addresses[NAMES_MAX];
    struct umx_authority_leaf leaf = {.role = "controller",
                                      .name = name,
                                      .common_name = name,
                                      .dns = dns,
                                      .addresses = addresses,
                                      .life = UMX_CONTROLLER_LIFE};
    int status = umx_authority_check_name(name, 120, err);

    *out = (struct umx_issued){0};
    if (status == 0 && (count == 0 || count > NAMES_MAX))
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, name, "a controller has 1 to %d names", NAMES_MAX);
    for (size_t i = 0; status == 0 && i < count; i++) {
        ASN1_OCTET_STRING *address = a2i_IPADDRESS(names[i]);
        if (address != NULL)
            addresses[leaf.address_count++] = names[i];
        else if ((status = umx_authority_check_fqdn(names[i], err)) == 0)
            dns[leaf.dns_count++] = names[i];
        ASN1_OCTET_STRING_free(address);
    }
    ERR_clear_error();
    return status == 0 ? issue_file(authority, &leaf, pem, out, err) : status;
}

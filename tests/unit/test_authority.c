/* The deployment's authority, and the proof by a forest's operator CA with everything that may be wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/authority.h"
#include "pki.h"
#include "rpc/identity_file.h"
#include "rpc/signature.h"

#define SID "S-1-5-21-1111111111-2222222222-3333333333-1104"

static char directory[] = "/tmp/umx-authority-XXXXXX";
static char data[64];
static struct umx_authority *authority;

static const char *path_of(const char *name)
{
    static char path[160];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* ---- the deployment */

static void test_files_of_a_deployment(void **state)
{
    static const char *const secret[] = {"root/root.key", "ca/intermediate.key", "ca/controller.pem"};
    static const char *const names[] = {"x.test"};
    struct umx_authority *missing;
    struct umx_error err = {0};
    struct stat found;
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", data, secret[i]);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 07777, 0600);
    }
    assert_int_equal(umx_authority_init(data, NULL, names, 1, &err), UMX_E_EXISTS);
    assert_int_equal(err.id, UMX_ERR_DEPLOYMENT_EXISTS);
    assert_int_equal(umx_authority_open(directory, &missing, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_DEPLOYMENT_MISSING);
    assert_string_equal(umx_authority_deployment(authority), "lab");
    assert_string_equal(umx_authority_identity(authority), "umx://lab/controller/umx.test");
    assert_non_null(strstr(umx_authority_root(authority), "BEGIN CERTIFICATE"));
}

/* The root's key may be gone. */
static void test_runs_without_the_root_key(void **state)
{
    struct umx_authority *second;
    struct umx_error err = {0};
    char from[128];
    char to[128];

    (void)state;
    snprintf(from, sizeof from, "%s/root/root.key", data);
    snprintf(to, sizeof to, "%s/offline.key", directory);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(umx_authority_open(data, &second, &err), 0);
    umx_authority_close(second);
    assert_int_equal(rename(to, from), 0);
}

static void test_random_deployment_and_bad_names(void **state)
{
    static const char *const names[] = {"192.0.2.7"};
    static const char *const bad[] = {"no host name"};
    struct umx_authority *second;
    struct umx_error err = {0};
    char other[128];

    (void)state;
    snprintf(other, sizeof other, "%s/other", directory);
    assert_int_equal(umx_authority_init(other, "a/b", names, 1, &err), UMX_E_ARGUMENT);
    assert_int_equal(umx_authority_init(other, NULL, names, 0, &err), UMX_E_ARGUMENT);
    assert_int_equal(umx_authority_init(other, NULL, bad, 1, &err), UMX_E_ARGUMENT);
    assert_int_equal(umx_authority_init(other, NULL, names, 1, &err), 0);
    assert_int_equal(umx_authority_open(other, &second, &err), 0);
    assert_int_equal(strlen(umx_authority_deployment(second)), 36);
    assert_non_null(strstr(umx_authority_identity(second), "/controller/controller"));
    umx_authority_close(second);
}

static X509 *leaf_of(const char *chain)
{
    X509 *leaf;

    pki_must(umx_certificate_read(chain, "test", &leaf, NULL));
    return leaf;
}

static int64_t life_of(const struct umx_issued *issued)
{
    return issued->expires_at - umx_clock_now();
}

static int count_agents(void *user, const struct umx_issued_agent *agent)
{
    int *count = user;

    assert_memory_equal(agent->uri, "umx://lab/agent/", 16);
    assert_true(strcmp(agent->fqdn, "mbx1.exchange.test") == 0 || strcmp(agent->fqdn, "fe1.lync.test") == 0);
    assert_true(agent->expires_at > umx_clock_now());
    assert_int_equal(strlen(agent->key), 64);
    /* Issued twice, with another key each time; the other once. */
    assert_int_equal(strlen(agent->previous_key), agent->fqdn[0] == 'm' ? 64 : 0);
    assert_string_not_equal(agent->key, agent->previous_key);
    assert_false(agent->revoked || agent->forgotten);
    (*count)++;
    return *count == 2 ? 77 : 0;
}

/* Counts the one behind the cut line; of the cut one nothing is read. */
static int find_cut(void *user, const struct umx_issued_agent *agent)
{
    assert_string_not_equal(agent->fqdn, "cut.test");
    *(int *)user += strcmp(agent->fqdn, "behind.test") == 0;
    return 0;
}

static void test_agents(void **state)
{
    struct umx_text pem = {0};
    struct umx_text again = {0};
    struct umx_issued issued;
    struct umx_issued second;
    struct umx_identity_file file = {0};
    struct umx_error err = {0};
    int count = 0;

    (void)state;
    assert_int_equal(
        umx_authority_issue_agent(authority, "MBX1.exchange.test", UMX_AGENT_LIFE_BY_HAND, &pem, &issued, &err), 0);
    assert_int_equal(umx_identity_file_parse(pem.data, pem.length, "agent", &file, &err), 0);
    assert_int_equal(file.identity.role, UMX_ROLE_AGENT);
    assert_string_equal(file.identity.fqdn, "mbx1.exchange.test");
    assert_string_equal(file.identity.deployment, "lab");
    assert_string_equal(file.identity.uri, issued.identity);
    assert_true(life_of(&issued) > 364 * UMX_DAY && life_of(&issued) <= 365 * UMX_DAY);
    X509 *leaf = leaf_of(file.chain);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0), 1);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 0);
    X509_free(leaf);

    /* The server keeps its identity; another one has another. */
    assert_int_equal(umx_authority_issue_agent(authority, "mbx1.exchange.test", UMX_AGENT_LIFE, &again, &second, &err),
                     0);
    assert_string_equal(second.identity, issued.identity);
    umx_issued_free(&second);
    umx_text_free(&again);
    again = (struct umx_text){0};
    assert_int_equal(umx_authority_issue_agent(authority, "fe1.lync.test", UMX_AGENT_LIFE, &again, &second, &err), 0);
    assert_string_not_equal(second.identity, issued.identity);
    umx_issued_free(&second);
    umx_text_free(&again);

    assert_int_equal(umx_authority_issued_agents(authority, count_agents, &count, &err), 77);
    assert_int_equal(count, 2);

    /* A line that a full disk cut in the middle is lost, and not the one behind it. */
    static const char cut[] = "2026-01-01T00:00:00Z\tagent\tcut\tcut.test\t1\t2036-01-01T00:00:00Z\tumx://lab/age";
    char path[128];
    snprintf(path, sizeof path, "%s/ca/issued.tsv", data);
    FILE *record = fopen(path, "ae");
    assert_non_null(record);
    assert_true(fputs(cut, record) >= 0);
    assert_int_equal(fclose(record), 0);
    count = 0;
    assert_int_equal(umx_authority_issued_agents(authority, find_cut, &count, &err), 0);
    assert_int_equal(count, 0);
    again = (struct umx_text){0};
    assert_int_equal(umx_authority_issue_agent(authority, "behind.test", UMX_AGENT_LIFE, &again, &second, &err), 0);
    umx_issued_free(&second);
    umx_text_free(&again);
    assert_int_equal(umx_authority_issued_agents(authority, find_cut, &count, &err), 0);
    assert_int_equal(count, 1);

    assert_int_equal(umx_authority_issue_agent(authority, "no host", UMX_AGENT_LIFE, &again, &second, &err),
                     UMX_E_ARGUMENT);
    assert_int_equal(umx_authority_issue_agent(authority, "a..b", UMX_AGENT_LIFE, &again, &second, &err),
                     UMX_E_ARGUMENT);
    assert_int_equal(umx_authority_issue_agent(authority, "h.test", 4000 * UMX_DAY, &again, &second, &err),
                     UMX_E_ARGUMENT);
    umx_issued_free(&issued);
    umx_identity_file_free(&file);
    umx_text_free(&pem);
}

static void test_controller_is_reached_by_all_its_names(void **state)
{
    X509 *leaf = leaf_of(umx_authority_tls(authority)->chain);

    (void)state;
    assert_int_equal(X509_check_host(leaf, "umx.test", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "alias.test", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "other.test", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 1);
    X509_free(leaf);
}

/* ---- requests */

enum flaw {
    NONE,
    OTHER_CA,
    EXPIRED,
    NOT_YET,
    NO_SID,
    TWO_SIDS,
    TWO_NAMES,
    GROUP_SID,
    SHORT_SID,
    BIG_SID,
    SID_AS_TEXT,
    WRONG_OTHER_NAME,
    TRAILING_BYTES,
    SERVER_ONLY,
    AN_AUTHORITY,
    NO_PURPOSE,
    NO_COMMON_NAME,
    CONTROL_IN_NAME,
    WEAK_KEY,
    WRONG_SIGNATURE,
    NO_SIGNATURE,
    TAMPERED_REQUEST,
    REQUEST_NOT_SELF_SIGNED,
    WEAK_REQUEST,
    REQUEST_WITH_TAIL,
    GARBAGE_REQUEST,
    GARBAGE_CERTIFICATE,
    GARBAGE_BEHIND_CERTIFICATE,
    TOO_MANY_CERTIFICATES,
    OTHER_FOREST,
    RSA_KEY,
};

struct proof {
    Umx__IssueRequest request;
    uint8_t *csr;
    uint8_t *certificate;
    uint8_t *signature;
};

static struct pki exchange_ca;
static struct pki lync_ca;

static EVP_PKEY *new_key(bool weak, bool rsa)
{
    EVP_PKEY *key = weak || rsa ? EVP_RSA_gen(weak ? 1024u : 2048u) : EVP_EC_gen("P-256");

    if (key == NULL)
        abort();
    return key;
}

static uint8_t *make_csr(enum flaw flaw, size_t *length)
{
    EVP_PKEY *key = new_key(flaw == WEAK_REQUEST, false);
    EVP_PKEY *other = new_key(false, false);
    X509_REQ *request = X509_REQ_new();
    uint8_t *der = NULL;

    X509_REQ_set_pubkey(request, key);
    X509_REQ_sign(request, flaw == REQUEST_NOT_SELF_SIGNED ? other : key, EVP_sha256());
    int size = i2d_X509_REQ(request, &der);
    uint8_t *copy = calloc(1, (size_t)size + 8);
    memcpy(copy, der, (size_t)size);
    *length = (size_t)size + (flaw == REQUEST_WITH_TAIL ? 3 : 0);
    if (flaw == GARBAGE_REQUEST)
        memset(copy, 0x30, (size_t)size);
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return copy;
}

static GENERAL_NAME *sid_name(const char *sid, const char *oid, int type)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_TYPE *value = ASN1_TYPE_new();
    ASN1_STRING *text = ASN1_STRING_type_new(type);

    ASN1_STRING_set(text, sid, -1);
    ASN1_TYPE_set(value, type, text);
    GENERAL_NAME_set0_othername(name, OBJ_txt2obj(oid, 1), value);
    return name;
}

static void add_sid(X509 *certificate, const char *sid, const char *oid, int type, enum flaw flaw)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    unsigned char *der = NULL;

    sk_GENERAL_NAME_push(names, sid_name(sid, oid, type));
    if (flaw == TWO_NAMES)
        sk_GENERAL_NAME_push(names, sid_name("S-1-5-21-1-2-3-500", oid, type));
    int length = i2d_GENERAL_NAMES(names, &der);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_STRING_set(value, der, length);
    if (flaw == TRAILING_BYTES) {
        unsigned char *longer = calloc(1, (size_t)length + 2);
        memcpy(longer, der, (size_t)length);
        ASN1_STRING_set(value, longer, length + 2);
        free(longer);
    }
    ASN1_OBJECT *kind = OBJ_txt2obj("1.3.6.1.4.1.311.25.2", 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, kind, 0, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OBJECT_free(kind);
    ASN1_OCTET_STRING_free(value);
    OPENSSL_free(der);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

static X509 *make_person(const struct pki *ca, enum flaw flaw, EVP_PKEY *key)
{
    static const char oid[] = "1.3.6.1.4.1.311.25.2.1";
    struct umx_certificate_spec spec = {.common_name = flaw == CONTROL_IN_NAME ? "ada\nroot" : "ada.exadmin",
                                        .path_length = -1,
                                        .authority = flaw == AN_AUTHORITY,
                                        .server_auth = flaw == SERVER_ONLY,
                                        .client_auth = flaw != SERVER_ONLY && flaw != NO_PURPOSE,
                                        .not_before_at = umx_clock_now() + (flaw == NOT_YET ? 1 : -30) * UMX_DAY,
                                        .not_after_at = umx_clock_now() + (flaw == EXPIRED ? -1 : 30) * UMX_DAY};
    const char *sid = flaw == GROUP_SID ? "S-1-5-32-544" : flaw == SHORT_SID ? "S-1-5-21-1-2-3" : SID;
    X509 *made;

    if (flaw == BIG_SID)
        sid = "S-1-5-21-1-2-4294967296-500";
    pki_must(umx_certificate_make(&spec, key, ca->root, ca->root_key, &made, NULL));
    if (flaw != NO_SID)
        add_sid(made, sid, flaw == WRONG_OTHER_NAME ? "1.3.6.1.4.1.311.20.2.3" : oid,
                flaw == SID_AS_TEXT ? V_ASN1_UTF8STRING : V_ASN1_OCTET_STRING, flaw);
    if (flaw == TWO_SIDS)
        add_sid(made, "S-1-5-21-1-2-3-500", oid, V_ASN1_OCTET_STRING, flaw);
    if (flaw == NO_COMMON_NAME) {
        X509_NAME *empty = X509_NAME_new();
        X509_set_subject_name(made, empty);
        X509_NAME_free(empty);
    }
    X509_sign(made, ca->root_key, EVP_sha256());
    return made;
}

static size_t certificates_of(const struct pki *ca, X509 *person, enum flaw flaw, uint8_t **out)
{
    unsigned char *at = calloc(1, 64 * 1024);

    *out = at;
    i2d_X509(person, &at);
    for (int i = 0; flaw == TOO_MANY_CERTIFICATES && i < 20; i++)
        i2d_X509(ca->intermediate, &at);
    if (flaw == GARBAGE_CERTIFICATE)
        memset(*out, 0xff, 40);
    if (flaw == GARBAGE_BEHIND_CERTIFICATE)
        at += 5;
    return (size_t)(at - *out);
}

static struct proof make_proof(enum flaw flaw)
{
    const struct pki *ca = flaw == OTHER_CA || flaw == OTHER_FOREST ? &lync_ca : &exchange_ca;
    static char forest[] = "exchange.test";
    static char other[] = "lync.test";
    struct proof proof = {.request = UMX__ISSUE_REQUEST__INIT};
    EVP_PKEY *key = new_key(flaw == WEAK_KEY, flaw == RSA_KEY);
    EVP_PKEY *wrong = new_key(false, false);
    X509 *person = make_person(ca, flaw, key);
    struct umx_text pem = {0};
    size_t length;
    size_t signature_length = 0;

    proof.csr = make_csr(flaw, &length);
    proof.request.has_request = proof.request.has_certificate = true;
    proof.request.has_signature = flaw != NO_SIGNATURE;
    proof.request.forest = flaw == OTHER_FOREST ? other : forest;
    proof.request.request = (ProtobufCBinaryData){.data = proof.csr, .len = length};
    proof.request.certificate.len = certificates_of(ca, person, flaw, &proof.certificate);
    proof.request.certificate.data = proof.certificate;
    pki_must(umx_certificate_add_key(flaw == WRONG_SIGNATURE || flaw == WEAK_KEY ? wrong : key, &pem, NULL));
    pki_must(umx_signature_make(pem.data, proof.csr, length, &proof.signature, &signature_length, NULL));
    proof.request.signature = (ProtobufCBinaryData){.data = proof.signature, .len = signature_length};
    if (flaw == TAMPERED_REQUEST)
        proof.csr[length - 1] ^= 1;
    umx_text_free(&pem);
    X509_free(person);
    EVP_PKEY_free(key);
    EVP_PKEY_free(wrong);
    return proof;
}

static void free_proof(struct proof *proof)
{
    free(proof->csr);
    free(proof->certificate);
    free(proof->signature);
}

static int prove(enum flaw flaw, struct umx_forest_person *person, struct umx_error *err)
{
    struct proof proof = make_proof(flaw);
    char operator_ca[96];

    snprintf(operator_ca, sizeof operator_ca, "%s/exchange-operators.pem", directory);
    int status = umx_authority_prove_forest(&proof.request, "exchange.test", operator_ca, person, err);
    free_proof(&proof);
    return status;
}

static void test_good_proofs(void **state)
{
    static const enum flaw good[] = {NONE, NO_PURPOSE, RSA_KEY};
    struct umx_forest_person person;
    struct umx_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        person = (struct umx_forest_person){0};
        if (prove(good[i], &person, &err) != 0)
            print_message("%zu: %s: %s\n", i, err.what, err.why);
        assert_string_equal(person.sid, SID);
        assert_string_equal(person.name, "ada.exadmin");
    }
}

static void test_bad_proofs(void **state)
{
    static const struct {
        enum flaw flaw;
        int id;
        const char *why; /* a part of it */
    } cases[] = {
        {OTHER_CA, UMX_ERR_PROOF_REFUSED, "unable to get"},
        {EXPIRED, UMX_ERR_PROOF_REFUSED, "expired"},
        {NOT_YET, UMX_ERR_PROOF_REFUSED, "not yet valid"},
        {NO_SID, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {TWO_SIDS, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {TWO_NAMES, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {GROUP_SID, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {SHORT_SID, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {BIG_SID, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {SID_AS_TEXT, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {WRONG_OTHER_NAME, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {TRAILING_BYTES, UMX_ERR_PROOF_REFUSED, "exactly one SID"},
        {SERVER_ONLY, UMX_ERR_PROOF_REFUSED, "purpose"},
        {AN_AUTHORITY, UMX_ERR_PROOF_REFUSED, ""},
        {NO_COMMON_NAME, UMX_ERR_PROOF_REFUSED, "common name"},
        {CONTROL_IN_NAME, UMX_ERR_PROOF_REFUSED, "common name"},
        {WEAK_KEY, UMX_ERR_PROOF_REFUSED, "key too weak"},
        {WRONG_SIGNATURE, UMX_ERR_PROOF_REFUSED, "does not match"},
        {NO_SIGNATURE, UMX_ERR_PROOF_REFUSED, "needs"},
        {TAMPERED_REQUEST, UMX_ERR_PROOF_REFUSED, "does not match"},
        {REQUEST_NOT_SELF_SIGNED, UMX_ERR_REQUEST_SIGNATURE, ""},
        {WEAK_REQUEST, UMX_ERR_KEY_WEAK, ""},
        {REQUEST_WITH_TAIL, UMX_ERR_CSR_INVALID, "not PKCS#10"},
        {GARBAGE_REQUEST, UMX_ERR_CSR_INVALID, "not PKCS#10"},
        {GARBAGE_CERTIFICATE, UMX_ERR_PROOF_REFUSED, "not readable"},
        {GARBAGE_BEHIND_CERTIFICATE, UMX_ERR_PROOF_REFUSED, "not readable"},
        {TOO_MANY_CERTIFICATES, UMX_ERR_PROOF_REFUSED, "not readable"},
        {OTHER_FOREST, UMX_ERR_PROOF_REFUSED, "another forest"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct umx_forest_person person = {0};
        struct umx_error err = {0};
        int status = prove(cases[i].flaw, &person, &err);
        if (err.id != cases[i].id || strstr(err.why, cases[i].why) == NULL)
            print_message("flaw %d: UMX-%d %s\n", (int)cases[i].flaw, err.id, err.why);
        assert_int_equal(status, umx_error_text(cases[i].id)->status);
        assert_int_equal(err.id, cases[i].id);
        assert_non_null(strstr(err.why, cases[i].why));
        assert_string_equal(person.sid, "");
    }
}

/* Every prefix of a good proof, and every byte of its certificate flipped: refused, never a crash. */
static void test_damaged_proofs(void **state)
{
    struct proof proof = make_proof(NONE);
    struct umx_forest_person person;
    char operator_ca[96];
    size_t length = proof.request.certificate.len;

    (void)state;
    snprintf(operator_ca, sizeof operator_ca, "%s/exchange-operators.pem", directory);
    for (size_t cut = 0; cut < length; cut += 7) {
        proof.request.certificate.len = cut;
        assert_int_not_equal(umx_authority_prove_forest(&proof.request, "exchange.test", operator_ca, &person, NULL),
                             0);
    }
    proof.request.certificate.len = length;
    for (size_t at = 0; at < length; at += 3) {
        proof.certificate[at] ^= 0x41;
        assert_int_not_equal(umx_authority_prove_forest(&proof.request, "exchange.test", operator_ca, &person, NULL),
                             0);
        proof.certificate[at] ^= 0x41;
    }
    assert_int_equal(umx_authority_prove_forest(&proof.request, "exchange.test", operator_ca, &person, NULL), 0);
    free_proof(&proof);
}

static void test_operator_ca_file(void **state)
{
    struct proof proof = make_proof(NONE);
    struct umx_forest_person person;
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_authority_prove_forest(&proof.request, "exchange.test", path_of("none.pem"), &person, &err),
                     UMX_E_IO);
    assert_int_equal(umx_private_file_write(path_of("empty.pem"), "nothing\n", 8, &err), 0);
    assert_int_equal(umx_authority_prove_forest(&proof.request, "exchange.test", path_of("empty.pem"), &person, &err),
                     UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_CONFIG_INVALID);
    free_proof(&proof);
}

static void test_operators(void **state)
{
    struct umx_issued issued;
    struct umx_identity identity;
    struct umx_error err = {0};
    size_t length;
    uint8_t *csr = make_csr(NONE, &length);

    (void)state;
    assert_int_equal(umx_authority_issue_operator(authority, csr, length, SID, "ada.exadmin", "exchange.test",
                                                  UMX_OPERATOR_LIFE, &issued, &err),
                     0);
    assert_string_equal(issued.identity, "umx://lab/operator/" SID);
    assert_int_equal(umx_identity_parse(issued.chain, strlen(issued.chain), &identity, &err), 0);
    assert_int_equal(identity.role, UMX_ROLE_OPERATOR);
    assert_string_equal(identity.forest, "exchange.test");
    assert_string_equal(identity.name, SID);
    assert_true(life_of(&issued) > 6 * UMX_DAY && life_of(&issued) <= 7 * UMX_DAY);
    umx_issued_free(&issued);

    assert_int_equal(
        umx_authority_issue_operator(authority, csr, length, SID, "ada", "exchange.test", 1, &issued, &err), 0);
    assert_true(life_of(&issued) > 0 && life_of(&issued) <= UMX_OPERATOR_LIFE_MIN);
    umx_issued_free(&issued);
    assert_int_equal(
        umx_authority_issue_operator(authority, csr, length, SID, "ada", "exchange.test", 900 * UMX_DAY, &issued, &err),
        0);
    assert_true(life_of(&issued) <= 7 * UMX_DAY);
    umx_issued_free(&issued);
    assert_int_equal(
        umx_authority_issue_operator(authority, csr, length - 1, SID, "ada", "exchange.test", 0, &issued, &err),
        UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_CSR_INVALID);
    assert_int_equal(
        umx_authority_issue_operator(authority, csr, length, "S-1/../x", "ada", "exchange.test", 0, &issued, &err),
        UMX_E_ARGUMENT);
    free(csr);
}

static void test_renewal(void **state)
{
    struct umx_identity agent = {.role = UMX_ROLE_AGENT, .not_after_at = umx_clock_now() + UMX_DAY};
    struct umx_issued issued;
    struct umx_identity identity;
    struct umx_error err = {0};
    size_t length;
    uint8_t *csr = make_csr(NONE, &length);

    (void)state;
    strcpy(agent.deployment, "lab");
    strcpy(agent.name, "0b5e");
    strcpy(agent.fqdn, "fe1.lync.test");
    strcpy(agent.uri, "umx://lab/agent/0b5e");
    assert_int_equal(umx_authority_renew_agent(authority, csr, length, &agent, &issued, &err), 0);
    assert_string_equal(issued.identity, agent.uri);
    assert_int_equal(umx_identity_parse(issued.chain, strlen(issued.chain), &identity, &err), 0);
    assert_string_equal(identity.fqdn, agent.fqdn);
    assert_true(life_of(&issued) <= 30 * UMX_DAY);
    umx_issued_free(&issued);
    agent.not_after_at = umx_clock_now() - 1;
    assert_int_equal(umx_authority_renew_agent(authority, csr, length, &agent, &issued, &err), UMX_E_DENIED);
    agent.not_after_at = umx_clock_now() + UMX_DAY;
    strcpy(agent.deployment, "other");
    assert_int_equal(umx_authority_renew_agent(authority, csr, length, &agent, &issued, &err), UMX_E_DENIED);
    strcpy(agent.deployment, "lab");
    agent.role = UMX_ROLE_OPERATOR;
    assert_int_equal(umx_authority_renew_agent(authority, csr, length, &agent, &issued, &err), UMX_E_DENIED);
    free(csr);
}

/* ---- signatures */

static void test_signatures(void **state)
{
    struct proof proof = make_proof(NONE);
    struct umx_error err = {0};
    const uint8_t *certificate = proof.request.certificate.data;
    size_t length = proof.request.certificate.len;
    uint8_t *signature = proof.signature;
    size_t size = proof.request.signature.len;
    uint8_t *none;
    size_t none_length;

    (void)state;
    assert_int_equal(
        umx_signature_verify(certificate, length, proof.csr, proof.request.request.len, signature, size, &err), 0);
    assert_int_equal(umx_signature_verify(certificate, length, "other", 5, signature, size, &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_SIGNATURE_INVALID);
    for (size_t i = 0; i < size; i++) {
        signature[i] ^= 1;
        assert_int_equal(
            umx_signature_verify(certificate, length, proof.csr, proof.request.request.len, signature, size, &err),
            UMX_E_DENIED);
        signature[i] ^= 1;
    }
    assert_int_equal(umx_signature_verify(certificate, length - 1, proof.csr, 1, signature, size, &err), UMX_E_DENIED);
    assert_int_equal(umx_signature_verify(certificate, length, proof.csr, 1, signature, 0, &err), UMX_E_DENIED);
    assert_int_equal(umx_signature_make("no key", "x", 1, &none, &none_length, &err), UMX_E_ARGUMENT);
    free_proof(&proof);
}

/* ---- */

static int set_up(void **state)
{
    static const char *const names[] = {"umx.test", "alias.test", "127.0.0.1", "::1"};
    struct umx_error err = {0};
    struct umx_text pem = {0};
    char path[96];

    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(data, sizeof data, "%s/data", directory);
    if (umx_authority_init(data, "lab", names, 4, &err) != 0 || umx_authority_open(data, &authority, &err) != 0) {
        print_message("%s: %s\n", err.what, err.why);
        return -1;
    }
    pki_make(&exchange_ca, "EXCHANGE Operator CA");
    pki_make(&lync_ca, "LYNC Operator CA");
    umx_text_adds(&pem, exchange_ca.roots);
    snprintf(path, sizeof path, "%s/exchange-operators.pem", directory);
    int status = umx_private_file_write(path, pem.data, pem.length, &err);
    umx_text_free(&pem);
    return status;
}

static void remove_below(const char *root)
{
    static const char *const files[] = {"root.pem",
                                        "root/root.key",
                                        "ca/intermediate.pem",
                                        "ca/intermediate.key",
                                        "ca/controller.pem",
                                        "ca/issued.tsv",
                                        "ca/lock",
                                        "root",
                                        "ca"};
    char path[256];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, files[i]);
        remove(path);
    }
    remove(root);
}

static int tear_down(void **state)
{
    (void)state;
    umx_authority_close(authority);
    pki_free(&exchange_ca);
    pki_free(&lync_ca);
    remove_below(data);
    remove_below(path_of("other"));
    remove(path_of("exchange-operators.pem"));
    remove(path_of("empty.pem"));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_of_a_deployment),
        cmocka_unit_test(test_runs_without_the_root_key),
        cmocka_unit_test(test_random_deployment_and_bad_names),
        cmocka_unit_test(test_agents),
        cmocka_unit_test(test_controller_is_reached_by_all_its_names),
        cmocka_unit_test(test_good_proofs),
        cmocka_unit_test(test_bad_proofs),
        cmocka_unit_test(test_damaged_proofs),
        cmocka_unit_test(test_operator_ca_file),
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_signatures),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

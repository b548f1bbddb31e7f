/* Tokens, enrolment, revocation: the registry over a real journal and authority, and `Issue` over real TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/token.h"
#include "controller/authority.h"
#include "controller/enrolment.h"
#include "controller/fleet.h"
#include "controller/issue.h"
#include "enrolment.h"
#include "pki.h"
#include "rpc/ask.h"
#include "rpc/identity_file.h"
#include "rpc/request.h"
#include "store/journal_file.h"
#include "store/state.h"

/* ---- what an agent does */

struct attempt {
    const char *token;
    const char *server;
    const char *forest;     /* or NULL */
    const char *key;        /* PEM */
    const uint8_t *request; /* NULL: a new one for the key */
    size_t length;
};

static int enrol(const struct attempt *attempt, struct umx_issued *issued, struct umx_error *err)
{
    Umx__IssueRequest message = UMX__ISSUE_REQUEST__INIT;
    char token[256], server[256], forest[256];
    uint8_t *made = NULL;
    size_t length = attempt->length;

    umx_text_copy(token, sizeof token, attempt->token);
    umx_text_copy(server, sizeof server, attempt->server);
    umx_text_copy(forest, sizeof forest, attempt->forest != NULL ? attempt->forest : "");
    if (attempt->request == NULL)
        pki_must(umx_request_make(attempt->key, &made, &length, NULL));
    message.has_request = 1;
    message.request.data = attempt->request != NULL ? (uint8_t *)(uintptr_t)attempt->request : made;
    message.request.len = length;
    message.token = token;
    message.server = server;
    message.forest = attempt->forest != NULL ? forest : NULL;
    int status = umx_enrolment_enrol(controller.enrolment, &message, "ipv4:192.0.2.7:5000", issued, err);
    free(made);
    return status;
}

static void expect_enrolled(const char *token, const char *server, const char *key, char uri[UMX_IDENTITY_MAX])
{
    struct attempt attempt = {.token = token, .server = server, .key = key};
    struct umx_issued issued;
    struct umx_error err = {0};
    struct umx_identity identity;

    if (enrol(&attempt, &issued, &err) != 0)
        fail_msg("UMX-%d %s %s", err.id, err.what, umx_error_why(&err));
    assert_int_equal(umx_identity_parse(issued.chain, strlen(issued.chain), &identity, NULL), 0);
    assert_string_equal(identity.uri, issued.identity);
    assert_true(umx_text_equal(identity.fqdn, server));
    assert_true(identity.not_after_at > umx_clock_now() + 29 * UMX_DAY);
    assert_true(identity.not_after_at <= umx_clock_now() + 30 * UMX_DAY);
    if (uri != NULL)
        umx_text_copy(uri, UMX_IDENTITY_MAX, issued.identity);
    umx_issued_free(&issued);
}

static void expect_refused(const struct attempt *attempt, enum umx_error_id id)
{
    struct umx_issued issued;
    struct umx_error err = {0};
    int status = enrol(attempt, &issued, &err);

    if (err.id != (int)id)
        fail_msg("UMX-%d %s instead of UMX-%d", err.id, umx_error_why(&err), (int)id);
    assert_int_equal(status, umx_error_text((int)id)->status);
    assert_null(issued.chain);
}

static char *new_key(void)
{
    char *key;

    pki_must(umx_request_key(&key, NULL));
    return key;
}

static int count_kind(Umx__Journal__Kind kind)
{
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    Umx__Journal **entries = NULL;
    size_t count = 0;
    int found = 0;

    pki_must(umx_journal_read(controller.journal, "", 0, 0, arena, &entries, &count, NULL));
    for (size_t i = 0; i < count; i++)
        found += entries[i]->kind == kind;
    umx_arena_free(arena);
    return found;
}

/* ---- tokens */

static void test_tokens_are_hashed_and_listed(void **state)
{
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    char text[UMX_TOKEN_TEXT], id[UMX_TOKEN_ID + 1];
    struct umx_token token;
    Umx__Token **tokens;
    size_t count, length = 0;
    char *bytes;
    struct umx_text secret = {0};

    (void)state;
    make_token("um1.contoso.test", "contoso.test", 0, 0, text, id);
    assert_int_equal(umx_token_parse(text, strlen(text), "token", &token, NULL), 0);
    assert_string_equal(token.id, id);
    pki_must(umx_enrolment_tokens(controller.enrolment, arena, &tokens, &count, NULL));
    assert_int_equal(count, 1);
    assert_null(tokens[0]->token);
    assert_string_equal(tokens[0]->server, "um1.contoso.test");
    assert_string_equal(tokens[0]->forest, "contoso.test");
    assert_string_equal(tokens[0]->created_by, OLGA);
    assert_int_equal(tokens[0]->uses, 1);
    assert_int_equal(tokens[0]->state, UMX__TOKEN__STATE__ACTIVE);
    assert_true(tokens[0]->expires_at > umx_clock_now() + 23 * UMX_HOUR);
    assert_true(tokens[0]->expires_at <= umx_clock_now() + 24 * UMX_HOUR);
    reopen();
    pki_must(umx_enrolment_tokens(controller.enrolment, arena, &tokens, &count, NULL));
    assert_int_equal(count, 1);
    assert_string_equal(tokens[0]->id, id);
    /* Neither the secret's bytes nor its hex are in the file. */
    umx_text_add_hex(&secret, token.secret, sizeof token.secret);
    close_registry();
    pki_must(umx_private_file_read(path_of("journal.db"), 16 * 1024 * 1024, &bytes, &length, NULL));
    assert_true(length > 4096);
    assert_null(memmem(bytes, length, token.secret, sizeof token.secret));
    assert_null(memmem(bytes, length, secret.data, secret.length));
    assert_non_null(memmem(bytes, length, id, strlen(id)));
    free(bytes);
    umx_text_free(&secret);
    open_registry();
    umx_arena_free(arena);
}

static void test_tokens_that_cannot_be(void **state)
{
    static const struct {
        const char *server, *pattern, *forest;
        int uses;
        int64_t life;
        enum umx_error_id id;
    } cases[] = {
        {NULL, NULL, "contoso.test", 1, UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"a.contoso.test", "*.contoso.test", "contoso.test", 1, UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"a.contoso.test", NULL, "nowhere.test", 1, UMX_DAY, UMX_ERR_FOREST_UNKNOWN},
        {"a.contoso.test", NULL, NULL, 1, UMX_DAY, UMX_ERR_FOREST_UNKNOWN},
        {"fe1.lync.test", NULL, "contoso.test", 1, UMX_DAY, UMX_ERR_TOKEN_WRONG_FOREST},
        {NULL, "*.lync.test", "contoso.test", 1, UMX_DAY, UMX_ERR_TOKEN_WRONG_FOREST},
        {NULL, "*.test", "contoso.test", 1, UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"um 1.contoso.test", NULL, "contoso.test", 1, UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"um1", NULL, "contoso.test", 1, UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"a.contoso.test", NULL, "contoso.test", 0, UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"a.contoso.test", NULL, "contoso.test", UMX_TOKEN_USES_MAX + 1, UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"a.contoso.test", NULL, "contoso.test", 1, -UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
        {"a.contoso.test", NULL, "contoso.test", 1, 31 * UMX_DAY, UMX_ERR_TOKEN_ARGUMENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Umx__TokenCreateArguments arguments = UMX__TOKEN_CREATE_ARGUMENTS__INIT;
        struct umx_arena *arena = umx_arena_new(65536);
        struct umx_error err = {0};
        Umx__Token *token;
        arguments.server = (char *)(uintptr_t)cases[i].server;
        arguments.pattern = (char *)(uintptr_t)cases[i].pattern;
        arguments.forest = (char *)(uintptr_t)cases[i].forest;
        arguments.has_uses = arguments.has_expires_at = 1;
        arguments.uses = cases[i].uses;
        arguments.expires_at = umx_clock_now() + cases[i].life;
        assert_int_not_equal(umx_enrolment_create_token(controller.enrolment, &arguments, OLGA, arena, &token, &err),
                             0);
        if (err.id != (int)cases[i].id)
            fail_msg("case %zu: UMX-%d", i, err.id);
        assert_null(token);
        umx_arena_free(arena);
    }
    assert_int_equal(count_kind(UMX__JOURNAL__KIND__TOKEN_CREATED), 0);
}

/* ---- enrolment */

static void test_one_use(void **state)
{
    char text[UMX_TOKEN_TEXT], uri[UMX_IDENTITY_MAX], again[UMX_IDENTITY_MAX];
    char *key = new_key(), *other = new_key();
    struct attempt second = {.token = text, .server = "um1.contoso.test", .key = other};

    (void)state;
    make_token("um1.contoso.test", "contoso.test", 0, 0, text, NULL);
    expect_enrolled(text, "um1.contoso.test", key, uri);
    expect_refused(&second, UMX_ERR_TOKEN_USED_UP);
    /* The answer was lost: the same key asks again, and is the same agent; not for another name. */
    expect_enrolled(text, "UM1.contoso.test", key, again);
    assert_string_equal(uri, again);
    second.key = key;
    second.server = "um2.contoso.test";
    expect_refused(&second, UMX_ERR_TOKEN_WRONG_NAME);
    reopen();
    second.key = other;
    second.server = "um1.contoso.test";
    expect_refused(&second, UMX_ERR_TOKEN_USED_UP);
    expect_enrolled(text, "um1.contoso.test", key, again);
    assert_string_equal(uri, again);
    /* Not for ever. */
    second.key = key;
    for (int i = 0; i < 14; i++)
        expect_enrolled(text, "um1.contoso.test", key, NULL);
    expect_refused(&second, UMX_ERR_TOKEN_USED_UP);
    assert_int_equal(count_kind(UMX__JOURNAL__KIND__ENROLLED), 17);
    umx_private_free(key);
    umx_private_free(other);
}

static void test_pattern_counts_servers(void **state)
{
    char text[UMX_TOKEN_TEXT];
    char *keys[3] = {new_key(), new_key(), new_key()};
    char uris[2][UMX_IDENTITY_MAX];

    (void)state;
    make_token("um*.contoso.test", "contoso.test", 2, 0, text, NULL);
    expect_enrolled(text, "um1.contoso.test", keys[0], uris[0]);
    expect_enrolled(text, "um2.contoso.test", keys[1], uris[1]);
    assert_string_not_equal(uris[0], uris[1]);
    struct attempt third = {.token = text, .server = "um3.contoso.test", .key = keys[2]};
    expect_refused(&third, UMX_ERR_TOKEN_USED_UP);
    for (int i = 0; i < 3; i++)
        umx_private_free(keys[i]);
}

static void test_refusals_have_their_ids(void **state)
{
    char text[UMX_TOKEN_TEXT], id[UMX_TOKEN_ID + 1], other[UMX_TOKEN_TEXT], disjoint[UMX_TOKEN_TEXT];
    char *key = new_key();
    struct attempt attempt = {.token = text, .server = "um1.contoso.test", .key = key};

    (void)state;
    make_token("*.contoso.test", "contoso.test", 9, 0, text, id);
    /* A token that never was, one with another secret, no token at all. */
    umx_text_copy(other, sizeof other, text);
    other[5] = other[5] == '0' ? '1' : '0';
    attempt.token = other;
    expect_refused(&attempt, UMX_ERR_TOKEN_INVALID);
    umx_text_copy(other, sizeof other, text);
    other[20] = other[20] == '0' ? '1' : '0';
    expect_refused(&attempt, UMX_ERR_TOKEN_INVALID);
    attempt.token = "";
    expect_refused(&attempt, UMX_ERR_TOKEN_INVALID);
    attempt.token = text;
    /* Another name. */
    static const char *const names[] = {"",
                                        "um1",
                                        "contoso.test",
                                        "um1.lync.test",
                                        "a.b.contoso.test",
                                        "um1.contoso.test.",
                                        "um1.contoso.test\n",
                                        "um1..contoso.test"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        attempt.server = names[i];
        expect_refused(&attempt, UMX_ERR_TOKEN_WRONG_NAME);
    }
    attempt.server = "um1.contoso.test";
    /* Another forest: as the host says, and as its name says. */
    attempt.forest = "lync.test";
    expect_refused(&attempt, UMX_ERR_TOKEN_WRONG_FOREST);
    attempt.forest = NULL;
    make_token("um9.other.example", "contoso.test", 1, 0, disjoint, NULL);
    struct attempt moved = {.token = disjoint, .server = "um9.other.example", .key = key};
    char *name = config.forests[1].name;
    char example[] = "other.example";
    config.forests[1].name = example;
    expect_refused(&moved, UMX_ERR_TOKEN_WRONG_FOREST);
    config.forests[1].name = name;
    /* Time. */
    umx_clock_set(umx_clock_now() + 25 * UMX_HOUR);
    expect_refused(&attempt, UMX_ERR_TOKEN_EXPIRED);
    umx_clock_set(0);
    /* Nothing of all that used it up; a right one is let in, and one that is outside all forests' domains too. */
    expect_enrolled(text, "um1.contoso.test", key, NULL);
    expect_enrolled(disjoint, "um9.other.example", key, NULL);
    pki_must(umx_enrolment_revoke_token(controller.enrolment, id, OLGA, NULL));
    expect_refused(&attempt, UMX_ERR_TOKEN_REVOKED);
    reopen();
    expect_refused(&attempt, UMX_ERR_TOKEN_REVOKED);
    struct umx_error err = {0};
    assert_int_equal(umx_enrolment_revoke_token(controller.enrolment, "000000000000", OLGA, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_TOKEN_UNKNOWN);
    assert_int_equal(umx_enrolment_revoke_token(controller.enrolment, "0000000000000000", OLGA, &err), UMX_E_NOT_FOUND);
    umx_private_free(key);
}

static uint8_t *request_of(EVP_PKEY *key, EVP_PKEY *signer, size_t *length)
{
    X509_REQ *request = X509_REQ_new();
    unsigned char *der = NULL;

    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    assert_true(X509_REQ_sign(request, signer, EVP_sha256()) > 0);
    *length = (size_t)i2d_X509_REQ(request, &der);
    uint8_t *copy = malloc(*length);
    memcpy(copy, der, *length);
    OPENSSL_free(der);
    X509_REQ_free(request);
    return copy;
}

static void test_bad_requests(void **state)
{
    char text[UMX_TOKEN_TEXT];
    struct attempt attempt = {.token = text, .server = "um1.contoso.test"};
    EVP_PKEY *strong = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256"), *small = EVP_RSA_gen(1024);
    EVP_PKEY *odd = EVP_EC_gen("secp224r1"), *edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *weak[] = {small, odd};

    (void)state;
    make_token("um1.contoso.test", "contoso.test", 0, 0, text, NULL);
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        attempt.request = request_of(weak[i], weak[i], &attempt.length);
        expect_refused(&attempt, UMX_ERR_KEY_WEAK);
        free((void *)(uintptr_t)attempt.request);
    }
    uint8_t *foreign = request_of(strong, other, &attempt.length);
    attempt.request = foreign;
    expect_refused(&attempt, UMX_ERR_REQUEST_SIGNATURE);
    free(foreign);
    uint8_t *good = request_of(strong, strong, &attempt.length);
    attempt.request = good;
    attempt.length--;
    expect_refused(&attempt, UMX_ERR_CSR_INVALID);
    attempt.length = 0;
    expect_refused(&attempt, UMX_ERR_CSR_INVALID);
    /* Who has no token is told of the token alone. */
    attempt.token = "umx1-nothing";
    expect_refused(&attempt, UMX_ERR_TOKEN_INVALID);
    free(good);
    /* None of it used the token. */
    char *key = new_key();
    expect_enrolled(text, "um1.contoso.test", key, NULL);
    umx_private_free(key);
    EVP_PKEY_free(strong);
    EVP_PKEY_free(other);
    EVP_PKEY_free(small);
    EVP_PKEY_free(odd);
    EVP_PKEY_free(edwards);
}

/* The same request with (r, n - s) for (r, s), which verifies as well. */
static uint8_t *other_form(const uint8_t *request, size_t *length)
{
    const unsigned char *at = request;
    X509_REQ *parsed = d2i_X509_REQ(NULL, &at, (long)*length);
    const ASN1_BIT_STRING *signature;
    unsigned char *der = NULL;
    BIGNUM *order = NULL, *s = BN_new();

    assert_non_null(parsed);
    X509_REQ_get0_signature(parsed, &signature, NULL);
    const unsigned char *bytes = signature->data;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &bytes, signature->length);
    assert_int_equal(BN_hex2bn(&order, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
                     64); /* of P-256 */
    assert_int_equal(BN_sub(s, order, ECDSA_SIG_get0_s(pair)), 1);
    assert_int_equal(ECDSA_SIG_set0(pair, BN_dup(ECDSA_SIG_get0_r(pair)), s), 1);
    int size = i2d_ECDSA_SIG(pair, &der);
    ASN1_BIT_STRING *changed = ASN1_BIT_STRING_new();
    ASN1_STRING_set(changed, der, size);
    changed->flags = (changed->flags & ~7L) | ASN1_STRING_FLAG_BITS_LEFT;
    X509_REQ_set0_signature(parsed, changed);
    OPENSSL_free(der);
    der = NULL;
    size = i2d_X509_REQ(parsed, &der);
    assert_int_equal(X509_REQ_verify(parsed, X509_REQ_get0_pubkey(parsed)), 1);
    uint8_t *copy = malloc((size_t)size);
    memcpy(copy, der, (size_t)size);
    *length = (size_t)size;
    OPENSSL_free(der);
    BN_free(order);
    ECDSA_SIG_free(pair);
    X509_REQ_free(parsed);
    return copy;
}

/* The bytes of an attempt that went through, again; also with the signature written in its other form. */
static void test_replays(void **state)
{
    char text[UMX_TOKEN_TEXT];
    char *key = new_key();
    uint8_t *request;
    size_t length;
    struct umx_issued issued;
    struct umx_error err = {0};

    (void)state;
    make_token("um1.contoso.test", "contoso.test", 5, 0, text, NULL);
    pki_must(umx_request_make(key, &request, &length, NULL));
    struct attempt attempt = {
        .token = text, .server = "um1.contoso.test", .key = key, .request = request, .length = length};
    assert_int_equal(enrol(&attempt, &issued, &err), 0);
    umx_issued_free(&issued);
    expect_refused(&attempt, UMX_ERR_REQUEST_REPLAYED);
    reopen();
    expect_refused(&attempt, UMX_ERR_REQUEST_REPLAYED);
    uint8_t *other = other_form(request, &attempt.length);
    attempt.request = other;
    expect_refused(&attempt, UMX_ERR_REQUEST_REPLAYED);
    free(other);
    /* Two requests of one key differ, so that an honest second attempt is no replay. */
    expect_enrolled(text, "um1.contoso.test", key, NULL);
    free(request);
    umx_private_free(key);
}

/* ---- a server that is known with another key */

static void test_held_until_decided(void **state)
{
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    char text[UMX_TOKEN_TEXT], second[UMX_TOKEN_TEXT], old[UMX_IDENTITY_MAX], fresh[UMX_IDENTITY_MAX];
    char *key = new_key(), *other = new_key();
    char hash[UMX_KEY_HASH_TEXT], other_hash[UMX_KEY_HASH_TEXT];
    struct umx_error err = {0};
    Umx__HeldEnrolment **held;
    size_t count;

    (void)state;
    pki_must(umx_request_key_hash(key, "key", hash, NULL));
    pki_must(umx_request_key_hash(other, "key", other_hash, NULL));
    make_token("um1.contoso.test", "contoso.test", 0, 0, text, NULL);
    make_token("um1.contoso.test", "contoso.test", 0, 0, second, NULL);
    expect_enrolled(text, "um1.contoso.test", key, old);
    struct attempt attempt = {.token = second, .server = "um1.contoso.test", .key = other};
    expect_refused(&attempt, UMX_ERR_ENROLMENT_HELD);
    expect_refused(&attempt, UMX_ERR_ENROLMENT_HELD); /* asks how it stands */
    assert_int_equal(count_kind(UMX__JOURNAL__KIND__ENROLMENT_HELD), 1);
    pki_must(umx_enrolment_held(controller.enrolment, arena, &held, &count, NULL));
    assert_int_equal(count, 1);
    assert_string_equal(held[0]->server, "um1.contoso.test");
    assert_string_equal(held[0]->key, other_hash);
    assert_string_equal(held[0]->known_key, hash);
    assert_string_equal(held[0]->known_agent, old);
    assert_string_equal(held[0]->known_state, "never");
    /* Neither the wrong key nor half a fingerprint decides. */
    assert_int_equal(umx_enrolment_decide(controller.enrolment, "um1.contoso.test", hash, true, OLGA, &err),
                     UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_ENROLMENT_NOT_HELD);
    char prefix[17];
    umx_text_copy(prefix, 16, other_hash);
    assert_int_equal(umx_enrolment_decide(controller.enrolment, "um1.contoso.test", prefix, true, OLGA, &err),
                     UMX_E_NOT_FOUND);
    /* The known one stays until then. */
    struct umx_identity identity = {.role = UMX_ROLE_AGENT, .not_after_at = umx_clock_now() + UMX_DAY};
    umx_text_copy(identity.uri, sizeof identity.uri, old);
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), 0);
    umx_text_copy(prefix, 17, other_hash);
    reopen();
    pki_must(umx_enrolment_decide(controller.enrolment, "UM1.contoso.test", prefix, true, OLGA, NULL));
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_AGENT_REVOKED);
    reopen();
    expect_enrolled(second, "um1.contoso.test", other, fresh);
    assert_string_not_equal(fresh, old);
    umx_text_copy(identity.uri, sizeof identity.uri, fresh);
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), 0);
    /* The old key has no more place. */
    attempt = (struct attempt){.token = text, .server = "um1.contoso.test", .key = key};
    expect_refused(&attempt, UMX_ERR_AGENT_REVOKED);
    pki_must(umx_enrolment_held(controller.enrolment, arena, &held, &count, NULL));
    assert_int_equal(count, 0);
    umx_private_free(key);
    umx_private_free(other);
    umx_arena_free(arena);
}

static void test_rejected(void **state)
{
    char text[UMX_TOKEN_TEXT], uri[UMX_IDENTITY_MAX];
    char *key = new_key(), *other = new_key();
    char hash[UMX_KEY_HASH_TEXT];

    (void)state;
    pki_must(umx_request_key_hash(other, "key", hash, NULL));
    make_token("*.contoso.test", "contoso.test", 2, 0, text, NULL);
    expect_enrolled(text, "um1.contoso.test", key, uri);
    struct attempt attempt = {.token = text, .server = "um1.contoso.test", .key = other};
    expect_refused(&attempt, UMX_ERR_ENROLMENT_HELD);
    pki_must(umx_enrolment_decide(controller.enrolment, "um1.contoso.test", hash, false, OLGA, NULL));
    expect_refused(&attempt, UMX_ERR_ENROLMENT_REJECTED);
    reopen();
    expect_refused(&attempt, UMX_ERR_ENROLMENT_REJECTED);
    expect_enrolled(text, "um1.contoso.test", key, NULL); /* nothing happened to the known one */
    umx_private_free(key);
    umx_private_free(other);
}

/* Accepting what cannot come any more would end the known agent for nothing. */
static void test_held_by_a_token_that_was_revoked(void **state)
{
    char first[UMX_TOKEN_TEXT], second[UMX_TOKEN_TEXT], id[UMX_TOKEN_ID + 1], uri[UMX_IDENTITY_MAX];
    char *key = new_key(), *other = new_key();
    char hash[UMX_KEY_HASH_TEXT];
    struct umx_error err = {0};

    (void)state;
    pki_must(umx_request_key_hash(other, "key", hash, NULL));
    make_token("um1.contoso.test", "contoso.test", 0, 0, first, NULL);
    make_token("um1.contoso.test", "contoso.test", 0, 0, second, id);
    expect_enrolled(first, "um1.contoso.test", key, uri);
    struct attempt attempt = {.token = second, .server = "um1.contoso.test", .key = other};
    expect_refused(&attempt, UMX_ERR_ENROLMENT_HELD);
    pki_must(umx_enrolment_revoke_token(controller.enrolment, id, OLGA, NULL));
    assert_int_equal(umx_enrolment_decide(controller.enrolment, "um1.contoso.test", hash, true, OLGA, &err),
                     UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_ENROLMENT_NOT_HELD);
    struct umx_identity identity = {.role = UMX_ROLE_AGENT, .not_after_at = umx_clock_now() + UMX_DAY};
    umx_text_copy(identity.uri, sizeof identity.uri, uri);
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), 0);
    umx_private_free(key);
    umx_private_free(other);
}

/* The same key is the same agent, with another token too: that is how an expired one comes back. */
static void test_the_key_is_the_identity(void **state)
{
    char text[UMX_TOKEN_TEXT], later[UMX_TOKEN_TEXT], uri[UMX_IDENTITY_MAX], again[UMX_IDENTITY_MAX];
    char *key = new_key();

    (void)state;
    make_token("um1.contoso.test", "contoso.test", 0, 0, text, NULL);
    expect_enrolled(text, "um1.contoso.test", key, uri);
    umx_clock_set(umx_clock_now() + 60 * UMX_DAY);
    make_token("um1.contoso.test", "contoso.test", 0, 0, later, NULL);
    expect_enrolled(later, "um1.contoso.test", key, again);
    assert_string_equal(uri, again);
    umx_clock_set(0);
    umx_private_free(key);
}

/* ---- revocation */

static void test_revoked_and_forgotten(void **state)
{
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    char text[UMX_TOKEN_TEXT], uri[UMX_IDENTITY_MAX], hand[UMX_IDENTITY_MAX];
    char *key = new_key(), *other = new_key();
    struct umx_error err = {0};
    struct umx_text pem = {0};
    struct umx_issued issued;
    struct umx_identity identity = {.role = UMX_ROLE_AGENT, .not_after_at = umx_clock_now() + UMX_DAY};

    (void)state;
    make_token("um1.contoso.test", "contoso.test", 5, 0, text, NULL);
    expect_enrolled(text, "um1.contoso.test", key, uri);
    umx_text_copy(identity.uri, sizeof identity.uri, uri);
    umx_text_copy(identity.fqdn, sizeof identity.fqdn, "um1.contoso.test");
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), 0);
    assert_int_equal(umx_enrolment_revoke(controller.enrolment, "um7.contoso.test", OLGA, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_AGENT_UNKNOWN);
    pki_must(umx_enrolment_revoke(controller.enrolment, "UM1.contoso.test", OLGA, NULL));
    assert_int_equal(umx_enrolment_revoke(controller.enrolment, uri, OLGA, &err), UMX_E_NOT_FOUND); /* already */
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_AGENT_REVOKED);
    reopen();
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), UMX_E_DENIED);
    /* Its key does not come back by a token, old or new; another one is a decision. */
    struct attempt attempt = {.token = text, .server = "um1.contoso.test", .key = key};
    expect_refused(&attempt, UMX_ERR_AGENT_REVOKED);
    attempt.key = other;
    expect_refused(&attempt, UMX_ERR_ENROLMENT_HELD);
    /* By hand on the controller's host it is a new identity too. */
    pki_must(umx_authority_issue_agent(controller.authority, "um1.contoso.test", UMX_DAY, &pem, &issued, NULL));
    umx_text_copy(hand, sizeof hand, issued.identity);
    assert_string_not_equal(hand, uri);
    umx_issued_free(&issued);
    umx_text_free(&pem);
    /* Forgotten: in no list, refused as before, and the name is free. */
    pki_must(umx_enrolment_forget(controller.enrolment, "um1.contoso.test", OLGA, NULL));
    struct umx_world *world = umx_world_new(umx_clock_now());
    pki_must(umx_fleet_agents(controller.fleet, world, NULL));
    assert_int_equal(umx_world_records(world)->n_agent, 0);
    umx_world_free(world);
    reopen();
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), UMX_E_DENIED);
    umx_text_copy(identity.uri, sizeof identity.uri, hand);
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), UMX_E_DENIED);
    char *third = new_key(), fresh[UMX_IDENTITY_MAX];
    expect_enrolled(text, "um1.contoso.test", third, fresh);
    assert_string_not_equal(fresh, uri);
    assert_string_not_equal(fresh, hand);
    assert_int_equal(count_kind(UMX__JOURNAL__KIND__AGENT_REVOKED), 1);
    assert_int_equal(count_kind(UMX__JOURNAL__KIND__AGENT_FORGOTTEN), 2);
    /* A certificate that has ended is refused on a stream that is still there. */
    umx_text_copy(identity.uri, sizeof identity.uri, fresh);
    identity.not_after_at = umx_clock_now() - 1;
    assert_int_equal(umx_enrolment_check(controller.enrolment, &identity, &err), UMX_E_UNAUTHENTICATED);
    assert_int_equal(err.id, UMX_ERR_AGENT_EXPIRED);
    umx_private_free(key);
    umx_private_free(other);
    umx_private_free(third);
    umx_arena_free(arena);
}

/* ---- a hundred agents over real TLS */

enum { RACERS = 100 };

struct race {
    char target[64];
    char token[UMX_TOKEN_TEXT];
    pthread_barrier_t start;
    pthread_mutex_t mutex;
    int won;
    int used_up;
    int other;
    char key[UMX_KEY_HASH_TEXT]; /* of the winner, as its certificate has it */
};

static int ask(const struct race *race, const char *key, struct umx_identity *identity, struct umx_error *err)
{
    Umx__IssueRequest message = UMX__ISSUE_REQUEST__INIT;
    struct umx_rpc_tls tls = {.roots = umx_authority_root(controller.authority)};
    struct umx_rpc_channel *channel;
    char token[UMX_TOKEN_TEXT], server[] = "um1.contoso.test";
    uint8_t *request, *bytes, *reply = NULL;
    size_t length, size = 0;

    umx_text_copy(token, sizeof token, race->token);
    pki_must(umx_request_make(key, &request, &length, NULL));
    message.has_request = 1;
    message.request = (ProtobufCBinaryData){.len = length, .data = request};
    message.token = token;
    message.server = server;
    pki_must(umx_reflect_pack(&message.base, &bytes, &length, NULL));
    pki_must(umx_rpc_channel_open(race->target, &tls, NULL, 65536, &channel, NULL));
    int status = umx_rpc_ask(channel, "/umx.v1.Operators/Issue", bytes, length, 120 * UMX_SECOND, &reply, &size, err);
    umx_rpc_channel_close(channel);
    Umx__IssueReply *answer = status == 0 ? umx__issue_reply__unpack(NULL, size, reply) : NULL;
    if (answer != NULL)
        pki_must(umx_identity_parse(answer->chain, strlen(answer->chain), identity, NULL));
    umx__issue_reply__free_unpacked(answer, NULL);
    free(request);
    free(bytes);
    free(reply);
    return status;
}

static void *racer(void *user)
{
    struct race *race = user;
    char *key = new_key();
    char hash[UMX_KEY_HASH_TEXT];
    struct umx_identity identity = {0};
    struct umx_error err;
    int status;

    pki_must(umx_request_key_hash(key, "key", hash, NULL));
    pthread_barrier_wait(&race->start);
    do {
        err = (struct umx_error){0};
        status = ask(race, key, &identity, &err);
    } while (err.id == UMX_ERR_BUSY);
    pthread_mutex_lock(&race->mutex);
    race->won += status == 0;
    race->used_up += err.id == UMX_ERR_TOKEN_USED_UP;
    race->other += status != 0 && err.id != UMX_ERR_TOKEN_USED_UP;
    if (status == 0 && strcmp(identity.key, hash) == 0)
        umx_text_copy(race->key, sizeof race->key, hash);
    pthread_mutex_unlock(&race->mutex);
    umx_private_free(key);
    return NULL;
}

static void test_a_hundred_race_for_one_token(void **state)
{
    static struct race race;
    const struct umx_rpc_method method = {.path = "/umx.v1.Operators/Issue",
                                          .call = {.serve = umx_issue_serve, .user = &controller}};
    struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                             .tls = *umx_authority_tls(controller.authority),
                                             .max_message = 65536,
                                             .threads = 32,
                                             .methods = &method,
                                             .method_count = 1};
    struct umx_rpc_server *server;
    pthread_t threads[RACERS];

    (void)state;
    make_token("um1.contoso.test", "contoso.test", 0, 0, race.token, NULL);
    pki_must(umx_rpc_server_start(&options, &server, NULL));
    snprintf(race.target, sizeof race.target, "127.0.0.1:%d", umx_rpc_server_port(server));
    pthread_barrier_init(&race.start, NULL, RACERS);
    pthread_mutex_init(&race.mutex, NULL);
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, racer, &race), 0);
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    umx_rpc_server_stop(server, UMX_SECOND);
    assert_int_equal(race.other, 0);
    assert_int_equal(race.won, 1);
    assert_int_equal(race.used_up, RACERS - 1);
    assert_int_equal(strlen(race.key), 64);
    assert_int_equal(count_kind(UMX__JOURNAL__KIND__ENROLLED), 1);
    pthread_barrier_destroy(&race.start);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tokens_are_hashed_and_listed),
        TEST(test_tokens_that_cannot_be),
        TEST(test_one_use),
        TEST(test_pattern_counts_servers),
        TEST(test_refusals_have_their_ids),
        TEST(test_bad_requests),
        TEST(test_replays),
        TEST(test_held_until_decided),
        TEST(test_rejected),
        TEST(test_held_by_a_token_that_was_revoked),
        TEST(test_the_key_is_the_identity),
        TEST(test_revoked_and_forgotten),
        TEST(test_a_hundred_race_for_one_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a gate is given has to be what later steps take from it: a certificate of the very key that was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <cmocka.h>

#include "controller/verb.h"

/* s1 makes a request, s2 is the gate, s3 imports what it was given. */
struct stage {
    Umx__PlanStep step[3];
    Umx__Change change;
    Umx__ActionChange action;
    struct umx_step_state state[3];
    struct umx_plan_state plan;
    char *depends[1], *items[1], *result;
    struct umx_error err;
};

static char *text_of(BIO *bio)
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)length);

    BIO_free(bio);
    return text;
}

static char *request_pem(EVP_PKEY *key)
{
    X509_REQ *request = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    assert_true(X509_REQ_sign(request, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_REQ(bio, request), 1);
    X509_REQ_free(request);
    return text_of(bio);
}

static X509 *certificate_of(EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"um1.exchange.test", -1, -1, 0);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static char *certificate_pem(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    return text_of(bio);
}

/* DER as the command line sends a file that is no text: base64, one line. */
static char *certificate_base64(X509 *certificate)
{
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    char *text = calloc(1, (size_t)length * 2);

    assert_true(length > 0);
    EVP_EncodeBlock((unsigned char *)text, der, length);
    OPENSSL_free(der);
    return text;
}

static void stage_make(struct stage *s, const char *request)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < 3; i++) {
        static const char *const ids[] = {"s1", "s2", "s3"};
        umx__plan_step__init(&s->step[i]);
        s->step[i].id = (char *)(uintptr_t)ids[i];
        s->state[i].step = &s->step[i];
    }
    umx__change__init(&s->change);
    umx__action_change__init(&s->action);
    s->depends[0] = (char *)(uintptr_t) "s1";
    s->step[1].depends = s->depends;
    s->step[1].n_depends = 1;
    s->items[0] = (char *)(uintptr_t) "{\"certificate\":\"@s2.certificate\",\"server\":\"um1.exchange.test\"}";
    s->action.item = s->items;
    s->action.n_item = 1;
    s->change.action = &s->action;
    s->step[2].change = &s->change;
    s->plan.steps = s->state;
    s->plan.step_count = 3;
    s->plan.name = "p";
    if (request != NULL) {
        json_t *detail = json_pack("{s:s}", "request", request);
        char *inner = json_dumps(detail, JSON_COMPACT);
        json_t *result = json_pack("[{s:i,s:b,s:s}]", "item", 0, "ok", 1, "detail", inner);
        s->result = json_dumps(result, JSON_COMPACT);
        s->state[0].result = s->result;
        json_decref(result);
        json_decref(detail);
        free(inner);
    }
}

/* The error's id, 0 for none. */
static int check(struct stage *s, const char *name, const char *value)
{
    json_t *given = name != NULL ? json_pack("{s:s}", name, value) : NULL;
    char *values = given != NULL ? json_dumps(given, JSON_COMPACT) : NULL;

    s->err.id = 0;
    int status = umx_gate_values_check(&s->plan, &s->step[1], values, &s->err);
    assert_true((status == 0) == (s->err.id == 0));
    free(values);
    json_decref(given);
    return (int)s->err.id;
}

static void test_missing(void **state)
{
    struct stage s;
    (void)state;

    stage_make(&s, NULL);
    assert_int_equal(check(&s, NULL, NULL), UMX_ERR_GATE_VALUE_MISSING);
    assert_string_equal(s.err.why, "certificate");
    assert_int_equal(check(&s, "certifcate", "x"),
                     UMX_ERR_GATE_VALUE_MISSING);       /* a slip of the pen is no certificate */
    assert_int_equal(check(&s, "certificate", "x"), 0); /* no request is known: the agent judges */
    s.items[0] = (char *)(uintptr_t) "{\"note\":\"write to admin@s2.certificate please\"}"; /* no reference */
    assert_int_equal(check(&s, NULL, NULL), 0);
}

static void test_certificates(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    char *request = request_pem(key);
    X509 *right = certificate_of(key), *wrong = certificate_of(other);
    char *texts[] = {certificate_pem(right), certificate_base64(right), certificate_pem(wrong),
                     certificate_base64(wrong)};
    struct stage s;
    (void)state;

    stage_make(&s, request);
    assert_int_equal(check(&s, "certificate", texts[0]), 0);
    assert_int_equal(check(&s, "certificate", texts[1]), 0);
    for (size_t i = 2; i < 4; i++) {
        assert_int_equal(check(&s, "certificate", texts[i]), UMX_ERR_GATE_CERTIFICATE);
        assert_non_null(strstr(s.err.why, "um1.exchange.test"));
    }
    static const char *const broken[] = {
        "", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "AAAA", "=", "\n\n\n"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(check(&s, "certificate", broken[i]), UMX_ERR_GATE_CERTIFICATE);
    assert_int_equal(check(&s, "certificate", request), UMX_ERR_GATE_CERTIFICATE); /* the request itself, sent back */
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    X509_free(right);
    X509_free(wrong);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    free(request);
    free(s.result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_missing), cmocka_unit_test(test_certificates)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a certificate says, and the files that carry identities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pki.h"
#include "rpc/identity_file.h"

static struct pki pki;

static int parse(const char *uri, const char *second_dns, const char *dns, const char *unit, struct umx_identity *out)
{
    const char *names[] = {dns, second_dns};
    struct umx_certificate_spec spec = {.common_name = "x",
                                        .unit = unit,
                                        .uri = uri,
                                        .dns = names,
                                        .dns_count = dns == NULL          ? 0
                                                     : second_dns == NULL ? 1
                                                                          : 2,
                                        .path_length = -1,
                                        .client_auth = true,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = 4102444800 * UMX_SECOND};
    struct pki_leaf leaf = pki_issue(&pki, &spec);
    struct umx_error err = {0};
    int status = umx_identity_parse(leaf.chain, strlen(leaf.chain), out, &err);

    if (status != 0)
        assert_int_equal(err.id, UMX_ERR_IDENTITY_INVALID);
    pki_leaf_free(&leaf);
    return status;
}

static void test_roles(void **state)
{
    struct umx_identity id;

    (void)state;
    assert_int_equal(parse("umx://dep-1/agent/6b1e", NULL, "ex1.exchange.test", NULL, &id), 0);
    assert_int_equal(id.role, UMX_ROLE_AGENT);
    assert_string_equal(id.deployment, "dep-1");
    assert_string_equal(id.name, "6b1e");
    assert_string_equal(id.fqdn, "ex1.exchange.test");
    assert_string_equal(id.uri, "umx://dep-1/agent/6b1e");
    assert_string_equal(id.forest, "");
    assert_int_equal(id.not_after_at, 4102444800 * UMX_SECOND);
    assert_true(strlen(id.serial) >= 28 && strlen(id.serial) <= 32);
    assert_int_equal(strspn(id.serial, "0123456789abcdef"), strlen(id.serial));

    assert_int_equal(parse("umx://d/operator/S-1-5-21-1-2-3-500", NULL, NULL, "lync.test", &id), 0);
    assert_int_equal(id.role, UMX_ROLE_OPERATOR);
    assert_string_equal(id.forest, "lync.test");
    assert_string_equal(id.name, "S-1-5-21-1-2-3-500");

    assert_int_equal(parse("umx://d/controller/main", "b.test", "a.test", NULL, &id), 0);
    assert_int_equal(id.role, UMX_ROLE_CONTROLLER);
    assert_string_equal(id.fqdn, "a.test");
}

static void test_malformed_names_are_refused(void **state)
{
    static const char *const uris[] = {
        "umx://",          "umx://d",           "umx://d/agent",     "umx://d/agent/",    "umx:///agent/x",
        "umx://d//x",      "umx://d/root/x",    "umx://d/agent/x/y", "umx://d/agent/x?y", "http://d/agent/x",
        "UMX://d/agent/x", "umx://d/agent/x y", "umx://d/Agent/x",   "xumx://d/agent/x",  "umx://d/agent/x\n",
        "umx://d/agentt/x"};
    struct umx_identity id;

    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++)
        assert_int_equal(parse(uris[i], NULL, "h.test", NULL, &id), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse(NULL, NULL, "h.test", NULL, &id), UMX_E_UNAUTHENTICATED);
    /* An agent has exactly one DNS name, an operator exactly one forest. */
    assert_int_equal(parse("umx://d/agent/x", NULL, NULL, NULL, &id), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse("umx://d/agent/x", "b.test", "a.test", NULL, &id), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse("umx://d/agent/x", NULL, "a.test\tb", NULL, &id), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse("umx://d/operator/x", NULL, NULL, NULL, &id), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse("umx://d/operator/x", NULL, NULL, "two words", &id), UMX_E_UNAUTHENTICATED);
}

/* A certificate made by hand: two URIs, two units, a NUL in a name. */
static int parse_with(const char *first, int first_length, const char *second, const char *unit, const char *unit2)
{
    EVP_PKEY *key;
    X509 *made;
    struct umx_text pem = {0};
    struct umx_identity id;
    struct umx_certificate_spec spec = {.common_name = "x",
                                        .path_length = -1,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + UMX_DAY};
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    const char *texts[] = {first, second};

    pki_must(umx_certificate_key(&key, NULL));
    pki_must(umx_certificate_make(&spec, key, NULL, NULL, &made, NULL));
    for (int i = 0; i < 2 && texts[i] != NULL; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        ASN1_STRING_set(text, texts[i], i == 0 ? first_length : -1);
        GENERAL_NAME_set0_value(name, GEN_URI, text);
        sk_GENERAL_NAME_push(names, name);
    }
    X509_add1_ext_i2d(made, NID_subject_alt_name, names, 0, 0);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    X509_NAME *subject = X509_NAME_dup(X509_get_subject_name(made));
    const char *units[] = {unit, unit2};
    for (int i = 0; i < 2 && units[i] != NULL; i++)
        X509_NAME_add_entry_by_txt(subject, "OU", MBSTRING_UTF8, (const unsigned char *)units[i], -1, -1, 0);
    X509_set_subject_name(made, subject);
    X509_NAME_free(subject);
    X509_sign(made, key, EVP_sha256());
    pki_must(umx_certificate_add(made, &pem, NULL));
    int status = umx_identity_parse(pem.data, pem.length, &id, NULL);
    umx_text_free(&pem);
    X509_free(made);
    EVP_PKEY_free(key);
    return status;
}

static void test_ambiguous_names_are_refused(void **state)
{
    static const char good[] = "umx://d/operator/S-1";
    static const char nul[] = "umx://d/operator/S-1\0/evil";

    (void)state;
    assert_int_equal(parse_with(good, -1, NULL, "a.test", NULL), 0);
    assert_int_equal(parse_with(good, -1, "umx://d/operator/S-2", "a.test", NULL), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse_with(good, -1, "http://elsewhere/", "a.test", NULL), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse_with(good, -1, NULL, "a.test", "b.test"), UMX_E_UNAUTHENTICATED);
    assert_int_equal(parse_with(nul, sizeof nul - 1, NULL, "a.test", NULL), UMX_E_UNAUTHENTICATED);
}

static void test_bytes_that_are_no_certificate(void **state)
{
    static const char *const texts[] = {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    struct umx_identity id;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(umx_identity_parse(texts[i], strlen(texts[i]), &id, NULL), UMX_E_UNAUTHENTICATED);
}

/* ---- files */

static char directory[] = "/tmp/umx-identity-XXXXXX";

static struct umx_text whole_file(struct pki_leaf *leaf)
{
    struct umx_text text = {0};

    umx_text_adds(&text, leaf->key);
    umx_text_adds(&text, leaf->chain);
    umx_text_adds(&text, pki.roots);
    return text;
}

static void test_identity_file(void **state)
{
    struct pki_leaf leaf = pki_leaf(&pki, "umx://d/agent/1", "h.test", NULL, 5);
    struct umx_text text = whole_file(&leaf);
    struct umx_identity_file file = {0};
    struct umx_error err = {0};
    struct stat found;
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "%s/identity.pem", directory);
    assert_int_equal(umx_private_file_write(path, "old", 3, &err), 0);
    assert_int_equal(umx_private_file_write(path, text.data, text.length, &err), 0);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_int_equal(umx_identity_file_load(path, &file, &err), 0);
    assert_string_equal(file.identity.fqdn, "h.test");
    assert_string_equal(file.root, pki.roots);
    assert_string_equal(file.chain, leaf.chain);
    assert_string_equal(file.key, leaf.key);
    umx_identity_file_free(&file);
    unlink(path);
    assert_int_equal(umx_identity_file_load(path, &file, &err), UMX_E_IO);
    snprintf(path, sizeof path, "%s/missing/identity.pem", directory);
    assert_int_equal(umx_private_file_write(path, "x", 1, &err), UMX_E_IO);
    umx_text_free(&text);
    pki_leaf_free(&leaf);
}

static int parse_parts(const char *a, const char *b, const char *c)
{
    struct umx_text text = {0};
    struct umx_identity_file file = {0};
    struct umx_error err = {0};

    umx_text_adds(&text, a);
    umx_text_adds(&text, b);
    umx_text_adds(&text, c);
    int status = umx_identity_file_parse(umx_text_string(&text), text.length, "test", &file, &err);
    if (status == 0)
        umx_identity_file_free(&file);
    else
        assert_int_equal(err.id, UMX_ERR_IDENTITY_FILE_INVALID);
    umx_text_free(&text);
    return status;
}

static void test_incomplete_files_are_refused(void **state)
{
    struct pki other;
    struct pki_leaf leaf = pki_leaf(&pki, "umx://d/agent/1", "h.test", NULL, 5);
    struct pki_leaf wrong = pki_leaf(&pki, "umx://d/agent/2", "i.test", NULL, 5);

    (void)state;
    pki_make(&other, "other");
    assert_int_equal(parse_parts(leaf.key, leaf.chain, pki.roots), 0);
    assert_int_equal(parse_parts(leaf.key, leaf.chain, ""), UMX_E_ARGUMENT);
    assert_int_equal(parse_parts("", leaf.chain, pki.roots), UMX_E_ARGUMENT);
    assert_int_equal(parse_parts(leaf.key, "", pki.roots), UMX_E_ARGUMENT);
    assert_int_equal(parse_parts(wrong.key, leaf.chain, pki.roots), UMX_E_ARGUMENT);
    assert_int_equal(parse_parts(leaf.key, leaf.chain, other.roots), UMX_E_ARGUMENT);
    assert_int_equal(parse_parts(leaf.key, pki.roots, leaf.chain), UMX_E_ARGUMENT);
    assert_int_equal(parse_parts("", "", ""), UMX_E_ARGUMENT);
    pki_leaf_free(&leaf);
    pki_leaf_free(&wrong);
    pki_free(&other);
}

static int set_up(void **state)
{
    (void)state;
    pki_make(&pki, "root");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(&pki);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_malformed_names_are_refused),
        cmocka_unit_test(test_ambiguous_names_are_refused),
        cmocka_unit_test(test_bytes_that_are_no_certificate),
        cmocka_unit_test(test_identity_file),
        cmocka_unit_test(test_incomplete_files_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

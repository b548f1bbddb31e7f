/* Certificates: what is read from them, and whether their chains hold on the host's own roots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"
#include "recorded_host.h"

static struct pki pki;
static struct place place;

static int set_up(void **state)
{
    struct umx_text pem = {0};

    (void)state;
    pki_make(&pki, "root");
    place = place_make();
    place_write(&place, "host.ini", "[host]\nfqdn = ex1.exchange.test\n");
    place_write(&place, "certificates/root/root.pem", pki.roots);
    umx_certificate_add(pki.intermediate, &pem, NULL);
    place_write(&place, "certificates/ca/intermediate.pem", pem.data);
    umx_text_free(&pem);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(&pki);
    place_remove(&place);
    return 0;
}

/* One server certificate into My; with_chain: intermediates behind it in the file. */
static void put(const char *file, const struct pki *by, const char *cn, const char *const *dns, size_t count, int life,
                bool with_chain, bool with_key)
{
    struct umx_certificate_spec spec = {.common_name = cn,
                                        .dns = dns,
                                        .dns_count = count,
                                        .path_length = -1,
                                        .server_auth = true,
                                        .not_before_at = umx_clock_now() - 30 * UMX_DAY,
                                        .not_after_at = umx_clock_now() + life * UMX_DAY};
    struct pki_leaf leaf = pki_issue(by, &spec);
    struct umx_text text = {0};
    char *second = strstr(leaf.chain + 1, "-----BEGIN");

    if (!with_chain && second != NULL)
        *second = '\0';
    umx_text_addf(&text, "%s%s", leaf.chain, with_key ? leaf.key : "");
    place_write(&place, file, text.data);
    umx_text_free(&text);
    pki_leaf_free(&leaf);
}

/* The one certificate of My. */
static const Umx__Certificate *own(const struct umx_rows *rows)
{
    const Umx__Certificate *found = NULL;

    for (size_t i = 0; i < rows->count; i++) {
        const Umx__Certificate *row = (const Umx__Certificate *)rows->items[i];
        if (strcmp(row->store, "My") == 0) {
            assert_null(found);
            found = row;
        }
    }
    assert_non_null(found);
    return found;
}

static void a_good_certificate(void **state)
{
    static const char *const names[] = {"ex1.exchange.test", "*.exchange.test"};

    (void)state;
    put("certificates/a.pem", &pki, "ex1.exchange.test", names, 2, 300, false, true);
    struct umx_host *host = place_open(&place);
    struct umx_rows rows = collect_rows(host, "certificate");
    assert_int_equal(rows.count, 2); /* and the root: intermediates are not reported */
    const Umx__Certificate *row = own(&rows);
    const Umx__Certificate *root =
        (const Umx__Certificate *)(rows.items[0] == &row->base ? rows.items[1] : rows.items[0]);
    assert_string_equal(row->server, "ex1.exchange.test");
    assert_string_equal(row->subject_cn, "ex1.exchange.test");
    assert_int_equal(row->n_dns_name, 2);
    assert_string_equal(row->dns_name[1], "*.exchange.test");
    assert_int_equal(row->n_eku, 1);
    assert_string_equal(row->eku[0], "1.3.6.1.5.5.7.3.1");
    assert_string_equal(row->chain, "ok");
    assert_string_equal(row->root_thumbprint, root->thumbprint);
    assert_int_equal(strlen(row->thumbprint), 40);
    assert_int_equal(strspn(row->thumbprint, "0123456789ABCDEF"), 40);
    assert_false(row->self_signed);
    assert_true(row->private_key);
    assert_int_equal(row->key_bits, 256);
    assert_string_equal(row->key_algorithm, "EC");
    assert_true(row->not_after_at - row->not_before_at == 330 * UMX_DAY);
    assert_string_equal(root->store, "Root");
    assert_true(root->self_signed);
    assert_false(root->private_key);
    umx_rows_end(&rows);
    umx_host_close(host);
}

static void an_expired_one_says_so(void **state)
{
    static const char *const names[] = {"ex1.exchange.test"};

    (void)state;
    put("certificates/a.pem", &pki, "ex1.exchange.test", names, 1, -1, true, false);
    struct umx_host *host = place_open(&place);
    struct umx_rows rows = collect_rows(host, "certificate");
    assert_string_equal(own(&rows)->chain, "certificate has expired");
    assert_false(own(&rows)->private_key);
    umx_rows_end(&rows);
    umx_host_close(host);
}

static void a_foreign_root_is_not_trusted(void **state)
{
    static const char *const names[] = {"ex1.exchange.test"};
    struct pki foreign;

    (void)state;
    pki_make(&foreign, "foreign root");
    put("certificates/a.pem", &foreign, "ex1.exchange.test", names, 1, 100, true, true);
    struct umx_host *host = place_open(&place);
    struct umx_rows rows = collect_rows(host, "certificate");
    assert_string_not_equal(own(&rows)->chain, "ok");
    assert_null(own(&rows)->root_thumbprint);
    umx_rows_end(&rows);
    umx_host_close(host);
    pki_free(&foreign);
}

static void a_self_signed_one_is_recognised(void **state)
{
    struct umx_certificate_spec spec = {.common_name = "EX1",
                                        .path_length = -1,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + UMX_DAY};
    struct umx_text pem = {0};
    EVP_PKEY *key;
    X509 *leaf;

    (void)state;
    assert_int_equal(umx_certificate_key(&key, NULL), 0);
    assert_int_equal(umx_certificate_make(&spec, key, NULL, NULL, &leaf, NULL), 0);
    umx_certificate_add(leaf, &pem, NULL);
    place_write(&place, "certificates/a.pem", pem.data);
    struct umx_host *host = place_open(&place);
    struct umx_rows rows = collect_rows(host, "certificate");
    assert_true(own(&rows)->self_signed);
    assert_string_not_equal(own(&rows)->chain, "ok");
    assert_string_equal(own(&rows)->root_thumbprint, own(&rows)->thumbprint); /* it is its own end */
    assert_int_equal(own(&rows)->n_dns_name, 0);
    umx_rows_end(&rows);
    umx_host_close(host);
    umx_text_free(&pem);
    EVP_PKEY_free(key);
    X509_free(leaf);
}

static void rubbish_is_reported_as_such(void **state)
{
    (void)state;
    place_write(&place, "certificates/a.pem", "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n");
    struct umx_host *host = place_open(&place);
    struct umx_rows rows = collect_rows(host, "certificate");
    assert_string_equal(own(&rows)->error, "a.pem: it is not a certificate");
    assert_null(own(&rows)->thumbprint);
    umx_rows_end(&rows);
    umx_host_close(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_expired_one_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_root_is_not_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_self_signed_one_is_recognised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rubbish_is_reported_as_such, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

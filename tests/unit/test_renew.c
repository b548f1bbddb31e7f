/* Renewal on the agent's side: when, and what is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/renew.h"
#include "base/clock.h"
#include "controller/authority.h"
#include "pki.h"
#include "rpc/request.h"

static char directory[] = "/tmp/umx-renew-XXXXXX";
static struct umx_authority *authority;
static struct umx_authority *stranger; /* another deployment */
static struct umx_identity_file identity;
static char path[64];

static const char *below(const char *name)
{
    static char made[96];

    snprintf(made, sizeof made, "%s/%s", directory, name);
    return made;
}

static void open_authority(const char *name, const char *deployment, struct umx_authority **out)
{
    static const char *const names[] = {"127.0.0.1"};

    pki_must(umx_authority_init(below(name), deployment, names, 1, NULL));
    pki_must(umx_authority_open(below(name), out, NULL));
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/identity.pem", directory);
    open_authority("data", "lab", &authority);
    open_authority("other", "lab", &stranger);
    return 0;
}

static int tear_down(void **state)
{
    char command[96];

    (void)state;
    umx_authority_close(authority);
    umx_authority_close(stranger);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command); /* NOLINT: a test's own directory */
}

/* A fresh identity of 30 days, on the disk and in memory. */
static int each_set_up(void **state)
{
    struct umx_text pem = {0};
    struct umx_issued issued;

    (void)state;
    umx_clock_set(0);
    pki_must(umx_authority_issue_agent(authority, "um1.contoso.test", 30 * UMX_DAY, &pem, &issued, NULL));
    pki_must(umx_identity_file_parse(pem.data, pem.length, "agent", &identity, NULL));
    pki_must(umx_private_file_write(path, pem.data, pem.length, NULL));
    umx_issued_free(&issued);
    umx_private_free(pem.data);
    return 0;
}

static int each_tear_down(void **state)
{
    (void)state;
    umx_clock_set(0);
    umx_identity_file_free(&identity);
    return 0;
}

static char *read_identity(void)
{
    char *text;
    size_t length;

    pki_must(umx_private_file_read(path, UMX_IDENTITY_FILE_MAX, &text, &length, NULL));
    return text;
}

static void test_due_with_a_third_left(void **state)
{
    struct umx_renewal renewal = {0};
    int64_t end = identity.identity.not_after_at;

    (void)state;
    assert_false(umx_renewal_due(&renewal));
    for (int i = 0; i < 50; i++) {
        pki_must(umx_renewal_begin(&renewal, &identity, NULL));
        assert_true(renewal.due_at >= end - 10 * UMX_DAY - UMX_HOUR);
        assert_true(renewal.due_at <= end - 9 * UMX_DAY);
    }
    assert_false(umx_renewal_due(&renewal));
    umx_clock_set(end - 9 * UMX_DAY);
    assert_true(umx_renewal_due(&renewal));
    /* A late start does not wait any longer. */
    umx_clock_set(end - 3 * UMX_DAY);
    pki_must(umx_renewal_begin(&renewal, &identity, NULL));
    assert_true(umx_renewal_due(&renewal));
    umx_renewal_end(&renewal);
}

static void test_hurry(void **state)
{
    struct umx_renewal renewal = {0};

    (void)state;
    pki_must(umx_renewal_begin(&renewal, &identity, NULL));
    umx_renewal_hurry(&renewal, 60);
    assert_true(renewal.due_at <= umx_clock_now() + 60 * UMX_SECOND);
    umx_renewal_hurry(&renewal, 0);
    assert_true(umx_renewal_due(&renewal));
    umx_renewal_end(&renewal);
}

static void test_taken(void **state)
{
    struct umx_renewal renewal = {0};
    struct umx_identity_file after = {0};
    Umx__Renewed renewed = UMX__RENEWED__INIT;
    struct umx_issued issued;
    struct stat found;
    uint8_t *request;
    size_t length;

    (void)state;
    pki_must(umx_renewal_begin(&renewal, &identity, NULL));
    umx_renewal_hurry(&renewal, 0);
    pki_must(umx_renewal_ask(&renewal, &request, &length, NULL));
    assert_false(umx_renewal_due(&renewal)); /* it is asked already */
    pki_must(umx_authority_renew_agent(authority, request, length, &identity.identity, &issued, NULL));
    renewed.chain = issued.chain;
    assert_int_equal(umx_renewal_take(&renewal, &renewed, path, NULL), 0);
    pki_must(umx_identity_file_load(path, &after, NULL));
    assert_string_equal(after.identity.uri, identity.identity.uri);
    assert_string_equal(after.identity.fqdn, identity.identity.fqdn);
    assert_string_not_equal(after.identity.key, identity.identity.key);
    assert_string_not_equal(after.key, identity.key);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    /* The same answer again is not of a request that is out. */
    assert_int_not_equal(umx_renewal_take(&renewal, &renewed, path, NULL), 0);
    umx_identity_file_free(&after);
    umx_issued_free(&issued);
    umx_renewal_end(&renewal);
    free(request);
}

/* Whatever the answer is that was not asked for: the file stays as it was. */
static void expect_left(struct umx_renewal *renewal, const char *chain, const char *error, enum umx_error_id id)
{
    Umx__Renewed renewed = UMX__RENEWED__INIT;
    struct umx_error err = {0};
    char *before = read_identity(), *after;

    renewed.chain = (char *)(uintptr_t)chain;
    renewed.error = (char *)(uintptr_t)error;
    assert_int_not_equal(umx_renewal_take(renewal, &renewed, path, &err), 0);
    assert_int_equal(err.id, id);
    after = read_identity();
    assert_string_equal(before, after);
    umx_private_free(before);
    umx_private_free(after);
    assert_false(umx_renewal_due(renewal)); /* not at once again */
    renewal->retry_at = 0;
}

static void test_not_taken(void **state)
{
    struct umx_renewal renewal = {0};
    struct umx_issued issued;
    struct umx_text pem = {0};
    struct umx_error err = {0};
    Umx__Renewed renewed = UMX__RENEWED__INIT;
    uint8_t *request;
    size_t length;

    (void)state;
    pki_must(umx_renewal_begin(&renewal, &identity, NULL));
    umx_renewal_hurry(&renewal, 0);
    /* Nothing was asked. */
    assert_int_not_equal(umx_renewal_take(&renewal, &renewed, path, &err), 0);
    assert_int_equal(err.id, UMX_ERR_PROTOCOL);
    renewal.retry_at = 0;
#define ASK()                                                                                                          \
    free(request);                                                                                                     \
    pki_must(umx_renewal_ask(&renewal, &request, &length, NULL))
    request = NULL;
    /* Refused, with the controller's id or one that nobody knows. */
    ASK();
    expect_left(&renewal, NULL, "UMX-1804", UMX_ERR_BUSY);
    ASK();
    expect_left(&renewal, NULL, "UMX-9999999999", UMX_ERR_ANSWER_INVALID);
    ASK();
    expect_left(&renewal, NULL, NULL, UMX_ERR_ANSWER_INVALID);
    /* Garbage, and a certificate of another key: the one it has. */
    ASK();
    expect_left(&renewal, "-----BEGIN CERTIFICATE-----\nAAAA\n", NULL, UMX_ERR_IDENTITY_FILE_INVALID);
    ASK();
    pki_must(umx_authority_issue_agent(authority, "um1.contoso.test", UMX_DAY, &pem, &issued, NULL));
    expect_left(&renewal, issued.chain, NULL, UMX_ERR_IDENTITY_FILE_INVALID);
    umx_issued_free(&issued);
    umx_private_free(pem.data);
    pem = (struct umx_text){0};
    /* Its key, in the name of another agent, and of another server. */
    ASK();
    pki_must(umx_authority_enrol_agent(authority, request, length, "11111111-2222-4333-8444-555555555555",
                                       "um1.contoso.test", &issued, NULL));
    expect_left(&renewal, issued.chain, NULL, UMX_ERR_ANSWER_INVALID);
    umx_issued_free(&issued);
    ASK();
    pki_must(umx_authority_enrol_agent(authority, request, length, identity.identity.name, "um2.contoso.test", &issued,
                                       NULL));
    expect_left(&renewal, issued.chain, NULL, UMX_ERR_ANSWER_INVALID);
    umx_issued_free(&issued);
    /* Its key and name, of another root. */
    ASK();
    pki_must(umx_authority_enrol_agent(stranger, request, length, identity.identity.name, "um1.contoso.test", &issued,
                                       NULL));
    expect_left(&renewal, issued.chain, NULL, UMX_ERR_ANSWER_INVALID);
    umx_issued_free(&issued);
    /* A place that cannot be written. */
    ASK();
    pki_must(umx_authority_renew_agent(authority, request, length, &identity.identity, &issued, NULL));
    renewed.chain = issued.chain;
    assert_int_not_equal(umx_renewal_take(&renewal, &renewed, "/nonexistent/identity.pem", &err), 0);
    assert_int_equal(err.id, UMX_ERR_FILE_UNWRITABLE);
    umx_issued_free(&issued);
    umx_renewal_end(&renewal);
    free(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each_set_up, each_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_due_with_a_third_left),
        TEST(test_hurry),
        TEST(test_taken),
        TEST(test_not_taken),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

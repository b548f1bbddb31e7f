/* `umx-agent enroll` against the controller's own `Issue`, over real TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "agent/enroll.h"
#include "controller/issue.h"
#include "enrolment.h"
#include "rpc/request.h"

#define UM1 "um1.contoso.test"

static struct umx_rpc_server *server;
static struct umx_agent_config agent;
static char target[64];
static char token_file[128];
static FILE *out;

static int begin(void **state)
{
    const struct umx_rpc_method method = {.path = "/umx.v1.Operators/Issue",
                                          .call = {.serve = umx_issue_serve, .user = &controller}};

    set_up(state);
    struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                             .tls = *umx_authority_tls(controller.authority),
                                             .max_message = 65536,
                                             .threads = 4,
                                             .methods = &method,
                                             .method_count = 1};
    pki_must(umx_rpc_server_start(&options, &server, NULL));
    snprintf(target, sizeof target, "127.0.0.1:%d", umx_rpc_server_port(server));
    agent = (struct umx_agent_config){0};
    umx_text_copy(agent.identity, sizeof agent.identity, path_of("identity.pem"));
    umx_text_copy(token_file, sizeof token_file, path_of("token"));
    out = fopen("/dev/null", "w");
    return out != NULL ? 0 : -1;
}

static int finish(void **state)
{
    fclose(out);
    umx_rpc_server_stop(server, UMX_SECOND);
    return tear_down(state);
}

static void give_token(const char *text)
{
    pki_must(umx_private_file_write(token_file, text, strlen(text), NULL));
}

static void new_token(void)
{
    char text[UMX_TOKEN_TEXT];

    make_token(UM1, "contoso.test", 0, 0, text, NULL);
    give_token(text);
}

static int enroll(bool new_key, const char *forest, struct umx_error *err)
{
    struct umx_enroll_options options = {.controller = target, .token_file = token_file, .new_key = new_key};

    *err = (struct umx_error){0};
    return umx_enroll(&agent, UM1, forest, &options, out, err);
}

static void expect_identity(struct umx_identity *identity)
{
    struct umx_identity_file file = {0};
    struct umx_error err;
    struct stat found;

    if (umx_identity_file_load(agent.identity, &file, &err) != 0)
        fail_msg("%s", umx_error_why(&err));
    assert_int_equal(stat(agent.identity, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_not_equal(access(path_of("identity.pem.enrolling"), F_OK), 0);
    *identity = file.identity;
    umx_identity_file_free(&file);
}

static void test_enrols_and_keeps_its_key(void **state)
{
    struct umx_identity first, second, third;
    struct umx_error err;

    (void)state;
    new_token();
    assert_int_equal(enroll(false, "", &err), 0);
    expect_identity(&first);
    assert_int_equal(first.role, UMX_ROLE_AGENT);
    assert_string_equal(first.fqdn, UM1);
    /* Another token: the same key, and so the same agent. */
    new_token();
    assert_int_equal(enroll(false, "contoso.test", &err), 0);
    expect_identity(&second);
    assert_string_equal(second.uri, first.uri);
    assert_string_equal(second.key, first.key);
    assert_string_not_equal(second.serial, first.serial);
    /* Also long after it has expired. */
    umx_clock_set(umx_clock_now() + 90 * UMX_DAY);
    new_token();
    assert_int_equal(enroll(false, "", &err), 0);
    umx_clock_set(0);
    expect_identity(&third);
    assert_string_equal(third.uri, first.uri);
}

static void test_a_new_key_waits_for_a_decision(void **state)
{
    struct umx_identity first, second;
    struct umx_error err;
    char pending[UMX_KEY_HASH_TEXT], *key;
    size_t length;

    (void)state;
    new_token();
    assert_int_equal(enroll(false, "", &err), 0);
    expect_identity(&first);
    new_token();
    assert_int_not_equal(enroll(true, "", &err), 0);
    assert_int_equal(err.id, UMX_ERR_ENROLMENT_HELD);
    /* What is there stays; the new key waits beside it, and is the one that is asked for again. */
    pki_must(umx_private_file_read(path_of("identity.pem.enrolling"), 65536, &key, &length, NULL));
    pki_must(umx_request_key_hash(key, "key", pending, NULL));
    umx_private_free(key);
    assert_non_null(strstr(err.why, pending));
    assert_int_not_equal(enroll(true, "", &err), 0);
    assert_non_null(strstr(err.why, pending));
    pki_must(umx_enrolment_decide(controller.enrolment, UM1, pending, true, OLGA, NULL));
    assert_int_equal(enroll(true, "", &err), 0);
    expect_identity(&second);
    assert_string_equal(second.key, pending);
    assert_string_not_equal(second.uri, first.uri);
}

static void test_refused_before_anything_is_sent(void **state)
{
    char text[UMX_TOKEN_TEXT];
    struct umx_error err;
    struct umx_arena *arena = umx_arena_new(65536);
    Umx__Token **tokens;
    size_t count;

    (void)state;
    make_token(UM1, "contoso.test", 0, 0, text, NULL);
    /* Another root: it is not the controller that the token is of. */
    size_t last = strlen(text) - 1;
    text[last] = text[last] == '0' ? '1' : '0';
    give_token(text);
    assert_int_equal(enroll(false, "", &err), UMX_E_UNAUTHENTICATED);
    assert_int_equal(err.id, UMX_ERR_ROOT_NOT_FOUND);
    give_token("umx1-");
    assert_int_equal(enroll(false, "", &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_TOKEN_FILE_INVALID);
    assert_int_equal(unlink(token_file), 0);
    assert_int_equal(enroll(false, "", &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_FILE_UNREADABLE);
    assert_int_not_equal(access(agent.identity, F_OK), 0);
    assert_int_not_equal(access(path_of("identity.pem.enrolling"), F_OK), 0);
    pki_must(umx_enrolment_tokens(controller.enrolment, arena, &tokens, &count, NULL));
    assert_int_equal(count, 1);
    assert_int_equal(tokens[0]->used, 0);
    umx_arena_free(arena);
}

static void test_refusals_reach_the_agent(void **state)
{
    char text[UMX_TOKEN_TEXT];
    struct umx_error err;
    struct umx_identity identity;

    (void)state;
    new_token();
    assert_int_equal(enroll(false, "lync.test", &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_TOKEN_WRONG_FOREST);
    make_token("um2.contoso.test", "contoso.test", 0, 0, text, NULL);
    give_token(text);
    assert_int_equal(enroll(false, "", &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_TOKEN_WRONG_NAME);
    /* The identity cannot be written: nothing is lost, the same command goes on with the same token. */
    new_token();
    pki_must(mkdir(agent.identity, 0700));
    assert_int_equal(enroll(false, "", &err), UMX_E_IO);
    assert_int_equal(err.id, UMX_ERR_FILE_UNWRITABLE);
    assert_int_equal(rmdir(agent.identity), 0);
    assert_int_equal(enroll(false, "", &err), 0);
    expect_identity(&identity);
    /* Nobody is there. */
    umx_text_copy(target, sizeof target, "127.0.0.1:1");
    new_token();
    assert_int_equal(enroll(false, "", &err), UMX_E_UNREACHABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_enrols_and_keeps_its_key),
        TEST(test_a_new_key_waits_for_a_decision),
        TEST(test_refused_before_anything_is_sent),
        TEST(test_refusals_reach_the_agent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

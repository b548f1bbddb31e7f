/* Whole command lines against a controller of the test's own: real TLS, real signatures, answers written down here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/reflect.h"
#include "base/statement.h"
#include "cli/cli.h"
#include "pki.h"
#include "rpc/rpc.h"
#include "rpc/signature.h"

#define OPERATOR "umx://lab/operator/S-1-5-21-1-2-3-1104"
#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct pki pki, stranger;
static struct umx_rpc_server *server;
static char address[32], identity[] = "/tmp/umx-cli-identity-XXXXXX", foreign[] = "/tmp/umx-cli-foreign-XXXXXX";

static char *out_text, *err_text;
static size_t out_length, err_length;

static const char *deployment = "lab"; /* what the controller says it is */

/* What the last decision was, verified as the engine does. */
static struct {
    char operation[32];
    bool signature_good;
    char expires[UMX_CLOCK_TEXT];
    char comment[64];
} decided;

/* ---- the controller */

static int event(struct umx_rpc_call *call, Umx__RunEvent__Kind kind, const char *type, const char *json)
{
    Umx__RunEvent message = UMX__RUN_EVENT__INIT;
    struct umx_error err;
    uint8_t *bytes = NULL;
    size_t length;

    message.has_kind = 1;
    message.kind = kind;
    message.type = (char *)(uintptr_t)type;
    message.json = (char *)(uintptr_t)json;
    int status = umx_reflect_pack(&message.base, &bytes, &length, &err);
    if (status == 0)
        status = umx_rpc_answer(call, bytes, length, &err);
    free(bytes);
    return status;
}

static int item(struct umx_rpc_call *call, const char *type, const char *json)
{
    return event(call, UMX__RUN_EVENT__KIND__ITEM, type, json);
}

static int end(struct umx_rpc_call *call, const char *json)
{
    return event(call, UMX__RUN_EVENT__KIND__END, "end", json);
}

static int answer_plan(struct umx_rpc_call *call)
{
    char json[512];

    item(call, "steps",
         "{\"id\":\"s1\",\"state\":\"pending\",\"forest\":\"x.test\",\"kind\":\"add\",\"summary\":\"gateway\"}");
    snprintf(json, sizeof json,
             "{\"name\":\"p1\",\"state\":\"submitted\",\"hash\":\"" HASH "\",\"author\":\"a\",\"deployment\":\"%s\","
             "\"forests\":[\"x.test\"]}",
             deployment);
    return end(call, json);
}

static int answer_decision(struct umx_rpc_call *call, const char *operation, const Umx__PlanDecisionArguments *got,
                           Umx__Approval__Decision decision)
{
    const struct umx_statement statement = {.deployment = "lab",
                                            .plan_hash = got->plan_hash,
                                            .forest = got->forest,
                                            .decision = decision,
                                            .expires_at = got->has_expires_at ? got->expires_at : 0,
                                            .ticket = got->ticket,
                                            .comment = got->comment};
    struct umx_text text = {0};
    struct umx_error err;
    size_t length;
    const uint8_t *certificate = umx_rpc_call_certificate(call, &length);

    umx_text_copy(decided.operation, sizeof decided.operation, operation);
    umx_text_copy(decided.comment, sizeof decided.comment, got->comment != NULL ? got->comment : "");
    decided.expires[0] = '\0';
    if (got->has_expires_at)
        umx_clock_format(got->expires_at, decided.expires);
    decided.signature_good = certificate != NULL && got->has_signature &&
                             umx_statement_write(&statement, &text, &err) == 0 &&
                             umx_signature_verify(certificate, length, umx_text_string(&text), text.length,
                                                  got->signature.data, got->signature.len, &err) == 0;
    umx_text_free(&text);
    return answer_plan(call);
}

static int answer_agents(struct umx_rpc_call *call)
{
    item(call, "agents", "{\"server\":\"fe1.lync.test\",\"state\":\"connected\",\"forest\":\"lync.test\"}");
    item(call, "agents", "{\"server\":\"um1.exchange.test\",\"state\":\"silent\",\"forest\":\"exchange.test\"}");
    return end(call, "{}");
}

static int answer_status(struct umx_rpc_call *call)
{
    item(call, "forests", "{\"forest\":\"x.test\",\"side\":\"exchange\",\"error\":\"UMX-1201: silence\"}");
    item(call, "pairs",
         "{\"exchange\":\"x.test\",\"lync\":\"y.test\",\"phases\":["
         "{\"slug\":\"forests\",\"state\":\"done\",\"fail\":0,\"warn\":0,\"unknown\":0},"
         "{\"slug\":\"exchucutil\",\"state\":\"missing\",\"fail\":4,\"warn\":1,\"unknown\":0},"
         "{\"slug\":\"ocsumutil\",\"state\":\"unknown\",\"fail\":0,\"warn\":0,\"unknown\":2}]}");
    return end(call, "{\"agents\":{\"connected\":3,\"silent\":1}}");
}

static int answer_snapshot(struct umx_rpc_call *call)
{
    item(call, "records", "{\"table\":\"forest\",\"record\":{\"forest\":\"x.test\",\"side\":\"exchange\"}}");
    return end(call, "{\"taken_at\":\"2026-01-31T22:00:00Z\",\"deployment\":\"lab\"}");
}

static int answer_slowly(struct umx_rpc_call *call, struct umx_error *err)
{
    item(call, "entries", "{\"kind\":\"started\",\"written_at\":\"2026-01-31T22:00:00Z\"}");
    for (int i = 0; i < 400 && !umx_rpc_cancelled(call); i++) {
        if (i == 2)
            raise(SIGINT); /* as if somebody pressed the key */
        usleep(20000);
    }
    return umx_fail(err, UMX_ERR_CANCELLED, "plan.watch", NULL);
}

static int answer(struct umx_rpc_call *call, const Umx__Call *request, struct umx_arena *arena, struct umx_error *err)
{
    static const struct {
        const char *operation;
        Umx__Approval__Decision decision;
    } decisions[] = {{"plan.approve", UMX__APPROVAL__DECISION__APPROVE},
                     {"plan.deny", UMX__APPROVAL__DECISION__DENY},
                     {"plan.withdraw", UMX__APPROVAL__DECISION__WITHDRAW}};
    ProtobufCMessage *arguments;

    for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++)
        if (strcmp(request->operation, decisions[i].operation) == 0) {
            int status = umx_reflect_from_json(&umx__plan_decision_arguments__descriptor, request->json,
                                               strlen(request->json), arena, &arguments, err);
            const Umx__PlanDecisionArguments *got = (const Umx__PlanDecisionArguments *)arguments;
            if (status != 0)
                return status;
            bool glass = got->has_break_glass && got->break_glass;
            return answer_decision(call, request->operation, got,
                                   glass ? UMX__APPROVAL__DECISION__BREAK_GLASS : decisions[i].decision);
        }
    if (strcmp(request->operation, "plan.show") == 0)
        return answer_plan(call);
    if (strcmp(request->operation, "agents") == 0)
        return answer_agents(call);
    if (strcmp(request->operation, "status") == 0)
        return answer_status(call);
    if (strcmp(request->operation, "snapshot") == 0)
        return answer_snapshot(call);
    if (strcmp(request->operation, "plan.watch") == 0)
        return answer_slowly(call, err);
    if (strcmp(request->operation, "query") == 0) {
        item(call, "rows", "{\"server\":\"fe1\",\"n\":3}");
        item(call, "silent", "{\"agent\":\"um1.exchange.test\",\"reason\":\"not connected\"}");
        return end(call, "{\"asked\":2,\"answered\":1}");
    }
    if (strcmp(request->operation, "audit.verify") == 0)
        return end(call, "{\"entries\":12,\"intact\":false,\"first_bad\":7}");
    return umx_fail(err, UMX_ERR_PLAN_NOT_FOUND, "p1", "it was deleted");
}

static int serve(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                 size_t length, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    ProtobufCMessage *message = NULL;
    int status = umx_reflect_unpack(&umx__call__descriptor, request, length, arena, &message, err);

    (void)user;
    if (status == 0 && peer->role != UMX_ROLE_OPERATOR)
        status = umx_fail(err, UMX_ERR_NOT_PERMITTED, "test", NULL);
    if (status == 0)
        status = answer(call, (const Umx__Call *)message, arena, err);
    umx_arena_free(arena);
    return status;
}

/* ---- its certificates: as the authority does, the proof is the key's signature over the request */

static bool foreign_root; /* the answer ends in a root that was not asked for */

static int issue(const Umx__IssueRequest *request, struct umx_text *chain, struct umx_error *err)
{
    const unsigned char *at = request->request.data, *certificate = request->certificate.data;
    X509 *forest = d2i_X509(NULL, &certificate, (long)request->certificate.len);
    X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)request->request.len);
    X509 *leaf = NULL;
    const struct umx_certificate_spec spec = {.common_name = "ada",
                                              .unit = request->forest,
                                              .uri = OPERATOR,
                                              .path_length = -1,
                                              .client_auth = true,
                                              .not_before_at = umx_clock_now() - UMX_DAY,
                                              .not_after_at = umx_clock_now() + UMX_DAY};
    int status = csr == NULL || forest == NULL || X509_REQ_verify(csr, X509_REQ_get0_pubkey(csr)) != 1
                     ? umx_fail(err, UMX_ERR_CSR_INVALID, "test", NULL)
                     : 0;

    /* The first certificate is the person's: what follows are its authorities. */
    if (status == 0)
        status = umx_signature_verify(request->certificate.data, (size_t)(certificate - request->certificate.data),
                                      request->request.data, request->request.len, request->signature.data,
                                      request->signature.len, err);
    if (status == 0)
        status = umx_certificate_make(&spec, X509_REQ_get0_pubkey(csr), pki.intermediate, pki.key, &leaf, err);
    if (status == 0) {
        umx_certificate_add(leaf, chain, err);
        umx_certificate_add(pki.intermediate, chain, err);
        umx_certificate_add(foreign_root ? stranger.root : pki.root, chain, err);
    }
    X509_free(leaf);
    X509_free(forest);
    X509_REQ_free(csr);
    return status;
}

static int serve_issue(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *bytes,
                       size_t length, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    ProtobufCMessage *message = NULL;
    Umx__IssueReply reply = UMX__ISSUE_REPLY__INIT;
    struct umx_text chain = {0};
    uint8_t *packed = NULL;
    size_t packed_length;
    int status = umx_reflect_unpack(&umx__issue_request__descriptor, bytes, length, arena, &message, err);

    (void)user;
    if (status == 0 && peer->role != UMX_ROLE_NONE)
        status = umx_fail(err, UMX_ERR_PROTOCOL, "test", "a login does not come with an identity");
    if (status == 0)
        status = issue((const Umx__IssueRequest *)message, &chain, err);
    if (status == 0) {
        reply.chain = chain.data;
        reply.identity = (char *)(uintptr_t)OPERATOR;
        reply.has_expires_at = 1;
        reply.expires_at = INT64_C(1769896800000000);
        status = umx_reflect_pack(&reply.base, &packed, &packed_length, err);
    }
    if (status == 0)
        status = umx_rpc_answer(call, packed, packed_length, err);
    free(packed);
    umx_text_free(&chain);
    umx_arena_free(arena);
    return status;
}

/* ---- running the program */

static void forget(void)
{
    free(out_text);
    free(err_text);
    out_text = err_text = NULL;
}

static int run_words(const char *target, const char *path, size_t count, const char *const *words)
{
    forget();
    struct umx_cli cli = {.controller = target, .identity = path, .style = {.width = 80}};
    cli.out = open_memstream(&out_text, &out_length);
    cli.err = open_memstream(&err_text, &err_length);
    assert_non_null(cli.out);
    assert_non_null(cli.err);
    int result = umx_cli_run(&cli, words, count);
    fclose(cli.out);
    fclose(cli.err);
    return result;
}

#define RUN_AT(target, path, ...)                                                                                      \
    run_words(target, path, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *),                         \
              (const char *const[]){__VA_ARGS__})
#define RUN(...) RUN_AT(address, identity, __VA_ARGS__)

/* ---- tests */

static void answers_become_tables_and_documents(void **state)
{
    (void)state;
    assert_int_equal(RUN("agents"), 0);
    assert_non_null(strstr(out_text, "silent     um1.exchange.test"));
    assert_true(strstr(out_text, "um1.exchange.test") < strstr(out_text, "fe1.lync.test")); /* problems first */
    assert_string_equal(err_text, "");
    assert_int_equal(RUN("agents", "-o", "csv"), 0);
    assert_string_equal(out_text, "server,state,forest\r\nfe1.lync.test,connected,lync.test\r\n"
                                  "um1.exchange.test,silent,exchange.test\r\n");
    assert_int_equal(RUN("plan", "show", "p1", "-o", "json"), 0);
    json_t *plan = json_loads(out_text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(plan, "steps")), 1);
    assert_true(json_is_array(json_object_get(plan, "approvals")));
    assert_string_equal(json_string_value(json_object_get(plan, "hash")), HASH);
    json_decref(plan);
}

static void status_has_its_problems_first(void **state)
{
    (void)state;
    assert_int_equal(RUN("status"), 0);
    assert_string_equal(out_text, "PROBLEMS\n"
                                  "STATE   WHAT     WHY\n"
                                  "error   x.test   UMX-1201: silence\n"
                                  "silent  1 agent  not connected; see `umx agents`\n"
                                  "\n"
                                  "FOREST  SIDE      READ FROM  AT\n"
                                  "x.test  exchange\n"
                                  "\n"
                                  "PHASE       x.test:y.test\n"
                                  "forests     done\n"
                                  "exchucutil  missing\n"
                                  "ocsumutil   unknown\n"
                                  "\n"
                                  "NEXT\n"
                                  "  umx check --phase exchucutil  (4 fail, 1 warn)\n"
                                  "\n"
                                  "agents: 3 connected, 1 silent\n");
}

static void exit_codes_say_how_it_went(void **state)
{
    (void)state;
    assert_int_equal(RUN("query", "SELECT 1"), 4); /* somebody did not answer */
    assert_non_null(strstr(err_text, "no answer from um1.exchange.test: not connected"));
    assert_int_equal(RUN("audit", "verify"), 1);
    assert_non_null(strstr(out_text, "BROKEN at entry 7 of 12"));
    assert_int_equal(RUN("plan", "delete", "p1"), 1);
    assert_non_null(strstr(err_text, "umx: error UMX-1306: p1: it was deleted; see `umx plan list`"));
    assert_int_equal(RUN("plan", "delete", "p1", "-o", "json"), 1);
    json_t *error = json_loads(err_text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(error, "error"), "id")), "UMX-1306");
    json_decref(error);
}

static void who_cannot_be_reached_or_trusted_is_three(void **state)
{
    (void)state;
    assert_int_equal(RUN_AT("127.0.0.1:1", identity, "agents"), 3);
    assert_non_null(strstr(err_text, "UMX-1102"));
    assert_int_equal(RUN_AT(address, foreign, "agents"), 3); /* another root: neither side trusts the other */
    assert_int_equal(RUN_AT(address, "/nonexistent.pem", "agents"), 3);
    assert_non_null(strstr(err_text, "UMX-1602"));
    assert_string_equal(out_text, "");
}

static void decisions_are_signed(void **state)
{
    (void)state;
    assert_int_equal(RUN("plan", "approve", "p1", "--forest", "x.test", "--expires", "2030-01-01T00:00:00Z", "--ticket",
                         "CHG-1", "--comment", "geprüft"),
                     0);
    assert_non_null(strstr(err_text, HASH));
    assert_string_equal(decided.operation, "plan.approve");
    assert_true(decided.signature_good);
    assert_string_equal(decided.expires, "2030-01-01T00:00:00Z");
    assert_string_equal(decided.comment, "geprüft");

    umx_clock_set(INT64_C(1769896800123456)); /* an expiry from now, to the microsecond */
    assert_int_equal(RUN("plan", "approve", "p1", "--forest", "x.test", "--hash", HASH), 0);
    umx_clock_set(0);
    assert_true(decided.signature_good);
    assert_string_equal(decided.expires, "2026-02-01T06:00:00.123456Z");

    assert_int_equal(RUN("plan", "approve", "p1", "--forest", "x.test", "--break-glass", "--comment", "fire"), 0);
    assert_true(decided.signature_good);
    assert_int_equal(RUN("plan", "deny", "p1", "--forest", "x.test", "--comment", "no"), 0);
    assert_string_equal(decided.operation, "plan.deny");
    assert_true(decided.signature_good);
    assert_string_equal(decided.expires, "");
    assert_int_equal(RUN("plan", "withdraw", "p1", "--forest", "x.test"), 0);
    assert_true(decided.signature_good);
}

static void what_was_not_reviewed_is_not_signed(void **state)
{
    (void)state;
    decided.operation[0] = '\0';
    assert_int_equal(RUN("plan", "approve", "p1", "--forest", "x.test", "--hash", "ff" HASH), 1);
    assert_non_null(strstr(err_text, "UMX-1405"));
    assert_int_equal(RUN("plan", "approve", "p1", "--forest", "x.test", "--break-glass"), 2);
    assert_non_null(strstr(err_text, "UMX-1429"));
    assert_int_equal(RUN("plan", "approve", "p1", "--forest", "x.test", "--comment", "a\nforest"), 2);
    assert_non_null(strstr(err_text, "UMX-1420"));
    assert_int_equal(RUN("plan", "approve", "p1"), 2);
    deployment = "elsewhere";
    assert_int_equal(RUN("plan", "approve", "p1", "--forest", "x.test"), 1);
    deployment = "lab";
    assert_string_equal(decided.operation, "");
}

static void a_snapshot_is_saved(void **state)
{
    char path[] = "/tmp/umx-cli-snapshot-XXXXXX";

    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(RUN("snapshot", "save", path), 0);
    assert_non_null(strstr(out_text, ": 1 records of 2026-01-31T22:00:00Z"));
    assert_int_equal(RUN("snapshot", "diff", path, path, "-o", "json"), 0);
    json_t *diff = json_loads(out_text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(diff, "from_at")), "2026-01-31T22:00:00Z");
    json_decref(diff);
    unlink(path);
}

static char home[] = "/tmp/umx-cli-login-XXXXXX";

static const char *in_home(const char *name)
{
    static char paths[4][128];
    static size_t turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", home, name);
    return path;
}

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(in_home(name), "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void login_makes_an_identity(void **state)
{
    struct pki_leaf ada = pki_leaf(&stranger, "urn:ada", NULL, NULL, 7);
    struct pki_leaf eve = pki_leaf(&stranger, "urn:eve", NULL, NULL, 7);
    struct stat found;

    (void)state;
    assert_non_null(mkdtemp(home));
    put_file("ada.pem", ada.chain);
    put_file("ada.key", ada.key);
    put_file("eve.key", eve.key);
    put_file("root.pem", pki.roots);
    put_file("other-root.pem", stranger.roots);
#define LOGIN(key, ca)                                                                                                 \
    RUN_AT(address, in_home("new/id.pem"), "login", "--forest", "x.test", "--certificate", in_home("ada.pem"),         \
           "--key", in_home(key), "--ca", in_home(ca), "-o", "json")

    assert_int_equal(LOGIN("eve.key", "root.pem"), 2); /* not the certificate's key: said here, nothing is asked */
    assert_int_equal(LOGIN("ada.key", "other-root.pem"), 3); /* the controller is not who it has to be */
    foreign_root = true;
    assert_int_not_equal(LOGIN("ada.key", "root.pem"), 0); /* an answer that does not belong together */
    foreign_root = false;
    assert_int_equal(LOGIN("ada.pem", "root.pem"), 2); /* no key in it */
    assert_int_equal(LOGIN("nothing", "root.pem"), 1);
    assert_int_equal(stat(in_home("new/id.pem"), &found), -1);

    assert_int_equal(LOGIN("ada.key", "root.pem"), 0);
    json_t *answer = json_loads(out_text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(answer, "identity")), OPERATOR);
    int64_t expires_at; /* the certificate's own */
    assert_int_equal(umx_clock_parse(json_string_value(json_object_get(answer, "expires_at")), &expires_at), 0);
    assert_true(llabs(expires_at - umx_clock_now() - UMX_DAY) < UMX_HOUR);
    json_decref(answer);
    assert_int_equal(stat(in_home("new/id.pem"), &found), 0);
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_int_equal(RUN_AT(address, in_home("new/id.pem"), "agents"), 0);
    assert_int_equal(RUN_AT(address, in_home("new/id.pem"), "plan", "approve", "p1", "--forest", "x.test"), 0);
    assert_true(decided.signature_good);

    static const char *const made[] = {"new/id.pem", "ada.pem", "ada.key", "eve.key", "root.pem", "other-root.pem"};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        assert_int_equal(unlink(in_home(made[i])), 0);
    assert_int_equal(rmdir(in_home("new")), 0);
    assert_int_equal(rmdir(home), 0);
    pki_leaf_free(&ada);
    pki_leaf_free(&eve);
}

/* Last: the key is remembered for the rest of the process. */
static void an_interrupt_cancels_the_call(void **state)
{
    (void)state;
    assert_int_equal(RUN("plan", "watch", "p1"), 1);
    assert_non_null(strstr(out_text, "started"));
    assert_non_null(strstr(err_text, "UMX-1108"));
}

/* ---- set-up */

static void write_identity(char *path, const struct pki *of)
{
    struct pki_leaf leaf = pki_leaf(of, OPERATOR, NULL, "x.test", 7);
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    assert_non_null(file);
    fprintf(file, "%s%s%s", leaf.key, leaf.chain, of->roots);
    fclose(file);
    pki_leaf_free(&leaf);
}

static int set_up(void **state)
{
    static const struct umx_rpc_method methods[] = {
        {.path = "/umx.v1.Operators/Run", .call = {.serve = serve}},
        {.path = "/umx.v1.Operators/Issue", .call = {.serve = serve_issue}}};
    struct umx_error err = {0};

    (void)state;
    umx_rpc_begin();
    pki_make(&pki, "root");
    pki_make(&stranger, "another root");
    struct pki_leaf controller = pki_leaf(&pki, "umx://lab/controller/umx.test", "umx.test", NULL, 7);
    const struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                                   .tls = pki_tls(&pki, &controller),
                                                   .max_message = 1024 * 1024,
                                                   .threads = 4,
                                                   .methods = methods,
                                                   .method_count = 2};
    if (umx_rpc_server_start(&options, &server, &err) != 0)
        return -1;
    snprintf(address, sizeof address, "127.0.0.1:%d", umx_rpc_server_port(server));
    write_identity(identity, &pki);
    write_identity(foreign, &stranger);
    pki_leaf_free(&controller);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    umx_rpc_server_stop(server, UMX_SECOND);
    umx_rpc_end();
    unlink(identity);
    unlink(foreign);
    pki_free(&pki);
    pki_free(&stranger);
    forget();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_become_tables_and_documents),
        cmocka_unit_test(status_has_its_problems_first),
        cmocka_unit_test(exit_codes_say_how_it_went),
        cmocka_unit_test(who_cannot_be_reached_or_trusted_is_three),
        cmocka_unit_test(decisions_are_signed),
        cmocka_unit_test(what_was_not_reviewed_is_not_signed),
        cmocka_unit_test(a_snapshot_is_saved),
        cmocka_unit_test(login_makes_an_identity),
        cmocka_unit_test(an_interrupt_cancels_the_call),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

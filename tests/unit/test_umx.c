/* libumx against a controller that is played here, over real TLS with a real authority. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/umx.h"
#include "controller/authority.h"
#include "pki.h"
#include "rpc/identity_file.h"
#include "rpc/signature.h"

#define SID "S-1-5-21-1111111111-2222222222-3333333333-1104"
#define FOREST "exchange.test"

static char directory[] = "/tmp/umx-client-XXXXXX";
static struct umx_authority *authority;
static struct umx_rpc_server *server;
static struct pki forest_ca;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool cancelled;
static bool serving;
static char last_caller[UMX_IDENTITY_MAX];
static char last_json[256];
static bool forge; /* Issue answers with something that was not asked for */

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;

    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", directory, name);
    return paths[next];
}

static void write_file(const char *name, const char *text)
{
    pki_must(umx_private_file_write(path_of(name), text, strlen(text), NULL));
}

/* ---- the controller */

static int answer(struct umx_rpc_call *call, int kind, const char *type, const char *json, struct umx_error *err)
{
    Umx__RunEvent event = UMX__RUN_EVENT__INIT;
    uint8_t bytes[4096];
    char texts[2][2048];

    umx_text_copy(texts[0], sizeof texts[0], type);
    umx_text_copy(texts[1], sizeof texts[1], json);
    event.has_kind = 1;
    event.kind = (Umx__RunEvent__Kind)kind;
    event.type = texts[0];
    event.json = texts[1];
    return umx_rpc_answer(call, bytes, umx__run_event__pack(&event, bytes), err);
}

static int serve_check(struct umx_rpc_call *call, struct umx_error *err)
{
    answer(call, UMX_REC_PROGRESS, "progress", "{\"activity\":\"reading\",\"done\":1,\"total\":2}", err);
    answer(call, UMX_REC_ITEM, "findings", "{\"id\":\"forests/trust\",\"actual\":\"\xC3\xA9\"}", err);
    answer(call, UMX_REC_ITEM, "findings", "{\"id\":\"forests/dns\"}", err);
    answer(call, UMX_REC_VERBOSE, "verbose", "\"text\"", err);
    answer(call, UMX_REC_WARNING, "warning", "{}", err);
    answer(call, UMX_REC_ERROR, "error", "{\"target\":\"lync.test\"}", err);
    return answer(call, UMX_REC_END, "end", "{\"counts\":{\"pass\":1}}", err);
}

static int serve_blocking(struct umx_rpc_call *call)
{
    pthread_mutex_lock(&mutex);
    serving = true;
    pthread_mutex_unlock(&mutex);
    while (!umx_rpc_cancelled(call))
        usleep(10000);
    pthread_mutex_lock(&mutex);
    cancelled = true;
    pthread_mutex_unlock(&mutex);
    return 0;
}

static int serve_run(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                     size_t length, struct umx_error *err)
{
    Umx__Call *message = umx__call__unpack(NULL, length, request);
    char operation[64];
    int status = 0;

    (void)user;
    if (message == NULL)
        return umx_fail(err, UMX_ERR_MESSAGE_INVALID, "call", NULL);
    umx_text_copy(operation, sizeof operation, message->operation);
    pthread_mutex_lock(&mutex);
    umx_text_copy(last_caller, sizeof last_caller, peer->uri);
    umx_text_copy(last_json, sizeof last_json, message->json);
    pthread_mutex_unlock(&mutex);
    umx__call__free_unpacked(message, NULL);
    if (peer->role == UMX_ROLE_NONE)
        status = umx_fail(err, UMX_ERR_PEER_UNAUTHENTICATED, operation, NULL);
    else if (strcmp(operation, "check") == 0)
        status = serve_check(call, err);
    else if (strcmp(operation, "block") == 0)
        status = serve_blocking(call);
    else if (strcmp(operation, "denied") == 0)
        status = umx_fail(err, UMX_ERR_NOT_PERMITTED, "plan.start", "needs \"operator\"");
    else if (strcmp(operation, "no_end") == 0)
        status = answer(call, UMX_REC_ITEM, "rows", "{}", err);
    else if (strcmp(operation, "bad_json") == 0)
        status = answer(call, UMX_REC_ITEM, "rows", "{\"a\":1},{\"kind\":\"end\"", err);
    else if (strcmp(operation, "bad_type") == 0)
        status = answer(call, UMX_REC_ITEM, "x\",\"kind\":\"end", "{}", err);
    else if (strcmp(operation, "bad_kind") == 0)
        status = answer(call, 77, "rows", "{}", err);
    else if (strcmp(operation, "garbage") == 0)
        status = umx_rpc_answer(call, "\xff\xff\xff\xff", 4, err);
    else
        status = umx_fail(err, UMX_ERR_OPERATION_UNKNOWN, operation, NULL);
    return status;
}

static int serve_issue(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                       size_t length, struct umx_error *err)
{
    Umx__IssueRequest *message = umx__issue_request__unpack(NULL, length, request);
    Umx__IssueReply reply = UMX__ISSUE_REPLY__INIT;
    struct umx_forest_person person;
    struct umx_issued issued = {0};
    uint8_t bytes[16384];

    (void)user;
    (void)peer;
    if (message == NULL)
        return umx_fail(err, UMX_ERR_MESSAGE_INVALID, "issue", NULL);
    int status = umx_authority_prove_forest(message, FOREST, path_of("operator-ca.pem"), &person, err);
    if (status == 0)
        status =
            umx_authority_issue_operator(authority, message->request.data, message->request.len, person.sid,
                                         person.name, forge ? "other.test" : FOREST, UMX_OPERATOR_LIFE, &issued, err);
    if (status == 0) {
        reply.chain = issued.chain;
        status = umx_rpc_answer(call, bytes, umx__issue_reply__pack(&reply, bytes), err);
    }
    umx_issued_free(&issued);
    umx__issue_request__free_unpacked(message, NULL);
    return status;
}

/* ---- calling the library */

static char *controller_address(void)
{
    static char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%d", umx_rpc_server_port(server));
    return address;
}

static int32_t call_json(int32_t (*function)(const uint8_t *, size_t, umx_buf *, umx_buf *), json_t *request,
                         umx_buf *result, umx_buf *err)
{
    char *text = json_dumps(request, 0);
    int32_t status = function((const uint8_t *)text, strlen(text), result, err);

    free(text);
    json_decref(request);
    return status;
}

static int32_t open_text(const char *text, umx_session **session, umx_buf *err)
{
    return umx_session_open((const uint8_t *)text, strlen(text), session, err);
}

static umx_session *open_session(const char *identity)
{
    umx_session *session;
    umx_buf err;
    char text[512];

    snprintf(text, sizeof text, "{\"controller\":\"%s\",\"identity\":\"%s\"}", controller_address(), identity);
    if (open_text(text, &session, &err) != 0)
        print_message("%.*s\n", (int)err.length, (const char *)err.data);
    assert_non_null(session);
    assert_null(err.data);
    return session;
}

static umx_op *start_op(umx_session *session, const char *text)
{
    umx_op *op;
    umx_buf err;

    assert_int_equal(umx_op_start(session, (const uint8_t *)text, strlen(text), &op, &err), 0);
    assert_non_null(op);
    return op;
}

/* Frees what it reads. */
static json_t *json_of(umx_buf *buf)
{
    json_t *value = json_loadb((const char *)buf->data, buf->length, 0, NULL);

    assert_non_null(value);
    umx_buf_free(buf);
    assert_null(buf->data);
    return value;
}

static const char *text_at(json_t *value, const char *key)
{
    const char *text = json_string_value(json_object_get(value, key));

    return text != NULL ? text : "(none)";
}

static void expect_error(umx_buf *err, int id)
{
    json_t *body = json_of(err);
    char wanted[16];

    snprintf(wanted, sizeof wanted, "UMX-%d", id);
    assert_string_equal(text_at(body, "id"), wanted);
    assert_true(strlen(text_at(body, "why")) > 0);
    assert_true(strlen(text_at(body, "remedy")) > 0);
    assert_int_equal(json_integer_value(json_object_get(body, "status")), umx_error_text(id)->status);
    json_decref(body);
}

static int32_t next(umx_op *op, umx_buf *record)
{
    int32_t kind;

    do
        kind = umx_op_next(op, 1000, record);
    while (kind == UMX_REC_TIMEOUT);
    return kind;
}

/* ---- login */

static X509 *make_person(EVP_PKEY *key)
{
    struct umx_certificate_spec spec = {.common_name = "ada.exadmin",
                                        .path_length = -1,
                                        .client_auth = true,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + UMX_DAY};
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_TYPE *value = ASN1_TYPE_new();
    ASN1_STRING *text = ASN1_STRING_type_new(V_ASN1_OCTET_STRING);
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    unsigned char *der = NULL;
    X509 *made;

    pki_must(umx_certificate_make(&spec, key, forest_ca.intermediate, forest_ca.key, &made, NULL));
    ASN1_STRING_set(text, SID, -1);
    ASN1_TYPE_set(value, V_ASN1_OCTET_STRING, text);
    GENERAL_NAME_set0_othername(name, OBJ_txt2obj("1.3.6.1.4.1.311.25.2.1", 1), value);
    sk_GENERAL_NAME_push(names, name);
    int length = i2d_GENERAL_NAMES(names, &der);
    ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *kind = OBJ_txt2obj("1.3.6.1.4.1.311.25.2", 1);
    ASN1_STRING_set(bytes, der, length);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, kind, 0, bytes);
    X509_add_ext(made, extension, -1);
    X509_sign(made, forest_ca.key, EVP_sha256());
    X509_EXTENSION_free(extension);
    ASN1_OBJECT_free(kind);
    ASN1_OCTET_STRING_free(bytes);
    OPENSSL_free(der);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return made;
}

/* me.pem with the intermediate behind it, me.key, and the files that everybody trusts. */
static void write_person(void)
{
    struct umx_text chain = {0};
    struct umx_text secret = {0};
    EVP_PKEY *key;

    pki_must(umx_certificate_key(&key, NULL));
    X509 *person = make_person(key);
    pki_must(umx_certificate_add(person, &chain, NULL));
    pki_must(umx_certificate_add(forest_ca.intermediate, &chain, NULL));
    pki_must(umx_certificate_add_key(key, &secret, NULL));
    write_file("me.pem", chain.data);
    write_file("me.key", secret.data);
    write_file("operator-ca.pem", forest_ca.roots);
    write_file("root.pem", umx_authority_root(authority));
    X509_free(person);
    EVP_PKEY_free(key);
    umx_text_free(&chain);
    umx_text_free(&secret);
}

static json_t *login_request(const char *trust, const char *value, const char *out)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "controller", controller_address(), "forest", FOREST, "certificate",
                     path_of("me.pem"), "key", path_of("me.key"), trust, value, "out", out);
}

static void test_login(void **state)
{
    umx_buf result;
    umx_buf err;
    struct stat found;
    struct umx_identity_file file = {0};

    (void)state;
    int32_t status =
        call_json(umx_login, login_request("ca", path_of("root.pem"), path_of("identity.pem")), &result, &err);
    if (status != 0)
        print_message("%.*s\n", (int)err.length, (const char *)err.data);
    assert_int_equal(status, 0);
    assert_null(err.data);
    json_t *body = json_of(&result);
    assert_string_equal(text_at(body, "identity"), "umx://lab/operator/" SID);
    assert_string_equal(text_at(body, "forest"), FOREST);
    assert_string_equal(text_at(body, "file"), path_of("identity.pem"));
    json_decref(body);
    assert_int_equal(stat(path_of("identity.pem"), &found), 0);
    assert_int_equal(found.st_mode & 07777, 0600);
    assert_int_equal(umx_identity_file_load(path_of("identity.pem"), &file, NULL), 0);
    umx_identity_file_free(&file);
}

/* Who heard of the new root while the authority rotated, in IDENTITY.trust, logs in at the new one without naming it.
 */
static void test_login_after_a_rotation(void **state)
{
    static const char *const names[] = {"127.0.0.1"};
    struct umx_authority *old;
    struct umx_issued issued = {0};
    struct umx_text trust = {0};
    struct umx_text pem = {0};
    umx_buf result, err;

    (void)state;
    pki_must(umx_authority_init(path_of("old"), "lab", names, 1, NULL));
    pki_must(umx_authority_open(path_of("old"), &old, NULL));
    pki_must(umx_authority_issue_agent(old, "before.test", UMX_DAY, &pem, &issued, NULL));
    write_file("rotated.pem", pem.data);
    /* Of the old root alone it knows nobody here. */
    json_t *request = login_request("server_name", "127.0.0.1", path_of("rotated.pem"));
    assert_int_equal(call_json(umx_login, request, &result, &err), UMX_E_UNAUTHENTICATED);
    expect_error(&err, UMX_ERR_TLS_FAILED);
    umx_text_adds(&trust, umx_authority_trust(old)->pem);
    umx_text_adds(&trust, umx_authority_trust(authority)->pem);
    write_file("rotated.pem.trust", trust.data);
    request = login_request("server_name", "127.0.0.1", path_of("rotated.pem"));
    assert_int_equal(call_json(umx_login, request, &result, &err), 0);
    json_t *body = json_of(&result);
    assert_string_equal(text_at(body, "identity"), "umx://lab/operator/" SID);
    json_decref(body);
    /* What is told by somebody else than the trusted root counts for nothing. */
    write_file("rotated.pem", pem.data);
    write_file("rotated.pem.trust", umx_authority_trust(authority)->pem);
    request = login_request("server_name", "127.0.0.1", path_of("rotated.pem"));
    assert_int_equal(call_json(umx_login, request, &result, &err), UMX_E_UNAUTHENTICATED);
    expect_error(&err, UMX_ERR_TLS_FAILED);
    umx_text_free(&trust);
    umx_text_free(&pem);
    umx_issued_free(&issued);
    umx_authority_close(old);
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", path_of("old"));
    assert_int_equal(system(command), 0); /* NOLINT: a test's own directory */
}

static void test_login_by_fingerprint(void **state)
{
    X509 *root;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length;
    struct umx_text hex = {0};
    umx_buf result;
    umx_buf err;

    (void)state;
    pki_must(umx_certificate_read(umx_authority_root(authority), "root", &root, NULL));
    X509_digest(root, EVP_sha256(), digest, &length);
    umx_text_add_hex(&hex, digest, length);
    assert_int_equal(
        call_json(umx_login, login_request("fingerprint", hex.data, path_of("by-print.pem")), &result, &err), 0);
    umx_buf_free(&result);
    assert_int_equal(access(path_of("by-print.pem"), F_OK), 0);
    hex.data[5] = hex.data[5] == '0' ? '1' : '0';
    assert_int_equal(call_json(umx_login, login_request("fingerprint", hex.data, path_of("never.pem")), &result, &err),
                     UMX_E_UNAUTHENTICATED);
    expect_error(&err, UMX_ERR_ROOT_NOT_FOUND);
    assert_int_equal(call_json(umx_login, login_request("fingerprint", "abc", path_of("never.pem")), &result, &err),
                     UMX_E_ARGUMENT);
    umx_buf_free(&err);
    assert_int_not_equal(access(path_of("never.pem"), F_OK), 0);
    X509_free(root);
    umx_text_free(&hex);
}

static void test_login_refused(void **state)
{
    umx_buf result;
    umx_buf err;
    struct pki_leaf other = pki_leaf(&forest_ca, "umx://x/agent/1", "x.test", NULL, 5);

    (void)state;
    /* Another forest than the proof's. */
    json_t *request = login_request("ca", path_of("root.pem"), path_of("never.pem"));
    json_object_set_new(request, "forest", json_string("lync.test"));
    assert_int_equal(call_json(umx_login, request, &result, &err), UMX_E_DENIED);
    expect_error(&err, UMX_ERR_PROOF_REFUSED);
    /* A controller that does not chain to the trusted root. */
    assert_int_equal(
        call_json(umx_login, login_request("ca", path_of("operator-ca.pem"), path_of("never.pem")), &result, &err),
        UMX_E_UNAUTHENTICATED);
    expect_error(&err, UMX_ERR_TLS_FAILED);
    /* A key that is not the certificate's is told before anything is sent. */
    write_file("other.key", other.key);
    request = login_request("ca", path_of("root.pem"), path_of("never.pem"));
    json_object_set_new(request, "key", json_string(path_of("other.key")));
    assert_int_equal(call_json(umx_login, request, &result, &err), UMX_E_ARGUMENT);
    expect_error(&err, UMX_ERR_IDENTITY_FILE_INVALID);
    /* A controller that gives another identity than asked for. */
    forge = true;
    assert_int_equal(
        call_json(umx_login, login_request("ca", path_of("root.pem"), path_of("never.pem")), &result, &err),
        UMX_E_FORMAT);
    forge = false;
    expect_error(&err, UMX_ERR_ANSWER_INVALID);
    assert_int_not_equal(access(path_of("never.pem"), F_OK), 0);
    pki_leaf_free(&other);
}

/* ---- sessions */

static void test_version(void **state)
{
    umx_info info = {.size = sizeof info};
    umx_info small = {.size = 8};

    (void)state;
    assert_int_equal(umx_abi_version(&info), 0);
    assert_int_equal(info.abi, UMX_ABI);
    assert_string_equal(info.version, UMX_VERSION);
    assert_int_equal(umx_abi_version(&small), 0);
    assert_int_equal(small.abi, UMX_ABI);
    assert_int_equal(small.version[0], 0);
    small.size = 4;
    assert_int_equal(umx_abi_version(&small), UMX_E_ARGUMENT);
    assert_int_equal(umx_abi_version(NULL), UMX_E_ARGUMENT);
    assert_string_equal(umx_status_name(UMX_E_NOT_FOUND), "not_found");
}

static void test_requests_are_checked(void **state)
{
    static const struct {
        const char *text;
        int id;
    } cases[] = {
        {"", UMX_ERR_JSON_INVALID},
        {"[]", UMX_ERR_JSON_INVALID},
        {"{\"controller\":", UMX_ERR_JSON_INVALID},
        {"{}", UMX_ERR_JSON_VALUE_INVALID},
        {"{\"controller\":7}", UMX_ERR_JSON_VALUE_INVALID},
        {"{\"controller\":\"h:1\",\"colour\":1}", UMX_ERR_JSON_KEY_UNKNOWN},
        {"{\"controller\":\"h:1\"}", UMX_ERR_NO_IDENTITY},
        {"{\"controller\":\"h:1\",\"identity\":\"/nonexistent\"}", UMX_ERR_FILE_UNREADABLE},
        {"{\"controller\":\"h:1\",\"controller\":\"h:2\"}", UMX_ERR_JSON_INVALID},
    };
    umx_session *session;
    umx_buf err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(open_text(cases[i].text, &session, &err), umx_error_text(cases[i].id)->status);
        assert_null(session);
        expect_error(&err, cases[i].id);
        assert_int_not_equal(open_text(cases[i].text, &session, NULL), 0);
    }
}

static void test_identity_and_signature(void **state)
{
    umx_session *session = open_session(path_of("identity.pem"));
    umx_buf json;
    umx_buf signature;
    umx_buf err;
    struct umx_identity_file file = {0};
    uint8_t *certificate;
    size_t length;

    (void)state;
    assert_int_equal(umx_session_identity(session, &json, &err), 0);
    json_t *body = json_of(&json);
    assert_string_equal(text_at(body, "identity"), "umx://lab/operator/" SID);
    assert_string_equal(text_at(body, "role"), "operator");
    assert_string_equal(text_at(body, "forest"), FOREST);
    json_decref(body);

    assert_int_equal(umx_session_sign(session, (const uint8_t *)"statement", 9, &signature, &err), 0);
    pki_must(umx_identity_file_load(path_of("identity.pem"), &file, NULL));
    pki_must(umx_identity_certificate(file.chain, strlen(file.chain), &certificate, &length));
    assert_int_equal(umx_signature_verify(certificate, length, "statement", 9, signature.data, signature.length, NULL),
                     0);
    assert_int_not_equal(
        umx_signature_verify(certificate, length, "Statement", 9, signature.data, signature.length, NULL), 0);
    umx_buf_free(&signature);
    umx_identity_file_free(&file);
    free(certificate);
    umx_session_close(session);
}

/* ---- operations */

static void test_records(void **state)
{
    static const struct {
        int32_t kind;
        const char *text;
    } expected[] = {
        {UMX_REC_PROGRESS,
         "{\"kind\":\"progress\",\"type\":\"progress\",\"json\":{\"activity\":\"reading\",\"done\":1,\"total\":2}}"},
        {UMX_REC_ITEM,
         "{\"kind\":\"item\",\"type\":\"findings\",\"json\":{\"id\":\"forests/trust\",\"actual\":\"\xC3\xA9\"}}"},
        {UMX_REC_ITEM, "{\"kind\":\"item\",\"type\":\"findings\",\"json\":{\"id\":\"forests/dns\"}}"},
        {UMX_REC_VERBOSE, "{\"kind\":\"verbose\",\"type\":\"verbose\",\"json\":\"text\"}"},
        {UMX_REC_WARNING, "{\"kind\":\"warning\",\"type\":\"warning\",\"json\":{}}"},
        {UMX_REC_ERROR, "{\"kind\":\"error\",\"type\":\"error\",\"json\":{\"target\":\"lync.test\"}}"},
        {UMX_REC_END, "{\"kind\":\"end\",\"type\":\"end\",\"json\":{\"counts\":{\"pass\":1}}}"},
    };
    umx_session *session = open_session(path_of("identity.pem"));
    umx_op *op = start_op(session, "{\"operation\":\"check\",\"arguments\":{\"phase\":[\"forests\"]}}");
    umx_buf record;

    (void)state;
    /* The session may go first. */
    umx_session_close(session);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(next(op, &record), expected[i].kind);
        assert_int_equal(record.length, strlen(expected[i].text));
        assert_memory_equal(record.data, expected[i].text, record.length);
        umx_buf_free(&record);
    }
    assert_int_equal(umx_op_next(op, 0, &record), UMX_REC_END);
    assert_null(record.data);
    umx_op_close(op);
    assert_string_equal(last_caller, "umx://lab/operator/" SID);
    assert_string_equal(last_json, "{\"phase\":[\"forests\"]}");
}

static void expect_failure(const char *identity, const char *request, int id)
{
    umx_session *session = open_session(identity);
    umx_op *op = start_op(session, request);
    umx_buf record;
    int32_t kind;

    do {
        kind = next(op, &record);
        if (kind > 0)
            umx_buf_free(&record);
    } while (kind > 0);
    assert_int_equal(kind, umx_error_text(id)->status);
    json_t *whole = json_of(&record);
    assert_string_equal(text_at(whole, "kind"), "failed");
    char *body = json_dumps(json_object_get(whole, "json"), 0);
    umx_buf copy = {.data = (uint8_t *)body, .length = strlen(body)};
    expect_error(&copy, id);
    json_decref(whole);
    assert_int_equal(umx_op_next(op, 0, &record), kind);
    assert_null(record.data);
    umx_op_close(op);
    umx_session_close(session);
}

static void test_failures(void **state)
{
    const char *me = path_of("identity.pem");

    (void)state;
    expect_failure(me, "{\"operation\":\"denied\"}", UMX_ERR_NOT_PERMITTED);
    expect_failure(me, "{\"operation\":\"fly\"}", UMX_ERR_OPERATION_UNKNOWN);
    expect_failure(me, "{\"operation\":\"no_end\"}", UMX_ERR_ANSWER_INVALID);
    expect_failure(me, "{\"operation\":\"block\",\"deadline_ms\":300}", UMX_ERR_DEADLINE);
}

/* A controller that lies cannot make records of its own choice. */
static void test_hostile_answers(void **state)
{
    const char *me = path_of("identity.pem");

    (void)state;
    expect_failure(me, "{\"operation\":\"bad_json\"}", UMX_ERR_ANSWER_INVALID);
    expect_failure(me, "{\"operation\":\"bad_type\"}", UMX_ERR_ANSWER_INVALID);
    expect_failure(me, "{\"operation\":\"bad_kind\"}", UMX_ERR_ANSWER_INVALID);
    expect_failure(me, "{\"operation\":\"garbage\"}", UMX_ERR_ANSWER_INVALID);
}

static void test_without_identity(void **state)
{
    umx_session *session;
    umx_buf err;
    umx_buf record;
    char text[256];

    (void)state;
    snprintf(text, sizeof text, "{\"controller\":\"%s\",\"ca\":\"%s\"}", controller_address(), path_of("root.pem"));
    assert_int_equal(open_text(text, &session, &err), 0);
    assert_int_equal(umx_session_sign(session, (const uint8_t *)"x", 1, &record, &err), UMX_E_UNAUTHENTICATED);
    expect_error(&err, UMX_ERR_NO_IDENTITY);
    umx_op *op = start_op(session, "{\"operation\":\"check\"}");
    assert_int_equal(next(op, &record), UMX_E_UNAUTHENTICATED);
    umx_buf_free(&record);
    umx_op_close(op);
    umx_session_close(session);
}

static void *cancel_later(void *user)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        bool now = serving;
        pthread_mutex_unlock(&mutex);
        if (now)
            break;
        usleep(5000);
    }
    umx_op_cancel(user);
    return NULL;
}

static void test_cancel_from_another_thread(void **state)
{
    umx_session *session = open_session(path_of("identity.pem"));
    umx_buf record;
    pthread_t thread;

    (void)state;
    serving = cancelled = false;
    umx_op *op = start_op(session, "{\"operation\":\"block\"}");
    assert_int_equal(umx_op_next(op, 50, &record), UMX_REC_TIMEOUT);
    assert_null(record.data);
    pthread_create(&thread, NULL, cancel_later, op);
    assert_int_equal(next(op, &record), UMX_E_CANCELLED);
    umx_buf_free(&record);
    pthread_join(thread, NULL);
    umx_op_close(op);
    umx_session_close(session);
    bool seen = false;
    for (int i = 0; i < 2000 && !seen; i++) {
        pthread_mutex_lock(&mutex);
        seen = cancelled;
        pthread_mutex_unlock(&mutex);
        usleep(5000);
    }
    assert_true(seen);
}

static void test_closing_is_quick(void **state)
{
    umx_session *session = open_session(path_of("identity.pem"));
    umx_op *op = start_op(session, "{\"operation\":\"block\"}");
    int64_t before;

    (void)state;
    before = umx_clock_monotonic();
    umx_op_close(op);
    umx_session_close(session);
    umx_op_close(NULL);
    umx_session_close(NULL);
    umx_buf_free(NULL);
    assert_true(umx_clock_monotonic() - before < UMX_SECOND);
}

static void test_bad_arguments(void **state)
{
    umx_session *session = open_session(path_of("identity.pem"));
    umx_op *op;
    umx_buf err;

    (void)state;
    assert_int_equal(umx_op_start(session, (const uint8_t *)"{}", 2, &op, &err), UMX_E_ARGUMENT);
    assert_null(op);
    umx_buf_free(&err);
    assert_int_equal(umx_op_start(NULL, (const uint8_t *)"{}", 2, &op, NULL), UMX_E_ARGUMENT);
    assert_int_equal(umx_op_start(session, (const uint8_t *)"{\"operation\":\"x\",\"arguments\":[]}", 33, &op, NULL),
                     UMX_E_ARGUMENT);
    assert_int_equal(umx_op_next(NULL, 0, &err), UMX_E_ARGUMENT);
    umx_buf_free(&err);
    assert_int_equal(umx_op_cancel(NULL), UMX_E_ARGUMENT);
    assert_int_equal(umx_login(NULL, 0, &err, NULL), UMX_E_ARGUMENT);
    umx_session_close(session);
}

/* ---- */

static int set_up(void **state)
{
    static const char *const names[] = {"127.0.0.1", "umx.test"};
    static const struct umx_rpc_method methods[] = {
        {.path = "/umx.v1.Operators/Run", .call = {.serve = serve_run}},
        {.path = "/umx.v1.Operators/Issue", .call = {.serve = serve_issue}}};
    struct umx_error err = {0};

    (void)state;
    umx_rpc_begin();
    if (mkdtemp(directory) == NULL)
        return -1;
    const char *data = path_of("data");
    if (umx_authority_init(data, "lab", names, 2, &err) != 0 || umx_authority_open(data, &authority, &err) != 0)
        return -1;
    struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                             .tls = *umx_authority_tls(authority),
                                             .max_message = 1024 * 1024,
                                             .threads = 4,
                                             .methods = methods,
                                             .method_count = 2};
    if (umx_rpc_server_start(&options, &server, &err) != 0)
        return -1;
    pki_make(&forest_ca, "EXCHANGE Operator CA");
    write_person();
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"me.pem",
                                        "rotated.pem",
                                        "rotated.pem.trust",
                                        "me.key",
                                        "other.key",
                                        "operator-ca.pem",
                                        "root.pem",
                                        "identity.pem",
                                        "by-print.pem",
                                        "data/root.pem",
                                        "data/root/root.key",
                                        "data/ca/intermediate.pem",
                                        "data/ca/intermediate.key",
                                        "data/ca/controller.pem",
                                        "data/ca/issued.tsv",
                                        "data/ca/lock",
                                        "data/root",
                                        "data/ca",
                                        "data"};

    (void)state;
    umx_rpc_server_stop(server, UMX_SECOND);
    umx_authority_close(authority);
    pki_free(&forest_ca);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        remove(path_of(files[i]));
    umx_rpc_end();
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_login_after_a_rotation),
        cmocka_unit_test(test_login_by_fingerprint),
        cmocka_unit_test(test_login_refused),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_requests_are_checked),
        cmocka_unit_test(test_identity_and_signature),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_hostile_answers),
        cmocka_unit_test(test_without_identity),
        cmocka_unit_test(test_cancel_from_another_thread),
        cmocka_unit_test(test_closing_is_quick),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

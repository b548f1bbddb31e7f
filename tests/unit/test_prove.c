/* Proofs: TLS against a server of the test, names, and the child processes they run in. The test program is its own
 * child: called with --prove it proves, under the name `crash` it dies, under `hang` it never answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "agent/collect/prove.h"
#include "pki.h"
#include "recorded_host.h"

static struct pki pki;
static struct pki foreign;
static struct place place;
static struct umx_host *host;
static char self[1024];

/* ---- a TLS server for a few connections */

static struct {
    int listener;
    int port;
    SSL_CTX *context;
    pthread_t thread;
} server;

static void *serve(void *user)
{
    (void)user;
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        SSL *ssl = SSL_new(server.context);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1)
            SSL_shutdown(ssl);
        SSL_free(ssl);
        close(fd);
        ERR_clear_error();
    }
}

static void start_server(const struct pki *by, const char *name)
{
    struct umx_certificate_spec spec = {.common_name = name,
                                        .dns = &name,
                                        .dns_count = 1,
                                        .path_length = -1,
                                        .server_auth = true,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + UMX_DAY};
    struct pki_leaf leaf = pki_issue(by, &spec);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;

    pki_must(umx_certificate_read(leaf.chain, "leaf", &certificate, NULL));
    pki_must(umx_certificate_read_key(leaf.key, "leaf", &key, NULL));
    server.context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server.context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server.context, key), 1);
    assert_int_equal(SSL_CTX_add1_chain_cert(server.context, by->intermediate), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    pki_leaf_free(&leaf);
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server.listener, 8), 0);
    getsockname(server.listener, (struct sockaddr *)&address, &size);
    server.port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    SSL_CTX_free(server.context);
}

/* ---- */

static int set_up(void **state)
{
    (void)state;
    place = place_make();
    place_write(&place, "host.ini", "[host]\nfqdn = ex1.exchange.test\n[directory]\nforest = exchange.test\n");
    place_write(&place, "certificates/root/root.pem", pki.roots);
    host = place_open(&place);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    umx_host_close(host);
    place_remove(&place);
    return 0;
}

static char localhost[] = "localhost";

static Umx__ProofTarget tls_target(void)
{
    Umx__ProofTarget target = UMX__PROOF_TARGET__INIT;

    target.has_kind = target.has_port = 1;
    target.kind = UMX__PROOF__KIND__TLS;
    target.host = localhost;
    target.port = server.port;
    return target;
}

static struct umx_proof_result prove(const Umx__ProofTarget *target)
{
    struct umx_proof_result result;

    umx_prove(host, target, 5 * UMX_SECOND, &result);
    return result;
}

static void a_trusted_peer_passes(void **state)
{
    (void)state;
    start_server(&pki, "localhost");
    Umx__ProofTarget target = tls_target();
    struct umx_proof_result result = prove(&target);
    stop_server();
    assert_string_not_equal(result.detail, "");
    assert_int_equal(result.status, UMX__PROOF__STATUS__PASS);
    assert_non_null(strstr(result.detail, "TLSv1.3"));
}

static void a_foreign_root_fails(void **state)
{
    (void)state;
    start_server(&foreign, "localhost");
    Umx__ProofTarget target = tls_target();
    struct umx_proof_result result = prove(&target);
    stop_server();
    assert_int_equal(result.status, UMX__PROOF__STATUS__FAIL);
    assert_non_null(strstr(result.detail, "certificate"));
}

/* The server asks for a certificate and trusts the roots of `trusted`; the host has one that pki issued. */
static struct umx_proof_result prove_mutually(const struct pki *trusted)
{
    const char *name = "ex1.exchange.test";
    struct umx_certificate_spec spec = {.common_name = name,
                                        .dns = &name,
                                        .dns_count = 1,
                                        .path_length = -1,
                                        .server_auth = true,
                                        .client_auth = true,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + UMX_DAY};
    struct pki_leaf leaf = pki_issue(&pki, &spec);
    struct umx_text own = {0};

    umx_text_addf(&own, "%s%s", leaf.chain, leaf.key);
    place_write(&place, "certificates/own.pem", umx_text_string(&own));
    umx_text_free(&own);
    pki_leaf_free(&leaf);
    start_server(&pki, "localhost");
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server.context), trusted->root);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server.context), trusted->intermediate);
    SSL_CTX_set_verify(server.context, SSL_VERIFY_PEER, NULL);
    Umx__ProofTarget target = tls_target();
    struct umx_proof_result result = prove(&target);
    stop_server();
    return result;
}

static void both_sides_show_a_certificate(void **state)
{
    (void)state;
    struct umx_proof_result result = prove_mutually(&pki);
    assert_int_equal(result.status, UMX__PROOF__STATUS__PASS);
    assert_non_null(strstr(result.detail, "it takes ours"));
}

static void a_peer_that_refuses_ours_is_told_apart(void **state)
{
    (void)state;
    struct umx_proof_result result = prove_mutually(&foreign);
    assert_int_equal(result.status, UMX__PROOF__STATUS__FAIL);
    assert_non_null(strstr(result.detail, "localhost refused what this server showed"));
    assert_non_null(strstr(result.detail, "CN=ex1.exchange.test"));
    assert_null(strstr(result.detail, "certificate ")); /* words about the peer's own */
}

static void another_name_fails(void **state)
{
    (void)state;
    start_server(&pki, "webmail.exchange.test");
    Umx__ProofTarget target = tls_target();
    struct umx_proof_result result = prove(&target);
    stop_server();
    assert_int_equal(result.status, UMX__PROOF__STATUS__FAIL);
    assert_non_null(strstr(result.detail, "mismatch"));
}

static void a_silent_peer_is_unknown_in_time(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct umx_proof_result result;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    server.port = ntohs(address.sin_port);
    Umx__ProofTarget target = tls_target();
    int64_t begin = umx_clock_monotonic();
    umx_prove(host, &target, 2 * UMX_SECOND, &result);
    assert_true(umx_clock_monotonic() - begin < 5 * UMX_SECOND);
    assert_int_equal(result.status, UMX__PROOF__STATUS__UNKNOWN);
    close(listener);
    /* Nobody there is an answer. */
    result = prove(&target);
    assert_int_equal(result.status, UMX__PROOF__STATUS__FAIL);
}

static void what_cannot_be_tried_is_unknown(void **state)
{
    static char sid[] = "S-1-5-21-1>(x";
    static char forest[] = "lync.test";
    static const Umx__Proof__Kind kinds[] = {UMX__PROOF__KIND__TRUST, UMX__PROOF__KIND__DIRECTORY,
                                             UMX__PROOF__KIND__TLS,   UMX__PROOF__KIND__DNS,
                                             UMX__PROOF__KIND__SID,   (Umx__Proof__Kind)99};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        Umx__ProofTarget target = UMX__PROOF_TARGET__INIT;
        target.has_kind = 1;
        target.kind = kinds[i];
        target.forest = forest;
        target.sid = sid;
        struct umx_proof_result result = prove(&target);
        assert_int_equal(result.status, UMX__PROOF__STATUS__UNKNOWN);
        assert_string_not_equal(result.detail, "");
    }
}

/* ---- child processes */

static struct umx_rows collect_with(const char *program, const Umx__ProofTarget *target, int copies,
                                    const atomic_bool *stop, int expected)
{
    char where[128];
    Umx__ProofTarget *targets[16];
    struct umx_rows rows = {0};
    struct umx_error err = {0};

    snprintf(where, sizeof where, "recorded:%s", place.path);
    for (int i = 0; i < copies; i++)
        targets[i] = (Umx__ProofTarget *)(uintptr_t)target;
    struct umx_collect collect = {.host = host,
                                  .program = program,
                                  .where = where,
                                  .stop = stop,
                                  .targets = targets,
                                  .target_count = (size_t)copies};
    assert_int_equal(umx_collect_table(umx_collector_find("proof"), &collect, &rows, &err), expected);
    return rows;
}

static void a_child_proves(void **state)
{
    (void)state;
    start_server(&pki, "localhost");
    Umx__ProofTarget target = tls_target();
    struct umx_rows rows = collect_with(self, &target, 6, NULL, 0);
    char expected[32];

    snprintf(expected, sizeof expected, "localhost:%d", server.port);
    stop_server();
    assert_int_equal(rows.count, 6);
    for (size_t i = 0; i < rows.count; i++) {
        const Umx__Proof *row = (const Umx__Proof *)rows.items[i];
        assert_int_equal(row->status, UMX__PROOF__STATUS__PASS);
        assert_string_equal(row->server, "ex1.exchange.test");
        assert_string_equal(row->forest, "exchange.test");
        assert_string_equal(row->target, expected);
        assert_true(row->duration > 0);
    }
    umx_rows_end(&rows);
}

static void a_child_that_dies_is_unknown(void **state)
{
    char program[128];
    Umx__ProofTarget target = tls_target();

    (void)state;
    snprintf(program, sizeof program, "%s/crash", place.path);
    assert_int_equal(symlink(self, program), 0);
    struct umx_rows rows = collect_with(program, &target, 1, NULL, 0);
    assert_int_equal(rows.count, 1);
    assert_int_equal(((const Umx__Proof *)rows.items[0])->status, UMX__PROOF__STATUS__UNKNOWN);
    assert_non_null(strstr(((const Umx__Proof *)rows.items[0])->detail, "without an answer"));
    umx_rows_end(&rows);
    rows = collect_with("/nonexistent", &target, 1, NULL, 0);
    assert_int_equal(((const Umx__Proof *)rows.items[0])->status, UMX__PROOF__STATUS__UNKNOWN);
    umx_rows_end(&rows);
}

static void *stop_soon(void *user)
{
    atomic_bool *stop = user;

    usleep(300000);
    atomic_store(stop, true);
    return NULL;
}

static void a_child_that_hangs_is_killed_when_the_agent_ends(void **state)
{
    char program[128];
    Umx__ProofTarget target = tls_target();
    atomic_bool stop = false;
    pthread_t thread;

    (void)state;
    snprintf(program, sizeof program, "%s/hang", place.path);
    assert_int_equal(symlink(self, program), 0);
    pthread_create(&thread, NULL, stop_soon, &stop);
    int64_t begin = umx_clock_monotonic();
    struct umx_rows rows = collect_with(program, &target, 8, &stop, UMX_E_CANCELLED);
    assert_true(umx_clock_monotonic() - begin < 3 * UMX_SECOND);
    pthread_join(thread, NULL);
    umx_rows_end(&rows);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_trusted_peer_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_root_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_name_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_sides_show_a_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_peer_that_refuses_ours_is_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_peer_is_unknown_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_tried_is_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_proves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_that_dies_is_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_that_hangs_is_killed_when_the_agent_ends, set_up, tear_down),
    };
    const char *name = strrchr(argv[0], '/');

    if (argc == 2 && strcmp(argv[1], "--prove") == 0) {
        if (name != NULL && strcmp(name, "/crash") == 0)
            _exit(3);
        if (name != NULL && strcmp(name, "/hang") == 0)
            pause();
        return umx_prove_child();
    }
    signal(SIGPIPE, SIG_IGN); /* as umx-agent does */
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return 1;
    pki_make(&pki, "root");
    pki_make(&foreign, "foreign root");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pki_free(&pki);
    pki_free(&foreign);
    return failed;
}

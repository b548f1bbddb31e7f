/* The transport in one process, over real mutual TLS on 127.0.0.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pki.h"

enum { MAX_MESSAGE = 256 * 1024 };

#define LIMIT (20 * UMX_SECOND)

static struct pki pki;
static struct pki foreign;
static struct pki_leaf controller;
static struct pki_leaf agent;
static struct pki_leaf person;
static struct pki_leaf expired;
static struct pki_leaf stranger;

/* ---- what the handlers saw */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct umx_rpc_stream *stream;
    int opened;
    int closed;
    int serving;
    bool cancelled;
    bool release;
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void note(int *counter)
{
    pthread_mutex_lock(&seen.mutex);
    (*counter)++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.mutex);
}

static void wait_for(const int *counter, int value)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&seen.mutex);
    while (*counter < value)
        if (pthread_cond_timedwait(&seen.changed, &seen.mutex, &until) != 0)
            break;
    int now = *counter;
    pthread_mutex_unlock(&seen.mutex);
    assert_true(now >= value);
}

/* ---- handlers */

static int stream_opened(void *user, struct umx_rpc_stream *stream, const struct umx_identity *peer,
                         const char *address, void **state, struct umx_error *err)
{
    (void)user;
    if (peer->role != UMX_ROLE_AGENT)
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, peer->uri, "only agents attach");
    if (strncmp(address, "127.0.0.1:", 10) != 0)
        return umx_fail(err, UMX_ERR_INTERNAL, address, NULL);
    *state = stream;
    pthread_mutex_lock(&seen.mutex);
    seen.stream = stream;
    pthread_mutex_unlock(&seen.mutex);
    note(&seen.opened);
    return 0;
}

/* Echoes; "twenty" twenty times; "close" ends the stream with an error, "flood" sends until the queue overflows. */
static void stream_message(void *state, const uint8_t *bytes, size_t length)
{
    struct umx_rpc_stream *stream = state;
    struct umx_error err;

    if (length == 5 && memcmp(bytes, "close", 5) == 0) {
        umx_rpc_stream_send(stream, "last", 4);
        umx_fail(&err, UMX_ERR_FOREIGN_IDENTITY, "EX1", "it says\tEX2");
        umx_rpc_stream_close(stream, &err);
        return;
    }
    if (length == 5 && memcmp(bytes, "flood", 5) == 0) {
        static const char block[16384];
        int status = 0;
        for (int i = 0; i < 10000 && status == 0; i++)
            status = umx_rpc_stream_send(stream, block, sizeof block);
        seen.cancelled = status == UMX_E_LIMIT;
        return;
    }
    for (int i = length == 6 && memcmp(bytes, "twenty", 6) == 0 ? 20 : 1; i > 0; i--)
        umx_rpc_stream_send(stream, bytes, length);
}

static void stream_closed(void *state)
{
    pthread_mutex_lock(&seen.mutex);
    if (seen.stream == state)
        seen.stream = NULL;
    pthread_mutex_unlock(&seen.mutex);
    note(&seen.closed);
}

/* "who": the peer's name; "count N": N answers; "big": one of MAX_MESSAGE; "block": until cancelled or released. */
static int serve(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                 size_t length, struct umx_error *err)
{
    char text[64] = "";
    int status = 0;

    (void)user;
    umx_text_copy(text, sizeof text, (const char *)request);
    if (strcmp(text, "who") == 0)
        return umx_rpc_answer(call, peer->uri, strlen(peer->uri), err);
    if (strncmp(text, "count ", 6) == 0) {
        for (int i = 0; i < atoi(text + 6) && status == 0; i++) {
            char number[16];
            int digits = snprintf(number, sizeof number, "%d", i);
            status = umx_rpc_answer(call, number, (size_t)digits, err);
        }
        return status;
    }
    if (strcmp(text, "big") == 0) {
        char *big = calloc(1, MAX_MESSAGE);
        status = umx_rpc_answer(call, big, MAX_MESSAGE, err);
        free(big);
        return status;
    }
    if (strcmp(text, "block") == 0) {
        note(&seen.serving);
        pthread_mutex_lock(&seen.mutex);
        while (!umx_rpc_cancelled(call) && !seen.release) {
            struct timespec soon;
            clock_gettime(CLOCK_REALTIME, &soon);
            soon.tv_nsec += 20 * 1000 * 1000;
            if (soon.tv_nsec >= 1000000000) {
                soon.tv_sec++;
                soon.tv_nsec -= 1000000000;
            }
            pthread_cond_timedwait(&seen.changed, &seen.mutex, &soon);
        }
        seen.cancelled = umx_rpc_cancelled(call);
        pthread_mutex_unlock(&seen.mutex);
        note(&seen.closed);
        return 0;
    }
    if (length > 100)
        return umx_rpc_answer(call, &length, sizeof length, err);
    return umx_fail(err, UMX_ERR_PLAN_NOT_FOUND, text, NULL);
}

static const struct umx_rpc_method methods[] = {
    {.path = "/test/Attach", .stream = {.opened = stream_opened, .message = stream_message, .closed = stream_closed}},
    {.path = "/test/Run", .call = {.serve = serve}},
    {.path = "/test/Named", .call = {.serve = serve}, .authenticated = true},
    {.path = "/test/Small", .call = {.serve = serve}, .max_request = 8},
};

/* ---- set-up */

static struct umx_rpc_server *server;

static void start_server(bool require_certificate, size_t threads)
{
    struct umx_error err = {0};
    struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                             .tls = pki_tls(&pki, &controller),
                                             .require_certificate = require_certificate,
                                             .max_message = MAX_MESSAGE,
                                             .threads = threads,
                                             .methods = methods,
                                             .method_count = sizeof methods / sizeof methods[0]};
    seen.opened = seen.closed = seen.serving = 0;
    seen.cancelled = seen.release = false;
    assert_int_equal(umx_rpc_server_start(&options, &server, &err), 0);
    assert_true(umx_rpc_server_port(server) > 0);
}

static int stop_server(void **state)
{
    (void)state;
    umx_rpc_server_stop(server, UMX_SECOND);
    server = NULL;
    return 0;
}

static struct umx_rpc_channel *open_channel(const struct pki *authority, const struct pki_leaf *leaf)
{
    struct umx_rpc_channel *channel;
    struct umx_error err = {0};
    struct umx_rpc_tls tls = pki_tls(authority, leaf);
    char target[32];

    snprintf(target, sizeof target, "127.0.0.1:%d", umx_rpc_server_port(server));
    assert_int_equal(umx_rpc_channel_open(target, &tls, NULL, MAX_MESSAGE, &channel, &err), 0);
    return channel;
}

static struct umx_rpc_client_call *start_call(struct umx_rpc_channel *channel, const char *path, const char *request,
                                              bool half_close)
{
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};

    assert_int_equal(umx_rpc_call_start(channel, path, request, request != NULL ? strlen(request) : 0, half_close,
                                        LIMIT, &call, &err),
                     0);
    return call;
}

static void expect_message(struct umx_rpc_client_call *call, const char *text)
{
    uint8_t *bytes;
    size_t length;
    struct umx_error err = {0};

    assert_int_equal(umx_rpc_call_next(call, LIMIT, &bytes, &length, &err), UMX_RPC_MESSAGE);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(bytes, text, length);
    free(bytes);
}

static void expect_end(struct umx_rpc_client_call *call, int id, struct umx_error *err)
{
    uint8_t *bytes;
    size_t length;
    struct umx_error own = {0};

    if (err == NULL)
        err = &own;
    assert_int_equal(umx_rpc_call_next(call, LIMIT, &bytes, &length, err), UMX_RPC_END);
    if (err->id != id)
        print_message("%s: %s\n", err->what, err->why);
    assert_int_equal(err->id, id);
    assert_int_equal(err->status, id == 0 ? 0 : umx_error_text(id)->status);
}

/* One call from start to end that ends with id. */
static void expect_refusal(const struct pki *authority, const struct pki_leaf *leaf, const char *path,
                           const char *request, int id, struct umx_error *err)
{
    struct umx_rpc_channel *channel = open_channel(authority, leaf);
    struct umx_rpc_client_call *call = start_call(channel, path, request, true);

    expect_end(call, id, err);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

static void expect_answer(const struct pki_leaf *leaf, const char *path, const char *request, const char *answer)
{
    struct umx_rpc_channel *channel = open_channel(&pki, leaf);
    struct umx_rpc_client_call *call = start_call(channel, path, request, true);

    expect_message(call, answer);
    expect_end(call, 0, NULL);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

/* ---- calls */

#define OPERATOR_URI "umx://test/operator/S-1-5-21-1-2-3-1104"

static void test_call(void **state)
{
    (void)state;
    start_server(true, 2);
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
    expect_answer(&agent, "/test/Named", "who", "umx://test/agent/6b1e");
}

static void test_request_is_capped(void **state)
{
    (void)state;
    start_server(false, 2);
    expect_refusal(&pki, &person, "/test/Small", "much more than 8", UMX_ERR_FRAME_TOO_LARGE, NULL);
    expect_answer(&person, "/test/Small", "who", OPERATOR_URI);
}

/* Peers without certificate that say nothing keep nobody with one from calling. */
static void test_strangers_have_few_places(void **state)
{
    enum { STRANGERS = 24 };
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *calls[STRANGERS];
    struct umx_error err = {0};
    uint8_t *bytes;
    size_t length;
    int refused = 0;

    (void)state;
    start_server(false, 2);
    channel = open_channel(&pki, NULL);
    for (int i = 0; i < STRANGERS; i++)
        calls[i] = start_call(channel, "/test/Run", NULL, false);
    for (int i = 0; i < STRANGERS; i++)
        refused +=
            umx_rpc_call_next(calls[i], UMX_SECOND / 5, &bytes, &length, &err) == UMX_RPC_END && err.id == UMX_ERR_BUSY;
    assert_true(refused >= STRANGERS - 16 - 8 / 2); /* queues accept in parallel: a few more may come in */
    assert_true(refused < STRANGERS);
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
    for (int i = 0; i < STRANGERS; i++)
        umx_rpc_call_close(calls[i]);
    umx_rpc_channel_close(channel);
}

static void test_many_answers_arrive_in_order(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    char number[16];

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &person);
    call = start_call(channel, "/test/Run", "count 3000", true);
    for (int i = 0; i < 3000; i++) {
        snprintf(number, sizeof number, "%d", i);
        expect_message(call, number);
    }
    expect_end(call, 0, NULL);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

static void test_one_channel_carries_many_calls(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;

    (void)state;
    start_server(true, 1);
    channel = open_channel(&pki, &person);
    /* With one thread the place of an ended call must be free when its end is known. */
    for (int i = 0; i < 100; i++) {
        call = start_call(channel, "/test/Run", "who", true);
        expect_message(call, OPERATOR_URI);
        expect_end(call, 0, NULL);
        umx_rpc_call_close(call);
    }
    umx_rpc_channel_close(channel);
}

static void test_error_crosses_the_wire(void **state)
{
    struct umx_error err = {0};

    (void)state;
    start_server(true, 2);
    expect_refusal(&pki, &person, "/test/Run", "nonsense", UMX_ERR_PLAN_NOT_FOUND, &err);
    assert_string_equal(err.what, "nonsense");
    assert_string_equal(err.why, "");
    assert_int_equal(err.foreign, 5);
}

static void test_unknown_method(void **state)
{
    (void)state;
    start_server(true, 2);
    expect_refusal(&pki, &person, "/test/Missing", "x", UMX_ERR_OPERATION_UNKNOWN, NULL);
}

static void test_messages_up_to_the_maximum(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};
    uint8_t *bytes;
    size_t length;
    char *big = malloc(MAX_MESSAGE + 1);

    (void)state;
    start_server(true, 2);
    memset(big, 'x', MAX_MESSAGE + 1);
    channel = open_channel(&pki, &person);
    call = start_call(channel, "/test/Run", "big", true);
    assert_int_equal(umx_rpc_call_next(call, LIMIT, &bytes, &length, &err), UMX_RPC_MESSAGE);
    assert_int_equal(length, MAX_MESSAGE);
    free(bytes);
    expect_end(call, 0, NULL);
    umx_rpc_call_close(call);

    assert_int_equal(umx_rpc_call_start(channel, "/test/Run", big, MAX_MESSAGE, true, LIMIT, &call, &err), 0);
    assert_int_equal(umx_rpc_call_next(call, LIMIT, &bytes, &length, &err), UMX_RPC_MESSAGE);
    assert_int_equal(length, sizeof(size_t));
    free(bytes);
    expect_end(call, 0, NULL);
    umx_rpc_call_close(call);

    assert_int_equal(umx_rpc_call_start(channel, "/test/Run", big, MAX_MESSAGE + 1, true, LIMIT, &call, &err),
                     UMX_E_LIMIT);
    umx_rpc_channel_close(channel);

    /* A client that does not keep to the maximum is told by the server. */
    struct umx_rpc_tls tls = pki_tls(&pki, &person);
    char target[32];
    snprintf(target, sizeof target, "127.0.0.1:%d", umx_rpc_server_port(server));
    assert_int_equal(umx_rpc_channel_open(target, &tls, NULL, 4 * MAX_MESSAGE, &channel, &err), 0);
    assert_int_equal(umx_rpc_call_start(channel, "/test/Run", big, MAX_MESSAGE + 1, true, LIMIT, &call, &err), 0);
    expect_end(call, UMX_ERR_FRAME_TOO_LARGE, NULL);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
    free(big);
}

static void test_busy_beyond_the_threads(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *blocked[2];

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &person);
    for (int i = 0; i < 2; i++) {
        uint8_t *bytes;
        size_t length;
        blocked[i] = start_call(channel, "/test/Run", "block", true);
        for (int k = 0; k < 100 && seen.serving <= i; k++)
            umx_rpc_call_next(blocked[i], 50 * UMX_MILLISECOND, &bytes, &length, NULL);
        wait_for(&seen.serving, i + 1);
    }
    expect_refusal(&pki, &person, "/test/Run", "who", UMX_ERR_BUSY, NULL);
    pthread_mutex_lock(&seen.mutex);
    seen.release = true;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.mutex);
    for (int i = 0; i < 2; i++) {
        expect_end(blocked[i], 0, NULL);
        umx_rpc_call_close(blocked[i]);
    }
    umx_rpc_channel_close(channel);
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
}

static void *cancel_later(void *user)
{
    wait_for(&seen.serving, 1);
    umx_rpc_call_cancel(user);
    return NULL;
}

static void test_client_cancels(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    pthread_t thread;

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &person);
    call = start_call(channel, "/test/Run", "block", true);
    pthread_create(&thread, NULL, cancel_later, call);
    expect_end(call, UMX_ERR_CANCELLED, NULL);
    pthread_join(thread, NULL);
    umx_rpc_call_close(call);
    wait_for(&seen.closed, 1);
    assert_true(seen.cancelled);
    umx_rpc_channel_close(channel);
}

static void test_deadline(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &person);
    assert_int_equal(umx_rpc_call_start(channel, "/test/Run", "block", 5, true, 3 * UMX_SECOND, &call, &err), 0);
    expect_end(call, UMX_ERR_DEADLINE, NULL);
    umx_rpc_call_close(call);
    wait_for(&seen.closed, 1);
    assert_true(seen.cancelled);
    umx_rpc_channel_close(channel);
}

static void test_next_gives_up_in_time(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    uint8_t *bytes;
    size_t length;
    int64_t before = umx_clock_monotonic();

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &person);
    call = start_call(channel, "/test/Run", "block", true);
    before = umx_clock_monotonic();
    assert_int_equal(umx_rpc_call_next(call, 300 * UMX_MILLISECOND, &bytes, &length, NULL), UMX_RPC_TIMEOUT);
    assert_true(umx_clock_monotonic() - before >= 300 * UMX_MILLISECOND);
    assert_true(umx_clock_monotonic() - before < 5 * UMX_SECOND);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

/* ---- streams */

static void test_stream(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", NULL, false);
    assert_int_equal(umx_rpc_call_send(call, "one", 3), 0);
    assert_int_equal(umx_rpc_call_send(call, "", 0), 0);
    assert_int_equal(umx_rpc_call_send(call, "two", 3), 0);
    expect_message(call, "one");
    expect_message(call, "");
    expect_message(call, "two");
    assert_int_equal(seen.opened, 1);
    /* From a thread that is not gRPC's. */
    pthread_mutex_lock(&seen.mutex);
    assert_int_equal(umx_rpc_stream_send(seen.stream, "pushed", 6), 0);
    assert_int_equal(umx_rpc_stream_send(seen.stream, "pushed", MAX_MESSAGE + 1), UMX_E_ARGUMENT);
    pthread_mutex_unlock(&seen.mutex);
    expect_message(call, "pushed");
    umx_rpc_call_finish(call);
    assert_int_equal(umx_rpc_call_send(call, "late", 4), UMX_E_CANCELLED);
    expect_end(call, 0, NULL);
    wait_for(&seen.closed, 1);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
    assert_int_equal(seen.closed, 1);
}

static void test_stream_refused_by_its_handler(void **state)
{
    struct umx_error err = {0};

    (void)state;
    start_server(true, 2);
    expect_refusal(&pki, &person, "/test/Attach", NULL, UMX_ERR_NOT_PERMITTED, &err);
    assert_string_equal(err.what, OPERATOR_URI);
    assert_string_equal(err.why, "only agents attach");
    assert_int_equal(seen.closed, 0);
}

static void test_server_ends_a_stream(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", "close", false);
    expect_message(call, "last");
    expect_end(call, UMX_ERR_FOREIGN_IDENTITY, &err);
    assert_string_equal(err.what, "EX1");
    assert_string_equal(err.why, "it says EX2");
    wait_for(&seen.closed, 1);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

static void test_stream_cancelled_by_the_client(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", "x", false);
    expect_message(call, "x");
    umx_rpc_call_close(call);
    wait_for(&seen.closed, 1);
    umx_rpc_channel_close(channel);
}

static void test_slow_receiver_loses_its_stream(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};
    uint8_t *bytes;
    size_t length;
    size_t got = 0;

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", "flood", false);
    /* It opens the stream, takes what comes first (the end may already have overtaken the messages), and then does not
     * read while the server sends. */
    enum umx_rpc_next next = umx_rpc_call_next(call, LIMIT, &bytes, &length, &err);
    assert_int_not_equal(next, UMX_RPC_TIMEOUT);
    free(bytes);
    wait_for(&seen.closed, 1);
    assert_true(seen.cancelled);
    while (next == UMX_RPC_MESSAGE) {
        next = umx_rpc_call_next(call, LIMIT, &bytes, &length, &err);
        got += length;
        free(bytes);
    }
    assert_int_equal(next, UMX_RPC_END);
    assert_true(got < 4 * 1024 * 1024);
    assert_int_not_equal(err.status, 0);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

static void test_many_messages_both_ways(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    uint8_t *bytes;
    size_t length;
    char text[2000];

    (void)state;
    start_server(true, 2);
    memset(text, 'r', sizeof text);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", NULL, false);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++)
            assert_int_equal(umx_rpc_call_send(call, text, sizeof text), 0);
        for (int i = 0; i < 50; i++) {
            assert_int_equal(umx_rpc_call_next(call, LIMIT, &bytes, &length, NULL), UMX_RPC_MESSAGE);
            assert_int_equal(length, sizeof text);
            free(bytes);
        }
    }
    assert_int_equal(umx_rpc_call_backlog(call), 0);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

/* Whoever asks much before it listens is read more slowly, and gets every answer. */
static void test_questions_do_not_outrun_their_answers(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", NULL, false);
    for (int i = 0; i < 40; i++)
        assert_int_equal(umx_rpc_call_send(call, "twenty", 6), 0);
    for (int i = 0; i < 40 * 20; i++)
        expect_message(call, "twenty");
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

/* ---- who may come in */

static void test_certificate_is_required(void **state)
{
    int64_t before;
    int64_t until;

    (void)state;
    start_server(true, 2);
    before = umx_rpc_server_refused(server);
    expect_refusal(&pki, NULL, "/test/Run", "who", UMX_ERR_PEER_UNREACHABLE, NULL);
    until = umx_clock_monotonic() + 5 * UMX_SECOND;
    while (umx_rpc_server_refused(server) == before && umx_clock_monotonic() < until)
        usleep(10000);
    assert_true(umx_rpc_server_refused(server) > before);
}

static void test_certificate_is_optional(void **state)
{
    (void)state;
    start_server(false, 2);
    expect_answer(NULL, "/test/Run", "who", "");
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
    expect_refusal(&pki, NULL, "/test/Named", "who", UMX_ERR_PEER_UNAUTHENTICATED, NULL);
    /* Presented, it must verify all the same. */
    expect_refusal(&pki, &stranger, "/test/Run", "who", UMX_ERR_PEER_UNREACHABLE, NULL);
}

static void test_foreign_certificate(void **state)
{
    (void)state;
    start_server(true, 2);
    expect_refusal(&pki, &stranger, "/test/Run", "who", UMX_ERR_PEER_UNREACHABLE, NULL);
}

static void test_client_does_not_trust_a_foreign_server(void **state)
{
    (void)state;
    start_server(true, 2);
    expect_refusal(&foreign, &stranger, "/test/Run", "who", UMX_ERR_TLS_FAILED, NULL);
}

static void test_expired_certificate(void **state)
{
    struct umx_rpc_tls tls = pki_tls(&pki, &expired);
    struct umx_rpc_channel *channel;
    struct umx_error err = {0};

    (void)state;
    start_server(true, 2);
    assert_int_equal(umx_rpc_channel_open("127.0.0.1:1", &tls, NULL, MAX_MESSAGE, &channel, &err),
                     UMX_E_UNAUTHENTICATED);
    assert_int_equal(err.id, UMX_ERR_IDENTITY_INVALID);
    /* A client with another clock is refused by the server. */
    umx_clock_set(umx_clock_now() - 10 * UMX_DAY);
    channel = open_channel(&pki, &expired);
    umx_clock_set(0);
    struct umx_rpc_client_call *call = start_call(channel, "/test/Run", "who", true);
    expect_end(call, UMX_ERR_PEER_UNREACHABLE, NULL);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

static void test_certificate_that_expires_ends_its_stream(void **state)
{
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", "x", false);
    expect_message(call, "x");
    umx_clock_set(umx_clock_now() + 31 * UMX_DAY);
    wait_for(&seen.closed, 1);
    umx_clock_set(0);
    expect_end(call, UMX_ERR_IDENTITY_INVALID, NULL);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

static void test_server_must_be_a_controller(void **state)
{
    struct pki_leaf own = controller;
    struct umx_error err = {0};
    static const char *const addresses[] = {"127.0.0.1"};
    const char *dns = "host.test";
    struct umx_certificate_spec spec = {.common_name = "an agent that poses as the controller",
                                        .uri = "umx://test/agent/7",
                                        .dns = &dns,
                                        .dns_count = 1,
                                        .addresses = addresses,
                                        .address_count = 1,
                                        .path_length = -1,
                                        .server_auth = true,
                                        .client_auth = true,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + UMX_DAY};
    struct pki_leaf false_one = pki_issue(&pki, &spec);

    (void)state;
    controller = false_one;
    start_server(true, 2);
    controller = own;
    expect_refusal(&pki, &person, "/test/Run", "who", UMX_ERR_TLS_FAILED, &err);
    assert_non_null(strstr(err.why, "is not a controller"));
    umx_rpc_server_stop(server, 0);
    pki_leaf_free(&false_one);

    spec.uri = "umx://other/controller/main";
    false_one = pki_issue(&pki, &spec);
    controller = false_one;
    start_server(true, 2);
    controller = own;
    expect_refusal(&pki, &person, "/test/Run", "who", UMX_ERR_TLS_FAILED, &err);
    assert_non_null(strstr(err.why, "another deployment"));
    pki_leaf_free(&false_one);
}

static void test_server_name_is_checked(void **state)
{
    struct umx_rpc_tls tls = pki_tls(&pki, &person);
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};
    char target[32];

    (void)state;
    start_server(true, 2);
    snprintf(target, sizeof target, "127.0.0.1:%d", umx_rpc_server_port(server));
    assert_int_equal(umx_rpc_channel_open(target, &tls, "controller.test", MAX_MESSAGE, &channel, &err), 0);
    call = start_call(channel, "/test/Run", "who", true);
    expect_message(call, OPERATOR_URI);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
    assert_int_equal(umx_rpc_channel_open(target, &tls, "elsewhere.test", MAX_MESSAGE, &channel, &err), 0);
    call = start_call(channel, "/test/Run", "who", true);
    expect_end(call, UMX_ERR_TLS_FAILED, NULL);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

static void test_bad_targets_and_material(void **state)
{
    static const char *const targets[] = {"", "host", "host:", ":1", "unix:/tmp/x", "dns:///h:1", "h:12x", "a b:1"};
    struct umx_rpc_tls tls = pki_tls(&pki, &person);
    struct umx_rpc_tls mixed = {.key = agent.key, .chain = person.chain, .roots = pki.roots};
    struct umx_rpc_tls empty = {.roots = "no certificate"};
    struct umx_rpc_channel *channel;
    struct umx_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        assert_int_equal(umx_rpc_channel_open(targets[i], &tls, NULL, 1024, &channel, &err), UMX_E_ARGUMENT);
    assert_int_equal(umx_rpc_channel_open("h:1", &mixed, NULL, 1024, &channel, &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_IDENTITY_FILE_INVALID);
    assert_int_equal(umx_rpc_channel_open("h:1", &empty, NULL, 1024, &channel, &err), UMX_E_ARGUMENT);
}

static void test_nobody_listens(void **state)
{
    struct umx_rpc_tls tls = pki_tls(&pki, &person);
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_rpc_channel_open("127.0.0.1:9", &tls, NULL, 1024, &channel, &err), 0);
    call = start_call(channel, "/test/Run", "who", true);
    expect_end(call, UMX_ERR_PEER_UNREACHABLE, &err);
    assert_string_equal(err.what, "127.0.0.1:9");
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
}

/* ---- a peer that is no gRPC client */

static int connect_plain(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)umx_rpc_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void test_garbage_instead_of_tls(void **state)
{
    char buffer[256];
    int fd;

    (void)state;
    start_server(true, 2);
    fd = connect_plain();
    assert_true(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
    while (recv(fd, buffer, sizeof buffer, 0) > 0)
        ;
    close(fd);
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
}

static void test_garbage_after_the_handshake(void **state)
{
    static const unsigned char protocols[] = {2, 'h', '2'};
    char garbage[4096];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    X509 *leaf;
    EVP_PKEY *key;
    X509 *intermediate;
    int got;

    (void)state;
    start_server(true, 2);
    assert_int_equal(umx_certificate_read(person.chain, "test", &leaf, NULL), 0);
    assert_int_equal(umx_certificate_read_key(person.key, "test", &key, NULL), 0);
    intermediate = X509_dup(pki.intermediate);
    SSL_CTX_use_certificate(context, leaf);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_add_extra_chain_cert(context, intermediate);
    SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols);
    SSL *ssl = SSL_new(context);
    int fd = connect_plain();
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    memset(garbage, 0xA5, sizeof garbage);
    assert_true(SSL_write(ssl, garbage, sizeof garbage) > 0);
    do
        got = SSL_read(ssl, garbage, sizeof garbage);
    while (got > 0);
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(context);
    X509_free(leaf);
    EVP_PKEY_free(key);
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
}

/* ---- the server's life */

static void test_taken_port_is_an_error(void **state)
{
    struct umx_rpc_server *second;
    struct umx_error err = {0};
    char address[32];

    (void)state;
    start_server(true, 2);
    snprintf(address, sizeof address, "127.0.0.1:%d", umx_rpc_server_port(server));
    struct umx_rpc_server_options options = {.address = address,
                                             .tls = pki_tls(&pki, &controller),
                                             .max_message = MAX_MESSAGE,
                                             .threads = 1,
                                             .methods = methods,
                                             .method_count = 1};
    assert_int_equal(umx_rpc_server_start(&options, &second, &err), UMX_E_CONFLICT);
    assert_int_equal(err.id, UMX_ERR_ADDRESS_IN_USE);
    assert_null(second);
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
}

static void test_stop_with_live_streams(void **state)
{
    enum { STREAMS = 5 };
    struct umx_rpc_channel *channels[STREAMS];
    struct umx_rpc_client_call *calls[STREAMS];
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *blocked;
    uint8_t *bytes;
    size_t length;
    int64_t before;

    (void)state;
    start_server(true, 2);
    for (int i = 0; i < STREAMS; i++) {
        channels[i] = open_channel(&pki, &agent);
        calls[i] = start_call(channels[i], "/test/Attach", "x", false);
        expect_message(calls[i], "x");
    }
    channel = open_channel(&pki, &person);
    blocked = start_call(channel, "/test/Run", "block", true);
    for (int k = 0; k < 100 && seen.serving == 0; k++)
        umx_rpc_call_next(blocked, 50 * UMX_MILLISECOND, &bytes, &length, NULL);
    wait_for(&seen.serving, 1);
    before = umx_clock_monotonic();
    umx_rpc_server_stop(server, 300 * UMX_MILLISECOND);
    server = NULL;
    assert_true(umx_clock_monotonic() - before < 10 * UMX_SECOND);
    assert_int_equal(seen.closed, STREAMS + 1);
    assert_true(seen.cancelled);
    for (int i = 0; i < STREAMS; i++) {
        expect_end(calls[i], UMX_ERR_SERVER_STOPPING, NULL);
        umx_rpc_call_close(calls[i]);
        umx_rpc_channel_close(channels[i]);
    }
    umx_rpc_call_close(blocked);
    umx_rpc_channel_close(channel);
}

static void test_reload(void **state)
{
    struct pki_leaf renewed = pki_leaf(&foreign, "umx://test/controller/main", "controller.test", NULL, 30);
    struct umx_rpc_tls tls = pki_tls(&foreign, &renewed);
    struct umx_rpc_tls mixed = {.key = renewed.key, .chain = controller.chain, .roots = pki.roots};
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    struct umx_error err = {0};

    (void)state;
    start_server(true, 2);
    channel = open_channel(&pki, &agent);
    call = start_call(channel, "/test/Attach", "x", false);
    expect_message(call, "x");
    /* Material that does not fit together is refused, and what was there stays. */
    assert_int_equal(umx_rpc_server_reload(server, &mixed, &err), UMX_E_ARGUMENT);
    expect_answer(&person, "/test/Run", "who", OPERATOR_URI);
    assert_int_equal(umx_rpc_server_reload(server, &tls, &err), 0);
    expect_refusal(&pki, &person, "/test/Run", "who", UMX_ERR_TLS_FAILED, NULL);
    /* The stream stays. */
    assert_int_equal(umx_rpc_call_send(call, "y", 1), 0);
    expect_message(call, "y");
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
    pki_leaf_free(&renewed);
}

static int set_up(void **state)
{
    (void)state;
    umx_rpc_begin();
    pki_make(&pki, "root");
    pki_make(&foreign, "foreign root");
    controller = pki_leaf(&pki, "umx://test/controller/main", "controller.test", NULL, 60);
    agent = pki_leaf(&pki, "umx://test/agent/6b1e", "ex1.exchange.test", NULL, 30);
    person = pki_leaf(&pki, OPERATOR_URI, NULL, "exchange.test", 30);
    expired = pki_leaf(&pki, OPERATOR_URI, NULL, "exchange.test", -1);
    stranger = pki_leaf(&foreign, OPERATOR_URI, NULL, "exchange.test", 30);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_leaf_free(&controller);
    pki_leaf_free(&agent);
    pki_leaf_free(&person);
    pki_leaf_free(&expired);
    pki_leaf_free(&stranger);
    pki_free(&pki);
    pki_free(&foreign);
    umx_rpc_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_call, stop_server),
        cmocka_unit_test_teardown(test_request_is_capped, stop_server),
        cmocka_unit_test_teardown(test_strangers_have_few_places, stop_server),
        cmocka_unit_test_teardown(test_many_answers_arrive_in_order, stop_server),
        cmocka_unit_test_teardown(test_one_channel_carries_many_calls, stop_server),
        cmocka_unit_test_teardown(test_error_crosses_the_wire, stop_server),
        cmocka_unit_test_teardown(test_unknown_method, stop_server),
        cmocka_unit_test_teardown(test_messages_up_to_the_maximum, stop_server),
        cmocka_unit_test_teardown(test_busy_beyond_the_threads, stop_server),
        cmocka_unit_test_teardown(test_client_cancels, stop_server),
        cmocka_unit_test_teardown(test_deadline, stop_server),
        cmocka_unit_test_teardown(test_next_gives_up_in_time, stop_server),
        cmocka_unit_test_teardown(test_stream, stop_server),
        cmocka_unit_test_teardown(test_stream_refused_by_its_handler, stop_server),
        cmocka_unit_test_teardown(test_server_ends_a_stream, stop_server),
        cmocka_unit_test_teardown(test_stream_cancelled_by_the_client, stop_server),
        cmocka_unit_test_teardown(test_slow_receiver_loses_its_stream, stop_server),
        cmocka_unit_test_teardown(test_many_messages_both_ways, stop_server),
        cmocka_unit_test_teardown(test_questions_do_not_outrun_their_answers, stop_server),
        cmocka_unit_test_teardown(test_certificate_is_required, stop_server),
        cmocka_unit_test_teardown(test_certificate_is_optional, stop_server),
        cmocka_unit_test_teardown(test_foreign_certificate, stop_server),
        cmocka_unit_test_teardown(test_client_does_not_trust_a_foreign_server, stop_server),
        cmocka_unit_test_teardown(test_expired_certificate, stop_server),
        cmocka_unit_test_teardown(test_certificate_that_expires_ends_its_stream, stop_server),
        cmocka_unit_test_teardown(test_server_must_be_a_controller, stop_server),
        cmocka_unit_test_teardown(test_server_name_is_checked, stop_server),
        cmocka_unit_test(test_bad_targets_and_material),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test_teardown(test_garbage_instead_of_tls, stop_server),
        cmocka_unit_test_teardown(test_garbage_after_the_handshake, stop_server),
        cmocka_unit_test_teardown(test_taken_port_is_an_error, stop_server),
        cmocka_unit_test_teardown(test_stop_with_live_streams, stop_server),
        cmocka_unit_test_teardown(test_reload, stop_server),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Every function with everything that a caller can do wrong: an error with an id that says so, never a crash. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define HANDLE "UMX-1607"
#define MISSING "UMX-1608"
#define BUSY "UMX-1609"

static const char few[] = "{\"operation\":\"few\"}";
static const char silent[] = "{\"operation\":\"silent\"}";

/* Expects the status of a caller's mistake and the id in err, which it frees. */
static void expect(int32_t status, umx_buf *err, const char *id)
{
    char wanted[32];

    assert_int_equal(status, -1);
    snprintf(wanted, sizeof wanted, "\"id\":\"%s\"", id);
    if (!buf_has(err, wanted))
        fail_msg("%s is not in %.*s", wanted, (int)err->length, err->data != NULL ? (const char *)err->data : "");
    umx.buf_free(err);
    assert_null(err->data);
    assert_int_equal(err->length, 0);
}

/* ---- handles that are none */

enum { WRONG_MAX = 16 };

struct wrong {
    void *handles[WRONG_MAX];
    size_t count;
    umx_session *session; /* open, to be of the wrong kind for an operation */
    umx_op *op;           /* and the other way round */
};

static struct wrong wrong_handles(void)
{
    static uint64_t memory[8];
    struct wrong made = {.count = 0};
    umx_session *closed_session = session_open(&umx, &stand_in);
    umx_op *closed_op = op_start(&umx, closed_session, few);

    made.session = session_open(&umx, &stand_in);
    made.op = op_start(&umx, made.session, silent);
    umx.op_close(closed_op);
    umx.session_close(closed_session);
    void *const all[] = {NULL,
                         closed_session,
                         closed_op,
                         memory,
                         (void *)1,
                         (void *)3,
                         (void *)5,
                         (void *)7,
                         (void *)(uintptr_t)0xdeadbeef,
                         (void *)UINTPTR_MAX,
                         (void *)(UINTPTR_MAX - 2),
                         (void *)((uintptr_t)made.session ^ 1),
                         (void *)((uintptr_t)made.session ^ (uintptr_t)1 << 40),
                         (void *)((uintptr_t)made.op + 8)};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        made.handles[made.count++] = all[i];
    return made;
}

static void wrong_end(struct wrong *wrong)
{
    umx.op_close(wrong->op);
    umx.session_close(wrong->session);
}

static void try_session(umx_session *session)
{
    umx_op *op = (umx_op *)&umx;
    umx_buf out = {(uint8_t *)1, 1};
    umx_buf err;

    expect(umx.op_start(session, (const uint8_t *)few, strlen(few), &op, &err), &err, HANDLE);
    assert_null(op);
    assert_int_equal(umx.op_start(session, (const uint8_t *)few, strlen(few), &op, NULL), -1);
    expect(umx.session_identity(session, &out, &err), &err, HANDLE);
    assert_null(out.data);
    assert_int_equal(umx.session_identity(session, &out, NULL), -1);
    out = (umx_buf){(uint8_t *)1, 1};
    expect(umx.session_sign(session, (const uint8_t *)"x", 1, &out, &err), &err, HANDLE);
    assert_null(out.data);
    assert_int_equal(umx.session_sign(session, (const uint8_t *)"x", 1, &out, NULL), -1);
    umx.session_close(session);
}

static void try_op(umx_op *op)
{
    umx_buf record = {(uint8_t *)1, 1};

    int32_t status = umx.op_next(op, UINT32_MAX, &record);
    assert_true(buf_has(&record, "\"kind\":\"failed\""));
    expect(status, &record, HANDLE);
    assert_int_equal(umx.op_next(op, 0, NULL), -1);
    assert_int_equal(umx.op_cancel(op), -1);
    umx.op_close(op);
}

static void test_handles(void **state)
{
    struct wrong wrong = wrong_handles();
    umx_buf out, err;

    (void)state;
    for (size_t i = 0; i < wrong.count; i++) {
        try_session(wrong.handles[i]);
        try_op(wrong.handles[i]);
    }
    try_session((umx_session *)wrong.op);
    try_op((umx_op *)wrong.session);
    /* None of it touched those that are open. */
    assert_int_equal(umx.session_identity(wrong.session, &out, &err), 0);
    umx.buf_free(&out);
    assert_int_equal(umx.op_next(wrong.op, 0, &out), UMX_REC_TIMEOUT);
    assert_int_equal(run(&umx, wrong.session, few), 1);
    wrong_end(&wrong);
}

/* A place in the table that is used again is another handle. */
static void test_closed_stays_closed(void **state)
{
    umx_session *first = session_open(&umx, &stand_in);

    (void)state;
    umx.session_close(first);
    for (int i = 0; i < 60; i++) {
        umx_session *other = session_open(&umx, &stand_in);
        assert_ptr_not_equal(first, other);
        umx_op *op = op_start(&umx, other, few);
        assert_ptr_not_equal((void *)op, (void *)other);
        try_session(first);
        umx.session_close(other);
        umx.op_close(op);
    }
}

/* Operations live on when their session is closed, and end when they are. */
static void test_any_order(void **state)
{
    umx_session *session = session_open(&umx, &stand_in);
    umx_op *op = op_start(&umx, session, few);
    umx_buf record;

    (void)state;
    umx.session_close(session);
    umx.session_close(session);
    try_session(session);
    assert_int_equal(op_drain(&umx, op), 1);
    assert_int_equal(umx.op_next(op, 1000, &record), UMX_REC_END);
    assert_null(record.data);
    assert_int_equal(umx.op_cancel(op), 0);
    umx.op_close(op);
    umx.op_close(op);
    try_op(op);
}

/* ---- other parameters */

static void test_null(void **state)
{
    umx_session *session = session_open(&umx, &stand_in);
    umx_op *op = op_start(&umx, session, silent);
    umx_session *none = (umx_session *)&umx;
    umx_op *no_op = (umx_op *)&umx;
    const uint8_t *request = (const uint8_t *)few;
    umx_buf out, err;

    (void)state;
    expect(umx.session_open(request, 2, NULL, &err), &err, MISSING);
    assert_int_equal(umx.session_open(NULL, 0, NULL, NULL), -1);
    expect(umx.session_open(NULL, 0, &none, &err), &err, "UMX-1005");
    assert_null(none);
    none = (umx_session *)&umx;
    expect(umx.session_open(NULL, SIZE_MAX, &none, &err), &err, "UMX-1005");
    assert_null(none);
    expect(umx.op_start(session, request, sizeof few - 1, NULL, &err), &err, MISSING);
    expect(umx.op_start(session, NULL, 5, &no_op, &err), &err, "UMX-1005");
    assert_null(no_op);
    assert_int_equal(umx.op_next(op, 0, NULL), -1);
    expect(umx.session_identity(session, NULL, &err), &err, MISSING);
    expect(umx.session_sign(session, NULL, 1, &out, &err), &err, MISSING);
    expect(umx.session_sign(session, request, 1, NULL, &err), &err, MISSING);
    assert_int_equal(umx.session_sign(session, NULL, 0, &out, &err), 0);
    umx.buf_free(&out);
    expect(umx.login(request, 2, NULL, &err), &err, MISSING);
    expect(umx.login(NULL, 0, &out, &err), &err, "UMX-1005");
    assert_int_equal(umx.login(NULL, 0, NULL, NULL), -1);
    umx.buf_free(NULL);
    umx.session_close(NULL);
    umx.op_close(NULL);
    umx.op_close(op);
    umx.session_close(session);
}

/* A request cut at any byte, and one of any impossible length, of which not a byte is read. */
static void test_lengths(void **state)
{
    static const char whole[] =
        "{\"operation\":\"few\",\"arguments\":{\"a\":[1,2,{\"b\":null}]},\"deadline_ms\":60000}";
    static const size_t impossible[] = {16 * 1024 * 1024 + 1, (size_t)INT32_MAX, (size_t)UINT32_MAX, SIZE_MAX / 2,
                                        SIZE_MAX};
    umx_session *session = session_open(&umx, &stand_in);
    umx_session *none;
    umx_op *op;
    umx_buf out, err;

    (void)state;
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        uint8_t *exact = malloc(length > 0 ? length : 1); /* a read behind it is seen by the sanitizer */
        memcpy(exact, whole, length);
        assert_int_equal(umx.op_start(session, exact, length, &op, &err), -1);
        assert_true(buf_has(&err, "\"id\":\"UMX-1005\""));
        umx.buf_free(&err);
        assert_null(op);
        free(exact);
    }
    const uint8_t *bytes = (const uint8_t *)whole;
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        expect(umx.session_open(bytes, impossible[i], &none, &err), &err, "UMX-1005");
        expect(umx.op_start(session, bytes, impossible[i], &op, &err), &err, "UMX-1005");
        expect(umx.login(bytes, impossible[i], &out, &err), &err, "UMX-1005");
        assert_int_equal(umx.session_sign(session, bytes, impossible[i], &out, &err), -3);
        assert_true(buf_has(&err, "\"id\":\"UMX-1010\""));
        umx.buf_free(&err);
    }
    umx.session_close(session);
}

/* Values of every wrong type, for every key; keys that do not exist. */
static void test_types(void **state)
{
    static const char *const keys[] = {"controller", "identity",    "ca",      "server_name", "operation",
                                       "arguments",  "deadline_ms", "forest",  "certificate", "key",
                                       "out",        "fingerprint", "service", "colour",      ""};
    static const char *const values[] = {"7",
                                         "-1",
                                         "1.5",
                                         "true",
                                         "[]",
                                         "[{}]",
                                         "{}",
                                         "\"\"",
                                         "null",
                                         "1e999",
                                         "\"x\"",
                                         "\"\\u0000\"",
                                         "99999999999999999999"};
    umx_session *session = session_open(&umx, &stand_in);
    umx_session *none;
    umx_op *op;
    umx_buf out, err;
    char text[256];

    (void)state;
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            snprintf(text, sizeof text, "{\"%s\":%s}", keys[k], values[v]);
            const uint8_t *bytes = (const uint8_t *)text;
            assert_true(umx.session_open(bytes, strlen(text), &none, &err) < 0);
            assert_true(buf_has(&err, "\"id\":\"UMX-"));
            umx.buf_free(&err);
            assert_true(umx.login(bytes, strlen(text), &out, &err) < 0);
            assert_true(buf_has(&err, "\"id\":\"UMX-"));
            umx.buf_free(&err);
            /* Only an operation with some name may start. */
            int32_t status = umx.op_start(session, bytes, strlen(text), &op, &err);
            assert_int_equal(status == 0, strcmp(keys[k], "operation") == 0 && values[v][0] == '"' &&
                                              strcmp(values[v], "\"\\u0000\"") != 0);
            umx.buf_free(&err);
            umx.op_close(op);
        }
    umx.session_close(session);
}

static void test_timeouts(void **state)
{
    umx_session *session = session_open(&umx, &stand_in);
    umx_op *op = op_start(&umx, session, few);
    umx_buf record;
    int32_t kind;

    (void)state;
    do
        kind = umx.op_next(op, UINT32_MAX, &record);
    while (kind > 0 && kind != UMX_REC_END && (umx.buf_free(&record), true));
    assert_int_equal(kind, UMX_REC_END);
    umx.buf_free(&record);
    assert_int_equal(umx.op_next(op, UINT32_MAX, &record), UMX_REC_END);
    umx.op_close(op);
    op = op_start(&umx, session, silent);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(umx.op_next(op, 0, &record), UMX_REC_TIMEOUT);
    umx.op_close(op);
    umx.session_close(session);
}

/* ---- threads that do not keep to the rules */

static void *read_long(void *user)
{
    umx_buf record;
    int32_t kind;

    do { /* one of the two is refused, and that may be this one */
        kind = umx.op_next(user, 60000, &record);
        umx.buf_free(&record);
    } while (kind == -12);
    return (void *)(intptr_t)kind;
}

static void test_two_readers(void **state)
{
    umx_session *session = session_open(&umx, &stand_in);
    umx_op *op = op_start(&umx, session, silent);
    umx_buf record;
    pthread_t thread;
    void *kind;
    int32_t status;

    (void)state;
    pthread_create(&thread, NULL, read_long, op);
    while ((status = umx.op_next(op, 0, &record)) == UMX_REC_TIMEOUT)
        usleep(1000);
    assert_int_equal(status, -12);
    assert_true(buf_has(&record, BUSY));
    umx.buf_free(&record);
    /* Closed by one while another reads: the reader comes back, and the handle is no more. */
    umx.op_close(op);
    pthread_join(thread, &kind);
    assert_true((intptr_t)kind < 0);
    try_op(op);
    umx.session_close(session);
}

static struct {
    _Atomic(umx_session *) session;
    _Atomic(umx_op *) op;
    atomic_bool over;
} shared;

/* Everything at once on handles that others open and close. */
static void *trample(void *user)
{
    umx_buf out, err;
    umx_op *op;

    (void)user;
    while (!atomic_load(&shared.over)) {
        umx_session *session = atomic_load(&shared.session);
        umx_op *other = atomic_load(&shared.op);
        if (umx.op_start(session, (const uint8_t *)few, strlen(few), &op, NULL) == 0)
            umx.op_close(atomic_exchange(&shared.op, op));
        umx.session_identity(session, &out, &err);
        umx.buf_free(&out);
        umx.buf_free(&err);
        umx.op_next(other, 1, &out);
        umx.buf_free(&out);
        umx.op_cancel(other);
        umx.op_next(other, 1, &out);
        umx.buf_free(&out);
        umx.op_close(other);
    }
    return NULL;
}

static void test_trampling(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, trample, NULL);
    for (int64_t until = milliseconds() + 1500; milliseconds() < until;) {
        umx.session_close(atomic_exchange(&shared.session, session_open(&umx, &stand_in)));
        usleep(2000);
    }
    atomic_store(&shared.over, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    umx.op_close(atomic_load(&shared.op));
    umx.session_close(atomic_load(&shared.session));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handles),   cmocka_unit_test(test_closed_stays_closed),
        cmocka_unit_test(test_any_order), cmocka_unit_test(test_null),
        cmocka_unit_test(test_lengths),   cmocka_unit_test(test_types),
        cmocka_unit_test(test_timeouts),  cmocka_unit_test(test_two_readers),
        cmocka_unit_test(test_trampling),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

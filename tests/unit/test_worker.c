/* The worker's side of the socket, without any forest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/reflect.h"
#include "directory/worker.h"
#include "umx/v1/worker.pb-c.h"

static pid_t child;
static FILE *in, *out;
static struct umx_arena *arena;

static int set_up(void **state)
{
    int ends[2];
    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) {
        return -1;
    }
    child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(umx_worker_main(ends[1]));
    }
    close(ends[1]);
    in = fdopen(ends[0], "rb");
    out = fdopen(dup(ends[0]), "wb");
    arena = umx_arena_new(16 << 20);
    return child > 0 && in && out && arena ? 0 : -1;
}

static int hang_up(void)
{
    int status = -1;
    if (out) {
        fclose(out);
        fclose(in);
        in = out = NULL;
    }
    if (child > 0) {
        waitpid(child, &status, 0);
        child = 0;
    }
    return status;
}

static int tear_down(void **state)
{
    (void)state;
    hang_up();
    umx_arena_free(arena);
    return 0;
}

static void send_request(const Umx__WorkerRequest *request)
{
    uint8_t *bytes;
    size_t length;
    assert_int_equal(umx_reflect_pack(&request->base, &bytes, &length, NULL), 0);
    assert_int_equal(umx_frame_write(out, bytes, length, NULL), 0);
    free(bytes);
}

static const Umx__WorkerReply *reply(void)
{
    uint8_t *bytes;
    size_t length;
    ProtobufCMessage *message = NULL;
    assert_int_equal(umx_frame_read(in, UMX_MAX_WORKER_MESSAGE, &bytes, &length, NULL), 0);
    assert_non_null(bytes);
    assert_int_equal(umx_reflect_unpack(&umx__worker_reply__descriptor, bytes, length, arena, &message, NULL), 0);
    free(bytes);
    return (const Umx__WorkerReply *)(void *)message;
}

static void configure(const char *keytab)
{
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__Configure settings = UMX__CONFIGURE__INIT;
    char controller[] = "127.0.0.1:1", *controllers[] = {controller};
    request.id = request.has_id = 1;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_CONFIGURE;
    request.configure = &settings;
    settings.forest = umx_arena_string(arena, "forest.test");
    settings.account = umx_arena_string(arena, "reader@FOREST.TEST");
    settings.keytab = umx_arena_string(arena, keytab);
    settings.n_domain_controller = 1;
    settings.domain_controller = controllers;
    send_request(&request);
    const Umx__WorkerReply *answer = reply();
    assert_null(answer->error);
    assert_true(answer->last && answer->id == 1);
}

static void it_ends_when_nobody_listens(void **state)
{
    (void)state;
    configure("/nowhere");
    assert_int_equal(hang_up(), 0);
}

static void nothing_is_served_before_configure(void **state)
{
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__Read read = UMX__READ__INIT;
    (void)state;
    request.has_id = 1;
    request.id = 42;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ;
    request.read = &read;
    send_request(&request);
    const Umx__WorkerReply *answer = reply();
    assert_int_equal(answer->id, 42);
    assert_true(answer->last);
    assert_non_null(answer->error);
    assert_int_equal(answer->error->id, UMX_ERR_CONFIG_INVALID);
    request.request_case = UMX__WORKER_REQUEST__REQUEST__NOT_SET;
    request.id = 43;
    send_request(&request);
    answer = reply();
    assert_int_equal(answer->id, 43);
    assert_int_equal(answer->error->id, UMX_ERR_MESSAGE_INVALID);
    assert_int_equal(hang_up(), 0);
}

static void errors_come_back_with_their_reason(void **state)
{
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__Read read = UMX__READ__INIT;
    Umx__Apply apply = UMX__APPLY__INIT;
    (void)state;
    configure("/nowhere/reader.keytab");
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ;
    request.read = &read;
    send_request(&request);
    const Umx__WorkerReply *answer = reply();
    assert_int_equal(answer->error->id, UMX_ERR_FILE_UNREADABLE);
    assert_string_equal(answer->error->what, "/nowhere/reader.keytab");
    /* An apply without an intent is refused before anything is connected. */
    request.request_case = UMX__WORKER_REQUEST__REQUEST_APPLY;
    request.apply = &apply;
    send_request(&request);
    answer = reply();
    assert_int_equal(answer->error->id, UMX_ERR_JSON_VALUE_INVALID);
    assert_int_equal(hang_up(), 0);
}

static void a_broken_frame_ends_it(void **state)
{
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    (void)state;
    assert_int_equal(umx_frame_write(out, garbage, sizeof garbage, NULL), 0);
    int status = hang_up();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_ends_when_nobody_listens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_served_before_configure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_come_back_with_their_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_frame_ends_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

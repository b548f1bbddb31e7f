/* Handles come and go without a trace: memory and descriptors stay flat. UMX_CYCLES is how many handles (8,000 unless
 * set; a million takes minutes): one of forty is a session, the others are operations. */
#include "fixture.h"

#include <dirent.h>

/* What gRPC frees later counts for some MiB however many handles there were. */
enum { DEFAULT = 8000, SESSION_EVERY = 40, MEMORY_SLACK_KB = 12288, DESCRIPTOR_SLACK = 4 };

static long memory_kb(void)
{
    long whole = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &whole, &resident), 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int entries(const char *directory)
{
    DIR *open = opendir(directory);
    int count = 0;

    assert_non_null(open);
    while (readdir(open) != NULL)
        count++;
    closedir(open);
    return count;
}

/* Nobody listens there, so that the cycles are the library's own work. Errors, records and results are among them. */
static void cycle(long sessions)
{
    for (long i = 0; i < sessions; i++) {
        umx_session *session;
        umx_buf buf, err;
        umx_op *op;

        assert_int_equal(session_open_at(&umx, &stand_in, 1, &session, &err), 0);
        for (int k = 1; k < SESSION_EVERY; k++) {
            op = op_start(&umx, session, "{\"operation\":\"few\",\"arguments\":{\"name\":\"ex13-*\"}}");
            if (k % 8 == 0) {
                umx.op_next(op, 0, &buf);
                umx.buf_free(&buf);
            }
            if (k % 4 == 0)
                umx.op_cancel(op);
            umx.op_close(op);
        }
        assert_int_equal(umx.session_identity(session, &buf, &err), 0);
        umx.buf_free(&buf);
        assert_true(umx.op_start(session, (const uint8_t *)"{}", 2, &op, &err) < 0);
        umx.buf_free(&err);
        umx.session_close(session);
    }
}

static void test_cycles(void **state)
{
    const char *wanted = getenv("UMX_CYCLES");
    long handles = wanted != NULL ? atol(wanted) : DEFAULT;
    long sessions = handles / SESSION_EVERY;

    (void)state;
    assert_true(sessions >= 10);
    cycle(sessions / 10); /* what is made once is made */
    long memory = memory_kb();
    int descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    int64_t from = milliseconds();
    for (int part = 0; part < 10; part++) {
        cycle(sessions / 10);
        if (wanted != NULL)
            print_message("%ld handles, %.1f s, %ld KiB\n", (part + 1) * (sessions / 10) * SESSION_EVERY,
                          (double)(milliseconds() - from) / 1000, memory_kb());
    }
    int64_t took = milliseconds() - from;
    long memory_after = memory_kb();
    int descriptors_after = entries("/proc/self/fd"), threads_after = entries("/proc/self/task");
    print_message("%ld handles in %.1f s: memory %ld -> %ld KiB, descriptors %d -> %d, threads %d -> %d\n",
                  sessions / 10 * 10 * SESSION_EVERY, (double)took / 1000, memory, memory_after, descriptors - 3,
                  descriptors_after - 3, threads - 2, threads_after - 2);
#if !defined(__SANITIZE_ADDRESS__)
    assert_true(memory_after <= memory + MEMORY_SLACK_KB);
#endif
    assert_true(descriptors_after <= descriptors + DESCRIPTOR_SLACK);
    assert_true(threads_after <= threads + 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cycles)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* A guest in somebody's process: what was the host's is as it was, whatever the library does. */
#include "library.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { SIGNALS = 65, IDS_MAX = 256 };

/* ---- numbers in a directory of /proc: descriptors, threads */

struct ids {
    int list[IDS_MAX];
    size_t count;
};

static struct ids ids_of(const char *directory)
{
    struct ids made = {.count = 0};
    DIR *open = opendir(directory);
    const struct dirent *entry;

    assert_non_null(open);
    while ((entry = readdir(open)) != NULL)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(open) && made.count < IDS_MAX)
            made.list[made.count++] = atoi(entry->d_name);
    closedir(open);
    return made;
}

static bool ids_have(const struct ids *ids, int id)
{
    for (size_t i = 0; i < ids->count; i++)
        if (ids->list[i] == id)
            return true;
    return false;
}

static struct stand_in stand_in;
static struct ids files_before; /* the library */

static const char few[] = "{\"operation\":\"few\"}";
static const char silent[] = "{\"operation\":\"silent\"}";

/* ---- what the library may do in its life: sessions that work, that are refused, that reach nobody, and logins */

/* A port where every connection is broken after its first bytes, as rudely as TCP can. */
struct breaker {
    int listener;
    int port;
    pthread_t thread;
};

static void *break_all(void *user)
{
    const struct breaker *breaker = user;
    static const struct linger now = {.l_onoff = 1, .l_linger = 0};
    char byte;
    int fd;

    while ((fd = accept4(breaker->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (recv(fd, &byte, 1, 0) == 1)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
    }
    return NULL;
}

static void breaker_start(struct breaker *breaker)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    sigset_t all, before;

    breaker->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(breaker->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(breaker->listener, 16), 0);
    getsockname(breaker->listener, (struct sockaddr *)&at, &length);
    breaker->port = ntohs(at.sin_port);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&breaker->thread, NULL, break_all, breaker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void breaker_stop(struct breaker *breaker)
{
    shutdown(breaker->listener, SHUT_RDWR);
    pthread_join(breaker->thread, NULL);
    close(breaker->listener);
}

static void fail_at(const struct library *umx, int port)
{
    umx_session *session;
    umx_buf err;

    assert_int_equal(session_open_at(umx, &stand_in, port, &session, &err), 0);
    assert_true(run(umx, session, few) < 0);
    umx->session_close(session);
}

static void fail_login(const struct library *umx, int port, const char *more)
{
    char text[512];
    umx_buf out, err;

    snprintf(text, sizeof text,
             "{\"controller\":\"127.0.0.1:%d\",\"forest\":\"exchange.test\",\"out\":\"%s/never.pem\",%s}", port,
             stand_in.directory, more);
    assert_true(umx->login((const uint8_t *)text, strlen(text), &out, &err) < 0);
    assert_true(buf_has(&err, "\"id\":\"UMX-"));
    umx->buf_free(&err);
}

static void live(const struct library *umx)
{
    struct breaker breaker;
    char text[256];
    umx_buf out, err;
    umx_session *session = session_open(umx, &stand_in);

    assert_int_equal(run(umx, session, few), 1);
    assert_true(run(umx, session, "{\"operation\":\"unknown\"}") < 0);
    assert_int_equal(run(umx, session, "{\"operation\":\"silent\",\"deadline_ms\":50}"), -10);
    assert_int_equal(umx->session_identity(session, &out, &err), 0);
    umx->buf_free(&out);
    umx_op *op = op_start(umx, session, silent);
    umx->op_cancel(op);
    umx->op_close(op);
    umx->session_close(session);

    breaker_start(&breaker);
    fail_at(umx, 1); /* nobody listens */
    fail_at(umx, breaker.port);
    fail_login(umx, breaker.port,
               "\"fingerprint\":\"0000000000000000000000000000000000000000000000000000000000000000\"");
    fail_login(umx, stand_in.port,
               "\"fingerprint\":\"0000000000000000000000000000000000000000000000000000000000000000\"");
    snprintf(text, sizeof text, "\"ca\":\"%s/root.pem\",\"service\":\"umx/nowhere\"", stand_in.directory);
    fail_login(umx, breaker.port, text); /* no ticket */
    breaker_stop(&breaker);
}

/* ---- signals */

struct signals {
    struct sigaction actions[SIGNALS];
    bool known[SIGNALS];
    sigset_t mask;
};

static struct signals signals_now(void)
{
    struct signals made;

    memset(&made, 0, sizeof made);
    for (int i = 1; i < SIGNALS; i++)
        made.known[i] = sigaction(i, NULL, &made.actions[i]) == 0;
    pthread_sigmask(SIG_BLOCK, NULL, &made.mask);
    return made;
}

static void expect_same_signals(const struct signals *a, const struct signals *b)
{
    for (int i = 1; i < SIGNALS; i++) {
        assert_int_equal(a->known[i], b->known[i]);
        assert_ptr_equal((void *)(uintptr_t)a->actions[i].sa_sigaction, (void *)(uintptr_t)b->actions[i].sa_sigaction);
        assert_int_equal(a->actions[i].sa_flags, b->actions[i].sa_flags);
        for (int k = 1; k < SIGNALS; k++)
            assert_int_equal(sigismember(&a->actions[i].sa_mask, k), sigismember(&b->actions[i].sa_mask, k));
        assert_int_equal(sigismember(&a->mask, i), sigismember(&b->mask, i));
    }
}

/* The first thing of all, so that it sees the library come: signals, output, locale, environment, directory, umask. */
static void test_nothing_of_the_host_changes(void **state)
{
    extern char **environ;
    struct signals before = signals_now();
    char *locale = strdup(setlocale(LC_ALL, NULL));
    mode_t mask = umask(022);
    char directory[2][1024];
    char **environment = environ;
    size_t variables = 0;
    int out[3], output = memfd_create("output", MFD_CLOEXEC);

    (void)state;
    umask(mask);
    while (environment[variables] != NULL)
        variables++;
    char **copy = calloc(variables + 1, sizeof *copy);
    memcpy(copy, environment, variables * sizeof *copy);
    assert_non_null(getcwd(directory[0], sizeof directory[0]));
    /* What anybody writes goes to a file; gRPC is asked to be as loud as it can. */
    fflush(NULL);
    for (int i = 1; i < 3; i++) {
        out[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        dup2(output, i);
    }
    struct library umx = library_load();
    live(&umx);
    fflush(NULL);
    for (int i = 1; i < 3; i++) {
        dup2(out[i], i);
        close(out[i]);
    }
    char text[4096];
    ssize_t length = pread(output, text, sizeof text, 0);
    if (length != 0)
        fail_msg("written: %.*s", (int)length, text);
    close(output);

    struct signals after = signals_now();
    expect_same_signals(&before, &after);
    assert_string_equal(setlocale(LC_ALL, NULL), locale);
    mode_t now = umask(mask);
    assert_int_equal(now, mask);
    assert_ptr_equal(environ, environment);
    for (size_t i = 0; i <= variables; i++)
        assert_ptr_equal(environment[i], copy[i]);
    assert_non_null(getcwd(directory[1], sizeof directory[1]));
    assert_string_equal(directory[0], directory[1]);
    free(copy);
    free(locale);
}

/* ---- SIGPIPE */

static volatile sig_atomic_t pipes;

static void count_pipe(int number)
{
    (void)number;
    pipes++;
}

static void test_no_sigpipe(void **state)
{
    struct sigaction count = {.sa_handler = count_pipe}, before;
    struct stand_in doomed;
    struct library umx = library_load();
    sigset_t pending;
    umx_op *ops[8];

    (void)state;
    sigaction(SIGPIPE, &count, &before);
    assert_int_equal(stand_in_start(&doomed), 0);
    umx_session *session = session_open(&umx, &doomed);
    assert_int_equal(run(&umx, session, few), 1);
    for (int i = 0; i < 8; i++)
        ops[i] = op_start(&umx, session, silent);
    kill(doomed.pid, SIGKILL);
    for (int i = 0; i < 8; i++) {
        umx.op_cancel(ops[i]);
        assert_true(op_drain(&umx, ops[i]) < 0);
        umx.op_close(ops[i]);
        assert_true(run(&umx, session, few) < 0);
    }
    umx.session_close(session);
    stand_in_stop(&doomed);
    live(&umx);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    sigaction(SIGPIPE, &before, NULL);
    assert_int_equal(pipes, 0);
}

/* ---- threads and descriptors */

static uint64_t blocked_of(int thread)
{
    char path[64], line[256];
    uint64_t mask = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return UINT64_MAX; /* it has ended */
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "SigBlk:", 7) == 0)
            mask = strtoull(line + 7, NULL, 16);
    fclose(file);
    return mask;
}

static void test_threads_and_descriptors(void **state)
{
    /* A fault of a thread itself stays deliverable; KILL and STOP cannot be blocked; 32 and 33 are the C library's. */
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGKILL, SIGSTOP, 32, 33};
    uint64_t all = UINT64_MAX;
    struct library umx = library_load();
    umx_session *session = session_open(&umx, &stand_in);
    umx_op *op = op_start(&umx, session, silent);
    umx_buf record;

    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        all &= ~(UINT64_C(1) << (open[i] - 1));
    assert_int_equal(umx.op_next(op, 300, &record), UMX_REC_TIMEOUT);
    assert_int_equal(run(&umx, session, few), 1);
    struct ids threads = ids_of("/proc/self/task");
    struct ids files = ids_of("/proc/self/fd");
    size_t ours = 0;
    for (size_t i = 0; i < threads.count; i++)
        if (threads.list[i] != getpid()) { /* the tests' own thread */
            ours++;
            assert_int_equal(blocked_of(threads.list[i]) & all, all);
        }
    assert_true(ours > 0);
    ours = 0;
    for (size_t i = 0; i < files.count; i++) {
        int flags = fcntl(files.list[i], F_GETFD);
        if (ids_have(&files_before, files.list[i]) || flags < 0)
            continue;
        ours++;
        assert_true((flags & FD_CLOEXEC) != 0);
    }
    assert_true(ours > 0);
    umx.op_close(op);
    umx.session_close(session);
}

/* ---- fork */

static int exit_of(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A host starts programs while an operation runs, and forks itself without telling anybody. */
static void test_fork(void **state)
{
    struct library umx = library_load();
    umx_session *session = session_open(&umx, &stand_in);
    umx_op *op = op_start(&umx, session, "{\"operation\":\"many\",\"arguments\":{\"count\":3000}}");
    umx_buf record;
    pid_t children[6];

    (void)state;
    assert_int_equal(op_next(&umx, op, &record), UMX_REC_ITEM);
    umx.buf_free(&record);
    for (int i = 0; i < 6; i++) {
        fflush(NULL);
        children[i] = fork();
        if (children[i] == 0 && i % 2 == 0) {
            execl("/bin/sh", "sh", "-c", "sleep 0.2", (char *)NULL);
            _exit(127);
        }
        if (children[i] == 0) {
            usleep(100000); /* meanwhile the parent goes on */
            _exit(0);
        }
        for (int k = 0; k < 100; k++) {
            assert_int_equal(op_next(&umx, op, &record), UMX_REC_ITEM);
            umx.buf_free(&record);
        }
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(exit_of(children[i]), 0);
    assert_int_equal(op_drain(&umx, op), 3000 - 601);
    umx.op_close(op);
    assert_int_equal(run(&umx, session, few), 1);
    umx.session_close(session);
}

/* ---- the end of the process, with everything open */

static int leave(void)
{
    struct library umx = library_load();

    if (stand_in_start(&stand_in) != 0)
        return 3;
    umx_session *session = session_open(&umx, &stand_in);
    umx_op *op = op_start(&umx, session, silent);
    umx_buf record;
    umx_op *busy = op_start(&umx, session, "{\"operation\":\"flood\"}");
    bool good = op_next(&umx, busy, &record) == UMX_REC_ITEM;
    umx.buf_free(&record);
    good = good && umx.op_next(op, 20, &record) == UMX_REC_TIMEOUT;
    stand_in_stop(&stand_in);
    return good ? 0 : 4;
}

static int run_self(const char *how)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it leaves everything open */
        execl("/proc/self/exe", "test_manners", how, (char *)NULL);
        _exit(127);
    }
    return exit_of(child);
}

static void test_process_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(run_self("leave"), 0);
}

/* ---- locales */

/* Made here, as few machines have them; without the order of letters, which takes long. */
static bool use_locale(const char *name, const char *source)
{
    char path[128], command[512];

    snprintf(path, sizeof path, "%s/source", stand_in.directory);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    fprintf(file, "LC_CTYPE\ncopy \"%s\"\nEND LC_CTYPE\nLC_COLLATE\ncopy \"POSIX\"\nEND LC_COLLATE\n", source);
    fprintf(file, "LC_NUMERIC\ncopy \"%s\"\nEND LC_NUMERIC\nLC_TIME\ncopy \"%s\"\nEND LC_TIME\n", source, source);
    fprintf(file, "LC_MESSAGES\ncopy \"%s\"\nEND LC_MESSAGES\n", source);
    fprintf(file, "LC_MONETARY\ncopy \"POSIX\"\nEND LC_MONETARY\n");
    fclose(file);
    snprintf(command, sizeof command, "localedef -c -i %s -f UTF-8 '%s/%s' >/dev/null 2>&1", path, stand_in.directory,
             name);
    if (system(command) < 0)
        return false;
    setenv("LOCPATH", stand_in.directory, 1);
    return setlocale(LC_ALL, name) != NULL;
}

static void test_locales(void **state)
{
    static const struct {
        const char *name, *source;
    } locales[] = {{"de_DE.UTF-8", "de_DE"}, {"tr_TR.UTF-8", "tr_TR"}};
    struct library umx = library_load();
    int tried = 0;
    umx_buf record, out, err;
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof locales / sizeof locales[0]; i++) {
        if (!use_locale(locales[i].name, locales[i].source))
            continue;
        tried++;
        snprintf(text, sizeof text, "%.1f", 1.5);
        assert_int_equal(text[1], ',');
        umx_session *session = session_open(&umx, &stand_in);
        umx_op *op =
            op_start(&umx, session, "{\"operation\":\"echo\",\"arguments\":{\"ratio\":1.5,\"TITLE\":\"\xC4\xB0I\"}}");
        assert_int_equal(op_next(&umx, op, &record), UMX_REC_ITEM);
        assert_true(buf_has(&record, "\"ratio\":1.5"));
        assert_true(buf_has(&record, "\"TITLE\":\"\xC4\xB0I\""));
        umx.buf_free(&record);
        umx.op_close(op);
        op = op_start(&umx, session, few);
        assert_int_equal(op_next(&umx, op, &record), UMX_REC_PROGRESS);
        umx.buf_free(&record);
        assert_int_equal(op_next(&umx, op, &record), UMX_REC_ITEM);
        assert_true(buf_has(
            &record,
            "{\"kind\":\"item\",\"type\":\"findings\",\"json\":{\"ratio\":1.5,\"target\":\"\xC3\x9CM-\xC4\xB0\"}}"));
        umx.buf_free(&record);
        umx.op_close(op);
        assert_int_equal(umx.session_identity(session, &out, &err), 0);
        assert_true(buf_has(&out, "umx://guest/operator/S-1-5-21-1-2-3-1104"));
        umx.buf_free(&out);
        umx.session_close(session);
        assert_string_equal(setlocale(LC_ALL, NULL), locales[i].name);
    }
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    if (tried == 0)
        skip(); /* the machine has no sources of locales */
    print_message("%d locales\n", tried);
}

/* ---- twice in one process */

/* A second copy of the file is a second library, beside the first. */
static void test_loaded_twice(void **state)
{
    struct library first = library_load(), second;
    char path[128], command[1024];
    umx_buf err;
    umx_op *op;

    (void)state;
    snprintf(path, sizeof path, "%s/copy.so", stand_in.directory);
    snprintf(command, sizeof command, "cp '%s' '%s'", UMX_LIBRARY, path);
    assert_int_equal(system(command), 0);
    second = library_of(dlopen(path, RTLD_NOW | RTLD_LOCAL));
    assert_true(first.session_open != second.session_open);
    umx_session *one = session_open(&first, &stand_in), *two = session_open(&second, &stand_in);
    umx_op *a = op_start(&first, one, silent), *b = op_start(&second, two, silent);
    /* A handle of one is none of the other's. */
    assert_int_equal(first.op_start(two, (const uint8_t *)few, sizeof few - 1, &op, &err), -1);
    assert_true(buf_has(&err, "UMX-1607"));
    first.buf_free(&err);
    assert_int_equal(second.op_cancel(a), -1);
    first.op_cancel(a);
    assert_int_equal(op_drain(&first, a), -11);
    first.op_close(a);
    first.session_close(one);
    /* The other goes on. */
    assert_int_equal(run(&second, two, few), 1);
    second.op_close(b);
    second.session_close(two);
    live(&first);
    live(&second);
}

/* A namespace of its own has everything a second time, gRPC and the C library too. In a process of its own: with
 * threads in two namespaces glibc 2.36 frees thread-local memory of one in the other, whatever the libraries are. */
static int live_apart(void)
{
    void *handle = dlmopen(LM_ID_NEWLM, UMX_LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL || stand_in_start(&stand_in) != 0)
        return 3;
    struct library umx = library_of(handle);
    live(&umx);
    live(&umx);
    stand_in_stop(&stand_in);
    return 0;
}

static void test_namespace(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizers do not know of namespaces */
#endif
    assert_int_equal(run_self("apart"), 0);
}

static int set_up(void **state)
{
    (void)state;
    setenv("GRPC_VERBOSITY", "debug", 1);
    setenv("KRB5CCNAME", "FILE:/nonexistent", 1);
    int status = stand_in_start(&stand_in);
    files_before = ids_of("/proc/self/fd");
    return status;
}

static int tear_down(void **state)
{
    (void)state;
    stand_in_stop(&stand_in);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_of_the_host_changes),
        cmocka_unit_test(test_no_sigpipe),
        cmocka_unit_test(test_threads_and_descriptors),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_process_ends),
        cmocka_unit_test(test_locales),
        cmocka_unit_test(test_loaded_twice),
        cmocka_unit_test(test_namespace),
    };

    if (argc == 2 && strcmp(argv[1], "leave") == 0)
        return leave();
    if (argc == 2 && strcmp(argv[1], "apart") == 0)
        return live_apart();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

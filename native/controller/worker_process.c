#include "controller/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reflect.h"

enum { READ_PATIENCE = 4, WORKER_FD = 3, LOOK_MILLISECONDS = 250 };

struct umx_worker_process {
    const struct umx_forest_config *config;
    enum umx_account account;
    int operation_timeout;
    pthread_mutex_t mutex; /* one request at a time */
    pid_t pid;             /* 0: not running */
    int fd;
    int64_t next_id;
    _Atomic int64_t end_at; /* monotonic, of every request; 0: the requests' own deadlines alone */
};

extern char **environ;

struct umx_worker_process *umx_worker_process_new(const struct umx_forest_config *config, enum umx_account account,
                                                  int operation_timeout)
{
    struct umx_worker_process *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->config = config;
    worker->account = account;
    worker->operation_timeout = operation_timeout;
    worker->fd = -1;
    worker->next_id = 1;
    pthread_mutex_init(&worker->mutex, NULL);
    return worker;
}

static void end_process(struct umx_worker_process *worker)
{
    if (worker->fd >= 0)
        close(worker->fd);
    worker->fd = -1;
    if (worker->pid > 0) {
        kill(worker->pid, SIGKILL);
        while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    worker->pid = 0;
}

void umx_worker_process_stop(struct umx_worker_process *worker)
{
    pthread_mutex_lock(&worker->mutex);
    end_process(worker);
    pthread_mutex_unlock(&worker->mutex);
}

void umx_worker_process_hurry(struct umx_worker_process *worker, int64_t grace)
{
    atomic_store(&worker->end_at, umx_clock_monotonic() + grace);
}

void umx_worker_process_free(struct umx_worker_process *worker)
{
    if (worker == NULL)
        return;
    umx_worker_process_stop(worker);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

/* posix_spawn, never fork: gRPC's threads hold locks that a forked child would keep for ever. */
static int start_process(struct umx_worker_process *worker, struct umx_error *err)
{
    static char program[] = "/proc/self/exe";
    char name[] = "umxd";
    char mode[] = "--worker";
    char *argv[] = {name, mode, NULL};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return umx_fail_code(err, UMX_ERR_WORKER_DIED, errno, worker->config->name, "socketpair: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    /* When the end already has the worker's number, dup2 would leave it close-on-exec; posix_spawn clears that flag. */
    posix_spawn_file_actions_adddup2(&actions, ends[1], WORKER_FD);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGINT);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(&worker->pid, program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (rc != 0) {
        worker->pid = 0;
        close(ends[0]);
        return umx_fail_code(err, UMX_ERR_WORKER_DIED, rc, worker->config->name, "the worker cannot be started: %s",
                             strerror(rc));
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    worker->fd = ends[0];
    return 0;
}

static int late(const struct umx_worker_process *worker, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_DIRECTORY_TIMEOUT, worker->config->name, NULL);
}

static int died(const struct umx_worker_process *worker, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_WORKER_DIED, worker->config->name, NULL);
}

/* Waits until the socket is ready or the end of time (monotonic). */
static int wait_ready(const struct umx_worker_process *worker, short events, int64_t end, struct umx_error *err)
{
    for (;;) {
        int64_t now = umx_clock_monotonic();
        int64_t left = end - now;
        int64_t end_at = atomic_load(&worker->end_at);
        if (left <= 0 || (end_at != 0 && now >= end_at))
            return late(worker, err);
        struct pollfd ready = {.fd = worker->fd, .events = events};
        int64_t wait = left / UMX_MILLISECOND + 1;
        int rc = poll(&ready, 1, wait < LOOK_MILLISECONDS ? (int)wait : LOOK_MILLISECONDS);
        if (rc > 0)
            return 0;
        if (rc < 0 && errno != EINTR)
            return died(worker, err);
    }
}

static int transfer(const struct umx_worker_process *worker, bool out, uint8_t *bytes, size_t length, int64_t end,
                    struct umx_error *err)
{
    while (length > 0) {
        ssize_t n = out ? send(worker->fd, bytes, length, MSG_NOSIGNAL) : recv(worker->fd, bytes, length, 0);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return died(worker, err);
        int status = wait_ready(worker, out ? POLLOUT : POLLIN, end, err);
        if (status != 0)
            return status;
    }
    return 0;
}

/* limit: when the worker itself gives up. */
static int send_request(struct umx_worker_process *worker, Umx__WorkerRequest *request, int64_t end, int64_t limit,
                        struct umx_error *err)
{
    uint8_t *bytes = NULL;
    size_t length;

    request->has_id = 1;
    request->id = worker->next_id++;
    request->has_deadline = 1;
    request->deadline = (int32_t)((limit - umx_clock_monotonic()) / UMX_MILLISECOND);
    int status = umx_reflect_pack(&request->base, &bytes, &length, err);
    if (status != 0)
        return status;
    uint8_t header[4] = {(uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), (uint8_t)(length >> 24)};
    status = transfer(worker, true, header, sizeof header, end, err);
    if (status == 0)
        status = transfer(worker, true, bytes, length, end, err);
    free(bytes);
    return status;
}

/* One reply into an arena of its own. */
static int receive_reply(struct umx_worker_process *worker, int64_t end, struct umx_arena **arena,
                         Umx__WorkerReply **reply, struct umx_error *err)
{
    uint8_t header[4];

    *arena = NULL;
    int status = transfer(worker, false, header, sizeof header, end, err);
    if (status != 0)
        return status;
    size_t length = header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16 | (size_t)header[3] << 24;
    if (length > UMX_MAX_WORKER_MESSAGE)
        return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, worker->config->name, "%zu bytes", length);
    uint8_t *bytes = malloc(length + 1);
    if (bytes == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, worker->config->name, NULL);
    status = transfer(worker, false, bytes, length, end, err);
    if (status == 0) {
        *arena = umx_arena_new(length * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
        ProtobufCMessage *message = NULL;
        status = *arena == NULL
                     ? umx_fail(err, UMX_ERR_MEMORY, worker->config->name, NULL)
                     : umx_reflect_unpack(&umx__worker_reply__descriptor, bytes, length, *arena, &message, err);
        *reply = (Umx__WorkerReply *)message;
    }
    free(bytes);
    return status;
}

static int reply_error(const struct umx_worker_process *worker, const Umx__WorkerError *error, struct umx_error *err)
{
    const char *what = error->what != NULL && error->what[0] != '\0' ? error->what : worker->config->name;

    return umx_fail_code(err, (enum umx_error_id)error->id, error->code, what, "%s",
                         error->why != NULL ? error->why : umx_error_text(error->id)->reason);
}

/* Sends and reads until the last reply. A broken conversation leaves *broken set: the process must go. */
static int converse(struct umx_worker_process *worker, Umx__WorkerRequest *request, int64_t end, umx_worker_part *part,
                    void *user, struct umx_arena *arena, Umx__WorkerReply **result, bool *broken, struct umx_error *err)
{
    const int64_t silence = end - umx_clock_monotonic();
    const int64_t limit = part != NULL ? end + (READ_PATIENCE - 1) * silence : end;

    *broken = true;
    int status = send_request(worker, request, end, limit, err);

    while (status == 0) {
        struct umx_arena *mine = NULL;
        Umx__WorkerReply *reply = NULL;
        status = receive_reply(worker, end, &mine, &reply, err);
        if (status == 0 && (!reply->has_id || reply->id != request->id))
            status = umx_fail(err, UMX_ERR_PROTOCOL, worker->config->name, "the worker answered another request");
        bool last = status == 0 && reply->has_last && reply->last;
        if (status == 0 && !last && part != NULL)
            status = part(user, reply, err);
        if (part != NULL) /* it is at work: only silence is too long */
            end = umx_clock_monotonic() + silence < limit ? umx_clock_monotonic() + silence : limit;
        if (last) {
            *broken = false;
            if (reply->error != NULL)
                status = reply_error(worker, reply->error, err);
            else if (result != NULL && (*result = umx_reflect_copy(&reply->base, arena)) == NULL)
                status = umx_fail(err, UMX_ERR_ARENA_FULL, worker->config->name, NULL);
        }
        umx_arena_free(mine);
        if (last)
            break;
    }
    return status;
}

static void fill_configure(const struct umx_worker_process *worker, Umx__Configure *configure)
{
    const struct umx_forest_config *config = worker->config;
    bool writer = worker->account == UMX_ACCOUNT_WRITER;

    umx__configure__init(configure);
    configure->forest = config->name;
    configure->has_side = 1;
    configure->side = config->side;
    configure->has_bind = 1;
    configure->bind = config->bind;
    configure->account = writer ? config->writer : config->reader;
    configure->keytab = writer ? config->writer_keytab : config->reader_keytab;
    configure->password_file = writer ? config->writer_password_file : config->reader_password_file;
    configure->tls_ca = config->tls_ca;
    configure->n_domain_controller = config->domain_controllers.count;
    configure->domain_controller = (char **)(uintptr_t)config->domain_controllers.items;
    configure->has_operation_timeout = 1;
    configure->operation_timeout = worker->operation_timeout;
    configure->n_group = config->groups.count;
    configure->group = (char **)(uintptr_t)config->groups.items;
    configure->service = config->service;
    configure->service_keytab = config->service_keytab;
    configure->replay_cache = config->replay_cache;
}

static int ensure_running(struct umx_worker_process *worker, int64_t end, struct umx_error *err)
{
    Umx__Configure configure;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    bool broken;

    if (worker->pid > 0)
        return 0;
    int status = start_process(worker, err);
    if (status != 0)
        return status;
    fill_configure(worker, &configure);
    request.request_case = UMX__WORKER_REQUEST__REQUEST_CONFIGURE;
    request.configure = &configure;
    return converse(worker, &request, end, NULL, NULL, NULL, NULL, &broken, err);
}

int umx_worker_process_call(struct umx_worker_process *worker, Umx__WorkerRequest *request, int64_t deadline,
                            umx_worker_part *part, void *user, struct umx_arena *arena, Umx__WorkerReply **reply,
                            struct umx_error *err)
{
    int64_t end = umx_clock_monotonic() + deadline;
    struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};
    static const char *const names[] = {"reader", "writer", "clerk", "porter"};
    bool broken = true, sent = true;

    if (worker->account == UMX_ACCOUNT_WRITER && worker->config->writer == NULL)
        return umx_fail(err, UMX_ERR_ACCESS_DENIED, worker->config->name, "the configuration names no writer account");
    if (pthread_mutex_clocklock(&worker->mutex, CLOCK_MONOTONIC, &until) != 0)
        return umx_fail(err, UMX_ERR_DIRECTORY_TIMEOUT, worker->config->name,
                        "another request still waits for the domain controller");
    int status = ensure_running(worker, end, err);
    if (status == 0)
        status = converse(worker, request, end, part, user, arena, reply, &broken, err);
    else
        sent = false;
    /* An answer of the writer that cannot be understood is none: what it was asked for may have happened. */
    if (status != 0 && broken && sent && worker->account == UMX_ACCOUNT_WRITER && status != UMX_E_TIMEOUT) {
        struct umx_error why = err != NULL ? *err : (struct umx_error){0};
        status = umx_fail(err, UMX_ERR_WORKER_DIED, worker->config->name, "%s", umx_error_why(&why));
    }
    if (status != 0 && broken) {
        umx_log(UMX_LOG_WARNING, "worker", "%s %s: ended (%s)", worker->config->name, names[worker->account],
                umx_status_name(status));
        end_process(worker);
    }
    pthread_mutex_unlock(&worker->mutex);
    return status;
}

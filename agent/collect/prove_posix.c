/* Proofs in child processes: this program again with --prove, killed at the deadline. A frozen KDC or name server costs
 * one proof, never the agent. Requests and results are frames (base/frame.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/collect/prove.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/log.h"

enum { FRAME_MAX = 64 * 1024 };

extern char **environ;

struct child {
    const Umx__ProofTarget *target; /* NULL: free */
    pid_t pid;
    int out; /* its standard output */
    int64_t started_at;
};

static int spawn_with(const char *program, int in, int out, pid_t *pid)
{
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--prove", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t signals;

    if (posix_spawn_file_actions_init(&files) != 0)
        return -1;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return -1;
    }
    /* This thread may have signals blocked, and ignores SIGPIPE: the child starts clean. */
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    int rc = posix_spawn(pid, program, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return rc == 0 ? 0 : -1;
}

/* Both frames are far smaller than a pipe's buffer: writing them cannot block. */
static int request(FILE *to, const char *where, const Umx__ProofTarget *target, struct umx_error *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    int status = umx_reflect_pack(&target->base, &bytes, &length, err);

    if (status == 0 && length > 32 * 1024)
        status = umx_fail(err, UMX_ERR_PROOF_FAILED, "target", "it is too large");
    if (status == 0)
        status = umx_frame_write(to, where, strlen(where), err);
    if (status == 0)
        status = umx_frame_write(to, bytes, length, err);
    free(bytes);
    return status;
}

static int start(const struct umx_collect *collect, const Umx__ProofTarget *target, struct child *child,
                 struct umx_error *err)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    FILE *to = NULL;
    int status = 0;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || (to = fdopen(in[1], "wb")) == NULL) {
        status = umx_fail_code(err, UMX_ERR_PROOF_FAILED, errno, "child", "%s", strerror(errno));
        goto out;
    }
    in[1] = -1; /* the stream owns it */
    if (spawn_with(collect->program, in[0], out[1], &child->pid) != 0) {
        status = umx_fail(err, UMX_ERR_PROOF_FAILED, collect->program, "it cannot be started");
        goto out;
    }
    child->target = target;
    child->out = out[0];
    child->started_at = umx_clock_monotonic();
    out[0] = -1;
    /* A failure shows as a child without an answer. */
    request(to, collect->where, target, err);
out:
    if (to != NULL)
        fclose(to);
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0)
            close(in[i]);
        if (out[i] >= 0)
            close(out[i]);
    }
    return status;
}

/* The row that the child sent, without what it may not say. */
static void read_result(int fd, struct umx_proof_result *result)
{
    struct umx_arena *arena = umx_arena_new(FRAME_MAX * UMX_ARENA_FACTOR);
    FILE *from = fdopen(fd, "rb");
    ProtobufCMessage *message = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;

    *result = (struct umx_proof_result){.objects = -1};
    umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "the proof's process ended without an answer");
    if (from != NULL && arena != NULL && umx_frame_read(from, FRAME_MAX, &bytes, &length, NULL) == 0 && bytes != NULL &&
        umx_reflect_unpack(&umx__proof__descriptor, bytes, length, arena, &message, NULL) == 0) {
        const Umx__Proof *proof = (const Umx__Proof *)message;
        umx_prove_say(result, proof->status, "%s", proof->detail != NULL ? proof->detail : "");
        umx_text_copy(result->identity, sizeof result->identity, proof->identity != NULL ? proof->identity : "");
        result->objects = proof->has_objects ? proof->objects : -1;
    }
    free(bytes);
    if (from != NULL)
        fclose(from);
    else
        close(fd);
    umx_arena_free(arena);
}

/* Ends a child: with its answer when it has one, else killed. */
static void finish(struct umx_collect *collect, struct child *child, bool answered)
{
    struct umx_proof_result result = {.objects = -1};
    int64_t duration = umx_clock_monotonic() - child->started_at;

    if (answered) {
        read_result(child->out, &result);
    } else {
        umx_prove_say(&result, UMX__PROOF__STATUS__UNKNOWN, "no answer within %d s", UMX_PROVE_TIMEOUT);
        close(child->out);
    }
    /* It has answered or is past its time: there is nothing left for it to do. */
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    umx_prove_row(collect->rows, collect->host, child->target, &result, duration);
    child->target = NULL;
}

/* Waits a moment, and ends children that have answered or are late. */
static void attend(struct umx_collect *collect, struct child *children, bool stop)
{
    struct pollfd fds[UMX_PROVE_AT_ONCE];
    int64_t now;

    for (size_t i = 0; i < UMX_PROVE_AT_ONCE; i++)
        fds[i] = (struct pollfd){.fd = children[i].target != NULL ? children[i].out : -1, .events = POLLIN};
    poll(fds, UMX_PROVE_AT_ONCE, stop ? 0 : 100);
    now = umx_clock_monotonic();
    for (size_t i = 0; i < UMX_PROVE_AT_ONCE; i++) {
        if (children[i].target == NULL)
            continue;
        if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            finish(collect, &children[i], true);
        else if (stop || now - children[i].started_at >= UMX_PROVE_TIMEOUT * UMX_SECOND)
            finish(collect, &children[i], false);
    }
}

static int in_this_process(struct umx_collect *collect)
{
    for (size_t i = 0; i < collect->target_count; i++) {
        struct umx_proof_result result;
        int64_t begin = umx_clock_monotonic();
        umx_prove(collect->host, collect->targets[i], UMX_PROVE_TIMEOUT * UMX_SECOND, &result);
        umx_prove_row(collect->rows, collect->host, collect->targets[i], &result, umx_clock_monotonic() - begin);
    }
    return 0;
}

int umx_prove_all(struct umx_collect *collect, struct umx_error *err)
{
    struct child children[UMX_PROVE_AT_ONCE] = {0};
    size_t next = 0;
    size_t running = 0;
    bool stop = false;

    if (collect->program == NULL || collect->program[0] == '\0')
        return in_this_process(collect);
    do {
        stop = collect->stop != NULL && atomic_load(collect->stop);
        running = 0;
        for (size_t i = 0; i < UMX_PROVE_AT_ONCE; i++) {
            if (!stop && children[i].target == NULL && next < collect->target_count) {
                struct umx_proof_result result = {.objects = -1};
                const Umx__ProofTarget *target = collect->targets[next++];
                if (start(collect, target, &children[i], err) != 0) {
                    umx_prove_say(&result, UMX__PROOF__STATUS__UNKNOWN, "%s", err->why);
                    umx_prove_row(collect->rows, collect->host, target, &result, 0);
                }
            }
            running += children[i].target != NULL;
        }
        if (running > 0)
            attend(collect, children, stop);
    } while (running > 0 || (!stop && next < collect->target_count));
    return stop ? umx_fail(err, UMX_ERR_CANCELLED, "proof", "the agent ends") : 0;
}

int umx_prove_child(void)
{
    struct umx_arena *arena = umx_arena_new(FRAME_MAX * UMX_ARENA_FACTOR);
    struct umx_proof_result result;
    struct umx_error err = {0};
    struct umx_rows rows = {0};
    struct umx_host *host = NULL;
    ProtobufCMessage *target = NULL;
    uint8_t *where = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    char *name = NULL;
    int status = arena == NULL ? umx_fail(&err, UMX_ERR_MEMORY, "proof", NULL) : umx_rows_begin(&rows, &err);

    /* The agent may die: then nobody kills this process. */
    alarm(UMX_PROVE_TIMEOUT * 2);
    if (status == 0 && (status = umx_frame_read(stdin, FRAME_MAX, &where, &length, &err)) == 0) {
        name = where != NULL ? umx_arena_copy(arena, where, length) : NULL;
        if (name == NULL)
            status = umx_fail(&err, UMX_ERR_PROOF_FAILED, "proof", "no request on standard input");
    }
    if (status == 0)
        status = umx_host_open(name, &host, &err);
    if (status == 0 && (status = umx_frame_read(stdin, FRAME_MAX, &bytes, &length, &err)) == 0 && bytes == NULL)
        status = umx_fail(&err, UMX_ERR_PROOF_FAILED, "proof", "no target on standard input");
    if (status == 0)
        status = umx_reflect_unpack(&umx__proof_target__descriptor, bytes, length, arena, &target, &err);
    free(where);
    free(bytes);
    bytes = NULL;
    if (status == 0) {
        umx_prove(host, (const Umx__ProofTarget *)target, UMX_PROVE_TIMEOUT * UMX_SECOND, &result);
        umx_prove_row(&rows, host, (const Umx__ProofTarget *)target, &result, 0);
        if (rows.count != 1)
            status = umx_fail(&err, UMX_ERR_MEMORY, "proof", NULL);
        else if ((status = umx_reflect_pack(rows.items[0], &bytes, &length, &err)) == 0)
            status = umx_frame_write(stdout, bytes, length, &err);
        free(bytes);
    }
    if (status == 0)
        fflush(stdout);
    else
        umx_log_error("proof", &err);
    umx_host_close(host);
    umx_rows_end(&rows);
    umx_arena_free(arena);
    return status;
}

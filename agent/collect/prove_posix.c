/* Proofs in child processes: this program again with --prove, killed at the deadline. A frozen KDC or name server costs
 * one proof, never the agent. A child proves one target after the other: starting one (gRPC's libraries) costs more
 * than most proofs. Requests and results are frames (base/frame.h). */
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

enum { FRAME_MAX = 64 * 1024, GRACE = 3, ALONE = 120 }; /* bytes; seconds past the deadline; seconds without a reader */

extern char **environ;

struct child {
    const Umx__ProofTarget *target; /* NULL: it waits for the next, or there is none */
    pid_t pid;                      /* 0: none */
    FILE *to;                       /* its standard input */
    FILE *from;                     /* its standard output: never more than the answer to one request */
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

static void end_child(struct child *child)
{
    if (child->to != NULL)
        fclose(child->to);
    if (child->from != NULL)
        fclose(child->from);
    if (child->pid > 0) {
        /* It has answered or is past its time: there is nothing left for it to do. */
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    *child = (struct child){0};
}

static int start_child(const struct umx_collect *collect, struct child *child, struct umx_error *err)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    int status = 0;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        status = umx_fail_code(err, UMX_ERR_PROOF_FAILED, errno, "child", "%s", strerror(errno));
        goto out;
    }
    if ((child->to = fdopen(in[1], "wb")) != NULL)
        in[1] = -1; /* the stream owns it */
    if ((child->from = fdopen(out[0], "rb")) != NULL)
        out[0] = -1;
    if (child->to == NULL || child->from == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, "child", NULL);
    else if (spawn_with(collect->program, in[0], out[1], &child->pid) != 0)
        status = umx_fail(err, UMX_ERR_PROOF_FAILED, collect->program, "it cannot be started");
    else
        umx_frame_write(child->to, collect->where, strlen(collect->where), NULL); /* failed: no answer will come */
out:
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0)
            close(in[i]);
        if (out[i] >= 0)
            close(out[i]);
    }
    if (status != 0)
        end_child(child);
    return status;
}

/* Both frames are far smaller than a pipe's buffer: writing them cannot block. */
static int request(const struct umx_collect *collect, struct child *child, const Umx__ProofTarget *target,
                   struct umx_error *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    int status = umx_reflect_pack(&target->base, &bytes, &length, err);

    if (status == 0 && length > 32 * 1024)
        status = umx_fail(err, UMX_ERR_PROOF_FAILED, "target", "it is too large");
    if (status == 0 && child->pid == 0)
        status = start_child(collect, child, err);
    if (status == 0) {
        child->target = target;
        child->started_at = umx_clock_monotonic();
        umx_frame_write(child->to, bytes, length, NULL); /* a failure shows as a child without an answer */
    }
    free(bytes);
    return status;
}

/* The row that the child sent, without what it may not say; false when it sent none. */
static bool read_result(FILE *from, struct umx_proof_result *result)
{
    struct umx_arena *arena = umx_arena_new(FRAME_MAX * UMX_ARENA_FACTOR);
    ProtobufCMessage *message = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    bool good = arena != NULL && umx_frame_read(from, FRAME_MAX, &bytes, &length, NULL) == 0 && bytes != NULL &&
                umx_reflect_unpack(&umx__proof__descriptor, bytes, length, arena, &message, NULL) == 0;

    if (good) {
        const Umx__Proof *proof = (const Umx__Proof *)message;
        umx_prove_say(result, proof->status, "%s", proof->detail != NULL ? proof->detail : "");
        umx_text_copy(result->identity, sizeof result->identity, proof->identity != NULL ? proof->identity : "");
        result->objects = proof->has_objects ? proof->objects : -1;
    } else {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "the proof's process ended without an answer");
    }
    free(bytes);
    umx_arena_free(arena);
    return good;
}

/* Ends a proof: with the child's answer when there is one; a child without is ended. */
static void finish(struct umx_collect *collect, struct child *child, bool answered)
{
    struct umx_proof_result result = {.objects = -1};
    const Umx__ProofTarget *target = child->target;
    int64_t duration = umx_clock_monotonic() - child->started_at;

    if (!answered)
        umx_prove_say(&result, UMX__PROOF__STATUS__UNKNOWN, "no answer within %d s",
                      (int)(umx_prove_timeout(target) / UMX_SECOND));
    if (!answered || !read_result(child->from, &result))
        end_child(child);
    child->target = NULL;
    umx_prove_row(collect->rows, collect->host, target, &result, duration);
}

/* The child keeps to the time-out itself where it can, and says more about it. */
static int64_t late_after(const Umx__ProofTarget *target)
{
    return umx_prove_timeout(target) + GRACE * UMX_SECOND;
}

/* Waits a moment, and ends proofs that have an answer or are late. */
static void attend(struct umx_collect *collect, struct child *children, bool stop)
{
    struct pollfd fds[UMX_PROVE_AT_ONCE];
    int64_t now;

    for (size_t i = 0; i < UMX_PROVE_AT_ONCE; i++)
        fds[i] = (struct pollfd){.fd = children[i].target != NULL ? fileno(children[i].from) : -1, .events = POLLIN};
    poll(fds, UMX_PROVE_AT_ONCE, stop ? 0 : 100);
    now = umx_clock_monotonic();
    for (size_t i = 0; i < UMX_PROVE_AT_ONCE; i++) {
        if (children[i].target == NULL)
            continue;
        if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            finish(collect, &children[i], true);
        else if (stop || now - children[i].started_at >= late_after(children[i].target))
            finish(collect, &children[i], false);
    }
}

static int in_this_process(struct umx_collect *collect)
{
    for (size_t i = 0; i < collect->target_count; i++) {
        struct umx_proof_result result;
        int64_t begin = umx_clock_monotonic();
        umx_prove(collect->host, collect->targets[i], umx_prove_timeout(collect->targets[i]), &result);
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
                if (request(collect, &children[i], target, err) != 0) {
                    umx_prove_say(&result, UMX__PROOF__STATUS__UNKNOWN, "%s", err->why);
                    umx_prove_row(collect->rows, collect->host, target, &result, 0);
                }
            }
            running += children[i].target != NULL;
        }
        if (running > 0)
            attend(collect, children, stop);
    } while (running > 0 || (!stop && next < collect->target_count));
    for (size_t i = 0; i < UMX_PROVE_AT_ONCE; i++)
        end_child(&children[i]);
    return stop ? umx_fail(err, UMX_ERR_CANCELLED, "proof", "the agent ends") : 0;
}

/* One request of the child; *more is false at the end of them. */
static int prove_next(struct umx_host *host, bool *more, struct umx_error *err)
{
    struct umx_arena *arena = NULL;
    struct umx_proof_result result;
    struct umx_rows rows = {0};
    ProtobufCMessage *target = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    int status = umx_frame_read(stdin, FRAME_MAX, &bytes, &length, err);

    *more = status == 0 && bytes != NULL;
    if (!*more)
        return status;
    /* The agent may die: then nobody kills this process. */
    alarm(ALONE);
    if ((arena = umx_arena_new(FRAME_MAX * UMX_ARENA_FACTOR)) == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, "proof", NULL);
    if (status == 0)
        status = umx_rows_begin(&rows, err);
    if (status == 0)
        status = umx_reflect_unpack(&umx__proof_target__descriptor, bytes, length, arena, &target, err);
    free(bytes);
    bytes = NULL;
    if (status == 0) {
        const Umx__ProofTarget *proof = (const Umx__ProofTarget *)target;
        umx_prove(host, proof, umx_prove_timeout(proof), &result);
        umx_prove_row(&rows, host, proof, &result, 0);
        if (rows.count != 1)
            status = umx_fail(err, UMX_ERR_MEMORY, "proof", NULL);
        else if ((status = umx_reflect_pack(rows.items[0], &bytes, &length, err)) == 0)
            status = umx_frame_write(stdout, bytes, length, err);
        free(bytes);
    }
    umx_rows_end(&rows);
    umx_arena_free(arena);
    return status;
}

int umx_prove_child(void)
{
    struct umx_error err = {0};
    struct umx_host *host = NULL;
    uint8_t *where = NULL;
    size_t length = 0;
    char *name = NULL;
    bool more = true;

    alarm(ALONE);
    int status = umx_frame_read(stdin, FRAME_MAX, &where, &length, &err);
    if (status == 0 && where == NULL)
        status = umx_fail(&err, UMX_ERR_PROOF_FAILED, "proof", "no request on standard input");
    else if (status == 0 && (name = strndup((const char *)where, length)) == NULL)
        status = umx_fail(&err, UMX_ERR_MEMORY, "proof", NULL);
    if (status == 0)
        status = umx_host_open(name, &host, &err);
    while (status == 0 && more)
        status = prove_next(host, &more, &err);
    if (status != 0)
        umx_log_error("proof", &err);
    umx_host_close(host);
    free(name);
    free(where);
    return status;
}

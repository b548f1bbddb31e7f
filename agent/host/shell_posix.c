/* The stand-in for powershell.exe of recorded hosts: a program named in host.ini. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/host/shell.h"
#include "base/clock.h"

struct posix_shell {
    struct umx_host_shell shell; /* first */
    pid_t pid;                   /* 0: waited for */
    int in; /* ours of its standard input: a socket, so that a dead reader is an error and no signal */
    int out;
};

/* Waits until the descriptor is ready for events, or the moment has come. */
static int ready(const struct umx_host_shell *shell, int fd, short events, int64_t until, struct umx_error *err)
{
    const int64_t look = UMX_HOST_SHELL_LOOK / UMX_MILLISECOND;

    for (;;) {
        if (umx_host_shell_stopped(shell->stop, err) != 0)
            return UMX_E_CANCELLED;
        int64_t left = (until - umx_clock_monotonic()) / UMX_MILLISECOND;
        struct pollfd wanted = {.fd = fd, .events = events};
        int rc = poll(&wanted, 1, left > 0 ? (int)(left < look ? left : look) : 0);
        if (rc > 0)
            return 0;
        if (rc < 0 && errno != EINTR)
            return umx_fail_code(err, UMX_ERR_SHELL_FAILED, errno, "shell", "%s", strerror(errno));
        if (umx_clock_monotonic() >= until)
            return umx_fail(err, UMX_ERR_DEADLINE, "shell", NULL);
    }
}

static int write_all(struct umx_host_shell *shell, const char *bytes, size_t length, int64_t until,
                     struct umx_error *err)
{
    const struct posix_shell *own = (const struct posix_shell *)shell;

    while (length > 0) {
        ssize_t n = send(own->in, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            int status = ready(shell, own->in, POLLOUT, until, err);
            if (status != 0)
                return status;
        } else if (errno != EINTR) {
            return umx_fail_code(err, UMX_ERR_SHELL_FAILED, errno, "shell", "it does not read: %s", strerror(errno));
        }
    }
    return 0;
}

static int read_some(struct umx_host_shell *shell, char *buffer, size_t room, int64_t until, size_t *got,
                     struct umx_error *err)
{
    const struct posix_shell *own = (const struct posix_shell *)shell;
    int status = ready(shell, own->out, POLLIN, until, err);
    ssize_t n;

    if (status != 0)
        return status;
    do
        n = read(own->out, buffer, room);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return umx_fail_code(err, UMX_ERR_SHELL_FAILED, errno, "shell", "%s", strerror(errno));
    *got = (size_t)n;
    return 0;
}

static void close_input(struct umx_host_shell *shell)
{
    const struct posix_shell *own = (const struct posix_shell *)shell;

    shutdown(own->in, SHUT_WR);
}

/* Its output has ended, so it ends in a moment: looked for every few milliseconds. */
static int wait_end(struct umx_host_shell *shell, int64_t until, int *code, struct umx_error *err)
{
    struct posix_shell *own = (struct posix_shell *)shell;
    int state = 0;
    pid_t rc;

    while ((rc = waitpid(own->pid, &state, WNOHANG)) == 0 || (rc < 0 && errno == EINTR)) {
        if (umx_clock_monotonic() >= until)
            return umx_fail(err, UMX_ERR_DEADLINE, "shell", NULL);
        if (umx_host_shell_stopped(shell->stop, err) != 0)
            return UMX_E_CANCELLED;
        poll(NULL, 0, 5);
    }
    if (rc > 0)
        own->pid = 0;
    *code = rc > 0 && WIFEXITED(state) ? WEXITSTATUS(state) : 128;
    return 0;
}

static void close_shell(struct umx_host_shell *shell)
{
    struct posix_shell *own = (struct posix_shell *)shell;

    if (own->pid > 0) {
        kill(-own->pid, SIGKILL); /* its group: what it started too */
        while (waitpid(own->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    close(own->in);
    close(own->out);
    free(own);
}

static const struct umx_host_shell_system posix_system = {
    .write = write_all,
    .read = read_some,
    .close_input = close_input,
    .wait = wait_end,
    .close = close_shell,
};

/* In the child: only calls that are safe there. */
static void become(char *const *argv, const char *directory, int in, int out)
{
    sigset_t signals;

    sigemptyset(&signals);
    pthread_sigmask(SIG_SETMASK, &signals, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    /* An agent that is killed takes its shell along, as the job object does on Windows. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() != 1 && dup2(in, STDIN_FILENO) >= 0 &&
        dup2(out, STDOUT_FILENO) >= 0 && chdir(directory) == 0)
        execv(argv[0], argv);
    _exit(127);
}

int umx_host_shell_program(const char *program, const char *directory, const char *script, struct umx_host_shell **out,
                           struct umx_error *err)
{
    static const char *const fixed[] = {"-NoLogo",      "-NoProfile", "-NonInteractive",
                                        "-InputFormat", "None",       "-EncodedCommand"};
    enum { FIXED = sizeof fixed / sizeof *fixed };
    char *full = realpath(program, NULL); /* it starts in another directory */
    char *argv[FIXED + 3] = {full};
    struct posix_shell *shell = calloc(1, sizeof *shell);
    char *encoded = umx_host_shell_encode(script);
    int in[2] = {-1, -1};
    int to[2] = {-1, -1};
    int status = 0;

    if (full == NULL) {
        status = umx_fail_code(err, UMX_ERR_SHELL_FAILED, errno, program, "%s", strerror(errno));
        goto out;
    }
    if (shell == NULL || encoded == NULL) {
        status = umx_fail(err, UMX_ERR_MEMORY, program, NULL);
        goto out;
    }
    for (size_t i = 0; i < FIXED; i++)
        argv[i + 1] = (char *)(uintptr_t)fixed[i];
    argv[FIXED + 1] = encoded;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0 || pipe2(to, O_CLOEXEC) != 0) {
        status = umx_fail_code(err, UMX_ERR_SHELL_FAILED, errno, program, "%s", strerror(errno));
        goto out;
    }
    shell->shell.system = &posix_system;
    shell->pid = fork();
    if (shell->pid == 0)
        become(argv, directory, in[1], to[1]);
    if (shell->pid < 0) {
        status = umx_fail_code(err, UMX_ERR_SHELL_FAILED, errno, program, "%s", strerror(errno));
        goto out;
    }
    setpgid(shell->pid, shell->pid); /* whoever of the two is first */
    shell->in = in[0];
    shell->out = to[0];
    in[0] = to[0] = -1;
    *out = &shell->shell;
    shell = NULL;
out:
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0)
            close(in[i]);
        if (to[i] >= 0)
            close(to[i]);
    }
    free(shell);
    free(encoded);
    free(full);
    return status;
}

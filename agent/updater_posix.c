#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/collect/prove.h"
#include "agent/updater.h"
#include "base/clock.h"

#define LONGEST (15 * UMX_MINUTE)

const char *const umx_updater_folder = "/var/lib/umx-agent-update";
const char *const umx_updater_self = "updater";
const char *const umx_updater_installer = "/usr/lib/umx-agent/installer";

/* STATE belongs to the agent and lies in a folder that does not. */
static int open_folder(const char *state)
{
    int folder = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0)
        return -1;
    int below = openat(folder, "update", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(folder);
    return below;
}

FILE *umx_updater_open(const char *state, const char *name)
{
    int folder = open_folder(state);
    struct stat info;
    FILE *file = NULL;

    if (folder < 0)
        return NULL;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(folder);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        errno = EINVAL;
    else
        file = fdopen(fd, "rb");
    if (file == NULL)
        close(fd);
    return file;
}

void umx_updater_remove(const char *state, const char *name)
{
    int folder = open_folder(state);

    if (folder < 0)
        return;
    unlinkat(folder, name, 0);
    close(folder);
}

static const char *const verbs[] = {
    [UMX_UPDATER_KEEP] = "keep", [UMX_UPDATER_INSTALL] = "install", [UMX_UPDATER_RETURN] = "return"};

static int spawn(const char *program, const char *verb, const char *path, const char *version, pid_t *out)
{
    static char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", front_end[] = "DEBIAN_FRONTEND=noninteractive",
                locale[] = "LC_ALL=C.UTF-8";
    char *const environment[] = {path_variable, front_end, locale, NULL};
    char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)verb, (char *)(uintptr_t)path,
                               (char *)(uintptr_t)version, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    int code = posix_spawn(out, program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* An installer that runs is never left half-way because somebody wants us to end: dpkg is waited for. */
int umx_updater_install(const struct umx_agent_config *config, enum umx_updater_verb verb, const char *path,
                        const char *version, const atomic_bool *stop, struct umx_error *err)
{
    int64_t end = umx_clock_monotonic() + LONGEST;
    const struct timespec look = {.tv_nsec = 20000000};
    int how = 0;
    pid_t child = 0;

    if (atomic_load(stop))
        return umx_fail(err, UMX_ERR_CANCELLED, "updater", NULL);
    int code = spawn(config->installer, verbs[verb], path, version, &child);
    if (code != 0)
        return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, config->installer, "%s", strerror(code));
    for (;;) {
        pid_t got = waitpid(child, &how, WNOHANG);
        if (got == child)
            break;
        if ((got < 0 && errno != EINTR) || umx_clock_monotonic() >= end) {
            kill(-child, SIGKILL);
            waitpid(child, &how, 0);
            return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, config->installer, "%s did not end in time", verbs[verb]);
        }
        nanosleep(&look, NULL);
    }
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
        return 0;
    return umx_fail(err, UMX_ERR_UPDATE_INSTALLER, config->installer, "%s ended with %s %d", verbs[verb],
                    WIFEXITED(how) ? "code" : "signal", WIFEXITED(how) ? WEXITSTATUS(how) : WTERMSIG(how));
}

int umx_updater_keep_self(const char *path, struct umx_error *err)
{
    char block[64 * 1024], temporary[UMX_AGENT_PATH_MAX + 40];
    ssize_t got = 0;

    snprintf(temporary, sizeof temporary, "%s.new", path);
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = from >= 0 ? open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755) : -1;
    bool good = to >= 0;
    while (good && (got = read(from, block, sizeof block)) > 0)
        good = write(to, block, (size_t)got) == got;
    good = good && got == 0 && fchmod(to, 0755) == 0 && fsync(to) == 0;
    int why = errno;
    if (to >= 0)
        close(to);
    if (from >= 0)
        close(from);
    if (good && rename(temporary, path) == 0)
        return 0;
    return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, path, "%s", strerror(why));
}

/* That there is one updater is systemd's business, and so is starting it again. */
int umx_updater_begin(const char *folder, bool *alone, struct umx_error *err)
{
    (void)err; /* what cannot be written there is told then */
    if (mkdir(folder, 0755) == 0)
        chmod(folder, 0755);
    *alone = true;
    return 0;
}

void umx_updater_end(bool left)
{
    (void)left;
}

/* The package makes /etc/umx root's. */
int umx_updater_believe(const char *path, struct umx_error *err)
{
    (void)path;
    (void)err;
    return 0;
}

/* Whoever removes the package has systemd stop us first. */
bool umx_updater_registered(void)
{
    return true;
}

/* umx-agent-update.path sees the request. */
void umx_updater_wake(void)
{
}

#include "controller/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "store/journal_file.h"
#include "store/state.h"

enum { LINE = 1024, ASKER_SECONDS = 5, COPY_SECONDS = 600, REST_MS = 200 };

static const char name[] = "control.sock";
static const char copies[] = "backup-";

struct umx_control {
    struct umx_controller *controller;
    pthread_t thread;
    int directory;
    int listener;
    int wake;
};

/* The path of a socket is short, that of a data directory need not be: it is named by its descriptor. */
static int address_of(int directory, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name);

    return n > 0 && (size_t)n < sizeof address->sun_path ? 0 : -1;
}

/* ---- copies */

void umx_control_remove(const char *directory)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries != NULL)
        closedir(entries);
    rmdir(directory);
}

/* What a backup that was interrupted left behind. */
static void sweep(const char *data)
{
    DIR *entries = opendir(data);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        struct umx_text path = {0};
        if (strncmp(entry->d_name, copies, sizeof copies - 1) != 0)
            continue;
        umx_text_addf(&path, "%s/%s", data, entry->d_name);
        umx_control_remove(umx_text_string(&path));
        umx_text_free(&path);
    }
    if (entries != NULL)
        closedir(entries);
}

/* First the state, with its mirror of the journal's head, then the journal: it then has at least what the mirror
 * names. */
int umx_control_make_copy(const char *data, struct umx_state *state, struct umx_journal_file *journal,
                          struct umx_text *directory, struct umx_error *err)
{
    struct umx_text path = {0};
    int status = UMX_OK;

    umx_text_addf(directory, "%s/%sXXXXXX", data, copies);
    if (directory->failed)
        return umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    if (mkdtemp(directory->data) == NULL)
        return umx_fail_code(err, UMX_ERR_BACKUP_FAILED, errno, data, "%s", strerror(errno));
    umx_text_addf(&path, "%s/state.db", directory->data);
    status = path.failed ? umx_fail(err, UMX_ERR_MEMORY, data, NULL) : umx_state_copy(state, path.data, err);
    umx_text_free(&path);
    umx_text_addf(&path, "%s/journal.db", directory->data);
    if (status == UMX_OK)
        status = path.failed ? umx_fail(err, UMX_ERR_MEMORY, data, NULL) : umx_journal_copy(journal, path.data, err);
    umx_text_free(&path);
    if (status != UMX_OK)
        umx_control_remove(directory->data);
    return status;
}

/* ---- the controller's side */

static void say(int fd, const char *line, size_t length)
{
    if (send(fd, line, length, MSG_NOSIGNAL) < 0)
        umx_log(UMX_LOG_WARNING, "control", "the asker is gone");
}

static bool permitted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void answer(struct umx_control *control, int fd)
{
    const struct timeval patience = {.tv_sec = ASKER_SECONDS};
    struct umx_text directory = {0}, line = {0};
    struct umx_error err = {0};
    char text[LINE], request[16] = "";

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    ssize_t got = permitted(fd) ? recv(fd, request, sizeof request - 1, 0) : -1;
    if (got <= 0 || strcmp(request, "copy\n") != 0)
        return;
    umx_controller_keep_head(control->controller);
    if (umx_control_make_copy(control->controller->config->data, control->controller->state,
                              control->controller->journal, &directory, &err) == UMX_OK) {
        umx_text_addf(&line, "ok %s\n", strrchr(directory.data, '/') + 1);
        umx_log(UMX_LOG_INFO, "control", "the databases were copied for a backup");
    } else {
        umx_log_error("control", &err);
        umx_text_addf(&line, "error %s\n", umx_error_format(&err, text, sizeof text));
    }
    say(fd, umx_text_string(&line), line.length);
    umx_text_free(&directory);
    umx_text_free(&line);
}

static void *serve(void *user)
{
    struct umx_control *control = user;
    struct pollfd polled[] = {{.fd = control->listener, .events = POLLIN}, {.fd = control->wake, .events = POLLIN}};

    for (;;) {
        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (polled[1].revents != 0)
            return NULL;
        if (polled[0].revents == 0)
            continue;
        int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
        /* Whoever waits at the door stays there when there is no descriptor for him: looking again at once would only
         * spin. */
        if (fd < 0) {
            if (errno != EINTR && errno != ECONNABORTED)
                poll(&polled[1], 1, REST_MS);
            continue;
        }
        answer(control, fd);
        close(fd);
    }
}

int umx_control_open(struct umx_controller *controller, struct umx_control **out, struct umx_error *err)
{
    const char *data = controller->config->data;
    struct umx_control *control = calloc(1, sizeof *control);
    struct sockaddr_un address;

    *out = NULL;
    if (control == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "control", NULL);
    control->controller = controller;
    sweep(data);
    control->wake = eventfd(0, EFD_CLOEXEC);
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    control->directory = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    mode_t old = umask(0177);
    bool bound = control->wake >= 0 && control->listener >= 0 && control->directory >= 0 &&
                 address_of(control->directory, &address) == 0 &&
                 (unlinkat(control->directory, name, 0) == 0 || errno == ENOENT) &&
                 bind(control->listener, (const struct sockaddr *)(const void *)&address, sizeof address) == 0 &&
                 listen(control->listener, 4) == 0;
    int cause = errno;
    umask(old);
    if (!bound || pthread_create(&control->thread, NULL, serve, control) != 0) {
        int status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, cause, name, "%s", strerror(cause));
        if (control->listener >= 0)
            close(control->listener);
        if (control->wake >= 0)
            close(control->wake);
        if (control->directory >= 0)
            close(control->directory);
        free(control);
        return status;
    }
    *out = control;
    return UMX_OK;
}

void umx_control_close(struct umx_control *control)
{
    uint64_t one = 1;

    if (control == NULL)
        return;
    while (write(control->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    pthread_join(control->thread, NULL);
    unlinkat(control->directory, name, 0);
    close(control->listener);
    close(control->wake);
    close(control->directory);
    free(control);
}

/* ---- the asker's side */

static int connect_to(const char *data, struct umx_error *err)
{
    struct sockaddr_un address;
    int directory = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = directory >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    bool there = fd >= 0 && address_of(directory, &address) == 0 &&
                 connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0;
    int cause = errno;

    if (directory >= 0)
        close(directory);
    if (there)
        return fd;
    if (fd >= 0)
        close(fd);
    return umx_fail_code(err, UMX_ERR_PEER_UNREACHABLE, cause, data, "%s", strerror(cause));
}

int umx_control_copy(const char *data, struct umx_text *directory, struct umx_error *err)
{
    const struct timeval patience = {.tv_sec = COPY_SECONDS};
    char line[LINE] = "";
    size_t length = 0;
    ssize_t got = 1;
    int fd = connect_to(data, err);

    if (fd < 0)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(fd, "copy\n", 5, MSG_NOSIGNAL) == 5)
        while (got > 0 && length < sizeof line - 1 && strchr(line, '\n') == NULL) {
            got = recv(fd, line + length, sizeof line - 1 - length, 0);
            if (got < 0 && errno == EINTR)
                got = 1;
            else if (got > 0)
                length += (size_t)got;
            line[length] = '\0';
        }
    close(fd);
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "ok ", 3) != 0 || strncmp(line + 3, copies, sizeof copies - 1) != 0 || strchr(line + 3, '/'))
        return umx_fail(err, UMX_ERR_BACKUP_FAILED, data, "%s",
                        line[0] != '\0' ? line : "the controller did not answer; only its own user and root may ask");
    umx_text_addf(directory, "%s/%s", data, line + 3);
    return directory->failed ? umx_fail(err, UMX_ERR_MEMORY, data, NULL) : UMX_OK;
}

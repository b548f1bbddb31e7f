#include "agent/updater.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/collect/prove.h"
#include "agent/event.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/open.h"
#include "base/text.h"

enum { REQUEST_MAX = 1024, BLOCK = 64 * 1024, PATH = UMX_AGENT_PATH_MAX + 32 };
#define LOOK (200 * UMX_MILLISECOND)
/* A server that is left with a version that nobody confirmed is worse off than one that is busy for hours. */
#define RETURN_LONGEST (6 * UMX_HOUR)
#define AGAIN_FIRST UMX_SECOND
#define AGAIN_MOST (10 * UMX_MINUTE)

struct work {
    const struct umx_agent_config *config;
    const atomic_bool *stop;
    bool registered; /* the agent, when an installer last had its hands on that */
    struct umx_updater_status status;
    char package[PATH];
    char previous[PATH];
};

static void in_folder(const struct work *work, const char *name, char out[PATH])
{
    snprintf(out, PATH, "%s/%s", work->config->updater, name);
}

static void tell_end(const struct umx_updater_status *end)
{
    switch (end->state) {
    case UMX_UPDATER_INSTALLED:
        umx_event_tell(UMX_EVENT_UPDATE_INSTALLED, end->version, end->previous, NULL);
        break;
    case UMX_UPDATER_RETURNED:
        umx_event_tell(UMX_EVENT_UPDATE_RETURNED, end->version, end->previous, end->reason);
        break;
    case UMX_UPDATER_REFUSED:
        umx_event_tell(UMX_EVENT_UPDATE_REFUSED, end->version, end->reason, NULL);
        break;
    case UMX_UPDATER_FAILED:
        umx_event_tell(UMX_EVENT_UPDATE_FAILED, end->version, end->reason, NULL);
        break;
    default:
        break;
    }
}

static int enter(struct work *work, enum umx_updater_state state, struct umx_error *err)
{
    enum umx_updater_state before = work->status.state;

    work->status.state = state;
    int status = umx_updater_status_write(work->config->updater, &work->status, err);
    if (status == 0)
        tell_end(&work->status);
    else
        work->status.state = before; /* what is not written has not begun */
    return status;
}

/* ---- what the agent has staged */

/* A small text of the agent's; false: there is none, or it is too long. */
static bool read_staged(const struct work *work, const char *name, char *out, size_t size)
{
    FILE *file = umx_updater_open(work->config->state, name);
    size_t got = file != NULL ? fread(out, 1, size, file) : 0;
    bool good = file != NULL && !ferror(file) && got < size;

    if (file != NULL)
        fclose(file);
    out[good ? got : 0] = '\0';
    return good;
}

/* At most one byte more than the release has: that it is too long shows then. */
static int copy_package(const struct work *work, const struct umx_release *release, struct umx_error *err)
{
    FILE *from = umx_updater_open(work->config->state, "package"), *to = umx_open(work->package, "wb");
    char *block = malloc(BLOCK);
    int64_t copied = 0;
    int status = 0;

    if (from == NULL)
        status = umx_fail(err, UMX_ERR_RELEASE_PACKAGE, "package", "the agent has staged none: %s", strerror(errno));
    else if (to == NULL || block == NULL)
        status = umx_fail(err, UMX_ERR_FILE_UNWRITABLE, work->package, "%s", strerror(errno));
    while (status == 0 && copied <= release->size) {
        size_t got = fread(block, 1, BLOCK, from);
        if (got == 0)
            break;
        copied += (int64_t)got;
        if (fwrite(block, 1, got, to) != got)
            status = umx_fail(err, UMX_ERR_FILE_UNWRITABLE, work->package, "%s", strerror(errno));
    }
    if (status == 0 && (fflush(to) != 0 || umx_sync(to) != 0))
        status = umx_fail(err, UMX_ERR_FILE_UNWRITABLE, work->package, "%s", strerror(errno));
    if (from != NULL)
        fclose(from);
    if (to != NULL)
        fclose(to);
    free(block);
    return status;
}

/* Everything that decides is read from our own copies. */
static int take(struct work *work, const struct umx_updater_request *request, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_RELEASE_KEYS_MAX + 256);
    char text[UMX_RELEASE_TEXT_MAX + 2];
    struct umx_release release = {0};
    char *keys = NULL;
    size_t length;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "release key", NULL) : 0;

    if (status == 0 && work->config->release_key[0] == '\0')
        status = umx_fail(err, UMX_ERR_UPDATE_OFF, "updater", NULL);
    if (status == 0)
        status = umx_updater_believe(work->config->release_key, err);
    if (status == 0)
        status = umx_agent_file_read(work->config->release_key, UMX_RELEASE_KEYS_MAX, arena, &keys, &length, err);
    if (status == 0 && !read_staged(work, "release", text, sizeof text))
        status = umx_fail(err, UMX_ERR_RELEASE_INVALID, "release", "the agent has staged none");
    if (status == 0)
        status = umx_release_verify(text, strlen(text), keys, &release, err);
    umx_text_copy(work->status.version, sizeof work->status.version, release.version);
    if (status == 0)
        status = umx_release_allowed(&release, UMX_VERSION, umx_release_kind(), umx_release_architecture(),
                                     request->downgrade, err);
    if (status == 0)
        status = copy_package(work, &release, err);
    if (status == 0)
        status = umx_release_check_file(&release, work->package, err);
    umx_arena_free(arena);
    return status;
}

/* ---- the steps; each is safe to repeat */

static int refuse(struct work *work, const struct umx_error *why, struct umx_error *err)
{
    umx_log_error("updater", why);
    work->status.error = why->id;
    umx_text_copy(work->status.reason, sizeof work->status.reason, umx_error_why(why));
    return enter(work, UMX_UPDATER_REFUSED, err);
}

static bool removed(const struct work *work)
{
    return work->registered && !umx_updater_registered();
}

/* Nothing is installed any more then, not the version before either. */
static int end_removed(struct work *work, struct umx_error *err)
{
    static const char reason[] = "the agent was removed";

    umx_log(UMX_LOG_WARNING, "updater", "version %s: %s", work->status.version, reason);
    umx_text_copy(work->status.reason, sizeof work->status.reason, reason);
    work->status.state = UMX_UPDATER_FAILED;
    return umx_updater_status_write(work->config->updater, &work->status, err);
}

/* The end on the monotonic clock of what lasts until status.until: a clock that is set back gives no more time. */
static int64_t end_of(const struct work *work, int64_t most)
{
    int64_t left = work->status.until - umx_clock_now();

    return umx_clock_monotonic() + (left < most ? left : most);
}

/* False: it is to end before. */
static bool pause_until(const struct work *work, int64_t end)
{
    struct timespec look = {.tv_nsec = (long)(LOOK * 1000)};

    while (umx_clock_monotonic() < end) {
        if (atomic_load(work->stop) || removed(work))
            return false;
        nanosleep(&look, NULL);
    }
    return true;
}

static int begin_return(struct work *work, const char *reason, struct umx_error *err)
{
    umx_log(UMX_LOG_WARNING, "updater", "version %s: %s; returning to %s", work->status.version, reason,
            work->status.previous);
    umx_text_copy(work->status.reason, sizeof work->status.reason, reason);
    work->status.until = umx_clock_now() + RETURN_LONGEST;
    return enter(work, UMX_UPDATER_RETURNING, err);
}

static int step_taken(struct work *work, struct umx_error *err)
{
    struct umx_error why = {0};
    char self[PATH];

    /* What an installation replaces cannot be trusted to undo it: this very program is kept, and goes on after a crash.
     */
    in_folder(work, umx_updater_self, self);
    if (umx_updater_keep_self(self, &why) != 0 ||
        umx_updater_install(work->config, UMX_UPDATER_KEEP, work->previous, UMX_VERSION, work->stop, &why) != 0)
        return why.status == UMX_E_CANCELLED ? 0 : refuse(work, &why, err); /* nothing was changed yet */
    return enter(work, UMX_UPDATER_INSTALLING, err);
}

static int install(struct work *work, enum umx_updater_verb verb, struct umx_error *why)
{
    bool back = verb == UMX_UPDATER_RETURN;
    int status = umx_updater_install(work->config, verb, back ? work->previous : work->package,
                                     back ? work->status.previous : work->status.version, work->stop, why);

    if (status != UMX_E_CANCELLED)
        work->registered = umx_updater_registered(); /* one that failed may have left no agent: that is ours to mend */
    return status;
}

static int step_installing(struct work *work, struct umx_error *err)
{
    struct umx_error why = {0};
    int status = install(work, UMX_UPDATER_INSTALL, &why);

    if (status == UMX_E_CANCELLED)
        return 0;
    if (status != 0)
        return begin_return(work, umx_error_why(&why), err);
    work->status.until = umx_clock_now() + work->status.trial * UMX_SECOND;
    return enter(work, UMX_UPDATER_TRIAL, err);
}

static bool confirmed(const struct work *work)
{
    char id[UMX_UPDATE_ID + 1];

    return read_staged(work, "confirmed", id, sizeof id) && strncmp(id, work->status.id, UMX_UPDATE_ID - 1) == 0;
}

static int step_trial(struct work *work, struct umx_error *err)
{
    int64_t end = end_of(work, work->status.trial * UMX_SECOND);

    while (!confirmed(work)) {
        int64_t now = umx_clock_monotonic();
        if (now >= end) {
            char reason[96];
            snprintf(reason, sizeof reason, "the new version was not confirmed within %d s", work->status.trial);
            return begin_return(work, reason, err);
        }
        if (!pause_until(work, now + LOOK))
            return 0;
    }
    umx_log(UMX_LOG_INFO, "updater", "version %s is confirmed and stays", work->status.version);
    return enter(work, UMX_UPDATER_INSTALLED, err);
}

/* In the reason, behind why it returns. NULL: it has succeeded after all. */
static void say_failure(struct work *work, const struct umx_error *why)
{
    static const char words[] = "; and returning failed: ";
    char *at = strstr(work->status.reason, words), said[UMX_UPDATE_REASON];

    if (at != NULL)
        *at = '\0';
    umx_text_copy(said, sizeof said, work->status.reason);
    if (why != NULL)
        snprintf(work->status.reason, sizeof work->status.reason, "%.110s%s%.110s", said, words, umx_error_why(why));
}

/* It is tried again, for what was in its way may go: another installation, an open file, a full disk. */
static int step_returning(struct work *work, struct umx_error *err)
{
    int64_t end = end_of(work, RETURN_LONGEST), pause = AGAIN_FIRST;
    struct umx_error why = {0};
    int status;

    while ((status = install(work, UMX_UPDATER_RETURN, &why)) != 0 && status != UMX_E_CANCELLED) {
        umx_log_error("updater", &why);
        say_failure(work, &why);
        if (umx_clock_monotonic() >= end)
            return enter(work, UMX_UPDATER_FAILED, err);
        if ((status = enter(work, UMX_UPDATER_RETURNING, err)) != 0)
            return status;
        if (!pause_until(work, umx_clock_monotonic() + pause))
            return 0;
        pause = pause * 2 < AGAIN_MOST ? pause * 2 : AGAIN_MOST;
    }
    if (status == UMX_E_CANCELLED)
        return 0;
    say_failure(work, NULL);
    return enter(work, UMX_UPDATER_RETURNED, err);
}

static int (*const steps[])(struct work *work, struct umx_error *err) = {
    [UMX_UPDATER_TAKEN] = step_taken,
    [UMX_UPDATER_INSTALLING] = step_installing,
    [UMX_UPDATER_TRIAL] = step_trial,
    [UMX_UPDATER_RETURNING] = step_returning,
};

static bool ended(const struct umx_updater_status *status)
{
    return status->state == UMX_UPDATER_NONE || status->state >= UMX_UPDATER_INSTALLED;
}

static void clean(const struct work *work)
{
    static const char *const staged[] = {"request", "package", "release", "confirmed"};
    char path[PATH];

    for (size_t i = 0; i < sizeof staged / sizeof staged[0]; i++)
        umx_updater_remove(work->config->state, staged[i]);
    umx_remove(work->package);
    in_folder(work, umx_updater_self, path);
    umx_remove(path);
}

/* A request that is there; true when the work begins. */
static int look_for_request(struct work *work, bool *begun, struct umx_error *err)
{
    struct umx_updater_request request;
    struct umx_error why = {0};
    char text[REQUEST_MAX];
    int status = 0;

    *begun = false;
    if (!read_staged(work, "request", text, sizeof text) || !umx_updater_request_parse(text, &request)) {
        umx_updater_remove(work->config->state, "request"); /* one that says nothing would start us for ever */
        return 0;
    }
    if (strcmp(request.id, work->status.id) == 0) { /* it ended, and was killed before it had cleaned up */
        clean(work);
        return 0;
    }
    work->status = (struct umx_updater_status){.trial = request.trial};
    umx_text_copy(work->status.id, sizeof work->status.id, request.id);
    umx_text_copy(work->status.previous, sizeof work->status.previous, UMX_VERSION);
    umx_updater_remove(work->config->state, "confirmed");
    if (take(work, &request, &why) != 0)
        status = refuse(work, &why, err);
    else
        status = enter(work, UMX_UPDATER_TAKEN, err);
    *begun = status == 0;
    return status;
}

static int take_up(struct work *work, struct umx_error *err)
{
    char name[32];
    bool begun = true;
    int status;

    snprintf(name, sizeof name, "package.%s", umx_release_kind());
    in_folder(work, name, work->package);
    snprintf(name, sizeof name, "previous.%s", umx_release_kind());
    in_folder(work, name, work->previous);
    if ((status = umx_updater_status_read(work->config->updater, &work->status, err)) != 0)
        return status;
    if (ended(&work->status))
        status = look_for_request(work, &begun, err);
    if (status != 0 || !begun)
        return status;
    while (status == 0 && !ended(&work->status)) {
        enum umx_updater_state before = work->status.state;
        umx_log(UMX_LOG_INFO, "updater", "update %s to version %s: step %d", work->status.id, work->status.version,
                (int)before);
        status = steps[before](work, err);
        if (status == 0 && !ended(&work->status) && removed(work))
            status = end_removed(work, err);
        if (work->status.state == before || atomic_load(work->stop))
            return status; /* it was asked to end; the next run goes on */
    }
    if (status == 0)
        clean(work);
    return status;
}

int umx_updater_run(const struct umx_agent_config *config, const atomic_bool *stop, struct umx_error *err)
{
    struct work work = {.config = config, .stop = stop, .registered = umx_updater_registered()};
    bool alone = false;
    int status = umx_updater_begin(config->updater, &alone, err);

    if (status != 0 || !alone)
        return status;
    status = take_up(&work, err);
    umx_updater_end(!ended(&work.status));
    return status;
}

#include "controller/updates.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/open.h"
#include "base/text.h"
#include "controller/fleet.h"
#include "controller/rollout.h"
#include "store/journal_file.h"

#define TURN UMX_SECOND              /* a step without news */
#define PACE (200 * UMX_MILLISECOND) /* between two steps, whatever happens */

struct umx_updates {
    struct umx_controller *controller;
    char *folder;
    pthread_mutex_t mutex; /* guards the rollout, also over writes to the journal */
    pthread_cond_t changed;
    struct umx_rollout rollout;
    bool stopping;
    bool started;
    pthread_t thread;
    const char *actor; /* of the entry that is written now */

    pthread_mutex_t package_mutex; /* guards what follows; taken last */
    int package;                   /* -1: none */
    char package_id[UMX_ROLLOUT_ID];
};

static char *path_of(const struct umx_updates *updates, const char *name)
{
    struct umx_text path = {0};

    umx_text_addf(&path, "%s/%s", updates->folder, name);
    return path.data;
}

/* ---- the package */

static void serve_package(struct umx_updates *updates, const char *id)
{
    char *path = path_of(updates, id);
    int package = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

    pthread_mutex_lock(&updates->package_mutex);
    if (updates->package >= 0)
        close(updates->package);
    updates->package = package;
    umx_text_copy(updates->package_id, sizeof updates->package_id, package >= 0 ? id : "");
    pthread_mutex_unlock(&updates->package_mutex);
    free(path);
}

size_t umx_updates_part(struct umx_updates *updates, const char *id, int64_t offset, uint8_t part[UMX_UPDATES_PART])
{
    ssize_t got = 0;

    if (updates == NULL || id == NULL || id[0] == '\0' || offset < 0)
        return 0;
    pthread_mutex_lock(&updates->package_mutex);
    if (updates->package >= 0 && strcmp(id, updates->package_id) == 0)
        got = pread(updates->package, part, UMX_UPDATES_PART, (off_t)offset);
    pthread_mutex_unlock(&updates->package_mutex);
    return got > 0 ? (size_t)got : 0;
}

/* Packages of other updates serve nobody any more. */
static void remove_others(const struct umx_updates *updates, const char *id)
{
    DIR *folder = opendir(updates->folder);
    const struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, id) == 0)
            continue;
        char *path = path_of(updates, entry->d_name);
        if (path != NULL)
            umx_remove(path);
        free(path);
    }
    if (folder != NULL)
        closedir(folder);
}

static int keep_package(const struct umx_updates *updates, const char *id, const ProtobufCBinaryData *package,
                        struct umx_error *err)
{
    char *path = path_of(updates, id);
    int status = path == NULL ? umx_fail(err, UMX_ERR_MEMORY, "package", NULL) : 0;
    FILE *file = NULL;

    umx_make_folder(updates->folder);
    if (status == 0 && (file = umx_open(path, "wbx")) == NULL)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    if (status == 0 &&
        (fwrite(package->data, 1, package->len, file) != package->len || fflush(file) != 0 || umx_sync(file) != 0))
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    if (file != NULL)
        fclose(file);
    if (status != 0 && path != NULL)
        umx_remove(path);
    free(path);
    return status;
}

/* ---- the journal */

/* One line for people; everything is in the entry's fields. */
static void describe(const Umx__FleetUpdate *what, struct umx_text *out)
{
    static const char *const events[] = {"",       "begun",   "wave",    "server",   "halted",
                                         "paused", "resumed", "stopped", "completed"};
    char word[24];
    struct umx_release release;

    umx_text_addf(out, "update %.8s %s", what->id, events[what->event]);
    if (what->release != NULL && umx_release_parse(what->release, strlen(what->release), &release, NULL) == 0) {
        umx_text_addf(out, ": version %s, %zu servers, package ", release.version, what->n_servers);
        umx_text_add_hex(out, release.sha256, sizeof release.sha256);
    }
    if (what->has_wave)
        umx_text_addf(out, " %d", what->wave + 1);
    if (what->server != NULL)
        umx_text_addf(out, " %s: %s", what->server,
                      umx_reflect_word(&umx__fleet_update__state__descriptor, (int)what->state, word));
    if (what->version != NULL)
        umx_text_addf(out, " from %s", what->version);
    if (what->reason != NULL)
        umx_text_addf(out, " (%s)", what->reason);
}

/* Durable, and then true here; with the mutex held. */
static int note(void *user, Umx__FleetUpdate *what, struct umx_error *err)
{
    struct umx_updates *updates = user;
    Umx__Journal entry = UMX__JOURNAL__INIT;
    char who[UMX_IDENTITY_MAX];
    struct umx_text detail = {0};

    umx_text_copy(who, sizeof who, updates->actor != NULL ? updates->actor : updates->controller->identity);
    describe(what, &detail);
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__AGENT_UPDATE;
    entry.actor = who;
    entry.fleet_update = what;
    entry.detail = detail.data;
    int status = umx_journal_append(updates->controller->journal, &entry, err);
    if (status == 0) {
        umx_log(UMX_LOG_INFO, "update", "%s", umx_text_string(&detail));
        umx_fleet_journal_grown(updates->controller->fleet);
        status = umx_rollout_fold(&updates->rollout, what, entry.written_at, who, err);
    }
    umx_text_free(&detail);
    return status;
}

struct replay {
    struct umx_updates *updates;
    struct umx_error *err;
};

static int replay_entry(void *user, const Umx__Journal *entry)
{
    const struct replay *replay = user;

    if (entry->kind != UMX__JOURNAL__KIND__AGENT_UPDATE || entry->fleet_update == NULL)
        return 0;
    return umx_rollout_fold(&replay->updates->rollout, entry->fleet_update, entry->written_at, entry->actor, replay->err);
}

int umx_updates_open(struct umx_controller *controller, struct umx_updates **out, struct umx_error *err)
{
    struct umx_updates *updates = calloc(1, sizeof *updates);
    struct replay replay = {updates, err};
    struct umx_text folder = {0};
    pthread_condattr_t monotonic;

    *out = NULL;
    if (updates == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "updates", NULL);
    updates->controller = controller;
    updates->package = -1;
    umx_text_addf(&folder, "%s/updates", controller->config->data);
    updates->folder = folder.data;
    pthread_mutex_init(&updates->mutex, NULL);
    pthread_mutex_init(&updates->package_mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&updates->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int status = folder.failed ? umx_fail(err, UMX_ERR_MEMORY, "updates", NULL)
                               : umx_journal_each(controller->journal, "", 0, 0, replay_entry, &replay, err);
    if (status == 0 && updates->rollout.state != UMX_ROLLOUT_NONE)
        serve_package(updates, updates->rollout.id);
    if (status == 0)
        *out = updates;
    else
        umx_updates_close(updates);
    return status;
}

void umx_updates_close(struct umx_updates *updates)
{
    if (updates == NULL)
        return;
    umx_updates_stop(updates);
    umx_rollout_free(&updates->rollout);
    if (updates->package >= 0)
        close(updates->package);
    pthread_cond_destroy(&updates->changed);
    pthread_mutex_destroy(&updates->package_mutex);
    pthread_mutex_destroy(&updates->mutex);
    free(updates->folder);
    free(updates);
}

/* ---- the thread */

static void send_offer(void *user, const char *server)
{
    const struct umx_updates *updates = user;
    Umx__UpdateOffer offer = UMX__UPDATE_OFFER__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;

    offer.id = (char *)(uintptr_t)updates->rollout.id; /* packed, never changed */
    offer.release = updates->rollout.text;
    offer.has_downgrade = offer.has_trial = 1;
    offer.downgrade = updates->rollout.downgrade;
    offer.trial = updates->rollout.trial;
    message.message_case = UMX__TO_AGENT__MESSAGE_UPDATE_OFFER;
    message.update_offer = &offer;
    umx_fleet_tell(updates->controller->fleet, server, &message);
}

static void send_confirm(void *user, const char *server)
{
    const struct umx_updates *updates = user;
    Umx__UpdateConfirm confirm = UMX__UPDATE_CONFIRM__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;

    confirm.id = (char *)(uintptr_t)updates->rollout.id; /* packed, never changed */
    message.message_case = UMX__TO_AGENT__MESSAGE_UPDATE_CONFIRM;
    message.update_confirm = &confirm;
    umx_fleet_tell(updates->controller->fleet, server, &message);
}

static bool is_open(const struct umx_rollout *rollout)
{
    return rollout->state == UMX_ROLLOUT_RUNNING || rollout->state == UMX_ROLLOUT_PAUSED ||
           rollout->state == UMX_ROLLOUT_HALTED || !umx_rollout_idle(rollout);
}

/* Whether a look can change anything: one that waits for somebody's word does not. */
static bool is_moving(const struct umx_rollout *rollout)
{
    return rollout->state == UMX_ROLLOUT_RUNNING || !umx_rollout_idle(rollout);
}

/* One look; with the mutex held. */
static void step(struct umx_updates *updates)
{
    struct umx_rollout_sink sink = {.note = note, .offer = send_offer, .confirm = send_confirm, .user = updates};
    struct umx_rollout_agent *agents = NULL;
    struct umx_error err = {0};
    size_t count = 0;
    int status = umx_fleet_rollout_picture(updates->controller->fleet, &agents, &count, &err);

    if (status == 0) {
        umx_rollout_by_server(agents, count);
        updates->actor = NULL;
        status = umx_rollout_step(&updates->rollout, agents, count, umx_clock_now(), &sink, &err);
    }
    free(agents);
    if (status != 0)
        umx_log_error("update", &err);
}

static void wait_for_work(struct umx_updates *updates, int64_t duration)
{
    int64_t end = umx_clock_monotonic() + duration;
    struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};

    if (!updates->stopping)
        pthread_cond_timedwait(&updates->changed, &updates->mutex, &until);
}

static void *drive(void *user)
{
    struct umx_updates *updates = user;
    int64_t seen = 0;

    pthread_mutex_lock(&updates->mutex);
    while (!updates->stopping) {
        if (!is_moving(&updates->rollout)) {
            wait_for_work(updates, UMX_MINUTE);
            continue;
        }
        step(updates);
        wait_for_work(updates, PACE);
        pthread_mutex_unlock(&updates->mutex);
        int64_t now = umx_fleet_watch(updates->controller->fleet, seen, TURN);
        pthread_mutex_lock(&updates->mutex);
        seen = now;
        if (now < 0) /* the fleet closes: we are asked to end in a moment */
            wait_for_work(updates, TURN);
    }
    pthread_mutex_unlock(&updates->mutex);
    return NULL;
}

int umx_updates_start(struct umx_updates *updates, struct umx_error *err)
{
    if (pthread_create(&updates->thread, NULL, drive, updates) != 0)
        return umx_fail(err, UMX_ERR_MEMORY, "updates", "no thread can be started");
    updates->started = true;
    return 0;
}

void umx_updates_stop(struct umx_updates *updates)
{
    if (updates == NULL || !updates->started)
        return;
    pthread_mutex_lock(&updates->mutex);
    updates->stopping = true;
    pthread_cond_broadcast(&updates->changed);
    pthread_mutex_unlock(&updates->mutex);
    pthread_join(updates->thread, NULL);
    updates->started = false;
}

/* ---- what operators ask for */

static bool is_wanted(const Umx__AgentsUpdateArguments *arguments, const char *server)
{
    for (size_t i = 0; i < arguments->n_server; i++)
        if (umx_text_equal(arguments->server[i], server))
            return true;
    return arguments->n_server == 0;
}

/* The agents that are asked for, in their order; *count becomes their number. */
static int choose(const Umx__AgentsUpdateArguments *arguments, struct umx_rollout_agent *agents, size_t *count,
                  struct umx_error *err)
{
    size_t kept = 0;

    for (size_t k = 0; k < arguments->n_server; k++) {
        bool known = false;
        for (size_t i = 0; i < *count; i++)
            known = known || umx_text_equal(arguments->server[k], agents[i].server);
        if (!known)
            return umx_fail(err, UMX_ERR_AGENT_UNKNOWN, arguments->server[k], NULL);
    }
    for (size_t i = 0; i < *count; i++)
        if (is_wanted(arguments, agents[i].server))
            agents[kept++] = agents[i];
    *count = kept;
    if (kept == 0)
        return umx_fail(err, UMX_ERR_UPDATE_ARGUMENT, "agents", "there are none to update");
    if (kept > UMX_ROLLOUT_SERVERS_MAX)
        return umx_fail(err, UMX_ERR_UPDATE_ARGUMENT, "agents", "there are more than %d", UMX_ROLLOUT_SERVERS_MAX);
    umx_rollout_order(agents, kept);
    return 0;
}

static int check(const Umx__AgentsUpdateArguments *arguments, Umx__FleetUpdate *what, struct umx_error *err)
{
    struct umx_release release;
    const char *text = arguments->release != NULL ? arguments->release : "";
    int status = umx_release_parse(text, strlen(text), &release, err);

    if (status == 0)
        status = umx_release_check_bytes(&release, arguments->package.data, arguments->package.len, err);
    if (status != 0)
        return status;
    if (strcmp(release.package, "umx-agent") != 0)
        return umx_fail(err, UMX_ERR_RELEASE_PLATFORM, release.package, "it is not the agent's package");
    what->canary = arguments->has_canary ? arguments->canary : 1;
    what->percent = arguments->has_percent ? arguments->percent : UMX_ROLLOUT_PERCENT;
    what->trial = arguments->has_trial ? arguments->trial : UMX_ROLLOUT_TRIAL;
    if (what->canary < 1 || what->canary > UMX_ROLLOUT_SERVERS_MAX)
        return umx_fail(err, UMX_ERR_UPDATE_ARGUMENT, "canary", "it is a number of servers from 1 on");
    if (what->percent < 1 || what->percent > 100)
        return umx_fail(err, UMX_ERR_UPDATE_ARGUMENT, "wave", "it is a number of percent from 1 to 100");
    if (what->trial < 1 || what->trial > UMX_ROLLOUT_TRIAL_MAX)
        return umx_fail(err, UMX_ERR_UPDATE_ARGUMENT, "trial", "it is a number of seconds from 1 to %d",
                        UMX_ROLLOUT_TRIAL_MAX);
    what->has_canary = what->has_percent = what->has_trial = what->has_downgrade = 1;
    what->downgrade = arguments->downgrade;
    what->release = arguments->release;
    return 0;
}

static int make_id(char id[UMX_ROLLOUT_ID], struct umx_error *err)
{
    unsigned char random[16];
    struct umx_text hex = {0};

    if (RAND_bytes(random, sizeof random) != 1)
        return umx_fail(err, UMX_ERR_INTERNAL, "random bytes", NULL);
    umx_text_add_hex(&hex, random, sizeof random);
    umx_text_copy(id, UMX_ROLLOUT_ID, umx_text_string(&hex));
    umx_text_free(&hex);
    return 0;
}

int umx_updates_begin(struct umx_updates *updates, const Umx__AgentsUpdateArguments *arguments, const char *actor,
                      struct umx_arena *arena, char **id, struct umx_error *err)
{
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;
    struct umx_rollout_agent *agents = NULL;
    char made[UMX_ROLLOUT_ID];
    size_t count = 0;
    int status = check(arguments, &what, err);

    if (status == 0)
        status = umx_fleet_rollout_picture(updates->controller->fleet, &agents, &count, err);
    if (status == 0)
        status = choose(arguments, agents, &count, err);
    if (status == 0)
        status = make_id(made, err);
    if (status != 0) {
        free(agents);
        return status;
    }
    what.id = made;
    what.has_event = 1;
    what.event = UMX__FLEET_UPDATE__EVENT__BEGUN;
    what.servers = umx_arena_alloc(arena, count * sizeof(char *));
    what.forests = umx_arena_alloc(arena, count * sizeof(char *));
    what.waves = umx_arena_alloc(arena, count * sizeof *what.waves);
    *id = umx_arena_string(arena, made);
    if (what.servers == NULL || what.forests == NULL || what.waves == NULL || *id == NULL) {
        free(agents);
        return umx_fail(err, UMX_ERR_ARENA_FULL, "agents", NULL);
    }
    for (size_t i = 0; i < count; i++) {
        what.servers[i] = agents[i].server;
        what.forests[i] = agents[i].forest;
    }
    what.n_servers = what.n_forests = what.n_waves = count;
    umx_rollout_waves(count, what.canary, what.percent, what.waves);
    pthread_mutex_lock(&updates->mutex);
    if (is_open(&updates->rollout))
        status = umx_fail(err, UMX_ERR_UPDATE_UNDER_WAY, updates->rollout.release.version, "it is %s",
                          umx_rollout_word(updates->rollout.state));
    if (status == 0)
        status = keep_package(updates, made, &arguments->package, err);
    if (status == 0) {
        updates->actor = actor;
        status = note(updates, &what, err);
        updates->actor = NULL;
    }
    if (status == 0) {
        serve_package(updates, made);
        remove_others(updates, made);
        pthread_cond_broadcast(&updates->changed);
    }
    pthread_mutex_unlock(&updates->mutex);
    free(agents);
    return status;
}

int umx_updates_decide(struct umx_updates *updates, Umx__FleetUpdate__Event event, const char *actor,
                       struct umx_error *err)
{
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;
    int status = 0;

    pthread_mutex_lock(&updates->mutex);
    enum umx_rollout_state state = updates->rollout.state;
    bool fits = event == UMX__FLEET_UPDATE__EVENT__PAUSED ? state == UMX_ROLLOUT_RUNNING
                : event == UMX__FLEET_UPDATE__EVENT__RESUMED
                    ? state == UMX_ROLLOUT_PAUSED || state == UMX_ROLLOUT_HALTED
                    : state == UMX_ROLLOUT_RUNNING || state == UMX_ROLLOUT_PAUSED || state == UMX_ROLLOUT_HALTED;
    if (!fits) {
        status = umx_fail(err, UMX_ERR_UPDATE_NONE, "update", "it is %s", umx_rollout_word(state));
    } else {
        what.id = updates->rollout.id;
        what.has_event = 1;
        what.event = event;
        updates->actor = actor;
        status = note(updates, &what, err);
        updates->actor = NULL;
        pthread_cond_broadcast(&updates->changed);
    }
    pthread_mutex_unlock(&updates->mutex);
    return status;
}

static const char *version_of(const struct umx_rollout_agent *agents, size_t count, const char *server)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(agents[i].server, server) == 0)
            return agents[i].version;
    return "";
}

/* What is being done on a server, as far as its agent said. */
static const char *doing(const struct umx_rollout *rollout, const struct umx_rollout_agent *agents, size_t count,
                         const char *server, struct umx_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(agents[i].server, server) != 0)
            continue;
        if (!agents[i].connected)
            return "its agent is not connected";
        if (strcmp(agents[i].update, rollout->id) != 0)
            return "offered";
        switch (agents[i].update_state) {
        case UMX__UPDATE_STATE__STATE__WANTED:
            return umx_arena_format(arena, "receives the package: %lld of %lld bytes", (long long)agents[i].offset,
                                    (long long)rollout->release.size);
        case UMX__UPDATE_STATE__STATE__STAGED:
            return "waits for its updater";
        case UMX__UPDATE_STATE__STATE__INSTALLING:
            return "installs";
        case UMX__UPDATE_STATE__STATE__TRIAL:
            return "installed; not confirmed yet";
        default:
            return NULL;
        }
    }
    return NULL;
}

static Umx__AgentUpdate *show(const struct umx_rollout *rollout, const struct umx_rollout_server *server,
                              const struct umx_rollout_agent *agents, size_t count, struct umx_arena *arena)
{
    Umx__AgentUpdate *row = umx_reflect_new(&umx__agent_update__descriptor, arena);

    if (row == NULL)
        return NULL;
    row->server = umx_arena_string(arena, server->server);
    row->forest = umx_arena_string(arena, server->forest);
    row->has_wave = row->has_state = row->has_changed_at = 1;
    row->wave = server->wave + 1;
    row->state = server->state;
    row->changed_at = server->changed_at;
    row->version = umx_arena_string(arena, version_of(agents, count, server->server));
    row->reason = umx_arena_string(arena, server->state == UMX__FLEET_UPDATE__STATE__UPDATING
                                              ? doing(rollout, agents, count, server->server, arena)
                                              : server->reason);
    return row;
}

int umx_updates_view(struct umx_updates *updates, struct umx_arena *arena, struct umx_updates_view *out,
                     struct umx_error *err)
{
    const struct umx_rollout *rollout = &updates->rollout;
    struct umx_rollout_agent *agents = NULL;
    struct umx_text digest = {0};
    size_t count = 0;
    int status = umx_fleet_rollout_picture(updates->controller->fleet, &agents, &count, err);

    *out = (struct umx_updates_view){0};
    if (status != 0)
        return status;
    pthread_mutex_lock(&updates->mutex);
    out->state = umx_rollout_word(rollout->state);
    if (rollout->state != UMX_ROLLOUT_NONE) {
        umx_text_add_hex(&digest, rollout->release.sha256, sizeof rollout->release.sha256);
        out->id = umx_arena_string(arena, rollout->id);
        out->version = umx_arena_string(arena, rollout->release.version);
        out->author = umx_arena_string(arena, rollout->author);
        out->reason = umx_arena_string(arena, rollout->reason);
        out->sha256 = umx_arena_string(arena, umx_text_string(&digest));
        out->begun_at = rollout->begun_at;
        out->wave = rollout->wave + 1;
        out->waves = rollout->waves;
        out->servers = umx_arena_alloc(arena, (rollout->count + 1) * sizeof *out->servers);
    }
    for (size_t i = 0; out->servers != NULL && i < rollout->count; i++) {
        if ((out->servers[i] = show(rollout, &rollout->servers[i], agents, count, arena)) == NULL)
            break;
        out->count = i + 1;
    }
    if (out->count != rollout->count)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "servers", NULL);
    pthread_mutex_unlock(&updates->mutex);
    umx_text_free(&digest);
    free(agents);
    return status;
}

int umx_updates_held(struct umx_updates *updates, struct umx_arena *arena, struct umx_updates_held *out,
                     struct umx_error *err)
{
    const struct umx_rollout *rollout = &updates->rollout;
    int status = 0;

    *out = (struct umx_updates_held){0};
    pthread_mutex_lock(&updates->mutex);
    if (rollout->state == UMX_ROLLOUT_NONE) {
        status = umx_fail(err, UMX_ERR_PACKAGE_NONE, "package", NULL);
    } else {
        out->release = rollout->release;
        out->text = umx_arena_string(arena, rollout->text);
        out->path = umx_arena_format(arena, "%s/%s", updates->folder, rollout->id);
        out->state = umx_rollout_word(rollout->state);
        if (out->text == NULL || out->path == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, "package", NULL);
    }
    pthread_mutex_unlock(&updates->mutex);
    return status;
}

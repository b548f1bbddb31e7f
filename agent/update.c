#include "agent/update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/open.h"
#include "base/text.h"

enum { PATH = UMX_AGENT_PATH_MAX + 32, SPOILED_MAX = 2 };
#define WAKE_AGAIN (5 * UMX_MINUTE)

static const char *in_folder(const struct umx_update *update, const char *name, char out[PATH])
{
    snprintf(out, PATH, "%s/update/%s", update->config->state, name);
    return out;
}

static int load_keys(struct umx_update *update, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_RELEASE_KEYS_MAX + 256);
    char *text = NULL;
    size_t length;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "release key", NULL)
                               : umx_agent_file_read(update->config->release_key, UMX_RELEASE_KEYS_MAX, arena, &text,
                                                     &length, err);

    if (status == 0 && (update->keys = strdup(text)) == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, "release key", NULL);
    umx_arena_free(arena);
    return status;
}

static bool is_busy(const struct umx_updater_status *updater)
{
    return updater->state != UMX_UPDATER_NONE && updater->state < UMX_UPDATER_INSTALLED;
}

static void wake(struct umx_update *update)
{
    update->woken_at = umx_clock_now();
    umx_updater_wake();
}

/* An updater may end before its work does, or before it has seen what it was woken for. One that is at work is not
 * disturbed. */
static void wake_again(struct umx_update *update)
{
    bool waits = update->staged && strcmp(update->id, update->updater.id) != 0;
    int64_t since = umx_clock_now() - update->woken_at;

    if ((waits || is_busy(&update->updater)) && (since >= WAKE_AGAIN || since < 0))
        wake(update);
}

int umx_update_begin(struct umx_update *update, const struct umx_agent_config *config, struct umx_error *err)
{
    *update = (struct umx_update){.config = config};
    if (config->release_key[0] == '\0' || config->state[0] == '\0')
        return 0;
    int status = load_keys(update, err);
    umx_update_look(update);
    if (is_busy(&update->updater))
        wake(update); /* it may have ended before its work did */
    return status;
}

void umx_update_end(struct umx_update *update)
{
    free(update->keys);
    *update = (struct umx_update){0};
}

const char *umx_update_kind(const struct umx_update *update)
{
    return update->keys != NULL ? umx_release_kind() : NULL;
}

void umx_update_attached(struct umx_update *update)
{
    update->tell = update->id[0] != '\0' || update->updater.state != UMX_UPDATER_NONE;
}

void umx_update_look(struct umx_update *update)
{
    char path[PATH];
    struct umx_updater_status seen;
    struct umx_error err = {0};
    uint64_t stamp = 1;

    if (update->keys == NULL)
        return;
    snprintf(path, sizeof path, "%s/status", update->config->updater);
    umx_agent_file_stamp(path, &stamp);
    if (stamp == update->stamp) {
        wake_again(update);
        return;
    }
    if (umx_updater_status_read(update->config->updater, &seen, &err) != 0) {
        if (update->unread != stamp) /* said once, read again: it may just be open elsewhere */
            umx_log_error("update", &err);
        update->unread = stamp;
        return;
    }
    update->stamp = stamp;
    update->woken_at = umx_clock_now();
    update->updater = seen;
    update->tell = update->tell || seen.state != UMX_UPDATER_NONE;
}

/* ---- taking a package */

static void refuse(struct umx_update *update, const struct umx_error *why)
{
    char path[PATH];

    umx_log_error("update", why);
    update->refused = *why;
    update->staged = false;
    umx_remove(in_folder(update, "package.part", path));
}

/* Where an interrupted reception of the very same release goes on. */
static int64_t kept_bytes(const struct umx_update *update, const char *release)
{
    struct umx_arena *arena = umx_arena_new(UMX_RELEASE_TEXT_MAX + 256);
    char path[PATH];
    char *text = NULL;
    size_t length = 0;
    int64_t size = 0;

    if (arena != NULL &&
        umx_agent_file_read(in_folder(update, "release", path), UMX_RELEASE_TEXT_MAX, arena, &text, &length, NULL) ==
            0 &&
        strcmp(text, release) == 0 && umx_agent_file_changed(in_folder(update, "package.part", path), &size) < 0)
        size = 0;
    if (text == NULL || strcmp(text, release) != 0 || size > update->release.size)
        size = 0;
    umx_arena_free(arena);
    return size;
}

static int write_request(const struct umx_update *update, struct umx_error *err)
{
    char path[PATH];
    struct umx_text text = {0};

    umx_text_addf(&text, "id %s\ntrial %d\ndowngrade %s\n", update->id, update->trial,
                  update->downgrade ? "yes" : "no");
    int status = text.failed ? umx_fail(err, UMX_ERR_MEMORY, "update", NULL)
                             : umx_agent_file_replace(in_folder(update, "request", path), text.data, text.length, err);
    umx_text_free(&text);
    return status;
}

/* All bytes are there: hand them over when they are what was signed; the updater looks again, with its own eyes. */
static void complete(struct umx_update *update)
{
    struct umx_error err = {0};
    char part[PATH], path[PATH];

    in_folder(update, "package.part", part);
    if (umx_release_check_file(&update->release, part, &err) != 0) {
        umx_remove(part);
        update->have = 0;
        if (++update->spoiled >= SPOILED_MAX)
            refuse(update, &err);
        return;
    }
    if (umx_rename(part, in_folder(update, "package", path)) != 0)
        umx_fail(&err, UMX_ERR_UPDATE_STAGING, path, "%s", strerror(errno));
    else
        write_request(update, &err);
    if (err.status != 0) {
        refuse(update, &err);
        return;
    }
    update->staged = true;
    umx_log(UMX_LOG_INFO, "update", "version %s is staged for the updater", update->release.version);
    wake(update);
}

static void begin(struct umx_update *update, const Umx__UpdateOffer *offer)
{
    struct umx_error err = {0};
    char path[PATH];
    size_t length = offer->release != NULL ? strlen(offer->release) : 0;

    snprintf(path, sizeof path, "%s/update", update->config->state);
    umx_make_folder(path);
    if (is_busy(&update->updater))
        umx_fail(&err, UMX_ERR_BUSY, "updater", "the update %s is under way", update->updater.id);
    else if (umx_release_verify(offer->release != NULL ? offer->release : "", length, update->keys, &update->release,
                                &err) == 0)
        umx_release_allowed(&update->release, UMX_VERSION, umx_release_kind(), umx_release_architecture(),
                            update->downgrade, &err);
    if (err.status == 0) {
        update->have = kept_bytes(update, offer->release);
        if (update->have == 0) {
            umx_remove(in_folder(update, "package.part", path));
            umx_remove(in_folder(update, "confirmed", path));
            umx_agent_file_replace(in_folder(update, "release", path), offer->release, length, &err);
        }
    }
    if (err.status != 0)
        refuse(update, &err);
    else if (update->have == update->release.size)
        complete(update);
}

void umx_update_offer(struct umx_update *update, const Umx__UpdateOffer *offer)
{
    if (!umx_updater_id_valid(offer->id))
        return;
    update->tell = true;
    umx_update_look(update);
    if (strcmp(offer->id, update->id) == 0)
        return; /* said again: the controller began anew, or the stream did */
    umx_text_copy(update->id, sizeof update->id, offer->id);
    update->refused = (struct umx_error){0};
    update->staged = false;
    update->have = 0;
    update->spoiled = 0;
    update->downgrade = offer->downgrade;
    update->trial =
        offer->trial >= UMX_UPDATE_TRIAL_MIN && offer->trial <= UMX_UPDATE_TRIAL_MAX ? offer->trial : UMX_UPDATE_TRIAL;
    if (update->keys == NULL)
        umx_fail(&update->refused, UMX_ERR_UPDATE_OFF, "agent", NULL);
    else if (strcmp(offer->id, update->updater.id) != 0)
        begin(update, offer);
}

void umx_update_part(struct umx_update *update, const Umx__UpdatePart *part)
{
    struct umx_error err = {0};
    char path[PATH];

    if (part->id == NULL || strcmp(part->id, update->id) != 0 || update->keys == NULL || update->staged ||
        update->refused.status != 0)
        return;
    update->tell = true;
    if (part->offset != update->have || part->data.len == 0 ||
        (int64_t)part->data.len > update->release.size - update->have)
        return; /* not the bytes that are wanted: they are asked for again */
    FILE *file = umx_open(in_folder(update, "package.part", path), update->have == 0 ? "wb" : "ab");
    bool good = file != NULL && fwrite(part->data.data, 1, part->data.len, file) == part->data.len && fflush(file) == 0;
    int64_t have = update->have + (int64_t)part->data.len;
    if (good && have == update->release.size)
        good = umx_sync(file) == 0;
    int why = errno;
    if (file != NULL)
        fclose(file);
    if (!good) {
        umx_fail(&err, UMX_ERR_UPDATE_STAGING, path, "%s", strerror(why));
        refuse(update, &err);
        return;
    }
    update->have = have;
    if (have == update->release.size)
        complete(update);
}

void umx_update_confirm(struct umx_update *update, const Umx__UpdateConfirm *confirm)
{
    struct umx_error err = {0};
    char path[PATH];

    umx_update_look(update);
    if (!umx_updater_id_valid(confirm->id) || strcmp(confirm->id, update->updater.id) != 0)
        return;
    if (update->updater.state == UMX_UPDATER_TRIAL || update->updater.state == UMX_UPDATER_INSTALLING) {
        if (umx_agent_file_replace(in_folder(update, "confirmed", path), confirm->id, strlen(confirm->id), &err) != 0)
            umx_log_error("update", &err);
    } else {
        update->tell = true;
    }
}

/* ---- what is said */

static Umx__UpdateState__State state_of(const struct umx_update *update)
{
    static const Umx__UpdateState__State of_updater[] = {
        [UMX_UPDATER_NONE] = UMX__UPDATE_STATE__STATE__STAGED,
        [UMX_UPDATER_TAKEN] = UMX__UPDATE_STATE__STATE__INSTALLING,
        [UMX_UPDATER_INSTALLING] = UMX__UPDATE_STATE__STATE__INSTALLING,
        [UMX_UPDATER_TRIAL] = UMX__UPDATE_STATE__STATE__TRIAL,
        [UMX_UPDATER_RETURNING] = UMX__UPDATE_STATE__STATE__TRIAL,
        [UMX_UPDATER_INSTALLED] = UMX__UPDATE_STATE__STATE__INSTALLED,
        [UMX_UPDATER_RETURNED] = UMX__UPDATE_STATE__STATE__RETURNED,
        [UMX_UPDATER_REFUSED] = UMX__UPDATE_STATE__STATE__REFUSED,
        [UMX_UPDATER_FAILED] = UMX__UPDATE_STATE__STATE__FAILED,
    };

    if (update->id[0] == '\0' || strcmp(update->id, update->updater.id) == 0)
        return of_updater[update->updater.state];
    if (update->refused.status != 0)
        return UMX__UPDATE_STATE__STATE__REFUSED;
    return update->staged ? UMX__UPDATE_STATE__STATE__STAGED : UMX__UPDATE_STATE__STATE__WANTED;
}

bool umx_update_say(struct umx_update *update, Umx__UpdateState *out)
{
    bool updater = update->id[0] == '\0' || strcmp(update->id, update->updater.id) == 0;
    int id = updater ? update->updater.error : update->refused.id;

    if (!update->tell)
        return false;
    umx__update_state__init(out);
    out->id = updater ? update->updater.id : update->id;
    out->has_state = 1;
    out->state = state_of(update);
    out->has_offset = out->state == UMX__UPDATE_STATE__STATE__WANTED;
    out->offset = update->have;
    if (id != 0) {
        snprintf(update->words[0], sizeof update->words[0], "UMX-%d", id);
        out->error = update->words[0];
    }
    if (updater)
        umx_text_copy(update->words[1], sizeof update->words[1], update->updater.reason);
    else if (update->refused.status != 0)
        umx_text_copy(update->words[1], sizeof update->words[1], umx_error_why(&update->refused));
    else
        update->words[1][0] = '\0';
    out->reason = update->words[1][0] != '\0' ? update->words[1] : NULL;
    return true;
}

void umx_update_said(struct umx_update *update)
{
    update->tell = false;
}

#include "controller/refusals.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "controller/fleet.h"
#include "store/journal_file.h"

enum { KINDS = 64, WHAT_MAX = 64, ADDRESS_MAX = 128 };

/* One kind: who and which error. The last place is for what has no place of its own. */
struct kind {
    bool used;
    char actor[UMX_IDENTITY_MAX];
    enum umx_error_id id;
    char address[ADDRESS_MAX]; /* of the last one */
    char what[WHAT_MAX];
    char why[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 4];
    int64_t count;      /* not written yet */
    int64_t written_at; /* monotonic; 0: never */
};

struct umx_refusals {
    struct umx_controller *controller;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool ending;
    struct kind kinds[KINDS];
    int64_t total;
    int budget;
    int64_t refilled_at; /* monotonic */
};

/* ---- noting */

static struct kind *place(struct umx_refusals *refusals, const char *actor, enum umx_error_id id)
{
    struct kind *rest = &refusals->kinds[KINDS - 1], *oldest = NULL;

    for (size_t i = 0; i < KINDS - 1; i++) {
        struct kind *kind = &refusals->kinds[i];
        if (kind->used && kind->id == id && strcmp(kind->actor, actor) == 0)
            return kind;
        bool idle = !kind->used ||
                    (kind->count == 0 && umx_clock_monotonic() - kind->written_at > UMX_REFUSALS_SUMMARY * UMX_SECOND);
        if (idle && (oldest == NULL || !kind->used))
            oldest = kind;
    }
    if (oldest == NULL)
        oldest = rest;
    if (oldest != rest || !rest->used) {
        *oldest = (struct kind){.used = true, .id = id};
        umx_text_copy(oldest->actor, sizeof oldest->actor, actor);
    }
    return oldest;
}

/* What others sent may stand in a reason. */
static void clean(char *text)
{
    bool valid = umx_text_valid(text, strlen(text));

    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f || (!valid && (unsigned char)*text >= 0x80))
            *text = '?';
}

void umx_refusals_note(struct umx_refusals *refusals, const struct umx_identity *peer, const char *address,
                       const char *what, const struct umx_error *why)
{
    const char *actor = peer != NULL && peer->uri[0] != '\0' ? peer->uri : "anonymous";

    if (refusals == NULL)
        return;
    pthread_mutex_lock(&refusals->mutex);
    struct kind *kind = place(refusals, actor, why->id);
    if (kind == &refusals->kinds[KINDS - 1]) {
        umx_text_copy(kind->actor, sizeof kind->actor, "several");
        kind->id = why->id;
    }
    umx_text_copy(kind->address, sizeof kind->address, address != NULL ? address : "");
    umx_text_copy(kind->what, sizeof kind->what, what != NULL ? what : "");
    snprintf(kind->why, sizeof kind->why, "%s: %s", why->what, umx_error_why(why));
    clean(kind->why);
    clean(kind->what);
    kind->count++;
    refusals->total++;
    pthread_cond_signal(&refusals->changed);
    pthread_mutex_unlock(&refusals->mutex);
}

void umx_refusals_hear(void *user, const struct umx_identity *peer, const char *address, const char *path,
                       const struct umx_error *why)
{
    umx_refusals_note(user, peer, address, path, why);
}

int64_t umx_refusals_count(struct umx_refusals *refusals)
{
    pthread_mutex_lock(&refusals->mutex);
    int64_t total = refusals->total;
    pthread_mutex_unlock(&refusals->mutex);
    return total;
}

/* ---- writing */

static void refill(struct umx_refusals *refusals, int64_t now)
{
    int64_t more = (now - refusals->refilled_at) / (UMX_REFUSALS_INTERVAL * UMX_SECOND);

    if (more <= 0)
        return;
    refusals->refilled_at += more * UMX_REFUSALS_INTERVAL * UMX_SECOND;
    refusals->budget = more + refusals->budget > UMX_REFUSALS_BURST ? UMX_REFUSALS_BURST : refusals->budget + (int)more;
}

/* The next kind to write now: a new one first. NULL: none is due, or there is no budget. */
static struct kind *due(struct umx_refusals *refusals, int64_t now)
{
    struct kind *found = NULL;

    if (refusals->budget <= 0 && !refusals->ending)
        return NULL;
    for (size_t i = 0; i < KINDS; i++) {
        struct kind *kind = &refusals->kinds[i];
        bool ready =
            kind->used && kind->count > 0 &&
            (refusals->ending || kind->written_at == 0 || now - kind->written_at >= UMX_REFUSALS_SUMMARY * UMX_SECOND);
        if (ready && (found == NULL || kind->written_at < found->written_at))
            found = kind;
    }
    return found;
}

static void write_entry(struct umx_refusals *refusals, struct kind *kind)
{
    struct umx_controller *controller = refusals->controller;
    Umx__Journal entry = UMX__JOURNAL__INIT;
    struct umx_error err = {0};
    char error[16], detail[WHAT_MAX + sizeof kind->why + 2];

    snprintf(error, sizeof error, "UMX-%d", kind->id);
    snprintf(detail, sizeof detail, "%s: %s", kind->what, kind->why);
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__REFUSED;
    entry.actor = kind->actor;
    entry.peer = kind->address;
    entry.error = error;
    entry.detail = detail;
    entry.has_count = 1;
    entry.count = kind->count;
    if (umx_journal_append(controller->journal, &entry, &err) != 0)
        umx_log_error("refusals", &err);
    else if (controller->fleet != NULL)
        umx_fleet_journal_grown(controller->fleet);
}

static void *work(void *user)
{
    struct umx_refusals *refusals = user;

    pthread_mutex_lock(&refusals->mutex);
    for (;;) {
        int64_t now = umx_clock_monotonic();
        refill(refusals, now);
        struct kind *kind = due(refusals, now);
        if (kind != NULL) {
            struct kind copy = *kind;
            kind->count = 0;
            kind->written_at = now;
            refusals->budget--;
            pthread_mutex_unlock(&refusals->mutex);
            write_entry(refusals, &copy);
            pthread_mutex_lock(&refusals->mutex);
            continue;
        }
        if (refusals->ending)
            break;
        const int64_t wake = now + 30 * UMX_SECOND; /* summaries and the budget become due by themselves */
        const struct timespec until = {.tv_sec = (time_t)(wake / UMX_SECOND),
                                       .tv_nsec = (long)(wake % UMX_SECOND) * 1000};
        pthread_cond_clockwait(&refusals->changed, &refusals->mutex, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&refusals->mutex);
    return NULL;
}

int umx_refusals_open(struct umx_controller *controller, struct umx_refusals **out, struct umx_error *err)
{
    struct umx_refusals *refusals = calloc(1, sizeof *refusals);

    *out = NULL;
    if (refusals == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "refusals", NULL);
    refusals->controller = controller;
    refusals->budget = UMX_REFUSALS_BURST;
    refusals->refilled_at = umx_clock_monotonic();
    pthread_mutex_init(&refusals->mutex, NULL);
    pthread_cond_init(&refusals->changed, NULL);
    refusals->started = pthread_create(&refusals->thread, NULL, work, refusals) == 0;
    *out = refusals;
    if (refusals->started)
        return 0;
    umx_refusals_close(refusals);
    *out = NULL;
    return umx_fail(err, UMX_ERR_MEMORY, "refusals", "no thread can be started");
}

void umx_refusals_close(struct umx_refusals *refusals)
{
    if (refusals == NULL)
        return;
    pthread_mutex_lock(&refusals->mutex);
    refusals->ending = true;
    pthread_cond_signal(&refusals->changed);
    pthread_mutex_unlock(&refusals->mutex);
    if (refusals->started)
        pthread_join(refusals->thread, NULL);
    pthread_cond_destroy(&refusals->changed);
    pthread_mutex_destroy(&refusals->mutex);
    free(refusals);
}

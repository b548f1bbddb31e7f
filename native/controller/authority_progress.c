/*
 * Who has followed a rotation: an agent that keeps the trust of now, and showed a certificate of the authority that
 * stays. What agents show is remembered, and noted in ca/progress.tsv while a rotation is under way, so that one that
 * followed and then fell silent does not count as missing after a restart. A line that is lost, or cut by a crash, only
 * means that this agent has to show itself again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/reflect.h"
#include "controller/authority_internal.h"

enum { NOTE_MAX = 1024 };

void authority_progress_init(struct authority_progress *progress)
{
    pthread_mutex_init(&progress->mutex, NULL);
}

void authority_progress_free(struct authority_progress *progress)
{
    for (size_t i = 0; i < FOLLOWER_SLOTS; i++)
        while (progress->slots[i] != NULL) {
            struct authority_follower *next = progress->slots[i]->next;
            free(progress->slots[i]);
            progress->slots[i] = next;
        }
    pthread_mutex_destroy(&progress->mutex);
}

/* With the mutex held; make: adds it when it is not there. NULL: it is not, or memory is out. */
static struct authority_follower *follower(struct authority_progress *progress, const char *uri, bool make)
{
    size_t length = strlen(uri);
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)uri[i]) * 16777619u;
    struct authority_follower **slot = &progress->slots[hash % FOLLOWER_SLOTS];
    for (struct authority_follower *one = *slot; one != NULL; one = one->next)
        if (strcmp(one->uri, uri) == 0)
            return one;
    struct authority_follower *made = make ? calloc(1, sizeof *made + length + 1) : NULL;
    if (made != NULL) {
        memcpy(made->uri, uri, length + 1);
        made->next = *slot;
        *slot = made;
    }
    return made;
}

static bool trusts(const struct authority_view *view, const struct authority_follower *one)
{
    return one != NULL && one->has_trust && memcmp(one->trust, view->trust.id, UMX_TRUST_ID) == 0;
}

/* The authority that agents shall have their certificates from. */
static const struct authority_pair *target(const struct authority_view *view)
{
    return view->rotation.phase == ROTATION_OPEN && !view->rotation.back ? &view->next : &view->current;
}

bool authority_progress_trusts(struct umx_authority *authority, const char *uri)
{
    pthread_mutex_lock(&authority->progress.mutex);
    bool found = trusts(authority->view, follower(&authority->progress, uri, false));
    pthread_mutex_unlock(&authority->progress.mutex);
    return found;
}

/* A new root reaches an agent before anything is issued below it; whoever has not taken it is served by the old one. */
const struct authority_pair *authority_issuer(struct umx_authority *authority, const char *uri)
{
    const struct authority_view *view = authority->view;

    if (view->rotation.root && target(view) == &view->next &&
        (uri == NULL || !authority_progress_trusts(authority, uri)))
        return &view->current;
    return target(view);
}

/* ---- ca/progress.tsv: identity, issuer, trust or "-" */

static void note(const struct umx_authority *authority, const struct authority_follower *one)
{
    struct umx_text line = {0};
    char *path = umx_authority_path(authority->data, "ca/progress.tsv");
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    umx_text_addf(&line, "%s\t%s\t", one->uri, one->issuer);
    if (one->has_trust)
        umx_text_add_hex(&line, one->trust, sizeof one->trust);
    else
        umx_text_adds(&line, "-");
    umx_text_adds(&line, "\n");
    if (fd < 0 || line.failed || write(fd, line.data, line.length) != (ssize_t)line.length)
        umx_log(UMX_LOG_WARNING, "ca", "%s: %s", path != NULL ? path : "ca/progress.tsv", strerror(errno));
    if (fd >= 0)
        close(fd);
    umx_text_free(&line);
    free(path);
}

static void load_line(struct authority_progress *progress, char *line)
{
    uint8_t id[UMX_TRUST_ID];
    char *end = strchr(line, '\n');
    char *issuer = strchr(line, '\t');
    char *trust = issuer != NULL ? strchr(issuer + 1, '\t') : NULL;

    if (end == NULL || trust == NULL)
        return;
    *end = *issuer = *trust = '\0';
    bool known = umx_text_from_hex(trust + 1, id, sizeof id) == UMX_TRUST_ID;
    if (!known && strcmp(trust + 1, "-") != 0)
        return;
    struct authority_follower *one = follower(progress, line, true);
    if (one == NULL)
        return;
    umx_text_copy(one->issuer, sizeof one->issuer, issuer + 1);
    one->has_trust = known;
    if (known)
        memcpy(one->trust, id, sizeof one->trust);
}

int authority_progress_load(struct umx_authority *authority, struct umx_error *err)
{
    char *path = umx_authority_path(authority->data, "ca/progress.tsv");
    FILE *file = path != NULL && authority->view->rotation.phase == ROTATION_OPEN ? fopen(path, "re") : NULL;
    char line[NOTE_MAX];

    if (path == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, authority->data, NULL);
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        load_line(&authority->progress, line);
    if (file != NULL)
        fclose(file);
    free(path);
    return 0;
}

struct umx_heard umx_authority_heard(struct umx_authority *authority, const struct umx_identity *agent,
                                     const uint8_t *id)
{
    struct umx_heard heard = {0};

    pthread_rwlock_rdlock(&authority->turning);
    pthread_mutex_lock(&authority->progress.mutex);
    const struct authority_view *view = authority->view;
    struct authority_follower *one = follower(&authority->progress, agent->uri, true);
    if (one != NULL) {
        bool same = strcmp(one->issuer, agent->issuer) == 0 && one->has_trust == (id != NULL) &&
                    (id == NULL || memcmp(one->trust, id, sizeof one->trust) == 0);
        umx_text_copy(one->issuer, sizeof one->issuer, agent->issuer);
        one->has_trust = id != NULL;
        if (id != NULL)
            memcpy(one->trust, id, sizeof one->trust);
        if (!same && view->rotation.phase == ROTATION_OPEN)
            note(authority, one);
        heard.tell = !trusts(view, one);
        heard.renew =
            !heard.tell && view->rotation.phase == ROTATION_OPEN && strcmp(agent->issuer, target(view)->key_id) != 0;
    }
    pthread_mutex_unlock(&authority->progress.mutex);
    pthread_rwlock_unlock(&authority->turning);
    return heard;
}

/* ---- who is missing */

struct looking {
    struct umx_authority *authority;
    struct umx_arena *arena;
    Umx__AuthorityLaggard **items;
    size_t count;
    size_t capacity;
    size_t agents;
    int64_t now;
};

static bool push(struct looking *to, Umx__AuthorityLaggard *laggard)
{
    if (to->count == to->capacity) {
        size_t capacity = to->capacity > 0 ? 2 * to->capacity : 64;
        Umx__AuthorityLaggard **grown = umx_arena_alloc(to->arena, capacity * sizeof(Umx__AuthorityLaggard *));
        if (grown == NULL)
            return false;
        if (to->count > 0)
            memcpy(grown, to->items, to->count * sizeof(Umx__AuthorityLaggard *));
        to->items = grown;
        to->capacity = capacity;
    }
    to->items[to->count++] = laggard;
    return true;
}

static int look_at(void *user, const struct umx_issued_agent *agent)
{
    struct looking *to = user;
    const struct authority_view *view = to->authority->view;

    if (agent->revoked || agent->expires_at < to->now)
        return 0;
    to->agents++;
    pthread_mutex_lock(&to->authority->progress.mutex);
    const struct authority_follower *one = follower(&to->authority->progress, agent->uri, false);
    bool taken = trusts(view, one);
    bool renewed = one != NULL && strcmp(one->issuer, target(view)->key_id) == 0;
    pthread_mutex_unlock(&to->authority->progress.mutex);
    if (taken && renewed)
        return 0;
    Umx__AuthorityLaggard *laggard = umx_reflect_new(&umx__authority_laggard__descriptor, to->arena);
    if (laggard == NULL)
        return UMX_E_MEMORY;
    laggard->agent = umx_arena_string(to->arena, agent->uri);
    laggard->server = umx_arena_string(to->arena, agent->fqdn);
    laggard->reason = umx_arena_string(to->arena, !taken ? "it has not taken the new trust"
                                                         : "it has taken the new trust, and not renewed yet");
    return laggard->agent != NULL && laggard->server != NULL && laggard->reason != NULL && push(to, laggard)
               ? 0
               : UMX_E_MEMORY;
}

int authority_laggards(struct umx_authority *authority, struct umx_arena *arena, Umx__AuthorityLaggard ***out,
                       size_t *count, size_t *agents, struct umx_error *err)
{
    struct looking to = {.authority = authority, .arena = arena, .now = umx_clock_now()};
    int status = umx_authority_issued_agents(authority, look_at, &to, err);

    if (status == UMX_E_MEMORY)
        umx_fail(err, UMX_ERR_ARENA_FULL, "agents", NULL);
    *out = to.items;
    *count = to.count;
    *agents = to.agents;
    return status;
}

int umx_authority_laggards(struct umx_authority *authority, struct umx_arena *arena, Umx__AuthorityLaggard ***out,
                           size_t *count, size_t *agents, struct umx_error *err)
{
    pthread_rwlock_rdlock(&authority->turning);
    int status = authority_laggards(authority, arena, out, count, agents, err);
    pthread_rwlock_unlock(&authority->turning);
    return status;
}

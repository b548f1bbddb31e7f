/*
 * ca/issued.tsv: what was issued, a line each, in the order of issue:
 * time, role, name, fqdn or forest, serial, end of validity, URI, SHA-256 of the public key, key identifier
 * of the issuer (older lines lack one or both).
 * Roles `revoked` and `forgotten` take back what the URI was given. Lines are appended in one write, under the file's
 * lock, so that `umxd issue` beside a running controller does no harm; a line that is cut (a crash) is skipped. The
 * file is replaced by a shorter one now and then (issued_shorten.c).
 *
 * Agents are kept in memory, and what others appended since is read before each look.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/authority_internal.h"

enum { AGENTS_MAX = 1000000 };

int issued_open(const char *path, int *out, struct umx_error *err)
{
    for (;;) {
        struct stat mine, there;
        int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        int locked = fd >= 0 ? flock(fd, LOCK_EX) : -1;
        while (fd >= 0 && locked != 0 && errno == EINTR)
            locked = flock(fd, LOCK_EX);
        if (locked != 0 || fstat(fd, &mine) != 0) {
            int cause = errno;
            if (fd >= 0)
                close(fd);
            return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, cause, path, "%s", strerror(cause));
        }
        if (stat(path, &there) == 0 && there.st_ino == mine.st_ino && there.st_dev == mine.st_dev) {
            *out = fd;
            return 0;
        }
        close(fd); /* it was replaced while this waited for its lock */
    }
}

/* A line that was cut, by a crash or a full disk, must not take the next one with it: it is ended with more fields than
 * any has, so that nobody reads it. */
static bool ends_cut(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);

    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

static int append(const char *data, const char *role, const char *name, const char *where, const char *serial,
                  int64_t expires_at, const char *uri, const char *key, const char *issuer, struct umx_error *err)
{
    struct umx_text line = {0};
    char now[UMX_CLOCK_TEXT];
    char end[UMX_CLOCK_TEXT];
    char *path = umx_authority_path(data, "ca/issued.tsv");
    int fd = -1;
    int status = path != NULL ? issued_open(path, &fd, err) : umx_fail(err, UMX_ERR_MEMORY, data, NULL);

    if (status == 0 && ends_cut(fd))
        umx_text_adds(&line, "\t\t\t\t\t\t\t\t\t\n");
    umx_text_addf(&line, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", umx_clock_format(umx_clock_now(), now), role, name,
                  where, serial, umx_clock_format(expires_at, end), uri, key, issuer);
    if (status == 0 && line.failed)
        status = umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    else if (status == 0 && (write(fd, line.data, line.length) != (ssize_t)line.length || fsync(fd) != 0))
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    umx_text_free(&line);
    free(path);
    return status;
}

int umx_issued_add(const char *data, const struct umx_authority_leaf *leaf, const struct umx_identity *identity,
                   struct umx_error *err)
{
    const char *where = leaf->forest != NULL ? leaf->forest : leaf->dns_count > 0 ? leaf->dns[0] : "";

    return append(data, leaf->role, leaf->name, where, identity->serial, identity->not_after_at, identity->uri,
                  identity->key, identity->issuer, err);
}

bool issued_split(char *line, char *fields[ISSUED_FIELDS])
{
    static char nothing[] = "";
    size_t length = strlen(line);

    if (length == 0 || line[length - 1] != '\n')
        return false;
    line[length - 1] = '\0';
    for (int i = 0; i < ISSUED_FIELDS; i++)
        fields[i] = nothing;
    for (int i = 0; i < ISSUED_FIELDS; i++) {
        fields[i] = line;
        char *tab = strchr(line, '\t');
        if (tab == NULL)
            return i >= ISSUED_FIELDS - 3;
        *tab = '\0';
        line = tab + 1;
    }
    return false;
}

/* The slot of a URI: its own, or the free one where it belongs. There is always a free one. */
static size_t *slot_of(const struct umx_issued_index *index, const char *uri)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *p = uri; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    for (size_t at = (size_t)hash;; at++) {
        size_t *slot = &index->slots[at & (2 * index->capacity - 1)];
        if (*slot == 0 || strcmp(index->agents[*slot - 1].uri, uri) == 0)
            return slot;
    }
}

/* Twice as many, with twice as many slots as agents. */
static bool grow(struct umx_issued_index *index)
{
    struct umx_issued_index larger = *index;

    larger.capacity = index->capacity > 0 ? 2 * index->capacity : 64;
    larger.slots = calloc(2 * larger.capacity, sizeof *larger.slots);
    larger.agents = larger.slots != NULL ? realloc(index->agents, larger.capacity * sizeof *larger.agents) : NULL;
    if (larger.agents == NULL) {
        free(larger.slots);
        return false;
    }
    for (size_t i = 0; i < larger.count; i++)
        *slot_of(&larger, larger.agents[i].uri) = i + 1;
    free(index->slots);
    *index = larger;
    return true;
}

struct umx_issued_agent *issued_find(const struct umx_issued_index *index, const char *uri)
{
    size_t at = index->capacity > 0 ? *slot_of(index, uri) : 0;

    return at > 0 ? &index->agents[at - 1] : NULL;
}

static struct umx_issued_agent *add_agent(struct umx_issued_index *index, const char *uri, const char *fqdn)
{
    if (index->count == index->capacity && (index->count >= AGENTS_MAX || !grow(index)))
        return NULL;
    struct umx_issued_agent made = {.uri = strdup(uri), .fqdn = strdup(fqdn)};
    if (made.uri == NULL || made.fqdn == NULL) {
        free(made.uri);
        free(made.fqdn);
        return NULL;
    }
    *slot_of(index, uri) = index->count + 1;
    index->agents[index->count] = made;
    return &index->agents[index->count++];
}

int issued_take(struct umx_issued_index *index, char *const *fields, struct umx_error *err)
{
    int64_t expires_at;
    struct umx_issued_agent *agent = issued_find(index, fields[6]);

    if (strcmp(fields[1], "revoked") == 0 || strcmp(fields[1], "forgotten") == 0) {
        if (agent != NULL)
            agent->revoked = true;
        if (agent != NULL && fields[1][0] == 'f')
            agent->forgotten = true;
        return 0;
    }
    if (strcmp(fields[1], "agent") != 0 || umx_clock_parse(fields[5], &expires_at) != 0)
        return 0;
    if (agent == NULL && (agent = add_agent(index, fields[6], fields[3])) == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "issued.tsv", NULL);
    if (expires_at > agent->expires_at)
        agent->expires_at = expires_at;
    if (strcmp(agent->key, fields[7]) != 0) {
        memcpy(agent->previous_key, agent->key, sizeof agent->key);
        umx_text_copy(agent->key, sizeof agent->key, fields[7]);
    }
    umx_text_copy(agent->issuer, sizeof agent->issuer, fields[8]);
    return 0;
}

/* What was appended since the last time; all of it when the file was replaced, which changes nothing of what is known.
 * A line that is not whole yet is read again. */
static int refresh(struct umx_authority *authority, struct umx_error *err)
{
    struct umx_issued_index *index = &authority->issued;
    char *path = umx_authority_path(authority->data, "ca/issued.tsv");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    char line[ISSUED_LINE_MAX];
    char *fields[ISSUED_FIELDS];
    int status = 0;

    if (path == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, authority->data, NULL);
    if (file == NULL && errno != ENOENT)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    struct stat found = {0};
    if (file != NULL && fstat(fileno(file), &found) == 0 &&
        (found.st_ino != index->inode || found.st_size < index->offset)) {
        index->inode = found.st_ino;
        index->offset = 0;
    }
    if (file != NULL && fseeko(file, index->offset, SEEK_SET) != 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    while (status == 0 && file != NULL && fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(line);
        if (length + 1 < sizeof line && line[length - 1] != '\n')
            break;
        index->offset += (off_t)length;
        if (issued_split(line, fields))
            status = issued_take(index, fields, err);
    }
    if (file != NULL)
        fclose(file);
    free(path);
    return status;
}

int umx_authority_issued_agents(struct umx_authority *authority,
                                int (*each)(void *user, const struct umx_issued_agent *agent), void *user,
                                struct umx_error *err)
{
    pthread_mutex_lock(&authority->issued.mutex);
    int status = refresh(authority, err);
    for (size_t i = 0; status == 0 && i < authority->issued.count; i++)
        status = each(user, &authority->issued.agents[i]);
    pthread_mutex_unlock(&authority->issued.mutex);
    return status;
}

int umx_authority_mark_agent(struct umx_authority *authority, const char *uri, const char *fqdn, bool forgotten,
                             struct umx_error *err)
{
    const char *name = strrchr(uri, '/');

    return append(authority->data, forgotten ? "forgotten" : "revoked", name != NULL ? name + 1 : uri, fqdn, "-",
                  umx_clock_now(), uri, "", "", err);
}

int umx_authority_note_agent(struct umx_authority *authority, const char *uri, const char *fqdn, const char *forest,
                             bool revoked, bool forgotten, struct umx_error *err)
{
    struct umx_issued_index *index = &authority->issued;

    pthread_mutex_lock(&index->mutex);
    struct umx_issued_agent *agent = issued_find(index, uri);
    if (agent == NULL)
        agent = add_agent(index, uri, fqdn);
    if (agent != NULL) {
        agent->revoked = agent->revoked || revoked || forgotten;
        agent->forgotten = agent->forgotten || forgotten;
    }
    if (agent != NULL && forest != NULL) {
        free(agent->forest);
        agent->forest = strdup(forest);
    }
    bool failed = agent == NULL || (forest != NULL && agent->forest == NULL);
    pthread_mutex_unlock(&index->mutex);
    return failed ? umx_fail(err, UMX_ERR_MEMORY, uri, NULL) : 0;
}

bool umx_authority_agent_revoked(struct umx_authority *authority, const char *uri)
{
    pthread_mutex_lock(&authority->issued.mutex);
    const struct umx_issued_agent *agent = issued_find(&authority->issued, uri);
    bool revoked = agent != NULL && agent->revoked;
    pthread_mutex_unlock(&authority->issued.mutex);
    return revoked;
}

void umx_authority_agent_forest(struct umx_authority *authority, const char *uri, char forest[UMX_FQDN_MAX])
{
    pthread_mutex_lock(&authority->issued.mutex);
    const struct umx_issued_agent *agent = issued_find(&authority->issued, uri);
    umx_text_copy(forest, UMX_FQDN_MAX, agent != NULL && agent->forest != NULL ? agent->forest : "");
    pthread_mutex_unlock(&authority->issued.mutex);
}

void umx_issued_free_index(struct umx_issued_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        free(index->agents[i].uri);
        free(index->agents[i].fqdn);
        free(index->agents[i].forest);
    }
    free(index->agents);
    free(index->slots);
    pthread_mutex_destroy(&index->mutex);
}

int umx_issued_operators(const char *data,
                         int (*each)(void *user, const char *uri, const char *issuer, int64_t expires_at), void *user,
                         struct umx_error *err)
{
    char *path = umx_authority_path(data, "ca/issued.tsv");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    char line[ISSUED_LINE_MAX];
    char *fields[ISSUED_FIELDS];
    int status = 0;

    if (path == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    if (file == NULL && errno != ENOENT)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    while (status == 0 && file != NULL && fgets(line, sizeof line, file) != NULL) {
        int64_t expires_at;
        if (issued_split(line, fields) && strcmp(fields[1], "operator") == 0 &&
            umx_clock_parse(fields[5], &expires_at) == 0)
            status = each(user, fields[6], fields[8], expires_at);
    }
    if (file != NULL)
        fclose(file);
    free(path);
    return status;
}

/*
 * ca/issued.tsv without the lines that say nothing any more, so that it is bounded by the certificates that are valid
 * and the agents that are known, and not by time.
 *
 * Kept are: certificates that are valid, or were a week ago; of an agent whose certificates have all ended (it is known
 * by its key when it comes back) its first line, which gives its place, its newest, and the newest of the key before;
 * who was revoked; and who was forgotten, until the last certificate has ended. A role that this version does not know
 * is kept.
 *
 * The new file is complete and durable before it takes the old one's name. The old one is locked meanwhile: whoever
 * appends waits, and then finds the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "controller/authority_internal.h"

#define KEPT_AFTER_END (7 * UMX_DAY)

enum { WORTH_IT = 4 /* one line in so many */ };

/* Lines of an agent, counted from 1; 0: none. */
struct places {
    size_t first;
    size_t newest;
    size_t before; /* the newest of another key */
};

struct shortening {
    int64_t ended; /* what ended before this says nothing */
    struct umx_issued_index index;
    struct places *places; /* of the agents of the index */
    size_t capacity;
    size_t lines;
    size_t kept;
};

static bool is_agent(char *const *fields)
{
    return strcmp(fields[1], "agent") == 0;
}

static int note(struct shortening *all, char *const *fields, struct umx_error *err)
{
    const struct umx_issued_agent *known = issued_find(&all->index, fields[6]);
    bool other_key = known != NULL && strcmp(known->key, fields[7]) != 0;
    int status = issued_take(&all->index, fields, err);

    if (status != 0 || !is_agent(fields) || (known = issued_find(&all->index, fields[6])) == NULL)
        return status;
    if (all->capacity < all->index.capacity) {
        struct places *grown = realloc(all->places, all->index.capacity * sizeof *grown);
        if (grown == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, "ca/issued.tsv", NULL);
        memset(grown + all->capacity, 0, (all->index.capacity - all->capacity) * sizeof *grown);
        all->places = grown;
        all->capacity = all->index.capacity;
    }
    struct places *places = &all->places[known - all->index.agents];
    if (places->first == 0)
        places->first = all->lines;
    if (other_key)
        places->before = places->newest;
    places->newest = all->lines;
    return 0;
}

static bool is_kept(const struct shortening *all, size_t line, char *const *fields)
{
    static const char *const certificates[] = {"agent", "operator", "controller"};
    const struct umx_issued_agent *agent = issued_find(&all->index, fields[6]);
    bool taken_back = strcmp(fields[1], "revoked") == 0 || strcmp(fields[1], "forgotten") == 0;
    bool certificate = false;
    int64_t end;

    for (size_t i = 0; i < sizeof certificates / sizeof *certificates; i++)
        certificate = certificate || strcmp(fields[1], certificates[i]) == 0;
    if (agent != NULL && agent->forgotten && agent->expires_at < all->ended)
        return false;
    if (taken_back)
        return agent != NULL;
    if (!certificate || umx_clock_parse(fields[5], &end) != 0 || end >= all->ended)
        return true;
    if (agent == NULL || !is_agent(fields))
        return false;
    const struct places *places = &all->places[agent - all->index.agents];
    return line == places->first || line == places->newest || line == places->before;
}

/* Calls each for every whole line; text is the line as it stands. */
static int walk(struct shortening *all, FILE *from, FILE *to,
                int (*each)(struct shortening *all, char *const *fields, const char *text, FILE *to,
                            struct umx_error *err),
                struct umx_error *err)
{
    char line[ISSUED_LINE_MAX], text[ISSUED_LINE_MAX];
    char *fields[ISSUED_FIELDS];
    int status = 0;

    rewind(from);
    all->lines = all->kept = 0;
    while (status == 0 && fgets(line, sizeof line, from) != NULL) {
        all->lines++;
        memcpy(text, line, strlen(line) + 1);
        if (issued_split(line, fields))
            status = each(all, fields, text, to, err);
    }
    if (status == 0 && ferror(from))
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, "ca/issued.tsv", "%s", strerror(errno));
    return status;
}

static int learn(struct shortening *all, char *const *fields, const char *text, FILE *to, struct umx_error *err)
{
    (void)text;
    (void)to;
    return note(all, fields, err);
}

/* to NULL: only counts. */
static int keep(struct shortening *all, char *const *fields, const char *text, FILE *to, struct umx_error *err)
{
    (void)err;
    if (!is_kept(all, all->lines, fields))
        return 0;
    all->kept++;
    if (to == NULL)
        return 0;
    umx_crash_point(UMX_CRASH_ISSUED_WRITING, NULL);
    fputs(text, to); /* what fails is seen at the end */
    return 0;
}

static void sync_directory(const char *data)
{
    char *path = umx_authority_path(data, "ca");
    int fd = path != NULL ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(path);
}

static int replace(struct shortening *all, const char *data, const char *path, FILE *from, struct umx_error *err)
{
    char *name = umx_authority_path(data, "ca/issued.tsv.tmp");
    int fd = name != NULL ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (name == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    int status = to != NULL ? walk(all, from, to, keep, err) : 0;
    bool good = to != NULL && status == 0 && !ferror(to) && fflush(to) == 0 && fsync(fd) == 0;
    if (good)
        umx_crash_point(UMX_CRASH_ISSUED_WRITTEN, NULL);
    good = good && rename(name, path) == 0;
    int cause = errno;
    if (good) {
        umx_crash_point(UMX_CRASH_ISSUED_REPLACED, NULL);
        sync_directory(data);
    } else if (fd >= 0) {
        unlink(name);
    }
    if (to != NULL)
        fclose(to);
    else if (fd >= 0)
        close(fd);
    if (!good && status == 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, cause, name, "%s", strerror(cause));
    free(name);
    return status;
}

int umx_authority_shorten(struct umx_authority *authority, size_t *left_out, struct umx_error *err)
{
    struct shortening all = {.ended = umx_clock_now() - KEPT_AFTER_END};
    char *path = umx_authority_path(authority->data, "ca/issued.tsv");
    int fd = -1;
    int status = path != NULL ? issued_open(path, &fd, err) : umx_fail(err, UMX_ERR_MEMORY, authority->data, NULL);
    FILE *from = status == 0 ? fopen(path, "re") : NULL;

    pthread_mutex_init(&all.index.mutex, NULL);
    if (left_out != NULL)
        *left_out = 0;
    if (status == 0 && from == NULL)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    if (status == 0)
        status = walk(&all, from, NULL, learn, err);
    if (status == 0)
        status = walk(&all, from, NULL, keep, err);
    size_t dropped = all.lines - all.kept;
    if (status == 0 && dropped > 0 && dropped * WORTH_IT >= all.lines) {
        status = replace(&all, authority->data, path, from, err);
        if (status == 0 && left_out != NULL)
            *left_out = dropped;
        /* A later file may get the number that this one had. */
        pthread_mutex_lock(&authority->issued.mutex);
        authority->issued.inode = 0;
        authority->issued.offset = 0;
        pthread_mutex_unlock(&authority->issued.mutex);
    }
    if (from != NULL)
        fclose(from);
    if (fd >= 0)
        close(fd);
    free(path);
    free(all.places);
    umx_issued_free_index(&all.index);
    return status;
}

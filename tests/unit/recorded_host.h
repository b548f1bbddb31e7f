/*
 * Recorded hosts for tests: the fixtures as they are, and throw-away directories to change.
 */
#ifndef UMX_TESTS_UNIT_RECORDED_HOST_H
#define UMX_TESTS_UNIT_RECORDED_HOST_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/collect/collect.h"
#include "agent/host/host.h"

#define FIXTURE(name) "recorded:" UMX_SOURCE_DIR "/tests/fixtures/hosts/" name

struct place {
    char path[64];
};

static inline struct place place_make(void)
{
    struct place place = {"/tmp/umx-agent-test-XXXXXX"};

    if (mkdtemp(place.path) == NULL)
        abort();
    return place;
}

static inline void place_write_bytes(const struct place *place, const char *name, const void *bytes, size_t length)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", place->path, name);
    for (char *slash = path + strlen(place->path) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        abort();
}

static inline void place_write(const struct place *place, const char *name, const char *text)
{
    place_write_bytes(place, name, text, strlen(text));
}

static inline char *place_read(const struct place *place, const char *name)
{
    char path[512];
    char *text = calloc(1, 65536);
    snprintf(path, sizeof path, "%s/%s", place->path, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL || text == NULL)
        abort();
    if (fread(text, 1, 65535, file) == 0)
        text[0] = '\0';
    fclose(file);
    return text;
}

static inline void place_remove_path(const char *path)
{
    DIR *dir = opendir(path);
    char inner[512];
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner)
            continue;
        if (unlink(inner) != 0)
            place_remove_path(inner);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

static inline void place_remove(const struct place *place)
{
    place_remove_path(place->path);
}

static inline struct umx_host *place_open(const struct place *place)
{
    char where[128];
    struct umx_host *host = NULL;
    struct umx_error err = {0};

    snprintf(where, sizeof where, "recorded:%s", place->path);
    if (umx_host_open(where, &host, &err) != 0) {
        fprintf(stderr, "%s: %s\n", err.what, err.why);
        abort();
    }
    return host;
}

/* Rows of one table, ordered; the caller ends them. */
static inline struct umx_rows collect_rows(struct umx_host *host, const char *table)
{
    struct umx_collect collect = {.host = host};
    struct umx_rows rows = {0};
    struct umx_error err = {0};
    uint8_t digest[UMX_DIGEST];

    if (umx_collect_table(umx_collector_find(table), &collect, &rows, &err) != 0 ||
        umx_rows_digest(&rows, digest, &err) != 0) {
        fprintf(stderr, "%s: %s\n", err.what, err.why);
        abort();
    }
    return rows;
}

#endif

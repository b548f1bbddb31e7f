/*
 * Registry values below HKEY_LOCAL_MACHINE, from this machine or from a regedit 5 export.
 * Key paths are written without the hive ("SOFTWARE\Microsoft\ExchangeServer\v15\Setup") and compared without case.
 * The export's parser takes hostile bytes: it never reads past them and stops at the maxima below.
 * Everything lives in the arena given at the start. Not thread-safe while it grows.
 */
#ifndef UMX_AGENT_REGISTRY_H
#define UMX_AGENT_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    UMX_REGISTRY_FILE_MAX = 8 * 1024 * 1024, /* bytes of an export */
    UMX_REGISTRY_KEYS_MAX = 4096,            /* keys kept */
    UMX_REGISTRY_VALUES_MAX = 16384,         /* values kept, over all keys */
    UMX_REGISTRY_PATH_MAX = 512,             /* bytes of a key's path */
    UMX_REGISTRY_TEXT_MAX = 16 * 1024,       /* bytes of one value */
};

enum umx_registry_type { UMX_REGISTRY_TEXT, UMX_REGISTRY_NUMBER, UMX_REGISTRY_OTHER };

struct umx_registry_value {
    const char *name; /* "" is the default value */
    enum umx_registry_type type;
    const char *text; /* TEXT: a string; of a multi-string the strings, joined by line breaks */
    int64_t number;
};

struct umx_registry_key {
    const char *path;
    struct umx_registry_value *values;
    size_t count;
    size_t capacity;
};

struct umx_registry {
    struct umx_arena *arena;
    const char *const *roots; /* NULL-terminated: only keys at or below one of these are kept; NULL keeps all */
    struct umx_registry_key *keys;
    size_t count;
    size_t capacity;
    size_t values;
};

/* Adds a key (or finds it) and a value of it. *key is valid until the next key is added; NULL when it is not wanted. */
int umx_registry_add_key(struct umx_registry *registry, const char *path, struct umx_registry_key **key,
                         struct umx_error *err);
int umx_registry_add_value(struct umx_registry *registry, struct umx_registry_key *key,
                           const struct umx_registry_value *value, struct umx_error *err);

/* Adds all keys and values of an export: UTF-16LE with byte order mark, or UTF-8. */
int umx_registry_parse(struct umx_registry *registry, const void *bytes, size_t length, struct umx_error *err);

const struct umx_registry_key *umx_registry_find(const struct umx_registry *registry, const char *path);
/* NULL, or missing: no such value of that type. */
const char *umx_registry_text(const struct umx_registry_key *key, const char *name);
bool umx_registry_number(const struct umx_registry_key *key, const char *name, int64_t *number);
/* A value of either type as text, in decimal; NULL when there is none. */
const char *umx_registry_any(const struct umx_registry *registry, const struct umx_registry_key *key, const char *name);

#endif

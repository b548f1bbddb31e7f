/*
 * An index over texts: what of ten thousand records has this address, found at once. Keys compare without ASCII case
 * and are not copied: they must live as long as the index. Several values may have one key. Everything is in the arena.
 */
#ifndef UMX_PHASES_INDEX_H
#define UMX_PHASES_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct umx_index_entry {
    const char *key;
    const void *value;
    uint32_t hash;
    uint32_t next; /* place of the next entry of the slot + 1; 0: none */
};

struct umx_index {
    struct umx_arena *arena;
    uint32_t *slots; /* place of the first entry + 1 */
    struct umx_index_entry *entries;
    size_t slot_count; /* a power of two */
    size_t count;
    size_t capacity;
    bool failed; /* out of memory: what was added since is missing */
};

/* An empty index; it makes room by itself. */
void umx_index_begin(struct umx_index *index, struct umx_arena *arena);

/* Room for so many at once; more make room by themselves. */
void umx_index_reserve(struct umx_index *index, size_t count);

/* NULL and "" are no keys: nothing is added. */
void umx_index_add(struct umx_index *index, const char *key, const void *value);

/* The value of the key that was added last, or NULL. */
const void *umx_index_find(const struct umx_index *index, const char *key);

/* All values of a key, the newest first: begin with *at 0, NULL ends. */
const void *umx_index_next(const struct umx_index *index, const char *key, size_t *at);

/* The only value of the key; NULL when there is none or a second, different one (*several is then true). */
const void *umx_index_only(const struct umx_index *index, const char *key, bool *several);

/* A hash that is the same for texts and for DNs that are equal: neither case nor spaces count. */
uint32_t umx_index_hash(uint32_t start, const char *text);

#endif

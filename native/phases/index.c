#include "phases/index.h"

#include <string.h>

#include "base/text.h"

enum { FIRST_CAPACITY = 64 };

/* FNV-1a over lower-case bytes. */
uint32_t umx_index_hash(uint32_t start, const char *text)
{
    uint32_t hash = start;

    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == ' ')
            continue;
        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + ('a' - 'A'));
        hash = (hash ^ c) * UINT32_C(16777619);
    }
    return hash;
}

static uint32_t hash_of(const char *key)
{
    return umx_index_hash(UINT32_C(2166136261), key);
}

void umx_index_begin(struct umx_index *index, struct umx_arena *arena)
{
    *index = (struct umx_index){.arena = arena};
}

static void link_entry(struct umx_index *index, size_t place)
{
    struct umx_index_entry *entry = &index->entries[place];
    uint32_t *slot = &index->slots[entry->hash & (index->slot_count - 1)];

    entry->next = *slot;
    *slot = (uint32_t)place + 1;
}

static bool grow_to(struct umx_index *index, size_t capacity)
{
    struct umx_index_entry *entries = umx_arena_alloc(index->arena, capacity * sizeof *entries);
    uint32_t *slots = umx_arena_alloc(index->arena, capacity * 2 * sizeof *slots);

    if (entries == NULL || slots == NULL || capacity > UINT32_MAX / 2) {
        index->failed = true;
        return false;
    }
    if (index->count > 0)
        memcpy(entries, index->entries, index->count * sizeof *entries);
    index->entries = entries;
    index->capacity = capacity;
    index->slots = slots;
    index->slot_count = capacity * 2;
    for (size_t i = 0; i < index->count; i++)
        link_entry(index, i);
    return true;
}

static bool grow(struct umx_index *index)
{
    return grow_to(index, index->capacity > 0 ? index->capacity * 2 : FIRST_CAPACITY);
}

void umx_index_reserve(struct umx_index *index, size_t count)
{
    size_t capacity = FIRST_CAPACITY;

    while (capacity < count && capacity < UINT32_MAX / 4)
        capacity *= 2;
    if (capacity > index->capacity)
        grow_to(index, capacity);
}

void umx_index_add(struct umx_index *index, const char *key, const void *value)
{
    if (key == NULL || *key == '\0' || value == NULL)
        return;
    if (index->count == index->capacity && !grow(index))
        return;
    index->entries[index->count] = (struct umx_index_entry){.key = key, .value = value, .hash = hash_of(key)};
    link_entry(index, index->count++);
}

const void *umx_index_next(const struct umx_index *index, const char *key, size_t *at)
{
    if (key == NULL || *key == '\0' || index->slot_count == 0)
        return NULL;
    uint32_t hash = hash_of(key);
    size_t place = *at == 0 ? index->slots[hash & (index->slot_count - 1)] : index->entries[*at - 1].next;
    for (; place != 0; place = index->entries[place - 1].next) {
        const struct umx_index_entry *entry = &index->entries[place - 1];
        if (entry->hash == hash && umx_text_equal(entry->key, key)) {
            *at = place;
            return entry->value;
        }
    }
    return NULL;
}

const void *umx_index_find(const struct umx_index *index, const char *key)
{
    size_t at = 0;

    return umx_index_next(index, key, &at);
}

const void *umx_index_only(const struct umx_index *index, const char *key, bool *several)
{
    size_t at = 0;
    const void *first = umx_index_next(index, key, &at);
    const void *other = first;

    *several = false;
    while (other != NULL && !*several) {
        *several = other != first;
        other = umx_index_next(index, key, &at);
    }
    return *several ? NULL : first;
}

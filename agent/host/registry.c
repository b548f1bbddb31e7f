#include "agent/host/registry.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

static bool ascii_equal(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char x = (unsigned char)a[i];
        unsigned char y = (unsigned char)b[i];
        if (x >= 'A' && x <= 'Z')
            x = (unsigned char)(x + 32);
        if (y >= 'A' && y <= 'Z')
            y = (unsigned char)(y + 32);
        if (x != y || x == '\0')
            return x == y;
    }
    return true;
}

static bool wanted(const struct umx_registry *registry, const char *path)
{
    if (registry->roots == NULL)
        return true;
    for (const char *const *root = registry->roots; *root != NULL; root++) {
        size_t length = strlen(*root);
        if (strlen(path) >= length && ascii_equal(path, *root, length) &&
            (path[length] == '\0' || path[length] == '\\'))
            return true;
    }
    return false;
}

/* Doubles an array in the arena; the old copy stays there until the arena goes, which the maxima bound. */
static void *grow(struct umx_arena *arena, const void *old, size_t *capacity, size_t first, size_t size)
{
    size_t next = *capacity == 0 ? first : *capacity * 2;
    void *bigger = umx_arena_alloc(arena, next * size);

    if (bigger != NULL && *capacity > 0)
        memcpy(bigger, old, *capacity * size);
    if (bigger != NULL)
        *capacity = next;
    return bigger;
}

int umx_registry_add_key(struct umx_registry *registry, const char *path, struct umx_registry_key **key,
                         struct umx_error *err)
{
    *key = NULL;
    if (!wanted(registry, path))
        return 0;
    for (size_t i = 0; i < registry->count; i++) {
        if (umx_text_equal(registry->keys[i].path, path)) {
            *key = &registry->keys[i];
            return 0;
        }
    }
    if (registry->count == UMX_REGISTRY_KEYS_MAX)
        return umx_fail(err, UMX_ERR_REGISTRY_INVALID, path, "more than %d keys", UMX_REGISTRY_KEYS_MAX);
    if (registry->count == registry->capacity) {
        void *keys = grow(registry->arena, registry->keys, &registry->capacity, 16, sizeof *registry->keys);
        if (keys == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, path, NULL);
        registry->keys = keys;
    }
    struct umx_registry_key *added = &registry->keys[registry->count];
    *added = (struct umx_registry_key){.path = umx_arena_string(registry->arena, path)};
    if (added->path == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, path, NULL);
    registry->count++;
    *key = added;
    return 0;
}

int umx_registry_add_value(struct umx_registry *registry, struct umx_registry_key *key,
                           const struct umx_registry_value *value, struct umx_error *err)
{
    if (registry->values == UMX_REGISTRY_VALUES_MAX)
        return umx_fail(err, UMX_ERR_REGISTRY_INVALID, key->path, "more than %d values", UMX_REGISTRY_VALUES_MAX);
    if (key->count == key->capacity) {
        void *values = grow(registry->arena, key->values, &key->capacity, 8, sizeof *key->values);
        if (values == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, key->path, NULL);
        key->values = values;
    }
    struct umx_registry_value copy = *value;
    copy.name = umx_arena_string(registry->arena, value->name);
    copy.text = umx_arena_string(registry->arena, value->text);
    if (copy.name == NULL || (value->text != NULL && copy.text == NULL))
        return umx_fail(err, UMX_ERR_ARENA_FULL, key->path, NULL);
    key->values[key->count++] = copy;
    registry->values++;
    return 0;
}

const struct umx_registry_key *umx_registry_find(const struct umx_registry *registry, const char *path)
{
    for (size_t i = 0; i < registry->count; i++)
        if (umx_text_equal(registry->keys[i].path, path))
            return &registry->keys[i];
    return NULL;
}

static const struct umx_registry_value *value_of(const struct umx_registry_key *key, const char *name)
{
    /* The last one wins, as when an export is imported. */
    for (size_t i = key != NULL ? key->count : 0; i > 0; i--)
        if (umx_text_equal(key->values[i - 1].name, name))
            return &key->values[i - 1];
    return NULL;
}

const char *umx_registry_text(const struct umx_registry_key *key, const char *name)
{
    const struct umx_registry_value *value = value_of(key, name);

    return value != NULL && value->type == UMX_REGISTRY_TEXT ? value->text : NULL;
}

bool umx_registry_number(const struct umx_registry_key *key, const char *name, int64_t *number)
{
    const struct umx_registry_value *value = value_of(key, name);

    if (value == NULL || value->type != UMX_REGISTRY_NUMBER)
        return false;
    *number = value->number;
    return true;
}

const char *umx_registry_any(const struct umx_registry *registry, const struct umx_registry_key *key, const char *name)
{
    const struct umx_registry_value *value = value_of(key, name);

    if (value == NULL || value->type == UMX_REGISTRY_OTHER)
        return NULL;
    if (value->type == UMX_REGISTRY_TEXT)
        return value->text;
    return umx_arena_format(registry->arena, "%" PRId64, value->number);
}

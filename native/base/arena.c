#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16384, ALIGN = 16 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    max_align_t data[];
};

struct umx_arena {
    struct block *blocks; /* the newest first */
    size_t cap;
    size_t used;
    ProtobufCAllocator allocator;
};

static void *allocate(void *data, size_t size)
{
    return umx_arena_alloc(data, size);
}

static void release(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

struct umx_arena *umx_arena_new(size_t cap)
{
    struct umx_arena *arena = calloc(1, sizeof *arena);

    if (arena == NULL)
        return NULL;
    arena->cap = cap;
    arena->allocator = (ProtobufCAllocator){.alloc = allocate, .free = release, .allocator_data = arena};
    return arena;
}

void umx_arena_free(struct umx_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->blocks != NULL) {
        struct block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena);
}

void *umx_arena_alloc(struct umx_arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGN - sizeof(struct block) || size > arena->cap - arena->used)
        return NULL;
    size_t rounded = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (rounded > arena->cap - arena->used)
        return NULL;
    struct block *block = arena->blocks;
    if (block == NULL || block->size - block->used < rounded) {
        size_t capacity = rounded > BLOCK ? rounded : BLOCK;
        block = calloc(1, sizeof *block + capacity);
        if (block == NULL)
            return NULL;
        block->size = capacity;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *p = (char *)block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    return p;
}

char *umx_arena_copy(struct umx_arena *arena, const void *bytes, size_t length)
{
    char *copy = length < SIZE_MAX ? umx_arena_alloc(arena, length + 1) : NULL;

    if (copy != NULL && length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

char *umx_arena_string(struct umx_arena *arena, const char *string)
{
    return string != NULL ? umx_arena_copy(arena, string, strlen(string)) : NULL;
}

char *umx_arena_format(struct umx_arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length >= 0 ? umx_arena_alloc(arena, (size_t)length + 1) : NULL;
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

size_t umx_arena_used(const struct umx_arena *arena)
{
    return arena->used;
}

ProtobufCAllocator *umx_arena_allocator(struct umx_arena *arena)
{
    return &arena->allocator;
}

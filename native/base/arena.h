/*
 * A capped bump arena: everything of one piece of work, freed together.
 * Hostile input can make an unpacker allocate many times its own size; the cap is where that ends.
 * Not thread-safe: one owner at a time.
 */
#ifndef UMX_BASE_ARENA_H
#define UMX_BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct umx_arena;

/* cap: most bytes that may be handed out. NULL when out of memory. */
struct umx_arena *umx_arena_new(size_t cap);
void umx_arena_free(struct umx_arena *arena); /* NULL is allowed */

/* Zeroed memory, aligned for any type; NULL when the cap or the machine is exhausted. */
void *umx_arena_alloc(struct umx_arena *arena, size_t size);
char *umx_arena_copy(struct umx_arena *arena, const void *bytes, size_t length); /* a NUL is added */
char *umx_arena_string(struct umx_arena *arena, const char *string);             /* NULL gives NULL */
char *umx_arena_format(struct umx_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes handed out so far. */
size_t umx_arena_used(const struct umx_arena *arena);

/* For protobuf_c_message_unpack: NULL from it then also means "over the cap". Freeing through it does nothing. */
ProtobufCAllocator *umx_arena_allocator(struct umx_arena *arena);

#endif

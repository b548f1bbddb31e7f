/*
 * A cursor over little-endian bytes that somebody else wrote. Reading past the end sets `failed`, gives zeros and
 * moves nothing: check once at the end.
 */
#ifndef UMX_DIRECTORY_BYTES_H
#define UMX_DIRECTORY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct umx_bytes {
    const uint8_t *at;
    size_t left;
    bool failed;
};

/* The next count bytes, or NULL. */
static inline const uint8_t *umx_bytes_take(struct umx_bytes *bytes, size_t count)
{
    if (bytes->failed || count > bytes->left) {
        bytes->failed = true;
        return NULL;
    }
    const uint8_t *at = bytes->at;
    bytes->at += count;
    bytes->left -= count;
    return at;
}

static inline uint64_t umx_bytes_number(struct umx_bytes *bytes, size_t width)
{
    const uint8_t *at = umx_bytes_take(bytes, width);
    uint64_t number = 0;
    for (size_t i = 0; at && i < width; i++) {
        number |= (uint64_t)at[i] << (8 * i);
    }
    return number;
}

static inline uint8_t umx_bytes_u8(struct umx_bytes *bytes)
{
    return (uint8_t)umx_bytes_number(bytes, 1);
}

static inline uint16_t umx_bytes_u16(struct umx_bytes *bytes)
{
    return (uint16_t)umx_bytes_number(bytes, 2);
}

static inline uint32_t umx_bytes_u32(struct umx_bytes *bytes)
{
    return (uint32_t)umx_bytes_number(bytes, 4);
}

static inline uint64_t umx_bytes_u64(struct umx_bytes *bytes)
{
    return umx_bytes_number(bytes, 8);
}

/* Writes number in width bytes. */
static inline void umx_bytes_put(uint8_t *to, uint64_t number, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        to[i] = (uint8_t)(number >> (8 * i));
    }
}

#endif

#include "directory/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "directory/bytes.h"

enum { ENTRY_SIZE = 48 };

int umx_metadata_parse(const uint8_t *bytes, size_t length, struct umx_arena *arena, struct umx_metadata **entries,
                       size_t *count, struct umx_error *err)
{
    struct umx_bytes blob = {.at = bytes, .left = length};
    uint32_t version = umx_bytes_u32(&blob);
    umx_bytes_u32(&blob);
    uint32_t total = umx_bytes_u32(&blob);
    umx_bytes_u32(&blob);
    if (blob.failed || version != 1 || total > UMX_METADATA_MAX || total > blob.left / ENTRY_SIZE) {
        return umx_fail(err, UMX_ERR_MESSAGE_INVALID, "replPropertyMetaData", "%zu bytes are not of its form", length);
    }
    *entries = umx_arena_alloc(arena, (total ? total : 1) * sizeof **entries);
    if (!*entries) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "replPropertyMetaData", NULL);
    }
    for (uint32_t i = 0; i < total; i++) {
        struct umx_metadata *entry = &(*entries)[i];
        entry->attid = umx_bytes_u32(&blob);
        entry->version = umx_bytes_u32(&blob);
        entry->changed = umx_bytes_u64(&blob);
        memcpy(entry->invocation_id, umx_bytes_take(&blob, UMX_GUID_SIZE), UMX_GUID_SIZE);
        entry->originating_usn = umx_bytes_u64(&blob);
        entry->local_usn = umx_bytes_u64(&blob);
    }
    *count = total;
    return 0;
}

const struct umx_metadata *umx_metadata_find(const struct umx_metadata *entries, size_t count, uint32_t attid)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].attid == attid) {
            return &entries[i];
        }
    }
    return NULL;
}

/* [MS-DRSR] 5.16.4, the prefixes that hold attributes; the index is the upper half of the number. */
static const struct {
    const char *prefix;
    uint32_t index;
} prefixes[] = {
    {"2.5.4.", 0},
    {"1.2.840.113556.1.2.", 2},
    {"2.16.840.1.101.2.2.1.", 4},
    {"2.16.840.1.101.2.1.5.", 6},
    {"2.16.840.1.101.2.1.4.", 7},
    {"1.2.840.113556.1.4.", 9},
    {"0.9.2342.19200300.100.1.", 21},
    {"2.16.840.1.113730.3.1.", 22},
    {"2.5.21.", 24},
    {"2.5.18.", 25},
    {"1.3.6.1.4.1.250.1.", 29},
    {"1.2.840.113549.1.9.", 30},
    {"1.2.840.113556.1.6.13.3.", 35},
    {"1.3.6.1.1.1.1.", 37},
};

bool umx_metadata_attid(const char *oid, uint32_t *attid)
{
    const char *last = strrchr(oid, '.');
    if (!last || !last[1] || strspn(last + 1, "0123456789") != strlen(last + 1) || strlen(last + 1) > 5) {
        return false;
    }
    unsigned long arc = strtoul(last + 1, NULL, 10);
    size_t length = (size_t)(last - oid) + 1;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        /* Arcs of 16384 and more need a longer prefix, which is made as needed and differs from forest to forest. */
        if (strlen(prefixes[i].prefix) == length && strncmp(oid, prefixes[i].prefix, length) == 0 && arc < 16384) {
            *attid = prefixes[i].index << 16 | (uint32_t)arc;
            return true;
        }
    }
    return false;
}

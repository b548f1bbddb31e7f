/*
 * replPropertyMetaData: how often, when and where each attribute of an object was written. Ordinary users may read it.
 * Linked attributes are not in it.
 *
 * Attributes are numbers here (ATTRTYP). umx_metadata_attid gives the number of an attribute from its OID for the
 * prefixes that every forest has; later ones carry msDS-IntId in the schema. docs/decisions/0030 says why.
 */
#ifndef UMX_DIRECTORY_METADATA_H
#define UMX_DIRECTORY_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "directory/guid.h"

enum { UMX_METADATA_MAX = 4096 }; /* entries */

struct umx_metadata {
    uint32_t attid;
    uint32_t version;
    uint64_t changed; /* seconds since 1601 */
    uint8_t invocation_id[UMX_GUID_SIZE];
    uint64_t originating_usn;
    uint64_t local_usn;
};

/* Entries in the order of the blob, in the arena. UMX_ERR_MESSAGE_INVALID when it is not such a blob. */
int umx_metadata_parse(const uint8_t *bytes, size_t length, struct umx_arena *arena, struct umx_metadata **entries,
                       size_t *count, struct umx_error *err);

/* NULL when the attribute was never written. */
const struct umx_metadata *umx_metadata_find(const struct umx_metadata *entries, size_t count, uint32_t attid);

/* ATTRTYP of an attributeID by the default prefix table; false when its prefix is not in it. */
bool umx_metadata_attid(const char *oid, uint32_t *attid);

#endif

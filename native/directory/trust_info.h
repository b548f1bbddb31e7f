/*
 * msDS-TrustForestTrustInfo: the names that a forest trust routes (spec 5.3).
 */
#ifndef UMX_DIRECTORY_TRUST_INFO_H
#define UMX_DIRECTORY_TRUST_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum { UMX_TRUST_INFO_MAX = 1024 * 1024, UMX_TRUST_RECORDS_MAX = 4096 };

enum umx_trust_record_type { UMX_TRUST_TOP_LEVEL = 0, UMX_TRUST_EXCLUSION = 1, UMX_TRUST_DOMAIN = 2 };

enum umx_trust_flag {
    UMX_TRUST_DISABLED_NEW = 1, /* types 0 and 1 */
    UMX_TRUST_DISABLED_ADMIN = 2,
    UMX_TRUST_CONFLICT = 4,
    UMX_TRUST_SID_DISABLED = 1, /* type 2 */
    UMX_TRUST_SID_CONFLICT = 2,
    UMX_TRUST_NETBIOS_DISABLED = 4,
    UMX_TRUST_NETBIOS_CONFLICT = 8,
};

/* Texts are valid UTF-8 in the arena; those that a type does not have are NULL. Unknown types have none. */
struct umx_trust_record {
    uint8_t type;
    uint32_t flags;
    const char *name;    /* top-level name or exclusion; DNS name of a domain */
    const char *netbios; /* domain */
    const char *sid;     /* domain, S-1-... */
};

/* Records in the order of the blob, in the arena. UMX_ERR_TRUST_INFO_INVALID when any length is wrong. */
int umx_trust_info_parse(const uint8_t *bytes, size_t length, struct umx_arena *arena,
                         struct umx_trust_record **records, size_t *count, struct umx_error *err);

#endif

/*
 * Versions as Exchange and Lync pack them into integers (spec 4.6, 2.4).
 */
#ifndef UMX_DIRECTORY_VERSION_H
#define UMX_DIRECTORY_VERSION_H

#include <stdint.h>

/* msExchCurrentServerRoles. */
enum umx_exchange_role {
    UMX_ROLE_CAFE = 1,
    UMX_ROLE_MAILBOX = 2,
    UMX_ROLE_CLIENT_ACCESS = 4,
    UMX_ROLE_UNIFIED_MESSAGING = 16,
    UMX_ROLE_HUB_TRANSPORT = 32,
    UMX_ROLE_EDGE = 64,
    UMX_ROLE_MONITORING = 128,
    UMX_ROLE_PROVISIONED = 4096,
    UMX_ROLE_FRONTEND_TRANSPORT = 16384,
};

struct umx_version {
    int32_t major, minor, build;
};

/* versionNumber of an msExchExchangeServer. */
struct umx_version umx_version_decode(int32_t number);
int32_t umx_version_encode(struct umx_version version);

/* Major version of msRTCSIP-PoolVersion: 3 OCS 2007, 4 R2, 5 Lync 2010, 6 Lync 2013. Both stored forms are understood:
 * the small number of the schema page, and that number in the upper 16 bits. */
int32_t umx_version_pool_major(int32_t number);

#endif

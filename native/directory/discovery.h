/*
 * Where a forest's domain controllers are: DNS SRV records (spec 5.5).
 */
#ifndef UMX_DIRECTORY_DISCOVERY_H
#define UMX_DIRECTORY_DISCOVERY_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

enum { UMX_DISCOVERY_MAX = 512 };

/* Host names of _ldap._tcp.dc._msdcs.<forest>, best priority first, in the arena; hosts has room for UMX_DISCOVERY_MAX, and
 * more is an error. Blocks for a few seconds at most. */
int umx_discovery_controllers(const char *forest, struct umx_arena *arena, const char **hosts, size_t *count,
                              struct umx_error *err);

#endif

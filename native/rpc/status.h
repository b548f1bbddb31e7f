/*
 * Errors across the wire: a gRPC code for the world, and "UMX-1109<TAB>what<TAB>why" in grpc-message for umx.
 * Inside the module only.
 */
#ifndef UMX_RPC_STATUS_H
#define UMX_RPC_STATUS_H

#include <grpc/status.h>
#include <stddef.h>

#include "base/error.h"

enum { UMX_RPC_DETAILS_MAX = UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 16 };

grpc_status_code umx_rpc_status_code(int status);

/* Details text of an error; "" for a good end. */
void umx_rpc_status_details(const struct umx_error *why, char out[UMX_RPC_DETAILS_MAX]);

/* The other way round, from hostile bytes; target names the peer. Returns the status, 0 for code OK (err is cleared).
 */
int umx_rpc_status_parse(grpc_status_code code, const char *details, size_t length, const char *target,
                         struct umx_error *err);

#endif

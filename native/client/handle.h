/*
 * Handles as a caller of libumx holds them: numbers in the dress of pointers, never addresses. One that was closed,
 * that is of another kind or that never was one is told from an open one, so that a caller's mistake is an error and
 * not a crash in his process. The table of the open ones is the library's only state besides gRPC's. Any thread.
 */
#ifndef UMX_CLIENT_HANDLE_H
#define UMX_CLIENT_HANDLE_H

#include "base/error.h"

enum umx_handle_kind { UMX_HANDLE_SESSION = 1, UMX_HANDLE_OP = 2 };

enum { UMX_HANDLES_MAX = 100000 }; /* open at a time */

/* A handle for the object, which `release` frees once the handle is closed and nobody holds it.
 * UMX_ERR_TOO_MANY_HANDLES, UMX_ERR_MEMORY: the object stays the caller's. */
int umx_handle_open(enum umx_handle_kind kind, void *object, void (*release)(void *object), void **handle,
                    struct umx_error *err);

/* The object, which stays until umx_handle_drop. NULL: it is not an open handle of this kind. */
void *umx_handle_hold(enum umx_handle_kind kind, const void *handle);
/* Also for one that was closed meanwhile. */
void umx_handle_drop(const void *handle);

/* From now on nobody gets hold of it. Those who hold the object keep it; `stop` (may be NULL) tells it to hurry. Does
 * nothing when it is not an open handle of this kind. */
void umx_handle_close(enum umx_handle_kind kind, const void *handle, void (*stop)(void *object));

#endif

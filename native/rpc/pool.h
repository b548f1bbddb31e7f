/*
 * A fixed number of threads for work that may block, and as many pieces of work at a time: what comes above it is
 * refused. Inside the module only.
 */
#ifndef UMX_RPC_POOL_H
#define UMX_RPC_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct umx_rpc_pool;

/* NULL when threads cannot be made. Signals are blocked in them. */
struct umx_rpc_pool *umx_rpc_pool_new(size_t threads);
/* False: all threads are busy. The work calls umx_rpc_pool_done exactly once, before it tells anybody of its result: a
 * client that has its answer must find the place free again. */
bool umx_rpc_pool_run(struct umx_rpc_pool *pool, void (*work)(void *), void *user);
void umx_rpc_pool_done(struct umx_rpc_pool *pool);
/* Waits for running work. NULL is allowed. */
void umx_rpc_pool_free(struct umx_rpc_pool *pool);

#endif

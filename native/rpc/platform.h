/*
 * What differs between platforms: begin_posix.c and begin_windows.c. Inside the module only.
 */
#ifndef UMX_RPC_PLATFORM_H
#define UMX_RPC_PLATFORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(_WIN32)
struct umx_rpc_mask {
    int unused;
};
#else
#include <signal.h>
struct umx_rpc_mask {
    sigset_t set;
};
#endif

/* Blocks signals in this thread, so that threads made meanwhile start with them blocked, and gives back what was. */
void umx_rpc_mask(struct umx_rpc_mask *before);
void umx_rpc_unmask(const struct umx_rpc_mask *before);

/* A condition whose waits do not care about changes of the wall clock. Waiting gives false when the duration (in
 * microseconds) is over. */
void umx_rpc_cond_init(pthread_cond_t *cond);
bool umx_rpc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t duration);

/* Programs that this process starts do not get the descriptor. */
void umx_rpc_not_inherited(int fd);

/* Processors of this machine. */
long umx_rpc_cores(void);

/* Switches that must be set before gRPC starts; what is missing is left alone. */
void umx_rpc_tune(void);

/* After gRPC's start and before its end: keeps what gRPC would otherwise make anew for each connection, and lose. */
void umx_rpc_hold(void);
void umx_rpc_let_go(void);

#endif

#include <windows.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "base/clock.h"
#include "rpc/platform.h"

void umx_rpc_mask(struct umx_rpc_mask *before)
{
    before->unused = 0;
}

void umx_rpc_unmask(const struct umx_rpc_mask *before)
{
    (void)before;
}

void umx_rpc_cond_init(pthread_cond_t *cond)
{
    pthread_cond_init(cond, NULL);
}

bool umx_rpc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t duration)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    int64_t nanoseconds = at.tv_nsec + duration % UMX_SECOND * 1000;
    at.tv_sec += (time_t)(duration / UMX_SECOND + nanoseconds / 1000000000);
    at.tv_nsec = (long)(nanoseconds % 1000000000);
    return pthread_cond_timedwait(cond, mutex, &at) == 0;
}

void umx_rpc_not_inherited(int fd)
{
    (void)fd; /* sockets are inherited only by those who ask for all handles */
}

long umx_rpc_cores(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return (long)info.dwNumberOfProcessors;
}

void umx_rpc_tune(void)
{
}

/* A channel that never connects. gRPC's event engine lives as long as there is a channel, and 1.51's leaves a
 * completion port behind: an agent that connects again and again would lose a handle each time. Whoever begins a second
 * time (a guest of PowerShell, with each connection) begins again: from then on gRPC stays, and the channel with it. */
static grpc_channel *held;
static int beginnings;

static bool stays(void)
{
    return beginnings > 1;
}

void umx_rpc_hold(void)
{
    if (held != NULL)
        return;
    if (beginnings++ == 1)
        grpc_init(); /* never ended */
    grpc_channel_credentials *none = grpc_insecure_credentials_create();
    held = grpc_channel_create("localhost:1", none, NULL);
    grpc_channel_credentials_release(none);
}

void umx_rpc_let_go(void)
{
    if (stays())
        return;
    grpc_channel_destroy(held);
    held = NULL;
}

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/platform.h"

void umx_rpc_mask(struct umx_rpc_mask *before)
{
    /* Faults of the thread itself must stay deliverable. */
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t all;

    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before->set);
}

void umx_rpc_unmask(const struct umx_rpc_mask *before)
{
    pthread_sigmask(SIG_SETMASK, &before->set, NULL);
}

void umx_rpc_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool umx_rpc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t duration)
{
    int64_t until = umx_clock_monotonic() + duration;
    struct timespec at = {.tv_sec = (time_t)(until / UMX_SECOND), .tv_nsec = (long)(until % UMX_SECOND * 1000)};

    return pthread_cond_timedwait(cond, mutex, &at) == 0;
}

void umx_rpc_not_inherited(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags >= 0)
        fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

long umx_rpc_cores(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN);
}

/* Debian builds abseil without NDEBUG, so that every lock of gRPC walks one global graph: a third of the controller's
 * time at 5,000 agents. The switch is a C++ function whose name carries Debian's abseil version; without it everything
 * works, only slower. RTLD_NEXT, since a library that a program loads at run time is not in the default scope. */
void umx_rpc_tune(void)
{
    void *symbol = dlsym(RTLD_NEXT, "_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE");
    void (*set_mode)(int);

    umx_log(UMX_LOG_DEBUG, "rpc", "abseil deadlock detection: %s", symbol != NULL ? "switched off" : "no switch found");
    if (symbol == NULL)
        return;
    memcpy(&set_mode, &symbol, sizeof set_mode);
    set_mode(0);
}

void umx_rpc_hold(void)
{
}

void umx_rpc_let_go(void)
{
}

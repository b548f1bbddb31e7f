#include "client/pipe.h"

#include <pthread.h>
#include <time.h>

static bool is_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void umx_client_pipe_hold(struct umx_client_pipe *pipe)
{
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    pipe->pending = is_pending();
    pthread_sigmask(SIG_BLOCK, &one, &pipe->before);
}

void umx_client_pipe_release(const struct umx_client_pipe *pipe)
{
    static const struct timespec none;
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    if (!pipe->pending && is_pending())
        sigtimedwait(&one, NULL, &none);
    pthread_sigmask(SIG_SETMASK, &pipe->before, NULL);
}

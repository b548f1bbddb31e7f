/*
 * Kerberos and OpenSSL write to their own sockets with plain writes: a peer that goes away raises SIGPIPE, whose
 * default ends the process. Around them the signal is held in this thread, and what they caused is taken away; whatever
 * the host does with the signal stays as it is.
 */
#ifndef UMX_CLIENT_PIPE_H
#define UMX_CLIENT_PIPE_H

#include <stdbool.h>

#if defined(_WIN32)
struct umx_client_pipe {
    bool unused;
};
#else
#include <signal.h>
struct umx_client_pipe {
    sigset_t before;
    bool pending; /* the host's own */
};
#endif

void umx_client_pipe_hold(struct umx_client_pipe *pipe);
void umx_client_pipe_release(const struct umx_client_pipe *pipe);

#endif

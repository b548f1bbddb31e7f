#include "client/pipe.h"

void umx_client_pipe_hold(struct umx_client_pipe *pipe)
{
    pipe->unused = false;
}

void umx_client_pipe_release(const struct umx_client_pipe *pipe)
{
    (void)pipe;
}

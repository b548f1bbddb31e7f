#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "agent/stop.h"

atomic_bool umx_agent_stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    atomic_store(&umx_agent_stopping, true);
}

void umx_agent_stop_watch(void)
{
    struct sigaction action = {.sa_handler = stop};

    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

const char *umx_agent_program(void)
{
    static char path[1024];
    ssize_t length = path[0] == '\0' ? readlink("/proc/self/exe", path, sizeof path - 1) : 0;

    if (length > 0)
        path[length] = '\0';
    return path;
}

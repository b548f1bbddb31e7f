#include <windows.h>

#include "agent/stop.h"

atomic_bool umx_agent_stopping;

static BOOL WINAPI stop(DWORD event)
{
    /* A service is told when any user logs off, and stays. */
    if (event != CTRL_LOGOFF_EVENT)
        atomic_store(&umx_agent_stopping, 1);
    return TRUE;
}

void umx_agent_stop_watch(void)
{
    SetConsoleCtrlHandler(stop, TRUE);
}

/* Proofs run in a thread here. */
const char *umx_agent_program(void)
{
    return "";
}

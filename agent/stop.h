/* Asking the agent to end: SIGTERM and SIGINT, or the console's and the service manager's requests on Windows. */
#ifndef UMX_AGENT_STOP_H
#define UMX_AGENT_STOP_H

#include <stdatomic.h>

extern atomic_bool umx_agent_stopping;

void umx_agent_stop_watch(void);

/* Path of this program, for proofs in a child process; "" when not known. The string is static. */
const char *umx_agent_program(void);

#endif

/*
 * All processes as the system's own table tells them: that opens none, so that it tells of those too that the service's
 * account may not open (Exchange's and Lync's run as LocalSystem and NETWORK SERVICE).
 */
#ifndef UMX_AGENT_WINDOWS_PROCESSES_H
#define UMX_AGENT_WINDOWS_PROCESSES_H

#include <windows.h>

#include "base/arena.h"

/* As it is now; free() it. NULL: it cannot be had, and then nothing is known of any process. */
void *umx_windows_processes(void);

/* When it began; 0: not known. table: NULL allowed, here and below. */
int64_t umx_windows_process_start(const void *table, DWORD id);

/* The file name of its program; "" when not known, NULL when the arena is full. */
const char *umx_windows_process_name(const void *table, DWORD id, struct umx_arena *arena);

#endif

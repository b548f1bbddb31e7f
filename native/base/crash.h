/*
 * Crash points, a hook for tests: places in the program where a test kills it to see what the next start makes of it.
 *
 * With UMX_CRASH_POINT=NAME:N in the environment the process kills itself (SIGKILL) at the N-th pass of that point,
 * counted from 1; with UMX_STOP_POINT=NAME:N it stops itself (SIGSTOP) there, and the test changes the world around it
 * before it goes on. Always compiled in, so that what is tested is what is shipped; without the variable a pass costs one
 * comparison. The variable is read once, before main.
 */
#ifndef UMX_BASE_CRASH_H
#define UMX_BASE_CRASH_H

void umx_crash_point(const char *name);

#endif

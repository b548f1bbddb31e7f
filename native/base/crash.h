/*
 * Crash points, a hook for tests: places in the program where a test kills it to see what the next start makes of it.
 *
 * With UMX_CRASH_POINT=NAME:N in the environment the process kills itself (SIGKILL) at the N-th pass of that point,
 * counted from 1; NAME@SUBJECT:N counts only passes about that subject (a step's id, an object's DN, a batch's id; a
 * step id also means the batches of that step). With UMX_STOP_POINT=NAME:N it stops itself (SIGSTOP) there, and the
 * test changes the world around it before it goes on. With UMX_CRASH_ONCE=FILE only the process that makes the file is
 * killed: a successor, which inherits the environment, lives. Always compiled in, so that what is tested is what is
 * shipped; without the variable a pass costs one comparison. The variables are read once, before main.
 */
#ifndef UMX_BASE_CRASH_H
#define UMX_BASE_CRASH_H

enum umx_crash_point {
#define UMX_CRASH_POINT(id, name, program, kinds) UMX_CRASH_##id,
#include "base/crash_points.def"
#undef UMX_CRASH_POINT
    UMX_CRASH_COUNT
};

struct umx_crash_row {
    const char *name;
    const char *program; /* controller, worker or agent */
    const char *kinds;   /* of steps that pass it, with spaces in between */
};

/* UMX_CRASH_COUNT rows. */
extern const struct umx_crash_row umx_crash_rows[];

/* subject may be NULL. */
void umx_crash_point(enum umx_crash_point point, const char *subject);

#endif

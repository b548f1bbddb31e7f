/*
 * Every place where a controller can die with something half done: before and after each durable write and each effect.
 * One row each, so that a test can walk through all of them.
 */
#include "base/crash.h"
#include "controller/engine_private.h"

#define PAIR(name) "engine:" name ":before", "engine:" name ":after"

/* The order is that of enum umx_engine_point, then that of Journal.Kind. */
static const char *const points[] = {
    PAIR("apply"),        PAIR("act"),
    PAIR("collect"),
    PAIR("created"),      PAIR("submitted"),
    PAIR("approval"),     PAIR("started"),
    PAIR("intent"),       PAIR("effect"),
    PAIR("verified"),     PAIR("uncertain"),
    PAIR("settled"),      PAIR("failed-step"),
    PAIR("skipped-step"), PAIR("confirmed"),
    PAIR("suspended"),    PAIR("resumed"),
    PAIR("cancelled"),    PAIR("failed"),
    PAIR("completed"),    PAIR("deleted"),
    PAIR("recovered"),    NULL,
};

static const char *const step_points[] = {PAIR("intent"), PAIR("apply"), PAIR("effect"), PAIR("verified"), NULL};

void umx_engine_crash(int point, bool after)
{
    size_t index = 2 * (size_t)point + (after ? 1 : 0);

    if (index < sizeof points / sizeof *points - 1)
        umx_crash_point(points[index]);
}

const char *const *umx_engine_crash_points(void)
{
    return points;
}

const char *const *umx_engine_step_crash_points(void)
{
    return step_points;
}

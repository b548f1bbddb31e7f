/*
 * The engine's passes of its crash points: before and after each durable write and each effect.
 */
#include <assert.h>

#include "base/crash.h"
#include "controller/engine_private.h"

enum { FIRST = UMX_CRASH_ENGINE_APPLY_BEFORE };

/* The rows of the table stand in the order of enum umx_engine_point, then of Journal.Kind. */
#define SAME(place, id) static_assert(FIRST + 2 * (int)(place) == (int)UMX_CRASH_ENGINE_##id##_BEFORE, #id)
#define SAME_KIND(id) SAME(UMX_POINT_JOURNAL + UMX__JOURNAL__KIND__##id - 1, id)
SAME(UMX_POINT_ACT, ACT);
SAME(UMX_POINT_COLLECT, COLLECT);
SAME_KIND(CREATED);
SAME_KIND(SUBMITTED);
SAME_KIND(APPROVAL);
SAME_KIND(STARTED);
SAME_KIND(INTENT);
SAME_KIND(EFFECT);
SAME_KIND(VERIFIED);
SAME_KIND(UNCERTAIN);
SAME_KIND(SETTLED);
SAME_KIND(STEP_FAILED);
SAME_KIND(STEP_SKIPPED);
SAME_KIND(CONFIRMED);
SAME_KIND(SUSPENDED);
SAME_KIND(RESUMED);
SAME_KIND(CANCELLED);
SAME_KIND(FAILED);
SAME_KIND(COMPLETED);
SAME_KIND(DELETED);
SAME_KIND(RECOVERED);

void umx_engine_crash(int point, bool after, const char *step)
{
    int row = FIRST + 2 * point + (after ? 1 : 0);

    if (row <= UMX_CRASH_ENGINE_RECOVERED_AFTER)
        umx_crash_point((enum umx_crash_point)row, step);
}

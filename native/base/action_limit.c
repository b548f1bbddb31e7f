#include "base/action_limit.h"

#include <string.h>

#include "base/clock.h"

/* The answer's way back, and what the agent does around an item: probes, its journal. */
#define MARGIN UMX_MINUTE

static const struct {
    const char *action;
    int64_t limit;
} limits[] = {
    {"restart-front-end", 30 * UMX_MINUTE},
};

static int64_t own_limit(const char *action)
{
    for (size_t i = 0; action != NULL && i < sizeof limits / sizeof limits[0]; i++)
        if (strcmp(limits[i].action, action) == 0)
            return limits[i].limit;
    return 0;
}

int64_t umx_action_limit(const char *action, int64_t ordinary)
{
    const int64_t own = own_limit(action);

    return own > ordinary ? own : ordinary;
}

int64_t umx_action_deadline(const char *action, size_t items, int64_t ordinary)
{
    const int64_t own = own_limit(action);
    const int64_t needed = own > 0 ? (int64_t)items * own + MARGIN : 0;

    return needed > ordinary ? needed : ordinary;
}

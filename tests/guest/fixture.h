/* A loaded library and a controller's stand-in, for tests that share one pair. */
#ifndef UMX_TESTS_GUEST_FIXTURE_H
#define UMX_TESTS_GUEST_FIXTURE_H

#include "library.h"

static struct stand_in stand_in;
static struct library umx;

static int set_up(void **state)
{
    (void)state;
    umx = library_load();
    return stand_in_start(&stand_in);
}

static int tear_down(void **state)
{
    (void)state;
    stand_in_stop(&stand_in);
    return 0;
}

#endif

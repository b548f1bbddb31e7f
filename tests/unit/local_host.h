/* This machine's host, for as long as a test group. */
#ifndef UMX_TESTS_LOCAL_HOST_H
#define UMX_TESTS_LOCAL_HOST_H

#include "agent/host/host.h"

static struct umx_host *host;

static int open_host(void **state)
{
    (void)state;
    return umx_host_open("local", &host, NULL);
}

static int close_host(void **state)
{
    (void)state;
    umx_host_close(host);
    return 0;
}

#endif

/*
 * Times as people give them: a duration from now ("8h", "1d12h", "90m") or an RFC 3339 time.
 */
#ifndef UMX_CLI_WHEN_H
#define UMX_CLI_WHEN_H

#include <stdint.h>

#include "base/error.h"

/* Microseconds of a duration: numbers with the units s, m, h, d, w in falling order; at most ten years. */
int umx_when_duration(const char *text, int64_t *duration, struct umx_error *err);

/* Duration from now or RFC 3339 time, as a time. what names the option in the error. */
int umx_when_parse(const char *text, int64_t now, const char *what, int64_t *at, struct umx_error *err);

#endif

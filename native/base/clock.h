/*
 * The one clock. Times are int64 microseconds since 1970 in UTC; durations are microseconds.
 * Tests own the wall clock through umx_clock_set.
 */
#ifndef UMX_BASE_CLOCK_H
#define UMX_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { UMX_CLOCK_TEXT = 32 }; /* room for an RFC 3339 time with microseconds */

#define UMX_MILLISECOND INT64_C(1000)
#define UMX_SECOND INT64_C(1000000)
#define UMX_MINUTE (60 * UMX_SECOND)
#define UMX_HOUR (60 * UMX_MINUTE)
#define UMX_DAY (24 * UMX_HOUR)

/* Wall clock. */
int64_t umx_clock_now(void);

/* Monotonic clock, for deadlines. */
int64_t umx_clock_monotonic(void);

/* Makes umx_clock_now return at; 0 gives the machine's clock back. For tests. */
void umx_clock_set(int64_t at);

/* RFC 3339 in UTC, microseconds only when they are not zero; returns buf. */
char *umx_clock_format(int64_t at, char buf[UMX_CLOCK_TEXT]);

/* RFC 3339 with Z or a numeric offset; 0, or -1 when the text is something else. */
int umx_clock_parse(const char *text, int64_t *at);

/* LDAP generalized time 20260131220000.0Z; 0 or -1. */
int umx_clock_parse_generalized(const char *text, int64_t *at);

#endif

#include "cli/when.h"

#include "base/clock.h"

static const struct {
    char unit;
    int64_t length;
} units[] = {
    {'w', 7 * UMX_DAY}, {'d', UMX_DAY}, {'h', UMX_HOUR}, {'m', UMX_MINUTE}, {'s', UMX_SECOND},
};

enum { UNIT_COUNT = sizeof units / sizeof units[0] };

static const int64_t longest = 3650 * UMX_DAY;

/* 0, or -1 when the text is not a duration. */
static int parse_duration(const char *text, int64_t *duration)
{
    size_t next = 0; /* units must fall: 1d2h, not 2h1d */
    int64_t sum = 0;

    if (*text == '\0')
        return -1;
    while (*text != '\0') {
        int64_t number = 0;
        if (*text < '0' || *text > '9')
            return -1;
        for (; *text >= '0' && *text <= '9'; text++) {
            number = number * 10 + (*text - '0');
            if (number > longest / UMX_SECOND)
                return -1;
        }
        while (next < UNIT_COUNT && units[next].unit != *text)
            next++;
        if (next == UNIT_COUNT || number > longest / units[next].length)
            return -1;
        sum += number * units[next++].length;
        if (sum > longest)
            return -1;
        text++;
    }
    *duration = sum;
    return 0;
}

int umx_when_duration(const char *text, int64_t *duration, struct umx_error *err)
{
    if (parse_duration(text, duration) != 0)
        return umx_fail(err, UMX_ERR_USAGE, text, "not a duration; write it like 90s, 30m, 8h or 1d12h");
    return 0;
}

int umx_when_parse(const char *text, int64_t now, const char *what, int64_t *at, struct umx_error *err)
{
    int64_t duration;

    if (parse_duration(text, &duration) == 0) {
        *at = now + duration;
        return 0;
    }
    if (umx_clock_parse(text, at) == 0)
        return 0;
    return umx_fail(err, UMX_ERR_USAGE, what,
                    "`%s` is neither a duration from now (8h, 1d12h) nor a time (2026-01-31T22:00:00Z)", text);
}

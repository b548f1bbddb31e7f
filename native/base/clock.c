#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static _Atomic int64_t fixed;

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * UMX_SECOND + now.tv_nsec / 1000;
}

int64_t umx_clock_now(void)
{
    int64_t at = atomic_load(&fixed);

    return at != 0 ? at : read_clock(CLOCK_REALTIME);
}

int64_t umx_clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void umx_clock_set(int64_t at)
{
    atomic_store(&fixed, at);
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Own arithmetic, since timegm and gmtime_r are
 * not in every C library that the agent meets. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

/* The number with so many digits, and what comes after it; the end of both. By hand: every row that is stored has two
 * times. */
static char *put(char *at, int value, int count, char after)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    at[count] = after;
    return at + count + 1;
}

char *umx_clock_format(int64_t at, char buf[UMX_CLOCK_TEXT])
{
    int64_t micros = (at % UMX_SECOND + UMX_SECOND) % UMX_SECOND;
    int64_t seconds = at / UMX_SECOND - (at % UMX_SECOND < 0);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t rest = seconds - days * 86400;
    int64_t year;
    int month;
    int day;

    date_from_days(days, &year, &month, &day);
    /* RFC 3339 has four digits for the year: anything else is shown as the nearest end. */
    if (year < 0 || year > 9999) {
        snprintf(buf, UMX_CLOCK_TEXT, "%s", year < 0 ? "0000-01-01T00:00:00Z" : "9999-12-31T23:59:59Z");
        return buf;
    }
    char *end = put(put(buf, (int)year, 4, '-'), month, 2, '-');
    end = put(put(put(put(end, day, 2, 'T'), (int)(rest / 3600), 2, ':'), (int)(rest / 60 % 60), 2, ':'),
              (int)(rest % 60), 2, micros != 0 ? '.' : 'Z');
    if (micros != 0)
        end = put(end, (int)micros, 6, 'Z');
    *end = '\0';
    return buf;
}

/* Exactly count digits at *p; moves past them. */
static bool digits(const char **p, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *value = *value * 10 + (**p - '0');
    }
    return true;
}

static bool literal(const char **p, char c)
{
    return *(*p)++ == c;
}

static bool fraction(const char **p, int64_t *micros)
{
    int64_t unit = UMX_SECOND / 10;

    *micros = 0;
    if (**p != '.' && **p != ',')
        return true;
    const char *start = ++*p;
    for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        *micros += (**p - '0') * unit;
    return *p > start;
}

static bool in_range(int year, int month, int day, int hour, int minute, int second)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] && (month != 2 || leap || day <= 28) &&
           hour <= 23 && minute <= 59 && second <= 60;
}

int umx_clock_parse(const char *text, int64_t *at)
{
    const char *p = text;
    int year, month, day, hour, minute, second;
    int64_t micros;
    int64_t offset = 0;

    if (!digits(&p, 4, &year) || !literal(&p, '-') || !digits(&p, 2, &month) || !literal(&p, '-') ||
        !digits(&p, 2, &day))
        return -1;
    if (*p != 'T' && *p != 't' && *p != ' ')
        return -1;
    p++;
    if (!digits(&p, 2, &hour) || !literal(&p, ':') || !digits(&p, 2, &minute) || !literal(&p, ':') ||
        !digits(&p, 2, &second) || !fraction(&p, &micros))
        return -1;
    if (*p == '+' || *p == '-') {
        int sign = *p++ == '-' ? -1 : 1;
        int hours, minutes;
        if (!digits(&p, 2, &hours) || !literal(&p, ':') || !digits(&p, 2, &minutes) || hours > 23 || minutes > 59)
            return -1;
        offset = sign * (hours * UMX_HOUR + minutes * UMX_MINUTE);
    } else if (*p == 'Z' || *p == 'z') {
        p++;
    } else {
        return -1;
    }
    if (*p != '\0' || !in_range(year, month, day, hour, minute, second))
        return -1;
    *at = days_from_date(year, month, day) * UMX_DAY + hour * UMX_HOUR + minute * UMX_MINUTE + second * UMX_SECOND +
          micros - offset;
    return 0;
}

int umx_clock_parse_generalized(const char *text, int64_t *at)
{
    const char *p = text;
    int year, month, day, hour, minute, second;
    int64_t micros;

    if (!digits(&p, 4, &year) || !digits(&p, 2, &month) || !digits(&p, 2, &day) || !digits(&p, 2, &hour) ||
        !digits(&p, 2, &minute) || !digits(&p, 2, &second) || !fraction(&p, &micros) || strcmp(p, "Z") != 0 ||
        !in_range(year, month, day, hour, minute, second))
        return -1;
    *at = days_from_date(year, month, day) * UMX_DAY + hour * UMX_HOUR + minute * UMX_MINUTE + second * UMX_SECOND +
          micros;
    return 0;
}

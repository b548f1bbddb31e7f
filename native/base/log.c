#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"

static _Atomic int threshold = UMX_LOG_INFO;
static FILE *where; /* NULL: standard error */

void umx_log_to(FILE *stream)
{
    where = stream;
}

void umx_log_set_level(enum umx_log_level level)
{
    atomic_store(&threshold, (int)level);
}

void umx_log(enum umx_log_level level, const char *module, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[2048];
    char at[UMX_CLOCK_TEXT];
    va_list args;

    if ((int)level > atomic_load(&threshold))
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* Text from outside may hold line breaks; one event stays one line. */
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    /* One call, so that lines of several threads do not mix. */
    fprintf(where != NULL ? where : stderr, "%s %s %s: %s\n", umx_clock_format(umx_clock_now(), at), names[level],
            module, line);
}

void umx_log_error(const char *module, const struct umx_error *err)
{
    char text[2048];

    umx_log(UMX_LOG_ERROR, module, "%s", umx_error_format(err, text, sizeof text));
}

/*
 * The shared library has no log: it is a guest, and standard error is its host's. This takes the place of base/log.c.
 */
#include "base/log.h"

void umx_log_set_level(enum umx_log_level level)
{
    (void)level;
}

void umx_log(enum umx_log_level level, const char *module, const char *format, ...)
{
    (void)level;
    (void)module;
    (void)format;
}

void umx_log_error(const char *module, const struct umx_error *err)
{
    (void)module;
    (void)err;
}

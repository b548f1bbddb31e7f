/*
 * The log: one line an event on standard error, `TIME LEVEL module: text`. Never secrets. Thread-safe.
 */
#ifndef UMX_BASE_LOG_H
#define UMX_BASE_LOG_H

#include <stdio.h>

#include "base/error.h"

enum umx_log_level { UMX_LOG_ERROR, UMX_LOG_WARNING, UMX_LOG_INFO, UMX_LOG_DEBUG };

/* Where lines go from now on; standard error at the start. For programs that have none; before other threads are. */
void umx_log_to(FILE *stream);

/* Lines above this level are dropped; INFO at start. */
void umx_log_set_level(enum umx_log_level level);

void umx_log(enum umx_log_level level, const char *module, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The error with its id and remedy. */
void umx_log_error(const char *module, const struct umx_error *err);

#endif

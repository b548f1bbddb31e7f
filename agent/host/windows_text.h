/* Text and time between Windows and umx: UTF-16 and FILETIME stay on this side. */
#ifndef UMX_AGENT_WINDOWS_TEXT_H
#define UMX_AGENT_WINDOWS_TEXT_H

#include <stdint.h>
#include <wchar.h>
#include <windows.h>

#include "base/arena.h"
#include "base/error.h"

/* UTF-8 to UTF-16; 0, or -1 when it does not fit or is not UTF-8. size counts characters, the NUL too. */
int umx_wide(const char *text, wchar_t *out, size_t size);

/* UTF-16 to UTF-8 in the arena; NULL gives "". NULL when the arena is full. */
const char *umx_narrow(const wchar_t *text, struct umx_arena *arena);

/* 100 ns since 1601 to microseconds since 1970; 0 stays 0. */
int64_t umx_windows_time(const FILETIME *time);

/* Fills err with the text of a Windows error code. */
int umx_windows_fail(struct umx_error *err, enum umx_error_id id, const char *what, DWORD code);

#endif

/*
 * Text as a terminal shows it: how many columns it takes, and a form without anything that steers the terminal.
 */
#ifndef UMX_CLI_WIDTH_H
#define UMX_CLI_WIDTH_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Columns of valid UTF-8 text; combining marks take none, wide characters two. */
size_t umx_width(const char *text, size_t length);

/* Bytes of the longest beginning that takes at most `columns` columns; a combining mark stays with its letter. */
size_t umx_width_prefix(const char *text, size_t length, size_t columns);

/* Appends text with control characters (escape sequences among them) and direction overrides written as \u{HEX}:
 * names in a directory must not be able to steer the terminal. Newlines stay. Invalid bytes become U+FFFD. */
void umx_width_add_printable(struct umx_text *out, const char *text);

/* Columns of one character, as the system's terminals show it. */
size_t umx_width_of(uint32_t point);

#endif

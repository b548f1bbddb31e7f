/*
 * UTF-16 little endian to UTF-8, for exports made by Windows. Unpaired surrogates become U+FFFD, NUL too.
 */
#ifndef UMX_AGENT_UTF16_H
#define UMX_AGENT_UTF16_H

#include "base/text.h"

/* Appends; an odd last byte is ignored. The output is at most 1.5 times the input. */
void umx_utf16_add(struct umx_text *text, const uint8_t *bytes, size_t length);

#endif

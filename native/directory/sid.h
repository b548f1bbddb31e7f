/*
 * Security identifiers: binary as the directory stores them, S-1-... as people write them.
 * Pure functions, safe in any thread.
 */
#ifndef UMX_DIRECTORY_SID_H
#define UMX_DIRECTORY_SID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    UMX_SID_SUBS_MAX = 15,
    UMX_SID_MAX = 8 + 4 * UMX_SID_SUBS_MAX, /* bytes */
    UMX_SID_TEXT = 192,                     /* room for the longest text */
};

/* Length in bytes of the SID that begins at bytes, or 0 when there is none within size. */
size_t umx_sid_length(const uint8_t *bytes, size_t size);

/* Text of a SID that fills bytes exactly; UMX_ERR_SID_INVALID otherwise. */
int umx_sid_text(const uint8_t *bytes, size_t length, char text[UMX_SID_TEXT], struct umx_error *err);

/* Bytes of an S-1-... text; the authority may be decimal or 0x hex. */
int umx_sid_parse(const char *text, uint8_t bytes[UMX_SID_MAX], size_t *length, struct umx_error *err);

/* True when the text is a SID. */
bool umx_sid_is(const char *text);

#endif

/*
 * Frames: a 4-byte little-endian length and that many bytes. Used on the socketpair to a worker and in snapshots.
 * A written frame is flushed, so that the other side sees it. Cut short: UMX_ERR_MESSAGE_INVALID; too long for max:
 * UMX_ERR_FRAME_TOO_LARGE. The program ignores SIGPIPE.
 */
#ifndef UMX_BASE_FRAME_H
#define UMX_BASE_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* Blocking, to and from a stdio stream. Reading gives a malloc'ed buffer; length 0 is a valid, empty frame;
 * *bytes is NULL with status 0 at a clean end of file. A frame above max is refused before it is read. */
int umx_frame_write(FILE *stream, const void *bytes, size_t length, struct umx_error *err);
int umx_frame_read(FILE *stream, size_t max, uint8_t **bytes, size_t *length, struct umx_error *err);

#endif

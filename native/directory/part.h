/*
 * Records on their way to the controller: collected into World messages of bounded size.
 */
#ifndef UMX_DIRECTORY_PART_H
#define UMX_DIRECTORY_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "umx/v1/world.pb-c.h"

enum { UMX_PART_TARGET = 200 * 1024 }; /* a part is sent when it has so many bytes; one record may be larger */

/* Takes a part; it lives during the call. */
typedef int umx_part_send(void *user, const Umx__World *part, struct umx_error *err);

struct umx_part;

struct umx_part *umx_part_new(umx_part_send *send, void *user); /* NULL: out of memory */
void umx_part_free(struct umx_part *part);

/* Copies a record of any table of World into the part, which is sent first when it would grow too large. */
int umx_part_add(struct umx_part *part, const ProtobufCMessage *record, struct umx_error *err);

/* Sends what is left; nothing when there is nothing. */
int umx_part_flush(struct umx_part *part, struct umx_error *err);

/* True after send returned an error: nobody listens any more. */
bool umx_part_failed(const struct umx_part *part);

#endif

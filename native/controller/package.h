/*
 * The agent's package that the controller keeps, read again for somebody who wants it: a part at a time, and compared
 * with the release that it came with. Owns nothing; any thread.
 */
#ifndef UMX_CONTROLLER_PACKAGE_H
#define UMX_CONTROLLER_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/release.h"

enum { UMX_PACKAGE_PART = 128 * 1024 }; /* bytes of all parts but the last */

/* Takes the bytes from this offset on; they are the reader's. A negative status, with err, ends the reading. */
typedef int umx_package_taker(void *user, int64_t offset, const uint8_t *bytes, size_t length, struct umx_error *err);

/* Gives all parts in their order. UMX_ERR_PACKAGE_NONE: there is no such file; UMX_ERR_PACKAGE_DAMAGED: it is not of
 * the release. The size is known before the first part, another digest only behind the last: who takes the parts
 * believes them when this gave 0. */
int umx_package_read(const char *path, const struct umx_release *release, umx_package_taker *take, void *user,
                     struct umx_error *err);

#endif

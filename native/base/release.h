/*
 * Signed releases: what a package is, in a small text that the release key signed (packaging/sign-release makes it).
 *
 *   umx-release 1
 *   package umx-agent
 *   version 0.2.0
 *   kind deb                 deb or msi
 *   architecture amd64       as the kind names it; all: any
 *   size 123456
 *   sha256 HEX
 *   downgrade no             yes: it may take the place of a newer version
 *   signature HEX            Ed25519, over all lines before
 *
 * Version and platform are inside what is signed, so that nobody who only carries a package can call it something
 * else. Lines in this order, one space, each ended by a line feed; nothing else.
 */
#ifndef UMX_BASE_RELEASE_H
#define UMX_BASE_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    UMX_RELEASE_TEXT_MAX = 2048,
    UMX_RELEASE_PACKAGE_MAX = 20 * 1024 * 1024, /* bytes: with its hex text it fits the memory of an operation */
    UMX_RELEASE_KEYS_MAX = 64 * 1024,           /* bytes of a file of public keys */
    UMX_RELEASE_WORD = 64,
    UMX_RELEASE_DIGEST = 32,
};

struct umx_release {
    char package[UMX_RELEASE_WORD];
    char version[UMX_RELEASE_WORD];
    char kind[UMX_RELEASE_WORD];
    char architecture[UMX_RELEASE_WORD];
    int64_t size; /* 1 to UMX_RELEASE_PACKAGE_MAX */
    uint8_t sha256[UMX_RELEASE_DIGEST];
    bool downgrade;
};

/* What the text says; not whether it is true. UMX_ERR_RELEASE_INVALID. */
int umx_release_parse(const char *text, size_t length, struct umx_release *out, struct umx_error *err);

/* The same when one of the keys (Ed25519, PEM, one behind the other) signed it; else UMX_ERR_RELEASE_SIGNATURE. */
int umx_release_verify(const char *text, size_t length, const char *keys, struct umx_release *out,
                       struct umx_error *err);

/* Whether the file has the size and the digest: UMX_ERR_RELEASE_PACKAGE when not. */
int umx_release_check_file(const struct umx_release *release, const char *path, struct umx_error *err);
int umx_release_check_bytes(const struct umx_release *release, const void *bytes, size_t length, struct umx_error *err);

/* Versions are numbers with points between them. Below 0, 0 or above: a is older, the same, newer. A part that is
 * missing is 0; what is no version is older than every version. */
int umx_release_compare(const char *a, const char *b);

/* Whether a program of this version may be replaced by the release; asked: somebody wants an older one too. Refused
 * with UMX_ERR_RELEASE_OLDER, or UMX_ERR_RELEASE_PLATFORM when it is for other machines than kind and architecture. */
int umx_release_allowed(const struct umx_release *release, const char *version, const char *kind,
                        const char *architecture, bool asked, struct umx_error *err);

/* What this program is a build for. */
const char *umx_release_kind(void);
const char *umx_release_architecture(void);

#endif

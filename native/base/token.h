/*
 * One-time tokens of agents, as text: `umx1-ID-SECRET-ROOT`, one word. ID names the token and is no secret; SECRET is
 * 32 random bytes in hex, of which the controller keeps the SHA-256 only; ROOT is the SHA-256 of the deployment's root
 * certificate in hex: whom the agent believes, and nobody else.
 */
#ifndef UMX_BASE_TOKEN_H
#define UMX_BASE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    UMX_TOKEN_ID = 12, /* hex digits */
    UMX_TOKEN_SECRET = 32,
    UMX_TOKEN_ROOT = 32,
    UMX_TOKEN_TEXT = 5 + UMX_TOKEN_ID + 1 + 2 * UMX_TOKEN_SECRET + 1 + 2 * UMX_TOKEN_ROOT + 1, /* with the NUL */
    UMX_TOKEN_FILE_MAX = 4096,
};

struct umx_token {
    char id[UMX_TOKEN_ID + 1];
    uint8_t secret[UMX_TOKEN_SECRET]; /* wipe it */
    uint8_t root[UMX_TOKEN_ROOT];
};

void umx_token_format(const struct umx_token *token, char text[UMX_TOKEN_TEXT]);

/* White space around it is allowed, nothing else. `what` names the text in errors: UMX_ERR_TOKEN_FILE_INVALID. */
int umx_token_parse(const char *text, size_t length, const char *what, struct umx_token *out, struct umx_error *err);

/* A pattern is a host name of at least three labels, whose first one has exactly one `*`: any letters of that label, at
 * least one, and no dot. */
bool umx_token_pattern_valid(const char *pattern);
bool umx_token_pattern_matches(const char *pattern, const char *fqdn);

#endif

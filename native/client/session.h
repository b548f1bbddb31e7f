/*
 * libumx's inside: what its files share.
 */
#ifndef UMX_CLIENT_SESSION_H
#define UMX_CLIENT_SESSION_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "client/umx.h"
#include "rpc/identity_file.h"
#include "rpc/rpc.h"
#include "rpc/trust.h"

enum { UMX_CLIENT_JSON_MAX = 16 * 1024 * 1024, UMX_CLIENT_MESSAGE_MAX = 64 * 1024 * 1024 };

struct umx_client_session {
    struct umx_identity_file identity;
    bool has_identity;
    struct umx_rpc_channel *channel;
    char *trust_path; /* beside the identity; NULL: somebody said whom to trust, or there is no identity */
    uint8_t trust[UMX_TRUST_ID];
    bool has_trust;
};

/* ---- learn.c: whom to trust, as the controller says it on calls, kept in IDENTITY.trust */

/* What was kept for this identity, when it is whole and still fits: 0 also when there is nothing. */
int umx_client_trust_load(const char *path, const struct umx_identity_file *identity, struct umx_trust *out,
                          struct umx_error *err);
/* Keeps what an event says: {"certificates": PEM}. A file that cannot be written loses nothing but a later call's
 * telling. */
int umx_client_trust_keep(const struct umx_client_session *session, const char *json, struct umx_error *err);

/* ---- json.c */

/* A parameter of a request: a text (char *) or an integer (int64_t) or an object (json_t *, borrowed). */
struct umx_client_key {
    const char *name;
    enum { UMX_KEY_TEXT, UMX_KEY_INTEGER, UMX_KEY_OBJECT } type;
    bool required;
    void *to; /* const char **, int64_t *, json_t ** */
};

/* Reads a request; *root keeps what the values point into, json_decref it. Nothing but the keys may be there. */
int umx_client_parse(const uint8_t *json, size_t length, const struct umx_client_key *keys, size_t count, json_t **root,
                     struct umx_error *err);

/* The JSON of an error, as in umx.h. NULL: out of memory. */
json_t *umx_client_error(const struct umx_error *error);
/* Takes the value over and writes it; false: out of memory. */
bool umx_client_write(json_t *value, umx_buf *out);
/* Fills err, which may be NULL, and returns the status. */
int32_t umx_client_fail(const struct umx_error *error, umx_buf *err);
/* The same for a parameter that is NULL. */
int32_t umx_client_missing(const char *parameter, umx_buf *err);
/* Hands the text's memory over. */
bool umx_client_give(struct umx_text *text, umx_buf *out);

/* ---- request.c: for login.c */

/* A fresh EC P-256 key (PEM, malloc'ed, a secret) and a PKCS#10 request for it (DER, malloc'ed). */
int umx_client_request(char **key, uint8_t **request, size_t *length, struct umx_error *err);
/* The certificates of a PEM file, DER, one behind the other, malloc'ed. */
int umx_client_certificates(const char *pem, const char *path, uint8_t **der, size_t *length, struct umx_error *err);
/* True when both PEM texts begin with the same certificate. */
bool umx_client_same_certificate(const char *a, const char *b);

#endif

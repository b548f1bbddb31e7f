/*
 * Identity files of agents, operators and controllers: one PEM text with the private key, the leaf, the intermediate
 * and the root, in this order (the root last). And private files in general: written whole or not at all, readable only
 * by their owner.
 */
#ifndef UMX_RPC_IDENTITY_FILE_H
#define UMX_RPC_IDENTITY_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "rpc/rpc.h"

enum { UMX_IDENTITY_FILE_MAX = 256 * 1024, UMX_IDENTITY_CHAIN_MAX = 8 };

struct umx_identity_file {
    char *key;   /* PEM, a secret */
    char *chain; /* PEM: leaf first, without the root */
    char *root;  /* PEM */
    struct umx_identity identity;
};

/* Checks that the parts are there and belong together: the key is the leaf's, each certificate is signed by the next,
 * the last by itself. Expiry is not looked at. `what` names the text in errors. UMX_ERR_IDENTITY_FILE_INVALID. */
int umx_identity_file_parse(const char *pem, size_t length, const char *what, struct umx_identity_file *out,
                            struct umx_error *err);
int umx_identity_file_load(const char *path, struct umx_identity_file *out, struct umx_error *err);
void umx_identity_file_free(struct umx_identity_file *file);

/* As TLS material for a channel or a server; points into file. */
struct umx_rpc_tls umx_identity_file_tls(const struct umx_identity_file *file);

/* Opens for reading: the path is UTF-8, and no program that is started meanwhile inherits the file. NULL with errno. */
FILE *umx_private_file_open(const char *path);
/* Reads a whole file of at most max bytes into malloc'ed memory, with a NUL behind. UMX_ERR_FILE_UNREADABLE. */
int umx_private_file_read(const char *path, size_t max, char **bytes, size_t *length, struct umx_error *err);
/* Writes a file for its owner only, durable and whole: what was there before stays until then. UMX_ERR_FILE_UNWRITABLE.
 */
int umx_private_file_write(const char *path, const char *bytes, size_t length, struct umx_error *err);
/* Frees a text after wiping it. NULL is allowed. */
void umx_private_free(char *secret);

#endif

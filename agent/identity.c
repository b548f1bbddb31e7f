#include "agent/identity.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "agent/file.h"
#include "base/log.h"
#include "base/text.h"

enum { IDENTITY_FILE_MAX = 64 * 1024 };

static void append(struct umx_text *to, const char *from, size_t length)
{
    umx_text_add(to, from, length);
    umx_text_adds(to, "\n");
}

/* Cuts the text at its PEM blocks: the last certificate is the root, the others are the chain. Nothing is decoded
 * here; what is inside is checked by those who use it. */
static int split(const char *path, char *text, char **key, struct umx_text *chain, struct umx_text *roots,
                 struct umx_error *err)
{
    static const char begin[] = "-----BEGIN ";
    static const char end[] = "-----END ";
    char *last = NULL;
    size_t last_length = 0;

    for (char *at = text; (at = strstr(at, begin)) != NULL;) {
        char *stop = strstr(at, end);
        char *after = stop != NULL ? strstr(stop + sizeof end - 1, "-----") : NULL;
        if (after == NULL)
            return umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path, "a PEM block does not end");
        size_t length = (size_t)(after + 5 - at);
        const char *label = at + sizeof begin - 1;
        if (strncmp(label, "CERTIFICATE-----", 16) == 0) {
            if (last != NULL)
                append(chain, last, last_length);
            last = at;
            last_length = length;
        } else if (strncmp(label, "PRIVATE KEY-----", 16) == 0 || strncmp(label, "EC PRIVATE KEY-----", 19) == 0 ||
                   strncmp(label, "RSA PRIVATE KEY-----", 20) == 0) {
            if (*key != NULL)
                return umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path, "it holds two private keys");
            /* One allocation of the right size: a growing buffer would leave copies of the key behind. */
            if ((*key = calloc(1, length + 2)) == NULL)
                return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
            memcpy(*key, at, length);
            (*key)[length] = '\n';
        }
        at += length;
    }
    if (last != NULL)
        append(roots, last, last_length);
    if (*key == NULL)
        return umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path, "it holds no private key without a passphrase");
    if (chain->length == 0)
        return umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path,
                        "it holds no certificate with the deployment's root after it");
    return chain->failed || roots->failed ? umx_fail(err, UMX_ERR_MEMORY, path, NULL) : 0;
}

int umx_agent_identity_read(const char *path, struct umx_agent_identity *out, struct umx_error *err)
{
    struct umx_text chain = {0};
    struct umx_text roots = {0};
    char *text = NULL;
    size_t length = 0;
    int status;
    struct umx_arena *arena = umx_arena_new(IDENTITY_FILE_MAX + 256);

    *out = (struct umx_agent_identity){0};
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    status = umx_agent_file_read(path, IDENTITY_FILE_MAX, arena, &text, &length, err);
    if (status == UMX_E_NOT_FOUND)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path, "there is no such file");
    if (status == 0 && !umx_agent_file_private(path))
        umx_log(UMX_LOG_WARNING, "agent", "%s holds a private key and others can read or write it: chmod 600", path);
    if (status == 0)
        status = split(path, text, &out->key, &chain, &roots, err);
    if (status == 0)
        status = umx_identity_parse(chain.data, chain.length, &out->certificate, err);
    if (status == 0 && out->certificate.role != UMX_ROLE_AGENT)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path, "%s is not the identity of an agent",
                          out->certificate.uri);
    if (text != NULL)
        OPENSSL_cleanse(text, length);
    umx_arena_free(arena);
    out->chain = chain.data;
    out->roots = roots.data;
    if (status != 0) {
        umx_agent_identity_wipe(out);
        return status;
    }
    out->tls = (struct umx_rpc_tls){.key = out->key, .chain = out->chain, .roots = out->roots};
    return 0;
}

void umx_agent_identity_wipe(struct umx_agent_identity *identity)
{
    if (identity->key != NULL)
        OPENSSL_cleanse(identity->key, strlen(identity->key));
    free(identity->key);
    free(identity->chain);
    free(identity->roots);
    *identity = (struct umx_agent_identity){0};
}

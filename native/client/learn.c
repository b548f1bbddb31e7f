/*
 * Whom to trust, as the controller says it while an authority rotates. It is believed because it comes over a
 * connection to a controller that is trusted already, and kept beside the identity, whose own root must be in it to
 * count: an identity of another root that is put in the place later is believed before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/session.h"

int umx_client_trust_load(const char *path, const struct umx_identity_file *identity, struct umx_trust *out,
                          struct umx_error *err)
{
    FILE *file = path != NULL ? umx_private_file_open(path) : NULL;
    char *pem = NULL;
    size_t length = 0;

    *out = (struct umx_trust){0};
    if (file == NULL)
        return 0; /* nothing was told yet */
    fclose(file);
    int status = umx_private_file_read(path, UMX_TRUST_MAX, &pem, &length, err);
    /* A damaged one counts for nothing, and is replaced with the next call. */
    if (status == 0 && umx_trust_parse(pem, length, out, NULL) == 0 && !umx_trust_has_root(out, identity->root))
        umx_trust_free(out);
    umx_private_free(pem);
    return status;
}

int umx_client_trust_keep(const struct umx_client_session *session, const char *json, struct umx_error *err)
{
    const char *pem = NULL;
    json_t *body = json != NULL ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct umx_trust told;
    int status = json_unpack(body, "{s:s}", "certificates", &pem) == 0
                     ? umx_trust_parse(pem, strlen(pem), &told, err)
                     : umx_fail(err, UMX_ERR_ANSWER_INVALID, "trust", NULL);

    if (status == 0 && session->trust_path != NULL)
        umx_private_file_write(session->trust_path, told.pem, strlen(told.pem), NULL);
    if (status == 0)
        umx_trust_free(&told);
    json_decref(body);
    return status;
}

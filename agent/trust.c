#include "agent/trust.h"

#include <string.h>

#include "agent/file.h"

static bool path_of(const char *directory, char path[UMX_AGENT_PATH_MAX])
{
    int n =
        directory != NULL && directory[0] != '\0' ? snprintf(path, UMX_AGENT_PATH_MAX, "%s/trust.pem", directory) : 0;

    return n > 0 && n < UMX_AGENT_PATH_MAX;
}

int umx_agent_trust_load(const char *directory, struct umx_agent_trust *out, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new((size_t)2 * UMX_TRUST_MAX);
    char path[UMX_AGENT_PATH_MAX];
    char *text = NULL;
    size_t length = 0;
    int status = 0;

    *out = (struct umx_agent_trust){0};
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "trust.pem", NULL);
    if (path_of(directory, path))
        status = umx_agent_file_read(path, UMX_TRUST_MAX, arena, &text, &length, err);
    if (status == UMX_E_NOT_FOUND)
        status = 0;
    else if (status == 0 && text != NULL)
        status = umx_trust_parse(text, length, &out->trust, err);
    out->known = out->trust.pem != NULL;
    umx_arena_free(arena);
    return status;
}

int umx_agent_trust_keep(const char *directory, struct umx_agent_trust *trust, const char *certificates, bool *changed,
                         struct umx_error *err)
{
    char path[UMX_AGENT_PATH_MAX];
    struct umx_trust told;
    int status = umx_trust_parse(certificates != NULL ? certificates : "",
                                 certificates != NULL ? strlen(certificates) : 0, &told, err);

    *changed = false;
    if (status != 0)
        return status;
    *changed = !trust->known || memcmp(trust->trust.id, told.id, sizeof told.id) != 0;
    if (*changed && path_of(directory, path))
        status = umx_agent_file_replace(path, told.pem, strlen(told.pem), err);
    if (status != 0 || !*changed) {
        *changed = false;
        umx_trust_free(&told);
        return status;
    }
    umx_trust_free(&trust->trust);
    trust->trust = told;
    trust->known = true;
    return 0;
}

void umx_agent_trust_free(struct umx_agent_trust *trust)
{
    umx_trust_free(&trust->trust);
    trust->known = false;
}

struct umx_rpc_tls umx_agent_trust_tls(const struct umx_agent_trust *trust, const struct umx_identity_file *identity)
{
    struct umx_rpc_tls tls = umx_identity_file_tls(identity);

    if (trust->known && umx_trust_has_root(&trust->trust, identity->root)) {
        tls.roots = trust->trust.roots;
        tls.issuers = trust->trust.authorities;
    }
    return tls;
}

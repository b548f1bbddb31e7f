#include "client/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/signature.h"

int32_t umx_abi_version(umx_info *io)
{
    umx_info mine = {.abi = UMX_ABI};
    size_t size = io != NULL ? io->size : 0;

    if (size < sizeof io->size + sizeof io->abi)
        return UMX_E_ARGUMENT;
    umx_text_copy(mine.version, sizeof mine.version, UMX_VERSION);
    mine.size = (uint32_t)(size < sizeof mine ? size : sizeof mine);
    memcpy(io, &mine, mine.size);
    return 0;
}

void umx_client_session_ref(struct umx_session *session)
{
    atomic_fetch_add(&session->users, 1);
}

void umx_client_session_unref(struct umx_session *session)
{
    if (session == NULL || atomic_fetch_sub(&session->users, 1) != 1)
        return;
    umx_rpc_channel_close(session->channel);
    umx_identity_file_free(&session->identity);
    free(session->trust_path);
    free(session);
}

static int open_channel(struct umx_session *session, const char *controller, const char *identity, const char *ca,
                        const char *server_name, struct umx_error *err)
{
    struct umx_rpc_tls tls = {0};
    struct umx_trust trust = {0};
    char *roots = NULL;
    size_t length;
    int status = 0;

    if (identity == NULL && ca == NULL)
        return umx_fail(err, UMX_ERR_NO_IDENTITY, controller, NULL);
    if (identity != NULL) {
        status = umx_identity_file_load(identity, &session->identity, err);
        session->has_identity = status == 0;
        tls = umx_identity_file_tls(&session->identity);
    }
    if (status == 0 && ca == NULL) {
        struct umx_text path = {0};
        umx_text_addf(&path, "%s.trust", identity);
        session->trust_path = path.data;
        status = umx_client_trust_load(path.data, &session->identity, &trust, err);
        session->has_trust = trust.pem != NULL;
        if (session->has_trust) {
            tls.roots = trust.roots;
            tls.issuers = trust.authorities;
            memcpy(session->trust, trust.id, sizeof session->trust);
        }
    }
    if (status == 0 && ca != NULL) {
        status = umx_private_file_read(ca, UMX_IDENTITY_FILE_MAX, &roots, &length, err);
        tls.roots = roots;
    }
    if (status == 0)
        status = umx_rpc_channel_open(controller, &tls, server_name, UMX_CLIENT_MESSAGE_MAX, &session->channel, err);
    free(roots);
    umx_trust_free(&trust);
    return status;
}

int32_t umx_session_open(const uint8_t *json, size_t length, umx_session **out, umx_buf *err)
{
    const char *controller = NULL;
    const char *identity = NULL;
    const char *ca = NULL;
    const char *server_name = NULL;
    const struct umx_client_key keys[] = {{"controller", UMX_KEY_TEXT, true, &controller},
                                          {"identity", UMX_KEY_TEXT, false, &identity},
                                          {"ca", UMX_KEY_TEXT, false, &ca},
                                          {"server_name", UMX_KEY_TEXT, false, &server_name}};
    struct umx_error failed = {0};
    json_t *root;
    int status;

    if (err != NULL)
        *err = (umx_buf){0};
    if (out == NULL)
        return UMX_E_ARGUMENT;
    *out = NULL;
    struct umx_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        umx_fail(&failed, UMX_ERR_MEMORY, "session", NULL);
        return umx_client_fail(&failed, err);
    }
    atomic_init(&session->users, 1);
    status = umx_client_parse(json, length, keys, sizeof keys / sizeof keys[0], &root, &failed);
    if (status == 0)
        status = open_channel(session, controller, identity, ca, server_name, &failed);
    json_decref(root);
    if (status == 0) {
        *out = session;
        return 0;
    }
    umx_client_session_unref(session);
    return umx_client_fail(&failed, err);
}

void umx_session_close(umx_session *session)
{
    umx_client_session_unref(session);
}

int32_t umx_session_identity(umx_session *session, umx_buf *json, umx_buf *err)
{
    static const char *const roles[] = {"none", "agent", "operator", "controller"};
    struct umx_error failed = {0};
    char end[UMX_CLOCK_TEXT];

    if (err != NULL)
        *err = (umx_buf){0};
    if (session == NULL || json == NULL)
        return UMX_E_ARGUMENT;
    const struct umx_identity *own = &session->identity.identity;
    json_t *made =
        session->has_identity
            ? json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "identity", own->uri, "role", roles[own->role], "name", own->name,
                        "forest", own->forest, "deployment", own->deployment, "expires_at",
                        umx_clock_format(own->not_after_at, end))
            : json_pack("{s:n,s:n,s:n,s:n,s:n,s:n}", "identity", "role", "name", "forest", "deployment", "expires_at");
    if (umx_client_write(made, json))
        return 0;
    umx_fail(&failed, UMX_ERR_MEMORY, "identity", NULL);
    return umx_client_fail(&failed, err);
}

int32_t umx_session_sign(umx_session *session, const uint8_t *bytes, size_t length, umx_buf *signature, umx_buf *err)
{
    struct umx_error failed = {0};
    int status;

    if (err != NULL)
        *err = (umx_buf){0};
    if (session == NULL || signature == NULL || (bytes == NULL && length > 0))
        return UMX_E_ARGUMENT;
    *signature = (umx_buf){0};
    if (!session->has_identity)
        status = umx_fail(&failed, UMX_ERR_NO_IDENTITY, "signature", NULL);
    else
        status = umx_signature_make(session->identity.key, bytes != NULL ? bytes : (const uint8_t *)"", length,
                                    &signature->data, &signature->length, &failed);
    return status == 0 ? 0 : umx_client_fail(&failed, err);
}

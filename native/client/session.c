#include "client/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/handle.h"
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

static void release(void *user)
{
    struct umx_client_session *session = user;

    umx_rpc_channel_close(session->channel);
    umx_identity_file_free(&session->identity);
    free(session->trust_path);
    free(session);
}

static int open_channel(struct umx_client_session *session, const char *controller, const char *identity,
                        const char *ca, const char *server_name, struct umx_error *err)
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
    void *handle = NULL;
    json_t *root;
    int status;

    if (err != NULL)
        *err = (umx_buf){0};
    if (out == NULL)
        return umx_client_missing("out", err);
    *out = NULL;
    struct umx_client_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        umx_fail(&failed, UMX_ERR_MEMORY, "session", NULL);
        return umx_client_fail(&failed, err);
    }
    status = umx_client_parse(json, length, keys, sizeof keys / sizeof keys[0], &root, &failed);
    if (status == 0)
        status = open_channel(session, controller, identity, ca, server_name, &failed);
    json_decref(root);
    if (status == 0)
        status = umx_handle_open(UMX_HANDLE_SESSION, session, release, &handle, &failed);
    if (status == 0) {
        *out = handle;
        return 0;
    }
    release(session);
    return umx_client_fail(&failed, err);
}

void umx_session_close(umx_session *handle)
{
    umx_handle_close(UMX_HANDLE_SESSION, handle, NULL);
}

static json_t *describe(const struct umx_client_session *session)
{
    static const char *const roles[] = {"none", "agent", "operator", "controller"};
    const struct umx_identity *own = &session->identity.identity;
    char end[UMX_CLOCK_TEXT];

    return session->has_identity ? json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "identity", own->uri, "role",
                                             roles[own->role], "name", own->name, "forest", own->forest, "deployment",
                                             own->deployment, "expires_at", umx_clock_format(own->not_after_at, end))
                                 : json_pack("{s:n,s:n,s:n,s:n,s:n,s:n}", "identity", "role", "name", "forest",
                                             "deployment", "expires_at");
}

int32_t umx_session_identity(umx_session *handle, umx_buf *json, umx_buf *err)
{
    struct umx_error failed = {0};

    if (err != NULL)
        *err = (umx_buf){0};
    if (json == NULL)
        return umx_client_missing("json", err);
    *json = (umx_buf){0};
    struct umx_client_session *session = umx_handle_hold(UMX_HANDLE_SESSION, handle);
    if (session == NULL)
        umx_fail(&failed, UMX_ERR_HANDLE_INVALID, "session", NULL);
    else if (!umx_client_write(describe(session), json))
        umx_fail(&failed, UMX_ERR_MEMORY, "identity", NULL);
    if (session != NULL)
        umx_handle_drop(handle);
    return failed.status == 0 ? 0 : umx_client_fail(&failed, err);
}

static int sign(const struct umx_client_session *session, const uint8_t *bytes, size_t length, umx_buf *signature,
                struct umx_error *err)
{
    if (length > UMX_CLIENT_JSON_MAX)
        return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, "what shall be signed", NULL);
    if (!session->has_identity)
        return umx_fail(err, UMX_ERR_NO_IDENTITY, "signature", NULL);
    return umx_signature_make(session->identity.key, bytes != NULL ? bytes : (const uint8_t *)"", length,
                              &signature->data, &signature->length, err);
}

int32_t umx_session_sign(umx_session *handle, const uint8_t *bytes, size_t length, umx_buf *signature, umx_buf *err)
{
    struct umx_error failed = {0};

    if (err != NULL)
        *err = (umx_buf){0};
    if (signature == NULL || (bytes == NULL && length > 0))
        return umx_client_missing(signature == NULL ? "signature" : "bytes", err);
    *signature = (umx_buf){0};
    struct umx_client_session *session = umx_handle_hold(UMX_HANDLE_SESSION, handle);
    if (session == NULL)
        umx_fail(&failed, UMX_ERR_HANDLE_INVALID, "session", NULL);
    else
        sign(session, bytes, length, signature, &failed);
    if (session != NULL)
        umx_handle_drop(handle);
    return failed.status == 0 ? 0 : umx_client_fail(&failed, err);
}

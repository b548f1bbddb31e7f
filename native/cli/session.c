#include "cli/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "rpc/identity_file.h"
#include "rpc/rpc.h"
#include "rpc/signature.h"

struct umx_cli_session {
    struct umx_identity_file identity;
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
};

static int load(const struct umx_cli *cli, struct umx_identity_file *out, struct umx_error *err)
{
    if (access(cli->identity, F_OK) != 0)
        return umx_fail(err, UMX_ERR_NO_IDENTITY, cli->identity, "there is no such file");
    return umx_identity_file_load(cli->identity, out, err);
}

static int take_event(const uint8_t *bytes, size_t length, struct umx_pump_event *event, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_ARENA_FLOOR + UMX_ARENA_FACTOR * length);
    ProtobufCMessage *message = NULL;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "event", NULL)
                               : umx_reflect_unpack(&umx__run_event__descriptor, bytes, length, arena, &message, err);

    if (status == 0) {
        const Umx__RunEvent *got = (const Umx__RunEvent *)message;
        event->kind = got->kind;
        umx_text_copy(event->type, sizeof event->type, got->type != NULL ? got->type : "");
        event->body = got->json != NULL ? json_loads(got->json, JSON_DECODE_ANY, NULL) : NULL;
    }
    umx_arena_free(arena);
    return status;
}

static int next(void *user, uint32_t timeout_ms, struct umx_pump_event *event, struct umx_error *err)
{
    struct umx_cli_session *session = user;
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct umx_error why = {0};

    switch (umx_rpc_call_next(session->call, timeout_ms * UMX_MILLISECOND, &bytes, &length, &why)) {
    case UMX_RPC_MESSAGE: {
        int status = take_event(bytes, length, event, err);
        free(bytes);
        return status != 0 ? status : UMX_PUMP_EVENT;
    }
    case UMX_RPC_TIMEOUT:
        return UMX_PUMP_TIMEOUT;
    case UMX_RPC_END:
        break;
    }
    if (why.status == 0)
        return UMX_PUMP_END;
    *err = why;
    return why.status;
}

static void cancel(void *user)
{
    umx_rpc_call_cancel(((struct umx_cli_session *)user)->call);
}

static int start_call(struct umx_cli_session *session, const char *operation, const json_t *arguments,
                      struct umx_error *err)
{
    Umx__Call call = UMX__CALL__INIT;
    uint8_t *bytes = NULL;
    size_t length;
    char *json = arguments != NULL ? json_dumps(arguments, JSON_COMPACT) : strdup("{}");
    int status = json == NULL ? umx_fail(err, UMX_ERR_MEMORY, operation, NULL) : 0;

    call.operation = (char *)(uintptr_t)operation; /* packed, never changed */
    call.json = json;
    if (status == 0)
        status = umx_reflect_pack(&call.base, &bytes, &length, err);
    if (status == 0)
        status =
            umx_rpc_call_start(session->channel, "/umx.v1.Operators/Run", bytes, length, true, 0, &session->call, err);
    free(bytes);
    free(json);
    return status;
}

int umx_cli_session_start(const struct umx_cli *cli, const char *operation, json_t *arguments,
                          struct umx_cli_session **out, struct umx_pump_source *source, struct umx_error *err)
{
    struct umx_cli_session *session = calloc(1, sizeof *session);
    int status = session == NULL ? umx_fail(err, UMX_ERR_MEMORY, operation, NULL) : load(cli, &session->identity, err);

    if (status == 0) {
        struct umx_rpc_tls tls = umx_identity_file_tls(&session->identity);
        umx_rpc_begin();
        status = umx_rpc_channel_open(cli->controller, &tls, NULL, UMX_MAX_OPERATOR_MESSAGE, &session->channel, err);
    }
    if (status == 0)
        status = start_call(session, operation, arguments, err);
    json_decref(arguments);
    if (status != 0) {
        umx_cli_session_close(session);
        return status;
    }
    *source = (struct umx_pump_source){.user = session, .next = next, .cancel = cancel};
    *out = session;
    return 0;
}

void umx_cli_session_close(struct umx_cli_session *session)
{
    if (session == NULL)
        return;
    umx_rpc_call_close(session->call);
    umx_rpc_channel_close(session->channel);
    umx_identity_file_free(&session->identity);
    free(session);
}

int umx_cli_session_sign(const struct umx_cli *cli, const struct umx_text *text, struct umx_text *hex,
                         struct umx_error *err)
{
    struct umx_identity_file identity = {0};
    uint8_t *signature = NULL;
    size_t length;
    int status = load(cli, &identity, err);

    if (status == 0)
        status = umx_signature_make(identity.key, umx_text_string(text), text->length, &signature, &length, err);
    if (status == 0)
        umx_text_add_hex(hex, signature, length);
    free(signature);
    umx_identity_file_free(&identity);
    return status;
}

int umx_cli_session_deployment(const struct umx_cli *cli, struct umx_text *deployment, struct umx_error *err)
{
    struct umx_identity_file identity = {0};
    int status = load(cli, &identity, err);

    if (status == 0)
        umx_text_adds(deployment, identity.identity.deployment);
    umx_identity_file_free(&identity);
    return status;
}

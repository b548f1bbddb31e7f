#include "rpc/ask.h"

#include <stdlib.h>

int umx_rpc_ask(struct umx_rpc_channel *channel, const char *path, const void *request, size_t length, int64_t deadline,
                uint8_t **reply, size_t *reply_length, struct umx_error *err)
{
    struct umx_rpc_client_call *call = NULL;
    struct umx_error end = {0};
    uint8_t *bytes;
    size_t size;
    int status = umx_rpc_call_start(channel, path, request, length, true, deadline, &call, err);

    *reply = NULL;
    *reply_length = 0;
    while (status == 0) {
        enum umx_rpc_next next = umx_rpc_call_next(call, deadline, &bytes, &size, &end);
        if (next == UMX_RPC_MESSAGE && *reply == NULL) {
            *reply = bytes;
            *reply_length = size;
            continue;
        }
        if (next == UMX_RPC_MESSAGE) {
            free(bytes);
            status = umx_fail(err, UMX_ERR_ANSWER_INVALID, path, "more than one answer");
        } else if (next == UMX_RPC_TIMEOUT) {
            status = umx_fail(err, UMX_ERR_DEADLINE, path, NULL);
        } else if (end.status != 0) {
            *err = end;
            status = end.status;
        } else if (*reply == NULL) {
            status = umx_fail(err, UMX_ERR_ANSWER_INVALID, path, "there is no answer");
        }
        break;
    }
    umx_rpc_call_close(call);
    if (status != 0) {
        free(*reply);
        *reply = NULL;
    }
    return status;
}

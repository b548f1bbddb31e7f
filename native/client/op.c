/*
 * One operation: a call of /umx.v1.Operators/Run, and its events as records.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/handle.h"
#include "client/record.h"
#include "umx/v1/operator.pb-c.h"

struct umx_client_op {
    const void *session_handle; /* held while the operation is there */
    struct umx_client_session *session;
    struct umx_rpc_client_call *call;
    char operation[UMX_CLIENT_TYPE_MAX];
    atomic_flag reading; /* somebody is in umx_op_next */
    int32_t result;      /* once it is over: UMX_REC_END or a negative status; whoever reads has it */
};

/* ---- start */

static int pack_call(struct umx_client_session *session, const char *operation, json_t *arguments, uint8_t **bytes,
                     size_t *length, struct umx_error *err)
{
    Umx__Call call = UMX__CALL__INIT;
    char *json = arguments != NULL ? json_dumps(arguments, JSON_COMPACT) : strdup("{}");
    char *name = strdup(operation);
    int status = 0;

    call.operation = name;
    call.json = json;
    if (session->trust_path != NULL) { /* empty: nothing is kept yet */
        call.has_trust = 1;
        call.trust =
            (ProtobufCBinaryData){.len = session->has_trust ? sizeof session->trust : 0, .data = session->trust};
    }
    *bytes = NULL;
    if (json != NULL && name != NULL) {
        *length = umx__call__get_packed_size(&call);
        *bytes = malloc(*length);
    }
    if (*bytes != NULL)
        umx__call__pack(&call, *bytes);
    else
        status = umx_fail(err, UMX_ERR_MEMORY, operation, NULL);
    free(json);
    free(name);
    return status;
}

static int start(struct umx_client_op *op, const uint8_t *json, size_t length, struct umx_error *err)
{
    const char *operation = NULL;
    json_t *arguments = NULL;
    int64_t deadline = 0;
    const struct umx_client_key keys[] = {{"operation", UMX_KEY_TEXT, true, &operation},
                                          {"arguments", UMX_KEY_OBJECT, false, &arguments},
                                          {"deadline_ms", UMX_KEY_INTEGER, false, &deadline}};
    uint8_t *bytes = NULL;
    size_t size = 0;
    json_t *root;
    int status = umx_client_parse(json, length, keys, sizeof keys / sizeof keys[0], &root, err);

    if (status == 0 && (deadline < 0 || deadline > INT32_MAX))
        status = umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "deadline_ms", NULL);
    if (status == 0)
        status = pack_call(op->session, operation, arguments, &bytes, &size, err);
    if (status == 0) {
        umx_text_copy(op->operation, sizeof op->operation, operation);
        status = umx_rpc_call_start(op->session->channel, "/umx.v1.Operators/Run", bytes, size, true,
                                    deadline * UMX_MILLISECOND, &op->call, err);
    }
    free(bytes);
    json_decref(root);
    return status;
}

static void stop(void *user)
{
    struct umx_client_op *op = user;

    umx_rpc_call_cancel(op->call);
}

static void release(void *user)
{
    struct umx_client_op *op = user;

    umx_rpc_call_close(op->call);
    umx_handle_drop(op->session_handle);
    free(op);
}

int32_t umx_op_start(umx_session *session, const uint8_t *json, size_t length, umx_op **out, umx_buf *err)
{
    struct umx_error failed = {0};
    void *handle = NULL;

    if (err != NULL)
        *err = (umx_buf){0};
    if (out == NULL)
        return umx_client_missing("out", err);
    *out = NULL;
    struct umx_client_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        umx_fail(&failed, UMX_ERR_MEMORY, "operation", NULL);
        return umx_client_fail(&failed, err);
    }
    op->session_handle = session;
    op->session = umx_handle_hold(UMX_HANDLE_SESSION, session);
    if (op->session == NULL)
        umx_fail(&failed, UMX_ERR_HANDLE_INVALID, "session", NULL);
    else if (start(op, json, length, &failed) == 0)
        umx_handle_open(UMX_HANDLE_OP, op, release, &handle, &failed);
    if (failed.status == 0) {
        *out = handle;
        return 0;
    }
    if (op->session != NULL)
        release(op);
    else
        free(op);
    return umx_client_fail(&failed, err);
}

/* ---- records */

/* Tells an error in the record. */
static int32_t tell(const struct umx_error *failed, umx_buf *record)
{
    json_t *body = umx_client_error(failed);
    json_t *made = body != NULL ? json_pack("{s:s,s:s,s:o}", "kind", "failed", "type", "error", "json", body) : NULL;

    umx_client_write(made, record);
    return failed->status < 0 ? failed->status : UMX_E_INTERNAL;
}

/* The kind of the next record, or a negative status with err. */
static int next(struct umx_client_op *op, int64_t until, umx_buf *record, struct umx_error *err)
{
    uint8_t *bytes;
    size_t length;
    int kind = 0;

    while (kind == 0) { /* some events are for the library itself */
        int64_t left = until - umx_clock_monotonic();
        enum umx_rpc_next next = umx_rpc_call_next(op->call, left > 0 ? left : 0, &bytes, &length, err);
        if (next == UMX_RPC_TIMEOUT)
            return UMX_REC_TIMEOUT;
        if (next == UMX_RPC_END)
            return err->status != 0 ? err->status
                                    : umx_fail(err, UMX_ERR_ANSWER_INVALID, op->operation, "the answer has no end");
        kind = umx_client_record_read(op->session, bytes, length, record, err);
        free(bytes);
        if (kind == 0 && umx_clock_monotonic() >= until)
            return UMX_REC_TIMEOUT;
    }
    return kind;
}

int32_t umx_op_next(umx_op *handle, uint32_t timeout_ms, umx_buf *record)
{
    struct umx_error failed = {0};
    int32_t kind;

    if (record == NULL)
        return umx_client_missing("record", NULL);
    *record = (umx_buf){0};
    struct umx_client_op *op = umx_handle_hold(UMX_HANDLE_OP, handle);
    if (op == NULL) {
        umx_fail(&failed, UMX_ERR_HANDLE_INVALID, "operation", NULL);
        return tell(&failed, record);
    }
    if (atomic_flag_test_and_set(&op->reading)) {
        umx_fail(&failed, UMX_ERR_HANDLE_BUSY, op->operation, NULL);
        kind = tell(&failed, record);
        umx_handle_drop(handle);
        return kind;
    }
    kind = op->result;
    if (kind == 0)
        kind = next(op, umx_clock_monotonic() + (int64_t)timeout_ms * UMX_MILLISECOND, record, &failed);
    if (failed.status != 0) {
        kind = tell(&failed, record);
        stop(op);
    }
    if (kind < 0 || kind == UMX_REC_END)
        op->result = kind;
    atomic_flag_clear(&op->reading);
    umx_handle_drop(handle);
    return kind;
}

int32_t umx_op_cancel(umx_op *handle)
{
    struct umx_client_op *op = umx_handle_hold(UMX_HANDLE_OP, handle);

    if (op == NULL)
        return umx_error_text(UMX_ERR_HANDLE_INVALID)->status;
    stop(op);
    umx_handle_drop(handle);
    return 0;
}

void umx_op_close(umx_op *handle)
{
    umx_handle_close(UMX_HANDLE_OP, handle, stop);
}

/*
 * One operation: a call of /umx.v1.Operators/Run, and its events as records. What comes is checked before it goes on
 * into somebody's process: kinds and types are known words, the body is JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "client/session.h"
#include "umx/v1/operator.pb-c.h"

enum { TYPE_MAX = 64, ARENA_FLOOR = 64 * 1024 };

struct umx_op {
    struct umx_session *session;
    struct umx_rpc_client_call *call;
    char operation[TYPE_MAX];
    int32_t result; /* once it is over: UMX_REC_END or a negative status */
};

/* ---- start */

static int pack_call(struct umx_session *session, const char *operation, json_t *arguments, uint8_t **bytes,
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

static int start(struct umx_op *op, const uint8_t *json, size_t length, struct umx_error *err)
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

int32_t umx_op_start(umx_session *session, const uint8_t *json, size_t length, umx_op **out, umx_buf *err)
{
    struct umx_error failed = {0};

    if (err != NULL)
        *err = (umx_buf){0};
    if (session == NULL || out == NULL)
        return UMX_E_ARGUMENT;
    *out = NULL;
    struct umx_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        umx_fail(&failed, UMX_ERR_MEMORY, "operation", NULL);
        return umx_client_fail(&failed, err);
    }
    op->session = session;
    umx_client_session_ref(session);
    if (start(op, json, length, &failed) == 0) {
        *out = op;
        return 0;
    }
    umx_op_close(op);
    return umx_client_fail(&failed, err);
}

/* ---- records */

static const char *const kinds[] = {
    [UMX_REC_ITEM] = "item",       [UMX_REC_PROGRESS] = "progress", [UMX_REC_VERBOSE] = "verbose",
    [UMX_REC_WARNING] = "warning", [UMX_REC_ERROR] = "error",       [UMX_REC_END] = "end"};

static bool plain_word(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length < TYPE_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* A body is passed on as it stands, so it must be a whole JSON value. */
static bool valid_json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    bool valid = value != NULL;

    json_decref(value);
    return valid;
}

static int write_record(const Umx__RunEvent *event, umx_buf *record, struct umx_error *err)
{
    struct umx_text text = {0};
    int kind = event->has_kind ? (int)event->kind : 0;
    const char *type = event->type != NULL ? event->type : "";
    const char *body = event->json != NULL && event->json[0] != '\0' ? event->json : "null";

    if (kind < UMX_REC_ITEM || kind > UMX_REC_END || !plain_word(type) || !valid_json(body))
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, type, "an event is malformed");
    umx_text_addf(&text, "{\"kind\":\"%s\",\"type\":\"%s\",\"json\":", kinds[kind], type);
    umx_text_adds(&text, body);
    umx_text_adds(&text, "}");
    return umx_client_give(&text, record) ? kind : umx_fail(err, UMX_ERR_MEMORY, type, NULL);
}

/* What is for this library and not for its caller. */
static bool is_trust(const Umx__RunEvent *event)
{
    return event != NULL && event->has_kind && event->kind == UMX__RUN_EVENT__KIND__VERBOSE && event->type != NULL &&
           strcmp(event->type, "trust") == 0;
}

/* The kind of the record, 0 when there is none to pass on, or a negative status. */
static int read_event(const struct umx_op *op, const uint8_t *bytes, size_t length, umx_buf *record,
                      struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(2 * length + ARENA_FLOOR);
    Umx__RunEvent *event = arena != NULL ? umx__run_event__unpack(umx_arena_allocator(arena), length, bytes) : NULL;
    int kind;

    if (is_trust(event))
        kind = umx_client_trust_keep(op->session, event->json, err);
    else
        kind =
            event != NULL ? write_record(event, record, err) : umx_fail(err, UMX_ERR_ANSWER_INVALID, "an event", NULL);

    umx_arena_free(arena);
    return kind;
}

/* Ends the operation with an error, told in the record. */
static int32_t fail(struct umx_op *op, const struct umx_error *failed, umx_buf *record)
{
    json_t *body = umx_client_error(failed);
    json_t *made = body != NULL ? json_pack("{s:s,s:s,s:o}", "kind", "failed", "type", "error", "json", body) : NULL;

    umx_client_write(made, record);
    op->result = failed->status < 0 ? failed->status : UMX_E_INTERNAL;
    umx_rpc_call_cancel(op->call);
    return op->result;
}

int32_t umx_op_next(umx_op *op, uint32_t timeout_ms, umx_buf *record)
{
    struct umx_error failed = {0};
    uint8_t *bytes;
    size_t length;

    if (op == NULL || record == NULL)
        return UMX_E_ARGUMENT;
    *record = (umx_buf){0};
    if (op->result != 0)
        return op->result;
    enum umx_rpc_next next =
        umx_rpc_call_next(op->call, (int64_t)timeout_ms * UMX_MILLISECOND, &bytes, &length, &failed);
    if (next == UMX_RPC_TIMEOUT)
        return UMX_REC_TIMEOUT;
    if (next == UMX_RPC_END) {
        if (failed.status == 0)
            umx_fail(&failed, UMX_ERR_ANSWER_INVALID, op->operation, "the answer has no end");
        return fail(op, &failed, record);
    }
    int kind = read_event(op, bytes, length, record, &failed);
    free(bytes);
    if (kind < 0)
        return fail(op, &failed, record);
    if (kind == 0)
        return umx_op_next(op, timeout_ms, record);
    if (kind == UMX_REC_END)
        op->result = UMX_REC_END;
    return kind;
}

int32_t umx_op_cancel(umx_op *op)
{
    if (op == NULL)
        return UMX_E_ARGUMENT;
    umx_rpc_call_cancel(op->call);
    return 0;
}

void umx_op_close(umx_op *op)
{
    if (op == NULL)
        return;
    umx_rpc_call_close(op->call);
    umx_client_session_unref(op->session);
    free(op);
}

#include "controller/operation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/access.h"
#include "controller/authority.h"
#include "controller/refusals.h"

#define RECHECK (30 * UMX_SECOND)

enum { PART_MAX = 512 * 1024 }; /* bytes of a part of a long text */

static int send_event(struct umx_operation *operation, Umx__RunEvent__Kind kind, const char *type, const char *json,
                      struct umx_error *err)
{
    Umx__RunEvent event = UMX__RUN_EVENT__INIT;
    uint8_t *bytes = NULL;
    size_t length;

    event.has_kind = 1;
    event.kind = kind;
    event.type = umx_arena_string(operation->arena, type);
    event.json = (char *)(uintptr_t)json; /* packed, never changed */
    int status = umx_reflect_pack(&event.base, &bytes, &length, err);
    if (status == 0)
        status = umx_rpc_answer(operation->call, bytes, length, err);
    free(bytes);
    return status;
}

int umx_operation_item_json(struct umx_operation *operation, const char *type, const char *json, struct umx_error *err)
{
    return send_event(operation, UMX__RUN_EVENT__KIND__ITEM, type, json, err);
}

int umx_operation_parts(struct umx_operation *operation, const char *type, const struct umx_text *text,
                        struct umx_error *err)
{
    int status = text->failed ? umx_fail(err, UMX_ERR_MEMORY, type, NULL) : 0;

    for (size_t at = 0, length; status == 0 && at < text->length; at += length) {
        struct umx_text part = {0}, json = {0};
        length = text->length - at < PART_MAX ? text->length - at : PART_MAX;
        while (at + length < text->length && ((unsigned char)text->data[at + length] & 0xc0U) == 0x80U)
            length--;
        umx_text_add(&part, text->data + at, length);
        umx_reflect_json_string(&json, umx_text_string(&part));
        status = part.failed || json.failed ? umx_fail(err, UMX_ERR_MEMORY, type, NULL)
                                            : umx_operation_item_json(operation, type, umx_text_string(&json), err);
        umx_text_free(&json);
        umx_text_free(&part);
    }
    return status;
}

static int send_message(struct umx_operation *operation, Umx__RunEvent__Kind kind, const char *type,
                        const ProtobufCMessage *message, struct umx_error *err)
{
    struct umx_text json = {0};

    umx_reflect_json(message, &json);
    int status = json.failed ? umx_fail(err, UMX_ERR_MEMORY, type, NULL)
                             : send_event(operation, kind, type, umx_text_string(&json), err);
    umx_text_free(&json);
    return status;
}

int umx_operation_item(struct umx_operation *operation, const char *type, const ProtobufCMessage *item,
                       struct umx_error *err)
{
    return send_message(operation, UMX__RUN_EVENT__KIND__ITEM, type, item, err);
}

int umx_operation_warn(struct umx_operation *operation, const struct umx_error *warning, struct umx_error *err)
{
    Umx__ErrorBody body = UMX__ERROR_BODY__INIT;
    const struct umx_error_text *text = umx_error_text(warning->id);

    body.id = umx_arena_format(operation->arena, "UMX-%d", warning->id);
    body.what = umx_arena_string(operation->arena, warning->what);
    body.why = umx_arena_string(operation->arena, umx_error_why(warning));
    body.remedy = umx_arena_string(operation->arena, text->remedy);
    body.target = body.what;
    body.has_status = 1;
    body.status = warning->status;
    return send_message(operation, UMX__RUN_EVENT__KIND__WARNING, "warning", &body.base, err);
}

int umx_operation_progress(struct umx_operation *operation, const char *activity, int64_t done, int64_t total,
                           struct umx_error *err)
{
    Umx__ProgressBody body = UMX__PROGRESS_BODY__INIT;

    body.activity = umx_arena_string(operation->arena, activity);
    body.has_done = 1;
    body.done = done;
    body.has_total = 1;
    body.total = total;
    return send_message(operation, UMX__RUN_EVENT__KIND__PROGRESS, "progress", &body.base, err);
}

void umx_operation_end_json(struct umx_operation *operation, const char *key, const char *json)
{
    if (operation->end.length > 0)
        umx_text_adds(&operation->end, ",");
    umx_reflect_json_string(&operation->end, key);
    umx_text_adds(&operation->end, ":");
    umx_text_adds(&operation->end, json);
}

void umx_operation_end_integer(struct umx_operation *operation, const char *key, int64_t value)
{
    char number[24];

    snprintf(number, sizeof number, "%lld", (long long)value);
    umx_operation_end_json(operation, key, number);
}

void umx_operation_end_string(struct umx_operation *operation, const char *key, const char *value)
{
    struct umx_text json = {0};

    if (value != NULL)
        umx_reflect_json_string(&json, value);
    else
        umx_text_adds(&json, "null");
    umx_operation_end_json(operation, key, umx_text_string(&json));
    umx_text_free(&json);
}

int64_t umx_operation_left(const struct umx_operation *operation)
{
    if (operation->until == 0)
        return 0;
    int64_t left = operation->until - umx_clock_monotonic();
    return left > 0 ? left : 1;
}

static const struct umx_operation_row *find(const char *name)
{
    for (const struct umx_operation_row *row = umx_operations(); row->name != NULL; row++)
        if (name != NULL && strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

static int send_end(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_text json = {0};

    umx_text_addf(&json, "{%s}", umx_text_string(&operation->end));
    int status = json.failed || operation->end.failed
                     ? umx_fail(err, UMX_ERR_MEMORY, "end", NULL)
                     : send_event(operation, UMX__RUN_EVENT__KIND__END, "end", umx_text_string(&json), err);
    umx_text_free(&json);
    return status;
}

/* A client that keeps another trust than the one of now hears of it before anything else. */
static int tell_trust(struct umx_operation *operation, const Umx__Call *call, struct umx_error *err)
{
    const struct umx_authority *authority = operation->controller->authority;
    const struct umx_trust *trust = call->has_trust && authority != NULL ? umx_authority_trust(authority) : NULL;
    struct umx_text json = {0};

    if (trust == NULL || (call->trust.len == UMX_TRUST_ID && memcmp(call->trust.data, trust->id, UMX_TRUST_ID) == 0))
        return 0;
    umx_text_adds(&json, "{\"certificates\":");
    umx_reflect_json_string(&json, trust->pem);
    umx_text_adds(&json, "}");
    int status = json.failed
                     ? umx_fail(err, UMX_ERR_MEMORY, "trust", NULL)
                     : send_event(operation, UMX__RUN_EVENT__KIND__VERBOSE, "trust", umx_text_string(&json), err);
    umx_text_free(&json);
    return status;
}

static int check(struct umx_operation *operation, const struct umx_operation_row *row, struct umx_error *err)
{
    operation->checked_at = umx_clock_monotonic();
    return umx_access_check(operation->controller, operation->caller, row->access,
                            row->mutates || row->access == UMX_ACCESS_OPERATOR, row->name, err);
}

int umx_operation_recheck(struct umx_operation *operation, struct umx_error *err)
{
    const struct umx_operation_row *row = find(operation->name);

    return row != NULL && umx_clock_monotonic() - operation->checked_at >= RECHECK ? check(operation, row, err) : 0;
}

static int run(struct umx_operation *operation, const Umx__Call *call, struct umx_error *err)
{
    const struct umx_operation_row *row = find(call->operation);
    ProtobufCMessage *arguments = NULL;
    const char *json = call->json != NULL && call->json[0] != '\0' ? call->json : "{}";

    if (row == NULL)
        return umx_fail(err, UMX_ERR_OPERATION_UNKNOWN, call->operation != NULL ? call->operation : "(none)", NULL);
    umx_text_copy(operation->name, sizeof operation->name, row->name);
    int status = check(operation, row, err);
    if (status == 0)
        status = umx_reflect_from_json(row->arguments, json, strlen(json), operation->arena, &arguments, err);
    if (status != 0)
        return status;
    if (row->mutates)
        umx_log(UMX_LOG_INFO, "operation", "%s by %s from %s", row->name, operation->caller->uri,
                umx_rpc_call_peer(operation->call));
    if ((status = tell_trust(operation, call, err)) != 0)
        return status;
    operation->arguments = arguments;
    operation->until = row->deadline > 0 ? umx_clock_monotonic() + row->deadline * UMX_SECOND : 0;
    status = row->run(operation, err);
    if (status == 0)
        status = send_end(operation, err);
    return status;
}

int umx_operation_serve(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                        size_t length, struct umx_error *err)
{
    struct umx_operation operation = {.controller = user, .call = call, .caller = peer};
    ProtobufCMessage *message = NULL;

    operation.arena = umx_arena_new(UMX_MAX_OPERATOR_MESSAGE);
    if (operation.arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "operation", NULL);
    int status = umx_reflect_unpack(&umx__call__descriptor, request, length, operation.arena, &message, err);
    if (status == 0)
        status = run(&operation, (const Umx__Call *)message, err);
    /* No right, no proof, no such operation, or nothing that could be read. */
    if (status == UMX_E_DENIED || status == UMX_E_UNAUTHENTICATED || (status != 0 && operation.arguments == NULL))
        umx_refusals_note(operation.controller->refusals, peer, umx_rpc_call_peer(call),
                          operation.name[0] != '\0' ? operation.name : "Operators/Run", err);
    umx_text_free(&operation.end);
    umx_arena_free(operation.arena);
    return status;
}

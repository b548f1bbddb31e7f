#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/open.h"
#include "cli/value.h"
#include "client/umx.h"

struct umx_cli_session {
    umx_session *session;
    umx_op *op;
};

static const struct {
    int32_t record;
    Umx__RunEvent__Kind kind;
} kinds[] = {
    {UMX_REC_ITEM, UMX__RUN_EVENT__KIND__ITEM},       {UMX_REC_PROGRESS, UMX__RUN_EVENT__KIND__PROGRESS},
    {UMX_REC_VERBOSE, UMX__RUN_EVENT__KIND__VERBOSE}, {UMX_REC_WARNING, UMX__RUN_EVENT__KIND__WARNING},
    {UMX_REC_ERROR, UMX__RUN_EVENT__KIND__ERROR},     {UMX_REC_END, UMX__RUN_EVENT__KIND__END},
};

/* JSON of a buffer of the library, which is released; NULL when it is none. */
static json_t *take_json(umx_buf *buffer)
{
    json_t *value = json_loadb((const char *)buffer->data, buffer->length, JSON_DECODE_ANY, NULL);

    umx_buf_free(buffer);
    *buffer = (umx_buf){0};
    return value;
}

static int failed(int32_t status, umx_buf *body, struct umx_error *err)
{
    json_t *value = take_json(body);

    umx_document_error(value, err);
    err->status = status;
    json_decref(value);
    return status;
}

/* The object as the bytes that the library takes. Takes over the object. */
static char *bytes_of(json_t *object, size_t *length, struct umx_error *err)
{
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    json_decref(object);
    if (text == NULL)
        umx_fail(err, UMX_ERR_MEMORY, "request", NULL);
    *length = text != NULL ? strlen(text) : 0;
    return text;
}

static int open_session(const struct umx_cli *cli, umx_session **out, struct umx_error *err)
{
    umx_buf body = {0};
    size_t length;

    *out = NULL;
    if (!umx_exists(cli->identity))
        return umx_fail(err, UMX_ERR_NO_IDENTITY, cli->identity, "there is no such file");
    char *text =
        bytes_of(json_pack("{s:s,s:s}", "controller", cli->controller, "identity", cli->identity), &length, err);
    if (text == NULL)
        return err->status;
    int32_t status = umx_session_open((const uint8_t *)text, length, out, &body);
    free(text);
    return status == 0 ? 0 : failed(status, &body, err);
}

static int take_record(int32_t record, umx_buf *buffer, struct umx_pump_event *event)
{
    json_t *value = take_json(buffer);

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].record == record)
            event->kind = kinds[i].kind;
    umx_text_copy(event->type, sizeof event->type, umx_value_string(value, "type"));
    event->body = json_incref(json_object_get(value, "json"));
    json_decref(value);
    return UMX_PUMP_EVENT;
}

static int next(void *user, uint32_t timeout_ms, struct umx_pump_event *event, struct umx_error *err)
{
    struct umx_cli_session *session = user;
    umx_buf buffer = {0};
    int32_t record = umx_op_next(session->op, timeout_ms, &buffer);

    if (record >= UMX_REC_ITEM)
        return take_record(record, &buffer, event);
    if (record == UMX_REC_TIMEOUT) {
        umx_buf_free(&buffer);
        return UMX_PUMP_TIMEOUT;
    }
    json_t *value = take_json(&buffer);
    umx_document_error(json_object_get(value, "json"), err);
    err->status = record;
    json_decref(value);
    return record;
}

static void cancel(void *user)
{
    umx_op_cancel(((struct umx_cli_session *)user)->op);
}

int umx_cli_session_start(const struct umx_cli *cli, const char *operation, json_t *arguments,
                          struct umx_cli_session **out, struct umx_pump_source *source, struct umx_error *err)
{
    struct umx_cli_session *session = calloc(1, sizeof *session);
    umx_buf body = {0};
    size_t length;
    char *text = bytes_of(
        json_pack("{s:s,s:o}", "operation", operation, "arguments", arguments != NULL ? arguments : json_object()),
        &length, err);
    int status = session == NULL || text == NULL ? umx_fail(err, UMX_ERR_MEMORY, operation, NULL)
                                                 : open_session(cli, &session->session, err);

    if (status == 0) {
        int32_t started = umx_op_start(session->session, (const uint8_t *)text, length, &session->op, &body);
        status = started == 0 ? 0 : failed(started, &body, err);
    }
    free(text);
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
    umx_op_close(session->op);
    umx_session_close(session->session);
    free(session);
}

int umx_cli_session_sign(const struct umx_cli *cli, const struct umx_text *text, struct umx_text *hex,
                         struct umx_error *err)
{
    umx_session *session;
    umx_buf signature = {0}, body = {0};
    int status = open_session(cli, &session, err);

    if (status == 0) {
        int32_t made =
            umx_session_sign(session, (const uint8_t *)umx_text_string(text), text->length, &signature, &body);
        status = made == 0 ? 0 : failed(made, &body, err);
    }
    if (status == 0)
        umx_text_add_hex(hex, signature.data, signature.length);
    umx_buf_free(&signature);
    umx_session_close(session);
    return status;
}

int umx_cli_session_deployment(const struct umx_cli *cli, struct umx_text *deployment, struct umx_error *err)
{
    umx_session *session;
    umx_buf identity = {0}, body = {0};
    int status = open_session(cli, &session, err);

    if (status == 0) {
        int32_t known = umx_session_identity(session, &identity, &body);
        status = known == 0 ? 0 : failed(known, &body, err);
    }
    if (status == 0) {
        json_t *value = take_json(&identity);
        umx_text_adds(deployment, umx_value_string(value, "deployment"));
        json_decref(value);
    }
    umx_session_close(session);
    return status;
}

int umx_cli_session_login(json_t *request, json_t **result, struct umx_error *err)
{
    umx_buf answer = {0}, body = {0};
    size_t length;
    char *text = bytes_of(request, &length, err);

    *result = NULL;
    if (text == NULL)
        return err->status;
    int32_t status = umx_login((const uint8_t *)text, length, &answer, &body);
    free(text);
    if (status != 0)
        return failed(status, &body, err);
    *result = take_json(&answer);
    return json_is_object(*result) ? 0 : umx_fail(err, UMX_ERR_ANSWER_INVALID, "login", NULL);
}

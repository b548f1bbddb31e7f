#include "client/record.h"

#include <string.h>

#include "base/arena.h"
#include "umx/v1/operator.pb-c.h"

enum { ARENA_FLOOR = 64 * 1024 };

static const char *const kinds[] = {
    [UMX_REC_ITEM] = "item",       [UMX_REC_PROGRESS] = "progress", [UMX_REC_VERBOSE] = "verbose",
    [UMX_REC_WARNING] = "warning", [UMX_REC_ERROR] = "error",       [UMX_REC_END] = "end"};

static bool plain_word(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length < UMX_CLIENT_TYPE_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
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
    return event->has_kind && event->kind == UMX__RUN_EVENT__KIND__VERBOSE && event->type != NULL &&
           strcmp(event->type, "trust") == 0;
}

int umx_client_record_read(struct umx_client_session *session, const uint8_t *bytes, size_t length, umx_buf *record,
                           struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(2 * length + ARENA_FLOOR);
    Umx__RunEvent *event = arena != NULL ? umx__run_event__unpack(umx_arena_allocator(arena), length, bytes) : NULL;
    int kind;

    *record = (umx_buf){0};
    if (event == NULL)
        kind = umx_fail(err, UMX_ERR_ANSWER_INVALID, "an event", NULL);
    else if (is_trust(event))
        kind = umx_client_trust_keep(session, event->json, err);
    else
        kind = write_record(event, record, err);
    umx_arena_free(arena);
    return kind;
}

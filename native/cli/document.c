#include "cli/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "cli/value.h"

enum { ARRAYS_MAX = 6 };

/* Every operation that changes a plan answers with the plan as `plan show` does. */
#define PLAN                                                                                                           \
    {                                                                                                                  \
        "steps", "forests", "approvals", "missing", "notes", NULL                                                      \
    }

/* Arrays per operation, the primary one first; an operation that is not here answers with scalars only. */
static const struct {
    const char *operation;
    const char *arrays[ARRAYS_MAX];
} shapes[] = {
    {"status", {"pairs", "forests", "certificates", NULL}},
    {"agents", {"agents", NULL}},
    {"agents.watch", {"agents", NULL}},
    {"agents.held", {"held", NULL}},
    {"token.create", {"tokens", NULL}},
    {"token.list", {"tokens", NULL}},
    {"query", {"rows", "silent", NULL}},
    {"query.list", {"queries", NULL}},
    {"query.save", {"queries", NULL}},
    {"check", {"findings", NULL}},
    {"snapshot.diff", {"changes", NULL}},
    {"plan.template", {"dial_plan", "auto_attendant", "user", "contact", NULL}},
    {"plan.create", PLAN},
    {"plan.show", PLAN},
    {"plan.submit", PLAN},
    {"plan.approve", PLAN},
    {"plan.deny", PLAN},
    {"plan.withdraw", PLAN},
    {"plan.start", PLAN},
    {"plan.confirm", PLAN},
    {"plan.suspend", PLAN},
    {"plan.resume", PLAN},
    {"plan.cancel", PLAN},
    {"plan.undo", PLAN},
    {"plan.list", {"plans", NULL}},
    {"plan.watch", {"entries", NULL}},
    {"audit", {"entries", NULL}},
    {"audit.verify", {"witnesses", NULL}},
    {"grants.show", {"grants", NULL}},
    {"ca.status", {"certificates", "missing", NULL}},
    {"ca.rotate.begin", {"missing", NULL}},
    {"ca.rotate.complete", {"missing", NULL}},
    {"ca.rotate.rollback", {"missing", NULL}},
    {"phases", {"phases", NULL}},
    {"phase", {"phases", "checks", NULL}},
    {"tables", {"tables", NULL}},
    {"table", {"columns", NULL}},
};

static const char *const nothing[] = {NULL};

const char *const *umx_document_arrays(const char *operation)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].operation, operation) == 0)
            return shapes[i].arrays;
    return nothing;
}

int umx_document_open(struct umx_document *document, const char *operation, struct umx_error *err)
{
    const char *const *arrays = umx_document_arrays(operation);

    *document = (struct umx_document){.root = json_object(), .primary = arrays[0]};
    if (document->root == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, operation, NULL);
    for (; *arrays != NULL; arrays++)
        if (json_object_set_new(document->root, *arrays, json_array()) != 0)
            return umx_fail(err, UMX_ERR_MEMORY, operation, NULL);
    return 0;
}

void umx_document_close(struct umx_document *document)
{
    json_decref(document->root);
    *document = (struct umx_document){0};
}

int umx_document_set(struct umx_document *document, const char *key, json_t *value, struct umx_error *err)
{
    if (json_object_set_new(document->root, key, value) != 0)
        return umx_fail(err, UMX_ERR_MEMORY, key, NULL);
    return 0;
}

int umx_document_item(struct umx_document *document, const char *array, json_t *value, struct umx_error *err)
{
    json_t *items = json_object_get(document->root, array);

    if (items == NULL) {
        items = json_array();
        if (json_object_set_new(document->root, array, items) != 0) {
            json_decref(value);
            return umx_fail(err, UMX_ERR_MEMORY, array, NULL);
        }
    }
    if (!json_is_array(items)) {
        json_decref(value);
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, array, "an item for something that is not a list");
    }
    if (++document->items > UMX_DOCUMENT_ITEMS_MAX) {
        json_decref(value);
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, array, "more than %d items", UMX_DOCUMENT_ITEMS_MAX);
    }
    if (json_array_append_new(items, value) != 0)
        return umx_fail(err, UMX_ERR_MEMORY, array, NULL);
    return 0;
}

int umx_document_message(struct umx_document *document, const char *array, const ProtobufCMessage *message,
                         struct umx_error *err)
{
    struct umx_text text = {0};
    json_error_t where;

    umx_reflect_json(message, &text);
    json_t *value = text.failed ? NULL : json_loadb(umx_text_string(&text), text.length, 0, &where);
    umx_text_free(&text);
    if (value == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, array, NULL);
    return umx_document_item(document, array, value, err);
}

int umx_document_error(const json_t *body, struct umx_error *err)
{
    const char *id = umx_value_string(body, "id");
    int number = strncmp(id, "UMX-", 4) == 0 ? (int)strtol(id + 4, NULL, 10) : 0;
    long long status = umx_value_integer(body, "status");

    umx_fail(err, number > 0 ? (enum umx_error_id)number : UMX_ERR_ANSWER_INVALID, umx_value_string(body, "what"), "%s",
             umx_value_string(body, "why"));
    if (number > 0)
        err->id = number;
    if (status < 0 && status >= UMX_E_PARTIAL)
        err->status = (int)status;
    return err->status;
}

/* Whether a warning means that the answer lacks a part. */
static bool is_partial(const json_t *body)
{
    long long status = umx_value_integer(body, "status");

    return status == UMX_E_UNREACHABLE || status == UMX_E_TIMEOUT || status == UMX_E_PARTIAL ||
           status == UMX_E_UNAUTHENTICATED; /* a forest that refused the reader's logon */
}

int umx_document_event(struct umx_document *document, Umx__RunEvent__Kind kind, const char *type, json_t *body,
                       struct umx_error *err)
{
    if (body == NULL)
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, type, "an event without JSON");
    switch (kind) {
    case UMX__RUN_EVENT__KIND__ITEM:
        if (type == NULL || type[0] == '\0') {
            json_decref(body);
            return umx_fail(err, UMX_ERR_ANSWER_INVALID, "item", "an item without type");
        }
        return umx_document_item(document, type, body, err);
    case UMX__RUN_EVENT__KIND__WARNING:
        document->warnings++;
        document->partial = document->partial || is_partial(body);
        break;
    case UMX__RUN_EVENT__KIND__ERROR: /* about one target: the others are answered */
        document->warnings++;
        document->partial = true;
        break;
    case UMX__RUN_EVENT__KIND__END:
        document->ended = true;
        if (json_is_object(body) && json_object_update(document->root, body) != 0) {
            json_decref(body);
            return umx_fail(err, UMX_ERR_MEMORY, "end", NULL);
        }
        break;
    default:
        break;
    }
    json_decref(body);
    return 0;
}

const json_t *umx_document_array(const struct umx_document *document, const char *name)
{
    return json_object_get(document->root, name);
}

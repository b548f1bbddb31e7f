#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/session.h"

static int wrong(struct umx_error *err, enum umx_error_id id, const char *what, const char *why)
{
    return umx_fail(err, id, what, "%s", why);
}

static int take(json_t *value, const struct umx_client_key *key, struct umx_error *err)
{
    if (key->type == UMX_KEY_TEXT && json_is_string(value))
        *(const char **)key->to = json_string_value(value);
    else if (key->type == UMX_KEY_INTEGER && json_is_integer(value))
        *(int64_t *)key->to = json_integer_value(value);
    else if (key->type == UMX_KEY_OBJECT && json_is_object(value))
        *(json_t **)key->to = value;
    else if (!json_is_null(value))
        return wrong(err, UMX_ERR_JSON_VALUE_INVALID, key->name, "the value is of another type");
    return 0;
}

static const struct umx_client_key *find(const struct umx_client_key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static int check_required(const struct umx_client_key *keys, size_t count, const json_t *root, struct umx_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(root, keys[i].name);
        if (keys[i].required && (value == NULL || json_is_null(value)))
            return wrong(err, UMX_ERR_JSON_VALUE_INVALID, keys[i].name, "it is missing");
    }
    return 0;
}

int umx_client_parse(const uint8_t *json, size_t length, const struct umx_client_key *keys, size_t count, json_t **root,
                     struct umx_error *err)
{
    json_error_t fault;
    const char *name;
    json_t *value;
    int status = 0;

    *root = NULL;
    if (json == NULL || length > UMX_CLIENT_JSON_MAX)
        return wrong(err, UMX_ERR_JSON_INVALID, "request", "it is missing or too large");
    *root = json_loadb((const char *)json, length, JSON_REJECT_DUPLICATES, &fault);
    if (*root == NULL)
        return umx_fail(err, UMX_ERR_JSON_INVALID, "request", "line %d: %s", fault.line, fault.text);
    if (!json_is_object(*root))
        status = wrong(err, UMX_ERR_JSON_INVALID, "request", "it is not an object");
    json_object_foreach(*root, name, value)
    {
        const struct umx_client_key *key = find(keys, count, name);
        if (status == 0 && key == NULL)
            status = umx_fail(err, UMX_ERR_JSON_KEY_UNKNOWN, name, NULL);
        else if (status == 0)
            status = take(value, key, err);
    }
    if (status == 0)
        status = check_required(keys, count, *root, err);
    if (status != 0) {
        json_decref(*root);
        *root = NULL;
    }
    return status;
}

json_t *umx_client_error(const struct umx_error *error)
{
    char id[16];
    json_t *body = json_object();

    snprintf(id, sizeof id, "UMX-%d", error->id);
    if (body == NULL || json_object_set_new(body, "id", json_string(id)) != 0 ||
        json_object_set_new(body, "what", json_string(error->what)) != 0 ||
        json_object_set_new(body, "why", json_string(umx_error_why(error))) != 0 ||
        json_object_set_new(body, "remedy", json_string(umx_error_text(error->id)->remedy)) != 0 ||
        json_object_set_new(body, "status", json_integer(error->status)) != 0) {
        json_decref(body);
        return NULL;
    }
    return body;
}

bool umx_client_write(json_t *value, umx_buf *out)
{
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;

    json_decref(value);
    *out = (umx_buf){.data = (uint8_t *)text, .length = text != NULL ? strlen(text) : 0};
    return text != NULL;
}

int32_t umx_client_fail(const struct umx_error *error, umx_buf *err)
{
    if (err != NULL)
        umx_client_write(umx_client_error(error), err);
    return error->status;
}

int32_t umx_client_missing(const char *parameter, umx_buf *err)
{
    struct umx_error failed;

    umx_fail(&failed, UMX_ERR_ARGUMENT_MISSING, parameter, NULL);
    return umx_client_fail(&failed, err);
}

bool umx_client_give(struct umx_text *text, umx_buf *out)
{
    if (text->failed) {
        umx_text_free(text);
        *out = (umx_buf){0};
        return false;
    }
    *out = (umx_buf){.data = (uint8_t *)text->data, .length = text->length};
    return true;
}

void umx_buf_free(umx_buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->data);
    *buf = (umx_buf){0};
}

/*
 * What became of each item of an action. The journal holds a JSON array of ActionResult for each batch; what they add
 * up to is one array, in which an item stands once.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controller/engine_private.h"

enum { PROBLEMS_SHOWN = 10 };

static bool number_of(const json_t *result, json_int_t *item)
{
    const json_t *number = json_object_get(result, "item");

    *item = json_integer_value(number);
    return json_is_integer(number) && *item >= 0;
}

bool umx_results_states(const char *json, uint8_t *states, size_t count)
{
    size_t i;
    json_t *result;

    memset(states, UMX_ITEM_OPEN, count);
    if (json == NULL)
        return true;
    json_t *root = json_loads(json, 0, NULL);
    bool good = json_is_array(root);
    json_array_foreach(root, i, result)
    {
        json_int_t item;
        if (number_of(result, &item) && (size_t)item < count)
            states[item] = json_is_true(json_object_get(result, "ok")) ? UMX_ITEM_GOOD : UMX_ITEM_FAILED;
    }
    json_decref(root);
    return good;
}

static const char *dump(json_t *root, struct umx_arena *arena)
{
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    const char *copy = text != NULL ? umx_arena_string(arena, text) : NULL;

    free(text);
    return copy;
}

static bool has_item(const json_t *array, json_int_t wanted)
{
    size_t i;
    json_t *result;

    json_array_foreach(array, i, result)
    {
        json_int_t item;
        if (number_of(result, &item) && item == wanted)
            return true;
    }
    return false;
}

const char *umx_results_merge(const char *older, const char *newer, struct umx_arena *arena)
{
    json_t *first = older != NULL ? json_loads(older, 0, NULL) : json_array();
    json_t *second = newer != NULL ? json_loads(newer, 0, NULL) : json_array();
    json_t *merged = json_array();
    const char *text = NULL;
    size_t i;
    json_t *result;

    if (json_is_array(first) && json_is_array(second) && merged != NULL) {
        json_array_foreach(first, i, result)
        {
            json_int_t item;
            if (number_of(result, &item) && !has_item(second, item))
                json_array_append(merged, result);
        }
        if (json_array_extend(merged, second) == 0)
            text = dump(merged, arena);
    }
    json_decref(first);
    json_decref(second);
    json_decref(merged);
    return text;
}

const char *umx_results_forget_failed(const char *json, struct umx_arena *arena)
{
    json_t *root = json != NULL ? json_loads(json, 0, NULL) : NULL;

    for (size_t i = json_array_size(root); i > 0; i--)
        if (!json_is_true(json_object_get(json_array_get(root, i - 1), "ok")))
            json_array_remove(root, i - 1);
    const char *text = dump(root, arena);
    json_decref(root);
    return text;
}

const char *umx_results_problems(const char *json, struct umx_arena *arena)
{
    json_t *root = json != NULL ? json_loads(json, 0, NULL) : NULL;
    struct umx_text text = {0};
    size_t i;
    json_t *result;

    json_array_foreach(root, i, result)
    {
        const char *why = json_string_value(json_object_get(result, "detail"));
        if (json_is_true(json_object_get(result, "ok")))
            continue;
        size_t begin = text.length;
        umx_text_addf(&text, "item %lld: %s\n", (long long)json_integer_value(json_object_get(result, "item")),
                      why != NULL ? why : "no reason given");
        for (size_t k = begin; k + 1 < text.length; k++)
            if (text.data[k] == '\n' || text.data[k] == '\r')
                text.data[k] = ' '; /* a cmdlet's words may have several lines */
    }
    umx_text_join(&text, PROBLEMS_SHOWN, UMX_ERROR_LINES_MAX);
    const char *copy = umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    json_decref(root);
    return copy;
}

char *umx_results_field(const char *json, long item, const char *field, struct umx_arena *arena)
{
    json_t *root = json != NULL ? json_loads(json, 0, NULL) : NULL;
    const char *found = json_string_value(json_object_get(root, field)); /* NULL for an array */
    char *value = found != NULL && item < 0 ? umx_arena_string(arena, found) : NULL;
    size_t i;
    json_t *result;

    json_array_foreach(root, i, result)
    {
        const char *detail = json_string_value(json_object_get(result, "detail"));
        json_int_t number;
        if (value != NULL || detail == NULL || !number_of(result, &number) || (item >= 0 && number != item))
            continue;
        json_t *inner = json_loads(detail, 0, NULL);
        found = json_string_value(json_object_get(inner, field));
        if (found != NULL)
            value = umx_arena_string(arena, found);
        json_decref(inner);
    }
    json_decref(root);
    return value;
}

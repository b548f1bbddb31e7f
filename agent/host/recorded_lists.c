/* services.json, listeners.json and events.json of a recorded host: arrays of flat objects. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/host/recorded.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

struct list {
    struct umx_arena *arena;
    char path[UMX_AGENT_PATH_MAX];
    json_t *root;
    size_t count;
};

static int list_open(struct umx_host *host, const char *name, size_t max, struct umx_arena *arena, struct list *list,
                     struct umx_error *err)
{
    json_error_t where;
    struct umx_arena *scratch;
    char *text = NULL;
    size_t length = 0;
    int status;

    *list = (struct list){.arena = arena};
    if ((status = umx_recorded_path((const struct umx_recorded *)host, name, list->path, err)) != 0)
        return status;
    scratch = umx_arena_new(UMX_HOST_LIST_MAX + 4096);
    if (scratch == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, list->path, NULL);
    status = umx_agent_file_read(list->path, UMX_HOST_LIST_MAX, scratch, &text, &length, err);
    if (status == UMX_E_NOT_FOUND) {
        status = 0; /* nothing was recorded: an empty list */
        list->root = json_array();
    } else if (status == 0) {
        list->root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
        if (list->root == NULL)
            status = umx_fail(err, UMX_ERR_HOST_UNREADABLE, list->path, "line %d: %s", where.line, where.text);
        else if (!json_is_array(list->root) || json_array_size(list->root) > max)
            status =
                umx_fail(err, UMX_ERR_HOST_UNREADABLE, list->path, "it is not an array of at most %zu objects", max);
    }
    umx_arena_free(scratch);
    if (status == 0 && list->root == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, list->path, NULL);
    if (status != 0) {
        json_decref(list->root);
        list->root = NULL;
        return status;
    }
    list->count = json_array_size(list->root);
    return 0;
}

static int list_bad(const struct list *list, size_t index, const char *key, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_HOST_UNREADABLE, list->path, "object %zu: `%s` is not what it should be", index, key);
}

/* A text of the object; a missing one or null is "". NULL: it is something else, or memory is out. */
static const char *text_of(const struct list *list, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL || json_is_null(value))
        return "";
    return json_is_string(value) ? umx_arena_string(list->arena, json_string_value(value)) : NULL;
}

static bool number_of(const json_t *object, const char *key, int32_t *number)
{
    const json_t *value = json_object_get(object, key);

    *number = 0;
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT32_MAX)
        return false;
    *number = (int32_t)json_integer_value(value);
    return true;
}

static bool time_of(const json_t *object, const char *key, int64_t *at)
{
    const json_t *value = json_object_get(object, key);

    *at = 0;
    if (value == NULL || json_is_null(value))
        return true;
    return json_is_string(value) && umx_clock_parse(json_string_value(value), at) == 0;
}

struct word {
    const char *word;
    int value;
};

static bool word_of(const json_t *object, const char *key, const struct word *words, int *out)
{
    const char *text = json_string_value(json_object_get(object, key));

    for (; text != NULL && words->word != NULL; words++) {
        if (strcmp(words->word, text) == 0) {
            *out = words->value;
            return true;
        }
    }
    return false;
}

static const struct word states[] = {
    {"running", UMX__SERVICE__STATE__RUNNING},
    {"stopped", UMX__SERVICE__STATE__STOPPED},
    {"start_pending", UMX__SERVICE__STATE__START_PENDING},
    {"stop_pending", UMX__SERVICE__STATE__STOP_PENDING},
    {"paused", UMX__SERVICE__STATE__PAUSED},
    {NULL, 0},
};
static const struct word starts[] = {
    {"automatic", UMX__SERVICE__START__AUTOMATIC},
    {"manual", UMX__SERVICE__START__MANUAL},
    {"disabled", UMX__SERVICE__START__DISABLED},
    {NULL, 0},
};
static const struct word levels[] = {
    {"information", UMX__EVENT__LEVEL__INFORMATION},
    {"warning", UMX__EVENT__LEVEL__WARNING},
    {"error", UMX__EVENT__LEVEL__ERROR},
    {NULL, 0},
};

/* Optional array of names, each ended by a line break. */
static const char *names_of(const struct list *list, const json_t *object, const char *key)
{
    const json_t *names = json_object_get(object, key);
    struct umx_text text = {0};
    const char *result = "";

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name != NULL)
            umx_text_addf(&text, "%s\n", name);
    }
    if (text.length > 0)
        result = umx_arena_string(list->arena, umx_text_string(&text));
    umx_text_free(&text);
    return result;
}

int umx_recorded_services(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **out, size_t *count,
                          struct umx_error *err)
{
    struct list list;
    int status = list_open(host, "services.json", UMX_HOST_SERVICES_MAX, arena, &list, err);

    if (status != 0)
        return status;
    *out = umx_arena_alloc(arena, (list.count + 1) * sizeof **out);
    if (*out == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, list.path, NULL);
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        struct umx_host_service *service = &(*out)[i];
        const json_t *object = json_array_get(list.root, i);
        int state = 0;
        int start = UMX__SERVICE__START__MANUAL;
        service->name = text_of(&list, object, "name");
        service->display_name = text_of(&list, object, "display_name");
        service->account = text_of(&list, object, "account");
        service->depends_on = names_of(&list, object, "depends_on");
        if (service->name == NULL || service->name[0] == '\0')
            status = list_bad(&list, i, "name", err);
        else if (service->display_name == NULL || service->account == NULL || service->depends_on == NULL)
            status = list_bad(&list, i, "display_name, account or depends_on", err);
        else if (!word_of(object, "state", states, &state))
            status = list_bad(&list, i, "state", err);
        else if (json_object_get(object, "start_type") != NULL && !word_of(object, "start_type", starts, &start))
            status = list_bad(&list, i, "start_type", err);
        else if (!number_of(object, "process_id", &service->process_id))
            status = list_bad(&list, i, "process_id", err);
        else if (!time_of(object, "started_at", &service->started_at))
            status = list_bad(&list, i, "started_at", err);
        service->state = (Umx__Service__State)state;
        service->start_type = (Umx__Service__Start)start;
    }
    *count = status == 0 ? list.count : 0;
    json_decref(list.root);
    return status;
}

int umx_recorded_listeners(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **out,
                           size_t *count, struct umx_error *err)
{
    struct list list;
    int status = list_open(host, "listeners.json", UMX_HOST_LISTENERS_MAX, arena, &list, err);

    if (status != 0)
        return status;
    *out = umx_arena_alloc(arena, (list.count + 1) * sizeof **out);
    if (*out == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, list.path, NULL);
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        struct umx_host_listener *listener = &(*out)[i];
        const json_t *object = json_array_get(list.root, i);
        listener->protocol = text_of(&list, object, "protocol");
        listener->address = text_of(&list, object, "address");
        listener->process = text_of(&list, object, "process");
        if (listener->protocol == NULL || listener->address == NULL || listener->process == NULL)
            status = list_bad(&list, i, "protocol, address or process", err);
        else if (!number_of(object, "port", &listener->port) || listener->port < 1 || listener->port > 65535)
            status = list_bad(&list, i, "port", err);
        else if (!number_of(object, "process_id", &listener->process_id))
            status = list_bad(&list, i, "process_id", err);
        if (status == 0 && listener->protocol[0] == '\0')
            listener->protocol = "tcp";
    }
    *count = status == 0 ? list.count : 0;
    json_decref(list.root);
    return status;
}

int umx_recorded_events(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                        size_t filter_count, struct umx_host_event **out, size_t *count, struct umx_error *err)
{
    struct list list;
    int status = list_open(host, "events.json", UMX_HOST_EVENTS_MAX, arena, &list, err);

    (void)filters; /* collect/ filters again, whatever the platform could do */
    (void)filter_count;
    if (status != 0)
        return status;
    *out = umx_arena_alloc(arena, (list.count + 1) * sizeof **out);
    if (*out == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, list.path, NULL);
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        struct umx_host_event *event = &(*out)[i];
        const json_t *object = json_array_get(list.root, i);
        int level = UMX__EVENT__LEVEL__INFORMATION;
        event->log = text_of(&list, object, "log");
        event->source = text_of(&list, object, "source");
        event->message = text_of(&list, object, "message");
        if (event->log == NULL || event->source == NULL || event->message == NULL)
            status = list_bad(&list, i, "log, source or message", err);
        else if (!number_of(object, "event_id", &event->event_id))
            status = list_bad(&list, i, "event_id", err);
        else if (json_object_get(object, "level") != NULL && !word_of(object, "level", levels, &level))
            status = list_bad(&list, i, "level", err);
        else if (!time_of(object, "at", &event->at))
            status = list_bad(&list, i, "at", err);
        event->level = (Umx__Event__Level)level;
    }
    *count = status == 0 ? list.count : 0;
    json_decref(list.root);
    return status;
}

int umx_recorded_restart(struct umx_host *host, const char *service, int64_t timeout, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(64 * 1024);
    struct list list;
    char at[UMX_CLOCK_TEXT];
    char *text = NULL;
    bool found = false;
    int status;

    (void)timeout;
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, service, NULL);
    if ((status = list_open(host, "services.json", UMX_HOST_SERVICES_MAX, arena, &list, err)) != 0)
        goto out;
    umx_clock_format(umx_clock_now(), at);
    for (size_t i = 0; i < list.count; i++) {
        json_t *object = json_array_get(list.root, i);
        if (!umx_text_equal(json_string_value(json_object_get(object, "name")), service))
            continue;
        found = json_object_set_new(object, "started_at", json_string(at)) == 0 &&
                json_object_set_new(object, "state", json_string("running")) == 0;
    }
    if (!found) {
        status = umx_fail(err, UMX_ERR_SERVICE_UNKNOWN, service, NULL);
    } else if ((text = json_dumps(list.root, JSON_INDENT(2))) == NULL) {
        status = umx_fail(err, UMX_ERR_MEMORY, service, NULL);
    } else if ((status = umx_agent_file_replace(list.path, text, strlen(text), err)) == 0) {
        umx_log(UMX_LOG_INFO, "host", "recorded host: %s only got a new start time; nothing was restarted", service);
    }
    json_decref(list.root);
out:
    free(text);
    umx_arena_free(arena);
    return status;
}

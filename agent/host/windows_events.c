/* Recent events of the wanted providers, newest first, by the event log's own query. Providers write their messages in
 * any language: what is kept is the raw strings of the event, the id says what it means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <winevt.h>

#include "agent/host/windows_host.h"
#include "base/clock.h"
#include "base/text.h"

enum { EACH_MAX = 50, RENDERED_MAX = 64 * 1024, WAIT_MILLISECONDS = 5000 };

enum { FIELD_ID, FIELD_LEVEL, FIELD_TIME, FIELDS };

/* Ids are filtered by the caller: a long list of them makes the query slower than the log. */
static int query_text(const struct umx_host_event_filter *filter, wchar_t *out, size_t size)
{
    char text[512];

    if (strpbrk(filter->source, "'\"<>&") != NULL)
        return -1;
    int n = snprintf(text, sizeof text, "*[System[Provider[@Name='%s']]]", filter->source);
    return n > 0 && (size_t)n < sizeof text ? umx_wide(text, out, size) : -1;
}

static bool listed(const struct umx_host_event_filter *filter, int32_t id)
{
    for (size_t i = 0; i < filter->id_count; i++)
        if (filter->ids[i] == id)
            return true;
    return false;
}

/* The inserted strings, joined. */
static const char *strings(EVT_HANDLE user, EVT_HANDLE event, EVT_VARIANT *buffer, struct umx_arena *arena)
{
    struct umx_text text = {0};
    DWORD used = 0;
    DWORD count = 0;

    if (!EvtRender(user, event, EvtRenderEventValues, RENDERED_MAX, buffer, &used, &count))
        return "";
    for (DWORD i = 0; i < count && text.length < 4096; i++) {
        const char *one = buffer[i].Type == EvtVarTypeString ? umx_narrow(buffer[i].StringVal, arena) : NULL;
        if (one != NULL && one[0] != '\0')
            umx_text_addf(&text, "%s%s", text.length > 0 ? " | " : "", one);
    }
    const char *result = umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return result;
}

static Umx__Event__Level level_of(const EVT_VARIANT *value)
{
    if (value->Type != EvtVarTypeByte || value->ByteVal == 0 || value->ByteVal > 3)
        return UMX__EVENT__LEVEL__INFORMATION;
    return value->ByteVal == 3 ? UMX__EVENT__LEVEL__WARNING : UMX__EVENT__LEVEL__ERROR;
}

static int64_t time_of(const EVT_VARIANT *value)
{
    FILETIME time = {(DWORD)value->FileTimeVal, (DWORD)(value->FileTimeVal >> 32)};

    return value->Type == EvtVarTypeFileTime ? umx_windows_time(&time) : 0;
}

/* What the three contexts of one query share. */
struct reading {
    const struct umx_host_event_filter *filter;
    struct umx_arena *arena;
    EVT_HANDLE system; /* id, level, time */
    EVT_HANDLE user;
    EVT_VARIANT *buffer;
    struct umx_host_event *list;
    size_t *count;
};

static int read_event(const struct reading *reading, EVT_HANDLE event, size_t *taken, struct umx_error *err)
{
    DWORD used = 0;
    DWORD count = 0;
    EVT_VARIANT *values = reading->buffer;

    if (!EvtRender(reading->system, event, EvtRenderEventValues, RENDERED_MAX, values, &used, &count) ||
        count < FIELDS || values[FIELD_ID].Type != EvtVarTypeUInt16 ||
        !listed(reading->filter, values[FIELD_ID].UInt16Val) || *reading->count == UMX_HOST_EVENTS_MAX)
        return 0;
    struct umx_host_event *out = &reading->list[(*reading->count)++];
    *out = (struct umx_host_event){.log = reading->filter->log,
                                   .source = reading->filter->source,
                                   .event_id = values[FIELD_ID].UInt16Val,
                                   .level = level_of(&values[FIELD_LEVEL]),
                                   .at = time_of(&values[FIELD_TIME])};
    out->message = strings(reading->user, event, reading->buffer, reading->arena);
    (*taken)++;
    return out->message != NULL ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, "events", NULL);
}

/* Made with the first log that there is. */
static bool make_contexts(struct reading *reading)
{
    static const wchar_t *paths[FIELDS] = {L"Event/System/EventID", L"Event/System/Level",
                                           L"Event/System/TimeCreated/@SystemTime"};

    if (reading->system == NULL)
        reading->system = EvtCreateRenderContext(FIELDS, (LPCWSTR *)paths, EvtRenderContextValues);
    if (reading->user == NULL)
        reading->user = EvtCreateRenderContext(0, NULL, EvtRenderContextUser);
    return reading->system != NULL && reading->user != NULL;
}

static int read_log(struct reading *reading, struct umx_error *err)
{
    wchar_t log[128];
    wchar_t query[600];
    int64_t until = umx_clock_monotonic() + WAIT_MILLISECONDS * UMX_MILLISECOND;
    size_t taken = 0;
    int status = 0;

    if (umx_wide(reading->filter->log, log, 128) != 0 || query_text(reading->filter, query, 600) != 0)
        return umx_fail(err, UMX_ERR_HOST_UNREADABLE, reading->filter->log, "not a name of a log or provider");
    EVT_HANDLE results = EvtQuery(NULL, log, query, EvtQueryChannelPath | EvtQueryReverseDirection);
    if (results == NULL) {
        DWORD code = GetLastError();
        /* Lync's log is on Lync servers only. */
        return code == ERROR_EVT_CHANNEL_NOT_FOUND
                   ? 0
                   : umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, reading->filter->log, code);
    }
    EVT_HANDLE event = NULL;
    DWORD got = 0;
    if (!make_contexts(reading))
        status = umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "events", GetLastError());
    while (status == 0 && taken < EACH_MAX && umx_clock_monotonic() < until &&
           EvtNext(results, 1, &event, WAIT_MILLISECONDS, 0, &got) && got == 1) {
        status = read_event(reading, event, &taken, err);
        EvtClose(event);
    }
    EvtClose(results);
    return status;
}

int umx_windows_events(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                       size_t filter_count, struct umx_host_event **list, size_t *count, struct umx_error *err)
{
    struct reading reading = {.arena = arena, .count = count};
    int status = 0;

    (void)host;
    *list = reading.list = umx_arena_alloc(arena, UMX_HOST_EVENTS_MAX * sizeof **list);
    reading.buffer = malloc(RENDERED_MAX);
    if (reading.list == NULL || reading.buffer == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, "events", NULL);
    for (size_t i = 0; status == 0 && i < filter_count; i++) {
        reading.filter = &filters[i];
        status = read_log(&reading, err);
    }
    if (reading.system != NULL)
        EvtClose(reading.system);
    if (reading.user != NULL)
        EvtClose(reading.user);
    free(reading.buffer);
    return status;
}

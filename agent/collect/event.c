/* Events that a check reads (spec 7), the newest fifty. */
#include <stdlib.h>
#include <string.h>

#include "agent/collect/collect.h"
#include "base/text.h"

enum { EVENTS_REPORTED = 50, MESSAGE_MAX = 1024 };

static const int32_t exchange_ids[] = {
    1000, 1001, 1015, 1016, 1021, 1037, 1038, 1060, 1061, 1062, 1063, 1064, 1065, 1066, 1067, 1068, 1069,
    1070, 1076, 1079, 1082, 1087, 1103, 1106, 1107, 1109, 1112, 1113, 1114, 1115, 1120, 1123, 1124, 1126,
    1136, 1151, 1152, 1164, 1165, 1169, 1175, 1184, 1185, 1188, 1194, 1310, 1314, 1319, 1344, 1400, 1401,
    1402, 1403, 1404, 1406, 1407, 1408, 1412, 1413, 1415, 1419, 1423, 1426, 1437, 1438, 1439, 1440, 1441,
    1442, 1444, 1445, 1447, 1448, 1621, 1622, 1643, 1645, 1646, 1647, 1649, 1651, 1684,
};
static const int32_t routing_ids[] = {44009, 44022};
static const int32_t stack_ids[] = {1008, 1010, 1014};
static const int32_t schannel_ids[] = {36885};

#define COUNT(array) (sizeof(array) / sizeof *(array))
static const struct umx_host_event_filter filters[] = {
    {"Application", "MSExchange Unified Messaging", exchange_ids, COUNT(exchange_ids)},
    {"Lync Server", "LS Exchange Unified Messaging Routing", routing_ids, COUNT(routing_ids)},
    {"Lync Server", "LS Protocol Stack", stack_ids, COUNT(stack_ids)},
    {"System", "Schannel", schannel_ids, COUNT(schannel_ids)},
};

static bool wanted(const struct umx_host_event *event)
{
    for (size_t i = 0; i < COUNT(filters); i++) {
        if (!umx_text_equal(filters[i].source, event->source) || !umx_text_equal(filters[i].log, event->log))
            continue;
        for (size_t j = 0; j < filters[i].id_count; j++)
            if (filters[i].ids[j] == event->event_id)
                return true;
    }
    return false;
}

static int newest_first(const void *a, const void *b)
{
    const struct umx_host_event *x = *(const struct umx_host_event *const *)a;
    const struct umx_host_event *y = *(const struct umx_host_event *const *)b;

    if (x->at != y->at)
        return x->at < y->at ? 1 : -1;
    return (x > y) - (x < y);
}

int umx_collect_event(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_host_event *list = NULL;
    size_t count = 0;
    size_t kept = 0;
    int status = umx_host_events(collect->host, collect->scratch, filters, COUNT(filters), &list, &count, err);

    if (status != 0)
        return status;
    struct umx_host_event **events = umx_arena_alloc(collect->scratch, (count + 1) * sizeof *events);
    if (events == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "events", NULL);
    for (size_t i = 0; i < count; i++)
        if (wanted(&list[i]))
            events[kept++] = &list[i];
    if (kept > 1)
        qsort(events, kept, sizeof(struct umx_host_event *), newest_first);
    for (size_t i = 0; i < kept && i < EVENTS_REPORTED; i++) {
        char message[MESSAGE_MAX];
        Umx__Event *row = umx_rows_add(collect->rows, &umx__event__descriptor);
        if (row == NULL)
            break;
        umx_text_copy(message, sizeof message, events[i]->message);
        row->server = umx_rows_text(collect->rows, collect->host->identity.fqdn);
        row->log = umx_rows_text(collect->rows, events[i]->log);
        row->provider = umx_rows_text(collect->rows, events[i]->source);
        row->has_event_id = row->has_level = 1;
        row->event_id = events[i]->event_id;
        row->level = events[i]->level;
        row->has_logged_at = events[i]->at != 0;
        row->logged_at = events[i]->at;
        row->message = umx_rows_text(collect->rows, message);
    }
    return 0;
}

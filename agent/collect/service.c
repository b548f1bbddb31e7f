#include <string.h>

#include "agent/collect/collect.h"
#include "base/text.h"

/* Spec 6.5. What these need to run is added from the services' own list. */
static const char *const names[] = {
    "MSExchangeUM",
    "MSExchangeUMCR",
    "MSExchangeTransport",
    "MSExchangeADTopology",
    "RTCSRV",
    "RTCMEDSRV",
    "RTCCAA",
    "RTCRGS",
    "RTCATS",
    "RTCCLSAGT",
    "REPLICA",
};

static void mark(const struct umx_host_service *list, size_t count, const char *name, size_t length, bool *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(list[i].name) != length || wanted[i])
            continue;
        char other[256];
        umx_text_copy(other, length + 1 < sizeof other ? length + 1 : sizeof other, name);
        if (umx_text_equal(list[i].name, other))
            wanted[i] = true;
    }
}

/* Marks what marked services depend on, until nothing is added. */
static void mark_dependencies(const struct umx_host_service *list, size_t count, bool *wanted)
{
    for (size_t round = 0; round < 8; round++) {
        for (size_t i = 0; i < count; i++) {
            const char *end;
            for (const char *at = list[i].depends_on; wanted[i] && (end = strchr(at, '\n')) != NULL; at = end + 1)
                mark(list, count, at, (size_t)(end - at), wanted);
        }
    }
}

int umx_collect_service(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_host_service *list = NULL;
    size_t count = 0;
    int status = umx_host_services(collect->host, collect->scratch, &list, &count, err);

    if (status != 0)
        return status;
    bool *wanted = umx_arena_alloc(collect->scratch, (count + 1) * sizeof *wanted);
    if (wanted == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "services", NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        mark(list, count, names[i], strlen(names[i]), wanted);
    mark_dependencies(list, count, wanted);
    for (size_t i = 0; i < count; i++) {
        Umx__Service *row = wanted[i] ? umx_rows_add(collect->rows, &umx__service__descriptor) : NULL;
        if (row == NULL)
            continue;
        row->server = umx_rows_text(collect->rows, collect->host->identity.fqdn);
        row->name = umx_rows_text(collect->rows, list[i].name);
        row->display_name = umx_rows_text(collect->rows, list[i].display_name);
        row->account = umx_rows_text(collect->rows, list[i].account);
        row->has_state = row->has_start_type = 1;
        row->state = list[i].state;
        row->start_type = list[i].start_type;
        row->has_process_id = list[i].process_id != 0;
        row->process_id = list[i].process_id;
        row->has_started_at = list[i].started_at != 0;
        row->started_at = list[i].started_at;
    }
    return 0;
}

/* How fresh what agents said is, and when the picture of the agents changes. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "controller/fleet_internal.h"

enum { REPORTS_MISSED = 2, GRACE = 60 /* seconds */ };

struct fresh_table {
    const struct umx_table *table;
    int64_t confirmed_at; /* by the wall clock as it is now, wherever it stood then; 0: never */
    bool failed;
};

struct fresh_agent {
    char server[UMX_FQDN_MAX];
    bool connected;
    size_t table_count;
    struct fresh_table tables[FLEET_TABLES];
};

struct umx_fleet_freshness {
    int64_t now;    /* wall clock */
    int64_t oldest; /* what was confirmed before is stale */
    size_t count;
    struct fresh_agent agents[];
};

static int by_server(const void *a, const void *b)
{
    const struct fresh_agent *x = a, *y = b;
    int order = strcasecmp(x->server, y->server);

    /* A server that was enrolled again has several identities: the one that is connected speaks for it. */
    return order != 0 ? order : (int)y->connected - (int)x->connected;
}

int umx_fleet_freshness(struct umx_fleet *fleet, struct umx_fleet_freshness **out, struct umx_error *err)
{
    size_t count = 0;

    pthread_mutex_lock(&fleet->mutex);
    for (const struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        count++;
    struct umx_fleet_freshness *freshness = calloc(1, sizeof *freshness + count * sizeof freshness->agents[0]);
    const int64_t now = umx_clock_now(), ahead = now - umx_clock_monotonic();
    for (const struct fleet_agent *agent = fleet->agents; freshness != NULL && agent != NULL; agent = agent->next) {
        struct fresh_agent *to = &freshness->agents[freshness->count++];
        umx_text_copy(to->server, sizeof to->server, agent->server);
        to->connected = agent->session != NULL;
        to->table_count = agent->table_count;
        for (size_t t = 0; t < agent->table_count; t++)
            to->tables[t] = (struct fresh_table){
                agent->tables[t].table, agent->tables[t].confirmed_on != 0 ? agent->tables[t].confirmed_on + ahead : 0,
                agent->tables[t].failed};
    }
    pthread_mutex_unlock(&fleet->mutex);
    *out = freshness;
    if (freshness == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "agents", NULL);
    freshness->now = now;
    freshness->oldest = now - (REPORTS_MISSED * fleet->controller->config->report_interval + GRACE) * UMX_SECOND;
    if (count > 1)
        qsort(freshness->agents, count, sizeof freshness->agents[0], by_server);
    return 0;
}

void umx_fleet_freshness_free(struct umx_fleet_freshness *freshness)
{
    free(freshness);
}

bool umx_fleet_fresh(const struct umx_fleet_freshness *freshness, const struct umx_table *table, const char *server,
                     int64_t *confirmed_at, bool *stale)
{
    size_t low = 0, high = freshness->count;

    while (low < high) { /* the first of its identities */
        size_t middle = low + (high - low) / 2;
        if (strcasecmp(freshness->agents[middle].server, server) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == freshness->count || strcasecmp(freshness->agents[low].server, server) != 0)
        return false;
    const struct fresh_agent *agent = &freshness->agents[low];
    *confirmed_at = 0;
    *stale = true;
    for (size_t t = 0; t < agent->table_count; t++) {
        if (agent->tables[t].table != table)
            continue;
        *confirmed_at = agent->tables[t].confirmed_at;
        *stale = !agent->connected || agent->tables[t].failed || *confirmed_at < freshness->oldest;
    }
    return true;
}

static void freshen_row(const struct umx_fleet_freshness *freshness, const struct umx_table *table,
                        const ProtobufCFieldDescriptor *server, const ProtobufCFieldDescriptor *at,
                        ProtobufCMessage *record)
{
    const char *name = NULL;
    int64_t then = 0, confirmed = 0;
    bool stale;

    memcpy(&name, (const char *)record + server->offset, sizeof name);
    memcpy(&then, (const char *)record + at->offset, sizeof then);
    /* A time that is yet to come was written before the clock was set back. */
    if (name != NULL && umx_fleet_fresh(freshness, table, name, &confirmed, &stale) &&
        (confirmed > then || (confirmed != 0 && then > freshness->now)))
        memcpy((char *)record + at->offset, &confirmed, sizeof confirmed);
}

int umx_fleet_freshen(struct umx_fleet *fleet, struct umx_world *world, struct umx_error *err)
{
    struct umx_fleet_freshness *freshness;
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    int status = umx_fleet_freshness(fleet, &freshness, err);

    for (size_t t = 0; status == 0 && t < tables; t++) {
        if (fleet_reported_table(all[t].name) == NULL)
            continue;
        size_t count;
        ProtobufCMessage **records = umx_world_table(umx_world_records(world), &all[t], &count);
        const ProtobufCFieldDescriptor *server =
            protobuf_c_message_descriptor_get_field_by_name(all[t].record, "server");
        const ProtobufCFieldDescriptor *at =
            protobuf_c_message_descriptor_get_field_by_name(all[t].record, "collected_at");
        for (size_t i = 0; at != NULL && i < count; i++)
            freshen_row(freshness, &all[t], server, at, records[i]);
    }
    umx_fleet_freshness_free(freshness);
    return status;
}

/* ---- the picture of the agents */

void fleet_picture_changed(struct umx_fleet *fleet)
{
    fleet->picture++;
    pthread_cond_broadcast(&fleet->changed);
}

void umx_fleet_hurry(struct umx_fleet *fleet)
{
    if (fleet == NULL)
        return;
    pthread_mutex_lock(&fleet->mutex);
    fleet->hurry = true;
    pthread_cond_broadcast(&fleet->changed);
    pthread_mutex_unlock(&fleet->mutex);
}

int64_t umx_fleet_watch(struct umx_fleet *fleet, int64_t seen, int64_t timeout)
{
    int64_t end = umx_clock_monotonic() + timeout;
    struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};
    int rc = 0;

    pthread_mutex_lock(&fleet->mutex);
    while (fleet->picture + 1 == seen && rc == 0 && !fleet->hurry)
        rc = pthread_cond_timedwait(&fleet->changed, &fleet->mutex, &until);
    int64_t now = fleet->hurry ? -1 : fleet->picture + 1;
    pthread_mutex_unlock(&fleet->mutex);
    return now;
}

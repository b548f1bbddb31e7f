/* Tables that are wanted now: asked of one agent or of a forest's, and waited for until their rows are stored. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "controller/fleet_internal.h"
#include "store/state.h"

/* ---- answers */

static void finish(struct umx_fleet *fleet, struct fleet_collection *collection, struct fleet_asked *asked)
{
    if (asked->done)
        return;
    asked->done = true;
    collection->open--;
    pthread_cond_broadcast(&fleet->changed);
}

void fleet_collection_answered(struct fleet_session *session, const struct umx_table *table, int64_t query, bool rows)
{
    struct umx_fleet *fleet = session->fleet;

    for (struct fleet_collection *c = fleet->collections; c != NULL; c = c->next)
        for (size_t i = 0; i < c->count; i++)
            if (c->asked[i].session == session && c->asked[i].table == table &&
                (c->query == query || (rows && c->asked[i].rows)))
                finish(fleet, c, &c->asked[i]);
}

void fleet_collection_resent(struct fleet_session *session, const struct umx_table *table, int64_t query)
{
    for (struct fleet_collection *c = session->fleet->collections; c != NULL; c = c->next)
        for (size_t i = 0; i < c->count; i++)
            if (c->query == query && c->asked[i].session == session && c->asked[i].table == table)
                c->asked[i].rows = true;
}

void fleet_collection_failed(struct fleet_session *session, const struct umx_table *table, int64_t query,
                             const char *why)
{
    struct umx_fleet *fleet = session->fleet;

    for (struct fleet_collection *c = fleet->collections; c != NULL; c = c->next)
        for (size_t i = 0; i < c->count; i++) {
            struct fleet_asked *asked = &c->asked[i];
            if (asked->done || asked->session != session || (query != 0 && c->query != query) ||
                (table != NULL && asked->table != table))
                continue;
            if (c->why[0] == '\0')
                snprintf(c->why, sizeof c->why, "%s: %s", asked->table->name, why);
            finish(fleet, c, asked);
        }
}

void fleet_collection_gone(struct fleet_session *session)
{
    fleet_collection_failed(session, NULL, 0, "the agent's connection ended");
}

/* ---- asking */

static bool is_asked(const struct fleet_agent *agent, const char *forest, const char *server)
{
    return server != NULL ? umx_text_equal(agent->server, server) : umx_text_equal(agent->forest, forest);
}

bool umx_fleet_connected(struct umx_fleet *fleet, const char *forest, const char *server)
{
    bool connected = false;

    pthread_mutex_lock(&fleet->mutex);
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        connected = connected || (agent->session != NULL && is_asked(agent, forest, server));
    pthread_mutex_unlock(&fleet->mutex);
    return connected;
}

/* Sends the question to every agent it is for; the number of those who got it. Their servers are remembered: the
 * sessions may be gone when the rows are loaded. */
static size_t ask(struct umx_fleet *fleet, struct fleet_collection *collection, const char *forest, const char *server,
                  const char *const *tables, size_t table_count, char (*servers)[UMX_FQDN_MAX])
{
    Umx__Collect collect = UMX__COLLECT__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    size_t agents = 0;

    collect.n_table = table_count;
    collect.table = (char **)(uintptr_t)tables; /* packed, never changed */
    collect.has_query = 1;
    collect.query = collection->query;
    message.message_case = UMX__TO_AGENT__MESSAGE_COLLECT;
    message.collect = &collect;
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next) {
        if (agent->session == NULL || !is_asked(agent, forest, server) || fleet_send(agent->session, &message) != 0)
            continue;
        umx_text_copy(servers[agents++], UMX_FQDN_MAX, agent->server);
        for (size_t t = 0; t < table_count; t++)
            collection->asked[collection->count++] =
                (struct fleet_asked){.session = agent->session, .table = umx_reflect_table(tables[t])};
    }
    collection->open = collection->count;
    return agents;
}

static void forget(struct umx_fleet *fleet, const struct fleet_collection *collection)
{
    struct fleet_collection **link = &fleet->collections;

    while (*link != collection)
        link = &(*link)->next;
    *link = collection->next;
}

static size_t count_agents(const struct umx_fleet *fleet)
{
    size_t n = 0;

    for (const struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        n++;
    return n;
}

static int load(struct umx_fleet *fleet, char (*servers)[UMX_FQDN_MAX], size_t agents, const char *const *tables,
                struct umx_world *world, struct umx_error *err)
{
    int status = 0;

    for (size_t a = 0; status == 0 && a < agents; a++)
        for (size_t t = 0; status == 0 && tables[t] != NULL; t++)
            status = umx_state_load_of(fleet->controller->state, umx_reflect_table(tables[t]), "server", servers[a],
                                       world, err);
    return status;
}

int umx_fleet_collect(struct umx_fleet *fleet, const char *forest, const char *server, const char *const *tables,
                      int64_t deadline, struct umx_world *world, struct umx_error *err)
{
    const char *what = server != NULL ? server : forest;
    struct fleet_collection collection = {0};
    int64_t end = umx_clock_monotonic() + deadline;
    struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};
    char(*servers)[UMX_FQDN_MAX] = NULL;
    size_t table_count = 0, agents = 0;
    int rc = 0, status = 0;

    for (; tables[table_count] != NULL; table_count++) {
        const struct umx_table *table = umx_reflect_table(tables[table_count]);
        if (table == NULL || table->derived ||
            protobuf_c_message_descriptor_get_field_by_name(table->record, "server") == NULL)
            return umx_fail(err, UMX_ERR_INTERNAL, tables[table_count], "agents have no such table");
    }
    pthread_mutex_lock(&fleet->mutex);
    size_t most = count_agents(fleet);
    servers = calloc(most + 1, sizeof *servers);
    collection.asked = calloc(most * table_count + 1, sizeof *collection.asked);
    if (servers == NULL || collection.asked == NULL) {
        pthread_mutex_unlock(&fleet->mutex);
        status = umx_fail(err, UMX_ERR_MEMORY, what, NULL);
        goto out;
    }
    /* Numbers of this process and of the ones before it differ: an old answer is none. */
    int64_t now = umx_clock_now();
    fleet->last_query = now > fleet->last_query ? now : fleet->last_query + 1;
    collection.query = fleet->last_query;
    agents = ask(fleet, &collection, forest, server, tables, table_count, servers);
    collection.next = fleet->collections;
    fleet->collections = &collection;
    while (collection.open > 0 && rc != ETIMEDOUT && !fleet->stopping)
        rc = pthread_cond_timedwait(&fleet->changed, &fleet->mutex, &until);
    forget(fleet, &collection);
    pthread_mutex_unlock(&fleet->mutex);
    if (agents == 0)
        status = umx_fail(err, UMX_ERR_AGENT_UNKNOWN, what,
                          server != NULL ? "its agent is not connected" : "no agent of the forest is connected");
    else if (collection.open > 0)
        status = umx_fail(err, UMX_ERR_DEADLINE, what, "%zu of %zu tables were not answered", collection.open,
                          collection.count);
    else if (collection.why[0] != '\0' && server != NULL)
        status = umx_fail(err, UMX_ERR_COLLECT_FAILED, what, "%s", collection.why);
    else
        status = load(fleet, servers, agents, tables, world, err);
out:
    free(collection.asked);
    free(servers);
    return status;
}

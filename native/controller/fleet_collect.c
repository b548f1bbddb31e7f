/* Tables that are wanted now: asked of agents, and waited for until their rows are stored. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "controller/fleet_internal.h"
#include "store/state.h"

#define TURN (200 * UMX_MILLISECOND) /* how soon a caller who lost patience is noticed */

/* ---- answers */

static int compare(const void *a, const void *b)
{
    const struct fleet_asked *x = a, *y = b;
    uintptr_t left = (uintptr_t)x->session, right = (uintptr_t)y->session;

    if (left != right)
        return left < right ? -1 : 1;
    return (x->table > y->table) - (x->table < y->table);
}

/* The first entry of a session (table NULL), or the one of a table. */
static size_t find(const struct fleet_collection *collection, struct fleet_session *session,
                   const struct umx_table *table)
{
    const struct fleet_asked key = {.session = session, .table = table};
    size_t low = 0, high = collection->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&collection->asked[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct fleet_asked *entry(struct fleet_collection *collection, struct fleet_session *session,
                                 const struct umx_table *table)
{
    size_t i = find(collection, session, table);

    return i < collection->count && collection->asked[i].session == session && collection->asked[i].table == table
               ? &collection->asked[i]
               : NULL;
}

static void finish(struct umx_fleet *fleet, struct fleet_collection *collection, struct fleet_asked *asked)
{
    if (asked->done)
        return;
    asked->done = true;
    if (--collection->open == 0)
        pthread_cond_broadcast(&fleet->changed);
}

void fleet_collection_answered(struct fleet_session *session, const struct umx_table *table, int64_t query, bool rows)
{
    struct umx_fleet *fleet = session->fleet;

    for (struct fleet_collection *c = fleet->collections; c != NULL; c = c->next) {
        struct fleet_asked *asked = entry(c, session, table);
        if (asked != NULL && (c->query == query || (rows && asked->rows)))
            finish(fleet, c, asked);
    }
}

void fleet_collection_resent(struct fleet_session *session, const struct umx_table *table, int64_t query)
{
    for (struct fleet_collection *c = session->fleet->collections; c != NULL; c = c->next) {
        struct fleet_asked *asked = c->query == query ? entry(c, session, table) : NULL;
        if (asked != NULL)
            asked->rows = true;
    }
}

void fleet_collection_failed(struct fleet_session *session, const struct umx_table *table, int64_t query,
                             const char *why)
{
    struct umx_fleet *fleet = session->fleet;

    for (struct fleet_collection *c = fleet->collections; c != NULL; c = c->next)
        for (size_t i = find(c, session, table); i < c->count && c->asked[i].session == session; i++) {
            struct fleet_asked *asked = &c->asked[i];
            if (asked->done || (query != 0 && c->query != query) || (table != NULL && asked->table != table))
                continue;
            asked->why = strdup(why);
            c->failed++;
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

/* Which agents, one of three ways. */
struct choice {
    const char *forest; /* with server: one forest's, or one server's */
    const char *server;
    const struct umx_fleet_question *question;
};

static int by_server(const void *key, const void *item)
{
    return strcasecmp(key, *(const char *const *)item);
}

static bool is_chosen(const struct choice *choice, const struct fleet_agent *agent)
{
    const struct umx_fleet_question *question = choice->question;

    if (question == NULL)
        return is_asked(agent, choice->forest, choice->server);
    if (agent->revoked) /* taken out of the fleet by an operator: nobody waits for it */
        return false;
    return question->all ||
           (question->server_count > 0 && bsearch(agent->server, question->servers, question->server_count,
                                                  sizeof *question->servers, by_server) != NULL);
}

/* Those who are chosen and cannot be asked, remembered with the reason. */
struct unasked {
    struct umx_fleet_silent *list;
    size_t count;
    size_t before; /* of these: not asked at all; those behind them did not answer */
    size_t left_out;
};

static void remember(struct unasked *unasked, const struct fleet_agent *agent)
{
    struct umx_fleet_silent *silent;
    char at[UMX_CLOCK_TEXT];

    if (unasked == NULL)
        return;
    silent = &unasked->list[unasked->count++];
    umx_text_copy(silent->server, sizeof silent->server, agent->server);
    if (!agent->ever)
        umx_text_copy(silent->reason, sizeof silent->reason,
                      agent->reason[0] != '\0' ? agent->reason : "not connected since this controller began");
    else
        snprintf(silent->reason, sizeof silent->reason, "not connected since %s: %.160s",
                 umx_clock_format(agent->gone_at != 0 ? agent->gone_at : agent->connected_at, at), agent->reason);
}

/* Sends the question to every agent it is for. Their servers are remembered: the sessions may be gone when the rows are
 * loaded. The number of those who got it. */
static size_t ask(struct umx_fleet *fleet, struct fleet_collection *collection, const struct choice *choice,
                  const char *const *tables, size_t table_count, int64_t deadline, char (*servers)[UMX_FQDN_MAX],
                  struct unasked *unasked)
{
    Umx__Collect collect = UMX__COLLECT__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    size_t agents = 0;

    collect.n_table = table_count;
    collect.table = (char **)(uintptr_t)tables; /* packed, never changed */
    collect.has_query = collect.has_timeout = 1;
    collect.query = collection->query;
    collect.timeout = (int32_t)((deadline + UMX_SECOND - 1) / UMX_SECOND);
    message.message_case = UMX__TO_AGENT__MESSAGE_COLLECT;
    message.collect = &collect;
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next) {
        if (!is_chosen(choice, agent))
            continue;
        if (agent->session == NULL || fleet_send(agent->session, &message) != 0) {
            remember(unasked, agent);
            continue;
        }
        umx_text_copy(servers[agents], UMX_FQDN_MAX, agent->server);
        for (size_t t = 0; t < table_count; t++)
            collection->asked[collection->count++] =
                (struct fleet_asked){.session = agent->session, .table = umx_reflect_table(tables[t]), .agent = agents};
        agents++;
    }
    collection->open = collection->count;
    if (collection->count > 0)
        qsort(collection->asked, collection->count, sizeof *collection->asked, compare);
    return agents;
}

static void forget(struct umx_fleet *fleet, const struct fleet_collection *collection)
{
    struct fleet_collection **link = &fleet->collections;

    while (*link != collection)
        link = &(*link)->next;
    *link = collection->next;
}

/* Agents that have not answered need not begin any more. */
static void cancel(const struct fleet_collection *collection)
{
    Umx__CancelCollect nothing = UMX__CANCEL_COLLECT__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    const struct fleet_session *told = NULL;

    nothing.has_query = 1;
    nothing.query = collection->query;
    message.message_case = UMX__TO_AGENT__MESSAGE_CANCEL;
    message.cancel = &nothing;
    for (size_t i = 0; i < collection->count; i++) {
        if (collection->asked[i].done || collection->asked[i].session == told)
            continue;
        told = collection->asked[i].session;
        fleet_send(collection->asked[i].session, &message);
    }
}

static size_t count_agents(const struct umx_fleet *fleet)
{
    size_t n = 0;

    for (const struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        n++;
    return n;
}

/* Numbers of this process and of the ones before it differ: an old answer is none. */
static int64_t next_query(struct umx_fleet *fleet)
{
    int64_t now = umx_clock_now();

    fleet->last_query = now > fleet->last_query ? now : fleet->last_query + 1;
    return fleet->last_query;
}

static int count_tables(const char *const *tables, size_t *count, struct umx_error *err)
{
    for (*count = 0; tables[*count] != NULL; ++*count) {
        const struct umx_table *table = umx_reflect_table(tables[*count]);
        if (table == NULL || table->derived ||
            protobuf_c_message_descriptor_get_field_by_name(table->record, "server") == NULL)
            return umx_fail(err, UMX_ERR_INTERNAL, tables[*count], "agents have no such table");
    }
    return 0;
}

static void free_collection(struct fleet_collection *collection)
{
    for (size_t i = 0; i < collection->count; i++)
        free(collection->asked[i].why);
    free(collection->asked);
}

static struct timespec moment(int64_t monotonic)
{
    return (struct timespec){.tv_sec = (time_t)(monotonic / UMX_SECOND),
                             .tv_nsec = (long)(monotonic % UMX_SECOND) * 1000};
}

/* ---- one forest, or one server */

static int load(struct umx_fleet *fleet, char (*servers)[UMX_FQDN_MAX], size_t agents, const char *const *tables,
                struct umx_world *world, struct umx_error *err)
{
    int status = 0;

    for (size_t a = 0; status == 0 && a < agents; a++)
        for (size_t t = 0; status == 0 && tables[t] != NULL; t++)
            status = umx_state_load_of(fleet->controller->state, umx_reflect_table(tables[t]), "server", servers[a],
                                       world, err);
    return status == 0 ? umx_fleet_freshen(fleet, world, err) : status;
}

static int name_failed(const struct fleet_collection *collection, const char *what, struct umx_error *err)
{
    for (size_t i = 0; i < collection->count; i++)
        if (collection->asked[i].why != NULL)
            return umx_fail(err, UMX_ERR_COLLECT_FAILED, what, "%s: %s", collection->asked[i].table->name,
                            collection->asked[i].why);
    return umx_fail(err, UMX_ERR_COLLECT_FAILED, what, NULL);
}

int umx_fleet_collect(struct umx_fleet *fleet, const char *forest, const char *server, const char *const *tables,
                      int64_t deadline, struct umx_world *world, struct umx_error *err)
{
    const char *what = server != NULL ? server : forest;
    const struct choice choice = {.forest = forest, .server = server};
    struct fleet_collection collection = {0};
    struct timespec until = moment(umx_clock_monotonic() + deadline);
    char(*servers)[UMX_FQDN_MAX] = NULL;
    size_t table_count = 0, agents = 0;
    int rc = 0;
    int status = count_tables(tables, &table_count, err);

    if (status != 0)
        return status;
    pthread_mutex_lock(&fleet->mutex);
    size_t most = count_agents(fleet);
    servers = calloc(most + 1, sizeof *servers);
    collection.asked = calloc(most * table_count + 1, sizeof *collection.asked);
    if (servers == NULL || collection.asked == NULL) {
        pthread_mutex_unlock(&fleet->mutex);
        status = umx_fail(err, UMX_ERR_MEMORY, what, NULL);
        goto out;
    }
    collection.query = next_query(fleet);
    agents = ask(fleet, &collection, &choice, tables, table_count, deadline, servers, NULL);
    collection.next = fleet->collections;
    fleet->collections = &collection;
    while (collection.open > 0 && rc != ETIMEDOUT && !fleet->stopping)
        rc = pthread_cond_timedwait(&fleet->changed, &fleet->mutex, &until);
    forget(fleet, &collection);
    cancel(&collection);
    pthread_mutex_unlock(&fleet->mutex);
    if (agents == 0)
        status = umx_fail(err, UMX_ERR_AGENT_UNKNOWN, what,
                          server != NULL ? "its agent is not connected" : "no agent of the forest is connected");
    else if (collection.open > 0)
        status = umx_fail(err, UMX_ERR_DEADLINE, what, "%zu of %zu tables were not answered", collection.open,
                          collection.count);
    else if (collection.failed > 0 && server != NULL)
        status = name_failed(&collection, what, err);
    else
        status = load(fleet, servers, agents, tables, world, err);
out:
    free_collection(&collection);
    free(servers);
    return status;
}

/* ---- many, of whom some may stay silent */

/* What one table's silence adds to its agent's reason. */
static void add_reason(struct umx_fleet_silent *silent, const struct fleet_asked *asked)
{
    size_t length = strlen(silent->reason);
    char *at = silent->reason + length;
    size_t room = sizeof silent->reason - length;
    const char *comma = length > 0 ? "; " : "";

    if (!asked->done)
        snprintf(at, room, "%stimed out: %s", comma, asked->table->name);
    else if (strcmp(asked->why, "the agent's connection ended") == 0)
        snprintf(at, room, "%s%s", length > 0 ? "" : asked->why, "");
    else /* an agent that could not says which error it was; one that would not says so in words */
        snprintf(at, room, "%s%s: %s: %.120s", comma, strncmp(asked->why, "UMX-", 4) == 0 ? "error" : "refused",
                 asked->table->name, asked->why);
}

static int by_name(const void *a, const void *b)
{
    const struct umx_fleet_silent *x = a, *y = b;

    return strcasecmp(x->server, y->server);
}

static int compare_servers(const void *a, const void *b)
{
    return strcasecmp(a, b);
}

/* A server that was enrolled again has an older identity, which is not missed while the newer one is asked. Sorts the
 * servers. */
static void leave_out_older(char (*servers)[UMX_FQDN_MAX], size_t agents, struct unasked *unasked)
{
    size_t kept = 0;

    if (agents > 1)
        qsort(servers, agents, sizeof *servers, compare_servers);
    for (size_t i = 0; i < unasked->count; i++) {
        const char *server = unasked->list[i].server;
        bool asked = i < unasked->before && agents > 0 &&
                     bsearch(server, servers, agents, sizeof *servers, compare_servers) != NULL;
        if (!asked)
            unasked->list[kept++] = unasked->list[i];
    }
    unasked->left_out = unasked->count - kept;
    unasked->count = kept;
}

/* After the collection is forgotten: agents with an open or failed table, behind those who could not be asked. */
static int tell(const struct fleet_collection *collection, size_t agents, char (*servers)[UMX_FQDN_MAX],
                struct unasked *unasked, struct umx_fleet_question *question, struct umx_error *err)
{
    size_t *place = calloc(agents + 1, sizeof *place); /* of an agent in the list, plus one */

    if (place == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "agents", NULL);
    for (size_t i = 0; i < collection->count; i++) {
        const struct fleet_asked *asked = &collection->asked[i];
        if (asked->done && asked->why == NULL)
            continue;
        if (place[asked->agent] == 0) {
            place[asked->agent] = ++unasked->count;
            umx_text_copy(unasked->list[unasked->count - 1].server, UMX_FQDN_MAX, servers[asked->agent]);
        }
        add_reason(&unasked->list[place[asked->agent] - 1], asked);
    }
    question->answered = agents;
    for (size_t a = 0; a < agents; a++)
        question->answered -= place[a] != 0;
    free(place);
    leave_out_older(servers, agents, unasked);
    if (unasked->count > 0)
        qsort(unasked->list, unasked->count, sizeof *unasked->list, by_name);
    return 0;
}

/* Agents that have answered all or failed, counted by their open tables. */
static size_t heard(const struct fleet_collection *collection, size_t agents, size_t table_count)
{
    return table_count > 0 ? agents - (collection->open + table_count - 1) / table_count : agents;
}

/* Waits in turns, and calls back between them without the lock. */
static int wait_answers(struct umx_fleet *fleet, struct fleet_collection *collection, size_t agents, size_t table_count,
                        const struct umx_fleet_question *question)
{
    int64_t end = umx_clock_monotonic() + question->deadline;
    size_t told = SIZE_MAX;
    int status = 0;

    while (status == 0) {
        size_t now = heard(collection, agents, table_count);
        pthread_mutex_unlock(&fleet->mutex);
        if (question->progress != NULL && now != told)
            status = question->progress(question->user, now, agents);
        told = now;
        bool impatient = status == 0 && question->cancelled != NULL && question->cancelled(question->user);
        pthread_mutex_lock(&fleet->mutex);
        if (impatient)
            status = UMX_E_CANCELLED;
        int64_t left = end - umx_clock_monotonic();
        if (status != 0 || left <= 0 || fleet->hurry || (collection->open == 0 && told == agents))
            break;
        struct timespec until = moment(umx_clock_monotonic() + (left < TURN ? left : TURN));
        if (collection->open > 0)
            pthread_cond_timedwait(&fleet->changed, &fleet->mutex, &until);
    }
    return status;
}

int umx_fleet_question(struct umx_fleet *fleet, struct umx_fleet_question *question, struct umx_error *err)
{
    const struct choice choice = {.question = question};
    struct fleet_collection collection = {0};
    struct unasked unasked = {0};
    char(*servers)[UMX_FQDN_MAX] = NULL;
    size_t table_count = 0, agents = 0;
    int status = count_tables(question->tables, &table_count, err);

    question->asked = question->answered = question->silent_count = 0;
    question->silent = NULL;
    if (status != 0)
        return status;
    pthread_mutex_lock(&fleet->mutex);
    size_t most = count_agents(fleet);
    servers = calloc(most + 1, sizeof *servers);
    unasked.list = calloc(most + 1, sizeof *unasked.list);
    collection.asked = calloc(most * table_count + 1, sizeof *collection.asked);
    if (servers == NULL || unasked.list == NULL || collection.asked == NULL) {
        status = umx_fail(err, UMX_ERR_MEMORY, "agents", NULL);
    } else {
        collection.query = next_query(fleet);
        agents = ask(fleet, &collection, &choice, question->tables, table_count, question->deadline, servers, &unasked);
        collection.next = fleet->collections;
        fleet->collections = &collection;
        if (wait_answers(fleet, &collection, agents, table_count, question) != 0)
            status = umx_fail(err, UMX_ERR_CANCELLED, "query", NULL);
        forget(fleet, &collection);
        cancel(&collection);
    }
    pthread_mutex_unlock(&fleet->mutex);
    unasked.before = unasked.count;
    if (status == 0)
        status = tell(&collection, agents, servers, &unasked, question, err);
    question->asked = agents + unasked.before - unasked.left_out;
    free_collection(&collection);
    free(servers);
    if (status != 0) {
        free(unasked.list);
        return status;
    }
    question->silent = unasked.list;
    question->silent_count = unasked.count;
    return 0;
}

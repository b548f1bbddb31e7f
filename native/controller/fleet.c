#include "controller/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/authority.h"
#include "controller/fleet_internal.h"
#include "store/state.h"

enum { ASK_TIMEOUT = 30 }; /* seconds */

static size_t hash_of(const char *uri)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *uri != '\0'; uri++)
        hash = (hash ^ (unsigned char)*uri) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

struct fleet_agent *fleet_agent_by_uri(struct umx_fleet *fleet, const char *uri)
{
    struct fleet_agent *agent = fleet->slot_count > 0 ? fleet->slots[hash_of(uri) & (fleet->slot_count - 1)] : NULL;

    while (agent != NULL && strcmp(agent->uri, uri) != 0)
        agent = agent->next_of_slot;
    return agent;
}

/* Room for one more: as many slots as agents. */
static bool grow(struct umx_fleet *fleet)
{
    size_t count = fleet->slot_count > 0 ? 2 * fleet->slot_count : 64;

    if (fleet->agent_count < fleet->slot_count)
        return true;
    struct fleet_agent **slots = calloc(count, sizeof(struct fleet_agent *));
    if (slots == NULL)
        return false;
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next) {
        struct fleet_agent **slot = &slots[hash_of(agent->uri) & (count - 1)];
        agent->next_of_slot = *slot;
        *slot = agent;
    }
    free(fleet->slots);
    fleet->slots = slots;
    fleet->slot_count = count;
    return true;
}

/* The configured forest whose DNS name is the longest end of the server's. */
static void find_forest(const struct umx_config *config, struct fleet_agent *agent)
{
    size_t best = 0;

    for (size_t i = 0; i < config->forest_count; i++) {
        const char *forest = config->forests[i].name;
        size_t length = strlen(forest);
        size_t server = strlen(agent->server);
        if (length <= best || server <= length || agent->server[server - length - 1] != '.' ||
            !umx_text_equal(agent->server + server - length, forest))
            continue;
        best = length;
        umx_text_copy(agent->forest, sizeof agent->forest, forest);
    }
}

struct fleet_agent *fleet_agent_add(struct umx_fleet *fleet, const char *uri, const char *server, const char *forest)
{
    struct fleet_agent *agent = grow(fleet) ? calloc(1, sizeof *agent) : NULL;

    if (agent == NULL)
        return NULL;
    umx_text_copy(agent->uri, sizeof agent->uri, uri);
    umx_text_copy(agent->server, sizeof agent->server, server);
    find_forest(fleet->controller->config, agent);
    /* A name outside the forests' own domains is where its token says. */
    if (agent->forest[0] == '\0' && forest != NULL)
        umx_text_copy(agent->forest, sizeof agent->forest, forest);
    agent->next = fleet->agents;
    fleet->agents = agent;
    fleet->agent_count++;
    struct fleet_agent **slot = &fleet->slots[hash_of(uri) & (fleet->slot_count - 1)];
    agent->next_of_slot = *slot;
    *slot = agent;
    return agent;
}

void fleet_agent_remove(struct umx_fleet *fleet, struct fleet_agent *agent)
{
    struct fleet_agent **link = &fleet->agents;
    struct fleet_agent **slot = &fleet->slots[hash_of(agent->uri) & (fleet->slot_count - 1)];

    while (*link != agent)
        link = &(*link)->next;
    *link = agent->next;
    while (*slot != agent)
        slot = &(*slot)->next_of_slot;
    *slot = agent->next_of_slot;
    fleet->agent_count--;
    free(agent);
}

struct fleet_table *fleet_agent_table(struct fleet_agent *agent, const struct umx_table *table)
{
    for (size_t i = 0; i < agent->table_count; i++)
        if (agent->tables[i].table == table)
            return &agent->tables[i];
    if (agent->table_count == FLEET_TABLES)
        return NULL;
    agent->tables[agent->table_count].table = table;
    return &agent->tables[agent->table_count++];
}

int fleet_send(struct fleet_session *session, const Umx__ToAgent *message)
{
    uint8_t *bytes = NULL;
    size_t length;
    int status = umx_reflect_pack(&message->base, &bytes, &length, NULL);

    if (status == 0)
        status = umx_rpc_stream_send(session->stream, bytes, length);
    free(bytes);
    return status;
}

/* Whether an agent of this forest shall try it. A forest that is not configured says nothing against it. */
static bool is_for(const struct umx_fleet *fleet, const Umx__ProofTarget *target, const char *forest)
{
    const struct umx_forest_config *known = umx_config_forest(fleet->controller->config, forest);

    return !target->has_by || known == NULL || known->side == UMX__FOREST__SIDE__BOTH || known->side == target->by;
}

int fleet_send_welcome(struct fleet_session *session)
{
    struct umx_fleet *fleet = session->fleet;
    Umx__ProofTarget *targets[UMX_FLEET_PROOFS_MAX];
    Umx__Welcome welcome = UMX__WELCOME__INIT;
    Umx__JournalHead head = UMX__JOURNAL_HEAD__INIT;
    struct umx_journal_head space;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;

    welcome.controller = fleet->controller->identity;
    welcome.has_report_interval = 1;
    welcome.report_interval = fleet->controller->config->report_interval;
    welcome.proof = targets;
    for (size_t i = 0; i < fleet->proofs_told; i++)
        if (is_for(fleet, fleet->proofs[i], session->agent->forest))
            targets[welcome.n_proof++] = fleet->proofs[i];
    welcome.has_clock_at = 1;
    welcome.clock_at = umx_clock_now();
    if (!session->agent->disagrees) {
        welcome.journal_head = &head;
        fleet_head_fill(fleet, &head, &space);
    }
    message.message_case = UMX__TO_AGENT__MESSAGE_WELCOME;
    message.welcome = &welcome;
    return fleet_send(session, &message);
}

/* The newer report in the older one's place; what had asked for the older one is answered by it too. */
static void supersede(struct fleet_session *session, struct fleet_job *old, struct fleet_job *job)
{
    struct umx_world *rows = old->rows;

    if (old->query != 0)
        fleet_collection_resent(session, old->table, old->query);
    session->fleet->job_bytes += job->bytes - old->bytes;
    old->generation = job->generation;
    memcpy(old->digest, job->digest, sizeof old->digest);
    old->rows = job->rows;
    old->bytes = job->bytes;
    old->query = job->query;
    umx_world_free(rows);
    free(job);
}

int fleet_enqueue(struct fleet_session *session, struct fleet_job *job, bool *crowded)
{
    struct umx_fleet *fleet = session->fleet;
    struct fleet_table *table = session->agent != NULL ? fleet_agent_table(session->agent, job->table) : NULL;

    job->bytes = umx_arena_used(umx_world_arena(job->rows));
    if (table == NULL || job->bytes > FLEET_QUEUE_BYTES - fleet->job_bytes || fleet->stopping)
        return UMX_E_LIMIT;
    if (table->waiting != NULL) {
        supersede(session, table->waiting, job);
        session->agent->superseded++;
    } else {
        *fleet->jobs_end = job;
        fleet->jobs_end = &job->next;
        fleet->job_count++;
        fleet->job_bytes += job->bytes;
        table->waiting = job;
        if (fleet->job_count == 1) /* else the writer has not looked yet, or will when it is done */
            pthread_cond_broadcast(&fleet->changed);
    }
    *crowded = fleet->job_count > FLEET_QUEUE_SOFT || fleet->job_bytes > FLEET_QUEUE_SOFT_BYTES;
    return 0;
}

/* ---- opening and closing */

static int add_issued(void *user, const struct umx_issued_agent *issued)
{
    struct umx_fleet *fleet = user;
    struct fleet_agent *agent = issued->forgotten ? NULL : fleet_agent_by_uri(fleet, issued->uri);

    if (issued->forgotten)
        return 0;
    if (agent == NULL)
        agent = fleet_agent_add(fleet, issued->uri, issued->fqdn, issued->forest);
    if (agent == NULL)
        return UMX_E_MEMORY;
    /* Of one that was seen, the certificate it came with: a renewed one may end before the one it replaces. */
    if (!agent->ever && issued->expires_at > agent->expires_at)
        agent->expires_at = issued->expires_at;
    agent->revoked = issued->revoked;
    umx_text_copy(agent->key, sizeof agent->key, issued->key);
    return 0;
}

static void take_digest(void *user, const char *uri, const char *name, const uint8_t *digest, size_t length)
{
    struct umx_fleet *fleet = user;
    struct fleet_agent *agent = fleet_agent_by_uri(fleet, uri);
    const struct umx_table *of = umx_reflect_table(name);
    struct fleet_table *table = agent != NULL && of != NULL ? fleet_agent_table(agent, of) : NULL;

    if (table == NULL || length != FLEET_DIGEST)
        return;
    table->known = true;
    memcpy(table->digest, digest, FLEET_DIGEST);
}

/* Who is known, and what of each is stored: an agent that comes back after a restart sends what has changed. */
static int recall(struct umx_fleet *fleet, struct umx_error *err)
{
    int status = umx_authority_issued_agents(fleet->controller->authority, add_issued, fleet, err);

    return status == 0 ? umx_state_each_digest(fleet->controller->state, take_digest, fleet, err) : status;
}

static void free_agents(struct umx_fleet *fleet)
{
    while (fleet->agents != NULL) {
        struct fleet_agent *next = fleet->agents->next;
        free(fleet->agents);
        fleet->agents = next;
    }
    free(fleet->slots);
}

int umx_fleet_open(struct umx_controller *controller, struct umx_fleet **out, struct umx_error *err)
{
    struct umx_fleet *fleet = calloc(1, sizeof *fleet);
    pthread_condattr_t monotonic;

    *out = NULL;
    if (fleet == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "fleet", NULL);
    fleet->controller = controller;
    fleet->jobs_end = &fleet->jobs;
    pthread_mutex_init(&fleet->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&fleet->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int status = recall(fleet, err);
    if (status == 0 && pthread_create(&fleet->writer, NULL, fleet_writer_main, fleet) != 0)
        status = umx_fail(err, UMX_ERR_MEMORY, "fleet", "no thread can be started");
    if (status == 0) {
        *out = fleet;
        return 0;
    }
    free_agents(fleet);
    pthread_cond_destroy(&fleet->changed);
    pthread_mutex_destroy(&fleet->mutex);
    free(fleet);
    return status;
}

void umx_fleet_close(struct umx_fleet *fleet)
{
    if (fleet == NULL)
        return;
    pthread_mutex_lock(&fleet->mutex);
    fleet->stopping = true;
    pthread_cond_broadcast(&fleet->changed);
    pthread_mutex_unlock(&fleet->mutex);
    pthread_join(fleet->writer, NULL);
    free_agents(fleet);
    umx_arena_free(fleet->proof_arena);
    pthread_cond_destroy(&fleet->changed);
    pthread_mutex_destroy(&fleet->mutex);
    free(fleet);
}

/* ---- answers */

static int add_agent(struct umx_fleet *fleet, struct fleet_agent *agent, struct umx_world *world, struct umx_error *err)
{
    Umx__Agent record = UMX__AGENT__INIT;
    char state[16];

    umx_text_copy(state, sizeof state,
                  agent->session != NULL ? "connected"
                  : agent->revoked       ? "revoked"
                  : agent->ever          ? "silent"
                                         : "never");
    record.agent = agent->uri;
    record.server = agent->server;
    record.forest = agent->forest;
    record.state = state;
    record.version = agent->version;
    record.peer = agent->peer;
    record.has_connected_at = agent->ever;
    record.connected_at = agent->connected_at;
    record.has_last_report_at = agent->last_report_at != 0;
    record.last_report_at = agent->last_report_at;
    record.has_certificate_expires_at = agent->expires_at != 0;
    record.certificate_expires_at = agent->expires_at;
    record.has_recorded = agent->ever;
    record.recorded = agent->recorded;
    record.reason = agent->session == NULL ? agent->reason : NULL;
    record.has_superseded = record.has_held = agent->ever;
    record.superseded = agent->superseded;
    record.held = agent->held;
    record.has_held_at = agent->held_at != 0;
    record.held_at = agent->held_at;
    record.key = agent->key[0] != '\0' ? agent->key : NULL;
    record.has_collected_at = 1;
    record.collected_at = umx_clock_now();
    record.source = fleet->controller->identity;
    return umx_world_add(world, &record.base, err);
}

int umx_fleet_agents(struct umx_fleet *fleet, struct umx_world *world, struct umx_error *err)
{
    int status;

    pthread_mutex_lock(&fleet->mutex);
    /* `umxd issue agent` works beside a running controller: what it issued is looked up when somebody asks. */
    status = umx_authority_issued_agents(fleet->controller->authority, add_issued, fleet, err);
    for (struct fleet_agent *agent = fleet->agents; status == 0 && agent != NULL; agent = agent->next)
        status = add_agent(fleet, agent, world, err);
    pthread_mutex_unlock(&fleet->mutex);
    return status;
}

/* The few of each forest before the many servers: what is too much is then one server more. */
static bool comes_later(const Umx__ProofTarget *one, const Umx__ProofTarget *other)
{
    bool server = one->kind == UMX__PROOF__KIND__TLS, others = other->kind == UMX__PROOF__KIND__TLS;

    return server != others ? server : strcmp(one->forest, other->forest) > 0;
}

/* Once, and behind all that do not come later, so that the same targets are the same list. */
static bool keep_target(Umx__ProofTarget **list, size_t *count, const Umx__ProofTarget *target, struct umx_arena *arena)
{
    for (size_t i = 0; i < *count; i++)
        if (umx_text_equal(list[i]->host, target->host) && umx_reflect_equal(&list[i]->base, &target->base))
            return true;
    Umx__ProofTarget *copy = umx_reflect_copy(&target->base, arena);
    size_t at = (*count)++;

    for (; copy != NULL && at > 0 && comes_later(list[at - 1], copy); at--)
        list[at] = list[at - 1];
    list[at] = copy;
    return copy != NULL;
}

static bool is_read(const Umx__World *records, const char *forest)
{
    for (size_t i = 0; i < records->n_forest; i++)
        if (umx_text_equal(records->forest[i]->forest, forest))
            return records->forest[i]->error == NULL;
    return false;
}

/* How many of them a message to an agent holds. */
static size_t count_told(Umx__ProofTarget *const *targets, size_t count)
{
    enum { FRAME = 8 }; /* bytes around each, at most */
    size_t bytes = 0, told = 0;

    for (; told < count && told < UMX_FLEET_PROOFS_MAX; told++) {
        bytes += protobuf_c_message_get_packed_size(&targets[told]->base) + FRAME;
        if (bytes > UMX_FLEET_PROOFS_BYTES)
            break;
    }
    return told;
}

static int add_left_out(const Umx__ProofTarget *target, struct umx_world *world, struct umx_error *err)
{
    static char controller[] = "controller", source[] = UMX_FLEET_LEFT_OUT;
    struct umx_text name = {0}, detail = {0};
    Umx__Proof proof = UMX__PROOF__INIT;

    umx_text_adds(&name, target->host != NULL ? target->host : "");
    if (target->has_port)
        umx_text_addf(&name, ":%d", target->port);
    umx_text_addf(&detail, "no agent is asked to try it: agents are told of %d targets, and %d KiB of them, at most",
                  UMX_FLEET_PROOFS_MAX, UMX_FLEET_PROOFS_BYTES / 1024);
    proof.server = controller;
    proof.source = source;
    proof.has_kind = proof.has_status = proof.has_collected_at = 1;
    proof.kind = target->kind;
    proof.status = UMX__PROOF__STATUS__UNKNOWN;
    proof.collected_at = umx_clock_now();
    proof.target_forest = target->forest;
    proof.target = name.data;
    proof.detail = detail.data;
    int status = name.failed || detail.failed ? umx_fail(err, UMX_ERR_MEMORY, "proofs", NULL)
                                              : umx_world_add(world, &proof.base, err);
    umx_text_free(&name);
    umx_text_free(&detail);
    return status;
}

int umx_fleet_set_proofs(struct umx_fleet *fleet, const Umx__World *read, Umx__ProofTarget *const *targets,
                         size_t count, struct umx_world *left_out, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_FLEET_PROOFS_ARENA), *old = arena;
    int status = 0;
    size_t kept = 0;

    pthread_mutex_lock(&fleet->mutex);
    Umx__ProofTarget **list =
        arena != NULL ? umx_arena_alloc(arena, (fleet->proof_count + count + 1) * sizeof(Umx__ProofTarget *)) : NULL;
    bool good = list != NULL;
    for (size_t i = 0; good && i < fleet->proof_count; i++)
        if (!is_read(read, fleet->proofs[i]->forest))
            good = keep_target(list, &kept, fleet->proofs[i], arena);
    for (size_t i = 0; good && i < count; i++)
        good = keep_target(list, &kept, targets[i], arena);
    bool same = good && kept == fleet->proof_count;
    for (size_t i = 0; same && i < kept; i++)
        same = umx_reflect_equal(&list[i]->base, &fleet->proofs[i]->base);
    if (good && !same) {
        old = fleet->proof_arena;
        fleet->proof_arena = arena;
        fleet->proofs = list;
        fleet->proof_count = kept;
        fleet->proofs_told = count_told(list, kept);
        for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
            if (agent->session != NULL)
                fleet_send_welcome(agent->session);
    }
    for (size_t i = fleet->proofs_told; good && left_out != NULL && status == 0 && i < fleet->proof_count; i++)
        status = add_left_out(fleet->proofs[i], left_out, err);
    pthread_mutex_unlock(&fleet->mutex);
    umx_arena_free(old);
    return good ? status : umx_fail(err, UMX_ERR_ARENA_FULL, "proofs", NULL);
}

void umx_fleet_ask(struct umx_fleet *fleet, const char *const *tables)
{
    char *names[FLEET_TABLES];
    Umx__Collect collect = UMX__COLLECT__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;

    for (; tables[collect.n_table] != NULL && collect.n_table < FLEET_TABLES; collect.n_table++)
        names[collect.n_table] = (char *)(uintptr_t)tables[collect.n_table]; /* packed, never changed */
    collect.table = names;
    collect.has_query = 1;
    collect.query = umx_clock_now();
    collect.has_timeout = 1;
    collect.timeout = ASK_TIMEOUT;
    message.message_case = UMX__TO_AGENT__MESSAGE_COLLECT;
    message.collect = &collect;
    pthread_mutex_lock(&fleet->mutex);
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        if (agent->session != NULL)
            fleet_send(agent->session, &message);
    pthread_mutex_unlock(&fleet->mutex);
}

/* ---- actions */

void fleet_action_result(struct fleet_session *session, const Umx__ActionResult *result)
{
    struct umx_fleet *fleet = session->fleet;

    for (struct fleet_wait *wait = fleet->waits; wait != NULL; wait = wait->next) {
        if (wait->session != session || result->batch == NULL || strcmp(wait->batch, result->batch) != 0 ||
            result->item < 0 || (size_t)result->item >= wait->expected || wait->results[result->item] != NULL)
            continue;
        wait->results[result->item] = umx_reflect_copy(&result->base, wait->arena);
        wait->got += wait->results[result->item] != NULL;
        pthread_cond_broadcast(&fleet->changed);
        return;
    }
}

static struct fleet_session *session_of(struct umx_fleet *fleet, const char *server)
{
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        if (agent->session != NULL && umx_text_equal(agent->server, server))
            return agent->session;
    return NULL;
}

static void forget_wait(struct umx_fleet *fleet, const struct fleet_wait *wait)
{
    struct fleet_wait **link = &fleet->waits;

    while (*link != wait)
        link = &(*link)->next;
    *link = wait->next;
}

int umx_fleet_act(struct umx_fleet *fleet, const char *server, const Umx__ActionBatch *batch, int64_t deadline,
                  struct umx_arena *arena, Umx__ActionResult ***results, size_t *count, struct umx_error *err)
{
    struct fleet_wait wait = {.batch = batch->batch, .expected = batch->n_item, .arena = arena};
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    int64_t end = umx_clock_monotonic() + deadline;
    struct timespec until = {.tv_sec = (time_t)(end / UMX_SECOND), .tv_nsec = (long)(end % UMX_SECOND) * 1000};
    int status = 0;

    wait.results = umx_arena_alloc(arena, (batch->n_item + 1) * sizeof(Umx__ActionResult *));
    if (wait.results == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, server, NULL);
    message.message_case = UMX__TO_AGENT__MESSAGE_ACTION;
    message.action = (Umx__ActionBatch *)(uintptr_t)batch; /* packed, never changed */
    pthread_mutex_lock(&fleet->mutex);
    wait.session = session_of(fleet, server);
    if (wait.session == NULL || fleet_send(wait.session, &message) != 0) {
        pthread_mutex_unlock(&fleet->mutex);
        return umx_fail(err, UMX_ERR_AGENT_UNKNOWN, server, "its agent is not connected");
    }
    wait.next = fleet->waits;
    fleet->waits = &wait;
    while (wait.got < wait.expected && !wait.gone && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&fleet->changed, &fleet->mutex, &until);
    forget_wait(fleet, &wait);
    bool complete = wait.got == wait.expected;
    pthread_mutex_unlock(&fleet->mutex);
    if (!complete)
        return umx_fail(err, UMX_ERR_DEADLINE, server, "%zu of %zu items were answered", wait.got, wait.expected);
    *results = wait.results;
    *count = wait.expected;
    return 0;
}

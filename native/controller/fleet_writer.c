/* Storing reports: one thread, groups of reports in one transaction, accepted when they are durable. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/fleet_internal.h"
#include "store/state.h"

enum { GROUP_MAX = 512 };

static struct fleet_job *take_group(struct umx_fleet *fleet)
{
    struct fleet_job *group = NULL;
    struct fleet_job **end = &group;

    for (int i = 0; i < GROUP_MAX && fleet->jobs != NULL; i++) {
        struct fleet_job *job = fleet->jobs;
        fleet->jobs = job->next;
        job->next = NULL;
        *end = job;
        end = &job->next;
        fleet->job_count--;
        fleet->job_bytes -= job->bytes;
        struct fleet_agent *agent = fleet_agent_by_uri(fleet, job->uri);
        struct fleet_table *table = agent != NULL ? fleet_agent_table(agent, job->table) : NULL;
        if (table != NULL && table->waiting == job) {
            table->waiting = NULL;
            table->storing = true;
            table->dropped = false;
        }
    }
    if (fleet->jobs == NULL)
        fleet->jobs_end = &fleet->jobs;
    return group;
}

/* Who said it, of which server, when and for which forest: the agent chooses none of them. Only where its name is
 * within no configured forest do the rows say theirs. */
static void stamp(char *server, ProtobufCMessage *record, char *source, char *forest)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "source");
    int64_t now = umx_clock_now();
    protobuf_c_boolean yes = 1;
    char *present = NULL;

    if (field != NULL)
        memcpy((char *)record + field->offset, &source, sizeof source);
    /* As the certificate spells it: the next report finds these rows by it. */
    field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "server");
    if (field != NULL)
        memcpy((char *)record + field->offset, &server, sizeof server);
    field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "collected_at");
    if (field != NULL) {
        memcpy((char *)record + field->offset, &now, sizeof now);
        memcpy((char *)record + field->quantifier_offset, &yes, sizeof yes);
    }
    field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "forest");
    if (field == NULL)
        return;
    memcpy(&present, (char *)record + field->offset, sizeof present);
    if (forest[0] != '\0' || present == NULL)
        memcpy((char *)record + field->offset, &forest, sizeof forest);
}

static int store_job(struct umx_fleet *fleet, const struct fleet_job *job, char *forest, struct umx_error *err)
{
    size_t count;
    ProtobufCMessage **rows = umx_world_table(umx_world_records(job->rows), job->table, &count);
    char source[UMX_IDENTITY_MAX], server[UMX_FQDN_MAX];

    umx_text_copy(source, sizeof source, job->uri);
    umx_text_copy(server, sizeof server, job->server);
    for (size_t i = 0; i < count; i++)
        stamp(server, rows[i], source, forest);
    int status = umx_state_merge(fleet->controller->state, job->table, job->server, rows, count, err);
    if (status == 0)
        status = umx_state_put_digest(fleet->controller->state, job->uri, job->server, job->table->name, job->digest,
                                      sizeof job->digest, err);
    return status;
}

/* Whatever became of it, it is not being stored any more. */
static void stored(struct umx_fleet *fleet, const struct fleet_job *job)
{
    struct fleet_agent *agent = fleet_agent_by_uri(fleet, job->uri);
    struct fleet_table *table = agent != NULL ? fleet_agent_table(agent, job->table) : NULL;

    if (table != NULL)
        table->storing = false;
}

static void accept_job(struct umx_fleet *fleet, const struct fleet_job *job)
{
    struct fleet_agent *agent = fleet_agent_by_uri(fleet, job->uri);
    Umx__Accepted accepted = UMX__ACCEPTED__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    char name[64];

    if (agent == NULL)
        return;
    struct fleet_table *table = fleet_agent_table(agent, job->table);
    if (table != NULL) {
        table->known = !table->dropped;
        table->failed = false;
        table->confirmed_at = umx_clock_now();
        table->confirmed_on = umx_clock_monotonic();
        table->generation = job->generation;
        memcpy(table->digest, job->digest, FLEET_DIGEST);
    }
    agent->last_report_at = umx_clock_now();
    umx_text_copy(name, sizeof name, job->table->name);
    accepted.table = name;
    accepted.has_generation = 1;
    accepted.generation = job->generation;
    message.message_case = UMX__TO_AGENT__MESSAGE_ACCEPTED;
    message.accepted = &accepted;
    if (agent->session == NULL)
        return;
    fleet_send(agent->session, &message);
    fleet_collection_answered(agent->session, job->table, job->query, true);
}

/* Asked within the transaction: whoever takes an agent out of the fleet says so first, and drops its rows in a
 * transaction after that. False: it was taken out, and what it said would stay as nobody's. */
static bool forest_of(struct umx_fleet *fleet, const struct fleet_job *job, char *forest, size_t size)
{
    forest[0] = '\0';
    pthread_mutex_lock(&fleet->mutex);
    struct fleet_agent *agent = fleet_agent_by_uri(fleet, job->uri);
    bool wanted = agent != NULL && !agent->revoked;
    if (wanted)
        umx_text_copy(forest, size, agent->forest);
    pthread_mutex_unlock(&fleet->mutex);
    return wanted;
}

static void store_group(struct umx_fleet *fleet, struct fleet_job *group)
{
    struct umx_error err = {0};
    int status = umx_state_begin(fleet->controller->state, &err);

    for (struct fleet_job *job = group; status == 0 && job != NULL; job = job->next) {
        char forest[UMX_FQDN_MAX];
        job->unwanted = !forest_of(fleet, job, forest, sizeof forest);
        if (!job->unwanted)
            status = store_job(fleet, job, forest, &err);
    }
    if (status == 0)
        status = umx_state_commit(fleet->controller->state, &err);
    else
        umx_state_rollback(fleet->controller->state);
    /* What was not stored is not accepted: the agent keeps it and sends it again at its next report. */
    if (status != 0)
        umx_log_error("fleet", &err);
    pthread_mutex_lock(&fleet->mutex);
    while (group != NULL) {
        struct fleet_job *next = group->next;
        stored(fleet, group);
        if (status == 0 && !group->unwanted)
            accept_job(fleet, group);
        umx_world_free(group->rows);
        free(group);
        group = next;
    }
    pthread_mutex_unlock(&fleet->mutex);
}

/* A report, or the time to tell the agents of the journal. */
static void wait_for_work(struct umx_fleet *fleet)
{
    int64_t due = fleet_head_tell(fleet);
    struct timespec until = {.tv_sec = (time_t)(due / UMX_SECOND), .tv_nsec = (long)(due % UMX_SECOND) * 1000};

    if (due == 0)
        pthread_cond_wait(&fleet->changed, &fleet->mutex);
    else
        pthread_cond_timedwait(&fleet->changed, &fleet->mutex, &until);
}

void *fleet_writer_main(void *user)
{
    struct umx_fleet *fleet = user;

    for (;;) {
        pthread_mutex_lock(&fleet->mutex);
        while (fleet->jobs == NULL && !fleet->stopping)
            wait_for_work(fleet);
        struct fleet_job *group = take_group(fleet);
        pthread_mutex_unlock(&fleet->mutex);
        if (group == NULL)
            return NULL;
        store_group(fleet, group);
    }
}

/* Updates of the agents, as far as the fleet has to do with them: who takes them, what agents say of one, and the bytes
 * that they want. */
#include <stdlib.h>
#include <string.h>

#include "controller/fleet_internal.h"
#include "controller/rollout.h"
#include "controller/updates.h"

void fleet_update_hello(struct fleet_agent *agent, const Umx__Hello *hello)
{
    agent->update = (struct fleet_update){0};
    umx_text_copy(agent->update.kind, sizeof agent->update.kind,
                  hello->package_kind != NULL ? hello->package_kind : "");
    umx_text_copy(agent->update.architecture, sizeof agent->update.architecture,
                  hello->package_architecture != NULL ? hello->package_architecture : "");
}

static void keep(struct fleet_session *session, const Umx__UpdateState *state)
{
    struct fleet_update *update = &session->agent->update;

    umx_text_copy(update->id, sizeof update->id, state->id != NULL ? state->id : "");
    umx_text_copy(update->error, sizeof update->error, state->error != NULL ? state->error : "");
    umx_text_copy(update->reason, sizeof update->reason, state->reason != NULL ? state->reason : "");
    update->offset = state->offset;
    if (state->state != UMX__UPDATE_STATE__STATE__WANTED || update->state != state->state)
        fleet_picture_changed(session->fleet); /* how many bytes an agent has is no news to those who watch */
    update->state = state->state;
}

void fleet_update_heard(struct fleet_session *session, const Umx__UpdateState *state)
{
    struct umx_fleet *fleet = session->fleet;
    bool wanted = state->state == UMX__UPDATE_STATE__STATE__WANTED;
    uint8_t *bytes = wanted ? malloc(UMX_UPDATES_PART) : NULL;
    size_t length = bytes != NULL ? umx_updates_part(fleet->controller->updates, state->id, state->offset, bytes) : 0;

    pthread_mutex_lock(&fleet->mutex);
    if (session->agent != NULL) {
        Umx__UpdatePart part = UMX__UPDATE_PART__INIT;
        Umx__ToAgent message = UMX__TO_AGENT__INIT;
        keep(session, state);
        part.id = state->id;
        part.has_offset = part.has_data = 1;
        part.offset = state->offset;
        part.data = (ProtobufCBinaryData){.len = length, .data = bytes};
        message.message_case = UMX__TO_AGENT__MESSAGE_UPDATE_PART;
        message.update_part = &part;
        if (length > 0)
            fleet_send(session, &message);
    }
    pthread_mutex_unlock(&fleet->mutex);
    free(bytes);
}

void umx_fleet_tell(struct umx_fleet *fleet, const char *server, const Umx__ToAgent *message)
{
    pthread_mutex_lock(&fleet->mutex);
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        if (agent->session != NULL && umx_text_equal(agent->server, server)) {
            fleet_send(agent->session, message);
            break;
        }
    pthread_mutex_unlock(&fleet->mutex);
}

/* Whether it reported what counts since it is connected, and how much of that failed. */
static bool reported(const struct fleet_agent *agent, int *troubled)
{
    size_t heard = 0, wanted = 0;

    *troubled = 0;
    for (; umx_rollout_tables[wanted] != NULL; wanted++)
        for (size_t i = 0; i < agent->table_count; i++) {
            const struct fleet_table *table = &agent->tables[i];
            if (strcmp(table->table->name, umx_rollout_tables[wanted]) != 0)
                continue;
            heard += table->failed || table->confirmed_at >= agent->connected_at;
            *troubled += table->failed;
        }
    return agent->session != NULL && heard == wanted;
}

static void fill(const struct fleet_agent *agent, struct umx_rollout_agent *out)
{
    *out = (struct umx_rollout_agent){.connected = agent->session != NULL,
                                      .connected_at = agent->connected_at,
                                      .update_state = agent->update.state,
                                      .offset = agent->update.offset};
    umx_text_copy(out->server, sizeof out->server, agent->server);
    umx_text_copy(out->forest, sizeof out->forest, agent->forest);
    umx_text_copy(out->version, sizeof out->version, agent->version);
    umx_text_copy(out->kind, sizeof out->kind, agent->update.kind);
    umx_text_copy(out->architecture, sizeof out->architecture, agent->update.architecture);
    umx_text_copy(out->update, sizeof out->update, agent->update.id);
    umx_text_copy(out->error, sizeof out->error, agent->update.error);
    umx_text_copy(out->reason, sizeof out->reason, agent->update.reason);
    out->reported = reported(agent, &out->troubled);
}

/* Of two agents of a server, an old identity and a new one, the one that is there. */
static size_t one_for_a_server(struct umx_rollout_agent *agents, size_t count)
{
    size_t kept = 0;

    umx_rollout_by_server(agents, count);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(agents[kept - 1].server, agents[i].server) == 0) {
            if (agents[i].connected ||
                (!agents[kept - 1].connected && agents[i].connected_at > agents[kept - 1].connected_at))
                agents[kept - 1] = agents[i];
        } else {
            agents[kept++] = agents[i];
        }
    }
    return kept;
}

int umx_fleet_rollout_picture(struct umx_fleet *fleet, struct umx_rollout_agent **out, size_t *count,
                              struct umx_error *err)
{
    *count = 0;
    pthread_mutex_lock(&fleet->mutex);
    *out = calloc(fleet->agent_count + 1, sizeof **out);
    for (const struct fleet_agent *agent = fleet->agents; *out != NULL && agent != NULL; agent = agent->next)
        if (!agent->revoked)
            fill(agent, &(*out)[(*count)++]);
    pthread_mutex_unlock(&fleet->mutex);
    if (*out == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "agents", NULL);
    *count = one_for_a_server(*out, *count);
    return 0;
}

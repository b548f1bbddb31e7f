/* What becomes of an agent whose identity is taken back, replaced, or has ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/fleet_internal.h"
#include "store/state.h"

/* What it reported; another agent of the server reports anew. */
static void drop_rows(struct umx_fleet *fleet, const char *server)
{
    struct umx_state *state = fleet->controller->state;
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    struct umx_error err = {0};
    int status = umx_state_begin(state, &err);

    for (size_t t = 0; status == 0 && t < tables; t++)
        if (fleet_reported_table(all[t].name) != NULL)
            status = umx_state_replace(state, &all[t], "server", server, NULL, 0, &err);
    if (status == 0)
        status = umx_state_drop_digests(state, server, &err);
    if (status == 0)
        status = umx_state_commit(state, &err);
    else
        umx_state_rollback(state);
    if (status != 0)
        umx_log_error("fleet", &err);
}

/* The rows of a server are gone: whichever agent speaks for it now sends them again, whatever it is asked. The mutex is
 * held. */
static void forget_digests(struct umx_fleet *fleet, const char *server)
{
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        for (size_t t = 0; t < agent->table_count && umx_text_equal(agent->server, server); t++) {
            struct fleet_table *table = &agent->tables[t];
            table->known = false;
            table->dropped = table->storing;
        }
}

void umx_fleet_end(struct umx_fleet *fleet, const char *uri, const struct umx_error *why, bool forget)
{
    char server[UMX_FQDN_MAX] = "";

    if (fleet == NULL)
        return;
    pthread_mutex_lock(&fleet->mutex);
    struct fleet_agent *agent = fleet_agent_by_uri(fleet, uri);
    if (agent != NULL) {
        struct fleet_session *session = agent->session;
        umx_text_copy(server, sizeof server, agent->server);
        umx_text_copy(agent->reason, sizeof agent->reason, umx_error_why(why));
        agent->revoked = true;
        if (session != NULL) {
            fleet_collection_gone(session);
            session->agent = NULL;
            agent->session = NULL;
            umx_rpc_stream_close(session->stream, why);
        }
        fleet_picture_changed(fleet);
    }
    pthread_mutex_unlock(&fleet->mutex);
    if (!forget || server[0] == '\0')
        return;
    drop_rows(fleet, server);
    pthread_mutex_lock(&fleet->mutex);
    forget_digests(fleet, server);
    agent = fleet_agent_by_uri(fleet, uri);
    if (agent != NULL)
        fleet_agent_remove(fleet, agent);
    pthread_mutex_unlock(&fleet->mutex);
}

void umx_fleet_end_expired(struct umx_fleet *fleet, int64_t now)
{
    pthread_mutex_lock(&fleet->mutex);
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next) {
        struct umx_error why = {0};
        char end[UMX_CLOCK_TEXT];
        if (agent->session == NULL || agent->session->identity.not_after_at > now)
            continue;
        umx_fail(&why, UMX_ERR_AGENT_EXPIRED, agent->server, "it ended at %s",
                 umx_clock_format(agent->session->identity.not_after_at, end));
        umx_log_error("fleet", &why);
        umx_text_copy(agent->reason, sizeof agent->reason, umx_error_why(&why));
        umx_rpc_stream_close(agent->session->stream, &why);
    }
    pthread_mutex_unlock(&fleet->mutex);
}

void umx_fleet_renewed(struct umx_fleet *fleet, const struct umx_identity *of, const char *chain,
                       const struct umx_error *why)
{
    Umx__Renewed renewed = UMX__RENEWED__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    char id[16], reason[UMX_ERROR_WHY_MAX];

    renewed.chain = (char *)(uintptr_t)chain; /* packed, never changed */
    if (chain == NULL) {
        snprintf(id, sizeof id, "UMX-%d", why->id);
        umx_text_copy(reason, sizeof reason, umx_error_why(why));
        renewed.error = id;
        renewed.reason = reason;
    }
    message.message_case = UMX__TO_AGENT__MESSAGE_RENEWED;
    message.renewed = &renewed;
    pthread_mutex_lock(&fleet->mutex);
    struct fleet_agent *agent = fleet_agent_by_uri(fleet, of->uri);
    /* An agent that attached anew meanwhile asks anew: this is not its request. */
    if (agent != NULL && agent->session != NULL && strcmp(agent->session->identity.serial, of->serial) == 0)
        fleet_send(agent->session, &message);
    pthread_mutex_unlock(&fleet->mutex);
}

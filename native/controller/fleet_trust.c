/*
 * Whom the deployment trusts, told on the agents' streams: to each agent that keeps another trust, and, when it has
 * taken it, that its certificate is of an authority that goes.
 */
#include <string.h>

#include "base/log.h"
#include "controller/authority.h"
#include "controller/fleet_internal.h"

enum { RENEWALS_A_SECOND = 100 };

static void tell(struct fleet_session *session, bool renew)
{
    const struct umx_trust *trust = umx_authority_trust(session->fleet->controller->authority);
    Umx__PeerTrust told = UMX__PEER_TRUST__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;

    told.certificates = trust->pem; /* packed, never changed */
    told.has_renew = 1;
    told.renew = renew;
    told.has_within = 1;
    told.within = session->fleet->renew_within;
    message.message_case = UMX__TO_AGENT__MESSAGE_TRUST;
    message.trust = &told;
    fleet_send(session, &message);
}

static size_t connected(const struct umx_fleet *fleet)
{
    size_t count = 0;

    for (const struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        count += agent->session != NULL ? 1 : 0;
    return count;
}

void fleet_trust_heard(struct fleet_session *session, const ProtobufCBinaryData *id)
{
    struct umx_fleet *fleet = session->fleet;
    bool whole = id != NULL && id->len == UMX_TRUST_ID;

    session->has_trust = whole;
    if (whole)
        memcpy(session->trust, id->data, sizeof session->trust);
    struct umx_heard heard =
        umx_authority_heard(fleet->controller->authority, &session->identity, whole ? session->trust : NULL);
    if (heard.tell || heard.renew)
        tell(session, heard.renew);
}

void umx_fleet_trust_changed(struct umx_fleet *fleet)
{
    pthread_mutex_lock(&fleet->mutex);
    fleet->renew_within = (int32_t)(connected(fleet) / RENEWALS_A_SECOND);
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next) {
        struct fleet_session *session = agent->session;
        if (session == NULL)
            continue;
        struct umx_heard heard = umx_authority_heard(fleet->controller->authority, &session->identity,
                                                     session->has_trust ? session->trust : NULL);
        if (heard.tell || heard.renew)
            tell(session, heard.renew);
    }
    pthread_mutex_unlock(&fleet->mutex);
}

/*
 * Agents with real streams that follow a rotation: a server that answers from an authority as the fleet does, and N
 * agents in one thread, each with its own key, identity, trust and TLS channel.
 */
#ifndef UMX_TESTS_UNIT_ROTATION_FLEET_H
#define UMX_TESTS_UNIT_ROTATION_FLEET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/trust.h"
#include "base/clock.h"
#include "base/reflect.h"
#include "controller/authority.h"
#include "rpc/identity_file.h"
#include "rpc/request.h"
#include "rpc/rpc.h"
#include "umx/v1/agent.pb-c.h"

struct rotation_agent {
    char fqdn[64];
    struct umx_identity_file identity;
    struct umx_agent_trust trust;
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    char *key; /* of the renewal that is asked for */
    int attaches;
    int refusals;
    struct umx_error refused;
};

struct rotation_fleet {
    struct umx_authority *authority;
    struct umx_rpc_server *server;
    char address[64];
    struct rotation_agent *agents;
    size_t count;
};

/* ---- the server's side */

struct rotation_session {
    struct rotation_fleet *fleet;
    struct umx_rpc_stream *stream;
    struct umx_identity peer;
};

static inline void rotation_send(struct umx_rpc_stream *stream, const Umx__ToAgent *message)
{
    uint8_t *bytes = NULL;
    size_t length;

    if (umx_reflect_pack(&message->base, &bytes, &length, NULL) == 0)
        umx_rpc_stream_send(stream, bytes, length);
    free(bytes);
}

static inline void rotation_heard(struct rotation_session *session, const ProtobufCBinaryData *id)
{
    Umx__PeerTrust told = UMX__PEER_TRUST__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    struct umx_heard heard =
        umx_authority_heard(session->fleet->authority, &session->peer, id != NULL ? id->data : NULL);

    told.certificates = umx_authority_trust(session->fleet->authority)->pem;
    told.has_renew = 1;
    told.renew = heard.renew;
    message.message_case = UMX__TO_AGENT__MESSAGE_TRUST;
    message.trust = &told;
    if (heard.tell || heard.renew)
        rotation_send(session->stream, &message);
}

static inline int rotation_opened(void *user, struct umx_rpc_stream *stream, const struct umx_identity *peer,
                                  const char *address, void **state, struct umx_error *err)
{
    struct rotation_session *session = calloc(1, sizeof *session);

    (void)address;
    (void)err;
    session->fleet = user;
    session->stream = stream;
    session->peer = *peer;
    *state = session;
    return 0;
}

static inline void rotation_message(void *state, const uint8_t *bytes, size_t length)
{
    struct rotation_session *session = state;
    Umx__ToController *message = umx__to_controller__unpack(NULL, length, bytes);
    Umx__Renewed renewed = UMX__RENEWED__INIT;
    Umx__ToAgent answer = UMX__TO_AGENT__INIT;
    struct umx_issued issued = {0};

    if (message->message_case == UMX__TO_CONTROLLER__MESSAGE_HELLO)
        rotation_heard(session, message->hello->has_trust ? &message->hello->trust : NULL);
    if (message->message_case == UMX__TO_CONTROLLER__MESSAGE_TRUST_TAKEN)
        rotation_heard(session, &message->trust_taken->id);
    if (message->message_case == UMX__TO_CONTROLLER__MESSAGE_RENEW &&
        umx_authority_renew_agent(session->fleet->authority, message->renew->request.data, message->renew->request.len,
                                  &session->peer, &issued, NULL) == 0) {
        renewed.chain = issued.chain;
        answer.message_case = UMX__TO_AGENT__MESSAGE_RENEWED;
        answer.renewed = &renewed;
        rotation_send(session->stream, &answer);
        umx_issued_free(&issued);
    }
    umx__to_controller__free_unpacked(message, NULL);
}

static inline void rotation_closed(void *state)
{
    free(state);
}

/* ---- the agents' side */

static inline void rotation_say(struct rotation_agent *agent, const Umx__ToController *message)
{
    uint8_t *bytes = NULL;
    size_t length;

    if (agent->call != NULL && umx_reflect_pack(&message->base, &bytes, &length, NULL) == 0)
        umx_rpc_call_send(agent->call, bytes, length);
    free(bytes);
}

static inline void rotation_detach(struct rotation_agent *agent)
{
    umx_rpc_call_close(agent->call);
    umx_rpc_channel_close(agent->channel);
    agent->call = NULL;
    agent->channel = NULL;
}

static inline int rotation_attach(struct rotation_fleet *fleet, struct rotation_agent *agent)
{
    const struct umx_rpc_tls tls = umx_agent_trust_tls(&agent->trust, &agent->identity);
    Umx__Hello hello = UMX__HELLO__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    uint8_t *bytes = NULL;
    size_t length;
    struct umx_error err = {0};

    rotation_detach(agent);
    hello.server = agent->fqdn;
    hello.has_trust = agent->trust.known;
    hello.trust = (ProtobufCBinaryData){.len = UMX_TRUST_ID, .data = agent->trust.trust.id};
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_HELLO;
    message.hello = &hello;
    int status = umx_rpc_channel_open(fleet->address, &tls, NULL, UMX_MAX_AGENT_MESSAGE, &agent->channel, &err);
    if (status == 0)
        status = umx_reflect_pack(&message.base, &bytes, &length, &err);
    if (status == 0)
        status =
            umx_rpc_call_start(agent->channel, "/umx.v1.Agents/Attach", bytes, length, false, 0, &agent->call, &err);
    free(bytes);
    agent->attaches++;
    return status;
}

static inline void rotation_renew(struct rotation_agent *agent)
{
    Umx__Renew renew = UMX__RENEW__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;

    umx_private_free(agent->key);
    agent->key = NULL;
    if (umx_request_key(&agent->key, NULL) != 0 ||
        umx_request_make(agent->key, &renew.request.data, &renew.request.len, NULL) != 0)
        return;
    renew.has_request = 1;
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_RENEW;
    message.renew = &renew;
    rotation_say(agent, &message);
    free(renew.request.data);
}

static inline void rotation_take(struct rotation_fleet *fleet, struct rotation_agent *agent,
                                 const Umx__ToAgent *message)
{
    Umx__TrustTaken taken = UMX__TRUST_TAKEN__INIT;
    Umx__ToController answer = UMX__TO_CONTROLLER__INIT;
    struct umx_identity_file renewed = {0};
    struct umx_text pem = {0};
    bool changed;

    if (message->message_case == UMX__TO_AGENT__MESSAGE_TRUST &&
        umx_agent_trust_keep(NULL, &agent->trust, message->trust->certificates, &changed, NULL) == 0) {
        taken.has_id = 1;
        taken.id = (ProtobufCBinaryData){.len = UMX_TRUST_ID, .data = agent->trust.trust.id};
        answer.message_case = UMX__TO_CONTROLLER__MESSAGE_TRUST_TAKEN;
        answer.trust_taken = &taken;
        if (!message->trust->renew || changed)
            rotation_say(agent, &answer);
        if (message->trust->renew)
            rotation_renew(agent);
    }
    if (message->message_case == UMX__TO_AGENT__MESSAGE_RENEWED && agent->key != NULL) {
        umx_text_adds(&pem, agent->key);
        umx_text_adds(&pem, message->renewed->chain);
        if (umx_identity_file_parse(pem.data, pem.length, "renewed", &renewed, NULL) == 0 &&
            umx_trust_has_root(&agent->trust.trust, renewed.root)) {
            umx_identity_file_free(&agent->identity);
            agent->identity = renewed;
            rotation_attach(fleet, agent);
        }
        umx_private_free(pem.data);
    }
}

/* Waits a moment for each agent's next message; an agent whose stream ended attaches again, once. */
static inline void rotation_round(struct rotation_fleet *fleet, int64_t wait)
{
    for (size_t i = 0; i < fleet->count; i++) {
        struct rotation_agent *agent = &fleet->agents[i];
        uint8_t *bytes = NULL;
        size_t length;
        struct umx_error err = {0};

        if (agent->call == NULL)
            continue;
        switch (umx_rpc_call_next(agent->call, wait, &bytes, &length, &err)) {
        case UMX_RPC_MESSAGE: {
            Umx__ToAgent *message = umx__to_agent__unpack(NULL, length, bytes);
            if (message != NULL)
                rotation_take(fleet, agent, message);
            umx__to_agent__free_unpacked(message, NULL);
            break;
        }
        case UMX_RPC_END:
            agent->refusals++;
            agent->refused = err;
            rotation_detach(agent);
            break;
        case UMX_RPC_TIMEOUT:
            break;
        }
        free(bytes);
    }
}

/* How many have not followed. */
static inline size_t rotation_missing(struct rotation_fleet *fleet)
{
    struct umx_arena *arena = umx_arena_new((size_t)64 * 1024 * 1024);
    Umx__AuthorityLaggard **laggards;
    size_t count = 0, agents = 0;

    if (umx_authority_laggards(fleet->authority, arena, &laggards, &count, &agents, NULL) != 0)
        count = SIZE_MAX;
    umx_arena_free(arena);
    return count;
}

/* Until nobody is missing but `left`, or the time is over. */
static inline bool rotation_follow(struct rotation_fleet *fleet, size_t left, int64_t limit)
{
    int64_t end = umx_clock_monotonic() + limit;

    while (rotation_missing(fleet) > left && umx_clock_monotonic() < end)
        rotation_round(fleet, fleet->count > 100 ? UMX_MILLISECOND : 5 * UMX_MILLISECOND);
    return rotation_missing(fleet) <= left;
}

static inline int rotation_open(struct rotation_fleet *fleet, struct umx_authority *authority, size_t count,
                                struct umx_error *err)
{
    struct umx_rpc_method attach = {.path = "/umx.v1.Agents/Attach",
                                    .stream = {rotation_opened, rotation_message, rotation_closed, fleet}};
    struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                             .tls = *umx_authority_tls(authority),
                                             .require_certificate = true,
                                             .max_message = UMX_MAX_AGENT_MESSAGE,
                                             .methods = &attach,
                                             .method_count = 1};
    int status = umx_rpc_server_start(&options, &fleet->server, err);

    fleet->authority = authority;
    fleet->count = count;
    fleet->agents = calloc(count, sizeof *fleet->agents);
    if (status == 0)
        snprintf(fleet->address, sizeof fleet->address, "127.0.0.1:%d", umx_rpc_server_port(fleet->server));
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct rotation_agent *agent = &fleet->agents[i];
        struct umx_text pem = {0};
        struct umx_issued issued = {0};
        snprintf(agent->fqdn, sizeof agent->fqdn, "agent%zu.exchange.test", i);
        status = umx_authority_issue_agent(authority, agent->fqdn, UMX_AGENT_LIFE, &pem, &issued, err);
        if (status == 0)
            status = umx_identity_file_parse(pem.data, pem.length, agent->fqdn, &agent->identity, err);
        if (status == 0)
            status = rotation_attach(fleet, agent);
        umx_issued_free(&issued);
        umx_private_free(pem.data);
    }
    return status;
}

static inline void rotation_close(struct rotation_fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        rotation_detach(&fleet->agents[i]);
        umx_identity_file_free(&fleet->agents[i].identity);
        umx_agent_trust_free(&fleet->agents[i].trust);
        umx_private_free(fleet->agents[i].key);
    }
    umx_rpc_server_stop(fleet->server, UMX_SECOND);
    free(fleet->agents);
}

#endif

/* Decisions of operators about agents: held enrolments, revocation, forgetting. */
#include <string.h>

#include "base/log.h"
#include "controller/enrolment_internal.h"
#include "controller/fleet.h"

/* ---- what is known of a server */

struct search {
    const char *server;
    struct enrol_known *out;
    bool found;
};

static int newest(void *user, const struct umx_issued_agent *agent)
{
    struct search *search = user;

    if (agent->forgotten || !umx_text_equal(agent->fqdn, search->server))
        return 0;
    /* One that is not revoked counts before those that are. */
    if (search->found && !search->out->revoked && agent->revoked)
        return 0;
    search->found = true;
    umx_text_copy(search->out->uri, sizeof search->out->uri, agent->uri);
    umx_text_copy(search->out->key, sizeof search->out->key, agent->key);
    umx_text_copy(search->out->previous_key, sizeof search->out->previous_key, agent->previous_key);
    search->out->revoked = agent->revoked;
    return 0;
}

int enrol_find_known(struct umx_enrolment *enrolment, const char *server, struct enrol_known *out, bool *found,
                     struct umx_error *err)
{
    struct search search = {server, out, false};
    int status = umx_authority_issued_agents(enrolment->controller->authority, newest, &search, err);

    *found = search.found;
    return status;
}

int umx_enrolment_check(struct umx_enrolment *enrolment, const struct umx_identity *agent, struct umx_error *err)
{
    char end[UMX_CLOCK_TEXT];

    if (enrolment == NULL)
        return 0;
    if (umx_authority_agent_revoked(enrolment->controller->authority, agent->uri))
        return umx_fail(err, UMX_ERR_AGENT_REVOKED, agent->fqdn, NULL);
    if (agent->not_after_at <= umx_clock_now())
        return umx_fail(err, UMX_ERR_AGENT_EXPIRED, agent->fqdn, "it ended at %s",
                        umx_clock_format(agent->not_after_at, end));
    return 0;
}

/* ---- held enrolments */

static Umx__HeldEnrolment *show(const struct enrol_use *use, const char *state, struct umx_arena *arena)
{
    Umx__HeldEnrolment *shown = umx_arena_alloc(arena, sizeof *shown);

    if (shown == NULL)
        return NULL;
    umx__held_enrolment__init(shown);
    shown->server = umx_arena_string(arena, use->server != NULL ? use->server : "");
    shown->forest = umx_arena_string(arena, use->forest != NULL ? use->forest : "");
    shown->key = umx_arena_string(arena, use->key);
    shown->known_key = use->previous_key[0] != '\0' ? umx_arena_string(arena, use->previous_key) : NULL;
    shown->known_agent = umx_arena_string(arena, use->previous != NULL ? use->previous : "");
    shown->known_state = umx_arena_string(arena, state);
    shown->token = umx_arena_string(arena, use->token);
    shown->peer = umx_arena_string(arena, use->peer != NULL ? use->peer : "");
    shown->has_asked_at = 1;
    shown->asked_at = use->at;
    return shown->server != NULL && shown->key != NULL ? shown : NULL;
}

/* What the fleet says of an identity. */
static const char *state_of(const Umx__World *records, const char *uri)
{
    for (size_t i = 0; uri != NULL && i < records->n_agent; i++)
        if (strcmp(records->agent[i]->agent, uri) == 0)
            return records->agent[i]->state;
    return "never";
}

static int list_agents(struct umx_enrolment *enrolment, struct umx_world **world, struct umx_error *err)
{
    *world = umx_world_new(umx_clock_now());
    return *world == NULL ? umx_fail(err, UMX_ERR_MEMORY, "agents", NULL)
                          : umx_fleet_agents(enrolment->controller->fleet, *world, err);
}

int umx_enrolment_held(struct umx_enrolment *enrolment, struct umx_arena *arena, Umx__HeldEnrolment ***out,
                       size_t *count, struct umx_error *err)
{
    struct umx_world *world = NULL;
    int status = list_agents(enrolment, &world, err);

    *count = 0;
    pthread_mutex_lock(&enrolment->mutex);
    *out = umx_arena_alloc(arena, (enrolment->use_count + 1) * sizeof **out);
    if (status == 0 && *out == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "held enrolments", NULL);
    for (size_t i = 0; status == 0 && i < enrolment->use_count; i++) {
        const struct enrol_use *use = &enrolment->uses[i];
        const struct enrol_token *token = enrol_token_of(enrolment, use->token);
        if (use->state != ENROL_HELD || token == NULL || token->revoked_at != 0)
            continue;
        if (((*out)[*count] = show(use, state_of(umx_world_records(world), use->previous), arena)) == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, "held enrolments", NULL);
        (*count)++;
    }
    pthread_mutex_unlock(&enrolment->mutex);
    umx_world_free(world);
    return status;
}

/* It waits for a decision. With a token that was taken back meanwhile it cannot come any more: to accept it would end
 * the known agent and let nobody in its place. */
static bool is_held(const struct umx_enrolment *enrolment, const struct enrol_use *use)
{
    const struct enrol_token *token = use->state == ENROL_HELD ? enrol_token_of(enrolment, use->token) : NULL;

    return token != NULL && token->revoked_at == 0;
}

/* The one held request of a server with this key; NULL: none, or more than one. */
static const struct enrol_use *find_held(const struct umx_enrolment *enrolment, const char *server, const char *key)
{
    const struct enrol_use *found = NULL;
    size_t length = strlen(key);

    for (size_t i = 0; i < enrolment->use_count && length >= ENROL_KEY_PREFIX_MIN; i++) {
        const struct enrol_use *use = &enrolment->uses[i];
        if (!is_held(enrolment, use) || !umx_text_equal(use->server, server) || strncmp(use->key, key, length) != 0)
            continue;
        if (found != NULL && strcmp(found->key, use->key) != 0)
            return NULL;
        found = use;
    }
    return found;
}

/* The identity goes: for `umxd issue` and the lists, and its stream ends. That it is refused stands in the journal. */
static int take_back(struct umx_enrolment *enrolment, const char *uri, const char *server, bool forget,
                     struct umx_error *err)
{
    struct umx_error why = {0};

    umx_fail(&why, UMX_ERR_AGENT_REVOKED, server, NULL);
    umx_fleet_end(enrolment->controller->fleet, uri, &why, forget);
    return umx_authority_mark_agent(enrolment->controller->authority, uri, server, forget, err);
}

int umx_enrolment_decide(struct umx_enrolment *enrolment, const char *server, const char *key, bool accept,
                         const char *actor, struct umx_error *err)
{
    Umx__Enrolment what = UMX__ENROLMENT__INIT;
    struct enrol_known known = {0};
    struct umx_text uri = {0};
    uint8_t digest[ENROL_HASH], known_digest[ENROL_HASH];
    char name[37];
    bool found = false;
    int status = umx_authority_agent_name(name, err);

    umx_text_addf(&uri, "umx://%s/agent/%s", enrolment->controller->deployment, name);
    pthread_mutex_lock(&enrolment->mutex);
    const struct enrol_use *use = find_held(enrolment, server, key);
    if (status == 0 && use == NULL)
        status = umx_fail(err, UMX_ERR_ENROLMENT_NOT_HELD, server,
                          strlen(key) < ENROL_KEY_PREFIX_MIN ? "give at least %d digits of the new key" : NULL,
                          (int)ENROL_KEY_PREFIX_MIN);
    if (status == 0)
        status = enrol_find_known(enrolment, server, &known, &found, err);
    if (status == 0 && (uri.failed || !enrol_from_hex(use->key, digest)))
        status = umx_fail(err, UMX_ERR_INTERNAL, server, NULL);
    if (status == 0) {
        what.token = (char *)(uintptr_t)use->token; /* packed, never changed */
        what.server = use->server;
        what.forest = use->forest;
        what.has_key = 1;
        what.key = (ProtobufCBinaryData){.len = sizeof digest, .data = digest};
        what.agent = accept ? uri.data : NULL;
        what.previous = found ? known.uri : NULL;
        what.has_previous_key = found && enrol_from_hex(known.key, known_digest);
        what.previous_key = (ProtobufCBinaryData){.len = sizeof known_digest, .data = known_digest};
        status = enrol_append(enrolment,
                              accept ? UMX__JOURNAL__KIND__ENROLMENT_ACCEPTED : UMX__JOURNAL__KIND__ENROLMENT_REJECTED,
                              &what, actor, err);
    }
    pthread_mutex_unlock(&enrolment->mutex);
    if (status == 0 && accept && found)
        status = take_back(enrolment, known.uri, server, true, err);
    umx_text_free(&uri);
    return status;
}

/* ---- revocation */

static int journal_end(struct umx_enrolment *enrolment, const Umx__Agent *agent, bool forget, const char *actor,
                       struct umx_error *err)
{
    Umx__Enrolment what = UMX__ENROLMENT__INIT;
    uint8_t key[ENROL_HASH];

    what.agent = agent->agent;
    what.server = agent->server;
    what.forest = agent->forest;
    what.has_key = agent->key != NULL && enrol_from_hex(agent->key, key);
    what.key = (ProtobufCBinaryData){.len = sizeof key, .data = key};
    pthread_mutex_lock(&enrolment->mutex);
    int status = enrol_append(
        enrolment, forget ? UMX__JOURNAL__KIND__AGENT_FORGOTTEN : UMX__JOURNAL__KIND__AGENT_REVOKED, &what, actor, err);
    pthread_mutex_unlock(&enrolment->mutex);
    return status;
}

static bool is_named(const Umx__Agent *agent, const char *name)
{
    return umx_text_equal(agent->server, name) || strcmp(agent->agent, name) == 0;
}

static int end_agents(struct umx_enrolment *enrolment, const char *name, bool forget, const char *actor,
                      struct umx_error *err)
{
    struct umx_world *world = NULL;
    size_t ended = 0, named = 0;
    int status = list_agents(enrolment, &world, err);
    const Umx__World *records = status == 0 ? umx_world_records(world) : NULL;

    for (size_t i = 0; status == 0 && forget && i < records->n_agent; i++)
        if (is_named(records->agent[i], name) && strcmp(records->agent[i]->state, "connected") == 0)
            status = umx_fail(err, UMX_ERR_AGENT_CONNECTED, name, NULL);
    for (size_t i = 0; status == 0 && i < records->n_agent; i++) {
        const Umx__Agent *agent = records->agent[i];
        if (!is_named(agent, name))
            continue;
        named++;
        if (!forget && umx_authority_agent_revoked(enrolment->controller->authority, agent->agent))
            continue;
        status = journal_end(enrolment, agent, forget, actor, err);
        if (status == 0)
            status = take_back(enrolment, agent->agent, agent->server, forget, err);
        ended++;
    }
    if (status == 0 && named == 0)
        status = umx_fail(err, UMX_ERR_AGENT_UNKNOWN, name, NULL);
    else if (status == 0 && ended == 0)
        status = umx_fail(err, UMX_ERR_AGENT_UNKNOWN, name, "it is revoked already");
    umx_world_free(world);
    return status;
}

int umx_enrolment_revoke(struct umx_enrolment *enrolment, const char *name, const char *actor, struct umx_error *err)
{
    return end_agents(enrolment, name, false, actor, err);
}

int umx_enrolment_forget(struct umx_enrolment *enrolment, const char *name, const char *actor, struct umx_error *err)
{
    return end_agents(enrolment, name, true, actor, err);
}

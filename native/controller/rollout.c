#include "controller/rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const char *const umx_rollout_tables[] = {"server", "role", "service", "certificate", "listener", NULL};

static const char *const words[] = {"none", "running", "paused", "halted", "stopped", "completed"};

const char *umx_rollout_word(enum umx_rollout_state state)
{
    return words[state];
}

void umx_rollout_free(struct umx_rollout *rollout)
{
    for (size_t i = 0; i < rollout->count; i++) {
        free(rollout->servers[i].server);
        free(rollout->servers[i].forest);
        free(rollout->servers[i].reason);
    }
    free(rollout->servers);
    free(rollout->text);
    free(rollout->author);
    free(rollout->reason);
    *rollout = (struct umx_rollout){0};
}

/* ---- who goes when */

static int by_server(const void *a, const void *b)
{
    const struct umx_rollout_agent *x = a, *y = b;

    return strcmp(x->server, y->server);
}

void umx_rollout_by_server(struct umx_rollout_agent *agents, size_t count)
{
    if (count > 1)
        qsort(agents, count, sizeof *agents, by_server);
}

static int by_forest(const void *a, const void *b)
{
    const struct umx_rollout_agent *x = a, *y = b;
    int order = strcmp(x->forest, y->forest);

    return order != 0 ? order : strcmp(x->server, y->server);
}

static int by_turn(const void *a, const void *b)
{
    const struct umx_rollout_agent *x = a, *y = b;

    return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : by_forest(a, b);
}

void umx_rollout_order(struct umx_rollout_agent *agents, size_t count)
{
    if (count < 2)
        return;
    qsort(agents, count, sizeof *agents, by_forest);
    for (size_t i = 0; i < count; i++) /* its number within its forest, in a field that nobody needs yet */
        agents[i].offset = i > 0 && strcmp(agents[i].forest, agents[i - 1].forest) == 0 ? agents[i - 1].offset + 1 : 0;
    qsort(agents, count, sizeof *agents, by_turn);
}

void umx_rollout_waves(size_t count, int32_t canary, int32_t percent, int32_t *waves)
{
    size_t each = (count * (size_t)percent + 99) / 100, left = (size_t)canary;
    int32_t wave = 0;

    each = each > 0 ? each : 1;
    for (size_t i = 0; i < count; i++) {
        if (left == 0) {
            wave++;
            left = each;
        }
        waves[i] = wave;
        left--;
    }
}

/* ---- what happened */

static bool set(char **to, const char *text)
{
    char *copy = text != NULL && text[0] != '\0' ? strdup(text) : NULL;

    free(*to);
    *to = copy;
    return copy != NULL || text == NULL || text[0] == '\0';
}

static int fold_begun(struct umx_rollout *rollout, const Umx__FleetUpdate *what, int64_t at, const char *actor,
                      struct umx_error *err)
{
    size_t count = what->n_servers;
    bool good;

    umx_rollout_free(rollout);
    if (what->release == NULL || count > UMX_ROLLOUT_SERVERS_MAX || what->n_forests != count ||
        what->n_waves != count || umx_release_parse(what->release, strlen(what->release), &rollout->release, NULL) != 0)
        return 0; /* not one of ours */
    rollout->servers = calloc(count + 1, sizeof *rollout->servers);
    good = rollout->servers != NULL && set(&rollout->text, what->release) && set(&rollout->author, actor);
    for (size_t i = 0; good && i < count; i++) {
        struct umx_rollout_server *server = &rollout->servers[i];
        rollout->count = i + 1;
        good = (server->server = strdup(what->servers[i])) != NULL && set(&server->forest, what->forests[i]);
        server->wave = what->waves[i];
        server->state = UMX__FLEET_UPDATE__STATE__WAITING;
        server->changed_at = at;
        if (server->wave >= rollout->waves)
            rollout->waves = server->wave + 1;
    }
    umx_text_copy(rollout->id, sizeof rollout->id, what->id);
    rollout->downgrade = what->downgrade;
    rollout->trial = what->trial;
    rollout->canary = what->canary;
    rollout->percent = what->percent;
    rollout->begun_at = rollout->wave_at = at;
    rollout->state = UMX_ROLLOUT_RUNNING;
    if (good)
        return 0;
    umx_rollout_free(rollout);
    return umx_fail(err, UMX_ERR_MEMORY, "update", NULL);
}

static bool is_bad(const struct umx_rollout_server *server)
{
    return server->state == UMX__FLEET_UPDATE__STATE__RETURNED || server->state == UMX__FLEET_UPDATE__STATE__REFUSED ||
           server->state == UMX__FLEET_UPDATE__STATE__FAILED || server->state == UMX__FLEET_UPDATE__STATE__LOST;
}

static size_t bad_count(const struct umx_rollout *rollout)
{
    size_t count = 0;

    for (size_t i = 0; i < rollout->count; i++)
        count += is_bad(&rollout->servers[i]);
    return count;
}

static bool fold_server(struct umx_rollout *rollout, const Umx__FleetUpdate *what, int64_t at)
{
    for (size_t i = 0; i < rollout->count; i++) {
        struct umx_rollout_server *server = &rollout->servers[i];
        if (what->server == NULL || strcmp(server->server, what->server) != 0)
            continue;
        server->state = what->state;
        server->changed_at = at;
        if (what->state == UMX__FLEET_UPDATE__STATE__UPDATING)
            server->troubled = what->troubled;
        return set(&server->reason, what->reason);
    }
    return true;
}

int umx_rollout_fold(struct umx_rollout *rollout, const Umx__FleetUpdate *what, int64_t written_at, const char *actor,
                     struct umx_error *err)
{
    bool good = true;

    if (what->id == NULL || strlen(what->id) != UMX_ROLLOUT_ID - 1)
        return 0;
    if (what->event == UMX__FLEET_UPDATE__EVENT__BEGUN)
        return fold_begun(rollout, what, written_at, actor, err);
    if (strcmp(what->id, rollout->id) != 0)
        return 0;
    switch (what->event) {
    case UMX__FLEET_UPDATE__EVENT__WAVE:
        rollout->wave = what->wave;
        rollout->wave_at = written_at;
        break;
    case UMX__FLEET_UPDATE__EVENT__SERVER:
        good = fold_server(rollout, what, written_at);
        break;
    case UMX__FLEET_UPDATE__EVENT__HALTED:
        rollout->state = UMX_ROLLOUT_HALTED;
        good = set(&rollout->reason, what->reason);
        break;
    case UMX__FLEET_UPDATE__EVENT__PAUSED:
        rollout->state = UMX_ROLLOUT_PAUSED;
        break;
    case UMX__FLEET_UPDATE__EVENT__RESUMED:
        rollout->state = UMX_ROLLOUT_RUNNING;
        rollout->forgiven = bad_count(rollout);
        rollout->wave_at = written_at;
        good = set(&rollout->reason, NULL);
        break;
    case UMX__FLEET_UPDATE__EVENT__STOPPED:
        rollout->state = UMX_ROLLOUT_STOPPED;
        break;
    case UMX__FLEET_UPDATE__EVENT__COMPLETED:
        rollout->state = UMX_ROLLOUT_COMPLETED;
        break;
    default:
        break;
    }
    return good ? 0 : umx_fail(err, UMX_ERR_MEMORY, "update", NULL);
}

bool umx_rollout_idle(const struct umx_rollout *rollout)
{
    for (size_t i = 0; i < rollout->count; i++)
        if (rollout->servers[i].state == UMX__FLEET_UPDATE__STATE__UPDATING)
            return false;
    return true;
}

/* ---- what is to be done */

struct step {
    struct umx_rollout *rollout;
    const struct umx_rollout_sink *sink;
    int64_t now;
    size_t receiving; /* agents that have not the whole package yet */
    struct umx_error *err;
};

static int note(const struct step *step, Umx__FleetUpdate__Event event, Umx__FleetUpdate *what)
{
    what->id = step->rollout->id;
    what->has_event = 1;
    what->event = event;
    return step->sink->note(step->sink->user, what, step->err);
}

static int note_server(const struct step *step, const struct umx_rollout_server *server, Umx__FleetUpdate__State state,
                       const struct umx_rollout_agent *agent, const char *reason)
{
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;
    char why[UMX_ROLLOUT_REASON], version[sizeof agent->version];

    what.server = server->server;
    what.has_state = 1;
    what.state = state;
    if (reason != NULL && reason[0] != '\0') {
        umx_text_copy(why, sizeof why, reason);
        what.reason = why;
    }
    if (state == UMX__FLEET_UPDATE__STATE__UPDATING) {
        umx_text_copy(version, sizeof version, agent->version);
        what.version = version;
        what.has_troubled = 1;
        what.troubled = agent->troubled;
    }
    return note(step, UMX__FLEET_UPDATE__EVENT__SERVER, &what);
}

static void offer(const struct step *step, struct umx_rollout_server *server, const struct umx_rollout_agent *agent)
{
    server->offered = agent->connected_at;
    server->moved_at = step->now;
    step->sink->offer(step->sink->user, server->server);
}

static int begin(struct step *step, struct umx_rollout_server *server, const struct umx_rollout_agent *agent)
{
    const struct umx_rollout *rollout = step->rollout;
    struct umx_error why = {0};

    if (agent == NULL || !agent->connected) {
        /* One that reconnects is waited for; one that is gone holds nobody up. */
        if (step->now - rollout->wave_at < UMX_ROLLOUT_ABSENT)
            return 0;
        return note_server(step, server, UMX__FLEET_UPDATE__STATE__SKIPPED, NULL, "its agent was not connected");
    }
    if (umx_release_compare(agent->version, rollout->release.version) == 0)
        return note_server(step, server, UMX__FLEET_UPDATE__STATE__SKIPPED, NULL, "it has this version");
    if (agent->kind[0] == '\0')
        return note_server(step, server, UMX__FLEET_UPDATE__STATE__SKIPPED, NULL,
                           "its agent takes no updates: no release key is configured there");
    if (umx_release_allowed(&rollout->release, agent->version, agent->kind, agent->architecture, rollout->downgrade,
                            &why) != 0)
        return note_server(step, server, UMX__FLEET_UPDATE__STATE__SKIPPED, NULL, umx_error_why(&why));
    if (step->receiving >= UMX_ROLLOUT_AT_ONCE)
        return 0;
    int status = note_server(step, server, UMX__FLEET_UPDATE__STATE__UPDATING, agent, NULL);
    if (status != 0)
        return status;
    step->receiving++;
    server->seen = 0;
    offer(step, server, agent);
    return 0;
}

/* A number that changes when something happens on the server. */
static int64_t sight(const struct umx_rollout_agent *agent)
{
    return agent == NULL ? 1
                         : agent->connected_at * 31 + agent->offset * 16 + (int64_t)agent->update_state +
                               (agent->connected ? 7 : 3) + (agent->reported ? 11 : 0);
}

static int end_as(const struct step *step, const struct umx_rollout_server *server,
                  const struct umx_rollout_agent *agent, Umx__FleetUpdate__State state)
{
    char reason[UMX_ROLLOUT_REASON];

    snprintf(reason, sizeof reason, "%s%s%.200s", agent->error, agent->error[0] != '\0' ? " " : "", agent->reason);
    return note_server(step, server, state, NULL, reason);
}

static int follow(struct step *step, struct umx_rollout_server *server, const struct umx_rollout_agent *agent)
{
    struct umx_rollout *rollout = step->rollout;
    int64_t seen = sight(agent), longest = UMX_ROLLOUT_LOST + 2 * rollout->trial * UMX_SECOND;

    if (seen != server->seen) {
        server->seen = seen;
        server->moved_at = step->now;
    }
    if (step->now - server->moved_at > longest)
        return note_server(step, server, UMX__FLEET_UPDATE__STATE__LOST, NULL,
                           agent != NULL && agent->connected ? "it did not go on" : "its agent did not come back");
    if (agent == NULL || !agent->connected)
        return 0;
    bool ours = strcmp(agent->update, rollout->id) == 0;
    bool there = umx_release_compare(agent->version, rollout->release.version) == 0;
    if (!ours) {
        if (server->offered != agent->connected_at)
            offer(step, server, agent); /* it says where it stands */
        return 0;
    }
    switch (agent->update_state) {
    case UMX__UPDATE_STATE__STATE__REFUSED:
        return end_as(step, server, agent, UMX__FLEET_UPDATE__STATE__REFUSED);
    case UMX__UPDATE_STATE__STATE__RETURNED:
        return end_as(step, server, agent, UMX__FLEET_UPDATE__STATE__RETURNED);
    case UMX__UPDATE_STATE__STATE__FAILED:
        return end_as(step, server, agent, UMX__FLEET_UPDATE__STATE__FAILED);
    case UMX__UPDATE_STATE__STATE__INSTALLED:
        return there && agent->reported ? note_server(step, server, UMX__FLEET_UPDATE__STATE__UPDATED, NULL, NULL) : 0;
    case UMX__UPDATE_STATE__STATE__INSTALLING:
    case UMX__UPDATE_STATE__STATE__TRIAL:
        if (there && agent->reported && agent->troubled <= server->troubled &&
            step->now - server->confirmed_at >= UMX_ROLLOUT_AGAIN) {
            server->confirmed_at = step->now;
            step->sink->confirm(step->sink->user, server->server);
        }
        return 0;
    default:
        return 0;
    }
}

static const struct umx_rollout_agent *find(const struct umx_rollout_agent *agents, size_t count, const char *server)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(server, agents[middle].server);
        if (order == 0)
            return &agents[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static size_t receiving(const struct umx_rollout *rollout, const struct umx_rollout_agent *agents, size_t count)
{
    size_t number = 0;

    for (size_t i = 0; i < rollout->count; i++) {
        if (rollout->servers[i].state != UMX__FLEET_UPDATE__STATE__UPDATING)
            continue;
        const struct umx_rollout_agent *agent = find(agents, count, rollout->servers[i].server);
        number += agent != NULL && agent->connected &&
                  (strcmp(agent->update, rollout->id) != 0 || agent->update_state == UMX__UPDATE_STATE__STATE__WANTED);
    }
    return number;
}

/* The first server whose bad end nobody has looked at yet. */
static int halt(const struct step *step)
{
    struct umx_rollout *rollout = step->rollout;
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;
    const struct umx_rollout_server *last = NULL;
    char reason[UMX_ROLLOUT_REASON];

    for (size_t i = 0; i < rollout->count; i++)
        if (is_bad(&rollout->servers[i]) && (last == NULL || rollout->servers[i].changed_at >= last->changed_at))
            last = &rollout->servers[i];
    snprintf(reason, sizeof reason, "%.100s: %.140s", last->server, last->reason != NULL ? last->reason : "it failed");
    what.reason = reason;
    return note(step, UMX__FLEET_UPDATE__EVENT__HALTED, &what);
}

/* The wave is over when each of its servers is. */
static int go_on(const struct step *step)
{
    struct umx_rollout *rollout = step->rollout;
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;

    for (size_t i = 0; i < rollout->count; i++)
        if (rollout->servers[i].wave <= rollout->wave &&
            (rollout->servers[i].state == UMX__FLEET_UPDATE__STATE__WAITING ||
             rollout->servers[i].state == UMX__FLEET_UPDATE__STATE__UPDATING))
            return 0;
    if (rollout->wave + 1 >= rollout->waves)
        return note(step, UMX__FLEET_UPDATE__EVENT__COMPLETED, &what);
    what.has_wave = 1;
    what.wave = rollout->wave + 1;
    return note(step, UMX__FLEET_UPDATE__EVENT__WAVE, &what);
}

int umx_rollout_step(struct umx_rollout *rollout, const struct umx_rollout_agent *agents, size_t count, int64_t now,
                     const struct umx_rollout_sink *sink, struct umx_error *err)
{
    struct step step = {.rollout = rollout, .sink = sink, .now = now, .err = err};
    int status = 0;

    if (rollout->state == UMX_ROLLOUT_NONE)
        return 0;
    for (size_t i = 0; status == 0 && i < rollout->count; i++) { /* what was begun is brought to its end, always */
        struct umx_rollout_server *server = &rollout->servers[i];
        if (server->moved_at == 0)
            server->moved_at = now;
        if (server->state == UMX__FLEET_UPDATE__STATE__UPDATING)
            status = follow(&step, server, find(agents, count, server->server));
    }
    if (status != 0 || rollout->state != UMX_ROLLOUT_RUNNING)
        return status;
    if (bad_count(rollout) > rollout->forgiven)
        return halt(&step);
    step.receiving = receiving(rollout, agents, count);
    for (size_t i = 0; status == 0 && i < rollout->count; i++) {
        struct umx_rollout_server *server = &rollout->servers[i];
        if (server->wave <= rollout->wave && server->state == UMX__FLEET_UPDATE__STATE__WAITING)
            status = begin(&step, server, find(agents, count, server->server));
    }
    return status == 0 ? go_on(&step) : status;
}

/* The operation agents.watch: the agents, and then each change of one, until the caller goes away. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "controller/fleet.h"
#include "controller/operations.h"

#define TURN UMX_SECOND              /* how soon a caller that went away is noticed */
#define REST (300 * UMX_MILLISECOND) /* between two looks: a storm of agents is told in pictures */

/* What was told of each agent last; by its identity. */
struct known {
    char agent[UMX_IDENTITY_MAX];
    uint64_t stamp;
    bool seen; /* in the picture that is being told */
};

struct watching {
    struct umx_operation *operation;
    struct known *known; /* sorted */
    size_t count;
    size_t capacity;
};

/* Times that move with every report are no change. */
static uint64_t stamp_of(const Umx__Agent *agent)
{
    const char *const texts[] = {agent->state,  agent->version, agent->peer,
                                 agent->reason, agent->server,  agent->forest};
    uint64_t stamp =
        UINT64_C(14695981039346656037) ^ (uint64_t)agent->connected_at ^ ((uint64_t)agent->certificate_expires_at << 1);

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (const char *at = texts[i] != NULL ? texts[i] : ""; *at != '\0'; at++)
            stamp = (stamp ^ (unsigned char)*at) * UINT64_C(1099511628211);
        stamp = (stamp ^ 0xff) * UINT64_C(1099511628211);
    }
    return stamp;
}

static size_t place_of(const struct watching *watching, const char *agent)
{
    size_t low = 0, high = watching->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(watching->known[middle].agent, agent) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct known *know(struct watching *watching, const char *agent)
{
    size_t at = place_of(watching, agent);

    if (at < watching->count && strcmp(watching->known[at].agent, agent) == 0)
        return &watching->known[at];
    if (watching->count == watching->capacity) {
        size_t capacity = watching->capacity == 0 ? 64 : watching->capacity * 2;
        struct known *more = realloc(watching->known, capacity * sizeof *more);
        if (more == NULL)
            return NULL;
        watching->known = more;
        watching->capacity = capacity;
    }
    memmove(watching->known + at + 1, watching->known + at, (watching->count - at) * sizeof *watching->known);
    watching->known[at] = (struct known){0};
    umx_text_copy(watching->known[at].agent, sizeof watching->known[at].agent, agent);
    watching->count++;
    return &watching->known[at];
}

/* Those that are not there any more. */
static int tell_gone(struct watching *watching, struct umx_error *err)
{
    static char gone[] = "forgotten";
    size_t kept = 0;
    int status = 0;

    for (size_t i = 0; i < watching->count; i++) {
        struct known *known = &watching->known[i];
        if (status == 0 && !known->seen) {
            Umx__Agent agent = UMX__AGENT__INIT;
            agent.agent = known->agent;
            agent.state = gone;
            status = umx_operation_item(watching->operation, "agents", &agent.base, err);
            continue;
        }
        known->seen = false;
        watching->known[kept++] = *known;
    }
    watching->count = kept;
    return status;
}

/* Tells what changed since the last picture; the first time everything did. */
static int tell(struct watching *watching, struct umx_error *err)
{
    struct umx_operation *operation = watching->operation;
    struct umx_world *world = umx_world_new(umx_clock_now());
    int64_t connected = 0;
    int64_t all = 0;
    int status = world == NULL ? umx_fail(err, UMX_ERR_MEMORY, "agents", NULL)
                               : umx_fleet_agents(operation->controller->fleet, world, err);

    for (size_t i = 0; status == 0 && i < umx_world_records(world)->n_agent; i++) {
        const Umx__Agent *agent = umx_world_records(world)->agent[i];
        uint64_t stamp = stamp_of(agent);
        struct known *known = know(watching, agent->agent);
        all++;
        connected += agent->state != NULL && strcmp(agent->state, "connected") == 0;
        if (known == NULL) {
            status = umx_fail(err, UMX_ERR_MEMORY, "agents", NULL);
            break;
        }
        known->seen = true;
        if (known->stamp != stamp)
            status = umx_operation_item(operation, "agents", &agent->base, err);
        known->stamp = stamp;
    }
    if (status == 0)
        status = tell_gone(watching, err);
    if (status == 0)
        status = umx_operation_progress(operation, "agents connected", connected, all, err);
    umx_world_free(world);
    return status;
}

int umx_operation_agents_watch(struct umx_operation *operation, struct umx_error *err)
{
    struct watching watching = {.operation = operation};
    int64_t told = 0;
    int status = 0;

    while (status == 0 && !umx_rpc_cancelled(operation->call)) {
        int64_t now = umx_fleet_watch(operation->controller->fleet, told, TURN);
        if (now < 0) /* the fleet is closing */
            break;
        if ((status = umx_operation_recheck(operation, err)) != 0)
            break;
        if (now == told)
            continue;
        told = now;
        status = tell(&watching, err);
        if (status == 0)
            nanosleep(&(struct timespec){.tv_nsec = REST * 1000}, NULL);
    }
    free(watching.known);
    return status;
}

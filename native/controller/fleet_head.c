/*
 * The newest entry of the journal, with the agents: a journal that was cut off, or written anew, is not what they were
 * told, and says so to whoever verifies it (docs/security.md).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "controller/fleet_internal.h"

enum { INTERVAL = 1 /* second */ };
#define EACH UMX_MILLISECOND /* and this for each agent: telling ten thousand takes most of a second */

void fleet_head_fill(struct umx_fleet *fleet, Umx__JournalHead *head, struct umx_journal_head *space)
{
    umx_journal_head(fleet->controller->journal, space);
    head->has_sequence = 1;
    head->sequence = space->sequence;
    head->has_hash = 1;
    head->hash = (ProtobufCBinaryData){.len = sizeof space->hash, .data = space->hash};
}

static int compare(void *user, const Umx__Journal *entry)
{
    struct fleet_agent *agent = user;
    uint8_t hash[sizeof agent->witness.hash];

    agent->disagrees = entry->sequence != agent->witness.sequence || entry->hash == NULL ||
                       umx_text_from_hex(entry->hash, hash, sizeof hash) != (int)sizeof hash ||
                       memcmp(hash, agent->witness.hash, sizeof hash) != 0;
    return 0;
}

/* What it knew when it first attached: later it was told by this controller itself. A journal that was cut off grows
 * again: an agent that knows better would soon hear of a later entry, and forget what it can testify. */
void fleet_head_heard(struct umx_fleet *fleet, struct fleet_agent *agent, const Umx__JournalHead *head)
{
    struct umx_error err = {0};

    if (head == NULL || head->sequence <= 0 || head->hash.len != sizeof agent->witness.hash ||
        agent->witness.sequence > 0)
        return;
    agent->witness.sequence = head->sequence;
    memcpy(agent->witness.hash, head->hash.data, sizeof agent->witness.hash);
    agent->disagrees = true; /* until the entry is found */
    if (umx_journal_each(fleet->controller->journal, NULL, head->sequence - 1, 1, compare, agent, &err) != 0)
        umx_log_error("fleet", &err);
    if (agent->disagrees)
        umx_log(UMX_LOG_WARNING, "fleet", "%s was told of another journal entry %lld than the one here", agent->server,
                (long long)head->sequence);
}

int64_t fleet_head_tell(struct umx_fleet *fleet)
{
    Umx__JournalHead head = UMX__JOURNAL_HEAD__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    struct umx_journal_head space;

    if (fleet->head_due == 0 || umx_clock_monotonic() < fleet->head_due)
        return fleet->head_due;
    fleet->head_due = 0;
    fleet->head_told = umx_clock_monotonic();
    fleet_head_fill(fleet, &head, &space);
    message.message_case = UMX__TO_AGENT__MESSAGE_JOURNAL_HEAD;
    message.journal_head = &head;
    for (struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        if (agent->session != NULL && !agent->disagrees)
            fleet_send(agent->session, &message);
    return 0;
}

void umx_fleet_journal_grown(struct umx_fleet *fleet)
{
    if (fleet == NULL)
        return;
    pthread_mutex_lock(&fleet->mutex);
    if (fleet->head_due == 0) {
        int64_t now = umx_clock_monotonic(),
                next = fleet->head_told + INTERVAL * UMX_SECOND + (int64_t)fleet->agent_count * EACH;
        fleet->head_due = fleet->head_told == 0 || next < now ? now : next;
        pthread_cond_broadcast(&fleet->changed);
    }
    pthread_mutex_unlock(&fleet->mutex);
}

int umx_fleet_witnesses(struct umx_fleet *fleet, struct umx_arena *arena, struct umx_fleet_witness **out, size_t *count,
                        struct umx_error *err)
{
    size_t most = 0;
    int status = 0;

    *count = 0;
    pthread_mutex_lock(&fleet->mutex);
    for (const struct fleet_agent *agent = fleet->agents; agent != NULL; agent = agent->next)
        most += agent->witness.sequence > 0 ? 1 : 0;
    *out = umx_arena_alloc(arena, (most + 1) * sizeof **out);
    if (*out == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "agents", NULL);
    for (const struct fleet_agent *agent = fleet->agents; status == 0 && agent != NULL; agent = agent->next) {
        if (agent->witness.sequence == 0)
            continue;
        umx_text_copy((*out)[*count].server, sizeof(*out)->server, agent->server);
        (*out)[(*count)++].head = agent->witness;
    }
    pthread_mutex_unlock(&fleet->mutex);
    return status;
}

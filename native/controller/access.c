#include "controller/access.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/forests.h"
#include "store/state.h"

enum { PEOPLE = 256, GROUPS_MAX = 512, SID_MAX = 192 };
#define LOOK_TIME (5 * UMX_SECOND)    /* an answer about a person, for operations that look */
#define GROUPS_TIME (5 * UMX_MINUTE)  /* the groups of a forest */
#define LAST_ANSWER (10 * UMX_MINUTE) /* when the directory does not answer */
#define SILENT_TIME (5 * UMX_SECOND)  /* a directory that did not answer is not asked again about who is known */
#define DIRECTORY_TIME (10 * UMX_SECOND)

static const char *const roles[] = {"viewer", "operator", "auditor"};

/* A group, or a person who administers a server, and the roles it gives as bits. */
struct group {
    char sid[SID_MAX];
    unsigned gives;
};

/* What the directory said of a person. */
struct answer {
    char sid[128];
    char forest[UMX_FQDN_MAX];
    int64_t at; /* monotonic; 0: unused */
    bool found;
    char refused[16]; /* "": enabled */
    char name[128];
    char principal[256];
    unsigned in; /* roles that its groups give, as bits */
};

static struct {
    pthread_mutex_t mutex;
    struct answer people[PEOPLE];
    size_t next;
    struct {
        struct group *groups;
        size_t count;
        int64_t read_at;        /* monotonic; 0: never */
        int64_t silent_until;   /* monotonic */
    } forests[UMX_MAX_FORESTS]; /* as in the configuration */
} known = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static size_t index_of(const struct umx_controller *controller, const struct umx_forest_config *forest)
{
    return (size_t)(forest - controller->config->forests);
}

/* ---- groups */

/* Roles that a group gives: those of the configuration, or for operators every administrative group of the forest. */
static unsigned given_by(const struct umx_forest_config *forest, const char *meaning)
{
    for (unsigned i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(meaning, roles[i]) == 0)
            return 1U << i;
    return forest->operators.count > 0 || strcmp(meaning, "rtc_component_services") == 0 ? 0
                                                                                         : 1U << UMX_ACCESS_OPERATOR;
}

static void add_group(struct group *groups, size_t *count, const char *sid, unsigned gives)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(groups[i].sid, sid) == 0) {
            groups[i].gives |= gives;
            return;
        }
    if (*count == GROUPS_MAX || strlen(sid) >= SID_MAX)
        return;
    umx_text_copy(groups[*count].sid, SID_MAX, sid);
    groups[(*count)++].gives = gives;
}

static int read_groups(struct umx_controller *controller, const struct umx_forest_config *forest, struct group *groups,
                       size_t *count, struct umx_error *err)
{
    char table[] = "admin_group";
    char *tables[] = {table};
    Umx__Read read = UMX__READ__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    struct umx_world *world = umx_world_new(umx_clock_now());

    *count = 0;
    if (world == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "access", NULL);
    read.n_table = 1;
    read.table = tables;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ;
    request.read = &read;
    int status =
        umx_forests_collect(controller->forests, forest->name, UMX_ACCOUNT_CLERK, &request, DIRECTORY_TIME, world, err);
    /* Who administers a server may approve what is done on it, and must be able to look at what he approves. No more:
     * this is what agents say, and one that lies must not make operators. */
    if (status == 0 && forest->operators.count == 0)
        status = umx_state_load(controller->state, umx_reflect_table("local_administrator"), world, err);
    const Umx__World *records = umx_world_records(world);
    for (size_t i = 0; status == 0 && i < records->n_admin_group; i++) {
        const Umx__AdminGroup *group = records->admin_group[i];
        unsigned gives = group->meaning != NULL ? given_by(forest, group->meaning) : 0;
        if (group->sid != NULL && gives != 0)
            add_group(groups, count, group->sid, gives);
    }
    for (size_t i = 0; status == 0 && i < records->n_local_administrator; i++) {
        const char *sid = records->local_administrator[i]->sid;
        if (sid != NULL && strncmp(sid, "S-1-5-21-", 9) == 0)
            add_group(groups, count, sid, 1U << UMX_ACCESS_VIEWER);
    }
    umx_world_free(world);
    return status;
}

/* The forest's groups, malloc'ed, read again when they are old. */
static int groups_of(struct umx_controller *controller, const struct umx_forest_config *forest, struct group **out,
                     size_t *count, struct umx_error *err)
{
    size_t at = index_of(controller, forest);
    struct group *copy = calloc(GROUPS_MAX, sizeof *copy);

    *out = copy;
    if (copy == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "access", NULL);
    pthread_mutex_lock(&known.mutex);
    bool fresh = known.forests[at].read_at != 0 && umx_clock_monotonic() - known.forests[at].read_at < GROUPS_TIME;
    if (fresh) {
        *count = known.forests[at].count;
        memcpy(copy, known.forests[at].groups, *count * sizeof *copy);
    }
    pthread_mutex_unlock(&known.mutex);
    if (fresh)
        return 0;
    int status = read_groups(controller, forest, copy, count, err);
    if (status != 0)
        return status;
    pthread_mutex_lock(&known.mutex);
    if (known.forests[at].groups == NULL)
        known.forests[at].groups = calloc(GROUPS_MAX, sizeof *copy);
    if (known.forests[at].groups != NULL) {
        memcpy(known.forests[at].groups, copy, *count * sizeof *copy);
        known.forests[at].count = *count;
        known.forests[at].read_at = umx_clock_monotonic();
    }
    pthread_mutex_unlock(&known.mutex);
    return 0;
}

/* ---- people */

static struct answer *find(const struct umx_identity *caller)
{
    for (size_t i = 0; i < PEOPLE; i++)
        if (known.people[i].at != 0 && strcmp(known.people[i].sid, caller->name) == 0 &&
            strcmp(known.people[i].forest, caller->forest) == 0)
            return &known.people[i];
    return NULL;
}

static bool recall(const struct umx_identity *caller, int64_t age, struct answer *out)
{
    pthread_mutex_lock(&known.mutex);
    const struct answer *last = find(caller);
    bool good = last != NULL && umx_clock_monotonic() - last->at < age;
    if (good)
        *out = *last;
    pthread_mutex_unlock(&known.mutex);
    return good;
}

static void remember(const struct umx_identity *caller, const struct answer *answer)
{
    pthread_mutex_lock(&known.mutex);
    struct answer *place = find(caller);
    *(place != NULL ? place : &known.people[known.next++ % PEOPLE]) = *answer;
    pthread_mutex_unlock(&known.mutex);
}

static void take_answer(const Umx__MembershipResult *result, const struct umx_identity *caller,
                        const struct group *groups, size_t count, struct answer *out)
{
    *out = (struct answer){.at = umx_clock_monotonic(), .found = result->found};
    umx_text_copy(out->sid, sizeof out->sid, caller->name);
    umx_text_copy(out->forest, sizeof out->forest, caller->forest);
    umx_text_copy(out->name, sizeof out->name, result->name != NULL ? result->name : "");
    umx_text_copy(out->principal, sizeof out->principal, result->principal != NULL ? result->principal : "");
    if (!result->enabled)
        umx_text_copy(out->refused, sizeof out->refused, result->refused != NULL ? result->refused : "not enabled");
    for (size_t i = 0; i < count; i++) {
        bool is = strcmp(groups[i].sid, caller->name) == 0;
        for (size_t k = 0; k < result->n_group_sid && !is; k++)
            is = strcmp(groups[i].sid, result->group_sid[k]) == 0;
        if (is)
            out->in |= groups[i].gives;
    }
}

static int ask(struct umx_controller *controller, const struct umx_forest_config *forest,
               const struct umx_identity *caller, struct answer *out, struct umx_error *err)
{
    Umx__Membership membership = UMX__MEMBERSHIP__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    char *sids[GROUPS_MAX];
    char sid[sizeof caller->name];
    struct group *groups = NULL;
    size_t count = 0;
    struct umx_arena *arena = umx_arena_new(UMX_MAX_WORKER_MESSAGE);
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "access", NULL)
                               : groups_of(controller, forest, &groups, &count, err);

    if (status == 0) {
        for (size_t i = 0; i < count; i++)
            sids[i] = groups[i].sid;
        umx_text_copy(sid, sizeof sid, caller->name);
        membership.user_sid = sid;
        membership.n_group_sid = count;
        membership.group_sid = sids;
        request.request_case = UMX__WORKER_REQUEST__REQUEST_MEMBERSHIP;
        request.membership = &membership;
        status = umx_forests_call(controller->forests, forest->name, UMX_ACCOUNT_CLERK, &request, DIRECTORY_TIME, arena,
                                  &reply, err);
    }
    if (status == 0 && reply->reply_case != UMX__WORKER_REPLY__REPLY_MEMBERSHIP)
        status = umx_fail(err, UMX_ERR_PROTOCOL, forest->name, "the worker's answer is incomplete");
    if (status == 0) {
        take_answer(reply->membership, caller, groups, count, out);
        remember(caller, out);
    }
    free(groups);
    umx_arena_free(arena);
    return status;
}

/* The person as the directory says, or said at most LAST_ANSWER ago while it says nothing. */
static int look_up(struct umx_controller *controller, const struct umx_forest_config *forest,
                   const struct umx_identity *caller, bool acts, struct answer *out, struct umx_error *err)
{
    size_t at = index_of(controller, forest);
    struct umx_error why = {0};

    /* Who was refused is asked about again: it may have been put right. */
    if (!acts && recall(caller, LOOK_TIME, out) && out->found && out->refused[0] == '\0')
        return 0;
    pthread_mutex_lock(&known.mutex);
    bool silent = known.forests[at].silent_until > umx_clock_monotonic();
    pthread_mutex_unlock(&known.mutex);
    if (silent && recall(caller, LAST_ANSWER, out))
        return 0;
    int status = ask(controller, forest, caller, out, &why);
    if (status == 0)
        return 0;
    if (why.id == UMX_ERR_DIRECTORY_TIMEOUT) {
        pthread_mutex_lock(&known.mutex);
        known.forests[at].silent_until = umx_clock_monotonic() + SILENT_TIME;
        pthread_mutex_unlock(&known.mutex);
    }
    if (recall(caller, LAST_ANSWER, out))
        return 0;
    if (err != NULL)
        *err = why;
    return status;
}

/* Whether the roles that the groups give, and what the configuration leaves open, give this one. Who acts or audits may
 * also look. */
static bool has_role(const struct umx_forest_config *forest, unsigned in, enum umx_access access)
{
    if (access == UMX_ACCESS_OPERATOR)
        return (in & 1U << UMX_ACCESS_OPERATOR) != 0;
    if (access == UMX_ACCESS_AUDITOR)
        return forest->auditors.count == 0 || (in & 1U << UMX_ACCESS_AUDITOR) != 0;
    return forest->viewers.count == 0 || in != 0;
}

static int find_forest(struct umx_controller *controller, const struct umx_identity *caller, const char *operation,
                       const struct umx_forest_config **out, struct umx_error *err)
{
    if (caller->role == UMX_ROLE_NONE)
        return umx_fail(err, UMX_ERR_PEER_UNAUTHENTICATED, operation, NULL);
    if (caller->role != UMX_ROLE_OPERATOR || strcmp(caller->deployment, controller->deployment) != 0)
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, operation, "%s is not an operator of this deployment", caller->uri);
    *out = umx_config_forest(controller->config, caller->forest);
    if (*out == NULL)
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, operation, "%s was vouched for by %s, which is not configured",
                        caller->uri, caller->forest);
    return 0;
}

static int refuse_account(const struct umx_identity *caller, const struct answer *answer, struct umx_error *err)
{
    if (!answer->found)
        return umx_fail(err, UMX_ERR_OPERATOR_UNKNOWN, caller->uri, "no account of %s has this SID", caller->forest);
    return umx_fail(err, UMX_ERR_OPERATOR_UNKNOWN, caller->uri, "the account %s is %s", answer->name, answer->refused);
}

int umx_access_check(struct umx_controller *controller, const struct umx_identity *caller, enum umx_access access,
                     bool acts, const char *operation, struct umx_error *err)
{
    const struct umx_forest_config *forest = NULL;
    struct answer answer;
    struct umx_error why = {0};
    int status = find_forest(controller, caller, operation, &forest, err);

    if (status != 0)
        return status;
    bool open = !acts && has_role(forest, 0, access); /* no group is asked for */
    status = look_up(controller, forest, caller, acts, &answer, &why);
    if (status != 0 && open) {
        umx_log(UMX_LOG_INFO, "access", "%s looks while %s does not answer", caller->uri, forest->name);
        return 0;
    }
    if (status != 0) {
        *err = why;
        return status;
    }
    if (!answer.found || answer.refused[0] != '\0')
        return refuse_account(caller, &answer, err);
    if (!has_role(forest, answer.in, access))
        return umx_fail(err, UMX_ERR_NOT_PERMITTED, operation, "%s needs the role %s in forest %s", caller->uri,
                        roles[access], caller->forest);
    return 0;
}

int umx_access_describe(struct umx_controller *controller, const struct umx_identity *caller,
                        struct umx_access_person *out, struct umx_error *err)
{
    const struct umx_forest_config *forest = NULL;
    struct answer answer;
    int status = find_forest(controller, caller, "whoami", &forest, err);

    *out = (struct umx_access_person){.name = ""};
    if (status == 0)
        status = look_up(controller, forest, caller, true, &answer, err);
    if (status != 0)
        return status;
    if (!answer.found || answer.refused[0] != '\0')
        return refuse_account(caller, &answer, err);
    umx_text_copy(out->name, sizeof out->name, answer.name);
    umx_text_copy(out->principal, sizeof out->principal, answer.principal);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        out->roles[i] = has_role(forest, answer.in, (enum umx_access)i);
    return 0;
}

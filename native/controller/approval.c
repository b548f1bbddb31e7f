/*
 * Who may let a plan run: signed decisions per forest, what they add up to, and taking a new one (design 6).
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/statement.h"
#include "controller/engine_private.h"
#include "phases/groups.h"
#include "rpc/signature.h"

enum { PEOPLE_MAX = 256 };

#define EXPIRY_MAX (30 * UMX_DAY)
#define REPORT_AGE_MAX UMX_DAY

/* Not a group of the forest: its members are what the agent of a server says (spec 0.5). */
#define LOCAL_ADMINISTRATORS "local_administrators"

/* ---- what decisions add up to */

/* The newest decision of each operator for a forest stands; withdrawing leaves none. */
static bool stands(const struct umx_plan_state *plan, size_t index)
{
    const Umx__Approval *decision = plan->approvals[index];

    if (decision->decision == UMX__APPROVAL__DECISION__WITHDRAW)
        return false;
    for (size_t i = index + 1; i < plan->approval_count; i++)
        if (umx_text_equal(plan->approvals[i]->forest, decision->forest) &&
            strcmp(plan->approvals[i]->operator_, decision->operator_) == 0)
            return false;
    return true;
}

struct tally {
    struct umx_person people[PEOPLE_MAX];
    size_t count;
    bool break_glass;
    const Umx__Approval *denial;
};

static void count_decisions(const struct umx_plan_state *plan, const char *forest, int64_t now, bool expired_too,
                            struct tally *tally)
{
    for (size_t i = 0; i < plan->approval_count; i++) {
        const Umx__Approval *decision = plan->approvals[i];
        if (!umx_text_equal(decision->forest, forest) || strcmp(decision->plan_hash, plan->hash) != 0 ||
            !stands(plan, i))
            continue;
        if (decision->decision == UMX__APPROVAL__DECISION__DENY) {
            tally->denial = decision;
            continue;
        }
        if (decision->expires_at <= now && !expired_too)
            continue;
        if (decision->decision == UMX__APPROVAL__DECISION__BREAK_GLASS)
            tally->break_glass = true;
        if (tally->count < PEOPLE_MAX) {
            tally->people[tally->count].meanings = (const char *const *)decision->group;
            tally->people[tally->count++].count = decision->n_group;
        }
    }
}

/* A denied plan covers nothing, and does not stand in the way of its own undo. */
static bool is_denied(const struct umx_plan_state *plan, const char *forest)
{
    for (size_t i = 0; i < plan->approval_count; i++)
        if (plan->approvals[i]->decision == UMX__APPROVAL__DECISION__DENY &&
            umx_text_equal(plan->approvals[i]->forest, forest) && stands(plan, i))
            return true;
    return false;
}

/* Where steps name nobody, spec 0.6 names the side's own administrator. */
static const char *default_groups(const struct umx_engine *engine, const char *forest)
{
    const struct umx_engine_forest *configured = umx_engine_forest_of(engine, forest);

    if (configured != NULL && configured->side == UMX__FOREST__SIDE__LYNC)
        return "rtc_server_admins";
    return "organization_management or organization_administrators";
}

static const char *groups_of(const struct umx_engine *engine, const Umx__PlanStep *step)
{
    return step->groups != NULL && step->groups[0] != '\0' ? step->groups : default_groups(engine, step->forest);
}

/* Nobody has to agree to waiting. */
static bool changes_nothing(const Umx__PlanStep *step)
{
    return step->kind == UMX__CHANGE__KIND__WAIT;
}

/* The server that a step is done on or about, "" when it is no server: what local_administrators means there. */
static void server_of(const Umx__PlanStep *step, char server[UMX_FQDN_MAX])
{
    const Umx__Change *change = step->change;
    const char *of = step->target != NULL ? step->target : "";
    const char *dn = change != NULL && change->dn != NULL ? change->dn : "";

    if (change != NULL && change->action != NULL && change->action->server != NULL)
        of = change->action->server;
    else if (change != NULL && change->wait != NULL && change->wait->server != NULL)
        of = change->wait->server;
    /* CN=..,CN=SERVER,CN=Servers,...: the object of the server or one below it. */
    for (const char *at = dn; *at != '\0'; at = umx_text_dn_parent(at)) {
        const char *parent = umx_text_dn_parent(at);
        if (parent == NULL)
            break;
        if (strncasecmp(parent, "CN=Servers,", 11) == 0 && strncasecmp(at, "CN=", 3) == 0) {
            snprintf(server, UMX_FQDN_MAX, "%.*s", (int)(parent - 1 - at - 3), at + 3);
            return;
        }
    }
    umx_text_copy(server, UMX_FQDN_MAX, *dn != '\0' ? "" : of);
}

struct lack {
    struct umx_text *missing; /* may be NULL */
    struct umx_error *err;
    int status; /* of the first lack */
};

static void lacks(struct lack *lack, enum umx_error_id id, const char *forest, const char *why)
{
    if (lack->status == 0)
        lack->status = umx_fail(lack->err, id, forest, "%s", why);
    if (lack->missing != NULL)
        umx_text_addf(lack->missing, "%s: %s\n", forest, why);
}

/* Whether it was said already, else it counts as said. A server is named COMBX2 by its object in the directory and
 * combx2.contoso.test by its agent: its first label is enough here. */
static bool said_before(struct umx_text *said, const char *groups, const char *server)
{
    struct umx_text key = {0};

    umx_text_addf(&key, "|%s of ", groups);
    for (const char *at = server; *at != '\0' && *at != '.'; at++)
        umx_text_addf(&key, "%c", tolower((unsigned char)*at));
    umx_text_adds(&key, "|");
    bool before = said->data != NULL && strstr(said->data, umx_text_string(&key)) != NULL;
    if (!before)
        umx_text_adds(said, umx_text_string(&key));
    umx_text_free(&key);
    return before;
}

/* One line for each expression that is not satisfied, however many steps have it. */
static void check_forest(const struct umx_engine *engine, const struct umx_plan_state *plan, const char *forest,
                         struct tally *tally, struct lack *lack)
{
    const char *last = NULL;
    bool any = false;
    struct umx_text said = {0};
    char why[UMX_ERROR_WHY_MAX], server[UMX_FQDN_MAX] = "", last_server[UMX_FQDN_MAX] = "";

    for (size_t i = 0; i <= plan->step_count; i++) {
        const Umx__PlanStep *step = i < plan->step_count ? plan->steps[i].step : NULL;
        if (step != NULL && (!umx_text_equal(step->forest, forest) || changes_nothing(step)))
            continue;
        if (step == NULL && any)
            break; /* the default counts only where no step is */
        any = true;
        const char *groups = step != NULL ? groups_of(engine, step) : default_groups(engine, forest);
        bool local = step != NULL && strstr(groups, LOCAL_ADMINISTRATORS) != NULL;
        if (local)
            server_of(step, server);
        if (last != NULL && strcmp(last, groups) == 0 && (!local || umx_text_equal(server, last_server)))
            continue;
        last = groups;
        umx_text_copy(last_server, sizeof last_server, server);
        for (size_t k = 0; k < tally->count; k++)
            tally->people[k].server = server;
        if (umx_groups_satisfied_by(groups, tally->people, tally->count) ||
            said_before(&said, groups, local ? server : ""))
            continue;
        if (local && server[0] != '\0')
            snprintf(why, sizeof why, "step %s needs approval by %s (of %s)", step->id, groups, server);
        else if (step != NULL)
            snprintf(why, sizeof why, "step %s needs approval by %s", step->id, groups);
        else
            snprintf(why, sizeof why, "approval by %s is needed", groups);
        lacks(lack, UMX_ERR_APPROVAL_MISSING, forest, why);
        if (lack->missing == NULL)
            break;
    }
    umx_text_free(&said);
}

int umx_approval_check(struct umx_engine *engine, const struct umx_plan_state *plan, bool expired_too,
                       struct umx_text *missing, struct umx_error *err)
{
    struct lack lack = {missing, err, 0};
    const int64_t now = umx_journal_now(engine->journal);
    const struct umx_plan_state *original = NULL;

    if (engine->options.policy == UMX_POLICY_NONE)
        return 0;
    if (plan->covered)
        original = umx_states_find(engine, plan->plan->undo_of, NULL);
    if (original != NULL && now > original->effect_at + engine->options.undo_cover && !expired_too)
        original = NULL;
    for (size_t i = 0; i < plan->plan->n_forest; i++) {
        const char *forest = plan->plan->forest[i];
        struct tally tally = {.count = 0};
        char why[UMX_ERROR_WHY_MAX];
        count_decisions(plan, forest, now, expired_too, &tally);
        if (original != NULL && !is_denied(original, forest))
            count_decisions(original, forest, now, expired_too, &tally);
        if (tally.denial != NULL) {
            snprintf(why, sizeof why, "denied by %s%s%s", tally.denial->operator_,
                     tally.denial->comment != NULL ? ": " : "",
                     tally.denial->comment != NULL ? tally.denial->comment : "");
            lacks(&lack, UMX_ERR_DENIED_BY_APPROVER, forest, why);
        } else if (!tally.break_glass) {
            check_forest(engine, plan, forest, &tally, &lack);
        }
        if (lack.status != 0 && missing == NULL)
            break;
    }
    return lack.status;
}

/* ---- taking a decision */

struct decision {
    struct umx_engine *engine;
    const Umx__PlanDecisionArguments *arguments;
    Umx__Approval__Decision decision;
    const struct umx_engine_caller *caller;
    struct umx_arena *arena;
    Umx__Approval approval;
    struct umx_error *err;
};

static bool approves(const struct decision *d)
{
    return d->decision == UMX__APPROVAL__DECISION__APPROVE || d->decision == UMX__APPROVAL__DECISION__BREAK_GLASS;
}

static int check_caller(const struct decision *d)
{
    const struct umx_identity *identity = d->caller->identity;
    const char *forest = d->arguments->forest;

    if (identity == NULL || identity->role != UMX_ROLE_OPERATOR || d->caller->certificate_length == 0)
        return umx_fail(d->err, UMX_ERR_NOT_PERMITTED, "approval", "only an operator decides");
    if (strcmp(identity->deployment, d->engine->options.deployment) != 0)
        return umx_fail(d->err, UMX_ERR_NOT_PERMITTED, identity->uri, "the identity is of another deployment");
    if (forest == NULL || !umx_text_equal(identity->forest, forest))
        return umx_fail(d->err, UMX_ERR_APPROVER_NOT_OF_FOREST, forest != NULL ? forest : "forest",
                        "%s was vouched for by %s", identity->uri,
                        identity->forest[0] != '\0' ? identity->forest : "no forest");
    return 0;
}

static bool state_allows(const struct decision *d, const struct umx_plan_state *plan)
{
    switch (plan->base) {
    case UMX__PLAN_SUMMARY__STATE__SUBMITTED:
    case UMX__PLAN_SUMMARY__STATE__SUSPENDED:
    case UMX__PLAN_SUMMARY__STATE__FAILED:
        return true;
    case UMX__PLAN_SUMMARY__STATE__RUNNING:
        return !approves(d);
    case UMX__PLAN_SUMMARY__STATE__COMPLETED: /* an approval covers the undo too, until it is taken back */
    case UMX__PLAN_SUMMARY__STATE__CANCELLED:
        return d->decision == UMX__APPROVAL__DECISION__WITHDRAW;
    default:
        return false;
    }
}

static bool has_standing(const struct decision *d, const struct umx_plan_state *plan)
{
    for (size_t i = 0; i < plan->approval_count; i++)
        if (umx_text_equal(plan->approvals[i]->forest, d->arguments->forest) &&
            strcmp(plan->approvals[i]->operator_, d->caller->identity->uri) == 0 && stands(plan, i))
            return true;
    return false;
}

/* Everything that the plan's state decides; looked at before and again after the directory was asked. */
static int check_plan(const struct decision *d, struct umx_plan_state **out)
{
    struct umx_plan_state *plan = umx_states_find(d->engine, d->arguments->name, d->err);
    bool touched = false;

    *out = plan;
    if (plan == NULL)
        return d->err != NULL ? d->err->status : UMX_E_NOT_FOUND;
    for (size_t i = 0; i < plan->plan->n_forest; i++)
        touched = touched || umx_text_equal(plan->plan->forest[i], d->arguments->forest);
    if (!touched)
        return umx_fail(d->err, UMX_ERR_FOREST_NOT_IN_PLAN, d->arguments->forest, NULL);
    if (d->arguments->plan_hash == NULL || strcmp(d->arguments->plan_hash, plan->hash) != 0)
        return umx_fail(d->err, UMX_ERR_PLAN_HASH_MISMATCH, plan->name, "its hash is %s", plan->hash);
    if (!state_allows(d, plan))
        return umx_engine_wrong_state(
            d->engine, plan, approves(d) ? "submitted, suspended or failed" : "submitted, running, suspended or failed",
            d->err);
    if (d->decision == UMX__APPROVAL__DECISION__WITHDRAW && !has_standing(d, plan))
        return umx_fail(d->err, UMX_ERR_NO_DECISION, plan->name, NULL);
    if (d->engine->options.policy == UMX_POLICY_STRICT && approves(d) &&
        strcmp(plan->plan->author, d->caller->identity->uri) == 0)
        return umx_fail(d->err, UMX_ERR_AUTHOR_MAY_NOT_APPROVE, plan->name, NULL);
    return 0;
}

static int check_arguments(const struct decision *d)
{
    const int64_t now = umx_clock_now(), expires_at = d->arguments->expires_at;
    const char *comment = d->arguments->comment;

    if (approves(d) && (!d->arguments->has_expires_at || expires_at <= now || expires_at > now + EXPIRY_MAX))
        return umx_fail(d->err, UMX_ERR_APPROVAL_EXPIRY, d->arguments->name, NULL);
    if (d->decision == UMX__APPROVAL__DECISION__BREAK_GLASS && (comment == NULL || comment[0] == '\0'))
        return umx_fail(d->err, UMX_ERR_REASON_MISSING, d->arguments->name, "break-glass is recorded with its reason");
    return 0;
}

static int check_signature(const struct decision *d)
{
    const struct umx_statement statement = {
        .deployment = d->engine->options.deployment,
        .plan_hash = d->arguments->plan_hash,
        .forest = d->arguments->forest,
        .decision = d->decision,
        .expires_at = d->arguments->has_expires_at ? d->arguments->expires_at : 0,
        .ticket = d->arguments->ticket,
        .comment = d->arguments->comment,
    };
    struct umx_text text = {0};
    struct umx_error why = {0};

    int status = umx_statement_write(&statement, &text, d->err);
    if (status == 0 &&
        umx_signature_verify(d->caller->certificate, d->caller->certificate_length, text.data, text.length,
                             d->arguments->signature.data, d->arguments->signature.len, &why) != 0)
        status = umx_fail(d->err, UMX_ERR_SIGNATURE_INVALID, d->arguments->name, "%s", umx_error_why(&why));
    umx_text_free(&text);
    return status;
}

/* Accounts and groups of a domain, reported lately: what everybody or the machine itself is in gives nobody a say. */
static bool counts(const Umx__LocalAdministrator *administrator)
{
    return administrator->server != NULL && administrator->sid != NULL &&
           strncmp(administrator->sid, "S-1-5-21-", 9) == 0 &&
           administrator->collected_at > umx_clock_now() - REPORT_AGE_MAX;
}

/* local_administrators@SERVER for each server whose agent names the operator or one of his groups. */
static int add_local(struct decision *d, const Umx__World *records, const Umx__MembershipResult *member)
{
    for (size_t i = 0; i < records->n_local_administrator; i++) {
        const Umx__LocalAdministrator *administrator = records->local_administrator[i];
        bool his = counts(administrator) && umx_text_equal(administrator->sid, d->caller->identity->name);
        for (size_t k = 0; k < member->n_group_sid && counts(administrator) && !his; k++)
            his = umx_text_equal(administrator->sid, member->group_sid[k]);
        if (!his)
            continue;
        char *meaning = umx_arena_format(d->arena, LOCAL_ADMINISTRATORS "@%s", administrator->server);
        bool known = false;
        for (size_t k = 0; k < d->approval.n_group && meaning != NULL && !known; k++)
            known = strcmp(d->approval.group[k], meaning) == 0;
        if (meaning == NULL)
            return umx_fail(d->err, UMX_ERR_MEMORY, administrator->server, NULL);
        if (!known)
            d->approval.group[d->approval.n_group++] = meaning;
    }
    return 0;
}

/* Groups of the forest by meaning, read now, and which of them hold the operator, nested. */
static int prove_groups(struct decision *d)
{
    static const char *const tables[] = {"forest", "admin_group", "local_administrator", NULL};
    char forest[UMX_FQDN_MAX], sid[sizeof d->caller->identity->name];
    const char *forests[] = {forest};
    struct umx_world *world = NULL;
    Umx__Membership membership = UMX__MEMBERSHIP__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;

    umx_text_copy(forest, sizeof forest, d->arguments->forest);
    umx_text_copy(sid, sizeof sid, d->caller->identity->name);
    int status = d->engine->ports.read_world(d->engine->ports.user, forests, 1, tables, &world, d->err);
    if (status != 0)
        return status;
    const Umx__World *records = umx_world_records(world);
    membership.user_sid = sid;
    size_t most = records->n_admin_group + records->n_local_administrator + 1;
    membership.group_sid = umx_arena_alloc(d->arena, most * sizeof(char *));
    d->approval.group = umx_arena_alloc(d->arena, most * sizeof(char *));
    if (membership.group_sid == NULL || d->approval.group == NULL) {
        status = umx_fail(d->err, UMX_ERR_MEMORY, forest, NULL);
        goto out;
    }
    for (size_t i = 0; i < records->n_admin_group; i++)
        if (umx_text_equal(records->admin_group[i]->forest, forest) && records->admin_group[i]->sid != NULL)
            membership.group_sid[membership.n_group_sid++] = records->admin_group[i]->sid;
    for (size_t i = 0; i < records->n_local_administrator; i++)
        if (counts(records->local_administrator[i]))
            membership.group_sid[membership.n_group_sid++] = records->local_administrator[i]->sid;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_MEMBERSHIP;
    request.membership = &membership;
    status = umx_engine_call(d->engine, forest, false, &request, d->arena, &reply, d->err);
    if (status != 0)
        goto out;
    if (reply->reply_case != UMX__WORKER_REPLY__REPLY_MEMBERSHIP || !reply->membership->found ||
        !reply->membership->enabled) {
        status = umx_fail(d->err, UMX_ERR_OPERATOR_UNKNOWN, d->caller->identity->uri, NULL);
        goto out;
    }
    d->approval.name = umx_arena_string(d->arena, reply->membership->name);
    for (size_t i = 0; i < records->n_admin_group; i++)
        for (size_t k = 0; k < reply->membership->n_group_sid; k++) {
            const Umx__AdminGroup *group = records->admin_group[i];
            if (!umx_text_equal(group->forest, forest) || group->meaning == NULL ||
                !umx_text_equal(group->sid, reply->membership->group_sid[k]))
                continue;
            d->approval.group[d->approval.n_group] = umx_arena_string(d->arena, group->meaning);
            if (d->approval.group[d->approval.n_group] != NULL)
                d->approval.n_group++;
            break;
        }
    status = add_local(d, records, reply->membership);
out:
    umx_world_free(world);
    return status;
}

/* Without the groups of the plan, but not without any: who administers nothing in a forest is not its emergency. What
 * an agent says about its server counts for that server alone, and roles that only look for nothing. */
static bool administers(const struct decision *d)
{
    static const char *const others[] = {"viewer", "auditor", "rtc_component_services"};

    for (size_t i = 0; i < d->approval.n_group; i++) {
        bool counts_here = strchr(d->approval.group[i], '@') == NULL;
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            counts_here = counts_here && strcmp(d->approval.group[i], others[k]) != 0;
        if (counts_here)
            return true;
    }
    return false;
}

/* Whether the groups bring any step of the forest nearer to what it needs. */
static bool contributes(struct decision *d, const struct umx_plan_state *plan, const char **needed)
{
    char server[UMX_FQDN_MAX] = "";
    const struct umx_person person = {(const char *const *)d->approval.group, d->approval.n_group, server};
    const char *last = NULL;

    *needed = default_groups(d->engine, d->arguments->forest);
    for (size_t i = 0; i <= plan->step_count; i++) {
        const Umx__PlanStep *step = i < plan->step_count ? plan->steps[i].step : NULL;
        if (step != NULL && (!umx_text_equal(step->forest, d->arguments->forest) || changes_nothing(step)))
            continue;
        if (step == NULL && last != NULL)
            break;
        const char *expression =
            step != NULL ? groups_of(d->engine, step) : default_groups(d->engine, d->arguments->forest);
        bool local = step != NULL && strstr(expression, LOCAL_ADMINISTRATORS) != NULL;
        if (last != NULL && strcmp(last, expression) == 0 && !local)
            continue;
        if (local)
            server_of(step, server);
        *needed = last = expression;
        if (umx_groups_satisfied_by(expression, &person, 1))
            return true;
        const char *without = umx_groups_missing(expression, NULL, 0, d->arena);
        const char *with = umx_groups_missing_of(expression, &person, d->arena);
        if (without != NULL && with != NULL && strcmp(without, with) != 0)
            return true;
    }
    return false;
}

static int record(struct decision *d, struct umx_plan_state *plan)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    const char *forest = d->arguments->forest;
    for (size_t i = 0; i < plan->plan->n_forest; i++)
        if (umx_text_equal(plan->plan->forest[i], forest))
            forest = plan->plan->forest[i];
    Umx__Approval *approval = &d->approval;

    approval->plan = umx_arena_string(d->arena, plan->name);
    approval->plan_hash = umx_arena_string(d->arena, plan->hash);
    approval->forest = umx_arena_string(d->arena, d->arguments->forest);
    approval->has_decision = 1;
    approval->decision = d->decision;
    approval->operator_ = umx_arena_string(d->arena, d->caller->identity->uri);
    approval->sid = umx_arena_string(d->arena, d->caller->identity->name);
    approval->has_decided_at = 1;
    approval->decided_at = umx_clock_now();
    approval->has_expires_at = d->arguments->has_expires_at;
    approval->expires_at = d->arguments->expires_at;
    approval->ticket = d->arguments->ticket;
    approval->comment = d->arguments->comment;
    approval->has_signature = 1;
    approval->signature = d->arguments->signature;
    approval->has_certificate = 1;
    approval->certificate.len = d->caller->certificate_length;
    approval->certificate.data =
        (uint8_t *)umx_arena_copy(d->arena, d->caller->certificate, d->caller->certificate_length);
    if (approval->plan == NULL || approval->plan_hash == NULL || approval->forest == NULL ||
        approval->operator_ == NULL || approval->sid == NULL || approval->certificate.data == NULL)
        return umx_fail(d->err, UMX_ERR_MEMORY, plan->name, NULL);
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__APPROVAL;
    entry.approval = approval;
    if (d->decision == UMX__APPROVAL__DECISION__BREAK_GLASS)
        umx_log(UMX_LOG_WARNING, "engine", "BREAK-GLASS: %s lets plan %s run in %s without the groups: %s",
                d->caller->identity->uri, plan->name, forest, d->arguments->comment);
    return umx_engine_append(d->engine, plan, &entry, d->caller->identity->uri, d->err);
}

static int decide(struct decision *d)
{
    struct umx_plan_state *plan = NULL;
    const char *needed = NULL;

    int status = check_caller(d);
    if (status == 0)
        status = check_plan(d, &plan);
    if (status == 0)
        status = check_arguments(d);
    if (status == 0)
        status = check_signature(d);
    if (status != 0)
        return status;
    if (d->decision != UMX__APPROVAL__DECISION__WITHDRAW) { /* who lost the groups may still withdraw */
        pthread_mutex_unlock(&d->engine->mutex);
        status = prove_groups(d);
        pthread_mutex_lock(&d->engine->mutex);
        if (status == 0)
            status = check_plan(d, &plan);
        if (status != 0)
            return status;
        if (d->decision == UMX__APPROVAL__DECISION__BREAK_GLASS && !administers(d))
            return umx_fail(d->err, UMX_ERR_APPROVER_LACKS_GROUP, d->caller->identity->uri,
                            "break-glass is for those who administer something in %s", d->arguments->forest);
        if (d->decision != UMX__APPROVAL__DECISION__BREAK_GLASS && !contributes(d, plan, &needed))
            return umx_fail(d->err, UMX_ERR_APPROVER_LACKS_GROUP, d->caller->identity->uri, "%s needs %s",
                            d->arguments->forest, needed);
    }
    return record(d, plan);
}

int umx_engine_decide(struct umx_engine *engine, const Umx__PlanDecisionArguments *arguments,
                      Umx__Approval__Decision decision, const struct umx_engine_caller *caller, struct umx_error *err)
{
    struct umx_error local = {0};
    struct decision d = {engine,
                         arguments,
                         decision,
                         caller,
                         umx_arena_new(UMX_ARENA_FLOOR * 64),
                         UMX__APPROVAL__INIT,
                         err != NULL ? err : &local};

    if (d.arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, arguments->name, NULL);
    if (decision == UMX__APPROVAL__DECISION__APPROVE && arguments->has_break_glass && arguments->break_glass)
        d.decision = UMX__APPROVAL__DECISION__BREAK_GLASS;
    pthread_mutex_lock(&engine->mutex);
    int status = decide(&d);
    pthread_mutex_unlock(&engine->mutex);
    umx_arena_free(d.arena);
    return status;
}

/*
 * Engines, operators and plans for the engine's tests.
 */
#ifndef UMX_TESTS_UNIT_ENGINE_PLANS_H
#define UMX_TESTS_UNIT_ENGINE_PLANS_H

#include <openssl/x509.h>

#include "base/statement.h"
#include "engine_fake.h"
#include "pki.h"
#include "rpc/signature.h"

#define DEPLOYMENT "test"
#define DIAL_PLAN "CN=Plan,CN=UM DialPlan Container,DC=exchange,DC=test"
#define GATEWAY "CN=Pool1,CN=UM IPGateway Container,DC=exchange,DC=test"
#define HUNT "CN=Hunt1," GATEWAY
#define OLD_HUNT "CN=Old,CN=Other,CN=UM IPGateway Container,DC=exchange,DC=test"
#define POINTER "CN=Pointer,DC=exchange,DC=test"
#define CONTAINER "CN=UM DialPlan Container,DC=exchange,DC=test"
#define CONTACT "CN=Contact,OU=UM,DC=lync,DC=test"
#define ENTRY "(A;CI;LCRPLORC;;;S-1-5-21-2-2-2-1105)"

/* ---- operators */

struct person {
    struct umx_identity identity;
    uint8_t *certificate;
    size_t certificate_length;
    char *key;
};

static inline struct person person_make(const char *sid, const char *forest)
{
    struct person person = {.certificate = NULL};
    struct umx_certificate_spec spec = {.common_name = "operator",
                                        .path_length = -1,
                                        .client_auth = true,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + UMX_DAY};
    struct umx_text pem = {0};
    EVP_PKEY *key;
    X509 *certificate;

    person.identity.role = UMX_ROLE_OPERATOR;
    snprintf(person.identity.uri, sizeof person.identity.uri, "umx://" DEPLOYMENT "/operator/%s", sid);
    snprintf(person.identity.deployment, sizeof person.identity.deployment, "%s", DEPLOYMENT);
    snprintf(person.identity.name, sizeof person.identity.name, "%s", sid);
    snprintf(person.identity.forest, sizeof person.identity.forest, "%s", forest);
    spec.uri = person.identity.uri;
    pki_must(umx_certificate_key(&key, NULL));
    pki_must(umx_certificate_make(&spec, key, NULL, NULL, &certificate, NULL));
    pki_must(umx_certificate_add_key(key, &pem, NULL));
    person.key = pem.data;
    person.certificate_length = (size_t)i2d_X509(certificate, &person.certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return person;
}

static inline void person_free(struct person *person)
{
    OPENSSL_free(person->certificate);
    free(person->key);
}

static inline struct umx_engine_caller caller_of(const struct person *person)
{
    return (struct umx_engine_caller){.identity = &person->identity,
                                      .certificate = person->certificate,
                                      .certificate_length = person->certificate_length};
}

/* Signs as the statement says and decides; `arguments` may be spoilt by a test between both. */
static inline void person_sign(const struct person *person, Umx__PlanDecisionArguments *arguments,
                               Umx__Approval__Decision decision)
{
    const struct umx_statement statement = {DEPLOYMENT,
                                            arguments->plan_hash,
                                            arguments->forest,
                                            decision,
                                            arguments->has_expires_at ? arguments->expires_at : 0,
                                            arguments->ticket,
                                            arguments->comment};
    struct umx_text text = {0};

    pki_must(umx_statement_write(&statement, &text, NULL));
    arguments->has_signature = 1;
    pki_must(umx_signature_make(person->key, text.data, text.length, &arguments->signature.data,
                                &arguments->signature.len, NULL));
    umx_text_free(&text);
}

/* ---- an engine over a directory of the file system */

/* What must come true may take as long as a machine that does much else needs; it is never waited for when it is. */
#define STAGE_PATIENCE (120 * UMX_SECOND)

struct stage {
    char path[200];
    struct fake *fake;
    struct umx_journal_file *journal;
    struct umx_engine_ports ports;
    struct umx_engine_options options;
    struct umx_engine_forest forests[2];
    struct umx_engine *engine;
    struct person exchange; /* Organization and Recipient Management */
    struct person lync;     /* both RTC groups */
    struct person nobody;   /* of the Exchange forest, in no group */
    struct umx_error err;
};

static inline void stage_member(struct stage *stage, const char *user, const char *group)
{
    int i = stage->fake->member_count++;

    umx_text_copy(stage->fake->members[i][0], sizeof stage->fake->members[i][0], user);
    umx_text_copy(stage->fake->members[i][1], sizeof stage->fake->members[i][1], group);
}

static inline void stage_fill(struct stage *stage)
{
    struct fake *fake = stage->fake;

    if (fake->object_count > 0)
        return;
    fake_set(fake, 0, DIAL_PLAN, "objectClass", "msExchUMDialPlan");
    fake_set(fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1");
    fake_set(fake, 0, CONTAINER, "objectClass", "container");
    fake_set(fake, 0, OLD_HUNT, "objectClass", "msExchUMHuntGroup");
    fake_set(fake, 0, OLD_HUNT, "msExchUMPilotIdentifier", "old");
    fake_set(fake, 0, POINTER, "objectClass", "thing");
    fake_set(fake, 0, POINTER, "pointsAt", OLD_HUNT);
    fake_set(fake, 1, CONTACT, "objectClass", "contact");
    fake_set(fake, 1, CONTACT, "msRTCSIP-Line", "tel:+1");
    stage_member(stage, "S-1-5-21-1-1001", "S-1-5-21-1-101");
    stage_member(stage, "S-1-5-21-1-1001", "S-1-5-21-1-102");
    stage_member(stage, "S-1-5-21-2-1001", "S-1-5-21-2-201");
    stage_member(stage, "S-1-5-21-2-1001", "S-1-5-21-2-202");
}

static inline int stage_open_engine(struct stage *stage)
{
    char path[256];

    snprintf(path, sizeof path, "%s/journal.db", stage->path);
    int status = umx_journal_open(path, &stage->journal, &stage->err);
    if (status == 0)
        status = umx_engine_open(stage->journal, &stage->ports, &stage->options, &stage->engine, &stage->err);
    return status;
}

static inline void stage_close_engine(struct stage *stage)
{
    umx_engine_close(stage->engine);
    stage->engine = NULL;
    umx_journal_close(stage->journal);
    stage->journal = NULL;
}

/* For tests of what happens when a promise never comes true, or an agent never comes back. */
static inline void stage_hurry(struct stage *stage, int64_t promise_deadline, int64_t away_deadline)
{
    stage_close_engine(stage);
    stage->options.promise_deadline = promise_deadline;
    stage->options.away_deadline = away_deadline;
    if (stage_open_engine(stage) != 0)
        abort();
}

/* path: an existing folder, or NULL for a fresh one. */
static inline struct stage *stage_make(const char *path, enum umx_engine_policy policy)
{
    struct stage *stage = calloc(1, sizeof *stage);
    char fake[256];
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    if (stage == NULL)
        abort();
    if (path != NULL) {
        snprintf(stage->path, sizeof stage->path, "%s", path);
    } else {
        snprintf(stage->path, sizeof stage->path, "%s/umx-engine-XXXXXX", base);
        if (mkdtemp(stage->path) == NULL)
            abort();
    }
    snprintf(fake, sizeof fake, "%s/fake", stage->path);
    stage->fake = fake_open(fake);
    stage_fill(stage);
    stage->ports = fake_ports(stage->fake);
    for (int i = 0; i < 2; i++) {
        stage->forests[i].name = fake_forests[i];
        stage->forests[i].side = i == 0 ? UMX__FOREST__SIDE__EXCHANGE : UMX__FOREST__SIDE__LYNC;
    }
    stage->options = (struct umx_engine_options){.deployment = DEPLOYMENT,
                                                 .actor = "umx://" DEPLOYMENT "/controller/c1",
                                                 .policy = policy,
                                                 .forests = stage->forests,
                                                 .forest_count = 2,
                                                 .settle_delay = -1,
                                                 .retry_first = 20 * UMX_MILLISECOND,
                                                 .retry_last = 50 * UMX_MILLISECOND,
                                                 .poll_interval = 10 * UMX_MILLISECOND,
                                                 .promise_deadline = STAGE_PATIENCE,
                                                 .away_deadline = STAGE_PATIENCE};
    stage->exchange = person_make("S-1-5-21-1-1001", fake_forests[0]);
    stage->lync = person_make("S-1-5-21-2-1001", fake_forests[1]);
    stage->nobody = person_make("S-1-5-21-1-1099", fake_forests[0]);
    if (stage_open_engine(stage) != 0) {
        umx_log_error("stage", &stage->err);
        abort();
    }
    return stage;
}

static inline void stage_end(struct stage *stage, bool remove_files)
{
    static const char *const files[] = {"fake", "journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"};

    stage_close_engine(stage);
    fake_close(stage->fake);
    for (size_t i = 0; remove_files && i < sizeof files / sizeof *files; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", stage->path, files[i]);
        unlink(path);
    }
    if (remove_files)
        rmdir(stage->path);
    person_free(&stage->exchange);
    person_free(&stage->lync);
    person_free(&stage->nobody);
    free(stage);
}

/* ---- plans */

struct draft {
    struct umx_arena *arena;
    Umx__Plan plan;
};

static inline void draft_list(struct draft *draft, char ***list, size_t *count, const char *text)
{
    char **grown = umx_arena_alloc(draft->arena, (*count + 1) * sizeof(char *));

    for (size_t i = 0; i < *count; i++)
        grown[i] = (*list)[i];
    grown[(*count)++] = umx_arena_string(draft->arena, text);
    *list = grown;
}

static inline struct draft draft_make(const struct stage *stage, const char *name)
{
    struct draft draft = {umx_arena_new(16 * 1024 * 1024), UMX__PLAN__INIT};
    Umx__Pair *pair = fake_new(&umx__pair__descriptor, draft.arena);

    draft.plan.name = umx_arena_string(draft.arena, name);
    draft.plan.deployment = umx_arena_string(draft.arena, DEPLOYMENT);
    draft.plan.author = umx_arena_string(draft.arena, stage->exchange.identity.uri);
    draft.plan.has_created_at = 1;
    draft.plan.created_at = umx_clock_now();
    draft.plan.has_engine = 1;
    draft.plan.engine = UMX_ENGINE_GENERATION;
    draft_list(&draft, &draft.plan.forest, &draft.plan.n_forest, fake_forests[0]);
    draft_list(&draft, &draft.plan.forest, &draft.plan.n_forest, fake_forests[1]);
    pair->exchange = draft.plan.forest[0];
    pair->lync = draft.plan.forest[1];
    draft.plan.pair = umx_arena_alloc(draft.arena, sizeof(void *));
    draft.plan.pair[draft.plan.n_pair++] = pair;
    draft_list(&draft, &draft.plan.phase, &draft.plan.n_phase, "exchucutil");
    draft_list(&draft, &draft.plan.phase, &draft.plan.n_phase, "ocsumutil");
    return draft;
}

static inline Umx__PlanStep *draft_step(struct draft *draft, int forest, Umx__Change__Kind kind, const char *dn)
{
    Umx__PlanStep *step = fake_new(&umx__plan_step__descriptor, draft->arena);
    Umx__PlanStep **steps = umx_arena_alloc(draft->arena, (draft->plan.n_step + 1) * sizeof(void *));

    for (size_t i = 0; i < draft->plan.n_step; i++)
        steps[i] = draft->plan.step[i];
    steps[draft->plan.n_step++] = step;
    draft->plan.step = steps;
    step->id = umx_arena_format(draft->arena, "s%zu", draft->plan.n_step);
    step->phase = draft->plan.phase[forest];
    step->has_side = 1;
    step->side = forest == 0 ? UMX__FOREST__SIDE__EXCHANGE : UMX__FOREST__SIDE__LYNC;
    step->forest = draft->plan.forest[forest];
    step->target = umx_arena_string(draft->arena, dn);
    step->has_kind = 1;
    step->kind = kind;
    step->summary = umx_arena_format(draft->arena, "change %s", dn);
    step->groups = umx_arena_string(draft->arena, forest == 0 ? "organization_management" : "rtc_server_admins");
    step->change = fake_new(&umx__change__descriptor, draft->arena);
    step->change->has_kind = 1;
    step->change->kind = kind;
    if (kind < UMX__CHANGE__KIND__ACTION)
        step->change->dn = step->target;
    step->before = fake_new(&umx__image__descriptor, draft->arena);
    step->after = fake_new(&umx__image__descriptor, draft->arena);
    step->before->has_exists = step->after->has_exists = 1;
    step->before->exists = kind != UMX__CHANGE__KIND__ADD;
    step->after->exists = kind != UMX__CHANGE__KIND__DELETE;
    return step;
}

static inline void draft_attribute(struct draft *draft, Umx__AttributeValues ***list, size_t *count, const char *name,
                                   const char *value)
{
    Umx__AttributeValues **grown = umx_arena_alloc(draft->arena, (*count + 1) * sizeof(void *));
    Umx__AttributeValues *values = fake_new(&umx__attribute_values__descriptor, draft->arena);

    for (size_t i = 0; i < *count; i++)
        grown[i] = (*list)[i];
    values->name = umx_arena_string(draft->arena, name);
    if (value != NULL)
        draft_list(draft, &values->value, &values->n_value, value);
    grown[(*count)++] = values;
    *list = grown;
}

static inline Umx__PlanStep *draft_add(struct draft *draft, int forest, const char *dn, const char *class,
                                       const char *name, const char *value)
{
    Umx__PlanStep *step = draft_step(draft, forest, UMX__CHANGE__KIND__ADD, dn);

    draft_attribute(draft, &step->change->attribute, &step->change->n_attribute, "objectClass", class);
    draft_attribute(draft, &step->change->attribute, &step->change->n_attribute, name, value);
    step->after->attribute = step->change->attribute;
    step->after->n_attribute = step->change->n_attribute;
    return step;
}

static inline Umx__PlanStep *draft_modify(struct draft *draft, int forest, const char *dn, const char *name,
                                          const char *from, const char *to)
{
    Umx__PlanStep *step = draft_step(draft, forest, UMX__CHANGE__KIND__MODIFY, dn);
    Umx__AttributeChange *change = fake_new(&umx__attribute_change__descriptor, draft->arena);

    change->name = umx_arena_string(draft->arena, name);
    if (from != NULL)
        draft_list(draft, &change->remove, &change->n_remove, from);
    if (to != NULL)
        draft_list(draft, &change->add, &change->n_add, to);
    step->change->modify = umx_arena_alloc(draft->arena, sizeof(void *));
    step->change->modify[step->change->n_modify++] = change;
    draft_attribute(draft, &step->before->attribute, &step->before->n_attribute, name, from);
    draft_attribute(draft, &step->after->attribute, &step->after->n_attribute, name, to);
    return step;
}

static inline Umx__PlanStep *draft_access(struct draft *draft, const char *dn)
{
    Umx__PlanStep *step = draft_step(draft, 0, UMX__CHANGE__KIND__ACCESS, dn);

    step->change->access = fake_new(&umx__access_change__descriptor, draft->arena);
    step->change->access->has_add = 1;
    step->change->access->add = 1;
    step->change->access->sddl = umx_arena_string(draft->arena, ENTRY);
    draft_list(draft, &step->after->access, &step->after->n_access, ENTRY);
    return step;
}

static inline Umx__PlanStep *draft_action(struct draft *draft, const char *server)
{
    Umx__PlanStep *step = draft_step(draft, 1, UMX__CHANGE__KIND__ACTION, server);

    step->change->action = fake_new(&umx__action_change__descriptor, draft->arena);
    step->change->action->server = step->target;
    step->change->action->action = umx_arena_string(draft->arena, "restart-service");
    step->change->action->identity = umx_arena_string(draft->arena, "machine");
    draft_list(draft, &step->change->action->item, &step->change->action->n_item, "{\"service\":\"RTCSRV\"}");
    step->undo = umx_arena_string(draft->arena, "a restart needs no undo");
    step->has_irreversible = 1;
    step->irreversible = 1;
    return step;
}

static inline Umx__PlanStep *draft_gate(struct draft *draft, int forest, const char *reason)
{
    Umx__PlanStep *step = draft_step(draft, forest, UMX__CHANGE__KIND__GATE, reason);

    step->change->gate = fake_new(&umx__gate_change__descriptor, draft->arena);
    step->change->gate->reason = step->target;
    return step;
}

static inline Umx__PlanStep *draft_wait(struct draft *draft, int forest, const char *what, int seconds)
{
    Umx__PlanStep *step = draft_step(draft, forest, UMX__CHANGE__KIND__WAIT, what);

    step->change->wait = fake_new(&umx__wait_change__descriptor, draft->arena);
    step->change->wait->what = step->target;
    step->change->wait->has_timeout = 1;
    step->change->wait->timeout = seconds;
    return step;
}

static inline void draft_depend(struct draft *draft, Umx__PlanStep *step, const Umx__PlanStep *on)
{
    draft_list(draft, &step->depends, &step->n_depends, on->id);
}

static inline int draft_store(struct stage *stage, struct draft *draft)
{
    pthread_mutex_lock(&stage->engine->mutex);
    int status = umx_plans_store(stage->engine, &draft->plan, false, stage->exchange.identity.uri, &stage->err);
    pthread_mutex_unlock(&stage->engine->mutex);
    umx_arena_free(draft->arena);
    return status;
}

/* Every kind of change, both forests, a dependency between them. */
static inline int store_whole_plan(struct stage *stage, const char *name)
{
    struct draft draft = draft_make(stage, name);
    Umx__PlanStep *gateway = draft_add(&draft, 0, GATEWAY, "msExchUMIPGateway", "msExchUMIPGatewayAddress", "pool1");
    Umx__PlanStep *hunt = draft_add(&draft, 0, HUNT, "msExchUMHuntGroup", "msExchUMPilotIdentifier", "Plan");
    Umx__PlanStep *security = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    Umx__PlanStep *access = draft_access(&draft, CONTAINER);
    Umx__PlanStep *old = draft_step(&draft, 0, UMX__CHANGE__KIND__DELETE, OLD_HUNT);
    Umx__PlanStep *contact = draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2");
    Umx__PlanStep *action = draft_action(&draft, "fe1.lync.test");
    Umx__PlanStep *gate = draft_gate(&draft, 1, "look at it");

    draft_depend(&draft, hunt, gateway);
    draft_depend(&draft, old, hunt);
    draft_depend(&draft, contact, security);
    draft_depend(&draft, action, contact);
    draft_depend(&draft, gate, action);
    (void)access;
    return draft_store(stage, &draft);
}

/* ---- driving */

static inline Umx__PlanSummary__State stage_state(struct stage *stage, const char *name)
{
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    struct umx_engine_view view;
    Umx__PlanSummary__State state = 0;

    if (umx_engine_show(stage->engine, name, arena, &view, &stage->err) == 0)
        state = view.summary->state;
    umx_arena_free(arena);
    return state;
}

static inline Umx__PlanStep__State stage_step(struct stage *stage, const char *name, const char *id)
{
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    struct umx_engine_view view;
    Umx__PlanStep__State state = 0;

    if (umx_engine_show(stage->engine, name, arena, &view, &stage->err) == 0)
        for (size_t i = 0; i < view.step_count; i++)
            if (strcmp(view.steps[i]->id, id) == 0)
                state = view.steps[i]->state;
    umx_arena_free(arena);
    return state;
}

static inline int stage_decide(struct stage *stage, const char *name, const struct person *person,
                               Umx__Approval__Decision decision, bool break_glass)
{
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    Umx__PlanDecisionArguments arguments = UMX__PLAN_DECISION_ARGUMENTS__INIT;
    struct umx_engine_view view;
    struct umx_engine_caller caller = caller_of(person);

    int status = umx_engine_show(stage->engine, name, arena, &view, &stage->err);
    if (status == 0) {
        arguments.name = (char *)(uintptr_t)name;
        arguments.plan_hash = view.summary->hash;
        arguments.forest = (char *)(uintptr_t)person->identity.forest;
        arguments.has_expires_at = 1;
        arguments.expires_at = umx_clock_now() + UMX_HOUR;
        arguments.ticket = (char *)(uintptr_t) "CHG-1";
        arguments.comment = (char *)(uintptr_t) "because";
        arguments.has_break_glass = 1;
        arguments.break_glass = break_glass;
        person_sign(person, &arguments, break_glass ? UMX__APPROVAL__DECISION__BREAK_GLASS : decision);
        status = umx_engine_decide(stage->engine, &arguments, decision, &caller, &stage->err);
        free(arguments.signature.data);
    }
    umx_arena_free(arena);
    return status;
}

static inline void stage_submit(struct stage *stage, const char *name)
{
    struct umx_engine_caller caller = caller_of(&stage->exchange);

    assert_int_equal(umx_engine_submit(stage->engine, name, &caller, &stage->err), 0);
}

static inline int stage_approve(struct stage *stage, const char *name)
{
    struct umx_engine_caller caller = caller_of(&stage->exchange);
    int status = 0;

    if (stage_state(stage, name) == UMX__PLAN_SUMMARY__STATE__DRAFT)
        status = umx_engine_submit(stage->engine, name, &caller, &stage->err);
    if (status == 0)
        status = stage_decide(stage, name, &stage->exchange, UMX__APPROVAL__DECISION__APPROVE, false);
    if (status == 0)
        status = stage_decide(stage, name, &stage->lync, UMX__APPROVAL__DECISION__APPROVE, false);
    return status;
}

static inline int stage_start(struct stage *stage, const char *name)
{
    Umx__PlanStartArguments arguments = UMX__PLAN_START_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&stage->exchange);

    arguments.name = (char *)(uintptr_t)name;
    return umx_engine_start(stage->engine, &arguments, &caller, &stage->err);
}

static inline int stage_resume(struct stage *stage, const char *name)
{
    struct umx_engine_caller caller = caller_of(&stage->exchange);

    return umx_engine_resume(stage->engine, name, &caller, &stage->err);
}

/* Waits until a step is in this state. */
static inline bool stage_settles(struct stage *stage, const char *name, const char *id, Umx__PlanStep__State wanted)
{
    for (int64_t end = umx_clock_monotonic() + STAGE_PATIENCE; umx_clock_monotonic() < end;) {
        if (stage_step(stage, name, id) == wanted)
            return true;
        usleep(5000);
    }
    return false;
}

/* Waits until the plan is at rest, confirming gates on the way; the state it rests in. */
static inline Umx__PlanSummary__State stage_wait(struct stage *stage, const char *name, bool confirm)
{
    const struct umx_engine_caller callers[] = {caller_of(&stage->exchange), caller_of(&stage->lync)};
    int64_t after = 0, end = umx_clock_monotonic() + STAGE_PATIENCE;

    while (umx_clock_monotonic() < end) {
        struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
        Umx__Journal *entry = NULL;
        int status = umx_engine_wait(stage->engine, name, after, 20 * UMX_MILLISECOND, arena, &entry, &stage->err);
        if (entry != NULL)
            after = entry->sequence;
        umx_arena_free(arena);
        if (status == 0 && entry == NULL)
            return stage_state(stage, name);
        if (status != 0 && status != UMX_E_TIMEOUT)
            return 0;
        if (status != UMX_E_TIMEOUT || !confirm)
            continue;
        for (int i = 1; i <= 12; i++) {
            char id[8];
            Umx__PlanConfirmArguments arguments = UMX__PLAN_CONFIRM_ARGUMENTS__INIT;
            snprintf(id, sizeof id, "s%d", i);
            char *values[] = {(char *)(uintptr_t) "line=tel:+2"};
            arguments.name = (char *)(uintptr_t)name;
            arguments.step = id;
            arguments.value = values;
            for (size_t k = 0; k < 2; k++) { /* each forest's own; a wait takes no value */
                arguments.n_value = 1;
                if (umx_engine_confirm(stage->engine, &arguments, &callers[k], &stage->err) == 0 ||
                    stage->err.id != UMX_ERR_GATE_VALUE)
                    continue;
                arguments.n_value = 0;
                umx_engine_confirm(stage->engine, &arguments, &callers[k], &stage->err);
            }
        }
    }
    return 0;
}

static inline int stage_undo(struct stage *stage, const char *name, const char *to_phase)
{
    Umx__PlanUndoArguments arguments = UMX__PLAN_UNDO_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&stage->exchange);
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    const char *undo = NULL;

    arguments.name = (char *)(uintptr_t)name;
    arguments.to_phase = (char *)(uintptr_t)to_phase;
    int status = umx_engine_undo(stage->engine, &arguments, &caller, arena, &undo, &stage->err);
    umx_arena_free(arena);
    return status;
}

#endif

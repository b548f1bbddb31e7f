/* States, approvals, execution, settling, undo: against a directory in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>
#include <cmocka.h>

#include "engine_plans.h"

#define STATE(word) UMX__PLAN_SUMMARY__STATE__##word
#define STEP(word) UMX__PLAN_STEP__STATE__##word
#define APPROVE UMX__APPROVAL__DECISION__APPROVE

static struct stage *both(void)
{
    return stage_make(NULL, UMX_POLICY_BOTH_SIDES);
}

static struct stage *lab(void)
{
    return stage_make(NULL, UMX_POLICY_NONE);
}

/* A plan of one modification in the Exchange forest and one in the Lync forest. */
static void store_small(struct stage *s, const char *name)
{
    struct draft draft = draft_make(s, name);

    draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2");
    assert_int_equal(draft_store(s, &draft), 0);
}

/* ---- states and approvals */

static void test_life(void **state)
{
    struct stage *s = both();
    (void)state;

    store_small(s, "p");
    assert_int_equal(stage_state(s, "p"), STATE(DRAFT));
    assert_int_equal(stage_start(s, "p"), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_STATE_WRONG);
    stage_submit(s, "p");
    assert_int_equal(stage_state(s, "p"), STATE(SUBMITTED));
    assert_int_equal(stage_start(s, "p"), UMX_E_DENIED);
    assert_int_equal(s->err.id, UMX_ERR_APPROVAL_MISSING);
    assert_int_equal(stage_decide(s, "p", &s->exchange, APPROVE, false), 0);
    assert_int_equal(stage_state(s, "p"), STATE(SUBMITTED));
    assert_int_equal(stage_decide(s, "p", &s->lync, APPROVE, false), 0);
    assert_int_equal(stage_state(s, "p"), STATE(APPROVED));

    /* States are derived: the same after everything was read again. */
    stage_close_engine(s);
    assert_int_equal(stage_open_engine(s), 0);
    assert_int_equal(stage_state(s, "p"), STATE(APPROVED));

    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity"), "3");
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "msRTCSIP-Line"), "tel:+2");
    assert_int_equal(stage_step(s, "p", "s1"), STEP(VERIFIED));
    assert_int_equal(s->fake->released, 2);
    int64_t entries, bad;
    bool intact;
    assert_int_equal(umx_engine_verify(s->engine, &entries, &intact, &bad, NULL, &s->err), 0);
    assert_true(intact);
    assert_int_equal(bad, 0);
    assert_true(entries > 10);
    stage_end(s, true);
}

struct refusal {
    const char *what;
    int id;
    void (*spoil)(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a);
    bool sign_after; /* the signature is right for what was spoilt */
    enum umx_engine_policy policy;
};

static void spoil_hash(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->plan_hash[0] = a->plan_hash[0] == '0' ? '1' : '0';
}

static void spoil_forest(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->forest = (char *)(uintptr_t)fake_forests[1];
}

static void spoil_outside(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s;
    a->forest = (char *)(uintptr_t) "other.test";
    snprintf(who->identity.forest, sizeof who->identity.forest, "other.test");
}

static void spoil_expired(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->expires_at = umx_clock_now() - 1;
}

static void spoil_far(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->expires_at = umx_clock_now() + 31 * UMX_DAY;
}

static void spoil_comment(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->comment = (char *)(uintptr_t) "something else";
}

static void spoil_signature(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->signature.data[a->signature.len - 1] ^= 1;
}

static void spoil_certificate(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)a;
    OPENSSL_free(who->certificate);
    who->certificate_length = s->nobody.certificate_length;
    who->certificate = OPENSSL_malloc(who->certificate_length);
    memcpy(who->certificate, s->nobody.certificate, who->certificate_length);
}

static void spoil_role(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)a;
    who->identity.role = UMX_ROLE_AGENT;
}

static void spoil_deployment(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)a;
    snprintf(who->identity.deployment, sizeof who->identity.deployment, "elsewhere");
}

static void spoil_groups(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)who, (void)a;
    s->fake->member_count = 0;
}

static void spoil_account(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)who, (void)a;
    s->fake->disabled = true;
}

static void spoil_nothing(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who, (void)a;
}

static void spoil_reason(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->comment = NULL;
    a->has_break_glass = a->break_glass = 1;
}

static void spoil_line_end(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->comment = (char *)(uintptr_t) "a\nb";
}

static void spoil_name(struct stage *s, struct person *who, Umx__PlanDecisionArguments *a)
{
    (void)s, (void)who;
    a->name = (char *)(uintptr_t) "q";
}

static const struct refusal refusals[] = {
    {"another hash", UMX_ERR_PLAN_HASH_MISMATCH, spoil_hash, true, UMX_POLICY_BOTH_SIDES},
    {"a forest that did not vouch", UMX_ERR_APPROVER_NOT_OF_FOREST, spoil_forest, true, UMX_POLICY_BOTH_SIDES},
    {"a forest not in the plan", UMX_ERR_FOREST_NOT_IN_PLAN, spoil_outside, true, UMX_POLICY_BOTH_SIDES},
    {"an end in the past", UMX_ERR_APPROVAL_EXPIRY, spoil_expired, true, UMX_POLICY_BOTH_SIDES},
    {"an end far away", UMX_ERR_APPROVAL_EXPIRY, spoil_far, true, UMX_POLICY_BOTH_SIDES},
    {"a comment that was not signed", UMX_ERR_SIGNATURE_INVALID, spoil_comment, false, UMX_POLICY_BOTH_SIDES},
    {"a broken signature", UMX_ERR_SIGNATURE_INVALID, spoil_signature, false, UMX_POLICY_BOTH_SIDES},
    {"another's certificate", UMX_ERR_SIGNATURE_INVALID, spoil_certificate, false, UMX_POLICY_BOTH_SIDES},
    {"an agent", UMX_ERR_NOT_PERMITTED, spoil_role, true, UMX_POLICY_BOTH_SIDES},
    {"another deployment", UMX_ERR_NOT_PERMITTED, spoil_deployment, true, UMX_POLICY_BOTH_SIDES},
    {"no group", UMX_ERR_APPROVER_LACKS_GROUP, spoil_groups, true, UMX_POLICY_BOTH_SIDES},
    {"a disabled account", UMX_ERR_OPERATOR_UNKNOWN, spoil_account, true, UMX_POLICY_BOTH_SIDES},
    {"the author, strict", UMX_ERR_AUTHOR_MAY_NOT_APPROVE, spoil_nothing, true, UMX_POLICY_STRICT},
    {"break-glass without a reason", UMX_ERR_REASON_MISSING, spoil_reason, false, UMX_POLICY_BOTH_SIDES},
    {"two lines in a comment", UMX_ERR_STATEMENT_INVALID, spoil_line_end, false, UMX_POLICY_BOTH_SIDES},
    {"no such plan", UMX_ERR_PLAN_NOT_FOUND, spoil_name, true, UMX_POLICY_BOTH_SIDES},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct stage *s = stage_make(NULL, refusals[i].policy);
        struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
        Umx__PlanDecisionArguments a = UMX__PLAN_DECISION_ARGUMENTS__INIT;
        struct umx_engine_view view;
        store_small(s, "p");
        stage_submit(s, "p");
        assert_int_equal(umx_engine_show(s->engine, "p", arena, &view, &s->err), 0);
        a.name = (char *)(uintptr_t) "p";
        a.plan_hash = view.summary->hash;
        a.forest = (char *)(uintptr_t)fake_forests[0];
        a.has_expires_at = 1;
        a.expires_at = umx_clock_now() + UMX_HOUR;
        a.comment = (char *)(uintptr_t) "why";
        if (refusals[i].sign_after)
            refusals[i].spoil(s, &s->exchange, &a);
        person_sign(&s->exchange, &a, APPROVE);
        if (!refusals[i].sign_after)
            refusals[i].spoil(s, &s->exchange, &a);
        struct umx_engine_caller caller = caller_of(&s->exchange);
        assert_int_not_equal(umx_engine_decide(s->engine, &a, APPROVE, &caller, &s->err), 0);
        if (s->err.id != refusals[i].id)
            print_error("%s: UMX-%d %s\n", refusals[i].what, s->err.id, s->err.why);
        assert_int_equal(s->err.id, refusals[i].id);
        assert_int_equal(umx_engine_show(s->engine, "p", arena, &view, &s->err), 0);
        assert_int_equal(view.approval_count, 0); /* nothing refused is recorded */
        free(a.signature.data);
        umx_arena_free(arena);
        stage_end(s, true);
    }
}

static void test_withdraw_deny_expire(void **state)
{
    struct stage *s = both();
    (void)state;

    store_small(s, "p");
    assert_int_equal(stage_decide(s, "p", &s->exchange, APPROVE, false), UMX_E_CONFLICT); /* a draft */
    assert_int_equal(stage_approve(s, "p"), 0);
    assert_int_equal(stage_state(s, "p"), STATE(APPROVED));
    assert_int_equal(stage_decide(s, "p", &s->lync, UMX__APPROVAL__DECISION__WITHDRAW, false), 0);
    assert_int_equal(stage_state(s, "p"), STATE(SUBMITTED));
    assert_int_equal(stage_decide(s, "p", &s->lync, UMX__APPROVAL__DECISION__WITHDRAW, false), UMX_E_NOT_FOUND);
    assert_int_equal(s->err.id, UMX_ERR_NO_DECISION);
    assert_int_equal(stage_decide(s, "p", &s->lync, UMX__APPROVAL__DECISION__DENY, false), 0);
    assert_int_equal(stage_start(s, "p"), UMX_E_DENIED);
    assert_int_equal(s->err.id, UMX_ERR_DENIED_BY_APPROVER);
    assert_int_equal(stage_decide(s, "p", &s->lync, APPROVE, false), 0); /* the newest decision stands */
    assert_int_equal(stage_state(s, "p"), STATE(APPROVED));
    umx_clock_set(umx_clock_now() + 2 * UMX_HOUR);
    assert_int_equal(stage_state(s, "p"), STATE(SUBMITTED)); /* the approvals have run out */
    store_small(s, "later");
    umx_clock_set(0); /* the clock is moved back: the journal knows how late it has been */
    assert_int_equal(stage_state(s, "p"), STATE(SUBMITTED));
    stage_end(s, true);
}

static void test_break_glass(void **state)
{
    struct stage *s = both();
    (void)state;

    store_small(s, "p");
    stage_submit(s, "p");
    assert_int_equal(stage_decide(s, "p", &s->nobody, APPROVE, false), UMX_E_DENIED);
    assert_int_equal(s->err.id, UMX_ERR_APPROVER_LACKS_GROUP);
    stage_member(s, "S-1-5-21-1-1099", "S-1-5-21-1-102"); /* recipients: not what the plan needs */
    assert_int_equal(stage_decide(s, "p", &s->nobody, APPROVE, false), UMX_E_DENIED);
    assert_int_equal(stage_decide(s, "p", &s->nobody, APPROVE, true), 0);
    assert_int_equal(stage_decide(s, "p", &s->lync, APPROVE, false), 0);
    assert_int_equal(stage_state(s, "p"), STATE(APPROVED));
    stage_end(s, true);
}

static void test_several_approvers(void **state)
{
    struct stage *s = both();
    struct draft draft = draft_make(s, "p");
    (void)state;

    Umx__PlanStep *step = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    step->groups = umx_arena_string(draft.arena, "organization_management and recipient_management");
    assert_int_equal(draft_store(s, &draft), 0);
    s->fake->member_count = 0;
    stage_member(s, "S-1-5-21-1-1001", "S-1-5-21-1-102"); /* recipient alone */
    stage_member(s, "S-1-5-21-1-1099", "S-1-5-21-1-101"); /* organization alone */
    stage_member(s, "S-1-5-21-2-1001", "S-1-5-21-2-201");
    assert_int_equal(stage_approve(s, "p"), 0);
    assert_int_equal(stage_state(s, "p"), STATE(SUBMITTED));
    assert_int_equal(stage_decide(s, "p", &s->nobody, APPROVE, false), 0);
    assert_int_equal(stage_state(s, "p"), STATE(APPROVED)); /* together */
    stage_end(s, true);
}

/* What agents say of their servers: by group, by the account itself, never by what the machine alone knows or said
 * days ago. */
static void test_local_administrators(void **state)
{
    static const struct {
        const char *server;
        bool group, may;
    } cases[] = {
        {"UM1", true, true}, {"UM1", false, false}, {"UM2", false, true}, {"UM3", true, false}, {"UM4", true, false}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dn[256];
        struct stage *s = both();
        struct draft draft = draft_make(s, "p");
        snprintf(dn, sizeof dn, "CN=SIP,CN=Protocols,CN=%s,CN=Servers,CN=Admin,DC=exchange,DC=test", cases[i].server);
        Umx__PlanStep *step = draft_modify(&draft, 0, dn, "msExchUMStartupMode", "0", "2");
        step->groups = umx_arena_string(draft.arena, "local_administrators");
        assert_int_equal(draft_store(s, &draft), 0);
        s->fake->member_count = 0;
        stage_member(s, "S-1-5-21-1-1099", "S-1-5-32-544");
        if (cases[i].group)
            stage_member(s, "S-1-5-21-1-1099", "S-1-5-21-1-301");
        stage_member(s, "S-1-5-21-2-1001", "S-1-5-21-2-201");
        struct umx_engine_caller caller = caller_of(&s->exchange);
        assert_int_equal(umx_engine_submit(s->engine, "p", &caller, &s->err), 0);
        assert_int_equal(stage_decide(s, "p", &s->lync, APPROVE, false), 0);
        int status = stage_decide(s, "p", &s->nobody, APPROVE, false);
        assert_int_equal(status, cases[i].may ? 0 : UMX_E_DENIED);
        if (!cases[i].may)
            assert_int_equal(s->err.id, UMX_ERR_APPROVER_LACKS_GROUP);
        assert_int_equal(stage_state(s, "p"), cases[i].may ? STATE(APPROVED) : STATE(SUBMITTED));
        stage_end(s, true);
    }
}

/* ---- creating */

static int create(struct stage *s, const char *name, const char *phase)
{
    Umx__PlanCreateArguments a = UMX__PLAN_CREATE_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&s->exchange);
    char *phases[] = {(char *)(uintptr_t)phase};

    a.name = (char *)(uintptr_t)name;
    a.phase = phases;
    a.n_phase = phase != NULL ? 1 : 0;
    return umx_engine_create(s->engine, &a, &caller, &s->err);
}

static void test_create(void **state)
{
    static const char *const names[] = {"", "-a", "a b", "a/b", ".a"};
    struct stage *s = lab();
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(create(s, names[i], "forests"), UMX_E_ARGUMENT);
        assert_int_equal(s->err.id, UMX_ERR_PLAN_NAME_INVALID);
    }
    assert_int_equal(create(s, "p", "no-such"), UMX_E_ARGUMENT);
    assert_int_equal(s->err.id, UMX_ERR_PHASE_UNKNOWN);
    assert_int_equal(create(s, "p", NULL), UMX_E_ARGUMENT);
    s->fake->unreadable = true;
    assert_int_equal(create(s, "p", "forests"), UMX_E_PARTIAL);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_WORLD_INCOMPLETE);
    s->fake->unreadable = false;
    assert_int_equal(create(s, "p", "forests"), 0);
    assert_int_equal(stage_state(s, "p"), STATE(DRAFT));
    assert_int_equal(create(s, "p", "forests"), UMX_E_EXISTS);
    struct umx_engine_caller caller = caller_of(&s->exchange);
    assert_int_equal(umx_engine_delete(s->engine, "p", &caller, &s->err), 0);
    assert_int_equal(stage_state(s, "p"), 0);
    assert_int_equal(create(s, "p", "forests"), 0); /* the name is free again */
    stage_close_engine(s);
    assert_int_equal(stage_open_engine(s), 0);
    assert_int_equal(stage_state(s, "p"), STATE(DRAFT));
    stage_end(s, true);
}

/* ---- execution */

static void test_whole_plan_and_undo(void **state)
{
    struct stage *s = both();
    (void)state;

    assert_int_equal(store_whole_plan(s, "p"), 0);
    assert_int_equal(stage_approve(s, "p"), 0);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", true), STATE(COMPLETED));
    assert_non_null(fake_find(s->fake, 0, HUNT));
    assert_null(fake_find(s->fake, 0, OLD_HUNT));
    assert_null(fake_value(s->fake, 0, POINTER, "pointsAt"));
    assert_int_equal(fake_find(s->fake, 0, CONTAINER)->entry_count, 1);
    assert_int_equal(s->fake->items_done, 1);
    assert_int_equal(s->fake->applies, 6);

    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_state(s, "p-undo"), STATE(APPROVED)); /* covered by the approvals of p */
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", true), STATE(COMPLETED));
    assert_null(fake_find(s->fake, 0, GATEWAY));
    assert_null(fake_find(s->fake, 0, HUNT));
    assert_string_equal(fake_value(s->fake, 0, OLD_HUNT, "msExchUMPilotIdentifier"), "old");
    assert_string_equal(fake_value(s->fake, 0, POINTER, "pointsAt"), OLD_HUNT);
    assert_int_equal(fake_find(s->fake, 0, CONTAINER)->entry_count, 0);
    assert_string_equal(fake_value(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity"), "1");
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "msRTCSIP-Line"), "tel:+1");
    assert_int_equal(stage_undo(s, "p", NULL), UMX_E_EXISTS); /* p-undo is there */
    stage_end(s, true);
}

static void test_undo_one_phase(void **state)
{
    struct stage *s = both();
    (void)state;

    assert_int_equal(store_whole_plan(s, "p"), 0);
    assert_int_equal(stage_approve(s, "p"), 0);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", true), STATE(COMPLETED));
    assert_int_equal(stage_undo(s, "p", "no-such"), UMX_E_ARGUMENT);
    assert_int_equal(stage_undo(s, "p", "exchucutil"), 0);
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", true), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "msRTCSIP-Line"), "tel:+1");
    assert_non_null(fake_find(s->fake, 0, GATEWAY));
    stage_end(s, true);
}

static void run_small(struct stage *s, const char *name)
{
    store_small(s, name);
    stage_submit(s, name);
    assert_int_equal(stage_start(s, name), 0);
    assert_int_equal(stage_wait(s, name, false), STATE(COMPLETED));
}

static void test_undo_grain(void **state)
{
    struct stage *s = lab();
    (void)state;

    run_small(s, "p");
    fake_set(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "2"); /* ours, changed by somebody else */
    assert_int_equal(stage_undo(s, "p", NULL), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_FOREIGN_CHANGE);
    assert_non_null(strstr(s->err.why, "`3`"));
    assert_non_null(strstr(s->err.why, "`2`"));

    fake_set(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1"); /* somebody else undid it already */
    fake_set(s->fake, 1, CONTACT, "displayName", "beside");       /* beside ours: does not matter */
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    fake_set(s->fake, 1, CONTACT, "displayName", "beside again");
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "msRTCSIP-Line"), "tel:+1");
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "displayName"), "beside again");
    stage_end(s, true);
}

static void test_undo_of_values_beside_others(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    (void)state;

    draft_modify(&draft, 0, DIAL_PLAN, "accessNumber", NULL, "+100");
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    fake_lock(s->fake);
    fake_add_value(fake_find(s->fake, 0, DIAL_PLAN), "accessNumber", "+200");
    fake_unlock(s->fake);
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 0, DIAL_PLAN, "accessNumber"), "+200"); /* theirs stays */
    assert_int_equal(fake_attribute(fake_find(s->fake, 0, DIAL_PLAN), "accessNumber", false)->count, 1);
    stage_end(s, true);
}

static void test_undo_cover(void **state)
{
    struct stage *s = both();
    int64_t now = umx_clock_now();
    (void)state;

    store_small(s, "p");
    assert_int_equal(stage_undo(s, "p", NULL), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_NOTHING_TO_UNDO);
    assert_int_equal(stage_approve(s, "p"), 0);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    umx_clock_set(now + 2 * UMX_HOUR); /* the approvals have run out */
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_state(s, "p-undo"), STATE(DRAFT));
    assert_int_equal(stage_approve(s, "p-undo"), 0);
    assert_int_equal(stage_state(s, "p-undo"), STATE(APPROVED));
    umx_clock_set(0);
    stage_end(s, true);
}

static void test_stale(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_small(s, "p");
    stage_submit(s, "p");
    fake_set(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "2");
    assert_int_equal(stage_start(s, "p"), UMX_E_STALE);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_STALE);
    assert_non_null(strstr(s->err.why, "expected `1`, found `2`"));
    assert_int_equal(s->fake->applies, 0);
    assert_int_equal(stage_state(s, "p"), STATE(APPROVED));
    stage_end(s, true);
}

static void test_window_and_selection(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    int64_t now = umx_clock_now();
    char *phases[] = {(char *)(uintptr_t) "exchucutil"};
    Umx__PlanStartArguments arguments = UMX__PLAN_START_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    draft_depend(&draft, draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2"), draft.plan.step[0]);
    draft.plan.has_not_before_at = draft.plan.has_not_after_at = 1;
    draft.plan.not_before_at = now + UMX_HOUR;
    draft.plan.not_after_at = now + 2 * UMX_HOUR;
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), UMX_E_DENIED);
    assert_int_equal(s->err.id, UMX_ERR_WINDOW_CLOSED);
    umx_clock_set(now + 90 * UMX_MINUTE);
    arguments.name = (char *)(uintptr_t) "p";
    arguments.phase = phases;
    arguments.n_phase = 1;
    phases[0] = (char *)(uintptr_t) "ocsumutil"; /* needs a step of the other phase */
    assert_int_equal(umx_engine_start(s->engine, &arguments, &caller, &s->err), UMX_E_CONFLICT);
    phases[0] = (char *)(uintptr_t) "exchucutil";
    assert_int_equal(umx_engine_start(s->engine, &arguments, &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_int_equal(stage_step(s, "p", "s1"), STEP(VERIFIED));
    assert_int_equal(stage_step(s, "p", "s2"), STEP(PENDING));
    umx_clock_set(now + 3 * UMX_HOUR);
    arguments.n_phase = 0;
    assert_int_equal(umx_engine_start(s->engine, &arguments, &caller, &s->err), UMX_E_DENIED);
    umx_clock_set(now + 100 * UMX_MINUTE);
    assert_int_equal(umx_engine_start(s->engine, &arguments, &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    /* A window that has closed does not open again when the clock is moved back. */
    struct draft other = draft_make(s, "q");
    draft_modify(&other, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "3", "1");
    other.plan.has_not_after_at = 1;
    other.plan.not_after_at = now + 2 * UMX_HOUR;
    assert_int_equal(draft_store(s, &other), 0);
    umx_clock_set(now + 3 * UMX_HOUR);
    stage_submit(s, "q");
    umx_clock_set(now + 100 * UMX_MINUTE);
    assert_int_equal(stage_start(s, "q"), UMX_E_DENIED);
    assert_int_equal(s->err.id, UMX_ERR_WINDOW_CLOSED);
    umx_clock_set(0);
    stage_end(s, true);
}

static void test_failures(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    (void)state;

    Umx__PlanStep *first = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    draft_depend(&draft, draft_access(&draft, CONTAINER), first);
    draft_add(&draft, 0, GATEWAY, "msExchUMIPGateway", "msExchUMIPGatewayAddress", "pool1");
    draft.plan.has_max_failures = 1;
    draft.plan.max_failures = 2;
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    s->fake->fault[0] = FAKE_REFUSES;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED));
    assert_int_equal(stage_step(s, "p", "s1"), STEP(FAILED));
    assert_int_equal(stage_step(s, "p", "s2"), STEP(SKIPPED));
    assert_int_equal(stage_step(s, "p", "s3"), STEP(VERIFIED)); /* the rest goes on */
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(s->fake->applies, 3);
    assert_int_equal(stage_resume(s, "p"), 0); /* nothing left to do is no error */
    stage_end(s, true);
}

static void test_first_failure_stops(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    (void)state;

    draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    draft_access(&draft, CONTAINER);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    s->fake->fault[0] = FAKE_REFUSES;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED));
    assert_int_equal(stage_step(s, "p", "s2"), STEP(PENDING));
    assert_int_equal(s->fake->applies, 0);
    stage_end(s, true);
}

/* ---- no answer */

struct silence {
    enum fake_fault fault;
    Umx__PlanSummary__State rests;
    Umx__PlanStep__State step;
    int writes;
};

static void test_no_answer(void **state)
{
    static const struct silence cases[] = {
        {FAKE_DONE_NO_ANSWER, STATE(COMPLETED), STEP(VERIFIED), 1}, /* the probe says ours */
        {FAKE_LOST_NO_ANSWER, STATE(COMPLETED), STEP(VERIFIED), 1}, /* the probe says not done: once more */
        {FAKE_FOREIGN_NO_ANSWER, STATE(FAILED), STEP(FAILED), 0},   /* the probe says foreign */
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage *s = lab();
        struct draft draft = draft_make(s, "p");
        draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, "p");
        s->fake->fault[0] = cases[i].fault;
        assert_int_equal(stage_start(s, "p"), 0);
        assert_int_equal(stage_wait(s, "p", false), cases[i].rests);
        assert_int_equal(stage_step(s, "p", "s1"), cases[i].step);
        assert_int_equal(fake_find(s->fake, 0, DIAL_PLAN)->writes, cases[i].writes);
        stage_end(s, true);
    }
}

static void test_frozen(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    (void)state;

    draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2");
    Umx__PlanStep *security = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    draft_depend(&draft, draft_access(&draft, CONTAINER), security);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    s->fake->fault[0] = FAKE_FREEZES;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_int_equal(stage_step(s, "p", "s2"), STEP(UNCERTAIN));
    assert_int_equal(stage_step(s, "p", "s3"), STEP(PENDING)); /* nothing that depends on it starts */
    assert_int_equal(stage_resume(s, "p"), UMX_E_UNCERTAIN);
    assert_int_equal(s->err.id, UMX_ERR_STEP_UNCERTAIN);
    assert_int_equal(stage_undo(s, "p", NULL), UMX_E_UNCERTAIN);
    fake_thaw(s->fake, 0);
    assert_true(stage_settles(s, "p", "s2", STEP(DONE)));    /* the background asked again */
    assert_int_equal(stage_state(s, "p"), STATE(SUSPENDED)); /* and goes no further by itself */
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(fake_find(s->fake, 0, DIAL_PLAN)->writes, 1);
    stage_end(s, true);
}

static void test_action(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    (void)state;

    stage_hurry(s, STAGE_PATIENCE, 200 * UMX_MILLISECOND);
    draft_action(&draft, "fe1.lync.test");
    Umx__PlanStep *step = draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "@s1.thumbprint");
    draft_depend(&draft, step, draft.plan.step[0]);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    s->fake->action_silent = true;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_true(stage_settles(s, "p", "s1", STEP(VERIFIED)));
    assert_int_equal(s->fake->items_done, 1); /* the same batch: answered, not done again */
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "msRTCSIP-Line"), "ab12");

    draft = draft_make(s, "lost");
    draft_action(&draft, "fe1.lync.test");
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "lost");
    s->fake->action_lost = true;
    assert_int_equal(stage_start(s, "lost"), 0);
    assert_int_equal(stage_wait(s, "lost", false), STATE(SUSPENDED));
    assert_true(stage_settles(s, "lost", "s1", STEP(PENDING)));
    assert_int_equal(s->fake->items_done, 1); /* asked in the background, and not done behind anybody's back */
    assert_int_equal(stage_resume(s, "lost"), 0);
    assert_int_equal(stage_wait(s, "lost", false), STATE(COMPLETED));
    assert_int_equal(s->fake->items_done, 2);

    draft = draft_make(s, "q");
    draft_action(&draft, "unknown.lync.test");
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "q");
    assert_int_equal(stage_start(s, "q"), 0);
    assert_int_equal(stage_wait(s, "q", false), STATE(SUSPENDED)); /* its agent is not there: it is waited for */
    assert_int_equal(stage_step(s, "q", "s1"), STEP(PENDING));

    s->fake->action_fails = true;
    draft = draft_make(s, "r");
    draft_action(&draft, "fe1.lync.test");
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "r");
    assert_int_equal(stage_start(s, "r"), 0);
    assert_int_equal(stage_wait(s, "r", false), STATE(FAILED));
    s->fake->action_fails = false;
    assert_int_equal(stage_resume(s, "r"), 0); /* another attempt is another batch */
    assert_int_equal(stage_wait(s, "r", false), STATE(COMPLETED));
    stage_end(s, true);
}

static void test_gate_and_waits(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    Umx__PlanConfirmArguments confirm = UMX__PLAN_CONFIRM_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    Umx__PlanStep *gate = draft_gate(&draft, 0, "do it");
    draft_depend(&draft, draft_wait(&draft, 0, "service", 60), gate);
    draft_wait(&draft, 1, "visible", 1); /* nobody can tell: an operator confirms */
    draft_wait(&draft, 1, "replication", 60);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    confirm.name = (char *)(uintptr_t) "p";
    confirm.step = (char *)(uintptr_t) "s1";
    assert_int_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_STEP_NOT_CONFIRMABLE);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    assert_true(stage_settles(s, "p", "s3", STEP(INTENDED)));
    assert_true(stage_settles(s, "p", "s4", STEP(VERIFIED)));
    assert_int_equal(stage_step(s, "p", "s2"), STEP(PENDING));
    assert_int_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), 0);
    assert_true(stage_settles(s, "p", "s2", STEP(INTENDED)));
    s->fake->ready = true;
    assert_true(stage_settles(s, "p", "s2", STEP(VERIFIED)));
    assert_int_equal(stage_state(s, "p"), STATE(RUNNING));
    confirm.step = (char *)(uintptr_t) "s9";
    assert_int_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), UMX_E_NOT_FOUND);
    /* What waits in the Lync forest is for somebody of the Lync forest to confirm. */
    confirm.step = (char *)(uintptr_t) "s3";
    assert_int_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), UMX_E_DENIED);
    assert_int_equal(s->err.id, UMX_ERR_APPROVER_NOT_OF_FOREST);
    caller = caller_of(&s->lync);
    assert_int_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    stage_end(s, true);
}

/* A gate of a real phase: over a world that knows nothing the trust cannot be proven. */
static void test_gate_checks(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    Umx__PlanConfirmArguments confirm = UMX__PLAN_CONFIRM_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    Umx__PlanStep *gate = draft_gate(&draft, 0, "make the trust");
    gate->phase = umx_arena_string(draft.arena, "forests");
    draft_list(&draft, &gate->change->gate->check, &gate->change->gate->n_check, "forests/trust-direction");
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    confirm.name = (char *)(uintptr_t) "p";
    confirm.step = (char *)(uintptr_t) "s1";
    assert_int_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_GATE_CHECK_FAILED);
    assert_int_equal(stage_step(s, "p", "s1"), STEP(INTENDED));
    assert_int_equal(umx_engine_cancel(s->engine, "p", &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(CANCELLED));
    stage_end(s, true);
}

/* ---- suspend, cancel, overlap, withdraw while it runs, closing */

static void start_waiting(struct stage *s, const char *name)
{
    struct draft draft = draft_make(s, name);

    Umx__PlanStep *gate = draft_gate(&draft, 0, "wait for me");
    draft_depend(&draft, draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3"), gate);
    assert_int_equal(draft_store(s, &draft), 0);
    if (s->options.policy == UMX_POLICY_NONE)
        stage_submit(s, name);
    else
        assert_int_equal(stage_approve(s, name), 0);
    assert_int_equal(stage_start(s, name), 0);
    assert_true(stage_settles(s, name, "s1", STEP(INTENDED)));
}

static void cancel_p(void *user)
{
    struct stage *s = user;
    struct umx_engine_caller caller = caller_of(&s->exchange);
    struct umx_error err = {0};

    assert_int_equal(umx_engine_cancel(s->engine, "p", &caller, &err), 0);
}

/* Somebody cancels while the start still asks the directory: what was answered with yes holds. */
static void test_cancelled_while_starting(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_small(s, "p");
    stage_submit(s, "p");
    s->fake->meanwhile_user = s;
    s->fake->meanwhile = cancel_p;
    assert_int_equal(stage_start(s, "p"), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_STATE_WRONG);
    assert_int_equal(stage_state(s, "p"), STATE(CANCELLED));
    assert_int_equal(s->fake->applies, 0);
    stage_end(s, true);
}

/* What was approved is what the hash says: a plan whose bytes were changed in the file does not run. */
static void test_changed_bytes(void **state)
{
    struct stage *s = lab();
    char path[256];
    sqlite3 *db;
    (void)state;

    store_small(s, "p");
    stage_submit(s, "p");
    stage_close_engine(s);
    snprintf(path, sizeof path, "%s/journal.db", s->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE plan SET bytes = substr(bytes, 1, length(bytes) - 1)"
                                  " || x'00'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_not_equal(stage_open_engine(s), 0);
    assert_int_equal(s->err.id, UMX_ERR_JOURNAL_BROKEN);
    stage_end(s, true);
}

static void test_suspend_cancel_overlap(void **state)
{
    struct stage *s = lab();
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    start_waiting(s, "p");
    store_small(s, "q");
    stage_submit(s, "q");
    assert_int_equal(stage_start(s, "q"), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_OVERLAP);
    assert_int_equal(umx_engine_suspend(s->engine, "p", &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_int_equal(umx_engine_suspend(s->engine, "p", &caller, &s->err), UMX_E_CONFLICT);
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_state(s, "p"), STATE(RUNNING));
    assert_int_equal(stage_resume(s, "p"), 0); /* it runs already */
    assert_int_equal(umx_engine_cancel(s->engine, "p", &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(CANCELLED));
    assert_int_equal(stage_resume(s, "p"), UMX_E_CONFLICT);
    assert_int_equal(umx_engine_delete(s->engine, "p", &caller, &s->err), UMX_E_CONFLICT); /* it was started */
    assert_int_equal(stage_start(s, "q"), 0);
    assert_int_equal(stage_wait(s, "q", false), STATE(COMPLETED));
    stage_end(s, true);
}

static void test_withdrawn_while_running(void **state)
{
    struct stage *s = both();
    (void)state;

    start_waiting(s, "p");
    assert_int_equal(stage_decide(s, "p", &s->lync, UMX__APPROVAL__DECISION__WITHDRAW, false), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_int_equal(stage_resume(s, "p"), UMX_E_DENIED);
    assert_int_equal(stage_decide(s, "p", &s->lync, APPROVE, false), 0);
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", true), STATE(COMPLETED));
    stage_end(s, true);
}

static void test_close(void **state)
{
    struct stage *s = lab();
    (void)state;

    start_waiting(s, "p");
    stage_close_engine(s);
    assert_int_equal(stage_open_engine(s), 0);
    assert_int_equal(stage_state(s, "p"), STATE(SUSPENDED));
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", true), STATE(COMPLETED));
    stage_end(s, true);
}

/* ---- list, audit, export */

/* What umx_engine_audit called back with. */
struct span {
    int64_t first, last, count;
    Umx__Journal__Kind first_kind, last_kind;
};

static int take(void *user, const Umx__Journal *entry, struct umx_error *err)
{
    struct span *span = user;

    (void)err;
    if (span->count++ == 0) {
        span->first = entry->sequence;
        span->first_kind = entry->kind;
    }
    assert_true(span->last < entry->sequence);
    span->last = entry->sequence;
    span->last_kind = entry->kind;
    return 0;
}

static int take_one(void *user, const Umx__Journal *entry, struct umx_error *err)
{
    return ++*(int *)user > 1 ? UMX_E_INTERNAL : umx_fail(err, UMX_ERR_CANCELLED, entry->plan, NULL);
}

static struct span audit(struct stage *s, const char *plan, int64_t after, int64_t limit)
{
    struct span span = {0};

    assert_int_equal(umx_engine_audit(s->engine, plan, after, limit, take, &span, &s->err), 0);
    return span;
}

/* More entries than a page, and than the limit of who names none. */
static void test_audit_of_many(void **state)
{
    enum { ENTRIES = 12500, BATCH = 500 };
    struct stage *s = lab();
    Umx__Journal entries[BATCH], *batch[BATCH];
    char plan[] = "many", other[] = "other";
    int calls = 0;
    (void)state;

    for (int i = 0; i < BATCH; i++) {
        umx__journal__init(&entries[i]);
        entries[i].has_kind = 1;
        entries[i].kind = UMX__JOURNAL__KIND__EFFECT;
        entries[i].plan = i % 5 == 0 ? other : plan;
        batch[i] = &entries[i];
    }
    for (int i = 0; i < ENTRIES / BATCH; i++)
        assert_int_equal(umx_journal_append_all(s->journal, batch, BATCH, &s->err), 0);

    static const struct {
        const char *plan;
        int64_t after, limit, first, last, count;
    } asked[] = {
        {NULL, 0, INT64_MAX, 1, ENTRIES, ENTRIES},
        {NULL, 0, 0, 1, 10000, 10000},
        {NULL, UMX_ENGINE_NEWEST, 0, ENTRIES - 9999, ENTRIES, 10000},
        {NULL, UMX_ENGINE_NEWEST, 3, ENTRIES - 2, ENTRIES, 3},
        {NULL, UMX_ENGINE_NEWEST, INT64_MAX, 1, ENTRIES, ENTRIES},
        {NULL, 700, 1500, 701, 2200, 1500},
        {NULL, ENTRIES, 0, 0, 0, 0},
        {"other", 0, INT64_MAX, 1, ENTRIES - 4, ENTRIES / 5},
        {"other", UMX_ENGINE_NEWEST, 1000, ENTRIES - 4 - 5 * 999, ENTRIES - 4, 1000},
        {"other", 5, 1000, 6, 5001, 1000},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct span span = audit(s, asked[i].plan, asked[i].after, asked[i].limit);
        assert_int_equal(span.first, asked[i].first);
        assert_int_equal(span.last, asked[i].last);
        assert_int_equal(span.count, asked[i].count);
    }
    assert_int_equal(umx_engine_audit(s->engine, NULL, 0, 0, take_one, &calls, &s->err), UMX_E_CANCELLED);
    assert_int_equal(calls, 1);
    stage_end(s, true);
}

static void test_looking(void **state)
{
    struct stage *s = lab();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    Umx__PlanSummary **plans = NULL;
    struct umx_text json = {0};
    size_t count = 0;
    (void)state;

    run_small(s, "p");
    store_small(s, "q");
    assert_int_equal(umx_engine_list(s->engine, arena, &plans, &count, &s->err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(plans[0]->name, "p");
    assert_int_equal(plans[0]->verified, 2);
    struct span span = audit(s, "p", 0, 0);
    assert_int_equal(span.first_kind, UMX__JOURNAL__KIND__CREATED);
    assert_int_equal(span.last_kind, UMX__JOURNAL__KIND__COMPLETED);
    assert_int_equal(umx_engine_export(s->engine, "p", &json, &s->err), 0);
    assert_non_null(strstr(umx_text_string(&json), "\"entries\":[{"));
    assert_non_null(strstr(umx_text_string(&json), plans[0]->hash));
    assert_int_equal(umx_engine_export(s->engine, "none", &json, &s->err), UMX_E_NOT_FOUND);
    umx_text_free(&json);
    umx_arena_free(arena);
    stage_end(s, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_withdraw_deny_expire),
        cmocka_unit_test(test_break_glass),
        cmocka_unit_test(test_several_approvers),
        cmocka_unit_test(test_local_administrators),
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_whole_plan_and_undo),
        cmocka_unit_test(test_undo_one_phase),
        cmocka_unit_test(test_undo_grain),
        cmocka_unit_test(test_undo_of_values_beside_others),
        cmocka_unit_test(test_undo_cover),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_window_and_selection),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_first_failure_stops),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_action),
        cmocka_unit_test(test_gate_and_waits),
        cmocka_unit_test(test_gate_checks),
        cmocka_unit_test(test_cancelled_while_starting),
        cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_suspend_cancel_overlap),
        cmocka_unit_test(test_withdrawn_while_running),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_audit_of_many),
        cmocka_unit_test(test_looking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What somebody with a part of the rights, or in bad order, might try: each of these must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_actions.h"

#define STATE(word) UMX__PLAN_SUMMARY__STATE__##word
#define STEP(word) UMX__PLAN_STEP__STATE__##word
#define APPROVE UMX__APPROVAL__DECISION__APPROVE
#define WITHDRAW UMX__APPROVAL__DECISION__WITHDRAW

static struct stage *lab(void)
{
    return stage_make(NULL, UMX_POLICY_NONE);
}

static void suspend(struct stage *s, const char *name)
{
    struct umx_engine_caller caller = caller_of(&s->exchange);

    assert_int_equal(umx_engine_suspend(s->engine, name, &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, name, false), STATE(SUSPENDED));
}

/* ---- approvals */

/* In a resource forest every Lync administrator has an ordinary account beside the mailboxes. */
static void test_break_glass_needs_an_administrator(void **state)
{
    static const char *const weak[] = {NULL, "S-1-5-21-1-301"}; /* no group; who administers UM1, as its agent says */
    (void)state;

    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        struct stage *s = stage_make(NULL, UMX_POLICY_BOTH_SIDES);
        struct draft draft = draft_make(s, "p");
        Umx__PlanStep *step = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
        step->groups = umx_arena_string(draft.arena, "organization_management");
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, "p");
        assert_int_equal(stage_decide(s, "p", &s->lync, APPROVE, false), 0);
        if (weak[i] != NULL)
            stage_member(s, "S-1-5-21-1-1099", weak[i]);
        assert_int_equal(stage_decide(s, "p", &s->nobody, APPROVE, true), UMX_E_DENIED);
        assert_int_equal(s->err.id, UMX_ERR_APPROVER_LACKS_GROUP);
        assert_int_equal(stage_state(s, "p"), STATE(SUBMITTED));
        stage_member(s, "S-1-5-21-1-1099", "S-1-5-21-1-102"); /* recipients: not what the plan needs, but something */
        assert_int_equal(stage_decide(s, "p", &s->nobody, APPROVE, false), UMX_E_DENIED);
        assert_int_equal(stage_decide(s, "p", &s->nobody, APPROVE, true), 0);
        assert_int_equal(stage_state(s, "p"), STATE(APPROVED));
        stage_end(s, true);
    }
}

/* Who reviewed a plan that was submitted knows it by its name. */
static void test_name_of_a_submitted_plan(void **state)
{
    struct stage *s = lab();
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    for (int again = 0; again < 2; again++) { /* before and after a restart of the controller */
        struct draft draft = draft_make(s, "p");
        draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
        assert_int_equal(draft_store(s, &draft), again == 0 ? 0 : UMX_E_EXISTS);
        if (again == 0) {
            stage_submit(s, "p");
            assert_int_equal(umx_engine_delete(s->engine, "p", &caller, &s->err), 0);
            draft = draft_make(s, "p");
            draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "2");
            assert_int_equal(draft_store(s, &draft), UMX_E_EXISTS);
        }
        assert_int_equal(s->err.id, again == 0 ? UMX_ERR_PLAN_EXISTS : s->err.id);
        stage_close_engine(s);
        assert_int_equal(stage_open_engine(s), 0);
    }
    stage_end(s, true);
}

/* What an approval covers ends when it is taken back, also after the plan has ended. */
static void test_withdrawn_after_the_end(void **state)
{
    struct stage *s = stage_make(NULL, UMX_POLICY_BOTH_SIDES);
    struct draft draft = draft_make(s, "p");
    (void)state;

    draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    assert_int_equal(draft_store(s, &draft), 0);
    assert_int_equal(stage_approve(s, "p"), 0);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_state(s, "p-undo"), STATE(APPROVED));
    assert_int_equal(stage_decide(s, "p", &s->lync, APPROVE, false), UMX_E_CONFLICT);
    assert_int_equal(stage_decide(s, "p", &s->lync, WITHDRAW, false), 0);
    assert_int_equal(stage_state(s, "p"), STATE(COMPLETED));
    assert_int_equal(stage_state(s, "p-undo"), STATE(SUBMITTED));
    assert_int_equal(stage_start(s, "p-undo"), UMX_E_DENIED);
    stage_end(s, true);
}

/* ---- plans that meet */

/* s1 is done; s2, a gate; s3 waits for both. */
static void store_half(struct stage *s, const char *name)
{
    struct draft draft = draft_make(s, name);
    Umx__PlanStep *security = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    Umx__PlanStep *gate = draft_gate(&draft, 0, "wait for me");

    draft_depend(&draft, gate, security);
    draft_depend(&draft, draft_access(&draft, CONTAINER), gate);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, name);
    assert_int_equal(stage_start(s, name), 0);
    assert_true(stage_settles(s, name, "s2", STEP(INTENDED)));
    suspend(s, name);
}

static void test_undone_plan_does_not_go_on(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_half(s, "p");
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity"), "1");
    /* s3 would be done, and the plan completed, without what s1 did. */
    assert_int_equal(stage_resume(s, "p"), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_STATE_WRONG);
    assert_int_equal(stage_start(s, "p"), UMX_E_CONFLICT);
    assert_int_equal(stage_state(s, "p"), STATE(SUSPENDED));
    assert_int_equal(fake_find(s->fake, 0, CONTAINER)->entry_count, 0);
    stage_end(s, true);
}

static void test_undo_of_a_plan_that_went_on(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_half(s, "p");
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", true), STATE(COMPLETED));
    /* It knows nothing of s3, which was done on top of what it takes back. */
    assert_int_equal(stage_start(s, "p-undo"), UMX_E_STALE);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_STALE);
    assert_string_equal(fake_value(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity"), "3");
    struct umx_engine_caller caller = caller_of(&s->exchange);
    assert_int_equal(umx_engine_delete(s->engine, "p-undo", &caller, &s->err), 0);
    assert_int_equal(stage_undo(s, "p", NULL), 0); /* p-undo-2: the name stays with the one that was there */
    assert_int_equal(stage_start(s, "p-undo-2"), 0);
    assert_int_equal(stage_wait(s, "p-undo-2", true), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity"), "1");
    assert_int_equal(fake_find(s->fake, 0, CONTAINER)->entry_count, 0);
    stage_end(s, true);
}

/* Starts a plan that waits at a gate before it gives users other lines by the agent of FRONT_END. */
static void start_users(struct stage *s, const char *name)
{
    struct draft draft = draft_make(s, name);
    Umx__PlanStep *gate = draft_gate(&draft, 1, "wait for me");

    draft_depend(&draft, draft_users(s, &draft, 2), gate);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, name);
    assert_int_equal(stage_start(s, name), 0);
    assert_true(stage_settles(s, name, "s1", STEP(INTENDED)));
}

/* The same person by another server's shell. */
static void test_overlap_by_another_agent(void **state)
{
    static const struct {
        const char *sip_address;
        bool overlaps;
    } cases[] = {{"sip:U2@lync.test", true}, {"sip:u9@lync.test", false}};
    struct stage *s = lab();
    (void)state;

    start_users(s, "p");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = i == 0 ? "q" : "r";
        struct draft draft = draft_make(s, name);
        Umx__PlanStep *step = draft_action(&draft, "fe2.lync.test");
        step->change->action->action = umx_arena_string(draft.arena, "set-cs-user");
        part_user(&draft, &step->predicted, cases[i].sip_address, "tel:+77");
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, name);
        int status = stage_start(s, name);
        assert_int_equal(status, cases[i].overlaps ? UMX_E_CONFLICT : 0);
        if (!cases[i].overlaps)
            continue;
        assert_int_equal(s->err.id, UMX_ERR_PLAN_OVERLAP);
        assert_non_null(strstr(s->err.why, "lync_user lync.test sip:"));
    }
    stage_end(s, true);
}

/* The same object, by the directory and by a shell; below one that is deleted; beside it. */
static void test_overlap_of_hands(void **state)
{
    static const struct {
        const char *dn;
        bool deletes, overlaps;
    } cases[] = {
        {DIAL_PLAN, false, true}, {"cn=plan, CN=UM DialPlan Container,DC=exchange,DC=test", false, true},
        {CONTAINER, true, true},  {CONTAINER, false, false},
        {POINTER, false, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage *s = lab();
        struct draft draft = draft_make(s, "p");
        Umx__DialPlan plan = UMX__DIAL_PLAN__INIT;
        Umx__PlanStep *gate = draft_gate(&draft, 0, "wait for me");
        plan.forest = (char *)(uintptr_t)fake_forests[0];
        plan.dn = (char *)(uintptr_t)DIAL_PLAN;
        Umx__PlanStep *step = draft_step(&draft, 0, UMX__CHANGE__KIND__ACTION, "um1.exchange.test");
        step->change->action = fake_new(&umx__action_change__descriptor, draft.arena);
        step->change->action->server = step->target;
        step->change->action->action = umx_arena_string(draft.arena, "set-um-dial-plan");
        part_push(&draft, &step->predicted, &plan.base);
        draft_depend(&draft, step, gate);
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, "p");
        assert_int_equal(stage_start(s, "p"), 0);

        draft = draft_make(s, "q");
        if (cases[i].deletes)
            draft_step(&draft, 0, UMX__CHANGE__KIND__DELETE, cases[i].dn);
        else
            draft_modify(&draft, 0, cases[i].dn, "description", NULL, "x");
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, "q");
        int status = stage_start(s, "q");
        if (cases[i].overlaps)
            assert_int_equal(s->err.id, UMX_ERR_PLAN_OVERLAP);
        assert_int_equal(status, cases[i].overlaps ? UMX_E_CONFLICT : 0);
        stage_end(s, true);
    }
}

/* ---- stopping */

static void cancel_p(void *user)
{
    struct stage *s = user;
    struct umx_engine_caller caller = caller_of(&s->exchange);
    struct umx_error err = {0};

    assert_int_equal(umx_engine_cancel(s->engine, "p", &caller, &err), 0);
}

/* The plan has just come to rest as suspended, and its writers are being released: what was answered with yes holds. */
static void test_cancelled_while_it_ends(void **state)
{
    struct stage *s = lab();
    (void)state;

    struct draft draft = draft_make(s, "p");
    draft_depend(&draft, draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3"),
                 draft_gate(&draft, 0, "wait for me"));
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    s->fake->meanwhile_user = s;
    s->fake->releasing = cancel_p;
    struct umx_engine_caller caller = caller_of(&s->exchange);
    assert_int_equal(umx_engine_suspend(s->engine, "p", &caller, &s->err), 0);
    for (int64_t end = umx_clock_monotonic() + STAGE_PATIENCE; s->fake->released == 0 && umx_clock_monotonic() < end;)
        usleep(2000);
    assert_int_equal(stage_wait(s, "p", false), STATE(CANCELLED));
    assert_int_equal(stage_resume(s, "p"), UMX_E_CONFLICT);
    stage_end(s, true);
}

static void release_slowly(void *user)
{
    (void)user;
    usleep(150000);
}

/* Suspended and resumed in one breath: what came last is meant. */
static void test_resumed_while_it_stops(void **state)
{
    struct stage *s = lab();
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    struct draft draft = draft_make(s, "p");
    draft_depend(&draft, draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3"),
                 draft_gate(&draft, 0, "wait for me"));
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    s->fake->meanwhile_user = s;
    s->fake->releasing = release_slowly;
    assert_int_equal(umx_engine_suspend(s->engine, "p", &caller, &s->err), 0);
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_state(s, "p"), STATE(RUNNING));
    usleep(300000);
    assert_int_equal(stage_state(s, "p"), STATE(RUNNING)); /* and stays so */
    assert_int_equal(stage_wait(s, "p", true), STATE(COMPLETED));
    stage_end(s, true);
}

/* Calls that are still there, a pool that is not ready: skipping that wait is possible, and never by the way. */
static void test_wait_is_not_skipped_by_the_way(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    Umx__PlanConfirmArguments confirm = UMX__PLAN_CONFIRM_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&s->lync);
    (void)state;

    Umx__PlanStep *wait = draft_wait(&draft, 1, "service", 600);
    wait->change->wait->server = umx_arena_string(draft.arena, FRONT_END);
    part_service(&draft, &wait->predicted);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    confirm.name = (char *)(uintptr_t) "p";
    confirm.step = (char *)(uintptr_t) "s1";
    assert_int_not_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), 0);
    assert_int_equal(s->err.id, UMX_ERR_REASON_MISSING);
    assert_int_equal(stage_step(s, "p", "s1"), STEP(INTENDED));
    confirm.comment = (char *)(uintptr_t) "its console says it runs";
    assert_int_equal(umx_engine_confirm(s->engine, &confirm, &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    stage_end(s, true);
}

/* ---- what nobody can tell */

static int vouch(struct stage *s, const struct person *who, const char *value, const char *comment)
{
    Umx__PlanConfirmArguments confirm = UMX__PLAN_CONFIRM_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(who);
    char *values[] = {(char *)(uintptr_t)value};

    confirm.name = (char *)(uintptr_t) "p";
    confirm.step = (char *)(uintptr_t) "s1";
    confirm.comment = (char *)(uintptr_t)comment;
    confirm.value = values;
    confirm.n_value = value != NULL ? 1 : 0;
    return umx_engine_confirm(s->engine, &confirm, &caller, &s->err);
}

/* A domain controller that never comes back must not keep a plan, and all that touch the same, for ever. */
static void test_word_for_a_domain_controller(void **state)
{
    (void)state;
    for (int done = 0; done < 2; done++) {
        struct stage *s = lab();
        struct draft draft = draft_make(s, "p");
        draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, "p");
        s->fake->fault[0] = FAKE_FREEZES;
        assert_int_equal(stage_start(s, "p"), 0);
        assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
        assert_int_equal(stage_step(s, "p", "s1"), STEP(UNCERTAIN));
        assert_int_equal(stage_undo(s, "p", NULL), UMX_E_UNCERTAIN);
        assert_int_not_equal(vouch(s, &s->exchange, NULL, "looked"), 0);
        assert_int_equal(s->err.id, UMX_ERR_GATE_VALUE);
        assert_int_not_equal(vouch(s, &s->exchange, "outcome=perhaps", "looked"), 0);
        assert_int_equal(s->err.id, UMX_ERR_GATE_VALUE);
        assert_int_not_equal(vouch(s, &s->exchange, "outcome=done", NULL), 0);
        assert_int_equal(s->err.id, UMX_ERR_REASON_MISSING);
        assert_int_not_equal(vouch(s, &s->lync, "outcome=done", "looked"), 0);
        assert_int_equal(s->err.id, UMX_ERR_APPROVER_NOT_OF_FOREST);
        assert_int_equal(stage_step(s, "p", "s1"), STEP(UNCERTAIN));
        assert_int_equal(vouch(s, &s->exchange, done ? "outcome=done" : "outcome=not_done", "looked"), 0);
        assert_int_equal(stage_step(s, "p", "s1"), done ? STEP(DONE) : STEP(PENDING));
        stage_close_engine(s); /* the journal has it */
        assert_int_equal(stage_open_engine(s), 0);
        assert_int_equal(stage_step(s, "p", "s1"), done ? STEP(DONE) : STEP(PENDING));
        fake_thaw(s->fake, 0); /* it comes back after all, with what it was sent */
        assert_int_equal(stage_resume(s, "p"), done ? 0 : UMX_E_STALE);
        assert_int_equal(stage_wait(s, "p", false), done ? STATE(COMPLETED) : STATE(SUSPENDED));
        assert_int_equal(fake_find(s->fake, 0, DIAL_PLAN)->writes, 1);
        stage_end(s, true);
    }
}

/* A cmdlet that broke off half-way: the items beside it are known, and are neither repeated nor forgotten. */
static void test_word_for_an_item(void **state)
{
    (void)state;
    for (int done = 0; done < 2; done++) {
        struct stage *s = lab();
        struct draft draft = draft_make(s, "p");
        draft_users(s, &draft, 3);
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, "p");
        snprintf(s->fake->lost_item, sizeof s->fake->lost_item, "u2@");
        assert_int_equal(stage_start(s, "p"), 0);
        assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
        assert_true(stage_settles(s, "p", "s1", STEP(UNCERTAIN)));
        assert_int_equal(stage_resume(s, "p"), UMX_E_UNCERTAIN);
        assert_int_equal(stage_undo(s, "p", NULL), UMX_E_UNCERTAIN);
        assert_int_not_equal(vouch(s, &s->exchange, "outcome=done", "looked"), 0);
        assert_int_equal(vouch(s, &s->lync, done ? "outcome=done" : "outcome=not_done", "looked"), 0);
        s->fake->lost_item[0] = '\0';
        if (done)
            snprintf(s->fake->users[1].line, sizeof s->fake->users[1].line, "tel:+5001");
        assert_int_equal(stage_resume(s, "p"), 0);
        assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
        assert_int_equal(s->fake->users[0].writes, 1);
        assert_int_equal(s->fake->users[1].writes, done ? 0 : 1);
        assert_int_equal(s->fake->users[2].writes, 1);
        assert_string_equal(s->fake->users[1].line, "tel:+5001");
        assert_int_equal(stage_undo(s, "p", NULL), 0);
        assert_int_equal(stage_start(s, "p-undo"), 0);
        assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
        assert_string_equal(s->fake->users[0].line, "tel:+1000");
        assert_string_equal(s->fake->users[2].line, "tel:+1002");
        /* What was there before a person's word nobody noted: it is left, and the undo says so. */
        assert_string_equal(s->fake->users[1].line, done ? "tel:+5001" : "tel:+1001");
        stage_end(s, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_break_glass_needs_an_administrator),
        cmocka_unit_test(test_name_of_a_submitted_plan),
        cmocka_unit_test(test_withdrawn_after_the_end),
        cmocka_unit_test(test_undone_plan_does_not_go_on),
        cmocka_unit_test(test_undo_of_a_plan_that_went_on),
        cmocka_unit_test(test_overlap_by_another_agent),
        cmocka_unit_test(test_overlap_of_hands),
        cmocka_unit_test(test_cancelled_while_it_ends),
        cmocka_unit_test(test_resumed_while_it_stops),
        cmocka_unit_test(test_wait_is_not_skipped_by_the_way),
        cmocka_unit_test(test_word_for_a_domain_controller),
        cmocka_unit_test(test_word_for_an_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

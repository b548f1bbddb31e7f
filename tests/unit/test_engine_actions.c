/* What agents do: promises, batches item by item, agents that are away, their undo; gates and waits that promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_actions.h"

#define STATE(word) UMX__PLAN_SUMMARY__STATE__##word
#define STEP(word) UMX__PLAN_STEP__STATE__##word

static struct stage *lab(void)
{
    return stage_make(NULL, UMX_POLICY_NONE);
}

static void store_users(struct stage *s, const char *name, int count)
{
    struct draft draft = draft_make(s, name);

    draft_users(s, &draft, count);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, name);
}

static const char *line_of(struct stage *s, int user)
{
    return s->fake->users[user - 1].line;
}

/* The text of the plan's or the step's error, in the arena. */
static const char *error_of(struct stage *s, struct umx_arena *arena, const char *name, const char *id)
{
    struct umx_engine_view view;

    assert_int_equal(umx_engine_show(s->engine, name, arena, &view, &s->err), 0);
    for (size_t i = 0; i < view.step_count; i++)
        if (strcmp(view.steps[i]->id, id) == 0)
            return view.steps[i]->error != NULL ? view.steps[i]->error : "";
    return "";
}

/* ---- promises */

static void test_promise_comes_true(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_users(s, "p", 3);
    s->fake->lag = 5; /* the start's look, and four after it */
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(s->fake->lag, 0);
    assert_true(s->fake->collections >= 6);
    assert_string_equal(line_of(s, 3), "tel:+5002");
    stage_end(s, true);
}

static void test_promise_broken(void **state)
{
    struct stage *s = lab();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    (void)state;

    stage_hurry(s, 400 * UMX_MILLISECOND, STAGE_PATIENCE);
    store_users(s, "p", 3);
    s->fake->lag = 1000000;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED));
    const char *why = error_of(s, arena, "p", "s1");
    assert_non_null(strstr(why, "UMX-1411"));
    assert_non_null(strstr(why, "line is tel:+1000, expected tel:+5000"));
    s->fake->lag = 0; /* only verified again: nothing is done twice */
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(s->fake->users[0].writes, 1);
    umx_arena_free(arena);
    stage_end(s, true);
}

static void test_stale_original(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_users(s, "p", 3);
    snprintf(s->fake->users[1].line, sizeof s->fake->users[1].line, "tel:+7");
    assert_int_equal(stage_start(s, "p"), UMX_E_STALE);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_STALE);
    assert_non_null(strstr(s->err.why, "line is tel:+7, expected tel:+1001"));
    assert_int_equal(s->fake->items_done, 0);
    stage_end(s, true);
}

/* What cannot be read is not taken for what the plan was made from. */
static void test_unread_original(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_users(s, "p", 3);
    s->fake->collect_fails = true;
    assert_int_not_equal(stage_start(s, "p"), 0);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_WORLD_INCOMPLETE);
    assert_non_null(strstr(s->err.why, "no shell here"));
    s->fake->collect_fails = false;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    stage_end(s, true);
}

/* A promise of a value that the step's own result gives. */
static void test_promise_with_reference(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    (void)state;

    Umx__PlanStep *step = draft_action(&draft, FRONT_END);
    fake_add_users(s->fake, 1);
    part_user(&draft, &step->predicted, "sip:u1@lync.test", "@s1.thumbprint");
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(DONE)));
    snprintf(s->fake->users[0].line, sizeof s->fake->users[0].line, "ab12");
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    stage_end(s, true);
}

/* ---- batches */

static void test_large_batch(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_users(s, "p", 300);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(s->fake->largest_batch, 256);
    assert_int_equal(s->fake->batch_count, 2);
    assert_int_equal(s->fake->items_done, 300);
    assert_string_equal(line_of(s, 300), "tel:+5299");
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    for (int i = 1; i <= 300; i++)
        assert_int_equal(atoi(line_of(s, i) + 5), 999 + i);
    stage_end(s, true);
}

static void test_bad_items(void **state)
{
    struct stage *s = lab();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    (void)state;

    store_users(s, "p", 4);
    snprintf(s->fake->bad_item, sizeof s->fake->bad_item, "u3@");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED));
    assert_non_null(strstr(error_of(s, arena, "p", "s1"), "item 2: refused"));
    assert_string_equal(line_of(s, 4), "tel:+5003"); /* the others are done */
    assert_string_equal(line_of(s, 3), "tel:+1002");
    stage_close_engine(s); /* what is known of the items is in the journal */
    assert_int_equal(stage_open_engine(s), 0);
    s->fake->bad_item[0] = '\0';
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    for (int i = 0; i < 4; i++)
        assert_int_equal(s->fake->users[i].writes, 1);
    umx_arena_free(arena);
    stage_end(s, true);
}

/* Half of a batch was done when the plan failed: that half is taken back. */
static void test_undo_of_part(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_users(s, "p", 4);
    snprintf(s->fake->bad_item, sizeof s->fake->bad_item, "u3@");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED));
    s->fake->bad_item[0] = '\0';
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    assert_int_equal(s->fake->items_done, 6);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(atoi(line_of(s, i) + 5), 999 + i);
        assert_int_equal(s->fake->users[i - 1].writes, i == 3 ? 0 : 2);
    }
    stage_end(s, true);
}

/* ---- undo */

static void test_undo_foreign(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_users(s, "p", 2);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    snprintf(s->fake->users[0].line, sizeof s->fake->users[0].line, "tel:+9");
    assert_int_equal(stage_undo(s, "p", NULL), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_FOREIGN_CHANGE);
    assert_non_null(strstr(s->err.why, "tel:+9"));
    assert_non_null(strstr(s->err.why, "tel:+5000"));
    snprintf(s->fake->users[0].line, sizeof s->fake->users[0].line, "tel:+1000");
    snprintf(s->fake->users[1].line, sizeof s->fake->users[1].line, "tel:+1001");
    assert_int_equal(stage_undo(s, "p", NULL), UMX_E_CONFLICT); /* somebody took all of it back already */
    assert_int_equal(s->err.id, UMX_ERR_NOTHING_TO_UNDO);
    stage_end(s, true);
}

/* A Front End that drains its calls has the time that its agent gives it. */
static void test_deadline_of_action(void **state)
{
    static const struct {
        const char *action;
        int64_t minutes;
    } rows[] = {{"restart-service", 15}, {"restart-front-end", 30}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage *s = lab();
        struct draft draft = draft_make(s, "p");
        Umx__PlanStep *step = draft_action(&draft, FRONT_END);
        step->change->action->action = umx_arena_string(draft.arena, rows[i].action);
        assert_int_equal(draft_store(s, &draft), 0);
        stage_submit(s, "p");
        assert_int_equal(stage_start(s, "p"), 0);
        assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
        assert_int_equal(s->fake->act_timeout, rows[i].minutes * 60);
        assert_true(s->fake->act_deadline >= rows[i].minutes * UMX_MINUTE);
        assert_int_equal(s->fake->act_deadline > s->fake->act_timeout * UMX_SECOND, i == 1);
        stage_end(s, true);
    }
}

/* Undo of an undo does it again. */
static void test_redo(void **state)
{
    struct stage *s = lab();
    (void)state;

    store_users(s, "p", 2);
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    assert_int_equal(stage_undo(s, "p-undo", NULL), 0);
    assert_int_equal(stage_start(s, "p-undo-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo-undo", false), STATE(COMPLETED));
    assert_string_equal(line_of(s, 2), "tel:+5001");
    stage_end(s, true);
}

/* write, replication, restart, running: the undo writes back, waits, restarts, waits. */
static void test_undo_restarts(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    struct umx_engine_view view;
    (void)state;

    Umx__PlanStep *write = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    Umx__PlanStep *replication = draft_wait(&draft, 0, "replication", 60);
    draft_depend(&draft, replication, write);
    Umx__PlanStep *restart = draft_restart(&draft);
    draft_depend(&draft, restart, replication);
    Umx__PlanStep *back = draft_wait(&draft, 1, "service", 60);
    back->change->wait->server = back->target = umx_arena_string(draft.arena, FRONT_END);
    back->change->wait->what = umx_arena_string(draft.arena, "service");
    part_service(&draft, &back->predicted);
    draft_depend(&draft, back, restart);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(s->fake->restarts, 1);

    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(umx_engine_show(s->engine, "p-undo", arena, &view, &s->err), 0);
    assert_int_equal(view.step_count, 4);
    assert_int_equal(view.steps[0]->kind, UMX__CHANGE__KIND__MODIFY);
    assert_string_equal(view.steps[1]->change->wait->what, "replication");
    assert_string_equal(view.steps[1]->depends[0], "s1");
    assert_string_equal(view.steps[2]->change->action->action, "restart-service");
    assert_string_equal(view.steps[2]->depends[0], "s2");
    assert_string_equal(view.steps[3]->depends[0], "s3");
    s->fake->service_up = false;
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    assert_int_equal(s->fake->restarts, 2);
    assert_string_equal(fake_value(s->fake, 0, DIAL_PLAN, "msExchUMVoIPSecurity"), "1");
    umx_arena_free(arena);
    stage_end(s, true);
}

/* All domain controllers of the forest count, those that nobody configured too; unknown ones are no replication. */
static void test_replication(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    struct umx_engine_view view;
    (void)state;

    Umx__PlanStep *write = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    draft_depend(&draft, draft_wait(&draft, 0, "replication", 600), write);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    s->fake->undiscovered = true;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s2", STEP(INTENDED)));
    s->fake->behind = true;
    s->fake->undiscovered = false;
    assert_true(stage_settles(s, "p", "s2", STEP(INTENDED)));
    usleep(100000);
    assert_int_equal(stage_step(s, "p", "s2"), STEP(INTENDED));
    s->fake->behind = false;
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));

    struct draft late = draft_make(s, "late");
    write = draft_modify(&late, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "3", "2");
    draft_depend(&late, draft_wait(&late, 0, "replication", 1), write);
    assert_int_equal(draft_store(s, &late), 0);
    stage_submit(s, "late");
    s->fake->behind = true;
    assert_int_equal(stage_start(s, "late"), 0);
    assert_int_equal(stage_wait(s, "late", false), STATE(FAILED));
    assert_int_equal(umx_engine_show(s->engine, "late", arena, &view, &s->err), 0);
    assert_non_null(strstr(view.steps[1]->error, "dc2."));
    umx_arena_free(arena);
    stage_end(s, true);
}

/* A plan that failed and was cancelled is undone too: what it did, and nothing else. */
static void test_undo_after_cancel(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    Umx__PlanStep *users = draft_users(s, &draft, 2);
    Umx__PlanStep *gate = draft_gate(&draft, 1, "look");
    draft_depend(&draft, gate, users);
    Umx__PlanStep *contact = draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2");
    draft_depend(&draft, contact, gate);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s2", STEP(INTENDED)));
    assert_int_equal(umx_engine_cancel(s->engine, "p", &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(CANCELLED));
    assert_int_equal(stage_undo(s, "p", NULL), 0);
    assert_int_equal(stage_start(s, "p-undo"), 0);
    assert_int_equal(stage_wait(s, "p-undo", false), STATE(COMPLETED));
    assert_string_equal(line_of(s, 1), "tel:+1000");
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "msRTCSIP-Line"), "tel:+1");
    stage_end(s, true);
}

/* ---- agents that are away */

static void test_away(void **state)
{
    struct stage *s = lab();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    struct draft draft = draft_make(s, "p");
    Umx__Journal **entries = NULL;
    size_t count = 0;
    (void)state;

    stage_hurry(s, STAGE_PATIENCE, 200 * UMX_MILLISECOND);
    draft_users(s, &draft, 2);
    draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2");
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    s->fake->away = true;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_int_equal(stage_step(s, "p", "s1"), STEP(PENDING));
    assert_int_equal(stage_step(s, "p", "s2"), STEP(VERIFIED)); /* nothing keeps the others */
    assert_int_equal(umx_journal_read(s->journal, "p", 0, 0, arena, &entries, &count, &s->err), 0);
    assert_string_equal(entries[count - 1]->error, "UMX-1432");
    assert_non_null(strstr(entries[count - 1]->detail, FRONT_END));
    for (size_t i = 0; i < count; i++)
        assert_false(entries[i]->kind == UMX__JOURNAL__KIND__INTENT && strcmp(entries[i]->step, "s1") == 0);
    s->fake->away = false;
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    umx_arena_free(arena);
    stage_end(s, true);
}

/* It goes away after it acted: what it did is verified when it is back. */
static void test_away_before_verification(void **state)
{
    struct stage *s = lab();
    (void)state;

    stage_hurry(s, STAGE_PATIENCE, 200 * UMX_MILLISECOND);
    store_users(s, "p", 2);
    s->fake->lag = 1000000;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(DONE)));
    s->fake->away = true;
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_int_equal(stage_step(s, "p", "s1"), STEP(DONE));
    s->fake->away = false;
    s->fake->lag = 0;
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_int_equal(s->fake->items_done, 2);
    stage_end(s, true);
}

/* ---- gates and waits */

static int confirm(struct stage *s, const char *step, const char *comment, char **values, size_t count)
{
    Umx__PlanConfirmArguments arguments = UMX__PLAN_CONFIRM_ARGUMENTS__INIT;
    struct umx_engine_caller caller = caller_of(&s->lync);

    arguments.name = (char *)(uintptr_t) "p";
    arguments.step = (char *)(uintptr_t)step;
    arguments.comment = (char *)(uintptr_t)comment;
    arguments.value = values;
    arguments.n_value = count;
    return umx_engine_confirm(s->engine, &arguments, &caller, &s->err);
}

static void start_gate(struct stage *s, bool up)
{
    struct draft draft = draft_make(s, "p");

    part_service(&draft, &draft_gate(&draft, 1, "start the service")->predicted);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    s->fake->service_up = up;
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
}

static void test_gate_promise(void **state)
{
    struct stage *s = lab();
    (void)state;

    stage_hurry(s, 400 * UMX_MILLISECOND, STAGE_PATIENCE);
    start_gate(s, false);
    assert_int_equal(confirm(s, "s1", NULL, NULL, 0), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED)); /* it was said, and is not so */
    s->fake->service_up = true;
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    stage_end(s, true);
}

static void test_gate_unobservable(void **state)
{
    struct stage *s = lab();
    (void)state;

    start_gate(s, false);
    s->fake->away = true;
    assert_int_equal(confirm(s, "s1", NULL, NULL, 0), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_GATE_UNOBSERVABLE);
    assert_non_null(strstr(s->err.why, FRONT_END));
    assert_int_equal(confirm(s, "s1", "seen with my own eyes", NULL, 0), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    stage_end(s, true);
}

/* Somebody vouches for what cannot be seen; an agent that only did not answer is asked again, for as long as a promise
 * has. */
static void test_gate_silent(void **state)
{
    for (int answers = 0; answers < 2; answers++) {
        struct stage *s = lab();
        stage_hurry(s, answers ? STAGE_PATIENCE : 400 * UMX_MILLISECOND, STAGE_PATIENCE);
        start_gate(s, false);
        s->fake->collect_fails = true;
        assert_int_equal(confirm(s, "s1", "started it", NULL, 0), 0);
        if (answers) {
            assert_true(stage_settles(s, "p", "s1", STEP(DONE)));
            usleep(100000);
            assert_int_equal(stage_step(s, "p", "s1"), STEP(DONE));
            s->fake->service_up = true;
            s->fake->collect_fails = false;
        }
        assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
        stage_end(s, true);
    }
    (void)state;
}

static void test_gate_values(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    char *bad[] = {(char *)(uintptr_t) "Certificate=x"}, *none[] = {(char *)(uintptr_t) "certificate"};
    char *broken[] = {(char *)(uintptr_t) "certificate=\xff\xfe"};
    char *twice[] = {(char *)(uintptr_t) "a=1", (char *)(uintptr_t) "a=2"};
    char *good[] = {(char *)(uintptr_t) "certificate=tel:+77", (char *)(uintptr_t) "note=a=b"};
    char *large = malloc(70 * 1024);
    (void)state;

    Umx__PlanStep *gate = draft_gate(&draft, 1, "have it signed");
    draft_depend(&draft, draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "@s1.certificate"), gate);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    memset(large, 'x', 70 * 1024);
    memcpy(large, "a=", 2);
    large[70 * 1024 - 1] = '\0';
    char **const cases[] = {bad, none, broken, &large};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(confirm(s, "s1", NULL, cases[i], 1), UMX_E_ARGUMENT);
        assert_int_equal(s->err.id, UMX_ERR_GATE_VALUE);
    }
    assert_int_equal(confirm(s, "s1", NULL, twice, 2), UMX_E_ARGUMENT);
    /* What a later step takes must be there: a gate is confirmed once, and nobody could give it afterwards. */
    for (size_t given = 0; given < 2; given++) {
        char *other[] = {(char *)(uintptr_t) "note=a=b"};
        assert_int_equal(confirm(s, "s1", "done", other, given), UMX_E_ARGUMENT);
        assert_int_equal(s->err.id, UMX_ERR_GATE_VALUE_MISSING);
        assert_string_equal(s->err.why, "certificate");
    }
    assert_int_equal(confirm(s, "s1", NULL, good, 2), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    assert_string_equal(fake_value(s->fake, 1, CONTACT, "msRTCSIP-Line"), "tel:+77");
    free(large);
    stage_end(s, true);
}

static void store_wait(struct stage *s, int seconds)
{
    struct draft draft = draft_make(s, "p");
    Umx__PlanStep *wait = draft_wait(&draft, 1, "service", seconds);

    wait->change->wait->server = umx_arena_string(draft.arena, FRONT_END);
    part_service(&draft, &wait->predicted);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
}

static void test_wait_promise(void **state)
{
    struct stage *s = lab();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    (void)state;

    store_wait(s, 1);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED));
    assert_non_null(strstr(error_of(s, arena, "p", "s1"), "UMX-1431"));
    assert_non_null(strstr(error_of(s, arena, "p", "s1"), "state is stopped, expected running"));
    assert_int_equal(stage_resume(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    s->fake->service_up = true;
    assert_int_equal(stage_wait(s, "p", false), STATE(COMPLETED));
    umx_arena_free(arena);
    stage_end(s, true);
}

/* ---- the clock, the window, the preflight, other plans */

/* The clock is moved back an hour while a plan runs: the journal's time does not go back, a wait takes no longer. */
static void test_clock_moved_back(void **state)
{
    struct stage *s = lab();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    Umx__Journal **entries = NULL;
    int64_t total, bad;
    size_t count = 0;
    bool intact;
    (void)state;

    store_wait(s, 1);
    int64_t now = umx_clock_now(), begun = umx_clock_monotonic();
    umx_clock_set(now - UMX_HOUR);
    assert_int_equal(stage_wait(s, "p", false), STATE(FAILED));
    assert_true(umx_clock_monotonic() - begun < 10 * UMX_SECOND);
    assert_int_equal(umx_journal_read(s->journal, "p", 0, 0, arena, &entries, &count, &s->err), 0);
    for (size_t i = 1; i < count; i++)
        assert_true(entries[i - 1]->written_at <= entries[i]->written_at);
    assert_int_equal(umx_engine_verify(s->engine, &total, &intact, &bad, NULL, &s->err), 0);
    assert_true(intact);
    umx_clock_set(0);
    umx_arena_free(arena);
    stage_end(s, true);
}

/* The window closes while a gate waits: what comes after it does not begin. */
static void test_window_closes(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "p");
    int64_t now = umx_clock_now();
    (void)state;

    Umx__PlanStep *gate = draft_gate(&draft, 1, "first");
    draft_depend(&draft, draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2"), gate);
    draft.plan.has_not_after_at = 1;
    draft.plan.not_after_at = now + UMX_HOUR;
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_true(stage_settles(s, "p", "s1", STEP(INTENDED)));
    umx_clock_set(now + 2 * UMX_HOUR);
    assert_int_equal(stage_wait(s, "p", false), STATE(SUSPENDED));
    assert_int_equal(confirm(s, "s1", "done", NULL, 0), 0);
    assert_int_equal(stage_resume(s, "p"), UMX_E_DENIED);
    assert_int_equal(s->err.id, UMX_ERR_WINDOW_CLOSED);
    assert_int_equal(s->fake->applies, 0);
    umx_clock_set(0);
    stage_end(s, true);
}

static void test_preflight(void **state)
{
    struct stage *s = lab();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    struct draft draft = draft_make(s, "p");
    struct umx_engine_view view;
    (void)state;

    draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "tel:+2");
    draft_gate(&draft, 1, "look");
    assert_int_equal(draft_store(s, &draft), 0);
    snprintf(s->fake->denied, sizeof s->fake->denied, "CN=Contact");
    s->fake->frozen[0] = true;
    assert_int_equal(umx_engine_preflight(s->engine, "none", &s->err), UMX_E_NOT_FOUND);
    assert_int_equal(umx_engine_preflight(s->engine, "p", &s->err), 0);
    assert_int_equal(umx_engine_show(s->engine, "p", arena, &view, &s->err), 0);
    assert_int_equal(strncmp(view.steps[0]->permission, "unknown: ", 9), 0);
    assert_string_equal(view.steps[1]->permission, "denied: no right to write there");
    assert_null(view.steps[2]->permission);
    assert_true(view.missing_count > 0);
    assert_non_null(strstr(view.missing[view.missing_count - 1], "s2 " CONTACT));
    umx_arena_free(arena);
    stage_end(s, true);
}

static void test_overlap_of_servers(void **state)
{
    struct stage *s = lab();
    struct draft draft = draft_make(s, "q");
    struct umx_engine_caller caller = caller_of(&s->exchange);
    (void)state;

    draft_restart(&draft);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "q");
    draft = draft_make(s, "p");
    Umx__PlanStep *gate = draft_gate(&draft, 1, "first");
    draft_depend(&draft, draft_restart(&draft), gate);
    assert_int_equal(draft_store(s, &draft), 0);
    stage_submit(s, "p");
    assert_int_equal(stage_start(s, "p"), 0);
    assert_int_equal(stage_start(s, "q"), UMX_E_CONFLICT);
    assert_int_equal(s->err.id, UMX_ERR_PLAN_OVERLAP);
    assert_int_equal(umx_engine_cancel(s->engine, "p", &caller, &s->err), 0);
    assert_int_equal(stage_wait(s, "p", false), STATE(CANCELLED));
    assert_int_equal(stage_start(s, "q"), 0);
    assert_int_equal(stage_wait(s, "q", false), STATE(COMPLETED));
    stage_end(s, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promise_comes_true),
        cmocka_unit_test(test_promise_broken),
        cmocka_unit_test(test_stale_original),
        cmocka_unit_test(test_unread_original),
        cmocka_unit_test(test_promise_with_reference),
        cmocka_unit_test(test_large_batch),
        cmocka_unit_test(test_bad_items),
        cmocka_unit_test(test_undo_of_part),
        cmocka_unit_test(test_undo_foreign),
        cmocka_unit_test(test_deadline_of_action),
        cmocka_unit_test(test_redo),
        cmocka_unit_test(test_undo_restarts),
        cmocka_unit_test(test_replication),
        cmocka_unit_test(test_undo_after_cancel),
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_away_before_verification),
        cmocka_unit_test(test_gate_promise),
        cmocka_unit_test(test_gate_unobservable),
        cmocka_unit_test(test_gate_silent),
        cmocka_unit_test(test_gate_values),
        cmocka_unit_test(test_wait_promise),
        cmocka_unit_test(test_clock_moved_back),
        cmocka_unit_test(test_window_closes),
        cmocka_unit_test(test_preflight),
        cmocka_unit_test(test_overlap_of_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

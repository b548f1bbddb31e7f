/* Phase 11, and phases 6, 10 and 11 in one plan. */
#include "people_worlds.h"

#include <stdlib.h>
#include <time.h>

static const char *const slugs[] = {"um-mailboxes", NULL};
static const char *const sync_umx[] = {"um-mailboxes.sync=umx", NULL};

static void test_checks(void **state)
{
    struct umx_world *world = world_people();

    (void)state;
    w_status(world, "um-mailboxes/policies", "Berlin", W_PASS);
    w_status(world, "um-mailboxes/enabled", NULL, W_FAIL);
    w_status(world, "um-mailboxes/links", NULL, W_NOT_APPLICABLE);
    w_status(world, "um-mailboxes/calls", NULL, W_UNKNOWN);
    w_status(world, "um-mailboxes/mailboxes", NULL, W_NOT_APPLICABLE);
    p_add(world, (struct p_person){.number = 1, .voice = true, .um = true, .lync_eum = true});
    p_add(world, (struct p_person){.number = 2, .voice = true, .um = true, .lync_eum = true});
    w_status(world, "um-mailboxes/enabled", NULL, W_PASS);
    w_status(world, "um-mailboxes/links", NULL, W_PASS);
    w_status(world, "um-mailboxes/extensions", NULL, W_PASS);
    w_status(world, "um-mailboxes/lync-side", NULL, W_PASS);
    w_status(world, "um-mailboxes/mailboxes", NULL, W_PASS);
    p_add(world, (struct p_person){.number = 3, .voice = true});
    w_status(world, "um-mailboxes/enabled", NULL, W_WARN);
    p_add(world, (struct p_person){.number = 4, .voice = true, .no_mailbox = true});
    w_status(world, "um-mailboxes/mailboxes", "u00004", W_WARN);
    Umx__World *records = W_EDIT(world);
    records->mailbox_policy[0]->dial_plan_dn = w_s("CN=Other," W_PLANS);
    w_status(world, "um-mailboxes/policies", "Berlin", W_FAIL);
    w_status(world, "um-mailboxes/links", "u00001", W_FAIL);
    records->mailbox_policy[0]->dial_plan_dn = w_s(P_PLAN);
    records->mailbox_user[0]->um_policy_dn = NULL;
    w_status(world, "um-mailboxes/links", "u00001", W_FAIL);
    records->mailbox_user[0]->um_policy_dn = w_s(P_POLICY);
    records->mailbox_user[0]->um_dial_plan_dn = w_s("CN=Gone," W_PLANS);
    w_status(world, "um-mailboxes/links", "u00001", W_FAIL);
    records->mailbox_user[0]->um_dial_plan_dn = w_s(P_PLAN);
    char *extension = records->mailbox_user[0]->proxy_address[1];
    records->mailbox_user[0]->proxy_address[1] = w_s("eum:0001;phone-context=" P_CONTEXT);
    w_status(world, "um-mailboxes/extensions", "u00001", W_FAIL); /* four digits */
    w_status(world, "um-mailboxes/lync-side", "u00001", W_FAIL);
    records->mailbox_user[0]->proxy_address[1] = w_s("eum:00002;phone-context=" P_CONTEXT);
    w_status(world, "um-mailboxes/extensions", "u00001", W_FAIL);
    w_status(world, "um-mailboxes/extensions", "u00002", W_FAIL);
    records->mailbox_user[0]->proxy_address[1] = extension;
    records->voice_user[1]->n_proxy_address = 0;
    w_status(world, "um-mailboxes/lync-side", "u00002", W_FAIL);
    Umx__Event event = UMX__EVENT__INIT;
    event.server = w_s("exmbx1.exchange.test");
    event.provider = w_s("MSExchange Unified Messaging");
    event.has_event_id = event.has_logged_at = 1;
    event.event_id = 1444;
    event.logged_at = W_NOW - UMX_HOUR;
    event.message = w_s("user 00002 is not provisioned");
    w_add(world, &event.base);
    w_status(world, "um-mailboxes/calls", "exmbx1", W_WARN);
    umx_world_free(world);
}

static void test_unknown(void **state)
{
    static const char *const ids[] = {"um-mailboxes/enabled", "um-mailboxes/links", "um-mailboxes/extensions",
                                      "um-mailboxes/lync-side", "um-mailboxes/mailboxes"};
    struct umx_world *world = world_people();
    char *lines[] = {w_s("mailbox_user: access denied")};

    (void)state;
    for (size_t i = 0; i < W_EDIT(world)->n_forest; i++)
        if (strcmp(W_EDIT(world)->forest[i]->forest, W_EX) == 0) {
            W_EDIT(world)->forest[i]->n_incomplete = 1;
            W_EDIT(world)->forest[i]->incomplete = lines;
        }
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        w_status(world, ids[i], NULL, W_UNKNOWN);
    umx_world_free(world);
}

static struct umx_world *three(struct p_rows *rows)
{
    struct umx_world *world = world_people();

    for (int i = 1; i <= 3; i++)
        p_add(world, (struct p_person){.number = i, .voice = true, .um = i == 3, .lync_eum = i == 3});
    for (int i = 1; i <= 2; i++) {
        Umx__InputUser *row = p_row(rows, i == 1 ? "u00001" : "u00002");
        row->extension = w_s(i == 1 ? "00001" : "00002");
        row->policy = w_s("Berlin Default Policy");
    }
    return world;
}

static void test_plan(void **state)
{
    struct p_rows rows = {0};
    struct umx_world *world = three(&rows);
    struct w_run run;

    (void)state;
    p_planned(&run, world, slugs, NULL, &rows);
    assert_int_equal(run.steps.count, 3);
    const Umx__PlanStep *step = p_step(&run, UMX__CHANGE__KIND__ACTION, NULL);
    assert_string_equal(step->change->action->server, "exmbx1.exchange.test");
    assert_int_equal(step->change->action->n_item, 2);
    assert_string_equal(
        step->change->action->item[0],
        "{\"extension\":\"00001\",\"policy\":\"Berlin Default Policy\",\"sip_address\":\"u00001@lync.test"
        "\",\"user\":\"00000001-0000-0000-0000-000000000000\"}");
    assert_string_equal(step->change->action->undo_action, "disable-um-mailbox");
    assert_string_equal(step->change->action->undo_item[1], "{\"user\":\"00000002-0000-0000-0000-000000000000\"}");
    assert_string_equal(step->groups, "recipient_management");
    const Umx__MailboxUser *promise = step->predicted->mailbox_user[0];
    assert_true(promise->um_enabled);
    assert_string_equal(promise->um_policy_dn, P_POLICY);
    assert_string_equal(promise->um_dial_plan_dn, P_PLAN);
    assert_string_equal(promise->proxy_address[0], "EUM:u00001@lync.test;phone-context=" P_CONTEXT);
    assert_string_equal(promise->proxy_address[1], "eum:00001;phone-context=" P_CONTEXT);
    assert_false(step->original->mailbox_user[0]->um_enabled);
    const Umx__PlanStep *gate = p_step(&run, UMX__CHANGE__KIND__GATE, W_LY);
    assert_string_equal(gate->depends[0], step->id);
    const Umx__PlanStep *wait = p_step(&run, UMX__CHANGE__KIND__WAIT, W_LY);
    assert_string_equal(wait->change->wait->what, "visible");
    assert_string_equal(wait->depends[0], gate->id);
    assert_int_equal(wait->predicted->n_voice_user, 2);
    /* nobody's PIN anywhere */
    struct umx_text text = {0};
    for (size_t i = 0; i < run.steps.count; i++)
        umx_reflect_json(&run.steps.items[i]->base, &text);
    assert_null(strstr(umx_text_string(&text), "-Pin"));
    umx_text_free(&text);
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "um-mailboxes", NULL, &rows);
    p_finished(world, "um-mailboxes", NULL, NULL);
    umx_world_free(world);
}

static void test_plan_umx_writes(void **state)
{
    struct p_rows rows = {0};
    struct umx_world *world = three(&rows);
    struct w_run run;

    (void)state;
    p_planned(&run, world, slugs, sync_umx, &rows);
    assert_int_equal(run.steps.count, 4);
    const Umx__PlanStep *step = p_step(&run, UMX__CHANGE__KIND__MODIFY, "User 00002");
    assert_string_equal(step->forest, W_LY);
    assert_string_equal(step->depends[0], "s1");
    assert_int_equal(step->change->modify[0]->n_add, 2);
    assert_int_equal(step->change->modify[0]->n_remove, 0);
    assert_int_equal(p_step(&run, UMX__CHANGE__KIND__WAIT, NULL)->n_depends, 2);
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "um-mailboxes", sync_umx, &rows);
    /* who was enabled before, and is not known to Lync */
    W_EDIT(world)->voice_user[2]->n_proxy_address = 0;
    p_planned(&run, world, slugs, sync_umx, NULL);
    assert_int_equal(run.steps.count, 2);
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "um-mailboxes", sync_umx, NULL);
    umx_world_free(world);
}

/* Left from another dial plan, another SIP address, or not as the primary one: it goes before he is enabled, or phase 6
 * would have to take it away after. */
static void test_old_addresses(void **state)
{
    static const char *const both[] = {"sip-addresses", "um-mailboxes", NULL};
    char *old[][2] = {
        {w_s("EUM:u00001@lync.test;phone-context=Gone.exchange.test"), w_s("sip:u00001@lync.test")},
        {w_s("EUM:before@lync.test;phone-context=" P_CONTEXT), w_s("eum:u00002@lync.test;phone-context=" P_CONTEXT)},
    };
    struct p_rows rows = {0};
    struct umx_world *world = three(&rows);
    struct w_run run;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        W_EDIT(world)->mailbox_user[i]->n_proxy_address = 2;
        W_EDIT(world)->mailbox_user[i]->proxy_address = old[i];
        W_EDIT(world)->mailbox_user[i]->um_enabled = 0;
    }
    p_planned(&run, world, slugs, sync_umx, &rows);
    assert_int_equal(run.steps.count, 5);
    const Umx__PlanStep *clear = run.steps.items[0], *enable = run.steps.items[1];
    assert_string_equal(clear->change->action->action, "set-eum-addresses");
    assert_string_equal(clear->change->action->item[0],
                        "{\"add\":\"\",\"remove\":\"EUM:u00001@lync.test;phone-context=Gone.exchange.test\","
                        "\"user\":\"00000001-0000-0000-0000-000000000000\"}");
    assert_string_equal(clear->change->action->undo_item[0],
                        "{\"add\":\"EUM:u00001@lync.test;phone-context=Gone.exchange.test\",\"remove\":\"\","
                        "\"user\":\"00000001-0000-0000-0000-000000000000\"}");
    assert_int_equal(clear->predicted->mailbox_user[0]->n_proxy_address, 1);
    assert_int_equal(clear->predicted->mailbox_user[1]->n_proxy_address, 0);
    assert_string_equal(enable->change->action->action, "enable-um-mailbox");
    assert_string_equal(enable->depends[0], clear->id);
    assert_int_equal(enable->original->mailbox_user[0]->n_proxy_address, 1);
    assert_int_equal(enable->predicted->mailbox_user[0]->n_proxy_address, 3);
    assert_string_equal(enable->predicted->mailbox_user[1]->proxy_address[0],
                        "EUM:u00002@lync.test;phone-context=" P_CONTEXT);
    /* and nothing of it comes to Lync */
    assert_int_equal(p_step(&run, UMX__CHANGE__KIND__MODIFY, "User 00002")->change->modify[0]->n_add, 2);
    w_end(&run);
    p_planned(&run, world, both, sync_umx, &rows);
    p_apply(&run, world);
    w_end(&run);
    p_planned(&run, world, both, sync_umx, &rows);
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    w_status(world, "sip-addresses/eum-primary", NULL, W_PASS);
    p_finished(world, "um-mailboxes", sync_umx, &rows);
    umx_world_free(world);
}

static void test_by_hand(void **state)
{
    struct p_rows rows = {0};
    struct umx_world *world = three(&rows);
    struct w_run run;

    (void)state;
    p_remove_agents(world);
    rows.input.n_user = 1;
    rows.users[0].policy = w_s("Managers' Policy");
    p_planned(&run, world, slugs, sync_umx, &rows);
    assert_int_equal(run.steps.count, 4);
    assert_string_equal(run.steps.items[0]->change->gate->command[0],
                        "New-UMMailboxPolicy -Name 'Managers'' Policy' -UMDialPlan 'Berlin'");
    assert_string_equal(run.steps.items[0]->predicted->mailbox_policy[0]->dn,
                        "CN=Managers' Policy,CN=UM Mailbox Policies," W_ORG);
    assert_string_equal(
        run.steps.items[1]->change->gate->command[0],
        "Enable-UMMailbox -Identity '00000001-0000-0000-0000-000000000000' -UMMailboxPolicy 'Managers'' "
        "Policy' -Extensions '00001' -SIPResourceIdentifier 'u00001@lync.test'");
    assert_string_equal(run.steps.items[1]->depends[0], run.steps.items[0]->id);
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "um-mailboxes", sync_umx, &rows);
    umx_world_free(world);
}

static void test_refused(void **state)
{
    struct umx_world *world = world_people();
    struct p_rows rows = {0};

    (void)state;
    for (int i = 1; i <= 9; i++)
        p_add(world, (struct p_person){.number = i, .voice = i != 8, .um = i == 9, .no_mailbox = i == 7});
    static const struct {
        const char *user;
        const char *extension;
        const char *policy;
    } users[] = {
        {"u00001", "0001", "Berlin Default Policy"},
        {"u00002", "00009", "Berlin Default Policy"},
        {"u00003", "00077", "Berlin Default Policy"},
        {"u00004", "00077", "Berlin Default Policy"},
        {"u00005", "00005", NULL},
        {"u00006", NULL, "Berlin Default Policy"},
        {"u00007", "00007", "Berlin Default Policy"},
        {"u00008", "00008", "Berlin Default Policy"},
    };
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        Umx__InputUser *row = p_row(&rows, users[i].user);
        row->extension = w_s(users[i].extension);
        row->policy = w_s(users[i].policy);
    }
    static const char *const texts[] = {
        "user row 2: extension 0001 has 4 digits, and dial plan Berlin wants 5",
        "user row 3: extension 00009 in " P_CONTEXT " belongs to u00009@exchange.test",
        "user row 5: extension 00077 is also that of u00003@exchange.test in row 4",
        "user row 6: policy is missing",
        "user row 7: extension is missing",
        "user row 8: no user with a mailbox in exchange.test is called \"u00007\"",
        "user row 9: sip:u00008@lync.test is not enabled for Enterprise Voice",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        p_refused(world, "um-mailboxes", &rows, texts[i]);
    struct p_rows one = {0};
    p_row(&one, "u00001")->extension = w_s("00001");
    one.users[0].policy = w_s("Telephones Policy");
    p_policy(world, "CN=Telephones Policy,CN=UM Mailbox Policies," W_ORG, "Telephones Policy",
             "CN=Telephones," W_PLANS);
    p_refused(world, "um-mailboxes", &one,
              "user row 2: policy \"Telephones Policy\" is of dial plan (none), which is no");
    w_plan(world, W_EX, "Hamburg");
    one.users[0].policy = w_s("Other Policy");
    p_refused(world, "um-mailboxes", &one, "for which dial plan it should be is not clear");
    struct p_rows enabled = {0};
    p_row(&enabled, "u00009")->extension = w_s("00010");
    enabled.users[0].policy = w_s("Berlin Default Policy");
    p_refused(world, "um-mailboxes", &enabled,
              "user row 2: u00009@exchange.test is enabled for UM with another extension");
    umx_world_free(world);
}

static void test_propose(void **state)
{
    struct umx_world *world = world_people();
    const struct umx_phase *phase = umx_phase("um-mailboxes");
    struct w_run run;

    (void)state;
    for (int i = 1; i <= 7; i++)
        p_add(world, (struct p_person){.number = i, .voice = i != 7, .um = i == 6});
    Umx__VoiceUser **users = W_EDIT(world)->voice_user;
    users[1]->line = w_s("tel:+493022222");           /* its last five digits */
    users[2]->line = w_s("tel:+493000006");           /* belong to somebody */
    users[3]->line = w_s("tel:+493044444");           /* proposed for two */
    users[4]->line = w_s("tel:+493055555;ext=44444"); /* is one */
    w_begin(&run, NULL);
    struct umx_proposal proposal = {.arena = run.arena};
    assert_int_equal(
        umx_phases_propose(umx_world_records(world), &phase, 1, NULL, 0, &run.options, &proposal, &run.err), 0);
    assert_int_equal(proposal.input->n_user, 5);
    static const char *const extensions[] = {"00001", "22222", NULL, NULL, NULL};
    for (size_t i = 0; i < 5; i++) {
        const Umx__InputUser *row = proposal.input->user[i];
        assert_string_equal(row->policy, "Berlin Default Policy");
        if (extensions[i] == NULL)
            assert_null(row->extension);
        else
            assert_string_equal(row->extension, extensions[i]);
    }
    w_end(&run);
    /* two plans: nothing is clear */
    w_plan(world, W_EX, "Hamburg");
    w_begin(&run, NULL);
    proposal = (struct umx_proposal){.arena = run.arena};
    assert_int_equal(
        umx_phases_propose(umx_world_records(world), &phase, 1, NULL, 0, &run.options, &proposal, &run.err), 0);
    assert_null(proposal.input->user[0]->policy);
    assert_null(proposal.input->user[0]->extension);
    w_end(&run);
    umx_world_free(world);
}

/* One file of rows through phases 6, 10 and 11: each is planned on what the ones before will have made. */
static void test_three_phases(void **state)
{
    static const char *const all[] = {"sip-addresses", "enterprise-voice", "um-mailboxes", NULL};
    struct umx_world *world = world_people();
    struct p_rows rows = {0};
    struct w_run run;

    (void)state;
    w_service(world, "fe1.lync.test", "RTCMEDSRV", UMX__SERVICE__STATE__RUNNING, W_NOW - UMX_HOUR);
    for (int i = 1; i <= 2; i++)
        p_add(world, (struct p_person){.number = i, .lync_sip_proxy = true});
    for (int i = 1; i <= 2; i++) {
        Umx__InputUser *row = p_row(&rows, i == 1 ? "u00001" : "u00002");
        row->line = w_s(i == 1 ? "+493000001" : "+493000002");
        row->extension = w_s(i == 1 ? "00001" : "00002");
        row->policy = w_s("Berlin Default Policy");
    }
    p_planned(&run, world, all, sync_umx, &rows);
    /* two sip: values, one batch of lines, one of mailboxes, two writes there, one wait */
    assert_int_equal(run.steps.count, 7);
    const Umx__PlanStep *enable = run.steps.items[3];
    assert_string_equal(enable->change->action->action, "enable-um-mailbox");
    assert_int_equal(enable->n_depends, 1);
    assert_string_equal(enable->depends[0], run.steps.items[2]->id); /* of the other forest */
    assert_int_equal(enable->predicted->mailbox_user[0]->n_proxy_address, 3);
    p_apply(&run, world);
    w_end(&run);
    for (size_t i = 0; all[i] != NULL; i++)
        p_finished(world, all[i], i == 2 ? sync_umx : NULL, &rows);
    umx_world_free(world);
}

static void test_many(void **state)
{
    enum { MANY = 10000 };
    struct umx_world *world = world_people();
    const struct umx_phase *phases[] = {umx_phase("sip-addresses"), umx_phase("enterprise-voice"),
                                        umx_phase("um-mailboxes")};
    struct umx_error err = {0};
    struct timespec begin, end;

    (void)state;
    w_service(world, "fe1.lync.test", "RTCMEDSRV", UMX__SERVICE__STATE__RUNNING, W_NOW - UMX_HOUR);
    for (int i = 0; i < MANY; i++)
        p_add(world, (struct p_person){.number = i, .voice = true});
    struct umx_arena *arena = umx_arena_new(1024 * 1024 * 1024);
    struct umx_steps steps = {.arena = arena};
    struct umx_findings findings = {.arena = arena};
    struct umx_proposal proposal = {.arena = arena};
    struct umx_options options = {.texts = sync_umx, .count = 1};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    /* what is proposed can be planned as it is */
    assert_int_equal(umx_phases_propose(umx_world_records(world), &phases[2], 1, NULL, 0, &options, &proposal, &err),
                     0);
    assert_int_equal(proposal.input->n_user, MANY);
    for (size_t i = 0; i < MANY; i++)
        proposal.input->user[i]->row = (int32_t)i + 2;
    options.input = proposal.input;
    assert_int_equal(umx_phases_plan(world, phases, 3, NULL, 0, &options, &steps, &err), 0);
    assert_int_equal(umx_phases_check(umx_world_records(world), phases, 3, NULL, 0, &options, &findings, &err), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    /* sip: on both objects, batches of mailboxes, the Lync side, one wait */
    assert_int_equal(steps.count, 2 * MANY + MANY / 100 + MANY + 1);
    assert_true(end.tv_sec - begin.tv_sec < 60); /* of the processor; a sanitizer's build takes several times longer */
    print_message("%d people through three phases: proposed, planned, checked in %.2f s of the processor\n", (int)MANY,
                  (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    umx_arena_free(arena);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_plan),          cmocka_unit_test(test_plan_umx_writes),
        cmocka_unit_test(test_old_addresses), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_propose),
        cmocka_unit_test(test_three_phases),  cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Phase 10. */
#include "people_worlds.h"

#include <stdlib.h>
#include <time.h>

static const char *const slugs[] = {"enterprise-voice", NULL};

static void e_policy(struct umx_world *world, const char *kind, const char *identity, const char *first,
                     const char *second)
{
    Umx__LyncPolicy policy = UMX__LYNC_POLICY__INIT;
    char *values[] = {w_s(first), w_s(second)};

    policy.server = w_s("fe1.lync.test");
    policy.forest = w_s(W_LY);
    policy.kind = w_s(kind);
    policy.identity = w_s(identity);
    policy.value = values;
    policy.n_value = first == NULL ? 0 : second == NULL ? 1 : 2;
    w_add(world, &policy.base);
}

/* Everything of P10A. */
static void e_servers(struct umx_world *world)
{
    w_service(world, "fe1.lync.test", "RTCMEDSRV", UMX__SERVICE__STATE__RUNNING, W_NOW - UMX_HOUR);
    e_policy(world, "media", "Global", "RequireEncryption", NULL);
    e_policy(world, "pstn_usage", "Global", "Local", NULL);
    e_policy(world, "voice_policy", "Global", "Local", NULL);
    e_policy(world, "voice_policy", "Tag:Managers", "Local", NULL);
    e_policy(world, "pstn_gateway", "PstnGateway:gw1.lync.test", "gw1.lync.test", NULL);
    e_policy(world, "voice_route", "LocalRoute", "^\\+", "Local");
}

static void e_dial_plan(struct umx_world *world, const char *identity)
{
    Umx__LyncDialPlan plan = UMX__LYNC_DIAL_PLAN__INIT;

    plan.server = w_s("fe1.lync.test");
    plan.forest = w_s(W_LY);
    plan.identity = w_s(identity);
    plan.simple_name = w_s(P_CONTEXT);
    w_add(world, &plan.base);
}

static void e_lync_user(struct umx_world *world, int number, const char *policy, const char *dial_plan)
{
    Umx__LyncUser user = UMX__LYNC_USER__INIT;
    char sip[64];

    user.server = w_s("fe1.lync.test");
    user.forest = w_s(W_LY);
    user.sip_address = w_text(sip, sizeof sip, "sip:u%05d@lync.test", number);
    user.voice_policy = w_s(policy);
    user.dial_plan = w_s(dial_plan);
    w_add(world, &user.base);
}

static void test_servers(void **state)
{
    struct umx_world *world = world_people();

    (void)state;
    w_status(world, "enterprise-voice/mediation", NULL, W_FAIL); /* an agent, and no such service */
    w_status(world, "enterprise-voice/pstn", NULL, W_UNKNOWN);
    w_status(world, "enterprise-voice/usages", NULL, W_UNKNOWN);
    w_status(world, "enterprise-voice/media", NULL, W_UNKNOWN);
    w_status(world, "enterprise-voice/granted", NULL, W_UNKNOWN);
    e_servers(world);
    w_status(world, "enterprise-voice/mediation", NULL, W_PASS);
    w_status(world, "enterprise-voice/pstn", "voice routes", W_PASS);
    w_status(world, "enterprise-voice/usages", "Global", W_PASS);
    w_status(world, "enterprise-voice/media", NULL, W_PASS);
    W_EDIT(world)->service[0]->state = UMX__SERVICE__STATE__STOPPED;
    w_status(world, "enterprise-voice/mediation", "fe1", W_FAIL);
    e_policy(world, "voice_policy", "Tag:World", "International", NULL);
    w_status(world, "enterprise-voice/usages", "World", W_FAIL);
    e_policy(world, "voice_policy", "Tag:None", NULL, NULL);
    w_status(world, "enterprise-voice/usages", "None", W_WARN);
    p_remove_agents(world);
    W_EDIT(world)->n_service = 0;
    w_status(world, "enterprise-voice/mediation", NULL, W_UNKNOWN);
    for (size_t i = 0; i < W_EDIT(world)->n_lync_policy; i++) {
        W_EDIT(world)->lync_policy[i]->has_collected_at = 1;
        W_EDIT(world)->lync_policy[i]->collected_at = W_NOW - 25 * UMX_HOUR;
    }
    w_status(world, "enterprise-voice/pstn", NULL, W_UNKNOWN); /* too old */
    umx_world_free(world);
}

static void test_users(void **state)
{
    struct umx_world *world = world_people();

    (void)state;
    p_add(world, (struct p_person){.number = 1});
    w_status(world, "enterprise-voice/users", NULL, W_FAIL);
    w_status(world, "enterprise-voice/attributes", NULL, W_NOT_APPLICABLE);
    p_add(world, (struct p_person){.number = 2, .voice = true});
    p_add(world, (struct p_person){.number = 3, .voice = true});
    w_status(world, "enterprise-voice/users", NULL, W_PASS);
    w_status(world, "enterprise-voice/attributes", NULL, W_PASS);
    w_status(world, "enterprise-voice/lines", NULL, W_PASS);
    w_status(world, "enterprise-voice/modes", NULL, W_PASS);
    w_status(world, "enterprise-voice/owner", NULL, W_PASS);
    w_status(world, "enterprise-voice/hosted", NULL, W_PASS);
    Umx__VoiceUser *user = W_EDIT(world)->voice_user[1];
    static const char *const bad[] = {NULL, "+4930123", "tel:030123", "tel:+0123", "tel:+4930123;ext=", "tel:+49x"};
    char *line = user->line;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        user->line = w_s(bad[i]);
        w_status(world, "enterprise-voice/attributes", "u00002", W_FAIL);
    }
    user->line = line;
    user->home_server_dn = NULL;
    w_status(world, "enterprise-voice/attributes", "u00002", W_FAIL);
    user->option_flags = 128 | 16;
    w_status(world, "enterprise-voice/modes", "u00002", W_FAIL);
    user->option_flags = 128 | 16 | 512;
    w_status(world, "enterprise-voice/modes", NULL, W_PASS);
    user->line = W_EDIT(world)->voice_user[2]->line;
    w_status(world, "enterprise-voice/lines", "u00002", W_FAIL);
    w_status(world, "enterprise-voice/lines", "u00003", W_FAIL);
    char *hosted[] = {w_s("ExchangeHostedVoiceMail=0"), w_s("CsHostedVoiceMail=1")};
    user->voice_mail_setting = hosted;
    user->n_voice_mail_setting = 2;
    w_status(world, "enterprise-voice/hosted", "u00002", W_FAIL);
    user->originator_sid = w_s("S-1-5-21-9-9-9-9");
    w_status(world, "enterprise-voice/owner", "u00002", W_UNKNOWN);
    user->originator_sid = NULL;
    w_status(world, "enterprise-voice/owner", "u00002", W_FAIL); /* a disabled account of nobody */
    e_policy(world, "voice_policy", "Global", "Local", NULL);
    e_lync_user(world, 2, "Gone", NULL);
    w_status(world, "enterprise-voice/granted", "u00002", W_FAIL);
    umx_world_free(world);
}

/* Gates with what is missing, one after another, and nothing left afterwards. */
static void test_plan_servers(void **state)
{
    struct umx_world *world = world_people();
    const char *const options[] = {"enterprise-voice.pstn-gateway=gw1.lync.test", NULL};
    struct w_run run;

    (void)state;
    e_policy(world, "media", "Global", "RequireEncryption", NULL);
    e_policy(world, "voice_policy", "Global", NULL, NULL);
    w_service(world, "fe1.lync.test", "RTCMEDSRV", UMX__SERVICE__STATE__STOPPED, W_NOW - UMX_HOUR);
    p_planned(&run, world, slugs, options, NULL);
    assert_int_equal(run.steps.count, 5);
    for (size_t i = 0; i < run.steps.count; i++) {
        const Umx__PlanStep *step = run.steps.items[i];
        assert_int_equal(step->kind, UMX__CHANGE__KIND__GATE);
        assert_string_equal(step->groups, "rtc_server_admins");
        assert_true(step->change->gate->n_command > 0);
        assert_non_null(step->predicted);
        assert_int_equal(step->n_depends, i);
    }
    assert_string_equal(run.steps.items[4]->change->gate->command[0],
                        "New-CsVoiceRoute -Identity 'Long Distance' -NumberPattern '^\\+' -PstnUsages @{Add='Long "
                        "Distance'} -PstnGatewayList @{Add='PstnGateway:gw1.lync.test'}");
    p_apply(&run, world);
    w_end(&run);
    p_planned(&run, world, slugs, options, NULL);
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    w_status(world, "enterprise-voice/mediation", NULL, W_PASS);
    w_status(world, "enterprise-voice/usages", NULL, W_PASS);
    w_status(world, "enterprise-voice/pstn", "PSTN gateways", W_PASS);
    umx_world_free(world);
}

/* Without knowing, nothing is asked of anybody; without a gateway's name, no route. */
static void test_plan_unknown(void **state)
{
    struct umx_world *world = world_people();
    struct w_run run;

    (void)state;
    p_remove_agents(world);
    p_planned(&run, world, slugs, NULL, NULL);
    assert_int_equal(run.steps.count, 0);
    assert_true(run.steps.note_count >= 2);
    w_end(&run);
    e_servers(world);
    W_EDIT(world)->n_lync_policy = 4; /* no gateway, no route */
    p_planned(&run, world, slugs, NULL, NULL);
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    umx_world_free(world);
}

static void test_plan_users(void **state)
{
    struct umx_world *world = world_people();
    struct p_rows rows = {0};
    struct w_run run;

    (void)state;
    e_servers(world);
    e_dial_plan(world, "Tag:Berlin");
    for (int i = 1; i <= 4; i++)
        p_add(world, (struct p_person){.number = i, .voice = i == 3});
    e_lync_user(world, 3, "Tag:Managers", "");
    p_row(&rows, "u00001")->line = w_s("+493012345;ext=12345");
    rows.users[0].lync_dial_plan = w_s("Berlin");
    rows.users[0].voice_policy = w_s("Tag:Managers");
    p_row(&rows, "u00002")->line = w_s("TEL:+493012346");
    p_row(&rows, "u00003")->voice_policy = w_s("Managers"); /* has it, and a line */
    p_row(&rows, "u00004")->extension = w_s("00004");       /* another phase's row */
    p_planned(&run, world, slugs, NULL, &rows);
    assert_int_equal(run.steps.count, 3);
    const Umx__ActionChange *set = run.steps.items[0]->change->action;
    assert_string_equal(set->server, "fe1.lync.test");
    assert_string_equal(set->action, "set-cs-user");
    assert_string_equal(set->identity, "shell");
    assert_int_equal(set->n_item, 2);
    assert_string_equal(set->item[0], "{\"enterprise_voice\":\"true\",\"line\":\"tel:+493012345;ext=12345\","
                                      "\"sip_address\":\"sip:u00001@lync.test\"}");
    assert_string_equal(
        set->undo_item[0],
        "{\"enterprise_voice\":\"@result.previous_enterprise_voice\",\"line\":\"@result.previous_line\","
        "\"sip_address\":\"sip:u00001@lync.test\"}");
    assert_string_equal(run.steps.items[0]->groups, "rtc_user_admins");
    assert_string_equal(run.steps.items[1]->change->action->action, "grant-cs-dial-plan");
    assert_string_equal(run.steps.items[2]->change->action->action, "grant-cs-voice-policy");
    assert_string_equal(run.steps.items[2]->change->action->item[0],
                        "{\"policy\":\"Managers\",\"sip_address\":\"sip:u00001@lync.test\"}");
    assert_string_equal(run.steps.items[2]->depends[0], "s1");
    for (size_t i = 0; i < run.steps.count; i++) /* X10B: no raw writes */
        assert_int_equal(run.steps.items[i]->kind, UMX__CHANGE__KIND__ACTION);
    p_apply(&run, world);
    w_end(&run);
    assert_int_equal(umx_world_records(world)->voice_user[0]->option_flags, 256 | 128);
    p_finished(world, "enterprise-voice", NULL, &rows);
    umx_world_free(world);
}

static void test_by_hand(void **state)
{
    struct umx_world *world = world_people();
    struct p_rows rows = {0};
    struct w_run run;

    (void)state;
    e_servers(world);
    p_remove_agents(world);
    p_add(world, (struct p_person){.number = 1, .no_mailbox = true});
    p_row(&rows, "s00001@lync.test")->line = w_s("+493012345"); /* a Lync user without a mailbox */
    rows.users[0].voice_policy = w_s("Managers");
    p_planned(&run, world, slugs, NULL, &rows);
    assert_int_equal(run.steps.count, 2);
    assert_string_equal(run.steps.items[0]->change->gate->command[0],
                        "Set-CsUser -Identity 'sip:u00001@lync.test' -EnterpriseVoiceEnabled $true -LineURI "
                        "'tel:+493012345'");
    assert_int_equal(run.steps.items[0]->predicted->n_voice_user, 1);
    assert_int_equal(run.steps.items[0]->predicted->n_lync_user, 0);
    assert_string_equal(run.steps.items[1]->change->gate->command[0],
                        "Grant-CsVoicePolicy -Identity 'sip:u00001@lync.test' -PolicyName 'Managers'");
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "enterprise-voice", NULL, &rows);
    umx_world_free(world);
}

static void test_refused(void **state)
{
    struct umx_world *world = world_people();
    struct p_rows rows = {0};
    Umx__Contact contact = UMX__CONTACT__INIT;

    (void)state;
    e_servers(world);
    e_dial_plan(world, "Tag:Berlin");
    for (int i = 1; i <= 8; i++)
        p_add(world, (struct p_person){.number = i, .voice = i == 8});
    contact.forest = w_s(W_LY);
    contact.dn = w_s("CN=Voice Access,OU=UM,DC=lync,DC=test");
    contact.line = w_s("tel:+493099999");
    w_add(world, &contact.base);
    W_EDIT(world)->voice_user[5]->option_flags = 16;
    p_row(&rows, "u00001")->line = w_s("030 12345");
    p_row(&rows, "u00002")->line = w_s("+493000008;ext=00008");
    W_EDIT(world)->voice_user[7]->line = w_s("tel:+493000008;ext=00008");
    p_row(&rows, "u00003")->line = w_s("+493099999");
    p_row(&rows, "u00004")->line = w_s("+493011111");
    p_row(&rows, "u00005")->line = w_s("+493011111");
    p_row(&rows, "u00006")->line = w_s("+493011112");
    p_row(&rows, "u00007")->voice_policy = w_s("Managers");
    p_row(&rows, "u00008")->lync_dial_plan = w_s("Hamburg");
    static const char *const texts[] = {
        "user row 2: line \"030 12345\" is not +E.164",
        "user row 3: line +493000008;ext=00008 of sip:u00002@lync.test belongs to sip:u00008@lync.test",
        "user row 4: line +493099999 of sip:u00003@lync.test belongs to CN=Voice Access,OU=UM,DC=lync,DC=test",
        "user row 6: line +493011111 of sip:u00005@lync.test is also that of sip:u00004@lync.test in row 5",
        "user row 7: sip:u00006@lync.test has remote call control",
        "user row 8: line is missing",
        "user row 9: Lync has no dial plan \"Hamburg\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        p_refused(world, "enterprise-voice", &rows, texts[i]);
    umx_world_free(world);
}

static void test_propose_and_options(void **state)
{
    struct umx_world *world = world_people();
    const struct umx_phase *phase = umx_phase("enterprise-voice");
    const char *const wrong[] = {"enterprise-voice.pstn-gateway=not a name", NULL};
    struct w_run run;

    (void)state;
    p_add(world, (struct p_person){.number = 1});
    p_add(world, (struct p_person){.number = 2, .voice = true});
    p_add(world, (struct p_person){.number = 3, .no_mailbox = true});
    w_begin(&run, NULL);
    struct umx_proposal proposal = {.arena = run.arena};
    assert_int_equal(
        umx_phases_propose(umx_world_records(world), &phase, 1, NULL, 0, &run.options, &proposal, &run.err), 0);
    assert_int_equal(proposal.input->n_user, 1);
    assert_string_equal(proposal.input->user[0]->user, "u00001@exchange.test");
    assert_null(proposal.input->user[0]->line);
    w_end(&run);
    assert_int_not_equal(p_plan(&run, world, slugs, wrong, NULL), 0);
    assert_int_equal(run.err.id, UMX_ERR_OPTION_INVALID);
    w_end(&run);
    umx_world_free(world);
}

/* Ten thousand rows: bounded time, a hundred people a step. */
static void test_many(void **state)
{
    enum { MANY = 10000 };
    struct umx_world *world = world_people();
    const struct umx_phase *phase = umx_phase("enterprise-voice");
    struct umx_error err = {0};
    struct timespec begin, end;
    Umx__Input input = UMX__INPUT__INIT;
    Umx__InputUser *users = calloc(MANY, sizeof *users);
    Umx__InputUser **list = calloc(MANY, sizeof *list);
    char(*texts)[2][32] = calloc(MANY, sizeof *texts);

    (void)state;
    assert_true(users != NULL && list != NULL && texts != NULL);
    e_servers(world);
    for (int i = 0; i < MANY; i++) {
        p_add(world, (struct p_person){.number = i});
        umx__input_user__init(&users[i]);
        users[i].row = i + 2;
        users[i].user = w_text(texts[i][0], sizeof texts[i][0], "u%05d", i);
        users[i].line = w_text(texts[i][1], sizeof texts[i][1], "+4930%05d", i);
        list[i] = &users[i];
    }
    input.n_user = MANY;
    input.user = list;
    struct umx_arena *arena = umx_arena_new(1024 * 1024 * 1024);
    struct umx_steps steps = {.arena = arena};
    struct umx_findings findings = {.arena = arena};
    struct umx_options options = {.input = &input};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin); /* the machine may have much else to do */
    assert_int_equal(umx_phases_plan(world, &phase, 1, NULL, 0, &options, &steps, &err), 0);
    assert_int_equal(umx_phases_check(umx_world_records(world), &phase, 1, NULL, 0, &options, &findings, &err), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(steps.count, MANY / 100);
    assert_int_equal(steps.items[0]->change->action->n_item, 100);
    assert_true(end.tv_sec - begin.tv_sec < 20);
    print_message("%d rows: planned and checked in %.2f s\n", (int)MANY,
                  (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    umx_arena_free(arena);
    free(users);
    free(list);
    free(texts);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers),      cmocka_unit_test(test_users),
        cmocka_unit_test(test_plan_servers), cmocka_unit_test(test_plan_unknown),
        cmocka_unit_test(test_plan_users),   cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_propose_and_options),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

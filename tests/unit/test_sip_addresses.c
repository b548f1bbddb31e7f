/* Phase 6. */
#include "people_worlds.h"

#include <time.h>

static const char *const slugs[] = {"sip-addresses", NULL};

static const struct umx_pair pair = {W_EX, W_LY};

static void test_unknown_and_nobody(void **state)
{
    struct umx_world *world = world_people();
    char *lines[] = {w_s("voice_user: access denied")};

    (void)state;
    w_status(world, "sip-addresses/known", NULL, W_NOT_APPLICABLE);
    w_status(world, "sip-addresses/proxy", NULL, W_NOT_APPLICABLE);
    for (size_t i = 0; i < W_EDIT(world)->n_forest; i++)
        if (strcmp(W_EDIT(world)->forest[i]->forest, W_LY) == 0) {
            W_EDIT(world)->forest[i]->n_incomplete = 1;
            W_EDIT(world)->forest[i]->incomplete = lines;
        }
    static const char *const ids[] = {"sip-addresses/known", "sip-addresses/match", "sip-addresses/proxy",
                                      "sip-addresses/eum", "sip-addresses/eum-primary"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        w_status(world, ids[i], NULL, W_UNKNOWN);
    umx_world_free(world);
}

static void test_known_and_unique(void **state)
{
    struct umx_world *world = world_people();

    (void)state;
    for (int i = 1; i <= 3; i++)
        p_add(world, (struct p_person){.number = i, .voice = true});
    w_status(world, "sip-addresses/known", NULL, W_PASS);
    W_EDIT(world)->voice_user[0]->sip_address = w_s("sip:nobody");
    w_status(world, "sip-addresses/known", "User 00001", W_FAIL);
    W_EDIT(world)->voice_user[0]->sip_address = w_s("SIP:U00002@lync.test");
    w_status(world, "sip-addresses/known", "User 00001", W_FAIL);
    w_status(world, "sip-addresses/known", "User 00002", W_FAIL);
    W_EDIT(world)->voice_user[0]->sip_address = w_s("sip:u00001@lync.test");
    char *taken[] = {w_s("SIP:u00003@lync.test")};
    W_EDIT(world)->mailbox_user[0]->proxy_address = taken;
    W_EDIT(world)->mailbox_user[0]->n_proxy_address = 1;
    w_status(world, "sip-addresses/known", "User 00003", W_FAIL);
    umx_world_free(world);
}

static void test_proxy(void **state)
{
    struct umx_world *world = world_people();

    (void)state;
    p_add(world, (struct p_person){.number = 1, .voice = true, .sip_proxy = true, .lync_sip_proxy = true});
    w_status(world, "sip-addresses/proxy", NULL, W_PASS);
    p_add(world, (struct p_person){.number = 2, .voice = true, .lync_sip_proxy = true});
    p_add(world, (struct p_person){.number = 3, .voice = true, .sip_proxy = true});
    w_status(world, "sip-addresses/proxy", "u00002@exchange.test", W_FAIL);
    w_status(world, "sip-addresses/proxy", "u00003@exchange.test", W_FAIL);
    umx_world_free(world);
}

static void test_matching(void **state)
{
    struct umx_world *world = world_people();

    (void)state;
    for (int i = 1; i <= 4; i++)
        p_add(world, (struct p_person){.number = i, .voice = true, .sip_proxy = true, .lync_sip_proxy = true});
    Umx__World *records = W_EDIT(world);
    /* linked mailbox, address, principal name */
    records->voice_user[0]->originator_sid = NULL;
    records->mailbox_user[0]->master_account_sid = records->voice_user[0]->sid;
    records->mailbox_user[0]->n_proxy_address = 0;
    records->voice_user[1]->originator_sid = NULL;
    records->voice_user[2]->originator_sid = NULL;
    records->mailbox_user[2]->n_proxy_address = 0;
    records->voice_user[2]->user_principal_name = records->mailbox_user[2]->user_principal_name;
    w_status(world, "sip-addresses/match", NULL, W_PASS);
    /* the owner of a shared mailbox is no account */
    records->voice_user[0]->sid = w_s("S-1-5-10");
    records->mailbox_user[0]->master_account_sid = w_s("S-1-5-10");
    struct w_run run;
    w_check(&run, world, "sip-addresses", NULL);
    assert_non_null(strstr(w_finding(&run, "sip-addresses/match", NULL)->actual, "3 users"));
    w_end(&run);
    /* two accounts claim one mailbox */
    records->voice_user[0]->originator_sid = records->mailbox_user[3]->sid;
    w_status(world, "sip-addresses/match", "sip:u00001@lync.test", W_FAIL);
    w_status(world, "sip-addresses/match", "sip:u00004@lync.test", W_FAIL);
    umx_world_free(world);
}

static void test_eum(void **state)
{
    struct umx_world *world = world_people();

    (void)state;
    p_add(world, (struct p_person){.number = 1, .voice = true, .um = true, .sip_proxy = true, .lync_sip_proxy = true});
    w_status(world, "sip-addresses/eum", NULL, W_PASS);
    w_status(world, "sip-addresses/eum-primary", NULL, W_PASS);
    Umx__MailboxUser *user = W_EDIT(world)->mailbox_user[0];
    user->n_proxy_address = 2; /* no extension */
    w_status(world, "sip-addresses/eum", NULL, W_FAIL);
    user->n_proxy_address = 1; /* nothing */
    w_status(world, "sip-addresses/eum", NULL, W_FAIL);
    w_status(world, "sip-addresses/eum-primary", NULL, W_FAIL);
    umx_world_free(world);
}

/* F6.1: the SIP domain changed in Lync. */
static void test_plan_eum(void **state)
{
    struct umx_world *world = world_people();
    struct w_run run;

    (void)state;
    p_add(world, (struct p_person){.number = 1, .voice = true, .um = true});
    p_add(world, (struct p_person){.number = 2, .voice = true, .um = true, .sip_proxy = true, .lync_sip_proxy = true});
    W_EDIT(world)->voice_user[0]->sip_address = w_s("sip:anna@new.test");
    w_status(world, "sip-addresses/eum-primary", "u00001", W_FAIL);
    p_planned(&run, world, slugs, NULL, NULL);
    assert_int_equal(run.steps.count, 3);
    const Umx__PlanStep *step = p_step(&run, UMX__CHANGE__KIND__ACTION, NULL);
    assert_string_equal(step->change->action->action, "set-eum-addresses");
    assert_string_equal(step->change->action->server, "exmbx1.exchange.test"); /* of the newest version */
    assert_string_equal(step->change->action->item[0],
                        "{\"add\":\"EUM:anna@new.test;phone-context=" P_CONTEXT "\",\"remove\":\"EUM:u00001@lync.test;"
                        "phone-context=" P_CONTEXT "\",\"user\":\"00000001-0000-0000-0000-000000000000\"}");
    assert_string_equal(step->change->action->undo_action, "set-eum-addresses");
    assert_non_null(strstr(step->change->action->undo_item[0], "\"add\":\"EUM:u00001@lync.test"));
    assert_string_equal(step->groups, "recipient_management");
    assert_int_equal(step->predicted->n_mailbox_user, 1);
    assert_int_equal(step->original->n_mailbox_user, 1);
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "sip-addresses", NULL, NULL);
    /* without an agent the same by hand */
    p_remove_agents(world);
    W_EDIT(world)->voice_user[0]->sip_address = w_s("sip:berta@new.test");
    const char *const replace[] = {"sip-addresses.replace=yes", NULL};
    p_planned(&run, world, slugs, replace, NULL);
    step = p_step(&run, UMX__CHANGE__KIND__GATE, NULL);
    assert_string_equal(step->change->gate->command[0],
                        "Set-Mailbox -Identity '00000001-0000-0000-0000-000000000000' -EmailAddresses "
                        "@{Remove='EUM:anna@new.test;phone-context=" P_CONTEXT
                        "'; Add='EUM:berta@new.test;phone-context=" P_CONTEXT "'}");
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "sip-addresses", replace, NULL);
    umx_world_free(world);
}

static void test_plan_sip(void **state)
{
    struct umx_world *world = world_people();
    struct w_run run;

    (void)state;
    p_add(world, (struct p_person){.number = 1, .voice = true, .lync_sip_proxy = true});
    p_add(world, (struct p_person){.number = 2, .voice = true, .sip_proxy = true});
    p_add(world, (struct p_person){.number = 3});
    p_add(world, (struct p_person){.number = 4, .voice = true, .no_mailbox = true});
    p_planned(&run, world, slugs, NULL, NULL);
    assert_int_equal(run.steps.count, 2);
    const Umx__PlanStep *step = p_step(&run, UMX__CHANGE__KIND__MODIFY, "OU=People");
    assert_string_equal(step->forest, W_EX);
    assert_string_equal(step->change->modify[0]->name, "proxyAddresses");
    assert_string_equal(step->change->modify[0]->add[0], "sip:u00001@lync.test");
    assert_int_equal(step->change->modify[0]->n_remove, 0);
    assert_int_equal(step->change->object_guid.len, 16);
    step = p_step(&run, UMX__CHANGE__KIND__MODIFY, "OU=Shadows");
    assert_string_equal(step->forest, W_LY);
    assert_string_equal(step->groups, "rtc_server_admins");
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "sip-addresses", NULL, NULL);
    const struct umx_phase *phase = umx_phase("sip-addresses");
    w_check(&run, world, "sip-addresses", NULL);
    assert_int_equal(umx_phase_state(phase, &pair, &run.findings, run.arena)->state, UMX__PHASE_STATE__STATE__DONE);
    w_end(&run);
    umx_world_free(world);
}

static void test_conflict(void **state)
{
    struct umx_world *world = world_people();
    const char *const replace[] = {"sip-addresses.replace=yes", NULL};
    const char *const wrong[] = {"sip-addresses.replace=maybe", NULL};
    char *old[] = {w_s("sip:old@lync.test")};
    struct p_rows rows = {0};
    struct w_run run;

    (void)state;
    p_add(world, (struct p_person){.number = 1, .voice = true, .lync_sip_proxy = true});
    W_EDIT(world)->mailbox_user[0]->proxy_address = old;
    W_EDIT(world)->mailbox_user[0]->n_proxy_address = 1;
    w_status(world, "sip-addresses/proxy", NULL, W_FAIL);
    p_planned(&run, world, slugs, NULL, NULL);
    assert_int_equal(run.steps.count, 0);
    assert_int_equal(run.steps.note_count, 1);
    assert_non_null(strstr(run.steps.notes[0], "sip:old@lync.test"));
    w_end(&run);
    p_row(&rows, "u00001");
    p_refused(world, "sip-addresses", &rows, "user row 2: the mailbox user has sip:old@lync.test");
    assert_int_not_equal(p_plan(&run, world, slugs, wrong, NULL), 0);
    assert_int_equal(run.err.id, UMX_ERR_OPTION_INVALID);
    w_end(&run);
    p_planned(&run, world, slugs, replace, NULL);
    assert_int_equal(run.steps.count, 1);
    assert_string_equal(run.steps.items[0]->change->modify[0]->remove[0], "sip:old@lync.test");
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "sip-addresses", replace, NULL);
    umx_world_free(world);
}

/* Users of a child domain are read and not written. */
static void test_child_domain(void **state)
{
    struct umx_world *world = world_people();
    struct p_rows rows = {0};
    struct w_run run;

    (void)state;
    p_add(world, (struct p_person){.number = 1, .voice = true, .lync_sip_proxy = true});
    W_EDIT(world)->mailbox_user[0]->dn = w_s("CN=User 00001,OU=People,DC=child,DC=exchange,DC=test");
    p_planned(&run, world, slugs, NULL, NULL);
    assert_int_equal(run.steps.count, 0);
    assert_non_null(strstr(run.steps.notes[0], "is in a child domain"));
    w_end(&run);
    p_row(&rows, "u00001");
    p_refused(world, "sip-addresses", &rows,
              "user row 2: the mailbox user lacks sip:u00001@lync.test and is in a child");
    umx_world_free(world);
}

static void test_rows(void **state)
{
    struct umx_world *world = world_people();
    struct p_rows rows = {0};
    struct w_run run;

    (void)state;
    for (int i = 1; i <= 3; i++)
        p_add(world, (struct p_person){.number = i, .lync_sip_proxy = true});
    /* not enabled for Enterprise Voice yet: a row is enough */
    p_row(&rows, "U00001@exchange.test");
    p_row(&rows, "CN=User 00002,OU=People,DC=exchange,DC=test")->sip_address = w_s("u00002@lync.test");
    p_planned(&run, world, slugs, NULL, &rows);
    assert_int_equal(run.steps.count, 2);
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "sip-addresses", NULL, &rows);
    p_row(&rows, "nobody");
    p_row(&rows, "u00003")->sip_address = w_s("sip:other@lync.test");
    p_row(&rows, "u00001");
    p_row(&rows, "");
    p_refused(world, "sip-addresses", &rows,
              "user row 4: no user with a mailbox in exchange.test is called \"nobody\"");
    p_refused(world, "sip-addresses", &rows, "user row 5: sip_address is sip:other@lync.test");
    p_refused(world, "sip-addresses", &rows, "user row 6: row 2 names the same person");
    p_refused(world, "sip-addresses", &rows, "user row 7: user is missing");
    struct p_rows other = {0};
    p_row(&other, "u00001")->forest = w_s("elsewhere.test");
    p_refused(world, "sip-addresses", &other, "user row 2: forest elsewhere.test is not in the plan");
    umx_world_free(world);
}

static void test_one_forest(void **state)
{
    struct umx_world *world = world_empty();
    struct w_run run;

    (void)state;
    w_forest(world, W_EX, UMX__FOREST__SIDE__BOTH, "DC=exchange,DC=test", W_SID_EX, "EXCHANGE");
    p_add(world, (struct p_person){.number = 1, .voice = true});
    Umx__VoiceUser *voice = W_EDIT(world)->voice_user[0];
    voice->forest = w_s(W_EX);
    voice->dn = W_EDIT(world)->mailbox_user[0]->dn;
    voice->sid = W_EDIT(world)->mailbox_user[0]->sid;
    p_planned(&run, world, slugs, NULL, NULL);
    assert_int_equal(run.steps.count, 1);
    p_apply(&run, world);
    w_end(&run);
    p_finished(world, "sip-addresses", NULL, NULL);
    umx_world_free(world);
}

static void test_propose(void **state)
{
    struct umx_world *world = world_people();
    const struct umx_phase *phase = umx_phase("sip-addresses");
    struct w_run run;

    (void)state;
    p_add(world, (struct p_person){.number = 1});
    p_add(world, (struct p_person){.number = 2, .no_mailbox = true});
    w_begin(&run, NULL);
    struct umx_proposal proposal = {.arena = run.arena};
    assert_int_equal(
        umx_phases_propose(umx_world_records(world), &phase, 1, NULL, 0, &run.options, &proposal, &run.err), 0);
    assert_int_equal(proposal.input->n_user, 1);
    assert_string_equal(proposal.input->user[0]->user, "u00001@exchange.test");
    assert_string_equal(proposal.input->user[0]->sip_address, "sip:u00001@lync.test");
    assert_string_equal(proposal.input->user[0]->lync_forest, W_LY);
    w_end(&run);
    umx_world_free(world);
}

static void test_many(void **state)
{
    enum { MANY = 10000 };
    struct umx_world *world = world_people();
    const struct umx_phase *phase = umx_phase("sip-addresses");
    struct umx_error err = {0};
    struct timespec begin, end;

    (void)state;
    for (int i = 0; i < MANY; i++)
        p_add(world, (struct p_person){.number = i, .voice = true, .lync_sip_proxy = true});
    struct umx_arena *arena = umx_arena_new(1024 * 1024 * 1024);
    struct umx_steps steps = {.arena = arena};
    struct umx_findings findings = {.arena = arena};
    struct umx_proposal proposal = {.arena = arena};
    struct umx_options none = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    assert_int_equal(umx_phases_plan(world, &phase, 1, NULL, 0, &none, &steps, &err), 0);
    assert_int_equal(umx_phases_check(umx_world_records(world), &phase, 1, NULL, 0, &none, &findings, &err), 0);
    assert_int_equal(umx_phases_propose(umx_world_records(world), &phase, 1, NULL, 0, &none, &proposal, &err), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(steps.count, MANY);
    assert_int_equal(proposal.input->n_user, MANY);
    assert_true(findings.count < 200);
    assert_true(end.tv_sec - begin.tv_sec < 20);
    print_message("%d users: planned, checked, proposed in %.2f s\n", (int)MANY,
                  (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    umx_arena_free(arena);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_and_nobody),
        cmocka_unit_test(test_known_and_unique),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_eum),
        cmocka_unit_test(test_plan_eum),
        cmocka_unit_test(test_plan_sip),
        cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_child_domain),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_one_forest),
        cmocka_unit_test(test_propose),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

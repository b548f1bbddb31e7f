/* Phase 7: the checks. */
#include "worlds.h"

#define ALLOW 0
#define DENY 1

/* What a finished phase leaves: access, a gateway, a hunt group. */
static void finish(struct umx_world *world)
{
    static const struct {
        const char *dn;
        int flags, mask;
    } rows[] = {{W_ORG, 0, 4},
                {W_PLANS, 2, 0x14},
                {"CN=UM AutoAttendant Container," W_ORG, 2, 0x14},
                {"CN=Administrative Groups," W_ORG, 2, 0x14}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        w_ace(world, rows[i].dn, 0, ALLOW, rows[i].flags, rows[i].mask, W_ADMINS, "(A;;;;;admins)");
        w_ace(world, rows[i].dn, 1, ALLOW, rows[i].flags, rows[i].mask, W_COMPONENTS, "(A;;;;;components)");
    }
    w_gateway(world, W_EX, "1:1", "POOL1.lync.test", true, -1);
    w_hunt_group(world, W_EX, "1:1", "Berlin", "CN=Berlin," W_PLANS, "Berlin");
}

static void test_nothing_yet(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_check(&run, world, "exchucutil", NULL);
    size_t access = 0;
    for (size_t i = 0; i < run.findings.count; i++)
        if (strcmp(run.findings.items[i]->id, "exchucutil/access") == 0) {
            access++;
            assert_int_equal(run.findings.items[i]->status, W_FAIL);
            assert_string_equal(run.findings.items[i]->actual, "no entry for the group");
            assert_string_equal(run.findings.items[i]->lync, W_LY);
        }
    assert_int_equal(access, 8);
    assert_int_equal(w_finding(&run, "exchucutil/gateways", "pool1.lync.test")->status, W_FAIL);
    assert_int_equal(w_finding(&run, "exchucutil/hunt-groups", NULL)->status, W_FAIL);
    assert_int_equal(w_finding(&run, "exchucutil/outdial", NULL)->status, W_NOT_APPLICABLE);
    assert_int_equal(w_finding(&run, "exchucutil/front-end-restart", NULL)->status, W_NOT_APPLICABLE);
    const struct umx_pair pair = {W_EX, W_LY};
    assert_int_equal(umx_phase_state(umx_phase("exchucutil"), &pair, &run.findings, run.arena)->state,
                     UMX__PHASE_STATE__STATE__MISSING);
    w_end(&run);
    umx_world_free(world);
}

static void test_all_done(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    finish(world);
    w_check(&run, world, "exchucutil", NULL);
    for (size_t i = 0; i < run.findings.count; i++) {
        const Umx__Finding *f = run.findings.items[i];
        if (f->status == W_FAIL || f->status == W_WARN)
            fail_msg("%s %s: %s", f->id, f->target, f->actual);
    }
    assert_int_equal(w_finding(&run, "exchucutil/gateways", NULL)->status,
                     W_PASS); /* the case of names does not matter */
    const struct umx_pair pair = {W_EX, W_LY};
    Umx__PhaseState *result = umx_phase_state(umx_phase("exchucutil"), &pair, &run.findings, run.arena);
    assert_int_equal(result->state, UMX__PHASE_STATE__STATE__DONE);
    assert_int_equal(result->unknown, 2); /* no agent: restart and read test */
    w_end(&run);
    umx_world_free(world);
}

static void test_groups(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_status(world, "exchucutil/groups", "RTCUniversalServerAdmins", W_PASS);
    umx_world_remove(world, umx_reflect_table("admin_group"), 0);
    w_status(world, "exchucutil/groups", "RTCUniversalServerAdmins", W_FAIL);
    w_status(world, "exchucutil/groups", "RTCComponentUniversalServices", W_PASS);
    umx_world_free(world);
}

/* Status of the access check of the administrators' group on one container. */
static void access_is(struct umx_world *world, const char *dn, Umx__Finding__Status status, const char *actual)
{
    struct w_run run;
    const Umx__Finding *found = NULL;

    w_check(&run, world, "exchucutil", NULL);
    for (size_t i = 0; i < run.findings.count; i++) {
        const Umx__Finding *f = run.findings.items[i];
        if (strcmp(f->id, "exchucutil/access") == 0 && strcmp(f->target, dn) == 0 &&
            strstr(f->expected, "RTCUniversalServerAdmins") != NULL)
            found = f;
    }
    assert_non_null(found);
    if (found->status != status || strstr(found->actual, actual) == NULL)
        fail_msg("%s: status %d, actual %s", dn, (int)found->status, found->actual);
    w_end(&run);
}

static void drop_entries(struct umx_world *world)
{
    while (umx_world_records(world)->n_access_entry > 0)
        umx_world_remove(world, umx_reflect_table("access_entry"), 0);
}

static void test_access_flags(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    /* Without CI only the container can be read. */
    w_ace(world, W_PLANS, 0, ALLOW, 0, 0x14, W_ADMINS, "(A;;LCRP;;;X)");
    access_is(world, W_PLANS, W_FAIL, "not inherited by what is below");
    /* Inherit-only says nothing about the container itself. */
    drop_entries(world);
    w_ace(world, W_PLANS, 0, ALLOW, 2 | 8, 0x14, W_ADMINS, "(A;CIIO;LCRP;;;X)");
    access_is(world, W_PLANS, W_FAIL, "not sufficient");
    w_ace(world, W_PLANS, 1, ALLOW, 0, 0x14, W_ADMINS, "(A;;LCRP;;;X)");
    access_is(world, W_PLANS, W_PASS, "the group may list and read below only, the group may list and read here only");
    /* One level is not enough for what is deeper. */
    drop_entries(world);
    w_ace(world, W_PLANS, 0, ALLOW, 2 | 4, 0x14, W_ADMINS, "(A;CINP;LCRP;;;X)");
    access_is(world, W_PLANS, W_FAIL, "not inherited by what is below");
    /* Two entries add up, an inherited one counts, and more than needed is enough. */
    drop_entries(world);
    w_ace(world, W_PLANS, 0, ALLOW, 2, 4, W_ADMINS, "(A;CI;LC;;;X)");
    w_ace(world, W_PLANS, 1, ALLOW, 2 | 16, 0x10, W_ADMINS, "(A;CIID;RP;;;X)");
    access_is(world, W_PLANS, W_PASS,
              "the group may list here and below, the group may read here and below (inherited)");
    drop_entries(world);
    w_ace(world, W_PLANS, 0, ALLOW, 2, (int)0x80000000, W_ADMINS, "(A;CI;GR;;;X)");
    access_is(world, W_PLANS, W_PASS, "the group may list and read here and below");
    /* For the organisation only the object itself is needed: more is shown. */
    w_ace(world, W_ORG, 0, ALLOW, 2, 4, W_ADMINS, "(A;CI;LC;;;X)");
    access_is(world, W_ORG, W_WARN, "further down than needed");
    drop_entries(world);
    w_ace(world, W_ORG, 0, ALLOW, 0, 4, W_ADMINS, "(A;;LC;;;X)");
    access_is(world, W_ORG, W_PASS, "the group may list here only");
    /* Somebody else's entry is nobody's. */
    drop_entries(world);
    w_ace(world, W_PLANS, 0, ALLOW, 2, 0x14, W_SID_LY "-9999", "(A;CI;LCRP;;;Y)");
    access_is(world, W_PLANS, W_FAIL, "no entry for the group");
    umx_world_free(world);
}

static void test_access_denies(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_ace(world, W_PLANS, 1, ALLOW, 2, 0x14, W_ADMINS, "(A;CI;LCRP;;;X)");
    w_ace(world, W_PLANS, 0, DENY, 0, 0x10, W_ADMINS, "(D;;RP;;;X)");
    access_is(world, W_PLANS, W_FAIL, "denied: the group may not read here only");
    W_EDIT(world)->access_entry[1]->trustee_sid = w_s("S-1-5-11"); /* Authenticated Users are everybody here */
    access_is(world, W_PLANS, W_FAIL, "denied: Authenticated Users may not read here only");
    W_EDIT(world)->access_entry[1]->trustee_sid = w_s("S-1-5-21-7-7-7-500");
    access_is(world, W_PLANS, W_PASS, "the group may list and read here and below");
    /* A deny that comes after what it would take away takes nothing (an inherited deny after an explicit allow). */
    W_EDIT(world)->access_entry[1]->trustee_sid = w_s(W_ADMINS);
    W_EDIT(world)->access_entry[1]->position = 2;
    W_EDIT(world)->access_entry[1]->flags = 2 | 16;
    access_is(world, W_PLANS, W_PASS, "the group may list and read here and below");
    /* A deny for what is below only. */
    W_EDIT(world)->access_entry[1]->position = 0;
    W_EDIT(world)->access_entry[1]->flags = 2 | 8;
    access_is(world, W_PLANS, W_FAIL, "denied: the group may not read below only");
    umx_world_free(world);
}

static void test_access_unreadable(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    W_EDIT(world)->container[1]->dacl_error = w_s("insufficient access rights");
    access_is(world, W_PLANS, W_UNKNOWN, "insufficient access rights");
    w_status(world, "exchucutil/dacl", W_PLANS, W_UNKNOWN);
    W_EDIT(world)->container[1]->dacl_error = NULL;
    w_status(world, "exchucutil/dacl", W_PLANS, W_PASS);
    W_EDIT(world)->container[1]->dacl_canonical = 0;
    w_status(world, "exchucutil/dacl", W_PLANS, W_FAIL);
    umx_world_free(world);
}

static void test_scope(void **state)
{
    struct umx_world *world = world_pair();
    static const char *const named[] = {"exchucutil.pools=Director.lync.test", NULL};
    struct w_run run;

    (void)state;
    w_pool(world, W_LY, "1:2", "director.lync.test", 0x60000, false, 0);
    w_pool(world, W_LY, "1:3", "backup.lync.test", 0x60000, false, 0);
    w_pool(world, W_LY, "1:4", "branch.lync.test", 0x60000, true, 0);
    w_pool(world, W_LY, "1:5", "ancient.lync.test", 0x20000, false, 5);
    /* Without an agent nobody knows which pool backs up pool1; a branch appliance never does. */
    w_status(world, "exchucutil/scope", "pool1", W_PASS);
    w_status(world, "exchucutil/scope", "director", W_UNKNOWN);
    w_status(world, "exchucutil/scope", "backup", W_UNKNOWN);
    w_status(world, "exchucutil/scope", "branch", W_NOT_APPLICABLE);
    w_status(world, "exchucutil/gateways", "director", W_NOT_APPLICABLE);
    w_member(world, "pool1.lync.test", "fe1.lync.test", "backup.lync.test");
    w_status(world, "exchucutil/scope", "backup", W_PASS);
    w_status(world, "exchucutil/scope", "director", W_NOT_APPLICABLE);
    w_status(world, "exchucutil/gateways", "backup", W_FAIL);
    w_expect(world, named, "exchucutil/gateways", "director", W_FAIL, &run);
    for (size_t i = 0; i < run.findings.count; i++)
        assert_null(strstr(run.findings.items[i]->target, "ancient"));
    w_end(&run);
    umx_world_free(world);
}

static void test_gateways(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_gateway(world, W_EX, "pbx1", "pbx1.exchange.test", true, -1);
    w_status(world, "exchucutil/gateways", "pool1", W_FAIL);
    w_gateway(world, W_EX, "1:1", "Pool1.Lync.Test", true, -1);
    w_status(world, "exchucutil/gateways", "pool1", W_PASS);
    w_status(world, "exchucutil/duplicate-peers", NULL, W_PASS);
    w_gateway(world, W_EX, "again", "pool1.lync.test", false, -1);
    const Umx__Finding *f = w_expect(world, NULL, "exchucutil/gateways", "pool1", W_FAIL, &run);
    assert_non_null(strstr(f->actual, "CN=1:1,"));
    assert_non_null(strstr(f->actual, "CN=again,"));
    w_end(&run);
    w_status(world, "exchucutil/duplicate-peers", "CN=again", W_FAIL);
    umx_world_free(world);
}

static void test_hunt_groups(void **state)
{
    struct umx_world *world = world_pair();
    static const char *const map[] = {"exchucutil.mode=safe-map", "exchucutil.hunt-map=pool1.lync.test:Berlin", NULL};
    struct w_run run;

    (void)state;
    finish(world);
    w_status(world, "exchucutil/hunt-groups", "CN=Berlin", W_PASS);
    W_EDIT(world)->hunt_group[0]->pilot_identifier = w_s("Bonn");
    w_status(world, "exchucutil/hunt-groups", "CN=Berlin", W_FAIL);
    W_EDIT(world)->hunt_group[0]->pilot_identifier = w_s("BERLIN");
    w_plan(world, W_EX, "Munich");
    w_status(world, "exchucutil/hunt-groups", "CN=Berlin", W_PASS);
    w_status(world, "exchucutil/hunt-groups", "Munich below", W_FAIL);
    /* With the map that was planned, nothing else is asked for. */
    w_check(&run, world, "exchucutil", map);
    assert_int_equal(w_finding(&run, "exchucutil/hunt-groups", NULL)->status, W_PASS);
    w_end(&run);
    while (umx_world_records(world)->n_dial_plan > 0)
        umx_world_remove(world, umx_reflect_table("dial_plan"), 0);
    w_status(world, "exchucutil/hunt-groups", W_EX, W_FAIL);
    umx_world_free(world);
}

static void test_pilots(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_status(world, "exchucutil/pilots", "CN=Berlin", W_PASS);
    w_plan(world, W_EX, "London.North");
    w_status(world, "exchucutil/pilots", "CN=London.North", W_WARN);
    w_plan(world, W_EX, "London.South");
    w_status(world, "exchucutil/pilots", "CN=London.North", W_FAIL);
    W_EDIT(world)->dial_plan[0]->phone_context = NULL;
    w_status(world, "exchucutil/pilots", "CN=Berlin", W_FAIL);
    umx_world_free(world);
}

static void test_outdial(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    finish(world);
    w_status(world, "exchucutil/outdial", "CN=Berlin", W_PASS);
    W_EDIT(world)->ip_gateway[0]->outcalls_allowed = 0;
    w_status(world, "exchucutil/outdial", "CN=Berlin", W_FAIL);
    W_EDIT(world)->ip_gateway[0]->has_outcalls_allowed = 0; /* Exchange's default is TRUE */
    w_status(world, "exchucutil/outdial", "CN=Berlin", W_PASS);
    w_pool(world, W_LY, "1:2", "pool2.lync.test", 0x60000, false, 300);
    w_gateway(world, W_EX, "1:2", "pool2.lync.test", true, -1);
    w_status(world, "exchucutil/outdial", "CN=Berlin", W_PASS); /* pool2 does not serve the plan */
    w_hunt_group(world, W_EX, "1:2", "Berlin", "CN=Berlin," W_PLANS, "Berlin");
    const Umx__Finding *f = w_expect(world, NULL, "exchucutil/outdial", "CN=Berlin", W_FAIL, &run);
    assert_string_equal(f->actual, "pool1.lync.test, pool2.lync.test");
    assert_non_null(strstr(f->remedy, "--set exchucutil.outdial=pool2.lync.test"));
    w_end(&run);
    /* A PBX dials as it likes; a branch must not. */
    W_EDIT(world)->ip_gateway[1]->outcalls_allowed = 0;
    w_gateway(world, W_EX, "pbx1", "pbx1.exchange.test", true, -1);
    w_hunt_group(world, W_EX, "pbx1", "Berlin", "CN=Berlin," W_PLANS, "4000");
    w_status(world, "exchucutil/outdial", "CN=Berlin", W_PASS);
    w_pool(world, W_LY, "1:3", "branch.lync.test", 0x60000, true, 4);
    w_gateway(world, W_EX, "1:3", "branch.lync.test", true, -2);
    w_status(world, "exchucutil/outdial", "CN=1:3", W_FAIL);
    W_EDIT(world)->ip_gateway[3]->outcalls_allowed = 0;
    w_status(world, "exchucutil/outdial", "CN=1:3", W_PASS);
    umx_world_free(world);
}

static void test_gateway_state(void **state)
{
    struct umx_world *world = world_pair();
    static const struct {
        int status, port;
        Umx__Finding__Status expected;
    } rows[] = {{0, 0, W_PASS}, {1, 0, W_FAIL}, {2, 0, W_FAIL}, {0, 5061, W_WARN}, {0, 5060, W_FAIL}};

    (void)state;
    w_status(world, "exchucutil/gateway-state", NULL, W_NOT_APPLICABLE);
    finish(world);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        W_EDIT(world)->ip_gateway[0]->status = rows[i].status;
        W_EDIT(world)->ip_gateway[0]->port = rows[i].port;
        w_status(world, "exchucutil/gateway-state", "CN=1:1", rows[i].expected);
    }
    umx_world_free(world);
}

static void test_message_waiting(void **state)
{
    struct umx_world *world = world_pair();
    static const struct {
        int version;
        bool branch;
        int flags2;
        Umx__Finding__Status expected;
    } rows[] = {{0x60000, false, -1, W_PASS}, {0x60000, false, -2, W_WARN}, {0x50000, false, 3, W_PASS},
                {0x40000, false, -1, W_WARN}, {0x40000, false, -2, W_PASS}, {0x60000, true, -1, W_WARN},
                {0x60000, true, 2, W_PASS}};

    (void)state;
    finish(world);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        W_EDIT(world)->lync_pool[0]->version = rows[i].version;
        W_EDIT(world)->lync_pool[0]->branch = rows[i].branch;
        W_EDIT(world)->ip_gateway[0]->flags2 = rows[i].flags2;
        w_status(world, "exchucutil/message-waiting", "CN=1:1", rows[i].expected);
    }
    umx_world_free(world);
}

static void test_restart(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    finish(world);
    const Umx__Finding *f = w_expect(world, NULL, "exchucutil/front-end-restart", "pool1", W_UNKNOWN, &run);
    assert_string_equal(f->actual, "no agent on a Front End of pool1.lync.test");
    w_end(&run);
    w_member(world, "pool1.lync.test", "fe1.lync.test", "");
    w_member(world, "pool1.lync.test", "fe2.lync.test", "");
    w_service(world, "fe1.lync.test", "RTCSRV", UMX__SERVICE__STATE__RUNNING, W_NOW - 30 * UMX_MINUTE);
    w_status(world, "exchucutil/front-end-restart", "fe1", W_PASS);
    w_status(world, "exchucutil/front-end-restart", "fe2", W_UNKNOWN);
    W_EDIT(world)->service[0]->started_at = W_NOW - 61 * UMX_MINUTE; /* the gateway was changed an hour ago */
    w_status(world, "exchucutil/front-end-restart", "fe1", W_FAIL);
    /* The Exchange domain controller's clock is two minutes ahead: in truth the write was earlier. */
    W_EDIT(world)->forest[1]->clock_offset = 2 * UMX_MINUTE;
    w_status(world, "exchucutil/front-end-restart", "fe1", W_PASS);
    W_EDIT(world)->service[0]->state = UMX__SERVICE__STATE__STOPPED;
    w_status(world, "exchucutil/front-end-restart", "fe1", W_FAIL);
    umx_world_free(world);
}

static void test_read(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_status(world, "exchucutil/read-test", NULL, W_UNKNOWN);
    w_proof(world, UMX__PROOF__KIND__DIRECTORY, W_LY, W_EX, UMX__PROOF__STATUS__PASS, "");
    Umx__Proof *proof = W_EDIT(world)->proof[umx_world_records(world)->n_proof - 1];
    proof->has_objects = 1;
    proof->objects = 1;
    w_status(world, "exchucutil/read-test", NULL, W_PASS);
    proof->objects = 0;
    w_status(world, "exchucutil/read-test", NULL, W_FAIL);
    proof->status = UMX__PROOF__STATUS__FAIL;
    w_status(world, "exchucutil/read-test", NULL, W_FAIL);
    proof->status = UMX__PROOF__STATUS__UNKNOWN;
    w_status(world, "exchucutil/read-test", NULL, W_UNKNOWN);
    /* A Director out of scope has not the rights, and need not. */
    proof->status = UMX__PROOF__STATUS__PASS;
    proof->objects = 1;
    w_pool(world, W_LY, "1:2", "director.lync.test", 0x60000, false, 0);
    w_member(world, "pool1.lync.test", "fe1.lync.test", "backup.lync.test");
    w_member(world, "director.lync.test", "dir1.lync.test", "");
    w_proof(world, UMX__PROOF__KIND__DIRECTORY, W_LY, W_EX, UMX__PROOF__STATUS__FAIL, "");
    proof = W_EDIT(world)->proof[umx_world_records(world)->n_proof - 1];
    proof->server = w_s("dir1.lync.test");
    w_status(world, "exchucutil/read-test", NULL, W_PASS);
    proof->server = w_s("fe1.lync.test");
    w_status(world, "exchucutil/read-test", NULL, W_FAIL);
    umx_world_free(world);
}

static void test_unreachable(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    finish(world);
    W_EDIT(world)->forest[1]->error = w_s("UMX-1203: the domain controller did not answer in time");
    w_check(&run, world, "exchucutil", NULL);
    const Umx__Finding *f = w_finding(&run, "exchucutil/gateways", NULL);
    assert_int_equal(f->status, W_UNKNOWN);
    assert_non_null(strstr(f->actual, "forest exchange.test could not be read: UMX-1203"));
    assert_int_equal(w_finding(&run, "exchucutil/scope", "pool1")->status, W_PASS);
    w_end(&run);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_all_done),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_access_flags),
        cmocka_unit_test(test_access_denies),
        cmocka_unit_test(test_access_unreadable),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_gateways),
        cmocka_unit_test(test_hunt_groups),
        cmocka_unit_test(test_pilots),
        cmocka_unit_test(test_outdial),
        cmocka_unit_test(test_gateway_state),
        cmocka_unit_test(test_message_waiting),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_unreachable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Phase 7: what each mode writes for each kind of pool, and that a plan in the world it predicts is empty. */
#include <stdlib.h>

#include "worlds.h"

static const char *const phase7[] = {"exchucutil", NULL};
static const char *const faithful[] = {"exchucutil.mode=faithful", NULL};

static const Umx__PlanStep *find_step(const struct w_run *run, Umx__Change__Kind kind, const char *target)
{
    for (size_t i = 0; i < run->steps.count; i++)
        if (run->steps.items[i]->kind == kind && strstr(run->steps.items[i]->target, target) != NULL)
            return run->steps.items[i];
    return NULL;
}

static size_t count_steps(const struct w_run *run, Umx__Change__Kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < run->steps.count; i++)
        count += run->steps.items[i]->kind == kind;
    return count;
}

static const char *value_of(Umx__AttributeValues *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i]->name, name) == 0)
            return list[i]->n_value > 0 ? list[i]->value[0] : "";
    return NULL;
}

static const char *added(const Umx__PlanStep *step, const char *name)
{
    return value_of(step->change->attribute, step->change->n_attribute, name);
}

static bool noted(const struct w_run *run, const char *text)
{
    for (size_t i = 0; i < run->steps.note_count; i++)
        if (strstr(run->steps.notes[i], text) != NULL)
            return true;
    return false;
}

static bool depends_on(const Umx__PlanStep *step, const char *id)
{
    for (size_t i = 0; i < step->n_depends; i++)
        if (strcmp(step->depends[i], id) == 0)
            return true;
    return false;
}

/* Plans; then plans again in the world that the steps predict, where nothing may be left to do. Also: ids count up, a
 * step depends on earlier ones only, and says who approves and how it is undone. */
static void plan_twice(struct w_run *run, struct umx_world *world, const char *const *options)
{
    struct w_run again;
    struct umx_error err = {0};
    struct umx_world *next = umx_world_copy(world);
    int rc = w_plan_phases(run, world, phase7, options);

    if (rc != 0)
        fail_msg("%s: %s", run->err.what, umx_error_why(&run->err));
    for (size_t i = 0; i < run->steps.count; i++) {
        const Umx__PlanStep *step = run->steps.items[i];
        char id[16];
        assert_string_equal(step->id, w_text(id, sizeof id, "s%zu", i + 1));
        assert_true(step->groups != NULL && step->groups[0] != '\0');
        assert_true(step->undo != NULL && step->summary != NULL && step->target != NULL);
        for (size_t d = 0; d < step->n_depends; d++)
            assert_true(strtol(step->depends[d] + 1, NULL, 10) <= (long)i);
        assert_int_equal(umx_phase_apply(next, step, &err), 0);
    }
    assert_int_equal(w_plan_phases(&again, next, phase7, options), 0);
    for (size_t i = 0; i < again.steps.count; i++)
        print_message("left over: %s\n", again.steps.items[i]->summary);
    assert_int_equal(again.steps.count, 0);
    w_end(&again);
    umx_world_free(next);
}

static void test_from_nothing(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ACCESS), 8);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 2);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__WAIT), 1);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__GATE), 1);
    assert_int_equal(run.steps.count, 12);

    const Umx__PlanStep *gateway = find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1," W_GATEWAYS);
    assert_non_null(gateway);
    assert_string_equal(gateway->target, "CN=1:1," W_GATEWAYS);
    assert_string_equal(gateway->groups, "organization_management and recipient_management");
    assert_string_equal(added(gateway, "msExchUMIPGatewayAddress"), "pool1.lync.test");
    assert_string_equal(added(gateway, "msExchUMIPGatewayPort"), "0");
    assert_string_equal(added(gateway, "msExchUMOutcallsAllowed"), "TRUE");
    assert_string_equal(added(gateway, "msExchUMIPGatewayStatus"), "0");
    assert_string_equal(added(gateway, "msExchUMIPGatewayFlags"), "0");
    assert_string_equal(added(gateway, "msExchUMIPGatewayFlags2"), "-1");
    assert_string_equal(added(gateway, "systemFlags"), "1073741824");
    assert_string_equal(added(gateway, "cn"), "1:1");
    assert_string_equal(gateway->change->attribute[0]->value[1], "msExchUMIPGateway");
    assert_false(gateway->before->exists);
    assert_true(gateway->after->exists);
    assert_int_equal(gateway->after->n_attribute, gateway->change->n_attribute);

    const Umx__PlanStep *group = find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Berlin,CN=1:1," W_GATEWAYS);
    assert_non_null(group);
    assert_string_equal(added(group, "msExchUMHuntGroupDialPlanLink"), "CN=Berlin," W_PLANS);
    assert_string_equal(added(group, "msExchUMPilotIdentifier"), "Berlin");
    assert_true(depends_on(group, gateway->id));

    const Umx__PlanStep *wait = find_step(&run, UMX__CHANGE__KIND__WAIT, W_EX);
    assert_string_equal(wait->change->wait->what, "replication");
    assert_int_equal(wait->n_depends, 10);
    const Umx__PlanStep *restart = find_step(&run, UMX__CHANGE__KIND__GATE, "pool1.lync.test");
    assert_string_equal(restart->forest, W_LY);
    assert_string_equal(restart->groups, "rtc_server_admins");
    assert_string_equal(restart->change->gate->command[0], "(Get-CsPool -Identity pool1.lync.test).Computers");
    assert_true(restart->irreversible);
    assert_true(depends_on(restart, wait->id));
    assert_int_equal(restart->n_depends, 1);
    w_end(&run);
    umx_world_free(world);
}

static void test_access_steps(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;
    struct umx_error err = {0};

    (void)state;
    w_ace(world, W_PLANS, 0, 1, 2, 0x10, "S-1-5-21-7-7-7-500", "(D;CI;RP;;;other)");
    w_ace(world, W_PLANS, 1, 0, 0, 0x14, W_ADMINS, "(A;;LCRP;;;" W_ADMINS ")");
    w_ace(world, W_PLANS, 2, 0, 2 | 16, 0x20094, "S-1-5-11", "(A;CIID;GR;;;AU)");
    plan_twice(&run, world, NULL);
    const Umx__PlanStep *step = find_step(&run, UMX__CHANGE__KIND__ACCESS, W_PLANS);
    assert_non_null(step);
    assert_string_equal(step->target, W_PLANS);
    assert_string_equal(step->change->access->sddl, "(A;CI;LCRP;;;" W_ADMINS ")");
    assert_string_equal(step->change->access->trustee_name, "LYNC\\RTCUniversalServerAdmins");
    assert_int_equal(step->change->access->flags, 2);
    assert_int_equal(step->change->access->mask, 0x14);
    assert_int_equal(step->change->access->type, 0);
    assert_true(step->change->access->add);
    assert_int_equal(step->before->n_access, 1);
    assert_string_equal(step->before->access[0], "(A;;LCRP;;;" W_ADMINS ")");
    assert_int_equal(step->after->n_access, 2);
    assert_string_equal(step->after->access[1], "(A;CI;LCRP;;;" W_ADMINS ")");
    const Umx__PlanStep *org = run.steps.items[0];
    assert_string_equal(org->target, W_ORG);
    assert_string_equal(org->change->access->sddl, "(A;;LC;;;" W_ADMINS ")");
    assert_int_equal(org->change->access->flags, 0);
    /* The prediction puts the entry after explicit ones and before inherited ones; taking it away again leaves the
     * rest. */
    assert_int_equal(umx_phase_apply(world, step, &err), 0);
    const Umx__World *records = umx_world_records(world);
    assert_int_equal(records->n_access_entry, 4);
    assert_int_equal(records->access_entry[3]->position, 2);
    assert_int_equal(records->access_entry[2]->position, 3);
    step->change->access->add = 0;
    assert_int_equal(umx_phase_apply(world, step, &err), 0);
    assert_int_equal(umx_world_records(world)->n_access_entry, 3);
    w_end(&run);
    umx_world_free(world);
}

static void test_denied_access_is_noted(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_ace(world, W_PLANS, 0, 1, 2, 0x10, W_ADMINS, "(D;CI;RP;;;" W_ADMINS ")");
    plan_twice(&run, world, NULL);
    assert_true(noted(&run, "RTCUniversalServerAdmins stays denied (the group may not read here and below)"));
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ACCESS), 8);
    w_end(&run);
    umx_world_free(world);
}

/* What the flags of a new gateway are, for kinds of pools and modes. */
static void test_pool_kinds(void **state)
{
    static const struct {
        int version;
        bool branch;
        const char *mode;
        const char *outcalls, *flags2;
    } rows[] = {
        {0x60000, false, "safe-mesh", "TRUE", "-1"}, {0x50000, false, "safe-mesh", "TRUE", "-1"},
        {0x40000, false, "safe-mesh", "TRUE", "-2"}, {0x60000, true, "safe-mesh", "FALSE", "-2"},
        {0x60000, false, "faithful", "TRUE", "-1"},  {0x40000, false, "faithful", "TRUE", "-2"},
        {0x60000, true, "faithful", "FALSE", "-2"},  {0x30000, true, "faithful", "FALSE", "-2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = world_pair();
        struct w_run run;
        char mode[64];
        const char *options[] = {w_text(mode, sizeof mode, "exchucutil.mode=%s", rows[i].mode), NULL};
        W_EDIT(world)->lync_pool[0]->version = rows[i].version;
        W_EDIT(world)->lync_pool[0]->branch = rows[i].branch;
        plan_twice(&run, world, options);
        const Umx__PlanStep *step = find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1," W_GATEWAYS);
        assert_non_null(step);
        assert_string_equal(added(step, "msExchUMOutcallsAllowed"), rows[i].outcalls);
        assert_string_equal(added(step, "msExchUMIPGatewayFlags2"), rows[i].flags2);
        w_end(&run);
        umx_world_free(world);
    }
}

static struct umx_world *three_pools(void)
{
    struct umx_world *world = world_pair();

    w_pool(world, W_LY, "1:2", "pool2.lync.test", 0x60000, false, 300);
    w_pool(world, W_LY, "1:3", "branch.lync.test", 0x60000, true, 10);
    w_pool(world, W_LY, "1:4", "director.lync.test", 0x60000, false, 0);
    w_member(world, "pool1.lync.test", "fe1.lync.test", "");
    w_member(world, "pool2.lync.test", "fe2.lync.test", "");
    w_member(world, "branch.lync.test", "sba.lync.test", "");
    w_plan(world, W_EX, "Munich");
    return world;
}

static void test_mesh(void **state)
{
    struct umx_world *world = three_pools();
    struct w_run run;

    (void)state;
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 3 + 6);
    assert_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:4,"));
    assert_true(noted(&run, "pool director.lync.test is left out: it homes no Enterprise Voice users"));
    /* One may dial out: the one with the most users. */
    assert_string_equal(added(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1," W_GATEWAYS), "msExchUMOutcallsAllowed"),
                        "FALSE");
    assert_string_equal(added(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:2," W_GATEWAYS), "msExchUMOutcallsAllowed"),
                        "TRUE");
    assert_true(noted(&run, "may dial out through pool2.lync.test"));
    /* The result passes V7.2, V7.3 and V7.4. */
    struct umx_error err = {0};
    for (size_t i = 0; i < run.steps.count; i++)
        assert_int_equal(umx_phase_apply(world, run.steps.items[i], &err), 0);
    w_end(&run);
    w_check(&run, world, "exchucutil", NULL);
    for (size_t i = 0; i < run.findings.count; i++) {
        const Umx__Finding *f = run.findings.items[i];
        if (f->status == W_FAIL)
            fail_msg("%s %s: %s", f->id, f->target, f->actual);
    }
    w_end(&run);
    umx_world_free(world);
}

static void test_named_pools(void **state)
{
    struct umx_world *world = three_pools();
    static const char *const options[] = {"exchucutil.pools=director.lync.test", NULL};
    static const char *const nobody[] = {"exchucutil.pools=nobody.lync.test", NULL};
    struct w_run run;

    (void)state;
    plan_twice(&run, world, options);
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:4," W_GATEWAYS));
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, phase7, nobody), UMX_E_ARGUMENT);
    assert_int_equal(run.err.id, UMX_ERR_OPTION_INVALID);
    w_end(&run);
    umx_world_free(world);
}

static void test_outdial_option(void **state)
{
    struct umx_world *world = three_pools();
    static const char *const one[] = {"exchucutil.outdial=pool1.lync.test", NULL};
    static const char *const branch[] = {"exchucutil.outdial=branch.lync.test", NULL};
    static const char *const outside[] = {"exchucutil.outdial=director.lync.test", NULL};
    struct w_run run;

    (void)state;
    w_gateway(world, W_EX, "1:2", "pool2.lync.test", true, -2);
    w_gateway(world, W_EX, "dir", "director.lync.test", true, -1);
    w_gateway(world, W_EX, "pbx1", "pbx1.exchange.test", true, -1);
    plan_twice(&run, world, one);
    assert_string_equal(added(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1," W_GATEWAYS), "msExchUMOutcallsAllowed"),
                        "TRUE");
    /* Both other Lync gateways are corrected, the PBX is not, and nothing but the flag is. */
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__MODIFY), 2);
    const Umx__PlanStep *step = find_step(&run, UMX__CHANGE__KIND__MODIFY, "CN=1:2," W_GATEWAYS);
    assert_int_equal(step->change->n_modify, 1);
    assert_string_equal(step->change->modify[0]->name, "msExchUMOutcallsAllowed");
    assert_string_equal(step->change->modify[0]->remove[0], "TRUE");
    assert_string_equal(step->change->modify[0]->add[0], "FALSE");
    assert_string_equal(value_of(step->before->attribute, step->before->n_attribute, "msExchUMOutcallsAllowed"),
                        "TRUE");
    assert_string_equal(value_of(step->after->attribute, step->after->n_attribute, "msExchUMOutcallsAllowed"), "FALSE");
    assert_true(noted(&run, "CN=pbx1," W_GATEWAYS " is left alone"));
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, phase7, branch), UMX_E_ARGUMENT);
    assert_non_null(strstr(run.err.why, "branch"));
    w_end(&run);
    /* Without the option flags of existing gateways stay as they are, and new ones do not dial out beside them. */
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__MODIFY), 0);
    assert_string_equal(added(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1," W_GATEWAYS), "msExchUMOutcallsAllowed"),
                        "FALSE");
    w_end(&run);
    umx_world_free(world);
    world = three_pools();
    assert_int_equal(w_plan_phases(&run, world, phase7, outside), UMX_E_ARGUMENT);
    assert_non_null(strstr(run.err.why, "not in scope"));
    w_end(&run);
    umx_world_free(world);
}

static void test_map(void **state)
{
    struct umx_world *world = three_pools();
    static const char *const options[] = {
        "exchucutil.mode=safe-map",
        "exchucutil.hunt-map=pool1.lync.test:Berlin,POOL2.lync.test:munich,branch.lync.test:Berlin,branch.lync.test:"
        "Munich.exchange.test",
        NULL};
    static const char *const short_map[] = {"exchucutil.mode=safe-map", "exchucutil.hunt-map=pool1.lync.test:Berlin",
                                            NULL};
    static const char *const wrong_plan[] = {"exchucutil.mode=safe-map", "exchucutil.hunt-map=pool1.lync.test:Rome",
                                             NULL};
    static const char *const no_map[] = {"exchucutil.mode=safe-map", NULL};
    static const char *const no_mode[] = {"exchucutil.hunt-map=pool1.lync.test:Berlin", NULL};
    struct w_run run;

    (void)state;
    plan_twice(&run, world, options);
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Berlin,CN=1:1,"));
    assert_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Munich,CN=1:1,"));
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Munich,CN=1:2,"));
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Berlin,CN=1:3,"));
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Munich,CN=1:3,"));
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 3 + 4);
    /* One that may dial out for each plan. */
    assert_string_equal(added(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1," W_GATEWAYS), "msExchUMOutcallsAllowed"),
                        "TRUE");
    assert_string_equal(added(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:2," W_GATEWAYS), "msExchUMOutcallsAllowed"),
                        "TRUE");
    assert_string_equal(added(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:3," W_GATEWAYS), "msExchUMOutcallsAllowed"),
                        "FALSE");
    /* Seen without the options: what a map leaves out is a warning, what nobody serves is a failure. */
    struct umx_world *mapped = umx_world_copy(world);
    struct umx_error err = {0};
    for (size_t i = 0; i < run.steps.count; i++)
        assert_int_equal(umx_phase_apply(mapped, run.steps.items[i], &err), 0);
    w_status(mapped, "exchucutil/hunt-groups", "Munich below CN=1:1,", W_WARN);
    struct w_run strict;
    static const char *const mesh[] = {"exchucutil.mode=safe-mesh", NULL};
    w_end((w_expect(mapped, mesh, "exchucutil/hunt-groups", "Munich below CN=1:1,", W_FAIL, &strict), &strict));
    w_end((w_expect(mapped, options, "exchucutil/hunt-groups", "CN=Berlin,CN=1:1,", W_PASS, &strict), &strict));
    w_plan(mapped, W_EX, "Rome");
    w_status(mapped, "exchucutil/hunt-groups", "Rome below CN=1:1,", W_FAIL);
    umx_world_free(mapped);
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, phase7, short_map), UMX_E_ARGUMENT);
    assert_non_null(strstr(run.err.why, "pool2.lync.test is in scope"));
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, phase7, wrong_plan), UMX_E_ARGUMENT);
    assert_non_null(strstr(run.err.why, "no forest has a SIP dial plan Rome"));
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, phase7, no_map), UMX_E_ARGUMENT);
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, phase7, no_mode), UMX_E_ARGUMENT);
    w_end(&run);
    umx_world_free(world);
}

/* A Lync gateway with a foreign hunt group, one of the script's, and one with a wrong pilot; flags set by hand. */
static struct umx_world *used_world(void)
{
    struct umx_world *world = three_pools();

    w_gateway(world, W_EX, "1:1", "pool1.lync.test", false, -2);
    w_hunt_group(world, W_EX, "1:1", "Berlin", "CN=Berlin," W_PLANS, "Berlin");
    w_hunt_group(world, W_EX, "1:1", "Reception", "CN=Legacy," W_PLANS, "4711");
    w_hunt_group(world, W_EX, "1:1", "Munich", "CN=Munich," W_PLANS, "Muenchen");
    w_gateway(world, W_EX, "pbx1", "pbx1.exchange.test", true, -1);
    w_hunt_group(world, W_EX, "pbx1", "Legacy", "CN=Legacy," W_PLANS, "4000");
    return world;
}

static void test_safe_modes_delete_nothing(void **state)
{
    struct umx_world *world = used_world();
    struct w_run run;

    (void)state;
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__DELETE), 0);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__MODIFY), 0);
    /* Beside the one with a wrong pilot identifier, under another name, comes the right one. */
    const Umx__PlanStep *beside = find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Munich-2,CN=1:1,");
    assert_non_null(beside);
    assert_string_equal(value_of(beside->after->attribute, beside->after->n_attribute, "msExchUMPilotIdentifier"),
                        "Munich");
    assert_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Berlin,CN=1:1,"));
    assert_true(noted(&run, "has the pilot identifier Muenchen instead of Munich"));
    w_end(&run);
    umx_world_free(world);
}

static void test_faithful(void **state)
{
    struct umx_world *world = used_world();
    struct w_run run;

    (void)state;
    plan_twice(&run, world, faithful);
    /* Every pool, the director too. */
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:4," W_GATEWAYS));
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__DELETE), 2);
    const Umx__PlanStep *gone = find_step(&run, UMX__CHANGE__KIND__DELETE, "CN=Reception,CN=1:1,");
    assert_non_null(gone);
    assert_true(gone->before->exists);
    assert_false(gone->after->exists);
    assert_string_equal(value_of(gone->before->attribute, gone->before->n_attribute, "msExchUMPilotIdentifier"),
                        "4711");
    const Umx__PlanStep *wrong = find_step(&run, UMX__CHANGE__KIND__DELETE, "CN=Munich,CN=1:1,");
    const Umx__PlanStep *right = find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Munich,CN=1:1,");
    assert_non_null(wrong);
    assert_non_null(right);
    assert_true(depends_on(right, wrong->id));                                 /* the same name: room first */
    assert_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Berlin,CN=1:1,")); /* it matches: it stays */
    /* Flags are rewritten in one request; the PBX and its hunt group stay. */
    const Umx__PlanStep *flags = find_step(&run, UMX__CHANGE__KIND__MODIFY, "CN=1:1," W_GATEWAYS);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__MODIFY), 1);
    assert_int_equal(flags->change->n_modify, 2);
    assert_string_equal(flags->change->modify[0]->add[0], "TRUE");
    assert_string_equal(flags->change->modify[1]->name, "msExchUMIPGatewayFlags2");
    assert_string_equal(flags->change->modify[1]->remove[0], "-2");
    assert_string_equal(flags->change->modify[1]->add[0], "-1");
    assert_null(find_step(&run, UMX__CHANGE__KIND__DELETE, "pbx1"));
    assert_true(noted(&run, "V7.4"));
    w_end(&run);
    umx_world_free(world);
}

static void test_faithful_refuses_outdial(void **state)
{
    struct umx_world *world = world_pair();
    static const char *const options[] = {"exchucutil.mode=faithful", "exchucutil.outdial=pool1.lync.test", NULL};
    struct w_run run;

    (void)state;
    assert_int_equal(w_plan_phases(&run, world, phase7, options), UMX_E_ARGUMENT);
    assert_int_equal(run.err.id, UMX_ERR_OPTION_INVALID);
    w_end(&run);
    umx_world_free(world);
}

static void test_absent_attributes_have_their_defaults(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_gateway(world, W_EX, "1:1", "pool1.lync.test", false, 0);
    W_EDIT(world)->ip_gateway[0]->has_outcalls_allowed = 0;
    W_EDIT(world)->ip_gateway[0]->has_flags2 = 0;
    plan_twice(&run, world, faithful);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__MODIFY), 0); /* TRUE and all bits, as Exchange reads them */
    w_end(&run);
    W_EDIT(world)->lync_pool[0]->branch = 1;
    plan_twice(&run, world, faithful);
    const Umx__PlanStep *step = find_step(&run, UMX__CHANGE__KIND__MODIFY, "CN=1:1,");
    assert_int_equal(step->change->modify[0]->n_remove, 0);
    assert_string_equal(step->change->modify[0]->add[0], "FALSE");
    assert_string_equal(step->change->modify[1]->add[0], "-2");
    w_end(&run);
    umx_world_free(world);
}

static void test_names(void **state)
{
    struct umx_world *world = world_empty();
    struct w_run run;

    (void)state;
    world_lync(world);
    world_exchange(world, W_EX, "DC=exchange,DC=test", W_SID_EX, "EXCHANGE");
    w_pool(world, W_LY, "1:1", "pool1.lync.test", 0x60000, false, 120);
    w_plan_named(world, W_EX,
                 "M\xC3\xBCnchen, S\xC3\xBC"
                 "d",
                 "M\xC3\xBCnchen, S\xC3\xBC"
                 "d.exchange.test");
    w_plan_named(world, W_EX, "Dial.Plan", "Dial.Plan.exchange.test");
    plan_twice(&run, world, NULL);
    const Umx__PlanStep *umlaut = find_step(&run, UMX__CHANGE__KIND__ADD,
                                            "CN=M\xC3\xBCnchen\\, S\xC3\xBC"
                                            "d,CN=1:1,");
    assert_non_null(umlaut);
    assert_string_equal(added(umlaut, "cn"), "M\xC3\xBCnchen, S\xC3\xBC"
                                             "d");
    assert_string_equal(added(umlaut, "msExchUMPilotIdentifier"), "M\xC3\xBCnchen, S\xC3\xBC"
                                                                  "d");
    const Umx__PlanStep *dot = find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Dial.Plan,CN=1:1,");
    assert_string_equal(added(dot, "msExchUMPilotIdentifier"), "Dial");
    assert_true(noted(&run, "has the pilot identifier Dial"));
    w_end(&run);
    /* In a map the comma is escaped. */
    static const char *const map[] = {"exchucutil.mode=safe-map",
                                      "exchucutil.hunt-map=pool1.lync.test:M\xC3\xBCnchen\\, S\xC3\xBC"
                                      "d,pool1.lync.test:Dial.Plan",
                                      NULL};
    plan_twice(&run, world, map);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 3);
    w_end(&run);
    /* Two plans with one first label cannot share a gateway. */
    w_plan_named(world, W_EX, "Dial.Other", "Dial.Other.exchange.test");
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), UMX_E_CONFLICT);
    assert_int_equal(run.err.id, UMX_ERR_PLAN_BLOCKED);
    assert_non_null(strstr(run.err.why, "the same pilot identifier Dial"));
    w_end(&run);
    umx_world_free(world);
}

static void test_taken_names(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_gateway(world, W_EX, "1:1", "pbx1.exchange.test", true, -1);
    plan_twice(&run, world, NULL);
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1-2," W_GATEWAYS));
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Berlin,CN=1:1-2,"));
    w_end(&run);
    /* A foreign hunt group with the plan's name. */
    w_gateway(world, W_EX, "lync", "pool1.lync.test", true, -1);
    w_hunt_group(world, W_EX, "lync", "Berlin", "CN=Legacy," W_PLANS, "4711");
    plan_twice(&run, world, NULL);
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Berlin-2,CN=lync,"));
    w_end(&run);
    /* A foreign hunt group with the plan's pilot identifier. */
    W_EDIT(world)->hunt_group[0]->pilot_identifier = w_s("berlin");
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 0);
    assert_true(noted(&run, "has the pilot identifier Berlin of dial plan Berlin"));
    w_end(&run);
    umx_world_free(world);
}

static void test_refusals(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;
    char *incomplete[] = {w_s("hunt_group: size limit exceeded")};

    (void)state;
    w_gateway(world, W_EX, "a", "pool1.lync.test", true, -1);
    w_gateway(world, W_EX, "b", "POOL1.lync.test", true, -1);
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), UMX_E_CONFLICT);
    assert_int_equal(run.err.id, UMX_ERR_PLAN_BLOCKED);
    assert_non_null(strstr(run.err.why, "CN=a,"));
    w_end(&run);
    umx_world_free(world);

    world = world_pair();
    W_EDIT(world)->container[1]->dacl_canonical = 0;
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), UMX_E_CONFLICT);
    assert_int_equal(run.err.id, UMX_ERR_DACL_NOT_CANONICAL);
    assert_string_equal(run.err.what, W_PLANS);
    w_end(&run);
    W_EDIT(world)->container[1]->dacl_canonical = 1;
    W_EDIT(world)->container[1]->dacl_error = w_s("insufficient access rights");
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), UMX_E_PARTIAL);
    w_end(&run);
    W_EDIT(world)->container[1]->dacl_error = NULL;
    W_EDIT(world)->forest[1]->n_incomplete = 1;
    W_EDIT(world)->forest[1]->incomplete = incomplete;
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), UMX_E_PARTIAL);
    assert_int_equal(run.err.id, UMX_ERR_PLAN_WORLD_INCOMPLETE);
    w_end(&run);
    W_EDIT(world)->forest[1]->n_incomplete = 0;
    umx_world_remove(world, umx_reflect_table("admin_group"), 1);
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), UMX_E_CONFLICT);
    assert_non_null(strstr(run.err.why, "RTCComponentUniversalServices"));
    w_end(&run);
    umx_world_free(world);

    world = world_pair();
    umx_world_remove(world, umx_reflect_table("lync_pool"), 0);
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), UMX_E_CONFLICT);
    w_end(&run);
    umx_world_free(world);
}

static void test_no_plans_and_no_trust(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    umx_world_remove(world, umx_reflect_table("dial_plan"), 0);
    w_remove_trusts(world, W_EX);
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 1);
    assert_true(noted(&run, "has no SIP URI dial plan"));
    assert_true(noted(&run, "exchange.test does not trust lync.test"));
    w_end(&run);
    umx_world_free(world);
}

static const Umx__PlanStep *find_wait(const struct w_run *run, const char *what, const char *target)
{
    for (size_t i = 0; i < run->steps.count; i++) {
        const Umx__PlanStep *step = run->steps.items[i];
        if (step->change->wait != NULL && strcmp(step->change->wait->what, what) == 0 &&
            strstr(step->target, target) != NULL)
            return step;
    }
    return NULL;
}

/* Front Ends of a pool roll: ready, restart, back and listening, then the next. */
static void test_restarts_by_agents(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_member(world, "pool1.lync.test", "fe1.lync.test", "");
    w_member(world, "pool1.lync.test", "fe2.lync.test", "");
    w_member(world, "pool1.lync.test", "fe3.lync.test", "");
    W_EDIT(world)->lync_pool_member[0]->has_ready = 1;                 /* the pool is not whole just now */
    Umx__Server told = UMX__SERVER__INIT; /* fe2's own agent has no shell, whatever was known of its topology */
    told.server = w_s("fe2.lync.test");
    told.has_shell = 1;
    w_add(world, &told.base);
    w_agent(world, W_LY, "fe1.lync.test", "connected");
    w_agent(world, W_LY, "fe2.lync.test", "connected");
    w_agent(world, W_LY, "fe3.lync.test", "silent");
    for (int i = 1; i <= 3; i++) {
        char name[32];
        w_service(world, w_text(name, sizeof name, "fe%d.lync.test", i), "RTCSRV", UMX__SERVICE__STATE__RUNNING, 0);
    }
    plan_twice(&run, world, NULL);
    const Umx__PlanStep *ready = find_wait(&run, "ready", "fe1");
    const Umx__PlanStep *first = find_step(&run, UMX__CHANGE__KIND__ACTION, "fe1");
    const Umx__PlanStep *back = find_wait(&run, "service", "fe1");
    const Umx__PlanStep *second = find_step(&run, UMX__CHANGE__KIND__ACTION, "fe2");
    const Umx__PlanStep *second_back = find_wait(&run, "service", "fe2");
    const Umx__PlanStep *third = find_step(&run, UMX__CHANGE__KIND__GATE, "fe3");
    assert_non_null(ready);
    assert_true(ready->predicted->lync_pool_member[0]->ready);
    assert_null(ready->original); /* what it was at planning decides nothing */
    assert_string_equal(first->change->action->action, "restart-front-end");
    assert_string_equal(first->change->action->identity, "shell");
    assert_string_equal(first->change->action->item[0], "{\"service\":\"RTCSRV\"}");
    assert_string_equal(first->change->action->server, "fe1.lync.test");
    assert_int_equal(back->predicted->service[0]->state, UMX__SERVICE__STATE__RUNNING);
    assert_int_equal(back->predicted->listener[0]->port, 5061);
    assert_string_equal(second->change->action->action, "restart-service");
    assert_string_equal(second->change->action->item[0], "RTCSRV");
    /* One at a time, after replication. */
    assert_true(depends_on(ready, find_wait(&run, "replication", W_EX)->id));
    assert_true(depends_on(first, ready->id));
    assert_true(depends_on(back, first->id));
    assert_true(depends_on(second, back->id));
    assert_null(find_wait(&run, "ready", "fe2")); /* nobody says so of fe2 */
    assert_true(depends_on(third, second_back->id));
    assert_true(first->irreversible && third->irreversible);
    struct umx_error err = {0};
    assert_int_equal(umx_phase_apply(world, first, &err), 0);
    assert_true(umx_world_records(world)->service[0]->started_at == W_NOW);
    w_end(&run);
    umx_world_free(world);
}

/* A plan that stopped before its restarts: the next one has them alone, where an agent can do it. */
static void test_forgotten_restart(void **state)
{
    struct umx_world *world = world_pair();
    struct umx_error err = {0};
    struct w_run run;

    (void)state;
    w_member(world, "pool1.lync.test", "fe1.lync.test", "");
    w_agent(world, W_LY, "fe1.lync.test", "connected");
    w_service(world, "fe1.lync.test", "RTCSRV", UMX__SERVICE__STATE__RUNNING, 0);
    assert_int_equal(w_plan_phases(&run, world, phase7, NULL), 0);
    for (size_t i = 0; i < run.steps.count; i++)
        if (run.steps.items[i]->change->action == NULL)
            assert_int_equal(umx_phase_apply(world, run.steps.items[i], &err), 0);
    w_end(&run);
    w_status(world, "exchucutil/front-end-restart", "fe1", W_FAIL);
    plan_twice(&run, world, NULL);
    assert_int_equal(run.steps.count, 2);
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ACTION, "fe1"));
    assert_int_equal(umx_phase_apply(world, run.steps.items[0], &err), 0);
    w_end(&run);
    w_status(world, "exchucutil/front-end-restart", "fe1", W_PASS);
    W_EDIT(world)->service[0]->state = UMX__SERVICE__STATE__STOPPED;
    w_status(world, "exchucutil/front-end-restart", "fe1", W_FAIL);
    W_EDIT(world)->service[0]->has_collected_at = 1;
    w_status(world, "exchucutil/front-end-restart", "fe1", W_UNKNOWN);
    umx_world_free(world);
}

static void test_several_exchange_forests(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    world_exchange(world, "other.test", "DC=other,DC=test", "S-1-5-21-3-3-3", "OTHER");
    W_EDIT(world)->exchange_server[2]->version_major = 8;
    W_EDIT(world)->exchange_server[3]->version_major = 8;
    w_plan(world, "other.test", "Rome");
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ACCESS), 16);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 4);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__WAIT), 2);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__GATE), 1); /* one restart for both */
    const Umx__PlanStep *restart = run.steps.items[run.steps.count - 1];
    assert_int_equal(restart->kind, UMX__CHANGE__KIND__GATE);
    assert_int_equal(restart->n_depends, 2);
    const Umx__PlanStep *rome = find_step(&run, UMX__CHANGE__KIND__ADD, "CN=Rome,CN=1:1,");
    assert_string_equal(rome->forest, "other.test");
    assert_string_equal(rome->groups, "organization_administrators and recipient_administrators"); /* Exchange 2007 */
    assert_null(find_step(&run, UMX__CHANGE__KIND__ADD,
                          "CN=Berlin,CN=1:1,CN=UM IPGateway Container,CN=Contoso,CN=Microsoft "
                          "Exchange,CN=Services,CN=Configuration,DC=other"));
    w_end(&run);
    /* Two Lync forests: pools of one name get two gateways. */
    w_forest(world, "second.test", UMX__FOREST__SIDE__LYNC, "DC=second,DC=test", "S-1-5-21-4-4-4", "SECOND");
    w_group(world, "second.test", "rtc_server_admins", "RTCUniversalServerAdmins", "S-1-5-21-4-4-4-1105");
    w_group(world, "second.test", "rtc_component_services", "RTCComponentUniversalServices", "S-1-5-21-4-4-4-1106");
    w_pool(world, "second.test", "1:1", "pool1.second.test", 0x60000, false, 7);
    plan_twice(&run, world, NULL);
    assert_non_null(find_step(&run, UMX__CHANGE__KIND__ADD, "CN=1:1-2," W_GATEWAYS));
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__GATE), 2);
    w_end(&run);
    umx_world_free(world);
}

static void test_one_forest(void **state)
{
    struct umx_world *world = world_empty();
    struct w_run run;

    (void)state;
    w_forest(world, W_EX, UMX__FOREST__SIDE__BOTH, "DC=exchange,DC=test", W_SID_EX, "EXCHANGE");
    w_containers(world, W_EX);
    w_group(world, W_EX, "rtc_server_admins", "RTCUniversalServerAdmins", W_SID_EX "-1105");
    w_group(world, W_EX, "rtc_component_services", "RTCComponentUniversalServices", W_SID_EX "-1106");
    w_pool(world, W_EX, "1:1", "pool1.exchange.test", 0x60000, false, 3);
    w_plan(world, W_EX, "Berlin");
    plan_twice(&run, world, NULL);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ACCESS), 8);
    assert_int_equal(count_steps(&run, UMX__CHANGE__KIND__ADD), 2);
    assert_false(noted(&run, "does not trust"));
    w_end(&run);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_nothing),
        cmocka_unit_test(test_access_steps),
        cmocka_unit_test(test_denied_access_is_noted),
        cmocka_unit_test(test_pool_kinds),
        cmocka_unit_test(test_mesh),
        cmocka_unit_test(test_named_pools),
        cmocka_unit_test(test_outdial_option),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_safe_modes_delete_nothing),
        cmocka_unit_test(test_faithful),
        cmocka_unit_test(test_faithful_refuses_outdial),
        cmocka_unit_test(test_absent_attributes_have_their_defaults),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_taken_names),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_plans_and_no_trust),
        cmocka_unit_test(test_restarts_by_agents),
        cmocka_unit_test(test_forgotten_restart),
        cmocka_unit_test(test_several_exchange_forests),
        cmocka_unit_test(test_one_forest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "worlds.h"

/* Phase 9 on hand-made worlds: one plan "Berlin" with two access numbers and one auto attendant. */

#define UNIT "OU=RTC Special Accounts,DC=lync,DC=test"
#define CONTEXT "Berlin.exchange.test"
#define PLAN_DN "CN=Berlin," W_PLANS
#define SA_PHONE "sip:sa@lync.test;opaque=app:exum:" CONTEXT

static char *numbers[2];
static char *attendant_numbers[1];
static char *domains[1];

static void w_unit(struct umx_world *world, const char *dn, const char *name)
{
    Umx__OrganizationalUnit u = UMX__ORGANIZATIONAL_UNIT__INIT;

    u.forest = w_s(W_LY);
    u.dn = w_s(dn);
    u.name = w_s(name);
    w_add(world, &u.base);
}

static void w_unit_entry(struct umx_world *world, int type, int mask, const char *object, const char *below)
{
    Umx__AccessEntry a = UMX__ACCESS_ENTRY__INIT;

    a.forest = w_s(W_LY);
    a.target_dn = w_s(UNIT);
    a.has_type = a.has_mask = a.has_flags = 1;
    a.type = type;
    a.mask = mask;
    a.trustee_sid = w_s(W_SID_LY "-1107");
    a.object_type = w_s(object);
    a.inherited_object_type = w_s(below);
    a.sddl = w_s("(...)");
    w_add(world, &a.base);
}

static void w_attendant(struct umx_world *world, const char *name, bool enabled)
{
    Umx__AutoAttendant a = UMX__AUTO_ATTENDANT__INIT;

    attendant_numbers[0] = w_s("+4930123900");
    a.forest = w_s(W_EX);
    a.name = w_s(name);
    a.dn = w_s("CN=aa,CN=UM AutoAttendant Container," W_ORG);
    a.dial_plan_dn = w_s(PLAN_DN);
    a.number = attendant_numbers;
    a.n_number = 1;
    a.has_enabled = 1;
    a.enabled = enabled;
    w_add(world, &a.base);
}

static void w_contact(struct umx_world *world, const char *cn, const char *sip, const char *line, const char *phone)
{
    Umx__Contact c = UMX__CONTACT__INIT;
    char dn[200];
    char *proxies[] = {w_s(sip)};

    c.forest = w_s(W_LY);
    c.dn = w_text(dn, sizeof dn, "CN=%s," UNIT, cn);
    c.sip_address = w_s(sip);
    c.line = w_s(line);
    c.other_ip_phone = w_s(phone);
    c.home_server_dn = w_s("CN=Lc Services,CN=Microsoft,CN=1:1," W_POOLS);
    c.has_enabled = 1;
    c.enabled = 1;
    c.proxy_address = proxies;
    c.n_proxy_address = 1;
    w_add(world, &c.base);
}

/* Everything the phase needs, and no contact yet. */
static struct umx_world *ready(void)
{
    struct umx_world *world = world_pair();
    Umx__World *records = W_EDIT(world);

    numbers[0] = w_s("+4930123800");
    numbers[1] = w_s("+4930123801");
    domains[0] = w_s("lync.test");
    records->dial_plan[0]->access_number = numbers;
    records->dial_plan[0]->n_access_number = 2;
    for (size_t i = 0; i < records->n_forest; i++)
        if (strcmp(records->forest[i]->forest, W_LY) == 0) {
            records->forest[i]->sip_domain = domains;
            records->forest[i]->n_sip_domain = 1;
        }
    w_group(world, W_LY, "rtc_user_admins", "RTCUniversalUserAdmins", W_SID_LY "-1107");
    w_attendant(world, "Reception", true);
    w_unit(world, UNIT, "RTC Special Accounts");
    w_unit_entry(world, 5, 1, "5cb41ed0-0e4c-11d0-a286-00aa003049e2", "");
    w_unit_entry(world, 5, 0x20, "", "5cb41ed0-0e4c-11d0-a286-00aa003049e2");
    return world;
}

static const char *const slug[] = {"ocsumutil", NULL};

static const Umx__PlanStep *step_with(const struct w_run *run, const char *summary)
{
    for (size_t i = 0; i < run->steps.count; i++)
        if (strstr(run->steps.items[i]->summary, summary) != NULL)
            return run->steps.items[i];
    fail_msg("no step has \"%s\" in its summary", summary);
    return NULL;
}

static const char *value_of(const Umx__PlanStep *step, const char *attribute)
{
    for (size_t i = 0; i < step->change->n_attribute; i++)
        if (strcmp(step->change->attribute[i]->name, attribute) == 0)
            return step->change->attribute[i]->value[0];
    return NULL;
}

static const Umx__AttributeChange *change_of(const Umx__PlanStep *step, const char *attribute)
{
    for (size_t i = 0; i < step->change->n_modify; i++)
        if (strcmp(step->change->modify[i]->name, attribute) == 0)
            return step->change->modify[i];
    fail_msg("%s is not changed", attribute);
    return NULL;
}

static void missing_contacts_fail_and_are_planned(void **state)
{
    struct umx_world *world = ready();
    struct w_run run;

    (void)state;
    w_status(world, "ocsumutil/subscriber-access", "+4930123800", W_FAIL);
    w_status(world, "ocsumutil/subscriber-access", "+4930123801", W_FAIL);
    w_status(world, "ocsumutil/auto-attendants", "Reception", W_FAIL);
    assert_int_equal(w_plan_phases(&run, world, slug, NULL), 0);
    assert_int_equal(run.steps.count, 4); /* two numbers, one auto attendant, the wait */
    const Umx__PlanStep *step = step_with(&run, "+4930123800");
    assert_string_equal(value_of(step, "msRTCSIP-PrimaryUserAddress"), "sip:berlin-sa-4930123800@lync.test");
    assert_string_equal(value_of(step, "otherIpPhone"), "sip:berlin-sa-4930123800@lync.test;opaque=app:exum:" CONTEXT);
    assert_string_equal(value_of(step, "msRTCSIP-Line"), "tel:+4930123800");
    assert_string_equal(value_of(step, "msRTCSIP-SourceObjectType"), "-1879048192");
    assert_string_equal(value_of(step, "msRTCSIP-PrimaryHomeServer"), "CN=Lc Services,CN=Microsoft,CN=1:1," W_POOLS);
    assert_non_null(strstr(step->change->dn, "," UNIT));
    assert_string_equal(value_of(step_with(&run, "Auto Attendant"), "otherIpPhone"),
                        "sip:reception-aa-4930123900@lync.test;opaque=app:exum:" CONTEXT ":autoattendant:Reception");
    assert_int_equal(run.steps.items[3]->kind, UMX__CHANGE__KIND__WAIT);
    assert_int_equal(run.steps.items[3]->n_depends, 3);
    assert_int_equal(run.steps.note_count, 1);
    w_end(&run);
    umx_world_free(world);
}

/* Once = twice, and the checks are content with what the plan predicts. */
static void plan_satisfies_its_checks(void **state)
{
    static const char *const content[] = {"ocsumutil/auto-attendants", "ocsumutil/subscriber-access",
                                          "ocsumutil/phone-context",   "ocsumutil/home",
                                          "ocsumutil/line-unique",     "ocsumutil/address-unique"};
    struct umx_world *world = ready();
    struct w_run run, again;

    (void)state;
    assert_int_equal(w_plan_phases(&run, world, slug, NULL), 0);
    for (size_t i = 0; i < run.steps.count; i++)
        assert_int_equal(umx_phase_apply(world, run.steps.items[i], &run.err), 0);
    assert_int_equal(w_plan_phases(&again, world, slug, NULL), 0);
    assert_int_equal(again.steps.count, 0);
    w_end(&again);
    w_check(&again, world, "ocsumutil", NULL);
    size_t seen = 0;
    for (size_t i = 0; i < again.findings.count; i++)
        for (size_t k = 0; k < sizeof content / sizeof content[0]; k++)
            if (strcmp(again.findings.items[i]->id, content[k]) == 0) {
                assert_int_equal(again.findings.items[i]->status, W_PASS);
                seen++;
            }
    assert_int_equal(seen, 15);
    w_end(&again);
    w_end(&run);
    umx_world_free(world);
}

/* Rights that are missing become a step before the contacts; without an agent a gate. */
static void missing_rights_are_granted_first(void **state)
{
    struct umx_world *world = ready();
    struct w_run run;

    (void)state;
    while (umx_world_records(world)->n_access_entry > 0)
        umx_world_remove(world, umx_reflect_table("access_entry"), 0);
    W_EDIT(world)->organizational_unit[0]->dacl_protected = 1;
    w_status(world, "ocsumutil/ou-rights", UNIT, W_FAIL);
    assert_int_equal(w_plan_phases(&run, world, slug, NULL), 0);
    assert_int_equal(run.steps.items[0]->kind, UMX__CHANGE__KIND__GATE);
    assert_string_equal(run.steps.items[0]->change->gate->command[0],
                        "Grant-CsOUPermission -OU \"" UNIT "\" -ObjectType \"Contact\",\"Device\"");
    assert_string_equal(run.steps.items[1]->depends[0], "s1");
    w_end(&run);
    Umx__Server server = UMX__SERVER__INIT;
    server.server = w_s("fe1.lync.test");
    server.has_product = 1;
    server.product = UMX__SERVER__PRODUCT__LYNC;
    w_add(world, &server.base);
    w_agent(world, W_LY, "fe1.lync.test", "connected");
    assert_int_equal(w_plan_phases(&run, world, slug, NULL), 0);
    assert_string_equal(run.steps.items[0]->change->action->action, "grant-cs-ou-permission");
    assert_int_equal(run.steps.items[0]->change->action->n_item, 2);
    assert_string_equal(run.steps.items[0]->change->action->undo_action, "revoke-cs-ou-permission");
    assert_string_equal(run.steps.items[0]->change->action->undo_item[1],
                        "{\"object_type\":\"Device\",\"ou\":\"" UNIT "\"}");
    w_end(&run);
    umx_world_free(world);
}

static void denied_rights_are_named(void **state)
{
    struct umx_world *world = ready();

    (void)state;
    while (umx_world_records(world)->n_access_entry > 0)
        umx_world_remove(world, umx_reflect_table("access_entry"), 0);
    w_unit_entry(world, 1, 1, "", "");
    w_unit_entry(world, 0, 0x21, "", "");
    w_status(world, "ocsumutil/ou-rights", UNIT, W_FAIL);
    umx_world_free(world);
}

static void unit_is_made_when_its_parent_is_there(void **state)
{
    static const char *const options[] = {"ocsumutil.ou=OU=B\xc3\xbcro\\, UM,DC=lync,DC=test", NULL};
    static const char *const nowhere[] = {"ocsumutil.ou=OU=x,OU=nowhere,DC=lync,DC=test", NULL};
    struct umx_world *world = ready();
    struct w_run run;

    (void)state;
    assert_int_equal(w_plan_phases(&run, world, slug, options), 0);
    assert_string_equal(run.steps.items[0]->summary, "add organizational unit B\xc3\xbcro, UM for contacts");
    assert_string_equal(run.steps.items[1]->depends[0], "s1");
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, slug, nowhere), UMX_E_CONFLICT);
    assert_int_equal(run.err.id, UMX_ERR_PLAN_BLOCKED);
    w_end(&run);
    umx_world_free(world);
}

static void contacts_that_are_wrong(void **state)
{
    struct umx_world *world = ready();

    (void)state;
    w_contact(world, "good", "sip:sa@lync.test", "tel:+4930123800", SA_PHONE);
    w_contact(world, "orphan", "sip:old@lync.test", "tel:+4930123999", "sip:old@lync.test;opaque=app:exum:Gone.test");
    w_contact(world, "empty", "sip:empty@lync.test", "tel:+4930123998", "");
    w_contact(world, "twin", "sip:twin@other.test", "tel:+4930123800", "sip:twin@other.test;opaque=app:exum:Gone.test");
    w_status(world, "ocsumutil/subscriber-access", "+4930123800", W_PASS);
    w_status(world, "ocsumutil/phone-context", "sip:sa@", W_PASS);
    w_status(world, "ocsumutil/phone-context", "sip:old@", W_FAIL);
    w_status(world, "ocsumutil/phone-context", "sip:empty@", W_FAIL);
    w_status(world, "ocsumutil/line-unique", "sip:sa@", W_FAIL);
    w_status(world, "ocsumutil/line-unique", "sip:old@", W_PASS);
    w_status(world, "ocsumutil/home", "sip:twin@", W_FAIL);
    w_status(world, "ocsumutil/home", "sip:sa@", W_PASS);
    W_EDIT(world)->contact[0]->enabled = 0;
    w_status(world, "ocsumutil/home", "sip:sa@", W_FAIL);
    umx_world_free(world);
}

static void attendants_and_names(void **state)
{
    struct umx_world *world = ready();

    (void)state;
    w_status(world, "ocsumutil/attendant-enabled", "Reception", W_PASS);
    W_EDIT(world)->auto_attendant[0]->enabled = 0;
    W_EDIT(world)->auto_attendant[0]->name = w_s("Front desk");
    w_status(world, "ocsumutil/attendant-enabled", "Front desk", W_WARN);
    w_status(world, "ocsumutil/attendant-names", "Front desk", W_FAIL);
    w_status(world, "ocsumutil/auto-attendants", NULL, W_NOT_APPLICABLE);
    w_status(world, "ocsumutil/dial-plan-name", CONTEXT, W_NOT_APPLICABLE);
    umx_world_free(world);
}

/* A 2007 server in the plan makes the name binding; nobody tells of Lync's plans: unknown; then fail, then pass. */
static void names_bind_below_2010_sp1(void **state)
{
    struct umx_world *world = ready();
    char *links[] = {w_s(PLAN_DN)};
    Umx__LyncDialPlan plan = UMX__LYNC_DIAL_PLAN__INIT;

    (void)state;
    w_server(world, W_EX, "old", 14, 0, 54);
    Umx__ExchangeServer *old = W_EDIT(world)->exchange_server[umx_world_records(world)->n_exchange_server - 1];
    old->dial_plan_dn = links;
    old->n_dial_plan_dn = 1;
    w_status(world, "ocsumutil/dial-plan-name", CONTEXT, W_UNKNOWN);
    plan.forest = w_s(W_LY);
    plan.identity = w_s("Global");
    plan.simple_name = w_s("Other");
    w_add(world, &plan.base);
    w_status(world, "ocsumutil/dial-plan-name", CONTEXT, W_FAIL);
    plan.identity = w_s("Berlin");
    plan.simple_name = w_s("berlin.EXCHANGE.test");
    w_add(world, &plan.base);
    w_status(world, "ocsumutil/dial-plan-name", CONTEXT, W_PASS);
    umx_world_free(world);
}

/* ---- rows */

static int plan_rows(struct w_run *run, struct umx_world *world, Umx__InputContact **rows, size_t count)
{
    static Umx__Input input;
    const struct umx_phase *phase = umx_phase("ocsumutil");

    w_begin(run, NULL);
    umx__input__init(&input);
    input.contact = rows;
    input.n_contact = count;
    run->options.input = &input;
    return umx_phases_plan(world, &phase, 1, NULL, 0, &run->options, &run->steps, &run->err);
}

static Umx__InputContact row_of(int number, const char *action, const char *sip, const char *dialled)
{
    Umx__InputContact row = UMX__INPUT_CONTACT__INIT;

    row.has_row = 1;
    row.row = number;
    row.action = w_s(action);
    row.sip_address = w_s(sip);
    row.number = w_s(dialled);
    row.phone_context = w_s(CONTEXT);
    return row;
}

static void rows_create_edit_and_remove(void **state)
{
    struct umx_world *world = ready();
    struct w_run run;

    (void)state;
    w_contact(world, "one", "sip:sa@lync.test", "tel:+4930123800", SA_PHONE);
    w_contact(world, "two", "sip:old@lync.test", "tel:+4930123999", "sip:old@lync.test;opaque=app:exum:Gone.test");
    Umx__InputContact create = row_of(2, "create", "sip:new@lync.test", "+4930123801");
    Umx__InputContact edit = row_of(3, "edit", "sip:ova@lync.test", "+4930123800");
    Umx__InputContact gone = row_of(4, "remove", "sip:old@lync.test", NULL);
    Umx__InputContact *rows[] = {&create, &edit, &gone};
    gone.phone_context = w_s("Gone.test");
    edit.name = w_s("Outlook Voice Access");
    assert_int_equal(plan_rows(&run, world, rows, 3), 0);
    assert_int_equal(run.steps.count, 4);
    assert_string_equal(value_of(run.steps.items[1], "msRTCSIP-PrimaryUserAddress"), "sip:new@lync.test");
    const Umx__PlanStep *change = run.steps.items[2];
    assert_string_equal(change->change->dn, "CN=one," UNIT);
    assert_string_equal(change_of(change, "otherIpPhone")->remove[0], SA_PHONE);
    assert_string_equal(change_of(change, "otherIpPhone")->add[0], "sip:ova@lync.test;opaque=app:exum:" CONTEXT);
    assert_string_equal(change_of(change, "proxyAddresses")->remove[0], "sip:sa@lync.test");
    assert_string_equal(change_of(change, "displayName")->add[0], "Outlook Voice Access");
    assert_int_equal(run.steps.items[0]->kind, UMX__CHANGE__KIND__DELETE); /* before the others */
    for (size_t i = 0; i < run.steps.count; i++)
        assert_int_equal(umx_phase_apply(world, run.steps.items[i], &run.err), 0);
    assert_int_equal(umx_world_records(world)->n_contact, 2);
    w_end(&run);
    umx_world_free(world);
}

static bool waits_for(const Umx__PlanStep *step, const Umx__PlanStep *before)
{
    for (size_t i = 0; i < step->n_depends; i++)
        if (strcmp(step->depends[i], before->id) == 0)
            return true;
    return false;
}

/* What a file removes or changes is free for others of its rows, which wait for that. */
static void rows_give_away_what_others_of_them_free(void **state)
{
    struct umx_world *world = ready();
    struct w_run run;

    (void)state;
    w_contact(world, "one", "sip:sa@lync.test", "tel:+4930123800", SA_PHONE);
    w_contact(world, "two", "sip:old@lync.test", "tel:+4930123999", "sip:old@lync.test;opaque=app:exum:Gone.test");
    /* The very same contact again, made anew; the row that removes it may come after. */
    Umx__InputContact again = row_of(2, "create", "sip:sa@lync.test", "+4930123800");
    Umx__InputContact gone = row_of(3, "remove", "sip:sa@lync.test", NULL);
    /* The second gives its number to a new one. */
    Umx__InputContact edit = row_of(4, "edit", "sip:old@lync.test", "+4930123888");
    Umx__InputContact heir = row_of(5, "create", "sip:heir@lync.test", "+4930123999");
    Umx__InputContact *rows[] = {&again, &gone, &edit, &heir};
    assert_int_equal(plan_rows(&run, world, rows, 4), 0);
    assert_int_equal(run.steps.count, 5);
    assert_int_equal(run.steps.items[0]->kind, UMX__CHANGE__KIND__DELETE);
    const Umx__PlanStep *made = step_with(&run, "add Subscriber Access contact sip:sa@lync.test");
    const Umx__PlanStep *changed = step_with(&run, "change contact sip:old@lync.test");
    const Umx__PlanStep *inherits = step_with(&run, "add Subscriber Access contact sip:heir@lync.test");
    assert_true(waits_for(made, run.steps.items[0]));
    assert_string_not_equal(made->change->dn, run.steps.items[0]->change->dn);
    assert_true(waits_for(inherits, changed));
    assert_false(waits_for(changed, run.steps.items[0]));
    for (size_t i = 0; i < run.steps.count; i++)
        assert_int_equal(umx_phase_apply(world, run.steps.items[i], &run.err), 0);
    assert_int_equal(umx_world_records(world)->n_contact, 3);
    w_end(&run);
    umx_world_free(world);
}

/* What is freed later is not free yet, and one contact has one row. */
static void rows_that_contradict_each_other(void **state)
{
    struct umx_world *world = ready();
    struct w_run run;

    (void)state;
    w_contact(world, "one", "sip:sa@lync.test", "tel:+4930123800", SA_PHONE);
    w_contact(world, "two", "sip:old@lync.test", "tel:+4930123999", "sip:old@lync.test;opaque=app:exum:Gone.test");
    w_contact(world, "three", "sip:third@lync.test", "tel:+4930123777", "sip:third@lync.test;opaque=app:exum:" CONTEXT);
    Umx__InputContact early = row_of(2, "create", "sip:new@lync.test", "+4930123999");
    Umx__InputContact edit = row_of(3, "edit", "sip:old@lync.test", "+4930123888");
    Umx__InputContact gone = row_of(4, "remove", "sip:sa@lync.test", NULL);
    Umx__InputContact twice = row_of(5, "remove", "sip:sa@lync.test", NULL);
    Umx__InputContact dead = row_of(6, "edit", "sip:sa@lync.test", "+4930123877");
    Umx__InputContact by_key = row_of(7, "edit", "sip:newname@lync.test", "+4930123777");
    Umx__InputContact by_address = row_of(8, "edit", "sip:third@lync.test", "+4930123866");
    Umx__InputContact *rows[] = {&early, &edit, &gone, &twice, &dead, &by_key, &by_address};
    assert_int_equal(plan_rows(&run, world, rows, 7), UMX_E_ARGUMENT);
    static const char *const says[] = {
        "row 5: sip:sa@lync.test is removed by another row", "row 2: +4930123999 is the number of sip:old@lync.test",
        "row 6: sip:sa@lync.test is removed by another row", "row 8: sip:third@lync.test is changed by another row"};
    assert_int_equal(run.steps.rejected_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(run.steps.rejected[i], says[i]));
    w_end(&run);
    umx_world_free(world);
}

/* A second Exchange forest with a SIP plan of its own, whose contacts are in the same Lync forest. */
static void w_second(struct umx_world *world)
{
    Umx__DialPlan plan = UMX__DIAL_PLAN__INIT;

    w_forest(world, "zweite.test", UMX__FOREST__SIDE__EXCHANGE, "DC=zweite,DC=test", "S-1-5-21-3-3-3", "ZWEITE");
    plan.forest = w_s("zweite.test");
    plan.dn = w_s("CN=Zweite,CN=UM DialPlan Container,CN=Zweite,DC=zweite,DC=test");
    plan.name = w_s("Zweite");
    plan.phone_context = w_s("Zweite.zweite.test");
    plan.has_uri_type = 1;
    plan.uri_type = UMX__DIAL_PLAN__URI_TYPE__SIP_NAME;
    w_add(world, &plan.base);
    w_contact(world, "theirs", "sip:theirs@lync.test", "tel:+4989123700",
              "sip:theirs@lync.test;opaque=app:exum:Zweite.zweite.test");
}

/* The rows of one pair take over what those of another remove, whichever pair is planned first, and wait for it. */
static void rows_of_one_pair_take_what_another_frees(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct umx_world *world = ready();
        struct w_run run;
        w_second(world);
        w_contact(world, "ours", "sip:ours@lync.test", "tel:+4930123800",
                  "sip:ours@lync.test;opaque=app:exum:" CONTEXT);
        Umx__InputContact gone = row_of(2, "remove", "sip:theirs@lync.test", NULL);
        Umx__InputContact heir = row_of(3, "create", "sip:theirs@lync.test", "+4989123700");
        Umx__InputContact edit = row_of(4, "edit", "sip:ours@lync.test", "+4930123899");
        Umx__InputContact taker = row_of(5, "create", "sip:taker@lync.test", "+4930123800");
        Umx__InputContact *rows[] = {&gone, &heir, &edit, &taker};
        if (order == 0)
            gone.phone_context = w_s("Zweite.zweite.test"); /* a row of the second pair frees for the first */
        else
            heir.phone_context = w_s("Zweite.zweite.test"); /* and the other way round */
        taker.phone_context = w_s("Zweite.zweite.test");
        assert_int_equal(plan_rows(&run, world, rows, 4), 0);
        const Umx__PlanStep *removed = step_with(&run, "delete contact sip:theirs@lync.test");
        const Umx__PlanStep *made = step_with(&run, "add Subscriber Access contact sip:theirs@lync.test");
        const Umx__PlanStep *changed = step_with(&run, "change contact sip:ours@lync.test");
        assert_true(waits_for(made, removed));
        assert_true(waits_for(step_with(&run, "add Subscriber Access contact sip:taker@lync.test"), changed));
        assert_ptr_equal(run.steps.items[0], removed);
        for (size_t i = 0; i < run.steps.count; i++)
            assert_int_equal(umx_phase_apply(world, run.steps.items[i], &run.err), 0);
        assert_int_equal(umx_world_records(world)->n_contact, 3);
        w_end(&run);
        umx_world_free(world);
    }
}

/* What a row of another pair makes is not edited by the same file; a row of no pair of the plan is named. */
static void rows_of_other_pairs(void **state)
{
    struct umx_world *world = ready();
    const struct umx_pair first = {W_EX, W_LY};
    const struct umx_phase *phase = umx_phase("ocsumutil");
    struct w_run run;

    (void)state;
    w_second(world);
    Umx__InputContact make = row_of(2, "create", "sip:new@lync.test", "+4930123800");
    Umx__InputContact edit = row_of(3, "edit", "sip:new@lync.test", NULL);
    Umx__InputContact *rows[] = {&make, &edit};
    edit.phone_context = w_s("Zweite.zweite.test");
    edit.name = w_s("New");
    assert_int_equal(plan_rows(&run, world, rows, 2), UMX_E_ARGUMENT);
    assert_non_null(strstr(run.steps.rejected[0], "row 2: row 3 has the same SIP address"));
    w_end(&run);
    Umx__Input input = UMX__INPUT__INIT;
    Umx__InputContact foreign = row_of(4, "remove", "sip:theirs@lync.test", NULL);
    foreign.phone_context = w_s("Zweite.zweite.test");
    Umx__InputContact *two[] = {&make, &foreign};
    input.contact = two;
    input.n_contact = 2;
    w_begin(&run, NULL);
    run.options.input = &input;
    assert_int_equal(umx_phases_plan(world, &phase, 1, &first, 1, &run.options, &run.steps, &run.err), 0);
    assert_string_equal(run.steps.items[0]->summary,
                        step_with(&run, "add Subscriber Access contact sip:new@lync.test")->summary);
    bool told = false;
    for (size_t i = 0; i < run.steps.note_count; i++)
        told = told || strstr(run.steps.notes[i], "contact row 4 is left out") != NULL;
    assert_true(told);
    w_end(&run);
    umx_world_free(world);
}

static void bad_rows_are_named_together(void **state)
{
    struct umx_world *world = ready();
    struct w_run run;

    (void)state;
    w_contact(world, "one", "sip:sa@lync.test", "tel:+4930123800", SA_PHONE);
    Umx__InputContact rows[] = {
        row_of(2, "create", "sip:new@elsewhere.test", "+4930123801"),
        row_of(3, "create", "sip:sa@lync.test", "+4930123802"),
        row_of(4, "create", "sip:n@lync.test", "0301234"),
        row_of(5, "destroy", "sip:x@lync.test", NULL),
        row_of(6, "edit", "sip:nobody@lync.test", NULL),
        row_of(7, "create", "sip:m@lync.test", "+4930123803"),
    };
    rows[5].phone_context = w_s("Nowhere.test");
    Umx__InputContact *list[6];
    for (size_t i = 0; i < 6; i++)
        list[i] = &rows[i];
    assert_int_equal(plan_rows(&run, world, list, 6), UMX_E_ARGUMENT);
    assert_int_equal(run.err.id, UMX_ERR_INPUT_ROWS);
    assert_int_equal(run.steps.rejected_count, 6);
    static const char *const says[] = {"row 2: elsewhere.test is no SIP domain",
                                       "row 3: sip:sa@lync.test is the address",
                                       "row 4: number 0301234 is not in E.164",
                                       "row 5: action destroy",
                                       "row 6: no contact has",
                                       "row 7: no SIP dial plan"};
    for (size_t i = 0; i < 6; i++)
        assert_non_null(strstr(run.steps.rejected[i], says[i]));
    w_end(&run);
    umx_world_free(world);
}

static void template_proposes_what_is_missing(void **state)
{
    struct umx_world *world = ready();
    struct w_run run;
    struct umx_proposal proposal = {0};
    const struct umx_phase *phase = umx_phase("ocsumutil");

    (void)state;
    w_contact(world, "one", "sip:sa@lync.test", "tel:+4930123800", SA_PHONE);
    w_begin(&run, NULL);
    proposal.arena = run.arena;
    assert_int_equal(
        umx_phases_propose(umx_world_records(world), &phase, 1, NULL, 0, &run.options, &proposal, &run.err), 0);
    assert_int_equal(proposal.input->n_contact, 2);
    assert_string_equal(proposal.input->contact[0]->number, "+4930123801");
    assert_string_equal(proposal.input->contact[0]->ou, UNIT);
    assert_string_equal(proposal.input->contact[0]->pool, "pool1.lync.test");
    assert_string_equal(proposal.input->contact[1]->type, "auto_attendant");
    /* What is proposed can be carried out as it stands. */
    struct w_run made;
    assert_int_equal(plan_rows(&made, world, proposal.input->contact, proposal.input->n_contact), 0);
    assert_int_equal(made.steps.count, 3);
    w_end(&made);
    w_end(&run);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_contacts_fail_and_are_planned),
        cmocka_unit_test(plan_satisfies_its_checks),
        cmocka_unit_test(missing_rights_are_granted_first),
        cmocka_unit_test(denied_rights_are_named),
        cmocka_unit_test(unit_is_made_when_its_parent_is_there),
        cmocka_unit_test(contacts_that_are_wrong),
        cmocka_unit_test(attendants_and_names),
        cmocka_unit_test(names_bind_below_2010_sp1),
        cmocka_unit_test(rows_create_edit_and_remove),
        cmocka_unit_test(rows_give_away_what_others_of_them_free),
        cmocka_unit_test(rows_that_contradict_each_other),
        cmocka_unit_test(rows_of_one_pair_take_what_another_frees),
        cmocka_unit_test(rows_of_other_pairs),
        cmocka_unit_test(bad_rows_are_named_together),
        cmocka_unit_test(template_proposes_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Phase 3: every check passing, failing and unknown; rows carried out, refused and proposed. */
#include "plans.h"

#define BERLIN "CN=Berlin," W_PLANS
#define SLUG "dial-plans"

/* world_pair with a plan that lacks nothing, and an agent that could make more. */
static struct umx_world *complete(void)
{
    static char *numbers[] = {NULL};
    struct umx_world *world = world_pair();
    Umx__DialPlan *plan = W_EDIT(world)->dial_plan[0];

    numbers[0] = w_s("+493012345600");
    plan->has_digits = 1;
    plan->digits = 5;
    plan->n_access_number = 1;
    plan->access_number = numbers;
    plan->country_code = w_s("49");
    plan->has_voip_security = 1;
    plan->voip_security = UMX__DIAL_PLAN__VOIP_SECURITY__SECURED;
    w_policy(world, W_EX, "Berlin Default Policy", BERLIN);
    w_attendant(world, "Reception", BERLIN, w_s("+493012345610"), true);
    w_shell(world, W_EX, "exmbx1.exchange.test", UMX__SERVER__PRODUCT__EXCHANGE, 15, 0);
    return world;
}

static const Umx__DialPlan *plan_of(struct umx_world *world)
{
    return W_EDIT(world)->dial_plan[0];
}

static Umx__DialPlan *edit(struct umx_world *world)
{
    return W_EDIT(world)->dial_plan[0];
}

static void test_all_pass(void **state)
{
    struct umx_world *world = complete();
    struct w_run run;

    (void)state;
    w_check(&run, world, SLUG, NULL);
    assert_int_equal(run.findings.count, 9);
    for (size_t i = 0; i < run.findings.count; i++)
        assert_int_equal(run.findings.items[i]->status, W_PASS);
    w_end(&run);
    umx_world_free(world);
}

static void test_each_failure(void **state)
{
    struct umx_world *world = complete();
    Umx__DialPlan *plan = edit(world);

    (void)state;
    plan->uri_type = UMX__DIAL_PLAN__URI_TYPE__E164;
    w_status(world, "dial-plans/sip-plan", W_EX, W_FAIL);
    w_status(world, "dial-plans/digits", W_EX, W_NOT_APPLICABLE);
    plan->uri_type = UMX__DIAL_PLAN__URI_TYPE__SIP_NAME;

    plan->phone_context = w_s("Old.exchange.test");
    w_status(world, "dial-plans/phone-context", BERLIN, W_WARN);
    plan->phone_context = w_s("Berlin.elsewhere.test");
    w_status(world, "dial-plans/phone-context", BERLIN, W_FAIL);
    plan->phone_context = NULL;
    w_status(world, "dial-plans/phone-context", BERLIN, W_FAIL);

    plan->digits = 21;
    w_status(world, "dial-plans/digits", BERLIN, W_FAIL);
    plan->digits = 20;
    w_status(world, "dial-plans/digits", BERLIN, W_PASS);
    plan->digits = 0;
    w_status(world, "dial-plans/digits", BERLIN, W_FAIL);
    plan->has_digits = 0;
    w_status(world, "dial-plans/digits", BERLIN, W_WARN);

    plan->access_number[0] = w_s("030 12345600");
    w_status(world, "dial-plans/access-numbers", BERLIN, W_FAIL);
    plan->n_access_number = 0;
    w_status(world, "dial-plans/access-numbers", BERLIN, W_WARN);

    plan->country_code = NULL;
    w_status(world, "dial-plans/country-code", BERLIN, W_FAIL);
    for (size_t i = 0; i < W_EDIT(world)->n_exchange_server; i++)
        W_EDIT(world)->exchange_server[i]->version_major = 14;
    w_status(world, "dial-plans/country-code", BERLIN, W_WARN);

    W_EDIT(world)->auto_attendant[0]->n_number = 0;
    w_status(world, "dial-plans/attendant-numbers", "Reception", W_FAIL);
    W_EDIT(world)->auto_attendant[0]->enabled = 0;
    w_status(world, "dial-plans/attendant-numbers", "Reception", W_NOT_APPLICABLE);

    W_EDIT(world)->mailbox_policy[0]->dial_plan_dn = w_s("CN=Other," W_PLANS);
    w_status(world, "dial-plans/mailbox-policy", BERLIN, W_FAIL);
    umx_world_free(world);
}

static void test_child_domain_contexts(void **state)
{
    struct umx_world *world = complete();
    Umx__Domain domain = UMX__DOMAIN__INIT;

    (void)state;
    edit(world)->phone_context = w_s("Berlin.emea.exchange.test");
    w_status(world, "dial-plans/phone-context", BERLIN, W_WARN);
    domain.forest = w_s(W_EX);
    domain.domain = w_s("emea.exchange.test");
    w_add(world, &domain.base);
    w_status(world, "dial-plans/phone-context", BERLIN, W_PASS);
    umx_world_free(world);
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *policy;
        Umx__Finding__Status status;
    } rows[] = {
        {"Berlin", NULL, W_PASS},
        {"Berlin North", NULL, W_FAIL},
        {"Berlin.North", NULL, W_WARN},
        {"Lager,Halle", NULL, W_PASS},
        {"N23456789012345678901234567890123456789012345678N", NULL, W_PASS},  /* 49 */
        {"N234567890123456789012345678901234567890123456789N", NULL, W_FAIL}, /* 50 */
        {"N234567890123456789012345678901234567890123456789N", "Ours", W_PASS},
        /* 49 characters of two bytes each */
        {"äääääääääääääääääääääääääääääääääääääääääääääääää", NULL, W_PASS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = complete();
        edit(world)->name = w_s(rows[i].name);
        if (rows[i].policy != NULL)
            W_EDIT(world)->mailbox_policy[0]->name = w_s(rows[i].policy);
        else
            W_EDIT(world)->n_mailbox_policy = 0;
        w_status(world, "dial-plans/name", BERLIN, rows[i].status);
        umx_world_free(world);
    }
}

static void second_forest(struct umx_world *world, const char *plan)
{
    w_forest(world, "second.test", UMX__FOREST__SIDE__EXCHANGE, "DC=second,DC=test", "S-1-5-21-3-3-3", "SECOND");
    if (plan != NULL)
        w_plan(world, "second.test", plan);
}

static void test_unique(void **state)
{
    struct umx_world *world = complete();

    (void)state;
    second_forest(world, "Munich");
    w_status(world, "dial-plans/unique", BERLIN, W_PASS);
    W_EDIT(world)->dial_plan[1]->name = w_s("berlin");
    w_status(world, "dial-plans/unique", BERLIN, W_FAIL);
    W_EDIT(world)->dial_plan[1]->uri_type = UMX__DIAL_PLAN__URI_TYPE__E164;
    w_status(world, "dial-plans/unique", BERLIN, W_PASS);
    W_EDIT(world)->forest[2]->error = w_s("UMX-1201: gone");
    w_status(world, "dial-plans/unique", BERLIN, W_UNKNOWN);
    umx_world_free(world);
}

static void test_unknown_when_not_read(void **state)
{
    struct umx_world *world = complete();
    char *lines[] = {w_s("dial_plan: no right")};
    struct w_run run;

    (void)state;
    W_EDIT(world)->forest[1]->incomplete = lines;
    W_EDIT(world)->forest[1]->n_incomplete = 1;
    w_check(&run, world, SLUG, NULL);
    for (size_t i = 0; i < run.findings.count; i++)
        assert_int_equal(run.findings.items[i]->status, W_UNKNOWN);
    w_end(&run);
    umx_world_free(world);
}

/* ---- plans */

static Umx__InputDialPlan row_of(int number, const char *forest, const char *name, int digits, char **access,
                                 const char *country)
{
    Umx__InputDialPlan row = UMX__INPUT_DIAL_PLAN__INIT;

    row.has_row = 1;
    row.row = number;
    row.forest = w_s(forest);
    row.name = w_s(name);
    row.has_digits = digits != 0;
    row.digits = digits;
    row.n_access_number = access != NULL;
    row.access_number = access;
    row.country_code = w_s(country);
    return row;
}

static void test_make_a_plan(void **state)
{
    struct umx_world *world = complete();
    char *access = w_s("+498912345600"), *pilot = w_s("+498912345610");
    Umx__InputDialPlan row = row_of(2, W_EX, "Munich", 4, &access, "49");
    Umx__InputAutoAttendant attendant = UMX__INPUT_AUTO_ATTENDANT__INIT;
    Umx__InputDialPlan *rows[] = {&row};
    Umx__InputAutoAttendant *attendants[] = {&attendant};
    Umx__Input input = UMX__INPUT__INIT;
    struct w_run run;

    (void)state;
    attendant.forest = w_s("Exchange.Test");
    attendant.name = w_s("Munich-Reception");
    attendant.dial_plan = w_s("munich");
    attendant.n_number = 1;
    attendant.number = &pilot;
    input.n_dial_plan = input.n_auto_attendant = 1;
    input.dial_plan = rows;
    input.auto_attendant = attendants;
    w_shell(world, W_EX, "exmbx2.exchange.test", UMX__SERVER__PRODUCT__EXCHANGE, 15, 1);
    w_shell(world, W_EX, "exmbx3.exchange.test", UMX__SERVER__PRODUCT__EXCHANGE, 15, 2);
    w_shell(world, W_LY, "fe1.lync.test", UMX__SERVER__PRODUCT__LYNC, 15, 9);
    struct umx_world *next = w_plan_twice(&run, world, SLUG, NULL, &input);
    assert_int_equal(run.steps.count, 2);
    const Umx__PlanStep *step = w_step(&run, UMX__CHANGE__KIND__ACTION, "CN=Munich," W_PLANS);
    assert_string_equal(step->change->action->server, "exmbx2.exchange.test"); /* 2016 before 2013, and no 2019 */
    assert_string_equal(step->change->action->action, "new-um-dial-plan");
    assert_string_equal(step->change->action->identity, "shell");
    assert_string_equal(step->change->action->undo_action, "remove-um-dial-plan");
    assert_string_equal(step->change->action->undo_item[0], "{\"name\":\"Munich\"}");
    assert_string_equal(step->groups, "organization_management or um_management");
    w_item(step, 0, "name", "Munich");
    w_item(step, 0, "digits", "4");
    w_item(step, 0, "security", "Secured");
    w_item(step, 0, "access_numbers", "+498912345600");
    w_item(step, 0, "country_code", "49");
    const Umx__DialPlan *made = umx_world_records(next)->dial_plan[1];
    assert_string_equal(made->dn, "CN=Munich," W_PLANS);
    assert_string_equal(made->phone_context, "Munich." W_EX);
    assert_int_equal(made->uri_type, UMX__DIAL_PLAN__URI_TYPE__SIP_NAME);
    assert_int_equal(made->voip_security, UMX__DIAL_PLAN__VOIP_SECURITY__SECURED);
    assert_string_equal(umx_world_records(next)->mailbox_policy[1]->dn, "CN=Munich Default Policy," W_POLICIES);
    const Umx__PlanStep *second = w_step(&run, UMX__CHANGE__KIND__ACTION, "CN=Munich-Reception");
    assert_string_equal(second->depends[0], step->id);
    w_item(second, 0, "numbers", "+498912345610");
    const Umx__AutoAttendant *reception = umx_world_records(next)->auto_attendant[1];
    assert_true(reception->enabled);
    assert_true(umx_text_dn_equal(reception->dial_plan_dn, "CN=Munich," W_PLANS));
    w_end(&run);
    umx_world_free(next);

    /* Nobody is there to run it: a gate with the same promise. */
    for (size_t i = 0; i < W_EDIT(world)->n_agent; i++)
        W_EDIT(world)->agent[i]->state = w_s("silent");
    next = w_plan_twice(&run, world, SLUG, NULL, &input);
    step = w_step(&run, UMX__CHANGE__KIND__GATE, "CN=Munich," W_PLANS);
    assert_string_equal(step->change->gate->command[0],
                        "New-UMDialPlan -Name 'Munich' -UriType SipName -VoIPSecurity Secured "
                        "-NumberOfDigitsInExtension 4 -AccessTelephoneNumbers '+498912345600' -CountryOrRegionCode 49");
    assert_non_null(strstr(step->change->gate->reason, "no agent is connected"));
    assert_int_equal(step->predicted->n_dial_plan, 1);
    assert_int_equal(step->predicted->n_mailbox_policy, 1);
    w_end(&run);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_security_of_new_plans(void **state)
{
    static const struct {
        const char *level;
        int server_minor;
        const char *security;
    } rows[] = {
        {"RequireEncryption", 1, "Secured"},
        {"SupportEncryption", 1, "Secured"},
        {"DoNotSupportEncryption", 1, "SIPSecured"},
        {NULL, 1, "Secured"},
        {NULL, 0, "SIPSecured"}, /* 2007 RTM has nothing else */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = complete();
        char *access = w_s("+498912345600");
        Umx__InputDialPlan row = row_of(2, W_EX, "Munich", 4, &access, "49");
        Umx__InputDialPlan *list[] = {&row};
        Umx__Input input = UMX__INPUT__INIT;
        struct w_run run;
        input.n_dial_plan = 1;
        input.dial_plan = list;
        if (rows[i].level != NULL)
            w_media(world, W_LY, "Global", rows[i].level);
        w_server(world, W_EX, "old", 8, rows[i].server_minor, 54);
        struct umx_world *next = w_plan_twice(&run, world, SLUG, NULL, &input);
        w_item(run.steps.items[0], 0, "security", rows[i].security);
        w_end(&run);
        umx_world_free(next);
        umx_world_free(world);
    }
}

static void test_corrections(void **state)
{
    struct umx_world *world = complete();
    char *access = w_s("+493099999900");
    Umx__InputDialPlan row = row_of(2, W_EX, "Berlin", 5, &access, "43");
    Umx__InputDialPlan *rows[] = {&row};
    Umx__InputAutoAttendant attendant = UMX__INPUT_AUTO_ATTENDANT__INIT;
    Umx__InputAutoAttendant *attendants[] = {&attendant};
    Umx__Input input = UMX__INPUT__INIT;
    struct w_run run;

    (void)state;
    W_EDIT(world)->auto_attendant[0]->enabled = 0;
    attendant.forest = w_s(W_EX);
    attendant.name = w_s("Reception");
    attendant.dial_plan = w_s("Berlin");
    input.n_dial_plan = input.n_auto_attendant = 1;
    input.dial_plan = rows;
    input.auto_attendant = attendants;
    struct umx_world *next = w_plan_twice(&run, world, SLUG, NULL, &input);
    assert_int_equal(run.steps.count, 2);
    assert_string_equal(run.steps.items[0]->change->action->action, "set-um-dial-plan");
    w_item(run.steps.items[0], 0, "access_numbers", "+493099999900");
    w_item(run.steps.items[0], 0, "country_code", "43");
    assert_non_null(strstr(run.steps.items[0]->change->action->undo_item[0], "@result.previous_access_numbers"));
    assert_string_equal(run.steps.items[0]->original->dial_plan[0]->access_number[0], "+493012345600");
    assert_null(run.steps.items[0]->original->dial_plan[0]->phone_context);
    assert_string_equal(run.steps.items[1]->change->action->action, "enable-um-auto-attendant");
    assert_string_equal(plan_of(next)->country_code, "43");
    w_end(&run);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_missing_policy(void **state)
{
    struct umx_world *world = complete();
    struct w_run run;

    (void)state;
    W_EDIT(world)->mailbox_policy[0]->dial_plan_dn = w_s("CN=Other," W_PLANS);
    struct umx_world *next = w_plan_twice(&run, world, SLUG, NULL, NULL);
    assert_int_equal(run.steps.count, 1);
    assert_string_equal(run.steps.items[0]->change->action->action, "new-um-mailbox-policy");
    w_item(run.steps.items[0], 0, "name", "Berlin Default Policy 2"); /* the name is taken */
    w_item(run.steps.items[0], 0, "dial_plan", "Berlin");
    w_end(&run);
    umx_world_free(next);
    umx_world_free(world);
}

static void test_nothing_to_do(void **state)
{
    struct umx_world *world = complete();
    struct w_run run;

    (void)state;
    umx_world_free(w_plan_twice(&run, world, SLUG, NULL, NULL));
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    W_EDIT(world)->n_dial_plan = 0;
    assert_int_equal(w_plan_rows(&run, world, SLUG, NULL, NULL), 0);
    assert_int_equal(run.steps.count, 0);
    assert_true(w_noted(&run, "has no SIP dial plan and no row makes one"));
    w_end(&run);
    umx_world_free(world);
}

/* ---- rows that are refused */

static void refused(struct umx_world *world, const Umx__InputDialPlan *plan, const Umx__InputAutoAttendant *attendant,
                    const char *reason)
{
    Umx__InputDialPlan plan_copy = plan != NULL ? *plan : (Umx__InputDialPlan)UMX__INPUT_DIAL_PLAN__INIT;
    Umx__InputAutoAttendant attendant_copy =
        attendant != NULL ? *attendant : (Umx__InputAutoAttendant)UMX__INPUT_AUTO_ATTENDANT__INIT;
    Umx__InputDialPlan *plans[] = {&plan_copy};
    Umx__InputAutoAttendant *attendants[] = {&attendant_copy};
    Umx__Input input = UMX__INPUT__INIT;
    struct w_run run;

    input.n_dial_plan = plan != NULL;
    input.dial_plan = plans;
    input.n_auto_attendant = attendant != NULL;
    input.auto_attendant = attendants;
    assert_int_equal(w_plan_rows(&run, world, SLUG, NULL, &input), UMX_E_ARGUMENT);
    if (strstr(umx_error_why(&run.err), reason) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", reason, umx_error_why(&run.err));
    assert_non_null(strstr(umx_error_why(&run.err), plan != NULL ? "dial_plan row 2: " : "auto_attendant row 3: "));
    w_end(&run);
}

static void test_refused_plans(void **state)
{
    char *access = w_s("+498912345600"), *taken = w_s("+493012345600"), *local = w_s("08912345600");
    const struct {
        Umx__InputDialPlan row;
        const char *security;
        const char *reason;
    } rows[] = {
        {row_of(2, "nowhere.test", "Munich", 4, &access, "49"), NULL, "nowhere.test is no Exchange forest"},
        {row_of(2, W_LY, "Munich", 4, &access, "49"), NULL, "is no Exchange forest"},
        {row_of(2, NULL, "Munich", 4, &access, "49"), NULL, "is no Exchange forest"},
        {row_of(2, W_EX, "", 4, &access, "49"), NULL, "the name is empty"},
        {row_of(2, W_EX, "Munich SIP", 4, &access, "49"), NULL, "space"},
        {row_of(2, W_EX, "Mu\nnich", 4, &access, "49"), NULL, "control characters"},
        {row_of(2, W_EX, "N234567890123456789012345678901234567890123456789N", 4, &access, "49"), NULL, "at most 49"},
        {row_of(2, W_EX, "Munich", 0, &access, "49"), NULL, "digits"},
        {row_of(2, W_EX, "Munich", 21, &access, "49"), NULL, "digits"},
        {row_of(2, W_EX, "Munich", 4, &local, "49"), NULL, "08912345600 is not E.164"},
        {row_of(2, W_EX, "Munich", 4, &taken, "49"), NULL, "has the number +493012345600 already"},
        {row_of(2, W_EX, "Munich", 4, &access, NULL), NULL, "country_code"},
        {row_of(2, W_EX, "Munich", 4, &access, "+49"), NULL, "country_code +49"},
        {row_of(2, W_EX, "Munich", 4, &access, "49"), "tls", "neither secured nor sip_secured"},
        {row_of(2, W_EX, "Munich", 4, &access, "49"), "sip_secured", "requires encryption"},
        {row_of(2, W_EX, "Halle", 4, &access, "49"), NULL, "another URI type"},
        {row_of(2, W_EX, "Berlin", 4, &access, "49"), NULL, "has 5 digits, which cannot be changed"},
        {row_of(2, W_EX, "Far", 4, &access, "49"), NULL, "unique over all Exchange forests"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = complete();
        Umx__InputDialPlan row = rows[i].row;
        row.security = w_s(rows[i].security);
        w_plan(world, W_EX, "Halle");
        W_EDIT(world)->dial_plan[1]->uri_type = UMX__DIAL_PLAN__URI_TYPE__TELEPHONE_EXTENSION;
        second_forest(world, "Far");
        w_media(world, W_LY, "Global", "RequireEncryption");
        refused(world, &row, NULL, rows[i].reason);
        umx_world_free(world);
    }
}

static Umx__InputAutoAttendant attendant_row(const char *name, const char *plan, char **number)
{
    Umx__InputAutoAttendant row = UMX__INPUT_AUTO_ATTENDANT__INIT;

    row.has_row = 1;
    row.row = 3;
    row.forest = w_s(W_EX);
    row.name = w_s(name);
    row.dial_plan = w_s(plan);
    row.n_number = number != NULL;
    row.number = number;
    return row;
}

static void test_refused_attendants(void **state)
{
    char *number = w_s("+493012345620"), *taken = w_s("+493012345600"), *local = w_s("4620");
    const struct {
        Umx__InputAutoAttendant row;
        const char *reason;
    } rows[] = {
        {attendant_row("Sales", "Munich", &number), "has no SIP dial plan Munich"},
        {attendant_row("Sales", "Halle", &number), "has no SIP dial plan Halle"},
        {attendant_row("Sales desk", "Berlin", &number), "space"},
        {attendant_row("Sales", "Berlin", NULL), "without one cannot be called"},
        {attendant_row("Sales", "Berlin", &local), "4620 is not E.164"},
        {attendant_row("Sales", "Berlin", &taken), "has the number +493012345600 already"},
        {attendant_row("Reception", "Berlin", &number), "has other numbers"},
        {attendant_row("Reception", "Other", NULL), "which cannot be changed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct umx_world *world = complete();
        w_plan(world, W_EX, "Halle");
        W_EDIT(world)->dial_plan[1]->uri_type = UMX__DIAL_PLAN__URI_TYPE__E164;
        w_plan(world, W_EX, "Other");
        refused(world, NULL, &rows[i].row, rows[i].reason);
        umx_world_free(world);
    }
}

static void test_all_bad_rows_are_named(void **state)
{
    struct umx_world *world = complete();
    Umx__InputDialPlan a = row_of(2, W_EX, "Munich", 4, NULL, "49"), b = row_of(3, W_EX, "munich", 4, NULL, "49");
    Umx__InputDialPlan *rows[] = {&a, &b};
    Umx__Input input = UMX__INPUT__INIT;
    struct w_run run;

    (void)state;
    input.n_dial_plan = 2;
    input.dial_plan = rows;
    assert_int_equal(w_plan_rows(&run, world, SLUG, NULL, &input), UMX_E_ARGUMENT);
    assert_non_null(strstr(umx_error_why(&run.err), "dial_plan row 2: row 3 has the plan"));
    assert_non_null(strstr(umx_error_why(&run.err), "dial_plan row 3: row 2 has the plan"));
    w_end(&run);
    umx_world_free(world);
}

/* ---- proposals */

static const Umx__Input *propose(struct umx_world *world, struct w_run *run)
{
    const struct umx_phase *phase = umx_phase(SLUG);
    struct umx_proposal proposal = {.arena = w_begin(run, NULL)->arena};

    assert_int_equal(umx_phases_propose(umx_world_records(world), &phase, 1, NULL, 0, NULL, &proposal, &run->err), 0);
    return proposal.input;
}

static void test_proposals(void **state)
{
    struct umx_world *world = complete();
    struct w_run run;
    const Umx__Input *input = propose(world, &run);

    (void)state;
    assert_int_equal(input->n_dial_plan, 0);
    w_end(&run);

    edit(world)->n_access_number = 0;
    input = propose(world, &run);
    assert_int_equal(input->n_dial_plan, 1);
    assert_string_equal(input->dial_plan[0]->name, "Berlin");
    assert_int_equal(input->dial_plan[0]->digits, 5);
    w_end(&run);

    /* None is there: a short name that no forest has, and the length of most extensions. */
    Umx__VoiceUser user = UMX__VOICE_USER__INIT;
    user.forest = w_s(W_LY);
    user.line = w_s("tel:+49301234567;ext=4567");
    w_add(world, &user.base);
    edit(world)->uri_type = UMX__DIAL_PLAN__URI_TYPE__TELEPHONE_EXTENSION;
    second_forest(world, "exchange-SIP");
    input = propose(world, &run);
    assert_int_equal(input->n_dial_plan, 2); /* the other forest's plan lacks numbers */
    assert_string_equal(input->dial_plan[0]->forest, W_EX);
    assert_string_equal(input->dial_plan[0]->name, "exchange-SIP-2");
    assert_int_equal(input->dial_plan[0]->digits, 4);
    assert_string_equal(input->dial_plan[0]->country_code, "49");
    assert_int_equal(input->dial_plan[0]->n_access_number, 0);
    w_end(&run);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pass),
        cmocka_unit_test(test_each_failure),
        cmocka_unit_test(test_child_domain_contexts),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_unknown_when_not_read),
        cmocka_unit_test(test_make_a_plan),
        cmocka_unit_test(test_security_of_new_plans),
        cmocka_unit_test(test_corrections),
        cmocka_unit_test(test_missing_policy),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_refused_plans),
        cmocka_unit_test(test_refused_attendants),
        cmocka_unit_test(test_all_bad_rows_are_named),
        cmocka_unit_test(test_proposals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/value.h"
#include "cli/world_diff.h"

static void add_hunt_group(struct umx_world *world, const char *dn, const char *pilot, int64_t collected_at)
{
    Umx__HuntGroup record = UMX__HUNT_GROUP__INIT;
    struct umx_error err;
    char forest[] = "exchange.test";

    record.forest = forest;
    record.dn = (char *)(uintptr_t)dn; /* copied, never changed */
    record.pilot_identifier = (char *)(uintptr_t)pilot;
    record.has_collected_at = 1;
    record.collected_at = collected_at;
    assert_int_equal(umx_world_add(world, &record.base, &err), 0);
}

static void add_event(struct umx_world *world, int event_id)
{
    Umx__Event record = UMX__EVENT__INIT;
    struct umx_error err;
    char server[] = "fe1.lync.test";

    record.server = server;
    record.has_event_id = 1;
    record.event_id = event_id;
    assert_int_equal(umx_world_add(world, &record.base, &err), 0);
}

static void diff(const struct umx_world *a, const struct umx_world *b, struct umx_document *document)
{
    struct umx_error err = {0};

    assert_int_equal(umx_document_open(document, "snapshot.diff", &err), 0);
    assert_int_equal(umx_world_diff(umx_world_records(a), umx_world_records(b), document, &err), 0);
}

static long long counted(const struct umx_document *document, const char *what)
{
    return umx_value_integer(json_object_get(document->root, "counts"), what);
}

static void reading_again_changes_nothing(void **state)
{
    struct umx_world *a = umx_world_new(1), *b = umx_world_new(2);
    struct umx_document document;

    (void)state;
    add_hunt_group(a, "CN=HG1,DC=x", "1000", 10);
    add_hunt_group(a, "CN=HG2,DC=x", "2000", 10);
    add_hunt_group(b, "cn=hg2,DC=x", "2000", 99); /* another order, another case of the DN, another time */
    add_hunt_group(b, "CN=HG1,DC=x", "1000", 99);
    add_event(a, 44009);
    add_event(b, 44009);
    diff(a, b, &document);
    assert_int_equal(counted(&document, "added"), 0);
    assert_int_equal(counted(&document, "removed"), 0);
    /* The DN's case is a change of its field, and nothing else is. */
    assert_int_equal(counted(&document, "changed"), 1);
    assert_int_equal(json_array_size(umx_document_array(&document, "changes")), 1);
    assert_string_equal(umx_value_string(json_array_get(umx_document_array(&document, "changes"), 0), "field"), "dn");
    umx_document_close(&document);
    umx_world_free(a);
    umx_world_free(b);
}

static void added_removed_and_changed(void **state)
{
    struct umx_world *a = umx_world_new(1), *b = umx_world_new(2);
    struct umx_document document;

    (void)state;
    add_hunt_group(a, "CN=Gone,DC=x", "1", 10);
    add_hunt_group(a, "CN=Stays,DC=x", "2", 10);
    add_hunt_group(b, "CN=New,DC=x", "3", 10);
    add_hunt_group(b, "CN=Stays,DC=x", NULL, 10);
    add_event(b, 1082);
    diff(a, b, &document);
    assert_int_equal(counted(&document, "added"), 2);
    assert_int_equal(counted(&document, "removed"), 1);
    assert_int_equal(counted(&document, "changed"), 1);

    const json_t *changes = umx_document_array(&document, "changes");
    bool seen_changed = false;
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        const char *kind = umx_value_string(change, "change");
        if (strcmp(kind, "changed") == 0) {
            seen_changed = true;
            assert_string_equal(umx_value_string(change, "table"), "hunt_group");
            assert_string_equal(umx_value_string(change, "key"), "exchange.test CN=Stays,DC=x");
            assert_string_equal(umx_value_string(change, "field"), "pilot_identifier");
            assert_string_equal(umx_value_string(change, "before"), "2");
            assert_true(json_is_null(json_object_get(change, "after")));
        } else {
            assert_true(json_is_null(json_object_get(change, "field")));
            assert_true(json_is_object(json_object_get(change, strcmp(kind, "added") == 0 ? "after" : "before")));
        }
    }
    assert_true(seen_changed);
    umx_document_close(&document);
    umx_world_free(a);
    umx_world_free(b);
}

static void add_record(struct umx_world *world, const ProtobufCMessage *record)
{
    struct umx_error err = {0};

    assert_int_equal(umx_world_add(world, record, &err), 0);
}

static void add_plan(struct umx_world *world, Umx__DialPlan__VoipSecurity security, char **numbers, size_t count)
{
    Umx__DialPlan plan = UMX__DIAL_PLAN__INIT;
    char forest[] = "exchange.test", dn[] = "CN=EU,CN=UM DialPlan Container,DC=x", name[] = "EU";

    plan.forest = forest;
    plan.dn = dn;
    plan.name = name;
    plan.has_voip_security = 1;
    plan.voip_security = security;
    plan.access_number = numbers;
    plan.n_access_number = count;
    add_record(world, &plan.base);
}

static void add_people(struct umx_world *world, const char *dial_plan, const char *um_plan, bool protected_dacl)
{
    Umx__LyncUser user = UMX__LYNC_USER__INIT;
    Umx__MailboxUser mailbox = UMX__MAILBOX_USER__INIT;
    Umx__OrganizationalUnit unit = UMX__ORGANIZATIONAL_UNIT__INIT;
    char server[] = "fe1.lync.test", sip[] = "sip:anna@x.test", dn[] = "CN=Anna,DC=x", ou[] = "OU=UM,DC=x";
    char forest[] = "exchange.test", display[] = "Anna M\xc3\xbcller";

    user.server = server;
    user.sip_address = sip;
    user.dial_plan = (char *)(uintptr_t)dial_plan;
    mailbox.forest = unit.forest = forest;
    mailbox.dn = dn;
    mailbox.display_name = display;
    mailbox.um_dial_plan_dn = (char *)(uintptr_t)um_plan;
    unit.dn = ou;
    unit.has_dacl_protected = 1;
    unit.dacl_protected = protected_dacl;
    add_record(world, &user.base);
    add_record(world, &mailbox.base);
    add_record(world, &unit.base);
}

static void changes_are_said_in_the_fields_words(void **state)
{
    struct umx_world *a = umx_world_new(1), *b = umx_world_new(2);
    struct umx_document document;
    char one[] = "+49301", two[] = "+49302", three[] = "+49303", *before[] = {one, two}, *after[] = {two, three};
    struct umx_cli cli = {.style = {.width = 100}};
    char *text = NULL;
    size_t length;

    (void)state;
    add_plan(a, UMX__DIAL_PLAN__VOIP_SECURITY__UNSECURED, before, 2);
    add_plan(b, UMX__DIAL_PLAN__VOIP_SECURITY__SIP_SECURED, after, 2);
    add_people(a, NULL, "CN=EU,OU=A,DC=x", false);
    add_people(b, "Berlin", "CN=EU,OU=B,DC=x", true);
    add_hunt_group(b, "CN=HG1,CN=1:1,CN=UM IPGateway Container,DC=x", "1", 1);
    add_event(b, 1082);
    diff(a, b, &document);
    assert_int_equal(counted(&document, "changed"), 4); /* the new tables have keys: nothing is added and removed */
    assert_int_equal(counted(&document, "removed"), 0);
    assert_int_equal(counted(&document, "added"), 2);
    cli.out = open_memstream(&text, &length);
    assert_non_null(cli.out);
    umx_snapshot_diff_view(&cli, &document);
    fclose(cli.out);
    static const char *const lines[] = {
        "\nexchange.test\n",
        "\n  dial plan EU: VoIP security unsecured -> SIP secured\n",
        "\n  dial plan EU: access number without +49301; with +49303\n",
        "\n  hunt group HG1 of gateway 1:1: added\n",
        "\n  mailbox user Anna M\xc3\xbcller: UM dial plan DN CN=EU,OU=A,DC=x -> CN=EU,OU=B,DC=x\n",
        "\n  organizational unit UM: DACL protected no -> yes\n",
        "\nfe1.lync.test\n",
        "\n  Lync user sip:anna@x.test: dial plan (nothing) -> Berlin\n",
        "\n  event: added\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("`%s` is not in\n%s", lines[i], text);
    free(text);
    umx_document_close(&document);
    umx_world_free(a);
    umx_world_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_again_changes_nothing),
        cmocka_unit_test(added_removed_and_changed),
        cmocka_unit_test(changes_are_said_in_the_fields_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

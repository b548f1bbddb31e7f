/* What a read of a forest says of what it could not read: every table that is not whole is named, however much there is
 * to say of others, and no table that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "directory/connection_internal.h"
#include "directory/read_people.h"
#include "phases/phase.h"

static struct umx_reading *reading;

static int set_up(void **state)
{
    (void)state;
    reading = calloc(1, sizeof *reading);
    assert_non_null(reading);
    reading->arena = umx_arena_new(UMX_READING_ARENA);
    reading->forest = "lync.test";
    umx__forest__init(&reading->record);
    reading->record.has_side = 1;
    reading->record.side = UMX__FOREST__SIDE__LYNC;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(reading->arena);
    free(reading);
    return 0;
}

static const char *said(const char *table)
{
    return umx_forest_incomplete(&reading->record, table);
}

static void many_lines_of_one_table_hide_no_other(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        umx_reading_incomplete(reading, "hunt_group", "CN=%d: listed, but its attributes are hidden", i);
    umx_reading_incomplete(reading, "access_entry", "access denied");
    assert_string_equal(said("hunt_group"), "hunt_group: CN=0: listed, but its attributes are hidden");
    assert_string_equal(said("access_entry"), "access_entry: access denied");
    assert_null(said("ip_gateway"));
    assert_int_equal(reading->record.n_incomplete, UMX_READING_GAP_LINES + 1);
    assert_string_equal(reading->record.incomplete[UMX_READING_GAP_LINES - 1], "hunt_group: and 293 more");
}

static void a_line_survives_where_memory_ends(void **state)
{
    (void)state;
    umx_arena_free(reading->arena);
    reading->arena = umx_arena_new(16);
    for (int i = 0; i < 20; i++)
        umx_reading_incomplete(reading, "access_entry", "a reason that does not fit");
    umx_reading_incomplete(reading, "dial_plan", "a reason that does not fit");
    assert_non_null(said("access_entry"));
    assert_non_null(said("dial_plan"));
}

static void numbers_are_incomplete_with_what_they_count(void **state)
{
    (void)state;
    umx_reading_incomplete(reading, "voice_user", "time limit exceeded");
    assert_non_null(said("voice_user"));
    assert_non_null(strstr(said("lync_pool"), "Enterprise Voice users are not all counted: time limit exceeded"));
    assert_null(said("organizational_unit"));
    umx_reading_incomplete(reading, "contact", "time limit exceeded");
    assert_non_null(said("organizational_unit"));
}

static void a_forest_without_lync_counts_nobody(void **state)
{
    (void)state;
    reading->record.side = UMX__FOREST__SIDE__EXCHANGE;
    umx_reading_incomplete(reading, "voice_user", "time limit exceeded");
    umx_reading_incomplete(reading, "contact", "time limit exceeded");
    assert_null(said("lync_pool"));
    assert_null(said("organizational_unit"));
}

/* A child domain whose only domain controller nobody finds. */
static void open_with_child(void)
{
    static char host[] = "dc1.child.lync.test:1", dn[] = "DC=child,DC=lync,DC=test", name[] = "child.lync.test";
    static char *hosts[] = {host};
    static Umx__Configure configure = UMX__CONFIGURE__INIT;
    static Umx__Domain child = UMX__DOMAIN__INIT;
    static const struct umx_directory_account account = {.forest = "lync.test"};
    static struct umx_readers_source asked = {.configure = &configure, .account = &account};
    static struct umx_connection root = {.root = {.root_dn = "DC=lync,DC=test"}};
    struct umx_error err = {0};

    configure.domain_controller = hosts;
    configure.n_domain_controller = 1;
    child.domain = name;
    child.dn = dn;
    asked.deadline = umx_clock_monotonic() - 1;
    reading->asked = &asked;
    reading->connection = &root;
    reading->domains[reading->domain_count++] = &child;
    assert_int_equal(umx_read_domains_open(reading, &err), 0);
    assert_int_equal(reading->open_count, 1);
}

static void what_a_closed_domain_holds_is_named(void **state)
{
    static const char *const tables[] = {"voice_user", "mailbox_user",        "contact",
                                         "lync_pool",  "organizational_unit", "access_entry"};

    (void)state;
    open_with_child();
    assert_string_equal(reading->closed, "child.lync.test");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (said(tables[i]) == NULL)
            fail_msg("nothing is said of %s", tables[i]);
        assert_non_null(strstr(said(tables[i]), "the domain child.lync.test cannot be read: "));
    }
    assert_null(said("admin_group")); /* they are looked for first */
    assert_null(said("dial_plan"));
}

static void an_exchange_forest_says_nothing_of_units(void **state)
{
    static const char *const whole[] = {"lync_pool", "organizational_unit", "access_entry", "admin_group"};

    (void)state;
    reading->record.side = UMX__FOREST__SIDE__EXCHANGE;
    open_with_child();
    assert_non_null(said("mailbox_user"));
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        assert_null(said(whole[i]));
}

/* Entries alone are wanted where one is read back: they may be in any domain. */
static void entries_are_read_in_all_domains(void **state)
{
    static char table[] = "access_entry";
    static char *const tables[] = {table};

    (void)state;
    reading->tables = tables;
    reading->table_count = 1;
    open_with_child();
    assert_non_null(said("access_entry"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_lines_of_one_table_hide_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_survives_where_memory_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_incomplete_with_what_they_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_forest_without_lync_counts_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_closed_domain_holds_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_exchange_forest_says_nothing_of_units, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_are_read_in_all_domains, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

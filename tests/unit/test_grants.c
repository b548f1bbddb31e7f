/* What `umx grants show` prints: every write of a phase has its right, for the objects that are there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "controller/grants.h"

static struct umx_arena *arena;
static Umx__Grant **grants;
static size_t count;

static void make(Umx__Forest__Side side, const Umx__World *records)
{
    char name[] = "x.test", reader[] = "umx-reader@X.TEST", writer[] = "umx-writer@X.TEST";
    const struct umx_forest_config forest = {.name = name, .side = side, .reader = reader, .writer = writer};
    struct umx_error err = {0};

    umx_arena_free(arena);
    arena = umx_arena_new(1024 * 1024);
    assert_non_null(arena);
    assert_int_equal(umx_grants(&forest, records, arena, &grants, &count, &err), 0);
}

static bool has(const char *command)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(grants[i]->command, command) == 0)
            return true;
    return false;
}

#define HAS(command)                                                                                                   \
    if (!has(command))                                                                                                 \
    fail_msg("no command `%s`", command)

static void a_forest_that_was_read_has_its_own_names(void **state)
{
    Umx__World world = UMX__WORLD__INIT;
    Umx__Forest forest = UMX__FOREST__INIT, *forests[] = {&forest};
    Umx__Domain root = UMX__DOMAIN__INIT, child = UMX__DOMAIN__INIT, *domains[] = {&root, &child};
    Umx__OrganizationalUnit unit = UMX__ORGANIZATIONAL_UNIT__INIT, empty = UMX__ORGANIZATIONAL_UNIT__INIT;
    Umx__OrganizationalUnit *units[] = {&unit, &empty};
    Umx__AdminGroup group = UMX__ADMIN_GROUP__INIT, *groups[] = {&group};
    Umx__ExchangeServer server = UMX__EXCHANGE_SERVER__INIT, *servers[] = {&server};
    char name[] = "x.test", org[] = "CN=Org,DC=x", cfg[] = "CN=Configuration,DC=x", dn[] = "DC=x",
         other[] = "DC=c,DC=x";
    char ou[] = "OU=UM,DC=x", none[] = "OU=Other,DC=x", meaning[] = "um_management", local[] = "UM-Verwaltung",
         nb[] = "XX";

    (void)state;
    forest.forest = root.forest = child.forest = unit.forest = empty.forest = group.forest = server.forest = name;
    forest.organization_dn = org;
    forest.config_dn = cfg;
    forest.netbios = nb;
    root.dn = dn;
    child.dn = other;
    unit.dn = ou;
    unit.contacts = 3;
    empty.dn = none;
    group.meaning = meaning;
    group.name = local;
    server.has_version_major = 1;
    server.version_major = 8;
    world.forest = forests;
    world.domain = domains;
    world.organizational_unit = units;
    world.admin_group = groups;
    world.exchange_server = servers;
    world.n_forest = world.n_admin_group = world.n_exchange_server = 1;
    world.n_domain = world.n_organizational_unit = 2;
    make(UMX__FOREST__SIDE__BOTH, &world);
    HAS("dsacls \"CN=Org,DC=x\" /I:T /G \"XX\\umx-reader:GR\"");
    HAS("dsacls \"DC=x\" /G \"XX\\umx-reader:CA;Replicating Directory Changes\"");
    HAS("dsacls \"DC=c,DC=x\" /I:S /G \"XX\\umx-writer:RPWP;proxyAddresses;user\"");
    HAS("dsacls \"CN=UM DialPlan Container,CN=Org,DC=x\" /I:S /G "
        "\"XX\\umx-writer:RPWP;msExchUMDialPlanVoipSecurity;msExchUMDialPlan\"");
    HAS("dsacls \"CN=UM IPGateway Container,CN=Org,DC=x\" /I:T /G \"XX\\umx-writer:GRCCDCWPSDDT\"");
    HAS("dsacls \"OU=UM,DC=x\" /G \"XX\\umx-writer:CCDC;contact\"");
    HAS("Add-ADGroupMember -Identity \"Exchange Organization Administrators\" -Members \"<SHELL ACCOUNT>\"");
    assert_false(has("Add-RoleGroupMember \"UM-Verwaltung\" -Member \"XX\\<SHELL ACCOUNT>\"")); /* 2007 alone */
    for (size_t i = 0; i < count; i++) {
        assert_null(strstr(grants[i]->command, "OU=Other"));
        assert_string_equal(grants[i]->forest, "x.test");
        assert_true(strlen(grants[i]->reason) > 0);
    }
    server.version_major = 15;
    make(UMX__FOREST__SIDE__BOTH, &world);
    HAS("Add-RoleGroupMember \"UM-Verwaltung\" -Member \"XX\\<SHELL ACCOUNT>\"");
    HAS("Add-ADGroupMember -Identity \"RTCUniversalUserAdmins\" -Members \"<SHELL ACCOUNT>\"");
    assert_false(
        has("Add-ADGroupMember -Identity \"Exchange Organization Administrators\" -Members \"<SHELL ACCOUNT>\""));
}

static void a_forest_that_was_not_read_has_places_to_fill_in(void **state)
{
    Umx__World world = UMX__WORLD__INIT;

    (void)state;
    make(UMX__FOREST__SIDE__LYNC, &world);
    HAS("dsacls \"<OU OF THE CONTACTS>\" /G \"<DOMAIN>\\umx-writer:CCDC;contact\"");
    HAS("dsacls \"CN=RTC Service,CN=Services,<CFG>\" /I:T /G \"<DOMAIN>\\umx-reader:GR\"");
    for (size_t i = 0; i < count; i++) { /* nothing of the other product */
        assert_null(strstr(grants[i]->command, "msExchUM"));
        assert_null(strstr(grants[i]->command, "RoleGroup"));
    }
    make(UMX__FOREST__SIDE__EXCHANGE, &world);
    HAS("Add-RoleGroupMember \"Server Management\" -Member \"<DOMAIN>\\<SHELL ACCOUNT>\"");
    for (size_t i = 0; i < count; i++)
        assert_null(strstr(grants[i]->command, "RTC"));
}

/* Who may name an organizational unit must not have words run by the administrator who copies the command. */
static void a_name_that_ends_the_quotes_is_not_printed(void **state)
{
    static char name[] = "x.test", evil[] = "OU=a\\\" & calc & \\\",DC=x", meaning[] = "um_management",
                local[] = "x$(calc)";
    Umx__World world = UMX__WORLD__INIT;
    Umx__OrganizationalUnit unit = UMX__ORGANIZATIONAL_UNIT__INIT, *units[] = {&unit};
    Umx__AdminGroup group = UMX__ADMIN_GROUP__INIT, *groups[] = {&group};

    (void)state;
    unit.forest = group.forest = name;
    unit.dn = evil;
    unit.has_contacts = 1;
    unit.contacts = 1;
    group.meaning = meaning;
    group.name = local;
    world.organizational_unit = units;
    world.admin_group = groups;
    world.n_organizational_unit = world.n_admin_group = 1;
    make(UMX__FOREST__SIDE__BOTH, &world);
    HAS("dsacls \"<DN>\" /G \"<DOMAIN>\\umx-writer:CCDC;contact\"");
    HAS("Add-RoleGroupMember \"UM Management\" -Member \"<DOMAIN>\\<SHELL ACCOUNT>\"");
    for (size_t i = 0; i < count; i++)
        assert_null(strstr(grants[i]->command, "calc"));
}

static int release(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forest_that_was_read_has_its_own_names),
        cmocka_unit_test(a_forest_that_was_not_read_has_places_to_fill_in),
        cmocka_unit_test(a_name_that_ends_the_quotes_is_not_printed),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

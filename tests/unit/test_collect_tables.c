/* The tables that come from the registry, the lists and the shell of recorded hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recorded_host.h"

static struct umx_host *open_fixture(const char *where)
{
    struct umx_host *host = NULL;
    assert_int_equal(umx_host_open(where, &host, NULL), 0);
    return host;
}

static void servers_are_recognised(void **state)
{
    static const struct {
        const char *where;
        Umx__Server__Product product;
        int32_t major, minor, build; /* major 0: no version */
    } hosts[] = {
        {FIXTURE("exchange2013"), UMX__SERVER__PRODUCT__EXCHANGE, 15, 0, 851},
        {FIXTURE("exchange2010"), UMX__SERVER__PRODUCT__EXCHANGE, 14, 3, 123},
        {FIXTURE("exchange2007"), UMX__SERVER__PRODUCT__EXCHANGE, 8, 1, 240}, /* from a role: no Msi values */
        {FIXTURE("lync2010"), UMX__SERVER__PRODUCT__LYNC, 4, 0, 7577},        /* by the marker key */
        {FIXTURE("lync2013"), UMX__SERVER__PRODUCT__LYNC, 0, 0, 0},           /* by its services */
    };

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct umx_host *host = open_fixture(hosts[i].where);
        struct umx_rows rows = collect_rows(host, "server");
        assert_int_equal(rows.count, 1);
        const Umx__Server *row = (const Umx__Server *)rows.items[0];
        assert_int_equal(row->product, hosts[i].product);
        assert_int_equal(row->has_version_major, hosts[i].major != 0);
        assert_int_equal(row->version_major, hosts[i].major);
        assert_int_equal(row->version_minor, hosts[i].minor);
        assert_int_equal(row->version_build, hosts[i].build);
        assert_true(row->recorded);
        assert_true(row->has_shell && !row->shell); /* it names no shell_program */
        assert_false(row->has_collected_at);
        umx_rows_end(&rows);
        umx_host_close(host);
    }
}

static void a_plain_machine_is_no_product(void **state)
{
    struct place place = place_make();

    (void)state;
    place_write(&place, "host.ini", "[host]\nfqdn = a.test\n");
    /* The management tools leave a Setup key and no role. */
    place_write(&place, "registry.reg",
                "Windows Registry Editor Version 5.00\n\n"
                "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup]\n"
                "\"MsiProductMajor\"=dword:0000000f\n");
    struct umx_host *host = place_open(&place);
    struct umx_rows rows = collect_rows(host, "server");
    assert_int_equal(((const Umx__Server *)rows.items[0])->product, UMX__SERVER__PRODUCT__NONE);
    umx_rows_end(&rows);
    umx_host_close(host);
    place_remove(&place);
}

static const Umx__Role *role_of(const struct umx_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(((const Umx__Role *)rows->items[i])->role, name) == 0)
            return (const Umx__Role *)rows->items[i];
    fail_msg("no role %s", name);
    return NULL;
}

static void roles_are_complete_or_not(void **state)
{
    struct umx_host *host = open_fixture(FIXTURE("exchange2013"));
    struct umx_rows rows = collect_rows(host, "role");

    (void)state;
    assert_int_equal(rows.count, 3);
    assert_int_equal(role_of(&rows, "CafeRole")->state, UMX__ROLE__STATE__COMPLETE);
    const Umx__Role *um = role_of(&rows, "UnifiedMessagingRole");
    assert_int_equal(um->state, UMX__ROLE__STATE__UNFINISHED);
    assert_string_equal(um->action, "BuildToBuildUpgrade");
    assert_string_equal(um->watermark, "\xc3\x9c"
                                       "berschrift");
    umx_rows_end(&rows);
    umx_host_close(host);
    /* Only unpacked: setup did not configure it. */
    host = open_fixture(FIXTURE("exchange2007"));
    rows = collect_rows(host, "role");
    assert_int_equal(rows.count, 2);
    assert_int_equal(role_of(&rows, "MailboxRole")->state, UMX__ROLE__STATE__UNFINISHED);
    assert_int_equal(role_of(&rows, "UnifiedMessagingRole")->state, UMX__ROLE__STATE__COMPLETE);
    umx_rows_end(&rows);
    umx_host_close(host);
}

static void a_watermark_alone_is_unfinished(void **state)
{
    struct place place = place_make();

    (void)state;
    place_write(&place, "host.ini", "[host]\nfqdn = a.test\n");
    place_write(&place, "registry.reg",
                "Windows Registry Editor Version 5.00\n\n"
                "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\MailboxRole]\n"
                "\"ConfiguredVersion\"=\"15.0.847.32\"\n\"UnpackedVersion\"=\"15.0.847.32\"\n\"Watermark\"=dword:1\n");
    struct umx_host *host = place_open(&place);
    struct umx_rows rows = collect_rows(host, "role");
    assert_int_equal(rows.count, 1);
    assert_int_equal(role_of(&rows, "MailboxRole")->state, UMX__ROLE__STATE__UNFINISHED);
    assert_string_equal(role_of(&rows, "MailboxRole")->watermark, "1");
    umx_rows_end(&rows);
    umx_host_close(host);
    place_remove(&place);
}

static void services_come_with_what_they_need(void **state)
{
    struct umx_host *host = open_fixture(FIXTURE("exchange2013"));
    struct umx_rows rows = collect_rows(host, "service");
    bool netlogon = false;
    bool router = false;

    (void)state;
    assert_int_equal(rows.count, 5);
    for (size_t i = 0; i < rows.count; i++) {
        const Umx__Service *row = (const Umx__Service *)rows.items[i];
        assert_string_not_equal(row->name, "Spooler");
        netlogon = netlogon || strcmp(row->name, "Netlogon") == 0; /* two steps away */
        if (strcmp(row->name, "MSExchangeUMCR") == 0) {
            router = true;
            assert_int_equal(row->state, UMX__SERVICE__STATE__STOPPED);
            assert_false(row->has_process_id);
            assert_false(row->has_started_at);
        }
    }
    assert_true(netlogon && router);
    umx_rows_end(&rows);
    umx_host_close(host);
}

static void events_are_the_newest_that_checks_read(void **state)
{
    struct umx_host *host = open_fixture(FIXTURE("exchange2013"));
    struct umx_rows rows = collect_rows(host, "event");
    int64_t oldest = INT64_MAX;
    size_t tls = 0;

    (void)state;
    assert_int_equal(rows.count, 50);
    for (size_t i = 0; i < rows.count; i++) {
        const Umx__Event *row = (const Umx__Event *)rows.items[i];
        assert_string_equal(row->provider, "MSExchange Unified Messaging");
        assert_int_not_equal(row->event_id, 9999);
        tls += row->event_id == 1113;
        if (row->logged_at < oldest)
            oldest = row->logged_at;
        assert_true(row->event_id != 1000 || strcmp(row->message, "worker 11") != 0);
    }
    assert_int_equal(tls, 1);
    assert_true(oldest > INT64_C(1764547200000000)); /* 2025-12-01: the first twelve were left out */
    umx_rows_end(&rows);
    umx_host_close(host);
}

static void settings_come_from_the_shell(void **state)
{
    struct umx_host *host = open_fixture(FIXTURE("exchange2013"));
    struct umx_rows rows = collect_rows(host, "um_setting");

    (void)state;
    assert_int_equal(rows.count, 2);
    const Umx__UmSetting *um = (const Umx__UmSetting *)rows.items[0];
    const Umx__UmSetting *router = (const Umx__UmSetting *)rows.items[1];
    if (strcmp(um->service, "MSExchangeUM") != 0) {
        um = router;
        router = (const Umx__UmSetting *)rows.items[0];
    }
    assert_string_equal(um->startup_mode, "dual");
    assert_int_equal(um->n_dial_plan, 2);
    assert_string_equal(um->dial_plan[1], "K\xc3\xb6ln");
    assert_int_equal(um->tls_port, 5063);
    assert_null(um->sip_access_service);
    assert_string_equal(router->service, "MSExchangeUMCR");
    assert_string_equal(router->startup_mode, "tls");
    umx_rows_end(&rows);
    umx_host_close(host);
}

static const Umx__LyncPolicy *policy_of(const struct umx_rows *rows, const char *kind)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(((const Umx__LyncPolicy *)rows->items[i])->kind, kind) == 0)
            return (const Umx__LyncPolicy *)rows->items[i];
    fail_msg("no policy of kind %s", kind);
    return NULL;
}

static void lync_shows_plans_policies_and_pools(void **state)
{
    struct umx_host *host = open_fixture(FIXTURE("lync2013"));
    struct umx_rows rows = collect_rows(host, "lync_dial_plan");

    (void)state;
    assert_int_equal(rows.count, 2);
    for (size_t i = 0; i < rows.count; i++) {
        const Umx__LyncDialPlan *plan = (const Umx__LyncDialPlan *)rows.items[i];
        if (strcmp(plan->identity, "Global") == 0) {
            assert_int_equal(plan->n_rule, 2);
            assert_string_equal(plan->rule[0], "^(\\d{5})$\t+4930123$1");
        }
    }
    umx_rows_end(&rows);
    rows = collect_rows(host, "lync_policy");
    assert_int_equal(rows.count, 4);
    assert_string_equal(policy_of(&rows, "media")->value[0], "RequireEncryption");
    assert_int_equal(policy_of(&rows, "voice_route")->n_value, 3);
    assert_string_equal(policy_of(&rows, "voice_route")->value[0], "^\\+");
    /* The registrar in the same answer is no gateway. */
    assert_string_equal(policy_of(&rows, "pstn_gateway")->value[0], "gw1.lync.test");
    umx_rows_end(&rows);
    rows = collect_rows(host, "lync_pool_member");
    assert_int_equal(rows.count, 3);
    size_t ready = 0;
    size_t unknown = 0;
    for (size_t i = 0; i < rows.count; i++) {
        const Umx__LyncPoolMember *member = (const Umx__LyncPoolMember *)rows.items[i];
        ready += member->has_ready && member->ready;
        unknown += !member->has_ready;
        if (strcmp(member->pool, "pool2.lync.test") == 0)
            assert_null(member->backup_pool);
        else
            assert_string_equal(member->backup_pool, "pool2.lync.test");
    }
    assert_int_equal(ready, 2);
    assert_int_equal(unknown, 1);
    umx_rows_end(&rows);
    umx_host_close(host);
}

static void a_digest_does_not_depend_on_order(void **state)
{
    static const char one[] = "[{\"address\":\"::\",\"port\":1},{\"address\":\"::\",\"port\":2}]";
    static const char two[] = "[{\"address\":\"::\",\"port\":2},{\"address\":\"::\",\"port\":1}]";
    static const char three[] = "[{\"address\":\"::\",\"port\":2},{\"address\":\"::\",\"port\":3}]";
    static const char *const lists[] = {one, two, three};
    uint8_t digests[3][UMX_DIGEST];
    struct place place = place_make();

    (void)state;
    place_write(&place, "host.ini", "[host]\nfqdn = a.test\n");
    struct umx_host *host = place_open(&place);
    for (size_t i = 0; i < 3; i++) {
        place_write(&place, "listeners.json", lists[i]);
        struct umx_rows rows = collect_rows(host, "listener");
        assert_int_equal(rows.count, 2);
        assert_int_equal(umx_rows_digest(&rows, digests[i], NULL), 0);
        umx_rows_end(&rows);
    }
    assert_memory_equal(digests[0], digests[1], UMX_DIGEST);
    assert_memory_not_equal(digests[0], digests[2], UMX_DIGEST);
    umx_host_close(host);
    place_remove(&place);
}

static void local_administrators_are_sids(void **state)
{
    struct place place = place_make();
    struct umx_rows rows;
    struct umx_error err = {0};
    struct umx_collect collect = {0};
    (void)state;

    place_write(&place, "host.ini", "[host]\nfqdn = a.test\n");
    struct umx_host *host = place_open(&place);
    collect.host = host;
    rows = collect_rows(host, "local_administrator");
    assert_int_equal(rows.count, 0);
    umx_rows_end(&rows);
    place_write(&place, "administrators.txt", "S-1-5-21-1-2-3-512\tA\\Domain Admins\r\n\nS-1-5-21-9-8-7-500\n");
    rows = collect_rows(host, "local_administrator");
    assert_int_equal(rows.count, 2);
    const Umx__LocalAdministrator *row = (const Umx__LocalAdministrator *)rows.items[0];
    if (row->name == NULL)
        row = (const Umx__LocalAdministrator *)rows.items[1];
    assert_string_equal(row->server, "a.test");
    assert_string_equal(row->sid, "S-1-5-21-1-2-3-512");
    assert_string_equal(row->name, "A\\Domain Admins");
    umx_rows_end(&rows);
    place_write(&place, "administrators.txt", "Domain Admins\n");
    assert_int_not_equal(umx_collect_table(umx_collector_find("local_administrator"), &collect, &rows, &err), 0);
    assert_int_equal(err.id, UMX_ERR_HOST_UNREADABLE);
    umx_rows_end(&rows);
    umx_host_close(host);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_recognised),
        cmocka_unit_test(a_plain_machine_is_no_product),
        cmocka_unit_test(roles_are_complete_or_not),
        cmocka_unit_test(a_watermark_alone_is_unfinished),
        cmocka_unit_test(services_come_with_what_they_need),
        cmocka_unit_test(events_are_the_newest_that_checks_read),
        cmocka_unit_test(settings_come_from_the_shell),
        cmocka_unit_test(lync_shows_plans_policies_and_pools),
        cmocka_unit_test(local_administrators_are_sids),
        cmocka_unit_test(a_digest_does_not_depend_on_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

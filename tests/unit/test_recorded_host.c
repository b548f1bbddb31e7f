/* A recorded host: what is read from its directory, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "recorded_host.h"

#define INI "[host]\nfqdn = ex1.test\n"

static struct umx_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = umx_arena_new(32 * 1024 * 1024);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

static void identity_is_read(void **state)
{
    struct umx_host *host = NULL;
    struct place place = place_make();

    (void)state;
    assert_int_equal(umx_host_open(FIXTURE("exchange2013"), &host, NULL), 0);
    assert_string_equal(host->identity.fqdn, "ex13.exchange.test");
    assert_string_equal(host->identity.forest, "exchange.test");
    assert_string_equal(host->identity.keytab, "");
    assert_true(host->identity.recorded);
    umx_host_close(host);
    place_write(&place, "host.ini", INI "[directory]\nprincipal = EX1$@TEST\nkeytab = ex1.keytab\n");
    host = place_open(&place);
    /* A bare name stands beside host.ini. */
    assert_memory_equal(host->identity.keytab, place.path, strlen(place.path));
    assert_string_equal(host->identity.keytab + strlen(place.path), "/ex1.keytab");
    umx_host_close(host);
    place_remove(&place);
}

static void a_bad_identity_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "[host]\nos = x\n",
                                      INI "unknown = 1\n",
                                      INI "words\n",
                                      INI "started_at = yesterday\n",
                                      "[host]\nfqdn = \xff\n"};
    struct place place = place_make();
    struct umx_host *host = NULL;
    struct umx_error err = {0};
    char where[128];

    (void)state;
    snprintf(where, sizeof where, "recorded:%s", place.path);
    assert_int_equal(umx_host_open(where, &host, &err), UMX_E_IO);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        place_write(&place, "host.ini", bad[i]);
        assert_int_equal(umx_host_open(where, &host, &err), UMX_E_IO);
        assert_int_equal(err.id, UMX_ERR_HOST_UNREADABLE);
    }
    assert_int_equal(umx_host_open("elsewhere", &host, &err), UMX_E_ARGUMENT);
    place_remove(&place);
}

static void what_was_not_recorded_is_empty(void **state)
{
    struct place place = place_make();
    place_write(&place, "host.ini", INI);
    struct umx_host *host = place_open(&place);
    struct umx_registry registry;
    struct umx_host_service *services;
    struct umx_host_listener *listeners;
    struct umx_host_event *events;
    struct umx_host_certificate *certificates;
    char *text;
    size_t count = 99;
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_host_registry(host, NULL, arena, &registry, NULL), 0);
    assert_int_equal(registry.count, 0);
    assert_int_equal(umx_host_services(host, arena, &services, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(umx_host_listeners(host, arena, &listeners, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(umx_host_events(host, arena, NULL, 0, &events, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(umx_host_certificates(host, arena, &certificates, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(umx_host_shell(host, arena, "Get-UMService", "", NULL, 0, &text, &count, &err), UMX_E_NOT_FOUND);
    /* A name is no path. */
    assert_int_equal(umx_host_shell(host, arena, "../host", "", NULL, 0, &text, &count, &err), UMX_E_IO);
    umx_host_close(host);
    place_remove(&place);
}

static void bad_lists_are_refused(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[",
        "[1]",
        "[{\"name\":\"a\"}]",
        "[{\"name\":\"a\",\"state\":\"dancing\"}]",
        "[{\"name\":\"a\",\"state\":\"running\",\"process_id\":-1}]",
        "[{\"name\":\"a\",\"state\":\"running\",\"process_id\":3000000000}]",
        "[{\"name\":\"a\",\"state\":\"running\",\"started_at\":\"now\"}]",
        "[{\"name\":7,\"state\":\"running\"}]",
        "[{\"name\":\"a\",\"state\":\"running\",\"account\":[]}]",
    };
    struct place place = place_make();
    place_write(&place, "host.ini", INI);
    struct umx_host *host = place_open(&place);
    struct umx_host_service *services;
    struct umx_host_listener *listeners;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct umx_error err = {0};
        place_write(&place, "services.json", bad[i]);
        assert_int_equal(umx_host_services(host, arena, &services, &count, &err), UMX_E_IO);
        assert_int_equal(err.id, UMX_ERR_HOST_UNREADABLE);
        assert_int_equal(count, 0);
    }
    place_write(&place, "listeners.json", "[{\"address\":\"::\",\"port\":65536}]");
    assert_int_equal(umx_host_listeners(host, arena, &listeners, &count, NULL), UMX_E_IO);
    umx_host_close(host);
    place_remove(&place);
}

static void a_key_is_noticed_and_not_read(void **state)
{
    static const char certificate[] = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    static const char key[] = "-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n";
    struct umx_host_certificate *list;
    struct place place = place_make();
    char both[512];
    size_t count = 0;

    (void)state;
    place_write(&place, "host.ini", INI);
    snprintf(both, sizeof both, "%s%s%s", key, certificate, certificate);
    place_write(&place, "certificates/a.pem", both);
    place_write(&place, "certificates/b.pem", certificate);
    place_write(&place, "certificates/c.pem", "nothing");
    place_write(&place, "certificates/d.txt", certificate);
    place_write(&place, "certificates/root/r.pem", certificate);
    struct umx_host *host = place_open(&place);
    assert_int_equal(umx_host_certificates(host, arena, &list, &count, NULL), 0);
    assert_int_equal(count, 5);
    assert_true(list[0].has_key && list[0].store == UMX_HOST_STORE_MY);
    assert_int_equal(list[0].length, 3);
    assert_memory_equal(list[0].der, "\0\1\2", 3);
    assert_true(!list[1].has_key && list[1].store == UMX_HOST_STORE_CA);
    assert_true(!list[2].has_key && list[2].store == UMX_HOST_STORE_MY);
    assert_string_equal(list[3].label, "c.pem");
    assert_non_null(list[3].error);
    assert_true(list[4].store == UMX_HOST_STORE_ROOT);
    umx_host_close(host);
    place_remove(&place);
}

static void a_restart_is_a_new_start_time(void **state)
{
    struct umx_host_service *list;
    struct place place = place_make();
    struct umx_error err = {0};
    size_t count = 0;

    (void)state;
    place_write(&place, "host.ini", INI);
    place_write(&place, "services.json",
                "[{\"name\":\"RTCSRV\",\"state\":\"stopped\",\"started_at\":null,\"note\":\"kept\"},"
                "{\"name\":\"RTCMEDSRV\",\"state\":\"running\",\"started_at\":\"2026-01-01T00:00:00Z\"}]");
    struct umx_host *host = place_open(&place);
    uint64_t before = umx_host_stamp(host);
    assert_int_equal(umx_host_stamp(host), before);
    umx_clock_set(INT64_C(1769897600000000));
    assert_int_equal(umx_host_restart(host, "rtcsrv", UMX_SECOND, NULL), 0);
    umx_clock_set(0);
    assert_int_equal(umx_host_services(host, arena, &list, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].state, UMX__SERVICE__STATE__RUNNING);
    assert_true(list[0].started_at == INT64_C(1769897600000000));
    assert_true(list[1].started_at < list[0].started_at);
    char *text = place_read(&place, "services.json");
    assert_non_null(strstr(text, "kept"));
    free(text);
    assert_true(umx_host_stamp(host) != before);
    assert_int_equal(umx_host_restart(host, "Spooler", UMX_SECOND, &err), UMX_E_NOT_FOUND);
    umx_host_close(host);
    place_remove(&place);
}

static void every_file_counts_as_a_change(void **state)
{
    static const char *const names[] = {"registry.reg",          "services.json",          "listeners.json",
                                        "events.json",           "certificates/a.pem",     "certificates/root/b.pem",
                                        "certificates/ca/c.pem", "shell/Get-UMService.txt"};
    struct place place = place_make();

    (void)state;
    place_write(&place, "host.ini", INI);
    struct umx_host *host = place_open(&place);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t before = umx_host_stamp(host);
        place_write(&place, names[i], "[]");
        uint64_t after = umx_host_stamp(host);
        assert_true(before != after);
        place_write(&place, names[i], "[1]");
        assert_true(umx_host_stamp(host) != after);
    }
    umx_host_close(host);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(identity_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_identity_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_recorded_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_lists_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_noticed_and_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_is_a_new_start_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_file_counts_as_a_change, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

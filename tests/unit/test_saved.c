/* The questions that come with umx: each finds what it is about, and nothing where it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "controller/saved.h"
#include "store/query.h"
#include "store/state.h"

static char directory[64];
static struct umx_state *store;
static struct umx_text rows;
static const char *agent_version;

/* Records as JSON: what is not said is unset. */
static void put(const char *table, const char *key, const char *value, const char *json)
{
    const struct umx_table *to = umx_reflect_table(table);
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    ProtobufCMessage *record = NULL;
    struct umx_error err = {0};

    assert_non_null(to);
    if (umx_reflect_from_json(to->record, json, strlen(json), arena, &record, &err) != 0 ||
        umx_state_replace(store, to, key, value, &record, 1, &err) != UMX_OK)
        fail_msg("%s: %s", json, umx_error_why(&err));
    umx_arena_free(arena);
}

static void now_plus(int64_t days, char text[UMX_CLOCK_TEXT])
{
    umx_clock_format(umx_clock_now() + days * UMX_DAY, text);
}

/* A certificate of a server's store, valid from and to so many days from now. */
static void put_certificate(const char *server, const char *store_name, int64_t from, int64_t to)
{
    struct umx_text json = {0};
    char begin[UMX_CLOCK_TEXT], end[UMX_CLOCK_TEXT];

    now_plus(from, begin);
    now_plus(to, end);
    umx_text_addf(&json,
                  "{\"server\":\"%s\",\"store\":\"%s\",\"thumbprint\":\"AB12\",\"subject_cn\":\"um\","
                  "\"not_before_at\":\"%s\",\"not_after_at\":\"%s\"}",
                  server, store_name, begin, end);
    put("certificate", "server", server, umx_text_string(&json));
    umx_text_free(&json);
}

static void put_service(const char *server, const char *name, const char *service_state, int64_t started)
{
    struct umx_text json = {0};
    char begin[UMX_CLOCK_TEXT];

    now_plus(started, begin);
    umx_text_addf(&json, "{\"server\":\"%s\",\"name\":\"%s\",\"state\":\"%s\",\"started_at\":\"%s\"}", server, name,
                  service_state, begin);
    put("service", "server", server, umx_text_string(&json));
    umx_text_free(&json);
}

/* A fleet in which nothing is wrong. */
static int set_up(void **state)
{
    char path[128];

    (void)state;
    strcpy(directory, "/tmp/umx-saved-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/state.db", directory);
    if (umx_state_open(path, &store, NULL) != UMX_OK)
        return -1;
    agent_version = UMX_VERSION;
    put_certificate("um1.ex.test", "My", -10, 300);
    put_service("um1.ex.test", "MSExchangeUM", "running", -5);
    put("dial_plan", "forest", "ex.test",
        "{\"forest\":\"ex.test\",\"dn\":\"CN=EU,DC=ex\",\"name\":\"EU\",\"uri_type\":\"sip_name\"}");
    put("exchange_server", "server", "um1.ex.test",
        "{\"forest\":\"ex.test\",\"server\":\"um1.ex.test\",\"roles\":54,\"version_major\":15,\"um_startup_mode\":2,"
        "\"um_certificate_thumbprint\":\"ab12\",\"dial_plan_dn\":[\"cn=eu,dc=ex\"]}");
    put("exchange_server", "server", "old.ex.test",
        "{\"forest\":\"ex.test\",\"server\":\"old.ex.test\",\"roles\":16,\"version_major\":8,"
        "\"dial_plan_dn\":[\"CN=EU,DC=ex\"]}");
    put("lync_pool", "forest", "lync.test",
        "{\"forest\":\"lync.test\",\"pool\":\"pool1.lync.test\",\"voice_users\":7}");
    put("ip_gateway", "forest", "ex.test", "{\"forest\":\"ex.test\",\"address\":\"POOL1.lync.test\"}");
    return 0;
}

static int tear_down(void **state)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;

    (void)state;
    umx_state_close(store);
    umx_text_free(&rows);
    while (entries != NULL && (entry = readdir(entries)) != NULL)
        unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    return rmdir(directory);
}

static int take_row(void *user, const char *json, size_t length)
{
    (void)user;
    umx_text_add(&rows, json, length);
    umx_text_adds(&rows, "\n");
    return UMX_OK;
}

static int fill(void *user, const struct umx_table *table, struct umx_query_sink *sink, struct umx_error *err)
{
    static char name[] = "umx://d/agent/1", server[] = "um1.ex.test", connected[] = "connected";
    char version[32];
    Umx__Agent agent = UMX__AGENT__INIT;

    (void)user;
    (void)table;
    umx_text_copy(version, sizeof version, agent_version);
    agent.agent = name;
    agent.server = server;
    agent.state = connected;
    agent.version = version;
    return umx_query_add(sink, &agent.base, err);
}

static const char *ask(const char *name)
{
    const struct umx_table *live[] = {umx_reflect_table("agent")};
    struct umx_query query = {.live = live, .live_count = 1, .fill = fill, .row = take_row};
    struct umx_error err = {0};

    for (const struct umx_saved_builtin *row = umx_saved_builtins(); row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            query.sql = row->sql;
    assert_non_null(query.sql);
    umx_text_free(&rows);
    if (umx_query_run(store, &query, &err) != UMX_OK)
        fail_msg("%s: %s", name, umx_error_why(&err));
    return umx_text_string(&rows);
}

static int count(const char *name)
{
    int lines = 0;

    for (const char *at = ask(name); *at != '\0'; at++)
        lines += *at == '\n';
    return lines;
}

static void nothing_is_wrong(void **state)
{
    (void)state;
    for (const struct umx_saved_builtin *row = umx_saved_builtins(); row->name != NULL; row++) {
        if (ask(row->name)[0] != '\0')
            fail_msg("%s: %s", row->name, rows.data);
        assert_true(strlen(row->description) > 20);
    }
}

static void expiring_certificates(void **state)
{
    (void)state;
    put_certificate("um2.ex.test", "My", -10, 30);
    put_certificate("um3.ex.test", "My", -100, -1);
    put_certificate("um4.ex.test", "Root", -100, -1); /* somebody else's */
    put_certificate("um5.ex.test", "My", -100, 61);
    assert_int_equal(count("expiring-certificates"), 2);
    const char *expired = strstr(rows.data, "um3.ex.test"), *soon = strstr(rows.data, "um2.ex.test");
    assert_non_null(expired);
    assert_true(soon > expired); /* the most urgent first */
    assert_non_null(strstr(soon, "\"days_left\":29"));
}

static void um_not_dual(void **state)
{
    (void)state;
    put("exchange_server", "server", "um2.ex.test",
        "{\"forest\":\"ex.test\",\"server\":\"um2.ex.test\",\"roles\":16,\"version_major\":14,"
        "\"dial_plan_dn\":[\"CN=EU,DC=ex\"]}");
    put("exchange_server", "server", "cas.ex.test",
        "{\"forest\":\"ex.test\",\"server\":\"cas.ex.test\",\"roles\":1,\"version_major\":15,"
        "\"call_router_dn\":\"CN=c\",\"call_router_startup_mode\":1,\"call_router_dial_plan_dn\":[\"CN=EU,DC=ex\"]}");
    assert_int_equal(count("um-not-dual"), 2);
    assert_non_null(strstr(rows.data, "\"cas.ex.test\",\"service\":\"MSExchangeUMCR\",\"mode\":\"tls\""));
    assert_non_null(strstr(rows.data, "\"um2.ex.test\",\"service\":\"MSExchangeUM\",\"mode\":\"tcp\""));
}

static void service_before_certificate(void **state)
{
    (void)state;
    put_service("um1.ex.test", "MSExchangeUM", "running", -20);
    assert_int_equal(count("service-before-certificate"), 1);
    assert_non_null(strstr(rows.data, "\"server\":\"um1.ex.test\",\"service\":\"MSExchangeUM\""));
    put_service("um1.ex.test", "MSExchangeUM", "stopped", -20);
    assert_int_equal(count("service-before-certificate"), 0);
    /* The certificate as the shell tells it, where the directory does not. */
    put_certificate("um2.ex.test", "My", -10, 300);
    put_service("um2.ex.test", "MSExchangeUM", "running", -20);
    put("um_setting", "server", "um2.ex.test",
        "{\"server\":\"um2.ex.test\",\"service\":\"MSExchangeUM\",\"certificate_thumbprint\":\"AB12\"}");
    assert_int_equal(count("service-before-certificate"), 1);
}

static void dial_plan_gaps(void **state)
{
    (void)state;
    put("exchange_server", "server", "um2.ex.test",
        "{\"forest\":\"ex.test\",\"server\":\"um2.ex.test\",\"roles\":16,\"version_major\":14,\"um_startup_mode\":2,"
        "\"dial_plan_dn\":[\"CN=other,DC=ex\"]}");
    put("exchange_server", "server", "cas.ex.test",
        "{\"forest\":\"ex.test\",\"server\":\"cas.ex.test\",\"roles\":1,\"version_major\":15,"
        "\"call_router_dn\":\"CN=c\",\"call_router_startup_mode\":2}");
    assert_int_equal(count("dial-plan-gaps"), 2);
    assert_non_null(strstr(rows.data, "\"server\":\"um2.ex.test\",\"service\":\"MSExchangeUM\",\"dial_plan\":\"EU\""));
    put("dial_plan", "forest", "ex.test",
        "{\"forest\":\"ex.test\",\"dn\":\"CN=EU,DC=ex\",\"name\":\"EU\",\"uri_type\":\"e164\"}");
    assert_int_equal(count("dial-plan-gaps"), 0); /* only SIP URI dial plans have to have them all */
}

static void pools_without_gateway(void **state)
{
    (void)state;
    put("ip_gateway", "forest", "ex.test", "{\"forest\":\"ex.test\",\"address\":\"pbx.ex.test\"}");
    assert_int_equal(count("pools-without-gateway"), 1);
    assert_non_null(strstr(
        rows.data, "\"exchange_forest\":\"ex.test\",\"lync_forest\":\"lync.test\",\"pool\":\"pool1.lync.test\""));
    put("lync_pool", "forest", "lync.test", "{\"forest\":\"lync.test\",\"pool\":\"dir.lync.test\",\"voice_users\":0}");
    assert_int_equal(count("pools-without-gateway"), 0); /* nobody speaks there */
}

static void agents_out_of_date(void **state)
{
    (void)state;
    agent_version = "0.0.1";
    assert_int_equal(count("agents-out-of-date"), 1);
    assert_non_null(strstr(rows.data, "\"version\":\"0.0.1\",\"wanted\":\"" UMX_VERSION "\""));
    agent_version = ""; /* issued and never seen */
    assert_int_equal(count("agents-out-of-date"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expiring_certificates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(um_not_dual, set_up, tear_down),
        cmocka_unit_test_setup_teardown(service_before_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dial_plan_gaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pools_without_gateway, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agents_out_of_date, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

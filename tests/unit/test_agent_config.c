/* The agent's configuration file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/config.h"
#include "recorded_host.h"

static struct place place;
static char path[128];

static int set_up(void **state)
{
    (void)state;
    place = place_make();
    snprintf(path, sizeof path, "%s/agent.ini", place.path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    place_remove(&place);
    return 0;
}

static void a_full_configuration(void **state)
{
    struct umx_agent_config config;

    (void)state;
    place_write(&place, "agent.ini",
                "; comment\n[agent]\ncontroller = umx.example.com:7443\nidentity = /etc/umx/agent.pem\n"
                "host = recorded:/srv/ex1\nstate = /var/lib/umx\nreport_interval = 20\nstart_jitter = 0\nlongest_wait "
                "= 2\nrefused_wait=1\n");
    assert_int_equal(umx_agent_config_read(path, &config, NULL), 0);
    assert_string_equal(config.controller, "umx.example.com:7443");
    assert_string_equal(config.identity, "/etc/umx/agent.pem");
    assert_string_equal(config.host, "recorded:/srv/ex1");
    assert_string_equal(config.state, "/var/lib/umx");
    assert_int_equal(config.report_interval, 20);
    assert_int_equal(config.start_jitter, 0);
    assert_int_equal(config.longest_wait, 2);
    assert_int_equal(config.refused_wait, 1);
}

static void what_is_left_out_has_a_value(void **state)
{
    struct umx_agent_config config;

    (void)state;
    place_write(&place, "agent.ini", "[agent]\ncontroller = [::1]:7443\nidentity = /etc/umx/agent.pem\n");
    assert_int_equal(umx_agent_config_read(path, &config, NULL), 0);
    assert_string_equal(config.host, "local");
    assert_string_equal(config.state, "/etc/umx");      /* beside the identity */
    setenv("STATE_DIRECTORY", "/var/lib/umx-agent", 1); /* as systemd does */
    assert_int_equal(umx_agent_config_read(path, &config, NULL), 0);
    unsetenv("STATE_DIRECTORY");
    assert_string_equal(config.state, "/var/lib/umx-agent");
    assert_int_equal(config.report_interval, 0);
    assert_int_equal(config.start_jitter, UMX_AGENT_START_JITTER);
    assert_int_equal(config.longest_wait, UMX_AGENT_LONGEST_WAIT);
    assert_int_equal(config.refused_wait, UMX_AGENT_REFUSED_WAIT);
}

#define TWENTY "xxxxxxxxxxxxxxxxxxxx"

static void mistakes_are_named(void **state)
{
    static const char good[] = "[agent]\ncontroller = a:1\nidentity = i\n";
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"[agent]\nidentity = i\n", "controller"},
        {"[agent]\ncontroller = a\nidentity = i\n", "controller"},
        {"[agent]\ncontroller = a:0\nidentity = i\n", "controller"},
        {"[agent]\ncontroller = a:1x\nidentity = i\n", "controller"},
        {"[agent]\ncontroller = a:1\n", "identity"},
        {"[agents]\ncontroller = a:1\n", "line 2: there is only"},
        {"[agent]\nkey = x\n", "line 2: there is no setting `key`"},
        {"[agent]\ncontroller\n", "line 2: it is neither"},
        {"[agent]\nreport_interval = 0\n", "line 2: report_interval"},
        {"[agent]\nreport_interval = 5m\n", "line 2: report_interval"},
        {"[agent]\nstart_jitter = -1\n", "line 2: start_jitter"},
        {"[agent]\nhost = \xff\n", "line 2: host"},
        {"[agent]\nhost = " TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY "\nstate = x\n",
         "line 2: it has more than 199 bytes"},
    };
    struct umx_agent_config config;
    struct umx_error err = {0};

    (void)state;
    place_write(&place, "agent.ini", good);
    assert_int_equal(umx_agent_config_read(path, &config, NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        place_write(&place, "agent.ini", bad[i].text);
        assert_int_equal(umx_agent_config_read(path, &config, &err), UMX_E_ARGUMENT);
        assert_int_equal(err.id, UMX_ERR_CONFIG_INVALID);
        if (strstr(err.why, bad[i].why) == NULL)
            fail_msg("case %zu: %s", i, err.why);
    }
    assert_int_equal(umx_agent_config_read("/nonexistent/agent.ini", &config, &err), UMX_E_NOT_FOUND);
}

static void facts_need_no_controller(void **state)
{
    struct umx_agent_config config;

    (void)state;
    place_write(&place, "agent.ini", "[agent]\nhost = recorded:/srv/ex1\n");
    assert_int_equal(umx_agent_config_read_host(path, &config, NULL), 0);
    assert_string_equal(config.host, "recorded:/srv/ex1");
}

static void what_is_in_force_is_shown_with_who_has_set_it(void **state)
{
    struct umx_agent_config config;
    char names[16], text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    (void)state;
    place_write(&place, "agent.ini", "[agent]\ncontroller = a:1\nidentity = /i\nrefused_wait = 7\n");
    assert_int_equal(umx_agent_config_read(path, &config, NULL), 0);
    umx_agent_config_show(&config, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "controller = a:1 ; file\n"));
    assert_non_null(strstr(text, "refused_wait = 7 ; file\n"));
    assert_non_null(strstr(text, "longest_wait = 60 ; default\n"));
    assert_string_equal(umx_agent_config_policies(&config, names, sizeof names), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_configuration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_out_has_a_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facts_need_no_controller, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_force_is_shown_with_who_has_set_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

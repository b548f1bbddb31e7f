#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "controller/config.h"

#define GOOD_FOREST "[forest Exchange.Test]\nside = exchange\nreader = r@EXCHANGE.TEST\nkeytab = /k\n"

static int load(const char *text, struct umx_config **config, struct umx_error *err)
{
    char path[] = "/tmp/umx-config-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    memset(err, 0, sizeof *err);
    int status = umx_config_load(path, config, err);
    unlink(path);
    return status;
}

static void test_defaults_and_values(void **state)
{
    struct umx_config *config;
    struct umx_error err;

    (void)state;
    assert_int_equal(load("[controller]\ndata = /var/lib/umx\napproval = strict\nrefresh = 60\n" GOOD_FOREST
                          "writer = w@EXCHANGE.TEST\ndomain_controllers = dc1.exchange.test , dc2.exchange.test\n"
                          "operator = CN Admins, S-1-5-32-544\ngroups = um_management=UM Leute\n",
                          &config, &err),
                     0);
    assert_string_equal(config->agents, "127.0.0.1:7443");
    assert_string_equal(config->operators, "127.0.0.1:7444");
    assert_int_equal(config->approval, UMX_POLICY_STRICT);
    assert_int_equal(config->refresh, 60);
    assert_int_equal(config->report_interval, 300);
    assert_int_equal(config->forest_count, 1);
    const struct umx_forest_config *forest = umx_config_forest(config, "EXCHANGE.test");
    assert_non_null(forest);
    assert_string_equal(forest->name, "exchange.test");
    assert_int_equal(forest->side, UMX__FOREST__SIDE__EXCHANGE);
    assert_int_equal(forest->bind, UMX__CONFIGURE__BIND__GSSAPI);
    assert_string_equal(forest->reader_keytab, "/k");
    assert_string_equal(forest->writer_keytab, "/k");
    assert_int_equal(forest->domain_controllers.count, 2);
    assert_string_equal(forest->domain_controllers.items[1], "dc2.exchange.test");
    assert_int_equal(forest->operators.count, 2);
    assert_string_equal(forest->operators.items[0], "CN Admins");
    assert_int_equal(forest->groups.count, 3);
    assert_string_equal(forest->groups.items[0], "um_management=UM Leute");
    assert_string_equal(forest->groups.items[1], "operator=CN Admins");
    assert_null(umx_config_forest(config, "lync.test"));
    umx_config_free(config);
}

#define FIFTY "dc1.a.test, dc2.a.test, dc3.a.test, dc44.a.test,  "

/* The parser's lines are short: a list goes on in another one. */
static void test_a_list_goes_on(void **state)
{
    struct umx_config *config = NULL;
    struct umx_error err;

    (void)state;
    assert_int_equal(load("[controller]\ndata = /d\n" GOOD_FOREST "domain_controllers = " FIFTY FIFTY FIFTY
                          "\ndomain_controllers = " FIFTY FIFTY FIFTY "\n",
                          &config, &err),
                     0);
    assert_int_equal(config->forests[0].domain_controllers.count, 24);
    assert_string_equal(config->forests[0].domain_controllers.items[23], "dc44.a.test");
    umx_config_free(config);
}

/* Each text is refused, and the reason names what is wrong. */
static const struct {
    const char *text;
    const char *names;
} refusals[] = {
    {GOOD_FOREST, "data = DIRECTORY"},
    {"[controller]\ndata = /d\n", "no [forest NAME]"},
    {"[controller]\ndata = /d\ncolour = red\n" GOOD_FOREST, "no key colour"},
    {"[controller]\ndata = /d\nrefresh = -1\n" GOOD_FOREST, "refresh = -1"},
    {"[controller]\ndata = /d\nrefresh = 9999999999999\n" GOOD_FOREST, "refresh = 9999999999999"},
    {"[controller]\ndata = /d\napproval = maybe\n" GOOD_FOREST, "approval = maybe"},
    {"[controller]\ndata =\n" GOOD_FOREST, "data ="},
    {"[kontroller]\ndata = /d\n", "no section [kontroller]"},
    {"[controller]\ndata = /d\nnonsense\n" GOOD_FOREST, "line 3"},
    {"[controller]\ndata = /d\n" GOOD_FOREST "domain_controllers = " FIFTY FIFTY FIFTY FIFTY "\nrefresh = 1\n",
     "has more than 199 bytes"},
    {"[controller]\ndata = /d\n[forest a.test]\nreader = r\nkeytab = /k\n", "needs side"},
    {"[controller]\ndata = /d\n[forest a.test]\nside = lync\nkeytab = /k\n", "needs reader"},
    {"[controller]\ndata = /d\n[forest a.test]\nside = lync\nreader = r\n", "keytab"},
    {"[controller]\ndata = /d\n[forest a.test]\nside = lync\nbind = simple\nreader = r\n", "reader_password_file"},
    {"[controller]\ndata = /d\n[forest a.test]\nside = lync\nbind = simple\nreader = r\nreader_password_file = /p\n",
     "tls_ca"},
    {"[controller]\ndata = /d\n[forest a.test]\nside = sideways\n", "side = sideways"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct umx_config *config = NULL;
        struct umx_error err;
        assert_int_equal(load(refusals[i].text, &config, &err), UMX_E_ARGUMENT);
        assert_int_equal(err.id, UMX_ERR_CONFIG_INVALID);
        if (strstr(err.why, refusals[i].names) == NULL)
            fail_msg("\"%s\" does not name \"%s\"", err.why, refusals[i].names);
        assert_null(config);
    }
}

static void test_missing_file(void **state)
{
    struct umx_config *config = NULL;
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_config_load("/nonexistent/umxd.ini", &config, &err), UMX_E_IO);
    assert_int_equal(err.id, UMX_ERR_FILE_UNREADABLE);
    assert_null(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_a_list_goes_on),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_missing_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

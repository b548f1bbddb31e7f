/* Cmdlet actions: the table, the values that may pass, and what decides after a crash; with a shell made of sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <time.h>
#include <cmocka.h>

#include "agent/action/cmdlet.h"
#include "agent/host/shell.h"
#include "recorded_host.h"

/* A shell whose world is the file `there`. It answers as the scripts do: `read` tells whether the thing is there,
 * `do` makes it. The file `mood` makes it hang or die after the change, or refuse it. */
static const char fake[] =
    "#!/bin/sh\n"
    "b() { printf '%s\\t%s\\n' \"$1\" \"$(printf %s \"$2\" | base64 -w0)\"; }\n"
    "echo x >>opened\n"
    "b state ok; echo\n"
    "verb=; name=\n"
    "while IFS= read -r line; do\n"
    "  key=${line%%\t*}; value=$(printf %s \"${line#*\t}\" | base64 -d 2>/dev/null)\n"
    "  case $key in verb) verb=$value;; sip_address) name=$value;; esac\n"
    "  [ -n \"$line\" ] && continue\n"
    "  mood=$(cat mood 2>/dev/null)\n"
    "  if [ $verb = do ]; then\n"
    "    echo \"$name\" >>done\n"
    "    [ \"$mood\" = half ] && echo \"$name\" >half\n"
    "    [ \"$mood\" = refuse -o \"$mood\" = half ] && { b error 'it will not'; b error_id Refused; echo; continue; }\n"
    "    [ \"$mood\" = nothing ] || echo \"$name\" >>there\n"
    "    [ \"$mood\" = garbage ] && { echo hello; echo; continue; }\n"
    "    case $mood in hang) sleep 20;; die|nothing) exit 9;; esac\n"
    "  fi\n"
    "  b before:previous_line \"tel:+$(grep -c other there 2>/dev/null)\"\n"
    "  [ -s half ] && b missing 'its policy' && b missing 'its numbers'\n"
    "  [ -s again ] && b again yes\n"
    "  grep -qx \"$name\" there 2>/dev/null && b reached yes\n"
    "  b state ok; echo\n"
    "done\n";

static struct place place;
static struct umx_host *host;
static struct umx_action_journal *journal;

static struct {
    int count;
    bool ok[8];
    bool not_done[8];
    bool uncertain[8];
    char detail[8][512];
} heard;

static void take(void *user, const Umx__ActionResult *result)
{
    (void)user;
    assert_true(heard.count < 8);
    heard.ok[heard.count] = result->ok;
    heard.not_done[heard.count] = result->not_done;
    heard.uncertain[heard.count] = result->uncertain;
    umx_text_copy(heard.detail[heard.count++], 512, result->detail != NULL ? result->detail : "");
}

static int set_up(void **state)
{
    char path[128];

    (void)state;
    place = place_make();
    place_write(&place, "host.ini", "[host]\nfqdn = fe1.test\nshell_program = sh.sh\n");
    place_write(&place, "services.json",
                "[{\"name\":\"RTCSRV\",\"state\":\"running\",\"started_at\":\"2026-01-01T00:00:00Z\"}]");
    place_write(&place, "there", "");
    place_write(&place, "sh.sh", fake);
    snprintf(path, sizeof path, "%s/sh.sh", place.path);
    chmod(path, 0700);
    host = place_open(&place);
    return umx_action_journal_open(place.path, &journal, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    umx_action_journal_close(journal);
    umx_host_close(host);
    place_remove(&place);
    return 0;
}

static void send(const char *id, const char *action, const char *const *items, size_t count, bool ask)
{
    Umx__ActionBatch batch = UMX__ACTION_BATCH__INIT;
    char *list[8];

    for (size_t i = 0; i < count; i++)
        list[i] = (char *)(uintptr_t)items[i];
    batch.batch = (char *)(uintptr_t)id;
    batch.action = (char *)(uintptr_t)action;
    batch.identity = (char *)(uintptr_t) "shell";
    batch.item = list;
    batch.n_item = count;
    batch.has_timeout = 1;
    batch.timeout = 2;
    batch.has_ask = ask;
    batch.ask = ask;
    memset(&heard, 0, sizeof heard);
    umx_action_batch(host, journal, &batch, take, NULL);
    assert_int_equal(heard.count, count);
}

static void send_one(const char *id, const char *item)
{
    send(id, "set-cs-user", &item, 1, false);
}

static int lines(const char *name)
{
    char path[128];
    int count = 0;

    snprintf(path, sizeof path, "%s/%s", place.path, name);
    FILE *file = fopen(path, "r");
    for (int c; file != NULL && (c = getc(file)) != EOF;)
        count += c == '\n';
    if (file != NULL)
        fclose(file);
    return count;
}

#define ANNA "{\"sip_address\":\"sip:anna@x.test\",\"enterprise_voice\":\"true\",\"line\":\"tel:+4930123\"}"
#define BERT "{\"sip_address\":\"bert@x.test\",\"enterprise_voice\":\"false\",\"line\":\"\"}"

static void a_batch_has_one_shell_and_a_result_an_item(void **state)
{
    const char *const items[] = {ANNA, "{\"sip_address\":\"not an address\"}", BERT};

    (void)state;
    send("b1", "set-cs-user", items, 3, false);
    assert_true(heard.ok[0]);
    assert_string_equal(heard.detail[0], "{\"previous_line\":\"tel:+0\"}");
    assert_false(heard.ok[1]);
    assert_non_null(strstr(heard.detail[1], "UMX-1712"));
    assert_non_null(strstr(heard.detail[1], "sip_address"));
    assert_true(heard.ok[2]);
    assert_int_equal(lines("opened"), 1);
    assert_int_equal(lines("done"), 2);
    send("b1", "set-cs-user", items, 3, false); /* answered from the journal: no shell at all for what was done */
    assert_true(heard.ok[0]);
    assert_string_equal(heard.detail[0], "{\"previous_line\":\"tel:+0\"}");
    assert_int_equal(lines("done"), 2);
    assert_int_equal(lines("opened"), 1);
}

static void what_the_shell_refuses_is_told(void **state)
{
    (void)state;
    place_write(&place, "mood", "refuse");
    send_one("b1", ANNA);
    assert_false(heard.ok[0]);
    assert_non_null(strstr(heard.detail[0], "UMX-1714"));
    assert_non_null(strstr(heard.detail[0], "it will not (Refused)"));
    place_write(&place, "mood", "");
    send_one("b1", ANNA); /* the batch has failed: its answer stays */
    assert_non_null(strstr(heard.detail[0], "UMX-1714"));
    assert_non_null(strstr(heard.detail[0], "it will not"));
    assert_int_equal(lines("done"), 1);
    send_one("b2", ANNA);
    assert_true(heard.ok[0]);
}

static void a_shell_that_dies_after_the_change_is_probed(void **state)
{
    const char *const items[] = {ANNA, BERT};

    (void)state;
    place_write(&place, "mood", "die");
    send("b1", "set-cs-user", items, 2, false);
    assert_true(heard.ok[0]);
    assert_string_equal(heard.detail[0], "{\"previous_line\":\"tel:+0\"}");
    assert_true(heard.ok[1]);
    assert_int_equal(lines("done"), 2);
    place_write(&place, "mood", "nothing");
    send_one("b2", "{\"sip_address\":\"carl@x.test\",\"line\":\"\"}");
    assert_false(heard.ok[0]);
    assert_non_null(strstr(heard.detail[0], "UMX-1708"));
}

static void a_shell_that_hangs_is_ended_and_probed(void **state)
{
    (void)state;
    place_write(&place, "mood", "hang");
    send_one("b1", ANNA);
    assert_true(heard.ok[0]);
    assert_int_equal(lines("done"), 1);
    place_write(&place, "mood", "garbage");
    send_one("b2", BERT);
    assert_true(heard.ok[0]);
    assert_int_equal(lines("done"), 2);
}

static atomic_bool stopping;

static void *stop_when_done(void *user)
{
    const struct timespec moment = {.tv_nsec = 10000000};

    for (int i = 0; i < 1000 && lines("done") == 0; i++)
        nanosleep(&moment, NULL);
    atomic_store(&stopping, true);
    return user;
}

static void an_agent_that_ends_waits_for_no_shell(void **state)
{
    Umx__ActionBatch batch = UMX__ACTION_BATCH__INIT;
    char *items[] = {(char *)(uintptr_t)ANNA, (char *)(uintptr_t)BERT};
    pthread_t thread;

    (void)state;
    place_write(&place, "mood", "hang");
    batch.batch = (char *)(uintptr_t) "b1";
    batch.action = (char *)(uintptr_t) "set-cs-user";
    batch.item = items;
    batch.n_item = 2;
    batch.has_timeout = 1;
    batch.timeout = 600;
    memset(&heard, 0, sizeof heard);
    host->stop = &stopping;
    assert_int_equal(pthread_create(&thread, NULL, stop_when_done, NULL), 0);
    umx_action_batch(host, journal, &batch, take, NULL); /* neither 600 s nor the 20 s of the shell */
    pthread_join(thread, NULL);
    assert_int_equal(heard.count, 0);
    assert_int_equal(lines("done"), 1);
    /* The next one is asked again: what was done is found, and the rest is done. */
    host->stop = NULL;
    place_write(&place, "mood", "");
    send("b1", "set-cs-user", (const char *const *)(uintptr_t)items, 2, false);
    assert_true(heard.ok[0] && heard.ok[1]);
    assert_int_equal(lines("done"), 2);
}

/* The state before as the scripts write it: previous_line = tel:+0. */
#define BEFORE_READ "before:previous_line\tdGVsOisw\nstate\tb2s=\n\n"

static void after_a_crash_the_probe_decides(void **state)
{
    const char *const items[] = {ANNA};

    (void)state;
    /* Begun, and not done: it is done now, once. */
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b1", 0, BEFORE_READ, NULL), 0);
    send("b1", "set-cs-user", items, 1, true);
    assert_true(heard.not_done[0]);
    assert_int_equal(lines("done"), 0);
    send("b1", "set-cs-user", items, 1, false);
    assert_true(heard.ok[0]);
    assert_int_equal(lines("done"), 1);
    /* Begun, and done: not again. */
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b2", 0, BEFORE_READ, NULL), 0);
    send("b2", "set-cs-user", items, 1, true);
    assert_true(heard.ok[0]);
    assert_string_equal(heard.detail[0], "{\"previous_line\":\"tel:+0\"}");
    assert_int_equal(lines("done"), 1);
    /* Begun, and something else is there now: nobody knows. */
    place_write(&place, "there", "other\n");
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b3", 0, BEFORE_READ, NULL), 0);
    send("b3", "set-cs-user", items, 1, false);
    assert_false(heard.ok[0]);
    assert_false(heard.not_done[0]);
    assert_non_null(strstr(heard.detail[0], "UMX-1715"));
    assert_int_equal(lines("done"), 1);
    /* It may be asked again, and somebody has put it in order. */
    place_write(&place, "there", "");
    send("b3", "set-cs-user", items, 1, false);
    assert_true(heard.ok[0]);
    assert_int_equal(lines("done"), 2);
}

/* A part of it is there: the step says what is missing, until somebody made that or took the part away. */
static void half_of_it_is_told(void **state)
{
    const char *const items[] = {ANNA};

    (void)state;
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b1", 0, BEFORE_READ, NULL), 0);
    place_write(&place, "half", "it\n");
    for (int ask = 0; ask < 2; ask++) {
        send("b1", "set-cs-user", items, 1, ask == 1);
        assert_false(heard.ok[0] || heard.not_done[0]);
        assert_true(heard.uncertain[0]);
        assert_non_null(strstr(heard.detail[0], "UMX-1721"));
        assert_non_null(strstr(heard.detail[0], "missing: its policy, its numbers"));
    }
    assert_int_equal(lines("done"), 0);
    place_write(&place, "half", ""); /* taken away */
    send("b1", "set-cs-user", items, 1, true);
    assert_true(heard.not_done[0]);
    place_write(&place, "there", "anna@x.test\nsip:anna@x.test\n"); /* made by hand */
    send("b1", "set-cs-user", items, 1, true);
    assert_true(heard.ok[0]);
    assert_int_equal(lines("done"), 0);
    /* A shell that refuses after a part: what is left and what it said, and it is asked again. */
    place_write(&place, "there", "");
    place_write(&place, "mood", "half");
    send_one("b2", ANNA);
    assert_true(heard.uncertain[0]);
    assert_non_null(strstr(heard.detail[0], "UMX-1721"));
    assert_non_null(strstr(heard.detail[0], "missing: its policy, its numbers; the shell said: it will not (Refused)"));
    /* It was so before: that is no part of this one's work. */
    send_one("b3", ANNA);
    assert_false(heard.uncertain[0]);
    assert_non_null(strstr(heard.detail[0], "UMX-1714"));
}

/* A part of a removal is done: it is done again, and does the rest. */
static void half_a_removal_is_done_again(void **state)
{
    (void)state;
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b1", 0, "state\tb2s=\n\n", NULL), 0);
    place_write(&place, "again", "it\n");
    send_one("b1", ANNA);
    assert_true(heard.ok[0]);
    assert_int_equal(lines("done"), 1);
}

static void what_is_there_already_is_not_made(void **state)
{
    const char *const rule[] = {"{\"ou\":\"OU=A,DC=x,DC=test\",\"object_type\":\"contact\"}"};

    (void)state;
    place_write(&place, "there", "\n"); /* the empty name of a request without an address */
    send("b1", "grant-cs-ou-permission", rule, 1, false);
    assert_false(heard.ok[0]);
    assert_non_null(strstr(heard.detail[0], "UMX-1716"));
    send("b2", "revoke-cs-ou-permission", rule, 1, false); /* gone already: nothing to do */
    assert_true(heard.ok[0]);
    assert_int_equal(lines("done"), 0);
}

static void only_the_right_server_and_identity(void **state)
{
    const char *const plan[] = {"{\"name\":\"A\",\"dial_plan\":\"B\"}"};
    Umx__ActionBatch batch = UMX__ACTION_BATCH__INIT;
    char *items[] = {(char *)(uintptr_t)ANNA};

    (void)state;
    send("b1", "new-um-mailbox-policy", plan, 1, false); /* an Exchange action on a Front End */
    assert_non_null(strstr(heard.detail[0], "UMX-1713"));
    batch.batch = (char *)(uintptr_t) "b2";
    batch.action = (char *)(uintptr_t) "set-cs-user";
    batch.identity = (char *)(uintptr_t) "machine";
    batch.item = items;
    batch.n_item = 1;
    memset(&heard, 0, sizeof heard);
    umx_action_batch(host, journal, &batch, take, NULL);
    assert_false(heard.ok[0]);
    assert_non_null(strstr(heard.detail[0], "UMX-1713"));
    assert_int_equal(lines("opened"), 0);
}

static void values_have_types(void **state)
{
    static const struct {
        struct umx_parameter parameter;
        const char *good;
        const char *bad;
    } cases[] = {
        {{.name = "v", .type = UMX_PARAMETER_NAME}, "Z\xc3\xbcrich, Halle 3", " a"},
        {{.name = "v", .type = UMX_PARAMETER_NAME},
         "1234567890123456789012345678901234567890123456789012345678901234",
         "12345678901234567890123456789012345678901234567890123456789012345"},
        {{.name = "v", .type = UMX_PARAMETER_TEXT}, "^(\\\\d{5})$", "a\\u0007b"},
        {{.name = "v", .type = UMX_PARAMETER_WORD, .words = "true false"}, "TRUE", "tru"},
        {{.name = "v", .type = UMX_PARAMETER_NUMBER}, "20", "21"},
        {{.name = "v", .type = UMX_PARAMETER_NUMBER}, "1", "0"},
        {{.name = "v", .type = UMX_PARAMETER_DIGITS}, "00123", "12a"},
        {{.name = "v", .type = UMX_PARAMETER_E164}, "+493012345", "+0123"},
        {{.name = "v", .type = UMX_PARAMETER_SIP}, "sip:a.b@x.test", "sip:a b@x.test"},
        {{.name = "v", .type = UMX_PARAMETER_SIP}, "a@x.test", "a@x"},
        {{.name = "v", .type = UMX_PARAMETER_LINE}, "tel:+4930123;ext=123", "tel:4930123"},
        {{.name = "v", .type = UMX_PARAMETER_LINE}, "tel:+4930123", "tel:+4930123;ext="},
        {{.name = "v", .type = UMX_PARAMETER_EUM}, "eum:123;phone-context=A.x.test", "smtp:123;phone-context=A.x.test"},
        {{.name = "v", .type = UMX_PARAMETER_HOST}, "FE1.test", "fe2.test"},
        {{.name = "v", .type = UMX_PARAMETER_FQDN}, "fe1.x-y.test", "fe1;x.test"},
        {{.name = "v", .type = UMX_PARAMETER_DN}, "OU=A,DC=x,DC=test", "OU"},
        {{.name = "v", .type = UMX_PARAMETER_OBJECT}, "5e0c3a52-7d1c-4a55-9a55-0f1d6a3b9c01", "anna"},
        {{.name = "v", .type = UMX_PARAMETER_THUMBPRINT}, "0123456789abcdefABCD0123456789abcdefABCD", "0123"},
        {{.name = "v", .type = UMX_PARAMETER_CERTIFICATE, .may_be_empty = true}, "", "MIIB"},
        {{.name = "v", .type = UMX_PARAMETER_IDENTITY}, "Registrar:pool1.x.test", "a/b"},
        {{.name = "v", .type = UMX_PARAMETER_SIMPLE_NAME}, "A.x.test(1)", "A x"},
        {{.name = "v", .type = UMX_PARAMETER_E164, .list = true}, "+4930\\n+4931", "+4930\\n4931"},
        {{.name = "v", .type = UMX_PARAMETER_E164, .list = true, .may_be_empty = true}, "", "\\n+\\n"},
        {{.name = "v", .type = UMX_PARAMETER_E164, .list = true}, "+4930\\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct umx_parameter parameters[UMX_PARAMETERS_MAX] = {cases[i].parameter};
        struct umx_text lines_ = {0};
        struct umx_error err = {0};
        char item[256];
        snprintf(item, sizeof item, "{\"v\":\"%s\"}", cases[i].good);
        if (umx_parameters_write(parameters, item, "fe1.test", &lines_, &err) != 0)
            fail_msg("%s: %s", item, err.why);
        snprintf(item, sizeof item, "{\"v\":\"%s\"}", cases[i].bad);
        if (umx_parameters_write(parameters, item, "fe1.test", &lines_, &err) == 0)
            fail_msg("%s was taken", item);
        assert_int_equal(err.id, UMX_ERR_ACTION_ITEM_INVALID);
        umx_text_free(&lines_);
    }
}

static void only_known_keys_that_are_texts(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{}",
                                      "{\"v\":1}",
                                      "{\"v\":\"a\",\"w\":\"b\"}",
                                      "{\"v\":\"a\",\"v\":\"b\"}",
                                      "{\"v\":\"a\\u0000b\"}",
                                      "{\"v\":null}"};
    const struct umx_parameter parameters[UMX_PARAMETERS_MAX] = {{.name = "v", .type = UMX_PARAMETER_NAME}};
    struct umx_text out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct umx_error err = {0};
        if (umx_parameters_write(parameters, bad[i], "fe1.test", &out, &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.id, UMX_ERR_ACTION_ITEM_INVALID);
    }
    umx_text_free(&out);
}

/* The language of PowerShell 2.0 without its Utility cmdlets, and short enough for a command line. */
static void scripts_are_plain(void **state)
{
    static const char *const forbidden[] = {
        "ConvertTo-",     "ConvertFrom-", "Select-Object",     "Out-String", "Add-Type", "Sort-Object",
        "Measure-Object", "New-Object",   "Invoke-Expression", "iex ",       "-PIN",     "Write-Output",
        "Write-Host",     " -in ",        "[pscustomobject]"};
    static const struct {
        const struct umx_action *actions;
        const size_t *count;
    } tables[] = {
        {umx_exchange_actions, &umx_exchange_action_count},   {umx_certificate_actions, &umx_certificate_action_count},
        {umx_mailbox_actions, &umx_mailbox_action_count},     {umx_lync_actions, &umx_lync_action_count},
        {umx_lync_user_actions, &umx_lync_user_action_count},
    };
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (size_t j = 0; j < *tables[i].count; j++, seen++) {
            const struct umx_action *action = &tables[i].actions[j];
            struct umx_text text = {0};
            assert_ptr_equal(umx_action_find(action->name), action);
            assert_string_equal(action->identity, "shell");
            assert_true(action->writes && action->probe != NULL && action->before != NULL && action->check != NULL);
            umx_cmdlet_script(action, &text);
            assert_false(text.failed);
            if (text.length >= UMX_HOST_SHELL_SCRIPT_MAX)
                fail_msg("%s: %zu characters", action->name, text.length);
            for (size_t k = 0; k < text.length; k++)
                assert_true((text.data[k] >= 0x20 && text.data[k] < 0x7f) || text.data[k] == '\n');
            for (size_t k = 0; k < sizeof forbidden / sizeof *forbidden; k++)
                if (strstr(text.data, forbidden[k]) != NULL)
                    fail_msg("%s uses %s", action->name, forbidden[k]);
            umx_text_free(&text);
        }
    }
    assert_int_equal(seen, 28);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_has_one_shell_and_a_result_an_item, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_shell_refuses_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shell_that_dies_after_the_change_is_probed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shell_that_hangs_is_ended_and_probed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_agent_that_ends_waits_for_no_shell, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_crash_the_probe_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_of_it_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_removal_is_done_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_there_already_is_not_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_right_server_and_identity, set_up, tear_down),
        cmocka_unit_test(values_have_types),
        cmocka_unit_test(only_known_keys_that_are_texts),
        cmocka_unit_test(scripts_are_plain),
    };

    return cmocka_run_group_tests_name("cmdlet", tests, NULL, NULL);
}

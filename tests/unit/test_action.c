/* Actions: what is allowed, what the journal remembers, what a crash leaves undecided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/action/action.h"
#include "base/clock.h"
#include "recorded_host.h"

#define START "2026-01-01T00:00:00Z"
#define LATER INT64_C(1769897600000000)

static struct place place;
static struct umx_host *host;
static struct umx_action_journal *journal;

static struct {
    int count;
    bool ok;
    bool last;
    bool not_done;
    bool uncertain;
    char detail[4096];
} heard;

static int set_up(void **state)
{
    (void)state;
    place = place_make();
    place_write(&place, "host.ini", "[host]\nfqdn = fe1.test\n");
    place_write(&place, "services.json",
                "[{\"name\":\"RTCSRV\",\"state\":\"running\",\"started_at\":\"" START "\"},"
                "{\"name\":\"Spooler\",\"state\":\"running\",\"started_at\":\"" START "\"}]");
    place_write(&place, "shell/Get-UMService.txt", "Name\tRVgx\n");
    host = place_open(&place);
    umx_clock_set(LATER);
    return umx_action_journal_open(place.path, &journal, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    umx_clock_set(0);
    umx_action_journal_close(journal);
    umx_host_close(host);
    place_remove(&place);
    return 0;
}

static void take(void *user, const Umx__ActionResult *result)
{
    (void)user;
    heard.count++;
    heard.ok = result->ok;
    heard.last = result->last;
    heard.not_done = result->not_done;
    heard.uncertain = result->uncertain;
    umx_text_copy(heard.detail, sizeof heard.detail, result->detail != NULL ? result->detail : "");
}

static bool only_ask;

static void run_batch(const char *id, const char *action, const char *item)
{
    Umx__ActionBatch batch = UMX__ACTION_BATCH__INIT;
    char texts[3][256];
    char *items[1] = {texts[2]};

    umx_text_copy(texts[0], sizeof texts[0], id);
    umx_text_copy(texts[1], sizeof texts[1], action);
    umx_text_copy(texts[2], sizeof texts[2], item);
    batch.batch = texts[0];
    batch.action = texts[1];
    batch.item = items;
    batch.n_item = 1;
    batch.has_ask = only_ask;
    batch.ask = only_ask;
    memset(&heard, 0, sizeof heard);
    umx_action_batch(host, journal, &batch, take, NULL);
}

static void ask(const char *id, const char *action, const char *item)
{
    run_batch(id, action, item);
    assert_int_equal(heard.count, 1);
    assert_true(heard.last);
}

static int64_t started_at(const char *name)
{
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    struct umx_host_service *list = NULL;
    size_t count = 0;
    int64_t at = 0;

    assert_int_equal(umx_host_services(host, arena, &list, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            at = list[i].started_at;
    umx_arena_free(arena);
    return at;
}

static void reopen(void)
{
    umx_action_journal_close(journal);
    journal = NULL;
    assert_int_equal(umx_action_journal_open(place.path, &journal, NULL), 0);
}

static void only_listed_actions_run(void **state)
{
    (void)state;
    ask("b1", "format-disk", "C:");
    assert_false(heard.ok);
    assert_non_null(strstr(heard.detail, "UMX-1703"));
    ask("b2", "restart-service", "Spooler"); /* there, but not one of ours */
    assert_false(heard.ok);
    assert_non_null(strstr(heard.detail, "UMX-1703"));
    assert_true(started_at("Spooler") < LATER);
    ask("b3", "shell-read", "Remove-Mailbox");
    assert_false(heard.ok);
    ask("b\t4", "restart-service", "RTCSRV");
    assert_false(heard.ok);
    assert_true(started_at("RTCSRV") < LATER);
}

static void a_shell_read_gives_records(void **state)
{
    (void)state;
    ask("b1", "shell-read", "Get-UMService");
    assert_true(heard.ok);
    assert_string_equal(heard.detail, "[[[\"Name\",\"EX1\"]]]");
}

static void a_restart_happens_once(void **state)
{
    (void)state;
    ask("b1", "restart-service", "RTCSRV");
    assert_true(heard.ok);
    assert_true(started_at("RTCSRV") == LATER);
    assert_non_null(strstr(heard.detail, "recorded host"));
    umx_clock_set(LATER + UMX_HOUR);
    ask("b1", "restart-service", "RTCSRV"); /* asked again: answered from the journal */
    assert_true(heard.ok);
    assert_true(started_at("RTCSRV") == LATER);
    reopen();
    ask("b1", "restart-service", "RTCSRV"); /* also after the agent was restarted */
    assert_true(heard.ok);
    assert_true(started_at("RTCSRV") == LATER);
    ask("b2", "restart-service", "RTCSRV");
    assert_true(started_at("RTCSRV") == LATER + UMX_HOUR);
}

static void a_question_does_nothing(void **state)
{
    char before[32];

    (void)state;
    only_ask = true;
    ask("b1", "restart-service", "RTCSRV"); /* never heard of */
    assert_true(!heard.ok && heard.not_done);
    snprintf(before, sizeof before, "%lld", (long long)started_at("RTCSRV"));
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b2", 0, before, NULL), 0);
    ask("b2", "restart-service", "RTCSRV"); /* begun, and not done */
    assert_true(!heard.ok && heard.not_done);
    assert_true(started_at("RTCSRV") < LATER);
    only_ask = false;
    ask("b1", "restart-service", "RTCSRV");
    only_ask = true;
    ask("b1", "restart-service", "RTCSRV"); /* done: the answer of then */
    only_ask = false;
    assert_true(heard.ok && !heard.not_done);
    assert_true(started_at("RTCSRV") == LATER);
}

static void a_crash_before_the_effect(void **state)
{
    char before[32];

    (void)state;
    snprintf(before, sizeof before, "%lld", (long long)started_at("RTCSRV"));
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b1", 0, before, NULL), 0);
    reopen();
    ask("b1", "restart-service", "RTCSRV");
    assert_true(heard.ok);
    assert_true(started_at("RTCSRV") == LATER);
}

static void a_crash_after_the_effect(void **state)
{
    char before[32];

    (void)state;
    snprintf(before, sizeof before, "%lld", (long long)started_at("RTCSRV"));
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b1", 0, before, NULL), 0);
    assert_int_equal(umx_host_restart(host, "RTCSRV", UMX_SECOND, NULL), 0);
    reopen();
    umx_clock_set(LATER + UMX_HOUR);
    ask("b1", "restart-service", "RTCSRV");
    assert_true(heard.ok);
    assert_non_null(strstr(heard.detail, "was done before"));
    assert_true(started_at("RTCSRV") == LATER); /* not again */
}

static void an_intent_that_cannot_be_probed(void **state)
{
    (void)state;
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b1", 0, "not a time", NULL), 0);
    ask("b1", "restart-service", "RTCSRV");
    assert_false(heard.ok);
    assert_true(started_at("RTCSRV") < LATER);
}

static void write_service(const char *rest)
{
    char text[256];

    snprintf(text, sizeof text, "[{\"name\":\"RTCSRV\",\"state\":\"running\"%s}]", rest);
    place_write(&place, "services.json", text);
}

/* A start time that the system did not tell decides nothing: not before, and not after. */
static void an_unknown_start_time_decides_nothing(void **state)
{
    char before[32];
    struct umx_text text = {0};

    (void)state;
    snprintf(before, sizeof before, "%lld", (long long)started_at("RTCSRV"));
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b1", 0, before, NULL), 0);
    write_service("");
    ask("b1", "restart-service", "RTCSRV");
    assert_true(!heard.ok && heard.uncertain);
    assert_int_equal(started_at("RTCSRV"), 0); /* nothing was done */

    assert_int_equal(umx_restart_before(host, "RTCSRV", &text, NULL), 0);
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, "b2", 0, umx_text_string(&text), NULL),
                     0);
    umx_text_free(&text);
    write_service(",\"started_at\":\"" START "\"");
    ask("b2", "restart-service", "RTCSRV");
    assert_true(!heard.ok && heard.uncertain);
    assert_true(started_at("RTCSRV") < LATER);
}

static void a_result_without_a_start_time_says_so(void **state)
{
    struct umx_text text = {0};

    (void)state;
    write_service("");
    assert_int_equal(umx_restart_say(host, "RTCSRV", &text, NULL), 0);
    assert_null(strstr(umx_text_string(&text), "1970"));
    umx_text_free(&text);
}

/* An agent that ends begins nothing, and what it did not begin is no failure when it is asked again. */
static void an_agent_that_ends_begins_no_restart(void **state)
{
    atomic_bool stop = true;

    (void)state;
    host->stop = &stop;
    run_batch("b1", "restart-service", "RTCSRV");
    host->stop = NULL;
    assert_int_equal(heard.count, 0);
    assert_true(started_at("RTCSRV") < LATER);
    reopen();
    ask("b1", "restart-service", "RTCSRV");
    assert_true(heard.ok);
    assert_true(started_at("RTCSRV") == LATER);
}

static void the_journal_survives_damage(void **state)
{
    (void)state;
    place_write(
        &place, "actions.journal",
        "done\tb1\t0\t6f6b\nrubbish\ndone\tb2\tx\t6f6b\ndone\tb3\t0\t6f6\nfailed\tb4\t1\t6e6f\ndone\tb5\t0\t6f");
    reopen();
    assert_int_equal(umx_action_journal_find(journal, "b1", 0)->state, UMX_ACTION_JOURNAL_DONE);
    assert_string_equal(umx_action_journal_find(journal, "b1", 0)->text, "ok");
    assert_null(umx_action_journal_find(journal, "b2", 0));
    assert_null(umx_action_journal_find(journal, "b3", 0));
    assert_int_equal(umx_action_journal_find(journal, "b4", 1)->state, UMX_ACTION_JOURNAL_FAILED);
    assert_null(umx_action_journal_find(journal, "b5", 0)); /* cut short */
    assert_int_equal(umx_action_journal_add(journal, UMX_ACTION_JOURNAL_DONE, "b6", 2, "tab\tand\nline", NULL), 0);
    reopen();
    assert_string_equal(umx_action_journal_find(journal, "b6", 2)->text, "tab\tand\nline");
}

static void without_a_journal_nothing_is_written(void **state)
{
    struct umx_action_journal *kept = journal;

    (void)state;
    journal = NULL;
    ask("b1", "restart-service", "RTCSRV");
    journal = kept;
    assert_false(heard.ok);
    assert_non_null(strstr(heard.detail, "UMX-1710"));
    assert_true(started_at("RTCSRV") < LATER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_listed_actions_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shell_read_gives_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_happens_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_question_does_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_before_the_effect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_after_the_effect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_intent_that_cannot_be_probed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_start_time_decides_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result_without_a_start_time_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_agent_that_ends_begins_no_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_journal_survives_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_journal_nothing_is_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

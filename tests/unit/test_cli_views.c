/* What people see: status, a plan with what is to be done by hand, findings, the journal, a phase. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/text.h"
#include "cli/findings.h"
#include "cli/plan_view.h"
#include "cli/status_view.h"
#include "cli/width.h"
#include "phases/phases.h"

static char *shown;
static size_t shown_length;

static struct umx_cli open_cli(size_t width)
{
    struct umx_cli cli = {.style = {.width = width}, .controller = "127.0.0.1:1", .identity = "/nonexistent/id.pem"};

    free(shown);
    cli.out = open_memstream(&shown, &shown_length);
    assert_non_null(cli.out);
    cli.err = cli.out;
    return cli;
}

static void view_of(umx_view *view, const char *json)
{
    struct umx_document document = {.root = json_loads(json, 0, NULL)};
    struct umx_cli cli = open_cli(80);

    assert_non_null(document.root);
    view(&cli, &document);
    fclose(cli.out);
    umx_document_close(&document);
}

static int run_words(size_t count, const char *const *words)
{
    struct umx_cli cli = open_cli(80);
    int result = umx_cli_run(&cli, words, count);

    fclose(cli.out);
    return result;
}

#define RUN(...)                                                                                                       \
    run_words(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), (const char *const[]){__VA_ARGS__})

static void has(const char *text)
{
    if (strstr(shown, text) == NULL)
        fail_msg("`%s` is not in\n%s", text, shown);
}

static size_t times(const char *text)
{
    size_t count = 0;

    for (const char *at = shown; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void fits(size_t width)
{
    for (const char *line = shown; *line != '\0'; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL))
        if (umx_width(line, strcspn(line, "\n")) > width)
            fail_msg("wider than %zu: %.*s", width, (int)strcspn(line, "\n"), line);
}

/* ---- status */

static void add_pair(struct umx_text *json, const char *exchange, const char *lync, const char *const *states)
{
    umx_text_addf(json, "{\"exchange\":\"%s\",\"lync\":\"%s\",\"phases\":[", exchange, lync);
    for (int i = 0; i < UMX_PHASE_COUNT; i++)
        umx_text_addf(json, "%s{\"slug\":\"%s\",\"state\":\"%s\",\"fail\":%d,\"warn\":0,\"unknown\":0}",
                      i > 0 ? "," : "", umx_phases()[i].slug, states[i], strcmp(states[i], "missing") == 0 ? 2 : 0);
    umx_text_adds(json, "]}");
}

static void status_of(size_t pairs, const char *suffix)
{
    static const char *const states[] = {"done",    "partial", "missing",        "unknown", "drifted", "not_applicable",
                                         "missing", "unknown", "not_applicable", "done",    "done"};
    struct umx_text json = {0};

    umx_text_adds(&json, "{\"forests\":[{\"forest\":\"a.test\",\"side\":\"both\",\"error\":\"UMX-1201: no answer\"}],"
                         "\"agents\":{\"connected\":3,\"silent\":2},\"pairs\":[");
    for (size_t i = 0; i < pairs; i++) {
        char exchange[96];
        snprintf(exchange, sizeof exchange, "e%zu%s", i, suffix);
        umx_text_adds(&json, i > 0 ? "," : "");
        add_pair(&json, exchange, "lync.test", states);
    }
    umx_text_adds(&json, "]}");
    view_of(umx_status_view, umx_text_string(&json));
    umx_text_free(&json);
}

static void one_screen_shows_up_to_four_pairs(void **state)
{
    (void)state;
    for (size_t pairs = 1; pairs <= 4; pairs++) {
        status_of(pairs, ".a-rather-long-name.of-a-forest.example.com");
        fits(80);
        for (int i = 0; i < UMX_PHASE_COUNT; i++) {
            char row[64];
            snprintf(row, sizeof row, "\n%s ", umx_phases()[i].slug);
            assert_int_equal(times(row), 1); /* one line a phase */
        }
        assert_int_equal(times("n/a"), 2 * pairs);
        assert_int_equal(strncmp(shown, "PROBLEMS\n", 9), 0);
        has("no answer");
        assert_int_equal(times("not_applicable"), 0);
        assert_int_equal(times("drifted"), 2 * pairs); /* among the problems, and in the grid */
        assert_int_equal(times("unknown"), 2 * pairs); /* in the grid alone */
        assert_int_equal(times("umx check --phase certificates"), 1);
    }
    status_of(1, ".test");
    has("PHASE               e0.test:lync.test\n");
    has("\nforests             done\n");
    status_of(9, ".long-name-of-a-forest.example.com");
    fits(80);
    has("PAIR 9\n");
}

static void drift_says_what_and_since_when(void **state)
{
    (void)state;
    view_of(umx_status_view,
            "{\"forests\":[],\"agents\":{},\"pairs\":[{\"exchange\":\"a\",\"lync\":\"b\",\"phases\":[{\"slug\":"
            "\"exchucutil\",\"state\":\"drifted\",\"fail\":1,\"drifted_at\":\"2026-01-31T22:00:00.000000Z\",\"drift\":"
            "\"gateway pool1: the hunt group is gone\"}]}]}");
    has("exchucutil (a:b)");
    has("since 2026-01-31T22:00:00Z: gateway pool1:");
}

/* ---- plans */

static const char plan[] =
    "{\"name\":\"p1\",\"state\":\"running\",\"hash\":\"ab\",\"phases\":[\"forests\"],\"not_before_at\":"
    "\"2026-01-31T22:00:00.000000Z\",\"rows\":{\"dial_plan\":0,\"user\":12,\"contact\":3},\"steps\":["
    "{\"id\":\"s1\",\"state\":\"pending\",\"forest\":\"x.test\",\"phase\":\"exchucutil\",\"kind\":\"add\",\"summary\":"
    "\"gateway\",\"permission\":\"allowed\",\"groups\":\"organization_management\"},"
    "{\"id\":\"s2\",\"state\":\"pending\",\"forest\":\"x.test\",\"phase\":\"exchucutil\",\"kind\":\"add\",\"summary\":"
    "\"hunt group\",\"permission\":\"denied: may not create hunt groups\"},"
    "{\"id\":\"s3\",\"state\":\"pending\",\"forest\":\"x.test\",\"phase\":\"exchucutil\",\"kind\":\"add\",\"summary\":"
    "\"hunt group\",\"permission\":\"denied: may not create hunt groups\"},"
    "{\"id\":\"s4\",\"state\":\"intended\",\"forest\":\"y.test\",\"phase\":\"forests\",\"kind\":\"gate\",\"summary\":"
    "\"make the trust\",\"change\":{\"gate\":{\"reason\":\"only an administrator may\",\"command\":[\"netdom trust "
    "y.test "
    "/domain:x.test /add /twoway /userD:administrator /passwordD:* /userO:administrator /passwordO:*\"],\"check\":"
    "[\"forests/trust\"]}}},"
    "{\"id\":\"s5\",\"state\":\"verified\",\"forest\":\"y.test\",\"phase\":\"forests\",\"kind\":\"gate\",\"summary\":"
    "\"done before\",\"change\":{\"gate\":{\"command\":[\"old command\"]}}},"
    "{\"id\":\"s6\",\"state\":\"pending\",\"forest\":\"y.test\",\"phase\":\"um-mailboxes\",\"kind\":\"action\","
    "\"summary\":\"enable\",\"depends\":[\"s1\",\"s2\"],\"undo\":\"disabled again\",\"change\":{\"action\":{\"server\":"
    "\"um1\",\"action\":\"enable-um-mailbox\",\"identity\":\"shell\",\"item\":[\"{\\\"user\\\":\\\"a\\\","
    "\\\"numbers\\\":"
    "\\\"1\\\\n2\\\"}\"]}},\"original\":{\"taken_at\":null,\"voice_user\":[]},\"predicted\":{\"voice_user\":[{\"dn\":"
    "\"CN=a\",\"proxy_address\":[\"eum:1\"],\"sip_address\":null}]}},"
    "{\"id\":\"s7\",\"state\":\"pending\",\"forest\":\"y.test\",\"kind\":\"action\",\"change\":{\"action\":{\"item\":["
    "\"{\\\"certificate\\\":\\\"@s4.certificate\\\"}\",\"{\\\"certificate\\\":\\\"@s4.certificate\\\"}\","
    "\"{\\\"x\\\":\\\"@s4.issuer\\\"}\"]}}}]}";

static void a_plan_says_what_is_missing_and_what_to_do(void **state)
{
    (void)state;
    view_of(umx_plan_view, plan);
    has("input rows   12 user, 3 contact\n");
    has("not before   2026-01-31T22:00:00Z\n");
    has("STEP  STATE    WRITER   PHASE");
    has("s2    pending  denied   exchucutil");
    has("  s2, s3: writer account denied: may not create hunt groups\n");
    assert_int_equal(times("may not create"), 1);
    has("\nBY HAND\n  s4 (y.test): make the trust\n    only an administrator may\n");
    has("      netdom trust y.test /domain:x.test /add /twoway /userD:administrator /passwordD:* "
        "/userO:administrator /passwordO:*\n"); /* whole, to be copied */
    has("    then: umx plan confirm p1 s4 --file certificate=PATH --value issuer=TEXT --comment TEXT\n");
    assert_int_equal(times("old command"), 0);
}

static void a_difference_shows_actions_and_promises(void **state)
{
    (void)state;
    view_of(umx_plan_view_diff, plan);
    has("  + item: user=a, numbers=1; 2\n");
    has("  + voice_user: dn=CN=a, proxy_address=eum:1\n");
    has("    groups: organization_management\n");
    has("    writer account: allowed\n");
    has("    after: s1, s2\n");
    has("    undo: disabled again\n");
    has("    run: netdom trust");
    has("    then passes: forests/trust\n");
}

static void a_watched_step_has_its_name(void **state)
{
    json_t *root = json_loads(plan, 0, NULL);
    const json_t *steps = json_object_get(root, "steps");
    json_t *entry = json_pack("{s:s,s:s,s:s}", "kind", "intent", "step", "s4", "written_at", "2026-01-31T22:00:00Z");
    struct umx_cli cli = open_cli(80);

    (void)state;
    umx_plan_view_entry(&cli, entry, json_array_get(steps, 3));
    umx_plan_view_gate(&cli, "p1", steps, json_array_get(steps, 3));
    umx_plan_view_entry(&cli, entry, NULL);
    fclose(cli.out);
    has("2026-01-31T22:00:00Z  intent       s4 make the trust\n");
    has("2026-01-31T22:00:00Z  intent       s4\n");
    has("netdom trust");
    json_decref(entry);
    json_decref(root);
}

/* ---- findings, journal */

static void a_remedy_is_said_once(void **state)
{
    (void)state;
    view_of(umx_findings_view,
            "{\"counts\":{\"fail\":3,\"warn\":0,\"unknown\":1,\"pass\":0,\"not_applicable\":0},\"findings\":["
            "{\"id\":\"a/"
            "one\",\"status\":\"fail\",\"forest\":\"x\",\"target\":\"t1\",\"actual\":\"no\",\"remedy\":\"mend it\"},"
            "{\"id\":\"a/two\",\"status\":\"unknown\",\"forest\":\"x\",\"target\":\"t2\",\"remedy\":\"connect\"},"
            "{\"id\":\"a/one\",\"status\":\"fail\",\"forest\":\"x\",\"target\":\"t3\",\"actual\":\"nor "
            "here\",\"remedy\":\"mend it\"},"
            "{\"id\":\"a/one\",\"status\":\"fail\",\"forest\":\"x\",\"target\":\"t4\",\"remedy\":\"mend that\"}]}");
    assert_int_equal(times("do: mend it"), 1);
    has("fail a/one  x  t1\n      actual: no\nfail a/one  x  t3\n      actual: nor here\n      do: mend it\n"
        "fail a/one  x  t4\n      do: mend that\nunknown a/two  x  t2\n      do: connect\n");
    has("3 fail, 0 warn, 1 unknown");
}

static void the_journal_fits_the_screen(void **state)
{
    (void)state;
    view_of(
        umx_audit_view,
        "{\"entries\":[{\"sequence\":1,\"written_at\":\"2026-01-31T22:00:00.000000Z\",\"kind\":\"created\",\"plan\":"
        "\"tonight\",\"step\":null,\"actor\":\"umx://d/operator/S-1-5-21-1111111111-2222222222-3333333333-1105\"},"
        "{\"sequence\":2,\"written_at\":\"2026-01-31T22:00:01.000000Z\",\"kind\":\"approval\",\"plan\":\"tonight\","
        "\"actor\":\"umx://d/operator/S-1-5-21-9-9-9-1106\",\"approval\":{\"name\":\"anna\",\"forest\":\"x.test\"}},"
        "{\"sequence\":4,\"written_at\":\"2026-01-31T22:00:01.000000Z\",\"kind\":\"login\",\"plan\":\"tonight\","
        "\"actor\":\"umx://d/operator/S-1-5-21-8-9-9-1106\",\"detail\":\"berta of y.test by a ticket\"},"
        "{\"sequence\":3,\"written_at\":\"2026-01-31T22:00:02.000000Z\",\"kind\":\"step_failed\",\"plan\":\"tonight\","
        "\"step\":\"s17\",\"error\":\"UMX-1204\",\"detail\":\"no right\",\"actor\":\"umx://d/controller/umx1\"}]}");
    fits(80);
    has("…1111111111…1105\n"); /* accounts of two forests have the same last number */
    has("anna\n");
    has("berta ");
    has("controller        UMX-1204 no right\n");
    assert_int_equal(times("tonight"), 0); /* all entries are of it */
    assert_int_equal(times("2222222222"), 0);
}

/* ---- commands */

static void a_phase_tells_its_rows_and_links(void **state)
{
    (void)state;
    assert_int_equal(RUN("phases", "um-mailboxes"), 0);
    has("ROWS (--input)\n  user: forest, user,");
    has("umx plan template --phase um-mailboxes -o csv > rows.csv\n");
    has("    https://go.microsoft.com/fwlink/p/?LinkId=268700\n");
    has("approved by  ");
    fits(80);
    assert_int_equal(RUN("phases", "exchucutil"), 0);
    assert_int_equal(times("ROWS"), 0);
    has("exchucutil.mode=");
    assert_int_equal(RUN("phases", "-o", "json", "dial-plans"), 0);
    json_t *root = json_loads(shown, 0, NULL);
    const json_t *rows = json_object_get(json_array_get(json_object_get(root, "phases"), 0), "rows");
    assert_int_equal(json_array_size(rows), 2);
    json_decref(root);
    for (int i = 0; i < UMX_PHASE_COUNT; i++) /* every phase that proposes rows says which */
        assert_true(umx_phases()[i].propose == NULL || umx_phases()[i].rows != NULL);
}

static void a_wrong_line_names_the_help_of_its_command(void **state)
{
    (void)state;
    assert_int_equal(RUN("plan", "approve", "p"), 2);
    has("see `umx help plan approve`\n");
    assert_int_equal(RUN("plan", "create"), 2);
    has("see `umx help plan create`\n");
    assert_int_equal(RUN("nosuch"), 2);
    has("see `umx help`\n");
    assert_int_equal(RUN("plan", "confirm", "-o", "json"), 2);
    has("\"remedy\":\"see `umx help plan confirm`\"");
    assert_int_equal(RUN("plan", "template", "--separator", "x"), 2);
    assert_int_equal(RUN("plan", "template", "--table", "people"), 2);
    assert_int_equal(RUN("plan", "template", "-o", "jsonl"), 2);
    assert_int_equal(RUN("plan", "create", "p", "--phase", "x", "--input", "/nonexistent"), 1);
    has("UMX-1008");
}

static void a_reader_who_has_seen_enough_is_no_error(void **state)
{
    int ends[2];
    char *said = NULL;
    size_t length;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    struct umx_cli cli = {.style = {.width = 80}, .out = fdopen(ends[1], "w"), .err = open_memstream(&said, &length)};
    assert_int_equal(umx_cli_run(&cli, (const char *const[]){"tables"}, 1), 0);
    assert_int_equal(umx_cli_run(&cli, (const char *const[]){"phases", "-o", "json"}, 3), 0);
    fclose(cli.out);
    fclose(cli.err);
    assert_string_equal(said, "");
    free(said);
    /* A full disk is one. */
    said = NULL;
    cli = (struct umx_cli){
        .style = {.width = 80}, .out = fopen("/dev/full", "we"), .err = open_memstream(&said, &length)};
    assert_non_null(cli.out);
    assert_int_equal(umx_cli_run(&cli, (const char *const[]){"tables"}, 1), 1);
    fclose(cli.out);
    fclose(cli.err);
    assert_non_null(strstr(said, "UMX-1009"));
    free(said);
}

static int release(void **state)
{
    (void)state;
    free(shown);
    shown = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_screen_shows_up_to_four_pairs),
        cmocka_unit_test(drift_says_what_and_since_when),
        cmocka_unit_test(a_plan_says_what_is_missing_and_what_to_do),
        cmocka_unit_test(a_difference_shows_actions_and_promises),
        cmocka_unit_test(a_watched_step_has_its_name),
        cmocka_unit_test(a_remedy_is_said_once),
        cmocka_unit_test(the_journal_fits_the_screen),
        cmocka_unit_test(a_phase_tells_its_rows_and_links),
        cmocka_unit_test(a_wrong_line_names_the_help_of_its_command),
        cmocka_unit_test(a_reader_who_has_seen_enough_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

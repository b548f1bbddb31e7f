/* The page of findings and their CSV: nothing is left out, what is wrong stands first, and all of it is text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/reflect.h"
#include "controller/report_findings.h"

#define HOSTILE "</td><script>x</script> & \"M\xc3\xbcller\""

static Umx__Finding right = UMX__FINDING__INIT, wrong = UMX__FINDING__INIT, other = UMX__FINDING__INIT;
static Umx__Finding *items[] = {&right, &wrong, &other};
static struct umx_findings findings = {.items = items, .count = 3};
static Umx__Forest read_forest = UMX__FOREST__INIT, unread = UMX__FOREST__INIT;
static Umx__Forest *forests[] = {&read_forest, &unread};
static Umx__World world = UMX__WORLD__INIT;
static const struct umx_phase *phases[2];
static const struct umx_pair pair = {"exchange.test", "lync.test"};
static struct umx_report_findings report;
static struct umx_arena *arena;

static char *text(const char *value)
{
    char *copy = umx_arena_string(arena, value);

    assert_non_null(copy);
    return copy;
}

static void fill(Umx__Finding *finding, const char *phase, const char *id, Umx__Finding__Status status)
{
    finding->phase = text(phase);
    finding->id = text(id);
    finding->has_status = 1;
    finding->status = status;
    finding->exchange = text("exchange.test");
    finding->lync = text("lync.test");
    finding->target = text("target of " HOSTILE);
    finding->expected = text("expected");
    finding->actual = text("line\nand \"quoted\", with a comma");
}

static int prepare(void **state)
{
    (void)state;
    arena = umx_arena_new(1 << 20);
    assert_non_null(arena);
    phases[0] = umx_phase("forests");
    phases[1] = umx_phase("exchucutil");
    fill(&right, "forests", "forests/organization", UMX__FINDING__STATUS__PASS);
    fill(&wrong, "forests", "forests/trust-direction", UMX__FINDING__STATUS__FAIL);
    wrong.remedy = text("`netdom trust` " HOSTILE);
    fill(&other, "exchucutil", "exchucutil/gateway", UMX__FINDING__STATUS__UNKNOWN);
    read_forest.forest = text("exchange.test");
    read_forest.domain_controller = text("dc1.exchange.test");
    read_forest.collected_at = INT64_C(1769896800000000);
    unread.forest = text("lync.test");
    unread.error = text("UMX-1201 nobody answers");
    world.n_forest = 2;
    world.forest = forests;
    report = (struct umx_report_findings){.deployment = "demo " HOSTILE,
                                          .world = &world,
                                          .phases = phases,
                                          .phase_count = 2,
                                          .pairs = &pair,
                                          .pair_count = 1,
                                          .findings = &findings,
                                          .made_at = INT64_C(1769896800000000)};
    return 0;
}

static int release(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

static const char *find(const struct umx_text *page, const char *wanted)
{
    const char *found = strstr(page->data, wanted);

    if (found == NULL)
        fail_msg("`%s` is not on the page", wanted);
    return found;
}

static void all_findings_are_on_the_page_and_problems_first(void **state)
{
    struct umx_text page = {0};

    (void)state;
    umx_report_findings_html(&report, arena, &page);
    assert_false(page.failed);
    assert_true(find(&page, "forests/trust-direction") < find(&page, "forests/organization"));
    assert_true(find(&page, "<details>") < find(&page, "forests/organization"));
    find(&page, "exchucutil/gateway");
    find(&page, "1 fail, 1 unknown, 0 warn, 1 pass, 0 not_applicable");
    find(&page, "read at 2026-01-31T22:00:00Z from dc1.exchange.test");
    find(&page, "not read: UMX-1201 nobody answers");
    find(&page, "<th>exchange.test:lync.test</th>");
    umx_text_free(&page);
}

static void the_page_is_well_formed_and_holds_only_text(void **state)
{
    char path[] = "/tmp/umx-test-findings-XXXXXX";
    const char *const words[] = {
        "python3", UMX_SOURCE_DIR "/tests/unit/well_formed.py", path, "target of " HOSTILE, "`netdom trust` " HOSTILE,
        NULL};
    struct umx_text page = {0};
    int fd = mkstemp(path), code = 0;
    pid_t child;

    (void)state;
    umx_report_findings_html(&report, arena, &page);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, page.data, page.length), (ssize_t)page.length);
    close(fd);
    assert_int_equal(posix_spawnp(&child, words[0], NULL, NULL, (char *const *)(uintptr_t)words, environ), 0);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    unlink(path);
    umx_text_free(&page);
}

static void csv_quotes_what_has_to_be(void **state)
{
    static const char header[] =
        "id,phase,forest,target,status,expected,actual,remedy,spec,exchange,lync\r\n"
        "forests/organization,forests,,\"target of </td><script>x</script> & \"\"M\xc3\xbcller\"\"\",pass,expected,"
        "\"line\nand \"\"quoted\"\", with a comma\",,,exchange.test,lync.test\r\n";
    struct umx_text csv = {0};
    size_t lines = 0;

    (void)state;
    umx_report_findings_csv(&report, &csv);
    assert_false(csv.failed);
    assert_memory_equal(csv.data, header, sizeof header - 1);
    for (const char *at = csv.data; (at = strstr(at, "\r\n")) != NULL; at += 2)
        lines++;
    assert_int_equal(lines, 4);
    umx_text_free(&csv);
}

static void without_pairs_and_findings_it_is_a_page_too(void **state)
{
    static const struct umx_findings none = {0};
    struct umx_report_findings empty = report;
    struct umx_text page = {0};

    (void)state;
    empty.pair_count = 0;
    empty.findings = &none;
    umx_report_findings_html(&empty, arena, &page);
    assert_false(page.failed);
    find(&page, "0 fail, 0 unknown");
    umx_text_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_findings_are_on_the_page_and_problems_first),
        cmocka_unit_test(the_page_is_well_formed_and_holds_only_text),
        cmocka_unit_test(csv_quotes_what_has_to_be),
        cmocka_unit_test(without_pairs_and_findings_it_is_a_page_too),
    };

    return cmocka_run_group_tests(tests, prepare, release);
}

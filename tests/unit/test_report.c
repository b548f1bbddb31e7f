/* The page for a change ticket: everything is on it, and nothing on it is anything but text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "controller/report.h"
#include "phases/build.h"

#define HOSTILE                                                                                                        \
    "</td><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & \"M\xc3\xbcller\""
#define FOREST "m\xc3\xbcller.test"

static struct umx_arena *arena;
static struct umx_text html;
static char path[] = "/tmp/umx-test-report-XXXXXX.html";

static char *say(const char *text)
{
    char *copy = umx_arena_string(arena, text);

    assert_non_null(copy);
    return copy;
}

static void *new_message(const ProtobufCMessageDescriptor *type)
{
    void *message = umx_reflect_new(type, arena);

    assert_non_null(message);
    return message;
}

static Umx__Image *image(struct umx_steps *steps, const char *name, const char *const *values)
{
    Umx__Image *made = new_message(&umx__image__descriptor);

    umx_steps_attribute(steps, &made->attribute, &made->n_attribute, name, NULL);
    Umx__AttributeValues *attribute = made->attribute[0];
    for (; *values != NULL; values++)
        umx_steps_push(steps, &attribute->value, &attribute->n_value, *values);
    return made;
}

static void modify_step(struct umx_steps *steps)
{
    Umx__PlanStep *step =
        umx_steps_add(steps, "exchucutil", UMX__FOREST__SIDE__EXCHANGE, FOREST, UMX__CHANGE__KIND__MODIFY);

    assert_non_null(step);
    step->summary = say("gateway " HOSTILE);
    step->target = say("CN=a&b,DC=x");
    step->change->dn = say("CN=a&b,DC=x");
    step->groups = say("organization_management and recipient_management");
    step->permission = say("denied: no right to write msExchUMHardwareSecurity");
    step->state = UMX__PLAN_STEP__STATE__FAILED;
    step->has_state = 1;
    step->error = say("UMX-1204 " HOSTILE);
    step->undo = say("the old value comes back");
    step->before = image(steps, "flags", (const char *const[]){"old <1>", "kept", NULL});
    step->after = image(steps, "flags", (const char *const[]){"new & 2", "kept", NULL});
}

static void other_steps(struct umx_steps *steps)
{
    Umx__World world = UMX__WORLD__INIT;
    Umx__Service service = UMX__SERVICE__INIT;
    char server[] = "um1." FOREST, name[] = "MSExchangeUM";
    Umx__PlanStep *action =
        umx_step_action(steps, "um-servers", UMX__FOREST__SIDE__EXCHANGE, FOREST, server, "restart-service", "machine");
    assert_non_null(action);
    umx_step_item(steps, action, "Item\x01 \xe2\x80\xae <b>", NULL);
    service.server = server;
    service.name = name;
    service.has_state = 1;
    service.state = UMX__SERVICE__STATE__RUNNING;
    umx_step_promise(steps, action, &world, &service.base);
    Umx__PlanStep *gate =
        umx_step_gate(steps, "forests", UMX__FOREST__SIDE__LYNC, "lync.test", "trust", "nobody but you may " HOSTILE);
    assert_non_null(gate);
    umx_step_command(steps, gate, "netdom trust /d:\"x\" <y>");
    umx_step_gate_check(steps, gate, "forests/trust-direction");
    Umx__PlanStep *wait =
        umx_step_wait(steps, "exchucutil", UMX__FOREST__SIDE__LYNC, "lync.test", "replication", "dc1.lync.test", 600);
    assert_non_null(wait);
    action->undo = gate->undo = wait->undo = say("");
}

static Umx__Approval *approval(void)
{
    Umx__Approval *made = new_message(&umx__approval__descriptor);
    static uint8_t bytes[] = {0xde, 0xad, 0xbe, 0xef};

    made->forest = say(FOREST);
    made->decision = UMX__APPROVAL__DECISION__BREAK_GLASS;
    made->name = say("X\\J\xc3\xb6rg <admin>");
    made->sid = say("S-1-5-21-1-2-3-500");
    made->group = umx_arena_alloc(arena, sizeof(char *));
    made->group[0] = say("organization_management");
    made->n_group = 1;
    made->decided_at = INT64_C(1769896800000000);
    made->comment = say("because: " HOSTILE);
    made->has_certificate = made->has_signature = 1;
    made->certificate = made->signature = (ProtobufCBinaryData){sizeof bytes, bytes};
    return made;
}

static int make(void **state)
{
    struct umx_steps steps = {0};
    Umx__Plan plan = UMX__PLAN__INIT;
    Umx__PlanSummary summary = UMX__PLAN_SUMMARY__INIT;
    Umx__Input rows = UMX__INPUT__INIT;
    Umx__InputUser user = UMX__INPUT_USER__INIT, *users[] = {&user};
    Umx__Journal entry = UMX__JOURNAL__INIT, *entries[] = {&entry};
    Umx__Intent intent = UMX__INTENT__INIT;
    const char *missing[] = {"lync.test: rtc_server_admins"};

    (void)state;
    arena = umx_arena_new(4 * 1024 * 1024);
    assert_non_null(arena);
    steps.arena = arena;
    modify_step(&steps);
    other_steps(&steps);
    assert_int_equal(steps.failed, 0);
    assert_int_equal(steps.count, 4);
    Umx__Approval *approvals[] = {approval()};
    char *forests[] = {say(FOREST), say("lync.test")}, *notes[] = {say("left alone: " HOSTILE)};
    plan.forest = forests;
    plan.n_forest = 2;
    plan.note = notes;
    plan.n_note = 1;
    user.has_row = 1;
    user.row = 2;
    user.user = say("=1+1 " HOSTILE);
    rows.user = users;
    rows.n_user = 1;
    plan.input = &rows;
    summary.name = say("p1");
    summary.state = UMX__PLAN_SUMMARY__STATE__FAILED;
    summary.hash = say("ab12");
    intent.before = image(&steps, "flags", (const char *const[]){"found in between", NULL});
    intent.domain_controller = say("dc1." FOREST);
    entry.sequence = 7;
    entry.kind = UMX__JOURNAL__KIND__INTENT;
    entry.step = say("s1");
    entry.actor = say("umx://d/controller/" HOSTILE);
    entry.hash = say("00ff");
    entry.intent = &intent;
    const struct umx_engine_view view = {.summary = &summary,
                                         .plan = &plan,
                                         .steps = steps.items,
                                         .step_count = steps.count,
                                         .approvals = approvals,
                                         .approval_count = 1,
                                         .missing = missing,
                                         .missing_count = 1};
    umx_report_html(&(struct umx_report){.view = &view,
                                         .entries = entries,
                                         .entry_count = 1,
                                         .head = {.sequence = 9, .hash = {0xab, 0xcd}},
                                         .made_at = INT64_C(1769896800000000)},
                    &html);
    assert_false(html.failed);
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, html.data, html.length), (ssize_t)html.length);
    close(fd);
    return 0;
}

static int release(void **state)
{
    (void)state;
    unlink(path);
    umx_text_free(&html);
    umx_arena_free(arena);
    return 0;
}

/* Runs a program with its output in a file; its exit code. */
static int run(const char *const *words, const char *output)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        int fd = open(output, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
            _exit(126);
        alarm(90);
        execvp(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static char *content(const char *file)
{
    FILE *in = fopen(file, "re");
    char *text = calloc(1, 1024 * 1024);

    assert_non_null(in);
    assert_non_null(text);
    fread(text, 1, 1024 * 1024 - 1, in);
    fclose(in);
    return text;
}

static void has(const char *text)
{
    if (strstr(umx_text_string(&html), text) == NULL)
        fail_msg("the page does not have `%s`", text);
}

static void everything_is_on_the_page(void **state)
{
    (void)state;
    has("<del>old &lt;1&gt;</del>");
    has("<ins>new &amp; 2</ins>");
    has("<span class=\"value\">kept</span>");
    has("found in between");
    has("denied: no right to write");
    has("organization_management and recipient_management");
    has("break_glass");
    has("S-1-5-21-1-2-3-500");
    has("lync.test: rtc_server_admins");
    has("netdom trust /d:&quot;x&quot; &lt;y&gt;");
    has("at most 600 s");
    has("<ins>service: server=um1." FOREST " name=MSExchangeUM state=running</ins>");
    has("entry 9, SHA-256 abcd");
    has("to dc1." FOREST);
    has("deadbeef");
    has("2026-01-31T22:00:00");
    has("Item\xef\xbf\xbd \xef\xbf\xbd &lt;b&gt;"); /* neither control characters nor turned text */
}

static void the_page_is_well_formed_and_holds_only_text(void **state)
{
    char out[] = "/tmp/umx-test-report-XXXXXX";
    int fd = mkstemp(out);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    int code = run((const char *const[]){"python3", UMX_SOURCE_DIR "/tests/unit/well_formed.py", path,
                                         "gateway " HOSTILE, "because: " HOSTILE, "left alone: " HOSTILE,
                                         "=1+1 " HOSTILE, "umx://d/controller/" HOSTILE, "Forest " FOREST, NULL},
                   out);
    char *said = content(out);
    unlink(out);
    if (code != 0)
        fail_msg("exit code %d: %s", code, said);
    free(said);
}

/* In the browser that people have. It is too large to be demanded for a test (see packaging/install-dependencies). */
static void a_browser_shows_it(void **state)
{
    static const char *const browsers[] = {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"};
    char out[] = "/tmp/umx-test-report-XXXXXX", profile[] = "/tmp/umx-test-report-XXXXXX";
    struct umx_text url = {0}, directory = {0};
    const char *browser = NULL;

    (void)state;
    for (size_t i = 0; browser == NULL && i < sizeof browsers / sizeof browsers[0]; i++)
        if (access(browsers[i], X_OK) == 0)
            browser = browsers[i];
    if (browser == NULL) {
        print_message("no Chromium here (packaging/install-dependencies browser): not shown in a browser\n");
        skip();
    }
    int fd = mkstemp(out);
    assert_true(fd >= 0);
    close(fd);
    assert_non_null(mkdtemp(profile));
    umx_text_addf(&url, "file://%s", path);
    umx_text_addf(&directory, "--user-data-dir=%s", profile);
    int code =
        run((const char *const[]){browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                  "--disable-background-networking", "--no-first-run", "--enable-logging=stderr",
                                  umx_text_string(&directory), "--dump-dom", umx_text_string(&url), NULL},
            out);
    char *said = content(out);
    assert_int_equal(code, 0);
    assert_non_null(strstr(said, "<title>umx plan p1</title>"));
    assert_non_null(strstr(said, "<del>old &lt;1&gt;</del>"));
    assert_non_null(strstr(said, "J\xc3\xb6rg &lt;admin&gt;"));
    assert_null(strstr(said, "<script>"));
    assert_null(strstr(said, "<img"));
    assert_null(strstr(said, "CONSOLE")); /* what the browser complains about in a page */
    run((const char *const[]){"rm", "-rf", profile, NULL}, out);
    unlink(out);
    umx_text_free(&url);
    umx_text_free(&directory);
    free(said);
}

static void no_plan_is_too_empty(void **state)
{
    Umx__Plan plan = UMX__PLAN__INIT;
    Umx__PlanSummary summary = UMX__PLAN_SUMMARY__INIT;
    const struct umx_engine_view view = {.summary = &summary, .plan = &plan};
    struct umx_text out = {0};

    (void)state;
    umx_report_html(&(struct umx_report){.view = &view}, &out);
    assert_false(out.failed);
    assert_non_null(strstr(out.data, "Nobody has decided yet."));
    assert_non_null(strstr(out.data, "No steps"));
    umx_text_free(&out);
    umx_report_text(&out, "a\xffz\xed\xa0\x80\xf0\x9f\x98\x80");
    assert_string_equal(umx_text_string(&out), "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80");
    umx_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_on_the_page),
        cmocka_unit_test(the_page_is_well_formed_and_holds_only_text),
        cmocka_unit_test(a_browser_shows_it),
        cmocka_unit_test(no_plan_is_too_empty),
    };
    return cmocka_run_group_tests(tests, make, release);
}

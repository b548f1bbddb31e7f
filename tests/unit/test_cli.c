/* The program as a whole, without a controller: its table of commands, what documents it, and whole command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/text.h"
#include "base/world.h"
#include "cli/cli.h"
#include "cli/plan_view.h"

static char *out_text, *err_text;
static size_t out_length, err_length;

static void forget(void)
{
    free(out_text);
    free(err_text);
    out_text = err_text = NULL;
}

static int run_words(size_t count, const char *const *words)
{
    forget();
    struct umx_cli cli = {.controller = "127.0.0.1:1", .identity = "/nonexistent/identity.pem", .style = {.width = 80}};
    cli.out = open_memstream(&out_text, &out_length);
    cli.err = open_memstream(&err_text, &err_length);
    assert_non_null(cli.out);
    assert_non_null(cli.err);
    int result = umx_cli_run(&cli, words, count);
    fclose(cli.out);
    fclose(cli.err);
    return result;
}

#define RUN(...)                                                                                                       \
    run_words(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), (const char *const[]){__VA_ARGS__})

static char *read_file(const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", UMX_SOURCE_DIR, path);
    FILE *file = fopen(full, "re");
    assert_non_null(file);
    char *text = calloc(1, 128 * 1024);
    assert_non_null(text);
    assert_true(fread(text, 1, 128 * 1024 - 1, file) > 0);
    fclose(file);
    return text;
}

static void every_command_is_documented(void **state)
{
    char *manual = read_file("docs/man/umx.1"), *completion = read_file("packaging/completion/umx.bash");

    (void)state;
    for (const struct umx_command *row = umx_commands(); row->words != NULL; row++) {
        assert_non_null(row->run);
        assert_true(row->help != NULL && strlen(row->help) > 0 && row->operands != NULL);
        assert_int_equal(strncmp(row->example, "umx ", 4), 0);
        if (row->hidden)
            continue;
        struct umx_text words = {0};
        umx_text_addf(&words, ".It Cm %s", row->words);
        if (strstr(manual, umx_text_string(&words)) == NULL)
            fail_msg("umx.1 does not have %s", row->words);
        const char *last = strrchr(row->words, ' ');
        if (strstr(completion, last != NULL ? last + 1 : row->words) == NULL)
            fail_msg("the completion does not have %s", row->words);
        for (const struct umx_option *option = row->options; option != NULL && option->name != NULL; option++) {
            words.length = 0;
            umx_text_addf(&words, "Fl %s", option->name + 1);
            if (strstr(manual, umx_text_string(&words)) == NULL || strstr(completion, option->name) == NULL)
                fail_msg("%s: %s is not in umx.1 or not in the completion", row->words, option->name);
            assert_true(strlen(option->help) > 0);
        }
        umx_text_free(&words);
        struct umx_args args;
        struct umx_error err;
        assert_int_equal(umx_args_parse(row->options, umx_global_options(), NULL, NULL, 0, false, &args, &err), 0);
    }
    free(manual);
    free(completion);
}

static void help_is_short_enough_and_complete(void **state)
{
    (void)state;
    assert_int_equal(RUN("help"), 0);
    for (const struct umx_command *row = umx_commands(); row->words != NULL; row++)
        assert_int_equal(strstr(out_text, row->words) != NULL, !row->hidden);
    for (const char *line = out_text; *line != '\0'; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 80)
            fail_msg("wider than 80: %.*s", (int)strcspn(line, "\n"), line);
    assert_int_equal(RUN("help", "tables"), 0);
    assert_non_null(strstr(out_text, "umx tables hunt_group"));
    assert_int_equal(RUN("tables", "--help"), 0);
    assert_non_null(strstr(out_text, "usage: umx tables"));
}

static void wrong_lines_end_with_two(void **state)
{
    (void)state;
    assert_int_equal(RUN("nonsense"), 2);
    assert_non_null(strstr(err_text, "umx: error UMX-1601: nonsense"));
    assert_string_equal(out_text, "");
    assert_int_equal(RUN("tables", "a", "b"), 2);
    assert_int_equal(RUN("tables", "-o", "xml"), 2);
    assert_int_equal(RUN("--nonsense", "tables"), 2);
    assert_int_equal(RUN("snapshot"), 2);
    assert_non_null(strstr(err_text, "snapshot diff"));
    assert_int_equal(RUN("plan", "aprove", "x"), 2); /* the words that there are, and the one that is none */
    assert_non_null(strstr(err_text, "plan approve NAME"));
    assert_non_null(strstr(err_text, "umx: error UMX-1601: plan aprove"));
    assert_int_equal(run_words(0, NULL), 2);
}

static void errors_follow_the_format(void **state)
{
    (void)state;
    assert_int_equal(RUN("-o", "json", "tables", "nosuch"), 1);
    json_t *error = json_loads(err_text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(error, "error"), "id")), "UMX-1012");
    assert_string_equal(json_string_value(json_object_get(json_object_get(error, "error"), "what")), "nosuch");
    assert_non_null(json_object_get(json_object_get(error, "error"), "remedy"));
    json_decref(error);
    assert_int_equal(RUN("nonsense", "-o=json"), 2);
    error = json_loads(err_text, 0, NULL);
    assert_non_null(json_object_get(error, "error"));
    json_decref(error);
}

static void local_commands_answer_in_every_format(void **state)
{
    (void)state;
    assert_int_equal(RUN("phases", "-o", "json"), 0);
    json_t *phases = json_loads(out_text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(phases, "phases")), 11);
    json_decref(phases);
    assert_int_equal(RUN("-o=jsonl", "tables", "hunt_group"), 0);
    assert_int_equal(strncmp(out_text, "{\"name\":\"forest\"", 16), 0);
    assert_int_equal(RUN("tables", "-o", "csv"), 0);
    assert_int_equal(strncmp(out_text, "name,columns,comment\r\n", 22), 0);
    assert_int_equal(RUN("phases", "nosuch"), 2);
    assert_int_equal(RUN("docs", "errors"), 0);
    assert_non_null(strstr(out_text, "| UMX-1601 | argument | 2 |"));
    assert_int_equal(RUN("docs", "tables"), 0);
    assert_non_null(strstr(out_text, "\n## hunt_group\n"));
    assert_int_equal(RUN("docs", "checks"), 0);
    assert_non_null(strstr(out_text, "| forests/trust-direction | V1B.2 |"));
    assert_int_equal(RUN("--version"), 0);
    assert_string_equal(out_text, "umx " UMX_VERSION "\n");
}

/* A saved world with one forest of each side that could not be read. */
static void save_world(char *path)
{
    struct umx_world *world = umx_world_new(INT64_C(1769896800000000));
    struct umx_error err = {0};
    char exchange[] = "exchange.test", lync[] = "lync.test", why[] = "UMX-1201: no answer";

    for (int i = 0; i < 2; i++) {
        Umx__Forest forest = UMX__FOREST__INIT;
        forest.forest = i == 0 ? exchange : lync;
        forest.has_side = 1;
        forest.side = i == 0 ? UMX__FOREST__SIDE__EXCHANGE : UMX__FOREST__SIDE__LYNC;
        forest.error = i == 0 ? NULL : why;
        assert_int_equal(umx_world_add(world, &forest.base, &err), 0);
    }
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(umx_world_save(world, path, &err), 0);
    umx_world_free(world);
}

static void a_saved_world_is_checked_without_a_server(void **state)
{
    char path[] = "/tmp/umx-test-cli-XXXXXX";

    (void)state;
    save_world(path);
    int code = RUN("check", "--snapshot", path, "--phase", "forests", "-o", "json");
    json_t *answer = json_loads(out_text, 0, NULL);
    const json_t *findings = json_object_get(answer, "findings"), *counts = json_object_get(answer, "counts");
    long long sum = 0, failed = json_integer_value(json_object_get(counts, "fail"));
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(answer, "counts"), key, value) sum += json_integer_value(value);
    assert_true(json_array_size(findings) > 0);
    assert_int_equal(sum, json_array_size(findings));
    assert_int_equal(code, failed > 0 ? 1 : 4); /* the Lync forest was not read */
    assert_non_null(strstr(err_text, "lync.test"));
    json_decref(answer);

    RUN("check", "--snapshot", path, "--pair", "EXCHANGE.test:lync.TEST", "--all");
    assert_non_null(strstr(out_text, "not applicable\n"));
    assert_int_equal(RUN("check", "--snapshot", path, "--pair", "exchange.test:nosuch.test"), 2);
    assert_int_equal(RUN("check", "--snapshot", path, "--phase", "nosuch"), 2);
    assert_int_equal(RUN("check", "--snapshot", "/nonexistent"), 1);
    assert_int_equal(RUN("snapshot", "diff", path, path), 0);
    assert_non_null(strstr(out_text, "0 added, 0 removed, 0 changed"));
    unlink(path);
}

static void without_identity_nothing_is_asked(void **state)
{
    (void)state;
    assert_int_equal(RUN("agents"), 3);
    assert_non_null(strstr(err_text, "umx: error UMX-"));
    assert_string_equal(out_text, "");
    assert_int_equal(RUN("plan", "create", "p"), 2); /* --phase is needed: said before anything is asked */
    assert_int_equal(RUN("plan", "create", "p", "--phase", "x", "--not-before", "soon"), 2);
}

static void view_of(umx_view *view, const char *json, bool color)
{
    struct umx_document document = {.root = json_loads(json, 0, NULL)};

    forget();
    struct umx_cli cli = {.style = {.width = 80, .color = color}};
    assert_non_null(document.root);
    cli.out = open_memstream(&out_text, &out_length);
    cli.err = cli.out;
    view(&cli, &document);
    fclose(cli.out);
    umx_document_close(&document);
}

static const char plan[] =
    "{\"name\":\"p1\",\"state\":\"draft\",\"hash\":\"ab12\",\"author\":\"umx://d/operator/"
    "S-1\",\"forests\":[\"x.test\"],"
    "\"approvals\":[],\"missing\":[\"x.test: organization_management\"],\"notes\":[],\"steps\":["
    "{\"id\":\"s1\",\"state\":\"pending\",\"forest\":\"x.test\",\"phase\":\"exchucutil\",\"kind\":\"add\",\"summary\":"
    "\"gateway\","
    "\"change\":{\"dn\":\"CN=gw,DC=x\",\"attribute\":[{\"name\":\"cn\",\"value\":[\"gw\"],\"binary\":[]}]}},"
    "{\"id\":\"s2\",\"state\":\"pending\",\"forest\":\"x.test\",\"phase\":\"exchucutil\",\"kind\":\"modify\","
    "\"summary\":\"flag\","
    "\"change\":{\"dn\":\"CN=gw,DC=x\",\"modify\":[{\"name\":\"flags\",\"remove\":[\"1\"],\"add\":[\"0\\n+ fake: "
    "line\"]}]}},"
    "{\"id\":\"s3\",\"state\":\"failed\",\"error\":\"UMX-1204 denied\",\"forest\":\"x.test\",\"phase\":\"exchucutil\","
    "\"kind\":\"access\",\"summary\":\"read right\",\"change\":{\"dn\":\"CN=c,DC=x\",\"access\":{\"add\":true,"
    "\"sddl\":\"(A;CI;LCRP;;;S-1-5-21-1)\",\"trustee_name\":\"LYNC\\\\RTCUniversalServerAdmins\"}}},"
    "{\"id\":\"s4\",\"state\":\"pending\",\"forest\":\"x.test\",\"phase\":\"exchucutil\",\"kind\":\"delete\","
    "\"summary\":\"old\","
    "\"before\":{\"attribute\":[{\"name\":\"cn\",\"value\":[\"old\"],\"binary\":[\"00ff\"]}]},\"change\":{\"dn\":\"CN="
    "o,DC=x\"}}]}";

static void a_plan_is_shown_by_forest(void **state)
{
    (void)state;
    view_of(umx_plan_view, plan, false);
    assert_non_null(strstr(out_text, "\nhash         ab12\n"));
    assert_non_null(strstr(out_text, "STILL NEEDED\n  x.test: organization_management\n"));
    assert_non_null(strstr(out_text, "\nFOREST x.test\n"));
    assert_non_null(strstr(out_text, "s3    failed   exchucutil  access  read right\n"));
    assert_non_null(strstr(out_text, "  s3: UMX-1204 denied\n"));
    view_of(umx_plan_view, "{\"name\":\"p2\",\"state\":\"draft\",\"steps\":[]}", false);
    assert_non_null(strstr(out_text, "no steps"));
}

static void a_difference_shows_every_value_on_its_line(void **state)
{
    (void)state;
    view_of(umx_plan_view_diff, plan, false);
    assert_non_null(strstr(out_text, "    dn: CN=gw,DC=x\n  + cn: gw\n"));
    /* A value cannot pretend to be another line. */
    assert_non_null(strstr(out_text, "  - flags: 1\n  + flags: 0 + fake: line\n"));
    assert_non_null(strstr(out_text, "  + access: (A;CI;LCRP;;;S-1-5-21-1)  LYNC\\RTCUniversalServerAdmins\n"));
    assert_non_null(strstr(out_text, "  - cn: old\n  - cn (hex): 00ff\n"));
    assert_null(strchr(out_text, '\033'));
    view_of(umx_plan_view_diff, plan, true);
    assert_non_null(strstr(out_text, "\033[31m- flags: 1\033[0m\n"));
}

static int release(void **state)
{
    (void)state;
    forget();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_documented),
        cmocka_unit_test(help_is_short_enough_and_complete),
        cmocka_unit_test(wrong_lines_end_with_two),
        cmocka_unit_test(errors_follow_the_format),
        cmocka_unit_test(local_commands_answer_in_every_format),
        cmocka_unit_test(a_saved_world_is_checked_without_a_server),
        cmocka_unit_test(without_identity_nothing_is_asked),
        cmocka_unit_test(a_plan_is_shown_by_forest),
        cmocka_unit_test(a_difference_shows_every_value_on_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

/* Rows of --input: what spreadsheets write, what hostile files write, and what is said about each bad cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/input.h"
#include "cli/plan_rows.h"
#include "cli/value.h"

static struct umx_input input;
static struct umx_error err;

static int begin(void **state)
{
    (void)state;
    umx_input_close(&input);
    err = (struct umx_error){0};
    return 0;
}

static int add_named(const char *name, const char *text, const char *table)
{
    return umx_input_add(&input, name, text, strlen(text), table, &err);
}

static int add(const char *text)
{
    return add_named("rows.csv", text, NULL);
}

static const json_t *row(const char *table, size_t index)
{
    const json_t *found = json_array_get(json_object_get(input.root, table), index);

    if (found == NULL)
        fail_msg("%s has no row %zu (%s)", table, index, umx_error_why(&err));
    return found;
}

static void problem_is(size_t index, const char *place, const char *why)
{
    const json_t *problem = json_array_get(input.problems, index);

    assert_non_null(problem);
    assert_string_equal(umx_value_string(problem, "place"), place);
    if (strstr(umx_value_string(problem, "why"), why) == NULL)
        fail_msg("`%s` is not in `%s`", why, umx_value_string(problem, "why"));
}

static void excel_of_any_country_is_read(void **state)
{
    static const char separators[] = ",;\t";

    (void)state;
    for (size_t i = 0; separators[i] != '\0'; i++) {
        char text[512];
        int n = snprintf(text, sizeof text,
                         "\xef\xbb\xbfUser%cextension%cPOLICY%c\r\n"
                         "\"M\xc3\xbcller, J\xc3\xb6rg; \"\"Chef\"\"\"%c04711%c %s %c\r\n%c%c%c\r\n\r\nkurz\r\n",
                         separators[i], separators[i], separators[i], separators[i], separators[i], "Default",
                         separators[i], separators[i], separators[i], separators[i]);
        assert_true(n > 0 && (size_t)n < sizeof text);
        begin(NULL);
        assert_int_equal(add(text), 0);
        assert_int_equal(input.problem_count, 0);
        assert_int_equal(json_array_size(json_object_get(input.root, "user")), 2);
        assert_string_equal(umx_value_string(row("user", 0), "user"), "M\xc3\xbcller, J\xc3\xb6rg; \"Chef\"");
        assert_string_equal(umx_value_string(row("user", 0), "extension"), "04711");
        assert_string_equal(umx_value_string(row("user", 0), "policy"), "Default");
        assert_int_equal(umx_value_integer(row("user", 0), "row"), 2);
        assert_int_equal(umx_value_integer(row("user", 1), "row"), 5);
        assert_null(json_object_get(row("user", 1), "extension"));
    }
}

static void lists_and_numbers_have_their_types(void **state)
{
    (void)state;
    assert_int_equal(add("forest;name;digits;access_number\n"
                         "x.test;Plan A;4;\"+49301; +49302 ;\"\n"),
                     0);
    const json_t *numbers = json_object_get(row("dial_plan", 0), "access_number");
    assert_int_equal(umx_value_integer(row("dial_plan", 0), "digits"), 4);
    assert_int_equal(json_array_size(numbers), 2);
    assert_string_equal(json_string_value(json_array_get(numbers, 1)), "+49302");
}

static void lines_are_counted_through_cells_with_line_ends(void **state)
{
    (void)state;
    assert_int_equal(add("name,phone_context,pool\r\n\"two\r\nlines\",a,p\r\n\r\nthird,b,p\rfourth,c,p"), 0);
    assert_int_equal(json_array_size(json_object_get(input.root, "contact")), 3);
    assert_string_equal(umx_value_string(row("contact", 0), "name"), "two\r\nlines");
    assert_int_equal(umx_value_integer(row("contact", 0), "row"), 2);
    assert_int_equal(umx_value_integer(row("contact", 1), "row"), 5);
    assert_int_equal(umx_value_integer(row("contact", 2), "row"), 6);
}

static void formulas_are_text(void **state)
{
    (void)state;
    assert_int_equal(add("user,line,policy\n\"=HYPERLINK(\"\"http://x\"\")\",+49301234,@SUM(A1)\n'=1+1,'+4930,-5\n"),
                     0);
    assert_string_equal(umx_value_string(row("user", 0), "user"), "=HYPERLINK(\"http://x\")");
    assert_string_equal(umx_value_string(row("user", 0), "line"), "+49301234");
    assert_string_equal(umx_value_string(row("user", 0), "policy"), "@SUM(A1)");
    assert_string_equal(umx_value_string(row("user", 1), "user"), "=1+1");
    assert_string_equal(umx_value_string(row("user", 1), "line"), "+4930");
    assert_int_equal(input.problem_count, 0);
}

static void every_bad_cell_is_named_with_its_line(void **state)
{
    (void)state;
    assert_int_equal(add("name,digits,country_code\nA,four,49\nB,4,49\nC,99999999999,49\nD,4,49,extra\nE,,4.9E+11\n"),
                     0);
    assert_int_equal(input.problem_count, 4);
    problem_is(0, "rows.csv:2", "digits: `four` is not a number");
    problem_is(1, "rows.csv:4", "digits: `99999999999` is not a number");
    problem_is(2, "rows.csv:5", "`extra` stands in a column without a name");
    problem_is(3, "rows.csv:6", "rounded");
}

static void refused(const char *text, const char *table, const char *why)
{
    begin(NULL);
    if (add_named("rows.csv", text, table) != UMX_E_ARGUMENT)
        fail_msg("`%s` was taken", text);
    assert_int_equal(err.id, UMX_ERR_INPUT_INVALID);
    assert_string_equal(err.what, "rows.csv");
    if (strstr(err.why, why) == NULL)
        fail_msg("`%s` is not in `%s`", why, err.why);
}

static void what_concerns_the_whole_file_is_said_once(void **state)
{
    (void)state;
    refused("", NULL, "it is empty");
    refused("\n\r\n", NULL, "it is empty");
    refused(";;;\n", NULL, "no column name");
    refused("user,extention,policy\n", NULL, "table user has no column extention; its columns are forest, user,");
    refused("user,user\n", NULL, "twice");
    refused("forest,name\n", NULL, "the columns fit the tables dial_plan, auto_attendant, contact; add --table");
    refused("forest,nosuch,pool\n", "user", "table user has no column nosuch, pool");
    refused("user\n\"open\n", NULL, "line 2: a quotation mark");
    refused("user\nab\"c\n", NULL, "line 2: a quotation mark");
    refused("user\nM\xfcller\n", NULL, "line 2 is not UTF-8");
    refused("\xff\xfeu", NULL, "UTF-16");
    refused("{\"user\":[}", NULL, "line 1");
    refused("[1]", NULL, "not an object");
    refused("{\"users\":[]}", NULL, "users: there is no such table");
    refused("{\"user\":{}}", NULL, "user: it is not a list");
    refused("{\"user\":[],\"user\":[]}", NULL, "duplicate");
    assert_int_equal(umx_input_add(&input, "rows.csv", "a\0b", 3, NULL, &err), UMX_E_ARGUMENT);
    assert_non_null(strstr(err.why, "line 1 is not UTF-8"));
    begin(NULL);
    assert_int_equal(add_named("rows.csv", "forest,name\nx.test,A\n", "auto_attendant"), 0);
    assert_string_equal(umx_value_string(row("auto_attendant", 0), "name"), "A");
}

static void json_rows_are_checked_one_by_one(void **state)
{
    (void)state;
    assert_int_equal(add_named("rows.json",
                               " {\"user\":[{\"user\":\"a\",\"row\":77,\"line\":null},{\"nosuch\":1},"
                               "{\"extension\":[\"x\"]},7],\"contact\":[]}",
                               NULL),
                     0);
    assert_int_equal(umx_value_integer(row("user", 0), "row"), 1);
    assert_int_equal(json_array_size(json_object_get(input.root, "user")), 1);
    assert_int_equal(input.problem_count, 3);
    problem_is(0, "rows.json: user row 2", "nosuch");
    problem_is(1, "rows.json: user row 3", "extension");
    problem_is(2, "rows.json: user row 4", "object");
}

static void rows_of_a_table_come_from_one_file(void **state)
{
    (void)state;
    assert_int_equal(add_named("a.csv", "user,extension\na,1\n", NULL), 0);
    assert_int_equal(add_named("b.csv", "name,pool\nc,p\n", NULL), 0);
    assert_int_equal(add_named("c.csv", "user,extension\na,1\n", NULL), UMX_E_ARGUMENT);
    assert_non_null(strstr(err.why, "a.csv has rows of table user already"));
    assert_string_equal(umx_value_string(row("contact", 0), "pool"), "p");
}

static void problems_are_bounded_and_counted(void **state)
{
    struct umx_text text = {0};

    (void)state;
    umx_text_adds(&text, "name,digits\n");
    for (int i = 0; i < 5000; i++)
        umx_text_adds(&text, "A,x\n");
    assert_int_equal(add(umx_text_string(&text)), 0);
    assert_int_equal(input.problem_count, 5000);
    assert_int_equal(json_array_size(input.problems), UMX_INPUT_PROBLEMS_MAX);
    umx_text_free(&text);
    umx_text_adds(&text, "user,extension\n");
    for (int i = 0; i < 300; i++)
        umx_text_adds(&text, ",");
    begin(NULL);
    assert_int_equal(add(umx_text_string(&text)), UMX_E_ARGUMENT);
    assert_non_null(strstr(err.why, "too many cells"));
    umx_text_free(&text);
}

static void a_template_comes_back_as_it_was_written(void **state)
{
    static const char separators[] = ",;";
    json_t *rows = json_loads("[{\"user\":\"=cmd|' /C calc'!A0\",\"line\":\"+4930 1234\",\"policy\":\"a;b,\\\"c\\\"\","
                              "\"extension\":\"0042\",\"forest\":null},{\"user\":\"@x\",\"line\":\"+A1\"}]",
                              0, NULL);

    (void)state;
    assert_non_null(rows);
    for (size_t i = 0; separators[i] != '\0'; i++) {
        struct umx_text text = {0};
        begin(NULL);
        umx_input_write_csv(&text, "user", separators[i], rows);
        assert_int_equal(memcmp(text.data, "\xef\xbb\xbf", 3), 0);
        assert_non_null(strstr(text.data, "'=cmd|"));
        assert_non_null(strstr(text.data, "'+A1"));
        assert_non_null(strstr(text.data, "+4930 1234"));
        assert_null(strstr(text.data, "'+4930"));
        assert_int_equal(add(text.data), 0);
        assert_string_equal(umx_value_string(row("user", 0), "user"), "=cmd|' /C calc'!A0");
        assert_string_equal(umx_value_string(row("user", 0), "policy"), "a;b,\"c\"");
        assert_string_equal(umx_value_string(row("user", 0), "extension"), "0042");
        assert_string_equal(umx_value_string(row("user", 1), "user"), "@x");
        assert_string_equal(umx_value_string(row("user", 1), "line"), "+A1");
        assert_null(json_object_get(row("user", 0), "forest"));
        umx_text_free(&text);
    }
    json_decref(rows);
}

/* ---- the commands */

static char *out_text, *err_text;

static struct umx_cli open_cli(enum umx_cli_format format)
{
    static size_t out_length, err_length;
    struct umx_cli cli = {.format = format, .style = {.width = 80}};

    free(out_text);
    free(err_text);
    cli.out = open_memstream(&out_text, &out_length);
    cli.err = open_memstream(&err_text, &err_length);
    assert_non_null(cli.out);
    assert_non_null(cli.err);
    return cli;
}

static void close_cli(struct umx_cli *cli)
{
    fclose(cli->out);
    fclose(cli->err);
}

static void parse(struct umx_args *args, const struct umx_option *options, size_t count, const char *const *words)
{
    assert_int_equal(umx_args_parse(options, NULL, NULL, words, count, true, args, &err), 0);
}

static const struct umx_option options[] = {
    {"--input", "F", true, false, ""}, {"--table", "T", false, false, ""}, {"--phase", "P", true, false, ""},
    {"--value", "V", true, false, ""}, {"--file", "F", true, false, ""},   {0},
};

static void write_file(char *path, const void *bytes, size_t length)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

static void files_are_read_and_their_problems_shown(void **state)
{
    char path[] = "/tmp/umx-test-input-XXXXXX";
    struct umx_args args = {0};
    struct umx_cli cli = open_cli(UMX_CLI_TABLE);

    (void)state;
    write_file(path, "name,digits\nA,x\n", 16);
    parse(&args, options, 2, (const char *const[]){"--input", path});
    assert_int_equal(umx_plan_rows_read(&cli, &args, &input, &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_INPUT_INVALID);
    assert_non_null(strstr(err.why, "1 cell or row"));
    close_cli(&cli);
    assert_non_null(strstr(err_text, ":2: digits: `x` is not a number"));
    unlink(path);
    cli = open_cli(UMX_CLI_TABLE);
    begin(NULL);
    assert_int_equal(umx_plan_rows_read(&cli, &args, &input, &err), UMX_E_IO);
    parse(&args, options, 2, (const char *const[]){"--table", "people"});
    assert_int_equal(umx_plan_rows_read(&cli, &args, &input, &err), UMX_E_ARGUMENT);
    parse(&args, options, 0, NULL);
    assert_int_equal(umx_plan_rows_read(&cli, &args, &input, &err), 0);
    assert_null(input.root);
    close_cli(&cli);
}

static void a_template_of_several_tables_is_no_csv(void **state)
{
    struct umx_args args = {0};
    json_t *both = json_loads("{\"dial_plan\":[{\"row\":null,\"name\":\"A\"}],\"auto_attendant\":[{\"name\":\"B\"}],"
                              "\"user\":[],\"contact\":[]}",
                              0, NULL);
    struct umx_cli cli = open_cli(UMX_CLI_CSV);

    (void)state;
    assert_int_equal(umx_plan_template_print(&cli, both, NULL, ',', &args, &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_TEMPLATE_TABLES);
    assert_non_null(strstr(err.why, "dial_plan, auto_attendant"));
    assert_int_equal(umx_plan_template_print(&cli, both, "auto_attendant", ',', &args, &err), 0);
    close_cli(&cli);
    assert_string_equal(out_text, "\xef\xbb\xbf"
                                  "forest,name,dial_plan,number\r\n,B,,\r\n");
    cli = open_cli(UMX_CLI_TABLE);
    assert_int_equal(umx_plan_template_print(&cli, both, NULL, ',', &args, &err), 0);
    close_cli(&cli);
    json_t *shown = json_loads(out_text, 0, NULL);
    assert_int_equal(json_object_size(shown), 4);
    assert_null(json_object_get(json_array_get(json_object_get(shown, "dial_plan"), 0), "row"));
    json_decref(shown);
    json_decref(both);
    /* Nothing to propose: still a file to begin with. */
    json_t *none = json_pack("{s:[],s:[],s:[],s:[]}", "dial_plan", "auto_attendant", "user", "contact");
    cli = open_cli(UMX_CLI_CSV);
    parse(&args, options, 2, (const char *const[]){"--phase", "ocsumutil"});
    assert_int_equal(umx_plan_template_print(&cli, none, NULL, ';', &args, &err), 0);
    close_cli(&cli);
    assert_int_equal(strncmp(out_text,
                             "\xef\xbb\xbf"
                             "action;forest;type;",
                             22),
                     0);
    json_decref(none);
}

static void values_of_a_gate_come_from_text_and_files(void **state)
{
    char pem[] = "/tmp/umx-test-input-XXXXXX", der[] = "/tmp/umx-test-input-XXXXXX";
    struct umx_args args = {0};
    struct umx_text first = {0}, second = {0};
    json_t *arguments = json_object();

    (void)state;
    write_file(pem, "-----BEGIN\nx\n", 13);
    write_file(der, "\x30\x82\x00\xff", 4);
    umx_text_addf(&first, "certificate=%s", pem);
    umx_text_addf(&second, "chain=%s", der);
    parse(&args, options, 6,
          (const char *const[]){"--file", umx_text_string(&first), "--value", "note=a=b", "--file",
                                umx_text_string(&second)});
    assert_int_equal(umx_plan_values(arguments, &args, &err), 0);
    const json_t *values = json_object_get(arguments, "value");
    assert_int_equal(json_array_size(values), 3);
    assert_string_equal(json_string_value(json_array_get(values, 0)), "note=a=b");
    assert_string_equal(json_string_value(json_array_get(values, 1)), "certificate=-----BEGIN\nx\n");
    assert_string_equal(json_string_value(json_array_get(values, 2)), "chain=MIIA/w==");
    json_decref(arguments);
    arguments = json_object();
    parse(&args, options, 2, (const char *const[]){"--value", "noequals"});
    assert_int_equal(umx_plan_values(arguments, &args, &err), UMX_E_ARGUMENT);
    parse(&args, options, 2, (const char *const[]){"--value", "bad name=x"});
    assert_int_equal(umx_plan_values(arguments, &args, &err), UMX_E_ARGUMENT);
    parse(&args, options, 2, (const char *const[]){"--file", "a=/nonexistent/x"});
    assert_int_equal(umx_plan_values(arguments, &args, &err), UMX_E_IO);
    parse(&args, options, 2, (const char *const[]){"--file", "a=/dev/zero"});
    assert_int_equal(umx_plan_values(arguments, &args, &err), UMX_E_ARGUMENT);
    assert_null(json_object_get(arguments, "value"));
    json_decref(arguments);
    unlink(pem);
    unlink(der);
    umx_text_free(&first);
    umx_text_free(&second);
}

static int release(void **state)
{
    free(out_text);
    free(err_text);
    return begin(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(excel_of_any_country_is_read, begin),
        cmocka_unit_test_setup(lists_and_numbers_have_their_types, begin),
        cmocka_unit_test_setup(lines_are_counted_through_cells_with_line_ends, begin),
        cmocka_unit_test_setup(formulas_are_text, begin),
        cmocka_unit_test_setup(every_bad_cell_is_named_with_its_line, begin),
        cmocka_unit_test_setup(what_concerns_the_whole_file_is_said_once, begin),
        cmocka_unit_test_setup(json_rows_are_checked_one_by_one, begin),
        cmocka_unit_test_setup(rows_of_a_table_come_from_one_file, begin),
        cmocka_unit_test_setup(problems_are_bounded_and_counted, begin),
        cmocka_unit_test_setup(a_template_comes_back_as_it_was_written, begin),
        cmocka_unit_test_setup(files_are_read_and_their_problems_shown, begin),
        cmocka_unit_test_setup(a_template_of_several_tables_is_no_csv, begin),
        cmocka_unit_test_setup(values_of_a_gate_come_from_text_and_files, begin),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}

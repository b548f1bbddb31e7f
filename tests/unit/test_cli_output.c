/* Tables for people, CSV, and what a hostile text may not do to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/csv.h"
#include "cli/grid.h"
#include "cli/value.h"
#include "cli/width.h"

static char *printed;
static size_t printed_length;

static FILE *begin(void)
{
    free(printed);
    printed = NULL;
    FILE *out = open_memstream(&printed, &printed_length);
    assert_non_null(out);
    return out;
}

static const char *end(FILE *out)
{
    assert_int_equal(fclose(out), 0);
    return printed;
}

static const char *grid_text(const struct umx_grid_column *columns, size_t count, const char *const *cells, size_t rows,
                             struct umx_style style)
{
    struct umx_grid *grid = umx_grid_new(columns, count);
    FILE *out = begin();

    for (size_t r = 0; r < rows; r++)
        umx_grid_add(grid, cells + r * count);
    assert_int_equal(umx_grid_rows(grid), rows);
    assert_int_equal(umx_grid_print(grid, out, &style), 0);
    umx_grid_free(grid);
    return end(out);
}

static void columns_line_up_with_umlauts(void **state)
{
    static const struct umx_grid_column columns[] = {{"NAME", 0}, {"N", UMX_GRID_RIGHT}, {"END", 0}};
    static const char *const cells[] = {"Müller", "7", "a", "x", "1200", "b"};

    (void)state;
    assert_string_equal(grid_text(columns, 3, cells, 2, (struct umx_style){.width = 80}),
                        "NAME       N  END\nMüller     7  a\nx       1200  b\n");
}

static void long_cells_wrap_and_lose_nothing(void **state)
{
    static const struct umx_grid_column columns[] = {{"A", UMX_GRID_FIXED}, {"B", 0}};
    static const char *const cells[] = {"key", "one two three four five six", "z", "CN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    (void)state;
    assert_string_equal(grid_text(columns, 2, cells, 2, (struct umx_style){.width = 20}), "A    B\n"
                                                                                          "key  one two three\n"
                                                                                          "     four five six\n"
                                                                                          "z    CN=aaaaaaaaaaaa\n"
                                                                                          "     aaaaaaaaaaaaaaa\n"
                                                                                          "     aaa\n");
}

static void every_line_stays_in_the_width(void **state)
{
    static const struct umx_grid_column columns[] = {
        {"STATUS", UMX_GRID_STATUS | UMX_GRID_FIXED}, {"TARGET", 0}, {"EXPECTED", 0}, {"ACTUAL", UMX_GRID_SHORTEN}};
    static const char *const cells[] = {
        "fail", "CN=Größe äöü,CN=UM DialPlan Container,CN=Contoso,CN=Microsoft Exchange,DC=contoso,DC=test",
        "a two-way trust between both forests, transitive, with every suffix routed",
        "a one-way trust that was made in another century by somebody who has left since"};

    (void)state;
    for (size_t width = 40; width <= 120; width++)
        for (int terminal = 0; terminal < 2; terminal++) {
            const char *at =
                grid_text(columns, 4, cells, 1, (struct umx_style){.width = width, .terminal = terminal != 0});
            while (*at != '\0') {
                size_t line = strcspn(at, "\n");
                assert_true(umx_width(at, line) <= width);
                assert_true(line == 0 || at[line - 1] != ' ');
                at += line + 1;
            }
        }
}

static void only_terminals_shorten(void **state)
{
    static const struct umx_grid_column columns[] = {{"A", UMX_GRID_FIXED}, {"B", UMX_GRID_SHORTEN}};
    static const char *const cells[] = {"key", "0123456789abcdefghij"};

    (void)state;
    assert_string_equal(grid_text(columns, 2, cells, 1, (struct umx_style){.width = 15, .terminal = true}),
                        "A    B\nkey  012345678…\n");
    assert_string_equal(grid_text(columns, 2, cells, 1, (struct umx_style){.width = 15}),
                        "A    B\nkey  0123456789\n     abcdefghij\n");
}

static void rows_too_wide_become_blocks(void **state)
{
    struct umx_grid_column columns[12];
    const char *cells[24];

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        columns[i] = (struct umx_grid_column){i == 0 ? "first" : "column", 0};
        cells[i] = cells[12 + i] = "a value of some length";
    }
    const char *text = grid_text(columns, 12, cells, 2, (struct umx_style){.width = 80});
    assert_int_equal(strncmp(text, "first:  a value of some length\ncolumn: a value", 46), 0);
    assert_non_null(strstr(text, "length\n\nfirst:  a"));
}

static void colour_only_where_wanted(void **state)
{
    static const struct umx_grid_column columns[] = {{"S", UMX_GRID_STATUS}};
    static const char *const cells[] = {"fail", "neutral"};

    (void)state;
    assert_string_equal(grid_text(columns, 1, cells, 2, (struct umx_style){.width = 80}), "S\nfail\nneutral\n");
    assert_string_equal(grid_text(columns, 1, cells, 2, (struct umx_style){.width = 80, .color = true}),
                        "\033[1mS\033[0m\n\033[31mfail\033[0m\nneutral\n");
}

static void no_rows_print_nothing(void **state)
{
    static const struct umx_grid_column columns[] = {{"S", 0}};

    (void)state;
    assert_string_equal(grid_text(columns, 1, NULL, 0, (struct umx_style){.width = 80}), "");
}

static void text_cannot_steer_the_terminal(void **state)
{
    struct umx_text out = {0};

    (void)state;
    umx_width_add_printable(&out, "a\033[2Jb\rc\xc2\x9b"
                                  "d\xe2\x80\xae"
                                  "e\tf\xff"
                                  "g");
    assert_string_equal(umx_text_string(&out), "a\\u{1b}[2Jb\\u{d}c\\u{9b}d\\u{202e}e f\xef\xbf\xbd"
                                               "g");
    umx_text_free(&out);
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(umx_width("äöü", 6), 3);
    assert_int_equal(umx_width("e\xcc\x81", 3), 1);    /* a combining accent */
    assert_int_equal(umx_width("\xe6\xbc\xa2", 3), 2); /* a wide character */
    assert_int_equal(umx_width_prefix("äöü", 6, 2), 4);
    assert_int_equal(umx_width_prefix("e\xcc\x81x", 4, 1), 3);
    assert_int_equal(umx_width("\xf0", 1), 1); /* cut short: still moves on */
}

static void csv_fields(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"a,b", "\"a,b\""},
        {"say \"x\"", "\"say \"\"x\"\"\""},
        {"two\nlines", "\"two\nlines\""},
        {" edge", "\" edge\""},
        {"Müller", "Müller"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct umx_text out = {0};
        umx_text_add_csv(&out, cases[i].from);
        assert_string_equal(umx_text_string(&out), cases[i].to);
        umx_text_free(&out);
    }
}

static void csv_records(void **state)
{
    json_t *records =
        json_pack("[{s:s,s:i,s:n},{s:s,s:[s,s],s:b}]", "a", "x,y", "b", 7, "c", "a", "z", "d", "p", "q", "c", 1);
    FILE *out = begin();

    (void)state;
    assert_non_null(records);
    assert_int_equal(umx_csv_print(out, records), 0);
    assert_string_equal(end(out), "a,b,c,d\r\n\"x,y\",7,,\r\nz,,true,\"[\"\"p\"\",\"\"q\"\"]\"\r\n");
    json_decref(records);
}

static void values_for_people_and_exact(void **state)
{
    json_t *list = json_pack("[s,i]", "a", 2), *time = json_string("2026-01-31T22:00:00.123456Z");
    struct umx_text out = {0};

    (void)state;
    umx_value_add_text(&out, list);
    umx_text_adds(&out, "|");
    umx_value_add_exact(&out, list);
    umx_text_adds(&out, "|");
    umx_value_add_text(&out, time);
    umx_text_adds(&out, "|");
    umx_value_add_exact(&out, time);
    umx_text_adds(&out, "|");
    umx_value_add_text(&out, json_true());
    umx_value_add_text(&out, json_null());
    umx_value_add_text(&out, NULL);
    assert_string_equal(umx_text_string(&out), "a, 2|[\"a\",2]|2026-01-31T22:00:00Z|2026-01-31T22:00:00.123456Z|yes");
    umx_text_free(&out);
    json_decref(list);
    json_decref(time);
}

static int locale(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") != NULL ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up_with_umlauts),
        cmocka_unit_test(long_cells_wrap_and_lose_nothing),
        cmocka_unit_test(every_line_stays_in_the_width),
        cmocka_unit_test(only_terminals_shorten),
        cmocka_unit_test(rows_too_wide_become_blocks),
        cmocka_unit_test(colour_only_where_wanted),
        cmocka_unit_test(no_rows_print_nothing),
        cmocka_unit_test(text_cannot_steer_the_terminal),
        cmocka_unit_test(widths),
        cmocka_unit_test(csv_fields),
        cmocka_unit_test(csv_records),
        cmocka_unit_test(values_for_people_and_exact),
    };
    return cmocka_run_group_tests(tests, locale, release);
}

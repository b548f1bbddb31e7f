/* docs/library.md lists every operation as the controller has it, and none besides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "controller/operation.h"

/* The row as the page has it. */
static void write_row(const struct umx_operation_row *row, char *out, size_t size)
{
    static const char *const access[] = {"viewer", "operator", "auditor"};
    const char *arguments = row->arguments->short_name;
    char quoted[128] = "", time[32] = "no limit";

    if (strcmp(arguments, "NoArguments") != 0)
        snprintf(quoted, sizeof quoted, "`%s`", arguments);
    if (row->deadline > 0)
        snprintf(time, sizeof time, "%d s", row->deadline);
    snprintf(out, size, "| `%s` | %s | %s | %s | %s |", row->name, quoted, access[row->access],
             row->mutates ? "yes" : "", time);
}

static void test_operations(void **state)
{
    static char page[64 * 1024];
    FILE *file = fopen(UMX_SOURCE_DIR "/docs/library.md", "r");
    size_t rows = 0, listed = 0;
    char line[512];

    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    for (const struct umx_operation_row *row = umx_operations(); row->name != NULL; row++, rows++) {
        write_row(row, line, sizeof line);
        if (strstr(page, line) == NULL)
            fail_msg("docs/library.md does not say: %s", line);
    }
    for (const char *at = page; (at = strstr(at, "\n| `")) != NULL; at++)
        listed++;
    assert_int_equal(listed, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_operations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

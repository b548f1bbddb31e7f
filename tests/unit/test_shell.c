/* Texts that people copy into a PowerShell: a name is a name, whatever letters it has. */
#include "worlds.h"

#include "phases/shell.h"

static void test_quote(void **state)
{
    static const char *const cases[][2] = {
        {"plain", "'plain'"},
        {"", "''"},
        {"O'Brien", "'O''Brien'"},
        {"a\"b`c$(d)", "'a\"b`c$(d)'"},
        /* U+2018, U+2019, U+201A, U+201B end a string like an apostrophe; U+201C does not. */
        {"x\xe2\x80\x98; Stop-Service RTCSRV; \xe2\x80\x99y", "'x\xe2\x80\x98\xe2\x80\x98; Stop-Service RTCSRV; "
                                                              "\xe2\x80\x99\xe2\x80\x99y'"},
        {"\xe2\x80\x9a\xe2\x80\x9b", "'\xe2\x80\x9a\xe2\x80\x9a\xe2\x80\x9b\xe2\x80\x9b'"},
        {"\xe2\x80\x9c\xe2\x80\x93\xe2", "'\xe2\x80\x9c\xe2\x80\x93\xe2'"},
    };
    struct umx_arena *arena = umx_arena_new(65536);
    struct umx_steps steps = {.arena = arena};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(umx_shell_quote(&steps, cases[i][0]), cases[i][1]);
    umx_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quote)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The shell account's password, as this Windows protects it. */
#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include "agent/host/windows_password.h"
#include "base/open.h"

#define PATH "umx password \xd0\xb4\xd0\xb0.bin"
#define ACCOUNT "CONTOSO\\umx-shell"

/* Letters of three scripts, and what a shell would take for its own. */
static const wchar_t password[] = L"p\u00e4ss \u0416\u4e2d \"%PATH%\" $(x)'";

static size_t read_file(char *out, size_t size)
{
    FILE *file = umx_open(PATH, "rb");
    size_t got = file != NULL ? fread(out, 1, size, file) : 0;

    if (file != NULL)
        fclose(file);
    return got;
}

static void write_file(const char *bytes, size_t length)
{
    FILE *file = umx_open(PATH, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static int clean(void **state)
{
    (void)state;
    umx_remove(PATH);
    return 0;
}

static void what_is_stored_is_read_again_and_is_not_in_the_file(void **state)
{
    struct umx_error err = {0};
    wchar_t out[UMX_PASSWORD_MAX];
    char file[8192];

    (void)state;
    for (int again = 0; again < 2; again++) { /* over the old one */
        if (umx_windows_password_write(PATH, ACCOUNT, password, &err) != 0)
            fail_msg("%s", err.why);
        if (umx_windows_password_read(PATH, ACCOUNT, out, &err) != 0)
            fail_msg("%s", err.why);
        assert_int_equal(wcscmp(out, password), 0);
    }
    /* The directory does not tell letters by their case, and an administrator need not either. */
    assert_int_equal(umx_windows_password_read(PATH, "contoso\\UMX-Shell", out, &err), 0);
    size_t length = read_file(file, sizeof file);
    assert_true(length > 20);
    for (size_t i = 0; i + 8 <= length; i++)
        assert_int_not_equal(memcmp(file + i, L"ss \u0416", 8), 0);
}

static void another_account_cannot_use_it(void **state)
{
    struct umx_error err = {0};
    wchar_t out[UMX_PASSWORD_MAX];

    (void)state;
    assert_int_equal(umx_windows_password_write(PATH, ACCOUNT, password, &err), 0);
    assert_int_not_equal(umx_windows_password_read(PATH, "CONTOSO\\administrator", out, &err), 0);
    assert_int_equal(err.id, UMX_ERR_SHELL_PASSWORD_INVALID);
}

static void a_changed_or_shortened_file_is_refused(void **state)
{
    wchar_t out[UMX_PASSWORD_MAX];
    char file[8192];

    (void)state;
    assert_int_equal(umx_windows_password_write(PATH, ACCOUNT, password, NULL), 0);
    size_t length = read_file(file, sizeof file);
    for (size_t i = 1; i < 8; i++) {
        struct umx_error err = {0};
        size_t at = length - i * (length - 12) / 9; /* within what is protected, its last parts first */
        file[at] ^= 1;
        write_file(file, length);
        if (umx_windows_password_read(PATH, ACCOUNT, out, &err) == 0)
            assert_int_equal(wcscmp(out, password), 0); /* a byte that says nothing of the password */
        else
            assert_int_equal(err.id, UMX_ERR_SHELL_PASSWORD_INVALID);
        file[at] ^= 1;
    }
    struct umx_error err = {0};
    file[length - 30] ^= 1;
    write_file(file, length);
    assert_int_not_equal(umx_windows_password_read(PATH, ACCOUNT, out, &err), 0);
    assert_int_equal(err.id, UMX_ERR_SHELL_PASSWORD_INVALID);
    file[length - 30] ^= 1;
    write_file(file, length / 2);
    assert_int_not_equal(umx_windows_password_read(PATH, ACCOUNT, out, &err), 0);
    assert_int_equal(err.id, UMX_ERR_SHELL_PASSWORD_INVALID);
}

static void a_plain_file_is_refused_and_the_remedy_names_the_command(void **state)
{
    struct umx_error err = {0};
    wchar_t out[UMX_PASSWORD_MAX];
    char text[2048];

    (void)state;
    write_file("secret\n", 7);
    assert_int_not_equal(umx_windows_password_read(PATH, ACCOUNT, out, &err), 0);
    assert_int_equal(err.id, UMX_ERR_SHELL_PASSWORD_PLAIN);
    umx_error_format(&err, text, sizeof text);
    assert_non_null(strstr(text, "--store-shell-password"));
    assert_null(strstr(text, "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_stored_is_read_again_and_is_not_in_the_file, clean),
        cmocka_unit_test_teardown(another_account_cannot_use_it, clean),
        cmocka_unit_test_teardown(a_changed_or_shortened_file_is_refused, clean),
        cmocka_unit_test_teardown(a_plain_file_is_refused_and_the_remedy_names_the_command, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

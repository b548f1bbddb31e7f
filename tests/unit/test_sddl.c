#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "directory/sddl.h"

static void assert_text(const char *sddl, const char *expected)
{
    struct umx_ace ace;
    struct umx_text text = {0};
    assert_int_equal(umx_sddl_parse(sddl, &ace, NULL), 0);
    umx_sddl_add(&text, &ace);
    assert_string_equal(umx_text_string(&text), expected);
    umx_text_free(&text);
}

static void entries_are_written_as_windows_writes_them(void **state)
{
    (void)state;
    assert_text("(A;CI;LCRP;;;S-1-5-21-1-2-3-1104)", "(A;CI;LCRP;;;S-1-5-21-1-2-3-1104)");
    assert_text("(A;;LC;;;S-1-5-21-1-2-3-1104)", "(A;;LC;;;S-1-5-21-1-2-3-1104)");
    assert_text("(A;;0x14;;;AU)", "(A;;LCRP;;;S-1-5-11)");
    assert_text("(D;CIIOID;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)", "(D;CIIOID;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;S-1-1-0)");
    assert_text("(A;;0x01000014;;;SY)", "(A;;0x1000014;;;S-1-5-18)");
    assert_text("(OA;CI;CCDC;5cb41ed0-0e4c-11d0-a286-00aa003049e2;;BA)",
                "(OA;CI;CCDC;5cb41ed0-0e4c-11d0-a286-00aa003049e2;;S-1-5-32-544)");
    assert_text("(OD;CIIO;RPWP;;5cb41ed0-0e4c-11d0-a286-00aa003049e2;PS)",
                "(OD;CIIO;RPWP;;5cb41ed0-0e4c-11d0-a286-00aa003049e2;S-1-5-10)");
}

static void masks_and_flags_have_their_values(void **state)
{
    struct umx_ace ace;
    (void)state;
    assert_int_equal(umx_sddl_parse("(A;CI;LCRP;;;S-1-5-11)", &ace, NULL), 0);
    assert_int_equal(ace.mask, 0x14);
    assert_int_equal(ace.flags, UMX_ACE_CONTAINER_INHERIT);
    assert_int_equal(ace.type, UMX_ACE_ALLOW);
}

static void what_is_no_entry_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "()",
        "A;;LC;;;AU",
        "(A;;LC;;;)",
        "(A;;LC;;AU)",
        "(A;;LC;;;AU;)",
        "(A;;LCX;;;AU)",
        "(A;;L;;;AU)",
        "(A;QQ;LC;;;AU)",
        "(A;0x100;LC;;;AU)",
        "(A;;0x;;;AU)",
        "(A;;0x1ffffffff;;;AU)",
        "(A;;0x-1;;;AU)",
        "(AU;;LC;;;AU)",
        "(A;;LC;;;DA)",
        "(A;;LC;5cb41ed0-0e4c-11d0-a286-00aa003049e2;;AU)",
        "(OA;;LC;5cb41ed0;;AU)",
        "(A;;LC;;;AU)(A;;LC;;;AU)",
    };
    struct umx_ace ace;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_not_equal(umx_sddl_parse(texts[i], &ace, NULL), 0);
    }
}

static void unknown_entries_are_shown_as_bytes(void **state)
{
    static const uint8_t raw[] = {0x42, 0x02, 6, 0, 0xca, 0xfe};
    struct umx_ace ace = {.type = 0x42, .flags = 2, .opaque = true, .raw = raw, .raw_length = sizeof raw};
    struct umx_text text = {0};
    (void)state;
    umx_sddl_add(&text, &ace);
    assert_string_equal(umx_text_string(&text), "(0x42;CI;;;;42020600cafe)");
    umx_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_written_as_windows_writes_them),
        cmocka_unit_test(masks_and_flags_have_their_values),
        cmocka_unit_test(what_is_no_entry_is_refused),
        cmocka_unit_test(unknown_entries_are_shown_as_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "directory/descriptor.h"
#include "directory/sddl.h"

#define GROUP "S-1-5-21-1-2-3-1104"
#define OTHER "S-1-5-21-1-2-3-1105"
#define CLASS "5cb41ed0-0e4c-11d0-a286-00aa003049e2"

static struct umx_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = umx_arena_new(1 << 20);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

static struct umx_ace ace_of(const char *sddl)
{
    struct umx_ace ace;
    assert_int_equal(umx_sddl_parse(sddl, &ace, NULL), 0);
    return ace;
}

/* A descriptor with these entries, sent through build and parse. */
static struct umx_descriptor made(const char *const *sddl)
{
    struct umx_ace aces[16];
    struct umx_descriptor made = {.control = 0x8004, .dacl_present = true, .aces = aces}, parsed;
    for (; sddl[made.ace_count]; made.ace_count++) {
        aces[made.ace_count] = ace_of(sddl[made.ace_count]);
    }
    uint8_t *bytes;
    size_t length;
    assert_int_equal(umx_descriptor_build(&made, arena, &bytes, &length, NULL), 0);
    assert_int_equal(umx_descriptor_parse(bytes, length, arena, &parsed, NULL), 0);
    assert_int_equal(parsed.ace_count, made.ace_count);
    return parsed;
}

static void assert_entries(const struct umx_descriptor *descriptor, const char *const *sddl)
{
    for (size_t i = 0; i < descriptor->ace_count; i++) {
        struct umx_text text = {0};
        assert_non_null(sddl[i]);
        umx_sddl_add(&text, &descriptor->aces[i]);
        assert_string_equal(umx_text_string(&text), sddl[i]);
        umx_text_free(&text);
    }
    assert_null(sddl[descriptor->ace_count]);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void order_decides_canonical(void **state)
{
    (void)state;
    struct umx_descriptor good[] = {
        made(LIST("(D;;LC;;;" OTHER ")", "(A;;LC;;;" GROUP ")", "(D;CIID;LC;;;" OTHER ")", "(A;CIID;LC;;;AU)")),
        made(LIST("(D;;LC;;;" OTHER ")", "(OD;;CC;" CLASS ";;" OTHER ")", "(A;;LC;;;AU)", "(OA;;CC;" CLASS ";;AU)")),
        made(LIST("(OA;;CC;" CLASS ";;AU)", "(A;;LC;;;AU)")),
        /* a parent's allow before a grandparent's deny: the server's own order */
        made(LIST("(A;CIID;LC;;;AU)", "(D;CIID;LC;;;" OTHER ")", "(A;CIID;LC;;;AU)")),
    };
    struct umx_descriptor bad[] = {
        made(LIST("(A;;LC;;;AU)", "(D;;LC;;;" OTHER ")")),
        made(LIST("(OA;;CC;" CLASS ";;AU)", "(OD;;CC;" CLASS ";;" OTHER ")")),
        made(LIST("(A;CIID;LC;;;AU)", "(A;;LC;;;" GROUP ")")),
        made(LIST("(A;CIID;LC;;;AU)", "(D;;LC;;;" GROUP ")")),
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(umx_descriptor_canonical(&good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct umx_ace ace = ace_of("(A;CI;LCRP;;;" GROUP ")");
        struct umx_descriptor out;
        struct umx_error err = {0};
        bool changed;
        assert_false(umx_descriptor_canonical(&bad[i]));
        assert_int_equal(umx_descriptor_merge(&bad[i], &ace, arena, &out, &changed, &err), UMX_E_CONFLICT);
        assert_int_equal(err.id, UMX_ERR_DACL_NOT_CANONICAL);
    }
}

static void an_entry_goes_to_its_place(void **state)
{
    struct umx_descriptor before =
        made(LIST("(D;;LC;;;" OTHER ")", "(A;;LC;;;AU)", "(OA;;CC;" CLASS ";;AU)", "(A;CIID;LC;;;BA)"));
    struct umx_ace allow = ace_of("(A;CI;LCRP;;;" GROUP ")"), deny = ace_of("(D;;WP;;;" GROUP ")");
    struct umx_descriptor with, both;
    bool changed;
    (void)state;
    assert_int_equal(umx_descriptor_merge(&before, &allow, arena, &with, &changed, NULL), 0);
    assert_true(changed);
    assert_entries(&with, LIST("(D;;LC;;;" OTHER ")", "(A;;LC;;;S-1-5-11)", "(A;CI;LCRP;;;" GROUP ")",
                               "(OA;;CC;" CLASS ";;S-1-5-11)", "(A;CIID;LC;;;S-1-5-32-544)"));
    assert_int_equal(umx_descriptor_merge(&with, &deny, arena, &both, &changed, NULL), 0);
    assert_int_equal(umx_descriptor_find(&both, &deny), 1);
    assert_true(umx_descriptor_canonical(&both));
}

static void adding_and_removing_gives_the_same_bytes(void **state)
{
    struct umx_descriptor before = made(LIST("(D;;LC;;;" OTHER ")", "(A;;LC;;;AU)", "(A;CIID;LC;;;BA)"));
    struct umx_ace ace = ace_of("(A;CI;LCRP;;;" GROUP ")");
    struct umx_descriptor with, parsed, without;
    uint8_t *first, *middle, *last;
    size_t first_length, middle_length, last_length;
    bool changed;
    (void)state;
    assert_int_equal(umx_descriptor_build(&before, arena, &first, &first_length, NULL), 0);
    assert_int_equal(umx_descriptor_merge(&before, &ace, arena, &with, &changed, NULL), 0);
    assert_int_equal(umx_descriptor_build(&with, arena, &middle, &middle_length, NULL), 0);
    assert_int_equal(umx_descriptor_parse(middle, middle_length, arena, &parsed, NULL), 0);
    assert_false(umx_descriptor_same_explicit(&before, &parsed));
    assert_true(umx_descriptor_same_explicit(&with, &parsed));
    assert_int_equal(umx_descriptor_remove(&parsed, &ace, arena, &without, NULL), 0);
    assert_int_equal(umx_descriptor_build(&without, arena, &last, &last_length, NULL), 0);
    assert_int_equal(first_length, last_length);
    assert_memory_equal(first, last, first_length);
}

static void only_that_entry_counts(void **state)
{
    struct umx_descriptor before =
        made(LIST("(A;;LCRP;;;" GROUP ")", "(A;CI;LC;;;" GROUP ")", "(A;CIID;LCRP;;;" GROUP ")"));
    struct umx_ace wanted = ace_of("(A;CI;LCRP;;;" GROUP ")"), there = ace_of("(A;CI;LC;;;" GROUP ")");
    struct umx_descriptor out;
    struct umx_error err = {0};
    bool changed;
    (void)state;
    assert_int_equal(umx_descriptor_find(&before, &wanted), -1);
    assert_int_equal(umx_descriptor_remove(&before, &wanted, arena, &out, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_OBJECT_NOT_FOUND);
    assert_int_equal(umx_descriptor_merge(&before, &there, arena, &out, &changed, NULL), 0);
    assert_false(changed);
    assert_int_equal(out.ace_count, before.ace_count);
}

static void no_dacl_is_not_changed(void **state)
{
    struct umx_descriptor absent = {.control = 0x8000},
                          null = {.control = 0x8004, .dacl_present = true, .dacl_null = true};
    struct umx_ace ace = ace_of("(A;;LC;;;AU)");
    struct umx_descriptor out;
    bool changed;
    const char *nobody[] = {"S-1-1-0"};
    (void)state;
    assert_int_equal(umx_descriptor_merge(&absent, &ace, arena, &out, &changed, NULL), UMX_E_FORMAT);
    assert_int_equal(umx_descriptor_merge(&null, &ace, arena, &out, &changed, NULL), UMX_E_FORMAT);
    assert_true(umx_descriptor_allows(&null, nobody, 1, UMX_RIGHT_WRITE_DACL));
}

static void unknown_entries_stay_as_they_are(void **state)
{
    static const uint8_t bytes[] = {
        1,    0, 4,  0x80, 0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, /* header */
        2,    0, 36, 0,    2,    0,    0,    0,                                         /* ACL of two */
        0x42, 0, 8,  0,    0xde, 0xad, 0xbe, 0xef,                                      /* unknown */
        0,    0, 20, 0,    4,    0,    0,    0,    1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0, /* (A;;LC;;;AU) */
    };
    struct umx_descriptor parsed, with;
    struct umx_ace ace = ace_of("(A;CI;LCRP;;;" GROUP ")");
    uint8_t *built;
    size_t length;
    bool changed;
    (void)state;
    assert_int_equal(umx_descriptor_parse(bytes, sizeof bytes, arena, &parsed, NULL), 0);
    assert_int_equal(parsed.ace_count, 2);
    assert_true(parsed.aces[0].opaque);
    assert_int_equal(umx_descriptor_build(&parsed, arena, &built, &length, NULL), 0);
    assert_int_equal(length, sizeof bytes);
    assert_memory_equal(built, bytes, length);
    assert_int_equal(umx_descriptor_merge(&parsed, &ace, arena, &with, &changed, NULL), 0);
    assert_int_equal(umx_descriptor_build(&with, arena, &built, &length, NULL), 0);
    assert_memory_equal(built + 28, bytes + 28, 28);
    /* Every cut is refused: the header names what is not there any more. */
    for (size_t cut = 0; cut < sizeof bytes; cut++) {
        assert_int_equal(umx_descriptor_parse(bytes, cut, arena, &parsed, NULL), UMX_E_FORMAT);
    }
}

static void access_follows_order_and_flags(void **state)
{
    const char *token[] = {GROUP, "S-1-5-11"};
    struct umx_descriptor denied = made(LIST("(D;;RP;;;" GROUP ")", "(A;CI;LCRP;;;AU)")),
                          later = made(LIST("(A;;LCRP;;;AU)", "(D;CIID;RP;;;" GROUP ")")),
                          only = made(LIST("(A;CIIO;LCRP;;;AU)")), half = made(LIST("(A;;LC;;;AU)")),
                          parts = made(LIST("(A;;LC;;;AU)", "(A;CIID;RP;;;" GROUP ")")),
                          object = made(LIST("(OA;;LCRP;" CLASS ";;AU)")),
                          object_denied = made(LIST("(OD;;RP;" CLASS ";;AU)", "(A;;LCRP;;;AU)")),
                          generic = made(LIST("(A;;GR;;;AU)"));
    uint32_t need = UMX_RIGHT_LIST_CHILDREN | UMX_RIGHT_READ_PROPERTY;
    (void)state;
    assert_false(umx_descriptor_allows(&denied, token, 2, need));
    assert_true(umx_descriptor_allows(&denied, token, 2, UMX_RIGHT_LIST_CHILDREN));
    assert_true(umx_descriptor_allows(&denied, token + 1, 1, need));
    assert_true(umx_descriptor_allows(&later, token, 2, need));
    assert_false(umx_descriptor_allows(&only, token, 2, need));
    assert_false(umx_descriptor_allows(&half, token, 2, need));
    assert_true(umx_descriptor_allows(&parts, token, 2, need));
    assert_false(umx_descriptor_allows(&parts, token + 1, 1, need));
    assert_false(umx_descriptor_allows(&object, token, 2, need));
    assert_true(umx_descriptor_allows(&object_denied, token, 2, need));
    assert_true(umx_descriptor_allows(&generic, token, 2, need));
    assert_false(umx_descriptor_allows(&generic, token, 2, UMX_RIGHT_WRITE_PROPERTY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_decides_canonical),
        cmocka_unit_test(an_entry_goes_to_its_place),
        cmocka_unit_test(adding_and_removing_gives_the_same_bytes),
        cmocka_unit_test(only_that_entry_counts),
        cmocka_unit_test(no_dacl_is_not_changed),
        cmocka_unit_test(unknown_entries_stay_as_they_are),
        cmocka_unit_test(access_follows_order_and_flags),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

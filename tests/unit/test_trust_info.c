#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "directory/trust_info.h"

/* As a domain controller of contoso.test holds it about lync.test. */
static const uint8_t recorded[] = {
    1,    0,    0,    0,    2,    0,    0,    0, 0x1a, 0,    0,    0,    0,    0,    0,    0,    0x5e, 0x3f,
    0x95, 0x34, 0x9e, 0x7a, 0xdd, 0x01, 0,    9, 0,    0,    0,    'l',  'y',  'n',  'c',  '.',  't',  'e',
    's',  't',  0x3e, 0,    0,    0,    0,    0, 0,    0,    0x5e, 0x3f, 0x95, 0x34, 0x9e, 0x7a, 0xdd, 0x01,
    2,    0x18, 0,    0,    0,    1,    4,    0, 0,    0,    0,    0,    5,    0x15, 0,    0,    0,    3,
    0x91, 0x57, 0x1e, 0xd2, 0x5f, 4,    0xc6, 4, 0x63, 0x54, 0xbc, 9,    0,    0,    0,    'l',  'y',  'n',
    'c',  '.',  't',  'e',  's',  't',  4,    0, 0,    0,    'L',  'Y',  'N',  'C',
};

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

static void names_and_the_domain_are_read(void **state)
{
    struct umx_trust_record *records;
    size_t count;
    (void)state;
    assert_int_equal(umx_trust_info_parse(recorded, sizeof recorded, arena, &records, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(records[0].type, UMX_TRUST_TOP_LEVEL);
    assert_string_equal(records[0].name, "lync.test");
    assert_int_equal(records[0].flags, 0);
    assert_null(records[0].sid);
    assert_int_equal(records[1].type, UMX_TRUST_DOMAIN);
    assert_string_equal(records[1].name, "lync.test");
    assert_string_equal(records[1].netbios, "LYNC");
    assert_string_equal(records[1].sid, "S-1-5-21-509055235-3322175442-3159646980");
}

static void flags_are_kept(void **state)
{
    uint8_t bytes[sizeof recorded];
    struct umx_trust_record *records;
    size_t count;
    (void)state;
    memcpy(bytes, recorded, sizeof bytes);
    bytes[12] = UMX_TRUST_DISABLED_ADMIN;
    bytes[42] = UMX_TRUST_SID_CONFLICT | UMX_TRUST_NETBIOS_DISABLED;
    assert_int_equal(umx_trust_info_parse(bytes, sizeof bytes, arena, &records, &count, NULL), 0);
    assert_int_equal(records[0].flags, UMX_TRUST_DISABLED_ADMIN);
    assert_int_equal(records[1].flags, UMX_TRUST_SID_CONFLICT | UMX_TRUST_NETBIOS_DISABLED);
}

static void unknown_types_are_skipped_by_their_length(void **state)
{
    static const uint8_t bytes[] = {
        1,    0,    0,    0,    2,  0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4,
        0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    };
    struct umx_trust_record *records;
    size_t count;
    (void)state;
    assert_int_equal(umx_trust_info_parse(bytes, sizeof bytes, arena, &records, &count, NULL), UMX_E_FORMAT);
    uint8_t good[sizeof bytes + 1] = {0};
    memcpy(good, bytes, sizeof bytes);
    good[29] = 17;
    assert_int_equal(umx_trust_info_parse(good, sizeof good, arena, &records, &count, NULL), 0);
    assert_int_equal(records[0].type, 4);
    assert_null(records[0].name);
    assert_int_equal(records[1].type, UMX_TRUST_EXCLUSION);
    assert_string_equal(records[1].name, "");
}

static void every_cut_is_refused(void **state)
{
    struct umx_trust_record *records;
    size_t count;
    (void)state;
    for (size_t cut = 0; cut < sizeof recorded; cut++) {
        struct umx_error err = {0};
        assert_int_equal(umx_trust_info_parse(recorded, cut, arena, &records, &count, &err), UMX_E_FORMAT);
        assert_int_equal(err.id, UMX_ERR_TRUST_INFO_INVALID);
    }
    static const uint8_t many[] = {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(umx_trust_info_parse(many, sizeof many, arena, &records, &count, NULL), UMX_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_the_domain_are_read),
        cmocka_unit_test(flags_are_kept),
        cmocka_unit_test(unknown_types_are_skipped_by_their_length),
        cmocka_unit_test(every_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "directory/guid.h"
#include "directory/sid.h"

static void texts_survive_the_way_there_and_back(void **state)
{
    static const char *const sids[] = {
        "S-1-0",
        "S-1-1-0",
        "S-1-5-32-544",
        "S-1-5-21-3623811015-3361044348-30300820-1013",
        "S-1-0x010203040506-1",
        "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-4294967295",
    };
    (void)state;
    for (size_t i = 0; i < sizeof sids / sizeof *sids; i++) {
        uint8_t bytes[UMX_SID_MAX];
        char text[UMX_SID_TEXT];
        size_t length;
        assert_int_equal(umx_sid_parse(sids[i], bytes, &length, NULL), 0);
        assert_int_equal(umx_sid_length(bytes, length), length);
        assert_int_equal(umx_sid_text(bytes, length, text, NULL), 0);
        assert_string_equal(text, sids[i]);
    }
}

static void bytes_are_the_directorys(void **state)
{
    static const uint8_t administrators[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0};
    uint8_t bytes[UMX_SID_MAX];
    size_t length;
    (void)state;
    assert_int_equal(umx_sid_parse("s-1-5-32-544", bytes, &length, NULL), 0);
    assert_int_equal(length, sizeof administrators);
    assert_memory_equal(bytes, administrators, length);
}

static void what_is_no_sid_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "S",
        "S-1",
        "S-1-",
        "S-2-5",
        "S-1-5-",
        "S-1--5",
        "S-1-5-4294967296",
        "S-1-281474976710656",
        "S-1-5-x",
        "S-1-5 ",
        " S-1-5",
        "S-1-5-+1",
        "S-1-5--1",
        "S-1-0x",
        "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16",
    };
    static const uint8_t bad[][12] = {{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0}, {2, 1}, {1, 16}};
    char text[UMX_SID_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(umx_sid_is(texts[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(umx_sid_text(bad[i], sizeof *bad, text, NULL), UMX_E_FORMAT);
    }
    /* One byte more than the SID is not the SID either. */
    static const uint8_t longer[] = {1, 0, 0, 0, 0, 0, 0, 5, 0};
    assert_int_equal(umx_sid_text(longer, sizeof longer, text, NULL), UMX_E_FORMAT);
    assert_int_equal(umx_sid_text(longer, 0, text, NULL), UMX_E_FORMAT);
}

static void guids_have_their_first_parts_turned(void **state)
{
    static const uint8_t stored[UMX_GUID_SIZE] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                                  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    uint8_t guid[UMX_GUID_SIZE];
    char text[UMX_GUID_TEXT];
    (void)state;
    assert_string_equal(umx_guid_text(stored, text), "00112233-4455-6677-8899-aabbccddeeff");
    assert_int_equal(umx_guid_parse("{00112233-4455-6677-8899-AABBCCDDEEFF}", guid, NULL), 0);
    assert_memory_equal(guid, stored, sizeof guid);
    assert_int_equal(umx_guid_parse(text, guid, NULL), 0);
    static const char *const bad[] = {"",
                                      "{}",
                                      "00112233445566778899aabbccddeeff",
                                      "{00112233-4455-6677-8899-aabbccddeeff",
                                      "00112233-4455-6677-8899-aabbccddeeff0",
                                      "00112233-4455-6677-8899-aabbccddeefg"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(umx_guid_parse(bad[i], guid, NULL), UMX_E_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_survive_the_way_there_and_back),
        cmocka_unit_test(bytes_are_the_directorys),
        cmocka_unit_test(what_is_no_sid_is_refused),
        cmocka_unit_test(guids_have_their_first_parts_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

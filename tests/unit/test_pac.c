#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "directory/pac.h"

/* KERB_VALIDATION_INFO with the parts that lead to the SID; offsets as in MS-PAC. */
struct pac {
    uint8_t bytes[1024];
    size_t length;
};

enum { START = 20, FIXED = 216 };

static void put(struct pac *pac, size_t at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        pac->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static void add(struct pac *pac, uint32_t value)
{
    put(pac, pac->length, value);
    pac->length += 4;
}

static void add_string(struct pac *pac, uint32_t letters)
{
    add(pac, letters);
    add(pac, 0);
    add(pac, letters);
    pac->length += (letters * 2 + 3) / 4 * 4;
}

static struct pac make(uint32_t user, uint32_t groups)
{
    static const uint8_t header[] = {1, 0x10, 8, 0};
    static const uint32_t domain[] = {21, 1000000001, 2000000002, 3000000003};
    struct pac pac = {.length = START + FIXED};

    memcpy(pac.bytes, header, sizeof header);
    put(&pac, START + 52, 0x20004); /* effective name: five letters, so that they are padded */
    put(&pac, START + 100, user);
    put(&pac, START + 108, groups);
    put(&pac, START + 112, 0x20008);
    put(&pac, START + 140, 0x2000c);
    put(&pac, START + 152, 0x20010);
    add_string(&pac, 5);
    add(&pac, groups);
    pac.length += (size_t)groups * 8;
    add_string(&pac, 4);
    add(&pac, 4);
    pac.bytes[pac.length] = 1;
    pac.bytes[pac.length + 1] = 4;
    pac.bytes[pac.length + 7] = 5;
    pac.length += 8;
    for (size_t i = 0; i < 4; i++)
        add(&pac, domain[i]);
    return pac;
}

static void test_sid(void **state)
{
    struct pac pac = make(1105, 3);
    char sid[UMX_SID_TEXT];
    (void)state;

    assert_int_equal(umx_pac_sid(pac.bytes, pac.length, sid, NULL), 0);
    assert_string_equal(sid, "S-1-5-21-1000000001-2000000002-3000000003-1105");
}

static void test_refused(void **state)
{
    struct umx_error err;
    char sid[UMX_SID_TEXT];
    (void)state;

    struct pac pac = make(0, 3); /* the SID stands elsewhere: not an account of the domain */
    assert_int_equal(umx_pac_sid(pac.bytes, pac.length, sid, &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_PROOF_REFUSED);
    pac = make(1105, 3);
    put(&pac, START + 152, 0);
    assert_int_equal(umx_pac_sid(pac.bytes, pac.length, sid, &err), UMX_E_DENIED);
    pac = make(1105, 3);
    put(&pac, START + 108, 4); /* the array says something else */
    assert_int_equal(umx_pac_sid(pac.bytes, pac.length, sid, &err), UMX_E_DENIED);
    pac = make(1105, 3);
    put(&pac, START + FIXED + 8, 0xffffffff); /* a string longer than all */
    assert_int_equal(umx_pac_sid(pac.bytes, pac.length, sid, &err), UMX_E_DENIED);
    pac = make(1105, 3);
    pac.bytes[1] = 0; /* the other byte order */
    assert_int_equal(umx_pac_sid(pac.bytes, pac.length, sid, &err), UMX_E_DENIED);
}

/* Cut anywhere, it is refused and nothing behind its end is looked at (ASan sees it: the copy has exactly that size).
 */
static void test_cut(void **state)
{
    const struct pac pac = make(1105, 7);
    char sid[UMX_SID_TEXT];
    (void)state;

    for (size_t length = 0; length < pac.length; length++) {
        uint8_t *copy = test_malloc(length + 1);
        memcpy(copy, pac.bytes, length);
        assert_int_equal(umx_pac_sid(copy, length, sid, NULL), UMX_E_DENIED);
        test_free(copy);
    }
    assert_int_equal(umx_pac_sid(pac.bytes, pac.length, sid, NULL), 0);
}

/* Any byte may be another: no crash, and whatever comes out is the SID of an account. */
static void test_changed(void **state)
{
    const struct pac pac = make(1105, 2);
    (void)state;

    for (size_t at = 0; at < pac.length; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct pac other = pac;
            char sid[UMX_SID_TEXT] = "";
            other.bytes[at] ^= (uint8_t)(1U << bit);
            if (umx_pac_sid(other.bytes, other.length, sid, NULL) == 0)
                assert_true(umx_sid_is(sid) && strncmp(sid, "S-1-5-21-", 9) == 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sid), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_cut), cmocka_unit_test(test_changed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

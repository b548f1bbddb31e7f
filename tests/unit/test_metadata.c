#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "directory/metadata.h"

/* The first and the last of the fifteen entries of a gateway object, as a domain controller gave them. */
static const uint8_t recorded[] = {
    1,    0,    0,    0,    0,    0,    0,    0,    2,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    1,    0,    0,    0,    0xa6, 0xa8, 0x13, 0x21, 3,    0,    0,    0,    0x5c, 0x7b, 0xfc, 0x43, 0x50, 0x0f,
    0xaa, 0x47, 0x89, 0x5c, 0x6b, 0x31, 0xad, 0x73, 0xab, 0x5f, 0x20, 0x13, 0,    0,    0,    0,    0,    0,    0x21,
    0x13, 0,    0,    0,    0,    0,    0,    0x65, 0xb3, 0x3f, 0xb5, 3,    0,    0,    0,    0xa6, 0xa8, 0x13, 0x21,
    3,    0,    0,    0,    0x5c, 0x7b, 0xfc, 0x43, 0x50, 0x0f, 0xaa, 0x47, 0x89, 0x5c, 0x6b, 0x31, 0xad, 0x73, 0xab,
    0x5f, 0x20, 0x13, 0,    0,    0,    0,    0,    0,    0x20, 0x13, 0,    0,    0,    0,    0,    0,
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

static void entries_are_read(void **state)
{
    struct umx_metadata *entries;
    size_t count;
    (void)state;
    assert_int_equal(umx_metadata_parse(recorded, sizeof recorded, arena, &entries, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].attid, 0);
    assert_int_equal(entries[0].version, 1);
    assert_int_equal(entries[0].originating_usn, 0x1320);
    assert_int_equal(entries[0].local_usn, 0x1321);
    const struct umx_metadata *found = umx_metadata_find(entries, count, (uint32_t)-1254116507);
    assert_non_null(found);
    assert_int_equal(found->version, 3);
    assert_memory_equal(found->invocation_id, recorded + 32, UMX_GUID_SIZE);
    assert_null(umx_metadata_find(entries, count, 3));
}

static void every_cut_is_refused(void **state)
{
    struct umx_metadata *entries;
    size_t count;
    (void)state;
    for (size_t cut = 0; cut < sizeof recorded; cut++) {
        assert_int_equal(umx_metadata_parse(recorded, cut, arena, &entries, &count, NULL), UMX_E_FORMAT);
    }
}

static void numbers_follow_from_the_default_prefixes(void **state)
{
    static const struct {
        const char *oid;
        uint32_t attid;
    } known[] = {
        {"2.5.4.0", 0},                         /* objectClass */
        {"2.5.4.3", 3},                         /* cn */
        {"1.2.840.113556.1.2.281", 0x20119},    /* nTSecurityDescriptor */
        {"1.2.840.113556.1.4.1", 0x90001},      /* name */
        {"1.2.840.113556.1.4.782", 0x9030e},    /* objectCategory */
        {"1.2.840.113556.1.2.210", 0x200d2},    /* proxyAddresses */
        {"0.9.2342.19200300.100.1.3", 0x150003} /* mail */
    };
    static const char *const unknown[] = {"1.2.840.113556.1.4.7000.102.50452",
                                          "1.2.840.113556.1.6.24.1.88",
                                          "",
                                          "2.5.4.",
                                          "2.5.4.x",
                                          "2.5.4.16384",
                                          "2.5.4.999999999999",
                                          "7"};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t attid = 1;
        assert_true(umx_metadata_attid(known[i].oid, &attid));
        assert_int_equal(attid, known[i].attid);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        uint32_t attid;
        assert_false(umx_metadata_attid(unknown[i], &attid));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(numbers_follow_from_the_default_prefixes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

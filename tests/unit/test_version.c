#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory/version.h"

/* The examples of spec 4.6. */
static void products_are_packed_as_exchange_does(void **state)
{
    static const struct {
        int32_t number;
        struct umx_version version;
    } products[] = {
        {1912701168, {8, 1, 240}},  {1912832083, {8, 3, 83}},   {1937801855, {14, 0, 639}},
        {1937866970, {14, 1, 218}}, {1941996036, {15, 0, 516}}, {1942061281, {15, 1, 225}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        struct umx_version version = umx_version_decode(products[i].number);
        assert_int_equal(version.major, products[i].version.major);
        assert_int_equal(version.minor, products[i].version.minor);
        assert_int_equal(version.build, products[i].version.build);
        assert_int_equal(umx_version_encode(products[i].version), products[i].number);
    }
}

static void pool_versions_have_two_forms(void **state)
{
    (void)state;
    assert_int_equal(umx_version_pool_major(0x60000), 6);
    assert_int_equal(umx_version_pool_major(0x50001), 5);
    assert_int_equal(umx_version_pool_major(4), 4);
    assert_int_equal(umx_version_pool_major(0), 0);
    assert_int_equal(umx_version_pool_major(-1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_packed_as_exchange_does),
        cmocka_unit_test(pool_versions_have_two_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

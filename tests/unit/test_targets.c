/* What agents are told to prove: all that the forests hold, however much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>
#include <cmocka.h>

#include "base/reflect.h"
#include "controller/targets.h"
#include "phases/um_server.h"
#include "worlds.h"

enum { ARENA = 64 * 1024 * 1024 };

static struct umx_world *world;
static struct umx_arena *arena;
static struct umx_targets targets;

static int set_up(void **state)
{
    (void)state;
    world = umx_world_new(W_NOW);
    arena = umx_arena_new(ARENA);
    w_forest(world, W_EX, UMX__FOREST__SIDE__EXCHANGE, "DC=exchange,DC=test", W_SID_EX, "EXCHANGE");
    w_forest(world, W_LY, UMX__FOREST__SIDE__LYNC, "DC=lync,DC=test", W_SID_LY, "LYNC");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(arena);
    umx_world_free(world);
    return 0;
}

static void find(void)
{
    struct umx_error err = {0};

    assert_int_equal(umx_targets_find(umx_world_records(world), arena, &targets, &err), 0);
}

static void add_pools(size_t count)
{
    char cn[32], fqdn[64];

    for (size_t i = 0; i < count; i++) {
        snprintf(cn, sizeof cn, "1:%zu", i);
        w_pool(world, W_LY, cn, w_text(fqdn, sizeof fqdn, "pool%zu.lync.test", i), 0x60000, false, 1);
    }
}

static size_t tls_targets(void)
{
    size_t count = 0;

    for (size_t i = 0; i < targets.count; i++)
        count += targets.items[i]->kind == UMX__PROOF__KIND__TLS;
    return count;
}

static void every_pool_is_a_target(void **state)
{
    (void)state;
    add_pools(900);
    find();
    assert_int_equal(tls_targets(), 900);
}

static void every_um_service_is_a_target(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 300; i++)
        w_server(world, W_EX, w_text(name, sizeof name, "um%d", i), 14, 3, UMX_ROLE_UM);
    find();
    assert_int_equal(tls_targets(), 300);
}

static void a_pool_without_a_name_cannot_be_tried(void **state)
{
    (void)state;
    add_pools(2);
    W_EDIT(world)->lync_pool[0]->pool = NULL;
    find();
    assert_int_equal(tls_targets(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_pool_is_a_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_um_service_is_a_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pool_without_a_name_cannot_be_tried, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

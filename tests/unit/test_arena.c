#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/arena.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    struct umx_arena *arena = umx_arena_new(1 << 20);
    unsigned char *all[200];

    (void)state;
    assert_non_null(arena);
    for (size_t i = 0; i < 200; i++) {
        all[i] = umx_arena_alloc(arena, i * 11 + 1);
        assert_non_null(all[i]);
        assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < i * 11 + 1; k++)
            assert_int_equal(all[i][k], 0);
        memset(all[i], (int)i, i * 11 + 1);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * 11 + 1; k++)
            assert_int_equal(all[i][k], i);
    umx_arena_free(arena);
    umx_arena_free(NULL);
}

static void the_cap_holds(void **state)
{
    struct umx_arena *arena = umx_arena_new(1000);

    (void)state;
    assert_null(umx_arena_alloc(arena, 1001));
    assert_null(umx_arena_alloc(arena, SIZE_MAX));
    assert_null(umx_arena_alloc(arena, SIZE_MAX - 16));
    assert_non_null(umx_arena_alloc(arena, 900));
    assert_true(umx_arena_used(arena) >= 900 && umx_arena_used(arena) <= 1000);
    assert_null(umx_arena_alloc(arena, 101));
    assert_non_null(umx_arena_alloc(arena, 1));
    size_t given = 0;
    while (umx_arena_alloc(arena, 1) != NULL)
        given++;
    assert_true(given < 100);
    assert_true(umx_arena_used(arena) <= 1000);
    assert_null(umx_arena_copy(arena, "x", 1));
    assert_null(umx_arena_format(arena, "%d", 1));
    assert_null(umx_arena_string(arena, "x"));
    umx_arena_free(arena);
}

static void nothing_is_something(void **state)
{
    struct umx_arena *arena = umx_arena_new(0);

    (void)state;
    assert_null(umx_arena_alloc(arena, 1));
    assert_int_equal(umx_arena_used(arena), 0);
    umx_arena_free(arena);
}

static void strings(void **state)
{
    struct umx_arena *arena = umx_arena_new(100000);
    char big[40000];

    (void)state;
    assert_string_equal(umx_arena_string(arena, "text"), "text");
    assert_null(umx_arena_string(arena, NULL));
    assert_memory_equal(umx_arena_copy(arena, "a\0b", 3), "a\0b", 4);
    assert_string_equal(umx_arena_copy(arena, NULL, 0), "");
    assert_string_equal(umx_arena_format(arena, "%s-%d", "s", 7), "s-7");
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    assert_string_equal(umx_arena_format(arena, "%s", big), big); /* larger than a block */
    umx_arena_free(arena);
}

static void serves_protobuf(void **state)
{
    struct umx_arena *arena = umx_arena_new(64);
    ProtobufCAllocator *allocator = umx_arena_allocator(arena);

    (void)state;
    void *p = allocator->alloc(allocator->allocator_data, 40);
    assert_non_null(p);
    allocator->free(allocator->allocator_data, p);
    assert_null(allocator->alloc(allocator->allocator_data, 40)); /* freeing gives nothing back */
    umx_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(the_cap_holds),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(strings),
        cmocka_unit_test(serves_protobuf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Texts found at once, and records by the key of their table. */
#include "people_worlds.h"

#include "phases/finder.h"
#include "phases/index.h"

static void test_texts(void **state)
{
    struct umx_arena *arena = umx_arena_new(1024 * 1024);
    struct umx_index index;
    char keys[300][16];
    static const int one = 1, two = 2;
    bool several;
    size_t at = 0;

    (void)state;
    umx_index_begin(&index, arena);
    assert_null(umx_index_find(&index, "nothing yet"));
    umx_index_reserve(&index, 70);
    for (int i = 0; i < 300; i++)
        umx_index_add(&index, w_text(keys[i], sizeof keys[i], "Key %d", i), keys[i]);
    for (int i = 0; i < 300; i++)
        assert_ptr_equal(umx_index_find(&index, keys[i]), keys[i]);
    assert_ptr_equal(umx_index_find(&index, "KEY 7"), keys[7]);
    assert_null(umx_index_find(&index, "key7")); /* same hash, another text */
    assert_null(umx_index_find(&index, ""));
    assert_null(umx_index_find(&index, NULL));
    umx_index_add(&index, NULL, &one);
    umx_index_add(&index, "", &one);
    assert_int_equal(index.count, 300);
    umx_index_add(&index, "twice", &one);
    assert_ptr_equal(umx_index_only(&index, "twice", &several), &one);
    assert_false(several);
    umx_index_add(&index, "Twice", &one);
    assert_ptr_equal(umx_index_only(&index, "twice", &several), &one); /* the same value */
    umx_index_add(&index, "TWICE", &two);
    assert_null(umx_index_only(&index, "twice", &several));
    assert_true(several);
    size_t found = 0;
    while (umx_index_next(&index, "twice", &at) != NULL)
        found++;
    assert_int_equal(found, 3);
    assert_false(index.failed);
    umx_arena_free(arena);
    /* no memory */
    arena = umx_arena_new(64);
    umx_index_begin(&index, arena);
    umx_index_add(&index, "key", &one);
    assert_true(index.failed);
    assert_null(umx_index_find(&index, "key"));
    umx_arena_free(arena);
}

static void test_records(void **state)
{
    struct umx_world *world = world_people();
    const struct umx_table *table = umx_reflect_table("mailbox_user");
    Umx__MailboxUser key = UMX__MAILBOX_USER__INIT;
    bool failed = false;
    size_t at = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        p_add(world, (struct p_person){.number = i});
    struct umx_finder *finder = umx_finder_new(umx_world_records(world));
    assert_non_null(finder);
    key.forest = w_s("EXCHANGE.test");
    key.dn = w_s("cn=User 00042, ou=People, dc=exchange, dc=test"); /* as a DN, not as a text */
    ProtobufCMessage *found = umx_finder_next(finder, table, &key.base, &at, &failed);
    assert_ptr_equal(found, &umx_world_records(world)->mailbox_user[42]->base);
    assert_null(umx_finder_next(finder, table, &key.base, &at, &failed));
    /* spaces inside a value do count */
    key.dn = w_s("CN=User00042,OU=People,DC=exchange,DC=test");
    at = 0;
    assert_null(umx_finder_next(finder, table, &key.base, &at, &failed));
    p_add(world, (struct p_person){.number = 100});
    umx_finder_added(finder, table);
    key.dn = w_s("CN=User 00100,OU=People,DC=exchange,DC=test");
    at = 0;
    assert_non_null(umx_finder_next(finder, table, &key.base, &at, &failed));
    umx_world_remove(world, table, 100);
    umx_finder_removed(finder, table);
    at = 0;
    assert_null(umx_finder_next(finder, table, &key.base, &at, &failed));
    at = 0;
    assert_null(umx_finder_next(NULL, table, &key.base, &at, &failed));
    assert_false(failed);
    umx_finder_free(finder);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_records)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

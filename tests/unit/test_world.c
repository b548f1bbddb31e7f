#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/world.h"
#include "generate.h"

static char directory[64];
static char path[128];

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/umx-world-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/world.snapshot", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory); /* fails when a temporary file was left */
}

static const char *const places[] = {"forest", "dn", "server"};

/* The field that says where a record is from; NULL: the table has none of this name. */
static char **place_of(ProtobufCMessage *record, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, name);

    return field != NULL ? (char **)(void *)((char *)record + field->offset) : NULL;
}

/* Some records of every table. */
static struct umx_world *make(uint64_t seed, size_t each)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    struct umx_world *world = umx_world_new(INT64_C(1769896800123456));

    assert_non_null(world);
    for (size_t t = 0; t < count && !tables[t].derived; t++) {
        for (size_t i = 0; i < each; i++) {
            struct umx_arena *arena = umx_arena_new(1 << 20);
            ProtobufCMessage *record = generate_message(&seed, tables[t].record, arena);
            for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
                char **place = place_of(record, places[p]);
                if (place != NULL && *place == NULL)
                    *place = umx_arena_string(arena, "somewhere");
            }
            assert_int_equal(umx_world_add(world, record, NULL), UMX_OK);
            umx_arena_free(arena); /* the world has its own copy */
        }
    }
    umx_world_edit(world)->deployment = umx_arena_string(umx_world_arena(world), "test-deployment");
    return world;
}

static bool same(const struct umx_world *a, const struct umx_world *b)
{
    return umx_reflect_equal(&umx_world_records(a)->base, &umx_world_records(b)->base);
}

static void grows_and_keeps_order(void **state)
{
    struct umx_world *world = umx_world_new(1);

    (void)state;
    assert_non_null(world);
    for (int i = 0; i < 1000; i++) {
        Umx__Listener listener = UMX__LISTENER__INIT;
        listener.has_port = 1;
        listener.port = i;
        assert_int_equal(umx_world_add(world, &listener.base, NULL), UMX_OK);
    }
    const Umx__World *records = umx_world_records(world);
    assert_int_equal(records->n_listener, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(records->listener[i]->port, i);
    const struct umx_table *table = umx_reflect_table("listener");
    umx_world_remove(world, table, 0);
    umx_world_remove(world, table, 998);
    umx_world_remove(world, table, 500);
    umx_world_remove(world, table, 997); /* beyond the end: nothing */
    assert_int_equal(records->n_listener, 997);
    assert_int_equal(records->listener[0]->port, 1);
    assert_int_equal(records->listener[499]->port, 500);
    assert_int_equal(records->listener[500]->port, 502);
    assert_int_equal(records->listener[996]->port, 998);
    size_t count;
    assert_ptr_equal(umx_world_table(records, table, &count), records->listener);
    assert_int_equal(count, 997);
    umx_world_free(world);
}

static void refuses_what_is_no_record(void **state)
{
    struct umx_world *world = umx_world_new(1);
    Umx__Finding derived = UMX__FINDING__INIT;
    Umx__Change no_table = UMX__CHANGE__INIT;
    struct umx_error err;

    (void)state;
    assert_int_equal(umx_world_add(world, &derived.base, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_TABLE_UNKNOWN);
    assert_int_equal(umx_world_add(world, &no_table.base, &err), UMX_E_NOT_FOUND);
    umx_world_free(world);
}

static void copies_are_deep(void **state)
{
    struct umx_world *world = make(1, 5);
    struct umx_world *copy = umx_world_copy(world);

    (void)state;
    assert_non_null(copy);
    assert_true(same(world, copy));
    umx_world_edit(copy)->forest[0]->has_highest_usn = 1;
    umx_world_edit(copy)->forest[0]->highest_usn = 4711;
    assert_false(same(world, copy));
    umx_world_free(world);
    assert_int_equal(umx_world_records(copy)->forest[0]->highest_usn, 4711);
    umx_world_free(copy);
}

static void parts_add_up(void **state)
{
    struct umx_world *world = make(2, 3);
    Umx__World part = UMX__WORLD__INIT;
    struct umx_world *sum = umx_world_new(7);

    (void)state;
    assert_int_equal(umx_world_add_all(sum, umx_world_records(world), NULL), UMX_OK);
    assert_true(same(world, sum));
    assert_int_equal(umx_world_add_all(sum, &part, NULL), UMX_OK); /* an empty part changes nothing */
    assert_true(same(world, sum));
    assert_int_equal(umx_world_add_all(sum, umx_world_records(world), NULL), UMX_OK);
    assert_int_equal(umx_world_records(sum)->n_forest, 6);
    umx_world_free(world);
    umx_world_free(sum);
}

/* Files may come from anywhere: what the checks rely on is there, or the file is refused with the table and field. */
static void refuses_records_of_nowhere(void **state)
{
    size_t count, refused = 0, taken = 0;
    const struct umx_table *tables = umx_reflect_tables(&count);

    (void)state;
    for (size_t t = 0; t < count && !tables[t].derived; t++)
        for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
            struct umx_world *world = make(3, 2), *loaded = NULL;
            struct umx_error err = {0};
            size_t records;
            char **place = place_of(umx_world_table(umx_world_edit(world), &tables[t], &records)[1], places[p]);
            if (place != NULL) {
                *place = NULL;
                assert_int_equal(umx_world_save(world, path, NULL), UMX_OK);
                if (umx_world_load(path, &loaded, &err) == UMX_OK) {
                    taken++;
                } else {
                    refused++;
                    assert_null(loaded);
                    assert_int_equal(err.id, UMX_ERR_SNAPSHOT_INVALID);
                    assert_non_null(strstr(umx_error_why(&err), tables[t].name));
                    assert_non_null(strstr(umx_error_why(&err), places[p]));
                }
            }
            umx_world_free(loaded);
            umx_world_free(world);
        }
    assert_int_equal(taken, 2); /* servers without a TCP address, groups that are not there */
    assert_true(refused > 40);
}

static void snapshots_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct umx_world *world = make(seed, seed % 3 * 40);
        struct umx_world *loaded;
        assert_int_equal(umx_world_save(world, path, NULL), UMX_OK);
        assert_int_equal(umx_world_load(path, &loaded, NULL), UMX_OK);
        assert_true(same(world, loaded));
        umx_world_free(world);
        umx_world_free(loaded);
    }
}

/* Almost empty records take much more memory than bytes; a large one needs a frame of its own. */
static void extreme_records_come_back(void **state)
{
    struct umx_world *world = umx_world_new(1);
    struct umx_world *loaded;
    Umx__AdminGroup empty = UMX__ADMIN_GROUP__INIT;
    Umx__Event event = UMX__EVENT__INIT;
    char forest[] = "f";
    enum { LONG = UMX_MAX_RECORD - 100 };
    struct umx_error err;

    (void)state;
    empty.forest = forest;
    event.server = forest;
    for (int i = 0; i < 60000; i++)
        assert_int_equal(umx_world_add(world, &empty.base, NULL), UMX_OK);
    event.message = malloc(UMX_MAX_RECORD + 1);
    memset(event.message, 'x', UMX_MAX_RECORD);
    event.message[UMX_MAX_RECORD] = '\0';
    event.message[LONG] = '\0';
    for (int i = 0; i < 3; i++)
        assert_int_equal(umx_world_add(world, &event.base, NULL), UMX_OK);
    assert_int_equal(umx_world_save(world, path, NULL), UMX_OK);
    assert_int_equal(umx_world_load(path, &loaded, NULL), UMX_OK);
    assert_true(same(world, loaded));
    umx_world_free(loaded);
    event.message[LONG] = 'x';
    assert_int_equal(umx_world_add(world, &event.base, NULL), UMX_OK);
    assert_int_equal(umx_world_save(world, path, &err), UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_FRAME_TOO_LARGE);
    assert_int_equal(umx_world_load(path, &loaded, NULL), UMX_OK); /* the file before is still there */
    umx_world_free(loaded);
    umx_world_free(world);
    free(event.message);
}

static size_t read_file(uint8_t **bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *bytes = malloc(1 << 20);
    assert_non_null(*bytes);
    size_t length = fread(*bytes, 1, 1 << 20, file);
    fclose(file);
    return length;
}

static void write_file(const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void assert_refused(void)
{
    struct umx_world *loaded = NULL;
    struct umx_error err = {0};

    assert_int_equal(umx_world_load(path, &loaded, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_SNAPSHOT_INVALID);
    assert_null(loaded);
}

#define HEAD "{\"snapshot\":1,\"taken_at\":\"2026-01-31T22:00:00Z\",\"deployment\":\"lab\"}\n"
#define RECORD "{\"table\":\"service\",\"record\":{\"server\":\"a.test\",\"name\":\"RTCSRV\",\"state\":\"running\"}}\n"

static void lines_are_a_snapshot_too(void **state)
{
    static const char whole[] = HEAD RECORD RECORD "{\"records\":2}\n";
    static const char *const wrong[] = {
        HEAD,
        HEAD RECORD,
        HEAD RECORD "{\"records\":2}\n",
        HEAD RECORD "{\"records\":1}\n" RECORD,
        RECORD "{\"records\":1}\n",
        "{\"snapshot\":2,\"taken_at\":\"2026-01-31T22:00:00Z\"}\n{\"records\":0}\n",
        HEAD "{\"table\":\"finding\",\"record\":{}}\n{\"records\":1}\n",
        HEAD "{\"table\":\"service\",\"record\":{\"nosuch\":1}}\n{\"records\":1}\n",
        HEAD "{\"table\":\"service\"}\n{\"records\":1}\n",
        HEAD "[]\n{\"records\":1}\n",
    };
    struct umx_world *loaded;

    (void)state;
    write_file(whole, sizeof whole - 1);
    assert_int_equal(umx_world_load(path, &loaded, NULL), UMX_OK);
    assert_int_equal(umx_world_records(loaded)->n_service, 2);
    assert_string_equal(umx_world_records(loaded)->service[1]->name, "RTCSRV");
    assert_string_equal(umx_world_records(loaded)->deployment, "lab");
    assert_true(umx_world_records(loaded)->has_taken_at);
    umx_world_free(loaded);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file(wrong[i], strlen(wrong[i]));
        assert_refused();
    }
}

static void cut_snapshots_are_refused(void **state)
{
    struct umx_world *world = make(3, 1);
    uint8_t *bytes;

    (void)state;
    assert_int_equal(umx_world_save(world, path, NULL), UMX_OK);
    size_t length = read_file(&bytes);
    for (size_t cut = 0; cut < length; cut++) {
        write_file(bytes, cut);
        assert_refused();
    }
    bytes[length] = 0;
    write_file(bytes, length + 1); /* something behind the end */
    assert_refused();
    bytes[13] = '2'; /* another version */
    write_file(bytes, length);
    assert_refused();
    bytes[13] = '1';
    memset(bytes + 15, 0xFF, 4); /* a frame of 4 GB */
    write_file(bytes, length);
    assert_refused();
    free(bytes);
    umx_world_free(world);
}

static void missing_places_are_named(void **state)
{
    struct umx_world *world = umx_world_new(1);
    struct umx_world *loaded;
    struct umx_error err;

    (void)state;
    assert_int_equal(umx_world_save(world, "/nowhere/at/all", &err), UMX_E_IO);
    assert_int_equal(err.id, UMX_ERR_FILE_UNWRITABLE);
    assert_int_equal(umx_world_load("/nowhere/at/all", &loaded, &err), UMX_E_IO);
    assert_int_equal(err.id, UMX_ERR_FILE_UNREADABLE);
    assert_string_equal(err.what, "/nowhere/at/all");
    umx_world_free(world);
    umx_world_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_order),
        cmocka_unit_test(refuses_what_is_no_record),
        cmocka_unit_test(copies_are_deep),
        cmocka_unit_test(parts_add_up),
        cmocka_unit_test(refuses_records_of_nowhere),
        cmocka_unit_test(snapshots_come_back),
        cmocka_unit_test(extreme_records_come_back),
        cmocka_unit_test(lines_are_a_snapshot_too),
        cmocka_unit_test(cut_snapshots_are_refused),
        cmocka_unit_test(missing_places_are_named),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

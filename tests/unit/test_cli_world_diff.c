#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/value.h"
#include "cli/world_diff.h"

static void add_hunt_group(struct umx_world *world, const char *dn, const char *pilot, int64_t collected_at)
{
    Umx__HuntGroup record = UMX__HUNT_GROUP__INIT;
    struct umx_error err;
    char forest[] = "exchange.test";

    record.forest = forest;
    record.dn = (char *)(uintptr_t)dn; /* copied, never changed */
    record.pilot_identifier = (char *)(uintptr_t)pilot;
    record.has_collected_at = 1;
    record.collected_at = collected_at;
    assert_int_equal(umx_world_add(world, &record.base, &err), 0);
}

static void add_event(struct umx_world *world, int event_id)
{
    Umx__Event record = UMX__EVENT__INIT;
    struct umx_error err;
    char server[] = "fe1.lync.test";

    record.server = server;
    record.has_event_id = 1;
    record.event_id = event_id;
    assert_int_equal(umx_world_add(world, &record.base, &err), 0);
}

static void diff(const struct umx_world *a, const struct umx_world *b, struct umx_document *document)
{
    struct umx_error err = {0};

    assert_int_equal(umx_document_open(document, "snapshot.diff", &err), 0);
    assert_int_equal(umx_world_diff(umx_world_records(a), umx_world_records(b), document, &err), 0);
}

static long long counted(const struct umx_document *document, const char *what)
{
    return umx_value_integer(json_object_get(document->root, "counts"), what);
}

static void reading_again_changes_nothing(void **state)
{
    struct umx_world *a = umx_world_new(1), *b = umx_world_new(2);
    struct umx_document document;

    (void)state;
    add_hunt_group(a, "CN=HG1,DC=x", "1000", 10);
    add_hunt_group(a, "CN=HG2,DC=x", "2000", 10);
    add_hunt_group(b, "cn=hg2,DC=x", "2000", 99); /* another order, another case of the DN, another time */
    add_hunt_group(b, "CN=HG1,DC=x", "1000", 99);
    add_event(a, 44009);
    add_event(b, 44009);
    diff(a, b, &document);
    assert_int_equal(counted(&document, "added"), 0);
    assert_int_equal(counted(&document, "removed"), 0);
    /* The DN's case is a change of its field, and nothing else is. */
    assert_int_equal(counted(&document, "changed"), 1);
    assert_int_equal(json_array_size(umx_document_array(&document, "changes")), 1);
    assert_string_equal(umx_value_string(json_array_get(umx_document_array(&document, "changes"), 0), "field"), "dn");
    umx_document_close(&document);
    umx_world_free(a);
    umx_world_free(b);
}

static void added_removed_and_changed(void **state)
{
    struct umx_world *a = umx_world_new(1), *b = umx_world_new(2);
    struct umx_document document;

    (void)state;
    add_hunt_group(a, "CN=Gone,DC=x", "1", 10);
    add_hunt_group(a, "CN=Stays,DC=x", "2", 10);
    add_hunt_group(b, "CN=New,DC=x", "3", 10);
    add_hunt_group(b, "CN=Stays,DC=x", NULL, 10);
    add_event(b, 1082);
    diff(a, b, &document);
    assert_int_equal(counted(&document, "added"), 2);
    assert_int_equal(counted(&document, "removed"), 1);
    assert_int_equal(counted(&document, "changed"), 1);

    const json_t *changes = umx_document_array(&document, "changes");
    bool seen_changed = false;
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        const char *kind = umx_value_string(change, "change");
        if (strcmp(kind, "changed") == 0) {
            seen_changed = true;
            assert_string_equal(umx_value_string(change, "table"), "hunt_group");
            assert_string_equal(umx_value_string(change, "key"), "exchange.test CN=Stays,DC=x");
            assert_string_equal(umx_value_string(change, "field"), "pilot_identifier");
            assert_string_equal(umx_value_string(change, "before"), "2");
            assert_true(json_is_null(json_object_get(change, "after")));
        } else {
            assert_true(json_is_null(json_object_get(change, "field")));
            assert_true(json_is_object(json_object_get(change, strcmp(kind, "added") == 0 ? "after" : "before")));
        }
    }
    assert_true(seen_changed);
    umx_document_close(&document);
    umx_world_free(a);
    umx_world_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_again_changes_nothing),
        cmocka_unit_test(added_removed_and_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

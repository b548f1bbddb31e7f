/* What waits to be reported: chunks, digests, answers, replacement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/spool.h"
#include "base/text.h"

static struct umx_spool spool;
static struct umx_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = umx_arena_new(64 * 1024 * 1024);
    return arena == NULL || umx_spool_begin(&spool, NULL) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    umx_spool_end(&spool);
    umx_arena_free(arena);
    return 0;
}

static struct umx_spool_table *table(const char *name)
{
    struct umx_spool_table *found = umx_spool_find(&spool, name);
    assert_non_null(found);
    return found;
}

static const struct umx_spool_queries *asked(int64_t query)
{
    static struct umx_spool_queries queries;

    queries.count = 0;
    if (query != 0)
        assert_true(umx_spool_ask(&queries, query));
    return &queries;
}

/* Listeners on the given number of ports, each with a text of that length. */
static bool put(int ports, size_t text, bool report, int64_t query)
{
    struct umx_rows rows;
    bool changed = false;
    char process[8192] = "";

    memset(process, 'x', text);
    assert_int_equal(umx_rows_begin(&rows, NULL), 0);
    for (int i = 0; i < ports; i++) {
        Umx__Listener *row = umx_rows_add(&rows, &umx__listener__descriptor);
        assert_non_null(row);
        row->server = umx_rows_text(&rows, "a.test");
        row->has_port = 1;
        row->port = i + 1;
        row->process = umx_rows_text(&rows, process);
    }
    assert_int_equal(umx_spool_put(table("listener"), &rows, report, asked(query), &changed, NULL), 0);
    return changed;
}

/* The next message, marked as sent; NULL when nothing waits. */
static const Umx__Report *next(void)
{
    struct umx_spool_table *from = NULL;
    ProtobufCMessage *message = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;

    assert_int_equal(umx_spool_next(&spool, &from, &bytes, &length, NULL), 0);
    if (from == NULL)
        return NULL;
    assert_true(length <= UMX_MAX_AGENT_MESSAGE);
    assert_int_equal(umx_reflect_unpack(&umx__to_controller__descriptor, bytes, length, arena, &message, NULL), 0);
    free(bytes);
    umx_spool_sent(from);
    return ((const Umx__ToController *)message)->report;
}

static void answer(const Umx__Report *report, bool resend)
{
    Umx__Accepted accepted = UMX__ACCEPTED__INIT;

    accepted.table = report->table;
    accepted.has_generation = accepted.has_resend = 1;
    accepted.generation = report->generation;
    accepted.resend = resend;
    umx_spool_accepted(&spool, &accepted);
}

static void rows_go_out_once(void **state)
{
    (void)state;
    assert_null(next());
    assert_true(put(3, 10, false, 0));
    const Umx__Report *report = next();
    assert_non_null(report);
    assert_string_equal(report->table, "listener");
    assert_int_equal(report->chunks, 1);
    assert_int_equal(report->digest.len, UMX_DIGEST);
    assert_false(report->unchanged);
    assert_int_equal(report->rows->n_listener, 3);
    assert_null(next());
    /* The same again is not worth a word, unless it is time for a report. */
    assert_false(put(3, 10, false, 0));
    assert_null(next());
}

static void an_accepted_digest_needs_no_rows(void **state)
{
    (void)state;
    put(3, 10, false, 0);
    const Umx__Report *first = next();
    /* Not accepted yet: a report carries the rows again. */
    assert_false(put(3, 10, true, 0));
    const Umx__Report *second = next();
    assert_int_equal(second->rows->n_listener, 3);
    assert_true(second->generation > first->generation);
    answer(first, false); /* late, about something older */
    assert_false(table("listener")->accepted);
    answer(second, false);
    assert_false(put(3, 10, true, 0));
    const Umx__Report *third = next();
    assert_true(third->unchanged);
    assert_null(third->rows);
    assert_memory_equal(third->digest.data, second->digest.data, UMX_DIGEST);
    /* The controller does not know it any more. */
    answer(third, true);
    const Umx__Report *fourth = next();
    assert_false(fourth->unchanged);
    assert_int_equal(fourth->rows->n_listener, 3);
    assert_null(next());
}

static void large_tables_go_in_chunks(void **state)
{
    size_t rows = 0;

    (void)state;
    put(200, 4000, false, 0); /* 800 KB */
    const Umx__Report *report = next();
    assert_true(report->chunks >= 4);
    int32_t chunks = report->chunks;
    int64_t generation = report->generation;
    for (int32_t i = 0; i < chunks; i++) {
        assert_int_equal(report->chunk, i);
        assert_int_equal(report->chunks, chunks);
        assert_true(report->generation == generation);
        for (size_t k = 0; k < report->rows->n_listener; k++)
            assert_true(report->rows->listener[k]->port > 0);
        rows += report->rows->n_listener;
        report = i + 1 < chunks ? next() : NULL;
    }
    assert_int_equal(rows, 200);
    assert_null(next());
}

static void a_newer_table_takes_the_place(void **state)
{
    (void)state;
    put(200, 4000, false, 0);
    const Umx__Report *first = next();
    assert_int_equal(first->chunk, 0);
    assert_true(put(2, 10, false, 0));
    const Umx__Report *second = next();
    assert_int_equal(second->chunk, 0);
    assert_int_equal(second->chunks, 1);
    assert_true(second->generation > first->generation);
    assert_int_equal(second->rows->n_listener, 2);
    assert_null(next());
}

static void a_begun_table_is_finished_first(void **state)
{
    struct umx_rows rows;
    bool changed;

    (void)state;
    put(200, 4000, false, 0);
    next();
    assert_int_equal(umx_rows_begin(&rows, NULL), 0); /* `server` comes before `listener` in the list */
    assert_int_equal(umx_spool_put(table("server"), &rows, false, NULL, &changed, NULL), 0);
    const Umx__Report *report;
    while ((report = next()) != NULL && strcmp(report->table, "listener") == 0)
        continue;
    assert_non_null(report);
    assert_string_equal(report->table, "server");
    assert_int_equal(report->chunks, 1); /* an empty table is a report too */
    assert_null(next());
    assert_true(table("listener")->pending == UMX_SPOOL_NOTHING);
}

static void a_new_stream_hears_everything_again(void **state)
{
    (void)state;
    put(3, 10, false, 0);
    answer(next(), false);
    umx_spool_attach(&spool);
    const Umx__Report *report = next();
    assert_true(report->unchanged); /* it held this before */
    answer(report, true);
    assert_int_equal(next()->rows->n_listener, 3);
    put(200, 4000, false, 0);
    next();
    umx_spool_attach(&spool); /* the stream broke in the middle */
    assert_int_equal(next()->chunk, 0);
}

static void queries_are_answered_each(void **state)
{
    (void)state;
    put(3, 10, true, 7);
    put(3, 10, true, 8);
    const Umx__Report *first = next();
    assert_int_equal(first->query, 7);
    assert_int_equal(first->rows->n_listener, 3);
    const Umx__Report *second = next();
    assert_int_equal(second->query, 8);
    assert_null(next());
    /* Unchanged and accepted: a query costs a digest. */
    answer(second, false);
    put(3, 10, true, 9);
    const Umx__Report *third = next();
    assert_int_equal(third->query, 9);
    assert_true(third->unchanged);
    assert_null(next());
}

/* A cancelled query is not answered, and takes none of the others' answers with it. */
static void a_forgotten_query_hears_nothing(void **state)
{
    (void)state;
    put(3, 10, true, 7);
    put(3, 10, true, 8);
    put(3, 10, true, 9);
    umx_spool_forget(&table("listener")->queries, 8);
    assert_int_equal(next()->query, 7);
    assert_int_equal(next()->query, 9);
    assert_null(next());
}

static void as_many_ask_as_there_is_room_for(void **state)
{
    struct umx_spool_queries queries = {0};

    (void)state;
    for (int64_t i = 1; i <= UMX_SPOOL_QUERIES_MAX; i++)
        assert_true(umx_spool_ask(&queries, i));
    assert_false(umx_spool_ask(&queries, UMX_SPOOL_QUERIES_MAX + 1));
    assert_false(umx_spool_ask(&queries, 3));
    umx_spool_forget(&queries, 3);
    umx_spool_forget(&queries, 3);
    assert_int_equal(queries.count, UMX_SPOOL_QUERIES_MAX - 1);
    assert_int_equal(queries.query[2], 4);
    assert_true(umx_spool_ask(&queries, 3));
}

static void a_failure_is_said_once(void **state)
{
    struct umx_error err = {0};

    (void)state;
    put(3, 10, false, 0);
    answer(next(), false);
    umx_fail(&err, UMX_ERR_COLLECT_FAILED, "listener", "no right");
    umx_spool_fail(table("listener"), &err, NULL);
    const Umx__Report *report = next();
    assert_non_null(strstr(report->error, "no right"));
    assert_null(report->rows);
    umx_spool_fail(table("listener"), &err, NULL);
    assert_null(next());
    umx_spool_fail(table("listener"), &err, asked(5)); /* but each query hears it */
    assert_int_equal(next()->query, 5);
    /* It works again: the controller hears so although the rows are the same. */
    assert_false(put(3, 10, false, 0));
    assert_true(next()->unchanged);
}

static void a_row_that_is_too_large_is_a_failure(void **state)
{
    struct umx_rows rows;
    struct umx_error err = {0};
    bool changed = false;

    (void)state;
    assert_int_equal(umx_rows_begin(&rows, NULL), 0);
    Umx__Certificate *row = umx_rows_add(&rows, &umx__certificate__descriptor);
    char *name = umx_arena_alloc(rows.arena, 8001);
    memset(name, 'n', 8000);
    row->dns_name = umx_arena_alloc(rows.arena, 100 * sizeof *row->dns_name);
    for (row->n_dns_name = 0; row->n_dns_name < 100; row->n_dns_name++)
        row->dns_name[row->n_dns_name] = name;
    assert_int_equal(umx_spool_put(table("certificate"), &rows, false, NULL, &changed, &err), UMX_E_IO);
    assert_non_null(next()->error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_go_out_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_accepted_digest_needs_no_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_tables_go_in_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_table_takes_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_begun_table_is_finished_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_stream_hears_everything_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queries_are_answered_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_forgotten_query_hears_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_many_ask_as_there_is_room_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_is_said_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_is_too_large_is_a_failure, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

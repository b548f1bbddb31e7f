#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "generate.h"
#include "store/query.h"
#include "store/state.h"

static char directory[64];
static struct umx_state *store;
static struct umx_text rows; /* one a line */
static int fills;

static int set_up(void **state)
{
    char path[128];

    (void)state;
    strcpy(directory, "/tmp/umx-query-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/state.db", directory);
    if (umx_state_open(path, &store, NULL) != UMX_OK)
        return -1;
    for (int i = 0; i < 3; i++) {
        char server[32];
        char *name = server;
        Umx__Certificate certificate = UMX__CERTIFICATE__INIT;
        ProtobufCMessage *record = &certificate.base;
        snprintf(server, sizeof server, "s%d.test", i);
        certificate.server = server;
        certificate.dns_name = &name;
        certificate.n_dns_name = 1;
        certificate.has_key_bits = 1;
        certificate.key_bits = 1024 * (i + 1);
        certificate.has_not_after_at = 1;
        certificate.not_after_at = INT64_C(1769896800000000);
        if (umx_state_replace(store, umx_reflect_table("certificate"), "server", server, &record, 1, NULL) != UMX_OK)
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    DIR *entries = opendir(directory);
    struct dirent *entry;

    (void)state;
    umx_state_close(store);
    umx_text_free(&rows);
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", directory, entry->d_name);
        unlink(name);
    }
    closedir(entries);
    return rmdir(directory);
}

static int fill(void *user, const struct umx_table *table, struct umx_query_sink *sink, struct umx_error *err);

static int take_row(void *user, const char *json, size_t length)
{
    (void)user;
    umx_text_add(&rows, json, length);
    umx_text_adds(&rows, "\n");
    return UMX_OK;
}

/* Of this thread: a busy machine does not lengthen them. */
static double processor_seconds(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(const char *sql, struct umx_error *err)
{
    struct umx_query query = {.sql = sql, .row = take_row, .deadline = 60 * UMX_SECOND};

    umx_text_free(&rows);
    *err = (struct umx_error){0};
    return umx_query_run(store, &query, err);
}

static void assert_rows(const char *sql, const char *expected)
{
    struct umx_error err;

    if (run(sql, &err) != UMX_OK)
        fail_msg("%s: %s", sql, umx_error_why(&err));
    assert_string_equal(umx_text_string(&rows), expected);
}

static void assert_refused(const char *sql, int id)
{
    struct umx_error err;
    int status = run(sql, &err);

    if (status == UMX_OK || err.id != id)
        fail_msg("%.100s: UMX-%d %s, rows %s", sql, err.id, err.why, umx_text_string(&rows));
}

static void answers(void **state)
{
    (void)state;
    assert_rows(
        "SELECT server, key_bits, not_after_at, issuer FROM certificate ORDER BY server LIMIT 1",
        "{\"server\":\"s0.test\",\"key_bits\":1024,\"not_after_at\":\"2026-01-31T22:00:00Z\",\"issuer\":null}\n");
    assert_rows("select count(*) AS n, avg(key_bits) a from certificate where server like 's%'",
                "{\"n\":3,\"a\":2048.0}\n");
    assert_rows("SELECT value FROM certificate, json_each(dns_name) WHERE key_bits = 2048;  -- done\n",
                "{\"value\":\"s1.test\"}\n");
    assert_rows("WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 3) SELECT x FROM c",
                "{\"x\":1}\n{\"x\":2}\n{\"x\":3}\n");
    assert_rows("SELECT server, row_number() OVER (ORDER BY key_bits DESC) AS r FROM certificate ORDER BY r LIMIT 1",
                "{\"server\":\"s2.test\",\"r\":1}\n");
    assert_rows("SELECT 1 AS a, 2 AS a, 'x\"\n' AS \"q\"\"\", x'00ff' AS b, 1e999 AS inf, NULL AS n",
                "{\"a\":1,\"a_2\":2,\"q\\\"\":\"x\\\"\\n\",\"b\":\"00ff\",\"inf\":null,\"n\":null}\n");
    assert_rows("SELECT a.server FROM certificate a JOIN certificate b ON a.key_bits = 2 * b.key_bits",
                "{\"server\":\"s1.test\"}\n");
    assert_rows("SELECT server FROM service", "");
    assert_rows("SELECT count(*) AS n FROM journal, finding, plan, plan_step, phase_state", "{\"n\":0}\n");
}

static void all_tables_can_be_read(void **state)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);

    (void)state;
    for (size_t t = 0; t < count; t++) {
        struct umx_text sql = {0};
        struct umx_error err;
        umx_text_addf(&sql, "SELECT * FROM %s", tables[t].name);
        for (unsigned i = 0; i < tables[t].record->n_fields; i++)
            umx_text_addf(&sql, "%s%s", i == 0 ? " ORDER BY " : ", ", tables[t].record->fields[i].name);
        if (run(sql.data, &err) != UMX_OK)
            fail_msg("%s: %s", sql.data, umx_error_why(&err));
        umx_text_free(&sql);
    }
}

static void the_packed_record_does_not_show(void **state)
{
    struct umx_error err;

    (void)state;
    assert_int_equal(run("SELECT * FROM certificate LIMIT 1", &err), UMX_OK);
    json_t *row = json_loads(rows.data, 0, NULL);
    assert_non_null(row);
    assert_int_equal(json_object_size(row), umx__certificate__descriptor.n_fields + 2); /* age and stale */
    assert_null(json_object_get(row, "_record"));
    json_decref(row);
}

static void wrong_sql_is_named(void **state)
{
    static const char *const wrong[] = {"",
                                        "   ;",
                                        "-- nothing",
                                        "SELEC 1",
                                        "SELECT absent FROM certificate",
                                        "SELECT 1; SELECT 2",
                                        "SELECT 1; garbage",
                                        "SELECT \"text\"",
                                        "SELECT ?",
                                        "SELECT * FROM nowhere",
                                        "SELECT abs(1, 2)"};
    struct umx_error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(wrong[i], UMX_ERR_SQL_INVALID);
    run("SELECT absent FROM certificate", &err);
    assert_string_equal(err.why, "no such column: absent");
}

static void everything_but_reading_is_forbidden(void **state)
{
    static const char *const forbidden[] = {
        "ATTACH '/tmp/x.db' AS x",
        "ATTACH ':memory:' AS x",
        "DETACH temp",
        "PRAGMA user_version",
        "PRAGMA journal_mode=DELETE",
        "SELECT * FROM pragma_table_info('certificate')",
        "SELECT * FROM pragma_database_list",
        "INSERT INTO certificate(server) VALUES('x')",
        "INSERT INTO _certificate(server) VALUES('x')",
        "INSERT INTO finding(id) VALUES('x')",
        "UPDATE _certificate SET server = 'x'",
        "DELETE FROM _certificate",
        "DROP TABLE _certificate",
        "CREATE TABLE x(y)",
        "CREATE TEMP TABLE x(y)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "CREATE TEMP TRIGGER x INSTEAD OF INSERT ON finding BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE x USING fts5(y)",
        "ALTER TABLE _certificate RENAME TO x",
        "REINDEX",
        "ANALYZE",
        "VACUUM",
        "VACUUM INTO '/tmp/umx-stolen.db'",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT x",
        "EXPLAIN SELECT 1",
        "EXPLAIN QUERY PLAN SELECT 1",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM sqlite_temp_schema",
        "SELECT * FROM temp.sqlite_master",
        "SELECT count(*) FROM sqlite_schema",
        "SELECT * FROM _certificate",
        "SELECT * FROM _identity",
        "SELECT * FROM _setting",
        "WITH certificate AS (SELECT _record FROM _certificate) SELECT * FROM certificate",
        "SELECT (SELECT value FROM _setting)",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT randomblob(10)",
        "SELECT zeroblob(1000000000)",
        "SELECT sqlite_version()",
        "SELECT sqlite_source_id()",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT last_insert_rowid()",
        "SELECT changes()",
        "SELECT fts3_tokenizer('x')",
        "SELECT * FROM sqlite_stmt",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_dbpage",
        /* What only our own views may use. */
        "SELECT umx_age(1, NULL, NULL, NULL)",
        "SELECT umx_stale(1, NULL, NULL, NULL) FROM certificate",
        "SELECT * FROM _picked",
        "SELECT count(*) FROM temp._picked",
        "SELECT * FROM temp._finding",
        "CREATE TEMP VIEW certificate AS SELECT 1",
        "WITH x AS (SELECT umx_age(1, NULL, NULL, NULL)) SELECT * FROM x",
        "SELECT server FROM certificate WHERE load_extension(server)",
        "SELECT edit('x')",
        "SELECT writefile('/tmp/umx-stolen.db', 'x')",
        "SELECT random()",
    };

    (void)state;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        struct umx_error err;
        int status = run(forbidden[i], &err);
        /* Functions and tables that this SQLite does not have are unknown before they are forbidden. */
        bool unknown = err.id == UMX_ERR_SQL_INVALID &&
                       (strstr(err.why, "no such function") != NULL || strstr(err.why, "no such table") != NULL);
        if (status == UMX_OK || (err.id != UMX_ERR_SQL_FORBIDDEN && !unknown))
            fail_msg("%s: UMX-%d %s", forbidden[i], err.id, err.why);
    }
    assert_int_equal(access("/tmp/umx-stolen.db", F_OK), -1);
    assert_rows("SELECT count(*) AS n FROM certificate", "{\"n\":3}\n");
}

static void large_values_are_refused(void **state)
{
    static const char *const greedy[] = {
        "SELECT length(replace(printf('%.*c', 60000, 'x'), 'x', 'yyyyyyyyyyyyyyyy'))",
        "SELECT hex(printf('%.*c', 40000, 'x'))",
        "WITH RECURSIVE c(x) AS (VALUES('xxxxxxxxxxxxxxxx') UNION ALL SELECT x || x FROM c) SELECT length(x) FROM c",
        "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT 100000) SELECT group_concat(x) FROM c",
        "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT 100000) SELECT json_group_array(x) FROM "
        "c",
    };

    (void)state;
    assert_rows("SELECT printf('%.*c', 100000, 'x') AS x", "{\"x\":null}\n"); /* SQLite's way of refusing here */
    for (size_t i = 0; i < sizeof greedy / sizeof greedy[0]; i++)
        assert_refused(greedy[i], UMX_ERR_SQL_LIMIT);
}

static void large_statements_are_refused(void **state)
{
    struct umx_text sql = {0};
    struct umx_error err;

    (void)state;
    umx_text_adds(&sql, "SELECT 1");
    for (int i = 0; i < 10000; i++)
        umx_text_adds(&sql, ",1");
    assert_int_not_equal(run(sql.data, &err), UMX_OK); /* 10,000 columns */
    assert_int_equal(err.id, UMX_ERR_SQL_INVALID);
    sql.length = 0;
    umx_text_adds(&sql, "SELECT 1");
    for (int i = 0; i < 500; i++)
        umx_text_adds(&sql, " UNION ALL SELECT 1");
    assert_int_not_equal(run(sql.data, &err), UMX_OK);
    sql.length = 0;
    umx_text_adds(&sql, "SELECT ");
    for (int i = 0; i < 5000; i++)
        umx_text_adds(&sql, "(");
    assert_int_not_equal(run(sql.data, &err), UMX_OK);
    sql.length = 0;
    umx_text_adds(&sql, "SELECT 1");
    for (int i = 0; i < 5000; i++)
        umx_text_adds(&sql, "+1");
    assert_int_not_equal(run(sql.data, &err), UMX_OK);
    sql.length = 0;
    umx_text_adds(&sql, "SELECT 1 --");
    while (sql.length <= UMX_QUERY_MAX_SQL)
        umx_text_adds(&sql, "xxxxxxxxxxxxxxxx");
    assert_refused(sql.data, UMX_ERR_SQL_LIMIT);
    umx_text_free(&sql);
}

/* SQL that is small and wants to be large, each stopped by a limit of its own, and soon. */
static void bombs_do_not_go_off(void **state)
{
    static const char *const bombs[] = {
        "SELECT length(printf('%2000000000d', 1)) AS n FROM certificate WHERE n > 100000",
        "SELECT replace(replace(replace(printf('%.*c', 999, 'x'), 'x', printf('%.*c', 999, 'x')), 'x', 'xxxxxxxx'), "
        "'x', "
        "'xxxxxxxx')",
        "WITH RECURSIVE c(x) AS (VALUES(printf('%.*c', 60000, 'x')) UNION ALL SELECT x || 'y' FROM c) SELECT count(*) "
        "FROM "
        "c GROUP BY x",
        "SELECT group_concat(a.server || b.server || c.server || d.server || e.server || f.server || g.server || "
        "h.server) "
        "FROM certificate a, certificate b, certificate c, certificate d, certificate e, certificate f, certificate g, "
        "certificate h",
        "SELECT json_group_array(json_array(a.server, b.server, c.server, printf('%.*c', 999, 'x'))) FROM certificate "
        "a, "
        "certificate b, certificate c, certificate d",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        struct umx_query query = {
            .sql = bombs[i], .row = take_row, .deadline = 60 * UMX_SECOND, .max_heap = 16 * 1024 * 1024};
        struct umx_error err = {0};
        double before = processor_seconds();
        umx_text_free(&rows);
        int status = umx_query_run(store, &query, &err);
        if (status != UMX_OK && err.id != UMX_ERR_SQL_LIMIT)
            fail_msg("%.60s: UMX-%d %s", bombs[i], err.id, umx_error_why(&err));
        /* SQLite answers some of them with NULL, which is small too. */
        assert_true(rows.length < 100000);
        assert_true(processor_seconds() - before < 19);
    }
}

/* Words behind each other: `before`, `times` times `again`, `after`. */
static int run_repeated(const char *before, const char *again, int times, const char *after, struct umx_error *err)
{
    struct umx_text sql = {0};

    umx_text_adds(&sql, before);
    for (int i = 0; i < times; i++)
        umx_text_adds(&sql, again);
    umx_text_adds(&sql, after);
    int status = run(umx_text_string(&sql), err);
    umx_text_free(&sql);
    return status;
}

static void deep_and_wide_statements_are_refused(void **state)
{
    static const struct {
        const char *before, *again, *after;
        int times;
    } shapes[] = {
        {"SELECT 1 FROM (", "SELECT * FROM (", "SELECT 1", 3000},
        {"SELECT * FROM certificate", ", certificate", "", 200},
        {"SELECT *", ", *", " FROM certificate", 500},
        {"SELECT 1 WHERE ", "1 AND NOT ", "0", 5000},
        {"SELECT ", "abs(", "1", 3000},
        {"SELECT CASE 1 ", "WHEN 2 THEN 3 ", "END", 9000},
        {"SELECT 1 WHERE 1 IN (", "(SELECT 1 WHERE 1 IN ", "(1))", 2000},
        {"WITH ", "a AS (SELECT 1), ", "b AS (SELECT 2) SELECT * FROM b", 3000},
        {"SELECT 1 ORDER BY 1", ", 1", "", 9000},
        {"VALUES (1)", ", (1)", "", 20000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct umx_error err;
        double before = processor_seconds();
        int status = run_repeated(shapes[i].before, shapes[i].again, shapes[i].times, shapes[i].after, &err);
        if (status == UMX_OK ? rows.length > 200000 : err.id != UMX_ERR_SQL_INVALID && err.id != UMX_ERR_SQL_LIMIT)
            fail_msg("%s: UMX-%d %s", shapes[i].again, err.id, umx_error_why(&err));
        assert_true(processor_seconds() - before < 15);
    }
    assert_rows("SELECT count(*) AS n FROM certificate", "{\"n\":3}\n");
}

static void *run_away(void *user)
{
    struct umx_query query = {
        .sql = "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        .row = take_row,
        .deadline = 2 * UMX_SECOND,
    };
    struct umx_error err = {0};

    umx_query_run(store, &query, &err);
    *(int *)user = err.id;
    return NULL;
}

/* While runaways have the processors, others are answered, and so is the writer. */
static void a_runaway_disturbs_nobody(void **state)
{
    pthread_t threads[3];
    int ended[3] = {0};
    Umx__Role role = UMX__ROLE__INIT;
    ProtobufCMessage *record = &role.base;

    (void)state;
    int64_t start = umx_clock_monotonic();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_away, &ended[i]), 0);
    for (int i = 0; i < 5; i++) {
        assert_rows("SELECT count(*) AS n FROM certificate", "{\"n\":3}\n");
        assert_int_equal(umx_state_replace(store, umx_reflect_table("role"), NULL, NULL, &record, 1, NULL), UMX_OK);
    }
    int64_t answered = umx_clock_monotonic() - start;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(ended[i], UMX_ERR_SQL_LIMIT);
    }
    assert_true(answered < umx_clock_monotonic() - start);
    assert_int_equal(umx_state_replace(store, umx_reflect_table("role"), NULL, NULL, NULL, 0, NULL), UMX_OK);
}

/* ---- what is added to the records */

static int64_t told_at;

static int64_t confirmed(void *user, const struct umx_table *table, const char *server, const char *forest, bool *stale)
{
    (void)user;
    (void)forest;
    *stale = server != NULL && strcmp(server, "s1.test") == 0;
    return strcmp(table->name, "certificate") == 0 && !*stale ? told_at : 0;
}

static int run_with(struct umx_query query)
{
    struct umx_error err = {0};

    umx_text_free(&rows);
    int status = umx_query_run(store, &query, &err);
    if (status != UMX_OK)
        print_error("%s: %s\n", query.sql, umx_error_why(&err));
    return status;
}

static void rows_say_how_fresh_they_are(void **state)
{
    struct umx_query query = {
        .sql = "SELECT server, age BETWEEN 1000 AND 1200 AS age, stale FROM certificate ORDER BY server",
        .row = take_row,
        .confirmed = confirmed,
        .source = "umx://d/controller/c's"};

    (void)state;
    told_at = umx_clock_now() - 1000 * UMX_SECOND - UMX_SECOND / 2;
    assert_int_equal(run_with(query), UMX_OK);
    /* Without a confirmation it is as old as its collected_at, which these records do not have. */
    assert_string_equal(rows.data, "{\"server\":\"s0.test\",\"age\":1,\"stale\":0}\n"
                                   "{\"server\":\"s1.test\",\"age\":null,\"stale\":1}\n"
                                   "{\"server\":\"s2.test\",\"age\":1,\"stale\":0}\n");
    query.sql = "SELECT c.server FROM certificate AS c WHERE c.stale AND c.server IN (SELECT server FROM certificate)";
    assert_int_equal(run_with(query), UMX_OK);
    assert_string_equal(rows.data, "{\"server\":\"s1.test\"}\n");
    query.sql =
        "SELECT count(*) AS n, max(age) BETWEEN 1000 AND 1200 AS oldest FROM certificate WHERE server <> 's1.test'";
    assert_int_equal(run_with(query), UMX_OK);
    assert_string_equal(rows.data, "{\"n\":2,\"oldest\":1}\n");
    /* Tables whose records do not name a source get one. */
    const struct umx_table *live[] = {umx_reflect_table("finding")};
    query.sql = "SELECT source, collected_at IS NOT NULL AS at, stale FROM finding LIMIT 1";
    query.live = live;
    query.live_count = 1;
    query.fill = fill;
    assert_int_equal(run_with(query), UMX_OK);
    assert_string_equal(rows.data, "{\"source\":\"umx://d/controller/c's\",\"at\":1,\"stale\":0}\n");
}

static void only_picked_servers_are_seen(void **state)
{
    static const char *const servers[] = {"S2.TEST", "absent.test"};
    struct umx_query query = {.sql = "SELECT server FROM certificate",
                              .row = take_row,
                              .picked = true,
                              .servers = servers,
                              .server_count = 2};

    (void)state;
    assert_int_equal(run_with(query), UMX_OK);
    assert_string_equal(rows.data, "{\"server\":\"s2.test\"}\n");
    query.server_count = 0;
    query.sql = "SELECT count(*) AS n FROM certificate";
    assert_int_equal(run_with(query), UMX_OK);
    assert_string_equal(rows.data, "{\"n\":0}\n");
}

static char tables_seen[256];

static int note_tables(void *user, const struct umx_table *const *tables, size_t count)
{
    tables_seen[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(tables_seen);
        snprintf(tables_seen + length, sizeof tables_seen - length, "%s ", tables[i]->name);
    }
    return *(int *)user;
}

/* The tables are those that SQLite reads, whatever the SQL looks like. */
static void the_tables_are_told_before_anything_is_read(void **state)
{
    int answer = UMX_OK;
    struct umx_query query = {.sql =
                                  "WITH own AS (SELECT 1 AS server) SELECT 'FROM event' FROM own, \"service\" s WHERE "
                                  "EXISTS (SELECT 1 FROM certificate) -- FROM listener",
                              .row = take_row,
                              .before = note_tables,
                              .user = &answer};

    (void)state;
    assert_int_equal(run_with(query), UMX_OK);
    assert_string_equal(tables_seen, "service certificate ");
    answer = UMX_E_UNREACHABLE;
    assert_int_equal(umx_query_run(store, &query, NULL), UMX_E_UNREACHABLE);
}

static void runaways_stop_at_the_deadline(void **state)
{
    static const char *const endless[] = {
        "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT 1000000)"
        " SELECT count(*) FROM c a, c b WHERE a.x > b.x",
        /* Each call is large, there are few of them. */
        "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c)"
        " SELECT sum(length(replace(printf('%.*c', 60000 + x % 2, 'x'), 'x', 'y'))) FROM c",
    };

    (void)state;
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        struct umx_query query = {.sql = endless[i], .row = take_row, .deadline = 200 * UMX_MILLISECOND};
        struct umx_error err = {0};
        int64_t start = umx_clock_monotonic();
        assert_int_equal(umx_query_run(store, &query, &err), UMX_E_LIMIT);
        assert_int_equal(err.id, UMX_ERR_SQL_LIMIT);
        int64_t took = umx_clock_monotonic() - start;
        if (took > 60 * UMX_SECOND || took < 150 * UMX_MILLISECOND)
            fail_msg("%lld us: %s", (long long)took, endless[i]);
    }
}

static bool cancel(void *user)
{
    (void)user;
    return true;
}

static void queries_can_be_cancelled(void **state)
{
    struct umx_query query = {
        .sql = "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        .row = take_row,
        .cancelled = cancel,
    };
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_query_run(store, &query, &err), UMX_E_CANCELLED);
    assert_int_equal(err.id, UMX_ERR_CANCELLED);
}

/* A sort of much data needs memory: the query ends, the writer beside it does not notice. */
static void memory_is_limited_for_the_query_alone(void **state)
{
    struct umx_query query = {
        .sql = "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT 200000)"
               " SELECT x, printf('%.*c', 1000, 'x') AS y FROM c ORDER BY x % 1000, y",
        .row = take_row,
        .max_heap = 8 * 1024 * 1024,
    };
    Umx__Service service = UMX__SERVICE__INIT;
    ProtobufCMessage *record = &service.base;
    struct umx_error err = {0};

    (void)state;
    umx_text_free(&rows);
    assert_int_equal(umx_query_run(store, &query, &err), UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_SQL_LIMIT);
    assert_non_null(strstr(err.why, "memory"));
    assert_int_equal(umx_state_replace(store, umx_reflect_table("service"), NULL, NULL, &record, 1, NULL), UMX_OK);
    assert_rows("SELECT count(*) AS n FROM service", "{\"n\":1}\n");
    assert_int_equal(umx_state_replace(store, umx_reflect_table("service"), NULL, NULL, NULL, 0, NULL), UMX_OK);
}

static int stop_at_second(void *user, const char *json, size_t length)
{
    int *count = user;

    (void)json;
    (void)length;
    return ++*count == 2 ? UMX_E_UNREACHABLE : UMX_OK;
}

static void rows_are_limited_and_the_reader_can_stop(void **state)
{
    int count = 0;
    struct umx_query query = {.sql = "SELECT server FROM certificate", .row = take_row, .max_rows = 2};
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_query_run(store, &query, &err), UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_SQL_LIMIT);
    query.max_rows = 3;
    assert_int_equal(umx_query_run(store, &query, &err), UMX_OK);
    query.row = stop_at_second;
    query.user = &count;
    assert_int_equal(umx_query_run(store, &query, &err), UMX_E_UNREACHABLE);
    assert_int_equal(count, 2);
}

static int fill(void *user, const struct umx_table *table, struct umx_query_sink *sink, struct umx_error *err)
{
    static char id[] = "forests/trust-direction";
    static char name[] = "umx://d/agent/1";
    int status = UMX_OK;

    (void)user;
    fills++;
    if (table->record == &umx__finding__descriptor) {
        Umx__Finding finding = UMX__FINDING__INIT;
        finding.id = id;
        finding.has_status = 1;
        for (int i = 1; i <= 5 && status == UMX_OK; i++) {
            finding.status = (Umx__Finding__Status)i;
            status = umx_query_add(sink, &finding.base, err);
        }
    } else {
        Umx__Agent agent = UMX__AGENT__INIT;
        agent.agent = name;
        status = umx_query_add(sink, &agent.base, err);
    }
    return status;
}

static int fill_nothing(void *user, const struct umx_table *table, struct umx_query_sink *sink, struct umx_error *err)
{
    Umx__Role wrong = UMX__ROLE__INIT;

    (void)user;
    (void)table;
    return umx_query_add(sink, &wrong.base, err);
}

static void live_tables_come_from_the_caller(void **state)
{
    const struct umx_table *live[] = {umx_reflect_table("finding"), umx_reflect_table("agent")};
    struct umx_query query = {.sql =
                                  "SELECT status, count(*) AS n FROM finding WHERE status <> 'pass' GROUP BY 1 LIMIT 2",
                              .live = live,
                              .live_count = 2,
                              .fill = fill,
                              .row = take_row};
    struct umx_error err = {0};
    Umx__Agent stored = UMX__AGENT__INIT;
    ProtobufCMessage *record = &stored.base;

    (void)state;
    umx_text_free(&rows);
    fills = 0;
    if (umx_query_run(store, &query, &err) != UMX_OK)
        fail_msg("%s", umx_error_why(&err));
    assert_string_equal(rows.data, "{\"status\":\"fail\",\"n\":1}\n{\"status\":\"not_applicable\",\"n\":1}\n");
    assert_int_equal(fills, 1); /* the other table was not read */
    assert_int_equal(umx_state_replace(store, umx_reflect_table("agent"), NULL, NULL, &record, 1, NULL), UMX_OK);
    query.sql = "SELECT agent FROM agent"; /* hides the stored one */
    umx_text_free(&rows);
    assert_int_equal(umx_query_run(store, &query, &err), UMX_OK);
    assert_string_equal(rows.data, "{\"agent\":\"umx://d/agent/1\"}\n");
    query.sql =
        "SELECT f.status, a.agent FROM finding f, agent a, certificate c, certificate d WHERE f.status = 'warn'";
    umx_text_free(&rows);
    assert_int_equal(umx_query_run(store, &query, &err), UMX_OK);
    query.fill = fill_nothing;
    assert_int_equal(umx_query_run(store, &query, &err), UMX_E_INTERNAL);
}

/* Values stored at their full length can be read, sorted and grouped. */
static void stored_values_fit(void **state)
{
    Umx__Event event = UMX__EVENT__INIT;
    ProtobufCMessage *record = &event.base;
    char *text = malloc(300001);
    struct umx_error err;

    (void)state;
    memset(text, 'x', 300000);
    text[300000] = '\0';
    event.message = text;
    assert_int_equal(umx_state_replace(store, umx_reflect_table("event"), NULL, NULL, &record, 1, NULL), UMX_OK);
    if (run("SELECT *, length(message) AS n FROM event ORDER BY message", &err) != UMX_OK)
        fail_msg("%s", umx_error_why(&err));
    assert_true(rows.length > 40000);
    free(text);
}

static void *query_many(void *user)
{
    int *failed = user;

    for (int i = 0; i < 30; i++) {
        struct umx_query query = {.sql = "SELECT count(*) FROM certificate", .row = stop_at_second, .user = &(int){5}};
        *failed += umx_query_run(store, &query, NULL) != UMX_OK;
    }
    return NULL;
}

static void queries_run_beside_the_writer(void **state)
{
    pthread_t threads[2];
    int failed[2] = {0};
    Umx__Role role = UMX__ROLE__INIT;
    ProtobufCMessage *record = &role.base;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, query_many, &failed[i]), 0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(umx_state_replace(store, umx_reflect_table("role"), NULL, NULL, &record, 1, NULL), UMX_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(failed[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(all_tables_can_be_read),
        cmocka_unit_test(the_packed_record_does_not_show),
        cmocka_unit_test(wrong_sql_is_named),
        cmocka_unit_test(everything_but_reading_is_forbidden),
        cmocka_unit_test(large_values_are_refused),
        cmocka_unit_test(large_statements_are_refused),
        cmocka_unit_test(bombs_do_not_go_off),
        cmocka_unit_test(deep_and_wide_statements_are_refused),
        cmocka_unit_test(runaways_stop_at_the_deadline),
        cmocka_unit_test(a_runaway_disturbs_nobody),
        cmocka_unit_test(rows_say_how_fresh_they_are),
        cmocka_unit_test(only_picked_servers_are_seen),
        cmocka_unit_test(the_tables_are_told_before_anything_is_read),
        cmocka_unit_test(queries_can_be_cancelled),
        cmocka_unit_test(memory_is_limited_for_the_query_alone),
        cmocka_unit_test(rows_are_limited_and_the_reader_can_stop),
        cmocka_unit_test(live_tables_come_from_the_caller),
        cmocka_unit_test(stored_values_fit),
        cmocka_unit_test(queries_run_beside_the_writer),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "generate.h"
#include "store/state.h"

static char directory[64];
static char path[128];
static struct umx_state *store;

static void empty_directory(void)
{
    DIR *entries = opendir(directory);
    struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", directory, entry->d_name);
        unlink(name);
    }
    closedir(entries);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/umx-state-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/state.db", directory);
    return umx_state_open(path, &store, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    umx_state_close(store);
    store = NULL;
    empty_directory();
    return rmdir(directory);
}

static void reopen(void)
{
    umx_state_close(store);
    assert_int_equal(umx_state_open(path, &store, NULL), UMX_OK);
}

/* Runs SQL on a connection of the test's own. */
static int64_t sql(const char *text)
{
    sqlite3 *db;
    sqlite3_stmt *row;
    int64_t value = -1;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    do {
        if (sqlite3_prepare_v2(db, text, -1, &row, &text) != SQLITE_OK)
            fail_msg("%s", sqlite3_errmsg(db));
        if (sqlite3_step(row) == SQLITE_ROW)
            value = sqlite3_column_int64(row, 0);
        sqlite3_finalize(row);
    } while (*text != '\0');
    sqlite3_close(db);
    return value;
}

static void add_service(struct umx_world *world, const char *server, const char *name)
{
    Umx__Service service = UMX__SERVICE__INIT;
    char copies[2][64];

    umx_text_copy(copies[0], sizeof copies[0], server);
    umx_text_copy(copies[1], sizeof copies[1], name);
    service.server = copies[0];
    service.name = copies[1];
    assert_int_equal(umx_world_add(world, &service.base, NULL), UMX_OK);
}

static void replace_services(const char *server, const char *const *names)
{
    struct umx_world *world = umx_world_new(1);
    size_t count;

    for (; *names != NULL; names++)
        add_service(world, server, *names);
    ProtobufCMessage **rows = umx_world_table(umx_world_records(world), umx_reflect_table("service"), &count);
    assert_int_equal(umx_state_replace(store, umx_reflect_table("service"), "server", server, rows, count, NULL),
                     UMX_OK);
    umx_world_free(world);
}

/* The stored services as "server/name server/name". */
static void assert_services(const char *expected)
{
    struct umx_world *world = umx_world_new(1);
    struct umx_text text = {0};

    assert_int_equal(umx_state_load(store, umx_reflect_table("service"), world, NULL), UMX_OK);
    for (size_t i = 0; i < umx_world_records(world)->n_service; i++)
        umx_text_addf(&text, "%s%s/%s", i > 0 ? " " : "", umx_world_records(world)->service[i]->server,
                      umx_world_records(world)->service[i]->name);
    assert_string_equal(umx_text_string(&text), expected);
    umx_text_free(&text);
    umx_world_free(world);
}

/* Every table of the schema, generated records, through the file and back. */
static void records_come_back_exactly(void **state)
{
    struct umx_world *world = umx_world_new(1);
    struct umx_world *loaded = umx_world_new(1);
    size_t tables;
    const struct umx_table *table = umx_reflect_tables(&tables);
    uint64_t seed = 1;

    (void)state;
    for (size_t t = 0; t < tables && !table[t].derived; t++) {
        size_t count;
        for (int i = 0; i < 20; i++) {
            struct umx_arena *arena = umx_arena_new(1 << 20);
            assert_int_equal(umx_world_add(world, generate_message(&seed, table[t].record, arena), NULL), UMX_OK);
            umx_arena_free(arena);
        }
        ProtobufCMessage **rows = umx_world_table(umx_world_records(world), &table[t], &count);
        assert_int_equal(umx_state_replace(store, &table[t], NULL, NULL, rows, count, NULL), UMX_OK);
    }
    reopen();
    assert_int_equal(umx_state_load_all(store, loaded, NULL), UMX_OK);
    assert_true(umx_reflect_equal(&umx_world_records(world)->base, &umx_world_records(loaded)->base));
    umx_world_free(world);
    umx_world_free(loaded);
}

static void replaces_one_key_only(void **state)
{
    (void)state;
    replace_services("a", (const char *const[]){"x", "y", NULL});
    replace_services("b", (const char *const[]){"x", NULL});
    assert_services("a/x a/y b/x");
    replace_services("a", (const char *const[]){"z", NULL});
    assert_services("b/x a/z");
    replace_services("b", (const char *const[]){NULL});
    assert_services("a/z");
    assert_int_equal(umx_state_replace(store, umx_reflect_table("service"), NULL, NULL, NULL, 0, NULL), UMX_OK);
    assert_services("");
}

/* A report of policies "name name/forest ...", collected then. */
static int merge_policies(const char *server, int64_t collected_at, const char *const *policies)
{
    struct umx_world *world = umx_world_new(1);
    const struct umx_table *table = umx_reflect_table("lync_policy");
    size_t count;

    for (; *policies != NULL; policies++) {
        Umx__LyncPolicy policy = UMX__LYNC_POLICY__INIT;
        char copies[2][64], *slash;
        umx_text_copy(copies[0], sizeof copies[0], server);
        umx_text_copy(copies[1], sizeof copies[1], *policies);
        if ((slash = strchr(copies[1], '/')) != NULL) {
            *slash = '\0';
            policy.forest = slash + 1;
        }
        policy.server = copies[0];
        policy.identity = copies[1];
        policy.has_collected_at = collected_at != 0;
        policy.collected_at = collected_at;
        assert_int_equal(umx_world_add(world, &policy.base, NULL), UMX_OK);
    }
    ProtobufCMessage **rows = umx_world_table(umx_world_records(world), table, &count);
    assert_int_equal(umx_state_begin(store, NULL), UMX_OK);
    int status = umx_state_merge(store, table, server, rows, count, NULL);
    assert_int_equal(umx_state_commit(store, NULL), UMX_OK);
    umx_world_free(world);
    return status;
}

/* What is stored, in its order, from the records and from the columns: "name@collected_at/forest ...". */
static void assert_policies(const char *server, const char *expected)
{
    struct umx_world *world = umx_world_new(1);
    struct umx_text text = {0};
    char query[256];

    assert_int_equal(umx_state_load_of(store, umx_reflect_table("lync_policy"), "server", server, world, NULL), UMX_OK);
    for (size_t i = 0; i < umx_world_records(world)->n_lync_policy; i++) {
        const Umx__LyncPolicy *policy = umx_world_records(world)->lync_policy[i];
        umx_text_addf(&text, "%s%s@%lld/%s", i > 0 ? " " : "", policy->identity,
                      (long long)(policy->collected_at / UMX_SECOND), policy->forest != NULL ? policy->forest : "");
    }
    assert_string_equal(umx_text_string(&text), expected);
    snprintf(
        query, sizeof query,
        "SELECT group_concat(identity || '@' || unixepoch(collected_at) || '/' || coalesce(forest, ''), ' ') = '%s' "
        "FROM (SELECT * FROM _lync_policy WHERE server = '%s' ORDER BY rowid)",
        expected, server);
    assert_int_equal(sql(query), 1);
    umx_text_free(&text);
    umx_world_free(world);
}

#define AT(seconds) ((seconds)*UMX_SECOND)

/* Rows that say what they said keep their time and their place in the file; the order is that of the report. */
static void a_report_writes_only_what_differs(void **state)
{
    (void)state;
    merge_policies("a", AT(10), (const char *const[]){"x", "y", "z", NULL});
    merge_policies("b", AT(10), (const char *const[]){"x", NULL});
    int64_t first = sql("SELECT min(rowid) FROM _lync_policy WHERE server = 'a'");
    merge_policies("a", AT(20), (const char *const[]){"x", "other", "z", NULL});
    assert_policies("a", "x@10/ other@20/ z@10/");
    assert_policies("b", "x@10/");
    assert_true(sql("SELECT min(rowid) FROM _lync_policy WHERE server = 'a'") == first);
    merge_policies("a", AT(30), (const char *const[]){"x", NULL});
    assert_policies("a", "x@10/");
    merge_policies("a", AT(40), (const char *const[]){"x", "y", "new", NULL});
    assert_policies("a", "x@10/ y@40/ new@40/");
    /* One that moved to another forest has another place in an index: it and those behind it are written anew. */
    merge_policies("a", AT(50), (const char *const[]){"x", "y/f", "new", NULL});
    assert_policies("a", "x@10/ y@50/f new@50/");
    merge_policies("a", AT(60), (const char *const[]){"x", "y/f", "new", NULL});
    assert_policies("a", "x@10/ y@50/f new@50/");
    assert_int_equal(sql("SELECT count(*) FROM _lync_policy WHERE forest = 'f'"), 1);
    reopen();
    merge_policies("a", AT(70), (const char *const[]){NULL});
    assert_int_equal(sql("SELECT count(*) FROM _lync_policy"), 1);
    assert_int_equal(sql("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

/* Whatever was stored, what is stored afterwards is what was reported. */
static void any_report_takes_the_place_of_any_other(void **state)
{
    static const char *const names[] = {"a", "b/f", "c/g", "d", "e/f", "b/g"};
    uint64_t seed = 7;

    (void)state;
    for (int turn = 1; turn < 300; turn++) {
        const char *policies[9] = {NULL};
        struct umx_text expected = {0}, found = {0};
        struct umx_world *world = umx_world_new(1);
        size_t count = generate_below(&seed, 9);
        for (size_t i = 0; i < count; i++) {
            policies[i] = names[generate_below(&seed, 6)];
            umx_text_addf(&expected, "%s ", policies[i]);
        }
        assert_int_equal(merge_policies("s", AT(turn), policies), UMX_OK);
        assert_int_equal(umx_state_load(store, umx_reflect_table("lync_policy"), world, NULL), UMX_OK);
        for (size_t i = 0; i < umx_world_records(world)->n_lync_policy; i++) {
            const Umx__LyncPolicy *policy = umx_world_records(world)->lync_policy[i];
            umx_text_addf(&found, "%s%s%s ", policy->identity, policy->forest != NULL ? "/" : "",
                          policy->forest != NULL ? policy->forest : "");
        }
        assert_string_equal(umx_text_string(&found), umx_text_string(&expected));
        umx_text_free(&expected);
        umx_text_free(&found);
        umx_world_free(world);
    }
}

static void refuses_what_does_not_fit(void **state)
{
    Umx__Role role = UMX__ROLE__INIT;
    ProtobufCMessage *rows[] = {&role.base};
    struct umx_error err;

    (void)state;
    replace_services("a", (const char *const[]){"x", NULL});
    assert_int_equal(umx_state_replace(store, umx_reflect_table("service"), "server", "a", rows, 1, &err),
                     UMX_E_INTERNAL);
    assert_services("a/x"); /* nothing of it was done */
    assert_int_equal(
        umx_state_replace(store, umx_reflect_table("service"), "x; DROP TABLE _service", "a", NULL, 0, &err),
        UMX_E_INTERNAL);
    assert_int_equal(umx_state_replace(store, umx_reflect_table("finding"), NULL, NULL, NULL, 0, &err), UMX_E_INTERNAL);
    assert_services("a/x");
}

static void transactions(void **state)
{
    struct umx_error err;

    (void)state;
    replace_services("a", (const char *const[]){"x", NULL});
    assert_int_equal(umx_state_begin(store, NULL), UMX_OK);
    assert_int_equal(umx_state_begin(store, &err), UMX_E_INTERNAL);
    replace_services("a", (const char *const[]){"y", NULL});
    assert_services("a/y"); /* its own thread sees it */
    assert_int_equal(sql("SELECT count(*) FROM service WHERE name = 'y'"), 0);
    umx_state_rollback(store);
    assert_services("a/x");
    umx_state_rollback(store); /* without a transaction: nothing */
    assert_int_equal(umx_state_begin(store, NULL), UMX_OK);
    replace_services("a", (const char *const[]){"z", NULL});
    assert_int_equal(umx_state_commit(store, NULL), UMX_OK);
    assert_int_equal(sql("SELECT count(*) FROM service WHERE name = 'z'"), 1);
}

static void *in_another_thread(void *user)
{
    (void)user;
    umx_state_rollback(store); /* not this thread's */
    replace_services("b", (const char *const[]){"from-thread", NULL});
    return NULL;
}

static void a_transaction_belongs_to_its_thread(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(umx_state_begin(store, NULL), UMX_OK);
    replace_services("a", (const char *const[]){"x", NULL});
    assert_int_equal(pthread_create(&thread, NULL, in_another_thread, NULL), 0);
    usleep(20000);
    assert_services("a/x");
    assert_int_equal(umx_state_commit(store, NULL), UMX_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_services("a/x b/from-thread");
}

static void one_controller_at_a_time(void **state)
{
    struct umx_state *second = NULL;
    struct umx_error err = {0};
    struct stat file;

    (void)state;
    assert_int_equal(umx_state_open(path, &second, &err), UMX_E_CONFLICT);
    assert_int_equal(err.id, UMX_ERR_STORE_LOCKED);
    assert_null(second);
    reopen();
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

static void foreign_files_are_refused(void **state)
{
    char other[160];
    struct umx_state *second = NULL;
    struct umx_error err = {0};
    FILE *file;

    (void)state;
    snprintf(other, sizeof other, "%s/other", directory);
    file = fopen(other, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", file);
    fclose(file);
    assert_int_equal(umx_state_open(other, &second, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_STORE_CORRUPT);
    unlink(other);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE mine(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(umx_state_open(other, &second, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_STORE_CORRUPT);
    assert_int_equal(umx_state_open("/nowhere/state.db", &second, &err), UMX_E_IO);
    assert_int_equal(err.id, UMX_ERR_STORE_OPEN);
}

/* What users see: the fields as columns, times as text, no packed record. */
static void columns_follow_the_schema(void **state)
{
    (void)state;
    replace_services("a", (const char *const[]){"x", NULL});
    assert_int_equal(sql("SELECT count(*) FROM pragma_table_info('service')"), umx__service__descriptor.n_fields);
    assert_int_equal(sql("SELECT count(*) FROM pragma_table_info('service') WHERE name = '_record'"), 0);
    assert_int_equal(sql("SELECT count(*) FROM service WHERE server = 'a' AND name = 'x' AND started_at IS NULL"), 1);
}

/* A file of another schema: columns that came and went; the records stay. */
static void tables_are_rebuilt_when_columns_change(void **state)
{
    (void)state;
    replace_services("a", (const char *const[]){"x", "y", NULL});
    umx_state_close(store);
    sql("DROP VIEW service; DROP INDEX _service_server; ALTER TABLE _service DROP COLUMN account;"
        "ALTER TABLE _service ADD COLUMN gone TEXT");
    assert_int_equal(umx_state_open(path, &store, NULL), UMX_OK);
    assert_services("a/x a/y");
    assert_int_equal(sql("SELECT count(*) FROM service WHERE account IS NULL"), 2);
    assert_int_equal(sql("SELECT count(*) FROM pragma_table_info('service')"), umx__service__descriptor.n_fields);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_schema WHERE name = '_old'"), 0);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_schema WHERE name = '_service_server'"), 1);
    replace_services("a", (const char *const[]){"z", NULL});
    assert_services("a/z");
}

static void long_values_are_shortened_in_columns_only(void **state)
{
    struct umx_world *world = umx_world_new(1);
    struct umx_world *loaded = umx_world_new(1);
    Umx__Event event = UMX__EVENT__INIT;
    Umx__Certificate certificate = UMX__CERTIFICATE__INIT;
    size_t length = 200000;
    char *text = malloc(length + 1);

    (void)state;
    memset(text, 'x', length);
    text[length] = '\0';
    event.message = text;
    certificate.dns_name = &text;
    certificate.n_dns_name = 1;
    ProtobufCMessage *rows[] = {&event.base};
    ProtobufCMessage *others[] = {&certificate.base};
    assert_int_equal(umx_state_replace(store, umx_reflect_table("event"), NULL, NULL, rows, 1, NULL), UMX_OK);
    assert_int_equal(umx_state_replace(store, umx_reflect_table("certificate"), NULL, NULL, others, 1, NULL), UMX_OK);
    assert_int_equal(sql("SELECT length(CAST(message AS BLOB)) < 65536 FROM event"), 1);
    assert_int_equal(sql("SELECT message LIKE 'xxx%x\xE2\x80\xA6' FROM event"), 1);
    assert_int_equal(sql("SELECT json_valid(dns_name) FROM certificate"), 1);
    assert_int_equal(umx_state_load(store, umx_reflect_table("event"), loaded, NULL), UMX_OK);
    assert_string_equal(umx_world_records(loaded)->event[0]->message, text);
    umx_world_free(world);
    umx_world_free(loaded);
    free(text);
}

static int collect_agent(void *user, const struct umx_state_agent *agent)
{
    umx_text_addf(user, "%s %s %s %s %lld %lld %lld\n", agent->agent, agent->server, agent->forest, agent->serial,
                  (long long)agent->issued_at, (long long)agent->expires_at, (long long)agent->revoked_at);
    return UMX_OK;
}

static int stop(void *user, const struct umx_state_agent *agent)
{
    (void)user;
    (void)agent;
    return UMX_E_CANCELLED;
}

static void agents_and_settings_last(void **state)
{
    struct umx_state_agent one = {"umx://d/agent/1", "b.test", "f", "01", 10, 20, 0};
    struct umx_state_agent two = {"umx://d/agent/2", "a.test", "f", "02", 11, 21, 0};
    struct umx_text text = {0};
    char *value;

    (void)state;
    assert_int_equal(umx_state_put_agent(store, &one, NULL), UMX_OK);
    assert_int_equal(umx_state_put_agent(store, &two, NULL), UMX_OK);
    one.revoked_at = 15;
    assert_int_equal(umx_state_put_agent(store, &one, NULL), UMX_OK);
    assert_int_equal(umx_state_set(store, "name", "first", NULL), UMX_OK);
    assert_int_equal(umx_state_set(store, "name", "Größe 'x'", NULL), UMX_OK);
    reopen();
    assert_int_equal(umx_state_each_agent(store, collect_agent, &text, NULL), UMX_OK);
    assert_string_equal(umx_text_string(&text),
                        "umx://d/agent/2 a.test f 02 11 21 0\numx://d/agent/1 b.test f 01 10 20 15\n");
    assert_int_equal(umx_state_each_agent(store, stop, NULL, NULL), UMX_E_CANCELLED);
    assert_int_equal(umx_state_get(store, "name", &value, NULL), UMX_OK);
    assert_string_equal(value, "Größe 'x'");
    free(value);
    assert_int_equal(umx_state_get(store, "nothing", &value, NULL), UMX_OK);
    assert_null(value);
    umx_text_free(&text);
}

static void the_journal_head_is_mirrored(void **state)
{
    struct umx_journal_head head = {.sequence = INT64_MAX, .hash = {1, 2, 0xFF}};
    struct umx_journal_head back;
    struct umx_error err;

    (void)state;
    assert_int_equal(umx_state_kept_head(store, &back, NULL), UMX_OK);
    assert_int_equal(back.sequence, 0);
    assert_int_equal(umx_state_keep_head(store, &head, NULL), UMX_OK);
    assert_int_equal(umx_state_kept_head(store, &back, NULL), UMX_OK);
    assert_true(back.sequence == INT64_MAX);
    assert_memory_equal(back.hash, head.hash, sizeof head.hash);
    assert_int_equal(umx_state_set(store, "journal.head", "nonsense", NULL), UMX_OK);
    assert_int_equal(umx_state_kept_head(store, &back, &err), UMX_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_come_back_exactly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaces_one_key_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_report_writes_only_what_differs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_report_takes_the_place_of_any_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_does_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transactions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_transaction_belongs_to_its_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_controller_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_follow_the_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_are_rebuilt_when_columns_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_values_are_shortened_in_columns_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agents_and_settings_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_journal_head_is_mirrored, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

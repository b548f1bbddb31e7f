#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "generate.h"
#include "store/journal_chain.h"

static char directory[64];
static char path[128];
static struct umx_journal_file *journal;

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/umx-journal-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/journal.db", directory);
    return umx_journal_open(path, &journal, NULL);
}

static int tear_down(void **state)
{
    DIR *entries = opendir(directory);
    struct dirent *entry;

    (void)state;
    umx_clock_set(0);
    umx_journal_close(journal);
    journal = NULL;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", directory, entry->d_name);
        unlink(name);
    }
    closedir(entries);
    return rmdir(directory);
}

static void reopen(void)
{
    umx_journal_close(journal);
    assert_int_equal(umx_journal_open(path, &journal, NULL), UMX_OK);
}

static int append(const char *plan, const char *step, Umx__Journal__Kind kind)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    char texts[2][64];

    umx_text_copy(texts[0], sizeof texts[0], plan);
    umx_text_copy(texts[1], sizeof texts[1], step);
    entry.has_kind = 1;
    entry.kind = kind;
    entry.plan = texts[0];
    entry.step = texts[1];
    return umx_journal_append(journal, &entry, NULL);
}

static int add_plan(const char *name, const char *content, struct umx_error *err)
{
    Umx__Journal created = UMX__JOURNAL__INIT;
    char copy[64];
    char hash[UMX_JOURNAL_HASH_TEXT];

    umx_text_copy(copy, sizeof copy, name);
    umx_journal_hash(content, strlen(content), hash);
    created.has_kind = 1;
    created.kind = UMX__JOURNAL__KIND__CREATED;
    created.plan = copy;
    created.plan_hash = hash;
    return umx_journal_add_plan(journal, name, (const uint8_t *)content, strlen(content), &created, err);
}

static int delete_plan(const char *name, struct umx_error *err)
{
    Umx__Journal deleted = UMX__JOURNAL__INIT;
    char copy[64];

    umx_text_copy(copy, sizeof copy, name);
    deleted.has_kind = 1;
    deleted.kind = UMX__JOURNAL__KIND__DELETED;
    deleted.plan = copy;
    return umx_journal_delete_plan(journal, name, &deleted, err);
}

static void assert_verified(int64_t entries, int64_t first_bad)
{
    int64_t found;
    int64_t bad;

    assert_int_equal(umx_journal_verify(journal, NULL, &found, &bad, NULL), UMX_OK);
    assert_int_equal(found, entries);
    assert_int_equal(bad, first_bad);
}

/* Somebody with the file and a tool. */
static void tamper(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    umx_journal_close(journal);
    journal = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
    assert_int_equal(umx_journal_open(path, &journal, NULL), UMX_OK);
}

static void entries_come_back(void **state)
{
    uint64_t seed = 1;
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    Umx__Journal *given[50];
    Umx__Journal **read;
    size_t count;

    (void)state;
    for (size_t i = 0; i < 50; i++) {
        given[i] = (Umx__Journal *)generate_message(&seed, &umx__journal__descriptor, arena);
        given[i]->has_kind = 1;
        given[i]->kind = UMX__JOURNAL__KIND__INTENT;
        given[i]->has_sequence = 1; /* ignored, as is the hash */
        given[i]->sequence = 4711;
        assert_int_equal(umx_journal_append(journal, given[i], NULL), UMX_OK);
        assert_int_equal(given[i]->sequence, i + 1);
    }
    reopen();
    assert_int_equal(umx_journal_read(journal, NULL, 0, 0, arena, &read, &count, NULL), UMX_OK);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(strlen(read[i]->hash), 64);
        given[i]->hash = read[i]->hash;
        assert_true(umx_reflect_equal(&given[i]->base, &read[i]->base));
    }
    assert_verified(50, 0);
    struct umx_journal_head head;
    char hex[UMX_JOURNAL_HASH_TEXT] = "";
    umx_journal_head(journal, &head);
    assert_int_equal(head.sequence, 50);
    for (size_t i = 0; i < sizeof head.hash; i++)
        snprintf(hex + 2 * i, 3, "%02x", head.hash[i]);
    assert_string_equal(hex, read[49]->hash);
    umx_arena_free(arena);
}

static int count_entry(void *user, const Umx__Journal *entry)
{
    int64_t *sum = user;

    *sum = *sum * 10 + entry->sequence;
    return UMX_OK;
}

static int stop(void *user, const Umx__Journal *entry)
{
    (void)user;
    return entry->sequence == 2 ? UMX_E_CANCELLED : UMX_OK;
}

static int64_t sequences(const char *plan, int64_t after, int64_t limit)
{
    int64_t sum = 0;

    assert_int_equal(umx_journal_each(journal, plan, after, limit, count_entry, &sum, NULL), UMX_OK);
    return sum;
}

static int64_t newest(const char *plan, int64_t count)
{
    int64_t after = -1;

    assert_int_equal(umx_journal_newest(journal, plan, count, &after, NULL), UMX_OK);
    return sequences(plan, after, 0);
}

static void entries_are_chosen(void **state)
{
    struct umx_arena *small = umx_arena_new(100);
    Umx__Journal **entries;
    struct umx_error err = {0};
    size_t count;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(append(i % 2 == 0 ? "even" : "odd", "s1", UMX__JOURNAL__KIND__INTENT), UMX_OK);
    assert_int_equal(sequences(NULL, 0, 0), 12345);
    assert_int_equal(sequences("even", 0, 0), 135);
    assert_int_equal(sequences("odd", 2, 0), 4);
    assert_int_equal(sequences("even", 0, 2), 13);
    assert_int_equal(newest(NULL, 2), 45);
    assert_int_equal(newest("even", 2), 35);
    assert_int_equal(newest("even", 3), 135);
    assert_int_equal(newest("even", 9), 135);
    assert_int_equal(newest("none", 9), 0);
    assert_int_equal(sequences("none", 0, 0), 0);
    assert_int_equal(sequences(NULL, 5, 0), 0);
    assert_int_equal(umx_journal_each(journal, NULL, 0, 0, stop, NULL, NULL), UMX_E_CANCELLED);
    assert_int_equal(umx_journal_read(journal, NULL, 0, 0, small, &entries, &count, &err), UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_ARENA_FULL);
    umx_arena_free(small);
}

static void batches_are_all_or_nothing(void **state)
{
    Umx__Journal good = UMX__JOURNAL__INIT;
    Umx__Journal other = UMX__JOURNAL__INIT;
    Umx__Journal bad = UMX__JOURNAL__INIT;
    Umx__Journal *entries[] = {&good, &other, &bad};
    struct umx_error err = {0};

    (void)state;
    good.has_kind = other.has_kind = bad.has_kind = 1;
    good.kind = other.kind = UMX__JOURNAL__KIND__EFFECT;
    bad.kind = UMX__JOURNAL__KIND__EFFECT;
    bad.detail = malloc(UMX_JOURNAL_MAX_ENTRY + 1);
    memset(bad.detail, 'x', UMX_JOURNAL_MAX_ENTRY);
    bad.detail[UMX_JOURNAL_MAX_ENTRY] = '\0';
    assert_int_equal(umx_journal_append_all(journal, entries, 3, &err), UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_FRAME_TOO_LARGE);
    assert_false(good.has_sequence);
    assert_verified(0, 0);
    assert_int_equal(umx_journal_append_all(journal, entries, 2, NULL), UMX_OK);
    assert_int_equal(good.sequence, 1);
    assert_int_equal(other.sequence, 2);
    assert_int_equal(umx_journal_append_all(journal, entries, 0, NULL), UMX_OK);
    assert_verified(2, 0);
    good.has_kind = 0; /* an entry says what it is; created and deleted go with their plan */
    assert_int_equal(umx_journal_append(journal, &good, &err), UMX_E_INTERNAL);
    assert_int_equal(append("p", "", UMX__JOURNAL__KIND__CREATED), UMX_E_INTERNAL);
    assert_int_equal(append("p", "", UMX__JOURNAL__KIND__DELETED), UMX_E_INTERNAL);
    assert_verified(2, 0);
    free(bad.detail);
}

static void time_never_goes_back(void **state)
{
    struct umx_arena *arena = umx_arena_new(1 << 20);
    Umx__Journal **entries;
    size_t count;

    (void)state;
    umx_clock_set(2000);
    append("p", "s1", UMX__JOURNAL__KIND__INTENT);
    umx_clock_set(1000);
    append("p", "s1", UMX__JOURNAL__KIND__EFFECT);
    reopen();
    append("p", "s1", UMX__JOURNAL__KIND__VERIFIED);
    umx_clock_set(3000);
    append("p", "s2", UMX__JOURNAL__KIND__INTENT);
    assert_int_equal(umx_journal_read(journal, NULL, 0, 0, arena, &entries, &count, NULL), UMX_OK);
    assert_int_equal(count, 4);
    assert_int_equal(entries[0]->written_at, 2000);
    assert_int_equal(entries[1]->written_at, 2000);
    assert_int_equal(entries[2]->written_at, 2000);
    assert_int_equal(entries[3]->written_at, 3000);
    umx_arena_free(arena);
}

static void plans_are_stored_once(void **state)
{
    struct umx_arena *arena = umx_arena_new(1 << 20);
    struct umx_journal_plan plan;
    struct umx_journal_plan *plans;
    struct umx_error err = {0};
    size_t count;

    (void)state;
    assert_int_equal(umx_journal_plan(journal, "one", arena, &plan, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_PLAN_NOT_FOUND);
    assert_int_equal(add_plan("one", "first", NULL), UMX_OK);
    assert_int_equal(add_plan("two", "second", NULL), UMX_OK);
    assert_int_equal(add_plan("one", "third", &err), UMX_E_EXISTS);
    assert_int_equal(err.id, UMX_ERR_PLAN_EXISTS);
    assert_verified(2, 0); /* the refused one left no entry */
    assert_int_equal(umx_journal_plan(journal, "one", arena, &plan, NULL), UMX_OK);
    assert_int_equal(plan.length, 5);
    assert_memory_equal(plan.bytes, "first", 5);
    assert_string_equal(plan.hash, "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e");
    assert_int_equal(delete_plan("one", NULL), UMX_OK);
    assert_int_equal(delete_plan("one", &err), UMX_E_NOT_FOUND);
    assert_int_equal(umx_journal_plan(journal, "one", arena, &plan, NULL), UMX_E_NOT_FOUND);
    assert_int_equal(add_plan("one", "third", NULL), UMX_OK); /* the name is free again */
    reopen();
    assert_int_equal(umx_journal_plans(journal, false, arena, &plans, &count, NULL), UMX_OK);
    assert_int_equal(count, 2);
    assert_string_equal(plans[0].name, "two");
    assert_memory_equal(plans[1].bytes, "third", 5);
    assert_int_equal(umx_journal_plans(journal, true, arena, &plans, &count, NULL), UMX_OK);
    assert_int_equal(count, 3);
    assert_true(plans[0].deleted);
    assert_memory_equal(plans[0].bytes, "first", 5); /* deleted is not gone */
    assert_verified(4, 0);
    umx_arena_free(arena);
}

static void a_plan_and_its_entry_belong_together(void **state)
{
    Umx__Journal created = UMX__JOURNAL__INIT;
    char name[] = "one";
    char hash[UMX_JOURNAL_HASH_TEXT];

    (void)state;
    created.has_kind = 1;
    created.kind = UMX__JOURNAL__KIND__CREATED;
    created.plan = name;
    umx_journal_hash("other", 5, hash);
    created.plan_hash = hash;
    assert_int_equal(umx_journal_add_plan(journal, "one", (const uint8_t *)"first", 5, &created, NULL), UMX_E_INTERNAL);
    assert_int_equal(umx_journal_add_plan(journal, "two", (const uint8_t *)"other", 5, &created, NULL), UMX_E_INTERNAL);
    assert_int_equal(umx_journal_add_plan(journal, "one", (const uint8_t *)"other", 5, &created, NULL), UMX_OK);
}

/* Six entries: created a, created b, intent, effect, deleted b, verified. */
static void write_story(void)
{
    assert_int_equal(add_plan("a", "content of a", NULL), UMX_OK);
    assert_int_equal(add_plan("b", "content of b", NULL), UMX_OK);
    assert_int_equal(append("a", "s1", UMX__JOURNAL__KIND__INTENT), UMX_OK);
    assert_int_equal(append("a", "s1", UMX__JOURNAL__KIND__EFFECT), UMX_OK);
    assert_int_equal(delete_plan("b", NULL), UMX_OK);
    assert_int_equal(append("a", "s1", UMX__JOURNAL__KIND__VERIFIED), UMX_OK);
}

static void tampering_is_found(void **state)
{
    static const struct {
        const char *sql;
        int64_t entries;
        int64_t first_bad;
    } cases[] = {
        {"SELECT 1", 6, 0},
        {"UPDATE entry SET bytes = bytes || x'00' WHERE sequence = 3", 6, 3},
        {"UPDATE entry SET bytes = replace(bytes, 's1', 's2') WHERE sequence = 4", 6, 4},
        {"UPDATE entry SET hash = zeroblob(32) WHERE sequence = 2", 6, 2},
        {"UPDATE entry SET hash = x'00' WHERE sequence = 6", 6, 6},
        {"UPDATE entry SET plan = 'b' WHERE sequence = 3", 6, 3},
        {"UPDATE entry SET plan = NULL WHERE sequence = 3", 6, 3},
        {"DELETE FROM entry WHERE sequence = 1", 5, 1},
        {"DELETE FROM entry WHERE sequence = 3", 5, 3},
        {"DELETE FROM entry WHERE sequence = 6", 5, 6},
        {"DELETE FROM entry WHERE sequence > 3", 3, 4},
        {"DELETE FROM entry", 0, 1},
        {"DELETE FROM entry WHERE sequence = 3; UPDATE entry SET sequence = sequence - 1 WHERE sequence > 3", 5, 3},
        {"UPDATE entry SET sequence = 99 WHERE sequence = 3; UPDATE entry SET sequence = 3 WHERE sequence = 4;"
         "UPDATE entry SET sequence = 4 WHERE sequence = 99",
         6, 3},
        {"INSERT INTO entry SELECT 7, plan, hash, bytes FROM entry WHERE sequence = 6", 7, 7},
        {"UPDATE plan SET bytes = 'content of x' WHERE name = 'a'", 6, 1},
        {"UPDATE plan SET bytes = 'content of x' WHERE name = 'b'", 6, 2},
        {"UPDATE plan SET hash = '00' WHERE name = 'a'", 6, 1},
        {"UPDATE plan SET name = 'x' WHERE name = 'a'", 6, 1},
        {"DELETE FROM plan WHERE name = 'a'", 6, 1},
        {"UPDATE plan SET deleted = 0 WHERE name = 'b'", 6, 5},
        {"UPDATE plan SET deleted = 6 WHERE name = 'a'", 6, 7},
        {"INSERT INTO plan(name, hash, bytes) VALUES('x', '00', 'x')", 6, 7},
        {"UPDATE head SET sequence = 7", 6, 7},
        {"DELETE FROM head", 6, 7},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t entries;
        int64_t bad;
        if (i > 0) {
            assert_int_equal(tear_down(state), 0);
            assert_int_equal(set_up(state), 0);
        }
        write_story();
        assert_verified(6, 0);
        tamper(cases[i].sql);
        assert_int_equal(umx_journal_verify(journal, NULL, &entries, &bad, NULL), UMX_OK);
        if (entries != cases[i].entries || bad != cases[i].first_bad)
            fail_msg("%s: %lld entries, first bad %lld", cases[i].sql, (long long)entries, (long long)bad);
    }
}

/* One bit of one cell is the other way round: the entry that it belongs to is the first bad one. */
static size_t flip_every_bit(sqlite3 *db, const char *table, const char *key, const char *column, const char *where,
                             int64_t first_bad)
{
    sqlite3_stmt *read, *write;
    char sql[256];
    uint8_t original[512], flipped[512];

    snprintf(sql, sizeof sql, "SELECT %s, %s, typeof(%s) FROM %s WHERE %s", column, key, column, table, where);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &read, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(read), SQLITE_ROW);
    const int length = sqlite3_column_bytes(read, 0);
    const int64_t row = sqlite3_column_int64(read, 1);
    const bool text = strcmp((const char *)sqlite3_column_text(read, 2), "text") == 0;
    assert_in_range(length, 1, sizeof original);
    memcpy(original, sqlite3_column_blob(read, 0), (size_t)length);
    sqlite3_finalize(read);
    snprintf(sql, sizeof sql, "UPDATE %s SET %s = ? WHERE %s = ?", table, column, key);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &write, NULL), SQLITE_OK);
    for (int bit = 0; bit <= 8 * length; bit++) { /* the last round puts the cell back */
        int64_t entries, bad;
        memcpy(flipped, original, (size_t)length);
        if (bit < 8 * length)
            flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (text)
            sqlite3_bind_text(write, 1, (const char *)flipped, length, SQLITE_STATIC);
        else
            sqlite3_bind_blob(write, 1, flipped, length, SQLITE_STATIC);
        sqlite3_bind_int64(write, 2, row);
        assert_int_equal(sqlite3_step(write), SQLITE_DONE);
        sqlite3_reset(write);
        assert_int_equal(umx_journal_verify(journal, NULL, &entries, &bad, NULL), UMX_OK);
        if (entries != 6 || bad != (bit < 8 * length ? first_bad : 0))
            fail_msg("%s.%s where %s, bit %d: %lld entries, first bad %lld", table, column, where, bit,
                     (long long)entries, (long long)bad);
    }
    sqlite3_finalize(write);
    return 8 * (size_t)length;
}

static void every_flipped_bit_is_found(void **state)
{
    size_t bits = 0;

    (void)state;
    write_story();
    sqlite3 *db = journal->db; /* nobody else gets at the file while it is open */
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    for (int sequence = 1; sequence <= 6; sequence++) {
        char where[32];
        snprintf(where, sizeof where, "sequence = %d", sequence);
        bits += flip_every_bit(db, "entry", "sequence", "bytes", where, sequence);
        bits += flip_every_bit(db, "entry", "sequence", "hash", where, sequence);
        bits += flip_every_bit(db, "entry", "sequence", "plan", where, sequence);
    }
    for (int plan = 1; plan <= 2; plan++) {
        const char *where = plan == 1 ? "name = 'a'" : "name = 'b'";
        bits += flip_every_bit(db, "plan", "id", "bytes", where, plan);
        bits += flip_every_bit(db, "plan", "id", "hash", where, plan);
        bits += flip_every_bit(db, "plan", "id", "name", where, plan);
    }
    bits += flip_every_bit(db, "head", "rowid", "hash", "1", 7);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    print_message("%zu bits\n", bits);
}

/* Entries and head cut off together: only a head that was kept elsewhere knows. */
static void a_cut_tail_is_found_by_the_mirror(void **state)
{
    struct umx_journal_head known;
    int64_t entries;
    int64_t bad;

    (void)state;
    write_story();
    umx_journal_head(journal, &known);
    tamper("DELETE FROM entry WHERE sequence > 4; UPDATE plan SET deleted = 0;"
           "UPDATE head SET sequence = 4, hash = (SELECT hash FROM entry WHERE sequence = 4)");
    assert_verified(4, 0);
    assert_int_equal(umx_journal_verify(journal, &known, &entries, &bad, NULL), UMX_OK);
    assert_int_equal(bad, 5);
    /* And when it has grown again over the place. */
    for (int i = 0; i < 4; i++)
        append("a", "s1", UMX__JOURNAL__KIND__UNCERTAIN);
    assert_int_equal(umx_journal_verify(journal, &known, &entries, &bad, NULL), UMX_OK);
    assert_int_equal(bad, 6);
    umx_journal_head(journal, &known);
    assert_int_equal(umx_journal_verify(journal, &known, &entries, &bad, NULL), UMX_OK);
    assert_int_equal(bad, 0);
}

static void a_broken_journal_takes_no_more(void **state)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    struct umx_error err = {0};

    (void)state;
    write_story();
    tamper("DELETE FROM entry WHERE sequence = 6");
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__RECOVERED;
    assert_int_equal(umx_journal_append(journal, &entry, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_JOURNAL_BROKEN);
    assert_int_equal(sequences(NULL, 0, 0), 12345); /* it can be read as evidence */
}

static void one_process_at_a_time(void **state)
{
    struct umx_journal_file *second = NULL;
    struct umx_error err = {0};
    struct stat file;

    (void)state;
    append("a", "s1", UMX__JOURNAL__KIND__INTENT);
    assert_int_equal(umx_journal_open(path, &second, &err), UMX_E_CONFLICT);
    assert_int_equal(err.id, UMX_ERR_STORE_LOCKED);
    assert_null(second);
    append("a", "s1", UMX__JOURNAL__KIND__EFFECT);
    assert_verified(2, 0);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

/* A child appends until it dies at a crash point; what it was told is durable is there, and the chain is whole. */
static int64_t survivors(const char *point)
{
    int64_t told = 0;
    int64_t entries;
    int64_t bad;
    int pipes[2];
    int status;

    umx_journal_close(journal);
    journal = NULL;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        char descriptor[16];
        snprintf(descriptor, sizeof descriptor, "%d", pipes[1]);
        setenv("UMX_CRASH_POINT", point, 1);
        execl("/proc/self/exe", "test_journal_file", "append", path, descriptor, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    for (int64_t sequence; read(pipes[0], &sequence, sizeof sequence) == (ssize_t)sizeof sequence;)
        told = sequence;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(umx_journal_open(path, &journal, NULL), UMX_OK);
    assert_int_equal(umx_journal_verify(journal, NULL, &entries, &bad, NULL), UMX_OK);
    assert_int_equal(bad, 0);
    assert_true(entries >= told);
    return entries * 100 + told;
}

static void append_until_killed(const char *file, int descriptor)
{
    if (umx_journal_open(file, &journal, NULL) != UMX_OK)
        _exit(1);
    for (int i = 0; i < 50; i++) {
        struct umx_journal_head head;
        if (append("a", "s1", UMX__JOURNAL__KIND__INTENT) != UMX_OK)
            _exit(2);
        umx_journal_head(journal, &head);
        if (write(descriptor, &head.sequence, sizeof head.sequence) != (ssize_t)sizeof head.sequence)
            _exit(3);
    }
    _exit(0);
}

static void what_was_acknowledged_survives(void **state)
{
    (void)state;
    assert_int_equal(survivors("journal:before-commit:4"), 3 * 100 + 3);
    /* Committed but not acknowledged: it is there. */
    assert_int_equal(survivors("journal:after-commit:3"), 6 * 100 + 5);
    append("a", "s1", UMX__JOURNAL__KIND__EFFECT);
    assert_verified(7, 0);
}

static void *append_many(void *user)
{
    (void)user;
    for (int i = 0; i < 50; i++)
        if (append("p", "s", UMX__JOURNAL__KIND__INTENT) != UMX_OK)
            return user;
    return NULL;
}

static void threads_take_turns(void **state)
{
    pthread_t threads[3];
    int failed;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, &failed), 0);
    for (size_t i = 0; i < 3; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    assert_verified(150, 0);
}

/* Not asserted: the machine decides. Printed for tests/bench and the curious. */
static void speed(void **state)
{
    enum { BATCH = 50, BATCHES = 100 };
    Umx__Journal entries[BATCH];
    Umx__Journal *batch[BATCH];
    char plan[] = "speed";
    int64_t count;
    int64_t bad;

    (void)state;
    for (int i = 0; i < BATCH; i++) {
        umx__journal__init(&entries[i]);
        entries[i].has_kind = 1;
        entries[i].kind = UMX__JOURNAL__KIND__EFFECT;
        entries[i].plan = plan;
        batch[i] = &entries[i];
    }
    int64_t start = umx_clock_monotonic();
    for (int i = 0; i < BATCHES; i++)
        assert_int_equal(umx_journal_append_all(journal, batch, BATCH, NULL), UMX_OK);
    int64_t appended = umx_clock_monotonic();
    assert_int_equal(umx_journal_verify(journal, NULL, &count, &bad, NULL), UMX_OK);
    int64_t verified = umx_clock_monotonic();
    assert_int_equal(count, BATCH * BATCHES);
    assert_int_equal(bad, 0);
    print_message("durable entries/s in batches of %d: %lld; verified entries/s: %lld\n", BATCH,
                  (long long)(BATCH * BATCHES * UMX_SECOND / (appended - start)),
                  (long long)(BATCH * BATCHES * UMX_SECOND / (verified - appended)));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_are_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batches_are_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_never_goes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plans_are_stored_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plan_and_its_entry_belong_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tampering_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_tail_is_found_by_the_mirror, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_journal_takes_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_process_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(speed, set_up, tear_down),
    };

    if (argc == 4 && strcmp(argv[1], "append") == 0)
        append_until_killed(argv[2], atoi(argv[3]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

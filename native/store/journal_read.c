/* Reading the journal's plans and entries. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "store/journal_chain.h"

/* False when the arena is full. */
static bool take_plan(sqlite3_stmt *row, struct umx_arena *arena, struct umx_journal_plan *plan)
{
    const char *hash = (const char *)sqlite3_column_text(row, 1);

    plan->name = umx_arena_string(arena, (const char *)sqlite3_column_text(row, 0));
    plan->length = (size_t)sqlite3_column_bytes(row, 2);
    plan->bytes = (const uint8_t *)umx_arena_copy(arena, sqlite3_column_blob(row, 2), plan->length);
    umx_text_copy(plan->hash, sizeof plan->hash, hash != NULL ? hash : "");
    plan->deleted = sqlite3_column_int64(row, 3) != 0;
    return plan->name != NULL && plan->bytes != NULL;
}

int umx_journal_plan(struct umx_journal_file *journal, const char *name, struct umx_arena *arena,
                     struct umx_journal_plan *out, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;

    pthread_mutex_lock(&journal->mutex);
    int status = umx_database_prepare(
        journal->db, "SELECT name, hash, bytes, deleted FROM plan WHERE name = ? AND deleted = 0", &row, err);
    if (status == UMX_OK) {
        sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(row);
        if (rc == SQLITE_DONE)
            status = umx_fail(err, UMX_ERR_PLAN_NOT_FOUND, name, NULL);
        else if (rc != SQLITE_ROW)
            status = umx_database_fail(journal->db, rc, UMX_ERR_STORE_OPEN, err);
        else if (!take_plan(row, arena, out))
            status = umx_fail(err, UMX_ERR_ARENA_FULL, name, NULL);
    }
    sqlite3_finalize(row);
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

int umx_journal_plans(struct umx_journal_file *journal, bool with_deleted, struct umx_arena *arena,
                      struct umx_journal_plan **plans, size_t *count, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int64_t expected = 0;
    int rc = SQLITE_DONE;

    *plans = NULL;
    *count = 0;
    pthread_mutex_lock(&journal->mutex);
    int status = umx_database_integer(journal->db, "SELECT count(*) FROM plan", &expected, err);
    if (status == UMX_OK)
        status = umx_database_prepare(
            journal->db, "SELECT name, hash, bytes, deleted FROM plan WHERE deleted = 0 OR ? ORDER BY id", &row, err);
    if (status == UMX_OK) {
        sqlite3_bind_int(row, 1, with_deleted);
        *plans = umx_arena_alloc(arena, (size_t)expected * sizeof **plans);
        if (*plans == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, "journal", NULL);
    }
    while (status == UMX_OK && (int64_t)*count < expected && (rc = sqlite3_step(row)) == SQLITE_ROW)
        if (!take_plan(row, arena, &(*plans)[(*count)++]))
            status = umx_fail(err, UMX_ERR_ARENA_FULL, "journal", NULL);
    if (status == UMX_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        status = umx_database_fail(journal->db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

int umx_journal_each(struct umx_journal_file *journal, const char *plan, int64_t after, int64_t limit,
                     int (*entry)(void *user, const Umx__Journal *entry), void *user, struct umx_error *err)
{
    const bool one = plan != NULL && plan[0] != '\0';
    char sql[160];
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;

    snprintf(sql, sizeof sql,
             "SELECT sequence, hash, bytes FROM entry WHERE %ssequence > ?1 ORDER BY sequence LIMIT ?2",
             one            ? "plan = ?3 AND "
             : plan != NULL ? "plan IS NULL AND "
                            : "");
    pthread_mutex_lock(&journal->mutex);
    int status = umx_database_prepare(journal->db, sql, &row, err);
    if (status == UMX_OK) {
        sqlite3_bind_int64(row, 1, after);
        sqlite3_bind_int64(row, 2, limit > 0 ? limit : -1);
        if (one)
            sqlite3_bind_text(row, 3, plan, -1, SQLITE_STATIC);
    }
    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct umx_arena *arena = NULL;
        Umx__Journal *unpacked;
        status = umx_journal_entry(row, &arena, &unpacked, err);
        if (status == UMX_OK)
            status = entry(user, unpacked);
        umx_arena_free(arena);
    }
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = umx_database_fail(journal->db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

int umx_journal_newest(struct umx_journal_file *journal, const char *plan, int64_t count, int64_t *after,
                       struct umx_error *err)
{
    sqlite3_stmt *row = NULL;

    *after = 0;
    pthread_mutex_lock(&journal->mutex);
    int status = umx_database_prepare(
        journal->db,
        plan != NULL ? "SELECT sequence FROM entry WHERE plan = ?2 ORDER BY sequence DESC LIMIT 1 OFFSET ?1"
                     : "SELECT sequence FROM entry ORDER BY sequence DESC LIMIT 1 OFFSET ?1",
        &row, err);
    if (status == UMX_OK) {
        sqlite3_bind_int64(row, 1, count);
        if (plan != NULL)
            sqlite3_bind_text(row, 2, plan, -1, SQLITE_STATIC);
        int rc = sqlite3_step(row);
        if (rc == SQLITE_ROW)
            *after = sqlite3_column_int64(row, 0);
        else if (rc != SQLITE_DONE)
            status = umx_database_fail(journal->db, rc, UMX_ERR_STORE_OPEN, err);
    }
    sqlite3_finalize(row);
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

struct collection {
    struct umx_arena *arena;
    Umx__Journal **entries;
    size_t count;
    size_t capacity;
};

static int collect(void *user, const Umx__Journal *entry)
{
    struct collection *into = user;

    if (into->count == into->capacity) {
        size_t capacity = into->capacity > 0 ? into->capacity * 2 : 32;
        Umx__Journal **moved = umx_arena_alloc(into->arena, capacity * sizeof(Umx__Journal *));
        if (moved == NULL)
            return umx_error_text(UMX_ERR_ARENA_FULL)->status;
        if (into->count > 0)
            memcpy(moved, into->entries, into->count * sizeof(Umx__Journal *));
        into->entries = moved;
        into->capacity = capacity;
    }
    Umx__Journal *copy = umx_reflect_copy(&entry->base, into->arena);
    if (copy == NULL)
        return umx_error_text(UMX_ERR_ARENA_FULL)->status;
    into->entries[into->count++] = copy;
    return UMX_OK;
}

int umx_journal_read(struct umx_journal_file *journal, const char *plan, int64_t after, int64_t limit,
                     struct umx_arena *arena, Umx__Journal ***entries, size_t *count, struct umx_error *err)
{
    struct collection into = {.arena = arena};
    struct umx_error inner = {0};
    int status = umx_journal_each(journal, plan, after, limit, collect, &into, &inner);

    if (status != UMX_OK && inner.status == UMX_OK)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "journal", NULL);
    if (status != UMX_OK && err != NULL)
        *err = inner;
    *entries = into.entries;
    *count = into.count;
    return status;
}

static void let_others(void *user)
{
    struct umx_journal_file *journal = user;

    pthread_mutex_unlock(&journal->mutex);
    sched_yield();
    pthread_mutex_lock(&journal->mutex);
}

int umx_journal_copy(struct umx_journal_file *journal, const char *path, struct umx_error *err)
{
    enum { PAGES_AT_A_TIME = 256 };

    pthread_mutex_lock(&journal->mutex);
    int status = umx_database_copy(journal->db, path, PAGES_AT_A_TIME, let_others, journal, err);
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

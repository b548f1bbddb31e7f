/* The whole chain, recomputed. */
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "store/journal_chain.h"

struct walk {
    sqlite3 *db;
    sqlite3_stmt *plans;   /* in order of creation, one row for each `created` entry */
    sqlite3_stmt *deleted; /* the plan that an entry deleted */
    const struct umx_journal_head *known;
    struct umx_journal_head at;
    int64_t deletions;
    int64_t entries;
};

static bool text_is(sqlite3_stmt *row, int column, const char *expected)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text == NULL || expected == NULL ? text == expected : strcmp(text, expected) == 0;
}

/* The next stored plan is the one of this entry, and its bytes are what was hashed. */
static bool plan_fits(struct walk *walk, const Umx__Journal *entry)
{
    char hash[UMX_JOURNAL_HASH_TEXT];

    if (sqlite3_step(walk->plans) != SQLITE_ROW)
        return false;
    umx_journal_hash(sqlite3_column_blob(walk->plans, 2), (size_t)sqlite3_column_bytes(walk->plans, 2), hash);
    return text_is(walk->plans, 0, entry->plan) && text_is(walk->plans, 1, entry->plan_hash) &&
           text_is(walk->plans, 1, hash);
}

static bool deletion_fits(struct walk *walk, const Umx__Journal *entry)
{
    sqlite3_reset(walk->deleted);
    sqlite3_bind_int64(walk->deleted, 1, entry->sequence);
    walk->deletions++;
    return sqlite3_step(walk->deleted) == SQLITE_ROW && text_is(walk->deleted, 0, entry->plan);
}

static bool entry_fits(struct walk *walk, sqlite3_stmt *row)
{
    struct umx_arena *arena = NULL;
    Umx__Journal *entry;

    if (sqlite3_column_int64(row, 0) != walk->at.sequence + 1 || sqlite3_column_bytes(row, 1) != UMX_JOURNAL_HASH)
        return false;
    walk->at.sequence++;
    umx_journal_chain(walk->at.hash, sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2), walk->at.hash);
    bool fits = memcmp(walk->at.hash, sqlite3_column_blob(row, 1), UMX_JOURNAL_HASH) == 0;
    if (fits && walk->known != NULL && walk->known->sequence == walk->at.sequence)
        fits = memcmp(walk->at.hash, walk->known->hash, UMX_JOURNAL_HASH) == 0;
    if (fits)
        fits = umx_journal_entry(row, &arena, &entry, NULL) == UMX_OK && text_is(row, 3, entry->plan);
    if (fits && entry->kind == UMX__JOURNAL__KIND__CREATED)
        fits = plan_fits(walk, entry);
    if (fits && entry->kind == UMX__JOURNAL__KIND__DELETED)
        fits = deletion_fits(walk, entry);
    umx_arena_free(arena);
    return fits;
}

/* After the last entry: nothing is missing behind it, and there are no plans that no entry speaks of. */
static bool end_fits(struct walk *walk, const struct umx_journal_head *head, int64_t deletions)
{
    return head->sequence == walk->at.sequence && memcmp(head->hash, walk->at.hash, UMX_JOURNAL_HASH) == 0 &&
           (walk->known == NULL || walk->known->sequence <= walk->at.sequence) && deletions == walk->deletions &&
           sqlite3_step(walk->plans) == SQLITE_DONE;
}

static int verify(struct walk *walk, sqlite3_stmt *row, int64_t *first_bad, struct umx_error *err)
{
    struct umx_journal_head head;
    int64_t deletions;
    int rc;

    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        walk->entries++;
        if (*first_bad == 0) {
            int64_t expected = walk->at.sequence + 1;
            if (!entry_fits(walk, row))
                *first_bad = expected;
        }
    }
    if (rc != SQLITE_DONE)
        return umx_database_fail(walk->db, rc, UMX_ERR_STORE_OPEN, err);
    int status = umx_journal_read_head(walk->db, &head, err);
    if (status == UMX_OK)
        status = umx_database_integer(walk->db, "SELECT count(*) FROM plan WHERE deleted <> 0", &deletions, err);
    if (status == UMX_OK && *first_bad == 0 && !end_fits(walk, &head, deletions))
        *first_bad = walk->at.sequence + 1;
    return status;
}

int umx_journal_verify(struct umx_journal_file *journal, const struct umx_journal_head *known, int64_t *entries,
                       int64_t *first_bad, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    struct walk walk = {.known = known};

    *entries = 0;
    *first_bad = 0;
    pthread_mutex_lock(&journal->mutex);
    walk.db = journal->db;
    int status =
        umx_database_prepare(walk.db, "SELECT sequence, hash, bytes, plan FROM entry ORDER BY sequence", &row, err);
    if (status == UMX_OK)
        status = umx_database_prepare(walk.db, "SELECT name, hash, bytes FROM plan ORDER BY id", &walk.plans, err);
    if (status == UMX_OK)
        status = umx_database_prepare(walk.db, "SELECT name FROM plan WHERE deleted = ?", &walk.deleted, err);
    if (status == UMX_OK)
        status = verify(&walk, row, first_bad, err);
    *entries = walk.entries;
    sqlite3_finalize(row);
    sqlite3_finalize(walk.plans);
    sqlite3_finalize(walk.deleted);
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

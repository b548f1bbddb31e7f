/* The whole chain, recomputed. */
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "store/journal_chain.h"

struct walk {
    sqlite3 *db;
    struct umx_journal_digest *digest;
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

/* A varint of packed bytes; moves *at past it. False when the bytes end first. */
static bool read_varint(const uint8_t *bytes, size_t length, size_t *at, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < length; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The start of a packed entry, without unpacking it: protobuf-c writes fields in order of their numbers, so an entry
 * begins with written_at (2), kind (3) and, where it has one, plan (4). False when it does not: unpack it then. */
static bool peek(const uint8_t *bytes, size_t length, uint64_t *kind, const uint8_t **plan, size_t *plan_length)
{
    enum { WRITTEN_AT = 2 << 3, KIND = 3 << 3, PLAN = 4 << 3 | 2 };
    size_t at = 0;
    uint64_t value;

    *plan = NULL;
    *plan_length = 0;
    if (at >= length || bytes[at++] != WRITTEN_AT || !read_varint(bytes, length, &at, &value))
        return false;
    if (at >= length || bytes[at++] != KIND || !read_varint(bytes, length, &at, kind))
        return false;
    if (at >= length || bytes[at] != PLAN)
        return true;
    at++;
    if (!read_varint(bytes, length, &at, &value) || value > length - at)
        return false;
    *plan = bytes + at;
    *plan_length = (size_t)value;
    return true;
}

/* The entry's plan is the one that it is found by; its own plan is stored as it says. */
static bool content_fits(struct walk *walk, sqlite3_stmt *row)
{
    const uint8_t *bytes = sqlite3_column_blob(row, 2);
    struct umx_arena *arena = NULL;
    Umx__Journal *entry;
    uint64_t kind;
    const uint8_t *plan;
    size_t length;

    if (peek(bytes, (size_t)sqlite3_column_bytes(row, 2), &kind, &plan, &length) &&
        kind != UMX__JOURNAL__KIND__CREATED && kind != UMX__JOURNAL__KIND__DELETED) {
        const char *found_by = (const char *)sqlite3_column_text(row, 3);
        if (plan == NULL || found_by == NULL)
            return plan == NULL && found_by == NULL;
        return (size_t)sqlite3_column_bytes(row, 3) == length && memcmp(found_by, plan, length) == 0;
    }
    bool fits = umx_journal_entry(row, &arena, &entry, NULL) == UMX_OK && text_is(row, 3, entry->plan);
    if (fits && entry->kind == UMX__JOURNAL__KIND__CREATED)
        fits = plan_fits(walk, entry);
    if (fits && entry->kind == UMX__JOURNAL__KIND__DELETED)
        fits = deletion_fits(walk, entry);
    umx_arena_free(arena);
    return fits;
}

static bool entry_fits(struct walk *walk, sqlite3_stmt *row)
{
    if (sqlite3_column_int64(row, 0) != walk->at.sequence + 1 || sqlite3_column_bytes(row, 1) != UMX_JOURNAL_HASH)
        return false;
    walk->at.sequence++;
    umx_journal_chain(walk->digest, walk->at.hash, sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2),
                      walk->at.hash);
    if (memcmp(walk->at.hash, sqlite3_column_blob(row, 1), UMX_JOURNAL_HASH) != 0)
        return false;
    if (walk->known != NULL && walk->known->sequence == walk->at.sequence &&
        memcmp(walk->at.hash, walk->known->hash, UMX_JOURNAL_HASH) != 0)
        return false;
    return content_fits(walk, row);
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
    walk.digest = journal->digest;
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

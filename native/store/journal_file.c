#include "store/journal_file.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/reflect.h"
#include "store/journal_chain.h"

/* `plan` in entry only serves to find a plan's entries; verification compares it with the entry's own. `deleted` is the
 * sequence of the deleting entry. */
static const struct umx_database_kind kind = {
    .application_id = 0x756d786a,
    .version = 1,
    .pragmas = "PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL",
    .schema = "CREATE TABLE entry(sequence INTEGER PRIMARY KEY, plan TEXT, hash BLOB NOT NULL, bytes BLOB NOT NULL);"
              "CREATE INDEX entry_plan ON entry(plan, sequence);"
              "CREATE TABLE plan(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, hash TEXT NOT NULL,"
              " bytes BLOB NOT NULL, deleted INTEGER NOT NULL DEFAULT 0);"
              "CREATE UNIQUE INDEX plan_name ON plan(name) WHERE deleted = 0;"
              "CREATE TABLE head(id INTEGER PRIMARY KEY CHECK(id = 1), sequence INTEGER NOT NULL, hash BLOB NOT NULL)",
};

struct umx_journal_digest {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
};

struct umx_journal_digest *umx_journal_digest_new(void)
{
    struct umx_journal_digest *digest = calloc(1, sizeof *digest);

    if (digest == NULL)
        return NULL;
    digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->context = EVP_MD_CTX_new();
    if (digest->sha256 == NULL || digest->context == NULL) {
        umx_journal_digest_free(digest);
        return NULL;
    }
    return digest;
}

void umx_journal_digest_free(struct umx_journal_digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    EVP_MD_free(digest->sha256);
    free(digest);
}

void umx_journal_chain(struct umx_journal_digest *digest, const uint8_t previous[UMX_JOURNAL_HASH], const void *bytes,
                       size_t length, uint8_t next[UMX_JOURNAL_HASH])
{
    if (EVP_DigestInit_ex2(digest->context, digest->sha256, NULL) != 1 ||
        (previous != NULL && EVP_DigestUpdate(digest->context, previous, UMX_JOURNAL_HASH) != 1) ||
        EVP_DigestUpdate(digest->context, bytes, length) != 1 || EVP_DigestFinal_ex(digest->context, next, NULL) != 1)
        abort(); /* better no journal entry than a wrong one */
}

static void to_hex(const uint8_t hash[UMX_JOURNAL_HASH], char hex[UMX_JOURNAL_HASH_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < UMX_JOURNAL_HASH; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    hex[2 * UMX_JOURNAL_HASH] = '\0';
}

void umx_journal_hash(const void *bytes, size_t length, char hash[UMX_JOURNAL_HASH_TEXT])
{
    uint8_t raw[UMX_JOURNAL_HASH];

    if (EVP_Digest(bytes, length, raw, NULL, EVP_sha256(), NULL) != 1)
        abort();
    to_hex(raw, hash);
}

int umx_journal_read_head(sqlite3 *db, struct umx_journal_head *head, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int status = umx_database_prepare(db, "SELECT sequence, hash FROM head", &row, err);

    *head = (struct umx_journal_head){0};
    if (status != UMX_OK)
        return status;
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(row, 1) == UMX_JOURNAL_HASH) {
        head->sequence = sqlite3_column_int64(row, 0);
        memcpy(head->hash, sqlite3_column_blob(row, 1), UMX_JOURNAL_HASH);
    } else if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        status = umx_database_fail(db, rc, UMX_ERR_STORE_OPEN, err);
    }
    sqlite3_finalize(row);
    return status;
}

int umx_journal_entry(sqlite3_stmt *row, struct umx_arena **arena, Umx__Journal **entry, struct umx_error *err)
{
    size_t length = (size_t)sqlite3_column_bytes(row, 2);
    ProtobufCMessage *message;

    *entry = NULL;
    *arena = umx_arena_new(length * UMX_JOURNAL_ARENA_FACTOR + UMX_JOURNAL_ARENA_FLOOR);
    if (*arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "journal", NULL);
    int status =
        umx_reflect_unpack(&umx__journal__descriptor, sqlite3_column_blob(row, 2), length, *arena, &message, err);
    if (status != UMX_OK)
        return status;
    Umx__Journal *unpacked = (Umx__Journal *)message;
    unpacked->has_sequence = 1;
    unpacked->sequence = sqlite3_column_int64(row, 0);
    unpacked->hash = umx_arena_alloc(*arena, UMX_JOURNAL_HASH_TEXT);
    if (unpacked->hash == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "journal", NULL);
    if (sqlite3_column_bytes(row, 1) == UMX_JOURNAL_HASH)
        to_hex(sqlite3_column_blob(row, 1), unpacked->hash);
    *entry = unpacked;
    return UMX_OK;
}

/* The newest entry's time, and whether it is the one that the head names. */
static int read_newest(struct umx_journal_file *journal, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    struct umx_arena *arena = NULL;
    Umx__Journal *entry;
    int status = umx_journal_read_head(journal->db, &journal->head, err);

    if (status == UMX_OK)
        status = umx_database_prepare(
            journal->db, "SELECT sequence, hash, bytes FROM entry ORDER BY sequence DESC LIMIT 1", &row, err);
    if (status != UMX_OK)
        return status;
    int rc = sqlite3_step(row);
    if (rc == SQLITE_DONE) {
        journal->broken = journal->head.sequence != 0;
    } else if (rc == SQLITE_ROW) {
        journal->broken = sqlite3_column_int64(row, 0) != journal->head.sequence ||
                          sqlite3_column_bytes(row, 1) != UMX_JOURNAL_HASH ||
                          memcmp(sqlite3_column_blob(row, 1), journal->head.hash, UMX_JOURNAL_HASH) != 0;
        if (umx_journal_entry(row, &arena, &entry, NULL) == UMX_OK)
            journal->newest_at = entry->written_at;
        else
            journal->broken = true;
        umx_arena_free(arena);
    } else {
        status = umx_database_fail(journal->db, rc, UMX_ERR_STORE_OPEN, err);
    }
    sqlite3_finalize(row);
    return status;
}

int umx_journal_open(const char *path, struct umx_journal_file **out, struct umx_error *err)
{
    struct umx_journal_file *journal = calloc(1, sizeof *journal);

    *out = NULL;
    if (journal == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    pthread_mutex_init(&journal->mutex, NULL);
    journal->digest = umx_journal_digest_new();
    int status = journal->digest != NULL ? umx_database_open(path, &kind, &journal->db, err)
                                         : umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    if (status == UMX_OK)
        status = umx_database_prepare(journal->db, "INSERT INTO entry(sequence, plan, hash, bytes) VALUES(?, ?, ?, ?)",
                                      &journal->insert, err);
    if (status == UMX_OK)
        status = umx_database_prepare(journal->db, "INSERT OR REPLACE INTO head(id, sequence, hash) VALUES(1, ?, ?)",
                                      &journal->set_head, err);
    if (status == UMX_OK)
        status = read_newest(journal, err);
    if (status != UMX_OK) {
        umx_journal_close(journal);
        return status;
    }
    *out = journal;
    return UMX_OK;
}

void umx_journal_close(struct umx_journal_file *journal)
{
    if (journal == NULL)
        return;
    sqlite3_finalize(journal->insert);
    sqlite3_finalize(journal->set_head);
    sqlite3_close(journal->db);
    umx_journal_digest_free(journal->digest);
    pthread_mutex_destroy(&journal->mutex);
    free(journal);
}

/* What a transaction has got to; it becomes the journal's own when it is committed. */
struct tip {
    struct umx_journal_head head;
    int64_t at;
};

static int insert_entry(struct umx_journal_file *journal, const Umx__Journal *entry, struct tip *tip,
                        struct umx_error *err)
{
    Umx__Journal stored = *entry;
    uint8_t *bytes;
    size_t length;

    stored.has_sequence = 0;
    stored.hash = NULL;
    stored.has_written_at = 1;
    stored.written_at = tip->at;
    int status = umx_reflect_pack(&stored.base, &bytes, &length, err);
    if (status == UMX_OK && length > UMX_JOURNAL_MAX_ENTRY)
        status = umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, entry->plan, "a journal entry of %zu bytes", length);
    if (status == UMX_OK) {
        tip->head.sequence++;
        umx_journal_chain(journal->digest, tip->head.hash, bytes, length, tip->head.hash);
        sqlite3_bind_int64(journal->insert, 1, tip->head.sequence);
        sqlite3_bind_text(journal->insert, 2, entry->plan, -1, SQLITE_STATIC);
        sqlite3_bind_blob(journal->insert, 3, tip->head.hash, UMX_JOURNAL_HASH, SQLITE_STATIC);
        sqlite3_bind_blob(journal->insert, 4, bytes, (int)length, SQLITE_STATIC);
        status = umx_database_finish(journal->db, journal->insert, err);
    }
    free(bytes);
    return status;
}

/* Something beside the entries that belongs into the same transaction. */
typedef int beside(struct umx_journal_file *journal, const struct tip *tip, const void *what, struct umx_error *err);

static int insert_all(struct umx_journal_file *journal, Umx__Journal *const *entries, size_t count, struct tip *tip,
                      beside *also, const void *what, struct umx_error *err)
{
    int status = UMX_OK;

    for (size_t i = 0; status == UMX_OK && i < count; i++)
        status = insert_entry(journal, entries[i], tip, err);
    if (status == UMX_OK && also != NULL)
        status = also(journal, tip, what, err);
    if (status != UMX_OK)
        return status;
    sqlite3_bind_int64(journal->set_head, 1, tip->head.sequence);
    sqlite3_bind_blob(journal->set_head, 2, tip->head.hash, UMX_JOURNAL_HASH, SQLITE_STATIC);
    return umx_database_finish(journal->db, journal->set_head, err);
}

/* Mutex held. */
static int64_t time_of(const struct umx_journal_file *journal)
{
    int64_t now = umx_clock_now();

    return now < journal->newest_at ? journal->newest_at : now;
}

int64_t umx_journal_now(struct umx_journal_file *journal)
{
    pthread_mutex_lock(&journal->mutex);
    int64_t now = time_of(journal);
    pthread_mutex_unlock(&journal->mutex);
    return now;
}

/* One transaction; durable when it returns 0. */
static int commit(struct umx_journal_file *journal, Umx__Journal *const *entries, size_t count, beside *also,
                  const void *what, struct umx_error *err)
{
    int status;

    pthread_mutex_lock(&journal->mutex);
    struct tip tip = {journal->head, time_of(journal)};
    if (journal->broken)
        status = umx_fail(err, UMX_ERR_JOURNAL_BROKEN, sqlite3_db_filename(journal->db, "main"),
                          "the newest entry is not the one that the head names");
    else
        status = umx_database_run(journal->db, "BEGIN IMMEDIATE", err);
    if (status != UMX_OK)
        goto out;
    status = insert_all(journal, entries, count, &tip, also, what, err);
    umx_crash_point(UMX_CRASH_JOURNAL_BEFORE_COMMIT, NULL);
    if (status == UMX_OK)
        status = umx_database_run(journal->db, "COMMIT", err);
    if (status != UMX_OK) {
        umx_database_run(journal->db, "ROLLBACK", NULL);
        goto out;
    }
    umx_crash_point(UMX_CRASH_JOURNAL_AFTER_COMMIT, NULL);
    for (size_t i = 0; i < count; i++) {
        entries[i]->has_sequence = 1;
        entries[i]->sequence = journal->head.sequence + 1 + (int64_t)i;
        entries[i]->has_written_at = 1;
        entries[i]->written_at = tip.at;
    }
    journal->head = tip.head;
    journal->newest_at = tip.at;
out:
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

int umx_journal_append_all(struct umx_journal_file *journal, Umx__Journal *const *entries, size_t count,
                           struct umx_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!entries[i]->has_kind || entries[i]->kind == UMX__JOURNAL__KIND__CREATED ||
            entries[i]->kind == UMX__JOURNAL__KIND__DELETED)
            return umx_fail(err, UMX_ERR_INTERNAL, entries[i]->plan,
                            "an entry has a kind; created and deleted are recorded with their plan");
    return count > 0 ? commit(journal, entries, count, NULL, NULL, err) : UMX_OK;
}

int umx_journal_append(struct umx_journal_file *journal, Umx__Journal *entry, struct umx_error *err)
{
    return umx_journal_append_all(journal, &entry, 1, err);
}

static int insert_plan(struct umx_journal_file *journal, const struct tip *tip, const void *what, struct umx_error *err)
{
    const struct umx_journal_plan *plan = what;
    sqlite3_stmt *insert = NULL;
    int status = umx_database_prepare(journal->db, "INSERT INTO plan(name, hash, bytes) VALUES(?, ?, ?)", &insert, err);

    (void)tip;
    if (status != UMX_OK)
        return status;
    sqlite3_bind_text(insert, 1, plan->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, plan->hash, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(insert, 3, plan->bytes, plan->length, SQLITE_STATIC);
    int rc = sqlite3_step(insert);
    if (rc == SQLITE_CONSTRAINT_UNIQUE)
        status = umx_fail(err, UMX_ERR_PLAN_EXISTS, plan->name, NULL);
    else if (rc != SQLITE_DONE)
        status = umx_database_fail(journal->db, rc, UMX_ERR_STORE_WRITE, err);
    sqlite3_finalize(insert);
    return status;
}

int umx_journal_add_plan(struct umx_journal_file *journal, const char *name, const uint8_t *bytes, size_t length,
                         Umx__Journal *created, struct umx_error *err)
{
    struct umx_journal_plan plan = {.name = name, .bytes = bytes, .length = length};

    if (length > UMX_JOURNAL_MAX_PLAN)
        return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, name, "a plan of %zu bytes", length);
    umx_journal_hash(bytes, length, plan.hash);
    if (!created->has_kind || created->kind != UMX__JOURNAL__KIND__CREATED || created->plan == NULL ||
        strcmp(created->plan, name) != 0 || created->plan_hash == NULL || strcmp(created->plan_hash, plan.hash) != 0)
        return umx_fail(err, UMX_ERR_INTERNAL, name, "the created entry is of another plan");
    return commit(journal, &created, 1, insert_plan, &plan, err);
}

static int mark_deleted(struct umx_journal_file *journal, const struct tip *tip, const void *what,
                        struct umx_error *err)
{
    const char *name = what;
    sqlite3_stmt *update = NULL;
    int status =
        umx_database_prepare(journal->db, "UPDATE plan SET deleted = ? WHERE name = ? AND deleted = 0", &update, err);

    if (status != UMX_OK)
        return status;
    sqlite3_bind_int64(update, 1, tip->head.sequence);
    sqlite3_bind_text(update, 2, name, -1, SQLITE_STATIC);
    status = umx_database_finish(journal->db, update, err);
    if (status == UMX_OK && sqlite3_changes(journal->db) == 0)
        status = umx_fail(err, UMX_ERR_PLAN_NOT_FOUND, name, NULL);
    sqlite3_finalize(update);
    return status;
}

int umx_journal_delete_plan(struct umx_journal_file *journal, const char *name, Umx__Journal *deleted,
                            struct umx_error *err)
{
    if (!deleted->has_kind || deleted->kind != UMX__JOURNAL__KIND__DELETED || deleted->plan == NULL ||
        strcmp(deleted->plan, name) != 0)
        return umx_fail(err, UMX_ERR_INTERNAL, name, "the deleted entry is of another plan");
    return commit(journal, &deleted, 1, mark_deleted, name, err);
}

void umx_journal_head(struct umx_journal_file *journal, struct umx_journal_head *head)
{
    pthread_mutex_lock(&journal->mutex);
    *head = journal->head;
    pthread_mutex_unlock(&journal->mutex);
}

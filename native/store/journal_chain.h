/* The inside of a journal, shared by journal_file.c (adding, reading) and journal_verify.c. */
#ifndef UMX_STORE_JOURNAL_CHAIN_H
#define UMX_STORE_JOURNAL_CHAIN_H

#include <pthread.h>

#include "store/database.h"
#include "store/journal_file.h"

/* A packed entry unpacks to more than its size: what is allowed, since intents hold many small values. */
enum { UMX_JOURNAL_ARENA_FACTOR = 64, UMX_JOURNAL_ARENA_FLOOR = 1024 * 1024 };

/* SHA-256, looked up once: that takes longer than hashing an entry. */
struct umx_journal_digest;

struct umx_journal_digest *umx_journal_digest_new(void); /* NULL when out of memory */
void umx_journal_digest_free(struct umx_journal_digest *digest);

struct umx_journal_file {
    pthread_mutex_t mutex; /* guards everything below */
    sqlite3 *db;
    struct umx_journal_digest *digest;
    sqlite3_stmt *insert;
    sqlite3_stmt *set_head;
    struct umx_journal_head head;
    int64_t newest_at;
    bool broken; /* the head did not fit when the file was opened */
};

/* next = SHA-256(previous || bytes); next may be previous, previous may be NULL. */
void umx_journal_chain(struct umx_journal_digest *digest, const uint8_t previous[UMX_JOURNAL_HASH], const void *bytes,
                       size_t length, uint8_t next[UMX_JOURNAL_HASH]);

/* Reads the head's row; zeroes when there is none. */
int umx_journal_read_head(sqlite3 *db, struct umx_journal_head *head, struct umx_error *err);

/* The entry of a row of sequence, hash and bytes, in a new arena that the caller frees, also after an error. */
int umx_journal_entry(sqlite3_stmt *row, struct umx_arena **arena, Umx__Journal **entry, struct umx_error *err);

#endif

#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/state_internal.h"
#include "store/state_table.h"

/* What a stored record may unpack to: it came in within its own limits, and almost empty records take much more memory
 * than bytes. */
enum { ARENA_FACTOR = 64, ARENA_FLOOR = 256 * 1024 };

enum { COMPACT_PAGES = 4096 }; /* 16 MiB */

static const struct umx_database_kind kind = {
    .application_id = 0x756d7873,
    .version = 1,
    .pragmas = "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA busy_timeout=5000;"
               "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-32768;PRAGMA wal_autocheckpoint=4096",
    .schema = "CREATE TABLE _identity(agent TEXT PRIMARY KEY, server TEXT, forest TEXT, serial TEXT, issued_at INTEGER,"
              " expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID;"
              "CREATE TABLE _setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
};

/* A lock that ends with the process, whatever way it ends. */
static int take_lock(struct umx_state *state, struct umx_error *err)
{
    struct umx_text name = {0};
    int status = UMX_OK;

    umx_text_addf(&name, "%s.lock", state->path);
    state->lock = open(umx_text_string(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (state->lock < 0)
        status = umx_fail_code(err, UMX_ERR_STORE_OPEN, errno, umx_text_string(&name), "%s", strerror(errno));
    else if (flock(state->lock, LOCK_EX | LOCK_NB) != 0)
        status = umx_fail_code(err, errno == EWOULDBLOCK ? UMX_ERR_STORE_LOCKED : UMX_ERR_STORE_OPEN, errno,
                               state->path, NULL);
    umx_text_free(&name);
    return status;
}

/* The file does not shrink by itself when servers go: at the start, when nobody waits for it, what is mostly empty is
 * written anew. A full disk only means that it stays as it is. */
static void compact(struct umx_state *state)
{
    int64_t pages = 0, unused = 0;

    if (umx_database_integer(state->db, "PRAGMA page_count", &pages, NULL) != UMX_OK ||
        umx_database_integer(state->db, "PRAGMA freelist_count", &unused, NULL) != UMX_OK || unused < COMPACT_PAGES ||
        unused < pages / 2)
        return;
    umx_database_run(state->db, "VACUUM", NULL);
}

int umx_state_open(const char *path, struct umx_state **out, struct umx_error *err)
{
    struct umx_state *state = calloc(1, sizeof *state);
    pthread_mutexattr_t attributes;

    *out = NULL;
    if (state == NULL || (state->path = strdup(path)) == NULL) {
        free(state);
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    }
    state->lock = -1;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&state->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    int status = take_lock(state, err);
    if (status == UMX_OK)
        status = umx_database_open(path, &kind, &state->db, err);
    if (status == UMX_OK)
        status = umx_state_settle(state, err);
    if (status == UMX_OK)
        compact(state);
    if (status != UMX_OK) {
        umx_state_close(state);
        return status;
    }
    *out = state;
    return UMX_OK;
}

void umx_state_close(struct umx_state *state)
{
    size_t count;

    if (state == NULL)
        return;
    umx_reflect_tables(&count);
    for (size_t t = 0; state->insert != NULL && t < count; t++)
        sqlite3_finalize(state->insert[t]);
    for (size_t t = 0; state->merge != NULL && t < count; t++)
        umx_state_merge_end(&state->merge[t]);
    sqlite3_finalize(state->digest);
    free(state->insert);
    free(state->merge);
    sqlite3_close(state->db);
    if (state->lock >= 0)
        close(state->lock);
    umx_text_free(&state->scratch);
    pthread_mutex_destroy(&state->mutex);
    free(state->path);
    free(state);
}

const char *umx_state_path(const struct umx_state *state)
{
    return state->path;
}

/* By a connection of its own: it reads one picture while others write on. */
int umx_state_copy(struct umx_state *state, const char *path, struct umx_error *err)
{
    sqlite3 *db = NULL;
    int rc =
        sqlite3_open_v2(state->path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    int status = rc == SQLITE_OK ? umx_database_copy(db, path, -1, NULL, NULL, err)
                                 : umx_database_fail(db, rc, UMX_ERR_BACKUP_FAILED, err);

    sqlite3_close(db);
    return status;
}

int umx_state_begin(struct umx_state *state, struct umx_error *err)
{
    pthread_mutex_lock(&state->mutex);
    int status = state->in_transaction ? umx_fail(err, UMX_ERR_INTERNAL, state->path, "a transaction inside another")
                                       : umx_database_run(state->db, "BEGIN IMMEDIATE", err);
    if (status != UMX_OK) {
        pthread_mutex_unlock(&state->mutex);
        return status;
    }
    state->in_transaction = true;
    return UMX_OK;
}

int umx_state_commit(struct umx_state *state, struct umx_error *err)
{
    int status = umx_database_run(state->db, "COMMIT", err);

    if (status != UMX_OK) {
        umx_state_rollback(state);
        return status;
    }
    state->in_transaction = false;
    pthread_mutex_unlock(&state->mutex);
    return UMX_OK;
}

void umx_state_rollback(struct umx_state *state)
{
    /* Somebody else's transaction holds the mutex; our own, or none, lets us in. */
    if (pthread_mutex_trylock(&state->mutex) != 0)
        return;
    if (state->in_transaction) {
        umx_database_run(state->db, "ROLLBACK", NULL);
        state->in_transaction = false;
        pthread_mutex_unlock(&state->mutex);
    }
    pthread_mutex_unlock(&state->mutex);
}

int umx_state_unpack(const struct umx_table *table, sqlite3_stmt *row, int column, struct umx_arena **arena,
                     ProtobufCMessage **record, struct umx_error *err)
{
    size_t length = (size_t)sqlite3_column_bytes(row, column);

    *arena = umx_arena_new(length * ARENA_FACTOR + ARENA_FLOOR);
    if (*arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, table->name, NULL);
    return umx_reflect_unpack(table->record, sqlite3_column_blob(row, column), length, *arena, record, err);
}

int umx_state_load(struct umx_state *state, const struct umx_table *table, struct umx_world *world,
                   struct umx_error *err)
{
    return umx_state_load_of(state, table, NULL, NULL, world, err);
}

int umx_state_load_of(struct umx_state *state, const struct umx_table *table, const char *key_column,
                      const char *key_value, struct umx_world *world, struct umx_error *err)
{
    struct umx_text sql = {0};
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;

    if (table->derived)
        return umx_fail(err, UMX_ERR_INTERNAL, table->name, "a derived table is not stored");
    if (key_column != NULL && protobuf_c_message_descriptor_get_field_by_name(table->record, key_column) == NULL)
        return umx_fail(err, UMX_ERR_INTERNAL, table->name, "it has no column %s", key_column);
    umx_text_addf(&sql, "SELECT _record FROM _%s", table->name);
    if (key_column != NULL)
        umx_text_addf(&sql, " WHERE %s = ?", key_column);
    umx_text_adds(&sql, " ORDER BY rowid");
    pthread_mutex_lock(&state->mutex);
    int status = sql.failed ? umx_fail(err, UMX_ERR_MEMORY, "state", NULL)
                            : umx_database_prepare(state->db, umx_text_string(&sql), &row, err);
    if (status == UMX_OK && key_column != NULL)
        sqlite3_bind_text(row, 1, key_value, -1, SQLITE_STATIC);
    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct umx_arena *arena = NULL;
        ProtobufCMessage *record;
        status = umx_state_unpack(table, row, 0, &arena, &record, err);
        if (status == UMX_OK)
            status = umx_world_add(world, record, err);
        umx_arena_free(arena);
    }
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = umx_database_fail(state->db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&state->mutex);
    umx_text_free(&sql);
    return status;
}

int umx_state_load_all(struct umx_state *state, struct umx_world *world, struct umx_error *err)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    int status = UMX_OK;

    pthread_mutex_lock(&state->mutex);
    for (size_t t = 0; status == UMX_OK && t < count && !tables[t].derived; t++)
        status = umx_state_load(state, &tables[t], world, err);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

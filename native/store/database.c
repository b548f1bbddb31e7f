#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int code;
    enum umx_error_id id;
} codes[] = {
    {SQLITE_BUSY, UMX_ERR_STORE_LOCKED},    {SQLITE_LOCKED, UMX_ERR_STORE_LOCKED},
    {SQLITE_NOTADB, UMX_ERR_STORE_CORRUPT}, {SQLITE_CORRUPT, UMX_ERR_STORE_CORRUPT},
    {SQLITE_NOMEM, UMX_ERR_MEMORY},
};

int umx_database_fail(sqlite3 *db, int rc, enum umx_error_id otherwise, struct umx_error *err)
{
    const char *path = db != NULL ? sqlite3_db_filename(db, "main") : NULL;
    enum umx_error_id id = otherwise;

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == (rc & 0xff))
            id = codes[i].id;
    return umx_fail_code(err, id, rc, path, "SQLite %d: %s", rc, db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

int umx_database_run(sqlite3 *db, const char *sql, struct umx_error *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? UMX_OK : umx_database_fail(db, rc, UMX_ERR_STORE_WRITE, err);
}

int umx_database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct umx_error *err)
{
    int rc = sqlite3_prepare_v2(db, sql, -1, out, NULL);

    return rc == SQLITE_OK ? UMX_OK : umx_database_fail(db, rc, UMX_ERR_STORE_WRITE, err);
}

int umx_database_finish(sqlite3 *db, sqlite3_stmt *statement, struct umx_error *err)
{
    int rc = sqlite3_step(statement);
    int status = rc == SQLITE_DONE || rc == SQLITE_ROW ? UMX_OK : umx_database_fail(db, rc, UMX_ERR_STORE_WRITE, err);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

int umx_database_copy(sqlite3 *db, const char *path, int pages, void (*pause)(void *user), void *user,
                      struct umx_error *err)
{
    sqlite3 *to = NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int status = UMX_OK;
    int rc;

    if (fd < 0)
        return umx_fail_code(err, UMX_ERR_BACKUP_FAILED, errno, path, "%s", strerror(errno));
    close(fd);
    rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    sqlite3_backup *backup = rc == SQLITE_OK ? sqlite3_backup_init(to, "main", db, "main") : NULL;
    if (backup == NULL)
        status = umx_database_fail(to, rc != SQLITE_OK ? rc : sqlite3_extended_errcode(to), UMX_ERR_BACKUP_FAILED, err);
    while (backup != NULL && (rc = sqlite3_backup_step(backup, pages)) == SQLITE_OK)
        if (pause != NULL)
            pause(user);
    if (backup != NULL) {
        int end = sqlite3_backup_finish(backup);
        if (rc != SQLITE_DONE || end != SQLITE_OK)
            status = umx_database_fail(to, rc != SQLITE_DONE ? rc : end, UMX_ERR_BACKUP_FAILED, err);
    }
    sqlite3_close(to);
    if (status != UMX_OK)
        unlink(path);
    return status;
}

int umx_database_integer(sqlite3 *db, const char *sql, int64_t *out, struct umx_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = umx_database_prepare(db, sql, &statement, err);

    *out = 0;
    if (status != UMX_OK)
        return status;
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else if (rc != SQLITE_DONE)
        status = umx_database_fail(db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(statement);
    return status;
}

/* A new file gets the layout; one that is there has to be of this kind and version. */
static int settle(sqlite3 *db, const struct umx_database_kind *kind, struct umx_error *err)
{
    int64_t id;
    int64_t version;
    int64_t objects;
    char *sql = NULL;
    int status = umx_database_integer(db, "PRAGMA application_id", &id, err);

    if (status == UMX_OK)
        status = umx_database_integer(db, "PRAGMA user_version", &version, err);
    if (status == UMX_OK)
        status = umx_database_integer(db, "SELECT count(*) FROM sqlite_schema", &objects, err);
    if (status != UMX_OK)
        return status;
    if (objects == 0 && id == 0) {
        sql = sqlite3_mprintf("BEGIN IMMEDIATE;%s;PRAGMA application_id=%d;PRAGMA user_version=%d;COMMIT", kind->schema,
                              kind->application_id, kind->version);
        status = sql != NULL ? umx_database_run(db, sql, err) : umx_fail(err, UMX_ERR_MEMORY, "SQLite", NULL);
        sqlite3_free(sql);
        return status;
    }
    if (id != kind->application_id || version != kind->version)
        return umx_fail(err, UMX_ERR_STORE_CORRUPT, sqlite3_db_filename(db, "main"),
                        "it is of another kind or version (%lld, %lld)", (long long)id, (long long)version);
    /* Takes the lock now, where that is an error of opening. */
    return umx_database_run(db, "BEGIN IMMEDIATE;COMMIT", err);
}

int umx_database_open(const char *path, const struct umx_database_kind *kind, sqlite3 **out, struct umx_error *err)
{
    sqlite3 *db = NULL;

    *out = NULL;
    /* Only to create: closing a descriptor of a file that SQLite has open in this process would drop SQLite's locks. */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    /* Who has the handle has a mutex of its own around each use: SQLite's would be taken at every value bound. */
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK) {
        int status = umx_fail_code(err, UMX_ERR_STORE_OPEN, rc, path, "%s",
                                   db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
        sqlite3_close(db);
        return status;
    }
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int status = umx_database_run(db, kind->pragmas, err);
    if (status == UMX_OK)
        status = settle(db, kind, err);
    if (status != UMX_OK) {
        sqlite3_close(db);
        return status;
    }
    *out = db;
    return UMX_OK;
}

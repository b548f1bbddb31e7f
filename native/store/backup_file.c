#include "store/backup_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/database.h"

enum { PART = 1024 * 1024, HASH = 32 };

static const struct umx_database_kind kind = {
    .application_id = 0x756d7862,
    .version = 1,
    .pragmas = "PRAGMA journal_mode=OFF;PRAGMA locking_mode=EXCLUSIVE",
    .schema = "CREATE TABLE about(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
              "CREATE TABLE file(name TEXT PRIMARY KEY, mode INTEGER NOT NULL, size INTEGER NOT NULL,"
              " sha256 BLOB NOT NULL) WITHOUT ROWID;"
              "CREATE TABLE part(name TEXT NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL,"
              " PRIMARY KEY(name, number))",
};

struct umx_backup {
    sqlite3 *db;
    char *path;
    char *unfinished; /* NULL: it is read, or finished */
};

/* Letters, digits and -._ between slashes; no part begins with a dot. */
static bool plain(const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;

    if (length == 0 || length > UMX_BACKUP_NAME_MAX || name[length - 1] == '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        bool first = i == 0 || name[i - 1] == '/';
        if (first ? !isalnum((unsigned char)name[i])
                  : !isalnum((unsigned char)name[i]) && strchr("-._/", name[i]) == NULL)
            return false;
    }
    return true;
}

/* ---- writing */

int umx_backup_create(const char *path, struct umx_backup **out, struct umx_error *err)
{
    struct umx_backup *backup = calloc(1, sizeof *backup);
    struct umx_text unfinished = {0};
    struct stat there;
    int status = UMX_OK;

    *out = NULL;
    umx_text_addf(&unfinished, "%s.unfinished", path);
    if (backup == NULL || unfinished.failed || (backup->path = strdup(path)) == NULL) {
        umx_text_free(&unfinished);
        free(backup);
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    }
    if (lstat(path, &there) == 0)
        status = umx_fail(err, UMX_ERR_BACKUP_FAILED, path, "the file is there already");
    else if (unlink(unfinished.data) != 0 && errno != ENOENT) /* of an attempt that was interrupted */
        status = umx_fail_code(err, UMX_ERR_BACKUP_FAILED, errno, unfinished.data, "%s", strerror(errno));
    else if ((backup->unfinished = strdup(unfinished.data)) == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    else
        status = umx_database_open(backup->unfinished, &kind, &backup->db, err);
    if (status == UMX_OK)
        status = umx_database_run(backup->db, "BEGIN", err);
    umx_text_free(&unfinished);
    if (status != UMX_OK) {
        umx_backup_close(backup);
        return status;
    }
    *out = backup;
    return UMX_OK;
}

int umx_backup_say(struct umx_backup *backup, const char *name, const char *value, struct umx_error *err)
{
    sqlite3_stmt *put = NULL;
    int status = umx_database_prepare(backup->db, "INSERT INTO about VALUES(?, ?)", &put, err);

    if (status == UMX_OK) {
        sqlite3_bind_text(put, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_text(put, 2, value, -1, SQLITE_STATIC);
        status = umx_database_finish(backup->db, put, err);
    }
    sqlite3_finalize(put);
    return status;
}

static ssize_t read_part(int fd, uint8_t *bytes)
{
    size_t got = 0;

    while (got < PART) {
        ssize_t n = read(fd, bytes + got, PART - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int add_parts(struct umx_backup *backup, sqlite3_stmt *put, const char *name, int fd, EVP_MD_CTX *hash,
                     int64_t *size, struct umx_error *err)
{
    uint8_t *bytes = malloc(PART);
    int status = bytes == NULL ? umx_fail(err, UMX_ERR_MEMORY, name, NULL) : UMX_OK;

    *size = 0;
    for (int number = 0; status == UMX_OK; number++) {
        ssize_t got = read_part(fd, bytes);
        if (got < 0)
            status = umx_fail_code(err, UMX_ERR_BACKUP_FAILED, errno, name, "%s", strerror(errno));
        if (got <= 0)
            break;
        EVP_DigestUpdate(hash, bytes, (size_t)got);
        *size += got;
        sqlite3_bind_text(put, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_int(put, 2, number);
        sqlite3_bind_blob(put, 3, bytes, (int)got, SQLITE_STATIC);
        status = umx_database_finish(backup->db, put, err);
    }
    free(bytes);
    return status;
}

int umx_backup_add(struct umx_backup *backup, const char *name, int mode, int fd, struct umx_error *err)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    sqlite3_stmt *part = NULL, *file = NULL;
    uint8_t sum[HASH];
    int64_t size = 0;
    int status = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1
                     ? UMX_OK
                     : umx_fail(err, UMX_ERR_MEMORY, name, NULL);

    if (status == UMX_OK && !plain(name))
        status = umx_fail(err, UMX_ERR_BACKUP_FAILED, name, "no name for a file of a backup");
    if (status == UMX_OK)
        status = umx_database_prepare(backup->db, "INSERT INTO part VALUES(?, ?, ?)", &part, err);
    if (status == UMX_OK)
        status = umx_database_prepare(backup->db, "INSERT INTO file VALUES(?, ?, ?, ?)", &file, err);
    if (status == UMX_OK)
        status = add_parts(backup, part, name, fd, hash, &size, err);
    if (status == UMX_OK) {
        EVP_DigestFinal_ex(hash, sum, NULL);
        sqlite3_bind_text(file, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_int(file, 2, mode & 0700);
        sqlite3_bind_int64(file, 3, size);
        sqlite3_bind_blob(file, 4, sum, HASH, SQLITE_STATIC);
        status = umx_database_finish(backup->db, file, err);
    }
    sqlite3_finalize(part);
    sqlite3_finalize(file);
    EVP_MD_CTX_free(hash);
    return status;
}

int umx_backup_finish(struct umx_backup *backup, struct umx_error *err)
{
    int status = umx_database_run(backup->db, "COMMIT", err);
    int fd;

    if (status != UMX_OK)
        return status;
    sqlite3_close(backup->db);
    backup->db = NULL;
    fd = open(backup->unfinished, O_RDONLY | O_CLOEXEC);
    /* A link is made only where there is nothing yet. */
    if (fd < 0 || fsync(fd) != 0 || link(backup->unfinished, backup->path) != 0)
        status = umx_fail_code(err, UMX_ERR_BACKUP_FAILED, errno, backup->path, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

void umx_backup_close(struct umx_backup *backup)
{
    if (backup == NULL)
        return;
    sqlite3_close(backup->db);
    if (backup->unfinished != NULL)
        unlink(backup->unfinished);
    free(backup->unfinished);
    free(backup->path);
    free(backup);
}

/* ---- reading */

/* Like any file from outside: opened to read, its schema trusted in nothing. */
int umx_backup_open(const char *path, struct umx_backup **out, struct umx_error *err)
{
    struct umx_backup *backup = calloc(1, sizeof *backup);
    int64_t id = 0, version = 0;
    int status = UMX_OK;

    *out = NULL;
    if (backup == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    if (access(path, R_OK) != 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    if (status == UMX_OK &&
        sqlite3_open_v2(path, &backup->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) !=
            SQLITE_OK)
        status = umx_fail(err, UMX_ERR_BACKUP_INVALID, path, "%s", sqlite3_errmsg(backup->db));
    if (status == UMX_OK) {
        sqlite3_db_config(backup->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(backup->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_limit(backup->db, SQLITE_LIMIT_LENGTH, 2 * PART);
        struct umx_error why = {0};
        if (umx_database_run(backup->db, "PRAGMA cell_size_check=1", &why) != UMX_OK ||
            umx_database_integer(backup->db, "PRAGMA application_id", &id, &why) != UMX_OK ||
            umx_database_integer(backup->db, "PRAGMA user_version", &version, &why) != UMX_OK)
            status = umx_fail(err, UMX_ERR_BACKUP_INVALID, path, "%s", umx_error_why(&why));
        else if (id != kind.application_id || version != kind.version)
            status = umx_fail(err, UMX_ERR_BACKUP_INVALID, path, "it is no backup of umx");
    }
    if (status != UMX_OK) {
        umx_backup_close(backup);
        return status;
    }
    *out = backup;
    return UMX_OK;
}

static int invalid(struct umx_backup *backup, const char *what, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_BACKUP_INVALID, what, "%s", sqlite3_errmsg(backup->db));
}

int umx_backup_said(struct umx_backup *backup, const char *name, struct umx_text *value, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int status = sqlite3_prepare_v2(backup->db, "SELECT value FROM about WHERE name = ?", -1, &row, NULL) == SQLITE_OK
                     ? UMX_OK
                     : invalid(backup, name, err);

    if (status == UMX_OK) {
        sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(row);
        const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(row, 0) : NULL;
        if (text != NULL)
            umx_text_add_valid(value, text, strlen(text));
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            status = invalid(backup, name, err);
    }
    sqlite3_finalize(row);
    return status;
}

int umx_backup_each(struct umx_backup *backup, int (*each)(void *user, const char *name, int mode), void *user,
                    struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;
    int count = 0;
    int status =
        sqlite3_prepare_v2(backup->db, "SELECT name, mode FROM file ORDER BY name", -1, &row, NULL) == SQLITE_OK
            ? UMX_OK
            : invalid(backup, "files", err);

    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(row, 0);
        if (!plain(name) || ++count > UMX_BACKUP_FILES_MAX)
            status = umx_fail(err, UMX_ERR_BACKUP_INVALID, name, "no name for a file of a backup");
        else
            status = each(user, name, sqlite3_column_int(row, 1) & 0700);
    }
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = invalid(backup, "files", err);
    sqlite3_finalize(row);
    return status;
}

static int write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

static int write_parts(struct umx_backup *backup, const char *name, int fd, EVP_MD_CTX *hash, int64_t *size,
                       struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;
    int status = sqlite3_prepare_v2(backup->db, "SELECT bytes FROM part WHERE name = ? ORDER BY number", -1, &row,
                                    NULL) == SQLITE_OK
                     ? UMX_OK
                     : invalid(backup, name, err);

    *size = 0;
    if (status == UMX_OK)
        sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        size_t length = (size_t)sqlite3_column_bytes(row, 0);
        const void *bytes = sqlite3_column_blob(row, 0);
        if (length == 0)
            continue;
        EVP_DigestUpdate(hash, bytes, length);
        *size += (int64_t)length;
        if (write_all(fd, bytes, length) != 0)
            status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, name, "%s", strerror(errno));
    }
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = invalid(backup, name, err);
    sqlite3_finalize(row);
    return status;
}

int umx_backup_write(struct umx_backup *backup, const char *name, int fd, struct umx_error *err)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    sqlite3_stmt *row = NULL;
    uint8_t sum[HASH];
    int64_t size = 0;
    int status = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1
                     ? UMX_OK
                     : umx_fail(err, UMX_ERR_MEMORY, name, NULL);

    if (status == UMX_OK)
        status = write_parts(backup, name, fd, hash, &size, err);
    if (status == UMX_OK && fsync(fd) != 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, name, "%s", strerror(errno));
    if (status == UMX_OK &&
        sqlite3_prepare_v2(backup->db, "SELECT size, sha256 FROM file WHERE name = ?", -1, &row, NULL) != SQLITE_OK)
        status = invalid(backup, name, err);
    if (status == UMX_OK) {
        EVP_DigestFinal_ex(hash, sum, NULL);
        sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
        if (sqlite3_step(row) != SQLITE_ROW || sqlite3_column_int64(row, 0) != size ||
            sqlite3_column_bytes(row, 1) != HASH || memcmp(sqlite3_column_blob(row, 1), sum, HASH) != 0)
            status = umx_fail(err, UMX_ERR_BACKUP_INVALID, name, "its bytes are not those that were backed up");
    }
    sqlite3_finalize(row);
    EVP_MD_CTX_free(hash);
    return status;
}

/* What state.db keeps beside records: digests of reports, issued agent identities and settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/state_internal.h"

static const char head_name[] = "journal.head";

int umx_state_put_digest(struct umx_state *state, const char *agent, const char *server, const char *table,
                         const uint8_t *digest, size_t length, struct umx_error *err)
{
    int status = UMX_OK;

    pthread_mutex_lock(&state->mutex);
    if (state->digest == NULL)
        status =
            umx_database_prepare(state->db, "INSERT OR REPLACE INTO _digest VALUES(?, ?, ?, ?)", &state->digest, err);
    if (status == UMX_OK) {
        sqlite3_bind_text(state->digest, 1, agent, -1, SQLITE_STATIC);
        sqlite3_bind_text(state->digest, 2, table, -1, SQLITE_STATIC);
        sqlite3_bind_text(state->digest, 3, server, -1, SQLITE_STATIC);
        sqlite3_bind_blob64(state->digest, 4, digest, length, SQLITE_STATIC);
        status = umx_database_finish(state->db, state->digest, err);
    }
    pthread_mutex_unlock(&state->mutex);
    return status;
}

int umx_state_drop_digests(struct umx_state *state, const char *server, struct umx_error *err)
{
    sqlite3_stmt *drop = NULL;

    pthread_mutex_lock(&state->mutex);
    int status = umx_database_prepare(state->db, "DELETE FROM _digest WHERE server = ?", &drop, err);
    if (status == UMX_OK) {
        sqlite3_bind_text(drop, 1, server, -1, SQLITE_STATIC);
        status = umx_database_finish(state->db, drop, err);
    }
    sqlite3_finalize(drop);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

int umx_state_each_digest(struct umx_state *state,
                          void (*each)(void *user, const char *agent, const char *table, const uint8_t *digest,
                                       size_t length),
                          void *user, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;

    pthread_mutex_lock(&state->mutex);
    int status = umx_database_prepare(state->db, "SELECT agent, name, digest FROM _digest", &row, err);
    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW)
        each(user, (const char *)sqlite3_column_text(row, 0), (const char *)sqlite3_column_text(row, 1),
             sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2));
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = umx_database_fail(state->db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

int umx_state_put_agent(struct umx_state *state, const struct umx_state_agent *agent, struct umx_error *err)
{
    sqlite3_stmt *put = NULL;

    pthread_mutex_lock(&state->mutex);
    int status =
        umx_database_prepare(state->db, "INSERT OR REPLACE INTO _identity VALUES(?, ?, ?, ?, ?, ?, ?)", &put, err);
    if (status == UMX_OK) {
        sqlite3_bind_text(put, 1, agent->agent, -1, SQLITE_STATIC);
        sqlite3_bind_text(put, 2, agent->server, -1, SQLITE_STATIC);
        sqlite3_bind_text(put, 3, agent->forest, -1, SQLITE_STATIC);
        sqlite3_bind_text(put, 4, agent->serial, -1, SQLITE_STATIC);
        sqlite3_bind_int64(put, 5, agent->issued_at);
        sqlite3_bind_int64(put, 6, agent->expires_at);
        sqlite3_bind_int64(put, 7, agent->revoked_at);
        status = umx_database_finish(state->db, put, err);
    }
    sqlite3_finalize(put);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

int umx_state_each_agent(struct umx_state *state, int (*each)(void *user, const struct umx_state_agent *agent),
                         void *user, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;

    pthread_mutex_lock(&state->mutex);
    int status = umx_database_prepare(
        state->db,
        "SELECT agent, server, forest, serial, issued_at, expires_at, revoked_at FROM _identity ORDER BY server", &row,
        err);
    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct umx_state_agent agent = {
            .agent = (const char *)sqlite3_column_text(row, 0),
            .server = (const char *)sqlite3_column_text(row, 1),
            .forest = (const char *)sqlite3_column_text(row, 2),
            .serial = (const char *)sqlite3_column_text(row, 3),
            .issued_at = sqlite3_column_int64(row, 4),
            .expires_at = sqlite3_column_int64(row, 5),
            .revoked_at = sqlite3_column_int64(row, 6),
        };
        status = each(user, &agent);
    }
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = umx_database_fail(state->db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

int umx_state_set(struct umx_state *state, const char *name, const char *value, struct umx_error *err)
{
    sqlite3_stmt *put = NULL;

    pthread_mutex_lock(&state->mutex);
    int status = umx_database_prepare(state->db,
                                      value != NULL ? "INSERT OR REPLACE INTO _setting VALUES(?, ?)"
                                                    : "DELETE FROM _setting WHERE name = ?",
                                      &put, err);
    if (status == UMX_OK) {
        sqlite3_bind_text(put, 1, name, -1, SQLITE_STATIC);
        if (value != NULL)
            sqlite3_bind_text(put, 2, value, -1, SQLITE_STATIC);
        status = umx_database_finish(state->db, put, err);
    }
    sqlite3_finalize(put);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

int umx_state_each_setting(struct umx_state *state, const char *prefix,
                           int (*each)(void *user, const char *name, const char *value), void *user,
                           struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;

    pthread_mutex_lock(&state->mutex);
    int status = umx_database_prepare(
        state->db, "SELECT name, value FROM _setting WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name", &row, err);
    if (status == UMX_OK)
        sqlite3_bind_text(row, 1, prefix, -1, SQLITE_STATIC);
    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW)
        status = each(user, (const char *)sqlite3_column_text(row, 0), (const char *)sqlite3_column_text(row, 1));
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = umx_database_fail(state->db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

int umx_state_get(struct umx_state *state, const char *name, char **value, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;

    *value = NULL;
    pthread_mutex_lock(&state->mutex);
    int status = umx_database_prepare(state->db, "SELECT value FROM _setting WHERE name = ?", &row, err);
    if (status == UMX_OK) {
        sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(row);
        if (rc == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(row, 0);
            *value = text != NULL ? strdup(text) : NULL;
            if (*value == NULL)
                status = umx_fail(err, UMX_ERR_MEMORY, name, NULL);
        } else if (rc != SQLITE_DONE) {
            status = umx_database_fail(state->db, rc, UMX_ERR_STORE_OPEN, err);
        }
    }
    sqlite3_finalize(row);
    pthread_mutex_unlock(&state->mutex);
    return status;
}

/* "SEQUENCE HASH" */
int umx_state_keep_head(struct umx_state *state, const struct umx_journal_head *head, struct umx_error *err)
{
    struct umx_text text = {0};

    umx_text_addf(&text, "%lld ", (long long)head->sequence);
    umx_text_add_hex(&text, head->hash, sizeof head->hash);
    int status = text.failed ? umx_fail(err, UMX_ERR_MEMORY, head_name, NULL)
                             : umx_state_set(state, head_name, umx_text_string(&text), err);
    umx_text_free(&text);
    return status;
}

int umx_state_kept_head(struct umx_state *state, struct umx_journal_head *head, struct umx_error *err)
{
    char *text;
    char *end;
    int status = umx_state_get(state, head_name, &text, err);

    *head = (struct umx_journal_head){0};
    if (status != UMX_OK || text == NULL)
        return status;
    head->sequence = strtoll(text, &end, 10);
    if (*end != ' ' || umx_text_from_hex(end + 1, head->hash, sizeof head->hash) != UMX_JOURNAL_HASH)
        status = umx_fail(err, UMX_ERR_STORE_CORRUPT, state->path, "%s is damaged", head_name);
    free(text);
    return status;
}

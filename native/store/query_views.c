#include "store/query_views.h"

#include <string.h>

#include "base/added.h"
#include "base/clock.h"
#include "store/state_table.h"

enum { ARGUMENTS = 4 }; /* number of the table, server, forest, collected_at */

static int64_t ask(sqlite3_context *context, sqlite3_value **values, bool *stale)
{
    const struct umx_query *query = sqlite3_user_data(context);
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    int64_t t = sqlite3_value_int64(values[0]);
    int64_t at = 0;

    *stale = false;
    if (query->confirmed == NULL || t < 0 || (size_t)t >= count)
        return 0;
    at = query->confirmed(query->user, &tables[t], (const char *)sqlite3_value_text(values[1]),
                          (const char *)sqlite3_value_text(values[2]), stale);
    return at;
}

static void age(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *collected = (const char *)sqlite3_value_text(values[3]);
    bool stale;
    int64_t at = ask(context, values, &stale);

    (void)count;
    if (at == 0 && (collected == NULL || umx_clock_parse(collected, &at) != 0)) {
        sqlite3_result_null(context);
        return;
    }
    int64_t now = umx_clock_now();
    sqlite3_result_int64(context, now > at ? (now - at) / UMX_SECOND : 0);
}

static void stale(sqlite3_context *context, int count, sqlite3_value **values)
{
    bool is;

    (void)count;
    ask(context, values, &is);
    sqlite3_result_int(context, is);
}

static int pick(sqlite3 *db, const struct umx_query *query, struct umx_error *err)
{
    sqlite3_stmt *insert = NULL;
    int status =
        umx_database_run(db, "CREATE TEMP TABLE " UMX_VIEW_PICKED "(server TEXT PRIMARY KEY COLLATE NOCASE)", err);

    if (status == UMX_OK)
        status = umx_database_prepare(db, "INSERT OR IGNORE INTO temp." UMX_VIEW_PICKED " VALUES(?)", &insert, err);
    for (size_t i = 0; status == UMX_OK && i < query->server_count; i++) {
        sqlite3_bind_text(insert, 1, query->servers[i], -1, SQLITE_STATIC);
        status = umx_database_finish(db, insert, err);
    }
    sqlite3_finalize(insert);
    return status;
}

int umx_query_views_begin(sqlite3 *db, const struct umx_query *query, struct umx_error *err)
{
    const int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS;
    void *user = (void *)(uintptr_t)query; /* only read */
    int rc = sqlite3_create_function_v2(db, UMX_VIEW_AGE, ARGUMENTS, flags, user, age, NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, UMX_VIEW_STALE, ARGUMENTS, flags, user, stale, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return umx_database_fail(db, rc, UMX_ERR_STORE_OPEN, err);
    return query->picked ? pick(db, query, err) : UMX_OK;
}

static bool has(const struct umx_table *table, const char *column)
{
    return protobuf_c_message_descriptor_get_field_by_name(table->record, column) != NULL;
}

/* The source is an identity of ours, quoted nevertheless. */
static void add_text(struct umx_text *sql, const char *text)
{
    umx_text_adds(sql, "'");
    for (; *text != '\0'; text++)
        umx_text_add(sql, *text == 0x27 ? "''" : text, *text == 0x27 ? 2 : 1);
    umx_text_adds(sql, "'");
}

void umx_query_views_add(struct umx_text *sql, const struct umx_query *query, const struct umx_table *table, size_t t,
                         bool own)
{
    struct umx_added_column added[UMX_ADDED_MAX];
    size_t count = umx_added_columns(table, added);
    char now[UMX_CLOCK_TEXT];

    umx_text_addf(sql, "CREATE TEMP VIEW %s AS SELECT ", table->name);
    umx_state_add_columns(sql, table);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(added[i].name, "collected_at") == 0)
            umx_text_addf(sql, ", '%s'", umx_clock_format(umx_clock_now(), now));
        else if (strcmp(added[i].name, "source") == 0) {
            umx_text_adds(sql, ", ");
            add_text(sql, query->source != NULL ? query->source : "");
        } else {
            umx_text_addf(sql, ", %s(%zu, %s, %s, %s)",
                          strcmp(added[i].name, "age") == 0 ? UMX_VIEW_AGE : UMX_VIEW_STALE, t,
                          has(table, "server") ? "server" : "NULL", has(table, "forest") ? "forest" : "NULL",
                          has(table, "collected_at") ? "collected_at" : "NULL");
        }
        umx_text_addf(sql, " AS %s", added[i].name);
    }
    umx_text_addf(sql, " FROM %s._%s", own ? "temp" : "main", table->name);
    if (query->picked && has(table, "server"))
        umx_text_adds(sql, " WHERE server COLLATE NOCASE IN (SELECT server FROM temp." UMX_VIEW_PICKED ")");
    umx_text_adds(sql, ";");
}

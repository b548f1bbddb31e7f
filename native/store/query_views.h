/* What a query sees: a view of each table, with the columns that are added to its record. For query.c. */
#ifndef UMX_STORE_QUERY_VIEWS_H
#define UMX_STORE_QUERY_VIEWS_H

#include "base/text.h"
#include "store/database.h"
#include "store/query.h"

/* The functions that the views use, and the table of picked servers. query must live as long as the connection. */
int umx_query_views_begin(sqlite3 *db, const struct umx_query *query, struct umx_error *err);
/* CREATE VIEW of table number t of umx_reflect_tables; own: its rows are in the connection's memory. */
void umx_query_views_add(struct umx_text *sql, const struct umx_query *query, const struct umx_table *table, size_t t,
                         bool own);

/* Names that only the views may use. */
#define UMX_VIEW_AGE "umx_age"
#define UMX_VIEW_STALE "umx_stale"
#define UMX_VIEW_PICKED "_picked"

#endif

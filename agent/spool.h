/*
 * What waits to be reported: the newest rows of each table, and where their sending stands. It lives in memory only: a
 * restarted agent collects again. A newer collection takes the place of one that was not sent.
 * Not thread-safe: the session's lock guards it.
 */
#ifndef UMX_AGENT_SPOOL_H
#define UMX_AGENT_SPOOL_H

#include "agent/collect/collect.h"

enum {
    UMX_SPOOL_CHUNK = 200 * 1024, /* packed rows in one message */
    UMX_SPOOL_CHUNKS_MAX = 1024,
    UMX_SPOOL_QUERIES_MAX = 64, /* that wait for one table; one more is refused */
};

/* Collects that a collection answers. */
struct umx_spool_queries {
    int64_t query[UMX_SPOOL_QUERIES_MAX];
    size_t count;
};

enum umx_spool_pending {
    UMX_SPOOL_NOTHING,
    UMX_SPOOL_DIGEST, /* say that nothing changed */
    UMX_SPOOL_ROWS,
    UMX_SPOOL_ERROR,
};

struct umx_spool_table {
    const struct umx_collector *collector;
    struct umx_rows rows;
    bool collected; /* rows and digest are there */
    uint8_t digest[UMX_DIGEST];
    int64_t generation;
    bool accepted; /* the controller has said that it holds this digest */
    enum umx_spool_pending pending;
    size_t *starts; /* first row of each chunk */
    size_t chunks;
    size_t chunk;                     /* next one to send */
    struct umx_spool_queries queries; /* not answered yet */
    char error[UMX_ERROR_WHY_MAX];
};

struct umx_spool {
    struct umx_spool_table *tables; /* one for each collector */
    size_t count;
};

int umx_spool_begin(struct umx_spool *spool, struct umx_error *err);
void umx_spool_end(struct umx_spool *spool);
struct umx_spool_table *umx_spool_find(struct umx_spool *spool, const char *table); /* NULL: none */

/* Takes the rows over (they are empty afterwards, also after an error). report: say so even when nothing changed.
 * queries: the Collects that asked, or NULL. True in *changed when the digest is another one. */
int umx_spool_put(struct umx_spool_table *table, struct umx_rows *rows, bool report,
                  const struct umx_spool_queries *queries, bool *changed, struct umx_error *err);
/* The table could not be collected: what is known stays. True when this is news. */
bool umx_spool_fail(struct umx_spool_table *table, const struct umx_error *why,
                    const struct umx_spool_queries *queries);
/* False: it is there already, or too many are. */
bool umx_spool_ask(struct umx_spool_queries *queries, int64_t query);
/* Nobody waits for it any more. */
void umx_spool_forget(struct umx_spool_queries *queries, int64_t query);

/* A new stream: every collected table is announced again, by digest where the controller had it. */
void umx_spool_attach(struct umx_spool *spool);
/* The controller's answer. */
void umx_spool_accepted(struct umx_spool *spool, const Umx__Accepted *accepted);

/* The next message packed into malloc'ed bytes, and the table it is of; NULL when nothing waits. Stays the next one
 * until umx_spool_sent. */
int umx_spool_next(struct umx_spool *spool, struct umx_spool_table **table, uint8_t **bytes, size_t *length,
                   struct umx_error *err);
void umx_spool_sent(struct umx_spool_table *table);

#endif

#include "agent/spool.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int umx_spool_begin(struct umx_spool *spool, struct umx_error *err)
{
    spool->tables = calloc(umx_collector_count, sizeof *spool->tables);
    if (spool->tables == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "spool", NULL);
    spool->count = umx_collector_count;
    for (size_t i = 0; i < spool->count; i++)
        spool->tables[i].collector = &umx_collectors[i];
    return 0;
}

void umx_spool_end(struct umx_spool *spool)
{
    for (size_t i = 0; i < spool->count; i++) {
        umx_rows_end(&spool->tables[i].rows);
        free(spool->tables[i].starts);
    }
    free(spool->tables);
    *spool = (struct umx_spool){0};
}

struct umx_spool_table *umx_spool_find(struct umx_spool *spool, const char *table)
{
    for (size_t i = 0; table != NULL && i < spool->count; i++)
        if (strcmp(spool->tables[i].collector->table, table) == 0)
            return &spool->tables[i];
    return NULL;
}

/* Where chunks begin, so that each stays below the maximum; at least one, for an empty table too. */
static int cut(const struct umx_collector *collector, const struct umx_rows *rows, size_t **starts, size_t *chunks,
               struct umx_error *err)
{
    size_t *list = calloc(UMX_SPOOL_CHUNKS_MAX, sizeof *list);
    size_t filled = 0;

    if (list == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, collector->table, NULL);
    *chunks = 1;
    for (size_t i = 0; i < rows->count; i++) {
        size_t size = protobuf_c_message_get_packed_size(rows->items[i]) + 8; /* tag and length before it */
        if (size > UMX_SPOOL_CHUNK) {
            free(list);
            return umx_fail(err, UMX_ERR_COLLECT_FAILED, collector->table, "row %zu has %zu bytes", i, size);
        }
        if (filled + size > UMX_SPOOL_CHUNK) {
            if (*chunks == UMX_SPOOL_CHUNKS_MAX) {
                free(list);
                return umx_fail(err, UMX_ERR_COLLECT_FAILED, collector->table, "more than %d chunks",
                                UMX_SPOOL_CHUNKS_MAX);
            }
            list[(*chunks)++] = i;
            filled = 0;
        }
        filled += size;
    }
    *starts = list;
    return 0;
}

bool umx_spool_ask(struct umx_spool_queries *queries, int64_t query)
{
    for (size_t i = 0; i < queries->count; i++)
        if (queries->query[i] == query)
            return false;
    if (queries->count == UMX_SPOOL_QUERIES_MAX)
        return false;
    queries->query[queries->count++] = query;
    return true;
}

void umx_spool_forget(struct umx_spool_queries *queries, int64_t query)
{
    for (size_t i = 0; i < queries->count; i++) {
        if (queries->query[i] != query)
            continue;
        queries->count--;
        memmove(queries->query + i, queries->query + i + 1, (queries->count - i) * sizeof *queries->query);
        return;
    }
}

/* True when somebody asked. */
static bool ask(struct umx_spool_table *table, const struct umx_spool_queries *queries)
{
    for (size_t i = 0; queries != NULL && i < queries->count; i++)
        umx_spool_ask(&table->queries, queries->query[i]);
    return queries != NULL && queries->count > 0;
}

static void announce(struct umx_spool_table *table)
{
    if (table->pending == UMX_SPOOL_ROWS && table->chunk > 0)
        return; /* its rows are on their way */
    table->pending = table->accepted ? UMX_SPOOL_DIGEST : UMX_SPOOL_ROWS;
    table->chunk = 0;
    table->generation++;
}

int umx_spool_put(struct umx_spool_table *table, struct umx_rows *rows, bool report,
                  const struct umx_spool_queries *queries, bool *changed, struct umx_error *err)
{
    uint8_t digest[UMX_DIGEST];
    size_t *starts = NULL;
    size_t chunks = 0;
    int status = umx_rows_digest(rows, digest, err);

    *changed = status == 0 && (!table->collected || memcmp(digest, table->digest, sizeof digest) != 0);
    if (status == 0 && *changed)
        status = cut(table->collector, rows, &starts, &chunks, err);
    if (status != 0 || !*changed) {
        umx_rows_end(rows);
        if (status != 0) {
            umx_spool_fail(table, err, queries);
            return status;
        }
        bool failed = table->error[0] != '\0';
        table->error[0] = '\0';
        if (ask(table, queries) || report || failed)
            announce(table);
        return 0;
    }
    umx_rows_end(&table->rows);
    free(table->starts);
    table->rows = *rows;
    *rows = (struct umx_rows){0};
    table->starts = starts;
    table->chunks = chunks;
    table->collected = true;
    table->accepted = false;
    memcpy(table->digest, digest, sizeof digest);
    table->error[0] = '\0';
    table->pending = UMX_SPOOL_NOTHING; /* what was being sent is no longer wanted */
    ask(table, queries);
    announce(table);
    return 0;
}

bool umx_spool_fail(struct umx_spool_table *table, const struct umx_error *why, const struct umx_spool_queries *queries)
{
    char text[UMX_ERROR_WHY_MAX];

    umx_error_format(why, text, sizeof text);
    bool same = strcmp(text, table->error) == 0;
    umx_text_copy(table->error, sizeof table->error, text);
    if (!ask(table, queries) && same)
        return false; /* said already */
    table->pending = UMX_SPOOL_ERROR;
    table->chunk = 0;
    table->generation++;
    return !same;
}

void umx_spool_attach(struct umx_spool *spool)
{
    for (size_t i = 0; i < spool->count; i++) {
        struct umx_spool_table *table = &spool->tables[i];
        table->pending = UMX_SPOOL_NOTHING;
        table->queries.count = 0; /* queries end with their stream */
        if (table->collected)
            announce(table);
    }
}

void umx_spool_accepted(struct umx_spool *spool, const Umx__Accepted *accepted)
{
    struct umx_spool_table *table = umx_spool_find(spool, accepted->table);

    if (table == NULL || !table->collected || accepted->generation != table->generation ||
        table->pending != UMX_SPOOL_NOTHING)
        return; /* an answer to something older */
    table->accepted = !accepted->resend;
    if (accepted->resend) {
        table->pending = UMX_SPOOL_ROWS;
        table->chunk = 0;
        table->generation++;
    }
}

/* The rows of one chunk as a part of a world: the array of its table points into ours. */
static void point(const struct umx_spool_table *table, Umx__World *world)
{
    const struct umx_table *row = umx_reflect_table(table->collector->table);
    size_t first = table->starts[table->chunk];
    size_t end = table->chunk + 1 < table->chunks ? table->starts[table->chunk + 1] : table->rows.count;
    size_t count = end - first;
    ProtobufCMessage **items = table->rows.items + first;

    if (row == NULL || count == 0)
        return;
    memcpy((char *)world + row->field->offset, &items, sizeof items);
    memcpy((char *)world + row->field->quantifier_offset, &count, sizeof count);
}

int umx_spool_next(struct umx_spool *spool, struct umx_spool_table **out, uint8_t **bytes, size_t *length,
                   struct umx_error *err)
{
    struct umx_spool_table *table = NULL;

    *out = NULL;
    /* A table that was begun is finished first: chunks of two tables may not mix. */
    for (size_t i = 0; i < spool->count; i++)
        if (spool->tables[i].pending == UMX_SPOOL_ROWS && spool->tables[i].chunk > 0)
            table = &spool->tables[i];
    for (size_t i = 0; table == NULL && i < spool->count; i++)
        if (spool->tables[i].pending != UMX_SPOOL_NOTHING)
            table = &spool->tables[i];
    if (table == NULL)
        return 0;
    Umx__World rows = UMX__WORLD__INIT;
    Umx__Report report = UMX__REPORT__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    char name[64];
    umx_text_copy(name, sizeof name, table->collector->table);
    report.table = name;
    report.has_generation = report.has_query = 1;
    report.generation = table->generation;
    report.query = table->queries.count > 0 ? table->queries.query[0] : 0;
    if (table->pending == UMX_SPOOL_ERROR) {
        report.error = table->error;
    } else {
        report.has_digest = report.has_unchanged = 1;
        report.digest = (ProtobufCBinaryData){.data = table->digest, .len = UMX_DIGEST};
        report.unchanged = table->pending == UMX_SPOOL_DIGEST;
    }
    if (table->pending == UMX_SPOOL_ROWS) {
        report.has_chunk = report.has_chunks = 1;
        report.chunk = (int32_t)table->chunk;
        report.chunks = (int32_t)table->chunks;
        report.rows = &rows;
        point(table, &rows);
    }
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_REPORT;
    message.report = &report;
    *out = table;
    return umx_reflect_pack(&message.base, bytes, length, err);
}

void umx_spool_sent(struct umx_spool_table *table)
{
    if (table->pending == UMX_SPOOL_ROWS && ++table->chunk < table->chunks)
        return;
    enum umx_spool_pending was = table->pending;
    table->pending = UMX_SPOOL_NOTHING;
    table->chunk = 0;
    if (table->queries.count == 0)
        return;
    umx_spool_forget(&table->queries, table->queries.query[0]);
    if (table->queries.count > 0) { /* the next one who asked gets an answer of its own */
        table->pending = was == UMX_SPOOL_ROWS ? UMX_SPOOL_DIGEST : was;
        table->generation++;
    }
}

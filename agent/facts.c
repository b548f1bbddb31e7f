#include "agent/facts.h"

#include "agent/collect/collect.h"
#include "base/log.h"

static int table(const struct umx_collector *collector, struct umx_host *host, struct umx_text *out,
                 struct umx_error *err)
{
    struct umx_collect collect = {.host = host};
    struct umx_rows rows;
    uint8_t digest[UMX_DIGEST];
    int status = umx_collect_table(collector, &collect, &rows, err);

    umx_text_addf(out, "\"%s\":", collector->table);
    if (status == 0)
        status = umx_rows_digest(&rows, digest, err); /* puts them in order */
    if (status != 0) {
        umx_text_adds(out, "null");
    } else {
        umx_text_adds(out, "[");
        for (size_t i = 0; i < rows.count; i++) {
            umx_text_adds(out, i == 0 ? "\n  " : ",\n  ");
            umx_reflect_json(rows.items[i], out);
        }
        umx_text_adds(out, rows.count > 0 ? "\n]" : "]");
    }
    umx_rows_end(&rows);
    return status;
}

int umx_agent_facts(struct umx_host *host, struct umx_text *out, struct umx_error *err)
{
    int status = 0;

    umx_text_adds(out, "{\n");
    for (size_t i = 0; i < umx_collector_count; i++) {
        struct umx_error why = {0};
        if (i > 0)
            umx_text_adds(out, ",\n");
        if (table(&umx_collectors[i], host, out, &why) == 0)
            continue;
        umx_log_error("facts", &why);
        *err = why;
        status = why.status;
    }
    umx_text_adds(out, "\n}\n");
    if (out->failed)
        status = umx_fail(err, UMX_ERR_MEMORY, "facts", NULL);
    return status;
}

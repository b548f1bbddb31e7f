#include "cli/csv.h"

#include "cli/value.h"

static void add_record(struct umx_text *line, const json_t *columns, const json_t *record)
{
    const char *key;
    json_t *unused;
    size_t n = 0;

    json_object_foreach((json_t *)(uintptr_t)columns, key, unused)
    {
        struct umx_text cell = {0};
        (void)unused;
        umx_value_add_exact(&cell, json_object_get(record, key));
        umx_text_adds(line, n++ > 0 ? "," : "");
        umx_text_add_csv(line, umx_text_string(&cell));
        line->failed = line->failed || cell.failed;
        umx_text_free(&cell);
    }
    umx_text_adds(line, "\r\n");
}

static json_t *columns_of(const json_t *records)
{
    json_t *columns = json_object();

    for (size_t i = 0; columns != NULL && i < json_array_size(records); i++) {
        const char *key;
        json_t *value;
        json_object_foreach(json_array_get(records, i), key, value) if (json_object_get(columns, key) == NULL)
            json_object_set_new(columns, key, json_true());
    }
    return columns;
}

int umx_csv_print(FILE *out, const json_t *records)
{
    json_t *columns = columns_of(records);
    struct umx_text line = {0};
    bool failed = columns == NULL;

    if (!failed && json_object_size(columns) > 0) {
        const char *key;
        json_t *value;
        size_t n = 0;
        json_object_foreach(columns, key, value)
        {
            umx_text_adds(&line, n++ > 0 ? "," : "");
            umx_text_add_csv(&line, key);
        }
        umx_text_adds(&line, "\r\n");
    }
    for (size_t i = 0; !failed && i < json_array_size(records); i++) {
        add_record(&line, columns, json_array_get(records, i));
        fwrite(umx_text_string(&line), 1, line.length, out);
        failed = line.failed;
        line.length = 0;
    }
    json_decref(columns);
    umx_text_free(&line);
    return failed ? -1 : 0;
}

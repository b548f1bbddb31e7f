/* What a hostile controller sends as an event: what is passed on is a record as umx.h promises it, one JSON object of
 * exactly kind, type and json; all else is an error with a reason, and no record. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void check(int kind, const umx_buf *record)
{
    static const char *const words[] = {"", "item", "progress", "verbose", "warning", "error", "end"};
    json_t *value = json_loadb((const char *)record->data, record->length, JSON_REJECT_DUPLICATES, NULL);

    must(json_object_size(value) == 3 && json_object_get(value, "json") != NULL);
    must(strcmp(json_string_value(json_object_get(value, "kind")), words[kind]) == 0);
    must(strlen(json_string_value(json_object_get(value, "type"))) > 0);
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct umx_client_session session = {.trust_path = NULL};
    struct umx_error err = {0};
    umx_buf record;
    int kind = umx_client_record_read(&session, data, size, &record, &err);

    must(kind <= UMX_REC_END && (kind > 0) == (record.data != NULL) && (kind < 0) == (err.id != 0));
    if (kind > 0)
        check(kind, &record);
    umx_buf_free(&record);
    return 0;
}

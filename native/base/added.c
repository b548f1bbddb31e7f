#include "base/added.h"

size_t umx_added_columns(const struct umx_table *table, struct umx_added_column out[UMX_ADDED_MAX])
{
    static const struct umx_added_column columns[UMX_ADDED_MAX] = {
        {"collected_at", "TEXT", "When it was worked out."},
        {"source", "TEXT", "Who says so."},
        {"age", "INTEGER",
         "Seconds since the source last said this, or said that nothing of it has changed; `collected_at` is when it "
         "last changed."},
        {"stale", "INTEGER",
         "1 when it may no longer be so: the agent is not connected, could not collect it, or has missed two reports; "
         "the forest could not be read. Else 0."},
    };
    size_t count = 0;

    for (size_t i = 0; i < UMX_ADDED_MAX; i++)
        if (protobuf_c_message_descriptor_get_field_by_name(table->record, columns[i].name) == NULL)
            out[count++] = columns[i];
    return count;
}

#include <string.h>

#include "base/reflect_field.h"
#include "base/world.h"

/* What says where a record is from: no reader of a forest and no stream of an agent leaves it out. */
static const char *const places[] = {"forest", "dn", "server"};

/* But for what the directory itself may not say: a server without a TCP address, a group that is not there. */
static const struct {
    const char *table, *field;
} optional[] = {{"exchange_server", "server"}, {"admin_group", "dn"}};

static bool may_lack(const struct umx_table *table, const char *field)
{
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
        if (strcmp(optional[i].table, table->name) == 0 && strcmp(optional[i].field, field) == 0)
            return true;
    return false;
}

static int check_table(const Umx__World *records, const struct umx_table *table, struct umx_error *err)
{
    size_t count;
    ProtobufCMessage **all = umx_world_table(records, table, &count);

    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(table->record, places[p]);
        if (field == NULL || may_lack(table, places[p]))
            continue;
        for (size_t i = 0; i < count; i++)
            if (umx_field_count(all[i], field) == 0)
                return umx_fail(err, UMX_ERR_MESSAGE_INVALID, "world", "a record of table %s has no %s", table->name,
                                places[p]);
    }
    return UMX_OK;
}

int umx_world_check_places(const Umx__World *records, struct umx_error *err)
{
    size_t tables;
    const struct umx_table *table = umx_reflect_tables(&tables);
    int status = UMX_OK;

    for (size_t t = 0; status == UMX_OK && t < tables && !table[t].derived; t++)
        status = check_table(records, &table[t], err);
    return status;
}

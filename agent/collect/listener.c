#include "agent/collect/collect.h"

int umx_collect_listener(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_host_listener *list = NULL;
    size_t count = 0;
    int status = umx_host_listeners(collect->host, collect->scratch, &list, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++) {
        Umx__Listener *row = umx_rows_add(collect->rows, &umx__listener__descriptor);
        if (row == NULL)
            break;
        row->server = umx_rows_text(collect->rows, collect->host->identity.fqdn);
        row->protocol = umx_rows_text(collect->rows, list[i].protocol);
        row->address = umx_rows_text(collect->rows, list[i].address);
        row->has_port = 1;
        row->port = list[i].port;
        row->has_process_id = list[i].process_id != 0;
        row->process_id = list[i].process_id;
        row->process = umx_rows_text(collect->rows, list[i].process);
    }
    return status;
}

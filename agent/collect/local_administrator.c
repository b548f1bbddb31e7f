#include "agent/collect/collect.h"

int umx_collect_local_administrator(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_host_administrator *list = NULL;
    size_t count = 0;
    int status = umx_host_administrators(collect->host, collect->scratch, &list, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++) {
        Umx__LocalAdministrator *row = umx_rows_add(collect->rows, &umx__local_administrator__descriptor);
        if (row == NULL)
            break;
        row->server = umx_rows_text(collect->rows, collect->host->identity.fqdn);
        row->sid = umx_rows_text(collect->rows, list[i].sid);
        row->name = umx_rows_text(collect->rows, list[i].name);
    }
    return status;
}

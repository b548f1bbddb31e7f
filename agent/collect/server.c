#include "agent/collect/setup.h"

int umx_collect_server(struct umx_collect *collect, struct umx_error *err)
{
    const struct umx_host_identity *identity = &collect->host->identity;
    struct umx_setup setup;
    int status = umx_setup_read(collect, &setup, err);

    if (status != 0)
        return status;
    Umx__Server *row = umx_rows_add(collect->rows, &umx__server__descriptor);
    if (row == NULL)
        return 0;
    row->server = umx_rows_text(collect->rows, identity->fqdn);
    row->forest = umx_rows_text(collect->rows, identity->forest);
    row->os = umx_rows_text(collect->rows, identity->os);
    row->has_product = 1;
    row->product = setup.product;
    row->install_path = umx_rows_text(collect->rows, setup.install_path);
    if (setup.has_version) {
        row->version = umx_arena_format(collect->rows->arena, "%d.%d.%d", setup.major, setup.minor, setup.build);
        row->has_version_major = row->has_version_minor = row->has_version_build = 1;
        row->version_major = setup.major;
        row->version_minor = setup.minor;
        row->version_build = setup.build;
    }
    row->has_started_at = identity->started_at != 0;
    row->started_at = identity->started_at;
    row->has_recorded = 1;
    row->recorded = identity->recorded;
    row->has_shell = 1;
    row->shell = umx_host_has_shell(collect->host);
    return 0;
}

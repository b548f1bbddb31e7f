#include <string.h>

#include "agent/collect/setup.h"

/* Complete as V1A.6 and V1A.7 have it: unpacked and configured are the same version, and no Action or Watermark is
 * left over from an interrupted setup. */
static Umx__Role__State state_of(const Umx__Role *row)
{
    bool same = row->configured_version != NULL && row->unpacked_version != NULL &&
                strcmp(row->configured_version, row->unpacked_version) == 0;

    return same && row->action == NULL && row->watermark == NULL ? UMX__ROLE__STATE__COMPLETE
                                                                 : UMX__ROLE__STATE__UNFINISHED;
}

int umx_collect_role(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_setup setup;
    int status = umx_setup_read(collect, &setup, err);

    if (status != 0 || setup.roles == NULL)
        return status;
    for (const char *const *role = umx_setup_roles; *role != NULL; role++) {
        const char *path = umx_arena_format(collect->scratch, "%s\\%s", setup.roles, *role);
        const struct umx_registry_key *key = path != NULL ? umx_registry_find(&setup.registry, path) : NULL;
        if (key == NULL)
            continue;
        Umx__Role *row = umx_rows_add(collect->rows, &umx__role__descriptor);
        if (row == NULL)
            break;
        row->server = umx_rows_text(collect->rows, collect->host->identity.fqdn);
        row->role = umx_rows_text(collect->rows, *role);
        row->configured_version = umx_rows_text(collect->rows, umx_registry_text(key, "ConfiguredVersion"));
        row->unpacked_version = umx_rows_text(collect->rows, umx_registry_text(key, "UnpackedVersion"));
        row->action = umx_rows_text(collect->rows, umx_registry_any(&setup.registry, key, "Action"));
        row->watermark = umx_rows_text(collect->rows, umx_registry_any(&setup.registry, key, "Watermark"));
        row->has_state = 1;
        row->state = state_of(row);
    }
    return 0;
}

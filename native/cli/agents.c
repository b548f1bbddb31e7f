#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    struct umx_output_column columns[] = {{"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                          {"server", "SERVER", 0},
                                          {"forest", "FOREST", 0},
                                          {"version", "VERSION", 0},
                                          {"last_report_at", "LAST REPORT", UMX_GRID_FIXED},
                                          {"reason", "REASON", 0}};
    const json_t *agents = umx_document_array(document, "agents");
    json_t *sorted = json_array();
    size_t reasons = 0;

    /* Those that are missing first. */
    for (int connected = 0; connected < 2; connected++)
        for (size_t i = 0; i < json_array_size(agents); i++)
            if ((strcmp(umx_value_string(json_array_get(agents, i), "state"), "connected") == 0) == connected)
                json_array_append(sorted, json_array_get(agents, i));
    for (size_t i = 0; i < json_array_size(sorted); i++)
        reasons += umx_value_string(json_array_get(sorted, i), "reason")[0] != '\0';
    if (json_array_size(sorted) == 0)
        fputs("no agents; `umxd issue agent FQDN` makes the first\n", cli->out);
    /* Without reasons their column would only break the names. */
    if (reasons == 0)
        columns[1].flags = UMX_GRID_FIXED;
    umx_output_records(cli, sorted, columns, reasons > 0 ? 6 : 5);
    json_decref(sorted);
}

UMX_COMMAND(agents)
{
    (void)args;
    return umx_output_call(cli, "agents", NULL, view, err);
}

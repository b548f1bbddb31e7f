/* Operations on updates of the agents: agents.update, .status, .pause, .resume, .stop. */
#include "base/clock.h"
#include "controller/operations.h"
#include "controller/updates.h"

int umx_operation_agents_update(struct umx_operation *operation, struct umx_error *err)
{
    char *id = NULL;
    int status =
        umx_updates_begin(operation->controller->updates, (const Umx__AgentsUpdateArguments *)operation->arguments,
                          operation->caller->uri, operation->arena, &id, err);

    if (status == 0)
        umx_operation_end_string(operation, "update", id);
    return status;
}

int umx_operation_agents_update_status(struct umx_operation *operation, struct umx_error *err)
{
    struct umx_updates_view view;
    char at[UMX_CLOCK_TEXT];
    int status = umx_updates_view(operation->controller->updates, operation->arena, &view, err);

    for (size_t i = 0; status == 0 && i < view.count; i++)
        status = umx_operation_item(operation, "servers", &view.servers[i]->base, err);
    if (status != 0)
        return status;
    umx_operation_end_string(operation, "state", view.state);
    if (view.id == NULL)
        return 0;
    umx_operation_end_string(operation, "update", view.id);
    umx_operation_end_string(operation, "version", view.version);
    umx_operation_end_string(operation, "package", view.sha256);
    umx_operation_end_string(operation, "author", view.author);
    umx_operation_end_string(operation, "begun_at", umx_clock_format(view.begun_at, at));
    umx_operation_end_integer(operation, "wave", view.wave);
    umx_operation_end_integer(operation, "waves", view.waves);
    umx_operation_end_string(operation, "reason", view.reason);
    return 0;
}

static int decide(struct umx_operation *operation, Umx__FleetUpdate__Event event, const char *word,
                  struct umx_error *err)
{
    int status = umx_updates_decide(operation->controller->updates, event, operation->caller->uri, err);

    if (status == 0)
        umx_operation_end_string(operation, "state", word);
    return status;
}

int umx_operation_agents_update_pause(struct umx_operation *operation, struct umx_error *err)
{
    return decide(operation, UMX__FLEET_UPDATE__EVENT__PAUSED, "paused", err);
}

int umx_operation_agents_update_resume(struct umx_operation *operation, struct umx_error *err)
{
    return decide(operation, UMX__FLEET_UPDATE__EVENT__RESUMED, "running", err);
}

int umx_operation_agents_update_stop(struct umx_operation *operation, struct umx_error *err)
{
    return decide(operation, UMX__FLEET_UPDATE__EVENT__STOPPED, "stopped", err);
}

/* Operations about whoever asks: whoami. */
#include "base/clock.h"
#include "controller/access.h"
#include "controller/operations.h"

int umx_operation_whoami(struct umx_operation *operation, struct umx_error *err)
{
    static const char *const words[] = {"viewer", "operator", "auditor"};
    const struct umx_identity *caller = operation->caller;
    struct umx_access_person person;
    struct umx_text held = {0};
    char end[UMX_CLOCK_TEXT];
    int status = umx_access_describe(operation->controller, caller, &person, err);

    if (status != 0)
        return status;
    umx_text_adds(&held, "[");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (person.roles[i])
            umx_text_addf(&held, "%s\"%s\"", held.length > 1 ? "," : "", words[i]);
    umx_text_adds(&held, "]");
    umx_operation_end_string(operation, "identity", caller->uri);
    umx_operation_end_string(operation, "name", person.name);
    umx_operation_end_string(operation, "principal", person.principal[0] != '\0' ? person.principal : NULL);
    umx_operation_end_string(operation, "forest", caller->forest);
    umx_operation_end_json(operation, "roles", umx_text_string(&held));
    umx_operation_end_string(operation, "expires_at", umx_clock_format(caller->not_after_at, end));
    umx_text_free(&held);
    return 0;
}

/* Actions of the service's own account: reading with the shell, restarting a service. */
#include <inttypes.h>
#include <stdio.h>

#include "agent/action/action.h"
#include "agent/collect/shell_script.h"
#include "base/clock.h"

/* ---- shell-read: one of the fixed read-only commands, its records as JSON */

static void record_json(const struct umx_shell_record *record, struct umx_text *out)
{
    umx_text_adds(out, "[");
    for (size_t i = 0; i < record->count; i++) {
        umx_text_adds(out, i > 0 ? ",[" : "[");
        umx_reflect_json_string(out, record->fields[i].name);
        umx_text_adds(out, ",");
        umx_reflect_json_string(out, record->fields[i].value);
        umx_text_adds(out, "]");
    }
    umx_text_adds(out, "]");
}

static int shell_read(struct umx_act *act, const char *item, const char *before, struct umx_text *detail,
                      struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_COLLECT_ARENA);
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    (void)before; /* and the fixed texts have their own deadline */
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, item, NULL);
    int status = umx_shell_read(act->host, arena, item, &records, &count, err);
    umx_text_adds(detail, "[");
    for (size_t i = 0; status == 0 && i < count; i++) {
        umx_text_adds(detail, i > 0 ? "," : "");
        record_json(&records[i], detail);
        if (detail->length > UMX_ACTION_DETAIL_MAX)
            status = umx_fail(err, UMX_ERR_SHELL_OUTPUT_INVALID, item, "the answer is larger than %d bytes",
                              UMX_ACTION_DETAIL_MAX);
    }
    umx_text_adds(detail, "]");
    umx_arena_free(arena);
    return status;
}

/* ---- restart-service */

/* Only what the deployment's phases restart: an agent is no general remote control. */
static const char *const restartable[] = {"MSExchangeUM", "MSExchangeUMCR", "RTCSRV", "RTCMEDSRV"};

static int find_service(struct umx_host *host, const char *name, struct umx_host_service *out, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_COLLECT_ARENA);
    struct umx_host_service *list = NULL;
    size_t count = 0;

    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    int status = umx_host_services(host, arena, &list, &count, err);
    if (status == 0) {
        status = UMX_E_NOT_FOUND;
        for (size_t i = 0; i < count && status != 0; i++) {
            if (!umx_text_equal(list[i].name, name))
                continue;
            *out = list[i]; /* numbers only are used: the texts go with the arena */
            status = 0;
        }
        if (status != 0)
            status = umx_fail(err, UMX_ERR_SERVICE_UNKNOWN, name, NULL);
    }
    umx_arena_free(arena);
    return status;
}

static bool restartable_service(const char *name)
{
    for (size_t i = 0; i < sizeof restartable / sizeof *restartable; i++)
        if (umx_text_equal(restartable[i], name))
            return true;
    return false;
}

int umx_restart_before(struct umx_host *host, const char *service, struct umx_text *before, struct umx_error *err)
{
    struct umx_host_service found;
    int status = find_service(host, service, &found, err);

    if (status == 0 && found.state == UMX__SERVICE__STATE__RUNNING && found.started_at == 0)
        umx_text_adds(before, "not known");
    else if (status == 0)
        umx_text_addf(before, "%" PRId64, found.started_at); /* 0: there is no process */
    return status;
}

int umx_restart_say(struct umx_host *host, const char *service, struct umx_text *detail, struct umx_error *err)
{
    struct umx_host_service found;
    char at[UMX_CLOCK_TEXT];
    int status = find_service(host, service, &found, err);

    if (status == 0 && found.started_at == 0)
        umx_text_adds(detail, "restarted; since when it runs is not known");
    else if (status == 0)
        umx_text_addf(detail, "running since %s%s", umx_clock_format(found.started_at, at),
                      host->identity.recorded ? " (recorded host: only its services.json was changed)" : "");
    return status;
}

/* The process is younger than the one that the intent saw. */
enum umx_action_probe umx_restart_probe(struct umx_host *host, const char *service, const char *before,
                                        struct umx_text *detail)
{
    struct umx_host_service found;
    int64_t then = 0;

    if (sscanf(before, "%" SCNd64, &then) != 1 || find_service(host, service, &found, NULL) != 0)
        return UMX_ACTION_UNCERTAIN;
    if (found.state == UMX__SERVICE__STATE__RUNNING && found.started_at == 0)
        return UMX_ACTION_UNCERTAIN;
    if (found.state != UMX__SERVICE__STATE__RUNNING || found.started_at <= then)
        return UMX_ACTION_NOT_DONE;
    umx_text_adds(detail, "was done before the agent was interrupted");
    return UMX_ACTION_DONE;
}

static int restart_check(struct umx_act *act, const char *item, struct umx_error *err)
{
    (void)act;
    return restartable_service(item)
               ? 0
               : umx_fail(err, UMX_ERR_ACTION_UNKNOWN, item, "this service is not one that umx restarts");
}

static int restart_before(struct umx_act *act, const char *item, struct umx_text *before, struct umx_error *err)
{
    return umx_restart_before(act->host, item, before, err);
}

static enum umx_action_probe restart_probe(struct umx_act *act, const char *item, const char *before,
                                           struct umx_text *detail)
{
    return umx_restart_probe(act->host, item, before, detail);
}

static int restart(struct umx_act *act, const char *item, const char *before, struct umx_text *detail,
                   struct umx_error *err)
{
    (void)before;
    int status = umx_host_restart(act->host, item, act->timeout, err);
    return status != 0 ? status : umx_restart_say(act->host, item, detail, err);
}

const struct umx_action umx_machine_actions[] = {
    {.name = "shell-read", .product = UMX__SERVER__PRODUCT__NONE, .run = shell_read},
    {.name = "restart-service",
     .identity = "machine",
     .product = UMX__SERVER__PRODUCT__NONE,
     .writes = true,
     .tables = "service",
     .check = restart_check,
     .before = restart_before,
     .probe = restart_probe,
     .run = restart},
};
const size_t umx_machine_action_count = sizeof umx_machine_actions / sizeof *umx_machine_actions;

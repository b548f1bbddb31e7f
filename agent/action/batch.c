#include <inttypes.h>
#include <string.h>

#include "agent/action/action.h"
#include "agent/collect/shell_script.h"
#include "base/clock.h"
#include "base/log.h"

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

static int shell_read(struct umx_host *host, const char *item, int64_t timeout, struct umx_text *detail,
                      struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_COLLECT_ARENA);
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    (void)timeout; /* the fixed texts have their own deadline */
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, item, NULL);
    int status = umx_shell_read(host, arena, item, &records, &count, err);
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

static int restart_before(struct umx_host *host, const char *item, struct umx_text *before, struct umx_error *err)
{
    struct umx_host_service service;
    bool allowed = false;

    for (size_t i = 0; i < sizeof restartable / sizeof *restartable; i++)
        allowed = allowed || umx_text_equal(restartable[i], item);
    if (!allowed)
        return umx_fail(err, UMX_ERR_ACTION_UNKNOWN, item, "this service is not one that umx restarts");
    int status = find_service(host, item, &service, err);
    if (status == 0)
        umx_text_addf(before, "%" PRId64, service.started_at);
    return status;
}

/* The process is younger than the one that the intent saw. */
static enum umx_action_probe restart_probe(struct umx_host *host, const char *item, const char *before)
{
    struct umx_host_service service;
    int64_t then = 0;

    if (sscanf(before, "%" SCNd64, &then) != 1 || find_service(host, item, &service, NULL) != 0)
        return UMX_ACTION_UNCERTAIN;
    if (service.state == UMX__SERVICE__STATE__RUNNING && service.started_at > then)
        return UMX_ACTION_DONE;
    return UMX_ACTION_NOT_DONE;
}

static int restart(struct umx_host *host, const char *item, int64_t timeout, struct umx_text *detail,
                   struct umx_error *err)
{
    struct umx_host_service service;
    char at[UMX_CLOCK_TEXT];
    int status = umx_host_restart(host, item, timeout, err);

    if (status == 0)
        status = find_service(host, item, &service, err);
    if (status == 0)
        umx_text_addf(detail, "running since %s%s", umx_clock_format(service.started_at, at),
                      host->identity.recorded ? " (recorded host: only its services.json was changed)" : "");
    return status;
}

const struct umx_action umx_actions[] = {
    {.name = "shell-read", .run = shell_read},
    {.name = "restart-service", .writes = true, .before = restart_before, .probe = restart_probe, .run = restart},
};
const size_t umx_action_count = sizeof umx_actions / sizeof *umx_actions;

/* ---- a batch */

static int attempt(struct umx_host *host, struct umx_action_journal *journal, const struct umx_action *action,
                   const char *batch, int number, const char *item, int64_t timeout, struct umx_text *detail,
                   struct umx_error *err)
{
    struct umx_text before = {0};
    int status = action->before(host, item, &before, err);

    if (status == 0)
        status =
            umx_action_journal_add(journal, UMX_ACTION_JOURNAL_INTENT, batch, number, umx_text_string(&before), err);
    umx_text_free(&before);
    return status != 0 ? status : action->run(host, item, timeout, detail, err);
}

/* An item that the journal knows is answered from it, or decided by its probe. When only asked nothing is done. */
static int write_item(struct umx_host *host, struct umx_action_journal *journal, const struct umx_action *action,
                      const char *batch, int number, const char *item, int64_t timeout, bool ask, bool *not_done,
                      struct umx_text *detail, struct umx_error *err)
{
    char text[UMX_ERROR_WHY_MAX];
    int status = 0;

    *not_done = false;
    if (journal == NULL)
        return umx_fail(err, UMX_ERR_ACTION_JOURNAL, item, NULL);
    const struct umx_action_journal_entry *known = umx_action_journal_find(journal, batch, number);
    if (known != NULL && known->state != UMX_ACTION_JOURNAL_INTENT) {
        umx_text_adds(detail, known->text);
        return known->state == UMX_ACTION_JOURNAL_DONE
                   ? 0
                   : umx_fail(err, UMX_ERR_SERVICE_RESTART, item, "%s", known->text);
    }
    enum umx_action_probe probe = known != NULL ? action->probe(host, item, known->text) : UMX_ACTION_NOT_DONE;
    if (probe == UMX_ACTION_UNCERTAIN)
        return umx_fail(err, UMX_ERR_SERVICE_RESTART, item, "it was begun before, and cannot be probed now");
    if (ask && probe == UMX_ACTION_NOT_DONE) {
        *not_done = true;
        return umx_fail(err, UMX_ERR_ACTION_FAILED, item, "asked about only: it is not done");
    }
    if (probe == UMX_ACTION_DONE)
        umx_text_adds(detail, "was done before the agent was interrupted");
    else
        status = attempt(host, journal, action, batch, number, item, timeout, detail, err);
    if (status != 0 && umx_action_journal_find(journal, batch, number) == NULL)
        return status; /* nothing was begun: it may be asked again */
    umx_text_copy(text, sizeof text, status == 0 ? umx_text_string(detail) : err->why);
    struct umx_error why = {0};
    if (umx_action_journal_add(journal, status == 0 ? UMX_ACTION_JOURNAL_DONE : UMX_ACTION_JOURNAL_FAILED, batch,
                               number, text, &why) != 0)
        umx_log_error("action", &why);
    return status;
}

static const struct umx_action *find_action(const char *name)
{
    for (size_t i = 0; name != NULL && i < umx_action_count; i++)
        if (strcmp(umx_actions[i].name, name) == 0)
            return &umx_actions[i];
    return NULL;
}

/* The batch's id goes into the journal's lines. */
static bool usable_id(const char *batch)
{
    size_t length = batch != NULL ? strlen(batch) : 0;

    return length > 0 && length < UMX_ACTION_JOURNAL_BATCH_MAX && strpbrk(batch, "\t\r\n") == NULL;
}

void umx_action_batch(struct umx_host *host, struct umx_action_journal *journal, const Umx__ActionBatch *batch,
                      umx_action_answer *answer, void *user)
{
    const struct umx_action *action = find_action(batch->action);
    int64_t timeout = (batch->timeout > 0 ? batch->timeout : UMX_ACTION_TIMEOUT) * UMX_SECOND;
    const char *id = usable_id(batch->batch) ? batch->batch : "?";
    size_t count = batch->n_item;

    for (size_t i = 0; i < count; i++) {
        Umx__ActionResult result = UMX__ACTION_RESULT__INIT;
        struct umx_text detail = {0};
        struct umx_error err = {0};
        char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 64];
        bool not_done = false;
        int status;
        if (!usable_id(batch->batch))
            status = umx_fail(&err, UMX_ERR_ACTION_UNKNOWN, "batch", "it has no usable id");
        else if (action == NULL)
            status = umx_fail(&err, UMX_ERR_ACTION_UNKNOWN, batch->action != NULL ? batch->action : "", NULL);
        else if (count > UMX_ACTION_ITEMS_MAX)
            status = umx_fail(&err, UMX_ERR_ACTION_UNKNOWN, batch->batch, "more than %d items", UMX_ACTION_ITEMS_MAX);
        else if (action->writes)
            status = write_item(host, journal, action, batch->batch, (int)i, batch->item[i], timeout, batch->ask,
                                &not_done, &detail, &err);
        else if (batch->ask) {
            not_done = true; /* it changes nothing: whoever wants to know runs it again */
            status = umx_fail(&err, UMX_ERR_ACTION_FAILED, batch->item[i], "asked about only: it is not done");
        } else
            status = action->run(host, batch->item[i], timeout, &detail, &err);
        if (status == 0 && detail.failed)
            status = umx_fail(&err, UMX_ERR_MEMORY, batch->batch, NULL);
        result.batch = batch->batch;
        result.has_item = result.has_ok = result.has_last = 1;
        result.item = (int32_t)i;
        result.ok = status == 0;
        result.has_not_done = not_done;
        result.not_done = not_done;
        result.last = i + 1 == count;
        umx_error_format(&err, text, sizeof text);
        result.detail = status == 0 ? detail.data : text;
        umx_log(status == 0 ? UMX_LOG_INFO : UMX_LOG_WARNING, "action", "batch %s: %s %s: %s", id,
                batch->action != NULL ? batch->action : "?", batch->item[i], status == 0 ? "done" : text);
        answer(user, &result);
        umx_text_free(&detail);
    }
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/action/action.h"
#include "agent/collect/setup.h"
#include "agent/host/shell.h"
#include "base/action_limit.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"

enum { LOGGED_MAX = 160 }; /* bytes of an item in the log */

static const struct {
    const struct umx_action *actions;
    const size_t *count;
} tables[] = {
    {umx_machine_actions, &umx_machine_action_count},
    {umx_exchange_actions, &umx_exchange_action_count},
    {umx_certificate_actions, &umx_certificate_action_count},
    {umx_mailbox_actions, &umx_mailbox_action_count},
    {umx_lync_actions, &umx_lync_action_count},
    {umx_lync_user_actions, &umx_lync_user_action_count},
};

const struct umx_action *umx_action_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof tables / sizeof *tables; i++)
        for (size_t j = 0; j < *tables[i].count; j++)
            if (strcmp(tables[i].actions[j].name, name) == 0)
                return &tables[i].actions[j];
    return NULL;
}

/* ---- the journal's words for a failure: its id, a space and the reason */

static int fail_as_before(const char *item, const char *text, struct umx_error *err)
{
    char *end = NULL;
    long id = strtol(text, &end, 10);

    if (end == text || *end != ' ' || umx_error_text((int)id)->id != id)
        return umx_fail(err, UMX_ERR_SERVICE_RESTART, item, "%s", text); /* written by an older agent */
    return umx_fail(err, (enum umx_error_id)id, item, "%s", end + 1);
}

static void remember(struct umx_action_journal *journal, const char *batch, int number, int status,
                     const struct umx_text *detail, const struct umx_error *why)
{
    struct umx_text failure = {0};
    struct umx_error err = {0};

    if (status != 0)
        umx_text_addf(&failure, "%d %s", why->id, umx_error_why(why));
    if (umx_action_journal_add(journal, status == 0 ? UMX_ACTION_JOURNAL_DONE : UMX_ACTION_JOURNAL_FAILED, batch,
                               number, umx_text_string(status == 0 ? detail : &failure), &err) != 0)
        umx_log_error("action", &err);
    umx_text_free(&failure);
}

/* ---- an item */

/* What an item's work is told and answers. */
struct item {
    struct umx_act *act;
    struct umx_action_journal *journal;
    const char *batch;
    int number;
    const char *text;
    bool ask;
    bool not_done;
    struct umx_text detail;
    struct umx_error err;
};

/* What errors name: an item of a cmdlet is too long for that. */
static const char *about(const struct item *item)
{
    return item->act->action->cmdlet != NULL ? item->act->action->name : item->text;
}

static int attempt(struct item *item, bool *begun)
{
    const struct umx_action *action = item->act->action;
    struct umx_text before = {0};
    int status = action->check != NULL ? action->check(item->act, item->text, &item->err) : 0;

    if (status == 0)
        status = action->before(item->act, item->text, &before, &item->err);
    umx_crash_point(UMX_CRASH_AGENT_INTENT_BEFORE, item->batch);
    if (status == 0)
        status = umx_action_journal_add(item->journal, UMX_ACTION_JOURNAL_INTENT, item->batch, item->number,
                                        umx_text_string(&before), &item->err);
    *begun = status == 0;
    umx_crash_point(UMX_CRASH_AGENT_ACT_BEFORE, item->batch);
    if (status == 0)
        status = action->run(item->act, item->text, umx_text_string(&before), &item->detail, &item->err);
    umx_crash_point(UMX_CRASH_AGENT_ACT_AFTER, item->batch);
    umx_text_free(&before);
    return status;
}

/* It was begun: its probe decides. */
static int settle(struct item *item, const char *before, enum umx_action_probe *probe)
{
    char *copy = strdup(before); /* the journal's own text may move */

    *probe = UMX_ACTION_UNCERTAIN;
    if (copy == NULL)
        return umx_fail(&item->err, UMX_ERR_MEMORY, about(item), NULL);
    *probe = item->act->action->probe(item->act, item->text, copy, &item->detail);
    free(copy);
    if (*probe == UMX_ACTION_UNCERTAIN)
        return umx_fail(&item->err, UMX_ERR_ACTION_UNCERTAIN, about(item), NULL);
    return *probe == UMX_ACTION_PART ? umx_fail(&item->err, UMX_ERR_ACTION_HALF_DONE, about(item), "missing: %s",
                                                umx_text_string(&item->detail))
                                     : 0;
}

/* Begun, and neither done nor not done, or cut off by the agent's end: it may be asked again. */
static bool undecided(const struct item *item)
{
    return item->err.id == UMX_ERR_ACTION_UNCERTAIN || item->err.id == UMX_ERR_ACTION_HALF_DONE ||
           item->err.id == UMX_ERR_CANCELLED;
}

/* An item that the journal knows is answered from it, or decided by its probe. When only asked nothing is done. */
static int write_item(struct item *item)
{
    enum umx_action_probe probe = UMX_ACTION_NOT_DONE;
    bool begun = false;
    int status = 0;

    if (item->journal == NULL)
        return umx_fail(&item->err, UMX_ERR_ACTION_JOURNAL, about(item), NULL);
    const struct umx_action_journal_entry *known = umx_action_journal_find(item->journal, item->batch, item->number);
    if (known != NULL && known->state == UMX_ACTION_JOURNAL_DONE) {
        umx_text_adds(&item->detail, known->text);
        return 0;
    }
    if (known != NULL && known->state == UMX_ACTION_JOURNAL_FAILED)
        return fail_as_before(about(item), known->text, &item->err);
    if (known != NULL && (status = settle(item, known->text, &probe)) != 0)
        return status;
    if (probe == UMX_ACTION_NOT_DONE && item->ask) {
        item->not_done = true;
        return umx_fail(&item->err, UMX_ERR_ACTION_FAILED, about(item), "asked about only: it is not done");
    }
    if (probe == UMX_ACTION_NOT_DONE)
        status = attempt(item, &begun);
    else
        begun = true;
    /* Nothing was begun: it may be asked again. Nobody knows: the probe may be asked again. */
    if (begun && !(status != 0 && undecided(item)))
        remember(item->journal, item->batch, item->number, status, &item->detail, &item->err);
    return status;
}

static int do_item(struct item *item)
{
    if (item->act->action->writes)
        return write_item(item);
    if (item->ask) {
        item->not_done = true; /* it changes nothing: whoever wants to know runs it again */
        return umx_fail(&item->err, UMX_ERR_ACTION_FAILED, about(item), "asked about only: it is not done");
    }
    return item->act->action->run(item->act, item->text, "", &item->detail, &item->err);
}

/* ---- a batch */

/* The batch's id goes into the journal's lines. */
static bool usable_id(const char *batch)
{
    size_t length = batch != NULL ? strlen(batch) : 0;

    return length > 0 && length < UMX_ACTION_JOURNAL_BATCH_MAX && strpbrk(batch, "\t\r\n") == NULL;
}

static int product_of(struct umx_host *host, Umx__Server__Product *product, struct umx_error *err)
{
    struct umx_collect collect = {.host = host, .scratch = umx_arena_new(UMX_COLLECT_ARENA)};
    struct umx_setup setup = {.product = UMX__SERVER__PRODUCT__NONE};

    if (collect.scratch == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "product", NULL);
    int status = umx_setup_read(&collect, &setup, err);
    *product = setup.product;
    umx_arena_free(collect.scratch);
    return status;
}

/* Whether the batch may be run here at all. */
static int admit(struct umx_host *host, const Umx__ActionBatch *batch, const struct umx_action *action,
                 struct umx_error *err)
{
    Umx__Server__Product product = UMX__SERVER__PRODUCT__NONE;

    if (!usable_id(batch->batch))
        return umx_fail(err, UMX_ERR_ACTION_UNKNOWN, "batch", "it has no usable id");
    if (action == NULL)
        return umx_fail(err, UMX_ERR_ACTION_UNKNOWN, batch->action != NULL ? batch->action : "", NULL);
    if (batch->n_item > UMX_ACTION_ITEMS_MAX)
        return umx_fail(err, UMX_ERR_ACTION_UNKNOWN, batch->batch, "more than %d items", UMX_ACTION_ITEMS_MAX);
    if (action->identity != NULL && batch->identity != NULL && strcmp(action->identity, batch->identity) != 0)
        return umx_fail(err, UMX_ERR_ACTION_NOT_HERE, action->name, "it runs as `%s`, not as `%s`", action->identity,
                        batch->identity);
    if (action->product == UMX__SERVER__PRODUCT__NONE)
        return 0;
    int status = product_of(host, &product, err);
    if (status == 0 && product != action->product)
        status = umx_fail(err, UMX_ERR_ACTION_NOT_HERE, action->name, "%s has not the product of this action",
                          host->identity.fqdn);
    return status;
}

void umx_action_batch(struct umx_host *host, struct umx_action_journal *journal, const Umx__ActionBatch *batch,
                      umx_action_answer *answer, void *user)
{
    struct umx_act act = {.host = host,
                          .action = umx_action_find(batch->action),
                          .timeout = (batch->timeout > 0 ? batch->timeout : UMX_ACTION_TIMEOUT) * UMX_SECOND};
    struct umx_error refused = {0};
    int admitted = admit(host, batch, act.action, &refused);

    act.timeout = umx_action_limit(batch->action, act.timeout);
    for (size_t i = 0; i < batch->n_item; i++) {
        Umx__ActionResult result = UMX__ACTION_RESULT__INIT;
        struct item item = {.act = &act,
                            .journal = journal,
                            .batch = batch->batch,
                            .number = (int)i,
                            .text = batch->item[i],
                            .ask = batch->ask,
                            .err = refused};
        char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 256];
        int status = admitted != 0 ? admitted : do_item(&item);
        if (status != 0 && umx_host_shell_stopped(host->stop, NULL) != 0) {
            umx_text_free(&item.detail);
            break; /* cut off, no failure: the controller asks again, and the journal decides what was done */
        }
        if (status == 0 && item.detail.failed)
            status = umx_fail(&item.err, UMX_ERR_MEMORY, batch->batch, NULL);
        result.batch = batch->batch;
        result.has_item = result.has_ok = result.has_last = 1;
        result.item = (int32_t)i;
        result.ok = status == 0;
        result.has_not_done = item.not_done;
        result.not_done = item.not_done;
        result.has_uncertain = result.uncertain = status != 0 && undecided(&item);
        result.last = i + 1 == batch->n_item;
        umx_error_format(&item.err, text, sizeof text);
        result.detail = status == 0 ? item.detail.data : text;
        umx_log(status == 0 ? UMX_LOG_INFO : UMX_LOG_WARNING, "action", "batch %s: %s %.*s: %s",
                usable_id(batch->batch) ? batch->batch : "?", batch->action != NULL ? batch->action : "?", LOGGED_MAX,
                batch->item[i], status == 0 ? "done" : text);
        umx_crash_point(UMX_CRASH_AGENT_ANSWER_BEFORE, batch->batch);
        answer(user, &result);
        umx_crash_point(UMX_CRASH_AGENT_ANSWER_AFTER, batch->batch);
        umx_text_free(&item.detail);
    }
    umx_host_shell_close(act.shell);
}

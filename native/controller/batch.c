#include "controller/batch.h"

#include <string.h>

#include "base/action_limit.h"

bool umx_batch_fill(struct umx_batch *batch, const char *plan_hash, const Umx__PlanStep *step, int attempt,
                    const char *results, struct umx_arena *arena)
{
    const Umx__ActionChange *action = step->change->action;
    Umx__ActionBatch *message = &batch->message;
    uint8_t *states = umx_arena_alloc(arena, action->n_item + 1);
    size_t bytes = 0;

    *batch = (struct umx_batch){UMX__ACTION_BATCH__INIT, NULL};
    message->batch = umx_arena_format(arena, "%.32s-%s-%d", plan_hash, step->id, attempt);
    message->item = umx_arena_alloc(arena, UMX_BATCH_ITEMS_MAX * sizeof(char *));
    batch->place = umx_arena_alloc(arena, UMX_BATCH_ITEMS_MAX * sizeof *batch->place);
    if (states == NULL || message->batch == NULL || message->item == NULL || batch->place == NULL)
        return false;
    message->action = action->action;
    message->identity = action->identity;
    umx_results_states(results, states, action->n_item);
    for (size_t i = 0; i < action->n_item && message->n_item < UMX_BATCH_ITEMS_MAX; i++) {
        if (states[i] != UMX_ITEM_OPEN)
            continue;
        bytes += strlen(action->item[i]);
        if (bytes > UMX_BATCH_BYTES_MAX && message->n_item > 0)
            break;
        batch->place[message->n_item] = i;
        message->item[message->n_item++] = action->item[i];
    }
    return true;
}

static const char *results_json(Umx__ActionResult *const *results, const struct umx_batch *batch,
                                struct umx_arena *arena)
{
    struct umx_text text = {0};
    size_t written = 0;

    umx_text_adds(&text, "[");
    for (size_t i = 0; i < batch->message.n_item; i++) {
        if (!results[i]->ok && (results[i]->not_done || results[i]->uncertain))
            continue;
        Umx__ActionResult result = *results[i];
        result.has_item = 1;
        result.item = (int32_t)batch->place[i];
        umx_text_adds(&text, written++ > 0 ? "," : "");
        umx_reflect_json(&result.base, &text);
    }
    umx_text_adds(&text, "]");
    const char *json = text.failed ? NULL : umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return json;
}

int umx_batch_send(struct umx_engine *engine, const char *server, const struct umx_batch *batch,
                   struct umx_arena *arena, struct umx_batch_result *out, struct umx_error *err)
{
    Umx__ActionResult **results = NULL;
    size_t count = 0;

    memset(err, 0, sizeof *err);
    memset(out, 0, sizeof *out);
    if (engine->ports.act == NULL)
        return umx_fail(err, UMX_ERR_OPERATION_UNKNOWN, server, "this controller has no agents");
    int64_t deadline = umx_action_deadline(batch->message.action, batch->message.n_item, engine->options.act_deadline);
    int status = engine->ports.act(engine->ports.user, server, &batch->message, deadline, arena, &results, &count, err);
    if (status != 0)
        return status;
    if (count < batch->message.n_item)
        return umx_fail(err, UMX_ERR_PROTOCOL, server, "%zu results for %zu items", count, batch->message.n_item);
    for (size_t i = 0; i < batch->message.n_item; i++) {
        out->good += results[i]->ok ? 1 : 0;
        out->not_done += !results[i]->ok && results[i]->not_done ? 1 : 0;
        if (results[i]->ok || results[i]->not_done || !results[i]->uncertain)
            continue;
        if (out->uncertain++ == 0)
            out->undecided = results[i]->detail != NULL && results[i]->detail[0] != '\0' ? results[i]->detail
                                                                                         : "nothing there tells";
    }
    out->results = results;
    out->failed = batch->message.n_item - out->good - out->not_done - out->uncertain;
    out->json = results_json(results, batch, arena);
    return out->json == NULL ? umx_fail(err, UMX_ERR_ARENA_FULL, server, NULL) : 0;
}

#include "controller/batch.h"

#include <string.h>

enum { PROBLEMS_SHOWN = 10 };

void umx_batch_fill(Umx__ActionBatch *batch, const char *plan_hash, const Umx__PlanStep *step, int attempt,
                    struct umx_arena *arena)
{
    const Umx__ActionChange *action = step->change->action;

    batch->batch = umx_arena_format(arena, "%.32s-%s-%d", plan_hash, step->id, attempt);
    batch->action = action->action;
    batch->identity = action->identity;
    batch->n_item = action->n_item;
    batch->item = action->item;
}

static const char *results_json(Umx__ActionResult *const *results, size_t count, struct umx_arena *arena)
{
    struct umx_text text = {0};

    umx_text_adds(&text, "[");
    for (size_t i = 0; i < count; i++) {
        umx_text_adds(&text, i > 0 ? "," : "");
        umx_reflect_json(&results[i]->base, &text);
    }
    umx_text_adds(&text, "]");
    const char *json = text.failed ? NULL : umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return json;
}

int umx_batch_send(struct umx_engine *engine, const char *server, const Umx__ActionBatch *batch,
                   struct umx_arena *arena, struct umx_batch_result *out, struct umx_error *err)
{
    Umx__ActionResult **results = NULL;
    size_t count = 0;
    struct umx_text problems = {0};

    memset(err, 0, sizeof *err);
    if (engine->ports.act == NULL)
        return umx_fail(err, UMX_ERR_AGENT_UNKNOWN, server, "this controller has no agents");
    int status = engine->ports.act(engine->ports.user, server, batch, engine->options.act_deadline, arena, &results,
                                   &count, err);
    if (status != 0)
        return status;
    if (count < batch->n_item)
        return umx_fail(err, UMX_ERR_PROTOCOL, server, "%zu results for %zu items", count, batch->n_item);
    for (size_t i = 0; i < count; i++) {
        if (results[i]->ok) {
            out->good++;
            continue;
        }
        out->not_done += results[i]->not_done ? 1 : 0;
        if (out->failed++ < PROBLEMS_SHOWN) {
            umx_text_addf(&problems, "%sitem %d: %s", out->failed > 1 ? "; " : "", (int)results[i]->item,
                          results[i]->detail != NULL ? results[i]->detail : "no reason given");
        }
    }
    if (out->failed > PROBLEMS_SHOWN)
        umx_text_addf(&problems, "; and %zu more", out->failed - PROBLEMS_SHOWN);
    out->json = results_json(results, count, arena);
    out->problems = umx_arena_string(arena, umx_text_string(&problems));
    umx_text_free(&problems);
    return out->json == NULL || out->problems == NULL ? umx_fail(err, UMX_ERR_ARENA_FULL, server, NULL) : 0;
}

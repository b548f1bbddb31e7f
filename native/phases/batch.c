#include "phases/batch.h"

#include <string.h>

#include "base/text.h"
#include "phases/people.h"

enum { NAMES_MAX = 3 };

static int newer(const Umx__Server *a, const Umx__Server *b)
{
    const int32_t parts[3][2] = {{a->version_major, b->version_major},
                                 {a->version_minor, b->version_minor},
                                 {a->version_build, b->version_build}};

    for (int i = 0; i < 3; i++)
        if (parts[i][0] != parts[i][1])
            return parts[i][0] > parts[i][1] ? 1 : -1;
    /* Of equals the first by name: the same world gives the same plan. */
    return strcmp(umx_or_empty(a->server), umx_or_empty(b->server)) < 0 ? 1 : -1;
}

const char *umx_agent_of(const Umx__World *world, const char *forest, Umx__Server__Product product)
{
    const Umx__Server *best = NULL;

    for (size_t i = 0; i < world->n_server; i++) {
        const Umx__Server *server = world->server[i];
        if (!server->has_product || server->product != product || server->server == NULL)
            continue;
        const Umx__Agent *agent = umx_find_agent(world, server->server);
        if (agent == NULL || !umx_text_equal(agent->state, "connected") ||
            !umx_text_equal(agent->forest != NULL ? agent->forest : server->forest, forest))
            continue;
        if (best == NULL || newer(server, best) > 0)
            best = server;
    }
    return best != NULL ? best->server : NULL;
}

const char *umx_quote(struct umx_steps *out, const char *value)
{
    struct umx_text text = {0};

    umx_text_adds(&text, "'");
    for (const char *p = umx_or_empty(value); *p != '\0'; p++)
        umx_text_add(&text, *p == '\'' ? "''" : p, *p == '\'' ? 2 : 1);
    umx_text_adds(&text, "'");
    const char *copy = umx_steps_copy(out, umx_text_string(&text));
    if (text.failed)
        out->failed = 1;
    umx_text_free(&text);
    return copy != NULL ? copy : "";
}

/* Says of the step that is full, or the last one, what it does to how many. */
static void finish(struct umx_batch *batch)
{
    Umx__PlanStep *step = batch->step;

    if (step == NULL)
        return;
    step->summary = umx_steps_copy(
        batch->out,
        umx_steps_say(batch->out, "%s: %s%s%s", batch->verb, umx_text_string(batch->names),
                      batch->items > NAMES_MAX ? umx_steps_say(batch->out, " and %zu more", batch->items - NAMES_MAX)
                                               : "",
                      batch->server == NULL ? " (by hand, then confirm)" : ""));
    step->undo = umx_steps_copy(batch->out, batch->undo);
    if (batch->names->failed)
        batch->out->failed = 1;
    batch->step = NULL;
}

static bool remember(struct umx_batch *batch, const char *id)
{
    size_t count = batch->id_count;

    if ((count & (count - 1)) == 0) {
        const char **made = umx_arena_alloc(batch->out->arena, (count == 0 ? 1 : count * 2) * sizeof *made);
        if (made == NULL)
            return false;
        if (count > 0)
            memcpy(made, batch->ids, count * sizeof *made);
        batch->ids = made;
    }
    batch->ids[batch->id_count++] = id;
    return true;
}

static Umx__PlanStep *begin(struct umx_batch *batch)
{
    Umx__PlanStep *step;

    if (batch->server != NULL) {
        step =
            umx_step_action(batch->out, batch->slug, batch->side, batch->forest, batch->server, batch->action, "shell");
        if (step != NULL)
            step->change->action->undo_action = umx_steps_copy(batch->out, batch->undo_action);
    } else {
        step = umx_step_gate(
            batch->out, batch->slug, batch->side, batch->forest, batch->forest,
            umx_steps_say(batch->out,
                          "no agent is connected on a server of %s that has the shell: run the commands by "
                          "hand",
                          batch->forest));
    }
    if (step == NULL || !remember(batch, step->id)) {
        batch->out->failed = 1;
        return NULL;
    }
    if (batch->groups != NULL)
        step->groups = umx_steps_copy(batch->out, batch->groups);
    for (size_t i = 0; i < batch->depend_count; i++)
        umx_steps_push(batch->out, &step->depends, &step->n_depends, batch->depends[i]);
    batch->items = 0;
    batch->names->length = 0;
    if (batch->names->data != NULL)
        batch->names->data[0] = '\0';
    return step;
}

Umx__PlanStep *umx_batch_next(struct umx_batch *batch, const char *name)
{
    if (batch->step != NULL && batch->items == UMX_BATCH_MAX)
        finish(batch);
    if (batch->step == NULL)
        batch->step = begin(batch);
    if (batch->step != NULL && batch->items++ < NAMES_MAX)
        umx_text_addf(batch->names, "%s%s", batch->items > 1 ? ", " : "", name);
    return batch->step;
}

void umx_batch_item(struct umx_batch *batch, const char *item, const char *undo, const char *command)
{
    if (batch->step == NULL)
        return;
    if (batch->server != NULL)
        umx_step_item(batch->out, batch->step, item, undo);
    else
        umx_step_command(batch->out, batch->step, command);
}

void umx_batch_end(struct umx_batch *batch)
{
    finish(batch);
    umx_text_free(batch->names);
}

#include "phases/batch.h"

#include <string.h>

#include "base/text.h"
#include "phases/people.h"

enum { NAMES_MAX = 3 };

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
    const char *reason = umx_steps_say(
        batch->out, "no agent is connected on a server of %s that has the shell: run the commands by hand",
        batch->forest);
    Umx__PlanStep *step = umx_step_cmdlet(batch->out, batch->slug, batch->side, batch->forest, batch->server,
                                          batch->action, reason, NULL);

    if (step != NULL && batch->server != NULL)
        step->change->action->undo_action = umx_steps_copy(batch->out, batch->undo_action);
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

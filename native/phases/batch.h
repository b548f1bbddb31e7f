/*
 * Cmdlets for many people: steps of at most UMX_BATCH_MAX items each, run by an agent where one is connected, else
 * gates with the same commands written out and the same promises.
 */
#ifndef UMX_PHASES_BATCH_H
#define UMX_PHASES_BATCH_H

#include "phases/build.h"
#include "phases/shell.h"

enum { UMX_BATCH_MAX = 100 };

struct umx_batch {
    struct umx_steps *out;
    const Umx__World *world;
    const char *slug;
    Umx__Forest__Side side;
    const char *forest;
    const char *server; /* NULL: gates */
    const char *action;
    const char *undo_action; /* NULL: nothing takes it back */
    const char *verb;        /* "enable for UM" */
    const char *undo;        /* the step's text of undo */
    const char *groups;      /* resolved; NULL: the phase's */
    const char *const *depends;
    size_t depend_count;
    Umx__PlanStep *step; /* the one that is being filled */
    size_t items;
    struct umx_text *names; /* of the step's people, the first few */
    const char **ids;       /* of all steps, in the arena */
    size_t id_count;
};

/* The step that takes the next item; it is counted. NULL: out->failed. */
Umx__PlanStep *umx_batch_next(struct umx_batch *batch, const char *name);
/* Writes the item (an action) or the command (a gate) into it. */
void umx_batch_item(struct umx_batch *batch, const char *item, const char *undo, const char *command);
void umx_batch_end(struct umx_batch *batch);

#endif

/*
 * The inverse of what was done, one value, one access entry, one object at a time: what undo is made of.
 */
#ifndef UMX_CONTROLLER_INVERSE_H
#define UMX_CONTROLLER_INVERSE_H

#include "controller/engine_private.h"

/* An object as it is now, with the inverse steps planned so far already applied to it. */
struct umx_known_object {
    const char *forest;
    const char *dn;
    Umx__ObjectState *state;
};

struct umx_inverse {
    struct umx_engine *engine;
    struct umx_plan_state *original;
    struct umx_arena *arena;
    struct umx_known_object *objects;
    size_t object_count;
    size_t object_capacity;
    Umx__PlanStep **steps;
    size_t step_count;
    size_t step_capacity;
    char **notes;
    size_t note_count;
    size_t note_capacity;
    struct umx_text foreign; /* a line for each foreign change of what would be undone */
    size_t foreign_count;
    struct umx_error *err;
};

/* Adds the steps that undo one step of the original, or a note, or lines to `foreign`. The engine's mutex is not held;
 * the original is claimed, so its states do not move. */
int umx_inverse_add(struct umx_inverse *inverse, const struct umx_step_state *done);

/* After all inverse steps: restarts that the original did after something that is undone now are done again, in their
 * order, with the waits around them (spec 1.14: a service reads what it has when it starts). wanted tells which steps
 * of the original are to be undone. */
int umx_inverse_restarts(struct umx_inverse *inverse, bool (*wanted)(void *user, const Umx__PlanStep *step),
                         void *user);

/* All of it: the steps that undo what was done of the original after a phase (NULL or "": all of it), newest first,
 * then the restarts. FOREIGN_CHANGE with the lines of `foreign`, NOTHING_TO_UNDO when there is no step. undo.c */
int umx_inverse_plan(struct umx_inverse *inverse, const char *to_phase);

#endif

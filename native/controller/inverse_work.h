/* What the files of the inverse share: inverse.c, and one file for each kind of change. */
#ifndef UMX_CONTROLLER_INVERSE_WORK_H
#define UMX_CONTROLLER_INVERSE_WORK_H

#include "controller/inverse.h"

int umx_inverse_full(struct umx_inverse *inv);
void *umx_inverse_grown(struct umx_arena *arena, const void *items, size_t count, size_t *capacity, size_t size);
int umx_inverse_note(struct umx_inverse *inv, const struct umx_step_state *done, const char *why);
void umx_inverse_foreign(struct umx_inverse *inv, const struct umx_step_state *done, const char *what,
                         const char *expected, const char *found);
/* A step with its id, names and images that depends on nothing yet. NULL: the arena is full. */
Umx__PlanStep *umx_inverse_bare(struct umx_inverse *inv, const struct umx_step_state *done, Umx__Change__Kind kind,
                                const char *verb);
/* The same, after the inverses of what came after `done`. NULL: the arena is full. */
Umx__PlanStep *umx_inverse_step(struct umx_inverse *inv, const struct umx_step_state *done, Umx__Change__Kind kind,
                                const char *verb);

int umx_undo_modify(struct umx_inverse *inv, const struct umx_step_state *done);
int umx_undo_add(struct umx_inverse *inv, const struct umx_step_state *done);
int umx_undo_delete(struct umx_inverse *inv, const struct umx_step_state *done);
int umx_undo_access(struct umx_inverse *inv, const struct umx_step_state *done);
int umx_undo_action(struct umx_inverse *inv, const struct umx_step_state *done);
int umx_undo_by_hand(struct umx_inverse *inv, const struct umx_step_state *done);

#endif

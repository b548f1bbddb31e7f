/*
 * Drift: a phase that was seen done and no longer is, with what differs and since when. What was seen lasts in state.db.
 */
#ifndef UMX_CONTROLLER_DRIFT_H
#define UMX_CONTROLLER_DRIFT_H

#include "controller/controller.h"
#include "phases/phases.h"

/* Keeps what a reading shows: phases that are done, with their findings, and the time since when others no longer are.
 * What the reading cannot tell changes nothing. */
int umx_drift_note(struct umx_controller *controller, const Umx__World *world, struct umx_error *err);
/* Adds to a phase's state (from these findings of a world) what is known of the time before: done_at, and `drifted`
 * with what differs. Texts live in the arena. */
int umx_drift_apply(struct umx_controller *controller, const Umx__World *world, const struct umx_findings *findings,
                    Umx__PhaseState *state, struct umx_arena *arena, struct umx_error *err);
/* The phases were taken back on purpose. */
int umx_drift_forget(struct umx_controller *controller, const Umx__Plan *undo, struct umx_error *err);

#endif

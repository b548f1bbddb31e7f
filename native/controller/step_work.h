/*
 * What the files of one kind of step each share: step_directory.c, step_action.c, step_wait.c, and steps.c with the
 * table of kinds. The engine's mutex is held wherever a function here is entered and left.
 */
#ifndef UMX_CONTROLLER_STEP_WORK_H
#define UMX_CONTROLLER_STEP_WORK_H

#include "controller/engine_private.h"

struct umx_work {
    struct umx_engine *engine;
    struct umx_plan_state *plan;
    struct umx_step_state *state;
    const char *id;
    struct umx_pin *pin;
    struct umx_arena *arena;
    Umx__PlanStep *step; /* resolved copy; its promise still has its references */
    bool undo;
    struct umx_error *err;
};

void umx_work_unlock(struct umx_work *w);
void umx_work_lock(struct umx_work *w);

/* ---- recording. When the journal cannot be written nothing more may start. */

enum umx_step_result umx_work_recorded(int status);
enum umx_step_result umx_work_fail(struct umx_work *w, const struct umx_error *why);
/* Frees the lines. */
enum umx_step_result umx_work_fail_lines(struct umx_work *w, enum umx_error_id id, struct umx_text *lines);
enum umx_step_result umx_work_verified(struct umx_work *w);
int umx_work_effect(struct umx_work *w, const ProtobufCBinaryData *guid, const char *detail);
int umx_work_settled(struct umx_work *w, Umx__Intent__Outcome outcome, const Umx__ObjectState *state);

/* ---- holding: the step stays as it is and is looked at again after a pause that grows; the lane does others meanwhile
 */

void umx_work_hold(struct umx_work *w);
/* The agent of a server is not there: holds, and after the engine's deadline suspends with AGENT_AWAY. */
enum umx_step_result umx_work_away(struct umx_work *w, const char *server, const char *why);

/* ---- promises: step_promise.c */

/* A change that is made: holds until what the step promises is there, or fails it with the differences. */
enum umx_step_result umx_work_verify_promise(struct umx_work *w);
/* Is what the step promises true now? Differences, and what could not be seen, go to lines. */
int umx_work_look(struct umx_work *w, bool *kept, struct umx_text *lines);

/* ---- one kind each */

enum umx_step_result umx_work_run_directory(struct umx_work *w);
int umx_work_settle_directory(struct umx_work *w, bool writer);
enum umx_step_result umx_work_run_action(struct umx_work *w);
int umx_work_settle_action(struct umx_work *w, bool writer);
enum umx_step_result umx_work_run_gate(struct umx_work *w);
enum umx_step_result umx_work_run_wait(struct umx_work *w);

#endif

/*
 * How the phases build steps that are no directory writes (actions of an agent, gates, waits), their promises, the
 * refusal of bad input rows, and proposals of rows. Everything lives in the arena of the result; out->failed is set
 * when it is full, and the functions then return NULL or do nothing.
 */
#ifndef UMX_PHASES_BUILD_H
#define UMX_PHASES_BUILD_H

#include "phases/phase.h"

/* A step whose groups are the phase's for that side. summary is a format for umx_steps_say. */
Umx__PlanStep *umx_step_action(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                               const char *server, const char *action, const char *identity);
Umx__PlanStep *umx_step_gate(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                             const char *target, const char *reason);
Umx__PlanStep *umx_step_wait(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                             const char *what, const char *server, int32_t timeout);

/* ---- directory writes */

/* A step on one object: its name is the target. guid is copied; NULL when the object is not there yet. */
Umx__PlanStep *umx_step_write(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                              Umx__Change__Kind kind, const char *dn, const ProtobufCBinaryData *guid);
/* `CN=name,parent`, escaped. */
const char *umx_step_child_dn(struct umx_steps *out, const char *name, const char *parent);
/* add: one more value of an attribute, in the order of the calls. */
void umx_step_attribute(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *value);
/* modify: the one value of an attribute, compare-and-set. old NULL: it is absent now; value NULL: it goes. */
void umx_step_replace(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *old,
                      const char *value);
/* modify: values beside others that do not matter. linked: a DN link, which has no version. */
void umx_step_add_value(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *value,
                        bool linked);
void umx_step_remove_value(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *value,
                           bool linked);

/* ---- actions, gates, promises */

/* An item of an action: a JSON object of strings from name, value, ..., NULL. A value may be a reference @step.field.
 * Values that are NULL are left out. */
const char *umx_item(struct umx_steps *out, ...) __attribute__((sentinel));
/* Appends the item and what takes it back (NULL: nothing does). */
void umx_step_item(struct umx_steps *out, Umx__PlanStep *step, const char *item, const char *undo);
void umx_step_command(struct umx_steps *out, Umx__PlanStep *gate, const char *command);
void umx_step_gate_check(struct umx_steps *out, Umx__PlanStep *gate, const char *check);

/* A cmdlet: an action of the agent on `server` or, where none has the shell (NULL), a gate for `reason` with the
 * command (NULL: commands follow). Its target is the forest's server or the forest; who knows better says so. */
Umx__PlanStep *umx_step_cmdlet(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                               const char *server, const char *action, const char *reason, const char *command);
/* What such a step does; item and its undo are left out of a gate. */
void umx_step_cmdlet_end(struct umx_steps *out, Umx__PlanStep *step, const char *summary, const char *item,
                         const char *undo_action, const char *undo_item, const char *undo);

/* The step promises the record (copied): key and fields that are set. What the world has of it now becomes the step's
 * `original`. */
void umx_step_promise(struct umx_steps *out, Umx__PlanStep *step, const Umx__World *world,
                      const ProtobufCMessage *record);
/* The same for those who have the record as it is now at hand (NULL: there is none), which nothing then looks for. */
void umx_step_promise_known(struct umx_steps *out, Umx__PlanStep *step, const ProtobufCMessage *now,
                            const ProtobufCMessage *record);
/* The step takes the record away; its key is enough. */
void umx_step_remove(struct umx_steps *out, Umx__PlanStep *step, const Umx__World *world,
                     const ProtobufCMessage *record);

/* A row of the input cannot be carried out; the fold then refuses the plan and names all such rows. */
void umx_steps_reject(struct umx_steps *out, const char *table, int32_t row, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Appends a copy of a proposed row. */
void umx_propose_dial_plan(struct umx_proposal *out, const Umx__InputDialPlan *row);
void umx_propose_auto_attendant(struct umx_proposal *out, const Umx__InputAutoAttendant *row);
/* A user who is proposed already gets the columns that are still empty. */
void umx_propose_user(struct umx_proposal *out, const Umx__InputUser *row);
void umx_propose_contact(struct umx_proposal *out, const Umx__InputContact *row);

#endif

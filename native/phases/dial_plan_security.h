/* Phase 4 between its files: checks (dial_plan_security_check.c) and steps (dial_plan_security_plan.c). */
#ifndef UMX_PHASES_DIAL_PLAN_SECURITY_H
#define UMX_PHASES_DIAL_PLAN_SECURITY_H

#include "phases/dial_plan.h"

/* Whether dial-plan-security.level names a level. */
bool umx_ds_asked(const struct umx_options *options, Umx__DialPlan__VoipSecurity *security);

/* Whether the plan has to get another level, and which: what the planner writes, and what V4.1 and V4.2 fail for.
 * note is a text about what is left alone although Lync might mind, NULL: nothing. */
bool umx_ds_wanted(const struct umx_view *view, const Umx__DialPlan *plan, Umx__DialPlan__VoipSecurity *wanted,
                   const char **note);

typedef void umx_ds_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

umx_ds_run umx_ds_check_level, umx_ds_check_encryption, umx_ds_check_mode, umx_ds_check_mixed, umx_ds_check_gateways,
    umx_ds_check_restart;

#endif

/*
 * Phase 5 between its files: checks in um_servers_check.c, the plan in um_servers_plan.c.
 */
#ifndef UMX_PHASES_UM_SERVERS_H
#define UMX_PHASES_UM_SERVERS_H

#include "phases/phase.h"
#include "phases/um_server.h"

/* 2007 or 2010: linked where they serve, with a status of their own. */
bool umx_us_legacy(const struct umx_um_end *end);

/* Whether the service belongs in the SIP plan: every service of 2013 and later; of 2007 and 2010 the UM servers, or
 * those named by um-servers.servers and um-servers.standby. *why: why not, when that is worth saying. */
bool umx_us_wanted(const struct umx_view *view, const struct umx_um_end *end, const Umx__DialPlan *plan,
                   const char **why);

/* Whether the server answers: not disabled (2007, 2010). */
bool umx_us_enabled(const struct umx_um_end *end);
/* The status that the server must have, or -1: it may stay as it is. */
int umx_us_status_wanted(const struct umx_view *view, const struct umx_um_end *ends, size_t count,
                         const struct umx_um_end *end);

typedef void umx_us_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

umx_us_run umx_us_check_linked, umx_us_check_redundancy, umx_us_check_newer, umx_us_check_legacy, umx_us_check_only_sip,
    umx_us_check_mode, umx_us_check_status, umx_us_check_fresh, umx_us_check_listeners, umx_us_check_versions,
    umx_us_check_access, umx_us_check_second_site, umx_us_check_ipv6;

#endif

/*
 * The deployment's authority while the controller runs: rotations that operators ask for, the controller's own
 * certificate, and what ends soon. authority.h does the work on files and keys; this makes it known to the listeners
 * and the agents.
 */
#ifndef UMX_CONTROLLER_CA_H
#define UMX_CONTROLLER_CA_H

#include "base/world.h"
#include "controller/controller.h"

struct umx_ca;

/* After the listeners have been opened. Renews the controller's certificate when it is time, now and then, and says in
 * the log what of the deployment's certificates ends soon. */
int umx_ca_start(struct umx_controller *controller, struct umx_ca **out, struct umx_error *err);
/* Before the listeners stop. NULL is allowed. */
void umx_ca_stop(struct umx_ca *ca);

#endif

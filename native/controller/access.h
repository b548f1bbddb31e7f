/*
 * Who may do what: roles of operators by group membership in the forest that vouched for them, proven by SID and nested
 * in the directory itself.
 */
#ifndef UMX_CONTROLLER_ACCESS_H
#define UMX_CONTROLLER_ACCESS_H

#include "controller/operation.h"

/* 0, or UMX_ERR_PEER_UNAUTHENTICATED / NOT_PERMITTED naming the role and the operation. */
int umx_access_check(struct umx_controller *controller, const struct umx_identity *caller, enum umx_access access,
                     const char *operation, struct umx_error *err);

#endif

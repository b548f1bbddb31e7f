/* The Issue call: a short-lived operator certificate for a proof by a forest's operator CA (design 7). */
#ifndef UMX_CONTROLLER_ISSUE_H
#define UMX_CONTROLLER_ISSUE_H

#include "controller/controller.h"
#include "rpc/rpc.h"

/* Handler of /umx.v1.Operators/Issue; user is the struct umx_controller. Needs no client certificate: the proof is in
 * the request. */
int umx_issue_serve(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                    size_t length, struct umx_error *err);

#endif

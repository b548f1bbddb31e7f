/* The proof by a Kerberos ticket (design 7): the forest's worker accepts it with the service's keytab. */
#ifndef UMX_CONTROLLER_LOGIN_H
#define UMX_CONTROLLER_LOGIN_H

#include "controller/authority.h"
#include "controller/controller.h"

/* Fills the forests' service principals and replay caches; before the workers start. */
int umx_login_prepare(struct umx_controller *controller, struct umx_error *err);

/* Who the request's ticket is of, an enabled account of this forest, and how long a certificate for it may live.
 * UMX_ERR_PROOF_REFUSED, OPERATOR_UNKNOWN, CSR_INVALID, or an error of the directory. */
int umx_login_prove(struct umx_controller *controller, const struct umx_forest_config *forest,
                    const Umx__IssueRequest *request, struct umx_forest_person *out, int64_t *life,
                    struct umx_error *err);

#endif

/*
 * Who may do what: roles of operators by group membership in the forest that vouched for them, proven by SID and nested
 * in the directory itself, anew at each use.
 *
 * What is kept, and for how long: an answer of the directory about a person five seconds, and only for operations that
 * look; what acts always asks. The groups that give roles five minutes. When the directory does not answer, the last
 * answer counts for ten minutes; then nobody acts. Who may look without being in a group may do so even then: the
 * certificate still proves who it is, and a forest that is down is when people look.
 */
#ifndef UMX_CONTROLLER_ACCESS_H
#define UMX_CONTROLLER_ACCESS_H

#include "controller/operation.h"

/* 0, or UMX_ERR_PEER_UNAUTHENTICATED, NOT_PERMITTED naming the role and the operation, OPERATOR_UNKNOWN for an account
 * that is gone, disabled, expired or locked, or the directory's error. acts: the operation changes something. */
int umx_access_check(struct umx_controller *controller, const struct umx_identity *caller, enum umx_access access,
                     bool acts, const char *operation, struct umx_error *err);

/* The caller as the directory knows it now. */
struct umx_access_person {
    char name[128];      /* sAMAccountName */
    char principal[256]; /* userPrincipalName, or "" */
    bool roles[3];       /* by enum umx_access */
};
int umx_access_describe(struct umx_controller *controller, const struct umx_identity *caller,
                        struct umx_access_person *out, struct umx_error *err);

#endif

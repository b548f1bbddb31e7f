/*
 * Phase 7 while it plans: shared by exchucutil_refuse.c (what is refused first) and exchucutil_plan.c (the writes).
 */
#ifndef UMX_PHASES_EXCHUCUTIL_WORK_H
#define UMX_PHASES_EXCHUCUTIL_WORK_H

#include "phases/exchucutil.h"

/* What they share while one pair is planned. */
struct umx_uc_work {
    struct umx_uc uc;
    const struct umx_view *view;
    struct umx_steps *out;
    struct umx_error *err;
    const char *groups;    /* expression of the Exchange side, without conditions */
    const char *container; /* DN of the UM IPGateway Container */
    bool *covered;         /* by uc.plans: a gateway in scope may dial out for it */
    bool any_outdial;      /* some gateway in scope may dial out */
};

static inline const char *umx_uc_exchange(const struct umx_uc_work *work)
{
    return work->view->pair->exchange;
}

/* The pool of an FQDN; NULL: none. */
const struct umx_uc_pool *umx_uc_find_pool(const struct umx_uc *uc, const char *fqdn);
/* 0, or UMX_ERR_OPTION_INVALID: options against the pools and plans that are there. */
int umx_uc_check_options(struct umx_uc_work *work);
/* 0, or UMX_ERR_PLAN_BLOCKED, DACL_NOT_CANONICAL...: what stands in the way in the forest. Notes what does not. */
int umx_uc_check_world(struct umx_uc_work *work);

#endif

/*
 * Steps that speak of what an earlier step of the plan makes, in whichever forest: they wait for it.
 */
#ifndef UMX_PHASES_ORDER_H
#define UMX_PHASES_ORDER_H

#include "phases/phase.h"

/* Each step from `first` on depends on the steps before it that make a dial plan, an auto attendant, a mailbox policy
 * or a Lync dial plan which it names: by DN, phone context, number or identity, in what it changes or promises. */
void umx_order_by_names(struct umx_steps *out, size_t first);

#endif

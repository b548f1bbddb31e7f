/* `umx-agent facts`: what would be reported, as one JSON document. */
#ifndef UMX_AGENT_FACTS_H
#define UMX_AGENT_FACTS_H

#include "agent/host/host.h"
#include "base/text.h"

/* {"server":[...],"role":[...],...}, every table, one row a line. Proofs need the controller's targets: their table is
 * empty here. A table that cannot be collected is null, and err has the last reason; the others are there. */
int umx_agent_facts(struct umx_host *host, struct umx_text *out, struct umx_error *err);

#endif

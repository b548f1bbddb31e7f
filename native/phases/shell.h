/*
 * What the phases need of the management shells: the server whose agent runs a cmdlet, and texts as cmdlets read them.
 */
#ifndef UMX_PHASES_SHELL_H
#define UMX_PHASES_SHELL_H

#include "phases/phase.h"

/* FQDN of a server of the product in the forest on which an agent is connected that runs cmdlets, newest version first:
 * newer shells know every cmdlet of the older ones. Exchange 2019 has no UM and never counts. NULL: there is none. */
const char *umx_shell_agent(const Umx__World *world, const char *forest, Umx__Server__Product product);

/* Whether the agent on a server can run cmdlets, as far as it says. */
bool umx_shell_runs(const Umx__World *world, const char *server);

/* A string of the PowerShell language in the arena: in single quotes, those inside doubled (typographic ones too, which
 * the language does not tell apart). */
const char *umx_shell_quote(struct umx_steps *out, const char *text);
/* A list of such strings, separated by commas. */
const char *umx_shell_quote_list(struct umx_steps *out, char *const *texts, size_t count);
/* A list as items of actions write it: values joined by a line feed. "" when it is empty. */
const char *umx_join_lines(struct umx_steps *out, char *const *texts, size_t count);

#endif

/*
 * One screen: problems, forests, the grid of phases and pairs, where to go on.
 */
#ifndef UMX_CLI_STATUS_VIEW_H
#define UMX_CLI_STATUS_VIEW_H

#include "cli/cli.h"

void umx_status_view(struct umx_cli *cli, const struct umx_document *document);

#endif

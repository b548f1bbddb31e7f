/*
 * Findings for people, and the offline way to them.
 */
#ifndef UMX_CLI_FINDINGS_H
#define UMX_CLI_FINDINGS_H

#include "cli/cli.h"

/* Problems as blocks, worst first; what passed only as a number (umx_findings_view_all: as rows). */
void umx_findings_view(struct umx_cli *cli, const struct umx_document *document);
void umx_findings_view_all(struct umx_cli *cli, const struct umx_document *document);

/* Checks a saved world with the phases (empty: all) and pairs (EXCHANGE:LYNC; empty: all that the world knows) that the
 * options name; opens the document and fills `findings` and `counts`. Warnings go to cli->err. */
int umx_findings_of_file(struct umx_cli *cli, const char *path, const struct umx_args *args,
                         struct umx_document *document, struct umx_error *err);

#endif

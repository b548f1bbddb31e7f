/*
 * What the generators of docs/ share.
 */
#ifndef UMX_CLI_MARKDOWN_H
#define UMX_CLI_MARKDOWN_H

#include <stdio.h>

/* A cell of a Markdown table: bars are escaped, line ends become blanks; NULL is empty. */
void umx_markdown_cell(FILE *out, const char *text);

#endif

/*
 * What only the platform knows about the streams: terminals, their width, the interrupt key.
 */
#ifndef UMX_CLI_TERMINAL_H
#define UMX_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/grid.h"

/* How to write tables to the stream: COLUMNS, else the terminal's width, else 80; colour on terminals unless NO_COLOR
 * is set or TERM is dumb. */
struct umx_style umx_terminal_style(FILE *stream);

bool umx_terminal_is(FILE *stream);
/* Its lines; 0: the stream is no terminal. */
int umx_terminal_height(FILE *stream);

/* A write to a pipe whose reader is gone (`umx ... | head`) fails instead of ending the program. */
void umx_terminal_keep_pipes(void);
/* Whether the stream's reader is gone. */
bool umx_terminal_gone(FILE *stream);

/* From now on the first interrupt is only remembered; the second ends the program. */
void umx_terminal_catch_interrupt(void);
bool umx_terminal_interrupted(void);

#endif

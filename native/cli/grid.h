/*
 * A table for people: columns fitted to a width, cells wrapped, nothing cut (but cells marked `shorten`, on terminals).
 * When even wrapped columns do not fit, each row is written as a block of `title: value` lines.
 */
#ifndef UMX_CLI_GRID_H
#define UMX_CLI_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* How a stream is written to. */
struct umx_style {
    size_t width; /* columns; 0: unlimited */
    bool color;
    bool terminal; /* cells may be shortened */
};

enum umx_grid_flags {
    UMX_GRID_RIGHT = 1,   /* numbers */
    UMX_GRID_STATUS = 2,  /* a status word: coloured where the stream allows */
    UMX_GRID_SHORTEN = 4, /* cut with … on terminals instead of wrapped */
    UMX_GRID_FIXED = 8,   /* never narrower than its content */
};

struct umx_grid_column {
    const char *title;
    unsigned flags;
};

struct umx_grid;

/* The columns are copied; titles are not. NULL when out of memory. */
struct umx_grid *umx_grid_new(const struct umx_grid_column *columns, size_t count);
void umx_grid_free(struct umx_grid *grid); /* NULL is allowed */

/* One row; NULL cells are empty. Cells are copied and made printable. */
void umx_grid_add(struct umx_grid *grid, const char *const *cells);

size_t umx_grid_rows(const struct umx_grid *grid);

/* Without rows nothing is written. 0, or -1 when out of memory. */
int umx_grid_print(const struct umx_grid *grid, FILE *out, const struct umx_style *style);

/* SGR parameter of a status word ("31" for failed...), NULL: none. */
const char *umx_grid_color(const char *word);

/* Writes the label, then text (made printable) from column `indent` on, wrapped to the style's width. */
void umx_grid_labelled(FILE *out, const struct umx_style *style, const char *label, size_t indent, const char *text);

/* Writes text (made printable) wrapped to the style's width, each line after `indent` spaces. */
void umx_grid_paragraph(FILE *out, const struct umx_style *style, size_t indent, const char *text);

#endif

/*
 * Rows that an administrator filled in: the files of `plan create --input`, JSON or CSV, as the JSON of an Input
 * message; and the CSV that `plan template` writes. Files are hostile: bounded, valid UTF-8, every cell checked against
 * the schema. Excel is where they come from: a byte order mark, `;` or `,` (or a tab) between cells, empty lines and
 * columns at the end are all right. A text beginning with = + - or @ stays a text: nothing is ever evaluated; the
 * apostrophe that a template sets before what Excel would run is taken off again.
 */
#ifndef UMX_CLI_INPUT_H
#define UMX_CLI_INPUT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/args.h"

enum {
    UMX_INPUT_FILE_MAX = 16 * 1024 * 1024,
    UMX_INPUT_ROWS_MAX = 200000, /* of one file */
    UMX_INPUT_COLUMNS_MAX = 64,
    UMX_INPUT_PROBLEMS_MAX = 50, /* named one by one; the rest is counted */
};

/* The tables of Input in their order. NULL ends. */
const char *umx_input_table(size_t index);
/* Column number index of a table, without `row`. NULL ends. */
const char *umx_input_column(const char *table, size_t index);

/* Where the rows of each table come from; names are borrowed. */
struct umx_input {
    json_t *root;         /* {"user":[{...}]}: only tables that have rows */
    const char *files[8]; /* by number of the table; NULL: none */
    json_t *problems;     /* [{"place":"users.csv:3","why":"..."}], at most UMX_INPUT_PROBLEMS_MAX */
    size_t problem_count; /* all of them */
};

void umx_input_close(struct umx_input *input);

/* Adds the rows of one file's bytes, behind which there is a NUL. table: the one that CSV columns alone do not decide;
 * NULL: none given. Bad cells and rows become problems, all of them, with their line; 0 then. What concerns the whole
 * file is UMX_ERR_INPUT_INVALID. `row` is the line of a CSV file, the place in its list (from 1) in a JSON one. */
int umx_input_add(struct umx_input *input, const char *name, const char *bytes, size_t length, const char *table,
                  struct umx_error *err);

/* Reads and adds the file. */
int umx_input_read(struct umx_input *input, const char *path, const char *table, struct umx_error *err);

/* A whole file of at most `most` bytes, with a NUL behind it. UMX_ERR_FILE_UNREADABLE or UMX_ERR_INPUT_INVALID. */
int umx_input_file(const char *path, size_t most, struct umx_text *out, struct umx_error *err);

/* ---- input_csv.c */

/* Rows of a CSV text (without byte order mark). */
int umx_input_csv(struct umx_input *input, const char *name, const char *bytes, size_t length, const char *table,
                  struct umx_error *err);

/* Appends the rows of a table as CSV for Excel: byte order mark, header of all columns, CRLF, lists joined by `;`.
 * separator: `,` or `;`. */
void umx_input_write_csv(struct umx_text *out, const char *table, char separator, const json_t *rows);

/* ---- shared by the readers */

/* Remembers a problem at a place of the file ("users.csv:3"). */
void umx_input_problem(struct umx_input *input, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A list for the rows of the table, which no other file may have filled. NULL with err: another one did. */
json_t *umx_input_rows(struct umx_input *input, const char *name, const char *table, struct umx_error *err);

/* The descriptor of the table's rows; NULL: no such table. */
const ProtobufCMessageDescriptor *umx_input_type(const char *table);

#endif

/*
 * Comma-separated values after RFC 4180: a header, CRLF, quotes where they are needed.
 */
#ifndef UMX_CLI_CSV_H
#define UMX_CLI_CSV_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"

/* Writes records (an array of objects): the header has the keys of all records in the order they first appear.
 * 0, or -1 when out of memory. */
int umx_csv_print(FILE *out, const json_t *records);

#endif

/*
 * Snapshots as lines of JSON, as the PowerShell module writes them: a line about the world, {"snapshot":1, "taken_at",
 * "deployment"}, then {"table","record"} a line, and {"records":N} at the end, without which the file was cut short.
 */
#ifndef UMX_BASE_WORLD_LINES_H
#define UMX_BASE_WORLD_LINES_H

#include <stdio.h>

#include "base/world.h"

/* Adds what the file holds, from its beginning to its end. Nothing is promised about the world when it fails. */
int umx_world_read_lines(FILE *file, struct umx_world *world, struct umx_error *err);

#endif

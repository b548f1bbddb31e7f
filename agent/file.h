/*
 * Files as the agent needs them: whole, bounded, replaced in one step. The few calls that differ between systems are
 * in file_posix.c and file_windows.c. Paths are UTF-8.
 */
#ifndef UMX_AGENT_FILE_H
#define UMX_AGENT_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"

enum { UMX_AGENT_PATH_MAX = 1024 };

/* Reads a file of at most cap bytes; *bytes lives in the arena and has a NUL after it. NOT_FOUND when there is none. */
int umx_agent_file_read(const char *path, size_t cap, struct umx_arena *arena, char **bytes, size_t *length,
                        struct umx_error *err);

/* Puts text in place of the file: a reader sees the old or the new one, also after a crash. */
int umx_agent_file_replace(const char *path, const void *bytes, size_t length, struct umx_error *err);

/* Names in a directory that end in suffix, sorted, at most max. A missing directory is an empty one. */
int umx_agent_file_list(const char *directory, const char *suffix, size_t max, struct umx_arena *arena, char ***names,
                        size_t *count, struct umx_error *err);

/* Folds size and time of change of a file or directory into *stamp; a missing one counts as such. */
void umx_agent_file_stamp(const char *path, uint64_t *stamp);

/* ---- what differs between systems */

/* False when others than the owner can read it (where the system can tell). */
int umx_agent_file_private(const char *path);
/* A private file that whoever enrols has made (an administrator, the installer): the agent's own service may read and
 * replace it too, where that is another account. */
int umx_agent_file_share(const char *path, struct umx_error *err);
int64_t umx_agent_file_changed(const char *path,
                               int64_t *size); /* a number that moves with the file, -1 when missing */

#endif

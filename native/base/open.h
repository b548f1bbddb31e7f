/* Files by paths in UTF-8, also where the system's narrow names are of another code page. */
#ifndef UMX_BASE_OPEN_H
#define UMX_BASE_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* As fopen with C99's modes and C11's x; children do not inherit it. NULL: errno says why. */
FILE *umx_open(const char *path, const char *mode);

/* Takes the place of `to` in one step. Where a file that is open cannot be replaced it is tried for five seconds. 0, or
 * -1 and errno. */
int umx_rename(const char *from, const char *to);

/* What was written is on the disk. 0 or -1. */
int umx_sync(FILE *file);

/* Whether something is there. */
bool umx_exists(const char *path);

/* Removes a file. 0, or -1 and errno. */
int umx_remove(const char *path);

/* How much of the path names its folder, with the separator; 0: it names none. */
size_t umx_folder_length(const char *path);

/* Makes a folder, for its owner alone where the system can say so here. One that is there stays as it is; an error
 * shows when something is written into it. */
void umx_make_folder(const char *path);

#endif

/*
 * A backup: files in one file, which is an SQLite database so that any tool can look into it: `about` (what it is),
 * `file` (name, mode, size, SHA-256), `part` (the bytes, 1 MiB at a time). It is complete or not there: it gets its
 * name when all is in it and on the disk. Reading takes every byte as hostile: names are relative and plain, sizes and
 * hashes have to fit.
 */
#ifndef UMX_STORE_BACKUP_FILE_H
#define UMX_STORE_BACKUP_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct umx_backup;

enum { UMX_BACKUP_NAME_MAX = 255, UMX_BACKUP_FILES_MAX = 100000 };

/* UMX_ERR_BACKUP_FAILED, also when path is there already. */
int umx_backup_create(const char *path, struct umx_backup **out, struct umx_error *err);
int umx_backup_say(struct umx_backup *backup, const char *name, const char *value, struct umx_error *err);
/* The bytes from fd to its end, under a name like ca/root.pem. */
int umx_backup_add(struct umx_backup *backup, const char *name, int mode, int fd, struct umx_error *err);
/* Gives the file its name. */
int umx_backup_finish(struct umx_backup *backup, struct umx_error *err);

/* UMX_ERR_BACKUP_INVALID, FILE_UNREADABLE. */
int umx_backup_open(const char *path, struct umx_backup **out, struct umx_error *err);
/* "" when it does not say. */
int umx_backup_said(struct umx_backup *backup, const char *name, struct umx_text *value, struct umx_error *err);
/* Every file by name; a result other than 0 ends it and is returned. The callback may write the file out. */
int umx_backup_each(struct umx_backup *backup, int (*each)(void *user, const char *name, int mode), void *user,
                    struct umx_error *err);
/* The bytes of a file to fd; UMX_ERR_BACKUP_INVALID when they are not what was added. */
int umx_backup_write(struct umx_backup *backup, const char *name, int fd, struct umx_error *err);

/* Closes; what was created and not finished is removed. NULL allowed. */
void umx_backup_close(struct umx_backup *backup);

#endif

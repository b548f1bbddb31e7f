/*
 * The shell account's password as a file that only this machine can open (DPAPI), and that says for which account it
 * is: a line of text, then what Windows has protected. Who may read the file could have it opened; that is for its
 * access list.
 */
#ifndef UMX_AGENT_WINDOWS_PASSWORD_H
#define UMX_AGENT_WINDOWS_PASSWORD_H

#include <wchar.h>

#include "base/error.h"

enum { UMX_PASSWORD_MAX = 256 }; /* characters, the NUL too */

/* account: DOMAIN\name, in any case of its letters. */
int umx_windows_password_write(const char *path, const char *account, const wchar_t *password, struct umx_error *err);

/* A file that is not protected is UMX_ERR_SHELL_PASSWORD_PLAIN; one that was changed, or is of another machine or for
 * another account, UMX_ERR_SHELL_PASSWORD_INVALID. The caller wipes out. */
int umx_windows_password_read(const char *path, const char *account, wchar_t out[UMX_PASSWORD_MAX],
                              struct umx_error *err);

#endif

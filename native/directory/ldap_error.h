/*
 * LDAP result codes to umx's errors: one table. Includes ldap.h, so for files of this folder only.
 */
#ifndef UMX_DIRECTORY_LDAP_ERROR_H
#define UMX_DIRECTORY_LDAP_ERROR_H

#include <ldap.h>
#include <stdbool.h>

#include "base/error.h"

/* The id of a result code. */
enum umx_error_id umx_ldap_error_id(int code);

/* Fills err from a result code and the server's text (NULL: what libldap has), and returns its status. */
int umx_ldap_fail(struct umx_error *err, LDAP *ld, int code, const char *what, const char *text);

#endif

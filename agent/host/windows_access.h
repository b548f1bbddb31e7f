/*
 * Who may do what with the agent's files and folders on Windows. Administrators and SYSTEM may do all; the agent's own
 * service, which is neither, gets what each place needs.
 */
#ifndef UMX_AGENT_WINDOWS_ACCESS_H
#define UMX_AGENT_WINDOWS_ACCESS_H

#include <wchar.h>

#include "base/error.h"

/* The service of the name umx-agent, of whatever machine (`sc showsid umx-agent`): a hash of the name. */
#define UMX_ACCESS_SERVICE L"S-1-5-80-386909092-2040328146-3400076965-754326230-3369580178"

#define UMX_ACCESS_ALL L"(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
/* A folder that the service writes in, and cannot take away: what is protected in it stays where it is. */
#define UMX_ACCESS_FOLDER                                                                                              \
    L"D:P" UMX_ACCESS_ALL L"(A;;0x1201bf;;;" UMX_ACCESS_SERVICE L")(A;OICIIO;0x1301bf;;;" UMX_ACCESS_SERVICE L")"
/* A folder or a file that the service reads. */
#define UMX_ACCESS_READ_FOLDER L"D:P" UMX_ACCESS_ALL L"(A;OICI;0x1200a9;;;" UMX_ACCESS_SERVICE L")"
#define UMX_ACCESS_READ_FILE L"D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;" UMX_ACCESS_SERVICE L")"

/* Makes a folder with these rights, not given afterwards. One that is there has to be a folder and no link, and has to
 * belong to SYSTEM, an administrator or whoever runs this: %ProgramData% lets anybody make folders. Nobody else may
 * have been able to write in it, for what lies there is believed; where the rights let the service write, a list of its
 * own is an administrator's choice. It gets the rights unless it has such a list. what: for the error. */
int umx_access_make_folder(const wchar_t *folder, const wchar_t *rights, const char *what, struct umx_error *err);

/* Gives a file these rights, unless it has a list of its own. */
int umx_access_protect(const char *path, const wchar_t *rights, struct umx_error *err);

/* Gives a file these rights, whatever list it has. */
int umx_access_set(const char *path, const wchar_t *rights, struct umx_error *err);

/* Writes a file with these rights from its first byte on, in the place of one that is there. */
int umx_access_write(const char *path, const wchar_t *rights, const void *bytes, size_t length, struct umx_error *err);

/* 0 when nobody but SYSTEM, administrators and whoever runs this can change the file; else UMX_ERR_FILE_EXPOSED. */
int umx_access_trusted(const char *path, struct umx_error *err);

#endif

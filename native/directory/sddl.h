/*
 * One access-control entry as SDDL text: (A;CI;LCRP;;;S-1-5-21-...). SIDs are written in full, never as aliases, since
 * an alias of a domain means another SID in another forest.
 */
#ifndef UMX_DIRECTORY_SDDL_H
#define UMX_DIRECTORY_SDDL_H

#include "base/error.h"
#include "base/text.h"
#include "directory/descriptor.h"

/* Appends the entry. An opaque one is written (0xTYPE;FLAGS;;;;HEX), for people only. */
void umx_sddl_add(struct umx_text *text, const struct umx_ace *ace);

/* The entry of a text as umx_sddl_add writes it for types A, D, OA and OD. Rights may be letters or 0x hex; the aliases
 * that mean the same everywhere (AU, BA, CO, PS, SY, WD) are understood. */
int umx_sddl_parse(const char *text, struct umx_ace *ace, struct umx_error *err);

#endif

/*
 * The account's SID in the authorization data of a Kerberos ticket (MS-PAC, KERB_VALIDATION_INFO). That the data is the
 * KDC's is not judged here. Pure.
 */
#ifndef UMX_DIRECTORY_PAC_H
#define UMX_DIRECTORY_PAC_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "directory/sid.h"

/* From the logon information as it stands in the PAC, with its serialization headers. UMX_ERR_PROOF_REFUSED when it is
 * malformed, or names no account of a domain. */
int umx_pac_sid(const uint8_t *bytes, size_t length, char sid[UMX_SID_TEXT], struct umx_error *err);

#endif

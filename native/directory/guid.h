/*
 * GUIDs: 16 bytes as the directory stores them (first three parts little-endian), xxxxxxxx-xxxx-... as text.
 */
#ifndef UMX_DIRECTORY_GUID_H
#define UMX_DIRECTORY_GUID_H

#include <stdint.h>

#include "base/error.h"

enum { UMX_GUID_SIZE = 16, UMX_GUID_TEXT = 37 };

/* Lower-case text; returns text. */
char *umx_guid_text(const uint8_t guid[UMX_GUID_SIZE], char text[UMX_GUID_TEXT]);

/* Text of either case, braces allowed; UMX_E_ARGUMENT when it is none. */
int umx_guid_parse(const char *text, uint8_t guid[UMX_GUID_SIZE], struct umx_error *err);

#endif

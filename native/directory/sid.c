#include "directory/sid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { SID_HEADER = 8 };

#define AUTHORITY_MAX ((UINT64_C(1) << 48) - 1)

size_t umx_sid_length(const uint8_t *bytes, size_t size)
{
    if (size < SID_HEADER || bytes[0] != 1 || bytes[1] > UMX_SID_SUBS_MAX) {
        return 0;
    }
    size_t length = SID_HEADER + 4U * bytes[1];
    return length <= size ? length : 0;
}

int umx_sid_text(const uint8_t *bytes, size_t length, char text[UMX_SID_TEXT], struct umx_error *err)
{
    if (!umx_sid_length(bytes, length) || umx_sid_length(bytes, length) != length) {
        return umx_fail(err, UMX_ERR_SID_INVALID, "SID", "%zu bytes are not one", length);
    }
    uint64_t authority = 0;
    for (size_t i = 2; i < SID_HEADER; i++) {
        authority = authority << 8 | bytes[i];
    }
    /* Windows writes authorities of more than 32 bits in hex. */
    int at = authority <= UINT32_MAX ? snprintf(text, UMX_SID_TEXT, "S-1-%" PRIu64, authority)
                                     : snprintf(text, UMX_SID_TEXT, "S-1-0x%012" PRIX64, authority);
    for (size_t sub = 0; sub < bytes[1]; sub++) {
        const uint8_t *b = bytes + SID_HEADER + 4 * sub;
        uint32_t value = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        at += snprintf(text + at, UMX_SID_TEXT - (size_t)at, "-%" PRIu32, value);
    }
    return 0;
}

/* A number without sign or spaces; moves *at behind it. */
static bool parse_number(const char **at, uint64_t max, uint64_t *value)
{
    bool hex = (*at)[0] == '0' && ((*at)[1] == 'x' || (*at)[1] == 'X');
    const char *digits = hex ? *at + 2 : *at;
    bool starts = (*digits >= '0' && *digits <= '9') ||
                  (hex && ((*digits >= 'a' && *digits <= 'f') || (*digits >= 'A' && *digits <= 'F')));
    if (!starts) {
        return false;
    }
    char *end;
    unsigned long long number = strtoull(digits, &end, hex ? 16 : 10);
    if (end - digits > 20 || number > max) {
        return false;
    }
    *at = end;
    *value = number;
    return true;
}

int umx_sid_parse(const char *text, uint8_t bytes[UMX_SID_MAX], size_t *length, struct umx_error *err)
{
    uint64_t value;
    size_t subs = 0;
    if (strncasecmp(text, "S-1-", 4) != 0) {
        return umx_fail(err, UMX_ERR_SID_INVALID, text, "it does not begin with S-1-");
    }
    const char *at = text + 4;
    if (!parse_number(&at, AUTHORITY_MAX, &value)) {
        return umx_fail(err, UMX_ERR_SID_INVALID, text, "its authority is not a number of 48 bits");
    }
    bytes[0] = 1;
    for (size_t i = 0; i < 6; i++) {
        bytes[2 + i] = (uint8_t)(value >> (8 * (5 - i)));
    }
    while (*at == '-') {
        at++;
        if (subs == UMX_SID_SUBS_MAX || !parse_number(&at, UINT32_MAX, &value)) {
            return umx_fail(err, UMX_ERR_SID_INVALID, text, "its parts are not up to 15 numbers of 32 bits");
        }
        for (size_t i = 0; i < 4; i++) {
            bytes[SID_HEADER + 4 * subs + i] = (uint8_t)(value >> (8 * i));
        }
        subs++;
    }
    if (*at != '\0') {
        return umx_fail(err, UMX_ERR_SID_INVALID, text, "there is something behind it");
    }
    bytes[1] = (uint8_t)subs;
    *length = SID_HEADER + 4 * subs;
    return 0;
}

bool umx_sid_is(const char *text)
{
    uint8_t bytes[UMX_SID_MAX];
    size_t length;
    return umx_sid_parse(text, bytes, &length, NULL) == 0;
}

#include "directory/guid.h"

#include <stdio.h>
#include <string.h>

/* Position in the text's order of each stored byte. */
static const uint8_t order[UMX_GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

static int is_dash(size_t digit)
{
    return digit == 8 || digit == 12 || digit == 16 || digit == 20;
}

char *umx_guid_text(const uint8_t guid[UMX_GUID_SIZE], char text[UMX_GUID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t digit = 0; digit < 2U * UMX_GUID_SIZE; digit++) {
        if (is_dash(digit)) {
            text[at++] = '-';
        }
        uint8_t byte = guid[order[digit / 2]];
        text[at++] = hex[digit % 2 ? byte & 15 : byte >> 4];
    }
    text[at] = '\0';
    return text;
}

static int hex_value(char c)
{
    static const char hex[] = "0123456789abcdef";
    const char *found = c ? strchr(hex, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return found ? (int)(found - hex) : -1;
}

int umx_guid_parse(const char *text, uint8_t guid[UMX_GUID_SIZE], struct umx_error *err)
{
    const char *at = text;
    int braced = *at == '{';
    at += braced;
    for (size_t digit = 0; digit < 2U * UMX_GUID_SIZE; digit++) {
        if (is_dash(digit) && *at++ != '-') {
            return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "it is not a GUID");
        }
        int value = hex_value(*at);
        if (value < 0) {
            return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "it is not a GUID");
        }
        at++;
        uint8_t *byte = &guid[order[digit / 2]];
        *byte = (uint8_t)(digit % 2 ? *byte | value : value << 4);
    }
    if (braced && *at++ != '}') {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "its brace is not closed");
    }
    return *at ? umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, text, "there is something behind the GUID") : 0;
}

#include "base/exum.h"

#include <string.h>
#include <strings.h>

bool umx_exum_parse(const char *other_ip_phone, struct umx_exum *out)
{
    static const char opaque[] = "opaque=app:exum:";
    const size_t length = sizeof opaque - 1;
    *out = (struct umx_exum){0};
    for (const char *at = other_ip_phone; at && *at; at++) {
        if (strncasecmp(at, opaque, length) == 0) {
            out->context = at + length;
            out->length = strcspn(out->context, ":;>");
            out->more = out->context[out->length] == ':';
            return true;
        }
    }
    return false;
}

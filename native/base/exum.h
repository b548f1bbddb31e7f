/*
 * otherIpPhone of a contact of Exchange UM (spec 3.4): sip:ADDRESS;opaque=app:exum:CONTEXT is a Subscriber Access
 * contact; more parts after another colon make an Auto Attendant contact.
 */
#ifndef UMX_BASE_EXUM_H
#define UMX_BASE_EXUM_H

#include <stdbool.h>
#include <stddef.h>

struct umx_exum {
    const char *context; /* the phone context, within the text */
    size_t length;
    bool more; /* an auto attendant */
};

/* False when the text names no UM application. NULL is allowed. */
bool umx_exum_parse(const char *other_ip_phone, struct umx_exum *out);

#endif

/*
 * What several phases ask about UM dial plans, and the numbers and names in them.
 * Section numbers are those of the specification.
 */
#ifndef UMX_PHASES_DIAL_PLAN_H
#define UMX_PHASES_DIAL_PLAN_H

#include "phases/shell.h"
#include "phases/um_server.h"

enum {
    UMX_PLAN_NAME_MAX = 64,         /* characters of cn (4.3) */
    UMX_PLAN_NAME_POLICY_MAX = 49,  /* characters that leave room for " Default Policy" (V3.6) */
    UMX_PLAN_DIGITS_MAX = 20,       /* digits of an extension (V3.3) */
    UMX_PLAN_SIMPLE_NAME_MAX = 256, /* characters of a Lync dial plan's SimpleName (X8) */
};

/* The plan of that name in the forest, of any URI type. */
const Umx__DialPlan *umx_find_plan(const Umx__World *world, const char *forest, const char *name);
/* Name for people: the plan's name, or its DN. */
const char *umx_plan_name(const Umx__DialPlan *plan);

/* `^\+[1-9][0-9]{1,14}$` */
bool umx_is_e164(const char *number);
/* Only digits, between min and max of them. */
bool umx_is_digits(const char *text, size_t min, size_t max);
/* Characters of UTF-8 text, as the directory counts them: one that lies beyond U+FFFF counts as two. */
size_t umx_characters(const char *text);

/* ---- VoIP security against Lync's media encryption (the matrix of P4, V4.2) */

enum umx_encryption {
    UMX_ENCRYPTION_UNKNOWN,
    UMX_ENCRYPTION_REFUSED, /* DoNotSupportEncryption */
    UMX_ENCRYPTION_SUPPORTED,
    UMX_ENCRYPTION_REQUIRED,
    UMX_ENCRYPTION_COUNT,
};

struct umx_media {
    enum umx_encryption level; /* the one that decides: required before refused before supported */
    bool mixed;                /* one part of Lync requires what another one refuses */
    bool stale;                /* what was reported is too old to say something */
    const char *source;        /* identity of the media configuration that decides, NULL when unknown */
};

/* What the agents of a Lync forest report (Get-CsMediaConfiguration). */
struct umx_media umx_lync_media(const Umx__World *world, const char *forest);
/* "RequireEncryption" ... as Lync writes it. */
extern const char *const umx_encryption_words[UMX_ENCRYPTION_COUNT];
/* "SIPSecured" ... as Exchange writes it, by Umx__DialPlan__VoipSecurity; index 0: not set. */
extern const char *const umx_security_words[4];

/* Whether a server that is linked to the plan (NULL: any of the forest's UM servers) is 2007 RTM, which has no
 * `Secured` (P4). */
bool umx_lacks_secured(const Umx__World *world, const char *forest, const Umx__DialPlan *plan);
/* What a plan has to be for a level, where nothing else decides. */
Umx__DialPlan__VoipSecurity umx_security_for(enum umx_encryption level);

#endif

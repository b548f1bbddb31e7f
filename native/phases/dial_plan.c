#include "phases/dial_plan.h"

#include <string.h>

#include "base/text.h"

/* ---- plans and servers */

const Umx__DialPlan *umx_find_plan(const Umx__World *world, const char *forest, const char *name)
{
    for (size_t i = 0; i < world->n_dial_plan; i++)
        if (umx_text_equal(world->dial_plan[i]->forest, forest) && umx_text_equal(world->dial_plan[i]->name, name))
            return world->dial_plan[i];
    return NULL;
}

const char *umx_plan_name(const Umx__DialPlan *plan)
{
    return umx_or_empty(plan->name)[0] != '\0' ? plan->name : umx_or_empty(plan->dn);
}

/* ---- numbers and names */

bool umx_is_digits(const char *text, size_t min, size_t max)
{
    size_t length = text != NULL ? strspn(text, "0123456789") : 0;

    return text != NULL && text[length] == '\0' && length >= min && length <= max;
}

bool umx_is_e164(const char *number)
{
    return number != NULL && number[0] == '+' && number[1] != '0' && umx_is_digits(number + 1, 2, 15);
}

size_t umx_characters(const char *text)
{
    size_t count = 0;

    for (const unsigned char *p = (const unsigned char *)umx_or_empty(text); *p != '\0'; p++)
        count += (*p & 0xC0) == 0x80 ? 0 : *p >= 0xF0 ? 2 : 1;
    return count;
}

/* ---- media encryption */

const char *const umx_encryption_words[UMX_ENCRYPTION_COUNT] = {
    [UMX_ENCRYPTION_UNKNOWN] = "unknown",
    [UMX_ENCRYPTION_REFUSED] = "DoNotSupportEncryption",
    [UMX_ENCRYPTION_SUPPORTED] = "SupportEncryption",
    [UMX_ENCRYPTION_REQUIRED] = "RequireEncryption",
};

const char *const umx_security_words[4] = {
    [0] = "not set",
    [UMX__DIAL_PLAN__VOIP_SECURITY__SIP_SECURED] = "SIPSecured",
    [UMX__DIAL_PLAN__VOIP_SECURITY__UNSECURED] = "Unsecured",
    [UMX__DIAL_PLAN__VOIP_SECURITY__SECURED] = "Secured",
};

static enum umx_encryption level_of(const char *word)
{
    for (int i = UMX_ENCRYPTION_REFUSED; i < UMX_ENCRYPTION_COUNT; i++)
        if (umx_text_equal(umx_encryption_words[i], word))
            return (enum umx_encryption)i;
    return UMX_ENCRYPTION_UNKNOWN;
}

/* Which of two levels leaves less choice. */
static int weight(enum umx_encryption level)
{
    return level == UMX_ENCRYPTION_REQUIRED    ? 3
           : level == UMX_ENCRYPTION_REFUSED   ? 2
           : level == UMX_ENCRYPTION_SUPPORTED ? 1
                                               : 0;
}

struct umx_media umx_lync_media(const Umx__World *world, const char *forest)
{
    struct umx_media media = {.level = UMX_ENCRYPTION_UNKNOWN};
    bool refused = false;

    for (size_t i = 0; i < world->n_lync_policy; i++) {
        const Umx__LyncPolicy *policy = world->lync_policy[i];
        if (!umx_text_equal(policy->forest, forest) || !umx_text_equal(policy->kind, "media") || policy->n_value == 0)
            continue;
        if (umx_stale(world, policy->has_collected_at, policy->collected_at)) {
            media.stale = true;
            continue;
        }
        enum umx_encryption level = level_of(policy->value[0]);
        refused = refused || level == UMX_ENCRYPTION_REFUSED;
        if (weight(level) <= weight(media.level))
            continue;
        media.level = level;
        media.source = umx_or_empty(policy->identity);
    }
    media.mixed = refused && media.level == UMX_ENCRYPTION_REQUIRED;
    return media;
}

static bool serves(const Umx__ExchangeServer *server, const char *forest, const Umx__DialPlan *plan)
{
    if (!umx_text_equal(server->forest, forest) || (server->roles & UMX_ROLE_UM) == 0)
        return false;
    for (size_t i = 0; plan != NULL && i < server->n_dial_plan_dn; i++)
        if (umx_text_dn_equal(server->dial_plan_dn[i], plan->dn))
            return true;
    return plan == NULL;
}

bool umx_lacks_secured(const Umx__World *world, const char *forest, const Umx__DialPlan *plan)
{
    for (size_t i = 0; i < world->n_exchange_server; i++) {
        const Umx__ExchangeServer *server = world->exchange_server[i];
        bool rtm = server->has_version_major && server->version_major == 8 && server->has_version_minor &&
                   server->version_minor == 0;
        if (rtm && serves(server, forest, plan))
            return true;
    }
    return false;
}

Umx__DialPlan__VoipSecurity umx_security_for(enum umx_encryption level)
{
    return level == UMX_ENCRYPTION_REFUSED ? UMX__DIAL_PLAN__VOIP_SECURITY__SIP_SECURED
                                           : UMX__DIAL_PLAN__VOIP_SECURITY__SECURED;
}

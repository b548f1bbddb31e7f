#include "agent/event.h"

#include "base/clock.h"

#define PATIENCE UMX_MINUTE

void umx_event_tell_error(enum umx_event event, const char *first, const struct umx_error *err)
{
    char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 512];

    umx_error_format(err, text, sizeof text);
    umx_event_tell(event, first != NULL ? first : text, first != NULL ? text : NULL, NULL);
}

enum umx_event umx_presence_look(struct umx_presence *presence, bool connected, int64_t now)
{
    enum umx_event found = connected ? UMX_EVENT_CONNECTED : UMX_EVENT_DISCONNECTED;

    if (connected)
        presence->gone_at = 0;
    else if (presence->gone_at == 0)
        presence->gone_at = now;
    if (found == presence->told || (!connected && now - presence->gone_at < PATIENCE))
        return UMX_EVENT_NONE;
    presence->told = found;
    return found;
}

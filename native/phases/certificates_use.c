/* Phase 2: what is known of a server's certificates, and which one each UM service shows. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/certificates.h"

const char *umx_cert_unseen(const Umx__World *world, const char *server, struct umx_findings *out)
{
    const Umx__Agent *agent = umx_find_agent(world, server);

    for (size_t i = 0; i < world->n_certificate; i++) {
        const Umx__Certificate *one = world->certificate[i];
        if (!umx_text_equal(one->server, server))
            continue;
        if (!umx_stale(world, one->has_collected_at, one->collected_at))
            return NULL;
        return umx_say(out, "the report of %s is older than %d hours", server, UMX_FACT_AGE_MAX_HOURS);
    }
    return agent == NULL
               ? umx_say(out, "no agent on %s", server)
               : umx_say(out, "the agent on %s has reported no certificates (%s)", server, umx_or_empty(agent->state));
}

const Umx__Certificate *umx_cert_find(const Umx__World *world, const char *server, const char *store,
                                      const char *thumbprint)
{
    for (size_t i = 0; i < world->n_certificate; i++) {
        const Umx__Certificate *one = world->certificate[i];
        if (umx_text_equal(one->server, server) && umx_text_equal(one->store, store) &&
            umx_text_equal(one->thumbprint, thumbprint))
            return one;
    }
    return NULL;
}

bool umx_cert_expected(const Umx__Certificate *certificate)
{
    return umx_or_empty(certificate->thumbprint)[0] == '@';
}

static bool name_covers(const char *name, const char *host)
{
    const char *dot = strchr(host, '.');

    return umx_text_equal(name, host) || (strncmp(name, "*.", 2) == 0 && dot != NULL && umx_text_equal(name + 1, dot));
}

bool umx_cert_covers(const Umx__Certificate *certificate, const char *host)
{
    for (size_t i = 0; i < certificate->n_dns_name; i++)
        if (name_covers(certificate->dns_name[i], host))
            return true;
    return certificate->n_dns_name == 0 && name_covers(umx_or_empty(certificate->subject_cn), host);
}

int umx_cert_days(const Umx__World *world, const Umx__Certificate *certificate)
{
    int64_t left = certificate->not_after_at - world->taken_at;

    return (int)(left / (24 * UMX_HOUR)) - (left < 0 ? 1 : 0);
}

/* The 40 hexadecimal digits that event 1112 names; "" when there are none. */
static const char *thumbprint_in(const char *message, struct umx_findings *out)
{
    enum { DIGITS = 40 };

    for (const char *p = umx_or_empty(message); *p != '\0';) {
        size_t length = strspn(p, "0123456789abcdefABCDEF");
        if (length == DIGITS) {
            char *copy = umx_arena_copy(out->arena, p, DIGITS);
            if (copy == NULL)
                out->failed = 1;
            return umx_or_empty(copy);
        }
        p += length;
        p += *p != '\0' && strchr("0123456789abcdefABCDEF", *p) == NULL;
    }
    return "";
}

/* 2007 says at its start which certificate it took. An event from before the last start says nothing of this one. */
static const Umx__Event *start_event(const Umx__World *world, const struct umx_um_end *end)
{
    enum { CERTIFICATE_IN_USE = 1112 };
    const Umx__Service *service = umx_find_service(world, end->fqdn, end->service);
    const Umx__Event *newest = NULL;

    for (size_t i = 0; i < world->n_event; i++) {
        const Umx__Event *event = world->event[i];
        if (umx_text_equal(event->server, end->fqdn) && event->event_id == CERTIFICATE_IN_USE && event->has_logged_at &&
            (newest == NULL || event->logged_at > newest->logged_at))
            newest = event;
    }
    bool old = newest != NULL && service != NULL && service->has_started_at &&
               newest->logged_at + 5 * UMX_MINUTE < service->started_at;
    return old ? NULL : newest;
}

/* What 2007 will take: a certificate that others trust before one that it signed itself (TN-VOIP07). */
static const Umx__Certificate *preferred(const struct umx_view *view, const struct umx_um_end *end,
                                         struct umx_findings *out)
{
    const Umx__Certificate *found = umx_cert_candidate(view, end, out);

    for (size_t i = 0; found == NULL && i < view->world->n_certificate; i++) {
        const Umx__Certificate *one = view->world->certificate[i];
        if (umx_text_equal(one->server, end->fqdn) && umx_text_equal(one->store, "My") && one->thumbprint != NULL)
            found = one;
    }
    return found;
}

struct umx_cert_use umx_cert_use_of(const struct umx_view *view, const struct umx_um_end *end, struct umx_findings *out)
{
    const Umx__World *world = view->world;
    struct umx_cert_use use = {.end = end, .thumbprint = "", .source = "the directory"};

    use.unseen = umx_cert_unseen(world, end->fqdn, out);
    if (end->has_mode) {
        use.thumbprint = umx_or_empty(end->thumbprint);
        for (size_t i = 0; *use.thumbprint == '\0' && i < world->n_um_setting; i++) {
            const Umx__UmSetting *setting = world->um_setting[i];
            if (!umx_text_equal(setting->server, end->fqdn) || !umx_text_equal(setting->service, end->service) ||
                umx_stale(world, setting->has_collected_at, setting->collected_at))
                continue;
            use.thumbprint = umx_or_empty(setting->certificate_thumbprint);
            use.source = "the Exchange shell";
        }
    } else if (use.unseen == NULL) {
        const Umx__Event *event = start_event(world, end);
        const Umx__Certificate *choice = event == NULL ? preferred(view, end, out) : NULL;
        use.source = event != NULL ? "event 1112" : "what Exchange 2007 prefers at its start";
        use.thumbprint = event != NULL    ? thumbprint_in(event->message, out)
                         : choice != NULL ? umx_or_empty(choice->thumbprint)
                                          : "";
    }
    if (*use.thumbprint != '\0')
        use.bound = umx_cert_find(world, end->fqdn, "My", use.thumbprint);
    return use;
}

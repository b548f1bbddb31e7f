/* Phase 2: the certificate of each UM service, and the rules C1 to C14 of spec 6.1 over it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/certificates.h"

#define SERVER_AUTHENTICATION "1.3.6.1.5.5.7.3.1"
#define CLIENT_AUTHENTICATION "1.3.6.1.5.5.7.3.2"
#define ANY_USAGE "2.5.29.37.0"

/* ---- the model */

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

/* ---- the rules */

struct judged {
    const struct umx_view *view;
    const struct umx_um_end *end;
    const Umx__Certificate *certificate;
    struct umx_findings *out;
    const char *expected;
    const char *actual;
};

static Umx__Finding__Status verdict(bool good)
{
    return good ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__FAIL;
}

/* What the authority will write is known when it has written it. */
static bool not_issued(struct judged *j)
{
    if (!umx_cert_expected(j->certificate))
        return false;
    j->actual = "as the authority will issue it";
    return true;
}

static Umx__Finding__Status judge_subject(struct judged *j)
{
    const char *cn = umx_or_empty(j->certificate->subject_cn);

    j->expected = umx_say(j->out, "subject CN=%s", j->end->fqdn);
    j->actual = *cn != '\0' ? umx_say(j->out, "CN=%s", cn) : "no common name";
    return verdict(umx_text_equal(cn, j->end->fqdn));
}

/* Calls for the server's own name, then each of certificates.names. */
static const char *missing_name(struct judged *j)
{
    const char *names = umx_option(j->view->options, "certificates", "names");

    if (j->certificate->n_dns_name > 0 && !umx_cert_covers(j->certificate, j->end->fqdn))
        return j->end->fqdn;
    for (const char *p = names; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        const char *name = umx_say(j->out, "%.*s", (int)n, p);
        if (!umx_cert_covers(j->certificate, name))
            return name;
        p += n;
        p += *p == ',';
    }
    return NULL;
}

static Umx__Finding__Status judge_names(struct judged *j)
{
    const char *missing = missing_name(j);
    const char *list = "";

    for (size_t i = 0; i < j->certificate->n_dns_name; i++)
        list = umx_say(j->out, "%s%s%s", list, i > 0 ? ", " : "", j->certificate->dns_name[i]);
    j->expected = "alternative names, where there are any, hold the server's FQDN and those of certificates.names";
    j->actual = missing != NULL ? umx_say(j->out, "%s is missing: %s", missing, *list != '\0' ? list : "no names")
                : *list != '\0' ? list
                                : "no alternative names";
    return verdict(missing == NULL);
}

static Umx__Finding__Status judge_wildcard_subject(struct judged *j)
{
    const char *cn = umx_or_empty(j->certificate->subject_cn);

    j->expected = "no wildcard in the subject";
    j->actual = umx_say(j->out, "CN=%s", cn);
    return verdict(strchr(cn, '*') == NULL);
}

static Umx__Finding__Status judge_wildcard_name(struct judged *j)
{
    j->expected = "no wildcard among the names: one vendor page accepts it for UM with Lync, another one refuses it";
    j->actual = "none";
    for (size_t i = 0; i < j->certificate->n_dns_name; i++)
        if (strchr(j->certificate->dns_name[i], '*') != NULL) {
            j->actual = j->certificate->dns_name[i];
            return UMX__FINDING__STATUS__WARN;
        }
    return UMX__FINDING__STATUS__PASS;
}

static Umx__Finding__Status judge_self_signed(struct judged *j)
{
    j->expected = "issued by an authority that both sides trust";
    j->actual = j->certificate->self_signed      ? "signed by itself: Lync refuses it (events 1113, 1649)"
                : j->certificate->issuer != NULL ? j->certificate->issuer
                                                 : "issued by an authority";
    return verdict(!j->certificate->self_signed);
}

static Umx__Finding__Status judge_chain(struct judged *j)
{
    const char *chain = j->certificate->chain;

    j->expected = "its chain ends in a root that the server trusts";
    j->actual = chain == NULL ? "the agent did not build the chain" : umx_text_equal(chain, "ok") ? "it does" : chain;
    return chain == NULL ? UMX__FINDING__STATUS__UNKNOWN : verdict(umx_text_equal(chain, "ok"));
}

static bool has_usage(const Umx__Certificate *certificate, const char *usage)
{
    for (size_t i = 0; i < certificate->n_eku; i++)
        if (strcmp(certificate->eku[i], usage) == 0 || strcmp(certificate->eku[i], ANY_USAGE) == 0)
            return true;
    return certificate->n_eku == 0;
}

static Umx__Finding__Status judge_server_usage(struct judged *j)
{
    bool good = has_usage(j->certificate, SERVER_AUTHENTICATION);

    j->expected = "may be used for server authentication (" SERVER_AUTHENTICATION ")";
    j->actual = !good ? "not among its extended key usages" : j->certificate->n_eku == 0 ? "no limit" : "it may";
    return verdict(good);
}

static Umx__Finding__Status judge_client_usage(struct judged *j)
{
    bool good = has_usage(j->certificate, CLIENT_AUTHENTICATION);

    j->expected = "may be used for client authentication (" CLIENT_AUTHENTICATION "): UM calls Lync too";
    j->actual = !good ? "not among its extended key usages" : j->certificate->n_eku == 0 ? "no limit" : "it may";
    return good ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__WARN;
}

static Umx__Finding__Status judge_key(struct judged *j)
{
    j->expected = "its private key is in the store";
    j->actual = j->certificate->private_key ? "it is" : "it is not: the certificate was imported without its request";
    return verdict(j->certificate->private_key);
}

static Umx__Finding__Status judge_validity(struct judged *j)
{
    const Umx__Certificate *one = j->certificate;
    char from[UMX_CLOCK_TEXT];
    char to[UMX_CLOCK_TEXT];

    j->expected = "valid now (revocation is not looked up)";
    if (not_issued(j))
        return UMX__FINDING__STATUS__PASS;
    if (!one->has_not_before_at || !one->has_not_after_at) {
        j->actual = "its dates could not be read";
        return UMX__FINDING__STATUS__UNKNOWN;
    }
    j->actual = umx_say(j->out, "from %s to %s", umx_clock_format(one->not_before_at, from),
                        umx_clock_format(one->not_after_at, to));
    return verdict(one->not_before_at <= j->view->world->taken_at && one->not_after_at > j->view->world->taken_at);
}

static Umx__Finding__Status judge_strength(struct judged *j)
{
    const char *algorithm = umx_or_empty(j->certificate->key_algorithm);
    const char *signature = umx_or_empty(j->certificate->signature_algorithm);
    bool rsa = strncasecmp(algorithm, "RSA", 3) == 0;

    j->expected = "RSA with 2048 bits or more, signed with SHA-1 or better";
    if (not_issued(j))
        return UMX__FINDING__STATUS__PASS;
    if (!j->certificate->has_key_bits) {
        j->actual = "its key could not be read";
        return UMX__FINDING__STATUS__UNKNOWN;
    }
    j->actual = umx_say(j->out, "%s, %d bits, %s", algorithm, j->certificate->key_bits, signature);
    if (strncasecmp(signature, "md", 2) == 0 || (rsa && j->certificate->key_bits < 1024))
        return UMX__FINDING__STATUS__FAIL;
    return rsa && j->certificate->key_bits < 2048 ? UMX__FINDING__STATUS__WARN : UMX__FINDING__STATUS__PASS;
}

Umx__Finding__Status umx_cert_band(int days)
{
    return days < UMX_CERT_FAIL_DAYS    ? UMX__FINDING__STATUS__FAIL
           : days <= UMX_CERT_WARN_DAYS ? UMX__FINDING__STATUS__WARN
                                        : UMX__FINDING__STATUS__PASS;
}

const char *umx_cert_band_text(struct umx_findings *out)
{
    return umx_say(out, "more than %d days left; %d is a warning, %d a failure", UMX_CERT_WARN_DAYS, UMX_CERT_NEAR_DAYS,
                   UMX_CERT_FAIL_DAYS);
}

const char *umx_cert_band_says(struct umx_findings *out, int days, int64_t until)
{
    char to[UMX_CLOCK_TEXT];

    return umx_say(out, "%d days left, until %s%s", days, umx_clock_format(until, to),
                   days < UMX_CERT_FAIL_DAYS   ? ": replace it today"
                   : days < UMX_CERT_NEAR_DAYS ? ": replace it now"
                                               : "");
}

static Umx__Finding__Status judge_expiry(struct judged *j)
{
    int days = umx_cert_days(j->view->world, j->certificate);

    j->expected = umx_cert_band_text(j->out);
    if (not_issued(j))
        return UMX__FINDING__STATUS__PASS;
    if (!j->certificate->has_not_after_at) {
        j->actual = "its dates could not be read";
        return UMX__FINDING__STATUS__UNKNOWN;
    }
    j->actual = umx_say(j->out, "%s%s", umx_cert_band_says(j->out, days, j->certificate->not_after_at),
                        days >= UMX_CERT_FAIL_DAYS && days < UMX_CERT_NEAR_DAYS ? " (events 1120, 1643)" : "");
    return umx_cert_band(days);
}

static const struct rule {
    const char *id;
    Umx__Finding__Status (*judge)(struct judged *j);
} rules[] = {
    {"certificates/subject", judge_subject},
    {"certificates/names", judge_names},
    {"certificates/wildcard-subject", judge_wildcard_subject},
    {"certificates/wildcard-name", judge_wildcard_name},
    {"certificates/self-signed", judge_self_signed},
    {"certificates/chain", judge_chain},
    {"certificates/server-usage", judge_server_usage},
    {"certificates/client-usage", judge_client_usage},
    {"certificates/private-key", judge_key},
    {"certificates/validity", judge_validity},
    {"certificates/key", judge_strength},
    {"certificates/expiry", judge_expiry},
};

enum { RULE_COUNT = sizeof rules / sizeof rules[0] };

static int renew_below(const struct umx_view *view)
{
    const char *value = umx_option(view->options, "certificates", "renew-below");

    return value != NULL ? (int)strtol(value, NULL, 10) : UMX_CERT_NEAR_DAYS;
}

const char *umx_cert_fault(const struct umx_view *view, const struct umx_um_end *end,
                           const Umx__Certificate *certificate, struct umx_findings *out)
{
    struct judged j = {.view = view, .end = end, .certificate = certificate, .out = out};

    if (certificate->error != NULL && certificate->error[0] != '\0')
        return certificate->error;
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (rules[i].judge(&j) == UMX__FINDING__STATUS__FAIL)
            return umx_say(out, "expected %s; it has: %s", j.expected, j.actual);
    if (!umx_cert_expected(certificate) && certificate->has_not_after_at &&
        umx_cert_days(view->world, certificate) < renew_below(view))
        return umx_say(out, "%d days left, fewer than %d", umx_cert_days(view->world, certificate), renew_below(view));
    return NULL;
}

const Umx__Certificate *umx_cert_candidate(const struct umx_view *view, const struct umx_um_end *end,
                                           struct umx_findings *out)
{
    const Umx__Certificate *best = NULL;

    for (size_t i = 0; i < view->world->n_certificate; i++) {
        const Umx__Certificate *one = view->world->certificate[i];
        if (!umx_text_equal(one->server, end->fqdn) || !umx_text_equal(one->store, "My") || one->thumbprint == NULL ||
            umx_cert_fault(view, end, one, out) != NULL)
            continue;
        if (best == NULL || umx_cert_expected(one) ||
            (!umx_cert_expected(best) && one->not_after_at > best->not_after_at))
            best = one;
    }
    return best;
}

/* ---- checks */

/* Each UM service of the forest in turn; none: not applicable. */
static const struct umx_um_end *ends_of(const struct umx_view *view, const struct umx_phase_check *check,
                                        struct umx_findings *out, size_t *count)
{
    const struct umx_um_end *ends = umx_um_ends(view->world, view->pair->exchange, out->arena, count);

    if (ends == NULL) {
        out->failed = 1;
        *count = 0;
    } else if (*count == 0) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = view->pair->exchange,
            .actual = "no UM server in the forest",
        };
        umx_findings_add(out, view, check, &answer);
    }
    return ends;
}

static const char *install_agent(struct umx_findings *out, const char *server)
{
    return umx_say(out, "install or start the agent: `umxd issue agent %s`, see `umx agents`", server);
}

void umx_cert_check_rule(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);
    const struct rule *rule = NULL;

    for (size_t i = 0; i < RULE_COUNT; i++)
        if (strcmp(rules[i].id, check->id) == 0)
            rule = &rules[i];
    for (size_t i = 0; rule != NULL && i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        struct judged j = {.view = view, .end = &ends[i], .certificate = use.bound, .out = out};
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = check->question,
        };
        if (use.bound != NULL) {
            answer.status = rule->judge(&j);
            answer.expected = j.expected;
            answer.actual = umx_say(out, "%s: %s", use.thumbprint, j.actual);
        } else if (use.unseen != NULL) {
            answer.status = UMX__FINDING__STATUS__UNKNOWN;
            answer.actual = use.unseen;
            answer.remedy = install_agent(out, ends[i].fqdn);
        } else {
            answer.actual = "no certificate of the store is in use";
        }
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_mode(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        bool warn;
        const char *fault = umx_um_mode_fault(view, &ends[i], &warn);
        struct umx_answer answer = {
            .status = !ends[i].has_mode ? UMX__FINDING__STATUS__NOT_APPLICABLE
                      : fault == NULL   ? UMX__FINDING__STATUS__PASS
                      : warn            ? UMX__FINDING__STATUS__WARN
                                        : UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "startup mode Dual, or TLS: a certificate can be bound to nothing else",
            .actual = !ends[i].has_mode ? "Exchange 2007 follows the security of its dial plan"
                      : fault == NULL   ? umx_um_mode_word(ends[i].mode)
                                        : fault,
        };
        if (warn)
            answer.remedy = umx_say(out, "`Set-UMService %s -UMStartupMode Dual`", ends[i].fqdn);
        if (ends[i].has_mode && ends[i].dn == NULL) {
            answer.status = UMX__FINDING__STATUS__FAIL;
            answer.actual = "the server has no call-router object: its setup did not finish";
            answer.remedy =
                umx_say(out, "`Get-UMCallRouterSettings -Server %s`; run Exchange setup again", ends[i].fqdn);
        }
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_bound(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        bool bound = *use.thumbprint != '\0';
        struct umx_answer answer = {
            .status = !ends[i].has_mode ? UMX__FINDING__STATUS__NOT_APPLICABLE : verdict(bound),
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = umx_say(out, "a certificate is assigned to the service %s", ends[i].certificate_service),
            .actual = !ends[i].has_mode ? "Exchange 2007 has no assignment: see certificates/chosen"
                      : bound           ? umx_say(out, "%s, says %s", use.thumbprint, use.source)
                                        : "none",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_store(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "the assigned certificate is in the server's own store",
        };
        if (!ends[i].has_mode) {
            answer.actual = "Exchange 2007 has no assignment: see certificates/chosen";
        } else if (*use.thumbprint == '\0') {
            answer.actual = "none is assigned";
        } else if (use.unseen != NULL && use.bound == NULL) {
            answer.status = UMX__FINDING__STATUS__UNKNOWN;
            answer.actual = use.unseen;
            answer.remedy = install_agent(out, ends[i].fqdn);
        } else {
            answer.status = verdict(use.bound != NULL);
            answer.actual = umx_say(out, "%s%s", use.thumbprint, use.bound != NULL ? "" : " is not there");
        }
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_chosen(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "Exchange 2007 took a certificate that Lync accepts at its start (event 1112)",
            .actual = "Exchange 2010 and later have an assignment: see certificates/bound",
        };
        if (!ends[i].has_mode) {
            struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
            const char *fault = use.bound != NULL ? umx_cert_fault(view, &ends[i], use.bound, out) : NULL;
            answer.status = use.unseen != NULL  ? UMX__FINDING__STATUS__UNKNOWN
                            : use.bound == NULL ? UMX__FINDING__STATUS__FAIL
                                                : verdict(fault == NULL);
            answer.actual = use.unseen != NULL        ? use.unseen
                            : *use.thumbprint == '\0' ? "no certificate in the store"
                            : use.bound == NULL
                                ? umx_say(out, "%s of %s is not in the store", use.thumbprint, use.source)
                            : fault != NULL ? umx_say(out, "%s (%s): %s", use.thumbprint, use.source, fault)
                                            : umx_say(out, "%s (%s)", use.thumbprint, use.source);
            if (use.unseen != NULL)
                answer.remedy =
                    umx_say(out, "by hand on %s: `Get-EventLog Application -InstanceId 1112 -Newest 1`", ends[i].fqdn);
        }
        umx_findings_add(out, view, check, &answer);
    }
}

/* Nobody reports whether a key may be exported; a certificate on two servers answers it. */
void umx_cert_check_exportable(const struct umx_view *view, const struct umx_phase_check *check,
                               struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        const struct umx_um_end *other = NULL;
        for (size_t k = 0; use.bound != NULL && k < count; k++)
            if (!umx_text_equal(ends[k].fqdn, ends[i].fqdn) &&
                umx_cert_find(view->world, ends[k].fqdn, "My", use.thumbprint) != NULL)
                other = &ends[k];
        struct umx_answer answer = {
            .status = other != NULL ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "a certificate for several servers was exported with its key",
            .actual = other != NULL ? umx_say(out, "%s is on %s too", use.thumbprint, other->fqdn)
                                    : "optional, for a certificate that several servers share: this one is not shared",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_restarted(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    static const Umx__Finding__Status statuses[] = {
        [UMX_UM_FRESH] = UMX__FINDING__STATUS__PASS,
        [UMX_UM_STALE] = UMX__FINDING__STATUS__FAIL,
        [UMX_UM_STOPPED] = UMX__FINDING__STATUS__FAIL,
        [UMX_UM_UNKNOWN] = UMX__FINDING__STATUS__UNKNOWN,
    };
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_answer answer = {
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "the service was started after its certificate or mode last changed",
        };
        answer.status = statuses[umx_um_fresh(view, &ends[i], out, &answer.actual)];
        if (answer.status == UMX__FINDING__STATUS__UNKNOWN)
            answer.remedy = install_agent(out, ends[i].fqdn);
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- C13 */

static void count_roots(const struct umx_view *view, const struct umx_phase_check *check, const char *forest,
                        const char *server, struct umx_findings *out)
{
    enum { SCHANNEL_LIST_CUT = 36885 };
    const Umx__World *world = view->world;
    const char *unseen = umx_cert_unseen(world, server, out);
    bool logged = false;
    size_t roots = 0;

    for (size_t i = 0; i < world->n_certificate; i++)
        roots += umx_text_equal(world->certificate[i]->server, server) &&
                 umx_text_equal(world->certificate[i]->store, "Root");
    for (size_t i = 0; i < world->n_event; i++)
        logged = logged ||
                 (umx_text_equal(world->event[i]->server, server) && world->event[i]->event_id == SCHANNEL_LIST_CUT);
    struct umx_answer answer = {
        .status = unseen != NULL                ? UMX__FINDING__STATUS__UNKNOWN
                  : logged                      ? UMX__FINDING__STATUS__FAIL
                  : roots > UMX_CERT_ROOTS_MANY ? UMX__FINDING__STATUS__WARN
                                                : UMX__FINDING__STATUS__PASS,
        .forest = forest,
        .target = server,
        .expected = umx_say(out, "no Schannel event 36885, at most %d trusted roots", UMX_CERT_ROOTS_MANY),
        .actual = unseen != NULL ? unseen
                  : logged       ? umx_say(out, "%zu roots, and event 36885: the list sent to clients is cut", roots)
                                 : umx_say(out, "%zu roots", roots),
    };
    if (unseen != NULL)
        answer.remedy = install_agent(out, server);
    umx_findings_add(out, view, check, &answer);
}

void umx_cert_check_roots(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;

    if (check->needs == UMX_NEEDS_EXCHANGE) {
        const struct umx_um_end *ends = ends_of(view, check, out, &count);
        for (size_t i = 0; i < count; i++)
            if (i == 0 || ends[i].server != ends[i - 1].server)
                count_roots(view, check, view->pair->exchange, ends[i].fqdn, out);
        return;
    }
    count = 0;
    for (size_t i = 0; i < view->world->n_server; i++) {
        const Umx__Server *server = view->world->server[i];
        if (!umx_text_equal(server->forest, view->pair->lync) || server->product != UMX__SERVER__PRODUCT__LYNC)
            continue;
        count_roots(view, check, view->pair->lync, server->server, out);
        count++;
    }
    if (count > 0)
        return;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN,
        .forest = view->pair->lync,
        .target = view->pair->lync,
        .expected = check->question,
        .actual = umx_say(out, "no agent on a Lync server of %s", view->pair->lync),
        .remedy = umx_say(out, "install an agent on a Front End of %s: `umxd issue agent FQDN`", view->pair->lync),
    };
    umx_findings_add(out, view, check, &answer);
}

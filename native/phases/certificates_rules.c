/* Phase 2: the rules C1 to C14 of spec 6.1 over the certificate of a UM service. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/certificates.h"

#define SERVER_AUTHENTICATION "1.3.6.1.5.5.7.3.1"
#define CLIENT_AUTHENTICATION "1.3.6.1.5.5.7.3.2"
#define ANY_USAGE "2.5.29.37.0"

struct judged {
    const struct umx_view *view;
    const struct umx_um_end *end;
    const Umx__Certificate *certificate;
    struct umx_findings *out;
    const char *expected;
    const char *actual;
};

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
    return umx_verdict(umx_text_equal(cn, j->end->fqdn));
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
    return umx_verdict(missing == NULL);
}

static Umx__Finding__Status judge_wildcard_subject(struct judged *j)
{
    const char *cn = umx_or_empty(j->certificate->subject_cn);

    j->expected = "no wildcard in the subject";
    j->actual = umx_say(j->out, "CN=%s", cn);
    return umx_verdict(strchr(cn, '*') == NULL);
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
    return umx_verdict(!j->certificate->self_signed);
}

static Umx__Finding__Status judge_chain(struct judged *j)
{
    const char *chain = j->certificate->chain;

    j->expected = "its chain ends in a root that the server trusts";
    j->actual = chain == NULL ? "the agent did not build the chain" : umx_text_equal(chain, "ok") ? "it does" : chain;
    return chain == NULL ? UMX__FINDING__STATUS__UNKNOWN : umx_verdict(umx_text_equal(chain, "ok"));
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
    return umx_verdict(good);
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
    return umx_verdict(j->certificate->private_key);
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
    return umx_verdict(one->not_before_at <= j->view->world->taken_at && one->not_after_at > j->view->world->taken_at);
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

bool umx_cert_judge(const struct umx_view *view, const struct umx_um_end *end, const Umx__Certificate *certificate,
                    const char *id, struct umx_findings *out, struct umx_answer *answer)
{
    struct judged j = {.view = view, .end = end, .certificate = certificate, .out = out};

    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (strcmp(rules[i].id, id) != 0)
            continue;
        answer->status = rules[i].judge(&j);
        answer->expected = j.expected;
        answer->actual = j.actual;
        return true;
    }
    return false;
}

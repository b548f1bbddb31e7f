#include "agent/renew.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "agent/enroll.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/text.h"
#include "rpc/request.h"

#define ANSWER_TIMEOUT (2 * UMX_MINUTE)
#define RETRY (10 * UMX_MINUTE)

static int64_t random_below(int64_t limit)
{
    uint64_t number = 0;

    if (limit <= 0 || RAND_bytes((unsigned char *)&number, sizeof number) != 1)
        return 0;
    return (int64_t)(number % (uint64_t)limit);
}

static void forget(struct umx_renewal *renewal)
{
    umx_private_free(renewal->key);
    renewal->key = NULL;
    renewal->asked_at = 0;
}

int umx_renewal_begin(struct umx_renewal *renewal, const struct umx_identity_file *identity, struct umx_error *err)
{
    const struct umx_identity *who = &identity->identity;
    int64_t life = who->not_after_at - who->not_before_at;

    umx_renewal_end(renewal);
    renewal->root = strdup(identity->root);
    if (renewal->root == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, who->uri, NULL);
    umx_text_copy(renewal->uri, sizeof renewal->uri, who->uri);
    umx_text_copy(renewal->fqdn, sizeof renewal->fqdn, who->fqdn);
    /* A fleet that enrolled in one hour does not renew in one. */
    int64_t third = who->not_after_at - life / 3;
    renewal->due_at = third <= umx_clock_now() ? umx_clock_now() : third + random_below(life / 30);
    return 0;
}

void umx_renewal_end(struct umx_renewal *renewal)
{
    forget(renewal);
    free(renewal->root);
    *renewal = (struct umx_renewal){0};
}

void umx_renewal_trust(struct umx_renewal *renewal, const struct umx_trust *trust)
{
    renewal->trust = trust;
}

/* The root that the answer has to be of: the identity's, or, while an authority rotates, another one that is trusted.
 */
static const char *root_of(const struct umx_renewal *renewal, const struct umx_identity_file *issued)
{
    bool told = renewal->trust != NULL && umx_trust_has_root(renewal->trust, renewal->root) &&
                umx_trust_has_root(renewal->trust, issued->root);

    return told ? issued->root : renewal->root;
}

void umx_renewal_hurry(struct umx_renewal *renewal, int within)
{
    int64_t at = umx_clock_now() + random_below(within * UMX_SECOND);

    if (renewal->due_at > at)
        renewal->due_at = at;
}

bool umx_renewal_due(const struct umx_renewal *renewal)
{
    int64_t now = umx_clock_monotonic();

    return renewal->root != NULL && umx_clock_now() >= renewal->due_at && now >= renewal->retry_at &&
           (renewal->asked_at == 0 || now >= renewal->asked_at + ANSWER_TIMEOUT);
}

int umx_renewal_ask(struct umx_renewal *renewal, uint8_t **request, size_t *length, struct umx_error *err)
{
    forget(renewal);
    int status = umx_request_key(&renewal->key, err);
    if (status == 0)
        status = umx_request_make(renewal->key, request, length, err);
    if (status == 0)
        renewal->asked_at = umx_clock_monotonic();
    else
        forget(renewal);
    return status;
}

void umx_renewal_gone(struct umx_renewal *renewal)
{
    forget(renewal);
}

/* The controller's own error id, when it is one of the table. */
static int refused(const struct umx_renewal *renewal, const Umx__Renewed *renewed, struct umx_error *err)
{
    int id = renewed->error != NULL && strncmp(renewed->error, "UMX-", 4) == 0 ? atoi(renewed->error + 4) : 0;

    if (id <= 0 || umx_error_text(id)->id != id)
        id = UMX_ERR_ANSWER_INVALID;
    return umx_fail(err, (enum umx_error_id)id, renewal->fqdn, renewed->reason != NULL ? "%s" : NULL, renewed->reason);
}

static int keep(const struct umx_renewal *renewal, const char *chain, const char *path, struct umx_error *err)
{
    struct umx_identity_file issued = {0};
    struct umx_text pem = {0};

    umx_text_adds(&pem, renewal->key);
    umx_text_adds(&pem, chain);
    int status = pem.failed ? umx_fail(err, UMX_ERR_MEMORY, "renewal", NULL)
                            : umx_identity_file_parse(pem.data, pem.length, "the renewed identity", &issued, err);
    if (status == 0)
        status = umx_enroll_check(&issued, renewal->fqdn, root_of(renewal, &issued), err);
    if (status == 0 && strcmp(issued.identity.uri, renewal->uri) != 0)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, issued.identity.uri, "it is not the identity that was renewed");
    umx_crash_point(UMX_CRASH_RENEW_BEFORE, NULL);
    if (status == 0)
        status = umx_private_file_write(path, pem.data, pem.length, err);
    umx_crash_point(UMX_CRASH_RENEW_AFTER, NULL);
    umx_private_free(pem.data);
    umx_identity_file_free(&issued);
    return status;
}

int umx_renewal_take(struct umx_renewal *renewal, const Umx__Renewed *renewed, const char *path, struct umx_error *err)
{
    int status;

    if (renewal->key == NULL)
        return umx_fail(err, UMX_ERR_PROTOCOL, renewal->fqdn, "a certificate that was not asked for");
    status = renewed->chain == NULL ? refused(renewal, renewed, err) : keep(renewal, renewed->chain, path, err);
    forget(renewal);
    renewal->retry_at = umx_clock_monotonic() + RETRY + random_below(RETRY);
    return status;
}

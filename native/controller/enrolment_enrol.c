/* The proof by token of `Issue`: what is asked, whether it may be, and the certificate. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/log.h"
#include "controller/enrolment_internal.h"

/* What a request says, checked as far as it can be without the registry. */
struct asking {
    const Umx__IssueRequest *request;
    const char *peer;
    struct umx_token token;
    char server[UMX_FQDN_MAX]; /* in lower case */
    struct umx_request_facts facts;
};

static int refuse_token(struct umx_error *err, const struct asking *asking, enum umx_error_id id, const char *why)
{
    return umx_fail(err, id, asking->server, why != NULL ? "%s" : NULL, why);
}

static void read_server(const char *name, char out[UMX_FQDN_MAX])
{
    umx_text_copy(out, UMX_FQDN_MAX, name != NULL ? name : "");
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
}

/* The token that the secret proves; unknown ids and wrong secrets look the same. */
static struct enrol_token *prove(struct umx_enrolment *enrolment, const struct asking *asking)
{
    struct enrol_token *token = enrol_token_of(enrolment, asking->token.id);
    uint8_t hash[ENROL_HASH];

    if (EVP_Digest(asking->token.secret, sizeof asking->token.secret, hash, NULL, EVP_sha256(), NULL) != 1)
        return NULL;
    return token != NULL && CRYPTO_memcmp(hash, token->hash, sizeof hash) == 0 ? token : NULL;
}

static bool replayed(const struct umx_enrolment *enrolment, const struct asking *asking)
{
    for (size_t i = enrolment->request_count; i > 0; i--)
        if (memcmp(enrolment->requests[i - 1], asking->facts.content, ENROL_HASH) == 0)
            return true;
    return false;
}

static int check_token(const struct umx_enrolment *enrolment, const struct enrol_token *token,
                       const struct asking *asking, struct umx_error *err)
{
    const char *of = enrol_forest_of(enrolment, asking->server);
    const char *said = asking->request->forest;

    if (token->expires_at <= umx_clock_now())
        return refuse_token(err, asking, UMX_ERR_TOKEN_EXPIRED, NULL);
    if (token->server != NULL ? !umx_text_equal(token->server, asking->server)
                              : token->pattern == NULL || !umx_token_pattern_matches(token->pattern, asking->server))
        return refuse_token(err, asking, UMX_ERR_TOKEN_WRONG_NAME, NULL);
    if (of != NULL && !umx_text_equal(of, token->forest))
        return umx_fail(err, UMX_ERR_TOKEN_WRONG_FOREST, asking->server, "it is in %s, the token is for %s", of,
                        token->forest);
    if (said != NULL && said[0] != '\0' && !umx_text_equal(said, token->forest))
        return umx_fail(err, UMX_ERR_TOKEN_WRONG_FOREST, asking->server,
                        "it says that it is in %s, the token is for %s", said, token->forest);
    if (umx_config_forest(enrolment->controller->config, token->forest) == NULL)
        return umx_fail(err, UMX_ERR_TOKEN_WRONG_FOREST, asking->server, "%s is not configured any more",
                        token->forest);
    if (token->used >= token->uses)
        return refuse_token(err, asking, UMX_ERR_TOKEN_USED_UP, NULL);
    return 0;
}

/* The entry of a key that uses the token. */
static void fill(const struct asking *asking, const struct enrol_token *token, uint8_t key[ENROL_HASH], char peer[128],
                 Umx__Enrolment *what)
{
    enrol_from_hex(asking->facts.key, key);
    umx_text_copy(peer, 128, asking->peer);
    what->token = (char *)(uintptr_t)token->id; /* packed, never changed */
    what->server = (char *)(uintptr_t)asking->server;
    what->forest = token->forest;
    what->has_key = what->has_request = 1;
    what->key = (ProtobufCBinaryData){.len = ENROL_HASH, .data = key};
    what->request = (ProtobufCBinaryData){.len = ENROL_HASH, .data = (uint8_t *)(uintptr_t)asking->facts.content};
    what->peer = peer;
}

/* Durable first: a certificate that nobody has recorded must not exist. */
static int give(struct umx_enrolment *enrolment, const struct asking *asking, const struct enrol_token *token,
                const char *uri, const char *previous, struct umx_issued *out, struct umx_error *err)
{
    Umx__Enrolment what = UMX__ENROLMENT__INIT;
    uint8_t key[ENROL_HASH];
    char peer[128], agent[UMX_IDENTITY_MAX];
    const char *name = strrchr(uri, '/');

    fill(asking, token, key, peer, &what);
    umx_text_copy(agent, sizeof agent, uri);
    what.agent = agent;
    what.previous = (char *)(uintptr_t)previous;
    int status = name == NULL ? umx_fail(err, UMX_ERR_INTERNAL, uri, NULL)
                              : enrol_append(enrolment, UMX__JOURNAL__KIND__ENROLLED, &what, agent, err);
    if (status == 0)
        status = umx_authority_enrol_agent(enrolment->controller->authority, asking->request->request.data,
                                           asking->request->request.len, name + 1, asking->server, out, err);
    if (status == 0)
        umx_log(UMX_LOG_INFO, "enrolment", "%s is %s, by token %s from %s", asking->server, out->identity, token->id,
                asking->peer);
    return status;
}

static int hold(struct umx_enrolment *enrolment, const struct asking *asking, const struct enrol_token *token,
                struct enrol_known *known, struct umx_error *err)
{
    Umx__Enrolment what = UMX__ENROLMENT__INIT;
    uint8_t key[ENROL_HASH], previous_key[ENROL_HASH];
    char peer[128];

    fill(asking, token, key, peer, &what);
    what.previous = known->uri;
    what.has_previous_key = enrol_from_hex(known->key, previous_key);
    what.previous_key = (ProtobufCBinaryData){.len = ENROL_HASH, .data = previous_key};
    int status = enrol_append(enrolment, UMX__JOURNAL__KIND__ENROLMENT_HELD, &what, "", err);
    if (status == 0)
        umx_log(UMX_LOG_WARNING, "enrolment", "%s from %s is held: it is known with another key", asking->server,
                asking->peer);
    return status != 0 ? status
                       : umx_fail(err, UMX_ERR_ENROLMENT_HELD, asking->server, "its new key is %s, the known one %s",
                                  asking->facts.key, known->key[0] != '\0' ? known->key : "is not recorded");
}

/* The same key again with the same token: an answer was lost, or it was held and asks how it stands. */
static int again(struct umx_enrolment *enrolment, const struct asking *asking, const struct enrol_token *token,
                 struct enrol_use *use, struct umx_issued *out, struct umx_error *err)
{
    char agent[UMX_IDENTITY_MAX];

    if (!umx_text_equal(use->server, asking->server))
        return refuse_token(err, asking, UMX_ERR_TOKEN_WRONG_NAME, "this key used the token for another server");
    if (use->state == ENROL_REJECTED)
        return refuse_token(err, asking, UMX_ERR_ENROLMENT_REJECTED, NULL);
    if (use->state == ENROL_HELD)
        return umx_fail(err, UMX_ERR_ENROLMENT_HELD, asking->server, "its new key is %s", use->key);
    if (use->agent == NULL || umx_authority_agent_revoked(enrolment->controller->authority, use->agent))
        return refuse_token(err, asking, UMX_ERR_AGENT_REVOKED, NULL);
    if (use->repeats >= ENROL_REPEATS_MAX)
        return refuse_token(err, asking, UMX_ERR_TOKEN_USED_UP, "this key used it too often");
    /* An operator's decision may come after the token's end; a lost answer is asked for at once. */
    if (use->state == ENROL_ENROLLED && token->expires_at <= umx_clock_now())
        return refuse_token(err, asking, UMX_ERR_TOKEN_EXPIRED, NULL);
    umx_text_copy(agent, sizeof agent, use->agent); /* the list of uses may move */
    return give(enrolment, asking, token, agent, NULL, out, err);
}

/* A key that is new to the token. */
static int first(struct umx_enrolment *enrolment, const struct asking *asking, const struct enrol_token *token,
                 struct umx_issued *out, struct umx_error *err)
{
    struct enrol_known known = {0};
    struct umx_text uri = {0};
    char name[37];
    bool found = false;
    int status = check_token(enrolment, token, asking, err);

    if (status == 0)
        status = enrol_find_known(enrolment, asking->server, &known, &found, err);
    if (status != 0)
        return status;
    /* The newest key, or the one before it: a crash while renewing leaves either. */
    bool same = found && !known.revoked && known.key[0] != '\0' &&
                (strcmp(known.key, asking->facts.key) == 0 || strcmp(known.previous_key, asking->facts.key) == 0);
    if (found && !same)
        return hold(enrolment, asking, token, &known, err);
    if (same)
        return give(enrolment, asking, token, known.uri, NULL, out, err);
    status = umx_authority_agent_name(name, err);
    umx_text_addf(&uri, "umx://%s/agent/%s", enrolment->controller->deployment, name);
    if (status == 0)
        status = uri.failed ? umx_fail(err, UMX_ERR_MEMORY, asking->server, NULL)
                            : give(enrolment, asking, token, uri.data, NULL, out, err);
    umx_text_free(&uri);
    return status;
}

int umx_enrolment_enrol(struct umx_enrolment *enrolment, const Umx__IssueRequest *request, const char *peer,
                        struct umx_issued *out, struct umx_error *err)
{
    struct asking asking = {.request = request, .peer = peer};
    struct umx_error unread = {0};
    const char *text = request->token != NULL ? request->token : "";

    *out = (struct umx_issued){0};
    read_server(request->server, asking.server);
    if (umx_token_parse(text, strlen(text), "token", &asking.token, NULL) != 0)
        return refuse_token(err, &asking, UMX_ERR_TOKEN_INVALID, NULL);
    /* Who has no token learns nothing about the request, and makes nobody verify it. */
    pthread_mutex_lock(&enrolment->mutex);
    bool proven = prove(enrolment, &asking) != NULL;
    pthread_mutex_unlock(&enrolment->mutex);
    if (!proven) {
        OPENSSL_cleanse(&asking.token, sizeof asking.token);
        return refuse_token(err, &asking, UMX_ERR_TOKEN_INVALID, NULL);
    }
    int facts = umx_authority_request_facts(request->request.data, request->request.len, &asking.facts, &unread);
    pthread_mutex_lock(&enrolment->mutex);
    struct enrol_token *token = prove(enrolment, &asking);
    struct enrol_use *use = token != NULL && facts == 0 ? enrol_use_of(enrolment, token->id, asking.facts.key) : NULL;
    int status = 0;
    if (token == NULL)
        status = refuse_token(err, &asking, UMX_ERR_TOKEN_INVALID, NULL);
    else if (token->revoked_at != 0)
        status = refuse_token(err, &asking, UMX_ERR_TOKEN_REVOKED, NULL);
    else if (facts != 0)
        status =
            umx_fail(err, (enum umx_error_id)unread.id, asking.server, unread.why[0] != '\0' ? "%s" : NULL, unread.why);
    else if (replayed(enrolment, &asking))
        status = refuse_token(err, &asking, UMX_ERR_REQUEST_REPLAYED, NULL);
    else if (use != NULL)
        status = again(enrolment, &asking, token, use, out, err);
    else
        status = first(enrolment, &asking, token, out, err);
    pthread_mutex_unlock(&enrolment->mutex);
    OPENSSL_cleanse(&asking.token, sizeof asking.token);
    return status;
}

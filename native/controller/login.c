#include "controller/login.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/statement.h"
#include "controller/forests.h"
#include "rpc/trust.h"

enum { STATEMENTS_MAX = UMX_TRUST_CERTIFICATES, HEX = 65 };
#define LOGIN_TIME (20 * UMX_SECOND)

int umx_login_prepare(struct umx_controller *controller, struct umx_error *err)
{
    const char *name = strrchr(controller->identity, '/');

    for (size_t i = 0; i < controller->config->forest_count; i++) {
        struct umx_forest_config *forest = &controller->config->forests[i];
        struct umx_text service = {0}, cache = {0};
        if (forest->service_keytab == NULL)
            continue;
        umx_text_addf(&cache, "%s/logins.%s", controller->config->data, forest->name);
        umx_text_addf(&service, "umx%s", name != NULL ? name : "");
        if (service.failed || cache.failed) {
            umx_text_free(&service);
            umx_text_free(&cache);
            return umx_fail(err, UMX_ERR_MEMORY, forest->name, NULL);
        }
        forest->replay_cache = cache.data;
        if (forest->service == NULL)
            forest->service = service.data;
        else
            umx_text_free(&service);
    }
    return 0;
}

static bool hash(const void *bytes, size_t length, char out[HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct umx_text hex = {0};
    bool good = EVP_Digest(bytes, length, digest, &size, EVP_sha256(), NULL) == 1;

    umx_text_add_hex(&hex, digest, good ? size : 0);
    good = good && !hex.failed && hex.length < HEX;
    umx_text_copy(out, HEX, good ? umx_text_string(&hex) : "");
    umx_text_free(&hex);
    return good;
}

/* While a root is replaced the client may know either: one statement for each. */
static size_t write_statements(struct umx_controller *controller, const char *forest, const char *request_hash,
                               struct umx_text texts[STATEMENTS_MAX])
{
    const struct umx_trust *trust = umx_authority_trust(controller->authority);
    BIO *bio = trust != NULL && trust->roots != NULL ? BIO_new_mem_buf(trust->roots, -1) : NULL;
    X509 *root;
    size_t count = 0;

    while (bio != NULL && count < STATEMENTS_MAX && (root = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        unsigned char *der = NULL;
        char root_hash[HEX];
        int size = i2d_X509(root, &der);
        const struct umx_login_statement statement = {forest, request_hash, root_hash};
        if (size > 0 && hash(der, (size_t)size, root_hash) &&
            umx_login_statement_write(&statement, &texts[count], NULL) == 0)
            count++;
        OPENSSL_free(der);
        X509_free(root);
    }
    BIO_free(bio);
    return count;
}

static int take_answer(const Umx__WorkerReply *reply, const struct umx_forest_config *forest, int64_t most,
                       struct umx_forest_person *out, int64_t *life, struct umx_error *err)
{
    const Umx__LoginResult *login = reply->reply_case == UMX__WORKER_REPLY__REPLY_LOGIN ? reply->login : NULL;

    if (login == NULL || login->sid == NULL || login->principal == NULL || login->account == NULL)
        return umx_fail(err, UMX_ERR_PROTOCOL, forest->name, "the worker's answer is incomplete");
    const Umx__MembershipResult *account = login->account;
    if (!account->found)
        return umx_fail(err, UMX_ERR_OPERATOR_UNKNOWN, login->principal, "no account of %s has its SID", forest->name);
    if (!account->enabled)
        return umx_fail(err, UMX_ERR_OPERATOR_UNKNOWN, login->principal, "the account is %s",
                        account->refused != NULL ? account->refused : "not enabled");
    *life = login->ends_at - umx_clock_now();
    if (*life > most)
        *life = most;
    if (*life < UMX_OPERATOR_LIFE_MIN)
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, login->principal, "the ticket ends in less than %d minutes",
                        (int)(UMX_OPERATOR_LIFE_MIN / UMX_MINUTE));
    umx_text_copy(out->sid, sizeof out->sid, login->sid);
    umx_text_copy(out->name, sizeof out->name, account->name != NULL ? account->name : login->principal);
    return 0;
}

int umx_login_prove(struct umx_controller *controller, const struct umx_forest_config *forest,
                    const Umx__IssueRequest *request, struct umx_forest_person *out, int64_t *life,
                    struct umx_error *err)
{
    struct umx_text texts[STATEMENTS_MAX] = {{0}};
    ProtobufCBinaryData statements[STATEMENTS_MAX];
    Umx__AcceptLogin accept = UMX__ACCEPT_LOGIN__INIT;
    Umx__WorkerRequest question = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    struct umx_request_facts facts;
    struct umx_arena *arena = NULL;
    char request_hash[HEX];

    if (!request->has_request || !request->has_kerberos_token || !request->has_kerberos_signature)
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, forest->name, "it needs a request, a token and its signature");
    /* What costs nothing comes first: a ticket is good once. */
    int status = umx_authority_request_facts(request->request.data, request->request.len, &facts, err);
    if (status != 0)
        return status;
    if (!hash(request->request.data, request->request.len, request_hash))
        return umx_fail(err, UMX_ERR_INTERNAL, forest->name, NULL);
    accept.n_statement = write_statements(controller, forest->name, request_hash, texts);
    for (size_t i = 0; i < accept.n_statement; i++)
        statements[i] = (ProtobufCBinaryData){.len = texts[i].length, .data = (uint8_t *)texts[i].data};
    accept.statement = statements;
    accept.has_token = accept.has_signature = 1;
    accept.token = request->kerberos_token;
    accept.signature = request->kerberos_signature;
    question.request_case = UMX__WORKER_REQUEST__REQUEST_ACCEPT_LOGIN;
    question.accept_login = &accept;
    arena = umx_arena_new(UMX_MAX_WORKER_MESSAGE);
    status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, forest->name, NULL)
                           : umx_forests_call(controller->forests, forest->name, UMX_ACCOUNT_PORTER, &question,
                                              LOGIN_TIME, arena, &reply, err);
    if (status == 0)
        status = take_answer(reply, forest, controller->config->login_hours * UMX_HOUR, out, life, err);
    for (size_t i = 0; i < STATEMENTS_MAX; i++)
        umx_text_free(&texts[i]);
    umx_arena_free(arena);
    return status;
}

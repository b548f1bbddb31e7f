/*
 * From a Kerberos ticket, or a certificate of the forest's operator CA, to an identity of this deployment (design 7).
 * The key of the identity is made here and never leaves this machine; the ticket or the forest's key only signs for it.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/open.h"
#include "base/statement.h"
#include "client/pipe.h"
#include "client/session.h"
#include "client/ticket.h"
#include "rpc/pin.h"
#include "rpc/signature.h"
#include "umx/v1/operator.pb-c.h"

enum { REPLY_MAX = 256 * 1024, HEX = 65 };

#define LOGIN_TIMEOUT (60 * UMX_SECOND)

struct login {
    const char *controller;
    const char *forest;
    const char *certificate_file;
    const char *key_file;
    const char *out_file;
    const char *ca_file;
    const char *fingerprint;
    const char *server_name;
    const char *service;
    char realm[UMX_FQDN_MAX]; /* the forest, when none was named */
    struct umx_client_ticket ticket;
    char *roots;
    char *key; /* of the new identity */
    uint8_t *request;
    size_t request_length;
    uint8_t *certificate;
    size_t certificate_length;
    uint8_t *signature;
    size_t signature_length;
};

void umx_client_ticket_free(struct umx_client_ticket *ticket)
{
    free(ticket->token);
    free(ticket->signature);
    *ticket = (struct umx_client_ticket){0};
}

static void free_login(struct login *login)
{
    umx_client_ticket_free(&login->ticket);
    free(login->roots);
    umx_private_free(login->key);
    free(login->request);
    free(login->certificate);
    free(login->signature);
}

static int hash(const void *bytes, size_t length, char out[HEX], struct umx_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct umx_text hex = {0};

    if (EVP_Digest(bytes, length, digest, &size, EVP_sha256(), NULL) == 1)
        umx_text_add_hex(&hex, digest, size);
    bool good = !hex.failed && hex.length == HEX - 1;
    umx_text_copy(out, HEX, good ? umx_text_string(&hex) : "");
    umx_text_free(&hex);
    return good ? 0 : umx_fail(err, UMX_ERR_INTERNAL, "a digest", NULL);
}

/* Of the roots that were told while the authority rotated, the one that the controller shows now. */
static int root_shown(struct login *login, const struct umx_trust *trust, struct umx_error *err)
{
    static const char end[] = "-----END CERTIFICATE-----\n";
    int status = umx_fail(err, UMX_ERR_ROOT_NOT_FOUND, login->controller, NULL);

    for (const char *at = trust->roots, *next = at; login->roots == NULL && (next = strstr(at, end)) != NULL;
         at = next) {
        uint8_t *der = NULL;
        size_t length = 0;
        char print[HEX];
        next += sizeof end - 1;
        status = umx_identity_certificate(at, (size_t)(next - at), &der, &length);
        if (status == 0)
            status = hash(der, length, print, err);
        free(der);
        if (status == 0)
            status = umx_rpc_fetch_root(login->controller, print, &login->roots, err);
        if (status != 0 && (err == NULL || err->id != UMX_ERR_ROOT_NOT_FOUND))
            break; /* nobody is there: the others would say the same */
    }
    return status;
}

/* Whoever has logged in before trusts whom he trusted then, and what those have told since. */
static int trust_as_before(struct login *login, struct umx_error *err)
{
    struct umx_identity_file before = {0};
    struct umx_trust trust = {0};
    struct umx_text path = {0};
    int status = 0;

    umx_text_addf(&path, "%s.trust", login->out_file);
    if (umx_identity_file_load(login->out_file, &before, NULL) == 0) {
        status = umx_client_trust_load(path.data, &before, &trust, err);
        if (status == 0 && trust.pem != NULL)
            status = root_shown(login, &trust, err);
        else if (status == 0)
            login->roots = strdup(before.root);
    }
    umx_trust_free(&trust);
    umx_text_free(&path);
    umx_identity_file_free(&before);
    if (status == 0 && login->roots == NULL)
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "ca",
                        "ca or fingerprint says whom to trust, and no earlier identity is in %s", login->out_file);
    return status;
}

static int load_roots(struct login *login, struct umx_error *err)
{
    size_t length;

    if (login->ca_file != NULL && login->fingerprint != NULL)
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "ca", "one of ca and fingerprint says whom to trust");
    if (login->ca_file == NULL && login->fingerprint == NULL)
        return trust_as_before(login, err);
    if (login->ca_file != NULL)
        return umx_private_file_read(login->ca_file, UMX_IDENTITY_FILE_MAX, &login->roots, &length, err);
    return umx_rpc_fetch_root(login->controller, login->fingerprint, &login->roots, err);
}

static int load_proof(struct login *login, struct umx_error *err)
{
    char *pem = NULL;
    char *secret = NULL;
    size_t length;
    int status = umx_private_file_read(login->certificate_file, UMX_IDENTITY_FILE_MAX, &pem, &length, err);

    if (status == 0)
        status =
            umx_client_certificates(pem, login->certificate_file, &login->certificate, &login->certificate_length, err);
    if (status == 0)
        status = umx_private_file_read(login->key_file, UMX_IDENTITY_FILE_MAX, &secret, &length, err);
    if (status == 0) {
        /* Together, so that a key of another certificate is told here and not by the controller. */
        struct umx_rpc_tls pair = {.key = secret, .chain = pem, .roots = pem};
        status = umx_rpc_tls_usable(&pair, login->key_file, err);
    }
    if (status == 0)
        status = umx_client_request(&login->key, &login->request, &login->request_length, err);
    if (status == 0)
        status = umx_signature_make(secret, login->request, login->request_length, &login->signature,
                                    &login->signature_length, err);
    umx_private_free(secret);
    free(pem);
    return status;
}

/* umx/HOST@REALM: the controller's host as it was named, in the forest that vouches. */
static int name_service(const struct login *login, char *out, size_t size, struct umx_error *err)
{
    const char *host = login->server_name != NULL ? login->server_name : login->controller;
    size_t length = login->server_name != NULL ? strlen(host) : strcspn(host, ":");
    int used;

    if (login->service == NULL && (length == 0 || host[0] == '[' || strspn(host, "0123456789.") >= length))
        return umx_fail(err, UMX_ERR_TICKET, login->controller,
                        "an address has no service principal: name the controller by its host name, or the principal "
                        "with --service");
    if (login->service != NULL)
        used = snprintf(out, size, "%s@", login->service);
    else
        used = snprintf(out, size, "umx/%.*s@", (int)length, host);
    for (const char *p = login->forest; used > 0 && (size_t)used < size && *p != '\0'; p++, used++)
        out[used] = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    if (used <= 0 || (size_t)used >= size)
        return umx_fail(err, UMX_ERR_TICKET, login->forest, "the service principal is too long");
    out[used] = '\0';
    return 0;
}

/* The ticket signs for the very request, and for the root that the controller is known by: whoever gets hold of it can
 * do nothing with it but what we asked for. */
static int make_ticket(struct login *login, struct umx_error *err)
{
    char principal[512], request_hash[HEX], root_hash[HEX];
    struct umx_text statement = {0};
    uint8_t *root = NULL;
    size_t root_length = 0;
    int status = name_service(login, principal, sizeof principal, err);

    if (status == 0)
        status = umx_client_request(&login->key, &login->request, &login->request_length, err);
    if (status == 0 && umx_identity_certificate(login->roots, strlen(login->roots), &root, &root_length) != 0)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, "ca", "it holds no certificate");
    if (status == 0)
        status = hash(login->request, login->request_length, request_hash, err);
    if (status == 0)
        status = hash(root, root_length, root_hash, err);
    const struct umx_login_statement bound = {login->forest, request_hash, root_hash};
    if (status == 0)
        status = umx_login_statement_write(&bound, &statement, err);
    if (status == 0)
        status = umx_client_ticket_get(principal, statement.data, statement.length, &login->ticket, err);
    umx_text_free(&statement);
    free(root);
    return status;
}

/* The controller writes the forest in lower case into what it signs. */
static int name_forest(struct login *login, struct umx_error *err)
{
    if (login->forest == NULL) {
        int status = umx_client_ticket_realm(login->realm, sizeof login->realm, err);
        if (status != 0)
            return status;
    } else {
        umx_text_copy(login->realm, sizeof login->realm, login->forest);
    }
    for (char *p = login->realm; *p != '\0'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    login->forest = login->realm;
    return 0;
}

static int pack(const struct login *login, uint8_t **bytes, size_t *length, struct umx_error *err)
{
    Umx__IssueRequest message = UMX__ISSUE_REQUEST__INIT;
    char *forest = strdup(login->forest);

    message.has_request = 1;
    message.has_certificate = message.has_signature = login->certificate != NULL;
    message.has_kerberos_token = message.has_kerberos_signature = login->ticket.token != NULL;
    message.kerberos_token = (ProtobufCBinaryData){.data = login->ticket.token, .len = login->ticket.token_length};
    message.kerberos_signature =
        (ProtobufCBinaryData){.data = login->ticket.signature, .len = login->ticket.signature_length};
    message.request = (ProtobufCBinaryData){.data = login->request, .len = login->request_length};
    message.forest = forest;
    message.certificate = (ProtobufCBinaryData){.data = login->certificate, .len = login->certificate_length};
    message.signature = (ProtobufCBinaryData){.data = login->signature, .len = login->signature_length};
    *length = umx__issue_request__get_packed_size(&message);
    *bytes = forest != NULL ? malloc(*length) : NULL;
    if (*bytes != NULL)
        umx__issue_request__pack(&message, *bytes);
    free(forest);
    return *bytes != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, login->forest, NULL);
}

/* One request, one answer, to the end of the call. */
static int exchange(struct umx_rpc_channel *channel, const uint8_t *request, size_t length, uint8_t **reply,
                    size_t *reply_length, struct umx_error *err)
{
    struct umx_rpc_client_call *call;
    uint8_t *bytes;
    size_t size;
    int status =
        umx_rpc_call_start(channel, "/umx.v1.Operators/Issue", request, length, true, LOGIN_TIMEOUT, &call, err);

    *reply = NULL;
    if (status != 0)
        return status;
    for (;;) {
        enum umx_rpc_next next = umx_rpc_call_next(call, LOGIN_TIMEOUT, &bytes, &size, err);
        if (next == UMX_RPC_MESSAGE && *reply == NULL) {
            *reply = bytes;
            *reply_length = size;
            continue;
        }
        free(bytes);
        if (next == UMX_RPC_END)
            status = err->status;
        else if (next == UMX_RPC_TIMEOUT)
            status = umx_fail(err, UMX_ERR_DEADLINE, "login", NULL);
        else
            status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "login", "more than one answer");
        break;
    }
    umx_rpc_call_close(call);
    if (status == 0 && *reply == NULL)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "login", "there is no answer");
    return status;
}

/* An error inside the answer; its id is the controller's. */
static int reply_error(const Umx__ErrorBody *body, struct umx_error *err)
{
    int id = body->id != NULL && strncmp(body->id, "UMX-", 4) == 0 ? atoi(body->id + 4) : 0;

    if (id <= 0 || umx_error_text(id)->id != id)
        id = UMX_ERR_ANSWER_INVALID;
    return umx_fail(err, (enum umx_error_id)id, body->what != NULL ? body->what : "login",
                    body->why != NULL ? "%s" : NULL, body->why);
}

/* What the controller gave must be what was asked for: our key, this forest, the root that we trust. */
static int check_identity(const struct login *login, const struct umx_text *pem, struct umx_identity_file *file,
                          struct umx_error *err)
{
    int status = umx_identity_file_parse(pem->data, pem->length, "the issued identity", file, err);

    if (status != 0)
        return status;
    if (file->identity.role != UMX_ROLE_OPERATOR || !umx_text_equal(file->identity.forest, login->forest))
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, file->identity.uri, "it is not an operator's of this forest");
    if (!umx_client_same_certificate(file->root, login->roots))
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, file->identity.uri, "it is of another root than the trusted one");
    return 0;
}

/* What was told of the authorities while another identity was here may be older than the one that has issued this: who
 * ran nothing during a rotation was not told of it, and would be refused for ever. *outdated: it has to go. An
 * authority that is older than those known was replaced; whoever shows it is believed only when told anew who the
 * controller is. */
static int compare_trust(const struct login *login, const char *path, const struct umx_identity_file *file,
                         bool *outdated, struct umx_error *err)
{
    struct umx_trust trust = {0};
    struct umx_issuers *issuers = NULL;
    int status = umx_client_trust_load(path, file, &trust, err);

    *outdated = false;
    if (status == 0 && trust.pem != NULL)
        status = umx_issuers_new(trust.authorities, &issuers, err);
    if (status == 0 && issuers != NULL) {
        status = umx_issuers_check(issuers, file->chain, strlen(file->chain), login->controller, err);
        *outdated = status != 0 && (login->ca_file != NULL || login->fingerprint != NULL ||
                                    umx_issuers_older(issuers, file->chain, strlen(file->chain)));
        if (*outdated) {
            status = 0;
            if (err != NULL)
                *err = (struct umx_error){0};
        }
    }
    umx_issuers_free(issuers);
    umx_trust_free(&trust);
    return status;
}

static int keep(const struct login *login, const Umx__IssueReply *reply, umx_buf *result, struct umx_error *err)
{
    struct umx_identity_file file = {0};
    struct umx_text pem = {0}, path = {0};
    bool outdated = false;
    char end[UMX_CLOCK_TEXT];

    umx_text_addf(&path, "%s.trust", login->out_file);
    umx_text_adds(&pem, login->key);
    umx_text_adds(&pem, reply->chain);
    int status = pem.failed || path.failed ? umx_fail(err, UMX_ERR_MEMORY, "login", NULL)
                                           : check_identity(login, &pem, &file, err);
    if (status == 0)
        status = compare_trust(login, path.data, &file, &outdated, err);
    if (status == 0)
        status = umx_private_file_write(login->out_file, pem.data, pem.length, err);
    if (status == 0 && outdated)
        umx_remove(path.data);
    if (status == 0 &&
        !umx_client_write(json_pack("{s:s,s:s,s:s,s:s}", "identity", file.identity.uri, "forest", file.identity.forest,
                                    "expires_at", umx_clock_format(file.identity.not_after_at, end), "file",
                                    login->out_file),
                          result))
        status = umx_fail(err, UMX_ERR_MEMORY, "login", NULL);
    umx_text_free(&path);
    umx_private_free(pem.data);
    umx_identity_file_free(&file);
    return status;
}

static int take_reply(const struct login *login, const uint8_t *bytes, size_t length, umx_buf *result,
                      struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(4 * REPLY_MAX);
    Umx__IssueReply *reply = arena != NULL ? umx__issue_reply__unpack(umx_arena_allocator(arena), length, bytes) : NULL;
    int status;

    if (reply == NULL)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "login", NULL);
    else if (reply->error != NULL)
        status = reply_error(reply->error, err);
    else if (reply->chain == NULL)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "login", "there is no certificate in it");
    else
        status = keep(login, reply, result, err);
    umx_arena_free(arena);
    return status;
}

static int run(struct login *login, umx_buf *result, struct umx_error *err)
{
    struct umx_rpc_channel *channel = NULL;
    struct umx_rpc_tls tls = {0};
    uint8_t *request = NULL;
    uint8_t *reply = NULL;
    size_t request_length = 0;
    size_t reply_length = 0;
    bool kerberos = login->certificate_file == NULL && login->key_file == NULL;
    int status = 0;

    if (!kerberos && (login->certificate_file == NULL || login->key_file == NULL || login->forest == NULL))
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "certificate",
                        "a certificate needs its key and the forest; without both the Kerberos ticket is the proof");
    if (kerberos)
        status = name_forest(login, err);
    if (status == 0)
        status = load_roots(login, err);
    if (status == 0)
        status = kerberos ? make_ticket(login, err) : load_proof(login, err);
    if (status == 0)
        status = pack(login, &request, &request_length, err);
    tls.roots = login->roots;
    if (status == 0)
        status = umx_rpc_channel_open(login->controller, &tls, login->server_name, REPLY_MAX, &channel, err);
    if (status == 0)
        status = exchange(channel, request, request_length, &reply, &reply_length, err);
    if (status == 0)
        status = take_reply(login, reply, reply_length, result, err);
    umx_rpc_channel_close(channel);
    free(request);
    free(reply);
    return status;
}

int32_t umx_login(const uint8_t *json, size_t length, umx_buf *result, umx_buf *err)
{
    struct login login = {0};
    const struct umx_client_key keys[] = {{"controller", UMX_KEY_TEXT, true, &login.controller},
                                          {"forest", UMX_KEY_TEXT, false, &login.forest},
                                          {"certificate", UMX_KEY_TEXT, false, &login.certificate_file},
                                          {"key", UMX_KEY_TEXT, false, &login.key_file},
                                          {"out", UMX_KEY_TEXT, true, &login.out_file},
                                          {"ca", UMX_KEY_TEXT, false, &login.ca_file},
                                          {"fingerprint", UMX_KEY_TEXT, false, &login.fingerprint},
                                          {"server_name", UMX_KEY_TEXT, false, &login.server_name},
                                          {"service", UMX_KEY_TEXT, false, &login.service}};
    struct umx_error failed = {0};
    struct umx_client_pipe pipe;
    json_t *root;

    if (err != NULL)
        *err = (umx_buf){0};
    if (result == NULL)
        return umx_client_missing("result", err);
    *result = (umx_buf){0};
    int status = umx_client_parse(json, length, keys, sizeof keys / sizeof keys[0], &root, &failed);
    umx_client_pipe_hold(&pipe);
    if (status == 0)
        status = run(&login, result, &failed);
    umx_client_pipe_release(&pipe);
    free_login(&login);
    json_decref(root);
    return status == 0 ? 0 : umx_client_fail(&failed, err);
}

/* `umx login`: from a forest's certificate to an identity of the deployment (design 7). */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "cli/commands.h"
#include "cli/request.h"
#include "rpc/identity_file.h"
#include "rpc/signature.h"

enum { ANSWER_SECONDS = 30, FILE_MAX = 256 * 1024 };

/* What a login needs and makes; all of it is freed by forget. */
struct login {
    char *certificate_pem, *forest_key, *root;
    size_t certificate_pem_length, root_length;
    struct umx_text key; /* ours, a secret */
    uint8_t *request, *certificate, *signature;
    size_t request_length, certificate_length, signature_length;
    struct umx_arena *arena;
    const Umx__IssueReply *reply;
};

static void forget(struct login *login)
{
    free(login->certificate_pem);
    free(login->root);
    umx_private_free(login->forest_key);
    if (login->key.data != NULL)
        OPENSSL_cleanse(login->key.data, login->key.capacity);
    umx_text_free(&login->key);
    free(login->request);
    free(login->certificate);
    free(login->signature);
    umx_arena_free(login->arena);
}

static int prepare(const struct umx_args *args, struct login *login, struct umx_error *err)
{
    const char *certificate = umx_args_value(args, "--certificate");
    size_t length;
    int status =
        umx_private_file_read(certificate, FILE_MAX, &login->certificate_pem, &login->certificate_pem_length, err);

    if (status == 0)
        status = umx_private_file_read(umx_args_value(args, "--key"), FILE_MAX, &login->forest_key, &length, err);
    if (status == 0)
        status = umx_private_file_read(umx_args_value(args, "--ca"), FILE_MAX, &login->root, &login->root_length, err);
    if (status == 0)
        status = umx_request_certificates(login->certificate_pem, login->certificate_pem_length, certificate,
                                          &login->certificate, &login->certificate_length, err);
    if (status == 0)
        status = umx_request_make(&login->key, &login->request, &login->request_length, err);
    if (status == 0)
        status = umx_signature_make(login->forest_key, login->request, login->request_length, &login->signature,
                                    &login->signature_length, err);
    return status;
}

static int take_reply(struct login *login, const uint8_t *bytes, size_t length, struct umx_error *err)
{
    ProtobufCMessage *message = NULL;
    int status = umx_reflect_unpack(&umx__issue_reply__descriptor, bytes, length, login->arena, &message, err);

    if (status == 0)
        login->reply = (const Umx__IssueReply *)message;
    return status;
}

/* One call, one answer. */
static int exchange(struct umx_rpc_client_call *call, struct login *login, struct umx_error *err)
{
    int64_t end = umx_clock_monotonic() + ANSWER_SECONDS * UMX_SECOND;
    int status = 0;

    while (status == 0) {
        struct umx_error why = {0};
        uint8_t *bytes = NULL;
        size_t length;
        int64_t left = end - umx_clock_monotonic();
        enum umx_rpc_next next = umx_rpc_call_next(call, left > 0 ? left : 0, &bytes, &length, &why);
        if (next == UMX_RPC_MESSAGE) {
            status = take_reply(login, bytes, length, err);
            free(bytes);
        } else if (next == UMX_RPC_TIMEOUT) {
            status = umx_fail(err, UMX_ERR_DEADLINE, "login", NULL);
        } else if (why.status != 0) {
            *err = why;
            status = why.status;
        } else {
            break;
        }
    }
    if (status == 0 && (login->reply == NULL || login->reply->chain == NULL))
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "login", "there is no certificate in it");
    return status;
}

static int ask(const struct umx_cli *cli, const char *forest, struct login *login, struct umx_error *err)
{
    Umx__IssueRequest request = UMX__ISSUE_REQUEST__INIT;
    const struct umx_rpc_tls tls = {.roots = login->root};
    struct umx_rpc_channel *channel = NULL;
    struct umx_rpc_client_call *call = NULL;
    uint8_t *bytes = NULL;
    size_t length;

    request.has_request = request.has_certificate = request.has_signature = 1;
    request.request = (ProtobufCBinaryData){login->request_length, login->request};
    request.certificate = (ProtobufCBinaryData){login->certificate_length, login->certificate};
    request.signature = (ProtobufCBinaryData){login->signature_length, login->signature};
    request.forest = (char *)(uintptr_t)forest; /* packed, never changed */
    int status = umx_reflect_pack(&request.base, &bytes, &length, err);
    if (status == 0) {
        umx_rpc_begin();
        status = umx_rpc_channel_open(cli->controller, &tls, NULL, UMX_MAX_AGENT_MESSAGE, &channel, err);
    }
    if (status == 0)
        status = umx_rpc_call_start(channel, "/umx.v1.Operators/Issue", bytes, length, true,
                                    ANSWER_SECONDS * UMX_SECOND, &call, err);
    if (status == 0)
        status = exchange(call, login, err);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
    free(bytes);
    return status;
}

/* The default place may not be there yet: ~/.config/umx. Only the last two directories are made. */
static void make_directories(const char *path)
{
    struct umx_text text = {0};
    size_t ends[2] = {0, 0};

    for (size_t i = 1; path[i] != '\0'; i++)
        if (path[i] == '/') {
            ends[0] = ends[1];
            ends[1] = i;
        }
    for (int i = 0; i < 2; i++) {
        text.length = 0;
        umx_text_add(&text, path, ends[i]);
        if (ends[i] > 0 && !text.failed)
            (void)mkdir(umx_text_string(&text), 0700); /* an error shows when the file is written */
    }
    umx_text_free(&text);
}

/* What came back is used only when it is a whole identity below the root that was asked for. */
static int keep(struct login *login, const char *path, struct umx_error *err)
{
    struct umx_identity_file file = {0};
    uint8_t *pinned = NULL, *got = NULL;
    size_t pinned_length = 0, got_length = 0;
    size_t length = login->key.length + strlen(login->reply->chain);
    char *pem = malloc(length + 1); /* at once: what grows leaves copies of a secret behind */
    int status = pem == NULL ? umx_fail(err, UMX_ERR_MEMORY, path, NULL) : 0;

    if (status == 0) {
        memcpy(pem, login->key.data, login->key.length);
        memcpy(pem + login->key.length, login->reply->chain, strlen(login->reply->chain) + 1);
        status = umx_identity_file_parse(pem, length, "the answer", &file, err);
    }
    if (status == 0)
        status = umx_request_certificates(login->root, login->root_length, "--ca", &pinned, &pinned_length, err);
    if (status == 0)
        status = umx_request_certificates(file.root, strlen(file.root), "the answer", &got, &got_length, err);
    if (status == 0 && (pinned_length != got_length || memcmp(pinned, got, got_length) != 0))
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "login", "its root is not the one of --ca");
    if (status == 0) {
        make_directories(path);
        status = umx_private_file_write(path, pem, length, err);
    }
    umx_private_free(pem);
    umx_identity_file_free(&file);
    free(pinned);
    free(got);
    return status;
}

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[] = {"identity", "forest", "expires_at", "file"};
    static const char *const labels[] = {"identity", "forest", "expires", "file"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i], labels[i]);
}

static int tell(struct umx_cli *cli, const struct login *login, const char *forest, const char *path,
                struct umx_error *err)
{
    struct umx_document document = {0};
    char expires[UMX_CLOCK_TEXT];
    int status = umx_document_open(&document, "login", err);

    if (status == 0)
        status = umx_document_set(&document, "identity", json_string(login->reply->identity), err);
    if (status == 0)
        status = umx_document_set(&document, "forest", json_string(forest), err);
    if (status == 0)
        status = umx_document_set(&document, "expires_at",
                                  json_string(umx_clock_format(login->reply->expires_at, expires)), err);
    if (status == 0)
        status = umx_document_set(&document, "file", json_string(path), err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    umx_document_close(&document);
    return status;
}

UMX_COMMAND(login)
{
    const char *forest = umx_args_value(args, "--forest");
    const char *path = umx_args_value(args, "--out") != NULL ? umx_args_value(args, "--out") : cli->identity;
    struct login login = {.arena = umx_arena_new(UMX_ARENA_FACTOR * UMX_MAX_AGENT_MESSAGE)};
    int status = login.arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "login", NULL) : prepare(args, &login, err);

    if (status == 0)
        status = ask(cli, forest, &login, err);
    if (status == 0)
        status = keep(&login, path, err);
    if (status == 0)
        status = tell(cli, &login, forest, path, err);
    forget(&login);
    return status;
}

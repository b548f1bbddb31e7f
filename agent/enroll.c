#include "agent/enroll.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/stop.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/open.h"
#include "base/reflect.h"
#include "rpc/ask.h"
#include "rpc/pin.h"
#include "rpc/request.h"

enum { REPLY_MAX = 256 * 1024 };

#define ISSUE_TIMEOUT (60 * UMX_SECOND)
#define BUSY_TIMEOUT (120 * UMX_SECOND)
#define ASK_AGAIN (3 * UMX_SECOND)

struct enrolling {
    const struct umx_agent_config *config;
    const char *fqdn;
    const char *forest;
    char pending[UMX_AGENT_PATH_MAX + 16]; /* where the key is until the identity is there */
    bool is_pending;
    char *key; /* PEM, a secret */
    char key_hash[UMX_KEY_HASH_TEXT];
    char token[UMX_TOKEN_TEXT]; /* a secret */
    char *root;                 /* PEM: whom the token says to believe */
    char *chain;                /* PEM: what was issued */
};

/* ---- what it needs */

static int read_token(struct enrolling *enrolling, const char *path, const char *controller, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(2 * UMX_TOKEN_FILE_MAX);
    struct umx_token token;
    struct umx_text fingerprint = {0};
    char *text = NULL;
    size_t length = 0;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, path, NULL)
                               : umx_agent_file_read(path, UMX_TOKEN_FILE_MAX, arena, &text, &length, err);

    if (status == 0 && !umx_agent_file_private(path))
        umx_log(UMX_LOG_WARNING, "agent", "%s holds a token and others can read it: chmod 600", path);
    if (status == 0)
        status = umx_token_parse(text, length, path, &token, err);
    if (status == 0) {
        umx_token_format(&token, enrolling->token);
        umx_text_add_hex(&fingerprint, token.root, sizeof token.root);
        status = fingerprint.failed ? umx_fail(err, UMX_ERR_MEMORY, path, NULL)
                                    : umx_rpc_fetch_root(controller, fingerprint.data, &enrolling->root, err);
        OPENSSL_cleanse(&token, sizeof token);
    }
    if (text != NULL)
        OPENSSL_cleanse(text, length);
    umx_text_free(&fingerprint);
    umx_arena_free(arena);
    return status;
}

/* The key of the identity that is there, when it is this host's: the controller knows it again. */
static bool take_present_key(struct enrolling *enrolling)
{
    struct umx_identity_file present = {0};
    bool good = umx_identity_file_load(enrolling->config->identity, &present, NULL) == 0 &&
                present.identity.role == UMX_ROLE_AGENT && umx_text_equal(present.identity.fqdn, enrolling->fqdn);

    if (good) {
        enrolling->key = present.key;
        present.key = NULL;
    }
    umx_identity_file_free(&present);
    return good;
}

static int take_key(struct enrolling *enrolling, bool new_key, struct umx_error *err)
{
    struct umx_error none = {0};
    size_t length = 0;
    int64_t size;
    int n = snprintf(enrolling->pending, sizeof enrolling->pending, "%s.enrolling", enrolling->config->identity);
    int status = 0;

    if (n < 0 || (size_t)n >= sizeof enrolling->pending)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, enrolling->config->identity, "the path is too long");
    enrolling->is_pending = umx_agent_file_changed(enrolling->pending, &size) != -1;
    if (enrolling->is_pending) {
        status = umx_private_file_read(enrolling->pending, UMX_IDENTITY_FILE_MAX, &enrolling->key, &length, err);
    } else if (new_key || !take_present_key(enrolling)) {
        status = umx_request_key(&enrolling->key, err);
        if (status == 0)
            status = umx_private_file_write(enrolling->pending, enrolling->key, strlen(enrolling->key), err);
        enrolling->is_pending = status == 0;
    }
    umx_crash_point(UMX_CRASH_ENROLL_KEY, NULL);
    if (status == 0 && umx_request_key_hash(enrolling->key, enrolling->pending, enrolling->key_hash, &none) != 0) {
        if (err != NULL)
            *err = none;
        status = none.status;
    }
    return status;
}

/* ---- asking */

static int pack(const struct enrolling *enrolling, uint8_t **bytes, size_t *length, struct umx_error *err)
{
    Umx__IssueRequest message = UMX__ISSUE_REQUEST__INIT;
    char server[UMX_FQDN_MAX], forest[UMX_FQDN_MAX], token[UMX_TOKEN_TEXT];
    uint8_t *request = NULL;
    size_t request_length = 0;
    int status = umx_request_make(enrolling->key, &request, &request_length, err);

    umx_text_copy(server, sizeof server, enrolling->fqdn);
    umx_text_copy(forest, sizeof forest, enrolling->forest);
    umx_text_copy(token, sizeof token, enrolling->token);
    message.has_request = 1;
    message.request = (ProtobufCBinaryData){.data = request, .len = request_length};
    message.server = server;
    message.forest = forest[0] != '\0' ? forest : NULL;
    message.token = token;
    if (status == 0)
        status = umx_reflect_pack(&message.base, bytes, length, err);
    OPENSSL_cleanse(token, sizeof token);
    free(request);
    return status;
}

static int take_reply(struct enrolling *enrolling, const uint8_t *bytes, size_t length, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(length * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
    ProtobufCMessage *message = NULL;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, "enroll", NULL)
                               : umx_reflect_unpack(&umx__issue_reply__descriptor, bytes, length, arena, &message, err);

    if (status == 0) {
        const Umx__IssueReply *reply = (const Umx__IssueReply *)message;
        free(enrolling->chain);
        enrolling->chain = reply->chain != NULL ? strdup(reply->chain) : NULL;
        if (enrolling->chain == NULL)
            status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "enroll", "there is no certificate in it");
    }
    umx_arena_free(arena);
    return status;
}

/* Each time with a new request: the same one again would be a replay. */
static int ask(struct enrolling *enrolling, struct umx_rpc_channel *channel, struct umx_error *err)
{
    uint8_t *request = NULL, *reply = NULL;
    size_t length = 0, reply_length = 0;
    int status = pack(enrolling, &request, &length, err);

    umx_crash_point(UMX_CRASH_ENROLL_ASK, NULL);
    if (status == 0)
        status =
            umx_rpc_ask(channel, "/umx.v1.Operators/Issue", request, length, ISSUE_TIMEOUT, &reply, &reply_length, err);
    umx_crash_point(UMX_CRASH_ENROLL_ANSWER, NULL);
    if (status == 0)
        status = take_reply(enrolling, reply, reply_length, err);
    if (request != NULL)
        OPENSSL_cleanse(request, length); /* the token is in it */
    free(request);
    free(reply);
    return status;
}

/* False: the program is asked to end. */
static bool pause_a_while(int64_t while_)
{
    int64_t until = umx_clock_monotonic() + while_;

    while (umx_clock_monotonic() < until && !atomic_load(&umx_agent_stopping))
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    return !atomic_load(&umx_agent_stopping);
}

/* A controller that is busy has many like us: each comes again at another time. */
static int64_t busy_pause(void)
{
    unsigned char byte = 0;

    (void)RAND_bytes(&byte, 1);
    return 200 * UMX_MILLISECOND + byte * 10 * UMX_MILLISECOND;
}

static int ask_and_wait(struct enrolling *enrolling, struct umx_rpc_channel *channel, int wait, FILE *out,
                        struct umx_error *err)
{
    int64_t start = umx_clock_monotonic();
    bool told = false;

    for (;;) {
        struct umx_error failed = {0};
        int status = ask(enrolling, channel, &failed);
        bool held = failed.id == UMX_ERR_ENROLMENT_HELD && umx_clock_monotonic() < start + wait * UMX_SECOND;
        bool busy = failed.id == UMX_ERR_BUSY && umx_clock_monotonic() < start + BUSY_TIMEOUT;
        if (held && !told) {
            fprintf(out, "held: an operator decides by `umx agents accept %s --key %s`; waiting\n", enrolling->fqdn,
                    enrolling->key_hash);
            fflush(out);
            told = true;
        }
        if ((held && pause_a_while(ASK_AGAIN)) || (busy && pause_a_while(busy_pause())))
            continue;
        if (status != 0)
            *err = failed;
        return status;
    }
}

/* ---- keeping */

int umx_enroll_check(const struct umx_identity_file *issued, const char *fqdn, const char *root, struct umx_error *err)
{
    if (issued->identity.role != UMX_ROLE_AGENT || !umx_text_equal(issued->identity.fqdn, fqdn))
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, issued->identity.uri, "it is not the agent's of %s", fqdn);
    if (strcmp(issued->root, root) != 0)
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, issued->identity.uri,
                        "it is of another root than the trusted one");
    return 0;
}

static int keep(struct enrolling *enrolling, FILE *out, struct umx_error *err)
{
    struct umx_identity_file issued = {0};
    struct umx_text pem = {0};
    char end[UMX_CLOCK_TEXT];

    umx_text_adds(&pem, enrolling->key);
    umx_text_adds(&pem, enrolling->chain);
    int status = pem.failed ? umx_fail(err, UMX_ERR_MEMORY, "enroll", NULL)
                            : umx_identity_file_parse(pem.data, pem.length, "the issued identity", &issued, err);
    if (status == 0)
        status = umx_enroll_check(&issued, enrolling->fqdn, enrolling->root, err);
    if (status == 0)
        status = umx_private_file_write(enrolling->config->identity, pem.data, pem.length, err);
    if (status == 0)
        status = umx_agent_file_share(enrolling->config->identity, err);
    umx_crash_point(UMX_CRASH_ENROLL_KEPT, NULL);
    if (status == 0 && enrolling->is_pending)
        umx_remove(enrolling->pending);
    if (status == 0)
        fprintf(out, "%s is %s until %s\nidentity: %s\nkey: %s\n", enrolling->fqdn, issued.identity.uri,
                umx_clock_format(issued.identity.not_after_at, end), enrolling->config->identity, enrolling->key_hash);
    umx_private_free(pem.data);
    umx_identity_file_free(&issued);
    return status;
}

int umx_enroll(const struct umx_agent_config *config, const char *fqdn, const char *forest,
               const struct umx_enroll_options *options, FILE *out, struct umx_error *err)
{
    struct enrolling enrolling = {.config = config, .fqdn = fqdn, .forest = forest};
    struct umx_rpc_channel *channel = NULL;
    struct umx_rpc_tls tls = {0};
    int status = read_token(&enrolling, options->token_file, options->controller, err);

    if (status == 0)
        status = take_key(&enrolling, options->new_key, err);
    tls.roots = enrolling.root;
    if (status == 0)
        status = umx_rpc_channel_open(options->controller, &tls, NULL, REPLY_MAX, &channel, err);
    if (status == 0)
        status = ask_and_wait(&enrolling, channel, options->wait, out, err);
    if (status == 0)
        status = keep(&enrolling, out, err);
    /* The listener that agent.ini names wants a certificate already, and hangs up on who has none. */
    if (status == UMX_E_UNREACHABLE && err != NULL && umx_text_equal(options->controller, config->controller)) {
        char why[UMX_ERROR_WHY_MAX];
        umx_text_copy(why, sizeof why, err->why);
        status =
            umx_fail(err, UMX_ERR_PEER_UNREACHABLE, options->controller,
                     "%.800s; this is the agents' listener, enrolment is at the operators' (7444 by default)", why);
    }
    umx_rpc_channel_close(channel);
    umx_private_free(enrolling.key);
    OPENSSL_cleanse(enrolling.token, sizeof enrolling.token);
    free(enrolling.root);
    free(enrolling.chain);
    return status;
}

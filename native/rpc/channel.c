#include "rpc/channel.h"

#include <grpc/grpc_security.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "rpc/arguments.h"
#include "rpc/platform.h"
#include "rpc/tls.h"
#include "rpc/trust.h"

enum {
    AGENT_CONNECT_MS = 60000, /* when all agents come at once a handshake takes its time; giving up early livelocks */
    CONNECT_MS = 20000,
    SESSIONS = 4,
};

/* What the server's certificate must say beyond its chain and its host name. */
struct umx_rpc_peer_check {
    pthread_mutex_t mutex;
    int users;            /* the channel and gRPC */
    char deployment[128]; /* ours, or "" without an identity */
    struct umx_issuers *issuers;
    struct umx_error failed;
};

static void release(struct umx_rpc_peer_check *check)
{
    pthread_mutex_lock(&check->mutex);
    bool last = --check->users == 0;
    pthread_mutex_unlock(&check->mutex);
    if (last) {
        pthread_mutex_destroy(&check->mutex);
        umx_issuers_free(check->issuers);
        free(check);
    }
}

static void release_by_grpc(void *user)
{
    release(user);
}

/* Runs within the handshake, before a byte of ours is sent: the root that everybody trusts also signs agents and
 * operators, and none of them may pose as the controller. */
static int check_peer(const char *target, const char *pem, void *user)
{
    struct umx_rpc_peer_check *check = user;
    struct umx_identity peer;
    struct umx_error err = {0};
    int status = umx_identity_parse(pem, strlen(pem), &peer, &err);

    if (status == 0 && peer.role != UMX_ROLE_CONTROLLER)
        status = umx_fail(&err, UMX_ERR_TLS_FAILED, target, "%s is not a controller", peer.uri);
    else if (status == 0 && check->deployment[0] != '\0' && strcmp(check->deployment, peer.deployment) != 0)
        status = umx_fail(&err, UMX_ERR_TLS_FAILED, target, "%s is of another deployment", peer.uri);
    if (status == 0)
        status = umx_issuers_check(check->issuers, pem, strlen(pem), target, &err);
    pthread_mutex_lock(&check->mutex);
    check->failed = err;
    pthread_mutex_unlock(&check->mutex);
    return status == 0 ? 0 : 1;
}

bool umx_rpc_channel_refused(struct umx_rpc_channel *channel, struct umx_error *err)
{
    bool refused;

    pthread_mutex_lock(&channel->check->mutex);
    refused = channel->check->failed.status != 0;
    if (refused && err != NULL)
        *err = channel->check->failed;
    pthread_mutex_unlock(&channel->check->mutex);
    return refused;
}

static struct umx_rpc_peer_check *make_check(const struct umx_identity *own)
{
    struct umx_rpc_peer_check *check = calloc(1, sizeof *check);

    if (check == NULL)
        return NULL;
    pthread_mutex_init(&check->mutex, NULL);
    umx_text_copy(check->deployment, sizeof check->deployment, own->deployment);
    check->users = 2;
    return check;
}

static grpc_channel *connect(struct umx_rpc_channel *channel, const struct umx_rpc_tls *tls, const char *server_name,
                             bool agent)
{
    grpc_ssl_pem_key_cert_pair pair = {.private_key = tls->key, .cert_chain = tls->chain};
    grpc_ssl_verify_peer_options verify = {.verify_peer_callback = check_peer,
                                           .verify_peer_callback_userdata = channel->check,
                                           .verify_peer_destruct = release_by_grpc};
    struct umx_rpc_arguments arguments;
    grpc_channel_credentials *credentials =
        grpc_ssl_credentials_create_ex(tls->roots, tls->key != NULL ? &pair : NULL, &verify, NULL);
    grpc_ssl_session_cache *cache = grpc_ssl_session_cache_create_lru(SESSIONS);

    umx_rpc_arguments_client(&arguments, channel->max_message, server_name, agent ? AGENT_CONNECT_MS : CONNECT_MS,
                             cache);
    grpc_channel *made = grpc_channel_create(channel->target, credentials, &arguments.args);
    grpc_ssl_session_cache_destroy(cache);
    grpc_channel_credentials_release(credentials);
    return made;
}

/* HOST:PORT, [V6]:PORT; nothing that gRPC would read as a URI of another kind. */
static bool plain_target(const char *target)
{
    const char *colon = strrchr(target, ':');

    return colon != NULL && colon != target && colon[1] != '\0' &&
           strspn(colon + 1, "0123456789") == strlen(colon + 1) && strlen(colon + 1) <= 5 &&
           strpbrk(target, "/%?#,@ ") == NULL && umx_text_valid(target, strlen(target)) &&
           strlen(target) < sizeof((struct umx_rpc_channel *)0)->target;
}

int umx_rpc_channel_open(const char *target, const struct umx_rpc_tls *tls, const char *server_name, size_t max_message,
                         struct umx_rpc_channel **out, struct umx_error *err)
{
    struct umx_identity own = {0};
    struct umx_issuers *issuers = NULL;
    struct umx_rpc_mask before;
    int status = umx_rpc_tls_check(tls, true, err);

    *out = NULL;
    if (status == 0 && !plain_target(target))
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, target, "the address is not HOST:PORT");
    if (status == 0 && tls->chain != NULL)
        status = umx_identity_parse(tls->chain, strlen(tls->chain), &own, err);
    if (status == 0 && own.role != UMX_ROLE_NONE && own.not_after_at < umx_clock_now())
        status = umx_fail(err, UMX_ERR_IDENTITY_INVALID, own.uri, "the certificate has expired");
    if (status == 0)
        status = umx_issuers_new(tls->issuers, &issuers, err);
    if (status != 0)
        return status;
    struct umx_rpc_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL || (channel->check = make_check(&own)) == NULL) {
        free(channel);
        umx_issuers_free(issuers);
        return umx_fail(err, UMX_ERR_MEMORY, target, NULL);
    }
    channel->check->issuers = issuers;
    umx_text_copy(channel->target, sizeof channel->target, target);
    channel->max_message = max_message;
    umx_rpc_begin();
    umx_rpc_mask(&before);
    channel->channel = connect(channel, tls, server_name, own.role == UMX_ROLE_AGENT);
    umx_rpc_unmask(&before);
    *out = channel;
    return 0;
}

void umx_rpc_channel_close(struct umx_rpc_channel *channel)
{
    struct umx_rpc_mask before;

    if (channel == NULL)
        return;
    umx_rpc_mask(&before);
    grpc_channel_destroy(channel->channel);
    umx_rpc_unmask(&before);
    release(channel->check);
    free(channel);
    umx_rpc_end();
}

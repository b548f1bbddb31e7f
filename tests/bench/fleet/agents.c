/*
 * bench-fleet: many made-up agents in one process, each with its own certificate and its own connection, and the bare
 * epoll and OpenSSL pair that is the limit (bare.c).
 *
 *   bench-fleet make DIR COUNT             the certificates, once
 *   bench-fleet agents DIR COUNT HOST:PORT commands on standard input, an answer (one JSON object a line) to each
 *   bench-fleet bare DIR COUNT ...         see bare.c
 *
 * An agent here speaks /umx.v1.Agents/Attach over HTTP/2 as umx-agent does: Hello, then on Welcome it announces its
 * tables by digest, sends rows where it is asked to, answers Collect, follows PeerTrust with TrustTaken and, when told
 * so, renews its certificate over the stream and attaches again with the new one. It collects nothing: its table
 * `service` is made up, and every row carries the generation. All in one thread: the processor time that it takes is
 * told in every answer, so that it can be set against the controller's.
 *
 * Commands; the agents 0..N-1 are meant by N:
 *   connect N WINDOW     until N are attached, at most WINDOW handshakes at a time
 *   drop N               all from N on go away
 *   loyal 0|1            who loses the stream comes back, with umx-agent's own pauses (0.5-1.5 s, doubled up to 60 s)
 *   await N SECONDS      until N are attached; says when 50, 90, 99 and 100 % of them were
 *   announce T           on Welcome T tables are announced by digest (default 1, as many as umx-agent has: 12)
 *   answer ROWS CHANGED  to a Collect: rows (16 are 2 KiB) that have changed since, or (0) the digest alone
 *   update RATE SECONDS ROWS   changed reports, round about
 *   flood I SECONDS ROWS agent I sends changed reports as fast as it may
 *   deaf I COUNT         these read nothing any more, as if frozen; `hear I COUNT`
 *   churn N SECONDS      N agents come and go, each staying 1 to 20 s
 *   ledger FILE          "FQDN GENERATION" of the newest report that was accepted, for each agent
 *   stat | quit
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bare.h"
#include "controller/certificate.h"
#include "identities.h"
#include "umx/v1/agent.pb-c.h"
#include "words.h"

enum { FRAME = 5, RECORD = 16384, MESSAGE_MAX = 256 * 1024 };

enum state { IDLE, WAITING, CONNECTING, SHAKING, OPEN, ATTACHED };

struct buffer {
    uint8_t *bytes;
    size_t length, room;
};

struct agent {
    const struct identity *identity;
    X509 *leaf; /* as renewed; else the identity's */
    EVP_PKEY *key;
    EVP_PKEY *next_key; /* of a renewal that was asked for */
    SSL *ssl;
    nghttp2_session *h2;
    int fd;
    int32_t stream;
    enum state state;
    bool wanted, writing, deaf, announced;
    double due; /* when to connect (WAITING), or to leave (churn) */
    double pause;
    double attached_at, sent_at, collected_at;
    struct buffer tx;  /* messages not yet taken by HTTP/2 */
    struct buffer out; /* bytes that TLS did not take yet */
    struct buffer rx;
    int64_t generation, accepted;
};

static struct agent *agents;
static size_t agent_count;
static size_t counts[ATTACHED + 1];
static SSL_CTX *context;
static struct sockaddr_in server;
static char authority[64];
static int poller;
static bool loyal;
static int announce = 1, answer_rows = 16, answer_changed = 1, update_rows = 1;
static long replies, accepts, lost, refused, welcomes, renewals;
static double latest_accept, worst_latency, first_collect;
static double *latencies;
static size_t latency_count, latency_room;
static nghttp2_session_callbacks *callbacks;

static const char *const tables[] = {"service",     "server",           "role",  "certificate",
                                     "listener",    "um_setting",       "event", "lync_dial_plan",
                                     "lync_policy", "lync_pool_member", "proof", "um_policy"};

/* ---- small things */

static double random_below(double limit)
{
    return limit * (double)random() / ((double)RAND_MAX + 1.0);
}

static void append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (buffer->length + length > buffer->room) {
        buffer->room = (buffer->length + length) * 2;
        buffer->bytes = realloc(buffer->bytes, buffer->room);
        if (buffer->bytes == NULL)
            die("out of memory");
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

static void consume(struct buffer *buffer, size_t length)
{
    buffer->length -= length;
    memmove(buffer->bytes, buffer->bytes + length, buffer->length);
    if (buffer->length == 0 && buffer->room > 4096) {
        free(buffer->bytes);
        *buffer = (struct buffer){0};
    }
}

static void release(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}

static void enter(struct agent *agent, enum state state)
{
    counts[agent->state]--;
    agent->state = state;
    counts[state]++;
}

static void note_latency(double value)
{
    if (latency_count == latency_room) {
        latency_room = latency_room * 2 + 1024;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (latencies == NULL)
            die("out of memory");
    }
    latencies[latency_count++] = value;
    if (value > worst_latency)
        worst_latency = value;
}

/* ---- a connection */

static void watch(struct agent *agent)
{
    struct epoll_event event = {.data.ptr = agent};

    event.events = (agent->deaf ? 0 : (uint32_t)EPOLLIN) | (agent->writing ? (uint32_t)EPOLLOUT : 0);
    epoll_ctl(poller, EPOLL_CTL_MOD, agent->fd, &event);
}

static void leave(struct agent *agent, bool gently)
{
    bool was_attached = agent->state == ATTACHED;

    if (agent->h2 != NULL)
        nghttp2_session_del(agent->h2);
    if (agent->ssl != NULL) {
        if (gently && agent->state >= OPEN)
            SSL_shutdown(agent->ssl);
        SSL_free(agent->ssl);
    }
    ERR_clear_error();
    if (agent->fd >= 0)
        close(agent->fd);
    agent->fd = -1;
    agent->h2 = NULL;
    agent->ssl = NULL;
    agent->writing = false;
    release(&agent->tx);
    release(&agent->out);
    release(&agent->rx);
    enter(agent, IDLE);
    if (gently)
        return;
    lost += was_attached;
    if (loyal && agent->wanted) {
        double now = seconds();
        if (was_attached && now - agent->attached_at >= 30)
            agent->pause = 1;
        agent->due = now + agent->pause / 2 + random_below(agent->pause);
        agent->pause = fmin(agent->pause * 2, 60);
        enter(agent, WAITING);
    }
}

static void flush(struct agent *agent);

static ssize_t give(nghttp2_session *session, int32_t stream, uint8_t *to, size_t length, uint32_t *flags,
                    nghttp2_data_source *source, void *user)
{
    struct agent *agent = user;
    size_t part = agent->tx.length < length ? agent->tx.length : length;

    (void)session;
    (void)stream;
    (void)flags;
    (void)source;
    if (part == 0)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(to, agent->tx.bytes, part);
    consume(&agent->tx, part);
    return (ssize_t)part;
}

static void send_message(struct agent *agent, const uint8_t *bytes, size_t length)
{
    uint8_t head[FRAME] = {0, (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                           (uint8_t)length};

    append(&agent->tx, head, sizeof head);
    append(&agent->tx, bytes, length);
    nghttp2_session_resume_data(agent->h2, agent->stream);
}

static void send_report(struct agent *agent, int rows, int64_t query)
{
    static uint8_t bytes[MESSAGE_MAX];
    size_t length = words_report(bytes, sizeof bytes, agent->identity->fqdn, rows, agent->generation, query);

    send_message(agent, bytes, length);
}

static void send_packed(struct agent *agent, const Umx__ToController *message)
{
    static uint8_t bytes[MESSAGE_MAX];

    if (protobuf_c_message_get_packed_size(&message->base) <= sizeof bytes)
        send_message(agent, bytes, protobuf_c_message_pack(&message->base, bytes));
}

static void open_stream(struct agent *agent)
{
    static uint8_t hello[1024];
    const nghttp2_nv headers[] = {
#define HEADER(n, v)                                                                                                   \
    {(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, strlen(v), NGHTTP2_NV_FLAG_NO_COPY_NAME}
        HEADER(":method", "POST"),       HEADER(":scheme", "https"), HEADER(":path", "/umx.v1.Agents/Attach"),
        HEADER(":authority", authority), HEADER("te", "trailers"),   HEADER("content-type", "application/grpc"),
#undef HEADER
    };
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_data_provider provider = {.read_callback = give};

    if (nghttp2_session_client_new(&agent->h2, callbacks, agent) != 0)
        die("out of memory");
    nghttp2_submit_settings(agent->h2, 0, settings, 1);
    agent->stream =
        nghttp2_submit_request(agent->h2, NULL, headers, sizeof headers / sizeof headers[0], &provider, agent);
    enter(agent, OPEN);
    send_message(agent, hello, words_hello(hello, sizeof hello, agent->identity->fqdn));
}

/* ---- what the controller says */

static void take_welcome(struct agent *agent)
{
    static uint8_t bytes[1024];

    if (agent->state == ATTACHED)
        return;
    welcomes++;
    enter(agent, ATTACHED);
    agent->attached_at = seconds();
    for (int i = 0; i < announce && i < (int)(sizeof tables / sizeof tables[0]); i++)
        send_message(agent, bytes, words_unchanged(bytes, sizeof bytes, tables[i], i == 0 ? agent->generation : i, 0));
}

static void take_accepted(struct agent *agent, const Umx__Accepted *accepted)
{
    double now = seconds();

    if (accepted->resend && strcmp(accepted->table, "service") == 0) {
        send_report(agent, update_rows, 0);
        return;
    }
    if (accepted->resend)
        return; /* other tables have no rows here: they stay announced */
    accepts++;
    latest_accept = now;
    if (strcmp(accepted->table, "service") == 0 && accepted->generation > agent->accepted)
        agent->accepted = accepted->generation;
    if (agent->sent_at > 0 && accepted->generation == agent->generation) {
        note_latency(now - agent->sent_at);
        agent->sent_at = 0;
    }
}

static void take_collect(struct agent *agent, const Umx__Collect *collect)
{
    static uint8_t bytes[1024];

    if (first_collect == 0)
        first_collect = seconds();
    for (size_t i = 0; i < collect->n_table; i++) {
        if (strcmp(collect->table[i], "service") != 0 || !answer_changed) {
            send_message(agent, bytes,
                         words_unchanged(bytes, sizeof bytes, collect->table[i], agent->generation, collect->query));
        } else {
            agent->generation++;
            send_report(agent, answer_rows, collect->query);
        }
        replies++;
    }
}

static void take_trust(struct agent *agent, const Umx__PeerTrust *trust)
{
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    Umx__TrustTaken taken = UMX__TRUST_TAKEN__INIT;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    BIO *bio = BIO_new_mem_buf(trust->certificates, -1);
    X509 *certificate;

    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        unsigned char *der = NULL;
        int size = i2d_X509(certificate, &der);
        EVP_DigestUpdate(hash, der, (size_t)size);
        OPENSSL_free(der);
        X509_free(certificate);
    }
    EVP_DigestFinal_ex(hash, digest, &length);
    EVP_MD_CTX_free(hash);
    BIO_free(bio);
    ERR_clear_error();
    taken.has_id = 1;
    taken.id = (ProtobufCBinaryData){.len = length, .data = digest};
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_TRUST_TAKEN;
    message.trust_taken = &taken;
    send_packed(agent, &message);
    if (!trust->renew || agent->next_key != NULL)
        return;
    Umx__Renew renew = UMX__RENEW__INIT;
    X509_REQ *request = X509_REQ_new();
    unsigned char *der = NULL;
    struct umx_error err;
    if (umx_certificate_key(&agent->next_key, &err) != 0 || X509_REQ_set_pubkey(request, agent->next_key) != 1 ||
        X509_REQ_sign(request, agent->next_key, EVP_sha256()) <= 0)
        die("no request can be made");
    int size = i2d_X509_REQ(request, &der);
    renew.has_request = 1;
    renew.request = (ProtobufCBinaryData){.len = (size_t)size, .data = der};
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_RENEW;
    message.renew = &renew;
    send_packed(agent, &message);
    OPENSSL_free(der);
    X509_REQ_free(request);
}

/* The new certificate is kept, and shown on a new connection. */
static bool take_renewed(struct agent *agent, const Umx__Renewed *renewed)
{
    BIO *bio = renewed->chain != NULL ? BIO_new_mem_buf(renewed->chain, -1) : NULL;
    X509 *leaf = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool good = leaf != NULL && agent->next_key != NULL && X509_check_private_key(leaf, agent->next_key) == 1;

    BIO_free(bio);
    if (good) {
        renewals++;
        X509_free(agent->leaf);
        EVP_PKEY_free(agent->key);
        agent->leaf = leaf;
        agent->key = agent->next_key;
    } else {
        X509_free(leaf);
        EVP_PKEY_free(agent->next_key);
    }
    agent->next_key = NULL;
    return good;
}

/* False: this connection ends. */
static bool take(struct agent *agent, const uint8_t *bytes, size_t length)
{
    Umx__ToAgent *message = umx__to_agent__unpack(NULL, length, bytes);
    bool stays = true;

    if (message == NULL)
        die("an unreadable message");
    switch (message->message_case) {
    case UMX__TO_AGENT__MESSAGE_WELCOME:
        take_welcome(agent);
        break;
    case UMX__TO_AGENT__MESSAGE_ACCEPTED:
        take_accepted(agent, message->accepted);
        break;
    case UMX__TO_AGENT__MESSAGE_COLLECT:
        take_collect(agent, message->collect);
        break;
    case UMX__TO_AGENT__MESSAGE_TRUST:
        take_trust(agent, message->trust);
        break;
    case UMX__TO_AGENT__MESSAGE_RENEWED:
        stays = !take_renewed(agent, message->renewed);
        break;
    default:
        break;
    }
    umx__to_agent__free_unpacked(message, NULL);
    return stays;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t length,
                   void *user)
{
    struct agent *agent = user;

    (void)session;
    (void)flags;
    (void)stream;
    append(&agent->rx, bytes, length);
    while (agent->rx.length >= FRAME) {
        const uint8_t *head = agent->rx.bytes;
        size_t size = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        if (agent->rx.length < FRAME + size)
            break;
        if (!take(agent, head + FRAME, size))
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        consume(&agent->rx, FRAME + size);
    }
    return 0;
}

/* A status at the end of the stream: why it was refused. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *user)
{
    static int told;

    (void)session;
    (void)frame;
    (void)flags;
    (void)user;
    if (name_length == 12 && memcmp(name, "grpc-message", 12) == 0 && told++ < 5)
        fprintf(stderr, "bench-fleet: %.*s\n", (int)value_length, (const char *)value);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    (void)session;
    (void)stream;
    (void)code;
    (void)user;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- bytes in and out */

static void flush(struct agent *agent)
{
    static uint8_t gathered[RECORD];

    for (;;) {
        if (agent->out.length == 0) {
            const uint8_t *part;
            ssize_t length;
            size_t used = 0;
            while (used < sizeof gathered && (length = nghttp2_session_mem_send(agent->h2, &part)) > 0) {
                size_t now = (size_t)length < sizeof gathered - used ? (size_t)length : sizeof gathered - used;
                memcpy(gathered + used, part, now);
                used += now;
                if (now < (size_t)length)
                    append(&agent->out, part + now, (size_t)length - now);
            }
            if (used == 0)
                break;
            int done = SSL_write(agent->ssl, gathered, (int)used);
            size_t written = done > 0 ? (size_t)done : 0;
            if (written < used) { /* in front of what did not fit */
                struct buffer rest = agent->out;
                agent->out = (struct buffer){0};
                append(&agent->out, gathered + written, used - written);
                if (rest.length > 0)
                    append(&agent->out, rest.bytes, rest.length);
                release(&rest);
            }
            if (written == 0)
                break;
            continue;
        }
        int done =
            SSL_write(agent->ssl, agent->out.bytes, (int)(agent->out.length < RECORD ? agent->out.length : RECORD));
        if (done <= 0)
            break;
        consume(&agent->out, (size_t)done);
    }
    ERR_clear_error();
    bool writing = agent->out.length > 0;
    if (writing != agent->writing) {
        agent->writing = writing;
        watch(agent);
    }
}

static bool read_some(struct agent *agent)
{
    static uint8_t bytes[RECORD];

    for (;;) {
        int got = SSL_read(agent->ssl, bytes, sizeof bytes);
        if (got <= 0) {
            int why = SSL_get_error(agent->ssl, got);
            ERR_clear_error();
            return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
        }
        if (nghttp2_session_mem_recv(agent->h2, bytes, (size_t)got) < 0)
            return false;
    }
}

static void shake(struct agent *agent)
{
    int done = SSL_do_handshake(agent->ssl);
    int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(agent->ssl, done);

    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        bool writing = why == SSL_ERROR_WANT_WRITE;
        if (writing != agent->writing) {
            agent->writing = writing;
            watch(agent);
        }
        return;
    }
    if (why != SSL_ERROR_NONE) {
        refused++;
        leave(agent, false);
        return;
    }
    agent->writing = false;
    watch(agent);
    open_stream(agent);
    flush(agent);
}

static void begin(struct agent *agent)
{
    static const int yes = 1;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = agent};

    agent->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (agent->fd < 0)
        die("no socket: %s", strerror(errno));
    setsockopt(agent->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    enter(agent, CONNECTING);
    if (connect(agent->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS) {
        leave(agent, false);
        return;
    }
    epoll_ctl(poller, EPOLL_CTL_ADD, agent->fd, &event);
}

static void connected(struct agent *agent)
{
    int error = 0;
    socklen_t size = sizeof error;

    getsockopt(agent->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || (agent->ssl = SSL_new(context)) == NULL) {
        leave(agent, false);
        return;
    }
    SSL_set_fd(agent->ssl, agent->fd);
    SSL_set_tlsext_host_name(agent->ssl, "controller.bench.test");
    SSL_use_certificate(agent->ssl, agent->leaf);
    SSL_use_PrivateKey(agent->ssl, agent->key);
    SSL_set_connect_state(agent->ssl);
    agent->writing = false;
    enter(agent, SHAKING);
    watch(agent);
    shake(agent);
}

static void ready(struct agent *agent, uint32_t events)
{
    if (agent->state == CONNECTING) {
        connected(agent);
        return;
    }
    if (agent->state == SHAKING) {
        shake(agent);
        return;
    }
    if (agent->state < OPEN)
        return;
    bool good = (events & (EPOLLERR)) == 0;
    if (good && !agent->deaf && (events & (EPOLLIN | EPOLLHUP)) != 0)
        good = read_some(agent);
    if (good && agent->state >= OPEN)
        flush(agent);
    else if (!good)
        leave(agent, false);
}

/* ---- time */

static size_t window = 200;

/* Who is due comes, as many at a time as may. */
static void come(double now)
{
    for (size_t i = 0; i < agent_count && counts[CONNECTING] + counts[SHAKING] + counts[OPEN] < window; i++) {
        struct agent *agent = &agents[i];
        if (agent->wanted && (agent->state == IDLE || (agent->state == WAITING && agent->due <= now)))
            begin(agent);
    }
}

static char line[4096];
static size_t line_length;
static bool line_ready, ended;

static void read_line(void)
{
    if (line_ready)
        return;
    ssize_t got = read(0, line + line_length, 1);
    if (got == 0)
        ended = true;
    while (got == 1 && line[line_length] != '\n' && line_length + 2 < sizeof line) {
        line_length++;
        got = read(0, line + line_length, 1);
    }
    if (got == 1 && line[line_length] == '\n') {
        line[line_length] = '\0';
        line_ready = true;
    }
}

/* One round of events; timeout in milliseconds. */
static void turn(int timeout)
{
    static double looked;
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, 256, timeout);
    double now = seconds();

    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL)
            read_line();
        else
            ready(events[i].data.ptr, events[i].events);
    }
    bool some = counts[IDLE] + counts[WAITING] > 0;
    if (some && (now - looked > 0.02 || counts[CONNECTING] + counts[SHAKING] + counts[OPEN] < window / 2)) {
        looked = now;
        come(now);
    }
}

/* ---- commands */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double latency(double share)
{
    if (latency_count == 0)
        return 0;
    qsort(latencies, latency_count, sizeof *latencies, by_value);
    return latencies[(size_t)((double)(latency_count - 1) * share)];
}

static void tell(const char *name, double since, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void tell(const char *name, double since, const char *format, ...)
{
    va_list arguments;

    printf("{\"event\":\"%s\",\"seconds\":%.3f,\"attached\":%zu,\"processor\":%.3f,\"replies\":%ld,\"accepted\":%ld,"
           "\"lost\":%ld,\"refused\":%ld,\"welcomes\":%ld,\"renewals\":%ld",
           name, seconds() - since, counts[ATTACHED], processor(), replies, accepts, lost, refused, welcomes, renewals);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    puts("}");
    fflush(stdout);
}

static void want(size_t count)
{
    for (size_t i = 0; i < agent_count; i++) {
        agents[i].wanted = i < count;
        if (!agents[i].wanted && agents[i].state != IDLE)
            leave(&agents[i], true);
    }
}

static void do_connect(size_t count, size_t at_a_time)
{
    double start = seconds();

    window = at_a_time;
    want(count);
    while (counts[ATTACHED] < count && seconds() - start < 600)
        turn(20);
    window = agent_count; /* later ones come as they like */
    tell("connect", start, ",\"loyal\":%d", loyal);
}

static void do_await(size_t count, double limit)
{
    static const double shares[] = {0.5, 0.9, 0.99, 1.0};
    double start = seconds(), at[4] = {0};

    while (counts[ATTACHED] < count && seconds() - start < limit) {
        turn(20);
        for (int i = 0; i < 4; i++)
            if (at[i] == 0 && (double)counts[ATTACHED] >= (double)count * shares[i])
                at[i] = seconds() - start;
    }
    tell("await", start, ",\"half\":%.2f,\"nine_tenths\":%.2f,\"most\":%.2f,\"all\":%.2f", at[0], at[1], at[2], at[3]);
}

/* Changed reports at a rate; the next one of an agent only when the last was accepted or took ten seconds. */
static void do_update(double rate, double length, int rows)
{
    double start = seconds();
    long sent = 0, late = 0, before = accepts;
    size_t next = 0;

    update_rows = rows;
    latency_count = 0;
    worst_latency = 0;
    for (double now = start; now - start < length; now = seconds()) {
        long due = (long)((now - start) * rate);
        for (size_t tries = 0; sent + late < due && tries < agent_count; tries++) {
            struct agent *agent = &agents[next++ % agent_count];
            if (agent->state != ATTACHED || agent->deaf)
                continue;
            if (agent->sent_at > 0 && now - agent->sent_at < 10) {
                late++;
                continue;
            }
            agent->generation++;
            agent->sent_at = now;
            send_report(agent, rows, 0);
            flush(agent);
            sent++;
        }
        turn(1);
    }
    for (double end = seconds(); accepts - before < sent && seconds() - end < 30;)
        turn(20);
    tell("update", start,
         ",\"sent\":%ld,\"late\":%ld,\"stored\":%ld,\"stored_seconds\":%.3f,\"p50\":%.4f,\"p99\":%.4f,\"worst\":%.4f",
         sent, late, accepts - before, latest_accept - start, latency(0.5), latency(0.99), worst_latency);
}

static void do_flood(size_t index, double length, int rows)
{
    struct agent *agent = &agents[index];
    double start = seconds();
    long sent = 0;

    while (seconds() - start < length) {
        for (int i = 0; i < 64 && agent->state == ATTACHED && agent->tx.length < 65536; i++, sent++) {
            agent->generation++;
            send_report(agent, rows, 0);
        }
        if (agent->state == ATTACHED)
            flush(agent);
        turn(1);
    }
    tell("flood", start, ",\"sent\":%ld", sent);
}

static void do_deaf(size_t first, size_t count, bool deaf)
{
    for (size_t i = first; i < first + count && i < agent_count; i++) {
        agents[i].deaf = deaf;
        if (agents[i].fd >= 0)
            watch(&agents[i]);
    }
    tell(deaf ? "deaf" : "hear", seconds(), ",\"count\":%zu", count);
}

/* Each stays for one second and up to `stay` more. */
static void do_churn(size_t count, double length, double stay)
{
    double start = seconds();
    long gone = 0;

    window = 50;
    want(count);
    for (size_t i = 0; i < count; i++)
        agents[i].attached_at = 0;
    while (seconds() - start < length) {
        turn(10);
        double now = seconds();
        for (size_t i = 0; i < count; i++) {
            struct agent *agent = &agents[i];
            if (agent->state != ATTACHED)
                continue;
            if (agent->due <= agent->attached_at)
                agent->due = agent->attached_at + 1 + random_below(stay);
            if (now < agent->due)
                continue;
            leave(agent, random_below(1) < 0.5); /* half of them vanish without a word */
            gone++;
            agent->due = now + random_below(stay / 4);
            if (agent->state == IDLE)
                enter(agent, WAITING);
        }
    }
    window = agent_count;
    tell("churn", start, ",\"gone\":%ld", gone);
}

static void do_ledger(const char *path)
{
    FILE *file = fopen(path, "we");

    if (file == NULL)
        die("%s: %s", path, strerror(errno));
    for (size_t i = 0; i < agent_count; i++)
        if (agents[i].accepted > 0)
            fprintf(file, "%s %lld\n", agents[i].identity->fqdn, (long long)agents[i].accepted);
    fclose(file);
    tell("ledger", seconds(), ",\"file\":\"%s\"", path);
}

/* False: the end. */
static bool obey(const char *text)
{
    char word[32] = "", file[3000] = "";
    double a = 0, b = 0, c = 0;

    if (sscanf(text, "ledger %2999s", file) == 1) {
        do_ledger(file);
        return true;
    }
    sscanf(text, "%31s %lf %lf %lf", word, &a, &b, &c);
    if (strcmp(word, "quit") == 0)
        return false;
    if (strcmp(word, "connect") == 0)
        do_connect((size_t)a, b >= 1 ? (size_t)b : 200);
    else if (strcmp(word, "await") == 0)
        do_await((size_t)a, b);
    else if (strcmp(word, "update") == 0)
        do_update(a, b, c >= 1 ? (int)c : 1);
    else if (strcmp(word, "flood") == 0)
        do_flood((size_t)a, b, c >= 1 ? (int)c : 1);
    else if (strcmp(word, "deaf") == 0 || strcmp(word, "hear") == 0)
        do_deaf((size_t)a, b >= 1 ? (size_t)b : 1, word[0] == 'd');
    else if (strcmp(word, "churn") == 0)
        do_churn((size_t)a, b, c > 0 ? c : 19);
    else {
        if (strcmp(word, "drop") == 0)
            want((size_t)a);
        else if (strcmp(word, "loyal") == 0)
            loyal = a != 0;
        else if (strcmp(word, "announce") == 0)
            announce = (int)a;
        else if (strcmp(word, "answer") == 0) {
            answer_rows = (int)a;
            answer_changed = (int)b;
            first_collect = latest_accept = 0;
        } else if (strcmp(word, "stat") != 0)
            die("unknown command %s", text);
        tell(word, seconds(), ",\"fan_out\":%.4f", first_collect > 0 ? latest_accept - first_collect : 0.0);
    }
    return true;
}

static void run_agents(const char *directory, size_t count, const char *target)
{
    struct epoll_event input = {.events = EPOLLIN};
    struct identities identities;
    char host[64];
    int port = 0;

    if (sscanf(target, "%63[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &server.sin_addr) != 1)
        die("%s is not ADDRESS:PORT", target);
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)port);
    snprintf(authority, sizeof authority, "controller.bench.test:%d", port);
    identities_load(directory, count, &identities);
    context = identities_client(&identities);
    poller = epoll_create1(EPOLL_CLOEXEC);
    agents = calloc(count, sizeof *agents);
    if (agents == NULL || nghttp2_session_callbacks_new(&callbacks) != 0)
        die("out of memory");
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    agent_count = counts[IDLE] = count;
    for (size_t i = 0; i < count; i++)
        agents[i] = (struct agent){.identity = &identities.list[i],
                                   .leaf = identities.list[i].leaf,
                                   .key = identities.list[i].key,
                                   .fd = -1,
                                   .pause = 1,
                                   .generation = 1};
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input);
    tell("ready", seconds(), ",\"agents\":%zu", count);
    for (bool more = true; more && !ended;) {
        turn(100);
        if (!line_ready)
            continue;
        more = obey(line);
        line_ready = false;
        line_length = 0;
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0)
        identities_make(argv[2], (size_t)atol(argv[3]));
    else if (argc == 5 && strcmp(argv[1], "agents") == 0)
        run_agents(argv[2], (size_t)atol(argv[3]), argv[4]);
    else if (argc == 6 && strcmp(argv[1], "bare") == 0)
        run_bare(argv[2], (size_t)atol(argv[3]), atoi(argv[4]), atoi(argv[5]));
    else
        die("make DIR COUNT | agents DIR COUNT ADDRESS:PORT | bare DIR COUNT ROWS ROUNDS");
    return 0;
}

#include "bare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/reflect.h"
#include "identities.h"
#include "umx/v1/agent.pb-c.h"
#include "words.h"

enum { HEAD = 4, ROOM = 16384, LINE_MAX_BYTES = 64 };

struct link {
    SSL *ssl;
    int fd;
    int shaken;
    uint8_t *last; /* the server's: what was said last */
    uint8_t *in;   /* a message that is not whole yet */
    size_t in_length;
    const char *fqdn;
    int64_t generation;
};

static struct link *links;
static int poller;
static size_t shaken, heard;

static void add(struct link *link)
{
    static const int yes = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};

    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    SSL_set_fd(link->ssl, link->fd);
    epoll_ctl(poller, EPOLL_CTL_ADD, link->fd, &event);
}

/* Small messages on an idle connection: the socket takes them whole. */
static void say(struct link *link, const uint8_t *bytes, size_t length)
{
    static uint8_t frame[ROOM + HEAD];
    uint32_t size = (uint32_t)length;

    memcpy(frame, &size, HEAD);
    memcpy(frame + HEAD, bytes, length);
    int done;
    while ((done = SSL_write(link->ssl, frame, (int)(length + HEAD))) <= 0 &&
           SSL_get_error(link->ssl, done) == SSL_ERROR_WANT_WRITE)
        usleep(50);
    if (done <= 0)
        die("bare: a connection broke");
}

/* Calls take for each whole message. */
static void hear(struct link *link, void (*take)(struct link *link, const uint8_t *bytes, size_t length))
{
    static uint8_t bytes[ROOM * 2];

    if (!link->shaken) {
        int done = SSL_do_handshake(link->ssl);
        int why = done == 1 ? 0 : SSL_get_error(link->ssl, done);
        if (done != 1 && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            die("bare: a handshake failed");
        if (done != 1)
            return;
        link->shaken = 1;
        shaken++;
    }
    for (;;) {
        size_t have = link->in_length;
        memcpy(bytes, link->in, have);
        int got = SSL_read(link->ssl, bytes + have, ROOM);
        if (got <= 0)
            break;
        size_t length = have + (size_t)got, at = 0;
        uint32_t size;
        while (length - at >= HEAD) {
            memcpy(&size, bytes + at, HEAD);
            if (length - at < HEAD + size)
                break;
            take(link, bytes + at + HEAD, size);
            at += HEAD + size;
        }
        link->in_length = length - at;
        free(link->in);
        link->in = link->in_length > 0 ? malloc(link->in_length) : NULL;
        if (link->in_length > 0)
            memcpy(link->in, bytes + at, link->in_length);
    }
    ERR_clear_error();
}

/* ---- the server */

static void keep(struct link *link, const uint8_t *bytes, size_t length)
{
    struct umx_arena *arena = umx_arena_new(length * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
    ProtobufCMessage *message = NULL;

    if (umx_reflect_unpack(&umx__to_controller__descriptor, bytes, length, arena, &message, NULL) != 0)
        die("bare: unreadable");
    umx_arena_free(arena);
    free(link->last);
    link->last = malloc(length);
    memcpy(link->last, bytes, length);
    heard++;
}

static double anonymous(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char text[256];
    long kib = 0;

    while (file != NULL && fgets(text, sizeof text, file) != NULL)
        sscanf(text, "Anonymous: %ld", &kib);
    if (file != NULL)
        fclose(file);
    return (double)kib;
}

static void wait_for(const size_t *what, size_t count, void (*take)(struct link *, const uint8_t *, size_t))
{
    while (*what < count) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, 60000);
        if (ready <= 0)
            die("bare: nothing comes");
        for (int i = 0; i < ready; i++)
            hear(events[i].data.ptr, take);
    }
}

static void serve(int listener, SSL_CTX *context, size_t count, int rounds, int pipe_out)
{
    uint8_t question[LINE_MAX_BYTES];
    double empty = anonymous(), start = seconds(), used = processor();
    double fan_wall[64], fan_used[64];

    for (size_t i = 0; i < count; i++) {
        links[i].fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        links[i].ssl = SSL_new(context);
        SSL_set_accept_state(links[i].ssl);
        add(&links[i]);
        wait_for(&shaken, i + 1, keep); /* the client connects one by one */
    }
    double attach_wall = seconds() - start, attach_used = processor() - used;
    /* One question each, unmeasured: the buffers are there, as with everybody who has spoken. */
    for (int round = -1; round < rounds; round++) {
        size_t length = words_collect(question, sizeof question, round + 2);
        start = seconds();
        used = processor();
        heard = 0;
        for (size_t i = 0; i < count; i++)
            say(&links[i], question, length);
        wait_for(&heard, count, keep);
        if (round >= 0 && round < 64) {
            fan_wall[round] = seconds() - start;
            fan_used[round] = processor() - used;
        }
    }
    double held = anonymous() - empty;
    heard = 0;
    start = seconds();
    used = processor();
    if (write(pipe_out, "x", 1) != 1) /* now reports, unasked */
        die("bare: pipe");
    wait_for(&heard, count * (size_t)rounds, keep);
    double ingest_wall = seconds() - start, ingest_used = processor() - used;
    double wall = fan_wall[0], least = fan_used[0], sum = 0;
    for (int i = 0; i < rounds; i++) {
        wall = fan_wall[i] < wall ? fan_wall[i] : wall;
        least = fan_used[i] < least ? fan_used[i] : least;
        sum += fan_used[i];
    }
    printf("{\"agents\":%zu,\"kib_each\":%.1f,\"attach_seconds\":%.3f,\"attach_us\":%.1f,\"fan_out_seconds\":%.4f,"
           "\"fan_out_us\":%.2f,\"fan_out_us_mean\":%.2f,\"report_seconds\":%.3f,\"report_us\":%.2f}\n",
           count, held / (double)count, attach_wall, attach_used / (double)count * 1e6, wall,
           least / (double)count * 1e6, sum / rounds / (double)count * 1e6, ingest_wall,
           ingest_used / (double)count / rounds * 1e6);
    fflush(stdout);
}

/* ---- the client */

static int reply_rows;

static void reply(struct link *link, const uint8_t *bytes, size_t length)
{
    static uint8_t report[ROOM];

    (void)bytes;
    (void)length;
    say(link, report, words_report(report, sizeof report, link->fqdn, reply_rows, ++link->generation, 1));
}

static void answer(const char *directory, const struct sockaddr_in *server, size_t count, int rounds, int pipe_in)
{
    struct identities identities;
    struct epoll_event event = {.events = EPOLLIN};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    identities_load(directory, count, &identities);
    SSL_CTX *context = identities_client(&identities);
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < count; i++) {
        struct link *link = &links[i];
        link->fqdn = identities.list[i].fqdn;
        link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(link->fd, (const struct sockaddr *)server, sizeof *server) != 0)
            die("bare: connect: %s", strerror(errno));
        link->ssl = SSL_new(context);
        SSL_set_connect_state(link->ssl);
        SSL_use_certificate(link->ssl, identities.list[i].leaf);
        SSL_use_PrivateKey(link->ssl, identities.list[i].key);
        SSL_set_fd(link->ssl, link->fd);
        if (SSL_do_handshake(link->ssl) != 1)
            die("bare: handshake");
        link->shaken = 1;
        fcntl(link->fd, F_SETFL, O_NONBLOCK);
        add(link);
    }
    epoll_ctl(poller, EPOLL_CTL_ADD, pipe_in, &event);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            char byte;
            if (events[i].data.ptr != NULL) {
                hear(events[i].data.ptr, reply);
                continue;
            }
            if (read(pipe_in, &byte, 1) != 1)
                return;
            for (int round = 0; round < rounds; round++)
                for (size_t k = 0; k < count; k++)
                    reply(&links[k], NULL, 0);
        }
    }
}

void run_bare(const char *directory, size_t count, int rows, int rounds)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct identities identities;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pipes[2];

    if (rounds < 1 || rounds > 64 || rows < 1 || rows > 100)
        die("1 to 64 rounds, 1 to 100 rows");
    reply_rows = rows;
    links = calloc(count, sizeof *links);
    if (links == NULL || pipe(pipes) != 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1024) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        die("bare: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
    pid_t child = fork();
    if (child == 0) {
        close(pipes[1]);
        answer(directory, &address, count, rounds, pipes[0]);
        _exit(0);
    }
    close(pipes[0]);
    poller = epoll_create1(EPOLL_CLOEXEC);
    identities_load(directory, 0, &identities);
    serve(listener, identities_server(directory, &identities), count, rounds, pipes[1]);
    close(pipes[1]);
    waitpid(child, NULL, 0);
}

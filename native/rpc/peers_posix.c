/*
 * gRPC takes connections with accept4 and tells nobody. In a program that is linked with this file its accept4 is the
 * one below: the kernel's, and a connection too many of one address is closed before gRPC sees it.
 */
#include "rpc/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

enum { DESCRIPTORS = 65536, ADDRESS = 16, NETWORK = 8, RECENT = 64 };

#define COUNT_AGAIN (100 * UMX_MILLISECOND)

struct peer {
    uint8_t address[ADDRESS]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    bool used;
};

/* By descriptor: what was accepted as it last. Nobody tells when one is closed; it is looked at when it matters. */
static struct peer peers[DESCRIPTORS];
static int highest = -1;
/* Addresses at their limit whose connections were looked at last, and when: one that fills its own limit again and
 * again does not keep others from being looked at. */
static struct {
    struct peer peer;
    int64_t at;
} recent[RECENT];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int limit;
static _Atomic int64_t refused;

void umx_rpc_peers_limit(int connections)
{
    atomic_store(&limit, connections);
}

int64_t umx_rpc_peers_refused(void)
{
    return atomic_load(&refused);
}

static bool read_peer(int fd, struct peer *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_storage room;
    } name;
    socklen_t length = sizeof name;

    *out = (struct peer){.used = true};
    if (getpeername(fd, &name.any, &length) != 0)
        return false;
    if (name.any.sa_family == AF_INET) {
        out->address[10] = out->address[11] = 0xff;
        memcpy(out->address + 12, &name.four.sin_addr, 4);
        out->port = name.four.sin_port;
    } else if (name.any.sa_family == AF_INET6) {
        memcpy(out->address, &name.six.sin6_addr, ADDRESS);
        out->port = name.six.sin6_port;
    } else {
        return false;
    }
    return true;
}

static bool same_address(const struct peer *a, const struct peer *b)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool four = memcmp(a->address, mapped, sizeof mapped) == 0;

    return memcmp(a->address, b->address, four ? ADDRESS : NETWORK) == 0;
}

/* Connections of this address; alive: those that are closed by now are forgotten. */
static int count(const struct peer *peer, bool alive)
{
    int found = 0;

    for (int fd = 0; fd <= highest; fd++) {
        struct peer now;
        if (!peers[fd].used || !same_address(peer, &peers[fd]))
            continue;
        if (alive && (!read_peer(fd, &now) || memcmp(now.address, peers[fd].address, ADDRESS) != 0 ||
                      now.port != peers[fd].port))
            peers[fd].used = false;
        found += peers[fd].used;
    }
    return found;
}

/* Looking at each connection of an address must not become the load itself: once in a while for each address. Where
 * more addresses than are kept are at their limits, the one that was looked at longest ago gives way, when its time is
 * over. */
static bool may_look(const struct peer *peer)
{
    int64_t now = umx_clock_monotonic();
    size_t oldest = 0, place = RECENT;

    for (size_t i = 0; i < RECENT; i++) {
        if (recent[i].peer.used && same_address(&recent[i].peer, peer))
            place = i;
        if (recent[i].at < recent[oldest].at)
            oldest = i;
    }
    if (place == RECENT)
        place = oldest;
    if (recent[place].peer.used && now - recent[place].at < COUNT_AGAIN)
        return false;
    recent[place].peer = *peer;
    recent[place].at = now;
    return true;
}

/* Whether the connection may stay; it is remembered then. */
static bool admit(int fd, int most)
{
    struct peer peer;
    bool good = true;

    if (fd >= DESCRIPTORS || !read_peer(fd, &peer))
        return true;
    pthread_mutex_lock(&mutex);
    peers[fd].used = false;
    if (count(&peer, false) >= most)
        good = may_look(&peer) && count(&peer, true) < most;
    if (good) {
        peers[fd] = peer;
        highest = fd > highest ? fd : highest;
    }
    pthread_mutex_unlock(&mutex);
    return good;
}

/* With the type that the C library declares it by: one that takes every kind of address. Visible: gRPC's library has to
 * find it. */
__attribute__((visibility("default"))) int accept4(int listener, __SOCKADDR_ARG address, socklen_t *restrict length,
                                                   int flags)
{
    const socklen_t room = length != NULL ? *length : 0;

    for (;;) {
        int fd = (int)syscall(SYS_accept4, listener, address.__sockaddr__, length, flags);
        int most = atomic_load(&limit);
        if (fd < 0 || most <= 0 || admit(fd, most))
            return fd;
        close(fd);
        atomic_fetch_add(&refused, 1);
        if (length != NULL)
            *length = room;
    }
}

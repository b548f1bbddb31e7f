/* This machine when it runs Linux: enough to develop and to watch the controller's own host. It has no registry, no
 * Windows services, no certificate store and no shell of the products, and says so by empty lists. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/host/host.h"
#include "base/clock.h"

static int no_registry(struct umx_host *host, struct umx_registry *into, struct umx_error *err)
{
    (void)host;
    (void)into;
    (void)err;
    return 0;
}

static int no_services(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **list, size_t *count,
                       struct umx_error *err)
{
    (void)host;
    (void)arena;
    (void)list;
    (void)count;
    (void)err;
    return 0;
}

static int no_certificates(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                           size_t *count, struct umx_error *err)
{
    (void)host;
    (void)arena;
    (void)list;
    (void)count;
    (void)err;
    return 0;
}

static int no_events(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                     size_t filter_count, struct umx_host_event **list, size_t *count, struct umx_error *err)
{
    (void)host;
    (void)arena;
    (void)filters;
    (void)filter_count;
    (void)list;
    (void)count;
    (void)err;
    return 0;
}

/* One address of /proc/net/tcp*: groups of 8 hex digits, each a 32-bit word in the machine's order. */
static int address(const char *hex, int family, char *out, size_t size)
{
    unsigned char bytes[16] = {0};
    size_t words = family == AF_INET6 ? 4 : 1;

    if (strlen(hex) != words * 8)
        return -1;
    for (size_t i = 0; i < words; i++) {
        char group[9];
        memcpy(group, hex + i * 8, 8);
        group[8] = '\0';
        uint32_t word = (uint32_t)strtoul(group, NULL, 16);
        memcpy(bytes + i * 4, &word, sizeof word);
    }
    return inet_ntop(family, bytes, out, (socklen_t)size) != NULL ? 0 : -1;
}

static int sockets(const char *path, int family, struct umx_arena *arena, struct umx_host_listener *list, size_t *count,
                   struct umx_error *err)
{
    char line[512];
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return errno == ENOENT ? 0 : umx_fail_code(err, UMX_ERR_HOST_UNREADABLE, errno, path, "%s", strerror(errno));
    while (fgets(line, sizeof line, file) != NULL && *count < UMX_HOST_LISTENERS_MAX) {
        char local[40];
        char text[INET6_ADDRSTRLEN];
        unsigned port = 0;
        unsigned state = 0;
        if (sscanf(line, " %*u: %39[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x", local, &port, &state) != 3 ||
            state != 0x0a /* TCP_LISTEN */ || port == 0 || address(local, family, text, sizeof text) != 0)
            continue;
        struct umx_host_listener *listener = &list[*count];
        *listener = (struct umx_host_listener){
            .protocol = "tcp", .address = umx_arena_string(arena, text), .port = (int32_t)port, .process = ""};
        if (listener->address == NULL)
            break;
        (*count)++;
    }
    fclose(file);
    return 0;
}

static int listeners(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **list, size_t *count,
                     struct umx_error *err)
{
    (void)host;
    *list = umx_arena_alloc(arena, UMX_HOST_LISTENERS_MAX * sizeof **list);
    if (*list == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "listeners", NULL);
    int status = sockets("/proc/net/tcp", AF_INET, arena, *list, count, err);
    return status != 0 ? status : sockets("/proc/net/tcp6", AF_INET6, arena, *list, count, err);
}

static int no_administrators(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                             size_t *count, struct umx_error *err)
{
    (void)host;
    (void)arena;
    (void)list;
    (void)count;
    (void)err;
    return 0;
}

static int no_restart(struct umx_host *host, const char *service, int64_t timeout, struct umx_error *err)
{
    (void)host;
    (void)timeout;
    return umx_fail(err, UMX_ERR_SERVICE_UNKNOWN, service, NULL);
}

static uint64_t no_stamp(struct umx_host *host)
{
    (void)host;
    return 0;
}

static void close_local(struct umx_host *host)
{
    umx_arena_free(host->arena);
    free(host);
}

/* The name that DNS knows the machine by, else the bare host name. */
static const char *own_name(struct umx_arena *arena)
{
    char name[256] = "";
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *found = NULL;

    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        return umx_arena_string(arena, "localhost");
    if (strchr(name, '.') == NULL && getaddrinfo(name, NULL, &hints, &found) == 0) {
        const char *full = found->ai_canonname;
        if (full != NULL && strlen(full) < sizeof name)
            memcpy(name, full, strlen(full) + 1);
        freeaddrinfo(found);
    }
    return umx_arena_string(arena, name);
}

static int64_t boot_time(void)
{
    char line[256];
    long long seconds = 0;
    FILE *file = fopen("/proc/stat", "r");

    while (file != NULL && seconds == 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "btime %lld", &seconds) != 1)
            seconds = 0;
    if (file != NULL)
        fclose(file);
    return (int64_t)seconds * UMX_SECOND;
}

int umx_host_open_local(struct umx_host **out, struct umx_error *err)
{
    static const struct umx_host_platform platform = {
        .registry = no_registry,
        .services = no_services,
        .certificates = no_certificates,
        .listeners = listeners,
        .events = no_events,
        .administrators = no_administrators,
        .restart = no_restart,
        .stamp = no_stamp,
        .close = close_local,
    };
    struct utsname system = {0};
    struct umx_host *host = calloc(1, sizeof *host);

    if (host == NULL || (host->arena = umx_arena_new(16 * 1024)) == NULL) {
        free(host);
        return umx_fail(err, UMX_ERR_MEMORY, "host", NULL);
    }
    host->platform = &platform;
    uname(&system);
    host->identity = (struct umx_host_identity){
        .fqdn = own_name(host->arena),
        .os = umx_arena_format(host->arena, "%s %s", system.sysname, system.release),
        .address = "",
        .forest = "",
        .principal = "",
        .keytab = "",
        .domain_controllers = "",
        .started_at = boot_time(),
    };
    if (host->identity.fqdn == NULL || host->identity.os == NULL) {
        close_local(host);
        return umx_fail(err, UMX_ERR_MEMORY, "host", NULL);
    }
    *out = host;
    return 0;
}

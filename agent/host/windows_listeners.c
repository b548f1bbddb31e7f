/* Listening TCP sockets with their processes. */
#include <winsock2.h>
#include <ws2tcpip.h>

#include <iphlpapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/host/windows_host.h"
#include "agent/host/windows_processes.h"

enum { TABLE_MAX = 8 * 1024 * 1024, TRIES = 4 };

/* The table of one address family; NULL when there is none. */
static void *read_table(ULONG family, struct umx_error *err, int *status)
{
    DWORD size = 64 * 1024;

    for (int i = 0; i < TRIES; i++) {
        void *table = size <= TABLE_MAX ? malloc(size) : NULL;
        if (table == NULL)
            break;
        DWORD rc = GetExtendedTcpTable(table, &size, FALSE, family, TCP_TABLE_OWNER_PID_LISTENER, 0);
        if (rc == NO_ERROR)
            return table;
        free(table);
        if (rc != ERROR_INSUFFICIENT_BUFFER) {
            /* A machine without IPv6 has no such table. */
            if (family == AF_INET)
                *status = umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "listeners", rc);
            return NULL;
        }
    }
    *status = umx_fail(err, UMX_ERR_HOST_UNREADABLE, "listeners", "the table keeps growing");
    return NULL;
}

static int add(struct umx_host_listener *list, size_t *count, struct umx_arena *arena, const void *processes,
               const char *address, DWORD port, DWORD process, struct umx_error *err)
{
    if (*count == UMX_HOST_LISTENERS_MAX)
        return 0;
    struct umx_host_listener *listener = &list[(*count)++];
    *listener = (struct umx_host_listener){.protocol = "tcp",
                                           .address = umx_arena_string(arena, address),
                                           .port = ntohs((u_short)port),
                                           .process_id = (int32_t)process,
                                           .process = umx_windows_process_name(processes, process, arena)};
    return listener->address != NULL && listener->process != NULL
               ? 0
               : umx_fail(err, UMX_ERR_ARENA_FULL, "listeners", NULL);
}

/* inet_ntop came with Vista's headers but not everywhere in its library: written here for IPv4, which is all it takes.
 */
static void address_v4(DWORD address, char out[16])
{
    const BYTE *b = (const BYTE *)&address;

    snprintf(out, 16, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
}

static void address_v6(const UCHAR *b, char out[INET6_ADDRSTRLEN])
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};

    memcpy(&address.sin6_addr, b, 16);
    if (getnameinfo((struct sockaddr *)&address, sizeof address, out, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST) != 0)
        out[0] = '\0';
}

int umx_windows_listeners(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **list,
                          size_t *count, struct umx_error *err)
{
    int status = 0;

    (void)host;
    *list = umx_arena_alloc(arena, UMX_HOST_LISTENERS_MAX * sizeof **list);
    if (*list == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "listeners", NULL);
    MIB_TCPTABLE_OWNER_PID *four = read_table(AF_INET, err, &status);
    MIB_TCP6TABLE_OWNER_PID *six = status == 0 ? read_table(AF_INET6, err, &status) : NULL;
    void *processes = umx_windows_processes(); /* after the tables: those that they name are there */
    for (DWORD i = 0; four != NULL && status == 0 && i < four->dwNumEntries; i++) {
        char text[16];
        address_v4(four->table[i].dwLocalAddr, text);
        status = add(*list, count, arena, processes, text, four->table[i].dwLocalPort, four->table[i].dwOwningPid, err);
    }
    for (DWORD i = 0; six != NULL && status == 0 && i < six->dwNumEntries; i++) {
        char text[INET6_ADDRSTRLEN];
        address_v6(six->table[i].ucLocalAddr, text);
        status = add(*list, count, arena, processes, text, six->table[i].dwLocalPort, six->table[i].dwOwningPid, err);
    }
    free(processes);
    free(six);
    free(four);
    return status;
}

#include "directory/discovery.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 65535, TRIES = 2, SECONDS = 2 };

struct controller {
    unsigned priority, weight;
    const char *host;
};

static int by_priority(const void *a, const void *b)
{
    const struct controller *x = a, *y = b;
    if (x->priority != y->priority) {
        return x->priority < y->priority ? -1 : 1;
    }
    return (x->weight < y->weight) - (x->weight > y->weight);
}

/* How many, in found; UMX_DISCOVERY_MAX + 1: there are more. */
static size_t parse(const unsigned char *answer, int length, struct umx_arena *arena, struct controller *found)
{
    ns_msg message;
    size_t count = 0;
    if (ns_initparse(answer, length, &message)) {
        return 0;
    }
    for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
        ns_rr record;
        char host[NS_MAXDNAME];
        if (ns_parserr(&message, ns_s_an, i, &record) || ns_rr_type(record) != ns_t_srv || ns_rr_rdlen(record) < 7) {
            continue;
        }
        const unsigned char *data = ns_rr_rdata(record);
        if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), data + 6, host, sizeof host) <= 0 || !*host ||
            strcmp(host, ".") == 0) {
            continue;
        }
        if (count == UMX_DISCOVERY_MAX) {
            return count + 1;
        }
        found[count].priority = ns_get16(data);
        found[count].weight = ns_get16(data + 2);
        found[count].host = umx_arena_string(arena, host);
        count += found[count].host != NULL;
    }
    return count;
}

int umx_discovery_controllers(const char *forest, struct umx_arena *arena, const char **hosts, size_t *count,
                              struct umx_error *err)
{
    struct controller found[UMX_DISCOVERY_MAX];
    char name[NS_MAXDNAME];
    struct __res_state state = {0};
    *count = 0;
    unsigned char *answer = malloc(ANSWER_MAX);
    if (!answer || res_ninit(&state)) {
        free(answer);
        return umx_fail(err, UMX_ERR_MEMORY, forest, NULL);
    }
    state.retrans = SECONDS;
    state.retry = TRIES;
    int length = snprintf(name, sizeof name, "_ldap._tcp.dc._msdcs.%s", forest) < (int)sizeof name
                     ? res_nquery(&state, name, ns_c_in, ns_t_srv, answer, ANSWER_MAX)
                     : -1;
    if (length > 0) {
        *count = parse(answer, length < ANSWER_MAX ? length : ANSWER_MAX, arena, found);
    }
    res_nclose(&state);
    free(answer);
    if (!*count) {
        return umx_fail(err, UMX_ERR_FOREST_UNREACHABLE, forest, "DNS has no SRV records %s", name);
    }
    if (*count > UMX_DISCOVERY_MAX) {
        return umx_fail(err, UMX_ERR_FOREST_UNREACHABLE, forest,
                        "DNS has more than %d domain controllers: name those to use in domain_controllers",
                        UMX_DISCOVERY_MAX);
    }
    qsort(found, *count, sizeof *found, by_priority);
    for (size_t i = 0; i < *count; i++) {
        hosts[i] = found[i].host;
    }
    return 0;
}

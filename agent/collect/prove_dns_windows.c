/* A name in DNS: SRV when it begins with an underscore, else addresses. The cache is passed by. */
#include <winsock2.h>
#include <ws2tcpip.h>

#include <windns.h>

#include "agent/collect/prove.h"
#include "agent/host/windows_text.h"
#include "base/text.h"

enum { SHOWN_MAX = 8 };

static void show(const DNS_RECORDW *record, struct umx_arena *arena, struct umx_text *text)
{
    const char *between = text->length > 0 ? ", " : "";

    if (record->wType == DNS_TYPE_SRV) {
        const char *name = umx_narrow(record->Data.SRV.pNameTarget, arena);
        umx_text_addf(text, "%s%s:%u", between, name != NULL ? name : "", record->Data.SRV.wPort);
    } else if (record->wType == DNS_TYPE_A) {
        const BYTE *b = (const BYTE *)&record->Data.A.IpAddress;
        umx_text_addf(text, "%s%u.%u.%u.%u", between, b[0], b[1], b[2], b[3]);
    } else {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6};
        char shown[INET6_ADDRSTRLEN] = "";
        memcpy(&address.sin6_addr, &record->Data.AAAA.Ip6Address, 16);
        if (getnameinfo((struct sockaddr *)&address, sizeof address, shown, sizeof shown, NULL, 0, NI_NUMERICHOST) == 0)
            umx_text_addf(text, "%s%s", between, shown);
    }
}

/* Records of the type; the number of them. */
static int ask(const wchar_t *name, WORD type, struct umx_arena *arena, struct umx_text *text, DNS_STATUS *failure)
{
    DNS_RECORDW *records = NULL;
    int found = 0;
    DNS_STATUS rc = DnsQuery_W(name, type, DNS_QUERY_BYPASS_CACHE, NULL, (PDNS_RECORD *)&records, NULL);

    if (rc != ERROR_SUCCESS) {
        *failure = rc;
        return 0;
    }
    for (const DNS_RECORDW *record = records; record != NULL; record = record->pNext) {
        if (record->wType != type || record->Flags.S.Section != DnsSectionAnswer)
            continue;
        if (found < SHOWN_MAX)
            show(record, arena, text);
        found++;
    }
    DnsRecordListFree((PDNS_RECORD)records, DnsFreeRecordList);
    return found;
}

void umx_prove_dns(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                   struct umx_proof_result *result)
{
    wchar_t name[512];
    struct umx_arena *arena = umx_arena_new(64 * 1024);
    struct umx_text text = {0};
    DNS_STATUS failure = ERROR_SUCCESS;
    int found = 0;

    (void)host;
    (void)timeout; /* the resolver has its own */
    if (arena == NULL || target->host == NULL || target->host[0] == '\0' || umx_wide(target->host, name, 512) != 0) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "no name to look up");
        umx_arena_free(arena);
        return;
    }
    if (name[0] == L'_') {
        found = ask(name, DNS_TYPE_SRV, arena, &text, &failure);
    } else {
        found = ask(name, DNS_TYPE_A, arena, &text, &failure);
        found += ask(name, DNS_TYPE_AAAA, arena, &text, &failure);
    }
    result->objects = found;
    if (found > 0)
        umx_prove_say(result, UMX__PROOF__STATUS__PASS, "%s", umx_text_string(&text));
    else if (failure == DNS_ERROR_RCODE_NAME_ERROR)
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "there is no such name");
    else if (failure == ERROR_SUCCESS || failure == DNS_INFO_NO_RECORDS)
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "the name has no such record");
    else
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "DNS error %ld", (long)failure);
    umx_text_free(&text);
    umx_arena_free(arena);
}

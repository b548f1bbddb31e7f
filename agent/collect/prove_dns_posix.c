/* A name in DNS: SRV when it begins with an underscore, else addresses. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

#include "agent/collect/prove.h"
#include "base/clock.h"
#include "base/text.h"

enum { SHOWN_MAX = 8 };

/* Adds the answers of that type to the text; the number of them, or -1 when the message is not DNS. */
static int answers(const unsigned char *message, int length, int type, struct umx_text *text)
{
    ns_msg handle;
    int found = 0;

    if (ns_initparse(message, length, &handle) != 0)
        return -1;
    for (int i = 0; i < ns_msg_count(handle, ns_s_an); i++) {
        ns_rr record;
        char shown[NS_MAXDNAME + 32];
        if (ns_parserr(&handle, ns_s_an, i, &record) != 0)
            return -1;
        if ((int)ns_rr_type(record) != type)
            continue;
        if (type == ns_t_srv) {
            char name[NS_MAXDNAME];
            const unsigned char *data = ns_rr_rdata(record);
            if (ns_rr_rdlen(record) < 7 ||
                ns_name_uncompress(message, message + length, data + 6, name, sizeof name) < 0)
                return -1;
            snprintf(shown, sizeof shown, "%s:%u", name, ns_get16(data + 4));
        } else {
            int family = type == ns_t_a ? AF_INET : AF_INET6;
            if (ns_rr_rdlen(record) != (type == ns_t_a ? 4 : 16) ||
                inet_ntop(family, ns_rr_rdata(record), shown, sizeof shown) == NULL)
                return -1;
        }
        if (found < SHOWN_MAX)
            umx_text_addf(text, "%s%s", text->length > 0 ? ", " : "", shown);
        found++;
    }
    return found;
}

static const char *failure(int code)
{
    switch (code) {
    case HOST_NOT_FOUND:
        return "there is no such name";
    case NO_DATA:
        return "the name has no such record";
    case TRY_AGAIN:
        return "no name server answered";
    default:
        return "the name server failed";
    }
}

void umx_prove_dns(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                   struct umx_proof_result *result)
{
    static unsigned char message[NS_MAXMSG]; /* proofs run one to a process */
    static const int addresses[] = {ns_t_a, ns_t_aaaa};
    static const int services[] = {ns_t_srv};
    struct __res_state state;
    struct umx_text text = {0};
    int found = 0;
    int code = 0;

    (void)host;
    memset(&state, 0, sizeof state);
    if (target->host == NULL || target->host[0] == '\0' || res_ninit(&state) != 0) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "no name to look up, or no resolver");
        return;
    }
    bool service = target->host[0] == '_';
    const int *types = service ? services : addresses;
    state.retrans = 2;
    state.retry = (int)(timeout / UMX_SECOND / 4) > 1 ? (int)(timeout / UMX_SECOND / 4) : 1;
    for (size_t i = 0; i < (service ? 1 : 2); i++) {
        int length = res_nquery(&state, target->host, ns_c_in, types[i], message, sizeof message);
        int more = length > 0
                       ? answers(message, length < (int)sizeof message ? length : (int)sizeof message, types[i], &text)
                       : 0;
        if (length < 0 && code == 0)
            code = state.res_h_errno;
        found += more > 0 ? more : 0;
    }
    result->objects = found;
    if (found > 0)
        umx_prove_say(result, UMX__PROOF__STATUS__PASS, "%s", umx_text_string(&text));
    else if (code == TRY_AGAIN)
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "%s", failure(code));
    else
        umx_prove_say(result, UMX__PROOF__STATUS__FAIL, "%s", failure(code != 0 ? code : NO_DATA));
    umx_text_free(&text);
    res_nclose(&state);
}

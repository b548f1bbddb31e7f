#include "rpc/status.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct {
    int status;
    grpc_status_code code;
} codes[] = {
    {UMX_OK, GRPC_STATUS_OK},
    {UMX_E_ARGUMENT, GRPC_STATUS_INVALID_ARGUMENT},
    {UMX_E_MEMORY, GRPC_STATUS_RESOURCE_EXHAUSTED},
    {UMX_E_LIMIT, GRPC_STATUS_RESOURCE_EXHAUSTED},
    {UMX_E_FORMAT, GRPC_STATUS_INVALID_ARGUMENT},
    {UMX_E_NOT_FOUND, GRPC_STATUS_NOT_FOUND},
    {UMX_E_EXISTS, GRPC_STATUS_ALREADY_EXISTS},
    {UMX_E_DENIED, GRPC_STATUS_PERMISSION_DENIED},
    {UMX_E_UNAUTHENTICATED, GRPC_STATUS_UNAUTHENTICATED},
    {UMX_E_UNREACHABLE, GRPC_STATUS_UNAVAILABLE},
    {UMX_E_TIMEOUT, GRPC_STATUS_DEADLINE_EXCEEDED},
    {UMX_E_CANCELLED, GRPC_STATUS_CANCELLED},
    {UMX_E_CONFLICT, GRPC_STATUS_ABORTED},
    {UMX_E_STALE, GRPC_STATUS_FAILED_PRECONDITION},
    {UMX_E_UNCERTAIN, GRPC_STATUS_UNKNOWN},
    {UMX_E_UNSUPPORTED, GRPC_STATUS_UNIMPLEMENTED},
    {UMX_E_IO, GRPC_STATUS_INTERNAL},
    {UMX_E_INTERNAL, GRPC_STATUS_INTERNAL},
    {UMX_E_PARTIAL, GRPC_STATUS_UNKNOWN},
};

/* What a code means that did not come from umx: gRPC itself or something in between made it. */
static const struct {
    grpc_status_code code;
    enum umx_error_id id;
} meanings[] = {
    {GRPC_STATUS_CANCELLED, UMX_ERR_CANCELLED},
    {GRPC_STATUS_DEADLINE_EXCEEDED, UMX_ERR_DEADLINE},
    {GRPC_STATUS_UNAVAILABLE, UMX_ERR_PEER_UNREACHABLE},
    {GRPC_STATUS_UNAUTHENTICATED, UMX_ERR_PEER_UNAUTHENTICATED},
    {GRPC_STATUS_PERMISSION_DENIED, UMX_ERR_NOT_PERMITTED},
    {GRPC_STATUS_RESOURCE_EXHAUSTED, UMX_ERR_FRAME_TOO_LARGE},
    {GRPC_STATUS_UNIMPLEMENTED, UMX_ERR_OPERATION_UNKNOWN},
};

grpc_status_code umx_rpc_status_code(int status)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].status == status)
            return codes[i].code;
    return GRPC_STATUS_INTERNAL;
}

/* One line without tabs, since tabs separate the parts. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20)
            *text = ' ';
}

void umx_rpc_status_details(const struct umx_error *why, char out[UMX_RPC_DETAILS_MAX])
{
    char what[UMX_ERROR_WHAT_MAX];
    char reason[UMX_ERROR_WHY_MAX];

    out[0] = '\0';
    if (why == NULL || why->status == 0)
        return;
    umx_text_copy(what, sizeof what, why->what);
    umx_text_copy(reason, sizeof reason, why->why);
    flatten(what);
    flatten(reason);
    snprintf(out, UMX_RPC_DETAILS_MAX, "UMX-%d\t%s\t%s", why->id, what, reason);
}

/* "UMX-1109\twhat\twhy" with an id of the table; anything else is not ours. */
static bool parse_own(char *text, struct umx_error *err)
{
    char *end;

    if (strncmp(text, "UMX-", 4) != 0)
        return false;
    long id = strtol(text + 4, &end, 10);
    if (end == text + 4 || *end != '\t' || id <= 0 || id > 9999)
        return false;
    char *what = end + 1;
    char *why = strchr(what, '\t');
    if (why == NULL || umx_error_text((int)id)->id != (int)id)
        return false;
    *why++ = '\0';
    umx_fail(err, (enum umx_error_id)id, what, why[0] != '\0' ? "%s" : NULL, why);
    return true;
}

int umx_rpc_status_parse(grpc_status_code code, const char *details, size_t length, const char *target,
                         struct umx_error *err)
{
    struct umx_error made = {0};
    struct umx_text text = {0};

    if (code == GRPC_STATUS_OK) {
        if (err != NULL)
            *err = made;
        return 0;
    }
    umx_text_add_valid(&text, details, length < 8192 ? length : 8192);
    if (text.data == NULL || !parse_own(text.data, &made)) {
        enum umx_error_id id = UMX_ERR_PROTOCOL;
        for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
            if (meanings[i].code == code)
                id = meanings[i].id;
        if (text.data != NULL)
            flatten(text.data);
        umx_fail(&made, id, target, "%s", umx_text_string(&text));
    }
    made.foreign = (long)code;
    umx_text_free(&text);
    if (err != NULL)
        *err = made;
    return made.status;
}

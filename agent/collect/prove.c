#include "agent/collect/prove.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

void umx_prove_say(struct umx_proof_result *result, Umx__Proof__Status status, const char *format, ...)
{
    char text[sizeof result->detail * 2];
    struct umx_text valid = {0};
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    umx_text_add_valid(&valid, text, strlen(text));
    result->status = status;
    umx_text_copy(result->detail, sizeof result->detail, umx_text_string(&valid));
    umx_text_free(&valid);
}

/* A domain controller under load is slow, and late is better than never; a server that takes a connection and then says
 * nothing will not say more later, and must not hold up the proofs behind it. */
enum { DIRECTORY_TIMEOUT = 45, TLS_TIMEOUT = 15, DNS_TIMEOUT = 30 };

static const struct kind {
    Umx__Proof__Kind kind;
    int timeout; /* seconds */
    void (*prove)(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                  struct umx_proof_result *result);
} kinds[] = {
    {UMX__PROOF__KIND__TRUST, DIRECTORY_TIMEOUT, umx_prove_by_directory},
    {UMX__PROOF__KIND__DIRECTORY, DIRECTORY_TIMEOUT, umx_prove_by_directory},
    {UMX__PROOF__KIND__SID, DIRECTORY_TIMEOUT, umx_prove_by_directory},
    {UMX__PROOF__KIND__TLS, TLS_TIMEOUT, umx_prove_tls},
    {UMX__PROOF__KIND__DNS, DNS_TIMEOUT, umx_prove_dns},
};

static const struct kind *kind_of(const Umx__ProofTarget *target)
{
    for (size_t i = 0; target->has_kind && i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == target->kind)
            return &kinds[i];
    return NULL;
}

int64_t umx_prove_timeout(const Umx__ProofTarget *target)
{
    const struct kind *kind = kind_of(target);

    return (kind != NULL ? kind->timeout : DIRECTORY_TIMEOUT) * UMX_SECOND;
}

void umx_prove(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout, struct umx_proof_result *result)
{
    const struct kind *kind = kind_of(target);

    *result = (struct umx_proof_result){.objects = -1};
    if (kind != NULL)
        kind->prove(host, target, timeout, result);
    else
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "this agent does not know the kind of proof");
}

/* What was tried, in one text. */
static char *target_text(struct umx_rows *rows, const Umx__ProofTarget *target)
{
    const char *host = target->host != NULL ? target->host : "";

    switch (target->kind) {
    case UMX__PROOF__KIND__TLS:
        return umx_arena_format(rows->arena, "%s:%d", host, target->port);
    case UMX__PROOF__KIND__DIRECTORY:
        return umx_rows_text(rows, target->dn != NULL ? target->dn : host);
    case UMX__PROOF__KIND__SID:
        return umx_rows_text(rows, target->sid != NULL ? target->sid : host);
    default:
        return umx_rows_text(rows, host[0] != '\0' ? host : target->forest);
    }
}

void umx_prove_row(struct umx_rows *rows, const struct umx_host *host, const Umx__ProofTarget *target,
                   const struct umx_proof_result *result, int64_t duration)
{
    Umx__Proof *row = umx_rows_add(rows, &umx__proof__descriptor);

    if (row == NULL)
        return;
    row->server = umx_rows_text(rows, host->identity.fqdn);
    row->has_kind = target->has_kind;
    row->kind = target->kind;
    row->forest = umx_rows_text(rows, host->identity.forest);
    row->target_forest = umx_rows_text(rows, target->forest);
    row->target = target_text(rows, target);
    row->identity = umx_rows_text(rows, result->identity);
    row->has_status = 1;
    row->status = result->status;
    row->detail = umx_rows_text(rows, result->detail);
    row->has_objects = result->objects >= 0;
    row->objects = result->objects;
    row->has_duration = 1;
    row->duration = duration;
}

int umx_collect_proof(struct umx_collect *collect, struct umx_error *err)
{
    return collect->target_count > 0 ? umx_prove_all(collect, err) : 0;
}

#include "agent/collect/prove.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static const struct kind {
    Umx__Proof__Kind kind;
    void (*prove)(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                  struct umx_proof_result *result);
} kinds[] = {
    {UMX__PROOF__KIND__TRUST, umx_prove_by_directory},
    {UMX__PROOF__KIND__DIRECTORY, umx_prove_by_directory},
    {UMX__PROOF__KIND__SID, umx_prove_by_directory},
    {UMX__PROOF__KIND__TLS, umx_prove_tls},
    {UMX__PROOF__KIND__DNS, umx_prove_dns},
};

void umx_prove(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout, struct umx_proof_result *result)
{
    *result = (struct umx_proof_result){.objects = -1};
    umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "this agent does not know the kind of proof");
    for (size_t i = 0; target->has_kind && i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == target->kind)
            kinds[i].prove(host, target, timeout, result);
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

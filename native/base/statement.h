/*
 * The texts that an approver and a person who logs in sign (docs/protocol.md). One place for those who sign and those who verify.
 */
#ifndef UMX_BASE_STATEMENT_H
#define UMX_BASE_STATEMENT_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "umx/v1/plan.pb-c.h"

enum { UMX_STATEMENT_MAX = 16 * 1024 };

struct umx_statement {
    const char *deployment;
    const char *plan_hash; /* 64 lower-case hex digits */
    const char *forest;
    Umx__Approval__Decision decision; /* BREAK_GLASS for an approval without the groups */
    int64_t expires_at;               /* 0: an empty line */
    const char *ticket;               /* NULL: an empty line */
    const char *comment;              /* NULL: an empty line */
};

/* Appends eight lines. UMX_E_ARGUMENT when a text is not UTF-8 or holds a control character (a line end could pretend
 * to be another field), UMX_E_LIMIT above UMX_STATEMENT_MAX. */
int umx_statement_write(const struct umx_statement *statement, struct umx_text *out, struct umx_error *err);

/* What a login by Kerberos binds the ticket to; 64 lower-case hex digits each. */
struct umx_login_statement {
    const char *forest;
    const char *request_hash; /* SHA-256 of the PKCS#10 request, DER */
    const char *root_hash;    /* SHA-256 of the root certificate, DER, that the controller was authenticated by */
};

/* Appends four lines. Errors as above. */
int umx_login_statement_write(const struct umx_login_statement *statement, struct umx_text *out, struct umx_error *err);

#endif

/*
 * The operator's own Kerberos ticket: from the ticket cache on Linux (login_posix.c), from the logon session on Windows
 * (login_windows.c).
 */
#ifndef UMX_CLIENT_TICKET_H
#define UMX_CLIENT_TICKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct umx_client_ticket {
    uint8_t *token; /* for the service, malloc'ed */
    size_t token_length;
    uint8_t *signature; /* of the token's context over the statement, malloc'ed */
    size_t signature_length;
};

/* principal: umx/HOST@REALM. UMX_ERR_TICKET with what the system says: no ticket, no such service. Blocks as Kerberos
 * does while it asks the KDC. */
int umx_client_ticket_get(const char *principal, const void *statement, size_t length, struct umx_client_ticket *out,
                          struct umx_error *err);
void umx_client_ticket_free(struct umx_client_ticket *ticket);

/* The realm of whoever is logged on, as the DNS name that a forest is called by; UMX_ERR_TICKET. */
int umx_client_ticket_realm(char *out, size_t size, struct umx_error *err);

#endif

/*
 * A Kerberos identity in memory: a ticket-granting ticket from a keytab or a password file, and what can be asked with
 * it. Blocks as long as Kerberos does (half a minute with a frozen KDC): callers live in a process that can be killed.
 */
#ifndef UMX_DIRECTORY_TICKET_H
#define UMX_DIRECTORY_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct umx_ticket;

/* principal: user@REALM. keytab or password_file, the other NULL or empty. */
int umx_ticket_get(const char *principal, const char *keytab, const char *password_file, struct umx_ticket **ticket,
                   struct umx_error *err);
void umx_ticket_free(struct umx_ticket *ticket); /* NULL is allowed */

/* True while it is good for some minutes more. */
bool umx_ticket_fresh(const struct umx_ticket *ticket);

/* Makes this the identity of GSSAPI in this thread. */
int umx_ticket_use(const struct umx_ticket *ticket, struct umx_error *err);

/* What a cross-forest request showed (notes on trusts: a referral is one step, its acceptance another). */
enum umx_ticket_trust {
    UMX_TRUST_TICKET,      /* the service ticket was issued */
    UMX_TRUST_NO_REFERRAL, /* the home KDC gives no referral to the other realm */
    UMX_TRUST_REFUSED,     /* the other KDC refuses the referral ticket or knows no such service */
    UMX_TRUST_UNKNOWN,     /* not decided: a KDC does not answer, or the realm is not configured */
};

/* Asks for ldap/host in the realm of another forest. detail is filled for people in every case. */
enum umx_ticket_trust umx_ticket_over_trust(struct umx_ticket *ticket, const char *host, const char *forest,
                                            char *detail, size_t size);

/* First line of a file without its end, at most size-1 bytes. The caller wipes it. */
int umx_ticket_read_secret(const char *path, char *secret, size_t size, struct umx_error *err);

#endif

/*
 * Logins by Kerberos: is a token one for our service, of an account of this forest, and made for this very request?
 * Needs no KDC and no domain controller: the keytab decides.
 */
#ifndef UMX_DIRECTORY_LOGIN_H
#define UMX_DIRECTORY_LOGIN_H

#include "base/error.h"
#include "directory/sid.h"
#include "umx/v1/worker.pb-c.h"

struct umx_login_ticket {
    char principal[512]; /* name@REALM */
    char realm[256];
    char sid[UMX_SID_TEXT];
    int64_t ends_at;
};

/* configure names forest, service, service_keytab and replay_cache. UMX_ERR_PROOF_REFUSED with the reason: another
 * service's ticket, an expired one, one that was shown before, a signature over something else, no SID in it. That the
 * realm is one of the forest's is the caller's to judge. */
int umx_login_accept(const Umx__Configure *configure, const Umx__AcceptLogin *asked, struct umx_login_ticket *out,
                     struct umx_error *err);

#endif

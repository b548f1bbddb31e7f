#include "directory/ticket.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { FRESH_SECONDS = 300, SECRET_MAX = 1024, NAME_MAX_KRB = 512 };

struct umx_ticket {
    krb5_context context;
    krb5_principal principal;
    krb5_ccache cache;
    char cache_name[128];
    int64_t ends; /* seconds since 1970 */
};

static const struct {
    krb5_error_code code;
    enum umx_error_id id;
    const char *why;
} reasons[] = {
    {KRB5KDC_ERR_PREAUTH_FAILED, UMX_ERR_BIND_REFUSED, "the key or password is wrong"},
    {KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, UMX_ERR_BIND_REFUSED, "the account does not exist"},
    {KRB5KDC_ERR_CLIENT_REVOKED, UMX_ERR_BIND_REFUSED, "the account is disabled, locked or expired"},
    {KRB5KDC_ERR_KEY_EXP, UMX_ERR_BIND_REFUSED, "the password has expired"},
    {KRB5KRB_AP_ERR_SKEW, UMX_ERR_BIND_REFUSED, "the clocks differ by more than Kerberos allows"},
    {KRB5_KT_NOTFOUND, UMX_ERR_BIND_REFUSED, "the keytab has no key of the account"},
    {KRB5_KDC_UNREACH, UMX_ERR_FOREST_UNREACHABLE, "no KDC of the realm answers"},
    {KRB5_REALM_UNKNOWN, UMX_ERR_FOREST_UNREACHABLE, "no KDC of the realm is known"},
    {KRB5_REALM_CANT_RESOLVE, UMX_ERR_FOREST_UNREACHABLE, "the realm's KDCs do not resolve"},
};

static int fail_krb(krb5_context context, krb5_error_code code, const char *what, struct umx_error *err)
{
    const char *text = krb5_get_error_message(context, code);
    enum umx_error_id id = code == ENOENT || code == EACCES ? UMX_ERR_FILE_UNREADABLE : UMX_ERR_BIND_REFUSED;
    const char *why = "Kerberos";
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].code == code) {
            id = reasons[i].id;
            why = reasons[i].why;
        }
    }
    int status = umx_fail_code(err, id, code, what, "%s: %s", why, text);
    krb5_free_error_message(context, text);
    return status;
}

int umx_ticket_read_secret(const char *path, char *secret, size_t size, struct umx_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    }
    size_t length = 0;
    ssize_t n;
    while (length < size - 1 && (n = read(fd, secret + length, size - 1 - length)) > 0) {
        length += (size_t)n;
    }
    close(fd);
    secret[length] = '\0';
    secret[strcspn(secret, "\r\n")] = '\0';
    return *secret ? 0 : umx_fail(err, UMX_ERR_FILE_UNREADABLE, path, "it holds no password");
}

static krb5_error_code initial(struct umx_ticket *ticket, const char *keytab, const char *password,
                               krb5_get_init_creds_opt *options, krb5_creds *creds)
{
    if (password) {
        return krb5_get_init_creds_password(ticket->context, creds, ticket->principal, password, NULL, NULL, 0, NULL,
                                            options);
    }
    krb5_keytab table;
    krb5_error_code code = krb5_kt_resolve(ticket->context, keytab, &table);
    if (!code) {
        code = krb5_get_init_creds_keytab(ticket->context, creds, ticket->principal, table, 0, NULL, options);
        krb5_kt_close(ticket->context, table);
    }
    return code;
}

static int fill(struct umx_ticket *ticket, const char *account, const char *keytab, const char *password,
                struct umx_error *err)
{
    krb5_get_init_creds_opt *options = NULL;
    krb5_creds creds = {0};
    krb5_error_code code = krb5_parse_name(ticket->context, account, &ticket->principal);
    if (!code) {
        code = krb5_cc_new_unique(ticket->context, "MEMORY", NULL, &ticket->cache);
    }
    if (!code) {
        code = krb5_get_init_creds_opt_alloc(ticket->context, &options);
    }
    if (!code) {
        code = initial(ticket, keytab, password, options, &creds);
    }
    if (!code) {
        ticket->ends = creds.times.endtime;
        code = krb5_cc_initialize(ticket->context, ticket->cache, ticket->principal);
    }
    if (!code) {
        code = krb5_cc_store_cred(ticket->context, ticket->cache, &creds);
    }
    if (!code) {
        snprintf(ticket->cache_name, sizeof ticket->cache_name, "MEMORY:%s",
                 krb5_cc_get_name(ticket->context, ticket->cache));
    }
    krb5_get_init_creds_opt_free(ticket->context, options);
    krb5_free_cred_contents(ticket->context, &creds);
    return code ? fail_krb(ticket->context, code, account, err) : 0;
}

int umx_ticket_get(const char *principal, const char *keytab, const char *password_file, struct umx_ticket **ticket,
                   struct umx_error *err)
{
    char password[SECRET_MAX] = "", table[NAME_MAX_KRB];
    bool by_password = password_file && *password_file;
    struct umx_ticket *made = calloc(1, sizeof *made);
    int status = 0;
    *ticket = NULL;
    if (!made) {
        return umx_fail(err, UMX_ERR_MEMORY, principal, NULL);
    }
    krb5_error_code code = krb5_init_context(&made->context);
    if (code) {
        status = umx_fail_code(err, UMX_ERR_BIND_REFUSED, code, principal, "Kerberos cannot read its configuration");
        goto out;
    }
    if (!by_password && (!keytab || snprintf(table, sizeof table, "FILE:%s", keytab) >= (int)sizeof table)) {
        status = umx_fail(err, UMX_ERR_FILE_UNREADABLE, principal, "no keytab is set, or its path is too long");
        goto out;
    }
    if (!by_password && access(keytab, R_OK)) {
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, keytab, "%s", strerror(errno));
        goto out;
    }
    if (by_password) {
        status = umx_ticket_read_secret(password_file, password, sizeof password, err);
    }
    if (!status) {
        status = fill(made, principal, table, by_password ? password : NULL, err);
    }
out:
    explicit_bzero(password, sizeof password);
    if (status) {
        umx_ticket_free(made);
    } else {
        *ticket = made;
    }
    return status;
}

void umx_ticket_free(struct umx_ticket *ticket)
{
    if (!ticket) {
        return;
    }
    if (ticket->cache) {
        krb5_cc_destroy(ticket->context, ticket->cache);
    }
    if (ticket->principal) {
        krb5_free_principal(ticket->context, ticket->principal);
    }
    if (ticket->context) {
        krb5_free_context(ticket->context);
    }
    free(ticket);
}

bool umx_ticket_fresh(const struct umx_ticket *ticket)
{
    return ticket && umx_clock_now() / UMX_SECOND + FRESH_SECONDS < ticket->ends;
}

int umx_ticket_use(const struct umx_ticket *ticket, struct umx_error *err)
{
    OM_uint32 minor;
    OM_uint32 major = gss_krb5_ccache_name(&minor, ticket->cache_name, NULL);
    return GSS_ERROR(major) ? umx_fail(err, UMX_ERR_INTERNAL, "GSSAPI", "the ticket cache cannot be selected") : 0;
}

/* A ticket for name, cached when it comes. */
static krb5_error_code request(struct umx_ticket *ticket, const char *name)
{
    krb5_creds wanted = {0}, *got = NULL;
    krb5_error_code code = krb5_parse_name(ticket->context, name, &wanted.server);
    wanted.client = ticket->principal;
    if (!code) {
        code = krb5_get_credentials(ticket->context, 0, ticket->cache, &wanted, &got);
    }
    if (got) {
        krb5_free_creds(ticket->context, got);
    }
    krb5_free_principal(ticket->context, wanted.server);
    return code;
}

static bool undecided(krb5_error_code code)
{
    return code == KRB5_KDC_UNREACH || code == KRB5_REALM_UNKNOWN || code == KRB5_REALM_CANT_RESOLVE ||
           code == KRB5KRB_AP_ERR_SKEW;
}

enum umx_ticket_trust umx_ticket_over_trust(struct umx_ticket *ticket, const char *host, const char *forest,
                                            char *detail, size_t size)
{
    char realm[256], name[NAME_MAX_KRB];
    const krb5_data *home = krb5_princ_realm(ticket->context, ticket->principal);
    umx_text_copy(realm, sizeof realm, forest);
    for (char *at = realm; *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    snprintf(name, sizeof name, "krbtgt/%s@%.*s", realm, (int)home->length, home->data);
    krb5_error_code code = request(ticket, name);
    if (code) {
        const char *text = krb5_get_error_message(ticket->context, code);
        snprintf(detail, size, "the home KDC of %.*s gives no referral to %s: %s", (int)home->length, home->data, realm,
                 text);
        krb5_free_error_message(ticket->context, text);
        return undecided(code) ? UMX_TRUST_UNKNOWN : UMX_TRUST_NO_REFERRAL;
    }
    snprintf(name, sizeof name, "ldap/%s@%s", host, realm);
    code = request(ticket, name);
    if (code) {
        const char *text = krb5_get_error_message(ticket->context, code);
        snprintf(detail, size, "%s: the referral was given, but the KDC of %s %s: %s", name, realm,
                 undecided(code) ? "does not answer" : "refuses the referral ticket", text);
        krb5_free_error_message(ticket->context, text);
        return undecided(code) ? UMX_TRUST_UNKNOWN : UMX_TRUST_REFUSED;
    }
    snprintf(detail, size, "a ticket for %s was issued over the trust", name);
    return UMX_TRUST_TICKET;
}

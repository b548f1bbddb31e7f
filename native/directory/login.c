#include "directory/login.h"

#include <ctype.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/pac.h"

enum { TOKEN_MAX = 64 * 1024 };

static unsigned char kerberos_bytes[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02};
static gss_OID_desc kerberos = {sizeof kerberos_bytes, kerberos_bytes};

static const struct {
    OM_uint32 major;
    const char *why;
} reasons[] = {
    {GSS_S_DUPLICATE_TOKEN, "the ticket was shown before"},
    {GSS_S_CREDENTIALS_EXPIRED, "the ticket has expired"},
    {GSS_S_CONTEXT_EXPIRED, "the ticket has expired"},
    {GSS_S_DEFECTIVE_TOKEN, "it is no Kerberos token"},
    {GSS_S_BAD_MECH, "it is no Kerberos token"},
    {GSS_S_BAD_SIG, "the signature is over another request"},
};

/* The reason for people, and what the library says of it. */
static int refuse(const Umx__Configure *configure, OM_uint32 major, OM_uint32 minor, struct umx_error *err)
{
    const char *why = "the ticket is not accepted";
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 ignored, more = 0;

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].major == GSS_ROUTINE_ERROR(major) || (reasons[i].major & major) == reasons[i].major)
            why = reasons[i].why;
    if (minor != 0)
        gss_display_status(&ignored, minor, GSS_C_MECH_CODE, &kerberos, &more, &text);
    int status = umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest, "%s%s%.*s", why, text.length > 0 ? ": " : "",
                          (int)text.length, text.length > 0 ? (const char *)text.value : "");
    gss_release_buffer(&ignored, &text);
    return status;
}

/* The keys of our service and nobody else's, and where the tickets seen are kept. */
static int acquire(const Umx__Configure *configure, gss_cred_id_t *credential, struct umx_error *err)
{
    char principal[512], keytab[1024], cache[1024];
    gss_OID_set_desc mechanisms = {1, &kerberos};
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 minor = 0, ignored;

    int used = snprintf(principal, sizeof principal, "%s@", configure->service);
    for (const char *p = configure->forest; *p != '\0' && used >= 0 && (size_t)used + 1 < sizeof principal; p++)
        principal[used++] = (char)toupper((unsigned char)*p);
    principal[used < 0 ? 0 : used] = '\0';
    if (snprintf(keytab, sizeof keytab, "FILE:%s", configure->service_keytab) >= (int)sizeof keytab ||
        snprintf(cache, sizeof cache, "file2:%s", configure->replay_cache != NULL ? configure->replay_cache : "") >=
            (int)sizeof cache)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, configure->forest, "service_keytab or data is too long a path");
    gss_key_value_element_desc elements[] = {{"keytab", keytab}, {"rcache", cache}};
    const gss_key_value_set_desc store = {configure->replay_cache != NULL ? 2 : 1, elements};
    gss_buffer_desc text = {strlen(principal), principal};
    OM_uint32 major = gss_import_name(&minor, &text, GSS_KRB5_NT_PRINCIPAL_NAME, &name);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT, &store, credential,
                                      NULL, NULL);
    gss_release_name(&ignored, &name);
    if (!GSS_ERROR(major))
        return 0;
    gss_buffer_desc said = GSS_C_EMPTY_BUFFER;
    OM_uint32 more = 0;
    gss_display_status(&ignored, minor, GSS_C_MECH_CODE, &kerberos, &more, &said);
    int status = umx_fail_code(err, UMX_ERR_CONFIG_INVALID, minor, principal, "service_keytab: %.*s", (int)said.length,
                               said.length > 0 ? (const char *)said.value : "");
    gss_release_buffer(&ignored, &said);
    return status;
}

/* The realm stands behind the last @ that is not escaped. */
static int read_principal(const Umx__Configure *configure, gss_name_t name, struct umx_login_ticket *out,
                          struct umx_error *err)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, ignored;
    OM_uint32 major = gss_display_name(&minor, name, &text, NULL);
    size_t realm = text.length;

    if (GSS_ERROR(major) || text.length == 0 || text.length >= sizeof out->principal ||
        memchr(text.value, '\0', text.length) != NULL) {
        gss_release_buffer(&ignored, &text);
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest, "the ticket's name is not usable");
    }
    memcpy(out->principal, text.value, text.length);
    out->principal[text.length] = '\0';
    gss_release_buffer(&ignored, &text);
    while (realm > 0 && out->principal[realm - 1] != '@')
        realm--;
    umx_text_copy(out->realm, sizeof out->realm, out->principal + realm);
    if (realm < 2 || out->principal[realm - 2] == '\\' || out->realm[0] == '\0' ||
        strlen(out->principal + realm) >= sizeof out->realm)
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest, "the ticket's name has no realm");
    return 0;
}

/* The SID comes from the ticket, where the forest's KDC signed it: a name may belong to somebody else by now. */
static int read_sid(const Umx__Configure *configure, gss_name_t name, struct umx_login_ticket *out,
                    struct umx_error *err)
{
    static char wanted[] = "urn:mspac:logon-info";
    gss_buffer_desc attribute = {sizeof wanted - 1, wanted}, value = GSS_C_EMPTY_BUFFER, shown = GSS_C_EMPTY_BUFFER;
    int authenticated = 0, complete = 0, more = -1;
    OM_uint32 minor, ignored;
    OM_uint32 major =
        gss_get_name_attribute(&minor, name, &attribute, &authenticated, &complete, &value, &shown, &more);
    int status;

    if (GSS_ERROR(major))
        status = umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest,
                          "the ticket says nothing of the account's SID (the service account must not be set to "
                          "leave the authorization data out)");
    else if (!authenticated)
        status = umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest,
                          "the ticket's authorization data is not signed for this service");
    else
        status = umx_pac_sid(value.value, value.length, out->sid, err);
    gss_release_buffer(&ignored, &value);
    gss_release_buffer(&ignored, &shown);
    return status;
}

static int verify(const Umx__Configure *configure, gss_ctx_id_t context, const Umx__AcceptLogin *asked,
                  struct umx_error *err)
{
    gss_buffer_desc signature = {asked->signature.len, asked->signature.data};
    OM_uint32 major = GSS_S_BAD_SIG, minor = 0, ignored;

    for (size_t i = 0; i < asked->n_statement && major != GSS_S_COMPLETE; i++) {
        gss_buffer_desc statement = {asked->statement[i].len, asked->statement[i].data};
        major = gss_verify_mic(&ignored, context, &statement, &signature, NULL);
    }
    return major == GSS_S_COMPLETE ? 0 : refuse(configure, GSS_S_BAD_SIG, minor, err);
}

int umx_login_accept(const Umx__Configure *configure, const Umx__AcceptLogin *asked, struct umx_login_ticket *out,
                     struct umx_error *err)
{
    gss_buffer_desc token = {asked->token.len, asked->token.data}, answer = GSS_C_EMPTY_BUFFER;
    gss_cred_id_t credential = GSS_C_NO_CREDENTIAL, delegated = GSS_C_NO_CREDENTIAL;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 minor = 0, ignored, flags = 0, seconds = 0;
    gss_OID mechanism = GSS_C_NO_OID;

    *out = (struct umx_login_ticket){0};
    if (configure->service == NULL || configure->service_keytab == NULL)
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest,
                        "the configuration names no service_keytab for this forest");
    if (token.length == 0 || token.length > TOKEN_MAX || asked->signature.len == 0)
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest, "it needs a token and its signature");
    int status = acquire(configure, &credential, err);
    if (status == 0) {
        OM_uint32 major = gss_accept_sec_context(&minor, &context, credential, &token, GSS_C_NO_CHANNEL_BINDINGS, &name,
                                                 &mechanism, &answer, &flags, &seconds, &delegated);
        if (major != GSS_S_COMPLETE)
            status = refuse(configure, major, minor, err);
        else if ((flags & GSS_C_INTEG_FLAG) == 0 || (flags & GSS_C_ANON_FLAG) != 0)
            status = umx_fail(err, UMX_ERR_PROOF_REFUSED, configure->forest, "the token protects no integrity");
    }
    if (status == 0)
        status = verify(configure, context, asked, err);
    if (status == 0)
        status = read_principal(configure, name, out, err);
    if (status == 0)
        status = read_sid(configure, name, out, err);
    out->ends_at = umx_clock_now() + (int64_t)(seconds < UINT32_MAX / 2 ? seconds : 0) * UMX_SECOND;
    gss_release_buffer(&ignored, &answer);
    gss_release_cred(&ignored, &delegated);
    gss_release_name(&ignored, &name);
    gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    gss_release_cred(&ignored, &credential);
    return status;
}

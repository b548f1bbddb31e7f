/* Proofs with the process's own identity (on a server: its machine account): SSPI and wldap32. */
#define SECURITY_WIN32
#include <winsock2.h>

#include <windows.h>

#include <dsgetdc.h>
#include <lm.h>
#include <security.h>
#include <winldap.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/prove_internal.h"

enum { HOST_MAX = 256, WIDE_MAX = 2048, LDAP_SEND_TIMEOUT_OPTION = 0x42 };

struct umx_prove_session {
    LDAP *ld;
    char host[HOST_MAX];
    struct l_timeval timeout;
};

static bool to_wide(const char *text, wchar_t *wide, int size)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, size) > 0;
}

static void to_text(const wchar_t *wide, char *text, int size)
{
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL) <= 0) {
        text[0] = '\0';
    }
}

static bool find_host(const struct umx_prove *prove, char *host, struct umx_error *why)
{
    wchar_t domain[HOST_MAX];
    PDOMAIN_CONTROLLER_INFOW found = NULL;
    if (prove->host_count) {
        umx_text_copy(host, HOST_MAX, prove->hosts[0]);
        return true;
    }
    DWORD code =
        to_wide(prove->target_forest, domain, HOST_MAX)
            ? DsGetDcNameW(NULL, domain, NULL, NULL, DS_DIRECTORY_SERVICE_REQUIRED | DS_RETURN_DNS_NAME, &found)
            : ERROR_INVALID_PARAMETER;
    if (code != ERROR_SUCCESS) {
        umx_fail_code(why, UMX_ERR_FOREST_UNREACHABLE, (long)code, prove->target_forest,
                      "no domain controller is found: Windows error %lu", code);
        return false;
    }
    const wchar_t *name = found->DomainControllerName;
    to_text(name[0] == L'\\' ? name + 2 : name, host, HOST_MAX);
    NetApiBufferFree(found);
    return true;
}

/* The account of this process, DOMAIN\name. */
static void name_identity(Umx__Proof *proof, struct umx_arena *arena)
{
    wchar_t wide[HOST_MAX];
    char text[2 * HOST_MAX];
    ULONG size = HOST_MAX;
    if (GetUserNameExW(NameSamCompatible, wide, &size)) {
        to_text(wide, text, sizeof text);
        proof->identity = umx_arena_string(arena, text);
    }
}

static const struct {
    SECURITY_STATUS code;
    Umx__Proof__Status status;
    const char *why;
} reasons[] = {
    {SEC_E_TARGET_UNKNOWN, UMX__PROOF__STATUS__FAIL,
     "the home KDC gives no referral, or the other KDC knows no such service"},
    {SEC_E_WRONG_PRINCIPAL, UMX__PROOF__STATUS__FAIL, "the other KDC refuses the referral ticket"},
    {SEC_E_LOGON_DENIED, UMX__PROOF__STATUS__FAIL, "the other KDC refuses the referral ticket"},
    {SEC_E_NO_AUTHENTICATING_AUTHORITY, UMX__PROOF__STATUS__UNKNOWN, "no KDC answers"},
    {SEC_E_NO_CREDENTIALS, UMX__PROOF__STATUS__UNKNOWN, "this process has no Kerberos identity"},
    {SEC_E_TIME_SKEW, UMX__PROOF__STATUS__UNKNOWN, "the clocks differ by more than Kerberos allows"},
};

/* A Kerberos ticket for ldap/host: Negotiate alone could hide a broken trust behind NTLM. */
static bool has_ticket(const char *host, Umx__Proof *proof, struct umx_arena *arena)
{
    char spn[HOST_MAX + 8], detail[UMX_PROVE_DETAIL];
    wchar_t target[HOST_MAX + 8], package[] = L"Kerberos";
    CredHandle credentials;
    CtxtHandle context;
    TimeStamp expiry;
    ULONG flags = 0;
    SecBuffer token = {.BufferType = SECBUFFER_TOKEN};
    SecBufferDesc output = {.ulVersion = SECBUFFER_VERSION, .cBuffers = 1, .pBuffers = &token};
    snprintf(spn, sizeof spn, "ldap/%s", host);
    SECURITY_STATUS code =
        AcquireCredentialsHandleW(NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL, &credentials, &expiry);
    bool acquired = code == SEC_E_OK;
    if (acquired && to_wide(spn, target, HOST_MAX + 8)) {
        code = InitializeSecurityContextW(&credentials, NULL, target, ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_CONFIDENTIALITY,
                                          0, SECURITY_NATIVE_DREP, NULL, 0, &context, &output, &flags, &expiry);
    }
    bool issued = acquired && (code == SEC_E_OK || code == SEC_I_CONTINUE_NEEDED);
    if (issued) {
        DeleteSecurityContext(&context);
        FreeContextBuffer(token.pvBuffer);
    } else {
        Umx__Proof__Status status = UMX__PROOF__STATUS__UNKNOWN;
        const char *why = "Kerberos gave no ticket";
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
            if (reasons[i].code == code) {
                status = reasons[i].status;
                why = reasons[i].why;
            }
        }
        snprintf(detail, sizeof detail, "%s: %s (0x%08lx)", spn, why, (unsigned long)code);
        umx_prove_conclude(proof, status, detail, arena);
    }
    if (acquired) {
        FreeCredentialsHandle(&credentials);
    }
    return issued;
}

static int fail_ldap(struct umx_error *err, ULONG code, const char *what)
{
    enum umx_error_id id = code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR || code == LDAP_UNAVAILABLE
                               ? UMX_ERR_FOREST_UNREACHABLE
                           : code == LDAP_TIMEOUT             ? UMX_ERR_DIRECTORY_TIMEOUT
                           : code == LDAP_NO_SUCH_OBJECT      ? UMX_ERR_OBJECT_NOT_FOUND
                           : code == LDAP_INSUFFICIENT_RIGHTS ? UMX_ERR_ACCESS_DENIED
                           : code == LDAP_INVALID_CREDENTIALS ? UMX_ERR_BIND_REFUSED
                                                              : UMX_ERR_DIRECTORY_ERROR;
    char text[256];
    to_text(ldap_err2stringW(code), text, sizeof text);
    return umx_fail_code(err, id, (long)code, what, "LDAP %lu, %s", code, text);
}

static int connect_and_bind(struct umx_prove_session *session, struct umx_error *err)
{
    wchar_t host[HOST_MAX];
    ULONG version = LDAP_VERSION3, seconds = (ULONG)session->timeout.tv_sec;
    session->ld = to_wide(session->host, host, HOST_MAX) ? ldap_initW(host, LDAP_PORT) : NULL;
    if (!session->ld) {
        return umx_fail(err, UMX_ERR_MEMORY, session->host, NULL);
    }
    ldap_set_option(session->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(session->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(session->ld, LDAP_OPT_AREC_EXCLUSIVE, LDAP_OPT_ON);
    ldap_set_option(session->ld, LDAP_OPT_SIGN, LDAP_OPT_ON);
    ldap_set_option(session->ld, LDAP_OPT_ENCRYPT, LDAP_OPT_ON);
    ldap_set_option(session->ld, LDAP_SEND_TIMEOUT_OPTION, &seconds);
    ULONG code = ldap_connect(session->ld, &session->timeout);
    if (code == LDAP_SUCCESS) {
        code = ldap_bind_sW(session->ld, NULL, NULL, LDAP_AUTH_NEGOTIATE);
    }
    return code == LDAP_SUCCESS ? 0 : fail_ldap(err, code, session->host);
}

struct umx_prove_session *umx_prove_session_open(const struct umx_prove *prove, Umx__Proof *proof,
                                                 struct umx_arena *arena)
{
    struct umx_error why = {0};
    struct umx_prove_session *session = calloc(1, sizeof *session);
    name_identity(proof, arena);
    if (!session) {
        umx_fail(&why, UMX_ERR_MEMORY, prove->target_forest, NULL);
    }
    if (!session || !find_host(prove, session->host, &why)) {
        umx_prove_conclude_error(proof, &why, arena);
        free(session);
        return NULL;
    }
    session->timeout.tv_sec = (LONG)(prove->timeout / UMX_SECOND) + 1;
    if (!proof->target || !*proof->target) {
        proof->target = umx_arena_string(arena, session->host);
    }
    bool bound = has_ticket(session->host, proof, arena);
    if (bound && connect_and_bind(session, &why)) {
        umx_prove_conclude_error(proof, &why, arena);
        bound = false;
    }
    if (!bound) {
        umx_prove_session_close(session);
        return NULL;
    }
    return session;
}

void umx_prove_session_close(struct umx_prove_session *session)
{
    if (session->ld) {
        ldap_unbind(session->ld);
    }
    free(session);
}

const char *umx_prove_session_host(const struct umx_prove_session *session)
{
    return session->host;
}

/* One search without pages: a domain controller's limit of 1000 entries is far above what a container of UM holds. */
static int search(struct umx_prove_session *session, const char *base, ULONG scope, const char *filter,
                  wchar_t *attribute, LDAPMessage **result, struct umx_error *err)
{
    wchar_t wide_base[WIDE_MAX], wide_filter[WIDE_MAX];
    wchar_t *attributes[] = {attribute, NULL};
    *result = NULL;
    if (!to_wide(base, wide_base, WIDE_MAX) || !to_wide(filter, wide_filter, WIDE_MAX)) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, base, "it is too long, or not UTF-8");
    }
    ULONG code = ldap_search_ext_sW(session->ld, wide_base, scope, wide_filter, attributes, 0, NULL, NULL,
                                    &session->timeout, 0, result);
    return code == LDAP_SUCCESS || code == LDAP_SIZELIMIT_EXCEEDED ? 0 : fail_ldap(err, code, base);
}

int umx_prove_session_count(struct umx_prove_session *session, const char *base_dn, const char *class, int32_t *count,
                            struct umx_error *err)
{
    char filter[256] = "(objectClass=*)";
    wchar_t nothing[] = L"1.1";
    LDAPMessage *result;
    if (class && snprintf(filter, sizeof filter, "(objectClass=%s)", class) >= (int)sizeof filter) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, class, "no class has so long a name");
    }
    int status = search(session, base_dn, LDAP_SCOPE_ONELEVEL, filter, nothing, &result, err);
    *count = status ? 0 : (int32_t)ldap_count_entries(session->ld, result);
    if (result) {
        ldap_msgfree(result);
    }
    return status;
}

int umx_prove_session_account(struct umx_prove_session *session, const char *sid, char *name, size_t size,
                              struct umx_error *err)
{
    char base[256], text[HOST_MAX] = "";
    wchar_t attribute[] = L"sAMAccountName";
    LDAPMessage *result;
    snprintf(base, sizeof base, "<SID=%s>", sid);
    int status = search(session, base, LDAP_SCOPE_BASE, "(objectClass=*)", attribute, &result, err);
    LDAPMessage *entry = status ? NULL : ldap_first_entry(session->ld, result);
    wchar_t **values = entry ? ldap_get_valuesW(session->ld, entry, attribute) : NULL;
    if (values && values[0]) {
        to_text(values[0], text, sizeof text);
    }
    umx_text_copy(name, size, *text ? text : sid);
    if (values) {
        ldap_value_freeW(values);
    }
    if (!status && !entry) {
        status = umx_fail(err, UMX_ERR_OBJECT_NOT_FOUND, sid, NULL);
    }
    if (result) {
        ldap_msgfree(result);
    }
    return status;
}

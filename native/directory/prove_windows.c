/* Proofs on Windows, with the process's own identity (a service's machine account) and Windows' own LDAP client: the
 * ticket over the trust is what a sealed Negotiate bind to the other forest's domain controller needs. */
#include <string.h>
#include <windows.h>

#include <dsgetdc.h>
#include <lm.h>
#include <sddl.h>
#include <winldap.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "directory/prove.h"

enum { HOST_MAX = 256, DN_MAX = 1024, PAGE = 500 };

static int wide(const char *text, wchar_t *out, size_t size)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, out, (int)size) > 0 ? 0 : -1;
}

static char *narrow(const wchar_t *text, struct umx_arena *arena)
{
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *out = length > 0 ? umx_arena_alloc(arena, (size_t)length) : NULL;

    if (out != NULL)
        WideCharToMultiByte(CP_UTF8, 0, text, -1, out, length, NULL, NULL);
    return out;
}

static void conclude(Umx__Proof *proof, Umx__Proof__Status status, char *detail)
{
    proof->status = status;
    proof->detail = detail;
}

static Umx__Proof *new_proof(const struct umx_prove *prove, Umx__Proof__Kind kind, const char *target,
                             struct umx_arena *arena, struct umx_error *err)
{
    Umx__Proof *proof = umx_reflect_new(&umx__proof__descriptor, arena);
    wchar_t name[HOST_MAX];
    DWORD size = HOST_MAX;

    if (proof == NULL) {
        umx_fail(err, UMX_ERR_ARENA_FULL, prove->target_forest, NULL);
        return NULL;
    }
    proof->server = umx_arena_string(arena, prove->server);
    proof->forest = umx_arena_string(arena, prove->forest);
    proof->target_forest = umx_arena_string(arena, prove->target_forest);
    proof->target = umx_arena_string(arena, target);
    if (GetUserNameW(name, &size))
        proof->identity = narrow(name, arena);
    proof->has_kind = proof->has_status = 1;
    proof->kind = kind;
    proof->status = UMX__PROOF__STATUS__UNKNOWN;
    return proof;
}

static void finish(Umx__Proof *proof, int64_t began)
{
    proof->has_duration = 1;
    proof->duration = umx_clock_monotonic() - began;
}

/* The domain controller given, or one that Windows finds. */
static int find_host(const struct umx_prove *prove, wchar_t host[HOST_MAX])
{
    wchar_t forest[HOST_MAX];
    DOMAIN_CONTROLLER_INFOW *info = NULL;

    if (prove->host_count > 0)
        return wide(prove->hosts[0], host, HOST_MAX);
    if (wide(prove->target_forest, forest, HOST_MAX) != 0 ||
        DsGetDcNameW(NULL, forest, NULL, NULL, DS_DIRECTORY_SERVICE_REQUIRED | DS_RETURN_DNS_NAME, &info) !=
            ERROR_SUCCESS)
        return -1;
    const wchar_t *name = info->DomainControllerName; /* \\name */
    while (*name == L'\\')
        name++;
    int status = wcslen(name) < HOST_MAX ? 0 : -1;
    if (status == 0)
        wcscpy_s(host, HOST_MAX, name);
    NetApiBufferFree(info);
    return status;
}

/* A refusal is an answer; silence is none. */
static Umx__Proof__Status status_of(ULONG rc)
{
    switch (rc) {
    case LDAP_TIMEOUT:
    case LDAP_SERVER_DOWN:
    case LDAP_CONNECT_ERROR:
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_NO_MEMORY:
        return UMX__PROOF__STATUS__UNKNOWN;
    default:
        return UMX__PROOF__STATUS__FAIL;
    }
}

static void conclude_ldap(Umx__Proof *proof, const char *what, ULONG rc, struct umx_arena *arena)
{
    conclude(proof, status_of(rc), umx_arena_format(arena, "%s: LDAP %lu", what, rc));
}

/* Bound and sealed, or NULL and the proof concluded. */
static LDAP *reach(const struct umx_prove *prove, Umx__Proof *proof, wchar_t host[HOST_MAX], struct umx_arena *arena)
{
    ULONG version = LDAP_VERSION3;
    struct l_timeval timeout = {.tv_sec = (LONG)(prove->timeout / UMX_SECOND)};

    if (find_host(prove, host) != 0) {
        conclude(proof, UMX__PROOF__STATUS__UNKNOWN, umx_arena_format(arena, "no domain controller was found"));
        return NULL;
    }
    if (proof->target == NULL || proof->target[0] == '\0')
        proof->target = narrow(host, arena);
    LDAP *ldap = ldap_initW(host, LDAP_PORT);
    if (ldap == NULL) {
        conclude(proof, UMX__PROOF__STATUS__UNKNOWN, umx_arena_format(arena, "out of memory"));
        return NULL;
    }
    ldap_set_optionW(ldap, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_optionW(ldap, LDAP_OPT_ENCRYPT, LDAP_OPT_ON);
    ldap_set_optionW(ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ULONG rc = ldap_connect(ldap, &timeout);
    if (rc == LDAP_SUCCESS)
        rc = ldap_bind_sW(ldap, NULL, NULL, LDAP_AUTH_NEGOTIATE);
    if (rc == LDAP_SUCCESS)
        return ldap;
    conclude_ldap(proof, "no bind with the machine account", rc, arena);
    ldap_unbind(ldap);
    return NULL;
}

int umx_prove_trust(const struct umx_prove *prove, struct umx_arena *arena, Umx__Proof **out, struct umx_error *err)
{
    wchar_t host[HOST_MAX];
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__TRUST, "", arena, err);

    if (proof == NULL)
        return UMX_E_LIMIT;
    LDAP *ldap = reach(prove, proof, host, arena);
    if (ldap != NULL) {
        const char *name = narrow(host, arena);
        conclude(proof, UMX__PROOF__STATUS__PASS,
                 umx_arena_format(arena, "%s accepted a sealed bind", name != NULL ? name : ""));
        ldap_unbind(ldap);
    }
    finish(proof, began);
    return 0;
}

/* Objects one level below base, page by page. */
static ULONG count_below(LDAP *ldap, wchar_t *base, wchar_t *filter, int64_t timeout, int32_t *count)
{
    wchar_t none[] = L"1.1";
    wchar_t *attributes[] = {none, NULL};
    struct l_timeval limit = {.tv_sec = (LONG)(timeout / UMX_SECOND)};
    struct berval *cookie = NULL;
    ULONG rc;

    *count = 0;
    do {
        LDAPControlW *page = NULL;
        LDAPControlW **back = NULL;
        LDAPMessage *message = NULL;
        ULONG total = 0;
        ULONG answer = 0;
        rc = ldap_create_page_controlW(ldap, PAGE, cookie, FALSE, &page);
        if (cookie != NULL)
            ber_bvfree(cookie);
        cookie = NULL;
        if (rc != LDAP_SUCCESS)
            break;
        LDAPControlW *controls[] = {page, NULL};
        rc = ldap_search_ext_sW(ldap, base, LDAP_SCOPE_ONELEVEL, filter, attributes, TRUE, controls, NULL, &limit, 0,
                                &message);
        ldap_control_freeW(page);
        if (rc == LDAP_SUCCESS) {
            *count += (int32_t)ldap_count_entries(ldap, message);
            rc = ldap_parse_resultW(ldap, message, &answer, NULL, NULL, NULL, &back, FALSE);
            if (rc == LDAP_SUCCESS && back != NULL)
                ldap_parse_page_controlW(ldap, back, &total, &cookie);
            if (back != NULL)
                ldap_controls_freeW(back);
        }
        if (message != NULL)
            ldap_msgfree(message);
    } while (rc == LDAP_SUCCESS && cookie != NULL && cookie->bv_len > 0);
    if (cookie != NULL)
        ber_bvfree(cookie);
    return rc;
}

int umx_prove_directory(const struct umx_prove *prove, const char *base_dn, const char *class, struct umx_arena *arena,
                        Umx__Proof **out, struct umx_error *err)
{
    wchar_t host[HOST_MAX];
    wchar_t base[DN_MAX];
    wchar_t filter[HOST_MAX];
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__DIRECTORY, base_dn, arena, err);
    const char *text = umx_arena_format(arena, "(objectClass=%s)", class != NULL ? class : "*");

    if (proof == NULL || text == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, base_dn, NULL);
    if (wide(base_dn, base, DN_MAX) != 0 || wide(text, filter, HOST_MAX) != 0) {
        conclude(proof, UMX__PROOF__STATUS__UNKNOWN, umx_arena_format(arena, "the container's name is too long"));
        return 0;
    }
    LDAP *ldap = reach(prove, proof, host, arena);
    if (ldap != NULL) {
        int32_t count = 0;
        ULONG rc = count_below(ldap, base, filter, prove->timeout, &count);
        if (rc != LDAP_SUCCESS) {
            conclude_ldap(proof, "the container cannot be read", rc, arena);
        } else {
            proof->has_objects = 1;
            proof->objects = count;
            conclude(proof, count > 0 ? UMX__PROOF__STATUS__PASS : UMX__PROOF__STATUS__FAIL,
                     umx_arena_format(arena, "%d objects seen", (int)count));
        }
        ldap_unbind(ldap);
    }
    finish(proof, began);
    return 0;
}

/* Windows looks the SID up over the trust itself. */
int umx_prove_sid(const struct umx_prove *prove, const char *sid, struct umx_arena *arena, Umx__Proof **out,
                  struct umx_error *err)
{
    wchar_t text[256];
    wchar_t name[HOST_MAX];
    wchar_t domain[HOST_MAX];
    DWORD name_size = HOST_MAX;
    DWORD domain_size = HOST_MAX;
    SID_NAME_USE use;
    PSID binary = NULL;
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__SID, sid, arena, err);

    if (proof == NULL)
        return UMX_E_LIMIT;
    if (wide(sid, text, 256) != 0 || !ConvertStringSidToSidW(text, &binary)) {
        conclude(proof, UMX__PROOF__STATUS__UNKNOWN, umx_arena_format(arena, "not a SID"));
    } else if (LookupAccountSidW(NULL, binary, name, &name_size, domain, &domain_size, &use)) {
        const char *a = narrow(domain, arena);
        const char *b = narrow(name, arena);
        conclude(proof, UMX__PROOF__STATUS__PASS,
                 umx_arena_format(arena, "%s\\%s", a != NULL ? a : "", b != NULL ? b : ""));
    } else {
        DWORD code = GetLastError();
        conclude(proof, code == ERROR_NONE_MAPPED ? UMX__PROOF__STATUS__FAIL : UMX__PROOF__STATUS__UNKNOWN,
                 umx_arena_format(arena, "the SID does not resolve: Windows error %lu", code));
    }
    if (binary != NULL)
        LocalFree(binary);
    finish(proof, began);
    return 0;
}

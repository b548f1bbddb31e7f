/* The same by SSPI: the package Kerberos writes the tokens and signatures of RFC 4121, as GSS-API does. */
#define SECURITY_WIN32
#include <windows.h>

#include <security.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/ticket.h"

static int fail(const char *what, SECURITY_STATUS code, struct umx_error *err)
{
    return umx_fail_code(err, UMX_ERR_TICKET, code, what, "SSPI answers 0x%08lx%s", (unsigned long)code,
                         code == SEC_E_TARGET_UNKNOWN                ? ": the domain knows no such service principal"
                         : code == SEC_E_NO_CREDENTIALS              ? ": nobody of a domain is logged on"
                         : code == SEC_E_NO_AUTHENTICATING_AUTHORITY ? ": no domain controller answers"
                                                                     : "");
}

static int sign(CtxtHandle *context, const void *statement, size_t length, struct umx_client_ticket *out,
                struct umx_error *err)
{
    SecPkgContext_Sizes sizes = {0};
    SECURITY_STATUS code = QueryContextAttributesA(context, SECPKG_ATTR_SIZES, &sizes);
    void *copy = malloc(length + 1);

    out->signature = code == SEC_E_OK ? malloc(sizes.cbMaxSignature) : NULL;
    if (code != SEC_E_OK || copy == NULL || out->signature == NULL) {
        free(copy);
        return code != SEC_E_OK ? fail("signature", code, err) : umx_fail(err, UMX_ERR_MEMORY, "a ticket", NULL);
    }
    memcpy(copy, statement, length);
    SecBuffer buffers[] = {{(unsigned long)length, SECBUFFER_DATA, copy},
                           {sizes.cbMaxSignature, SECBUFFER_TOKEN, out->signature}};
    SecBufferDesc message = {SECBUFFER_VERSION, 2, buffers};
    code = MakeSignature(context, 0, &message, 0);
    out->signature_length = buffers[1].cbBuffer;
    free(copy);
    return code == SEC_E_OK ? 0 : fail("signature", code, err);
}

int umx_client_ticket_get(const char *principal, const void *statement, size_t length, struct umx_client_ticket *out,
                          struct umx_error *err)
{
    char package[] = "Kerberos", target[512];
    CredHandle credential;
    CtxtHandle context;
    TimeStamp expiry;
    unsigned long flags = 0;
    SecBuffer buffer = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc token = {SECBUFFER_VERSION, 1, &buffer};

    *out = (struct umx_client_ticket){0};
    umx_text_copy(target, sizeof target, principal);
    SECURITY_STATUS code =
        AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL, &credential, &expiry);
    if (code != SEC_E_OK)
        return fail(principal, code, err);
    code = InitializeSecurityContextA(&credential, NULL, target, ISC_REQ_INTEGRITY | ISC_REQ_ALLOCATE_MEMORY, 0,
                                      SECURITY_NATIVE_DREP, NULL, 0, &context, &token, &flags, &expiry);
    int status = code == SEC_E_OK ? 0 : fail(principal, code, err);
    if (status == 0) {
        out->token = malloc(buffer.cbBuffer);
        if (out->token != NULL) {
            memcpy(out->token, buffer.pvBuffer, buffer.cbBuffer);
            out->token_length = buffer.cbBuffer;
            status = sign(&context, statement, length, out, err);
        } else {
            status = umx_fail(err, UMX_ERR_MEMORY, principal, NULL);
        }
        DeleteSecurityContext(&context);
    }
    if (buffer.pvBuffer != NULL)
        FreeContextBuffer(buffer.pvBuffer);
    FreeCredentialsHandle(&credential);
    if (status != 0)
        umx_client_ticket_free(out);
    return status;
}

int umx_client_ticket_realm(char *out, size_t size, struct umx_error *err)
{
    char name[512];
    ULONG length = sizeof name;

    /* dns.domain.name\user */
    if (!GetUserNameExA(NameDnsDomain, name, &length))
        return umx_fail_code(err, UMX_ERR_TICKET, (long)GetLastError(), "logon", "nobody of a domain is logged on");
    char *end = strchr(name, '\\');
    if (end == NULL || end == name)
        return umx_fail(err, UMX_ERR_TICKET, "logon", "nobody of a domain is logged on");
    *end = '\0';
    for (char *p = name; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    umx_text_copy(out, size, name);
    return 0;
}

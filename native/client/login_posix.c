#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#include <stdlib.h>
#include <string.h>

#include "client/ticket.h"

static unsigned char kerberos_bytes[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02};
static gss_OID_desc kerberos = {sizeof kerberos_bytes, kerberos_bytes};

static int fail(const char *what, OM_uint32 minor, struct umx_error *err)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 ignored, more = 0;

    gss_display_status(&ignored, minor, GSS_C_MECH_CODE, &kerberos, &more, &text);
    int status = umx_fail_code(err, UMX_ERR_TICKET, minor, what, "%.*s", (int)text.length,
                               text.length > 0 ? (const char *)text.value : "");
    gss_release_buffer(&ignored, &text);
    return status;
}

/* Copies and releases. */
static int keep(gss_buffer_t buffer, uint8_t **out, size_t *length, struct umx_error *err)
{
    OM_uint32 ignored;

    *out = buffer->length > 0 ? malloc(buffer->length) : NULL;
    if (*out != NULL) {
        memcpy(*out, buffer->value, buffer->length);
        *length = buffer->length;
    }
    gss_release_buffer(&ignored, buffer);
    return *out != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, "a ticket", NULL);
}

int umx_client_ticket_get(const char *principal, const void *statement, size_t length, struct umx_client_ticket *out,
                          struct umx_error *err)
{
    union {
        const void *given;
        void *read; /* only read */
    } message = {.given = statement};
    gss_buffer_desc text = {strlen(principal), NULL}, bytes = {length, message.read};
    gss_buffer_desc token = GSS_C_EMPTY_BUFFER, signature = GSS_C_EMPTY_BUFFER;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 minor = 0, ignored, flags = 0;
    int status = 0;

    *out = (struct umx_client_ticket){0};
    text.value = strdup(principal);
    if (text.value == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, principal, NULL);
    OM_uint32 major = gss_import_name(&minor, &text, GSS_KRB5_NT_PRINCIPAL_NAME, &name);
    /* One message, no answer: TLS has already said who the controller is. */
    if (!GSS_ERROR(major))
        major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &context, name, &kerberos, GSS_C_INTEG_FLAG, 0,
                                     GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &token, &flags, NULL);
    if (major == GSS_S_COMPLETE)
        major = gss_get_mic(&minor, context, GSS_C_QOP_DEFAULT, &bytes, &signature);
    if (major != GSS_S_COMPLETE)
        status = fail(principal, minor, err);
    if (status == 0)
        status = keep(&token, &out->token, &out->token_length, err);
    if (status == 0)
        status = keep(&signature, &out->signature, &out->signature_length, err);
    gss_release_buffer(&ignored, &token);
    gss_release_buffer(&ignored, &signature);
    gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    gss_release_name(&ignored, &name);
    free(text.value);
    if (status != 0)
        umx_client_ticket_free(out);
    return status;
}

int umx_client_ticket_realm(char *out, size_t size, struct umx_error *err)
{
    gss_OID_set_desc mechanisms = {1, &kerberos};
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 minor = 0, ignored;
    int status = 0;
    OM_uint32 major =
        gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_INITIATE, &credential, NULL, NULL);

    if (!GSS_ERROR(major))
        major = gss_inquire_cred(&minor, credential, &name, NULL, NULL, NULL);
    if (!GSS_ERROR(major))
        major = gss_display_name(&minor, name, &text, NULL);
    if (GSS_ERROR(major)) {
        status = fail("ticket cache", minor, err);
    } else {
        const char *whole = text.value;
        size_t at = text.length, n = 0;
        while (at > 0 && whole[at - 1] != '@')
            at--;
        for (; at > 0 && at < text.length && n + 1 < size; at++)
            out[n++] = (char)(whole[at] >= 'A' && whole[at] <= 'Z' ? whole[at] - 'A' + 'a' : whole[at]);
        out[n] = '\0';
        if (n == 0)
            status = umx_fail(err, UMX_ERR_TICKET, "ticket cache", "its name has no realm");
    }
    gss_release_buffer(&ignored, &text);
    gss_release_name(&ignored, &name);
    gss_release_cred(&ignored, &credential);
    return status;
}

/* LocalMachine\My, Root and CA. Private keys are noticed by the property that links to them, never opened. */
#include <windows.h>

#include <wincrypt.h>

#include "agent/host/windows_host.h"

static const struct store {
    const wchar_t *name;
    enum umx_host_store store;
    const char *label;
} stores[] = {
    {L"MY", UMX_HOST_STORE_MY, "LocalMachine\\My"},
    {L"ROOT", UMX_HOST_STORE_ROOT, "LocalMachine\\Root"},
    {L"CA", UMX_HOST_STORE_CA, "LocalMachine\\CA"},
};

static int read_store(const struct store *from, struct umx_arena *arena, struct umx_host_certificate *list,
                      size_t *count, struct umx_error *err)
{
    const CERT_CONTEXT *context = NULL;
    int status = 0;
    HCERTSTORE store = CertOpenStore(
        CERT_STORE_PROV_SYSTEM_W, 0, 0,
        CERT_SYSTEM_STORE_LOCAL_MACHINE | CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG, from->name);

    if (store == NULL)
        return GetLastError() == ERROR_FILE_NOT_FOUND
                   ? 0
                   : umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, from->label, GetLastError());
    while (status == 0 && (context = CertEnumCertificatesInStore(store, context)) != NULL) {
        DWORD size = 0;
        if (*count == UMX_HOST_CERTIFICATES_MAX) {
            status = umx_fail(err, UMX_ERR_HOST_UNREADABLE, from->label, "more than %d certificates",
                              UMX_HOST_CERTIFICATES_MAX);
            break;
        }
        struct umx_host_certificate *entry = &list[(*count)++];
        *entry = (struct umx_host_certificate){.store = from->store, .label = from->label};
        if (context->cbCertEncoded > UMX_HOST_CERTIFICATE_MAX)
            entry->error = "it is too large";
        else if ((entry->der =
                      (const uint8_t *)umx_arena_copy(arena, context->pbCertEncoded, context->cbCertEncoded)) == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, from->label, NULL);
        entry->length = context->cbCertEncoded;
        entry->has_key = from->store == UMX_HOST_STORE_MY &&
                         CertGetCertificateContextProperty(context, CERT_KEY_PROV_INFO_PROP_ID, NULL, &size);
    }
    if (context != NULL)
        CertFreeCertificateContext(context);
    CertCloseStore(store, 0);
    return status;
}

int umx_windows_certificates(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                             size_t *count, struct umx_error *err)
{
    int status = 0;

    (void)host;
    *list = umx_arena_alloc(arena, UMX_HOST_CERTIFICATES_MAX * sizeof **list);
    if (*list == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "certificates", NULL);
    for (size_t i = 0; status == 0 && i < sizeof stores / sizeof *stores; i++)
        status = read_store(&stores[i], arena, *list, count, err);
    return status;
}

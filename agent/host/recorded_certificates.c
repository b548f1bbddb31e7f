/* The folder certificates of a recorded host: its files are LocalMachine\My, those in root the trusted roots, in ca
 * intermediates. In a file of My the first certificate is the entry; further ones count as intermediates, as an import
 * would file them. A private key block only says that the key is there: it is neither parsed nor kept. The one
 * exception is own.pem, what the recorded server shows its peers: a TLS probe shows it too. */
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <string.h>

#include "agent/host/recorded.h"

struct entries {
    struct umx_arena *arena;
    struct umx_host_certificate *list;
    size_t count;
};

static struct umx_host_certificate *add(struct entries *entries, enum umx_host_store store, const char *label)
{
    if (entries->count == UMX_HOST_CERTIFICATES_MAX)
        return NULL;
    struct umx_host_certificate *entry = &entries->list[entries->count++];
    *entry = (struct umx_host_certificate){.store = store, .label = label};
    return entry;
}

/* All blocks of one file. */
static int blocks(struct entries *entries, enum umx_host_store store, const char *label, const char *text,
                  size_t length, struct umx_error *err)
{
    struct umx_host_certificate *first = NULL;
    bool key = false;
    int status = 0;
    BIO *in = BIO_new_mem_buf(text, (int)length);

    if (in == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, label, NULL);
    for (;;) {
        char *name = NULL;
        char *header = NULL;
        unsigned char *data = NULL;
        long size = 0;
        if (PEM_read_bio(in, &name, &header, &data, &size) != 1)
            break;
        if (strstr(name, "PRIVATE KEY") != NULL) {
            key = true;
        } else if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_TRUSTED) == 0) {
            bool leaf = first == NULL || store != UMX_HOST_STORE_MY;
            struct umx_host_certificate *entry = add(entries, leaf ? store : UMX_HOST_STORE_CA, label);
            if (entry == NULL)
                status = umx_fail(err, UMX_ERR_HOST_UNREADABLE, label, "more than %d certificates",
                                  UMX_HOST_CERTIFICATES_MAX);
            else if ((entry->der = (const uint8_t *)umx_arena_copy(entries->arena, data, (size_t)size)) == NULL)
                status = umx_fail(err, UMX_ERR_ARENA_FULL, label, NULL);
            else
                entry->length = (size_t)size;
            if (first == NULL)
                first = entry;
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)size);
        if (status != 0)
            break;
    }
    BIO_free(in);
    if (status == 0 && first == NULL) {
        if ((first = add(entries, store, label)) != NULL)
            first->error = "the file holds no certificate in PEM";
    } else if (status == 0) {
        first->has_key = key && store == UMX_HOST_STORE_MY;
    }
    return status;
}

static int directory(struct entries *entries, const struct umx_recorded *recorded, const char *name,
                     enum umx_host_store store, struct umx_error *err)
{
    char path[UMX_AGENT_PATH_MAX];
    char file[UMX_AGENT_PATH_MAX];
    char **names = NULL;
    size_t count = 0;
    int status = umx_recorded_path(recorded, name, path, err);

    if (status == 0)
        status = umx_agent_file_list(path, ".pem", UMX_HOST_CERTIFICATES_MAX, entries->arena, &names, &count, err);
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct umx_error why = {0};
        char *text = NULL;
        size_t length = 0;
        int n = snprintf(file, sizeof file, "%s/%s", path, names[i]);
        if (n < 0 || (size_t)n >= sizeof file)
            return umx_fail(err, UMX_ERR_HOST_UNREADABLE, names[i], "the path is too long");
        struct umx_arena *scratch = umx_arena_new(UMX_HOST_CERTIFICATE_MAX + 4096);
        if (scratch == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, file, NULL);
        if (umx_agent_file_read(file, UMX_HOST_CERTIFICATE_MAX, scratch, &text, &length, &why) == 0) {
            status = blocks(entries, store, names[i], text, length, err);
            OPENSSL_cleanse(text, length); /* it may hold a key */
        } else {
            struct umx_host_certificate *entry = add(entries, store, names[i]);
            if (entry != NULL && (entry->error = umx_arena_string(entries->arena, why.why)) == NULL)
                status = umx_fail(err, UMX_ERR_ARENA_FULL, file, NULL);
        }
        umx_arena_free(scratch);
    }
    return status;
}

int umx_recorded_certificates(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                              size_t *count, struct umx_error *err)
{
    const struct umx_recorded *recorded = (const struct umx_recorded *)host;
    struct entries entries = {.arena = arena};
    int status;

    entries.list = umx_arena_alloc(arena, UMX_HOST_CERTIFICATES_MAX * sizeof *entries.list);
    if (entries.list == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "certificates", NULL);
    status = directory(&entries, recorded, "certificates", UMX_HOST_STORE_MY, err);
    if (status == 0)
        status = directory(&entries, recorded, "certificates/root", UMX_HOST_STORE_ROOT, err);
    if (status == 0)
        status = directory(&entries, recorded, "certificates/ca", UMX_HOST_STORE_CA, err);
    *list = entries.list;
    *count = entries.count;
    return status;
}

int umx_recorded_tls_identity(struct umx_host *host, struct umx_arena *arena, char **pem, size_t *length,
                              struct umx_error *err)
{
    const struct umx_recorded *recorded = (const struct umx_recorded *)host;
    char path[UMX_AGENT_PATH_MAX];
    int status = umx_recorded_path(recorded, "shown.pem", path, err);

    if (status == 0)
        status = umx_agent_file_read(path, UMX_HOST_CERTIFICATE_MAX, arena, pem, length, err);
    if (status == UMX_E_NOT_FOUND && (status = umx_recorded_path(recorded, "certificates/own.pem", path, err)) == 0)
        status = umx_agent_file_read(path, UMX_HOST_CERTIFICATE_MAX, arena, pem, length, err);
    return status;
}

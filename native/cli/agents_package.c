/* `umx agents package`: the agent's package that the controller holds, as a file. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/open.h"
#include "base/release.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/value.h"

struct package {
    const char *path;
    struct umx_text beside; /* that it has until it is whole */
    FILE *file;
    EVP_MD_CTX *context;
    int64_t size;
};

static int damaged(const struct package *package, const char *why, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_PACKAGE_DAMAGED, package->path, "%s", why);
}

static int unwritable(const struct package *package, struct umx_error *err)
{
    return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, package->path, "%s", strerror(errno));
}

static int add_part(void *user, const char *type, const json_t *item, struct umx_error *err)
{
    struct package *package = user;
    const char *hex = umx_value_string(item, "data");
    size_t length = hex != NULL ? strlen(hex) / 2 : 0;
    uint8_t *bytes = NULL;
    int status = 0;

    if (strcmp(type, "parts") != 0 || length == 0 || umx_value_integer(item, "offset") != package->size)
        return damaged(package, "a part of the answer does not follow the one before it", err);
    if (package->size + (int64_t)length > UMX_RELEASE_PACKAGE_MAX)
        return damaged(package, "it is larger than a package may be", err);
    if ((bytes = malloc(length)) == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, package->path, NULL);
    if (umx_text_from_hex(hex, bytes, length) < 0)
        status = damaged(package, "a part of the answer is not hexadecimal", err);
    else if (fwrite(bytes, 1, length, package->file) != length)
        status = unwritable(package, err);
    else if (EVP_DigestUpdate(package->context, bytes, length) != 1)
        status = umx_fail(err, UMX_ERR_INTERNAL, "SHA-256", NULL);
    package->size += (int64_t)length;
    free(bytes);
    return status;
}

static int check(const struct package *package, const struct umx_document *document, struct umx_error *err)
{
    const char *said = umx_value_string(document->root, "sha256");
    uint8_t digest[UMX_RELEASE_DIGEST];
    struct umx_text hex = {0};
    int status = 0;

    if (EVP_DigestFinal_ex(package->context, digest, NULL) != 1)
        return umx_fail(err, UMX_ERR_INTERNAL, "SHA-256", NULL);
    umx_text_add_hex(&hex, digest, sizeof digest);
    if (hex.failed)
        status = umx_fail(err, UMX_ERR_MEMORY, package->path, NULL);
    else if (umx_value_integer(document->root, "size") != package->size || said == NULL ||
             strcmp(said, umx_text_string(&hex)) != 0)
        status = umx_fail(err, UMX_ERR_PACKAGE_DAMAGED, package->path, "%lld bytes with the SHA-256 %s came",
                          (long long)package->size, umx_text_string(&hex));
    umx_text_free(&hex);
    return status;
}

/* It has its name, whole, or nothing is there. */
static int finish(struct package *package, int status, struct umx_error *err)
{
    FILE *file = package->file;

    if (file == NULL)
        return status;
    package->file = NULL;
    if (status == 0 && (fflush(file) != 0 || umx_sync(file) != 0))
        status = unwritable(package, err);
    if (fclose(file) != 0 && status == 0)
        status = unwritable(package, err);
    if (status == 0 && umx_rename(umx_text_string(&package->beside), package->path) != 0)
        status = unwritable(package, err);
    if (status != 0)
        umx_remove(umx_text_string(&package->beside));
    return status;
}

static int begin(struct package *package, struct umx_error *err)
{
    umx_text_addf(&package->beside, "%s.part", package->path);
    package->context = EVP_MD_CTX_new();
    if (package->beside.failed || package->context == NULL ||
        EVP_DigestInit_ex(package->context, EVP_sha256(), NULL) != 1)
        return umx_fail(err, UMX_ERR_MEMORY, package->path, NULL);
    package->file = umx_open(umx_text_string(&package->beside), "wb");
    return package->file != NULL ? 0 : unwritable(package, err);
}

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[] = {"file", "kind", "version", "architecture", "size", "sha256"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i], members[i]);
}

UMX_COMMAND(agents_package)
{
    struct package package = {.path = umx_args_value(args, "--out")};
    const struct umx_call_sink sink = {.item = add_part, .user = &package};
    struct umx_document document = {0};
    int status = begin(&package, err);

    if (status == 0)
        status = umx_call(cli, "agents.package", NULL, &sink, &document, err);
    if (status == 0)
        status = check(&package, &document, err);
    status = finish(&package, status, err);
    if (status == 0)
        status = umx_document_set(&document, "file", json_string(package.path), err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    umx_document_close(&document);
    EVP_MD_CTX_free(package.context);
    umx_text_free(&package.beside);
    return status;
}

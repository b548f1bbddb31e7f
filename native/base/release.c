#include "base/release.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/open.h"
#include "base/text.h"

enum { SIGNATURE = 64, BLOCK = 64 * 1024, PARTS_MAX = 4, KEYS_MAX = 16 };

/* ---- the text */

/* One line `name value`: the value into out; where the next line begins, NULL when it is not that. */
static const char *line(const char *at, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);

    if (at == NULL || strncmp(at, name, length) != 0 || at[length] != ' ')
        return NULL;
    at += length + 1;
    const char *end = strchr(at, '\n');
    if (end == NULL || end == at || (size_t)(end - at) >= size)
        return NULL;
    for (const char *c = at; c < end; c++) /* printable, no space: they go into messages and arguments of programs */
        if (*c <= ' ' || *c > '~')
            return NULL;
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
    return end + 1;
}

static bool is_version(const char *text)
{
    int parts = 0, digits = 0;

    for (; *text != '\0'; text++) {
        if (*text >= '0' && *text <= '9' && digits < 9) {
            parts += digits++ == 0;
        } else if (*text == '.' && digits > 0) {
            digits = 0;
        } else {
            return false;
        }
    }
    return digits > 0 && parts <= PARTS_MAX;
}

static bool is_word(const char *text)
{
    for (; *text != '\0'; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') || *text == '-'))
            return false;
    return true;
}

/* *signed_length: bytes that the signature is over. */
static int parse(const char *text, size_t length, struct umx_release *out, size_t *signed_length,
                 uint8_t signature[SIGNATURE], struct umx_error *err)
{
    char copy[UMX_RELEASE_TEXT_MAX + 1], format[8], size[16], digest[2 * UMX_RELEASE_DIGEST + 1], downgrade[4];
    char hex[2 * SIGNATURE + 1];
    const char *at = copy, *wrong = NULL;

    *out = (struct umx_release){0};
    if (length > UMX_RELEASE_TEXT_MAX || memchr(text, '\0', length) != NULL)
        return umx_fail(err, UMX_ERR_RELEASE_INVALID, "release", "it is too long, or no text");
    memcpy(copy, text, length);
    copy[length] = '\0';
    at = line(at, "umx-release", format, sizeof format);
    if (at == NULL || strcmp(format, "1") != 0)
        return umx_fail(err, UMX_ERR_RELEASE_INVALID, "release", "it does not begin with `umx-release 1`");
    at = line(at, "package", out->package, sizeof out->package);
    at = line(at, "version", out->version, sizeof out->version);
    at = line(at, "kind", out->kind, sizeof out->kind);
    at = line(at, "architecture", out->architecture, sizeof out->architecture);
    at = line(at, "size", size, sizeof size);
    at = line(at, "sha256", digest, sizeof digest);
    at = line(at, "downgrade", downgrade, sizeof downgrade);
    *signed_length = at != NULL ? (size_t)(at - copy) : 0;
    at = line(at, "signature", hex, sizeof hex);
    if (at == NULL || *at != '\0')
        return umx_fail(err, UMX_ERR_RELEASE_INVALID, "release", "a line is missing, out of order or too long");
    char *end = NULL;
    out->size = strtoll(size, &end, 10);
    out->downgrade = strcmp(downgrade, "yes") == 0;
    if (!is_word(out->package))
        wrong = "package";
    else if (!is_version(out->version))
        wrong = "version";
    else if (strcmp(out->kind, "deb") != 0 && strcmp(out->kind, "msi") != 0)
        wrong = "kind";
    else if (!is_word(out->architecture))
        wrong = "architecture";
    else if (*end != '\0' || size[0] == '-' || out->size < 1 || out->size > UMX_RELEASE_PACKAGE_MAX)
        wrong = "size";
    else if (umx_text_from_hex(digest, out->sha256, sizeof out->sha256) != UMX_RELEASE_DIGEST)
        wrong = "sha256";
    else if (!out->downgrade && strcmp(downgrade, "no") != 0)
        wrong = "downgrade";
    else if (umx_text_from_hex(hex, signature, SIGNATURE) != SIGNATURE)
        wrong = "signature";
    return wrong == NULL ? 0 : umx_fail(err, UMX_ERR_RELEASE_INVALID, "release", "its %s is not possible", wrong);
}

int umx_release_parse(const char *text, size_t length, struct umx_release *out, struct umx_error *err)
{
    uint8_t signature[SIGNATURE];
    size_t signed_length;

    return parse(text, length, out, &signed_length, signature, err);
}

static bool signed_by(EVP_PKEY *key, const char *text, size_t length, const uint8_t signature[SIGNATURE])
{
    EVP_MD_CTX *context = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? EVP_MD_CTX_new() : NULL;
    bool good = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, SIGNATURE, (const uint8_t *)text, length) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

int umx_release_verify(const char *text, size_t length, const char *keys, struct umx_release *out,
                       struct umx_error *err)
{
    uint8_t signature[SIGNATURE];
    size_t signed_length;
    bool good = false;
    int seen = 0, status = parse(text, length, out, &signed_length, signature, err);

    if (status != 0)
        return status;
    BIO *bio = BIO_new_mem_buf(keys, -1);
    EVP_PKEY *key;
    while (bio != NULL && !good && seen < KEYS_MAX && (key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)) != NULL) {
        good = signed_by(key, text, signed_length, signature);
        EVP_PKEY_free(key);
        seen++;
    }
    BIO_free(bio);
    ERR_clear_error();
    if (good)
        return 0;
    return umx_fail(err, UMX_ERR_RELEASE_SIGNATURE, out->version,
                    seen == 0 ? "there is no public key to verify it with" : "none of the release keys signed it");
}

/* ---- the package */

static int differs(const struct umx_release *release, const char *what, bool size, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_RELEASE_PACKAGE, what,
                    size ? "it has not the %lld bytes of the release" : "its SHA-256 is not that of the release",
                    (long long)release->size);
}

int umx_release_check_bytes(const struct umx_release *release, const void *bytes, size_t length, struct umx_error *err)
{
    uint8_t digest[UMX_RELEASE_DIGEST];

    if ((int64_t)length != release->size)
        return differs(release, "package", true, err);
    if (EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL) != 1)
        return umx_fail(err, UMX_ERR_INTERNAL, "package", NULL);
    return memcmp(digest, release->sha256, sizeof digest) == 0 ? 0 : differs(release, "package", false, err);
}

int umx_release_check_file(const struct umx_release *release, const char *path, struct umx_error *err)
{
    uint8_t digest[UMX_RELEASE_DIGEST];
    FILE *file = umx_open(path, "rb");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t *block = malloc(BLOCK);
    int64_t size = 0;
    size_t got;
    int status = 0;

    if (file == NULL)
        status = umx_fail(err, UMX_ERR_FILE_UNREADABLE, path, NULL);
    else if (context == NULL || block == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        status = umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    while (status == 0 && size <= release->size && (got = fread(block, 1, BLOCK, file)) > 0) {
        size += (int64_t)got;
        EVP_DigestUpdate(context, block, got);
    }
    if (status == 0 && ferror(file))
        status = umx_fail(err, UMX_ERR_FILE_UNREADABLE, path, NULL);
    else if (status == 0 && size != release->size)
        status = differs(release, path, true, err);
    else if (status == 0 &&
             (EVP_DigestFinal_ex(context, digest, NULL) != 1 || memcmp(digest, release->sha256, sizeof digest) != 0))
        status = differs(release, path, false, err);
    EVP_MD_CTX_free(context);
    free(block);
    if (file != NULL)
        fclose(file);
    return status;
}

/* ---- versions */

int umx_release_compare(const char *a, const char *b)
{
    bool good_a = a != NULL && is_version(a), good_b = b != NULL && is_version(b);

    if (!good_a || !good_b)
        return (int)good_a - (int)good_b;
    while (*a != '\0' || *b != '\0') {
        char *end;
        long of_a = strtol(a, &end, 10);
        a = *end == '.' ? end + 1 : end;
        long of_b = strtol(b, &end, 10);
        b = *end == '.' ? end + 1 : end;
        if (of_a != of_b)
            return of_a < of_b ? -1 : 1;
    }
    return 0;
}

int umx_release_allowed(const struct umx_release *release, const char *version, const char *kind,
                        const char *architecture, bool asked, struct umx_error *err)
{
    if (strcmp(release->package, "umx-agent") != 0)
        return umx_fail(err, UMX_ERR_RELEASE_PLATFORM, release->package, "it is not the agent's package");
    if (kind == NULL || architecture == NULL || strcmp(release->kind, kind) != 0 ||
        (strcmp(release->architecture, architecture) != 0 && strcmp(release->architecture, "all") != 0))
        return umx_fail(err, UMX_ERR_RELEASE_PLATFORM, release->version, "it is a %s for %s, this is %s for %s",
                        release->kind, release->architecture, kind != NULL ? kind : "none",
                        architecture != NULL ? architecture : "none");
    if (umx_release_compare(release->version, version) >= 0)
        return 0;
    if (!asked)
        return umx_fail(err, UMX_ERR_RELEASE_OLDER, release->version, "%s is there, and --downgrade was not given",
                        version);
    if (!release->downgrade)
        return umx_fail(err, UMX_ERR_RELEASE_OLDER, release->version,
                        "%s is there, and the release was not signed as one that may take a newer one's place",
                        version);
    return 0;
}

const char *umx_release_kind(void)
{
#ifdef _WIN32
    return "msi";
#else
    return "deb";
#endif
}

const char *umx_release_architecture(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__i386__)
    return "i386";
#else
    return "unknown";
#endif
}

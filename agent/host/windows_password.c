#include "agent/host/windows_password.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#include <wincrypt.h>

#include "agent/file.h"
#include "agent/host/windows_access.h"
#include "agent/host/windows_text.h"

#define MAGIC "umx-dpapi 1\n"

enum { FILE_MAX = 8 * 1024, LABEL_MAX = 320 };

/* What the protected bytes are for, as part of their key: those of another account do not open. */
static DATA_BLOB purpose(const char *account, char label[LABEL_MAX])
{
    snprintf(label, LABEL_MAX, "umx-agent shell_account %s", account);
    for (char *c = label; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return (DATA_BLOB){.cbData = (DWORD)strlen(label), .pbData = (BYTE *)label};
}

int umx_windows_password_write(const char *path, const char *account, const wchar_t *password, struct umx_error *err)
{
    const size_t magic = sizeof MAGIC - 1;
    char label[LABEL_MAX];
    BYTE file[FILE_MAX];
    wchar_t text[UMX_PASSWORD_MAX];
    DATA_BLOB entropy = purpose(account, label), sealed = {0};
    int status = 0;

    if (wcslen(password) >= UMX_PASSWORD_MAX)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, account, "its password is too long");
    wcscpy(text, password);
    DATA_BLOB open = {.cbData = (DWORD)(wcslen(text) * sizeof *text), .pbData = (BYTE *)text};
    if (!CryptProtectData(&open, L"umx shell account", &entropy, NULL, NULL,
                          CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN, &sealed))
        status = umx_windows_fail(err, UMX_ERR_FILE_UNWRITABLE, path, GetLastError());
    else if (sealed.cbData > sizeof file - magic)
        status = umx_fail(err, UMX_ERR_INTERNAL, path, "the protected password is too long");
    OPENSSL_cleanse(text, sizeof text);
    if (status == 0) {
        memcpy(file, MAGIC, magic);
        memcpy(file + magic, sealed.pbData, sealed.cbData);
        status = umx_access_write(path, UMX_ACCESS_READ_FILE, file, magic + sealed.cbData, err);
    }
    LocalFree(sealed.pbData);
    return status;
}

static int unseal(const char *path, const char *account, char *bytes, size_t length, wchar_t out[UMX_PASSWORD_MAX],
                  struct umx_error *err)
{
    char label[LABEL_MAX];
    DATA_BLOB entropy = purpose(account, label), open = {0};
    DATA_BLOB sealed = {.cbData = (DWORD)length, .pbData = (BYTE *)bytes};
    int status = 0;

    if (!CryptUnprotectData(&sealed, NULL, &entropy, NULL, NULL, CRYPTPROTECT_UI_FORBIDDEN, &open))
        return umx_windows_fail(err, UMX_ERR_SHELL_PASSWORD_INVALID, path, GetLastError());
    if (open.cbData % sizeof *out != 0 || open.cbData / sizeof *out >= UMX_PASSWORD_MAX) {
        status = umx_fail(err, UMX_ERR_SHELL_PASSWORD_INVALID, path, NULL);
    } else {
        memcpy(out, open.pbData, open.cbData);
        out[open.cbData / sizeof *out] = L'\0';
    }
    OPENSSL_cleanse(open.pbData, open.cbData);
    LocalFree(open.pbData);
    return status;
}

int umx_windows_password_read(const char *path, const char *account, wchar_t out[UMX_PASSWORD_MAX],
                              struct umx_error *err)
{
    const size_t magic = sizeof MAGIC - 1;
    struct umx_arena *arena = umx_arena_new(FILE_MAX + 1024);
    char *bytes = NULL;
    size_t length = 0;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, path, NULL)
                               : umx_agent_file_read(path, FILE_MAX, arena, &bytes, &length, err);

    if (status == 0 && (length < magic || memcmp(bytes, MAGIC, magic) != 0)) {
        OPENSSL_cleanse(bytes, length);
        status = umx_fail(err, UMX_ERR_SHELL_PASSWORD_PLAIN, path, NULL);
    }
    if (status == 0)
        status = unseal(path, account, bytes + magic, length - magic, out, err);
    umx_arena_free(arena);
    return status;
}

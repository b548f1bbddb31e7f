#include "agent/shell_password.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "agent/host/windows_password.h"
#include "agent/host/windows_text.h"

enum { LINE_MAX_BYTES = 4 * UMX_PASSWORD_MAX };

static int bad(struct umx_error *err, const char *why)
{
    return umx_fail(err, UMX_ERR_USAGE, "--store-shell-password", "%s", why);
}

/* A line that is typed and not shown. */
static int ask(HANDLE console, DWORD mode, const char *question, wchar_t out[UMX_PASSWORD_MAX], struct umx_error *err)
{
    wchar_t line[UMX_PASSWORD_MAX + 2]; /* with what the Enter key gives */
    DWORD got = 0;
    int status = 0;

    fputs(question, stderr);
    fflush(stderr);
    SetConsoleMode(console, (mode | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT) & ~(DWORD)ENABLE_ECHO_INPUT);
    BOOL done = ReadConsoleW(console, line, UMX_PASSWORD_MAX + 1, &got, NULL);
    SetConsoleMode(console, mode);
    fputc('\n', stderr);
    line[done ? got : 0] = L'\0';
    size_t length = wcscspn(line, L"\r\n");
    if (!done || line[length] == L'\0' || length >= UMX_PASSWORD_MAX)
        status = bad(err, "no password was typed, or one that is too long");
    line[length] = L'\0';
    if (status == 0)
        wcscpy(out, line);
    OPENSSL_cleanse(line, sizeof line);
    return status;
}

static int ask_twice(HANDLE console, DWORD mode, const char *account, wchar_t out[UMX_PASSWORD_MAX],
                     struct umx_error *err)
{
    wchar_t again[UMX_PASSWORD_MAX] = L"";
    char question[320];

    snprintf(question, sizeof question, "Password of %s: ", account);
    int status = ask(console, mode, question, out, err);
    if (status == 0)
        status = ask(console, mode, "Once more: ", again, err);
    if (status == 0 && wcscmp(out, again) != 0)
        status = bad(err, "the two are not the same");
    OPENSSL_cleanse(again, sizeof again);
    return status;
}

/* UTF-8, with or without the mark that some programs put before it; what comes after the first line is nothing of ours.
 */
static int read_line(HANDLE in, wchar_t out[UMX_PASSWORD_MAX], struct umx_error *err)
{
    char line[LINE_MAX_BYTES] = "";
    size_t length = 0;
    DWORD got = 0;
    int status = 0;

    while (length < sizeof line - 1 && memchr(line, '\n', length) == NULL &&
           ReadFile(in, line + length, (DWORD)(sizeof line - 1 - length), &got, NULL) && got > 0)
        length += got;
    line[length] = '\0';
    char *text = strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
    text[strcspn(text, "\r\n")] = '\0';
    if (umx_wide(text, out, UMX_PASSWORD_MAX) != 0)
        status = bad(err, "the password is too long, or not UTF-8");
    OPENSSL_cleanse(line, sizeof line);
    return status;
}

int umx_shell_password_store(const struct umx_agent_config *config, struct umx_error *err)
{
    wchar_t password[UMX_PASSWORD_MAX] = L"";
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    DWORD mode = 0;
    int status;

    if (config->shell_account[0] == '\0' || config->shell_password_file[0] == '\0')
        return bad(err, "the configuration names no shell_account that has a password, or no shell_password_file");
    status = GetConsoleMode(in, &mode) ? ask_twice(in, mode, config->shell_account, password, err)
                                       : read_line(in, password, err);
    if (status == 0 && password[0] == L'\0')
        status = bad(err, "the password is empty");
    if (status == 0)
        status = umx_windows_password_write(config->shell_password_file, config->shell_account, password, err);
    OPENSSL_cleanse(password, sizeof password);
    if (status == 0)
        printf("%s: the password of %s, for this machine\n", config->shell_password_file, config->shell_account);
    return status;
}

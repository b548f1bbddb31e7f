/* Windows PowerShell with a fixed script as -EncodedCommand (base64 of UTF-16): no value of any kind is ever put into
 * the text. Values go to its standard input, which -InputFormat None keeps the console host from reading itself; its
 * standard output is read; a job object ends the process and whatever it started with the agent or at the deadline. */
#include "agent/host/shell.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "agent/host/windows_host.h"
#include "agent/host/windows_password.h"
#include "base/clock.h"

enum {
    COMMAND_MAX = 32000, /* characters of the command line; Windows takes 32767 */
    ACCOUNT_MAX = 256,
    ATTRIBUTES_MAX = 256,                      /* bytes of a list of one attribute; it takes 48 */
    PIECE = UMX_HOST_SHELL_REQUEST_MAX + 4096, /* of a pipe: a whole request is taken without waiting */
};

/* What LogonUser takes for the password of a group managed service account, which only the system knows. */
#define MANAGED_PASSWORD L"_SA_{262E99C9-6160-4871-ACEC-4E61736B6F21}"

struct windows_shell {
    struct umx_host_shell shell; /* first */
    HANDLE process;
    HANDLE job;
    HANDLE in;
    HANDLE out;
};

/* Full path: the search path is not asked which powershell.exe that is. */
static int command_line(const char *script, wchar_t *out, struct umx_error *err)
{
    char *encoded = umx_host_shell_encode(script);
    char *line = calloc(COMMAND_MAX, 1);
    wchar_t folder[MAX_PATH];
    char narrow[MAX_PATH * 3];
    int status = 0;

    UINT length = GetSystemDirectoryW(folder, MAX_PATH);
    if (encoded == NULL || line == NULL || length == 0 || length >= MAX_PATH ||
        WideCharToMultiByte(CP_UTF8, 0, folder, -1, narrow, sizeof narrow, NULL, NULL) == 0) {
        status = umx_fail(err, UMX_ERR_MEMORY, "powershell", NULL);
    } else {
        int n = snprintf(line, COMMAND_MAX,
                         "\"%s\\WindowsPowerShell\\v1.0\\powershell.exe\" -NoLogo -NoProfile -NonInteractive "
                         "-InputFormat None -ExecutionPolicy RemoteSigned -EncodedCommand %s",
                         narrow, encoded);
        if (n < 0 || n >= COMMAND_MAX || umx_wide(line, out, COMMAND_MAX) != 0)
            status = umx_fail(err, UMX_ERR_INTERNAL, "powershell", "a script is too long");
    }
    free(encoded);
    free(line);
    return status;
}

/* A token of DOMAIN\name; a name that ends in $ is a managed account. */
static int log_on(const struct umx_host *host, HANDLE *token, struct umx_error *err)
{
    wchar_t account[ACCOUNT_MAX];
    wchar_t password[UMX_PASSWORD_MAX] = MANAGED_PASSWORD;
    wchar_t *name = NULL;
    int status = 0;

    if (umx_wide(host->shell_account, account, ACCOUNT_MAX) != 0 || (name = wcschr(account, L'\\')) == NULL)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, "shell_account", "it is not DOMAIN\\name");
    *name++ = L'\0';
    bool managed = name[0] != L'\0' && name[wcslen(name) - 1] == L'$';
    if (!managed)
        status = umx_windows_password_read(host->shell_password_file, host->shell_account, password, err);
    if (status == 0 && !LogonUserW(name, account, password, managed ? LOGON32_LOGON_SERVICE : LOGON32_LOGON_BATCH,
                                   LOGON32_PROVIDER_DEFAULT, token))
        status = umx_windows_fail(err, UMX_ERR_SHELL_FAILED, host->shell_account, GetLastError());
    OPENSSL_cleanse(password, sizeof password);
    return status;
}

static BOOL create(const struct umx_host *host, wchar_t *line, STARTUPINFOW *start, PROCESS_INFORMATION *process,
                   struct umx_error *err)
{
    const DWORD flags = CREATE_NO_WINDOW | CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT;
    HANDLE token = NULL;
    BOOL done;

    if (host->shell_account == NULL || host->shell_account[0] == '\0') {
        done = CreateProcessW(NULL, line, NULL, NULL, TRUE, flags, NULL, NULL, start, process);
    } else {
        if (log_on(host, &token, err) != 0)
            return FALSE;
        done = CreateProcessAsUserW(token, NULL, line, NULL, NULL, TRUE, flags, NULL, NULL, start, process);
        CloseHandle(token);
    }
    if (!done)
        umx_windows_fail(err, UMX_ERR_SHELL_FAILED, "powershell", GetLastError());
    return done;
}

/* Shells are started from several threads at once: one that inherited another's pipe would keep it open. */
static bool only_these(LPPROC_THREAD_ATTRIBUTE_LIST list, SIZE_T size, HANDLE *handles, SIZE_T bytes)
{
    if (!InitializeProcThreadAttributeList(list, 1, 0, &size))
        return false;
    if (UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, bytes, NULL, NULL))
        return true;
    DeleteProcThreadAttributeList(list);
    return false;
}

static int begin(const struct umx_host *host, wchar_t *line, struct windows_shell *own, struct umx_error *err)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof inherit, .bInheritHandle = TRUE};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {0};
    PROCESS_INFORMATION process = {0};
    STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES}};
    void *room[ATTRIBUTES_MAX / sizeof(void *)];
    HANDLE theirs[3];
    HANDLE write = NULL;
    HANDLE read = NULL;
    BOOL created;
    int status = 0;

    limit.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    own->job = CreateJobObjectW(NULL, NULL);
    HANDLE nothing = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                                 OPEN_EXISTING, 0, NULL);
    if (own->job == NULL || nothing == INVALID_HANDLE_VALUE ||
        !SetInformationJobObject(own->job, JobObjectExtendedLimitInformation, &limit, sizeof limit) ||
        !CreatePipe(&own->out, &write, &inherit, PIECE) || !SetHandleInformation(own->out, HANDLE_FLAG_INHERIT, 0) ||
        !CreatePipe(&read, &own->in, &inherit, PIECE) || !SetHandleInformation(own->in, HANDLE_FLAG_INHERIT, 0)) {
        status = umx_windows_fail(err, UMX_ERR_SHELL_FAILED, "powershell", GetLastError());
        goto out;
    }
    start.StartupInfo.hStdInput = theirs[0] = read;
    start.StartupInfo.hStdOutput = theirs[1] = write;
    start.StartupInfo.hStdError = theirs[2] = nothing;
    start.lpAttributeList = (LPPROC_THREAD_ATTRIBUTE_LIST)room;
    if (!only_these(start.lpAttributeList, sizeof room, theirs, sizeof theirs)) {
        status = umx_windows_fail(err, UMX_ERR_SHELL_FAILED, "powershell", GetLastError());
        goto out;
    }
    created = create(host, line, &start.StartupInfo, &process, err);
    DeleteProcThreadAttributeList(start.lpAttributeList);
    if (!created) {
        status = UMX_E_IO;
        goto out;
    }
    own->process = process.hProcess;
    if (!AssignProcessToJobObject(own->job, process.hProcess)) {
        /* Inside a job that allows no other (Server 2008): the process itself is still ended. */
        CloseHandle(own->job);
        own->job = NULL;
    }
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
out:
    if (write != NULL)
        CloseHandle(write);
    if (read != NULL)
        CloseHandle(read);
    if (nothing != INVALID_HANDLE_VALUE)
        CloseHandle(nothing);
    return status;
}

/* A request fits the pipe, and the next one is sent only after the answer: this does not wait. */
static int write_all(struct umx_host_shell *shell, const char *bytes, size_t length, int64_t until,
                     struct umx_error *err)
{
    const struct windows_shell *own = (const struct windows_shell *)shell;
    DWORD written = 0;

    (void)until;
    if (!WriteFile(own->in, bytes, (DWORD)length, &written, NULL) || written != length)
        return umx_windows_fail(err, UMX_ERR_SHELL_FAILED, "powershell", GetLastError());
    return 0;
}

/* The pipe is looked into, since reading would block. */
static int read_some(struct umx_host_shell *shell, char *buffer, size_t room, int64_t until, size_t *got,
                     struct umx_error *err)
{
    const struct windows_shell *own = (const struct windows_shell *)shell;
    DWORD ready = 0;
    DWORD count = 0;

    *got = 0;
    for (; ready == 0; Sleep(20)) {
        if (!PeekNamedPipe(own->out, NULL, 0, NULL, &ready, NULL))
            return 0; /* the other end is closed */
        if (ready > 0)
            break;
        if (umx_host_shell_stopped(shell->stop, err) != 0)
            return UMX_E_CANCELLED;
        if (umx_clock_monotonic() >= until)
            return umx_fail(err, UMX_ERR_DEADLINE, "powershell", NULL);
    }
    if (ReadFile(own->out, buffer, ready < room ? ready : (DWORD)room, &count, NULL))
        *got = count;
    return 0;
}

static void close_input(struct umx_host_shell *shell)
{
    struct windows_shell *own = (struct windows_shell *)shell;

    if (own->in != NULL)
        CloseHandle(own->in);
    own->in = NULL;
}

static int wait_end(struct umx_host_shell *shell, int64_t until, int *code, struct umx_error *err)
{
    const struct windows_shell *own = (const struct windows_shell *)shell;
    DWORD ended = 0;

    while (WaitForSingleObject(own->process, (DWORD)(UMX_HOST_SHELL_LOOK / UMX_MILLISECOND)) != WAIT_OBJECT_0) {
        if (umx_host_shell_stopped(shell->stop, err) != 0)
            return UMX_E_CANCELLED;
        if (umx_clock_monotonic() >= until)
            return umx_fail(err, UMX_ERR_DEADLINE, "powershell", NULL);
    }
    GetExitCodeProcess(own->process, &ended);
    *code = (int)ended;
    return 0;
}

static void close_shell(struct umx_host_shell *shell)
{
    struct windows_shell *own = (struct windows_shell *)shell;

    close_input(shell);
    if (own->process != NULL) {
        TerminateProcess(own->process, 1); /* nothing happens when it has ended */
        CloseHandle(own->process);
    }
    if (own->job != NULL)
        CloseHandle(own->job);
    if (own->out != NULL)
        CloseHandle(own->out);
    free(own);
}

static const struct umx_host_shell_system windows_system = {
    .write = write_all,
    .read = read_some,
    .close_input = close_input,
    .wait = wait_end,
    .close = close_shell,
};

int umx_windows_shell_open(struct umx_host *host, const char *script, struct umx_host_shell **out,
                           struct umx_error *err)
{
    struct windows_shell *own = calloc(1, sizeof *own);
    wchar_t *line = calloc(COMMAND_MAX, sizeof *line);
    int status = own == NULL || line == NULL ? umx_fail(err, UMX_ERR_MEMORY, "powershell", NULL)
                                             : command_line(script, line, err);

    if (own != NULL)
        own->shell.system = &windows_system;
    if (status == 0)
        status = begin(host, line, own, err);
    free(line);
    if (status == 0)
        *out = &own->shell;
    else if (own != NULL)
        close_shell(&own->shell);
    return status;
}

/* A recorded host's stand-in is a program of the test machine, which runs Linux. */
int umx_host_shell_program(const char *program, const char *directory, const char *script, struct umx_host_shell **out,
                           struct umx_error *err)
{
    (void)directory;
    (void)script;
    (void)out;
    return umx_fail(err, UMX_ERR_SHELL_FAILED, program, "shell_program of a recorded host needs Linux");
}

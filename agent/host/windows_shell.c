/* A fixed script in Windows PowerShell, given as -EncodedCommand (base64 of UTF-16): no value of any kind is ever put
 * into the text. Standard input is closed, standard output is read to its end, and a job object ends the process and
 * whatever it started when the deadline passes. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "agent/host/windows_host.h"
#include "base/clock.h"

enum {
    SCRIPT_MAX = 8000,   /* characters of a script */
    COMMAND_MAX = 32000, /* characters of the command line; Windows takes 32767 */
    EXIT_NOT_FOUND = 3,  /* the scripts' own: the shell has no such command */
    PIECE = 16 * 1024,
};

/* Full path: the search path is not asked which powershell.exe that is. */
static int command_line(const char *script, wchar_t *out, struct umx_error *err)
{
    wchar_t *wide = calloc(SCRIPT_MAX, sizeof *wide);
    char *base64 = calloc(SCRIPT_MAX * 3 + 8, 1);
    char *line = calloc(COMMAND_MAX, 1);
    wchar_t folder[MAX_PATH];
    char narrow[MAX_PATH * 3];
    int status = 0;

    UINT length = GetSystemDirectoryW(folder, MAX_PATH);
    if (wide == NULL || base64 == NULL || line == NULL || length == 0 || length >= MAX_PATH ||
        WideCharToMultiByte(CP_UTF8, 0, folder, -1, narrow, sizeof narrow, NULL, NULL) == 0) {
        status = umx_fail(err, UMX_ERR_MEMORY, "powershell", NULL);
    } else if (umx_wide(script, wide, SCRIPT_MAX) != 0) {
        status = umx_fail(err, UMX_ERR_INTERNAL, "powershell", "a script is too long");
    } else {
        EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)wide, (int)(wcslen(wide) * sizeof *wide));
        int n = snprintf(line, COMMAND_MAX,
                         "\"%s\\WindowsPowerShell\\v1.0\\powershell.exe\" -NoLogo -NoProfile -NonInteractive "
                         "-ExecutionPolicy RemoteSigned -EncodedCommand %s",
                         narrow, base64);
        if (n < 0 || n >= COMMAND_MAX || umx_wide(line, out, COMMAND_MAX) != 0)
            status = umx_fail(err, UMX_ERR_INTERNAL, "powershell", "a script is too long");
    }
    free(wide);
    free(base64);
    free(line);
    return status;
}

struct running {
    HANDLE process;
    HANDLE job;
    HANDLE out; /* reading end of its standard output */
};

static int begin(wchar_t *line, struct running *running, struct umx_error *err)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof inherit, .bInheritHandle = TRUE};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {0};
    PROCESS_INFORMATION process = {0};
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    HANDLE write = NULL;
    int status = 0;

    limit.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    running->job = CreateJobObjectW(NULL, NULL);
    HANDLE nothing = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                                 OPEN_EXISTING, 0, NULL);
    if (running->job == NULL || nothing == INVALID_HANDLE_VALUE ||
        !SetInformationJobObject(running->job, JobObjectExtendedLimitInformation, &limit, sizeof limit) ||
        !CreatePipe(&running->out, &write, &inherit, PIECE) ||
        !SetHandleInformation(running->out, HANDLE_FLAG_INHERIT, 0)) {
        status = umx_windows_fail(err, UMX_ERR_SHELL_FAILED, "powershell", GetLastError());
        goto out;
    }
    start.hStdInput = nothing;
    start.hStdOutput = write;
    start.hStdError = nothing;
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_NO_WINDOW | CREATE_SUSPENDED, NULL, NULL, &start,
                        &process)) {
        status = umx_windows_fail(err, UMX_ERR_SHELL_FAILED, "powershell", GetLastError());
        goto out;
    }
    running->process = process.hProcess;
    if (!AssignProcessToJobObject(running->job, process.hProcess)) {
        /* Inside a job that allows no other (Server 2008): the process itself is still ended. */
        CloseHandle(running->job);
        running->job = NULL;
    }
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
out:
    if (write != NULL)
        CloseHandle(write);
    if (nothing != INVALID_HANDLE_VALUE)
        CloseHandle(nothing);
    return status;
}

/* All output until the end, the maximum or the deadline. The pipe is looked into, since reading would block. */
static int read_all(const struct running *running, const char *command, int64_t until, char *text, size_t *length,
                    struct umx_error *err)
{
    for (;;) {
        DWORD ready = 0;
        DWORD got = 0;
        if (!PeekNamedPipe(running->out, NULL, 0, NULL, &ready, NULL))
            return 0; /* the other end is closed */
        if (umx_clock_monotonic() >= until)
            return umx_fail(err, UMX_ERR_DEADLINE, command, NULL);
        if (ready == 0) {
            Sleep(50);
            continue;
        }
        DWORD room = (DWORD)(UMX_HOST_SHELL_MAX - *length);
        if (room == 0)
            return umx_fail(err, UMX_ERR_SHELL_FAILED, command, "it writes more than %d bytes", UMX_HOST_SHELL_MAX);
        if (!ReadFile(running->out, text + *length, ready < room ? ready : room, &got, NULL))
            return 0;
        *length += got;
    }
}

static int conclude(const struct running *running, const char *command, int64_t until, struct umx_error *err)
{
    DWORD code = 0;
    int64_t left = (until - umx_clock_monotonic()) / UMX_MILLISECOND;

    if (WaitForSingleObject(running->process, left > 0 ? (DWORD)left : 0) != WAIT_OBJECT_0)
        return umx_fail(err, UMX_ERR_DEADLINE, command, NULL);
    GetExitCodeProcess(running->process, &code);
    if (code == 0)
        return 0;
    umx_fail(err, UMX_ERR_SHELL_FAILED, command, "powershell ended with %lu", code);
    if (code != EXIT_NOT_FOUND)
        return UMX_E_IO;
    if (err != NULL)
        err->status = UMX_E_NOT_FOUND;
    return UMX_E_NOT_FOUND;
}

int umx_windows_shell(struct umx_host *host, struct umx_arena *arena, const char *command, const char *script,
                      int64_t timeout, char **text, size_t *length, struct umx_error *err)
{
    struct running running = {0};
    int64_t until = umx_clock_monotonic() + timeout;
    wchar_t *line = calloc(COMMAND_MAX, sizeof *line);
    char *buffer = malloc(UMX_HOST_SHELL_MAX);
    int status =
        line == NULL || buffer == NULL ? umx_fail(err, UMX_ERR_MEMORY, command, NULL) : command_line(script, line, err);

    (void)host;
    *length = 0;
    if (status == 0)
        status = begin(line, &running, err);
    if (status == 0)
        status = read_all(&running, command, until, buffer, length, err);
    if (status == 0)
        status = conclude(&running, command, until, err);
    if (status == 0 && (*text = umx_arena_copy(arena, buffer, *length)) == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, command, NULL);
    if (running.process != NULL) {
        TerminateProcess(running.process, 1); /* nothing happens when it has ended */
        CloseHandle(running.process);
    }
    if (running.job != NULL)
        CloseHandle(running.job);
    if (running.out != NULL)
        CloseHandle(running.out);
    free(buffer);
    free(line);
    return status;
}

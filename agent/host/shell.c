#include "agent/host/shell.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

char *umx_host_shell_encode(const char *script)
{
    size_t length = strlen(script);
    unsigned char *wide = length <= UMX_HOST_SHELL_SCRIPT_MAX ? calloc(2, length + 1) : NULL;
    char *text = wide != NULL ? calloc(1, (length * 2 + 2) / 3 * 4 + 1) : NULL;

    if (text != NULL) {
        for (size_t i = 0; i < length; i++)
            wide[2 * i] = (unsigned char)script[i]; /* the scripts are ASCII (tests/unit/test_cmdlet.c) */
        EVP_EncodeBlock((unsigned char *)text, wide, (int)(length * 2));
    }
    free(wide);
    return text;
}

int umx_host_shell_stopped(const atomic_bool *stop, struct umx_error *err)
{
    return stop != NULL && atomic_load(stop) ? umx_fail(err, UMX_ERR_CANCELLED, "shell", "the agent ends") : 0;
}

bool umx_host_has_shell(const struct umx_host *host)
{
    return host->platform->shell_open != NULL && (!host->identity.recorded || host->identity.shell_program[0] != '\0');
}

static int no_shell(const struct umx_host *host, struct umx_error *err)
{
    umx_fail(err, UMX_ERR_SHELL_FAILED, "shell",
             host->identity.recorded ? "this recorded host has no shell_program, only recorded answers"
                                     : "this machine has no management shell");
    if (err != NULL)
        err->status = UMX_E_NOT_FOUND;
    return UMX_E_NOT_FOUND;
}

int umx_host_shell_open(struct umx_host *host, const char *script, struct umx_host_shell **out, struct umx_error *err)
{
    int status = umx_host_shell_stopped(host->stop, err);

    *out = NULL;
    if (status == 0)
        status = umx_host_has_shell(host) ? host->platform->shell_open(host, script, out, err) : no_shell(host, err);
    if (status == 0)
        (*out)->stop = host->stop;
    return status;
}

int umx_host_shell_send(struct umx_host_shell *shell, const char *request, size_t length, int64_t timeout,
                        struct umx_error *err)
{
    if (length > UMX_HOST_SHELL_REQUEST_MAX)
        return umx_fail(err, UMX_ERR_SHELL_FAILED, "shell", "a request is larger than %d bytes",
                        UMX_HOST_SHELL_REQUEST_MAX);
    return shell->system->write(shell, request, length, umx_clock_monotonic() + timeout, err);
}

/* Length of the first record in the text with its empty line; 0: it is not complete. Lines end in LF or CR LF. */
static size_t record_length(const char *text, size_t length)
{
    size_t begin = 0;

    for (const char *end; (end = memchr(text + begin, '\n', length - begin)) != NULL;) {
        size_t line = (size_t)(end - text) - begin;
        size_t next = begin + line + 1;
        if (line == 0 || (line == 1 && text[begin] == '\r'))
            return next;
        begin = next;
    }
    return 0;
}

int umx_host_shell_answer(struct umx_host_shell *shell, struct umx_arena *arena, int64_t timeout, char **text,
                          size_t *length, struct umx_error *err)
{
    int64_t until = umx_clock_monotonic() + timeout;
    size_t record;

    if (shell->pending == NULL && (shell->pending = malloc(UMX_HOST_SHELL_ANSWER_MAX)) == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "shell", NULL);
    while ((record = record_length(shell->pending, shell->pending_length)) == 0) {
        size_t room = UMX_HOST_SHELL_ANSWER_MAX - shell->pending_length;
        size_t got = 0;
        if (room == 0)
            return umx_fail(err, UMX_ERR_SHELL_OUTPUT_INVALID, "shell", "an answer is larger than %d bytes",
                            UMX_HOST_SHELL_ANSWER_MAX);
        int status = shell->system->read(shell, shell->pending + shell->pending_length, room, until, &got, err);
        if (status != 0)
            return status;
        if (got == 0)
            return umx_fail(err, UMX_ERR_SHELL_FAILED, "shell", "it ended before it answered");
        shell->pending_length += got;
    }
    *text = umx_arena_copy(arena, shell->pending, record);
    *length = record;
    shell->pending_length -= record;
    memmove(shell->pending, shell->pending + record, shell->pending_length);
    return *text != NULL ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, "shell", NULL);
}

void umx_host_shell_close(struct umx_host_shell *shell)
{
    if (shell == NULL)
        return;
    free(shell->pending);
    shell->system->close(shell);
}

static int read_all(struct umx_host_shell *shell, const char *command, int64_t until, char *text, size_t *length,
                    struct umx_error *err)
{
    size_t got = 0;

    do {
        if (*length == UMX_HOST_SHELL_MAX)
            return umx_fail(err, UMX_ERR_SHELL_FAILED, command, "it writes more than %d bytes", UMX_HOST_SHELL_MAX);
        int status = shell->system->read(shell, text + *length, UMX_HOST_SHELL_MAX - *length, until, &got, err);
        if (status != 0)
            return status;
        *length += got;
    } while (got > 0);
    return 0;
}

static int conclude(struct umx_host_shell *shell, const char *command, int64_t until, struct umx_error *err)
{
    int code = 0;
    int status = shell->system->wait(shell, until, &code, err);

    if (status != 0 || code == 0)
        return status;
    umx_fail(err, UMX_ERR_SHELL_FAILED, command, "the shell ended with %d", code);
    if (code != UMX_HOST_SHELL_EXIT_NOT_FOUND)
        return UMX_E_IO;
    if (err != NULL)
        err->status = UMX_E_NOT_FOUND;
    return UMX_E_NOT_FOUND;
}

int umx_host_shell(struct umx_host *host, struct umx_arena *arena, const char *command, const char *script,
                   const char *input, int64_t timeout, char **text, size_t *length, struct umx_error *err)
{
    int64_t until = umx_clock_monotonic() + timeout;
    struct umx_host_shell *shell = NULL;
    char *buffer = NULL;
    int status = umx_host_shell_open(host, script, &shell, err);

    *length = 0;
    if (status == UMX_E_NOT_FOUND && host->platform->shell_record != NULL)
        return host->platform->shell_record(host, arena, command, text, length, err);
    if (status == 0 && (buffer = malloc(UMX_HOST_SHELL_MAX)) == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, command, NULL);
    if (status == 0 && input != NULL)
        status = shell->system->write(shell, input, strlen(input), until, err);
    if (status == 0) {
        shell->system->close_input(shell);
        status = read_all(shell, command, until, buffer, length, err);
    }
    if (status == 0)
        status = conclude(shell, command, until, err);
    if (status == 0 && (*text = umx_arena_copy(arena, buffer, *length)) == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, command, NULL);
    umx_host_shell_close(shell);
    free(buffer);
    return status;
}

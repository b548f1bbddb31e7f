/*
 * The products' shell as a process: one fixed script, lines in and lines out. Nothing from outside is ever part of the
 * script; values go to its standard input (collect/shell_text.h) and results come from its standard output.
 *
 * A shell belongs to one thread. It ends with the agent: whatever it does then is decided by a probe later.
 */
#ifndef UMX_AGENT_HOST_SHELL_H
#define UMX_AGENT_HOST_SHELL_H

#include "agent/host/host.h"

enum {
    UMX_HOST_SHELL_SCRIPT_MAX = 8000,        /* characters: what fits the command line of powershell.exe */
    UMX_HOST_SHELL_REQUEST_MAX = 128 * 1024, /* bytes of one request */
    UMX_HOST_SHELL_ANSWER_MAX = 256 * 1024,  /* bytes of one answer */
    UMX_HOST_SHELL_EXIT_NOT_FOUND = 3,       /* the scripts' own: the shell has no such command */
};

/* What a system does for it; times are monotonic moments. */
struct umx_host_shell_system {
    /* All bytes, or an error. */
    int (*write)(struct umx_host_shell *shell, const char *bytes, size_t length, int64_t until, struct umx_error *err);
    /* *got 0: the end of its output. */
    int (*read)(struct umx_host_shell *shell, char *buffer, size_t room, int64_t until, size_t *got,
                struct umx_error *err);
    void (*close_input)(struct umx_host_shell *shell);
    int (*wait)(struct umx_host_shell *shell, int64_t until, int *code, struct umx_error *err);
    /* Ends the process and what it started, and frees the shell. */
    void (*close)(struct umx_host_shell *shell);
};

/* Systems embed this as their first member. */
struct umx_host_shell {
    const struct umx_host_shell_system *system;
    const atomic_bool *stop; /* the host's: waiting ends with CANCELLED */
    char *pending;           /* read, and not yet part of an answer */
    size_t pending_length;
};

int umx_host_shell_open(struct umx_host *host, const char *script, struct umx_host_shell **out, struct umx_error *err);
int umx_host_shell_send(struct umx_host_shell *shell, const char *request, size_t length, int64_t timeout,
                        struct umx_error *err);
/* The next record, its empty line included; IO when the shell ends before. Lives in the arena, with a NUL after it. */
int umx_host_shell_answer(struct umx_host_shell *shell, struct umx_arena *arena, int64_t timeout, char **text,
                          size_t *length, struct umx_error *err);
void umx_host_shell_close(struct umx_host_shell *shell); /* NULL allowed */

/* ---- for implementations (shell_posix.c, windows_shell.c) */

/* They wait no longer than this at a time, and ask in between. */
#define UMX_HOST_SHELL_LOOK (100 * UMX_MILLISECOND)
int umx_host_shell_stopped(const atomic_bool *stop, struct umx_error *err); /* CANCELLED when the agent ends */

/* base64 of the script in UTF-16, as -EncodedCommand wants it; the caller frees. NULL: too long, or out of memory. */
char *umx_host_shell_encode(const char *script);
/* Starts a program that takes powershell.exe's arguments, in a directory: the stand-in of recorded hosts. */
int umx_host_shell_program(const char *program, const char *directory, const char *script, struct umx_host_shell **out,
                           struct umx_error *err);

#endif

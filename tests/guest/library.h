/*
 * libumx as a host in another language has it: found at run time, by the names of umx.h and nothing else. And a
 * controller beside it, in a process of its own (stand_in.c), so that whatever the tests find in their own process is
 * the library's.
 */
#ifndef UMX_TESTS_GUEST_LIBRARY_H
#define UMX_TESTS_GUEST_LIBRARY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/umx.h"

struct library {
    int32_t (*abi_version)(umx_info *);
    int32_t (*session_open)(const uint8_t *, size_t, umx_session **, umx_buf *);
    void (*session_close)(umx_session *);
    int32_t (*session_identity)(umx_session *, umx_buf *, umx_buf *);
    int32_t (*session_sign)(umx_session *, const uint8_t *, size_t, umx_buf *, umx_buf *);
    int32_t (*op_start)(umx_session *, const uint8_t *, size_t, umx_op **, umx_buf *);
    int32_t (*op_next)(umx_op *, uint32_t, umx_buf *);
    int32_t (*op_cancel)(umx_op *);
    void (*op_close)(umx_op *);
    int32_t (*login)(const uint8_t *, size_t, umx_buf *, umx_buf *);
    void (*buf_free)(umx_buf *);
    const char *(*status_name)(int32_t);
};

/* The names, in the order of the structure. */
static const char *const library_names[] = {
    "umx_abi_version",  "umx_session_open", "umx_session_close", "umx_session_identity",
    "umx_session_sign", "umx_op_start",     "umx_op_next",       "umx_op_cancel",
    "umx_op_close",     "umx_login",        "umx_buf_free",      "umx_status_name"};

enum { LIBRARY_NAMES = sizeof library_names / sizeof library_names[0] };

_Static_assert(sizeof(struct library) == LIBRARY_NAMES * sizeof(void *), "a name for each function");

static inline struct library library_of(void *handle)
{
    struct library made;
    void *symbols[LIBRARY_NAMES];

    if (handle == NULL)
        fail_msg("%s", dlerror());
    for (size_t i = 0; i < LIBRARY_NAMES; i++) {
        symbols[i] = dlsym(handle, library_names[i]);
        if (symbols[i] == NULL)
            fail_msg("%s is missing", library_names[i]);
    }
    memcpy(&made, symbols, sizeof made);
    return made;
}

static inline struct library library_load(void)
{
    return library_of(dlopen(UMX_LIBRARY, RTLD_NOW | RTLD_LOCAL));
}

/* ---- the controller */

struct stand_in {
    char directory[64];
    int port;
    pid_t pid;
    int input; /* it ends when this is closed */
};

static inline int stand_in_start(struct stand_in *made)
{
    int in[2], out[2];
    char line[32] = "";

    strcpy(made->directory, "/tmp/umx-guest-XXXXXX");
    if (mkdtemp(made->directory) == NULL || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    made->pid = fork();
    if (made->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(UMX_STAND_IN, UMX_STAND_IN, made->directory, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    made->input = in[1];
    FILE *file = fdopen(out[0], "r");
    made->port = file != NULL && fgets(line, sizeof line, file) != NULL ? atoi(line) : 0;
    fclose(file);
    return made->port > 0 ? 0 : -1;
}

static inline void stand_in_stop(struct stand_in *stand_in)
{
    char command[128];

    close(stand_in->input);
    waitpid(stand_in->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", stand_in->directory);
    if (system(command) != 0)
        print_message("%s is left\n", stand_in->directory);
}

/* ---- calls */

static inline int64_t milliseconds(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static inline bool buf_has(const umx_buf *buf, const char *text)
{
    return buf->data != NULL && memmem(buf->data, buf->length, text, strlen(text)) != NULL;
}

static inline int32_t session_open_at(const struct library *umx, const struct stand_in *at, int port,
                                      umx_session **session, umx_buf *err)
{
    char text[256];

    snprintf(text, sizeof text, "{\"controller\":\"127.0.0.1:%d\",\"identity\":\"%s/identity.pem\"}", port,
             at->directory);
    return umx->session_open((const uint8_t *)text, strlen(text), session, err);
}

static inline umx_session *session_open(const struct library *umx, const struct stand_in *at)
{
    umx_session *session = NULL;
    umx_buf err;

    if (session_open_at(umx, at, at->port, &session, &err) != 0)
        fail_msg("%.*s", (int)err.length, (const char *)err.data);
    return session;
}

static inline umx_op *op_start(const struct library *umx, umx_session *session, const char *text)
{
    umx_op *op = NULL;
    umx_buf err;

    if (umx->op_start(session, (const uint8_t *)text, strlen(text), &op, &err) != 0)
        fail_msg("%.*s", (int)err.length, (const char *)err.data);
    return op;
}

/* Waits as long as it takes. */
static inline int32_t op_next(const struct library *umx, umx_op *op, umx_buf *record)
{
    int32_t kind;

    do
        kind = umx->op_next(op, 1000, record);
    while (kind == UMX_REC_TIMEOUT);
    return kind;
}

/* Reads to the end: how many items came, or the negative status. */
static inline int64_t op_drain(const struct library *umx, umx_op *op)
{
    umx_buf record;
    int64_t items = 0;
    int32_t kind;

    while ((kind = op_next(umx, op, &record)) > 0 && kind != UMX_REC_END) {
        items += kind == UMX_REC_ITEM;
        umx->buf_free(&record);
    }
    umx->buf_free(&record);
    return kind < 0 ? kind : items;
}

static inline int64_t run(const struct library *umx, umx_session *session, const char *request)
{
    umx_op *op = op_start(umx, session, request);
    int64_t items = op_drain(umx, op);

    umx->op_close(op);
    return items;
}

#endif

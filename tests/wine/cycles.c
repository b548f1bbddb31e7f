/*
 * cycles connect|begin|session|enroll CONFIG COUNT [OPERATORS TOKENFILE]: does one thing again and again in one
 * process, as the agent of that configuration does it once, and prints what the process then holds:
 *
 *   connect   a connection and a stream to the controller, up to its Welcome, and their end
 *   begin     the same, with gRPC begun before and ended after it: a guest in somebody's process
 *   session   an agent's whole life, ended at another moment each time: at the start, in the handshake, while it
 * reports enroll    an enrolment at OPERATORS with a token that has as many uses
 *
 * A line of JSON at the beginning, when a tenth is done (what is kept for good is there then) and with every further
 * tenth. That handles are counted at all is tried first.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <psapi.h>
#include <winternl.h>

#include "agent/enroll.h"
#include "agent/session.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/log.h"
#include "base/open.h"
#include "base/reflect.h"
#include "rpc/identity_file.h"
#include "umx/v1/agent.pb-c.h"

enum {
    SYSTEM_EXTENDED_HANDLES = 64,
    TABLE_MAX = 64 * 1024 * 1024,
    TRIAL = 16,
    TOKEN_USES = 10,
    STEPS = 10,
    MOMENTS = 16
};

#define WELCOME_TIMEOUT (60 * UMX_SECOND)
#define MOMENT (40 * UMX_MILLISECOND)

/* ---- what the process holds */

/* What NtQuerySystemInformation answers: every handle of every process. */
struct handle_entry {
    void *object;
    ULONG_PTR process;
    ULONG_PTR handle;
    ULONG access;
    USHORT backtrace;
    USHORT type;
    ULONG attributes;
    ULONG reserved;
};

struct handle_table {
    ULONG_PTR count;
    ULONG_PTR reserved;
    struct handle_entry entries[];
};

/* Wine answers nothing to GetProcessHandleCount, and has the table. */
static long count_handles(void)
{
    DWORD told = 0;
    long count = 0;

    if (GetProcessHandleCount(GetCurrentProcess(), &told) && told > 0)
        return (long)told;
    for (ULONG size = 1024 * 1024; size <= TABLE_MAX; size *= 2) {
        struct handle_table *table = malloc(size);
        NTSTATUS status = table == NULL ? -1
                                        : NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)SYSTEM_EXTENDED_HANDLES,
                                                                   table, size, NULL);
        for (ULONG_PTR i = 0; status >= 0 && i < table->count; i++)
            count += table->entries[i].process == GetCurrentProcessId();
        free(table);
        if (status >= 0)
            return count;
    }
    return -1;
}

/* A count that does not move with what is opened would show no leak. */
static bool handles_are_counted(void)
{
    HANDLE opened[TRIAL];
    long before = count_handles();

    for (int i = 0; i < TRIAL; i++)
        opened[i] = CreateEventW(NULL, TRUE, FALSE, NULL);
    long with = count_handles();
    for (int i = 0; i < TRIAL; i++)
        CloseHandle(opened[i]);
    return before > 0 && with == before + TRIAL && count_handles() == before;
}

static void say(int done, int64_t begin)
{

    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof memory};

    GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory);
    printf("{\"done\":%d,\"seconds\":%.3f,\"handles\":%ld,\"working_set\":%lld}\n", done,
           (double)(umx_clock_monotonic() - begin) / (double)UMX_SECOND, count_handles(),
           (long long)memory.WorkingSetSize);
    fflush(stdout);
}

/* ---- what is done */

struct cycle {
    struct umx_agent_config config;
    struct umx_host *host;
    const char *operators;
    const char *tokens;
    FILE *nothing;
    int number;
};

static int hello(const struct cycle *cycle, uint8_t **bytes, size_t *length, struct umx_error *err)
{
    Umx__Hello hello = UMX__HELLO__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    char server[256];

    snprintf(server, sizeof server, "%s", cycle->host->identity.fqdn);
    hello.server = server;
    hello.has_protocol = hello.has_clock_at = 1;
    hello.protocol = UMX_AGENT_PROTOCOL;
    hello.clock_at = umx_clock_now();
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_HELLO;
    message.hello = &hello;
    return umx_reflect_pack(&message.base, bytes, length, err);
}

static int connect_once(struct cycle *cycle, struct umx_error *err)
{
    struct umx_identity_file identity = {0};
    struct umx_rpc_channel *channel = NULL;
    struct umx_rpc_client_call *call = NULL;
    uint8_t *request = NULL, *answer = NULL;
    size_t length = 0, answer_length = 0;
    int status = umx_identity_file_load(cycle->config.identity, &identity, err);

    if (status == 0) {
        struct umx_rpc_tls tls = umx_identity_file_tls(&identity);
        status = umx_rpc_channel_open(cycle->config.controller, &tls, NULL, UMX_MAX_AGENT_MESSAGE, &channel, err);
    }
    if (status == 0)
        status = hello(cycle, &request, &length, err);
    if (status == 0)
        status = umx_rpc_call_start(channel, "/umx.v1.Agents/Attach", request, length, false, 0, &call, err);
    if (status == 0 && umx_rpc_call_next(call, WELCOME_TIMEOUT, &answer, &answer_length, err) != UMX_RPC_MESSAGE)
        status = err->status != 0 ? err->status : umx_fail(err, UMX_ERR_PROTOCOL, "cycles", "no Welcome came");
    free(answer);
    free(request);
    umx_rpc_call_close(call);
    umx_rpc_channel_close(channel);
    umx_identity_file_free(&identity);
    return status;
}

static int begin_once(struct cycle *cycle, struct umx_error *err)
{
    umx_rpc_begin();
    int status = connect_once(cycle, err);
    umx_rpc_end();
    return status;
}

struct ending {
    atomic_bool stop;
    int64_t at;
};

static void *end_it(void *user)
{
    struct ending *ending = user;

    while (umx_clock_monotonic() < ending->at)
        Sleep(1);
    atomic_store(&ending->stop, true);
    return NULL;
}

static int live_once(struct cycle *cycle, struct umx_error *err)
{
    struct ending ending = {.at = umx_clock_monotonic() + cycle->number % MOMENTS * MOMENT};
    pthread_t thread;

    if (pthread_create(&thread, NULL, end_it, &ending) != 0)
        return umx_fail(err, UMX_ERR_MEMORY, "cycles", NULL);
    int status = umx_session_run(&cycle->config, cycle->host, "", &ending.stop, err);
    pthread_join(thread, NULL);
    return status;
}

static int enroll_once(struct cycle *cycle, struct umx_error *err)
{
    char token[UMX_AGENT_PATH_MAX];

    snprintf(token, sizeof token, "%s.%d", cycle->tokens, (cycle->number - 1) / TOKEN_USES);
    struct umx_enroll_options options = {.controller = cycle->operators, .token_file = token};
    return umx_enroll(&cycle->config, cycle->host->identity.fqdn, "", &options, cycle->nothing, err);
}

static const struct {
    const char *name;
    int (*once)(struct cycle *cycle, struct umx_error *err);
    int words;
    bool begun; /* once for all */
} kinds[] = {{"connect", connect_once, 4, true},
             {"begin", begin_once, 4, false},
             {"session", live_once, 4, true},
             {"enroll", enroll_once, 6, true}};

static int repeat(struct cycle *cycle, int kind, int count, struct umx_error *err)
{
    int64_t begin = umx_clock_monotonic();
    int status = 0;

    if (kinds[kind].begun)
        umx_rpc_begin();
    say(0, begin);
    for (int done = 1; status == 0 && done <= count; done++) {
        cycle->number = done;
        status = kinds[kind].once(cycle, err);
        if (status == 0 && done % (count / STEPS) == 0)
            say(done, begin);
    }
    if (kinds[kind].begun)
        umx_rpc_end();
    return status;
}

int main(int argc, char **argv)
{
    struct cycle cycle = {0};
    struct umx_error err = {0};
    char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 512];
    char **words = umx_command_line(&argc, argv);
    int kind = -1;

    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds) && words != NULL && argc > 1; i++)
        if (strcmp(words[1], kinds[i].name) == 0 && argc == kinds[i].words)
            kind = i;
    int count = kind >= 0 ? atoi(words[3]) : 0;
    if (count < STEPS) {
        fputs("usage: cycles connect|begin|session CONFIG COUNT | enroll CONFIG COUNT OPERATORS TOKENFILE\n", stderr);
        return 2;
    }
    if (!handles_are_counted()) {
        fputs("cycles: this system does not count handles\n", stderr);
        return 3;
    }
    if (argc == 6) {
        cycle.operators = words[4];
        cycle.tokens = words[5];
    }
    cycle.nothing = umx_open("NUL", "wb");
    if (cycle.nothing != NULL)
        umx_log_to(cycle.nothing); /* what is interrupted says so */
    int status = cycle.nothing == NULL ? umx_fail(&err, UMX_ERR_FILE_UNWRITABLE, "NUL", NULL)
                                       : umx_agent_config_read(words[2], &cycle.config, &err);
    if (status == 0)
        status = umx_host_open(cycle.config.host, &cycle.host, &err);
    if (status == 0)
        status = repeat(&cycle, kind, count, &err);
    if (status != 0)
        fprintf(stderr, "cycles: error %s\n", umx_error_format(&err, text, sizeof text));
    umx_host_close(cycle.host);
    return status == 0 ? 0 : 1;
}

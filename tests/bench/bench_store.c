/*
 * bench_store [SERVERS [ROWS [TURNS]]] - reports into state.db alone, without agents: 512 in a transaction, as the
 * controller stores them. What is changed is said in the name of each line; processor time for each report beside it.
 * The file is in the current directory and is removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/state.h"

enum { GROUP = 512, ROWS_MAX = 1000 };

static const char path[] = "bench-store.db";

static double processor(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void need(int status, const struct umx_error *err)
{
    char text[1024];

    if (status == UMX_OK)
        return;
    fprintf(stderr, "bench_store: %s\n", umx_error_format(err, text, sizeof text));
    exit(1);
}

static struct {
    Umx__Service services[ROWS_MAX];
    ProtobufCMessage *records[ROWS_MAX];
    char names[ROWS_MAX][32];
    char server[64];
} made;

static void make(int rows)
{
    static char shown[] = "Microsoft Exchange Unified Messaging", account[] = "NT AUTHORITY\\NetworkService";

    for (int i = 0; i < rows; i++) {
        Umx__Service *service = &made.services[i];
        umx__service__init(service);
        snprintf(made.names[i], sizeof made.names[i], "MSExchangeUM%03d", i);
        service->server = made.server;
        service->source = made.server;
        service->name = made.names[i];
        service->display_name = shown;
        service->account = account;
        service->has_state = service->has_start_type = service->has_process_id = service->has_started_at = 1;
        service->state = UMX__SERVICE__STATE__RUNNING;
        service->start_type = UMX__SERVICE__START__AUTOMATIC;
        service->started_at = INT64_C(1700000000000000) + i;
        service->has_collected_at = 1;
        made.records[i] = &service->base;
    }
}

/* The first `changed` rows of each server have another process than the turn before; anew: all rows of the server are
 * removed and written again. */
static void run(struct umx_state *state, const char *name, int servers, int rows, int turns, int changed, bool anew)
{
    static int process = 1;
    const struct umx_table *table = umx_reflect_table("service");
    struct umx_error err = {0};
    double used = processor();
    int64_t start = umx_clock_monotonic();

    for (int turn = 0; turn < turns; turn++, process++)
        for (int s = 0; s < servers; s++) {
            int status = s % GROUP == 0 ? umx_state_begin(state, &err) : UMX_OK;
            snprintf(made.server, sizeof made.server, "s%05d.bench.test", s);
            for (int i = 0; i < rows; i++) {
                made.services[i].collected_at = umx_clock_now();
                if (i < changed)
                    made.services[i].process_id = process;
            }
            uint8_t digest[32] = {(uint8_t)process, (uint8_t)s};
            if (status == UMX_OK)
                status = anew ? umx_state_replace(state, table, "server", made.server, made.records, (size_t)rows, &err)
                              : umx_state_merge(state, table, made.server, made.records, (size_t)rows, &err);
            if (status == UMX_OK)
                status =
                    umx_state_put_digest(state, made.server, made.server, table->name, digest, sizeof digest, &err);
            if (status == UMX_OK && (s % GROUP == GROUP - 1 || s == servers - 1))
                status = umx_state_commit(state, &err);
            need(status, &err);
        }
    double count = (double)servers * turns;
    printf("%s: %.0f reports a second, %.1f us of processor time each\n", name,
           count / ((double)(umx_clock_monotonic() - start) / (double)UMX_SECOND), (processor() - used) / count * 1e6);
    fflush(stdout);
}

static void clean(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    char name[64];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

int main(int argc, char **argv)
{
    int servers = argc > 1 ? atoi(argv[1]) : 10000, rows = argc > 2 ? atoi(argv[2]) : 16;
    int turns = argc > 3 ? atoi(argv[3]) : 2;
    struct umx_state *state;
    struct umx_error err = {0};

    if (servers < 1 || rows < 1 || rows > ROWS_MAX || turns < 1)
        return 2;
    clean();
    need(umx_state_open(path, &state, &err), &err);
    make(rows);
    run(state, "first reports", servers, rows, 1, rows, false);
    run(state, "every row has changed, written anew", servers, rows, turns, rows, true);
    run(state, "every row has changed", servers, rows, turns, rows, false);
    run(state, "one row has changed", servers, rows, turns, 1, false);
    run(state, "no row has changed", servers, rows, turns, 0, false);
    umx_state_close(state);
    clean();
    return 0;
}

/*
 * bench_records CONTROLLER IDENTITY SQL - one query through libumx alone: every record is taken, its JSON parsed and thrown
 * away. Prints `RECORDS SECONDS`. tests/bench/pipeline sets the module's pipeline beside it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/umx.h"

static _Noreturn void fail(const char *what, const umx_buf *said)
{
    fprintf(stderr, "bench_records: %s: %.*s\n", what, (int)said->length, said->data == NULL ? "" : (const char *)said->data);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static umx_session *opened(const char *controller, const char *identity)
{
    umx_session *session = NULL;
    umx_buf err = {0};
    char *json = NULL;
    json_t *made = json_pack("{s:s, s:s}", "controller", controller, "identity", identity);

    json = json_dumps(made, JSON_COMPACT);
    if (umx_session_open((const uint8_t *)json, strlen(json), &session, &err) != 0)
        fail("session", &err);
    free(json);
    json_decref(made);
    return session;
}

static long take_all(umx_op *op)
{
    long items = 0;

    for (;;) {
        umx_buf record = {0};
        int32_t kind = umx_op_next(op, 1000, &record);
        if (kind < 0)
            fail("operation", &record);
        if (record.length > 0)
            json_decref(json_loadb((const char *)record.data, record.length, 0, NULL));
        umx_buf_free(&record);
        if (kind == UMX_REC_END)
            return items;
        items += kind == UMX_REC_ITEM;
    }
}

int main(int argc, char **argv)
{
    umx_op *op = NULL;
    umx_buf err = {0};
    umx_session *session;
    json_t *request;
    char *json;
    double began;
    long items;

    if (argc != 4) {
        fprintf(stderr, "usage: bench_records CONTROLLER IDENTITY SQL\n");
        return 2;
    }
    session = opened(argv[1], argv[2]);
    request = json_pack("{s:s, s:{s:s}}", "operation", "query", "arguments", "sql", argv[3]);
    json = json_dumps(request, JSON_COMPACT);
    began = seconds();
    if (umx_op_start(session, (const uint8_t *)json, strlen(json), &op, &err) != 0)
        fail("start", &err);
    items = take_all(op);
    printf("%ld %.3f\n", items, seconds() - began);
    umx_op_close(op);
    umx_session_close(session);
    free(json);
    json_decref(request);
    return 0;
}

#include "words.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "identities.h"
#include "umx/v1/agent.pb-c.h"

enum { ROWS_MAX = 1000 };

static size_t pack(const ProtobufCMessage *message, uint8_t *out, size_t room)
{
    if (protobuf_c_message_get_packed_size(message) > room)
        die("a message is too large");
    return protobuf_c_message_pack(message, out);
}

/* What the rows are is in their generation, so that is their digest too. */
static void fill_digest(uint8_t digest[32], int64_t generation)
{
    memset(digest, 0x5a, 32);
    memcpy(digest, &generation, sizeof generation);
}

size_t words_report(uint8_t *out, size_t room, const char *fqdn, int rows, int64_t generation, int64_t query)
{
    static Umx__Service services[ROWS_MAX];
    static Umx__Service *list[ROWS_MAX];
    static char names[ROWS_MAX][32], shown[ROWS_MAX][48];
    static int made;
    static char account[] = "NT AUTHORITY\\NetworkService", table[] = "service";
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    Umx__Report report = UMX__REPORT__INIT;
    Umx__World world = UMX__WORLD__INIT;
    uint8_t digest[32];

    for (; made < ROWS_MAX; made++) {
        Umx__Service *s = &services[made];
        umx__service__init(s);
        snprintf(names[made], sizeof names[made], "MSExchangeUM%03d", made);
        snprintf(shown[made], sizeof shown[made], "Microsoft Exchange Unified Messaging %03d", made);
        s->name = names[made];
        s->display_name = shown[made];
        s->account = account;
        s->has_state = s->has_start_type = s->has_process_id = s->has_started_at = 1;
        s->state = UMX__SERVICE__STATE__RUNNING;
        s->start_type = UMX__SERVICE__START__AUTOMATIC;
        s->started_at = INT64_C(1700000000000000) + made;
        list[made] = s;
    }
    for (int i = 0; i < rows; i++) {
        memcpy(&services[i].server, &fqdn, sizeof fqdn);
        services[i].process_id = (int32_t)generation;
    }
    world.n_service = (size_t)rows;
    world.service = list;
    fill_digest(digest, generation);
    report.table = table;
    report.has_generation = report.has_digest = report.has_chunk = report.has_chunks = report.has_query = 1;
    report.generation = generation;
    report.digest = (ProtobufCBinaryData){.len = sizeof digest, .data = digest};
    report.chunks = 1;
    report.query = query;
    report.rows = &world;
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_REPORT;
    message.report = &report;
    return pack(&message.base, out, room);
}

size_t words_unchanged(uint8_t *out, size_t room, const char *table, int64_t generation, int64_t query)
{
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    Umx__Report report = UMX__REPORT__INIT;
    uint8_t digest[32];

    fill_digest(digest, generation);
    memcpy(&report.table, &table, sizeof table);
    report.has_generation = report.has_digest = report.has_unchanged = report.has_query = 1;
    report.generation = generation;
    report.digest = (ProtobufCBinaryData){.len = sizeof digest, .data = digest};
    report.unchanged = 1;
    report.query = query;
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_REPORT;
    message.report = &report;
    return pack(&message.base, out, room);
}

size_t words_hello(uint8_t *out, size_t room, const char *fqdn)
{
    static char version[] = "bench";
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    Umx__Hello hello = UMX__HELLO__INIT;

    memcpy(&hello.server, &fqdn, sizeof fqdn);
    hello.version = version;
    hello.has_protocol = hello.has_recorded = hello.has_clock_at = 1;
    hello.protocol = 1;
    hello.clock_at = umx_clock_now();
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_HELLO;
    message.hello = &hello;
    return pack(&message.base, out, room);
}

size_t words_collect(uint8_t *out, size_t room, int64_t query)
{
    static char table[] = "service";
    static char *tables[] = {table};
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    Umx__Collect collect = UMX__COLLECT__INIT;

    collect.has_query = collect.has_timeout = 1;
    collect.query = query;
    collect.timeout = 30;
    collect.n_table = 1;
    collect.table = tables;
    message.message_case = UMX__TO_AGENT__MESSAGE_COLLECT;
    message.collect = &collect;
    return pack(&message.base, out, room);
}

double seconds(void)
{
    return (double)umx_clock_monotonic() / (double)UMX_SECOND;
}

double processor(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

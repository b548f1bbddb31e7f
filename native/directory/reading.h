/*
 * One read of a forest: where its things are, what is collected on the way, and what could not be read.
 * Shared by the readers; controllers use umx_readers_read.
 */
#ifndef UMX_DIRECTORY_READING_H
#define UMX_DIRECTORY_READING_H

#include "base/arena.h"
#include "base/error.h"
#include "directory/connection.h"
#include "directory/part.h"
#include "umx/v1/world.pb-c.h"

enum {
    UMX_READING_ARENA = 64 * 1024 * 1024,
    UMX_READING_INCOMPLETE_MAX = 256,
    UMX_READING_KINDS_MAX = 32,
    UMX_READING_POOLS_MAX = 1024,
    UMX_READING_DOMAINS_MAX = 256,
    UMX_READING_SERVERS_MAX = 4096,
};

/* Voice users counted by the pool that their home server lies below. */
struct umx_pool_count {
    const char *home_dn; /* as users have it */
    int32_t users;
};

/* Records sent, by kind. */
struct umx_sent {
    const ProtobufCMessageDescriptor *record;
    size_t count;
};

struct umx_reading {
    struct umx_connection *connection;
    struct umx_part *part;
    struct umx_arena *arena; /* lives as long as the read */
    const char *forest;
    const char *source;
    int64_t collected_at;
    char *const *tables; /* wanted; none: all */
    size_t table_count;
    char *const *groups; /* overrides meaning=name or meaning=SID */
    size_t group_count;

    Umx__Forest record; /* sent last */
    char *incomplete[UMX_READING_INCOMPLETE_MAX];

    struct umx_pool_count homes[UMX_READING_POOLS_MAX];
    size_t home_count;
    struct umx_sent sent[UMX_READING_KINDS_MAX];
    Umx__Domain *domains[UMX_READING_DOMAINS_MAX]; /* wait for the SIDs that the trusts carry */
    size_t domain_count;
    Umx__ExchangeServer *servers[UMX_READING_SERVERS_MAX]; /* wait for their call routers */
    size_t server_count;
};

bool umx_reading_wants(const struct umx_reading *reading, const char *table);

/* Names what is missing: table, colon, reason. Never fails: what does not fit is counted in the last line. */
void umx_reading_incomplete(struct umx_reading *reading, const char *table, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True when the error ends the whole read: no time, no connection, no memory, or the controller is gone. */
bool umx_reading_fatal(const struct umx_reading *reading, const struct umx_error *why);

/* Fills forest, collected_at and source of a record, and sends it. */
int umx_reading_emit(struct umx_reading *reading, ProtobufCMessage *record, struct umx_error *err);

/* Records of a table sent so far. */
size_t umx_reading_sent(const struct umx_reading *reading, const char *table);

/* Text "relative,anchor" in the arena; relative may be "". */
char *umx_reading_dn(struct umx_reading *reading, const char *relative, const char *anchor);

/* The parts of a read, in this order. Each returns an error only when the read cannot go on. */
int umx_read_forest_begin(struct umx_reading *reading, struct umx_error *err);
int umx_read_tables(struct umx_reading *reading, struct umx_error *err);
int umx_read_containers(struct umx_reading *reading, struct umx_error *err);
int umx_read_groups(struct umx_reading *reading, struct umx_error *err);
int umx_read_forest_end(struct umx_reading *reading, struct umx_error *err);

#endif

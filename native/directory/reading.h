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
#include "directory/readers.h"
#include "umx/v1/world.pb-c.h"

enum {
    UMX_READING_ARENA = 64 * 1024 * 1024,
    UMX_READING_KINDS_MAX = 32,
    UMX_READING_GAP_LINES = 8, /* about one table in Forest.incomplete; the last one counts the others */
    UMX_READING_INCOMPLETE_MAX = UMX_READING_KINDS_MAX * UMX_READING_GAP_LINES,
    UMX_READING_POOLS_MAX = 1024,
    UMX_READING_DOMAINS_MAX = 256,
    UMX_READING_SERVERS_MAX = 4096,
    UMX_READING_UNITS_MAX = 2000,         /* organizational units whose rights are read */
    UMX_READING_UNITS_COUNTED_MAX = 4096, /* that have contacts */
};

/* Voice users counted by the pool that their home server lies below. */
struct umx_pool_count {
    const char *home_dn; /* as users have it */
    int32_t users;
};

/* A domain of the forest with a domain controller of its own to ask. */
struct umx_read_domain {
    const char *name, *dn;
    struct umx_connection *connection; /* the reading's own for its domain */
};

struct umx_changes; /* directory/read_changes.h */

/* Contacts counted by the object that they are directly in. */
struct umx_unit_count {
    const char *dn;
    int32_t contacts;
};

/* What was said of a table in Forest.incomplete. */
struct umx_reading_gap {
    const char *table;
    size_t lines;  /* written out */
    size_t more;   /* only counted */
    char *counted; /* the line that says how many */
};

/* Records sent, by kind. */
struct umx_sent {
    const ProtobufCMessageDescriptor *record;
    size_t count;
};

struct umx_reading {
    struct umx_connection *connection;
    const struct umx_readers_source *asked;
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
    struct umx_reading_gap gaps[UMX_READING_KINDS_MAX];
    const char *closed; /* a domain of which no domain controller could be asked; NULL: none */

    struct umx_pool_count homes[UMX_READING_POOLS_MAX];
    size_t home_count;
    struct umx_sent sent[UMX_READING_KINDS_MAX];
    Umx__Domain *domains[UMX_READING_DOMAINS_MAX]; /* wait for the SIDs that the trusts carry */
    size_t domain_count;
    Umx__ExchangeServer *servers[UMX_READING_SERVERS_MAX]; /* wait for their call routers */
    size_t server_count;
    struct umx_read_domain open[UMX_READING_DOMAINS_MAX]; /* the root domain is the first */
    size_t open_count;
    struct umx_unit_count counted[UMX_READING_UNITS_COUNTED_MAX];
    size_t counted_count;
    struct umx_changes *changes;  /* NULL: nobody asks about changes */
    Umx__SyncState *const *since; /* a refresh begins here */
    size_t since_count;
};

bool umx_reading_wants(const struct umx_reading *reading, const char *table);

/* Whether the forest may hold Lync: in others nobody looks for pools, units of contacts, or groups of it. */
bool umx_reading_lync(const struct umx_reading *reading);

/* Names what is missing: table (a constant), colon, reason. Never fails: each table has a line for certain, and what
 * does not fit is counted in its last one. Numbers that come of the table's records make the table that holds them
 * incomplete too: pools count users, units contacts. */
void umx_reading_incomplete(struct umx_reading *reading, const char *table, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sends the entries of a DACL whose trustee or kind is wanted (choose NULL: all), in their places. */
struct umx_descriptor;
struct umx_ace;
typedef bool umx_read_choose(void *user, const struct umx_ace *ace);
int umx_reading_emit_dacl(struct umx_reading *reading, const char *dn, const struct umx_descriptor *dacl,
                          umx_read_choose *choose, void *user, struct umx_arena *arena, struct umx_error *err);

/* True when the error ends the whole read: no time, no connection, no memory, or the controller is gone. */
bool umx_reading_fatal(const struct umx_reading *reading, const struct umx_error *why);
/* The same for a connection that may be to another domain, whose domain controllers do not end the read. */
bool umx_reading_fatal_on(const struct umx_reading *reading, const struct umx_connection *connection,
                          const struct umx_error *why);

/* Fills forest, collected_at and source of a record, and sends it. */
int umx_reading_emit(struct umx_reading *reading, ProtobufCMessage *record, struct umx_error *err);

/* Records of a table sent so far. */
size_t umx_reading_sent(const struct umx_reading *reading, const char *table);

/* Text "relative,anchor" in the arena; relative may be "". */
char *umx_reading_dn(struct umx_reading *reading, const char *relative, const char *anchor);

/* The parts of a read, in this order. Each returns an error only when the read cannot go on. */
int umx_read_forest_begin(struct umx_reading *reading, struct umx_error *err);
int umx_read_topology(struct umx_reading *reading, struct umx_error *err);
int umx_read_people(struct umx_reading *reading, struct umx_error *err);
int umx_read_units(struct umx_reading *reading, struct umx_error *err);
int umx_read_tables(struct umx_reading *reading, struct umx_error *err);
int umx_read_containers(struct umx_reading *reading, struct umx_error *err);
int umx_read_groups(struct umx_reading *reading, struct umx_error *err);
int umx_read_forest_end(struct umx_reading *reading, struct umx_error *err);

#endif

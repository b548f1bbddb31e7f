/*
 * What an agent reports: one collector a table, in one list. A collector reads the host and adds rows; it decides
 * nothing about them. Rows carry neither `collected_at` nor `source`: the controller adds those.
 */
#ifndef UMX_AGENT_COLLECT_H
#define UMX_AGENT_COLLECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/host/host.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/reflect.h"
#include "umx/v1/agent.pb-c.h"

enum {
    UMX_COLLECT_ARENA = 64 * 1024 * 1024, /* cap for one table, what is read for it included */
    UMX_COLLECT_ROWS_MAX = 20000,
    UMX_COLLECT_TEXT_MAX = 8 * 1024, /* bytes of one text field; longer ones are cut */
    UMX_DIGEST = 32,
};

/* Rows of one table with the arena they live in. */
struct umx_rows {
    struct umx_arena *arena;
    ProtobufCMessage **items;
    size_t count;
    size_t capacity;
    bool full; /* out of memory, or too many rows */
};

int umx_rows_begin(struct umx_rows *rows, struct umx_error *err);
/* A new, empty row; NULL when full (the flag stays set, so that collectors need not check each one). */
void *umx_rows_add(struct umx_rows *rows, const ProtobufCMessageDescriptor *type);
/* A text of a row: cut at the maximum; "" and NULL stay unset. */
char *umx_rows_text(struct umx_rows *rows, const char *text);
/* Puts rows in a stable order and gives the SHA-256 over their packed bytes, each with its length before it. */
int umx_rows_digest(struct umx_rows *rows, uint8_t digest[UMX_DIGEST], struct umx_error *err);
void umx_rows_end(struct umx_rows *rows);

/* What a collector works with. */
struct umx_collect {
    struct umx_host *host;
    struct umx_rows *rows;
    struct umx_arena *scratch;        /* freed when the table is collected */
    Umx__ProofTarget *const *targets; /* proof only */
    size_t target_count;
    /* For proofs in a child process: path of this program (NULL or "": prove in this one), and the host as configured.
     */
    const char *program;
    const char *where;
    const atomic_bool *stop; /* NULL allowed */
};

struct umx_collector {
    const char *table;
    /* Cheap enough to be asked every few seconds; the others wait for the report interval or a change. */
    bool quick;
    /* It tries something outside this machine: never from a change, always in its own time. */
    bool proof;
    unsigned areas; /* of the host that it reads: bits of enum umx_host_area */
    int (*collect)(struct umx_collect *collect, struct umx_error *err);
};

extern const struct umx_collector umx_collectors[];
extern const size_t umx_collector_count;

const struct umx_collector *umx_collector_find(const char *table); /* NULL: none */

/* Collects one table into rows (begun here; umx_rows_end by the caller, also after an error). collect->rows and
 * collect->scratch are set here. */
int umx_collect_table(const struct umx_collector *collector, struct umx_collect *collect, struct umx_rows *rows,
                      struct umx_error *err);

/* ---- the collectors */
int umx_collect_server(struct umx_collect *collect, struct umx_error *err);
int umx_collect_role(struct umx_collect *collect, struct umx_error *err);
int umx_collect_service(struct umx_collect *collect, struct umx_error *err);
int umx_collect_certificate(struct umx_collect *collect, struct umx_error *err);
int umx_collect_listener(struct umx_collect *collect, struct umx_error *err);
int umx_collect_event(struct umx_collect *collect, struct umx_error *err);
int umx_collect_um_setting(struct umx_collect *collect, struct umx_error *err);
int umx_collect_lync_dial_plan(struct umx_collect *collect, struct umx_error *err);
int umx_collect_lync_policy(struct umx_collect *collect, struct umx_error *err);
int umx_collect_lync_pool_member(struct umx_collect *collect, struct umx_error *err);
int umx_collect_lync_user(struct umx_collect *collect, struct umx_error *err);
int umx_collect_local_administrator(struct umx_collect *collect, struct umx_error *err);
int umx_collect_proof(struct umx_collect *collect, struct umx_error *err);

#endif

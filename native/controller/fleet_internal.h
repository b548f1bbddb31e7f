/* What the files of the fleet share: fleet.c (agents, answers), fleet_stream.c (one stream), fleet_writer.c (the
 * store), fleet_collect.c (tables asked for now), fleet_fresh.c (how fresh it is), fleet_head.c (the journal's head
 * with the agents), fleet_identity.c (identities that end), fleet_update.c (their updates). */
#ifndef UMX_CONTROLLER_FLEET_INTERNAL_H
#define UMX_CONTROLLER_FLEET_INTERNAL_H

#include <pthread.h>

#include "controller/fleet.h"
#include "rpc/trust.h"

enum {
    FLEET_PROTOCOL = 1,
    FLEET_QUEUE_SOFT = 2048, /* reports that wait to be stored: above it senders are read more slowly */
    FLEET_QUEUE_SOFT_BYTES = 64 * 1024 * 1024,
    FLEET_REPORT_CAP = 16 * 1024 * 1024,   /* bytes of one table of one agent */
    FLEET_QUEUE_BYTES = 512 * 1024 * 1024, /* of all reports that wait; above it the sender's stream ends */
    FLEET_BURST = 256, /* messages an agent may send at once, and then each second; no agent has that much to say */
    FLEET_RATE = 10,
    FLEET_BURST_BYTES = 64 * 1024 * 1024,
    FLEET_RATE_BYTES = 1024 * 1024,
    FLEET_DIGEST = 32,
    FLEET_TABLES = 16,  /* tables an agent may report */
    FLEET_RENEWALS = 8, /* certificates an agent may ask for at once, and then one in: */
};

#define FLEET_RENEWAL_INTERVAL (10 * UMX_MINUTE)

/* What is stored of one table of one agent. */
struct fleet_table {
    const struct umx_table *table;
    int64_t generation;
    uint8_t digest[FLEET_DIGEST];
    bool known;
    int64_t confirmed_at;      /* rows came, or a digest that is known; 0: not since this controller began */
    int64_t confirmed_on;      /* the same by the monotonic clock */
    bool failed;               /* the last collection failed: the rows are older */
    struct fleet_job *waiting; /* its report that waits to be stored: a newer one takes its place */
    bool storing;              /* one of its reports is being stored: the digest is still the one before */
    bool dropped;              /* meanwhile the server's rows were dropped, and its own may be among them */
};

struct fleet_session;

/* What an agent said of updates on its present or last stream. */
struct fleet_update {
    char kind[16];
    char architecture[16];
    char id[33]; /* "": nothing yet */
    Umx__UpdateState__State state;
    int64_t offset;
    char error[16];
    char reason[256];
};

struct fleet_agent {
    struct fleet_agent *next;
    struct fleet_agent *next_of_slot;
    char uri[UMX_IDENTITY_MAX];
    char server[UMX_FQDN_MAX];
    char forest[UMX_FQDN_MAX];
    char version[32];
    char peer[128];
    char reason[256]; /* why it is not connected */
    char key[65];     /* SHA-256 of its newest certificate's public key, hex */
    bool revoked;
    bool ever;
    bool recorded;
    int64_t connected_at;
    int64_t gone_at; /* when its last stream ended */
    int64_t last_report_at;
    int64_t expires_at;
    struct fleet_session *session;   /* NULL: silent */
    struct umx_journal_head witness; /* sequence 0: it knew none */
    bool disagrees; /* the witness is not what the journal had: it is told of no other entry, and keeps what it knows */
    struct fleet_table tables[FLEET_TABLES];
    size_t table_count;
    int64_t superseded; /* reports that a newer one replaced */
    int64_t held;       /* pauses for saying too much */
    int64_t held_at;
    struct fleet_update update;
    int64_t renewal_due; /* monotonic: when all its renewals are earned again; 0: they are */
};

/* One stream. Owned by the transport between opened and closed. */
struct fleet_session {
    struct umx_fleet *fleet;
    struct umx_rpc_stream *stream;
    struct umx_identity identity;
    char peer[128];
    struct fleet_agent *agent; /* after a good Hello */
    bool has_trust;            /* it said which trust it keeps */
    uint8_t trust[UMX_TRUST_ID];
    struct umx_world *rows; /* the report that is being put together */
    const struct umx_table *table;
    int64_t generation;
    int32_t chunks_seen;
    int64_t budget_at; /* monotonic; only its own thread: what it may still send */
    int64_t budget;
    int64_t budget_bytes;
};

/* One complete report on its way to the store. */
struct fleet_job {
    struct fleet_job *next;
    char uri[UMX_IDENTITY_MAX];
    char server[UMX_FQDN_MAX];
    const struct umx_table *table;
    int64_t generation;
    uint8_t digest[FLEET_DIGEST];
    struct umx_world *rows;
    size_t bytes;  /* of the rows */
    int64_t query; /* the collection that it answers, or 0 */
    bool unwanted; /* its agent was taken out of the fleet meanwhile: it is not stored */
};

/* A table that was asked of one agent. */
struct fleet_asked {
    struct fleet_session *session; /* its stream; only compared once it is done */
    const struct umx_table *table;
    size_t agent; /* number of the agent in the collection */
    bool rows;    /* its digest was not known: any rows answer now */
    bool done;
    char *why; /* NULL: it was answered */
};

/* A collection that waits for its answers. */
struct fleet_collection {
    struct fleet_collection *next;
    int64_t query;
    struct fleet_asked *asked; /* by session, then by table */
    size_t count;
    size_t open;
    size_t failed;
};

/* An action batch that waits for its results. */
struct fleet_wait {
    struct fleet_wait *next;
    const char *batch;
    size_t expected;
    size_t got;
    struct umx_arena *arena;
    Umx__ActionResult **results; /* by item */
    bool gone;                   /* the stream ended */
    struct fleet_session *session;
};

struct umx_fleet {
    struct umx_controller *controller;
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t changed;
    struct fleet_agent *agents;
    struct fleet_agent **slots; /* by the hash of the URI */
    size_t slot_count;          /* a power of two */
    size_t agent_count;
    struct fleet_wait *waits;
    struct fleet_collection *collections;
    int64_t last_query;
    int64_t picture;  /* grows when an agent comes, goes or reports */
    int64_t head_due; /* monotonic: the journal's head is told then; 0: nobody needs to hear of it */
    int64_t head_told;
    int32_t renew_within; /* seconds in which the agents of a rotation renew */
    struct umx_arena *proof_arena;
    Umx__ProofTarget **proofs; /* all; agents are told the first of them */
    size_t proofs_told;
    size_t proof_count;
    struct fleet_job *jobs;
    struct fleet_job **jobs_end;
    size_t job_count;
    size_t job_bytes;
    bool hurry; /* who waits for agents goes home: the controller ends */
    bool stopping;
    pthread_t writer;
};

/* All with the mutex held. */
struct fleet_agent *fleet_agent_by_uri(struct umx_fleet *fleet, const char *uri);
struct fleet_agent *fleet_agent_add(struct umx_fleet *fleet, const char *uri, const char *server, const char *forest);
void fleet_agent_remove(struct umx_fleet *fleet, struct fleet_agent *agent);                     /* it has no session */
struct fleet_table *fleet_agent_table(struct fleet_agent *agent, const struct umx_table *table); /* NULL: too many */
int fleet_send(struct fleet_session *session, const Umx__ToAgent *message);
int fleet_send_welcome(struct fleet_session *session);
/* Takes the job, or the place of an older one of the same table, whose rows are dropped. *crowded: much waits. */
int fleet_enqueue(struct fleet_session *session, struct fleet_job *job, bool *crowded);
/* Counts only for batches that were sent on the same stream: an agent does not answer for another one. */
void fleet_action_result(struct fleet_session *session, const Umx__ActionResult *result);

/* ---- fleet_fresh.c: with the mutex held */
/* An agent came, went, or reported: those who watch the agents look again. */
void fleet_picture_changed(struct umx_fleet *fleet);

/* ---- fleet_stream.c */
/* The table of this name when an agent may report it, else NULL. */
const struct umx_table *fleet_reported_table(const char *name);

/* ---- fleet_collect.c: with the mutex held */
/* The table's rows are stored as the agent has them. query 0: nobody asked. */
void fleet_collection_answered(struct fleet_session *session, const struct umx_table *table, int64_t query, bool rows);
/* The rows were asked for, since their digest is not known. */
void fleet_collection_resent(struct fleet_session *session, const struct umx_table *table, int64_t query);
void fleet_collection_failed(struct fleet_session *session, const struct umx_table *table, int64_t query,
                             const char *why);
void fleet_collection_gone(struct fleet_session *session);

/* ---- fleet_head.c: with the mutex held */
void fleet_head_fill(struct umx_fleet *fleet, Umx__JournalHead *head, struct umx_journal_head *space);
void fleet_head_heard(struct umx_fleet *fleet, struct fleet_agent *agent, const Umx__JournalHead *head);
/* Tells every agent when it is time; the monotonic time of the next call, 0: none. */
int64_t fleet_head_tell(struct umx_fleet *fleet);

/* ---- fleet_update.c: hello with the mutex held, heard without */
void fleet_update_hello(struct fleet_agent *agent, const Umx__Hello *hello);
void fleet_update_heard(struct fleet_session *session, const Umx__UpdateState *state);

/* ---- fleet_trust.c: with the mutex held. id NULL: it keeps none */
void fleet_trust_heard(struct fleet_session *session, const ProtobufCBinaryData *id);

void *fleet_writer_main(void *fleet);

#endif

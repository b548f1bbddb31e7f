/* What the files of the enrolment share: enrolment.c (journal, tokens), enrolment_enrol.c (requests),
 * enrolment_agents.c (decisions, revocation), enrolment_renew.c (the thread). */
#ifndef UMX_CONTROLLER_ENROLMENT_INTERNAL_H
#define UMX_CONTROLLER_ENROLMENT_INTERNAL_H

#include <pthread.h>

#include "base/clock.h"
#include "base/token.h"
#include "controller/enrolment.h"
#include "umx/v1/plan.pb-c.h"

enum {
    ENROL_HASH = 32,
    ENROL_KEY = 65,
    ENROL_REPEATS_MAX = 16,   /* certificates for one key with one token */
    ENROL_QUEUE_MAX = 1024,   /* renewals that wait */
    ENROL_KEY_PREFIX_MIN = 16 /* digits of a fingerprint */
};

struct enrol_token {
    char id[UMX_TOKEN_ID + 1];
    uint8_t hash[ENROL_HASH];
    char *server;  /* or NULL */
    char *pattern; /* or NULL */
    char *forest;
    char *created_by;
    int32_t uses;
    int32_t used;
    int64_t created_at;
    int64_t expires_at;
    int64_t revoked_at;
};

enum enrol_state { ENROL_ENROLLED, ENROL_HELD, ENROL_ACCEPTED, ENROL_REJECTED };

/* One key that used a token. */
struct enrol_use {
    char token[UMX_TOKEN_ID + 1];
    char key[ENROL_KEY];
    enum enrol_state state;
    char *server;
    char *forest;
    char *agent;    /* identity it was given; NULL while held */
    char *previous; /* identity in whose place it comes, or NULL */
    char previous_key[ENROL_KEY];
    char *peer;
    int64_t at;
    int repeats;
};

struct enrol_renewal {
    struct enrol_renewal *next;
    struct umx_identity agent;
    size_t length;
    uint8_t request[];
};

struct umx_enrolment {
    struct umx_controller *controller;
    pthread_mutex_t mutex; /* guards what follows, also over writes to the journal */
    struct enrol_token *tokens;
    size_t token_count;
    size_t token_capacity;
    struct enrol_use *uses;
    size_t use_count;
    size_t use_capacity;
    uint8_t (*requests)[ENROL_HASH]; /* that were answered with a certificate, or held */
    size_t request_count;
    size_t request_capacity;

    pthread_mutex_t queue_mutex; /* guards what follows */
    pthread_cond_t queue_changed;
    struct enrol_renewal *queue;
    struct enrol_renewal **queue_end;
    size_t queue_count;
    bool stopping;
    bool started;
    pthread_t thread;
};

/* All with the mutex held. */

/* Makes an entry durable, and then true here. */
int enrol_append(struct umx_enrolment *enrolment, Umx__Journal__Kind kind, Umx__Enrolment *what, const char *actor,
                 struct umx_error *err);
struct enrol_token *enrol_token_of(const struct umx_enrolment *enrolment, const char *id);
struct enrol_use *enrol_use_of(struct umx_enrolment *enrolment, const char *token, const char *key);

/* The agent of a server in issued.tsv that is not forgotten, the newest; false: there is none. Copied. */
struct enrol_known {
    char uri[UMX_IDENTITY_MAX];
    char key[ENROL_KEY];
    char previous_key[ENROL_KEY];
    bool revoked;
};
int enrol_find_known(struct umx_enrolment *enrolment, const char *server, struct enrol_known *out, bool *found,
                     struct umx_error *err);

/* The configured forest that a host name lies in, the longest; NULL: in none. */
const char *enrol_forest_of(const struct umx_enrolment *enrolment, const char *fqdn);

/* 64 hex digits to and from 32 bytes. */
bool enrol_from_hex(const char *hex, uint8_t out[ENROL_HASH]);

#endif

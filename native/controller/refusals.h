/*
 * Who was refused after TLS, in the journal: who, from where, what and why. The journal cannot be filled with it: the
 * first of a kind (who, error) is written at once, the next ones are counted and written as one entry, and all entries
 * together have a budget. Nothing here waits for the disk but a thread of its own.
 */
#ifndef UMX_CONTROLLER_REFUSALS_H
#define UMX_CONTROLLER_REFUSALS_H

#include "controller/controller.h"
#include "rpc/rpc.h"

struct umx_refusals;

enum {
    UMX_REFUSALS_BURST = 64,     /* entries that may be written one after the other */
    UMX_REFUSALS_INTERVAL = 300, /* seconds after which one more may be; 288 a day, below 300 KB */
    UMX_REFUSALS_SUMMARY = 600,  /* seconds between two entries of a kind that goes on */
};

int umx_refusals_open(struct umx_controller *controller, struct umx_refusals **out, struct umx_error *err);
/* Writes what was counted, and ends. NULL is allowed. */
void umx_refusals_close(struct umx_refusals *refusals);

/* Any thread; never blocks for long. peer may be NULL or of role NONE; what is the method or operation. */
void umx_refusals_note(struct umx_refusals *refusals, const struct umx_identity *peer, const char *address,
                       const char *what, const struct umx_error *why);
/* The same as struct umx_rpc_server_options wants it. */
void umx_refusals_hear(void *user, const struct umx_identity *peer, const char *address, const char *path,
                       const struct umx_error *why);
/* Since the start. */
int64_t umx_refusals_count(struct umx_refusals *refusals);

#endif

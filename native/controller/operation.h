/*
 * Operations: what operators can ask over the one Run call (design 8). One table {name, argument message, role,
 * mutates, deadline, function}; everything else follows from it. Default-deny: an operation runs only for a caller
 * whose role it names.
 */
#ifndef UMX_CONTROLLER_OPERATION_H
#define UMX_CONTROLLER_OPERATION_H

#include "base/arena.h"
#include "base/error.h"
#include "base/reflect.h"
#include "controller/controller.h"
#include "rpc/rpc.h"
#include "umx/v1/operator.pb-c.h"

/* One running operation. Lives on the thread that serves the call. */
struct umx_operation {
    struct umx_controller *controller;
    struct umx_rpc_call *call;
    const struct umx_identity *caller;
    char name[64];                     /* in the table; "": not known yet */
    const ProtobufCMessage *arguments; /* of the type in the table */
    struct umx_arena *arena;
    int64_t until;       /* monotonic end of its time; 0: none */
    int64_t checked_at;  /* monotonic: when the caller's right to it was looked at */
    struct umx_text end; /* members of the end event's object, without braces */
};

/* Looking, acting, auditing. */
enum umx_access { UMX_ACCESS_VIEWER, UMX_ACCESS_OPERATOR, UMX_ACCESS_AUDITOR };

struct umx_operation_row {
    const char *name;
    const ProtobufCMessageDescriptor *arguments;
    enum umx_access access;
    bool mutates; /* written to the log with the caller's name */
    int deadline; /* seconds; 0 for those that end when the caller goes away */
    int (*run)(struct umx_operation *operation, struct umx_error *err);
};

/* The table; name NULL ends it. */
const struct umx_operation_row *umx_operations(void);

/* The handler of /umx.v1.Operators/Run; user is the struct umx_controller. */
int umx_operation_serve(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                        size_t length, struct umx_error *err);

/* Microseconds that are left of its time; 0: it has no end. */
int64_t umx_operation_left(const struct umx_operation *operation);

/* For operations that last: looks again at whether the caller may still do this, twice a minute and no more often. An
 * account that was disabled meanwhile has its last picture then. */
int umx_operation_recheck(struct umx_operation *operation, struct umx_error *err);

/* One item of the array named type. */
int umx_operation_item(struct umx_operation *operation, const char *type, const ProtobufCMessage *item,
                       struct umx_error *err);
int umx_operation_item_json(struct umx_operation *operation, const char *type, const char *json, struct umx_error *err);
/* A long text, a page or a file, as several items of that type: no message becomes too large. Cut between characters.
 */
int umx_operation_parts(struct umx_operation *operation, const char *type, const struct umx_text *text,
                        struct umx_error *err);
/* A problem that does not end the operation, for example one forest of three. */
int umx_operation_warn(struct umx_operation *operation, const struct umx_error *warning, struct umx_error *err);
int umx_operation_progress(struct umx_operation *operation, const char *activity, int64_t done, int64_t total,
                           struct umx_error *err);
/* Members of the end event. */
void umx_operation_end_integer(struct umx_operation *operation, const char *key, int64_t value);
void umx_operation_end_string(struct umx_operation *operation, const char *key, const char *value);
void umx_operation_end_json(struct umx_operation *operation, const char *key, const char *json);

#endif

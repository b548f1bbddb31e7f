/*
 * The connection as its own files see it.
 */
#ifndef UMX_DIRECTORY_CONNECTION_INTERNAL_H
#define UMX_DIRECTORY_CONNECTION_INTERNAL_H

#include <ldap.h>
#include <sys/time.h>

#include "directory/connection.h"
#include "directory/ldap_error.h"

struct umx_connection {
    LDAP *ld;
    struct umx_arena *arena;
    const char *host; /* as asked for */
    struct umx_root_dse root;
    const char **token;
    size_t token_count;
    int64_t deadline; /* monotonic */
    int64_t timeout;  /* microseconds of one operation */
    bool pages;       /* supports paged results */
    bool broken;
};

/* Time left for one operation; false when the deadline has passed. */
bool umx_connection_time_left(const struct umx_connection *connection, struct timeval *left);

/* Waits for the next message of an operation; search: of one that the server takes its time for, as the whole forest is
 * looked through. *type is its tag. */
int umx_connection_result(struct umx_connection *connection, int message_id, bool search, LDAPMessage **message,
                          int *type, const char *what, struct umx_error *err);

/* The control that limits nTSecurityDescriptor to its DACL. */
LDAPControl umx_connection_dacl_control(void);

#endif

/*
 * The controller's configuration file (design 8). Secrets are never in it, only the names of files that hold them.
 */
#ifndef UMX_CONTROLLER_CONFIG_H
#define UMX_CONTROLLER_CONFIG_H

#include <stddef.h>

#include "base/error.h"
#include "controller/engine.h"
#include "umx/v1/worker.pb-c.h"

enum { UMX_MAX_FORESTS = 64, UMX_MAX_LIST = 64 };

/* Strings separated by commas in the file. */
struct umx_list {
    char *items[UMX_MAX_LIST];
    size_t count;
};

struct umx_forest_config {
    char *name; /* DNS name of the root domain, lower case */
    Umx__Forest__Side side;
    Umx__Configure__Bind bind;
    char *reader; /* principal, or UPN for simple binds */
    char *writer;
    char *reader_keytab; /* `keytab` sets both */
    char *writer_keytab;
    char *reader_password_file;
    char *writer_password_file;
    char *tls_ca;
    char *operator_ca; /* PEM of the CAs that vouch for this forest's administrators */
    char *service;        /* principal of logins by Kerberos without its realm; NULL: umx/ and the controller's name */
    char *service_keytab; /* its keys; NULL: no logins by Kerberos in this forest */
    char *replay_cache;   /* file of the tickets that were shown; made by the controller */
    struct umx_list domain_controllers;
    struct umx_list viewers;   /* groups by name or SID; empty: every operator that this forest vouched for */
    struct umx_list operators; /* empty: members of the forest's administrative groups */
    struct umx_list auditors;
    struct umx_list
        groups; /* meaning=name or meaning=SID; the three lists above are added as viewer=, operator=, auditor= */
};

struct umx_config {
    char *agents;    /* HOST:PORT */
    char *operators; /* HOST:PORT */
    char *data;      /* directory */
    enum umx_engine_policy approval;
    int refresh;         /* seconds between background readings of the forests; 0: only when asked */
    int report_interval; /* seconds between full reports of an agent */
    int read_timeout;    /* seconds that reading one forest may take */
    int undo_hours;      /* how long an approval covers the undo of its plan */
    int login_hours;     /* how long a certificate for a Kerberos ticket lives; never longer than the ticket */
    int handshake_timeout;       /* seconds that a TLS handshake may take */
    int connections_per_address; /* open connections of one address, both listeners together; 0: any number */
    struct umx_forest_config forests[UMX_MAX_FORESTS];
    size_t forest_count;
};

/* Reads and checks the file; the error names the line or the key. */
int umx_config_load(const char *path, struct umx_config **out, struct umx_error *err);
void umx_config_free(struct umx_config *config); /* NULL is allowed */

const struct umx_forest_config *umx_config_forest(const struct umx_config *config, const char *name); /* NULL: none */

#endif

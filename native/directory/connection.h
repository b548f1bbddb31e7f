/*
 * A connection to one domain controller: sealed GSSAPI, or simple bind over verified TLS; searches in pages, single
 * writes. No other header of umx shows LDAP.
 *
 * Blocking. Every wait for an answer ends at the connection's deadline or after the operation time-out; TLS handshakes
 * and Kerberos can outlast both, which is why workers are processes that are killed. One thread at a time.
 */
#ifndef UMX_DIRECTORY_CONNECTION_H
#define UMX_DIRECTORY_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "directory/entry.h"
#include "directory/guid.h"
#include "directory/ticket.h"

enum {
    UMX_CONNECTION_ENTRIES_MAX = 500000,           /* of one search */
    UMX_CONNECTION_MESSAGE_MAX = 16 * 1024 * 1024, /* bytes of one LDAP message */
    UMX_CONNECTION_VALUES_MAX = 100000,            /* of one attribute */
    UMX_CONNECTION_TOKEN_MAX = 4096,               /* SIDs of a token */
};

/* Who connects, and to what. Texts belong to the caller and must outlive connections. */
struct umx_directory_account {
    const char *forest;  /* DNS name of the forest whose domain controllers are meant */
    bool simple;         /* simple bind over TLS instead of GSSAPI */
    const char *account; /* user@REALM; UPN or DN for simple */
    const char *keytab;  /* gssapi; NULL with password_file */
    const char *password_file;
    const char *tls_ca;    /* PEM; NULL: the system's */
    int operation_timeout; /* seconds */
};

/* What the domain controller says about itself. Texts live as long as the connection. */
struct umx_root_dse {
    const char *host; /* dnsHostName */
    const char *domain_dn, *root_dn, *config_dn, *schema_dn;
    uint8_t invocation_id[UMX_GUID_SIZE];
    int64_t highest_usn;
    int64_t clock_offset; /* its clock minus ours, microseconds; it shows whole seconds */
    int32_t functional_level;
    bool samba; /* counts a version for each half of a delete-and-add; Windows counts one for the request */
};

struct umx_connection;

/* Connects and binds to the first of the hosts that answers. hosts: FQDN, FQDN:PORT, ldap://... or ldaps://...; none:
 * DNS is asked. invocation_id: only that domain controller will do (NULL: any); read-only ones never do. ticket is
 * needed for gssapi and used during the call only. deadline: monotonic microseconds. */
int umx_connection_open(const struct umx_directory_account *account, const struct umx_ticket *ticket,
                        const char *const *hosts, size_t host_count, const uint8_t *invocation_id, int64_t deadline,
                        struct umx_connection **connection, struct umx_error *err);
void umx_connection_close(struct umx_connection *connection); /* NULL is allowed */

void umx_connection_set_deadline(struct umx_connection *connection, int64_t deadline);
const struct umx_root_dse *umx_connection_root(const struct umx_connection *connection);

/* Asks for highest_usn and clock_offset again: also whether the domain controller is still there. */
int umx_connection_refresh(struct umx_connection *connection, struct umx_error *err);

/* What a domain controller tells anybody, also when it refuses our logon: its name (in the arena), and its clock minus
 * ours in microseconds. deadline: monotonic. */
int umx_connection_clock(const struct umx_directory_account *account, const char *host, int64_t deadline,
                         struct umx_arena *arena, char **name, int64_t *offset, struct umx_error *err);

/* After a time-out or a lost connection: nothing more can be asked. */
bool umx_connection_broken(const struct umx_connection *connection);

/* SIDs of the account there, nested groups included; empty when the server does not tell. In the connection. */
const char *const *umx_connection_token(const struct umx_connection *connection, size_t *count);

enum umx_scope { UMX_SCOPE_BASE, UMX_SCOPE_ONE, UMX_SCOPE_SUBTREE };

struct umx_search {
    const char *base;
    enum umx_scope scope;
    const char *filter;            /* NULL: (objectClass=*) */
    const char *const *attributes; /* NULL-terminated; NULL: all */
    bool dacl;                     /* nTSecurityDescriptor with the DACL alone */
    bool deleted;                  /* deleted objects too */
};

/* Entry and arena live during the call. A negative value ends the search with it. The callback may search. */
typedef int umx_entry_handler(void *user, const struct umx_entry *entry, struct umx_arena *arena,
                              struct umx_error *err);

/* All entries, page by page; attributes that come in ranges are completed. A base that does not exist is
 * UMX_ERR_OBJECT_NOT_FOUND. */
int umx_connection_search(struct umx_connection *connection, const struct umx_search *search,
                          umx_entry_handler *handler, void *user, struct umx_error *err);

/* What changed below a naming context since the cookie (empty: since ever): entries with the attributes that changed,
 * deleted objects too, and the cookie of now, in the arena. own_rights: only what this account may see, which any
 * account may ask; else the right Replicating Directory Changes is needed, and deleted objects show. */
int umx_connection_dirsync(struct umx_connection *connection, const char *base, const char *filter, bool own_rights,
                           struct umx_value *cookie, struct umx_arena *arena, umx_entry_handler *handler, void *user,
                           struct umx_error *err);

/* The one entry of a base search, in the arena. */
int umx_connection_read(struct umx_connection *connection, const struct umx_search *search, struct umx_arena *arena,
                        struct umx_entry *entry, struct umx_error *err);

enum umx_mod_kind { UMX_MOD_DELETE, UMX_MOD_ADD, UMX_MOD_REPLACE };

struct umx_mod {
    enum umx_mod_kind kind;
    const char *name;
    const struct umx_value *values;
    size_t count;
};

/* Single writes. UMX_ERR_STEP_UNCERTAIN: sent, and no answer came. dacl: the DACL alone of a descriptor is meant. */
int umx_connection_modify(struct umx_connection *connection, const char *dn, const struct umx_mod *mods, size_t count,
                          bool dacl, struct umx_error *err);
int umx_connection_add(struct umx_connection *connection, const char *dn, const struct umx_mod *mods, size_t count,
                       struct umx_error *err);
int umx_connection_delete(struct umx_connection *connection, const char *dn, struct umx_error *err);

#endif

#include "directory/connection.h"

#include <sasl/sasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/connection_internal.h"
#include "directory/discovery.h"
#include "directory/sid.h"

enum { SEALED_SSF = 56, ARENA_CAP = 4 * 1024 * 1024, URI_MAX = 512, PASSWORD_MAX = 1024, CONNECT_SECONDS = 5 };

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

bool umx_connection_time_left(const struct umx_connection *connection, struct timeval *left)
{
    int64_t us = connection->deadline - umx_clock_monotonic();
    us = us < connection->timeout ? us : connection->timeout;
    *left = (struct timeval){.tv_sec = us / UMX_SECOND, .tv_usec = us % UMX_SECOND};
    return us > 0;
}

/* A server evaluates a search of a whole forest before it sends the first answer. */
static bool time_for(const struct umx_connection *connection, bool search, struct timeval *left)
{
    enum { SEARCH_FACTOR = 6 };
    struct umx_connection patient = *connection;
    if (search) {
        patient.timeout *= SEARCH_FACTOR;
    }
    return umx_connection_time_left(&patient, left);
}

int umx_connection_result(struct umx_connection *connection, int message_id, bool search, LDAPMessage **message,
                          int *type, const char *what, struct umx_error *err)
{
    struct timeval left;
    *message = NULL;
    *type =
        time_for(connection, search, &left) ? ldap_result(connection->ld, message_id, LDAP_MSG_ONE, &left, message) : 0;
    if (*type > 0) {
        return 0;
    }
    connection->broken = true;
    if (*type == 0) {
        ldap_abandon_ext(connection->ld, message_id, NULL, NULL);
        return umx_fail(err, UMX_ERR_DIRECTORY_TIMEOUT, what, "%s did not answer in time", connection->host);
    }
    int code = LDAP_OTHER;
    ldap_get_option(connection->ld, LDAP_OPT_RESULT_CODE, &code);
    return umx_ldap_fail(err, connection->ld, code, what, NULL);
}

/* GSSAPI asks for nothing: the ticket cache has it all. */
static int no_answers(LDAP *ld, unsigned flags, void *defaults, void *in)
{
    (void)ld;
    (void)flags;
    (void)defaults;
    for (sasl_interact_t *at = in; at->id != SASL_CB_LIST_END; at++) {
        at->result = "";
        at->len = 0;
    }
    return LDAP_SUCCESS;
}

static int bind_gssapi(struct umx_connection *connection, const struct umx_ticket *ticket, struct umx_error *err)
{
    int minimum = SEALED_SSF;
    ber_len_t ssf = 0;
    if (!ticket) {
        return umx_fail(err, UMX_ERR_BIND_REFUSED, connection->host, "there is no Kerberos ticket");
    }
    int status = umx_ticket_use(ticket, err);
    if (status) {
        return status;
    }
    ldap_set_option(connection->ld, LDAP_OPT_X_SASL_SSF_MIN, &minimum);
    ldap_set_option(connection->ld, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
    int code =
        ldap_sasl_interactive_bind_s(connection->ld, NULL, "GSSAPI", NULL, NULL, LDAP_SASL_QUIET, no_answers, NULL);
    if (code != LDAP_SUCCESS) {
        return umx_ldap_fail(err, connection->ld, code, connection->host, NULL);
    }
    ldap_get_option(connection->ld, LDAP_OPT_X_SASL_SSF, &ssf);
    return ssf >= SEALED_SSF ? 0
                             : umx_fail(err, UMX_ERR_BIND_REFUSED, connection->host, "the connection is not sealed");
}

static int start_tls(struct umx_connection *connection, const char *ca, bool ldaps, struct umx_error *err)
{
    int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    ldap_set_option(connection->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    if (ldap_set_option(connection->ld, LDAP_OPT_X_TLS_CACERTFILE, ca && *ca ? ca : SYSTEM_CA) != LDAP_OPT_SUCCESS ||
        ldap_set_option(connection->ld, LDAP_OPT_X_TLS_NEWCTX, &client) != LDAP_OPT_SUCCESS) {
        return umx_fail(err, UMX_ERR_FILE_UNREADABLE, ca && *ca ? ca : SYSTEM_CA, "it holds no usable authorities");
    }
    int code = ldaps ? LDAP_SUCCESS : ldap_start_tls_s(connection->ld, NULL, NULL);
    if (code == LDAP_CONNECT_ERROR) {
        return umx_fail_code(err, UMX_ERR_TLS_FAILED, code, connection->host,
                             "its certificate is not for this name, has expired, or no authority in %s vouches for it",
                             ca && *ca ? ca : SYSTEM_CA);
    }
    return code == LDAP_SUCCESS ? 0 : umx_ldap_fail(err, connection->ld, code, connection->host, NULL);
}

static int bind_simple(struct umx_connection *connection, const struct umx_directory_account *account,
                       struct umx_error *err)
{
    char password[PASSWORD_MAX];
    int status =
        umx_ticket_read_secret(account->password_file ? account->password_file : "", password, sizeof password, err);
    if (!status) {
        struct berval secret = {.bv_len = strlen(password), .bv_val = password};
        int message_id, type, code;
        LDAPMessage *message = NULL;
        code = ldap_sasl_bind(connection->ld, account->account, LDAP_SASL_SIMPLE, &secret, NULL, NULL, &message_id);
        status = code == LDAP_SUCCESS
                     ? umx_connection_result(connection, message_id, false, &message, &type, connection->host, err)
                     : umx_ldap_fail(err, connection->ld, code, connection->host, NULL);
        if (!status) {
            char *text = NULL;
            if (ldap_parse_result(connection->ld, message, &code, NULL, &text, NULL, NULL, 0) != LDAP_SUCCESS) {
                code = LDAP_PROTOCOL_ERROR;
            }
            status = code == LDAP_SUCCESS ? 0 : umx_ldap_fail(err, connection->ld, code, connection->host, text);
            ldap_memfree(text);
        }
        ldap_msgfree(message);
    }
    explicit_bzero(password, sizeof password);
    return status;
}

static void set_options(struct umx_connection *connection)
{
    int version = LDAP_VERSION3;
    struct timeval connect = {.tv_sec = CONNECT_SECONDS}, left;
    ber_len_t incoming = UMX_CONNECTION_MESSAGE_MAX;
    Sockbuf *buffer = NULL;
    umx_connection_time_left(connection, &left);
    ldap_set_option(connection->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(connection->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(connection->ld, LDAP_OPT_NETWORK_TIMEOUT, &connect);
    ldap_set_option(connection->ld, LDAP_OPT_TIMEOUT, &left);
    if (ldap_get_option(connection->ld, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS && buffer) {
        ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &incoming);
    }
}

/* ldap://HOST[:PORT] of what was configured; false when it does not fit or is something else. */
static bool make_uri(const char *host, char *uri, bool *ldaps)
{
    const char *scheme = strstr(host, "://")                                                ? ""
                         : strlen(host) > 4 && strcmp(host + strlen(host) - 4, ":636") == 0 ? "ldaps://"
                                                                                            : "ldap://";
    int length = snprintf(uri, URI_MAX, "%s%s", scheme, host);
    *ldaps = strncasecmp(uri, "ldaps://", 8) == 0;
    return length > 0 && length < URI_MAX && (*ldaps || strncasecmp(uri, "ldap://", 7) == 0);
}

static int read_root_dse(struct umx_connection *connection, struct umx_error *err)
{
    static const char *const attributes[] = {"dnsHostName",
                                             "defaultNamingContext",
                                             "rootDomainNamingContext",
                                             "configurationNamingContext",
                                             "schemaNamingContext",
                                             "dsServiceName",
                                             "highestCommittedUSN",
                                             "currentTime",
                                             "forestFunctionality",
                                             "supportedControl",
                                             "vendorName",
                                             NULL};
    struct umx_root_dse *root = &connection->root;
    struct umx_arena *arena = connection->arena;
    struct umx_entry entry;
    int status =
        umx_connection_read(connection, &(struct umx_search){.base = "", .attributes = attributes}, arena, &entry, err);
    if (status) {
        return status;
    }
    int64_t now = umx_clock_now(), there = 0, level = 0;
    root->host = umx_entry_text(&entry, "dnsHostName", arena);
    root->domain_dn = umx_entry_text(&entry, "defaultNamingContext", arena);
    root->root_dn = umx_entry_text(&entry, "rootDomainNamingContext", arena);
    root->config_dn = umx_entry_text(&entry, "configurationNamingContext", arena);
    root->schema_dn = umx_entry_text(&entry, "schemaNamingContext", arena);
    const char *time = umx_entry_text(&entry, "currentTime", arena);
    const char *service = umx_entry_text(&entry, "dsServiceName", arena);
    if (!root->host || !root->domain_dn || !root->root_dn || !root->config_dn || !root->schema_dn || !service ||
        !umx_entry_integer(&entry, "highestCommittedUSN", &root->highest_usn)) {
        return umx_fail(err, UMX_ERR_DIRECTORY_ERROR, connection->host,
                        "it is not an Active Directory domain controller");
    }
    root->clock_offset = time && umx_clock_parse_generalized(time, &there) == 0 ? there - now : 0;
    const char *vendor = umx_entry_text(&entry, "vendorName", arena);
    root->samba = vendor && strncmp(vendor, "Samba", 5) == 0;
    root->functional_level = umx_entry_integer(&entry, "forestFunctionality", &level) ? (int32_t)level : 0;
    const struct umx_attribute *controls = umx_entry_find(&entry, "supportedControl");
    for (size_t i = 0; controls && i < controls->count; i++) {
        connection->pages |= strcmp((const char *)controls->values[i].bytes, LDAP_CONTROL_PAGEDRESULTS) == 0;
    }
    static const char *const of_service[] = {"invocationId", "msDS-isRODC", "objectClass", NULL};
    status = umx_connection_read(connection, &(struct umx_search){.base = service, .attributes = of_service}, arena,
                                 &entry, err);
    if (status) {
        return status;
    }
    const struct umx_value *id = umx_entry_value(&entry, "invocationId");
    if (!id || id->length != UMX_GUID_SIZE) {
        return umx_fail(err, UMX_ERR_DIRECTORY_ERROR, connection->host, "it does not show its invocationId");
    }
    memcpy(root->invocation_id, id->bytes, UMX_GUID_SIZE);
    return umx_entry_true(&entry, "msDS-isRODC")
               ? umx_fail(err, UMX_ERR_FOREST_UNREACHABLE, connection->host, "it is a read-only domain controller")
               : 0;
}

int umx_connection_refresh(struct umx_connection *connection, struct umx_error *err)
{
    static const char *const attributes[] = {"highestCommittedUSN", "currentTime", NULL};
    struct umx_entry entry;
    int64_t there;
    struct umx_arena *arena = umx_arena_new(ARENA_CAP);
    if (!arena) {
        return umx_fail(err, UMX_ERR_MEMORY, connection->host, NULL);
    }
    int status =
        umx_connection_read(connection, &(struct umx_search){.base = "", .attributes = attributes}, arena, &entry, err);
    if (!status) {
        const char *time = umx_entry_text(&entry, "currentTime", arena);
        umx_entry_integer(&entry, "highestCommittedUSN", &connection->root.highest_usn);
        if (time && umx_clock_parse_generalized(time, &there) == 0) {
            connection->root.clock_offset = there - umx_clock_now();
        }
    }
    umx_arena_free(arena);
    return status;
}

static void read_token(struct umx_connection *connection)
{
    static const char *const attributes[] = {"tokenGroups", NULL};
    struct umx_entry entry;
    if (umx_connection_read(connection, &(struct umx_search){.base = "", .attributes = attributes}, connection->arena,
                            &entry, NULL)) {
        return;
    }
    const struct umx_attribute *groups = umx_entry_find(&entry, "tokenGroups");
    if (!groups || groups->count > UMX_CONNECTION_TOKEN_MAX) {
        return;
    }
    connection->token = umx_arena_alloc(connection->arena, groups->count * sizeof *connection->token);
    for (size_t i = 0; connection->token && i < groups->count; i++) {
        char sid[UMX_SID_TEXT];
        if (umx_sid_text(groups->values[i].bytes, groups->values[i].length, sid, NULL) == 0 &&
            (connection->token[connection->token_count] = umx_arena_string(connection->arena, sid))) {
            connection->token_count++;
        }
    }
}

/* A connection that nobody has opened yet: libldap connects with the first request. */
static int prepare(const struct umx_directory_account *account, const char *host, int64_t deadline, bool *ldaps,
                   struct umx_connection **out, struct umx_error *err)
{
    char uri[URI_MAX];
    *out = NULL;
    if (umx_clock_monotonic() >= deadline) {
        return umx_fail(err, UMX_ERR_DIRECTORY_TIMEOUT, host, "no time was left to connect");
    }
    if (!make_uri(host, uri, ldaps)) {
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, host, "it is not HOST, HOST:PORT, ldap:// or ldaps://");
    }
    struct umx_connection *connection = calloc(1, sizeof *connection);
    struct umx_arena *arena = umx_arena_new(ARENA_CAP);
    if (!connection || !arena) {
        free(connection);
        umx_arena_free(arena);
        return umx_fail(err, UMX_ERR_MEMORY, host, NULL);
    }
    connection->arena = arena;
    connection->host = umx_arena_string(arena, host);
    connection->deadline = deadline;
    connection->timeout = (account->operation_timeout > 0 ? account->operation_timeout : 10) * UMX_SECOND;
    int code = ldap_initialize(&connection->ld, uri);
    if (code != LDAP_SUCCESS) {
        umx_connection_close(connection);
        return umx_ldap_fail(err, NULL, code, host, NULL);
    }
    set_options(connection);
    *out = connection;
    return 0;
}

static int open_one(const struct umx_directory_account *account, const struct umx_ticket *ticket, const char *host,
                    const uint8_t *invocation_id, int64_t deadline, struct umx_connection **out, struct umx_error *err)
{
    struct umx_connection *connection;
    bool ldaps;
    int status = prepare(account, host, deadline, &ldaps, &connection, err);
    if (status) {
        return status;
    }
    if (account->simple || ldaps) {
        status = start_tls(connection, account->tls_ca, ldaps, err);
    }
    if (!status) {
        status = account->simple ? bind_simple(connection, account, err) : bind_gssapi(connection, ticket, err);
    }
    if (!status) {
        status = read_root_dse(connection, err);
    }
    if (!status && invocation_id && memcmp(invocation_id, connection->root.invocation_id, UMX_GUID_SIZE) != 0) {
        status = umx_fail(err, UMX_ERR_WRONG_DOMAIN_CONTROLLER, host, "its invocationId is not the one asked for");
    }
    if (status) {
        umx_connection_close(connection);
        return status;
    }
    read_token(connection);
    *out = connection;
    return 0;
}

int umx_connection_clock(const struct umx_directory_account *account, const char *host, int64_t deadline,
                         struct umx_arena *arena, char **name, int64_t *offset, struct umx_error *err)
{
    static const char *const attributes[] = {"dnsHostName", "currentTime", NULL};
    struct umx_connection *connection;
    struct umx_entry entry;
    int64_t there;
    bool ldaps;
    int status = prepare(account, host, deadline, &ldaps, &connection, err);
    if (status) {
        return status;
    }
    if (ldaps) {
        status = start_tls(connection, account->tls_ca, ldaps, err);
    }
    if (!status) {
        status = umx_connection_read(connection, &(struct umx_search){.base = "", .attributes = attributes}, arena,
                                     &entry, err);
    }
    const char *time = status ? NULL : umx_entry_text(&entry, "currentTime", arena);
    *name = status ? NULL : umx_entry_text(&entry, "dnsHostName", arena);
    if (!status && (!*name || !time || umx_clock_parse_generalized(time, &there))) {
        status = umx_fail(err, UMX_ERR_DIRECTORY_ERROR, host, "it tells neither its name nor its time");
    }
    if (!status) {
        *offset = there - umx_clock_now();
    }
    umx_connection_close(connection);
    return status;
}

static int open_any(const struct umx_directory_account *account, const struct umx_ticket *ticket,
                    const char *const *hosts, size_t count, const uint8_t *invocation_id, int64_t deadline,
                    struct umx_connection **connection, struct umx_error *err)
{
    struct umx_text tried = {0};
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        struct umx_error one = {0};
        if (i && umx_clock_monotonic() >= deadline) {
            umx_text_addf(&tried, "; %s: no time left", hosts[i]);
            break;
        }
        status = open_one(account, ticket, hosts[i], invocation_id, deadline, connection, &one);
        /* A refused logon is refused everywhere; asking all of them would lock the account. */
        if (!status || one.foreign == LDAP_INVALID_CREDENTIALS || count == 1) {
            if (status && err) {
                *err = one;
            }
            umx_text_free(&tried);
            return status;
        }
        umx_text_addf(&tried, "%s%s: %s", i ? "; " : "", hosts[i], umx_error_why(&one));
    }
    enum umx_error_id id = invocation_id ? UMX_ERR_WRONG_DOMAIN_CONTROLLER : UMX_ERR_FOREST_UNREACHABLE;
    status = umx_fail(err, id, account->forest, "%s", umx_text_string(&tried));
    umx_text_free(&tried);
    return status;
}

int umx_connection_open(const struct umx_directory_account *account, const struct umx_ticket *ticket,
                        const char *const *hosts, size_t host_count, const uint8_t *invocation_id, int64_t deadline,
                        struct umx_connection **connection, struct umx_error *err)
{
    *connection = NULL;
    if (host_count) {
        return open_any(account, ticket, hosts, host_count, invocation_id, deadline, connection, err);
    }
    const char *found[UMX_DISCOVERY_MAX];
    size_t count;
    struct umx_arena *arena = umx_arena_new(ARENA_CAP);
    if (!arena) {
        return umx_fail(err, UMX_ERR_MEMORY, account->forest, NULL);
    }
    int status = umx_discovery_controllers(account->forest, arena, found, &count, err);
    if (!status) {
        status = open_any(account, ticket, found, count, invocation_id, deadline, connection, err);
    }
    umx_arena_free(arena);
    return status;
}

void umx_connection_close(struct umx_connection *connection)
{
    if (!connection) {
        return;
    }
    if (connection->ld) {
        ldap_unbind_ext(connection->ld, NULL, NULL);
    }
    umx_arena_free(connection->arena);
    free(connection);
}

void umx_connection_set_deadline(struct umx_connection *connection, int64_t deadline)
{
    connection->deadline = deadline;
}

const struct umx_root_dse *umx_connection_root(const struct umx_connection *connection)
{
    return &connection->root;
}

bool umx_connection_broken(const struct umx_connection *connection)
{
    return connection->broken;
}

const char *const *umx_connection_token(const struct umx_connection *connection, size_t *count)
{
    *count = connection->token_count;
    return connection->token;
}

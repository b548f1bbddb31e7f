/*
 * The machine that an agent speaks for, behind one interface: this one (Linux or Windows), or a recorded one
 * (umx-agent(8), FILES). Everything read is plain data in the caller's arena; what it means is decided in
 * collect/. Functions return 0 or a negative status; a part that this machine does not have is an empty list.
 * Every call may be made from any thread; a host is read-only between open and close, except for restart.
 */
#ifndef UMX_AGENT_HOST_H
#define UMX_AGENT_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/host/registry.h"
#include "base/arena.h"
#include "base/error.h"
#include "umx/v1/facts.pb-c.h"

enum {
    UMX_HOST_SERVICES_MAX = 2048,
    UMX_HOST_CERTIFICATES_MAX = 1024,
    UMX_HOST_CERTIFICATE_MAX = 64 * 1024, /* bytes of one DER or PEM file */
    UMX_HOST_LISTENERS_MAX = 4096,
    UMX_HOST_ADMINISTRATORS_MAX = 1000,
    UMX_HOST_EVENTS_MAX = 4096,
    UMX_HOST_LIST_MAX = 4 * 1024 * 1024,  /* bytes of one JSON file */
    UMX_HOST_SHELL_MAX = 8 * 1024 * 1024, /* bytes of one command's output */
};

/* Who the host is; strings are owned by the host, "" when not known. */
struct umx_host_identity {
    const char *fqdn;
    const char *os;
    const char *address;
    const char *forest;    /* DNS name of the forest root */
    const char *principal; /* of the machine account, for proofs */
    const char *keytab;
    const char *domain_controllers; /* comma-separated, "" to find them by DNS */
    const char *shell_program;      /* recorded hosts: what stands in for powershell.exe; "" for none */
    int64_t started_at;             /* 0 when not known */
    bool recorded;
};

struct umx_host_service {
    const char *name;
    const char *display_name;
    const char *account;
    const char *depends_on; /* names, each ended by a line break; "" for none */
    Umx__Service__State state;
    Umx__Service__Start start_type;
    int32_t process_id; /* 0: none */
    int64_t started_at; /* of the process; 0: not running or not known */
};

enum umx_host_store { UMX_HOST_STORE_MY, UMX_HOST_STORE_ROOT, UMX_HOST_STORE_CA };

struct umx_host_certificate {
    enum umx_host_store store;
    const char *label; /* file or store entry, for messages */
    const uint8_t *der;
    size_t length;
    bool has_key;
    const char *error; /* not NULL: the entry cannot be read, and why */
};

struct umx_host_listener {
    const char *protocol; /* tcp */
    const char *address;
    int32_t port;
    int32_t process_id; /* 0: not known */
    const char *process;
};

struct umx_host_event {
    const char *log;
    const char *source;
    int32_t event_id;
    Umx__Event__Level level;
    int64_t at;
    const char *message;
};

/* A member of the local Administrators. */
struct umx_host_administrator {
    const char *sid;
    const char *name; /* "" when not known */
};

/* What to look for in a log: provider and ids. */
struct umx_host_event_filter {
    const char *log;
    const char *source;
    const int32_t *ids;
    size_t id_count;
};

/* Parts of a host that change by themselves; collectors name those that they read. */
enum umx_host_area {
    UMX_HOST_REGISTRY = 1,
    UMX_HOST_SERVICES = 2,
    UMX_HOST_CERTIFICATES = 4,
    UMX_HOST_LISTENERS = 8,
    UMX_HOST_EVENTS = 16,
    UMX_HOST_ADMINISTRATORS = 32,
    UMX_HOST_SHELL = 64, /* what the products' shell tells */
    UMX_HOST_ALL = 127,
};

struct umx_host;
struct umx_host_shell;
struct umx_host_watch;

struct umx_host_platform {
    int (*registry)(struct umx_host *host, struct umx_registry *into, struct umx_error *err);
    int (*services)(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **list, size_t *count,
                    struct umx_error *err);
    int (*certificates)(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                        size_t *count, struct umx_error *err);
    int (*listeners)(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **list, size_t *count,
                     struct umx_error *err);
    int (*events)(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                  size_t filter_count, struct umx_host_event **list, size_t *count, struct umx_error *err);
    int (*administrators)(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                          size_t *count, struct umx_error *err);
    /* Starts the products' shell with a fixed script (host/shell.h). NULL: the platform has none. */
    int (*shell_open)(struct umx_host *host, const char *script, struct umx_host_shell **out, struct umx_error *err);
    /* Optional, for a host without a shell: what it has recorded of the command. NOT_FOUND: nothing. */
    int (*shell_record)(struct umx_host *host, struct umx_arena *arena, const char *command, char **text,
                        size_t *length, struct umx_error *err);
    int (*restart)(struct umx_host *host, const char *service, int64_t timeout, struct umx_error *err);
    /* Optional: PEM of the certificate and key that the host itself would show a peer. NOT_FOUND: none. */
    int (*tls_identity)(struct umx_host *host, struct umx_arena *arena, char **pem, size_t *length,
                        struct umx_error *err);
    uint64_t (*stamp)(struct umx_host *host);
    /* Optional: host/watch.h. */
    int (*watch)(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err);
    void (*close)(struct umx_host *host);
};

/* Platforms embed this as their first member. */
struct umx_host {
    const struct umx_host_platform *platform;
    struct umx_host_identity identity;
    struct umx_arena *arena;   /* the identity's strings */
    const char *shell_account; /* NULL or "": the account of this process */
    const char *shell_password_file;
    const atomic_bool *stop; /* NULL: never; true: the agent ends: no shell is waited for, no restart begun any more */
};

/* where: "local", or "recorded:DIR". */
int umx_host_open(const char *where, struct umx_host **out, struct umx_error *err);
/* The account of the identity `shell` (agent/config.h): copied. "" for both: the service's own account. */
int umx_host_set_shell_account(struct umx_host *host, const char *account, const char *password_file,
                               struct umx_error *err);
void umx_host_close(struct umx_host *host); /* NULL allowed */

/* roots: NULL-terminated list of key paths; keys are read to three levels below them. */
int umx_host_registry(struct umx_host *host, const char *const *roots, struct umx_arena *arena,
                      struct umx_registry *out, struct umx_error *err);
int umx_host_services(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **list, size_t *count,
                      struct umx_error *err);
int umx_host_certificates(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                          size_t *count, struct umx_error *err);
int umx_host_listeners(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **list, size_t *count,
                       struct umx_error *err);
int umx_host_events(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                    size_t filter_count, struct umx_host_event **list, size_t *count, struct umx_error *err);
int umx_host_administrators(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                            size_t *count, struct umx_error *err);
/* Whether cmdlets can be run there at all: on Windows, and on a recorded host that names a program for it. */
bool umx_host_has_shell(const struct umx_host *host);
/* Runs the fixed script of a command to its end. input: what it reads, NULL for nothing. NOT_FOUND: the host does not
 * have this command. timeout in microseconds. */
int umx_host_shell(struct umx_host *host, struct umx_arena *arena, const char *command, const char *script,
                   const char *input, int64_t timeout, char **text, size_t *length, struct umx_error *err);
/* Stops and starts a service and waits until it runs. CANCELLED when the agent ends already; once begun it is brought
 * to its end. A recorded host only writes a new start time into its services.json: the stand-in for the real thing. */
int umx_host_restart(struct umx_host *host, const char *service, int64_t timeout, struct umx_error *err);

/* PEM with a private key, in the arena: for a TLS probe only; OPENSSL_cleanse it. UNSUPPORTED where keys stay in the
 * system's store (Windows): probes then show no certificate. */
int umx_host_tls_identity(struct umx_host *host, struct umx_arena *arena, char **pem, size_t *length,
                          struct umx_error *err);

/* A number that changes when something of the host may have changed; 0: it cannot tell, collect again. */
uint64_t umx_host_stamp(struct umx_host *host);

/* ---- for implementations */
int umx_host_open_recorded(const char *directory, struct umx_host **out, struct umx_error *err);
int umx_host_open_local(struct umx_host **out, struct umx_error *err); /* linux_host.c, windows_host.c */

#endif

/*
 * The authority's inside, for authority*.c and issued.c.
 *
 * Locks, in this order: mutex (one agent is issued at a time), turning (held for reading by whoever issues or looks,
 * for writing while the deployment turns to other certificates), progress.mutex.
 */
#ifndef UMX_CONTROLLER_AUTHORITY_INTERNAL_H
#define UMX_CONTROLLER_AUTHORITY_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sys/types.h>

#include "controller/authority.h"
#include "controller/certificate.h"
#include "rpc/identity_file.h"
#include "rpc/trust.h"

/* A root and the intermediate below it. */
struct authority_pair {
    char *root;         /* PEM */
    char *intermediate; /* PEM */
    X509 *certificate;  /* of the intermediate; NULL: there is no such pair */
    EVP_PKEY *key;
    char key_id[UMX_KEY_ID_MAX]; /* of the intermediate, as umx_identity.issuer names it */
};

/* ca/rotation. From `completing` on there is no way back: whoever opens the deployment next finishes it. */
enum authority_phase { ROTATION_NONE, ROTATION_OPEN, ROTATION_COMPLETING, ROTATION_CLEANING };

struct authority_rotation {
    enum authority_phase phase;
    bool root; /* of the root too */
    bool back; /* rolling back: agents return to what was before */
    int64_t begun_at;
    char begun_by[UMX_IDENTITY_MAX];
};

/* What the files said at one time. Replaced as a whole; the old one stays until the end, without its keys, since its
 * texts may be in somebody's hands. */
struct authority_view {
    struct authority_view *older;
    struct authority_pair current;
    struct authority_pair next; /* while a rotation is under way */
    struct authority_rotation rotation;
    struct umx_identity_file controller; /* its root is the current one */
    char *presented;                     /* chain with the root, which clients that only know its fingerprint need */
    struct umx_trust trust;
    struct umx_rpc_tls tls;
};

/* What is known of agents: whose certificate they showed last, and which trust they keep. */
struct authority_follower {
    struct authority_follower *next;
    char issuer[UMX_KEY_ID_MAX];
    uint8_t trust[UMX_TRUST_ID];
    bool has_trust;
    char uri[]; /* of the identity */
};

enum { FOLLOWER_SLOTS = 4096 };

struct authority_progress {
    pthread_mutex_t mutex;
    struct authority_follower *slots[FOLLOWER_SLOTS];
};

/* issued.c: the agents of issued.tsv up to an offset. */
struct umx_issued_index {
    pthread_mutex_t mutex;
    ino_t inode; /* of the file that was read */
    off_t offset;
    struct umx_issued_agent *agents;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
    size_t *slots;   /* 2 * capacity: number of an agent from 1, by the hash of its URI; 0: free */
};

struct umx_authority {
    char *data;
    struct umx_issued_index issued;
    pthread_mutex_t mutex; /* one agent is issued at a time, so that an FQDN gets one uuid */
    pthread_rwlock_t turning;
    struct authority_view *view;
    struct authority_progress progress;
};

/* data/name, malloc'ed; NULL: out of memory. */
char *umx_authority_path(const char *data, const char *name);

/* A random uuid of version 4. */
int umx_authority_uuid(char out[37], struct umx_error *err);

/* Letters, digits and "-._", as names in identities are; and host names. */
int umx_authority_check_name(const char *name, size_t max, struct umx_error *err);
int umx_authority_check_fqdn(const char *fqdn, struct umx_error *err);

/* ---- authority_files.c: below the data directory */

int authority_write(const char *data, const char *name, const struct umx_text *text, struct umx_error *err);
int authority_write_key(const char *data, const char *name, const EVP_PKEY *key, struct umx_error *err);
int authority_write_certificate(const char *data, const char *name, const X509 *certificate, struct umx_error *err);
int authority_make_directory(const char *data, const char *name, struct umx_error *err);
bool authority_there(const char *data, const char *name);
/* What is not there counts as removed. */
int authority_remove(const char *data, const char *name, struct umx_error *err);
/* A whole file, malloc.ed; umx_private_free. UMX_ERR_FILE_UNREADABLE. */
int authority_read(const char *data, const char *name, char **text, struct umx_error *err);
/* One process at a time changes a deployment's certificates. */
int authority_lock(const char *data, int *fd, struct umx_error *err);
void authority_unlock(int fd);

/* ---- authority_view.c */

int authority_pair_load(const char *data, const char *root, const char *directory, struct authority_pair *out,
                        struct umx_error *err);
void authority_pair_free(struct authority_pair *pair);
/* Everything below the data directory; ends what a crash left half done. The deployment's lock is held. */
int authority_view_load(const char *data, struct authority_view **out, struct umx_error *err);
void authority_view_free(struct authority_view *view);
/* Puts the files' new state in the place of the old one. `turning` is held for writing. */
int authority_view_replace(struct umx_authority *authority, struct umx_error *err);
int authority_key_id(const X509 *certificate, char out[UMX_KEY_ID_MAX]);

/* ---- authority_stage.c */

/* A root (issuer NULL) or an intermediate, with a fresh key. */
int authority_make_pair(const char *deployment, const char *what, int path_length, int64_t life, X509 *issuer,
                        EVP_PKEY *issuer_key, EVP_PKEY **key, X509 **certificate, struct umx_error *err);

/* Signs a key as an intermediate, for as long as the root lasts at most. */
int authority_sign_below(const char *deployment, X509 *root, EVP_PKEY *root_key, EVP_PKEY *key, X509 **out,
                         struct umx_error *err);
/* Locked, also on failure once the lock was had, with nothing staged and no request waiting; the deployment's name. */
int authority_begin_stage(const char *data, char deployment[128], int *lock, struct umx_error *err);
int authority_clear_staged(const char *data, struct umx_error *err);
/* Where no file is yet: the key of a root is never overwritten. */
int authority_write_root_key(const char *path, const EVP_PKEY *key, struct umx_error *err);

/* ---- authority_offline.c */

/* A request was made here, and its certificate has not come. */
bool authority_request_waits(const char *data);

/* ---- authority_init.c */

/* Directories, and nothing in them yet. */
int authority_init_check(const char *data, const char *deployment, const char *const *names, size_t count,
                         struct umx_error *err);
/* The files of a new deployment, root.pem last. root_key NULL: it is elsewhere. Said again after a crash it writes all
 * anew. */
int authority_init_finish(const char *data, const char *deployment, const char *const *names, size_t count,
                          const X509 *root, const EVP_PKEY *root_key, const X509 *intermediate, EVP_PKEY *key,
                          struct umx_error *err);

/* ---- authority_rotate.c */

int authority_rotation_read(const char *data, struct authority_rotation *out, struct umx_error *err);
/* Continues from a rotation that was being completed or cleaned up; a no-op otherwise. */
int authority_rotation_finish(const char *data, struct authority_rotation *rotation, struct umx_error *err);

/* Reads the files anew when an earlier move failed half way and left them ahead of memory; *moved: it did. `turning` is
 * held for writing, the deployment is locked. */
int authority_catch_up(struct umx_authority *authority, bool *moved, struct umx_error *err);

/* ---- authority_progress.c */

void authority_progress_init(struct authority_progress *progress);
void authority_progress_free(struct authority_progress *progress);
/* Reads back what was noted during the rotation that is under way. */
int authority_progress_load(struct umx_authority *authority, struct umx_error *err);
/* Whether the agent keeps the view's trust. */
bool authority_progress_trusts(struct umx_authority *authority, const char *uri);
/* The authority that shall issue for an identity (NULL: a new one): `turning` is held. */
const struct authority_pair *authority_issuer(struct umx_authority *authority, const char *uri);

/* umx_authority_laggards with `turning` held. */
int authority_laggards(struct umx_authority *authority, struct umx_arena *arena, Umx__AuthorityLaggard ***out,
                       size_t *count, size_t *agents, struct umx_error *err);

/* The leaf of a role: fills out, records it in issued.tsv. */
struct umx_authority_leaf {
    const char *role; /* agent, operator, controller */
    const char *name; /* last part of the URI */
    const char *common_name;
    const char *forest; /* operators */
    const char *const *dns;
    size_t dns_count;
    const char *const *addresses;
    size_t address_count;
    int64_t life;
    bool renewal; /* of an agent that is known by its stream, and may have followed a rotation */
};
int umx_authority_issue(struct umx_authority *authority, const struct umx_authority_leaf *leaf, EVP_PKEY *key,
                        struct umx_issued *out, struct umx_error *err);
/* The same by one authority; `turning` is held. */
int authority_issue_by(struct umx_authority *authority, const struct authority_pair *issuer,
                       const struct umx_authority_leaf *leaf, EVP_PKEY *key, struct umx_issued *out,
                       struct umx_error *err);
/* The controller's identity file with a fresh key, for the names of the one it has; `turning` is held. */
int authority_controller_again(struct umx_authority *authority, const struct authority_pair *issuer,
                               struct umx_text *pem, struct umx_error *err);

/* ---- issued.c, issued_shorten.c: issued.tsv */

enum { ISSUED_LINE_MAX = 2048, ISSUED_FIELDS = 9 };

/* The file for appending, locked until it is closed, and still the one of that name. */
int issued_open(const char *path, int *out, struct umx_error *err);
/* Splits a line into its fields; false: it is not whole. The last two fields may be missing. */
bool issued_split(char *line, char *fields[ISSUED_FIELDS]);
int issued_take(struct umx_issued_index *index, char *const *fields, struct umx_error *err);
/* NULL: the agent is not known. */
struct umx_issued_agent *issued_find(const struct umx_issued_index *index, const char *uri);

int umx_issued_add(const char *data, const struct umx_authority_leaf *leaf, const struct umx_identity *identity,
                   struct umx_error *err);
void umx_issued_free_index(struct umx_issued_index *index);
/* Every line of an operator's certificate, the oldest first. */
int umx_issued_operators(const char *data,
                         int (*each)(void *user, const char *uri, const char *issuer, int64_t expires_at), void *user,
                         struct umx_error *err);

/* The key of a PKCS#10 request whose signature and strength are right: UMX_ERR_CSR_INVALID, KEY_WEAK,
 * REQUEST_SIGNATURE. */
int umx_authority_request_key(const uint8_t *request, size_t length, EVP_PKEY **out, struct umx_error *err);

#endif

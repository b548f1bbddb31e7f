/* What the deployment's own certificates are: for `umx ca status`, and as rows for queries and findings. */
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "controller/authority_internal.h"

enum { LISTED_MAX = 64 };

struct listing {
    struct umx_arena *arena;
    Umx__AuthorityCertificate **items;
    char (*key_ids)[UMX_KEY_ID_MAX]; /* of the item; "" when it issues nothing to people and servers */
    size_t count;
};

static char *name_text(struct umx_arena *arena, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    char *copy = NULL;

    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long length = BIO_get_mem_data(bio, &data);
        struct umx_text text = {0};
        umx_text_add_valid(&text, data, length > 0 ? (size_t)length : 0);
        copy = umx_arena_string(arena, umx_text_string(&text));
        umx_text_free(&text);
    }
    BIO_free(bio);
    return copy;
}

static char *hex_text(struct umx_arena *arena, const void *bytes, size_t length, bool upper)
{
    struct umx_text text = {0};

    umx_text_add_hex(&text, bytes, length);
    for (char *c = text.data; upper && c != NULL && *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'f')
            *c = (char)(*c - 'a' + 'A');
    char *copy = umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return copy;
}

static int64_t time_of(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    if (epoch == NULL || ASN1_TIME_diff(&days, &seconds, epoch, time) != 1)
        days = seconds = 0;
    ASN1_TIME_free(epoch);
    return days * UMX_DAY + seconds * UMX_SECOND;
}

static int days_left(int64_t until, int64_t now)
{
    int64_t left = until - now;

    return (int)(left / UMX_DAY) - (left < 0 ? 1 : 0);
}

static int add(struct listing *to, const char *kind, const char *state, const char *pem, struct umx_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    X509 *one = NULL;

    if (to->count == LISTED_MAX)
        return 0;
    int status = umx_certificate_read(pem, kind, &one, err);
    if (status != 0)
        return status;
    Umx__AuthorityCertificate *item = umx_reflect_new(&umx__authority_certificate__descriptor, to->arena);
    if (item == NULL || X509_digest(one, EVP_sha256(), digest, &digest_length) != 1) {
        X509_free(one);
        return umx_fail(err, UMX_ERR_ARENA_FULL, kind, NULL);
    }
    const ASN1_INTEGER *serial = X509_get0_serialNumber(one);
    item->kind = umx_arena_string(to->arena, kind);
    item->state = umx_arena_string(to->arena, state);
    item->subject = name_text(to->arena, X509_get_subject_name(one));
    item->issuer = name_text(to->arena, X509_get_issuer_name(one));
    item->serial = hex_text(to->arena, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), false);
    item->fingerprint = hex_text(to->arena, digest, digest_length, false);
    item->has_not_before_at = item->has_not_after_at = item->has_days_left = 1;
    item->not_before_at = time_of(X509_get0_notBefore(one));
    item->not_after_at = time_of(X509_get0_notAfter(one));
    item->days_left = days_left(item->not_after_at, umx_clock_now());
    to->key_ids[to->count][0] = '\0';
    if (strcmp(kind, "intermediate") == 0)
        authority_key_id(one, to->key_ids[to->count]);
    to->items[to->count++] = item;
    X509_free(one);
    ERR_clear_error();
    return 0;
}

/* Certificates below a directory; what is not one is passed over. */
static int add_past(struct listing *to, const char *data, struct umx_error *err)
{
    char *path = umx_authority_path(data, "ca/past");
    DIR *directory = path != NULL ? opendir(path) : NULL;
    struct dirent *entry;
    int status = 0;

    while (status == 0 && directory != NULL && (entry = readdir(directory)) != NULL) {
        struct umx_text name = {0};
        char *pem = NULL;
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".pem") != 0)
            continue;
        umx_text_addf(&name, "ca/past/%s", entry->d_name);
        status = authority_read(data, umx_text_string(&name), &pem, err);
        if (status == 0)
            status = add(to, "intermediate", "past", pem, err);
        umx_private_free(pem);
        umx_text_free(&name);
    }
    if (directory != NULL)
        closedir(directory);
    free(path);
    return status;
}

static int add_staged(struct listing *to, const char *data, struct umx_error *err)
{
    char *root = NULL, *intermediate = NULL;
    int status = 0;

    if (!authority_there(data, "ca/next/intermediate.pem"))
        return 0;
    if (authority_there(data, "ca/next/root.pem") &&
        (status = authority_read(data, "ca/next/root.pem", &root, err)) == 0)
        status = add(to, "root", "staged", root, err);
    if (status == 0)
        status = authority_read(data, "ca/next/intermediate.pem", &intermediate, err);
    if (status == 0)
        status = add(to, "intermediate", "staged", intermediate, err);
    umx_private_free(root);
    umx_private_free(intermediate);
    return status;
}

/* ---- counts: the newest valid certificate of each identity, by its issuer */

struct holder {
    char *uri;
    char issuer[UMX_KEY_ID_MAX];
    size_t line;
};

struct counting {
    struct listing *to;
    struct holder *items;
    size_t count;
    size_t capacity;
    int64_t now;
};

static void count_one(struct listing *to, const char *issuer, bool agent)
{
    for (size_t k = 0; k < to->count; k++)
        if (to->key_ids[k][0] != '\0' && strcmp(to->key_ids[k], issuer) == 0) {
            to->items[k]->agents += agent ? 1 : 0;
            to->items[k]->operators += agent ? 0 : 1;
        }
}

static int count_agent(void *user, const struct umx_issued_agent *agent)
{
    struct counting *all = user;

    if (!agent->revoked && agent->expires_at >= all->now)
        count_one(all->to, agent->issuer, true);
    return 0;
}

static int collect_operator(void *user, const char *uri, const char *issuer, int64_t expires_at)
{
    struct counting *all = user;

    if (expires_at < all->now)
        return 0;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity > 0 ? 2 * all->capacity : 64;
        struct holder *grown = realloc(all->items, capacity * sizeof *grown);
        if (grown == NULL)
            return UMX_E_MEMORY;
        all->items = grown;
        all->capacity = capacity;
    }
    struct holder *one = &all->items[all->count];
    *one = (struct holder){.uri = umx_arena_string(all->to->arena, uri), .line = all->count};
    umx_text_copy(one->issuer, sizeof one->issuer, issuer);
    all->count++;
    return one->uri != NULL ? 0 : UMX_E_MEMORY;
}

/* By identity, the newest first. */
static int by_holder(const void *a, const void *b)
{
    const struct holder *left = a, *right = b;
    int order = strcmp(left->uri, right->uri);

    return order != 0 ? order : left->line < right->line ? 1 : -1;
}

static int count_holders(struct umx_authority *authority, struct listing *to, struct umx_error *err)
{
    struct counting all = {.to = to, .now = umx_clock_now()};

    for (size_t k = 0; k < to->count; k++)
        to->items[k]->has_agents = to->items[k]->has_operators = to->key_ids[k][0] != '\0';
    int status = umx_authority_issued_agents(authority, count_agent, &all, err);
    if (status == 0 && (status = umx_issued_operators(authority->data, collect_operator, &all, err)) == UMX_E_MEMORY)
        umx_fail(err, UMX_ERR_ARENA_FULL, "ca/issued.tsv", NULL);
    if (status == 0 && all.count > 0)
        qsort(all.items, all.count, sizeof *all.items, by_holder);
    for (size_t i = 0; status == 0 && i < all.count; i++)
        if (i == 0 || strcmp(all.items[i].uri, all.items[i - 1].uri) != 0)
            count_one(to, all.items[i].issuer, false);
    free(all.items);
    return status;
}

int umx_authority_certificates(struct umx_authority *authority, struct umx_arena *arena,
                               Umx__AuthorityCertificate ***out, size_t *count, struct umx_error *err)
{
    struct listing to = {.arena = arena};
    int status = 0;

    to.items = umx_arena_alloc(arena, LISTED_MAX * sizeof *to.items);
    to.key_ids = umx_arena_alloc(arena, LISTED_MAX * sizeof *to.key_ids);
    if (to.items == NULL || to.key_ids == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "certificates", NULL);
    pthread_rwlock_rdlock(&authority->turning);
    const struct authority_view *view = authority->view;
    status = add(&to, "root", "current", view->current.root, err);
    if (status == 0)
        status = add(&to, "intermediate", "current", view->current.intermediate, err);
    if (status == 0)
        status = add(&to, "controller", "current", view->controller.chain, err);
    if (status == 0 && view->rotation.phase == ROTATION_OPEN && view->rotation.root)
        status = add(&to, "root", "next", view->next.root, err);
    if (status == 0 && view->rotation.phase == ROTATION_OPEN)
        status = add(&to, "intermediate", "next", view->next.intermediate, err);
    else if (status == 0)
        status = add_staged(&to, authority->data, err);
    if (status == 0)
        status = add_past(&to, authority->data, err);
    if (status == 0)
        status = count_holders(authority, &to, err);
    pthread_rwlock_unlock(&authority->turning);
    *out = to.items;
    *count = to.count;
    return status;
}

/* ---- rows */

static int add_row(struct umx_world *world, const char *server, const char *identity, const char *kind, const char *pem,
                   struct umx_error *err)
{
    Umx__Certificate row = UMX__CERTIFICATE__INIT;
    struct umx_arena *arena = umx_arena_new(UMX_ARENA_FLOOR);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    char common_name[128] = "", store[32], key_algorithm[] = "ECDSA", signature[] = "ecdsa-with-SHA256";
    X509 *one = NULL;
    int status = arena != NULL ? umx_certificate_read(pem, "certificate", &one, err)
                               : umx_fail(err, UMX_ERR_MEMORY, "certificate", NULL);

    if (status == 0 && X509_digest(one, EVP_sha1(), digest, &digest_length) == 1) {
        const ASN1_INTEGER *serial = X509_get0_serialNumber(one);
        X509_NAME_get_text_by_NID(X509_get_subject_name(one), NID_commonName, common_name, sizeof common_name);
        snprintf(store, sizeof store, "umx-%s", kind);
        row.server = umx_arena_string(arena, server);
        row.store = store;
        row.thumbprint = hex_text(arena, digest, digest_length, true);
        row.subject = name_text(arena, X509_get_subject_name(one));
        row.subject_cn = common_name;
        row.issuer = name_text(arena, X509_get_issuer_name(one));
        row.serial = hex_text(arena, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), false);
        row.has_not_before_at = row.has_not_after_at = row.has_collected_at = 1;
        row.not_before_at = time_of(X509_get0_notBefore(one));
        row.not_after_at = time_of(X509_get0_notAfter(one));
        row.key_algorithm = key_algorithm;
        row.has_key_bits = 1;
        row.key_bits = EVP_PKEY_get_bits(X509_get0_pubkey(one));
        row.signature_algorithm = signature;
        row.has_self_signed = 1;
        row.self_signed = X509_NAME_cmp(X509_get_subject_name(one), X509_get_issuer_name(one)) == 0;
        row.has_private_key = 1;
        row.private_key = !row.self_signed; /* the root's is offline */
        row.collected_at = umx_clock_now();
        row.source = umx_arena_string(arena, identity);
        status = umx_world_add(world, &row.base, err);
    }
    X509_free(one);
    umx_arena_free(arena);
    return status;
}

int umx_authority_add_rows(struct umx_authority *authority, struct umx_world *world, struct umx_error *err)
{
    pthread_rwlock_rdlock(&authority->turning);
    const struct authority_view *view = authority->view;
    const char *name = view->controller.identity.name;
    const char *identity = view->controller.identity.uri;
    int status = add_row(world, name, identity, "controller", view->controller.chain, err);

    if (status == 0)
        status = add_row(world, name, identity, "intermediate", view->current.intermediate, err);
    if (status == 0)
        status = add_row(world, name, identity, "root", view->current.root, err);
    pthread_rwlock_unlock(&authority->turning);
    return status;
}

#include "controller/enrolment.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/enrolment_internal.h"
#include "controller/fleet.h"
#include "store/journal_file.h"

#define LISTED (30 * UMX_DAY) /* tokens that ended before are only in the journal */

bool enrol_from_hex(const char *hex, uint8_t out[ENROL_HASH])
{
    return strlen(hex) == 2 * ENROL_HASH && umx_text_from_hex(hex, out, ENROL_HASH) == ENROL_HASH;
}

static void to_hex(const ProtobufCBinaryData *bytes, char out[ENROL_KEY])
{
    struct umx_text hex = {0};

    umx_text_add_hex(&hex, bytes->data, bytes->len <= ENROL_HASH ? bytes->len : ENROL_HASH);
    umx_text_copy(out, ENROL_KEY, umx_text_string(&hex));
    umx_text_free(&hex);
}

struct enrol_token *enrol_token_of(const struct umx_enrolment *enrolment, const char *id)
{
    for (size_t i = 0; i < enrolment->token_count; i++)
        if (strcmp(enrolment->tokens[i].id, id) == 0)
            return &enrolment->tokens[i];
    return NULL;
}

struct enrol_use *enrol_use_of(struct umx_enrolment *enrolment, const char *token, const char *key)
{
    for (size_t i = 0; i < enrolment->use_count; i++)
        if (strcmp(enrolment->uses[i].token, token) == 0 && strcmp(enrolment->uses[i].key, key) == 0)
            return &enrolment->uses[i];
    return NULL;
}

const char *enrol_forest_of(const struct umx_enrolment *enrolment, const char *fqdn)
{
    const struct umx_config *config = enrolment->controller->config;
    const char *best = NULL;
    size_t server = strlen(fqdn);

    for (size_t i = 0; i < config->forest_count; i++) {
        const char *forest = config->forests[i].name;
        size_t length = strlen(forest);
        if (server > length && fqdn[server - length - 1] == '.' && umx_text_equal(fqdn + server - length, forest) &&
            (best == NULL || length > strlen(best)))
            best = forest;
    }
    return best;
}

/* ---- what is known, folded from the journal */

/* Room for one more. */
static void *room(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return items;
    size_t larger = *capacity > 0 ? 2 * *capacity : 32;
    void *moved = realloc(items, larger * size);
    if (moved != NULL)
        *capacity = larger;
    return moved;
}

/* A copy, where there is something; *failed when memory is out. */
static char *copy(const char *text, bool *failed)
{
    char *made = text != NULL && text[0] != '\0' ? strdup(text) : NULL;

    *failed = *failed || (text != NULL && text[0] != '\0' && made == NULL);
    return made;
}

static bool fold_token(struct umx_enrolment *enrolment, const Umx__Journal *entry, const Umx__Enrolment *what)
{
    struct enrol_token token = {.uses = what->uses, .created_at = entry->written_at, .expires_at = what->expires_at};
    bool failed = false;
    void *items = room(enrolment->tokens, &enrolment->token_capacity, enrolment->token_count, sizeof token);

    if (items == NULL)
        return false;
    enrolment->tokens = items;
    if (what->token == NULL || strlen(what->token) >= sizeof token.id || what->token_hash.len != sizeof token.hash)
        return true; /* not one of ours: nobody can use it */
    umx_text_copy(token.id, sizeof token.id, what->token);
    memcpy(token.hash, what->token_hash.data, sizeof token.hash);
    token.server = copy(what->server, &failed);
    token.pattern = copy(what->pattern, &failed);
    token.forest = copy(what->forest, &failed);
    token.created_by = copy(entry->actor, &failed);
    enrolment->tokens[enrolment->token_count++] = token;
    return !failed;
}

static bool fold_request(struct umx_enrolment *enrolment, const Umx__Enrolment *what)
{
    void *items =
        room(enrolment->requests, &enrolment->request_capacity, enrolment->request_count, sizeof *enrolment->requests);

    if (items == NULL)
        return false;
    enrolment->requests = items;
    if (what->request.len == ENROL_HASH)
        memcpy(enrolment->requests[enrolment->request_count++], what->request.data, ENROL_HASH);
    return true;
}

/* A key that used a token: a new use, or one more certificate for it. */
static bool fold_use(struct umx_enrolment *enrolment, const Umx__Journal *entry, const Umx__Enrolment *what)
{
    char key[ENROL_KEY];
    bool failed = !fold_request(enrolment, what);

    to_hex(&what->key, key);
    struct enrol_use *use = enrol_use_of(enrolment, what->token, key);
    if (use == NULL) {
        struct enrol_token *token = enrol_token_of(enrolment, what->token);
        void *items = room(enrolment->uses, &enrolment->use_capacity, enrolment->use_count, sizeof *use);
        if (items == NULL)
            return false;
        enrolment->uses = items;
        use = &enrolment->uses[enrolment->use_count++];
        *use = (struct enrol_use){.at = entry->written_at};
        umx_text_copy(use->token, sizeof use->token, what->token);
        umx_text_copy(use->key, sizeof use->key, key);
        use->server = copy(what->server, &failed);
        use->forest = copy(what->forest, &failed);
        use->peer = copy(what->peer, &failed);
        use->previous = copy(what->previous, &failed);
        to_hex(&what->previous_key, use->previous_key);
        if (token != NULL)
            token->used++;
    } else {
        use->repeats++;
    }
    use->state = entry->kind == UMX__JOURNAL__KIND__ENROLMENT_HELD ? ENROL_HELD : ENROL_ENROLLED;
    if (use->agent == NULL)
        use->agent = copy(what->agent, &failed);
    return !failed;
}

static bool fold_decision(struct umx_enrolment *enrolment, const Umx__Journal *entry, const Umx__Enrolment *what)
{
    char key[ENROL_KEY];
    bool failed = false;

    to_hex(&what->key, key);
    struct enrol_use *use = enrol_use_of(enrolment, what->token, key);
    if (use == NULL)
        return true;
    use->state = entry->kind == UMX__JOURNAL__KIND__ENROLMENT_ACCEPTED ? ENROL_ACCEPTED : ENROL_REJECTED;
    if (use->agent == NULL)
        use->agent = copy(what->agent, &failed);
    return !failed;
}

static int fold(struct umx_enrolment *enrolment, const Umx__Journal *entry, struct umx_error *err)
{
    struct umx_authority *authority = enrolment->controller->authority;
    const Umx__Enrolment *what = entry->enrolment;
    struct enrol_token *token;
    bool good = true;
    int status = 0;

    if (what == NULL)
        return 0;
    const char *server = what->server != NULL ? what->server : "";
    switch (entry->kind) {
    case UMX__JOURNAL__KIND__TOKEN_CREATED:
        good = fold_token(enrolment, entry, what);
        break;
    case UMX__JOURNAL__KIND__TOKEN_REVOKED:
        token = what->token != NULL ? enrol_token_of(enrolment, what->token) : NULL;
        if (token != NULL)
            token->revoked_at = entry->written_at;
        break;
    case UMX__JOURNAL__KIND__ENROLLED:
        good = what->token != NULL && what->agent != NULL && fold_use(enrolment, entry, what);
        if (good)
            status = umx_authority_note_agent(authority, what->agent, server, what->forest, false, false, err);
        break;
    case UMX__JOURNAL__KIND__ENROLMENT_HELD:
        good = what->token != NULL && fold_use(enrolment, entry, what);
        break;
    case UMX__JOURNAL__KIND__ENROLMENT_ACCEPTED:
    case UMX__JOURNAL__KIND__ENROLMENT_REJECTED:
        good = what->token != NULL && fold_decision(enrolment, entry, what);
        if (good && entry->kind == UMX__JOURNAL__KIND__ENROLMENT_ACCEPTED && what->previous != NULL)
            status = umx_authority_note_agent(authority, what->previous, server, NULL, true, true, err);
        break;
    case UMX__JOURNAL__KIND__AGENT_REVOKED:
    case UMX__JOURNAL__KIND__AGENT_FORGOTTEN:
        if (what->agent != NULL)
            status = umx_authority_note_agent(authority, what->agent, server, NULL, true,
                                              entry->kind == UMX__JOURNAL__KIND__AGENT_FORGOTTEN, err);
        break;
    default:
        break;
    }
    return good ? status : umx_fail(err, UMX_ERR_MEMORY, "enrolment", NULL);
}

/* One line for people; everything is in the entry's fields. */
static void describe(const Umx__Enrolment *what, struct umx_text *out)
{
    const char *name = what->server != NULL ? what->server : what->pattern;

    if (name != NULL)
        umx_text_adds(out, name);
    if (what->token != NULL)
        umx_text_addf(out, "%stoken %s", out->length > 0 ? ", " : "", what->token);
    if (what->has_uses)
        umx_text_addf(out, ", %d use(s)", what->uses);
    if (what->has_key) {
        umx_text_adds(out, ", key ");
        umx_text_add_hex(out, what->key.data, what->key.len);
    }
    if (what->has_previous_key) {
        umx_text_adds(out, ", known key ");
        umx_text_add_hex(out, what->previous_key.data, what->previous_key.len);
    }
    if (what->peer != NULL && what->peer[0] != '\0')
        umx_text_addf(out, ", from %s", what->peer);
}

int enrol_append(struct umx_enrolment *enrolment, Umx__Journal__Kind kind, Umx__Enrolment *what, const char *actor,
                 struct umx_error *err)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    char who[UMX_IDENTITY_MAX];
    struct umx_text detail = {0};

    umx_text_copy(who, sizeof who, actor);
    entry.has_kind = 1;
    entry.kind = kind;
    entry.actor = who;
    entry.enrolment = what;
    describe(what, &detail);
    entry.detail = detail.data;
    int status = umx_journal_append(enrolment->controller->journal, &entry, err);
    if (status == 0) {
        umx_fleet_journal_grown(enrolment->controller->fleet);
        status = fold(enrolment, &entry, err);
    }
    umx_text_free(&detail);
    return status;
}

struct replay {
    struct umx_enrolment *enrolment;
    struct umx_error *err;
};

static int replay_entry(void *user, const Umx__Journal *entry)
{
    struct replay *replay = user;

    return fold(replay->enrolment, entry, replay->err);
}

int umx_enrolment_open(struct umx_controller *controller, struct umx_enrolment **out, struct umx_error *err)
{
    struct umx_enrolment *enrolment = calloc(1, sizeof *enrolment);
    struct replay replay = {enrolment, err};
    pthread_condattr_t monotonic;

    *out = NULL;
    if (enrolment == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "enrolment", NULL);
    enrolment->controller = controller;
    enrolment->queue_end = &enrolment->queue;
    pthread_mutex_init(&enrolment->mutex, NULL);
    pthread_mutex_init(&enrolment->queue_mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&enrolment->queue_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int status = umx_journal_each(controller->journal, "", 0, 0, replay_entry, &replay, err);
    if (status == 0)
        *out = enrolment;
    else
        umx_enrolment_close(enrolment);
    return status;
}

void umx_enrolment_close(struct umx_enrolment *enrolment)
{
    if (enrolment == NULL)
        return;
    umx_enrolment_stop(enrolment);
    for (size_t i = 0; i < enrolment->token_count; i++) {
        free(enrolment->tokens[i].server);
        free(enrolment->tokens[i].pattern);
        free(enrolment->tokens[i].forest);
        free(enrolment->tokens[i].created_by);
    }
    for (size_t i = 0; i < enrolment->use_count; i++) {
        free(enrolment->uses[i].server);
        free(enrolment->uses[i].forest);
        free(enrolment->uses[i].agent);
        free(enrolment->uses[i].previous);
        free(enrolment->uses[i].peer);
    }
    free(enrolment->tokens);
    free(enrolment->uses);
    free(enrolment->requests);
    pthread_cond_destroy(&enrolment->queue_changed);
    pthread_mutex_destroy(&enrolment->queue_mutex);
    pthread_mutex_destroy(&enrolment->mutex);
    free(enrolment);
}

/* ---- tokens */

static Umx__Token__State state_of(const struct enrol_token *token)
{
    return token->revoked_at != 0                 ? UMX__TOKEN__STATE__REVOKED
           : token->used >= token->uses           ? UMX__TOKEN__STATE__USED_UP
           : token->expires_at <= umx_clock_now() ? UMX__TOKEN__STATE__EXPIRED
                                                  : UMX__TOKEN__STATE__ACTIVE;
}

/* In the arena; NULL: it is full. */
static Umx__Token *show(const struct enrol_token *token, struct umx_arena *arena)
{
    Umx__Token *shown = umx_arena_alloc(arena, sizeof *shown);

    if (shown == NULL)
        return NULL;
    umx__token__init(shown);
    shown->id = umx_arena_string(arena, token->id);
    shown->server = token->server != NULL ? umx_arena_string(arena, token->server) : NULL;
    shown->pattern = token->pattern != NULL ? umx_arena_string(arena, token->pattern) : NULL;
    shown->forest = token->forest != NULL ? umx_arena_string(arena, token->forest) : NULL;
    shown->created_by = token->created_by != NULL ? umx_arena_string(arena, token->created_by) : NULL;
    shown->has_state = shown->has_uses = shown->has_used = shown->has_created_at = shown->has_expires_at = 1;
    shown->state = state_of(token);
    shown->uses = token->uses;
    shown->used = token->used;
    shown->created_at = token->created_at;
    shown->expires_at = token->expires_at;
    shown->has_revoked_at = token->revoked_at != 0;
    shown->revoked_at = token->revoked_at;
    return shown->id != NULL ? shown : NULL;
}

/* SHA-256 of the deployment's root certificate, in DER: what the agent pins. */
static int root_hash(const struct umx_enrolment *enrolment, uint8_t out[UMX_TOKEN_ROOT], struct umx_error *err)
{
    BIO *bio = BIO_new_mem_buf(umx_authority_root(enrolment->controller->authority), -1);
    X509 *root = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    unsigned length = 0;
    bool good = root != NULL && X509_digest(root, EVP_sha256(), out, &length) == 1 && length == UMX_TOKEN_ROOT;

    X509_free(root);
    BIO_free(bio);
    return good ? 0 : umx_fail(err, UMX_ERR_INTERNAL, "the root certificate", NULL);
}

static int make_token(const struct umx_enrolment *enrolment, struct umx_token *out, struct umx_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[UMX_TOKEN_ID];

    if (RAND_bytes(random, sizeof random) != 1 || RAND_priv_bytes(out->secret, sizeof out->secret) != 1)
        return umx_fail(err, UMX_ERR_INTERNAL, "random bytes", NULL);
    for (size_t i = 0; i < UMX_TOKEN_ID; i++)
        out->id[i] = digits[random[i] & 15];
    out->id[UMX_TOKEN_ID] = '\0';
    return root_hash(enrolment, out->root, err);
}

static int check_host(const char *name, struct umx_error *err)
{
    size_t length = strlen(name);

    for (size_t i = 0; i <= length; i++) {
        char c = name[i];
        bool edge = i == 0 || i == length || name[i - 1] == '.';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        if (i < length && c == '.' ? edge : i < length && !letter)
            return umx_fail(err, UMX_ERR_TOKEN_ARGUMENT, name, "it is not a host name");
    }
    if (length == 0 || length > 250 || name[length - 1] == '.' || strchr(name, '.') == NULL)
        return umx_fail(err, UMX_ERR_TOKEN_ARGUMENT, name, "it is not a fully qualified host name");
    return 0;
}

/* What may be asked for; fills what the token shall be. */
static int check_arguments(const struct umx_enrolment *enrolment, const Umx__TokenCreateArguments *arguments,
                           Umx__Enrolment *what, struct umx_error *err)
{
    const char *name = arguments->server != NULL ? arguments->server : arguments->pattern;
    const char *wanted = arguments->forest != NULL ? arguments->forest : "";
    const struct umx_forest_config *forest = umx_config_forest(enrolment->controller->config, wanted);
    int64_t now = umx_clock_now();

    if ((arguments->server == NULL) == (arguments->pattern == NULL))
        return umx_fail(err, UMX_ERR_TOKEN_ARGUMENT, "token", "it is for one server, or for a pattern");
    if (forest == NULL)
        return umx_fail(err, UMX_ERR_FOREST_UNKNOWN, wanted, NULL);
    if (arguments->pattern != NULL && !umx_token_pattern_valid(arguments->pattern))
        return umx_fail(err, UMX_ERR_TOKEN_ARGUMENT, arguments->pattern,
                        "a pattern is a host name with one * in its first label, and two labels behind it");
    if (arguments->server != NULL && check_host(arguments->server, err) != 0)
        return UMX_E_ARGUMENT;
    const char *of = enrol_forest_of(enrolment, name);
    if (of != NULL && !umx_text_equal(of, forest->name))
        return umx_fail(err, UMX_ERR_TOKEN_WRONG_FOREST, name, "it is in %s", of);
    what->uses = arguments->has_uses ? arguments->uses : 1;
    what->expires_at = arguments->has_expires_at ? arguments->expires_at : now + UMX_TOKEN_LIFE;
    if (what->uses < 1 || what->uses > UMX_TOKEN_USES_MAX)
        return umx_fail(err, UMX_ERR_TOKEN_ARGUMENT, name, "it can be used 1 to %d times", UMX_TOKEN_USES_MAX);
    if (what->expires_at <= now || what->expires_at > now + UMX_TOKEN_LIFE_MAX)
        return umx_fail(err, UMX_ERR_TOKEN_ARGUMENT, name, "its end has to be in the future, and at most %d days away",
                        (int)(UMX_TOKEN_LIFE_MAX / UMX_DAY));
    what->has_uses = what->has_expires_at = 1;
    what->server = arguments->server;
    what->pattern = arguments->pattern;
    what->forest = forest->name;
    return 0;
}

int umx_enrolment_create_token(struct umx_enrolment *enrolment, const Umx__TokenCreateArguments *arguments,
                               const char *actor, struct umx_arena *arena, Umx__Token **out, struct umx_error *err)
{
    Umx__Enrolment what = UMX__ENROLMENT__INIT;
    struct umx_token token;
    uint8_t hash[ENROL_HASH];
    int status = check_arguments(enrolment, arguments, &what, err);

    *out = NULL;
    if (status == 0)
        status = make_token(enrolment, &token, err);
    if (status != 0)
        return status;
    if (EVP_Digest(token.secret, sizeof token.secret, hash, NULL, EVP_sha256(), NULL) != 1)
        status = umx_fail(err, UMX_ERR_INTERNAL, "token", NULL);
    what.token = token.id;
    what.has_token_hash = 1;
    what.token_hash = (ProtobufCBinaryData){.len = sizeof hash, .data = hash};
    pthread_mutex_lock(&enrolment->mutex);
    if (status == 0)
        status = enrol_append(enrolment, UMX__JOURNAL__KIND__TOKEN_CREATED, &what, actor, err);
    if (status == 0)
        *out = show(enrol_token_of(enrolment, token.id), arena);
    pthread_mutex_unlock(&enrolment->mutex);
    if (*out != NULL && ((*out)->token = umx_arena_alloc(arena, UMX_TOKEN_TEXT)) != NULL)
        umx_token_format(&token, (*out)->token);
    else if (status == 0)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "token", NULL);
    OPENSSL_cleanse(&token, sizeof token);
    return status;
}

int umx_enrolment_tokens(struct umx_enrolment *enrolment, struct umx_arena *arena, Umx__Token ***out, size_t *count,
                         struct umx_error *err)
{
    int status = 0;

    *count = 0;
    pthread_mutex_lock(&enrolment->mutex);
    *out = umx_arena_alloc(arena, (enrolment->token_count + 1) * sizeof **out);
    if (*out == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "tokens", NULL);
    for (size_t i = enrolment->token_count; status == 0 && i > 0; i--) {
        const struct enrol_token *token = &enrolment->tokens[i - 1];
        int64_t end = token->revoked_at != 0 ? token->revoked_at : token->expires_at;
        if (end < umx_clock_now() - LISTED)
            continue;
        if (((*out)[*count] = show(token, arena)) == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, "tokens", NULL);
        (*count)++;
    }
    pthread_mutex_unlock(&enrolment->mutex);
    return status;
}

int umx_enrolment_revoke_token(struct umx_enrolment *enrolment, const char *id, const char *actor,
                               struct umx_error *err)
{
    Umx__Enrolment what = UMX__ENROLMENT__INIT;
    char name[UMX_TOKEN_ID + 1];
    int status = 0;

    umx_text_copy(name, sizeof name, id);
    pthread_mutex_lock(&enrolment->mutex);
    const struct enrol_token *token = strlen(id) == UMX_TOKEN_ID ? enrol_token_of(enrolment, name) : NULL;
    what.token = name;
    if (token == NULL)
        status = umx_fail(err, UMX_ERR_TOKEN_UNKNOWN, id, NULL);
    else if (token->revoked_at == 0)
        status = enrol_append(enrolment, UMX__JOURNAL__KIND__TOKEN_REVOKED, &what, actor, err);
    pthread_mutex_unlock(&enrolment->mutex);
    return status;
}

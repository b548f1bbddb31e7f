/*
 * A rotation: from one root and intermediate to the next ones, in phases, each of which is one file that is replaced in
 * one step (ca/rotation). What comes after the decision to complete is done again by whoever opens the deployment next,
 * as often as it takes.
 */
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "controller/authority_internal.h"

static const char *const phases[] = {"none", "open", "completing", "cleaning"};

/* ---- ca/rotation: lines of a name and a value */

static int rotation_write(const char *data, const struct authority_rotation *rotation, struct umx_error *err)
{
    struct umx_text text = {0};
    char at[UMX_CLOCK_TEXT];

    umx_text_addf(&text, "umx-rotation-1\nphase %s\nof %s\ndirection %s\nbegun_at %s\nbegun_by %s\n",
                  phases[rotation->phase], rotation->root ? "root" : "intermediate",
                  rotation->back ? "back" : "forward", umx_clock_format(rotation->begun_at, at), rotation->begun_by);
    int status = authority_write(data, "ca/rotation", &text, err);
    umx_text_free(&text);
    return status;
}

/* The value of a line, cut off; *at goes behind it. */
static const char *value_of(char **at, const char *name)
{
    size_t length = strlen(name);
    char *line = *at;
    char *end = strchr(line, '\n');

    if (end == NULL || strncmp(line, name, length) != 0 || line[length] != ' ')
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line + length + 1;
}

static bool rotation_parse(char *text, struct authority_rotation *out)
{
    static const char head[] = "umx-rotation-1\n";

    if (strncmp(text, head, sizeof head - 1) != 0)
        return false;
    text += sizeof head - 1;
    const char *phase = value_of(&text, "phase");
    const char *of = phase != NULL ? value_of(&text, "of") : NULL;
    const char *direction = of != NULL ? value_of(&text, "direction") : NULL;
    const char *at = direction != NULL ? value_of(&text, "begun_at") : NULL;
    const char *by = at != NULL ? value_of(&text, "begun_by") : NULL;
    if (by == NULL || umx_clock_parse(at, &out->begun_at) != 0)
        return false;
    for (int i = ROTATION_OPEN; i <= ROTATION_CLEANING; i++)
        if (strcmp(phase, phases[i]) == 0)
            out->phase = (enum authority_phase)i;
    out->root = strcmp(of, "root") == 0;
    out->back = strcmp(direction, "back") == 0;
    umx_text_copy(out->begun_by, sizeof out->begun_by, by);
    return out->phase != ROTATION_NONE;
}

int authority_rotation_read(const char *data, struct authority_rotation *out, struct umx_error *err)
{
    char *text = NULL;

    *out = (struct authority_rotation){0};
    if (!authority_there(data, "ca/rotation"))
        return 0;
    int status = authority_read(data, "ca/rotation", &text, err);
    if (status == 0 && !rotation_parse(text, out))
        status = umx_fail(err, UMX_ERR_STORE_CORRUPT, data, "ca/rotation is damaged");
    umx_private_free(text);
    return status;
}

/* ---- the end of a rotation: each step may have been done before */

/* The retired intermediate's certificate stays on record. */
static int keep_past(const char *data, struct umx_error *err)
{
    struct umx_text name = {0}, text = {0};
    char *pem = NULL;
    char key_id[UMX_KEY_ID_MAX];
    X509 *certificate = NULL;
    int status = authority_make_directory(data, "ca/past", err);

    if (status == 0)
        status = authority_read(data, "ca/intermediate.pem", &pem, err);
    if (status == 0)
        status = umx_certificate_read(pem, "ca/intermediate.pem", &certificate, err);
    if (status == 0 && authority_key_id(certificate, key_id) != 0)
        status = umx_fail(err, UMX_ERR_AUTHORITY_INVALID, "ca/intermediate.pem", "it has no key identifier");
    if (status == 0) {
        umx_text_addf(&name, "ca/past/%s.pem", key_id);
        umx_text_adds(&text, pem);
        status = authority_write(data, umx_text_string(&name), &text, err);
    }
    X509_free(certificate);
    umx_text_free(&name);
    umx_text_free(&text);
    umx_private_free(pem);
    return status;
}

static int copy_file(const char *data, const char *from, const char *to, struct umx_error *err)
{
    char *bytes = NULL;
    int status = authority_read(data, from, &bytes, err);

    if (status == 0) {
        const struct umx_text text = {.data = bytes, .length = strlen(bytes)};
        status = authority_write(data, to, &text, err);
    }
    umx_private_free(bytes);
    umx_crash_point(UMX_CRASH_CA_COPY, NULL);
    return status;
}

static int turn_files(const char *data, const struct authority_rotation *rotation, struct umx_error *err)
{
    int status = 0;

    /* Once the certificate is copied, what is retired is no longer there to be kept: it was kept before. */
    if (!authority_there(data, "ca/next/kept")) {
        struct umx_text mark = {0};
        status = keep_past(data, err);
        umx_text_adds(&mark, "1\n");
        if (status == 0)
            status = authority_write(data, "ca/next/kept", &mark, err);
        umx_text_free(&mark);
    }
    if (status == 0)
        status = copy_file(data, "ca/next/intermediate.key", "ca/intermediate.key", err);
    if (status == 0)
        status = copy_file(data, "ca/next/intermediate.pem", "ca/intermediate.pem", err);
    if (status == 0)
        status = copy_file(data, "ca/next/controller.pem", "ca/controller.pem", err);
    if (status == 0 && rotation->root)
        status = copy_file(data, "ca/next/root.pem", "root.pem", err);
    return status;
}

int authority_rotation_finish(const char *data, struct authority_rotation *rotation, struct umx_error *err)
{
    static const char *const files[] = {"ca/next/intermediate.pem",
                                        "ca/next/intermediate.key",
                                        "ca/next/root.pem",
                                        "ca/next/controller.pem",
                                        "ca/progress.tsv",
                                        "ca/next/kept",
                                        "ca/rotation"};
    int status = 0;

    if (rotation->phase == ROTATION_COMPLETING) {
        status = turn_files(data, rotation, err);
        rotation->phase = ROTATION_CLEANING;
        if (status == 0)
            status = rotation_write(data, rotation, err);
        umx_crash_point(UMX_CRASH_CA_TURNED, NULL);
    }
    if (status != 0 || rotation->phase != ROTATION_CLEANING)
        return status;
    for (size_t i = 0; status == 0 && i < sizeof files / sizeof files[0]; i++) {
        status = authority_remove(data, files[i], err);
        umx_crash_point(UMX_CRASH_CA_CLEAN, NULL);
    }
    if (status == 0)
        *rotation = (struct authority_rotation){0};
    return status;
}

/* ---- what operators do */

static int check_time(const char *pem, const char *what, struct umx_error *err)
{
    X509 *certificate = NULL;
    int status = umx_certificate_read(pem, what, &certificate, err);

    if (status == 0 && (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0 ||
                        X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0))
        status = umx_fail(err, UMX_ERR_AUTHORITY_INVALID, what, "it is not valid now");
    X509_free(certificate);
    return status;
}

/* What is staged fits, and is what is wanted. */
static int check_staged(const char *data, bool root, struct umx_error *err)
{
    struct authority_pair pair = {0};
    bool own_root = authority_there(data, "ca/next/root.pem");

    if (!authority_there(data, "ca/next/intermediate.pem"))
        return umx_fail(err, UMX_ERR_ROTATION_NOT_STAGED, data, NULL);
    if (root != own_root)
        return umx_fail(err, UMX_ERR_ROTATION_NOT_STAGED, data, "%s",
                        own_root ? "a new root is staged: begin with --root" : "an intermediate is staged, not a root");
    int status = authority_pair_load(data, root ? "ca/next/root.pem" : "root.pem", "ca/next", &pair, err);
    if (status == 0)
        status = check_time(pair.root, "the staged root", err);
    if (status == 0)
        status = check_time(pair.intermediate, "the staged intermediate", err);
    authority_pair_free(&pair);
    return status;
}

/* Changes ca/rotation and reads everything anew; `turning` is held for writing, the deployment is locked. */
static int move(struct umx_authority *authority, const struct authority_rotation *rotation, struct umx_error *err)
{
    umx_crash_point(UMX_CRASH_CA_MOVE_BEFORE, NULL);
    int status = rotation_write(authority->data, rotation, err);
    umx_crash_point(UMX_CRASH_CA_MOVE_AFTER, NULL);
    return status == 0 ? authority_view_replace(authority, err) : status;
}

/* A move that failed half way (a full disk) has left the files ahead of what is in memory: they are the truth, and what
 * they say is ended before anything else is decided. With the locks of move(). */
int authority_catch_up(struct umx_authority *authority, bool *moved, struct umx_error *err)
{
    const struct authority_rotation *known = &authority->view->rotation;
    struct authority_rotation now;
    int status = authority_rotation_read(authority->data, &now, err);

    *moved = status == 0 && (now.phase != known->phase || (now.phase == ROTATION_OPEN && now.back != known->back));
    return *moved ? authority_view_replace(authority, err) : status;
}

static int begin(struct umx_authority *authority, bool root, const char *actor, struct umx_error *err)
{
    struct authority_rotation rotation = authority->view->rotation;

    if (rotation.phase == ROTATION_OPEN && rotation.root != root)
        return umx_fail(err, UMX_ERR_ROTATION_UNDER_WAY, authority->data, "it is of %s",
                        rotation.root ? "the root" : "the intermediate");
    if (rotation.phase == ROTATION_OPEN && !rotation.back)
        return 0;
    if (rotation.phase == ROTATION_OPEN) {
        rotation.back = false;
        return move(authority, &rotation, err);
    }
    int status = check_staged(authority->data, root, err);
    if (status != 0)
        return status;
    rotation = (struct authority_rotation){.phase = ROTATION_OPEN, .root = root, .begun_at = umx_clock_now()};
    umx_text_copy(rotation.begun_by, sizeof rotation.begun_by, actor);
    return move(authority, &rotation, err);
}

int umx_authority_begin(struct umx_authority *authority, bool root, const char *actor, struct umx_error *err)
{
    int lock = -1;
    bool moved = false;

    pthread_rwlock_wrlock(&authority->turning);
    int status = authority_lock(authority->data, &lock, err);
    if (status == 0)
        status = authority_catch_up(authority, &moved, err);
    if (status == 0)
        status = begin(authority, root, actor, err);
    authority_unlock(lock);
    pthread_rwlock_unlock(&authority->turning);
    return status;
}

int umx_authority_rollback(struct umx_authority *authority, struct umx_error *err)
{
    int lock = -1;
    bool moved = false;

    pthread_rwlock_wrlock(&authority->turning);
    int status = authority_lock(authority->data, &lock, err);
    if (status == 0)
        status = authority_catch_up(authority, &moved, err);
    struct authority_rotation rotation = authority->view->rotation;
    if (status == 0 && rotation.phase != ROTATION_OPEN)
        status = umx_fail(err, UMX_ERR_ROTATION_NONE, authority->data, NULL);
    if (status == 0 && !rotation.back) {
        rotation.back = true;
        status = move(authority, &rotation, err);
    }
    authority_unlock(lock);
    pthread_rwlock_unlock(&authority->turning);
    return status;
}

/* Names must mean agents that are there; nobody who is not named may be missing. */
static int check_laggards(struct umx_authority *authority, const char *const *leave_behind, size_t count,
                          struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new((size_t)64 * 1024 * 1024);
    Umx__AuthorityLaggard **laggards = NULL;
    struct umx_text names = {0};
    size_t missing = 0, left = 0, agents = 0;
    int status = arena != NULL ? authority_laggards(authority, arena, &laggards, &missing, &agents, err)
                               : umx_fail(err, UMX_ERR_MEMORY, "agents", NULL);

    for (size_t i = 0; status == 0 && i < missing; i++) {
        bool named = false;
        for (size_t k = 0; k < count && !named; k++)
            named = umx_text_equal(leave_behind[k], laggards[i]->server) ||
                    umx_text_equal(leave_behind[k], laggards[i]->agent);
        if (!named && left++ < 4)
            umx_text_addf(&names, "%s%s", left > 1 ? ", " : "", laggards[i]->server);
    }
    if (status == 0 && left > 0)
        status = umx_fail(err, UMX_ERR_ROTATION_LAGGARDS, authority->data, "%zu of %zu: %s%s", left, agents,
                          umx_text_string(&names), left > 4 ? ", ..." : "");
    umx_text_free(&names);
    umx_arena_free(arena);
    return status;
}

struct known {
    const char *name;
    bool found;
};

static int find_name(void *user, const struct umx_issued_agent *agent)
{
    struct known *known = user;

    known->found = known->found || umx_text_equal(agent->uri, known->name) || umx_text_equal(agent->fqdn, known->name);
    return 0;
}

/* The new chain is what everybody who has followed will accept. */
static int check_presented(const struct authority_view *view, const char *pem, struct umx_error *err)
{
    struct umx_identity_file file = {0};
    struct umx_issuers *issuers = NULL;
    int status = umx_identity_file_parse(pem, strlen(pem), "the controller's next certificate", &file, err);

    if (status == 0)
        status = umx_issuers_new(view->next.intermediate, &issuers, err);
    if (status == 0)
        status = umx_issuers_check(issuers, file.chain, strlen(file.chain), "the controller's next certificate", err);
    if (status == 0 && !umx_trust_has_root(&view->trust, file.root))
        status = umx_fail(err, UMX_ERR_AUTHORITY_INVALID, "the controller's next certificate",
                          "its root is not among those that agents were told of");
    umx_issuers_free(issuers);
    umx_identity_file_free(&file);
    return status;
}

static int complete(struct umx_authority *authority, struct umx_error *err)
{
    struct authority_rotation rotation = authority->view->rotation;
    struct umx_text pem = {0};
    int status = 0;

    if (rotation.back) {
        rotation.phase = ROTATION_CLEANING;
        return move(authority, &rotation, err);
    }
    status = authority_controller_again(authority, &authority->view->next, &pem, err);
    if (status == 0)
        status = check_presented(authority->view, pem.data, err);
    if (status == 0)
        status = authority_write(authority->data, "ca/next/controller.pem", &pem, err);
    umx_private_free(pem.data);
    rotation.phase = ROTATION_COMPLETING;
    return status == 0 ? move(authority, &rotation, err) : status;
}

int umx_authority_complete(struct umx_authority *authority, const char *const *leave_behind, size_t count,
                           struct umx_error *err)
{
    int lock = -1;
    bool moved = false;

    /* Whoever is issued a certificate meanwhile would be lost: nobody is, until this is over. */
    pthread_rwlock_wrlock(&authority->turning);
    bool open = authority->view->rotation.phase == ROTATION_OPEN;
    int status = authority_lock(authority->data, &lock, err);
    if (status == 0)
        status = authority_catch_up(authority, &moved, err);
    bool over = status == 0 && open && authority->view->rotation.phase != ROTATION_OPEN; /* it was decided before */
    if (status == 0 && !over && authority->view->rotation.phase != ROTATION_OPEN)
        status = umx_fail(err, UMX_ERR_ROTATION_NONE, authority->data, NULL);
    for (size_t i = 0; status == 0 && !over && i < count; i++) {
        struct known known = {leave_behind[i], false};
        status = umx_authority_issued_agents(authority, find_name, &known, err);
        if (status == 0 && !known.found)
            status = umx_fail(err, UMX_ERR_AGENT_UNKNOWN, leave_behind[i], NULL);
    }
    if (status == 0 && !over)
        status = check_laggards(authority, leave_behind, count, err);
    if (status == 0 && !over)
        status = complete(authority, err);
    authority_unlock(lock);
    pthread_rwlock_unlock(&authority->turning);
    return status;
}

void umx_authority_rotation(struct umx_authority *authority, struct umx_rotation *out)
{
    struct umx_error err = {0};

    *out = (struct umx_rotation){0};
    pthread_rwlock_rdlock(&authority->turning);
    const struct authority_rotation *now = &authority->view->rotation;
    if (now->phase == ROTATION_OPEN) {
        out->state = now->back ? UMX_ROTATION_BACK : UMX_ROTATION_FORWARD;
        out->root = now->root;
        out->begun_at = now->begun_at;
        umx_text_copy(out->begun_by, sizeof out->begun_by, now->begun_by);
    } else if (authority_there(authority->data, "ca/next/intermediate.pem")) {
        out->state = UMX_ROTATION_STAGED;
        out->root = authority_there(authority->data, "ca/next/root.pem");
        if (check_staged(authority->data, out->root, &err) != 0)
            umx_text_copy(out->error, sizeof out->error, umx_error_why(&err));
    }
    pthread_rwlock_unlock(&authority->turning);
}

/*
 * Rotation of the deployment's authority: staged, begun, followed, completed, rolled back; killed at every point of it;
 * and with agents on real streams. `test_rotation kill ...` is what the test runs itself as, to be killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/authority_internal.h"
#include "pki.h"
#include "rotation_fleet.h"

static char directory[] = "/tmp/umx-rotation-XXXXXX";
static char data[64];
static char root_key[96];
static const char *program;

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *walk)
{
    (void)found;
    (void)kind;
    (void)walk;
    return remove(path);
}

static struct umx_authority *open_it(void)
{
    struct umx_authority *authority = NULL;
    struct umx_error err = {0};

    if (umx_authority_open(data, &authority, &err) != 0)
        fail_msg("%s: %s", err.what, err.why);
    return authority;
}

/* A fresh deployment for each test; its root's key is moved away, as the documentation wants. */
static int set_up(void **state)
{
    static const char *const names[] = {"umx.test", "localhost", "127.0.0.1"};
    char from[128];
    struct umx_error err = {0};

    (void)state;
    nftw(data, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    snprintf(root_key, sizeof root_key, "%s/root.key", directory);
    remove(root_key);
    if (umx_authority_init(data, "lab", names, 3, &err) != 0) {
        print_message("%s: %s\n", err.what, err.why);
        return -1;
    }
    snprintf(from, sizeof from, "%s/root/root.key", data);
    return rename(from, root_key);
}

static void stage(bool root)
{
    struct umx_error err = {0};
    char key[128];

    snprintf(key, sizeof key, "%s/new-root.key", directory);
    remove(key);
    int status =
        root ? umx_authority_stage_root(data, key, &err) : umx_authority_stage_intermediate(data, root_key, &err);
    if (status != 0)
        fail_msg("%s: %s", err.what, err.why);
}

static void must(int status, const struct umx_error *err)
{
    if (status != 0)
        fail_msg("UMX-%d %s: %s", err->id, err->what, err->why);
}

static struct umx_identity issue(struct umx_authority *authority, const char *fqdn)
{
    struct umx_text pem = {0};
    struct umx_issued issued = {0};
    struct umx_identity identity;
    struct umx_error err = {0};

    must(umx_authority_issue_agent(authority, fqdn, UMX_AGENT_LIFE, &pem, &issued, &err), &err);
    must(umx_identity_parse(issued.chain, strlen(issued.chain), &identity, &err), &err);
    umx_issued_free(&issued);
    umx_private_free(pem.data);
    return identity;
}

static struct umx_identity renew(struct umx_authority *authority, const struct umx_identity *agent, char **chain)
{
    struct umx_issued issued = {0};
    struct umx_identity identity;
    struct umx_error err = {0};
    uint8_t *request;
    size_t length;
    char *key;

    must(umx_request_key(&key, &err), &err);
    must(umx_request_make(key, &request, &length, &err), &err);
    must(umx_authority_renew_agent(authority, request, length, agent, &issued, &err), &err);
    must(umx_identity_parse(issued.chain, strlen(issued.chain), &identity, &err), &err);
    if (chain != NULL)
        *chain = strdup(issued.chain);
    umx_issued_free(&issued);
    umx_private_free(key);
    free(request);
    return identity;
}

/* ---- staging */

static void test_staging(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_rotation rotation;
    struct umx_error err = {0};
    char other[128];

    (void)state;
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_NONE);
    assert_int_equal(umx_authority_discard(data, &err), UMX_E_NOT_FOUND);
    assert_int_equal(umx_authority_begin(authority, false, "a", &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_ROTATION_NOT_STAGED);
    assert_int_equal(umx_authority_rollback(authority, &err), UMX_E_CONFLICT);
    assert_int_equal(umx_authority_complete(authority, NULL, 0, &err), UMX_E_CONFLICT);
    assert_int_equal(err.id, UMX_ERR_ROTATION_NONE);
    assert_int_equal(umx_authority_stage_intermediate(directory, root_key, &err), UMX_E_NOT_FOUND);

    /* Another key than the root's stages nothing. */
    snprintf(other, sizeof other, "%s/ca/intermediate.key", data);
    assert_int_equal(umx_authority_stage_intermediate(data, other, &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_AUTHORITY_INVALID);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_NONE);

    stage(false);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_STAGED);
    assert_false(rotation.root);
    assert_string_equal(rotation.error, "");
    assert_int_equal(umx_authority_stage_intermediate(data, root_key, &err), UMX_E_EXISTS);
    assert_int_equal(umx_authority_begin(authority, true, "a", &err), UMX_E_NOT_FOUND);
    assert_int_equal(umx_authority_discard(data, &err), 0);
    stage(true);
    umx_authority_rotation(authority, &rotation);
    assert_true(rotation.root);
    assert_int_equal(umx_authority_begin(authority, false, "a", &err), UMX_E_NOT_FOUND);
    /* The key of a root is never overwritten. */
    assert_int_equal(umx_authority_discard(data, &err), 0);
    snprintf(other, sizeof other, "%s/new-root.key", directory);
    assert_int_equal(umx_authority_stage_root(data, other, &err), UMX_E_IO);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_NONE);
    umx_authority_close(authority);
}

static void test_staged_key_of_another_certificate(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_rotation rotation;
    struct umx_error err = {0};

    (void)state;
    stage(false);
    must(authority_write_key(data, "ca/next/intermediate.key", authority->view->current.key, &err), &err);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_STAGED);
    assert_non_null(strstr(rotation.error, "key"));
    assert_int_equal(umx_authority_begin(authority, false, "a", &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_AUTHORITY_INVALID);
    umx_authority_close(authority);
}

/* ---- the whole way, without streams */

static void walk(bool root)
{
    struct umx_authority *authority = open_it();
    char *const first_root = strdup(umx_authority_root(authority));
    uint8_t before[UMX_TRUST_ID], both_id[UMX_TRUST_ID];
    struct umx_error err = {0};
    struct umx_rotation rotation;
    char *chain;

    memcpy(before, umx_authority_trust(authority)->id, sizeof before);
    struct umx_identity one = issue(authority, "one.exchange.test"), two = issue(authority, "two.exchange.test");
    assert_string_equal(one.issuer, authority->view->current.key_id);
    stage(root);
    must(umx_authority_begin(authority, root, "umx://lab/operator/S-1", &err), &err);
    must(umx_authority_begin(authority, root, "umx://lab/operator/S-2", &err), &err);
    assert_int_equal(umx_authority_begin(authority, !root, "x", &err), UMX_E_CONFLICT);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_FORWARD);
    assert_string_equal(rotation.begun_by, "umx://lab/operator/S-1");
    assert_int_equal(umx_authority_stage_intermediate(data, root_key, &err), UMX_E_CONFLICT);
    assert_int_equal(umx_authority_discard(data, &err), UMX_E_CONFLICT);
    const struct umx_trust *both = umx_authority_trust(authority);
    memcpy(both_id, both->id, sizeof both_id);
    assert_memory_not_equal(before, both_id, UMX_TRUST_ID);
    assert_true(umx_trust_has_root(both, authority->view->current.root));
    assert_true(umx_trust_has_root(both, authority->view->next.root));

    /* Nothing is issued by the next root for whoever has not taken it. */
    assert_true(umx_authority_heard(authority, &one, NULL).tell);
    assert_true(umx_authority_heard(authority, &one, before).tell);
    struct umx_identity early = renew(authority, &one, NULL);
    assert_string_equal(early.issuer, root ? authority->view->current.key_id : authority->view->next.key_id);
    assert_int_equal(umx_authority_complete(authority, NULL, 0, &err), UMX_E_CONFLICT);
    assert_int_equal(err.id, UMX_ERR_ROTATION_LAGGARDS);
    assert_non_null(strstr(err.why, "one.exchange.test"));
    assert_non_null(strstr(err.why, "two.exchange.test"));

    struct umx_heard heard = umx_authority_heard(authority, &one, both_id);
    assert_false(heard.tell);
    assert_true(heard.renew);
    struct umx_identity followed = renew(authority, &one, &chain);
    assert_string_equal(followed.issuer, authority->view->next.key_id);
    heard = umx_authority_heard(authority, &followed, both_id);
    assert_false(heard.tell || heard.renew);

    /* Who followed is remembered over a restart; who did not is named. */
    umx_authority_close(authority);
    authority = open_it();
    const char *const unknown[] = {"nobody.exchange.test"}, *const left[] = {"two.exchange.test"};
    assert_int_equal(umx_authority_complete(authority, NULL, 0, &err), UMX_E_CONFLICT);
    assert_null(strstr(err.why, "one.exchange.test"));
    assert_int_equal(umx_authority_complete(authority, unknown, 1, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_AGENT_UNKNOWN);
    must(umx_authority_complete(authority, left, 1, &err), &err);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_NONE);

    /* The old intermediate is not taken any more, the new one is; the controller has a certificate of it. */
    struct umx_issuers *issuers = NULL;
    must(umx_issuers_new(umx_authority_tls(authority)->issuers, &issuers, &err), &err);
    assert_true(umx_issuers_have(issuers, followed.issuer));
    assert_false(umx_issuers_have(issuers, two.issuer));
    must(umx_issuers_check(issuers, chain, strlen(chain), "one", &err), &err);
    must(umx_issuers_check(issuers, umx_authority_tls(authority)->chain, strlen(umx_authority_tls(authority)->chain),
                           "controller", &err),
         &err);
    umx_issuers_free(issuers);
    const struct umx_trust *after = umx_authority_trust(authority);
    assert_memory_not_equal(after->id, both_id, UMX_TRUST_ID);
    assert_int_equal(umx_trust_has_root(after, first_root), !root);
    free(first_root);
    free(chain);

    /* The next rotation begins where this one ended. */
    assert_false(authority_there(data, "ca/next/intermediate.key"));
    assert_false(authority_there(data, "ca/progress.tsv"));
    umx_authority_close(authority);
    authority = open_it();
    assert_string_equal(issue(authority, "three.exchange.test").issuer, followed.issuer);
    umx_authority_close(authority);
}

static void test_intermediate(void **state)
{
    (void)state;
    walk(false);
}

static void test_root(void **state)
{
    (void)state;
    walk(true);
}

static void test_rollback(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_identity agent = issue(authority, "one.exchange.test");
    struct umx_error err = {0};
    uint8_t first[UMX_TRUST_ID], both[UMX_TRUST_ID];
    struct umx_rotation rotation;

    (void)state;
    memcpy(first, umx_authority_trust(authority)->id, sizeof first);
    stage(true);
    must(umx_authority_begin(authority, true, "a", &err), &err);
    memcpy(both, umx_authority_trust(authority)->id, sizeof both);
    umx_authority_heard(authority, &agent, both);
    struct umx_identity next = renew(authority, &agent, NULL);
    assert_false(umx_authority_heard(authority, &next, both).renew);

    /* Whoever followed has to come back first; both are trusted until then. */
    must(umx_authority_rollback(authority, &err), &err);
    must(umx_authority_rollback(authority, &err), &err);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_BACK);
    assert_memory_equal(umx_authority_trust(authority)->id, both, sizeof both);
    assert_int_equal(umx_authority_complete(authority, NULL, 0, &err), UMX_E_CONFLICT);
    assert_true(umx_authority_heard(authority, &next, both).renew);
    /* Forward again, and back again. */
    must(umx_authority_begin(authority, true, "b", &err), &err);
    assert_false(umx_authority_heard(authority, &next, both).renew);
    must(umx_authority_rollback(authority, &err), &err);
    struct umx_identity back = renew(authority, &next, NULL);
    assert_string_equal(back.issuer, agent.issuer);
    umx_authority_heard(authority, &back, both);
    must(umx_authority_complete(authority, NULL, 0, &err), &err);
    assert_memory_equal(umx_authority_trust(authority)->id, first, sizeof first);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_NONE);
    umx_authority_close(authority);
}

/* The disk is full in the middle of the end: the new key is in its place, its certificate is not. */
static void test_end_that_fails_half_way(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_error err = {0};
    struct umx_rotation rotation;
    char certificate[128], kept[128], mark[128], next[UMX_KEY_ID_MAX];

    (void)state;
    snprintf(certificate, sizeof certificate, "%s/ca/intermediate.pem", data);
    snprintf(kept, sizeof kept, "%s/kept.pem", directory);
    snprintf(mark, sizeof mark, "%s/ca/next/kept", data);
    stage(false);
    must(umx_authority_begin(authority, false, "a", &err), &err);
    umx_text_copy(next, sizeof next, authority->view->next.key_id);
    assert_int_equal(fclose(fopen(mark, "we")), 0);
    assert_int_equal(rename(certificate, kept), 0);
    assert_int_equal(mkdir(certificate, 0700), 0); /* nothing can take this place */
    assert_int_not_equal(umx_authority_complete(authority, NULL, 0, &err), 0);

    /* It was decided: nobody opens it again, or turns it back, with files of which half are new. */
    assert_int_not_equal(umx_authority_rollback(authority, &err), 0);
    assert_int_not_equal(umx_authority_begin(authority, false, "a", &err), 0);
    assert_int_not_equal(umx_authority_complete(authority, NULL, 0, &err), 0);
    bool renewed = true;
    assert_int_not_equal(umx_authority_renew_controller(authority, umx_clock_now(), &renewed, &err), 0);
    assert_false(renewed);

    /* With room again it goes to its end, whoever asks. */
    assert_int_equal(rmdir(certificate), 0);
    must(umx_authority_complete(authority, NULL, 0, &err), &err);
    umx_authority_rotation(authority, &rotation);
    assert_int_equal(rotation.state, UMX_ROTATION_NONE);
    assert_string_equal(authority->view->current.key_id, next);
    assert_int_equal(umx_authority_complete(authority, NULL, 0, &err), UMX_E_CONFLICT);
    umx_authority_close(authority);
    authority = open_it();
    assert_string_equal(authority->view->current.key_id, next);
    umx_authority_close(authority);
    remove(kept);
}

static const Umx__AuthorityCertificate *certificate_of(Umx__AuthorityCertificate *const *items, size_t count,
                                                       const char *kind, const char *state)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i]->kind, kind) == 0 && strcmp(items[i]->state, state) == 0)
            return items[i];
    return NULL;
}

static void test_status(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_arena *arena = umx_arena_new((size_t)1024 * 1024);
    struct umx_world *world = umx_world_new(umx_clock_now());
    Umx__AuthorityCertificate **items;
    struct umx_error err = {0};
    size_t count;

    (void)state;
    issue(authority, "one.exchange.test");
    issue(authority, "one.exchange.test");
    issue(authority, "two.exchange.test");
    stage(false);
    must(umx_authority_certificates(authority, arena, &items, &count, &err), &err);
    assert_int_equal(count, 4);
    const Umx__AuthorityCertificate *current = certificate_of(items, count, "intermediate", "current");
    assert_non_null(current);
    assert_int_equal(current->agents, 2);
    assert_int_equal(current->operators, 0);
    assert_in_range(current->days_left, 5 * 365 - 2, 5 * 365);
    assert_int_equal(strlen(current->fingerprint), 64);
    assert_non_null(certificate_of(items, count, "intermediate", "staged"));
    assert_non_null(certificate_of(items, count, "root", "current"));
    assert_non_null(certificate_of(items, count, "controller", "current"));
    must(umx_authority_add_rows(authority, world, &err), &err);
    assert_int_equal(umx_world_records(world)->n_certificate, 3);
    assert_string_equal(umx_world_records(world)->certificate[0]->store, "umx-controller");
    assert_string_equal(umx_world_records(world)->certificate[0]->server, "umx.test");

    const char *const both[] = {"one.exchange.test", "two.exchange.test"};
    must(umx_authority_begin(authority, false, "a", &err), &err);
    must(umx_authority_complete(authority, both, 2, &err), &err);
    must(umx_authority_certificates(authority, arena, &items, &count, &err), &err);
    assert_int_equal(certificate_of(items, count, "intermediate", "past")->agents, 2);
    assert_int_equal(certificate_of(items, count, "intermediate", "current")->agents, 0);
    umx_world_free(world);
    umx_arena_free(arena);
    umx_authority_close(authority);
}

static void test_controller_renews(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_error err = {0};
    struct umx_identity before, after;
    const struct umx_rpc_tls *tls = umx_authority_tls(authority);
    bool renewed = true;
    X509 *leaf;

    (void)state;
    must(umx_identity_parse(tls->chain, strlen(tls->chain), &before, &err), &err);
    must(umx_authority_renew_controller(authority, umx_clock_now() + 200 * UMX_DAY, &renewed, &err), &err);
    assert_false(renewed);
    must(umx_authority_renew_controller(authority, umx_clock_now() + 300 * UMX_DAY, &renewed, &err), &err);
    assert_true(renewed);
    tls = umx_authority_tls(authority);
    must(umx_identity_parse(tls->chain, strlen(tls->chain), &after, &err), &err);
    assert_string_equal(after.uri, before.uri);
    assert_string_not_equal(after.serial, before.serial);
    must(umx_certificate_read(tls->chain, "test", &leaf, &err), &err);
    assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    X509_free(leaf);
    umx_authority_close(authority);
}

static void test_trust_texts(void **state)
{
    struct umx_authority *authority = open_it();
    const struct authority_pair *pair = &authority->view->current;
    struct umx_trust trust;
    struct umx_error err = {0};
    struct umx_text text = {0};
    struct pki other;

    (void)state;
    pki_make(&other, "other");
    assert_int_equal(umx_trust_parse("", 0, &trust, &err), UMX_E_FORMAT);
    assert_int_equal(umx_trust_parse("x", 1, &trust, &err), UMX_E_FORMAT);
    assert_int_equal(umx_trust_parse(pair->root, strlen(pair->root), &trust, &err), UMX_E_FORMAT);
    assert_int_equal(umx_trust_parse(pair->intermediate, strlen(pair->intermediate), &trust, &err), UMX_E_FORMAT);
    /* An authority of another root; a leaf. */
    umx_text_addf(&text, "%s%s", other.roots, pair->intermediate);
    assert_int_equal(umx_trust_parse(text.data, text.length, &trust, &err), UMX_E_FORMAT);
    text.length = 0;
    umx_text_addf(&text, "%s%s%s", pair->root, pair->intermediate, umx_authority_tls(authority)->chain);
    assert_int_equal(umx_trust_parse(text.data, text.length, &trust, &err), UMX_E_FORMAT);
    /* Too many. */
    text.length = 0;
    for (int i = 0; i < 9; i++)
        umx_text_adds(&text, pair->root);
    assert_int_equal(umx_trust_parse(text.data, text.length, &trust, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_TRUST_INVALID);
    assert_null(trust.pem);
    /* Every cut of a good one is refused or good, never a crash. */
    const struct umx_trust *good = umx_authority_trust(authority);
    size_t length = strlen(good->pem);
    for (size_t cut = 0; cut < length; cut += 13)
        if (umx_trust_parse(good->pem, cut, &trust, NULL) == 0)
            umx_trust_free(&trust);
    must(umx_trust_parse(good->pem, length, &trust, &err), &err);
    assert_memory_equal(trust.id, good->id, sizeof trust.id);
    assert_true(umx_trust_has_root(&trust, pair->root));
    assert_false(umx_trust_has_root(&trust, other.roots));
    umx_trust_free(&trust);
    umx_text_free(&text);
    pki_free(&other);
    umx_authority_close(authority);
}

/* ---- killed at every point */

/* begin | rollback | complete, in a process of its own that kills itself at a point's n-th pass. True: it was killed.
 */
static bool killed_at(const char *verb, bool root, const char *point, int pass)
{
    char value[64];
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        snprintf(value, sizeof value, "%s:%d", point, pass);
        setenv("UMX_CRASH_POINT", value, 1);
        execl(program, program, "kill", verb, root ? "root" : "intermediate", data, root_key, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static int run_verb(char **arguments)
{
    bool root = strcmp(arguments[1], "root") == 0;
    struct umx_authority *authority = NULL;
    char key[160];
    int status;

    if (strcmp(arguments[0], "stage") == 0) {
        snprintf(key, sizeof key, "%s.new", arguments[3]);
        remove(key);
        return (root ? umx_authority_stage_root(arguments[2], key, NULL)
                     : umx_authority_stage_intermediate(arguments[2], arguments[3], NULL)) == 0
                   ? 0
                   : 1;
    }
    status = umx_authority_open(arguments[2], &authority, NULL);
    if (status == 0 && strcmp(arguments[0], "begin") == 0)
        status = umx_authority_begin(authority, root, "a", NULL);
    else if (status == 0 && strcmp(arguments[0], "rollback") == 0)
        status = umx_authority_rollback(authority, NULL);
    else if (status == 0)
        status = umx_authority_complete(authority, NULL, 0, NULL);
    umx_authority_close(authority);
    return status == 0 ? 0 : 1;
}

static void follow(struct umx_authority *authority, struct umx_identity *agent)
{
    const uint8_t *id = umx_authority_trust(authority)->id;

    umx_authority_heard(authority, agent, id);
    *agent = renew(authority, agent, NULL);
    umx_authority_heard(authority, agent, id);
}

/* After any death the deployment opens, issues, and the verb can be said again until it has its effect. */
static void die_and_go_on(const char *verb, bool root, bool back, const char *point, int pass, int *deaths)
{
    struct umx_error err = {0};
    struct umx_rotation rotation;
    bool completes = strcmp(verb, "complete") == 0;
    void *none = NULL;

    assert_int_equal(set_up(&none), 0);
    struct umx_authority *authority = open_it();
    struct umx_identity agent = issue(authority, "one.exchange.test");
    char old[UMX_KEY_ID_MAX], next[UMX_KEY_ID_MAX] = "";
    umx_text_copy(old, sizeof old, agent.issuer);
    if (strcmp(verb, "stage") != 0)
        stage(root);
    if (completes || strcmp(verb, "rollback") == 0) {
        must(umx_authority_begin(authority, root, "a", &err), &err);
        umx_text_copy(next, sizeof next, authority->view->next.key_id);
        follow(authority, &agent);
    }
    if (back) {
        must(umx_authority_rollback(authority, &err), &err);
        follow(authority, &agent);
    }
    umx_authority_close(authority);
    if (!killed_at(verb, root, point, pass))
        return;
    ++*deaths;
    authority = open_it();
    umx_authority_rotation(authority, &rotation);
    if (strcmp(verb, "stage") == 0) {
        assert_int_equal(rotation.state, UMX_ROTATION_NONE);
        stage(root);
    } else if (strcmp(verb, "begin") == 0) {
        must(umx_authority_begin(authority, root, "a", &err), &err);
        umx_authority_rotation(authority, &rotation);
        assert_int_equal(rotation.state, UMX_ROTATION_FORWARD);
    } else if (strcmp(verb, "rollback") == 0) {
        must(umx_authority_rollback(authority, &err), &err);
        follow(authority, &agent);
        must(umx_authority_complete(authority, NULL, 0, &err), &err);
    } else if (rotation.state != UMX_ROTATION_NONE) {
        must(umx_authority_complete(authority, NULL, 0, &err), &err);
    }
    umx_authority_rotation(authority, &rotation);
    if (strcmp(verb, "complete") == 0 || strcmp(verb, "rollback") == 0) {
        assert_int_equal(rotation.state, UMX_ROTATION_NONE);
        assert_string_equal(authority->view->current.key_id, completes && !back ? next : old);
        assert_false(authority_there(data, "ca/next/intermediate.key"));
        assert_false(authority_there(data, "ca/rotation"));
        /* Everybody who followed is taken, and takes the controller. */
        struct umx_issuers *issuers = NULL;
        must(umx_issuers_new(umx_authority_tls(authority)->issuers, &issuers, &err), &err);
        assert_true(umx_issuers_have(issuers, agent.issuer));
        must(umx_issuers_check(issuers, umx_authority_tls(authority)->chain,
                               strlen(umx_authority_tls(authority)->chain), "controller", &err),
             &err);
        umx_issuers_free(issuers);
        struct umx_identity fresh = issue(authority, "two.exchange.test");
        assert_string_equal(fresh.issuer, authority->view->current.key_id);
    }
    umx_authority_close(authority);
}

static void test_killed_anywhere(void **state)
{
    static const struct {
        const char *verb;
        bool back;
        const char *points[6];
    } verbs[] = {{"stage", false, {"ca:stage"}},
                 {"begin", false, {"ca:move:before", "ca:move:after"}},
                 {"rollback", false, {"ca:move:before", "ca:move:after"}},
                 {"complete", false, {"ca:move:before", "ca:move:after", "ca:copy", "ca:turned", "ca:clean"}},
                 {"complete", true, {"ca:move:before", "ca:move:after", "ca:clean"}}};
    enum { PASSES = 8 };
    int deaths = 0;

    (void)state;
    for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++)
        for (int root = 0; root < 2; root++)
            for (size_t p = 0; p < 6 && verbs[v].points[p] != NULL; p++)
                for (int pass = 1; pass <= PASSES; pass++) {
                    int before = deaths;
                    die_and_go_on(verbs[v].verb, root == 1, verbs[v].back, verbs[v].points[p], pass, &deaths);
                    if (deaths == before)
                        break;
                }
    print_message("killed %d times\n", deaths);
    assert_true(deaths >= 50);
}

/* ---- with streams */

static void rotate_streams(bool root, size_t count)
{
    struct umx_authority *authority = open_it();
    struct rotation_fleet fleet = {0};
    struct umx_error err = {0};
    int64_t limit = (int64_t)(30 + count / 2) * UMX_SECOND;
    int64_t began = umx_clock_monotonic();

    must(rotation_open(&fleet, authority, count, &err), &err);
    /* Without a rotation nobody is missing once all have taken the trust of now. */
    assert_true(rotation_follow(&fleet, 0, limit));
    double attached = (double)(umx_clock_monotonic() - began) / UMX_SECOND;
    stage(root);
    must(umx_authority_begin(authority, root, "a", &err), &err);
    must(umx_rpc_server_reload(fleet.server, umx_authority_tls(authority), &err), &err);
    assert_int_equal(rotation_missing(&fleet), count);

    /* The last agent hears nothing and does not follow: its stream stays, and it is named. */
    struct rotation_agent *last = &fleet.agents[count - 1];
    char *const before = last->identity.chain;
    rotation_detach(last);
    began = umx_clock_monotonic();
    for (size_t i = 0; i + 1 < count; i++)
        rotation_attach(&fleet, &fleet.agents[i]);
    assert_true(rotation_follow(&fleet, 1, limit));
    double followed = (double)(umx_clock_monotonic() - began) / UMX_SECOND;
    assert_int_equal(umx_authority_complete(authority, NULL, 0, &err), UMX_E_CONFLICT);
    assert_non_null(strstr(err.why, last->fqdn));
    assert_ptr_equal(last->identity.chain, before);
    assert_int_equal(rotation_attach(&fleet, last), 0);
    const char *const left[] = {last->fqdn};

    /* Let it take the trust and nothing else: it is refused afterwards by its certificate, with a reason. */
    began = umx_clock_monotonic();
    must(umx_authority_complete(authority, left, 1, &err), &err);
    must(umx_rpc_server_reload(fleet.server, umx_authority_tls(authority), &err), &err);
    for (size_t i = 0; i + 1 < count; i++) {
        fleet.agents[i].refusals = 0;
        assert_int_equal(rotation_attach(&fleet, &fleet.agents[i]), 0); /* the new chain is accepted */
    }
    rotation_attach(&fleet, last);
    assert_true(rotation_follow(&fleet, 1, limit));
    int64_t end = umx_clock_monotonic() + limit;
    while (last->refusals == 0 && umx_clock_monotonic() < end)
        rotation_round(&fleet, UMX_MILLISECOND);
    for (size_t i = 0; i + 1 < count; i++) {
        assert_int_equal(fleet.agents[i].refusals, 0);
        assert_non_null(fleet.agents[i].call);
    }
    assert_true(last->refusals > 0);
    if (!root)
        assert_int_equal(last->refused.id, UMX_ERR_ISSUER_RETIRED);
    print_message("%zu agents, %s: attached in %.1f s, followed in %.1f s, all back with the new chain %.1f s after "
                  "completing; lost: 0\n",
                  count, root ? "root" : "intermediate", attached, followed,
                  (double)(umx_clock_monotonic() - began) / UMX_SECOND);
    rotation_close(&fleet);
    umx_authority_close(authority);
}

static size_t agents_wanted(void)
{
    const char *value = getenv("UMX_ROTATION_AGENTS");
    long count = value != NULL ? strtol(value, NULL, 10) : 0;

    return count >= 2 && count <= 20000 ? (size_t)count : 24;
}

static void test_streams_intermediate(void **state)
{
    (void)state;
    rotate_streams(false, agents_wanted());
}

static void test_streams_root(void **state)
{
    (void)state;
    rotate_streams(true, agents_wanted());
}

/* A stream that is open when its issuer is retired ends at once, with the reason. */
static void test_open_streams_end(void **state)
{
    struct umx_authority *authority = open_it();
    struct rotation_fleet fleet = {0};
    struct umx_error err = {0};
    const char *const left[] = {"agent0.exchange.test"};

    (void)state;
    must(rotation_open(&fleet, authority, 1, &err), &err);
    assert_true(rotation_follow(&fleet, 0, 30 * UMX_SECOND));
    stage(false);
    must(umx_authority_begin(authority, false, "a", &err), &err);
    must(umx_rpc_server_reload(fleet.server, umx_authority_tls(authority), &err), &err);
    rotation_round(&fleet, 100 * UMX_MILLISECOND);
    assert_int_equal(fleet.agents[0].refusals, 0);
    must(umx_authority_complete(authority, left, 1, &err), &err);
    must(umx_rpc_server_reload(fleet.server, umx_authority_tls(authority), &err), &err);
    int64_t end = umx_clock_monotonic() + 30 * UMX_SECOND;
    while (fleet.agents[0].refusals == 0 && umx_clock_monotonic() < end)
        rotation_round(&fleet, 50 * UMX_MILLISECOND);
    assert_int_equal(fleet.agents[0].refused.id, UMX_ERR_ISSUER_RETIRED);
    rotation_close(&fleet);
    umx_authority_close(authority);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int begin(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(data, sizeof data, "%s/data", directory);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_staging, set_up),
        cmocka_unit_test_setup(test_staged_key_of_another_certificate, set_up),
        cmocka_unit_test_setup(test_intermediate, set_up),
        cmocka_unit_test_setup(test_root, set_up),
        cmocka_unit_test_setup(test_rollback, set_up),
        cmocka_unit_test_setup(test_end_that_fails_half_way, set_up),
        cmocka_unit_test_setup(test_status, set_up),
        cmocka_unit_test_setup(test_controller_renews, set_up),
        cmocka_unit_test_setup(test_trust_texts, set_up),
        cmocka_unit_test(test_killed_anywhere),
        cmocka_unit_test_setup(test_open_streams_end, set_up),
        cmocka_unit_test_setup(test_streams_intermediate, set_up),
        cmocka_unit_test_setup(test_streams_root, set_up),
    };

    program = "/proc/self/exe";
    if (argc == 6 && strcmp(argv[1], "kill") == 0)
        return run_verb(argv + 2);
    if (getenv("UMX_ROTATION_AGENTS") != NULL) /* tests/bench/rotation */
        cmocka_set_test_filter("test_streams_*");
    umx_rpc_begin();
    int failed = cmocka_run_group_tests(tests, begin, tear_down);
    umx_rpc_end();
    return failed;
}

/* A root whose key is on another machine: the first set-up and rotations by request, signature and import; what does not
 * fit changes nothing; a death in the middle of an import. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/authority_internal.h"

static const char *const names[] = {"umx.test", "192.0.2.1"};
static char directory[] = "/tmp/umx-offline-XXXXXX";
static char data[64];

/* The other machine: two roots, each with its key in a file. */
static struct umx_text roots[2];
static char *keys[2];

static void must(int status, const struct umx_error *err)
{
    if (status != 0)
        fail_msg("UMX-%d %s: %s", err->id, err->what, err->why);
}

static int fresh(void **state)
{
    static int number;

    (void)state;
    snprintf(data, sizeof data, "%s/%d", directory, number++);
    return 0;
}

static char *sign(const struct umx_text *request, int root, const char *expected_key)
{
    struct umx_text out = {0};
    struct umx_error err = {0};
    char key_hash[UMX_KEY_HASH_TEXT];

    must(umx_authority_sign(request->data, roots[root].data, keys[root], &out,
                            key_hash, &err),
         &err);
    assert_string_equal(key_hash, expected_key);
    return out.data;
}

/* What the other machine answers to the deployment's first request. */
static char *first_answer(void)
{
    struct umx_text request = {0};
    struct umx_error err = {0};
    char key_hash[UMX_KEY_HASH_TEXT];

    must(umx_authority_init_request(data, "lab", names, 2, &request, key_hash, &err), &err);
    char *answer = sign(&request, 0, key_hash);
    umx_text_free(&request);
    return answer;
}

static char *next_answer(int root)
{
    struct umx_text request = {0};
    struct umx_error err = {0};
    char key_hash[UMX_KEY_HASH_TEXT];

    must(umx_authority_request(data, &request, key_hash, &err), &err);
    char *answer = sign(&request, root, key_hash);
    umx_text_free(&request);
    return answer;
}

static enum umx_imported import(const char *pem)
{
    enum umx_imported what;
    struct umx_error err = {0};

    must(umx_authority_import(data, pem, &what, &err), &err);
    return what;
}

static struct umx_authority *open_it(void)
{
    struct umx_authority *authority = NULL;
    struct umx_error err = {0};

    must(umx_authority_open(data, &authority, &err), &err);
    return authority;
}

static void issue(struct umx_authority *authority, const char *fqdn)
{
    struct umx_text pem = {0};
    struct umx_issued issued = {0};
    struct umx_error err = {0};

    must(umx_authority_issue_agent(authority, fqdn, UMX_AGENT_LIFE, &pem, &issued, &err), &err);
    umx_issued_free(&issued);
    umx_private_free(pem.data);
}

static void refused(const char *pem, enum umx_error_id id, const char *why)
{
    enum umx_imported what;
    struct umx_error err = {0};

    assert_int_not_equal(umx_authority_import(data, pem, &what, &err), 0);
    assert_int_equal(err.id, id);
    if (strstr(err.why, why) == NULL)
        fail_msg("%s: not because %s", err.why, why);
}

/* ---- */

static void test_first(void **state)
{
    struct umx_authority *authority = NULL;
    struct umx_text ignored = {0};
    struct umx_error err = {0};
    char key_hash[UMX_KEY_HASH_TEXT];

    (void)state;
    char *answer = first_answer();
    assert_int_equal(umx_authority_open(data, &authority, &err), UMX_E_NOT_FOUND); /* it is none yet */
    assert_int_equal(umx_authority_init(data, "lab", names, 2, &err), UMX_E_EXISTS);
    assert_int_equal(umx_authority_init_request(data, "lab", names, 2, &ignored, key_hash, &err), UMX_E_EXISTS);
    assert_int_equal(import(answer), UMX_IMPORTED_DEPLOYMENT);
    authority = open_it();
    assert_string_equal(umx_authority_deployment(authority), "lab");
    assert_string_equal(umx_authority_identity(authority), "umx://lab/controller/umx.test");
    assert_string_equal(umx_authority_root(authority), roots[0].data);
    issue(authority, "one.test");
    umx_authority_close(authority);
    assert_false(authority_there(data, "root/root.key"));
    assert_false(authority_there(data, "ca/next/intermediate.key"));
    assert_false(authority_there(data, "ca/next/init"));
    refused(answer, UMX_ERR_ROTATION_NOT_STAGED, "no request waits");
    free(answer);
}

/* Whole rotations, with nothing of a root's key on this side: of the intermediate, then of the root. */
static void test_rotations(void **state)
{
    static const char *const left[] = {"after.test"};
    char *answer = first_answer();
    struct umx_error err = {0};
    struct umx_text ignored = {0};
    struct umx_rotation rotation;
    char key_hash[UMX_KEY_HASH_TEXT], before[UMX_KEY_ID_MAX];

    (void)state;
    import(answer);
    free(answer);
    for (int root = 0; root < 2; root++) {
        answer = next_answer(root);
        assert_int_equal(umx_authority_request(data, &ignored, key_hash, &err), UMX_E_EXISTS);
        assert_int_equal(err.id, UMX_ERR_AUTHORITY_STAGED);
        assert_int_equal(import(answer), root == 0 ? UMX_IMPORTED_INTERMEDIATE : UMX_IMPORTED_ROOT);
        refused(answer, UMX_ERR_AUTHORITY_STAGED, "");
        free(answer);
        struct umx_authority *authority = open_it();
        umx_text_copy(before, sizeof before, authority->view->current.key_id);
        umx_authority_rotation(authority, &rotation);
        assert_int_equal(rotation.state, UMX_ROTATION_STAGED);
        assert_int_equal(rotation.root, root == 1);
        assert_string_equal(rotation.error, "");
        must(umx_authority_begin(authority, root == 1, "a", &err), &err);
        must(umx_authority_complete(authority, left, (size_t)root, &err), &err); /* it never was there */
        assert_string_not_equal(authority->view->current.key_id, before);
        assert_string_equal(umx_authority_root(authority), roots[root].data);
        issue(authority, "after.test");
        umx_authority_close(authority);
    }
}

static void test_what_does_not_fit(void **state)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    struct umx_text text = {0}, request = {0}, out = {0};
    struct umx_error err = {0};
    char key_hash[UMX_KEY_HASH_TEXT];

    (void)state;
    char *of_another = first_answer(), *other_data = strdup(data);
    fresh(NULL);
    char *answer = first_answer();
    const char *second = strstr(answer + 1, begin);
    assert_non_null(second);

    refused("", UMX_ERR_AUTHORITY_INVALID, "are expected");
    refused("rubbish\n", UMX_ERR_AUTHORITY_INVALID, "are expected");
    refused(of_another, UMX_ERR_AUTHORITY_INVALID, "is not for the key");
    refused(second, UMX_ERR_AUTHORITY_INVALID, "are expected"); /* the root alone */
    umx_text_addf(&text, "%s%s", second, answer);               /* in the other order */
    refused(text.data, UMX_ERR_AUTHORITY_INVALID, "is not for the key");
    text.length = 0;
    umx_text_add(&text, answer, (size_t)(second - answer)); /* below another root than it says */
    umx_text_adds(&text, roots[1].data);
    refused(text.data, UMX_ERR_AUTHORITY_INVALID, "has not signed it");
    text.length = 0;
    umx_text_add(&text, answer, (size_t)(second - answer)); /* its own root */
    umx_text_add(&text, answer, (size_t)(second - answer));
    refused(text.data, UMX_ERR_AUTHORITY_INVALID, "is not a root");
    for (char *c = answer + 100, *end = answer + 110; c < end; c++) { /* a byte that another hand changed */
        char was = *c;
        *c = was == 'A' ? 'B' : 'A';
        enum umx_imported what;
        if (was != '\n')
            assert_int_not_equal(umx_authority_import(data, answer, &what, &err), 0);
        *c = was;
    }
    assert_false(authority_there(data, "root.pem"));
    assert_int_equal(import(answer), UMX_IMPORTED_DEPLOYMENT); /* nothing of all that has changed anything */

    /* The other machine: what is no request, another key than the root's, a key that is there already. */
    assert_int_not_equal(umx_authority_sign("x", roots[0].data, keys[0], &out, key_hash, &err), 0);
    assert_int_equal(err.id, UMX_ERR_CSR_INVALID);
    assert_int_not_equal(umx_authority_sign(answer, roots[0].data, keys[0], &out, key_hash, &err), 0);
    assert_int_equal(err.id, UMX_ERR_CSR_INVALID);
    must(umx_authority_request(data, &request, key_hash, &err), &err);
    assert_int_not_equal(umx_authority_sign(request.data, roots[0].data, keys[1], &out, key_hash, &err), 0);
    assert_int_equal(err.id, UMX_ERR_AUTHORITY_INVALID);
    assert_int_equal(out.length, 0);
    char there[96];
    snprintf(there, sizeof there, "%s/root-0.key", directory);
    assert_int_not_equal(umx_authority_make_root("lab", there, &out, &err), 0);
    assert_int_equal(err.id, UMX_ERR_FILE_UNWRITABLE);

    /* A request that is not wanted any more, and what would come back for it. */
    char *late = sign(&request, 0, key_hash);
    must(umx_authority_discard(data, &err), &err);
    refused(late, UMX_ERR_ROTATION_NOT_STAGED, "no request waits");
    umx_text_copy(data, sizeof data, other_data);
    must(umx_authority_discard(data, &err), &err);
    refused(of_another, UMX_ERR_DEPLOYMENT_MISSING, "no request");
    must(umx_authority_init(data, "lab", names, 2, &err), &err);
    umx_text_free(&text);
    umx_text_free(&request);
    umx_text_free(&out);
    free(late);
    free(of_another);
    free(other_data);
    free(answer);
}

/* ---- killed in the middle */

static bool killed_at(int pass, const char *answer)
{
    char value[64], file[96];
    int status = 0;
    struct umx_error err = {0};

    snprintf(file, sizeof file, "%s/answer.pem", directory);
    must(umx_private_file_write(file, answer, strlen(answer), &err), &err);
    pid_t child = fork();
    if (child == 0) {
        snprintf(value, sizeof value, "ca:import:%d", pass);
        setenv("UMX_CRASH_POINT", value, 1);
        execl("/proc/self/exe", "test_offline", "kill", data, file, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int import_and_end(const char *where, const char *file)
{
    enum umx_imported what;
    char *pem = NULL;
    size_t length;

    if (umx_private_file_read(file, UMX_IDENTITY_FILE_MAX, &pem, &length, NULL) != 0)
        return 2;
    return umx_authority_import(where, pem, &what, NULL) == 0 ? 0 : 1;
}

static void test_killed_in_the_middle(void **state)
{
    int deaths = 0;

    (void)state;
    for (int first = 0; first < 2; first++)
        for (int pass = 1; pass <= (first ? 2 : 1); pass++) {
            fresh(NULL);
            char *answer = first_answer();
            if (!first) {
                import(answer);
                free(answer);
                answer = next_answer(1);
            }
            assert_true(killed_at(pass, answer));
            deaths++;
            assert_int_equal(import(answer), first ? UMX_IMPORTED_DEPLOYMENT : UMX_IMPORTED_ROOT);
            struct umx_authority *authority = open_it();
            issue(authority, "one.test");
            umx_authority_close(authority);
            free(answer);
        }
    print_message("killed %d times\n", deaths);
}

/* ---- */

static int remove_one(const char *name, const struct stat *found, int kind, struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(name);
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        umx_text_free(&roots[i]);
        umx_private_free(keys[i]);
    }
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int begin(void **state)
{
    struct umx_error err = {0};

    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    for (int i = 0; i < 2; i++) {
        char file[96];
        size_t length;
        snprintf(file, sizeof file, "%s/root-%d.key", directory, i);
        if (umx_authority_make_root("lab", file, &roots[i], &err) != 0 ||
            umx_private_file_read(file, UMX_IDENTITY_FILE_MAX, &keys[i], &length, &err) != 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first, fresh),
        cmocka_unit_test_setup(test_rotations, fresh),
        cmocka_unit_test_setup(test_what_does_not_fit, fresh),
        cmocka_unit_test(test_killed_in_the_middle),
    };

    if (argc == 4 && strcmp(argv[1], "kill") == 0)
        return import_and_end(argv[2], argv[3]);
    return cmocka_run_group_tests(tests, begin, end);
}

/* ca/issued.tsv made shorter: what is known of agents stays, whoever appends meanwhile loses nothing, and a death at
 * any point leaves one of the two files whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controller/authority_internal.h"

static const char *program;
static char directory[] = "/tmp/umx-issued-XXXXXX";
static char data[64];
static char path[96];

static void must(int status, const struct umx_error *err)
{
    if (status != 0)
        fail_msg("UMX-%d %s: %s", err->id, err->what, err->why);
}

static struct umx_authority *open_it(void)
{
    struct umx_authority *authority = NULL;
    struct umx_error err = {0};

    must(umx_authority_open(data, &authority, &err), &err);
    return authority;
}

static int set_up(void **state)
{
    static const char *const names[] = {"umx.test"};
    static int number;

    (void)state;
    snprintf(data, sizeof data, "%s/%d", directory, number++);
    snprintf(path, sizeof path, "%s/ca/issued.tsv", data);
    return umx_authority_init(data, "lab", names, 1, NULL);
}

/* A line; days: from now to the end of what was issued. */
static void line(FILE *to, const char *role, const char *name, const char *where, int days, const char *key)
{
    char now[UMX_CLOCK_TEXT], end[UMX_CLOCK_TEXT];
    int64_t at = umx_clock_now();

    fprintf(to, "%s\t%s\t%s\t%s\t01\t%s\tumx://lab/%s/%s\t%s\tissuer\n", umx_clock_format(at - 400 * UMX_DAY, now),
            role, name, where, umx_clock_format(at + days * UMX_DAY, end),
            strcmp(role, "operator") == 0 || strcmp(role, "controller") == 0 ? role : "agent", name, key);
}

static void write_lines(void)
{
    FILE *to = fopen(path, "we");

    assert_non_null(to);
    line(to, "agent", "silent", "silent.test", -300, "k1"); /* ended long ago: is known when it comes back */
    line(to, "agent", "busy", "busy.test", -290, "k1");     /* renewed each month, its keys replaced twice */
    for (int days = -280; days <= -40; days += 2)
        line(to, "agent", "busy", "busy.test", days, days < -100 ? "k1" : "k2");
    line(to, "agent", "silent", "silent.test", -270, "k1");
    line(to, "agent", "revoked", "revoked.test", -200, "k1");
    line(to, "revoked", "revoked", "revoked.test", -201, "");
    line(to, "agent", "taken", "taken.test", 20, "k1");
    line(to, "revoked", "taken", "taken.test", -1, "");
    line(to, "agent", "gone", "gone.test", -30, "k1");
    line(to, "forgotten", "gone", "gone.test", -31, "");
    line(to, "agent", "going", "going.test", 20, "k1");
    line(to, "forgotten", "going", "going.test", -1, "");
    for (int i = 0; i < 50; i++)
        line(to, "operator", "S-1-5-21-1-2-3-1104", "exchange.test", -50 + i, "k1");
    line(to, "operator", "S-1-5-21-1-2-3-1104", "exchange.test", 5, "k1");
    line(to, "controller", "umx.test", "umx.test", -100, "k1");
    line(to, "controller", "umx.test", "umx.test", 200, "k2");
    line(to, "of-a-later-version", "x", "x.test", -100, "k1");
    fputs("2026-01-01T00:00:00Z\tagent\tcut\tcut.test\t1\t20\n", to);
    line(to, "agent", "busy", "busy.test", 10, "k3");
    line(to, "agent", "busy", "busy.test", 25, "k3");
    assert_int_equal(fclose(to), 0);
}

static size_t count_lines(const char *wanted)
{
    char text[ISSUED_LINE_MAX];
    size_t count = 0;
    FILE *from = fopen(path, "re");

    assert_non_null(from);
    while (fgets(text, sizeof text, from) != NULL)
        count += wanted == NULL || strstr(text, wanted) != NULL ? 1 : 0;
    fclose(from);
    return count;
}

static int describe(void *user, const struct umx_issued_agent *agent)
{
    char end[UMX_CLOCK_TEXT];

    if (!agent->forgotten)
        umx_text_addf(user, "%s %s until %s key %s before %s by %s%s\n", agent->uri, agent->fqdn,
                      umx_clock_format(agent->expires_at / UMX_DAY * UMX_DAY, end), agent->key, agent->previous_key,
                      agent->issuer, agent->revoked ? " revoked" : "");
    return 0;
}

/* What is known of agents, in its order. */
static char *known(struct umx_authority *authority)
{
    struct umx_text text = {0};
    struct umx_error err = {0};

    must(umx_authority_issued_agents(authority, describe, &text, &err), &err);
    assert_false(text.failed);
    return text.data;
}

static char *known_afresh(void)
{
    struct umx_authority *authority = open_it();
    char *text = known(authority);

    umx_authority_close(authority);
    return text;
}

static int count_operator(void *user, const char *uri, const char *issuer, int64_t expires_at)
{
    (void)uri;
    (void)issuer;
    *(size_t *)user += expires_at > umx_clock_now() ? 1 : 100;
    return 0;
}

/* ---- */

static void test_what_is_known_stays(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_error err = {0};
    size_t left_out = 0, operators = 0;

    (void)state;
    write_lines();
    char *before = known(authority);
    assert_non_null(strstr(before, "busy.test until"));
    assert_non_null(strstr(before, "key k3 before k2"));
    assert_non_null(strstr(before, "revoked.test"));
    size_t lines = count_lines(NULL);
    must(umx_authority_shorten(authority, &left_out, &err), &err);
    assert_int_equal(count_lines(NULL), lines - left_out);
    print_message("%zu lines, %zu left out\n", lines, left_out);

    /* The same to a program that had read the longer file, and to one that has not. */
    char *after = known(authority), *afresh = known_afresh();
    assert_string_equal(before, after);
    assert_string_equal(before, afresh);
    assert_int_equal(count_lines("agent/silent"), 2); /* its first, its newest */
    assert_int_equal(count_lines("agent/busy"), 4);   /* its first, the newest of the key before, two that are valid */
    assert_int_equal(count_lines("agent/revoked"), 2);
    assert_int_equal(count_lines("agent/taken"), 2);
    assert_int_equal(count_lines("agent/gone"), 0);
    assert_int_equal(count_lines("agent/going"), 2);
    assert_int_equal(count_lines("operator/"), 7); /* six of the last week, and the valid one */
    assert_int_equal(count_lines("controller/"), 1);
    assert_int_equal(count_lines("of-a-later-version"), 1);
    assert_int_equal(count_lines("cut.test"), 0);
    must(umx_issued_operators(data, count_operator, &operators, &err), &err);
    assert_int_equal(operators, 601); /* six that have ended */

    /* A second time there is nothing to do. */
    must(umx_authority_shorten(authority, &left_out, &err), &err);
    assert_int_equal(left_out, 0);
    free(before);
    free(after);
    free(afresh);
    umx_authority_close(authority);
}

/* A file is not written anew for a few lines; one that does not exist is no error. */
static void test_not_worth_it(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_error err = {0};
    size_t left_out = 1;

    (void)state;
    FILE *to = fopen(path, "we");
    assert_non_null(to);
    for (int i = 0; i < 20; i++)
        line(to, "operator", "S-1-5-21-1-2-3-1104", "exchange.test", i < 4 ? -20 : 5, "k1");
    assert_int_equal(fclose(to), 0);
    must(umx_authority_shorten(authority, &left_out, &err), &err);
    assert_int_equal(left_out, 0);
    assert_int_equal(count_lines(NULL), 20);
    assert_int_equal(remove(path), 0);
    must(umx_authority_shorten(authority, &left_out, &err), &err);
    assert_int_equal(left_out, 0);
    umx_authority_close(authority);
}

/* ---- beside those who issue */

enum { WRITERS = 3, EACH = 60 };

static atomic_int writing;

static void *issue_many(void *number)
{
    struct umx_authority *own = open_it(); /* as another program has */
    struct umx_error err = {0};

    for (int i = 0; i < EACH; i++) {
        char fqdn[64];
        struct umx_text pem = {0};
        struct umx_issued issued = {0};
        snprintf(fqdn, sizeof fqdn, "n%d-%d.test", *(int *)number, i);
        must(umx_authority_issue_agent(own, fqdn, UMX_AGENT_LIFE, &pem, &issued, &err), &err);
        umx_issued_free(&issued);
        umx_private_free(pem.data);
    }
    umx_authority_close(own);
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

static void test_whoever_issues_meanwhile_is_kept(void **state)
{
    struct umx_authority *authority = open_it();
    struct umx_error err = {0};
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    size_t times = 0, left_out;

    (void)state;
    atomic_store(&writing, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, issue_many, &numbers[i]), 0);
    }
    while (atomic_load(&writing) > 0) {
        /* Enough that has ended for it to be worth while. */
        int fd;
        must(issued_open(path, &fd, &err), &err);
        FILE *to = fdopen(fd, "a");
        assert_non_null(to);
        for (int i = 0; i < 100; i++)
            line(to, "operator", "S-1-5-21-1-2-3-1104", "exchange.test", -20, "k1");
        assert_int_equal(fclose(to), 0);
        must(umx_authority_shorten(authority, &left_out, &err), &err);
        times += left_out > 0;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    print_message("%d certificates issued while the file was replaced %zu times\n", WRITERS * EACH, times);
    assert_true(times > 0);
    for (int i = 0; i < WRITERS * EACH; i++) {
        char fqdn[64];
        snprintf(fqdn, sizeof fqdn, "\tn%d-%d.test\t", i / EACH, i % EACH);
        assert_int_equal(count_lines(fqdn), 1);
    }
    char *all = known(authority), *afresh = known_afresh();
    assert_string_equal(all, afresh);
    free(all);
    free(afresh);
    umx_authority_close(authority);
}

/* ---- killed in the middle */

static bool killed_at(const char *point, int pass)
{
    char value[64];
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        snprintf(value, sizeof value, "%s:%d", point, pass);
        setenv("UMX_CRASH_POINT", value, 1);
        execl(program, program, "kill", data, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static int shorten_and_end(const char *where)
{
    struct umx_authority *authority = NULL;
    int status = umx_authority_open(where, &authority, NULL);

    if (status == 0)
        status = umx_authority_shorten(authority, NULL, NULL);
    umx_authority_close(authority);
    return status == 0 ? 0 : 1;
}

static void test_killed_anywhere(void **state)
{
    static const struct {
        const char *point;
        int passes[4];
        bool replaced;
    } points[] = {
        {"issued:writing", {1, 2, 9, 20}, false}, {"issued:written", {1}, false}, {"issued:replaced", {1}, true}};
    struct umx_error err = {0};
    void *none = NULL;
    int deaths = 0;

    (void)state;
    for (size_t p = 0; p < sizeof points / sizeof *points; p++)
        for (size_t i = 0; i < 4 && points[p].passes[i] > 0; i++) {
            assert_int_equal(set_up(&none), 0);
            write_lines();
            size_t lines = count_lines(NULL), left_out = 0;
            char *before = known_afresh();
            assert_true(killed_at(points[p].point, points[p].passes[i]));
            deaths++;
            if (points[p].replaced)
                assert_true(count_lines(NULL) < lines);
            else
                assert_int_equal(count_lines(NULL), lines);
            char *after = known_afresh();
            assert_string_equal(before, after);

            /* What was left half written stands in nobody's way. */
            struct umx_authority *authority = open_it();
            must(umx_authority_shorten(authority, &left_out, &err), &err);
            assert_true((left_out > 0) != points[p].replaced);
            char *again = known(authority);
            assert_string_equal(before, again);
            assert_false(authority_there(data, "ca/issued.tsv.tmp"));
            umx_authority_close(authority);
            free(before);
            free(after);
            free(again);
        }
    print_message("killed %d times\n", deaths);
}

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
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_known_stays, set_up),
        cmocka_unit_test_setup(test_not_worth_it, set_up),
        cmocka_unit_test_setup(test_whoever_issues_meanwhile_is_kept, set_up),
        cmocka_unit_test(test_killed_anywhere),
    };

    program = "/proc/self/exe";
    if (argc == 3 && strcmp(argv[1], "kill") == 0)
        return shorten_and_end(argv[2]);
    return cmocka_run_group_tests(tests, begin, end);
}

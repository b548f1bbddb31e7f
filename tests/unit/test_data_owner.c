/* Commands of umxd that root runs on the data of another user. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/data_owner.h"

enum { OTHER = 65534 };

static char place[] = "/tmp/umx-data-owner-XXXXXX";

static void in_place(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", place, name);
}

static void make_file(const char *name)
{
    char path[128];

    in_place(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void make_folder(const char *name)
{
    char path[128];

    in_place(name, path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void expect_owner(const char *name, uid_t owner)
{
    char path[128];
    struct stat found;

    in_place(name, path);
    assert_int_equal(lstat(path, &found), 0);
    assert_int_equal(found.st_uid, owner);
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(place) == NULL;
}

static int end(void **state)
{
    char command[160];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", place);
    return system(command);
}

static void test_what_root_made(void **state)
{
    char data[128], from[128], to[128];

    (void)state;
    if (geteuid() != 0)
        skip();
    make_folder("data");
    make_folder("data/ca");
    make_folder("data/ca/next");
    make_file("data/ca/lock");
    make_file("data/ca/next/intermediate.pem");
    make_file("data/somebody");
    make_file("outside");
    in_place("outside", from);
    in_place("data/second-name", to);
    assert_int_equal(link(from, to), 0);
    make_folder("elsewhere");
    make_file("elsewhere/file");
    in_place("elsewhere", from);
    in_place("data/link", to);
    assert_int_equal(symlink(from, to), 0);
    in_place("data/somebody", to);
    assert_int_equal(chown(to, 4711, 4711), 0);
    in_place("data", data);

    umx_data_owner_keep(data); /* root's own: nothing to do */
    expect_owner("data/ca/lock", 0);

    assert_int_equal(chown(data, OTHER, OTHER), 0);
    umx_data_owner_keep(data);
    expect_owner("data/ca", OTHER);
    expect_owner("data/ca/lock", OTHER);
    expect_owner("data/ca/next/intermediate.pem", OTHER);
    expect_owner("data/somebody", 4711);
    expect_owner("data/second-name", 0);
    expect_owner("data/link", 0);
    expect_owner("elsewhere", 0);
    expect_owner("elsewhere/file", 0);
}

static void test_nothing_there(void **state)
{
    (void)state;
    umx_data_owner_keep(NULL);
    umx_data_owner_keep("/nonexistent/data");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_root_made),
        cmocka_unit_test(test_nothing_there),
    };

    return cmocka_run_group_tests(tests, begin, end);
}

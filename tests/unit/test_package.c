/* The package that the controller keeps, read for somebody: in parts, all of it, and nothing else than what came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/package.h"

enum { SIZE = 2 * UMX_PACKAGE_PART + 17 };

static char folder[] = "/tmp/umx-package-XXXXXX";
static char path[64];
static uint8_t kept[SIZE];
static uint8_t came[SIZE];

struct reader {
    size_t length;
    size_t parts;
    const char *change; /* a file to change behind the first part */
    size_t cut;
    bool refuse;
};

static void put(const uint8_t *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void release_of(struct umx_release *release)
{
    *release = (struct umx_release){.version = "1.2.3", .kind = "msi", .size = SIZE};
    assert_int_equal(EVP_Digest(kept, SIZE, release->sha256, NULL, EVP_sha256(), NULL), 1);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/package", folder);
    for (size_t i = 0; i < SIZE; i++)
        kept[i] = (uint8_t)(i * 31 + i / 251);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static int take(void *user, int64_t offset, const uint8_t *bytes, size_t length, struct umx_error *err)
{
    struct reader *reader = user;

    assert_int_equal(offset, reader->length);
    assert_in_range(length, 1, UMX_PACKAGE_PART);
    assert_true(reader->length + length <= SIZE);
    memcpy(came + offset, bytes, length);
    reader->length += length;
    reader->parts++;
    if (reader->change != NULL)
        assert_int_equal(truncate(reader->change, (off_t)reader->cut), 0);
    return reader->refuse ? umx_fail(err, UMX_ERR_CANCELLED, "reader", NULL) : 0;
}

static int read_it(struct reader *reader, struct umx_error *err)
{
    struct umx_release release;

    release_of(&release);
    *err = (struct umx_error){0};
    memset(came, 0, sizeof came);
    return umx_package_read(path, &release, take, reader, err);
}

static void test_whole(void **state)
{
    struct reader reader = {0};
    struct umx_error err;

    (void)state;
    put(kept, SIZE);
    assert_int_equal(read_it(&reader, &err), 0);
    assert_int_equal(reader.length, SIZE);
    assert_int_equal(reader.parts, 3);
    assert_memory_equal(came, kept, SIZE);
}

static void test_missing(void **state)
{
    struct reader reader = {0};
    struct umx_error err;

    (void)state;
    unlink(path);
    assert_int_equal(read_it(&reader, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_PACKAGE_NONE);
    assert_int_equal(mkdir(path, 0700), 0); /* no file either */
    assert_int_equal(read_it(&reader, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_PACKAGE_DAMAGED);
    assert_int_equal(rmdir(path), 0);
    put(kept, SIZE);
    char aside[80];
    snprintf(aside, sizeof aside, "%s-aside", path);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(symlink(aside, path), 0); /* what a link leads to is nothing that the controller kept */
    assert_int_equal(read_it(&reader, &err), UMX_E_NOT_FOUND);
    unlink(path);
    unlink(aside);
    assert_int_equal(reader.parts, 0);
}

/* Nothing is sent of a file of another size. */
static void test_another_size(void **state)
{
    static uint8_t longer[SIZE + 1];
    struct reader reader = {0};
    struct umx_error err;

    (void)state;
    put(kept, SIZE - 1);
    assert_int_equal(read_it(&reader, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_PACKAGE_DAMAGED);
    memcpy(longer, kept, SIZE);
    put(longer, SIZE + 1);
    assert_int_equal(read_it(&reader, &err), UMX_E_FORMAT);
    put(kept, 0);
    assert_int_equal(read_it(&reader, &err), UMX_E_FORMAT);
    assert_int_equal(reader.parts, 0);
}

static void test_changed(void **state)
{
    static const size_t places[] = {0, UMX_PACKAGE_PART - 1, UMX_PACKAGE_PART, SIZE - 1};
    struct umx_error err;

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct reader reader = {0};
        put(kept, SIZE);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, (long)places[i], SEEK_SET), 0);
        assert_int_equal(fputc(kept[places[i]] ^ 1, file), kept[places[i]] ^ 1);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(read_it(&reader, &err), UMX_E_FORMAT);
        assert_int_equal(err.id, UMX_ERR_PACKAGE_DAMAGED);
    }
}

static void test_cut_while_it_is_read(void **state)
{
    struct umx_error err;

    (void)state;
    for (size_t cut = UMX_PACKAGE_PART; cut < SIZE; cut += UMX_PACKAGE_PART / 2) {
        struct reader reader = {.change = path, .cut = cut};
        put(kept, SIZE);
        assert_int_equal(read_it(&reader, &err), UMX_E_FORMAT);
        assert_int_equal(err.id, UMX_ERR_PACKAGE_DAMAGED);
        assert_true(reader.length <= cut);
    }
}

static void test_reader_that_has_enough(void **state)
{
    struct reader reader = {.refuse = true};
    struct umx_error err;

    (void)state;
    put(kept, SIZE);
    assert_int_equal(read_it(&reader, &err), UMX_E_CANCELLED);
    assert_int_equal(reader.parts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_another_size),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_cut_while_it_is_read),
        cmocka_unit_test(test_reader_that_has_enough),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

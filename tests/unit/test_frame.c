#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"

static char written[4096];
static size_t written_length;

/* Three frames: 5 bytes, none, 300 bytes. */
static int set_up(void **state)
{
    char big[300];
    FILE *file = fmemopen(written, sizeof written, "wb");

    (void)state;
    memset(big, 'b', sizeof big);
    if (file == NULL || umx_frame_write(file, "hello", 5, NULL) != 0 || umx_frame_write(file, NULL, 0, NULL) != 0 ||
        umx_frame_write(file, big, sizeof big, NULL) != 0)
        return -1;
    written_length = (size_t)ftell(file);
    return fclose(file);
}

static FILE *reader(size_t length)
{
    FILE *file = fmemopen(written, length, "rb");

    assert_non_null(file);
    return file;
}

static void come_back(void **state)
{
    static const size_t lengths[] = {5, 0, 300};
    FILE *file = reader(written_length);
    uint8_t *bytes;
    size_t length;

    (void)state;
    assert_int_equal(written_length, 3 * 4 + 305);
    assert_memory_equal(written, "\5\0\0\0hello", 9);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(umx_frame_read(file, 300, &bytes, &length, NULL), UMX_OK);
        assert_non_null(bytes); /* also for the empty frame */
        assert_int_equal(length, lengths[i]);
        if (i == 0)
            assert_memory_equal(bytes, "hello", 5);
        free(bytes);
    }
    assert_int_equal(umx_frame_read(file, 300, &bytes, &length, NULL), UMX_OK);
    assert_null(bytes); /* the end */
    fclose(file);
}

static void cut_frames_are_refused(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 9; cut++) {
        FILE *file = reader(cut);
        struct umx_error err = {0};
        uint8_t *bytes;
        size_t length;
        assert_int_equal(umx_frame_read(file, 300, &bytes, &length, &err), UMX_E_FORMAT);
        assert_int_equal(err.id, UMX_ERR_MESSAGE_INVALID);
        assert_null(bytes);
        fclose(file);
    }
}

static void large_frames_are_refused_before_they_are_read(void **state)
{
    static char huge[] = "\xFF\xFF\xFF\xFFx";
    FILE *file = fmemopen(huge, 5, "rb");
    struct umx_error err = {0};
    uint8_t *bytes;
    size_t length;

    (void)state;
    assert_int_equal(umx_frame_read(file, 300, &bytes, &length, &err), UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_FRAME_TOO_LARGE);
    assert_null(bytes);
    assert_int_equal(fgetc(file), 'x');
    fclose(file);
}

static void full_disks_are_reported(void **state)
{
    FILE *file = fopen("/dev/full", "wb");
    struct umx_error err = {0};

    (void)state;
    assert_non_null(file);
    assert_int_equal(umx_frame_write(file, "hello", 5, &err), UMX_E_IO);
    assert_int_equal(err.id, UMX_ERR_FILE_UNWRITABLE);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(come_back),
        cmocka_unit_test(cut_frames_are_refused),
        cmocka_unit_test(large_frames_are_refused_before_they_are_read),
        cmocka_unit_test(full_disks_are_reported),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* Snapshot files. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/open.h"
#include "base/reflect_field.h"
#include "base/world.h"
#include "base/world_lines.h"

static const char header[] = "umx-snapshot 1\n";

/* Records are gathered in frames of about this size; a larger record has a frame of its own. */
enum { FRAME_GOAL = 64 * 1024 };

/* Almost empty records take far more memory than bytes: a frame of our own has to fit whatever is in it. */
enum { FRAME_FLOOR = 16 * 1024 * 1024 };

static int write_part(FILE *file, const Umx__World *part, struct umx_error *err)
{
    uint8_t *bytes;
    size_t length;
    int status = umx_reflect_pack(&part->base, &bytes, &length, err);

    if (status == UMX_OK && length > UMX_MAX_RECORD)
        status = umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, "snapshot", "a record of %zu bytes", length);
    if (status == UMX_OK)
        status = umx_frame_write(file, bytes, length, err);
    free(bytes);
    return status;
}

static int write_table(FILE *file, const Umx__World *records, const struct umx_table *table, struct umx_error *err)
{
    size_t count;
    ProtobufCMessage **array = umx_world_table(records, table, &count);

    for (size_t start = 0, end; start < count; start = end) {
        size_t size = protobuf_c_message_get_packed_size(array[start]);
        for (end = start + 1; end < count; end++) {
            size += protobuf_c_message_get_packed_size(array[end]);
            if (size > FRAME_GOAL)
                break;
        }
        Umx__World part = UMX__WORLD__INIT;
        umx_field_set_array(&part.base, table->field, array + start, end - start);
        int status = write_part(file, &part, err);
        if (status != UMX_OK)
            return status;
    }
    return UMX_OK;
}

static int write_all(FILE *file, const Umx__World *records, struct umx_error *err)
{
    size_t tables;
    const struct umx_table *table = umx_reflect_tables(&tables);
    Umx__World head = UMX__WORLD__INIT;

    head.has_taken_at = 1;
    head.taken_at = records->taken_at;
    head.deployment = records->deployment;
    if (fputs(header, file) == EOF)
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, "snapshot", "%s", strerror(errno));
    int status = write_part(file, &head, err);
    for (size_t t = 0; status == UMX_OK && t < tables && !table[t].derived; t++)
        status = write_table(file, records, &table[t], err);
    return status == UMX_OK ? umx_frame_write(file, NULL, 0, err) : status;
}

int umx_world_save(const struct umx_world *world, const char *path, struct umx_error *err)
{
    struct umx_text temporary = {0};
    FILE *file = NULL;
    int status = UMX_OK;

    umx_text_addf(&temporary, "%s.%ld.tmp", path, (long)getpid());
    if (temporary.failed)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    const char *name = umx_text_string(&temporary);
    umx_remove(name); /* of an earlier process of this number; "x" then refuses what somebody else puts there */
    file = umx_open(name, "wbx");
    if (file == NULL) {
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, name, "%s", strerror(errno));
        goto out;
    }
    status = write_all(file, umx_world_records(world), err);
    if (fclose(file) != 0 && status == UMX_OK)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, name, "%s", strerror(errno));
    if (status == UMX_OK && umx_rename(name, path) != 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    if (status != UMX_OK)
        umx_remove(name);
out:
    umx_text_free(&temporary);
    return status;
}

/* Adds the records of one frame; the bytes are freed. */
static int read_part(struct umx_world *world, uint8_t *bytes, size_t length, struct umx_error *err)
{
    ProtobufCMessage *part;
    struct umx_arena *arena = umx_arena_new(length * UMX_ARENA_FACTOR + FRAME_FLOOR);
    int status;

    if (arena == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, "snapshot", NULL);
    else
        status = umx_reflect_unpack(&umx__world__descriptor, bytes, length, arena, &part, err);
    if (status == UMX_OK)
        status = umx_world_add_all(world, (const Umx__World *)part, err);
    umx_arena_free(arena);
    free(bytes);
    return status;
}

/* What is wrong inside a frame is said about the file; a lack of memory and a failed read stay what they are. */
static int not_a_snapshot(const char *path, int status, struct umx_error *err)
{
    if (err == NULL || status == UMX_OK || status == UMX_E_MEMORY || status == UMX_E_IO)
        return status;
    struct umx_error inner = *err;
    return umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, path, "%s", umx_error_why(&inner));
}

static int read_all(FILE *file, const char *path, struct umx_world *world, struct umx_error *err)
{
    char line[sizeof header];
    int first = fgetc(file);

    ungetc(first, file);
    if (first == '{')
        return not_a_snapshot(path, umx_world_read_lines(file, world, err), err);
    if (fgets(line, sizeof line, file) == NULL || strcmp(line, header) != 0)
        return umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, path, "it does not begin as a snapshot of this version");
    for (bool complete = false; !complete;) {
        uint8_t *bytes;
        size_t length;
        int status = umx_frame_read(file, UMX_MAX_RECORD, &bytes, &length, err);
        if (status == UMX_OK && bytes == NULL)
            return umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, path, "cut short");
        complete = status == UMX_OK && length == 0;
        if (complete)
            free(bytes);
        else if (status == UMX_OK)
            status = read_part(world, bytes, length, err);
        if (status != UMX_OK)
            return not_a_snapshot(path, status, err);
    }
    if (fgetc(file) != EOF)
        return umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, path, "something follows its end");
    return UMX_OK;
}

int umx_world_load(const char *path, struct umx_world **world, struct umx_error *err)
{
    struct umx_world *loaded = NULL;
    int status;

    *world = NULL;
    FILE *file = umx_open(path, "rb");
    if (file == NULL)
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    loaded = umx_world_new(0);
    if (loaded == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    else
        status = read_all(file, path, loaded, err);
    if (status == UMX_OK)
        status = not_a_snapshot(path, umx_world_check_places(umx_world_records(loaded), err), err);
    fclose(file);
    if (status == UMX_OK) {
        *world = loaded;
        loaded = NULL;
    }
    umx_world_free(loaded);
    return status;
}

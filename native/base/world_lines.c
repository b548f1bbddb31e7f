#include "base/world_lines.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 4 * UMX_MAX_RECORD, LINE_ARENA = 4 * UMX_MAX_RECORD };

struct reading {
    struct umx_world *world;
    json_int_t records;
    bool begun;
    bool complete;
};

/* The next line without its end; *line is NULL behind the last one. The caller's text is used again and again. */
static int next_line(FILE *file, struct umx_text *text, const char **line, struct umx_error *err)
{
    char part[4096];

    *line = NULL;
    text->length = 0;
    while (fgets(part, sizeof part, file) != NULL) {
        size_t length = strlen(part);
        bool end = length > 0 && part[length - 1] == '\n';
        umx_text_add(text, part, end ? length - 1 : length);
        if (text->failed)
            return umx_fail(err, UMX_ERR_MEMORY, "snapshot", NULL);
        if (text->length > LINE_MAX_BYTES)
            return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, "snapshot", "a line is longer than %d bytes", LINE_MAX_BYTES);
        *line = umx_text_string(text);
        if (end)
            return 0;
    }
    return ferror(file) ? umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, "snapshot", "%s", strerror(errno)) : 0;
}

static int take_head(struct reading *reading, const json_t *head, struct umx_error *err)
{
    Umx__World *world = umx_world_edit(reading->world);
    const char *taken = json_string_value(json_object_get(head, "taken_at"));
    const char *deployment = json_string_value(json_object_get(head, "deployment"));
    int64_t at;

    if (json_integer_value(json_object_get(head, "snapshot")) != 1 || taken == NULL || umx_clock_parse(taken, &at) != 0)
        return umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, "snapshot", "it does not begin as a snapshot of this version");
    world->has_taken_at = 1;
    world->taken_at = at;
    if (deployment != NULL) {
        world->deployment = umx_arena_string(umx_world_arena(reading->world), deployment);
        if (world->deployment == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, "snapshot", NULL);
    }
    reading->begun = true;
    return 0;
}

static int take_record(struct reading *reading, const json_t *line, struct umx_error *err)
{
    const char *name = json_string_value(json_object_get(line, "table"));
    const struct umx_table *table = name != NULL ? umx_reflect_table(name) : NULL;
    char *text = json_dumps(json_object_get(line, "record"), JSON_COMPACT);
    struct umx_arena *arena = umx_arena_new(LINE_ARENA);
    ProtobufCMessage *record = NULL;
    int status = 0;

    if (table == NULL || table->derived || text == NULL)
        status = umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, "snapshot", "a line is not a record of a world");
    else if (arena == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    if (status == 0)
        status = umx_reflect_from_json(table->record, text, strlen(text), arena, &record, err);
    if (status == 0)
        status = umx_world_add(reading->world, record, err);
    reading->records++;
    umx_arena_free(arena);
    free(text);
    return status;
}

static int take_line(struct reading *reading, const char *text, struct umx_error *err)
{
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *count = json_object_get(line, "records");
    int status;

    if (!json_is_object(line) || reading->complete)
        status = umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, "snapshot",
                          reading->complete ? "something follows its end" : "a line is not a JSON object");
    else if (!reading->begun)
        status = take_head(reading, line, err);
    else if (count == NULL)
        status = take_record(reading, line, err);
    else {
        reading->complete = json_integer_value(count) == reading->records;
        status = reading->complete ? 0 : umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, "snapshot", "records are missing");
    }
    json_decref(line);
    return status;
}

int umx_world_read_lines(FILE *file, struct umx_world *world, struct umx_error *err)
{
    struct reading reading = {.world = world};
    struct umx_text text = {0};
    const char *line = NULL;
    int status;

    do {
        status = next_line(file, &text, &line, err);
        if (status == 0 && line != NULL)
            status = take_line(&reading, line, err);
    } while (status == 0 && line != NULL);
    umx_text_free(&text);
    if (status == 0 && !reading.complete)
        status = umx_fail(err, UMX_ERR_SNAPSHOT_INVALID, "snapshot", "cut short");
    return status;
}

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/world.h"
#include "cli/commands.h"
#include "cli/value.h"

enum { RECORD_ARENA = 4 * UMX_MAX_RECORD };

struct save {
    struct umx_world *world;
    size_t records;
};

/* Record by record, so that the largest world is held once and not as JSON too. */
static int add_record(void *user, const char *type, const json_t *item, struct umx_error *err)
{
    struct save *save = user;
    const char *name = umx_value_string(item, "table");
    const struct umx_table *table = umx_reflect_table(name);
    char *text = json_dumps(json_object_get(item, "record"), JSON_COMPACT);
    struct umx_arena *arena = umx_arena_new(RECORD_ARENA);
    ProtobufCMessage *record = NULL;
    int status = 0;

    if (strcmp(type, "records") != 0 || table == NULL || table->derived || text == NULL)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, name, "not a record of a world");
    else if (arena == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    if (status == 0)
        status = umx_reflect_from_json(table->record, text, strlen(text), arena, &record, err);
    if (status == 0)
        status = umx_world_add(save->world, record, err);
    save->records++;
    umx_arena_free(arena);
    free(text);
    return status;
}

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    fprintf(cli->out, "%s: %lld records of %s\n", umx_value_string(document->root, "file"),
            umx_value_integer(document->root, "records"), umx_value_string(document->root, "taken_at"));
}

static int finish(struct save *save, const char *path, struct umx_document *document, struct umx_error *err)
{
    Umx__World *world = umx_world_edit(save->world);
    int64_t taken_at;

    if (umx_clock_parse(umx_value_string(document->root, "taken_at"), &taken_at) != 0)
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, "snapshot", "its time is missing");
    world->has_taken_at = 1;
    world->taken_at = taken_at;
    world->deployment = umx_arena_string(umx_world_arena(save->world), umx_value_string(document->root, "deployment"));
    int status = umx_world_save(save->world, path, err);
    if (status == 0)
        status = umx_document_set(document, "file", json_string(path), err);
    if (status == 0)
        status = umx_document_set(document, "records", json_integer((json_int_t)save->records), err);
    return status;
}

UMX_COMMAND(snapshot_save)
{
    struct save save = {.world = umx_world_new(0)};
    const struct umx_call_sink sink = {.item = add_record, .user = &save};
    struct umx_document document = {0};

    if (save.world == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "snapshot", NULL);
    int status = umx_call(cli, "snapshot", NULL, &sink, &document, err);
    if (status == 0)
        status = finish(&save, umx_args_operand(args, 0), &document, err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    if (status == 0 && document.partial)
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    umx_world_free(save.world);
    return status;
}

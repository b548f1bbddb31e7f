/*
 * What steps promise, against what is there: the tables of the forests and agents that the records speak of are read
 * anew. Whose word counts is in the record: an agent's tables come from the agent of their server, or of the server
 * that the step is about.
 */
#include <string.h>

#include "base/reflect_field.h"
#include "controller/engine_private.h"
#include "phases/phase.h"
#include "phases/records.h"

enum { PLACES_MAX = 512, TABLES_MAX = 40 };

/* A forest's reader, or an agent; server "" with agents: all of the forest. */
struct place {
    bool agents;
    bool blind;
    const char *forest;
    const char *server;
    const char *tables[TABLES_MAX + 1];
    size_t table_count;
};

struct places {
    struct umx_arena *arena;
    struct place *items;
    size_t count;
    bool full;
};

/* Tables that agents report name their server; the forests' workers read all others, and the Exchange servers. */
static bool of_agents(const struct umx_table *table)
{
    return table->record != &umx__exchange_server__descriptor &&
           protobuf_c_message_descriptor_get_field_by_name(table->record, "server") != NULL;
}

static const char *server_of(const Umx__PlanStep *step)
{
    const Umx__Change *change = step->change;

    if (change != NULL && change->action != NULL && change->action->server != NULL)
        return change->action->server;
    if (change != NULL && change->wait != NULL && change->wait->server != NULL)
        return change->wait->server;
    return "";
}

static void place_of(const Umx__PlanStep *step, const struct umx_table *table, const ProtobufCMessage *record,
                     struct place *out)
{
    const char *forest = umx_field_text(record, "forest"), *server = umx_field_text(record, "server");

    *out = (struct place){.agents = of_agents(table)};
    out->forest = forest != NULL ? forest : step->forest != NULL ? step->forest : "";
    out->server = !out->agents ? "" : server != NULL ? server : server_of(step);
}

static struct place *find(const struct places *places, const struct place *wanted)
{
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = &places->items[i];
        if (place->agents == wanted->agents && umx_text_equal(place->server, wanted->server) &&
            (place->server[0] != '\0' || umx_text_equal(place->forest, wanted->forest)))
            return place;
    }
    return NULL;
}

static void want(struct places *places, const struct place *wanted, const char *table)
{
    struct place *place = find(places, wanted);

    if (place == NULL && places->count < PLACES_MAX) {
        place = &places->items[places->count++];
        *place = *wanted;
        place->table_count = 0;
    }
    if (place == NULL) {
        places->full = true;
        return;
    }
    for (size_t i = 0; i < place->table_count; i++)
        if (strcmp(place->tables[i], table) == 0)
            return;
    if (place->table_count == TABLES_MAX)
        places->full = true;
    else
        place->tables[place->table_count++] = table;
}

static void want_part(struct places *places, const Umx__PlanStep *step, const Umx__World *part)
{
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    for (size_t t = 0; part != NULL && t < table_count; t++) {
        size_t count;
        if (tables[t].derived)
            continue;
        ProtobufCMessage **records = umx_world_table(part, &tables[t], &count);
        for (size_t i = 0; i < count; i++) {
            struct place place;
            place_of(step, &tables[t], records[i], &place);
            want(places, &place, tables[t].name);
        }
    }
}

static void blind(struct umx_promise_reading *out, struct place *place, const struct umx_error *why)
{
    place->blind = true;
    out->blind_count++;
    umx_text_addf(&out->blind, "%s: %s\n", place->server[0] != '\0' ? place->server : place->forest,
                  umx_error_why(why));
}

static void read_agents(struct umx_engine *engine, struct umx_promise_reading *out, struct place *place)
{
    const struct umx_engine_ports *ports = &engine->ports;
    const char *server = place->server[0] != '\0' ? place->server : NULL;
    struct umx_error why = {0};

    int status = ports->collect == NULL
                     ? umx_fail(&why, UMX_ERR_OPERATION_UNKNOWN, place->forest, "this controller has no agents")
                     : ports->collect(ports->user, place->forest, server, place->tables, engine->options.act_deadline,
                                      out->world, &why);
    if (status == 0)
        return;
    if (why.id == UMX_ERR_AGENT_UNKNOWN && server != NULL)
        out->away = server;
    out->failed = out->failed || why.id != UMX_ERR_AGENT_UNKNOWN;
    blind(out, place, &why);
}

/* What a worker could not read comes as an error of its forest's record. */
static const char *unread(const Umx__World *world, const struct place *place)
{
    for (size_t i = 0; i < world->n_forest; i++) {
        const Umx__Forest *forest = world->forest[i];
        const char *why = forest->error;
        if (!umx_text_equal(forest->forest, place->forest))
            continue;
        for (size_t t = 0; why == NULL && t < place->table_count; t++)
            why = umx_forest_incomplete(forest, place->tables[t]);
        if (why != NULL)
            return why;
    }
    return NULL;
}

static int read_forest(struct umx_engine *engine, struct umx_promise_reading *out, struct place *place,
                       struct umx_error *err)
{
    const char *const forests[] = {place->forest};
    struct umx_world *world = NULL;
    struct umx_error why = {0};

    int status = engine->ports.read_world(engine->ports.user, forests, 1, place->tables, &world, &why);
    if (status == 0) {
        const char *error = unread(umx_world_records(world), place);
        if (error != NULL)
            status = umx_fail(&why, UMX_ERR_PLAN_WORLD_INCOMPLETE, place->forest, "%s", error);
    }
    if (status != 0) {
        out->failed = true;
        blind(out, place, &why);
        status = 0;
    } else {
        status = umx_world_add_all(out->world, umx_world_records(world), err);
    }
    umx_world_free(world);
    return status;
}

/* The places stay known in the world's arena: umx_promise_seen asks for them. */
static struct places places_new(struct umx_arena *arena)
{
    struct places places = {arena, umx_arena_alloc(arena, PLACES_MAX * sizeof(struct place)), 0, false};

    return places;
}

int umx_promise_read(struct umx_engine *engine, Umx__PlanStep *const *steps, size_t count, struct umx_arena *arena,
                     struct umx_promise_reading *out, struct umx_error *err)
{
    struct places places = places_new(arena);
    int status = 0;

    memset(out, 0, sizeof *out);
    out->world = umx_world_new(umx_clock_now());
    if (out->world == NULL || places.items == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, "promise", NULL);
    for (size_t i = 0; status == 0 && i < count; i++) {
        want_part(&places, steps[i], steps[i]->predicted);
        want_part(&places, steps[i], steps[i]->removed);
        want_part(&places, steps[i], steps[i]->original);
    }
    if (status == 0 && places.full)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, "promise", "more than %d servers and forests", PLACES_MAX);
    for (size_t i = 0; status == 0 && i < places.count; i++) {
        if (places.items[i].agents)
            read_agents(engine, out, &places.items[i]);
        else
            status = read_forest(engine, out, &places.items[i], err);
    }
    out->places = places.items;
    out->place_count = places.count;
    if (status != 0)
        umx_promise_forget(out);
    return status;
}

static bool there(struct umx_engine *engine, const struct place *place)
{
    const struct umx_engine_ports *ports = &engine->ports;

    if (!place->agents)
        return true;
    if (ports->collect == NULL)
        return false;
    return ports->connected == NULL ||
           ports->connected(ports->user, place->forest, place->server[0] != '\0' ? place->server : NULL);
}

int umx_promise_places(struct umx_engine *engine, Umx__PlanStep *step, struct umx_arena *arena,
                       struct umx_promise_reading *out, struct umx_error *err)
{
    struct places places = places_new(arena);
    struct umx_error why = {0};

    memset(out, 0, sizeof *out);
    if (places.items == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "promise", NULL);
    want_part(&places, step, step->predicted);
    want_part(&places, step, step->removed);
    umx_fail(&why, UMX_ERR_AGENT_UNKNOWN, "agent", "no agent is connected there");
    for (size_t i = 0; i < places.count; i++)
        if (!there(engine, &places.items[i]))
            blind(out, &places.items[i], &why);
    return 0;
}

void umx_promise_forget(struct umx_promise_reading *reading)
{
    umx_world_free(reading->world);
    umx_text_free(&reading->blind);
    memset(reading, 0, sizeof *reading);
}

int umx_promise_seen(const struct umx_promise_reading *reading, const Umx__PlanStep *step, const Umx__World *part,
                     struct umx_arena *arena, Umx__World **out, struct umx_error *err)
{
    const struct places places = {arena, reading->places, reading->place_count, false};
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    *out = NULL;
    if (part == NULL)
        return 0;
    *out = umx_reflect_new(&umx__world__descriptor, arena);
    for (size_t t = 0; *out != NULL && t < table_count; t++) {
        size_t count;
        if (tables[t].derived)
            continue;
        ProtobufCMessage **records = umx_world_table(part, &tables[t], &count);
        for (size_t i = 0; *out != NULL && i < count; i++) {
            struct place wanted;
            place_of(step, &tables[t], records[i], &wanted);
            const struct place *place = find(&places, &wanted);
            if (place != NULL && !place->blind && !umx_records_push(arena, *out, records[i]))
                *out = NULL;
        }
    }
    return *out == NULL ? umx_fail(err, UMX_ERR_ARENA_FULL, step->id, NULL) : 0;
}
